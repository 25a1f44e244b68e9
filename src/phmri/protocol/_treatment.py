"""What a participant has received by a session."""

from phmri.exceptions import Problem, ProtocolError
from phmri.protocol._finding import one_of
from phmri.protocol._models import Crossover, Parallel, Protocol

__all__ = ["treatment_of"]


def treatment_of(protocol: Protocol, group: str | None, session: str) -> str | None:
    """Name the treatment that a session of a participant stands under.

    Parameters
    ----------
    protocol : Protocol
        The trial.
    group : str or None
        Arm or sequence; None where it is not known. Not looked at in a crossover of unknown
        order, where sessions are named by their treatment.
    session : str
        BIDS label without ``ses-``.

    Returns
    -------
    str or None
        Parallel: the arm's treatment, in every session after it was given. Crossover: the
        sequence's treatment in the session's period, or the session's own where the order is
        unknown. None in sessions of phase ``baseline`` (before treatment), where the group is
        not known, and where a sequence has no such period.

    Raises
    ------
    ProtocolError
        The protocol has no such session, arm or sequence.
    """
    visit = protocol.sessions.get(session)
    if visit is None:
        raise ProtocolError(
            Problem(
                what="the protocol has no such session",
                session=session,
                expected=one_of(protocol.sessions, session),
            )
        )
    if visit.phase == "baseline":
        return None
    design = protocol.design
    if isinstance(design, Crossover) and design.order == "unknown":
        return visit.treatment
    if group is None:
        return None
    groups = design.arms if isinstance(design, Parallel) else design.sequences
    if group not in groups:
        raise ProtocolError(
            Problem(
                what="the protocol has no such arm or sequence",
                field=design.column,
                found=group,
                expected=one_of(groups, group),
            )
        )
    if isinstance(design, Parallel):
        return design.arms[group].treatment
    treatments = design.sequences[group].treatments
    if visit.period is None or visit.period > len(treatments):
        return None
    return treatments[visit.period - 1]
