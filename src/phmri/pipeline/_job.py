"""A job: all that one run needs to be measured, and where its results go."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset import Run, physio_sidecars, sidecar_path
from phmri.exceptions import PhmriError, Problem
from phmri.pipeline._provenance import FileRecord, hash_parameters
from phmri.protocol import Denoising, Exclusions, Measure, Scan
from phmri.signals import Grid, RegionOnGrid

__all__ = [
    "ExposureCurve",
    "RunJob",
    "ToldStart",
    "grid_of",
    "job_key",
    "manifest_path",
    "measure_path",
    "measure_sources",
    "parcel_key",
    "parcel_name",
    "run_inputs",
    "run_key",
    "statistic_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureCurve:
    """The concentration of a drug over a run.

    Parameters
    ----------
    values_ng_ml : ndarray of shape (n_volumes,)
        At the middle of every volume.
    typical_ng_ml : ndarray of shape (n_volumes,)
        Of the typical participant under the planned doses, at the planned time of the run.
    peak_ng_ml : float
        The largest of these: what counts as 1, so that effects of people with curves of their
        own are in one unit.
    at_effect_site : bool
        Behind plasma by ke0.
    source : str
        Model, doses and samples in words.
    files : tuple of Path
        That it depends on besides the protocol: doses as given, weights, samples.
    """

    values_ng_ml: Float[np.ndarray, " n_volumes"]
    typical_ng_ml: Float[np.ndarray, " n_volumes"]
    peak_ng_ml: float
    at_effect_site: bool
    source: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStart:
    """What says when time zero was, where the plan alone does not.

    Parameters
    ----------
    files : tuple of Path
        ``phenotype/dosing.tsv``, or sidecars of a run.
    problem : Problem
        What is told where a run cannot have its time zero there.
    """

    files: tuple[Path, ...]
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """What has to be done with one run.

    Parameters
    ----------
    run : Run
    scan_name : str
    scan : Scan
    session : str
        The protocol's session, also where the files name none.
    measures : dict of str to Measure
    denoising : dict of str to Denoising
    exclusions : Exclusions
    regions : tuple of RegionOnGrid
        Every region and parcel that the measures need, on this run's grid; empty for tables.
    series : dict of str to tuple of str
        Tabular data: region or parcel -> columns.
    parcels : dict of str to tuple of str
        Parcellation -> its parcels, as `parcel_key` calls them.
    start_min : float or None
        Minutes from the infusion's actual start to the first volume; None where there is none.
    told_start : ToldStart or None
        Whose word `start_min` is; None where it is that of the protocol.
    exposures : dict of str to ExposureCurve
        Of this participant and session.
    maps : dict of str to FileRecord
        Images of networks or receptors, by their names in the protocol.
    out_dir : Path
    protocol_sha256 : str
    key : str
        What this step depends on besides the run's files.
    """

    run: Run
    scan_name: str
    scan: Scan
    session: str
    measures: dict[str, Measure]
    denoising: dict[str, Denoising]
    exclusions: Exclusions
    regions: tuple[RegionOnGrid, ...]
    series: dict[str, tuple[str, ...]]
    parcels: dict[str, tuple[str, ...]]
    start_min: float | None
    exposures: dict[str, ExposureCurve]
    maps: dict[str, FileRecord]
    out_dir: Path
    protocol_sha256: str
    key: str
    told_start: ToldStart | None = None


def grid_of(run: Run) -> Grid:
    """Give the voxel grid of a run.

    Parameters
    ----------
    run : Run
        Of kind ``volume``.

    Returns
    -------
    Grid

    Raises
    ------
    PhmriError
        If the run's header did not tell shape and affine.
    """
    if run.shape is None or run.affine is None:
        raise PhmriError(Problem(what="the image's grid is unknown", file=str(run.path)))
    return Grid(shape=run.shape, affine=run.affine, space=run.space or "native")


def _stem(job: RunJob) -> str:
    run = job.run
    parts = [f"sub-{run.subject}", f"ses-{job.session}", f"task-{run.task}"]
    if run.run:
        parts.append(f"run-{run.run}")
    if run.space:
        parts.append(f"space-{run.space}")
    if run.seg:
        parts.append(f"seg-{run.seg}")
    return "_".join(parts)


def _folder(job: RunJob) -> Path:
    return job.out_dir / f"sub-{job.run.subject}" / f"ses-{job.session}" / "func"


def statistic_of(job: RunJob, measure: str) -> str:
    """Name what a measure gives, as its files do (BIDS ``stat-``).

    Parameters
    ----------
    job : RunJob
    measure : str
        The measure's name in the protocol.

    Returns
    -------
    str
        ``z`` for connectivity, else ``effect``.
    """
    return "z" if job.measures[measure].is_connectivity else "effect"


def measure_path(
    job: RunJob, measure: str, *, denoising: str | None = None, statistic: str | None = None
) -> Path:
    """Say where a measure of a run is written.

    Parameters
    ----------
    job : RunJob
    measure : str
        The measure's name in the protocol.
    denoising : str, optional
        One that is shown beside the measure's own.
    statistic : str, optional
        A further map of the measure, e.g. ``variance``. A table holds them all in one file.

    Returns
    -------
    Path
    """
    parts = [_stem(job), f"contrast-{measure.replace('_', '')}"]
    if denoising is not None and denoising != job.measures[measure].denoising:
        parts.append(f"desc-{denoising.replace('_', '')}")
    own = statistic_of(job, measure)
    if job.measures[measure].is_map:
        parts += [f"stat-{statistic or own}", "statmap.nii.gz"]
    else:
        parts += [f"stat-{own}", "connectivity.tsv" if own == "z" else "values.tsv"]
    return _folder(job) / "_".join(parts)


def manifest_path(job: RunJob) -> Path:
    """Say where a run's manifest is written.

    Parameters
    ----------
    job : RunJob

    Returns
    -------
    Path
    """
    return _folder(job) / f"{_stem(job)}_desc-quality_run.json"


def run_inputs(run: Run) -> tuple[Path, ...]:
    """List the files that a run is read from, sidecars that say how among them.

    Parameters
    ----------
    run : Run

    Returns
    -------
    tuple of Path
    """
    files = (run.path, run.mask, run.confounds, run.events, *run.physio, *run.tissues)
    told = [] if run.confounds is None else [sidecar_path(run.confounds)]
    for recording in run.physio:
        told += physio_sidecars(recording)
    return tuple(
        dict.fromkeys(
            (*(path for path in files if path is not None), *(p for p in told if p.is_file()))
        )
    )


def measure_sources(job: RunJob, measure: str) -> tuple[Path, ...]:
    """List the files that a measure of a run depends on.

    Parameters
    ----------
    job : RunJob
    measure : str
        The measure's name in the protocol.

    Returns
    -------
    tuple of Path
        Those of the run; then, where the measure needs them, doses, weights and samples.
    """
    asked = job.measures[measure]
    told = job.told_start.files if job.told_start and asked.needs_time_zero else ()
    curve = job.exposures.get(asked.used_exposure or "")
    return tuple(dict.fromkeys((*run_inputs(job.run), *told, *(curve.files if curve else ()))))


def run_key(job: RunJob) -> tuple[str, str, str]:
    """Name a run as the protocol does.

    Parameters
    ----------
    job : RunJob

    Returns
    -------
    tuple of str
        Participant, session and scan.
    """
    return (job.run.subject, job.session, job.scan_name)


def parcel_key(parcellation: str, parcel: str) -> str:
    """Name a parcel among the regions of a job.

    Parameters
    ----------
    parcellation, parcel : str

    Returns
    -------
    str
        Two atlases may share the name of a parcel, and a region may have it too.
    """
    return f"{parcellation}/{parcel}"


def parcel_name(key: str) -> str:
    """Give back the parcel's own name.

    Parameters
    ----------
    key : str
        From `parcel_key`.

    Returns
    -------
    str
    """
    return key.split("/", 1)[1]


def job_key(job: RunJob) -> str:
    """Hash everything but the run's own files that a job's results depend on.

    Parameters
    ----------
    job : RunJob

    Returns
    -------
    str
    """
    return hash_parameters(
        {
            "scan": job.scan.model_dump(mode="json"),
            "t_r": job.run.t_r,
            "measures": {
                name: item.model_dump(mode="json") for name, item in job.measures.items()
            },
            "denoising": {
                name: item.model_dump(mode="json") for name, item in job.denoising.items()
            },
            "exclusions": job.exclusions.model_dump(mode="json", exclude={"participants"}),
            "regions": [[region.name, region.source] for region in job.regions],
            "series": job.series,
            "parcels": job.parcels,
            "start_min": job.start_min,
            "told_by": {
                name: [path.name for path in measure_sources(job, name)] for name in job.measures
            },
            "exposures": {
                name: [curve.source, curve.peak_ng_ml, *curve.values_ng_ml.tolist()]
                for name, curve in job.exposures.items()
            },
            "maps": {name: file.sha256 for name, file in job.maps.items()},
        }
    )
