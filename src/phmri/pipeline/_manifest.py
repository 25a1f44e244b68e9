"""What a finished run leaves beside its maps: written last, read by the group level."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from phmri import __version__
from phmri.dataset import write_json
from phmri.pipeline._provenance import FileRecord
from phmri.signals import Cleaning

__all__ = [
    "CleaningManifest",
    "RunManifest",
    "describe_cleaning",
    "known",
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
        Why the run was left out; empty when it is used.
    broken : bool
        Whether it could not be measured, and is tried again the next time.
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
    broken: bool = False
    sources: tuple[FileRecord, ...] = ()
    outputs: tuple[FileRecord, ...] = ()
    n_volumes: int = 0
    mean_fd_mm: float | None = None
    mean_std_dvars: float | None = None
    tsnr_median: float | None = None
    region_voxels: dict[str, int] = field(default_factory=dict)
    region_coverage: dict[str, float] = field(default_factory=dict)
    region_sources: dict[str, dict[str, object]] = field(default_factory=dict)
    cleaning: dict[str, CleaningManifest] = field(default_factory=dict)
    nuisance: dict[str, float] = field(default_factory=dict)


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
