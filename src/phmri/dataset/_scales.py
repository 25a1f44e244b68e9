r"""Scores of rating scales, from the tables in ``phenotype``.

With :math:`x_i` the items of a rating, :math:`A` those that were answered and *n* all of them,

.. math:: \text{score} = \frac{n}{|A|} \sum_{i \in A} x_i,

which is the sum where all are answered. Whether items may be missing at all, and how many, is
declared in the protocol.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from phmri.dataset._read_tables import MAX_PROBLEMS
from phmri.dataset._records import DatasetIndex
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import Protocol, Scale

__all__ = ["read_scale"]

_ROUNDING = 1e-9
_NAMES = {"subject": "participant_id", "session": "session_id"}
"""Columns of the index -> as the file calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rating:
    """One row: None for no participant or session, and for a field that is no number."""

    line: int
    participant: str | None
    session: str | None
    fields: dict[str, object]
    items: dict[str, float | None]


def read_scale(index: DatasetIndex, protocol: Protocol, name: str) -> pd.DataFrame:
    """Read the scores of a rating scale.

    Parameters
    ----------
    index : DatasetIndex
        From `index_dataset`.
    protocol : Protocol
        The trial as declared.
    name : str
        Key in ``protocol.scales``.

    Returns
    -------
    DataFrame
        One row per rating, in the order of the file: ``participant`` and ``session`` (labels
        without prefix), ``score`` and one column per subscale, in the scale's own points. NaN
        where a rating has no item at all, or fewer than ``min_items_answered``. People who are
        not in ``participants.tsv`` stay in.

    Raises
    ------
    DatasetError
        There is no such scale or no such table; a column is missing; a row has no participant, a
        session that the protocol or the scale does not have, or participant and session of an
        earlier row; a field is no number or out of range; items are missing and may not be. All
        at once, with line, participant, session and column; of very many alike the first ones.

    Notes
    -----
    A table without ``session_id`` is that of the scale's one session, where it has only one.
    """
    scale = protocol.scales.get(name)
    if scale is None:
        what = "the protocol has no such scale"
        raise DatasetError(Problem(what=what, field=name, expected=", ".join(protocol.scales)))
    stem = scale.file or name
    file = str(index.root / "phenotype" / f"{stem}.tsv")
    table = index.phenotype.get(stem)
    if table is None:
        told = tuple(problem for problem in index.problems if problem.file == file)
        missing = Problem(what=f"the table of the scale '{name}' is missing", file=file)
        raise DatasetError(*(told or (missing,)))
    sessions = scale.sessions or tuple(protocol.sessions)
    ratings = [_rating(scale, row, sessions) for row in _rows(table)]
    problems = [
        *_lacking(scale, table, file, sessions),
        *_misplaced(ratings, file, sessions, protocol),
        *(fault for rating in ratings for fault in _faults(scale, rating, file)),
    ]
    if problems:
        raise DatasetError(*_first(problems, file))
    return _scores(scale, ratings)


def _rows(table: pd.DataFrame) -> Iterator[tuple[int, dict[str, object]]]:
    names = [str(name) for name in table.columns]
    for line, row in enumerate(table.itertuples(index=False, name=None), start=2):
        yield line, dict(zip(names, row, strict=True))


def _rating(
    scale: Scale, row: tuple[int, dict[str, object]], sessions: tuple[str, ...]
) -> _Rating:
    line, fields = row
    only = sessions[0] if len(sessions) == 1 else None
    return _Rating(
        line=line,
        participant=_label(fields.get("subject")),
        session=_label(fields["session"]) if "session" in fields else only,
        fields=fields,
        items={name: _number(fields[name]) for name in scale.columns if name in fields},
    )


