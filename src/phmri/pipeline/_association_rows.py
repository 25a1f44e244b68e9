"""Who has both an outcome and a score, how often, and what both are adjusted for.

Of a person who is measured once, or whose change or difference is taken, there is one row;
repeated sessions or treatments give a row each.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from phmri.dataset import (
    LEAST_ASSOCIATED,
    Cell,
    DatasetCheck,
    DatasetIndex,
    association_cells,
    without_column,
)
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._populations import count_in
from phmri.pipeline._ratings import Rating, score_of
from phmri.pipeline._units import covariate_columns
from phmri.protocol import Association, Crossover, Protocol

__all__ = [
    "FEWEST",
    "MOTION",
    "SIGNS",
    "AssociationRows",
    "adjusted_columns",
    "find_rows",
    "refuse_rows",
    "visit_columns",
]

MOTION = "mean_fd"
"""What ``partial`` calls the mean framewise displacement of the runs."""
SIGNS = {"outcome": 1.0, "baseline": -1.0, "first": 1.0, "second": -1.0}
FEWEST = 2
"""Pairs of a person below which nothing can be told within."""
Ratings = Mapping[tuple[str, str, str], Rating]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRows:
    """Rows that have both the outcome and the score.

    Parameters
    ----------
    subjects, groups : tuple of str
        Of each row; groups are all ``""`` where the order of a crossover is unknown.
    visits : tuple of str
        Session or treatment of a repeated row; otherwise ``""``.
    cells : tuple of dict of str to Cell
        By role: the sessions that the row is made of.
    ratings : tuple of dict of str to Rating
        The same of the score.
    score : ndarray of shape (n_rows,)
        Score, its change, or its difference between treatments.
    reasons : tuple of str
        Why there are no ratings.
    """

    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    visits: tuple[str, ...]
    cells: tuple[dict[str, Cell], ...]
    ratings: tuple[dict[str, Rating], ...]
    score: Float[np.ndarray, " n_rows"]
    reasons: tuple[str, ...]

    @property
    def n_per_group(self) -> dict[str, int]:  # numpydoc ignore=RT01
        """Participants of each group."""
        group_of = dict(zip(self.subjects, self.groups, strict=True))
        return dict(sorted(Counter(group or "unknown" for group in group_of.values()).items()))


def find_rows(
    protocol: Protocol,
    name: str,
    *,
    check: DatasetCheck,
    happened: Mapping[str, frozenset[tuple[str, str]]],
    ratings: Ratings,
    usable: Callable[[Cell], bool],
) -> AssociationRows:
    """Find the rows of an association.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Key in ``protocol.associations``.
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.
    ratings : mapping of RunKey to Rating
    usable : callable
        Whether the outcome of a run at hand may be used.

    Returns
    -------
    AssociationRows
        In the order of participants and visits; of repeated ones only participants with two rows
        or more.
    """
    item = protocol.associations[name]
    counted = count_in(protocol, item.measure, check, happened, None)
    scored = count_in(protocol, item.scale, check, happened, None)
    found: dict[str, list[tuple[str, dict[str, Cell], dict[str, Rating]]]] = {}
    for visit, asked in _asked_cells(protocol, item, counted.check.cells).items():
        for subject, cells in asked.items():
            own: dict[str, Rating] = {}
            for role, cell in cells.items():
                key = (subject, cell.session)
                rating = ratings.get((*key, item.scale))
                gone = subject in scored.left_out or key in scored.missing
                if rating is None or gone or not usable(cell):
                    break
                rating = replace(rating, score=scored.scores.get(key, rating.score))
                if not np.isfinite(score_of(rating, item.subscale)):
                    break
                own[role] = rating
            else:
                found.setdefault(subject, []).append((visit, cells, own))
    least = FEWEST if item.repeated else 1
    rows = [
        (subject, *row)
        for subject in sorted(found)
        for row in found[subject]
        if len(found[subject]) >= least
    ]
    why = {cell.reason for cell in check.ratings if cell.scan == item.scale and cell.reason}
    return AssociationRows(
        subjects=tuple(subject for subject, *_ in rows),
        groups=tuple(next(iter(cells.values())).group or "" for _, _, cells, _ in rows),
        visits=tuple(visit for _, visit, _, _ in rows),
        cells=tuple(cells for _, _, cells, _ in rows),
        ratings=tuple(own for *_, own in rows),
        score=np.array(
            [
                sum(SIGNS[role] * score_of(rating, item.subscale) for role, rating in own.items())
                for *_, own in rows
            ],
            dtype=np.float64,
        ),
        reasons=tuple(sorted(why)) if not found else (),
    )


def _asked_cells(
    protocol: Protocol, item: Association, cells: Sequence[Cell]
) -> dict[str, dict[str, dict[str, Cell]]]:
    """Give the runs of everyone by visit and role; one visit where nothing is repeated."""
    if not item.repeated:
        return {"": association_cells(protocol, item, cells)}
    found = {}
    for visit in item.repeated:
        # A treatment against itself is its one session, as that of a contrast is found.
        alone = (
            {"contrast": (visit, visit)}
            if isinstance(protocol.design, Crossover)
            else {"session": visit}
        )
        own = association_cells(protocol, item.model_copy(update=alone), cells)
        found[visit] = {
            subject: {"outcome": next(iter(roles.values()))} for subject, roles in own.items()
        }
    return found


def refuse_rows(protocol: Protocol, name: str, rows: AssociationRows) -> None:
    """Refuse too few participants, and more folds than there are participants.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Key in ``protocol.associations``.
    rows : AssociationRows

    Raises
    ------
    DesignError
        With what is wrong.
    """
    item, n = protocol.associations[name], len(set(rows.subjects))
    problems = []
    if n < LEAST_ASSOCIATED:
        pairs = ", in two sessions or more" if item.repeated else ""
        absent = f": {', '.join(rows.reasons)}" if rows.reasons else ""
        problems.append(
            Problem(
                what=f"too few participants have both the outcome and the score{pairs}",
                field=f"associations.{name}",
                found=f"{n}{absent}",
                expected=f"at least {LEAST_ASSOCIATED}",
            )
        )
    elif item.prediction is not None and item.prediction.folds > n:
        problems.append(
            Problem(
                what="more folds than participants",
                field="prediction.folds",
                found=str(item.prediction.folds),
                expected=f"at most {n}",
            )
        )
    if problems:
        raise DesignError(*problems)


def adjusted_columns(
    index: DatasetIndex,
    item: Association,
    rows: AssociationRows,
    motion: Float[np.ndarray, " n_rows"] | None,
) -> Float[np.ndarray, "n_rows n_columns"] | None:
    """Give the columns that outcome and score are adjusted for.

    Parameters
    ----------
    index : DatasetIndex
    item : Association
    rows : AssociationRows
    motion : ndarray of shape (n_rows,) or None
        Mean framewise displacement of the runs, in mm; None where no run is measured yet.

    Returns
    -------
    ndarray of shape (n_rows, n_columns) or None

    Raises
    ------
    DesignError
        A column does not exist or lacks entries, or motion is not known.
    """
    people = sorted(set(rows.subjects))
    place = np.searchsorted(people, rows.subjects)
    columns: list[Float[np.ndarray, "n_rows _"]] = []
    problems: list[Problem] = []
    for name in item.partial:
        if name == MOTION:
            columns += [] if motion is None else [motion[:, None]]
        elif name not in index.participants.columns:
            problems.append(
                Problem(
                    what=without_column("participants.tsv", name),
                    file=str(index.root / "participants.tsv"),
                    field="partial",
                    found=", ".join(map(str, index.participants.columns)),
                    expected=name,
                )
            )
        else:
            try:
                columns.append(covariate_columns(index, name, people)[place])
            except DesignError as error:
                problems += error.problems
    if problems:
        raise DesignError(*problems)
    if item.session_means:
        columns.append(visit_columns(rows))
    return np.column_stack(columns) if columns else None


def visit_columns(rows: AssociationRows) -> Float[np.ndarray, "n_rows n_visits"]:
    """Mark the rows of every session, or treatment, of every group.

    Parameters
    ----------
    rows : AssociationRows

    Returns
    -------
    ndarray of shape (n_rows, n_visits)
        0 and 1.
    """
    visits = list(zip(rows.groups, rows.visits, strict=True))
    levels = sorted(set(visits))
    return np.array([[float(visit == level) for level in levels] for visit in visits])
