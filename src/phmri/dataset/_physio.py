"""Pulse and breathing recordings: ``_physio.tsv.gz`` without a line of names, and its sidecar.

The sidecar says what the columns are (``Columns``), how often they were sampled
(``SamplingFrequency``, Hz) and when the first sample was taken (``StartTime``, seconds from the
first volume). Sample *i* stands at ``StartTime + i / SamplingFrequency``.
"""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from isal import igzip
from jaxtyping import Float

from phmri.dataset._names import FileName, acquired, applies_to, parse_name
from phmri.dataset._read_files import read_json, unreadable
from phmri.dataset._read_tables import MAX_PROBLEMS, as_numbers
from phmri.dataset._records import Physio
from phmri.exceptions import DatasetError, Problem

__all__ = ["find_physio", "physio_sidecars", "read_physio"]

_SUFFIX = "_physio.tsv.gz"
_RECORDINGS = frozenset({None, "cardiac", "respiratory"})
_SIGNALS = ("cardiac", "respiratory", "trigger")


def find_physio(file: FileName, root: Path) -> tuple[Path, ...]:
    """Find the recordings that belong to a run.

    Parameters
    ----------
    file : FileName
        The preprocessed run.
    root : Path
        The BIDS root, not a derivative.

    Returns
    -------
    tuple of Path
        Of the same acquisition, without ``recording-`` or with ``recording-cardiac`` or
        ``recording-respiratory``; sorted.
    """
    names = file.entities
    session = f"ses-{names['ses']}" if "ses" in names else ""
    folder = root / f"sub-{names['sub']}" / session / "func"
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        other = parse_name(path, path.name.removesuffix(".gz"))
        if (
            other is not None
            and acquired(other.entities) == acquired(names)
            and other.entities.get("recording") in _RECORDINGS
        ):
            found.append(path)
    return tuple(found)


def read_physio(path: Path) -> Physio:
    """Read a recording of pulse, breathing or both.

    Parameters
    ----------
    path : Path
        ``_physio.tsv.gz``, or the same uncompressed. The sidecar lies beside it, or applies to it
        from a folder above (BIDS inheritance).

    Returns
    -------
    Physio
        Columns named neither ``cardiac``, ``respiratory`` nor ``trigger`` are left out.

    Notes
    -----
    `DatasetError` tells that there is no sidecar, that it lacks one of its three keys, that lines
    have another number of columns than it names, or that a sample of pulse, breathing or trigger
    is missing or no number.
    """
    path = Path(path)
    names, sampling_hz, start_s = _layout(path, _sidecar(path))
    values = _samples(path, names)
    signals = {name: values[:, names.index(name)] for name in _SIGNALS if name in names}
    _refuse_gaps(path, signals, names)
    return Physio(
        times_s=start_s + np.arange(values.shape[0]) / sampling_hz,
        cardiac=signals.get("cardiac"),
        respiratory=signals.get("respiratory"),
        trigger=signals.get("trigger"),
        sampling_hz=sampling_hz,
        start_s=start_s,
        path=str(path),
    )


def _sidecar(path: Path) -> dict[str, object]:
    """Merge the sidecars that apply, the nearest last.

    Raises
    ------
    DatasetError
        There is none.
    """
    merged: dict[str, object] = {}
    sidecars = physio_sidecars(path)
    for sidecar in sidecars:
        merged |= read_json(sidecar)
    if not sidecars:
        raise DatasetError(
            Problem(
                what="the recording has no sidecar, which says what its columns are",
                file=str(path),
                expected=path.name.removesuffix(".gz").rsplit(".", 1)[0]
                + ".json beside it or in a folder above",
            )
        )
    return merged


