"""Who could tell how outcomes go with scores: participants at hand, or those planned."""

from phmri.dataset import LEAST_ASSOCIATED, AssociationCheck, DatasetCheck
from phmri.protocol import Association, Parallel, Protocol

__all__ = ["describe_associations"]


def describe_associations(
    protocol: Protocol, check: DatasetCheck | None = None
) -> tuple[AssociationCheck, ...]:
    """Say of every association who can answer it.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    check : DatasetCheck, optional
        Counts the participants at hand; those that the protocol plans by default.

    Returns
    -------
    tuple of AssociationCheck
        In the order of the protocol.
    """
    if check is not None:
        return check.associations
    return tuple(_planned(protocol, name, item) for name, item in protocol.associations.items())


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
        scale=item.scale if item.subscale is None else f"{item.scale} ({item.subscale})",
        n_per_group=n_per_group,
        answerable=not reason,
        reason=reason,
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
        if set(item.contrast or ()) <= set(sequence.treatments)
    }
