"""Who could tell how outcomes go with scores: participants at hand, or those planned."""

from collections.abc import Mapping

from phmri.dataset import (
    LEAST_ASSOCIATED,
    AssociationCheck,
    DatasetCheck,
    DatasetIndex,
)
from phmri.exceptions import DesignError
from phmri.pipeline._association_data import refuse_motion
from phmri.pipeline._association_parts import parts_of
from phmri.pipeline._association_rows import (
    FEWEST,
    MOTION,
    AssociationRows,
    adjusted_columns,
    find_rows,
    refuse_rows,
)
from phmri.pipeline._populations import find_events
from phmri.pipeline._ratings import Rating, gather_ratings
from phmri.pipeline._session_means import means_words, rests_words
from phmri.protocol import Association, Parallel, Protocol

__all__ = ["association_problems", "describe_associations"]


def describe_associations(
    protocol: Protocol, check: DatasetCheck | None = None, index: DatasetIndex | None = None
) -> tuple[AssociationCheck, ...]:
    """Say of every association who can answer it.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    check : DatasetCheck, optional
        Counts the participants at hand; those that the protocol plans by default.
    index : DatasetIndex, optional
        Of the same data: tells every refusal that needs no first level, in its own words.

    Returns
    -------
    tuple of AssociationCheck
        In the order of the protocol.

    Notes
    -----
    A `DatasetError` names all tables and columns of intercurrent events that the data set lacks.
    """
    if check is None:
        return tuple(_planned(protocol, n, item) for n, item in protocol.associations.items())
    if index is None or not protocol.associations:
        return check.associations
    happened = find_events(protocol, index)
    ratings = gather_ratings(protocol, index, check)
    return tuple(
        association_problems(protocol, name, index, check, happened=happened, ratings=ratings)
        for name in protocol.associations
    )


def association_problems(
    protocol: Protocol,
    name: str,
    index: DatasetIndex,
    check: DatasetCheck,
    *,
    happened: Mapping[str, frozenset[tuple[str, str]]],
    ratings: Mapping[tuple[str, str, str], Rating],
) -> AssociationCheck:
    """Find why an association will be refused, as far as scores and columns tell.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Key in ``protocol.associations``.
    index : DatasetIndex
    check : DatasetCheck
        Of the same data.
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.
    ratings : mapping of (str, str, str) to Rating
        From `gather_ratings`.

    Returns
    -------
    AssociationCheck
        Counts who has both, in two sessions or more where several are asked for; the reason is
        in the words of the refusal.
    """
    item = protocol.associations[name]
    rows = find_rows(
        protocol,
        name,
        check=check,
        happened=happened,
        ratings=ratings,
        usable=lambda cell: True,
    )
    reason = ""
    try:
        refuse_rows(protocol, name, rows)
        _refuse_scores(index, item, rows)
    except DesignError as error:
        reason = "; ".join(str(error).splitlines())
    return AssociationCheck(
        association=name,
        role=item.role,
        measure=item.measure,
        scale=_scale(item),
        n_per_group=rows.n_per_group,
        answerable=not reason,
        reason=reason,
        note=_note(protocol, item),
    )


def _refuse_scores(index: DatasetIndex, item: Association, rows: AssociationRows) -> None:
    """Refuse what no outcome could mend: unknown motion, columns, a score that does not vary."""
    if MOTION in item.partial:
        refuse_motion(
            [
                subject
                for subject, cells in zip(rows.subjects, rows.cells, strict=True)
                if any(cell.run is None or cell.run.confounds is None for cell in cells.values())
            ]
        )
    # The verdict rests on the first part, that within persons where there are two.
    parts_of(rows, adjusted_columns(index, item, rows, None))[0].design(item.method)


def _note(protocol: Protocol, item: Association) -> str:
    """Say what the verdict of several sessions or treatments rests on."""
    return f"{means_words(protocol, item)} {rests_words(item)}" if item.repeated else ""


def _scale(item: Association) -> str:
    return item.scale if item.subscale is None else f"{item.scale} ({item.subscale})"


def _planned(protocol: Protocol, name: str, item: Association) -> AssociationCheck:
    counts = _planned_groups(protocol, item)
    unplanned = [group for group, number in counts.items() if number is None]
    n_per_group = {group: number for group, number in counts.items() if number is not None}
    reason = ""
    if unplanned:
        reason = f"no n_planned of {', '.join(unplanned)}"
    elif sum(n_per_group.values()) < LEAST_ASSOCIATED:
        reason = f"{sum(n_per_group.values())} of at least {LEAST_ASSOCIATED} participants"
    return AssociationCheck(
        association=name,
        role=item.role,
        measure=item.measure,
        scale=_scale(item),
        n_per_group=n_per_group,
        answerable=not reason,
        reason=reason,
        note=_note(protocol, item),
    )


def _planned_groups(protocol: Protocol, item: Association) -> dict[str, int | None]:
    design = protocol.design
    if isinstance(design, Parallel):
        return {
            name: arm.n_planned
            for name, arm in design.arms.items()
            if name in (item.groups or design.arms)
        }
    return {
        name: sequence.n_planned
        for name, sequence in design.sequences.items()
        if _holds(item, sequence.treatments)
    }


def _holds(item: Association, treatments: tuple[str, ...]) -> bool:
    """Tell whether a sequence holds the treatments that an association needs."""
    if item.repeated:
        return len(set(item.repeated) & set(treatments)) >= FEWEST
    return set(item.contrast or ()) <= set(treatments)