def physio_sidecars(path: Path) -> list[Path]:
    """List the sidecars that apply to a recording.

    Parameters
    ----------
    path : Path
        ``_physio.tsv.gz``, or the same uncompressed.

    Returns
    -------
    list of Path
        By BIDS inheritance, the nearest last.
    """
    name = path.name.removesuffix(".gz")
    file = parse_name(path, name)
    own = path.with_name(name.rsplit(".", 1)[0] + ".json")
    found: list[Path] = []
    for folder in reversed(_folders(path)):
        sidecars = [
            (len(other.entities), other.path)
            for other in (parse_name(p, p.name) for p in sorted(folder.glob("*physio.json")))
            if other is not None
            and (other.path == own or (file is not None and applies_to(other, file.entities)))
        ]
        found += [sidecar for _, sidecar in sorted(sidecars)]
    return found


def _folders(path: Path) -> list[Path]:
    """List the file's folder and those above it up to the BIDS root."""
    folders = [path.parent]
    while folders[-1].name == "func" or folders[-1].name.startswith(("ses-", "sub-")):
        folders.append(folders[-1].parent)
    return folders


def _layout(path: Path, sidecar: Mapping[str, object]) -> tuple[tuple[str, ...], float, float]:
    problems = []
    frequency = _number(sidecar.get("SamplingFrequency"))
    if not frequency > 0:
        problems.append(
            _wrong_key(path, "SamplingFrequency", sidecar, "samples per second, above 0")
        )
    start = _number(sidecar.get("StartTime"))
    if math.isnan(start):
        problems.append(
            _wrong_key(
                path, "StartTime", sidecar, "seconds from the first volume to the first row"
            )
        )
    columns = sidecar.get("Columns")
    names = tuple(columns) if isinstance(columns, list) else ()
    if not (names and all(isinstance(name, str) for name in names)):
        problems.append(_wrong_key(path, "Columns", sidecar, "a list of names"))
    elif len(set(names)) < len(names):
        problems.append(_wrong_key(path, "Columns", sidecar, "no name twice"))
    elif not {"cardiac", "respiratory"} & set(names):
        problems.append(_wrong_key(path, "Columns", sidecar, "cardiac, respiratory or both"))
    if problems:
        raise DatasetError(*problems)
    return names, frequency, start


def _number(value: object) -> float:
    """Give a finite number, or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return math.nan
    return float(value)


def _wrong_key(path: Path, key: str, sidecar: Mapping[str, object], expected: str) -> Problem:
    return Problem(
        what="the sidecar of the recording lacks a key or has a wrong one",
        file=str(path),
        field=key,
        found=str(sidecar[key]) if key in sidecar else "no such key",
        expected=expected,
    )


def _samples(path: Path, names: tuple[str, ...]) -> Float[np.ndarray, "n_samples n_columns"]:
    lines = _text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DatasetError(Problem(what="the recording is empty", file=str(path)))
    rows = [line.rstrip("\r").split("\t") for line in lines]
    problems = [
        Problem(
            what="another number of columns than the sidecar names",
            file=str(path),
            line=number,
            found=str(len(row)),
            expected=f"{len(names)} ({', '.join(names)})",
        )
        for number, row in enumerate(rows, start=1)
        if len(row) != len(names)
    ]
    if problems:
        raise DatasetError(
            *(problems[:1] if len(problems) == len(rows) else problems)[:MAX_PROBLEMS]
        )
    return as_numbers(path, names, rows, first_line=1)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content = igzip.decompress(content)
        return content.decode("utf-8-sig")
    except (EOFError, zlib.error, igzip.BadGzipFile, UnicodeDecodeError) as error:
        what = "the recording is damaged"
        raise DatasetError(Problem(what=what, file=str(path), found=str(error))) from error
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from error


def _refuse_gaps(
    path: Path, signals: Mapping[str, Float[np.ndarray, " n_samples"]], names: tuple[str, ...]
) -> None:
    problems = []
    for name, values in signals.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            problems.append(
                Problem(
                    what="samples of the recording are missing or not finite",
                    file=str(path),
                    line=int(bad[0]) + 1,
                    field=name,
                    found=f"{bad.size} of {values.size} samples, the first in this line",
                    expected=f"a number in column {names.index(name) + 1} of every line",
                )
            )
    if problems:
        raise DatasetError(*problems)