def _label(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if value is pd.NA:
        return math.nan
    try:
        number = float(str(value))
    except ValueError:
        return None
    return None if math.isinf(number) else number


def _lacking(
    scale: Scale, table: pd.DataFrame, file: str, sessions: tuple[str, ...]
) -> Iterator[Problem]:
    there = tuple(map(str, table.columns))
    for column in (*(("session",) if len(sessions) > 1 else ()), *scale.columns):
        if column not in there:
            yield Problem(
                what="the table lacks a column",
                file=file,
                line=1,
                field=_NAMES.get(column, column),
                found=", ".join(_NAMES.get(name, name) for name in there),
                expected=_NAMES.get(column, column),
            )


def _misplaced(
    ratings: Iterable[_Rating], file: str, sessions: tuple[str, ...], protocol: Protocol
) -> Iterator[Problem]:
    """Find rows of nobody, of no session of the scale, and second rows of one visit."""
    first: dict[tuple[str, str | None], int] = {}
    for rating in ratings:
        if rating.participant is None:
            yield Problem(what="a row without participant", file=file, line=rating.line)
            continue
        session = rating.session
        if session not in sessions and "session" in rating.fields:
            known = session in protocol.sessions
            yield Problem(
                what="the scale is not rated in this session"
                if known
                else "the protocol has no such session",
                file=file,
                line=rating.line,
                subject=rating.participant,
                field="session_id",
                found=session or "n/a",
                expected=", ".join(sessions),
            )
        elif session is not None:
            earlier = first.setdefault((rating.participant, session), rating.line)
            if earlier != rating.line:
                yield Problem(
                    what="the participant is rated twice in this session",
                    file=file,
                    line=rating.line,
                    subject=rating.participant,
                    session=session,
                    found=f"line {earlier} as well",
                    expected="one row",
                )


def _faults(scale: Scale, rating: _Rating, file: str) -> Iterator[Problem]:
    """Find fields that are no numbers, out of range, or missing where they may not be."""
    low, high = _item_range(scale)
    empty = all(item is not None and math.isnan(item) for item in rating.items.values())
    sound = not empty
    for column, item in rating.items.items():
        if item is None:
            what, expected = "not a number", "a number or n/a"
        elif math.isnan(item) and scale.missing_items == "refuse" and not empty:
            what, expected = "an item is missing", "a number, or n/a in all items of the rating"
        elif item < low or item > high:
            what, expected = "the value is out of range", f"{low:g} to {high:g}"
        else:
            continue
        sound = False
        yield _problem(rating, file, what=what, field=column, expected=expected)
    score = _sum(scale, rating, scale.columns) if sound else math.nan
    if score < scale.minimum - _ROUNDING or score > scale.maximum + _ROUNDING:
        yield Problem(
            what="the sum of the items is out of range",
            file=file,
            line=rating.line,
            subject=rating.participant,
            session=rating.session,
            found=f"{score:g}",
            expected=f"{scale.minimum:g} to {scale.maximum:g}",
        )


def _item_range(scale: Scale) -> tuple[float, float]:
    """Give the range of a field: one column that holds the score has that of the score."""
    low, high = scale.item_minimum, scale.item_maximum
    if len(scale.columns) == 1:
        low, high = scale.minimum, scale.maximum
    return -math.inf if low is None else low, math.inf if high is None else high


def _problem(rating: _Rating, file: str, *, what: str, field: str, expected: str) -> Problem:
    value = rating.fields[field]
    item = rating.items[field]
    found = "n/a" if value is pd.NA else str(value)
    return Problem(
        what=what,
        file=file,
        line=rating.line,
        subject=rating.participant,
        session=rating.session,
        field=field,
        found=found if item is None else "n/a" if math.isnan(item) else f"{item:g}",
        expected=expected,
    )


def _sum(scale: Scale, rating: _Rating, columns: tuple[str, ...]) -> float:
    """Sum items, the missing ones as the mean of those answered; NaN of too few."""
    items = [rating.items.get(column) for column in columns]
    answered = [item for item in items if item is not None and not math.isnan(item)]
    least = (scale.min_items_answered or 1.0) * len(columns)
    if not answered or len(answered) < least - _ROUNDING:
        return math.nan
    return math.fsum(answered) * len(columns) / len(answered)


def _scores(scale: Scale, ratings: list[_Rating]) -> pd.DataFrame:
    parts = {"score": scale.columns, **scale.subscales}
    return pd.DataFrame(
        {
            "participant": pd.array([rating.participant for rating in ratings], dtype="str"),
            "session": pd.array([rating.session for rating in ratings], dtype="str"),
            **{
                name: pd.array(
                    [_sum(scale, rating, columns) for rating in ratings], dtype="float64"
                )
                for name, columns in parts.items()
            },
        }
    )


def _first(problems: list[Problem], file: str) -> list[Problem]:
    """Keep the first of each kind, so that many of one do not hide another."""
    seen: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for problem in problems:
        kind = problem.what, problem.field
        seen[kind] += 1
        if seen[kind] <= MAX_PROBLEMS:
            kept.append(problem)
    rest = len(problems) - len(kept)
    if rest:
        what, found = "more of the same is wrong with this table", f"{rest} more faults"
        kept.append(Problem(what=what, file=file, found=found))
    return kept
