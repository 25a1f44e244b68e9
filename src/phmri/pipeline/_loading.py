"""First-level results of many runs as one array, for the voxels or names that all of them have."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from phmri.dataset import read_image
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._job import RunJob, manifest_path, run_inputs, run_key
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._outcome_files import (
    outcome_column,
    outcome_path,
    read_values,
    unknown_outcome,
)
from phmri.pipeline._provenance import are_same, hash_parameters
from phmri.pipeline._read_as import read_kept
from phmri.pipeline._sound import few, is_as_measured, refuse_altered, refuse_odd_grids
from phmri.protocol import Protocol, Question, RoiToRoi
from phmri.signals import RegionOnGrid

__all__ = [
    "LoadedOutcomes",
    "MeasuredRun",
    "RunKey",
    "gather_runs",
    "load_outcomes",
    "load_values",
]

OTHER_SETTINGS = "was measured with other settings (run the participant level)"
CHANGED_SINCE = "was measured before its files changed (run the participant level)"
RunKey = tuple[str, str, str]
"""Participant, session, scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """A run whose first level is finished.

    Parameters
    ----------
    job : RunJob
    manifest : RunManifest
        What was written about it.
    """

    job: RunJob
    manifest: RunManifest

    @property
    def key(self) -> RunKey:  # numpydoc ignore=RT01
        """Participant, session and scan."""
        return run_key(self.job)

    @property
    def excluded(self) -> str:  # numpydoc ignore=RT01
        """Why its results may not be used; empty when they may."""
        return self.manifest.excluded

    @property
    def is_outdated(self) -> bool:  # numpydoc ignore=RT01
        """Whether it was measured with other settings, or before its files changed."""
        return self.excluded in {OTHER_SETTINGS, CHANGED_SINCE}

    @property
    def step_key(self) -> str:  # numpydoc ignore=RT01
        """What it was made with, and what came of it."""
        outputs = sorted((Path(one.path).name, one.sha256) for one in self.manifest.outputs)
        return hash_parameters({"step": self.manifest.step_key, "outputs": outputs})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedOutcomes:
    """The outcomes of a question, one row per participant.

    Parameters
    ----------
    kind : {"scalar", "map", "parcels", "edges"}
    images : dict of str to ndarray of shape (n_units, n_outcomes)
        Per role: ``outcome``, ``baseline``, ``first``, ``second``.
    names : tuple of str
        Parcels, nodes or edges; empty for a map.
    mask : ndarray of shape (x, y, z) or None
        Voxels of the map that were kept, in C order.
    affine : ndarray of shape (4, 4) or None
    weights : ndarray of shape (n_voxels,) or None
        Over the voxels of ``mask``, when a map is averaged to a scalar.
    note : str
        What was left out, in words; empty when nothing was.
    """

    kind: Literal["scalar", "map", "parcels", "edges"]
    images: dict[str, Float[np.ndarray, "n_units n_outcomes"]]
    names: tuple[str, ...]
    mask: Bool[np.ndarray, "x y z"] | None
    affine: Float[np.ndarray, "4 4"] | None
    weights: Float[np.ndarray, " n_voxels"] | None
    note: str


def gather_runs(jobs: Sequence[RunJob]) -> dict[RunKey, MeasuredRun]:
    """Read what the participant level left, for every run that has it.

    Parameters
    ----------
    jobs : sequence of RunJob

    Returns
    -------
    dict of (participant, session, scan) to MeasuredRun
        Without runs that are not measured yet; those that were measured with other settings, or
        whose files have changed since, are left out by a manifest that says so.
    """
    runs: dict[RunKey, MeasuredRun] = {}
    for job in jobs:
        manifest = read_kept(RunManifest, manifest_path(job))
        if manifest is None:  # or damaged since: as good as not measured
            continue
        reason = OTHER_SETTINGS if manifest.step_key != job.key else ""
        if not reason and not are_same(manifest.sources, run_inputs(job.run)):
            reason = CHANGED_SINCE
        if reason:
            manifest = replace(manifest, excluded=reason, cleaning={}, nuisance={})
        run = MeasuredRun(job=job, manifest=_with_coverage_of(job, manifest))
        runs[run.key] = run
    return runs


