"""What a rating scale says of itself: ranges, items, subscales, sessions."""

import math
from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, unknown

__all__ = ["check_scales"]

_RESERVED = ("participant", "session", "score")
"""Columns of the table of scores."""


def check_scales(raw: Raw) -> Iterator[Finding]:
    """Check ranges, items, subscales and sessions of rating scales.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    sessions = mapping(raw.get("sessions"))
    for name, scale in entries(raw, "scales").items():
        path = ("scales", name)
        yield from _check_range(path, scale, "", "score")
        yield from _check_range(path, scale, "item_", "items")
        yield from _check_sum(path, scale)
        yield from _check_prorating(path, scale)
        yield from repeated((*path, "columns"), scale.get("columns"), "item")
        yield from _check_subscales(path, scale)
        yield from repeated((*path, "sessions"), scale.get("sessions"), "session")
        for i, session in listed(scale.get("sessions")):
            yield from unknown((*path, "sessions", i), "session", session, sessions)


def _check_range(path: Path, scale: Raw, prefix: str, of_what: str) -> Iterator[Finding]:
    low, high = number(scale.get(f"{prefix}minimum")), number(scale.get(f"{prefix}maximum"))
    if low is not None and high is not None and low >= high:
        yield Finding(
            path=(*path, f"{prefix}maximum"),
            what=f"the range of the {of_what} is empty",
            found=f"{low:g} to {high:g}",
            expected=f"'{prefix}minimum' below '{prefix}maximum'",
        )


def _check_sum(path: Path, scale: Raw) -> Iterator[Finding]:
    """Check that the items' ranges add up to that of the score."""
    n_items = len(list(listed(scale.get("columns"))))
    for end in ("minimum", "maximum"):
        whole, item = number(scale.get(end)), number(scale.get(f"item_{end}"))
        if whole is None or item is None or n_items == 0:
            continue
        if not math.isclose(whole, n_items * item, abs_tol=1e-9):
            yield Finding(
                path=(*path, f"item_{end}"),
                what=f"{n_items} items of this {end} do not add up to the {end} of the score",
                found=f"{n_items} times {item:g} is {n_items * item:g}, {end} {whole:g}",
                expected="the score's range as the sum of the items' ranges",
            )


def _check_prorating(path: Path, scale: Raw) -> Iterator[Finding]:
    prorated, least = scale.get("missing_items") == "prorate", scale.get("min_items_answered")
    if prorated and least is None:
        yield Finding(
            path=(*path, "missing_items"),
            what="prorating needs the fraction of items that must be answered",
            found="prorate",
            expected="'min_items_answered' of the scale's own manual",
        )
    elif least is not None and not prorated:
        yield Finding(
            path=(*path, "min_items_answered"),
            what="this has no effect where missing items are refused",
            found=shown(least),
            expected="'missing_items: prorate', or no key 'min_items_answered'",
        )
    if prorated and len(list(listed(scale.get("columns")))) == 1:
        yield Finding(
            path=(*path, "missing_items"),
            what="one column has no other items to take the place of a missing one",
            found="prorate",
            expected="the items in 'columns', or 'missing_items: refuse'",
        )


def _check_subscales(path: Path, scale: Raw) -> Iterator[Finding]:
    columns = [column for _, column in listed(scale.get("columns"))]
    for name, own in mapping(scale.get("subscales")).items():
        here = (*path, "subscales", name)
        yield from repeated(here, own, "item")
        for i, column in listed(own):
            yield from unknown((*here, i), "item of the scale", column, columns)
        if name in _RESERVED:
            yield Finding(
                path=here,
                what="the table of scores has a column of this name already",
                found=name,
                expected=f"a name other than {one_of(_RESERVED)}",
            )
