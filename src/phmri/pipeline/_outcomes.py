"""The voxels or parcels that a measure is computed for."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel import RunEstimate

__all__ = ["Outcomes"]

_ENOUGH = 1000
"""Voxels whose spread tells that of all: programs take the mean out everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The series that a measure is computed for.

    Parameters
    ----------
    series : ndarray of shape (n_volumes, n_outcomes)
        Uncleaned.
    mean : ndarray of shape (n_outcomes,)
        Over time, of the signal itself.
    names : tuple of str
        Parcels; empty for voxels.
    """

    series: Float[np.ndarray, "n_volumes n_outcomes"]
    mean: Float[np.ndarray, " n_outcomes"]
    names: tuple[str, ...]

    def named(self, estimate: RunEstimate) -> RunEstimate:
        """Give an estimate of these outcomes their names.

        Parameters
        ----------
        estimate : RunEstimate

        Returns
        -------
        RunEstimate
        """
        return replace(estimate, names=self.names)

    def refuse_without_mean(self) -> None:
        """See that the series have a mean that a change can be told in % of.

        Raises
        ------
        FirstLevelError
            It was taken out of them.
        """
        level = float(np.median(self.mean))
        some = self.series[:, :: max(1, self.mean.size // _ENOUGH)]
        sd = float(np.median(some.std(axis=0, dtype=np.float64)))
        if not level > sd:
            raise FirstLevelError(
                Problem(
                    what="the series have no mean that a change could be told in % of",
                    found=f"median mean {level:.3g}, median SD {sd:.3g}",
                    expected="a signal with its mean, as preprocessing leaves it",
                )
            )