def _with_coverage_of(job: RunJob, manifest: RunManifest) -> RunManifest:
    """Leave out the coverage of regions that questions look into, and that were others then."""
    now = {region.name: _as_json(region.source) for region in job.regions}
    known = {
        name
        for name, source in manifest.region_sources.items()
        if now.get(name) == _as_json(source)
    }
    return replace(
        manifest,
        region_voxels={name: n for name, n in manifest.region_voxels.items() if name in known},
        region_coverage={name: x for name, x in manifest.region_coverage.items() if name in known},
    )


def _as_json(source: dict[str, object]) -> str:
    return json.dumps(source, sort_keys=True, default=str)


def load_outcomes(
    protocol: Protocol,
    question: Question,
    runs: Mapping[str, Sequence[MeasuredRun]],
    region: RegionOnGrid | None,
    *,
    min_coverage: float = 1.0,
) -> LoadedOutcomes:
    """Read the outcomes of a question.

    Parameters
    ----------
    protocol : Protocol
    question : Question
    runs : mapping of str to sequence of MeasuredRun
        Per role, one run per participant, in the same order.
    region : RegionOnGrid or None
        What ``where.mean_of`` or ``where.within`` names.
    min_coverage : float, default 1
        Least fraction of the runs of a role that must have data in a voxel; a map then holds NaN
        where a run has none.

    Returns
    -------
    LoadedOutcomes

    Notes
    -----
    A `DesignError` says that files were changed since they were measured, that runs do not fit
    together, or that nothing is left of a region.
    """
    everyone = [run for members in runs.values() for run in members]
    refuse_altered([(run.job, run.manifest) for run in everyone], question)
    measure = protocol.measures[question.measure]
    if measure.is_map:
        averaged = question.where.mean_of is not None
        maps = _load_maps(question, runs, region, 1.0 if averaged else min_coverage)
        if not averaged:
            return maps
        return _average(question, maps, region, protocol.exclusions.min_region_coverage)
    return _load_tables(protocol, question, runs)


def _load_maps(
    question: Question,
    runs: Mapping[str, Sequence[MeasuredRun]],
    region: RegionOnGrid | None,
    min_coverage: float,
) -> LoadedOutcomes:
    everyone = [run for role in runs.values() for run in role]
    refuse_odd_grids([run.job for run in everyone])
    first = read_image(outcome_path(everyone[0].job, question), allow_nan=True)
    # With complete coverage no voxel outside the first map can be kept: less to hold in memory.
    allowed = np.isfinite(first.data) if min_coverage == 1 else np.ones(first.data.shape, bool)
    n_brain = int(np.isfinite(first.data).sum())
    if region is not None:
        inside = np.zeros(first.data.size, bool)
        inside[region.voxels] = True
        allowed &= inside.reshape(first.data.shape)
    stacks: dict[str, Float[np.ndarray, "n_units n_voxels"]] = {}
    for role, members in runs.items():
        stack = np.full((len(members), int(allowed.sum())), np.nan, np.float32)
        for row, run in enumerate(members):
            stack[row] = read_image(outcome_path(run.job, question), allow_nan=True).data[allowed]
        stacks[role] = stack
    complete = np.logical_and.reduce(
        [
            np.isfinite(stack).mean(axis=0, dtype=np.float64) >= min_coverage - 1e-9
            for stack in stacks.values()
        ]
    )
    if not complete.any():
        raise DesignError(
            Problem(
                what="no voxel has data in enough participants",
                field=f"measures.{question.measure}",
            )
        )
    mask = np.zeros(first.data.shape, bool)
    mask[allowed] = complete
    n_lost = n_brain - int(mask.sum()) if region is None else int(allowed.sum() - mask.sum())
    images = {role: stack[:, complete] for role, stack in stacks.items()}
    n_partial = int(
        sum(~np.isfinite(stack).all(axis=0) for stack in images.values()).astype(bool).sum()
    )
    return LoadedOutcomes(
        kind="map",
        images=images,
        names=(),
        mask=mask,
        affine=first.affine,
        weights=None,
        note=_coverage_note(int(mask.sum()), max(n_lost, 0), n_partial, min_coverage),
    )


def _coverage_note(n_voxels: int, n_lost: int, n_partial: int, min_coverage: float) -> str:
    if min_coverage < 1:
        return (
            f"{n_voxels:,} voxels with data in at least {100 * min_coverage:g} % of the runs, "
            f"{n_partial:,} of them not in all."
        )
    if n_lost == 0:
        return f"{n_voxels:,} voxels, which every participant has."
    return (
        f"{n_voxels:,} voxels that every participant has; {n_lost:,} further voxels lack data in "
        "at least one and were not tested."
    )


