"""Which rows of a design may change places under which null hypothesis."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from phmri.exceptions import DesignError, Problem
from phmri.group._records import Exchangeability, UnitDesign

__all__ = ["exchange_repeated", "exchange_within", "override_kind", "within_strata"]

EXCHANGED: dict[str, tuple[bool, bool]] = {
    "between": (True, False),
    "within": (False, True),
    "both": (True, True),
}
"""Effect -> whether participants change places, whether visits do."""
NULLS: dict[str, str] = {
    "between": "the visits of a participant, taken together, have the same distribution in all "
    "participants",
    "within": "all visits of a participant have the same distribution, any two of them equally "
    "correlated (compound symmetry)",
    "both": "all visits have the same distribution in all participants, any two of one "
    "participant equally correlated (compound symmetry)",
}
WORDS: dict[str, str] = {
    "between": "Participants change places{within} with all their visits.",
    "within": "Visits change places within participants.",
    "both": "Participants change places{within} with all their visits, and visits within "
    "participants.",
}


def exchange_within(
    blocks: Int[np.ndarray, " n_rows"],
    *,
    kind: Literal["permute", "sign_flip", "both"] = "permute",
    null: str = "",
    words: str = "",
) -> Exchangeability:
    """Let rows change places freely within their block.

    Parameters
    ----------
    blocks : ndarray of shape (n_rows,)
        Block of each row; -1 is held fixed.
    kind : {"permute", "sign_flip", "both"}, default "permute"
        What the rows of a block do.
    null, words : str
        The hypothesis tested and what is shuffled, as sentences.

    Returns
    -------
    Exchangeability
        With two levels: block and row.
    """
    return Exchangeability(
        kind=kind,
        levels=np.column_stack([blocks, np.arange(len(blocks))]).astype(np.int64),
        exchanged=(False, True),
        fixed=np.asarray(blocks < 0),
        null=null,
        words=words,
    )


def exchange_repeated(
    subjects: Sequence[str],
    visits: Sequence[str | int],
    *,
    effect: Literal["between", "within", "both"],
    groups: Sequence[str] | None = None,
    sites: Sequence[str] | None = None,
    fixed: Bool[np.ndarray, " n_rows"] | None = None,
    null: str = "",
    words: str = "",
) -> Exchangeability:
    """Let participants change places with all their visits, or visits within participants.

    Parameters
    ----------
    subjects : sequence of str
        Participant of each row.
    visits : sequence of str or int
        Visit of each row; rows of participants that change places are matched by it.
    effect : {"between", "within", "both"}
        What changes places: participants as wholes (for what differs between participants),
        visits within participants (for what differs within them), or both.
    groups, sites : sequence of str, optional
        Stratum and site of each row; participants change places only within both.
    fixed : ndarray of shape (n_rows,), optional
        Rows that stay; a participant with one of them does not change places.
    null, words : str
        The hypothesis tested and what is shuffled, as sentences; general ones if empty.

    Returns
    -------
    Exchangeability
        With two levels, participant and visit, below those of groups and sites.

    Raises
    ------
    DesignError
        When columns differ in length, a participant has a visit twice or belongs to two groups
        or sites, or participants that should change places differ in their visits.

    Notes
    -----
    Between: valid whatever the covariance of the visits, as long as all participants share it.
    Within: needs compound symmetry, every two visits equally correlated [1]_.

    References
    ----------
    .. [1] Winkler et al. (2015), Multi-level block permutation,
       doi:10.1016/j.neuroimage.2015.05.092.
    """
    outer = [tuple(column) for column in (groups, sites) if column is not None]
    stays = np.zeros(len(subjects), dtype=bool) if fixed is None else fixed
    lengths = {len(subjects), len(visits), len(stays), *map(len, outer)}
    if len(lengths) > 1:
        raise DesignError(
            Problem(
                what="columns of different length",
                found=", ".join(map(str, sorted(lengths))),
                expected="one entry per row in subjects, visits, groups, sites and fixed",
            )
        )
    above = list(zip(*outer, strict=True)) if outer else [()] * len(subjects)
    problems = [*_repeats(subjects, visits), *_split(subjects, above)]
    if not problems and effect != "within":
        problems = _unequal_visits(subjects, visits, above, stays)
    if problems:
        raise DesignError(*problems)
    columns = [*outer, tuple(subjects), tuple(visits)]
    levels = [np.unique(column, return_inverse=True)[1] for column in columns]
    within = " within their group or site" if len(set(above)) > 1 else ""
    return Exchangeability(
        kind="permute",
        levels=np.column_stack(levels).astype(np.int64),
        exchanged=(*(False for _ in outer), *EXCHANGED[effect]),
        fixed=stays,
        null=null or NULLS[effect],
        words=words or WORDS[effect].format(within=within),
    )


def override_kind(design: UnitDesign, kind: Literal["permute", "sign_flip"]) -> UnitDesign:
    """Shuffle rows in another way than the design says.

    Parameters
    ----------
    design : UnitDesign
        As `make_unit_design` gives it.
    kind : {"permute", "sign_flip"}
        What the same rows are to do instead, within the same blocks.

    Returns
    -------
    UnitDesign
        Whose sentences say what that tests and assumes.
    """
    tree = design.exchangeability
    if tree.kind == kind:
        return design
    compared = " and ".join(_compared(design))
    null, words = tree.null, "Participants change places"
    if kind == "sign_flip":
        means = f"{compared} have the same mean" if compared else "the contrast is zero"
        null = f"{means}, and errors are symmetric about zero; variances may differ"
        words = (
            "Residuals of participants change sign instead of place, as the protocol asks, which "
            "takes errors to be symmetric about zero"
        )
    moved = {group for group, stays in zip(design.groups, tree.fixed, strict=True) if not stays}
    held = sorted(set(design.groups) - moved)
    kept = f"; those of {', '.join(held)} stay." if held else "."
    tree = replace(tree, kind=kind, null=null, words=f"{words}{kept}")
    return replace(design, exchangeability=tree)


def _compared(design: UnitDesign) -> list[str]:
    """Name what the contrast compares, after the columns of its arms, orders or treatments."""
    in_contrast = np.any(np.atleast_2d(design.contrast) != 0, axis=0)
    names = [name for name, used in zip(design.columns, in_contrast, strict=True) if used]
    return [name.partition(":")[2] or name.removesuffix(" first") for name in names]


def within_strata(strata: Sequence[str], names: Sequence[str]) -> str:
    """Say that places change within strata only.

    Parameters
    ----------
    strata : sequence of str
        Of each unit.
    names : sequence of str
        What the strata are made of.

    Returns
    -------
    str
        With a leading space; empty when there is one stratum.
    """
    if len(set(strata)) < 2:  # noqa: PLR2004 - one stratum
        return ""
    return f" within strata ({', '.join(names)})" if names else " within strata"


def _repeats(subjects: Sequence[str], visits: Sequence[str | int]) -> list[Problem]:
    counts = Counter(zip(subjects, visits, strict=True))
    return [
        Problem(what="participant has a visit more than once", subject=subject, found=str(visit))
        for (subject, visit), count in counts.items()
        if count > 1
    ]


def _split(subjects: Sequence[str], above: Sequence[tuple[str, ...]]) -> list[Problem]:
    places: dict[str, set[tuple[str, ...]]] = {}
    for subject, place in zip(subjects, above, strict=True):
        places.setdefault(subject, set()).add(place)
    return [
        Problem(
            what="participant belongs to more than one group or site",
            subject=subject,
            found=", ".join(sorted(" / ".join(place) for place in found)),
        )
        for subject, found in places.items()
        if len(found) > 1
    ]


def _unequal_visits(
    subjects: Sequence[str],
    visits: Sequence[str | int],
    above: Sequence[tuple[str, ...]],
    stays: Bool[np.ndarray, " n_rows"],
) -> list[Problem]:
    """Name participants whose visits are not those of most others they change places with."""
    held = {subject for subject, stay in zip(subjects, stays, strict=True) if stay}
    visits_of: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for subject, visit, place in zip(subjects, visits, above, strict=True):
        if subject not in held:
            visits_of.setdefault(place, {}).setdefault(subject, []).append(str(visit))
    odd, usual = [], set()
    for members in visits_of.values():
        sets = {subject: ", ".join(sorted(found)) for subject, found in members.items()}
        most = Counter(sets.values()).most_common(1)[0][0]
        usual.add(most)
        odd += [f"{subject} ({found})" for subject, found in sets.items() if found != most]
    if not odd:
        return []
    return [
        Problem(
            what="participants cannot change places with all their visits: the visits differ",
            found="; ".join(odd),
            expected=f"visits {' or '.join(sorted(usual))}, or rows that are fixed",
        )
    ]
