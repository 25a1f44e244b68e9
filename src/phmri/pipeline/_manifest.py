"""What a finished run leaves beside its maps: written last, read by the group level."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from phmri import __version__
from phmri.dataset import write_json
from phmri.exceptions import DatasetError, Problem
from phmri.pipeline._provenance import FileRecord
from phmri.pipeline._read_as import read_as
from phmri.signals import Cleaning

__all__ = [
    "CleaningManifest",
    "RunManifest",
    "describe_cleaning",
    "known",
    "read_manifest",
    "write_manifest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningManifest:
    """How a run was denoised.

    Parameters
    ----------
    df : float
        Degrees of freedom left.
    n_kept, n_censored, n_steady : int
        Volumes kept, censored, and removed at the start.
    regressors : tuple of str
    sentences : tuple of str
    """

    df: float
    n_kept: int
    n_censored: int
    n_steady: int
    regressors: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """A run as it was measured.

    Parameters
    ----------
    step_key : str
        Hash of parameters and software.
    software_version, protocol_sha256 : str
    subject, session, scan : str
    excluded : str
        Why the run was left out by rule; empty when it is used.
    sources : tuple of FileRecord
    outputs : tuple of FileRecord
    n_volumes : int
    mean_fd_mm, mean_std_dvars, tsnr_median : float or None
        None where unknown.
    region_voxels : dict of str to int
    region_coverage : dict of str to float
    region_sources : dict of str to dict
    cleaning : dict of str to CleaningManifest
    nuisance : dict of str to float
        Motion, global signal and physiology, and how regressors follow an infusion.
    """

    step_key: str
    software_version: str = __version__
    protocol_sha256: str
    subject: str
    session: str
    scan: str
    excluded: str
    sources: tuple[FileRecord, ...]
    outputs: tuple[FileRecord, ...]
    n_volumes: int
    mean_fd_mm: float | None
    mean_std_dvars: float | None
    tsnr_median: float | None
    region_voxels: dict[str, int]
    region_coverage: dict[str, float]
    region_sources: dict[str, dict[str, object]]
    cleaning: dict[str, CleaningManifest]
    nuisance: dict[str, float]


def describe_cleaning(cleaning: Cleaning) -> CleaningManifest:
    """Keep of a cleaning what a reader wants to know.

    Parameters
    ----------
    cleaning : Cleaning

    Returns
    -------
    CleaningManifest
    """
    return CleaningManifest(
        df=cleaning.df,
        n_kept=int(cleaning.sample_mask.sum()),
        n_censored=cleaning.n_censored,
        n_steady=cleaning.n_steady,
        regressors=cleaning.regressors,
        sentences=cleaning.sentences,
    )


def known(value: float) -> float | None:
    """Give None for a number that is not known.

    Parameters
    ----------
    value : float

    Returns
    -------
    float or None
    """
    return None if math.isnan(value) else value


def write_manifest(path: Path, manifest: RunManifest) -> None:
    """Write a manifest, the last file of its step.

    Parameters
    ----------
    path : Path
    manifest : RunManifest
    """
    write_json(path, asdict(manifest))


def read_manifest(path: Path) -> RunManifest:
    """Read a manifest.

    Parameters
    ----------
    path : Path

    Returns
    -------
    RunManifest

    Raises
    ------
    DatasetError
        If the file is not a manifest of this version.
    """
    try:
        return read_as(RunManifest, path)
    except ValidationError as error:
        raise DatasetError(
            Problem(
                what="not a record of a finished run; remove it to measure the run again",
                file=str(path),
                found=f"{error.error_count()} fields that do not fit",
            )
        ) from error