def _average(
    question: Question, maps: LoadedOutcomes, region: RegionOnGrid | None, min_coverage: float
) -> LoadedOutcomes:
    if region is None or maps.mask is None:
        raise DesignError(Problem(what="no region to average", field="where.mean_of"))
    full = np.zeros(maps.mask.size)
    full[region.voxels] = region.weights
    weights = full[maps.mask.ravel()]
    coverage = float(weights.sum())
    if coverage < min_coverage:
        raise DesignError(
            Problem(
                what=f"region '{region.name}' has data in every participant for too small a part",
                field="where.mean_of",
                found=f"{100 * coverage:.0f} %",
                expected=f"at least {100 * min_coverage:g} % (exclusions.min_region_coverage)",
            )
        )
    weights /= coverage
    return LoadedOutcomes(
        kind="scalar",
        images={
            role: (stack.astype(np.float64) @ weights)[:, None]
            for role, stack in maps.images.items()
        },
        names=(region.name,),
        mask=maps.mask,
        affine=maps.affine,
        weights=weights,
        note=f"Mean over {weights.size:,} voxels, {100 * coverage:.0f} % of region "
        f"'{region.name}'.",
    )


def _load_tables(
    protocol: Protocol, question: Question, runs: Mapping[str, Sequence[MeasuredRun]]
) -> LoadedOutcomes:
    names_in: dict[str, tuple[str, ...]] = {}
    rows: dict[str, list[Float[np.ndarray, " n_outcomes"]]] = {}
    for role, members in runs.items():
        for run in members:
            path = outcome_path(run.job, question)
            found, values = read_values(path, outcome_column(run.job, question))
            names_in[path.name] = found
            rows.setdefault(role, []).append(values)
    if not names_in:
        raise DesignError(Problem(what="no participant has this measure"))
    ((names, n_alike),) = Counter(names_in.values()).most_common(1)
    odd = [f"{file} ({len(found)} names)" for file, found in names_in.items() if found != names]
    if odd:
        raise DesignError(
            Problem(
                what="tables name other outcomes than most",
                found=few(odd),
                expected=f"{len(names)} names, as in the other {n_alike}, e.g. {names[0]}",
            )
        )
    images: dict[str, Float[np.ndarray, "n_units n_outcomes"]] = {
        role: np.array(found) for role, found in rows.items()
    }
    kind: Literal["scalar", "parcels", "edges"] = _table_kind(protocol, question, names)
    if question.where.at is not None:
        if question.where.at not in names:
            raise DesignError(unknown_outcome(protocol, question, names))
        column = names.index(question.where.at)
        names = (question.where.at,)
        images = {role: stack[:, [column]] for role, stack in images.items()}
        kind = "scalar"
    return LoadedOutcomes(
        kind=kind, images=images, names=names, mask=None, affine=None, weights=None, note=""
    )


def _table_kind(
    protocol: Protocol, question: Question, names: tuple[str, ...]
) -> Literal["scalar", "parcels", "edges"]:
    measure = protocol.measures[question.measure]
    if len(names) == 1:
        return "scalar"
    if isinstance(measure, RoiToRoi) and measure.summary == "edges":
        return "edges"
    return "parcels"


def load_values(
    question: Question,
    outcomes: LoadedOutcomes,
    index: int,
    runs: Mapping[RunKey, MeasuredRun],
) -> dict[RunKey, float]:
    """Read one outcome of every run of the measure's scan, whatever its session.

    Parameters
    ----------
    question : Question
    outcomes : LoadedOutcomes
    index : int
        Which outcome, e.g. that of the strongest peak.
    runs : mapping of RunKey to MeasuredRun

    Returns
    -------
    dict of RunKey to float
        NaN where a run lacks that voxel.
    """
    values: dict[RunKey, float] = {}
    for key, run in runs.items():
        if run.manifest.excluded or question.measure not in run.job.measures:
            continue
        if not is_as_measured(run.job, run.manifest, question):
            continue
        path = outcome_path(run.job, question)
        if outcomes.mask is None:
            names, column = read_values(path, outcome_column(run.job, question))
            values[key] = float(column[names.index(outcomes.names[index])])
            continue
        inside = read_image(path, allow_nan=True).data[outcomes.mask]
        values[key] = float(
            inside[index] if outcomes.weights is None else inside @ outcomes.weights
        )
    return values
