"""Which results can be kept: a step is its inputs, its parameters and the software.

A step's *key* is a SHA-256 of its parameters, the software version and the content of every input.
A finished step leaves a manifest with its key, its inputs and its outputs; it is not run again
while all of them still fit. Reading 60 GB only to learn that nothing changed would be absurd, so
an input whose size and time of change are the same is taken to be the same, and only otherwise
read and hashed. Data and results may be moved: files are told by name and content, not by the
folder that they are in.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from phmri.dataset import file_sha256, sidecar_path
from phmri.exceptions import OutputError, Problem
from phmri.pipeline._versions import software_versions

__all__ = [
    "FileRecord",
    "StepLog",
    "are_same",
    "are_there",
    "hash_parameters",
    "is_current",
    "left_in",
    "now",
    "remove_outputs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file as it was when it was used.

    Parameters
    ----------
    path : str
    size : int
        Bytes.
    mtime_ns : int
    sha256 : str
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileRecord":
        """Read and hash a file.

        Parameters
        ----------
        path : Path

        Returns
        -------
        FileRecord
        """
        stat = path.stat()
        return cls(
            path=str(path),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            sha256=file_sha256(path),
        )

    def is_unchanged(self, at: Path | None = None) -> bool:
        """Tell whether the file still has this content.

        Parameters
        ----------
        at : Path, optional
            Where it is now, when it may have been moved.

        Returns
        -------
        bool
        """
        path = at or Path(self.path)
        try:
            stat = path.stat()
        except OSError:
            return False
        if stat.st_size != self.size:
            return False
        return stat.st_mtime_ns == self.mtime_ns or file_sha256(path) == self.sha256


def now() -> str:
    """Give the time as reports and logs write it.

    Returns
    -------
    str
        ISO 8601, UTC, to the second.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def hash_parameters(parameters: Mapping[str, object]) -> str:
    """Hash what a step depends on besides its input files.

    Parameters
    ----------
    parameters : mapping
        Whatever JSON can hold.

    Returns
    -------
    str
        SHA-256 of the canonical JSON and the versions of phmri and of what its numbers hang on.
    """
    text = json.dumps({"software": software_versions(), **parameters}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def is_current(
    key: str,
    paths: Iterable[Path],
    *,
    finished_key: str,
    sources: Iterable[FileRecord],
    outputs: Iterable[FileRecord],
    folder: Path,
) -> bool:
    """Tell whether a finished step needs not be run again.

    Parameters
    ----------
    key : str
        The step's key as it would be now.
    paths : iterable of Path
        Its input files as they would be now.
    finished_key : str
        The key that it was finished with.
    sources : iterable of FileRecord
        Its input files as they were.
    outputs : iterable of FileRecord
        The files that it left.
    folder : Path
        Where these are now.

    Returns
    -------
    bool
    """
    return key == finished_key and are_there(outputs, folder) and are_same(sources, paths)


def are_same(sources: Iterable[FileRecord], paths: Iterable[Path]) -> bool:
    """Tell whether files are those of then, wherever they are now.

    Parameters
    ----------
    sources : iterable of FileRecord
        As they were.
    paths : iterable of Path
        As they would be now.

    Returns
    -------
    bool
    """
    pairs = _paired(tuple(sources), tuple(paths))
    return pairs is not None and all(source.is_unchanged(path) for source, path in pairs)


def are_there(outputs: Iterable[FileRecord], folder: Path) -> bool:
    """Tell whether the files that a step left are as it left them.

    Parameters
    ----------
    outputs : iterable of FileRecord
    folder : Path
        Where they are now.

    Returns
    -------
    bool
    """
    return all(output.is_unchanged(folder / Path(output.path).name) for output in outputs)


def left_in(folder: Path, *, record: str) -> tuple[FileRecord, ...]:
    """List what a step has written into its folder.

    Parameters
    ----------
    folder : Path
    record : str
        Name of the record that the list goes to.

    Returns
    -------
    tuple of FileRecord
    """
    paths = sorted(path for path in folder.glob("*") if path.is_file() and path.name != record)
    return tuple(map(FileRecord.of, paths))


def remove_outputs(outputs: Iterable[FileRecord], folder: Path) -> None:
    """Remove what an earlier step left, and its sidecars: this one may write other files.

    Parameters
    ----------
    outputs : iterable of FileRecord
    folder : Path
        Where they are now.
    """
    for output in outputs:
        path = folder / Path(output.path).name
        path.unlink(missing_ok=True)
        sidecar_path(path).unlink(missing_ok=True)


def _paired(
    sources: tuple[FileRecord, ...], paths: tuple[Path, ...]
) -> list[tuple[FileRecord, Path]] | None:
    """Find each file of then among those of now: where it was, or by its name; None if not."""
    before, after = {Path(source.path): source for source in sources}, set(paths)
    if before.keys() == after:
        return [(source, path) for path, source in before.items()]
    named = {path.name: path for path in after}
    names = {path.name for path in before}
    if names != named.keys() or not len(before) == len(after) == len(named):
        return None
    return [(source, named[path.name]) for path, source in before.items()]


class StepLog:
    """One machine-readable line per step.

    Parameters
    ----------
    path : Path
        A ``.jsonl`` file; lines are added at its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def write(
        self, step: str, status: str, *, seconds: float | None = None, note: str = ""
    ) -> None:
        """Add a line.

        Parameters
        ----------
        step : str
            What was done, e.g. ``participant sub-01 ses-infusion nback``.
        status : str
            ``done``, ``kept``, ``excluded`` or ``failed``.
        seconds : float, optional
            How long it took.
        note : str, optional
            Reason or message.
        """
        rounded = None if seconds is None else round(seconds, 3)
        line = {"time": now(), "step": step, "status": status, "seconds": rounded, "note": note}
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(
            Problem(what="the log cannot be written", file=str(self._path), found=reason)
        )
