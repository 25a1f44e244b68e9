"""All that `run` would stop at before it computes anything, without running."""

from collections.abc import Callable
from pathlib import Path

from phmri.dataset import AtlasStore, DatasetCheck, DatasetIndex
from phmri.pipeline._plan import Plan, plan_jobs
from phmri.protocol import protocol_sha256, read_protocol

__all__ = ["look_ahead"]


def look_ahead(
    protocol_path: Path,
    index: DatasetIndex,
    check: DatasetCheck,
    *,
    atlas_dirs: tuple[Path, ...] = (),
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """Find what keeps measures of a trial from being computed; nothing is measured or written.

    Parameters
    ----------
    protocol_path : Path
        ``trial.yaml``.
    index : DatasetIndex
    check : DatasetCheck
        Of the same protocol and data; what it tells is not told again.
    atlas_dirs : tuple of Path, optional
        Folders with atlas files; one that is in none is fetched, as `run` does.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    Plan
        Problems at which `run` stops, those of single runs that the protocol leaves out, and who
        can answer what without these.
    """
    protocol = read_protocol(protocol_path)
    return plan_jobs(
        protocol,
        index,
        check,
        protocol_dir=Path(protocol_path).resolve().parent,
        protocol_sha256=protocol_sha256(protocol),
        out_dir=None,
        atlas=AtlasStore(atlas_dirs),
        on_progress=on_progress or (lambda stage, done, total: None),
    )
