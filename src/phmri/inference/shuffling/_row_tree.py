"""Rows of a design as the tree that their exchangeability describes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from jaxtyping import Bool, Int

from phmri.exceptions import InferenceError, Problem
from phmri.group import Exchangeability

__all__ = [
    "Member",
    "check_exchangeability",
    "count_arrangements",
    "exchangers",
    "flip_members",
    "grow_tree",
    "row_orbits",
]

SHOWN = 5
"""Members named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A node of the tree: the root, a site, a participant, a row.

    Parameters
    ----------
    rows : ndarray of shape (n_rows_below,)
        Rows below, first those of ``stay``; the k-th is matched with the k-th of a sibling.
    stay, move : tuple of Member
        Members directly below that keep their place, and that change places with each other.
    shape : tuple
        Equal for siblings whose rows can be matched.
    pattern : int
        Equal for siblings whose labels can be shuffled into one another.
    """

    rows: Int[np.ndarray, " n_rows_below"]
    stay: tuple["Member", ...]
    move: tuple["Member", ...]
    shape: tuple[object, ...]
    pattern: int


def grow_tree(exchangeability: Exchangeability, labels: Int[np.ndarray, " n_rows"]) -> Member:
    """Grow the tree of rows.

    Parameters
    ----------
    exchangeability : Exchangeability
        Which rows may change places.
    labels : ndarray of shape (n_rows,)
        Rows with equal labels are alike.

    Returns
    -------
    Member
        The root.
    """
    patterns: dict[tuple[int, ...], int] = {}
    return _grow(exchangeability, labels, np.arange(len(labels)), 0, patterns)


def _grow(
    exchangeability: Exchangeability,
    labels: Int[np.ndarray, " n_rows"],
    rows: Int[np.ndarray, " n_rows_below"],
    depth: int,
    patterns: dict[tuple[int, ...], int],
) -> Member:
    if depth == exchangeability.levels.shape[1]:
        pattern = patterns.setdefault((-1, int(labels[rows[0]])), len(patterns))
        return Member(rows=rows, stay=(), move=(), shape=(len(rows),), pattern=pattern)
    own = exchangeability.levels[rows, depth]
    values = np.unique(own)
    below = [
        _grow(exchangeability, labels, rows[own == value], depth + 1, patterns) for value in values
    ]
    exchanged = exchangeability.exchanged[depth] and exchangeability.kind != "sign_flip"
    fixed = exchangeability.fixed
    moves = [exchanged and not fixed[member.rows].any() for member in below]
    move = tuple(member for member, moving in zip(below, moves, strict=True) if moving)
    stay = tuple(member for member, moving in zip(below, moves, strict=True) if not moving)
    # Members of an exchanged level are matched in any order, others by their label.
    shape: tuple[object, ...] = (
        tuple(sorted(member.shape for member in below))
        if exchanged
        else tuple((int(v), member.shape) for v, member in zip(values, below, strict=True))
    )
    kinds = (*(m.pattern for m in stay), *sorted(m.pattern for m in move))
    return Member(
        rows=np.concatenate([member.rows for member in (*stay, *move)]),
        stay=stay,
        move=move,
        shape=shape,
        pattern=patterns.setdefault(kinds, len(patterns)),
    )


def exchangers(member: Member) -> tuple[Member, ...]:
    """List the nodes whose members change places, each before those below it.

    Parameters
    ----------
    member : Member
        Root to start from.

    Returns
    -------
    tuple of Member
        With two or more moving members each.
    """
    below = [node for child in (*member.stay, *member.move) for node in exchangers(child)]
    return (member, *below) if len(member.move) > 1 else tuple(below)


def count_arrangements(member: Member) -> int:
    r"""Count the ways in which the moving members of one node can lie.

    Parameters
    ----------
    member : Member
        Node whose members change places.

    Returns
    -------
    int
        :math:`m!/\prod_a m_a!` with :math:`m_a` members of pattern a.
    """
    kinds = Counter(child.pattern for child in member.move)
    return factorial(len(member.move)) // prod(map(factorial, kinds.values()))


def flip_members(exchangeability: Exchangeability) -> Int[np.ndarray, " n_rows"]:
    """Find the members that change sign: those of the deepest exchanged level, none fixed.

    Parameters
    ----------
    exchangeability : Exchangeability
        Which rows may change sign.

    Returns
    -------
    ndarray of shape (n_rows,)
        Number of each row's member, or -1.
    """
    if exchangeability.kind == "permute":
        return np.full(len(exchangeability.levels), -1, dtype=np.int64)
    deepest = int(np.flatnonzero(exchangeability.exchanged).max(initial=0))
    free, of_row = _free_members(exchangeability, deepest)
    numbers = np.where(free, np.cumsum(free) - 1, -1)
    return np.asarray(numbers[of_row])


def row_orbits(exchangeability: Exchangeability) -> Int[np.ndarray, " n_rows"]:
    """Find the sets of rows that can come to each other's places.

    Parameters
    ----------
    exchangeability : Exchangeability
        Which rows may change places.

    Returns
    -------
    ndarray of shape (n_rows,)
        Equal for rows of one set.
    """
    path = exchangeability.levels.copy()
    anywhere = path.min(initial=0) - 1
    for depth, exchanged in enumerate(exchangeability.exchanged):
        if exchanged and exchangeability.kind != "sign_flip":
            free, of_row = _free_members(exchangeability, depth)
            path[free[of_row], depth] = anywhere
    return np.unique(path, axis=0, return_inverse=True)[1].reshape(-1)


def _free_members(
    exchangeability: Exchangeability, depth: int
) -> tuple[Bool[np.ndarray, " n_members"], Int[np.ndarray, " n_rows"]]:
    """Tell which members of a level hold no fixed row, and which member each row belongs to."""
    path = exchangeability.levels[:, : depth + 1]
    of_row = np.unique(path, axis=0, return_inverse=True)[1].reshape(-1)
    held = np.bincount(of_row, weights=exchangeability.fixed)
    return held == 0, of_row


def check_exchangeability(exchangeability: Exchangeability, names: Sequence[str] = ()) -> None:
    """Refuse a tree of rows that contradicts itself, or in which nothing can move.

    Parameters
    ----------
    exchangeability : Exchangeability
        Which rows may change places.
    names : sequence of str
        Of the rows, for the message; their numbers if empty.

    Raises
    ------
    InferenceError
        With every fault: levels, flags and rows of different number, no exchanged level, rows
        that no level tells apart, members that change places but hold different rows below them,
        nothing that can move.
    """
    problems = _misfits(exchangeability)
    if problems:
        raise InferenceError(*problems)
    levels = exchangeability.levels
    if len(np.unique(levels, axis=0)) < len(levels):
        problems.append(
            Problem(
                what="rows that no level tells apart",
                field="levels",
                found=f"{len(levels)} rows, {len(np.unique(levels, axis=0))} different",
                expected="a label of its own for every row at the deepest level",
            )
        )
    tree = grow_tree(exchangeability, np.arange(len(levels)))
    problems.extend(_unmatched(tree, names or tuple(f"row {k}" for k in range(len(levels)))))
    if not exchangers(tree) and (flip_members(exchangeability) < 0).all():
        problems.append(
            Problem(
                what="nothing can be shuffled: no two members of an exchanged level are free to "
                "change places",
                found=f"{int(exchangeability.fixed.sum())} of {len(levels)} rows fixed",
            )
        )
    if problems:
        raise InferenceError(*problems)


def _misfits(exchangeability: Exchangeability) -> list[Problem]:
    n_rows, n_levels = exchangeability.levels.shape
    lengths = (
        ("fixed", len(exchangeability.fixed), n_rows, "rows"),
        ("exchanged", len(exchangeability.exchanged), n_levels, "levels"),
    )
    problems = [
        Problem(
            what=f"another length than the {words} of the tree",
            field=field,
            found=str(length),
            expected=str(wanted),
        )
        for field, length, wanted, words in lengths
        if length != wanted
    ]
    if not any(exchangeability.exchanged):
        problems.append(Problem(what="no level is exchanged", field="exchanged", found="none"))
    return problems


def _unmatched(member: Member, names: Sequence[str]) -> Iterator[Problem]:
    """Name members that change places although their rows cannot be matched."""
    shapes = Counter(child.shape for child in member.move)
    if len(shapes) > 1:
        usual = shapes.most_common(1)[0][0]
        odd = [names[child.rows[0]] for child in member.move if child.shape != usual]
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        yield Problem(
            what="members that change places as wholes hold different rows",
            field="levels",
            found=f"{', '.join(odd[:SHOWN])}{more} unlike the other {shapes[usual]}",
            expected="the same labels below every member of an exchanged level",
        )
    for child in (*member.stay, *member.move):
        yield from _unmatched(child, names)
