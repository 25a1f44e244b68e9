"""A job: all that one run needs to be measured, and where its results go."""

from dataclasses import dataclass
from pathlib import Path

from phmri.dataset import Run
from phmri.pipeline._provenance import hash_parameters
from phmri.protocol import Denoising, Exclusions, Measure, Scan
from phmri.signals import RegionOnGrid

__all__ = [
    "RunJob",
    "job_key",
    "manifest_path",
    "measure_path",
    "parcel_key",
    "parcel_name",
    "run_inputs",
]


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
    out_dir: Path
    protocol_sha256: str
    key: str


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


def measure_path(job: RunJob, measure: str) -> Path:
    """Say where a measure of a run is written.

    Parameters
    ----------
    job : RunJob
    measure : str
        The measure's name in the protocol.

    Returns
    -------
    Path
    """
    label = measure.replace("_", "")
    is_map = job.measures[measure].kind == "seed_to_voxel"
    ending = "stat-z_statmap.nii.gz" if is_map else "stat-z_connectivity.tsv"
    return _folder(job) / f"{_stem(job)}_contrast-{label}_{ending}"


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
    """List the files that a run is read from.

    Parameters
    ----------
    run : Run

    Returns
    -------
    tuple of Path
    """
    files = (run.path, run.mask, run.confounds, run.events)
    return tuple(path for path in files if path is not None)


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
        }
    )
