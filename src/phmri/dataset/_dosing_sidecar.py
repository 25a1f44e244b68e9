"""Doses in the sidecar of a run: the ``Pharmaceutical…`` fields of BIDS.

BIDS defines them for PET. A run of BOLD has no ``TimeZero``: its times count, in seconds, from the
first volume. The route is not among them; the text of the regimen says it, or the protocol does.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from phmri.dataset._dosing import ROUTES, UNITS
from phmri.dataset._names import FileName, acquired
from phmri.dataset._read_files import read_json
from phmri.dataset._records import DosingRow, Run
from phmri.dataset._tree import Tree
from phmri.exceptions import DatasetError, Problem

__all__ = ["find_dosing", "read_run_dosing"]

_PREFIX = "Pharmaceutical"
_NAME, _REGIMEN = "PharmaceuticalName", "PharmaceuticalDoseRegimen"
_AMOUNT, _UNITS = "PharmaceuticalDoseAmount", "PharmaceuticalDoseUnits"
_TIME = "PharmaceuticalDoseTime"
_NEEDED = (_NAME, _AMOUNT, _UNITS, _TIME)
_ROUTE_WORDS = {
    "intravenous": r"intravenous(ly)?|i\.?v\.?",
    "oral": r"oral(ly)?|by mouth|p\.?o\.?",
    "intranasal": r"(intra)?nasal(ly)?",
    "intramuscular": r"intramuscular(ly)?|i\.?m\.?",
    "subcutaneous": r"subcutaneous(ly)?|s\.?c\.?",
}
_PAIR = 2


def find_dosing(file: FileName, raw: Tree) -> tuple[Path, ...]:
    """List the sidecars of the raw run that say something of a pharmaceutical.

    Parameters
    ----------
    file : FileName
        The preprocessed run.
    raw : Tree
        The BIDS root.

    Returns
    -------
    tuple of Path
        The most general first, as BIDS inheritance has it.
    """
    _, paths, _ = raw.metadata(acquired(file.entities), "bold", ignore=("echo", "part"))
    return tuple(
        path
        for path in paths
        if isinstance(content := raw.contents[path], dict)
        and any(key.startswith(_PREFIX) for key in content)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fields:
    """What the sidecars say, and which file says it."""

    run: Run
    values: dict[str, object]
    files: dict[str, str]

    def fault(self, field: str, what: str, found: object, expected: str) -> Problem:
        return Problem(
            what=what,
            file=self.files.get(field) or next(iter(self.files.values())),
            subject=self.run.subject,
            session=self.run.session,
            field=field,
            found=repr(found) if field in self.values else "no such field",
            expected=expected,
        )


def read_run_dosing(
    run: Run, *, scan: str, drugs: Mapping[str, str | None]
) -> tuple[DosingRow, ...]:
    """Read the doses that the sidecar of a run tells of.

    Parameters
    ----------
    run : Run
    scan : str
        The protocol's name of the scan.
    drugs : mapping of str to (str or None)
        Those of the trial, and how each is given where the regimen does not say so.

    Returns
    -------
    tuple of DosingRow
        In seconds from the first volume of the run. Empty where there is neither an amount nor a
        time: a name alone is no dose.

    Raises
    ------
    DatasetError
        A field is missing or is not what it should be: all of them.
    """
    fields = _read_fields(run)
    if not {_AMOUNT, _TIME} & fields.values.keys():
        return ()
    problems = [
        fields.fault(name, "the sidecar tells of a dose and lacks a field", None, "as in BIDS")
        for name in _NEEDED
        if name not in fields.values
    ] or list(_faults(fields, drugs))
    if problems:
        raise DatasetError(*problems)
    amounts = _listed(fields.values[_AMOUNT])
    n = len(amounts)
    names, units = _for_each(fields.values[_NAME], n), _for_each(fields.values[_UNITS], n)
    regimens = _for_each(fields.values.get(_REGIMEN, ""), n)
    return tuple(
        DosingRow(
            subject=run.subject,
            session=run.session,
            drug=str(name),
            route=_route(regimen, name, drugs),
            amount=_number(amount),
            unit=str(unit),
            start=start,
            duration=end - start,
            scan=scan,
            line=None,
        )
        for name, amount, unit, regimen, (start, end) in zip(
            names, amounts, units, regimens, _spans(fields.values[_TIME], n), strict=True
        )
    )


def _read_fields(run: Run) -> _Fields:
    values: dict[str, object] = {}
    files: dict[str, str] = {}
    for path in run.dosing:
        told = {k: v for k, v in read_json(path).items() if k.startswith(_PREFIX)}
        values |= told
        files |= dict.fromkeys(told, str(path))
    return _Fields(run=run, values=values, files=files)


def _faults(fields: _Fields, drugs: Mapping[str, str | None]) -> Iterator[Problem]:
    what = "a field of the dosing in the sidecar cannot be used"
    amounts = _listed(fields.values[_AMOUNT])
    n = len(amounts)
    each = f"one for all, or one for each of {n} amounts" if n > 1 else "one text"
    named = [field for field in (_NAME, _UNITS, _REGIMEN) if field in fields.values]
    for field in named:
        value = fields.values[field]
        texts = _for_each(value, n)
        if len(texts) != n or not all(isinstance(text, str) and text for text in texts):
            yield fields.fault(field, what, value, each)
    if not amounts or not all(_number(amount) > 0 for amount in amounts):
        found = fields.values[_AMOUNT]
        yield fields.fault(_AMOUNT, what, found, "a number above 0, or an array of them")
    units = _for_each(fields.values[_UNITS], n)
    if any(isinstance(unit, str) and unit and unit not in UNITS for unit in units):
        yield fields.fault(_UNITS, what, fields.values[_UNITS], ", ".join(UNITS))
    times, spans = fields.values[_TIME], _spans(fields.values[_TIME], n)
    if len(spans) != n or not all(math.isfinite(b - a) and b >= a for a, b in spans):
        yield fields.fault(_TIME, what, times, _times_meant(n))
    elif len(units) == n:
        rates = zip(units, spans, strict=True)
        if any(str(unit).endswith("/h") and a == b for unit, (a, b) in rates):
            yield fields.fault(_TIME, what, times, "[start, end] of an infusion: a rate lasts")
    yield from _drug_faults(fields, n, drugs)


def _drug_faults(fields: _Fields, n: int, drugs: Mapping[str, str | None]) -> Iterator[Problem]:
    names = _for_each(fields.values[_NAME], n)
    regimen = fields.values.get(_REGIMEN, "")
    regimens = _for_each(regimen, n)
    unknown = [name for name in dict.fromkeys(map(str, names)) if name not in drugs]
    if unknown:
        what = "the trial has no such drug"
        yield fields.fault(_NAME, what, fields.values[_NAME], ", ".join(drugs))
    elif len(names) == len(regimens) == n and not all(
        _route(text, name, drugs) for text, name in zip(regimens, names, strict=True)
    ):
        what = "nobody says by which route the drug of the sidecar was given"
        yield fields.fault(_REGIMEN, what, regimen, f"a text with one of: {', '.join(ROUTES)}")


def _times_meant(n: int) -> str:
    if n == 1:
        return "seconds from the first volume: a number, or [start, end] of an infusion"
    return f"seconds from the first volume: {n} numbers, or {n} pairs of start and end"


def _route(regimen: object, name: object, drugs: Mapping[str, str | None]) -> str:
    """Give the one route that the regimen names, else that of the protocol; empty if neither."""
    told = [
        route
        for route, words in _ROUTE_WORDS.items()
        if re.search(rf"(?<!\w)({words})(?!\w)", str(regimen), re.IGNORECASE)
    ]
    if len(told) > 1:
        return ""
    return told[0] if told else drugs.get(str(name)) or ""


def _spans(times: object, n: int) -> list[tuple[float, float]]:
    """Give start and end of every dose; NaN for what is no number, empty if they do not fit."""
    entries = _listed(times)
    if len(entries) == _PAIR * n and not any(isinstance(entry, list) for entry in entries):
        entries = [entries[i : i + _PAIR] for i in range(0, len(entries), _PAIR)]
    if len(entries) != n:
        return []
    pairs = [entry if isinstance(entry, list) else [entry, entry] for entry in entries]
    if any(len(pair) != _PAIR for pair in pairs):
        return []
    return [(_number(start), _number(end)) for start, end in pairs]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _for_each(value: object, n: int) -> list[object]:
    return value if isinstance(value, list) else [value] * n


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan
