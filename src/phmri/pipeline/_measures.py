"""Measures of one run: each kind handed to the first level with what it needs.

Measures that can share a pass over the voxels do: those of one kind and one denoising that differ
only in seed or contrast come to their function together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TypeVar

import numpy as np

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel import (
    RunEstimate,
    alff,
    degree_centrality,
    dual_regression,
    every_nth_voxel,
    exposure_connectivity,
    falff,
    global_connectivity,
    receptor_regression,
    reho,
    roi_to_roi,
    seed_to_parcel,
    seed_to_voxel,
)
from phmri.pipeline._blocks import make_block_weights
from phmri.pipeline._infusion_measure import infusion
from phmri.pipeline._job import parcel_name
from phmri.pipeline._located import located
from phmri.pipeline._model_measures import beta_series, ppi, task
from phmri.pipeline._run_data import RunData
from phmri.protocol import (
    Alff,
    BetaSeries,
    DegreeCentrality,
    DualRegression,
    ExposureConnectivity,
    Falff,
    GlobalConnectivity,
    Infusion,
    Measure,
    Ppi,
    ReceptorMaps,
    Reho,
    RoiToRoi,
    SeedToParcel,
    SeedToVoxel,
    Task,
)

__all__ = ["Variant", "measure_run"]

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Variant:
    """A measure under one of its denoisings.

    Parameters
    ----------
    measure, denoising : str
    """

    measure: str
    denoising: str


def measure_run(data: RunData) -> dict[Variant, RunEstimate]:
    """Compute every measure of a run, under every denoising it asks for.

    Parameters
    ----------
    data : RunData

    Returns
    -------
    dict of Variant to RunEstimate
    """
    groups: dict[tuple[str, str], dict[str, Measure]] = {}
    for name, measure in data.job.measures.items():
        for denoising in measure.denoisings:
            groups.setdefault((denoising, _shared(name, measure)), {})[name] = measure
    results: dict[Variant, RunEstimate] = {}
    for (denoising, _), members in groups.items():
        place = f"measures.{', '.join(members)}"
        with located(file=str(data.job.run.path), field=place):
            found = _together(data, members, denoising)
        results |= {Variant(name, denoising): estimate for name, estimate in found.items()}
    return results


def _shared(name: str, measure: Measure) -> str:
    """Describe a measure but for what may differ within one pass."""
    if not isinstance(measure, SeedToVoxel | Task | Ppi | BetaSeries):
        return name
    differs = {"seed", "contrast", "sensitivity", "denoising"}
    return measure.model_dump_json(exclude=differs)


def _together(
    data: RunData, members: Mapping[str, Measure], denoising: str
) -> dict[str, RunEstimate]:
    first = next(iter(members.values()))
    match first:
        case SeedToVoxel():
            return _seed_to_voxel(data, _of(members, SeedToVoxel), denoising)
        case Task():
            return task(data, _of(members, Task), denoising)
        case Ppi():
            return ppi(data, _of(members, Ppi), denoising)
        case BetaSeries():
            return beta_series(data, _of(members, BetaSeries), denoising)
    (name,) = members
    return {name: _alone(first, data, denoising)}


def _of(members: Mapping[str, Measure], kind: type[Kind]) -> dict[str, Kind]:
    return {name: item for name, item in members.items() if isinstance(item, kind)}


@singledispatch
def _alone(measure: Measure, data: RunData, denoising: str) -> RunEstimate:
    # One measure that shares its pass with no other.
    raise FirstLevelError(
        Problem(what="no first level computes this measure", found=type(measure).__name__)
    )


def _seed_to_voxel(
    data: RunData, members: Mapping[str, SeedToVoxel], denoising: str
) -> dict[str, RunEstimate]:
    first = next(iter(members.values()))
    seeds = data.seeds(members, denoising)
    voxels = data.outcomes(first, denoising).series
    try:
        found = seed_to_voxel(
            data.cleaning(denoising), seeds, voxels, make_block_weights(data, first)
        )
    except FirstLevelError as error:
        names = {f"seed {i}": member.seed for i, member in enumerate(members.values())}
        told = (
            replace(problem, field=names.get(problem.field or "", problem.field))
            for problem in error.problems
        )
        raise FirstLevelError(*told) from error
    return dict(zip(members, found, strict=True))


@_alone.register
def _seed_to_parcel(measure: SeedToParcel, data: RunData, denoising: str) -> RunEstimate:
    seed = data.region(measure, denoising, measure.used_regions[0])
    parcels = data.outcomes(measure, denoising)
    within = make_block_weights(data, measure)
    return seed_to_parcel(data.cleaning(denoising), seed, parcels.series, parcels.names, within)


@_alone.register
def _roi_to_roi(measure: RoiToRoi, data: RunData, denoising: str) -> RunEstimate:
    keys = measure.used_regions or data.job.parcels[measure.parcellation or ""]
    names = measure.used_regions or tuple(map(parcel_name, keys))
    regions = np.column_stack([data.region(measure, denoising, key) for key in keys])
    within = make_block_weights(data, measure)
    return roi_to_roi(data.cleaning(denoising), regions, names, measure.summary, within)


@_alone.register
def _alff(measure: Alff, data: RunData, denoising: str) -> RunEstimate:
    found = data.percent_outcomes(measure, denoising)
    cleaning = data.cleaning(denoising)
    estimate = alff(cleaning, found.series, t_r=data.t_r, band_hz=measure.band_hz, mean=found.mean)
    return found.named(estimate)


@_alone.register
def _falff(measure: Falff, data: RunData, denoising: str) -> RunEstimate:
    found = data.outcomes(measure, denoising)
    estimate = falff(data.cleaning(denoising), found.series, t_r=data.t_r, band_hz=measure.band_hz)
    return found.named(estimate)


@_alone.register
def _infusion(measure: Infusion, data: RunData, denoising: str) -> RunEstimate:
    return infusion(data, measure, denoising)


@_alone.register
def _reho(measure: Reho, data: RunData, denoising: str) -> RunEstimate:
    voxels = data.outcomes(measure, denoising).series
    return reho(data.cleaning(denoising), voxels, data.mask, neighbours=measure.neighbours)


@_alone.register
def _global_connectivity(
    measure: GlobalConnectivity, data: RunData, denoising: str
) -> RunEstimate:
    found = data.outcomes(measure, denoising)
    return global_connectivity(data.cleaning(denoising), found.series, names=found.names)


@_alone.register
def _degree_centrality(measure: DegreeCentrality, data: RunData, denoising: str) -> RunEstimate:
    found = data.outcomes(measure, denoising)
    return degree_centrality(
        data.cleaning(denoising),
        found.series,
        threshold=measure.threshold_r,
        names=found.names,
        targets=every_nth_voxel(data.mask, measure.step) if measure.is_map else None,
    )


@_alone.register
def _dual_regression(measure: DualRegression, data: RunData, denoising: str) -> RunEstimate:
    found = data.percent_outcomes(measure, denoising)
    maps = data.maps(measure)
    names = tuple(f"network{i + 1}" for i in range(len(maps)))
    return dual_regression(
        data.cleaning(denoising),
        found.series,
        maps,
        names=names,
        network=f"network{measure.network}",
        mean=found.mean,
    )


@_alone.register
def _receptor_maps(measure: ReceptorMaps, data: RunData, denoising: str) -> RunEstimate:
    found = data.percent_outcomes(measure, denoising)
    maps = data.maps(measure)
    n_receptors = len(measure.maps)
    grey = maps[n_receptors] > 0 if len(maps) > n_receptors else np.ones(maps.shape[1], bool)
    return receptor_regression(
        data.cleaning(denoising),
        found.series,
        maps[:n_receptors],
        names=tuple(measure.maps),
        receptor=measure.receptor,
        grey_matter=grey,
        mean=found.mean,
    )


@_alone.register
def _exposure_connectivity(
    measure: ExposureConnectivity, data: RunData, denoising: str
) -> RunEstimate:
    found = data.outcomes(measure, denoising)
    curve = data.job.exposures[measure.exposure]
    estimate = exposure_connectivity(
        data.cleaning(denoising),
        data.region(measure, denoising, measure.seed),
        found.series,
        curve.values_ng_ml / curve.peak_ng_ml,
        t_r=data.t_r,
        window_s=measure.window_s,
        step_s=measure.step_s,
    )
    return found.named(estimate)
