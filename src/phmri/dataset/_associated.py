"""Who can tell how an outcome goes with a score: the cells that an association needs.

A parallel association needs the run and the score of its session, and of its baseline where it
has one; a crossover those of one session under each of its two treatments.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from phmri.dataset._questions import source_of
from phmri.dataset._records import AssociationCheck, Cell
from phmri.dataset._table_columns import without_column
from phmri.protocol import Association, Parallel, Protocol

__all__ = ["LEAST_ASSOCIATED", "association_cells", "check_association"]

LEAST_ASSOCIATED = 5
"""Participants below which no association is told."""
_MOTION = "mean_fd"
_SHOWN = 3


def association_cells(
    protocol: Protocol, item: Association, cells: Sequence[Cell]
) -> dict[str, dict[str, Cell]]:
    """List the runs that an association needs, per participant and role.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    item : Association
    cells : sequence of Cell
        From `check_dataset`.

    Returns
    -------
    dict of str to dict of str to Cell
        Participants who have all of them; roles ``outcome`` and ``baseline`` (parallel), or
        ``first`` and ``second`` (crossover: the treatments of the contrast in its order). All
        cells are ``ok``.
    """
    source = source_of(protocol, item.measure)
    at_hand: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        if cell.scan == source and cell.status == "ok":
            at_hand.setdefault(cell.subject, {})[cell.session] = cell
    found = {}
    for subject, visits in at_hand.items():
        group = next(iter(visits.values())).group
        if isinstance(protocol.design, Parallel):
            if group not in (item.groups or protocol.design.arms):
                continue
            asked = {"outcome": item.session, "baseline": item.baseline}
            roles = {role: session for role, session in asked.items() if session is not None}
        else:
            roles = _crossover_sessions(protocol, item, visits)
        if roles and set(roles.values()) <= set(visits):
            found[subject] = {role: visits[session] for role, session in roles.items()}
    return found


def _crossover_sessions(
    protocol: Protocol, item: Association, visits: Mapping[str, Cell]
) -> dict[str, str]:
    if item.contrast is None:
        return {}
    found = {}
    for role, treatment in zip(("first", "second"), item.contrast, strict=True):
        under = [session for session, cell in visits.items() if cell.treatment == treatment]
        if len(under) > 1:
            under = [session for session in under if protocol.sessions[session].phase == "acute"]
        if len(under) != 1:
            return {}
        found[role] = under[0]
    return found


def check_association(
    protocol: Protocol,
    name: str,
    *,
    cells: Sequence[Cell],
    ratings: Sequence[Cell],
    participants: pd.DataFrame,
) -> AssociationCheck:
    """Tell whether the data at hand can answer an association.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    name : str
        Key in ``protocol.associations``.
    cells, ratings : sequence of Cell
        Of runs and of scales, from `check_dataset`.
    participants : DataFrame
        Index ``participant_id``.

    Returns
    -------
    AssociationCheck
    """
    item = protocol.associations[name]
    scored = {(cell.subject, cell.session): cell for cell in ratings if cell.scan == item.scale}
    measured = association_cells(protocol, item, cells)
    both = {
        subject: roles
        for subject, roles in measured.items()
        if all(
            (subject, cell.session) in scored and scored[subject, cell.session].status == "ok"
            for cell in roles.values()
        )
    }
    counts = Counter(next(iter(roles.values())).group or "unknown" for roles in both.values())
    faults = [*_without_columns(item, sorted(both), participants)]
    if len(both) < LEAST_ASSOCIATED:
        tables = sorted({cell.reason for cell in scored.values() if cell.reason})
        why = f" ({', '.join(tables)})" if tables and not both else ""
        faults.append(
            f"{len(both)} of at least {LEAST_ASSOCIATED} participants have both the outcome and "
            f"the score, {len(measured)} the outcome{why}"
        )
    return AssociationCheck(
        association=name,
        role=item.role,
        measure=item.measure,
        scale=item.scale if item.subscale is None else f"{item.scale} ({item.subscale})",
        n_per_group=dict(sorted(counts.items())),
        answerable=not faults,
        reason="; ".join(faults),
    )


def _without_columns(
    item: Association, subjects: Sequence[str], participants: pd.DataFrame
) -> list[str]:
    faults = []
    for column in item.partial:
        if column == _MOTION:
            continue
        if column not in participants.columns:
            faults.append(without_column("participants.tsv", column))
            continue
        entries = participants[column].reindex(list(subjects))
        lacking = [f"sub-{subject}" for subject in entries.index[entries.isna()]]
        if lacking:
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            faults.append(f"without {column}: {', '.join(lacking[:_SHOWN])}{more}")
    return faults
