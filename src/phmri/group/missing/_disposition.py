"""Who was scanned, and which scans could be used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from phmri.exceptions import DesignError, Problem

__all__ = ["Disposition", "count_scans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """Scans by arm and session.

    Parameters
    ----------
    arms : tuple of str
        In the order of their first participant.
    allocated : ndarray of shape (n_arms,)
        Participants.
    present, usable : ndarray of shape (n_arms, n_sessions)
        Scans that were made, and of those the ones that can be used.
    complete : ndarray of shape (n_arms,)
        Participants all of whose scans can be used.
    """

    arms: tuple[str, ...]
    allocated: Int[np.ndarray, " n_arms"]
    present: Int[np.ndarray, "n_arms n_sessions"]
    usable: Int[np.ndarray, "n_arms n_sessions"]
    complete: Int[np.ndarray, " n_arms"]


def count_scans(
    arms: Sequence[str],
    present: Bool[np.ndarray, "n_participants n_sessions"],
    usable: Bool[np.ndarray, "n_participants n_sessions"],
) -> Disposition:
    """Count scans by arm and session.

    Parameters
    ----------
    arms : sequence of str
        Of each participant.
    present : ndarray of bool of shape (n_participants, n_sessions)
        Scans that were made.
    usable : ndarray of bool of shape (n_participants, n_sessions)
        Scans good enough to be used; what is absent counts as not usable.

    Returns
    -------
    Disposition
        What a trial tabulates by arm: a drug that makes people move takes their scans away, so
        that those left over are no longer those who were randomised.

    Raises
    ------
    DesignError
        When there is no participant, or the tables do not have as many as ``arms``.

    Examples
    --------
    >>> import numpy as np
    >>> scans = np.array([[True, True], [True, False]])
    >>> count_scans(["KET", "PLA"], scans, scans).usable.tolist()
    [[1, 1], [1, 0]]
    """
    if not arms or not len(arms) == len(present) == len(usable):
        raise DesignError(
            Problem(
                what="every participant needs an arm and a row in both tables",
                found=f"{len(arms)} arms, {len(present)} and {len(usable)} rows",
            )
        )
    names = tuple(dict.fromkeys(arms))
    member = np.array([[arm == name for arm in arms] for name in names], int)
    usable = usable & present
    return Disposition(
        arms=names,
        allocated=member.sum(1),
        present=member @ present,
        usable=member @ usable,
        complete=member @ usable.all(1),
    )
