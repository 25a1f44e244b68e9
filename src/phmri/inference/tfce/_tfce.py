r"""Threshold-free cluster enhancement, exact.

.. math:: \mathrm{TFCE}(v) = \mathrm{sign}(t_v) \int_0^{|t_v|} e_v(h)^E\, h^H\, dh,

:math:`e_v(h)` the extent of the connected component of :math:`\{w: |t_w| \ge h,\
\mathrm{sign}\,t_w = \mathrm{sign}\,t_v\}` that contains :math:`v` [1]_. The extent changes only
at heights that occur in the map, so the integral is a finite sum and needs no step width.

References
----------
.. [1] Smith and Nichols (2009), doi:10.1016/j.neuroimage.2008.03.061.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from phmri.exceptions import InferenceError, Problem
from phmri.inference._space import Space, Volume
from phmri.inference.tfce._forest import (
    Forest,
    give_outcomes,
    integrate,
)
from phmri.inference.tfce._graph import GraphCells, make_graph_cells
from phmri.inference.tfce._volume import VolumeCells, make_volume_cells

__all__ = ["Tfce", "Workspace", "make_tfce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """All that one thread writes on, to be used for one map at a time.

    Parameters
    ----------
    forest : Forest
        Components and integrals.
    scratch : object
        What the kind of space needs beside it.
    """

    forest: Forest
    scratch: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tfce:
    """Threshold-free cluster enhancement of maps of one space.

    Parameters
    ----------
    cells : VolumeCells or GraphCells
        Who is whose neighbour.
    extent_power, height_power : float
        E and H.
    """

    cells: VolumeCells | GraphCells
    extent_power: float
    height_power: float

    def workspace(self) -> Workspace:
        """Make what one thread writes on.

        Returns
        -------
        Workspace
        """
        return Workspace(
            forest=self.cells.make_forest(self.extent_power, self.height_power),
            scratch=self.cells.make_scratch(),
        )

    def maxima(self, values: Float[np.ndarray, " n"], workspace: Workspace) -> tuple[float, float]:
        """Give the largest value of the enhanced map, of each sign.

        Parameters
        ----------
        values : ndarray of shape (n,), float32 or float64
            Heights with their sign; ordered as they are, integrated in float64.
        workspace : Workspace
            Of the calling thread.

        Returns
        -------
        positive, negative : float
            Largest integral over positive and over negative heights, neither below 0. They
            equal those of `enhance` but for the rounding of sums (1e-12 of the largest).

        Notes
        -----
        Values that are not finite, or not as many as the space has, raise `InferenceError`.
        """
        forest, n_positive, n = self._rank(values, workspace)
        positive = self.cells.largest(0, n_positive, forest, workspace.scratch)
        negative = self.cells.largest(n_positive, n, forest, workspace.scratch)
        return positive, negative

    def enhance(
        self, values: Float[np.ndarray, " n"], workspace: Workspace
    ) -> Float64[np.ndarray, " n"]:
        """Enhance a map.

        Parameters
        ----------
        values : ndarray of shape (n,), float32 or float64
            Heights with their sign; ordered as they are, integrated in float64.
        workspace : Workspace
            Of the calling thread.

        Returns
        -------
        ndarray of shape (n,)
            With the sign of the heights; 0 where they are 0.

        Notes
        -----
        Values that are not finite, or not as many as the space has, raise `InferenceError`.
        """
        forest, n_positive, n = self._rank(values, workspace)
        enhanced = np.zeros(self.cells.n)
        for start, stop, sign in ((0, n_positive, 1.0), (n_positive, n, -1.0)):
            self.cells.grow(start, stop, forest, workspace.scratch)
            integrate(forest, start, stop)
            give_outcomes(forest, start, stop, self.cells.outcomes, sign, enhanced)
        return enhanced

    def _rank(
        self, values: Float[np.ndarray, " n"], workspace: Workspace
    ) -> tuple[Forest, int, int]:
        """Put cells in order: positive ones, then negative ones.

        Raises
        ------
        InferenceError
            When values are not finite, or not as many as the space has.
        """
        if values.size != self.cells.n:
            raise InferenceError(
                Problem(
                    what="the map does not fit the space",
                    found=f"{values.size} values",
                    expected=str(self.cells.n),
                )
            )
        if not np.isfinite(values).all():
            raise InferenceError(Problem(what="the map has values that are not finite"))
        single = values.dtype == np.float32
        heights = np.ascontiguousarray(values, dtype=np.float32 if single else np.float64)
        return self.cells.rank(heights, workspace.forest, workspace.scratch)


def make_tfce(space: Space, *, extent_power: float = 0.5, height_power: float = 2.0) -> Tfce:
    """Prepare the enhancement of maps of one space.

    Parameters
    ----------
    space : Volume or Graph
        Who is whose neighbour, and in a graph what each node counts for in the extent.
    extent_power, height_power : float
        E and H. The defaults are those of the literature for volumes.

    Returns
    -------
    Tfce
        Can be shared by threads, each with a workspace of its own.

    Raises
    ------
    InferenceError
        When a power is not positive, or the space cannot be used.
    """
    problems = [
        Problem(what="the power is not positive", field=name, found=str(power))
        for name, power in (("extent_power", extent_power), ("height_power", height_power))
        if not 0 < power < np.inf
    ]
    if problems:
        raise InferenceError(*problems)
    cells = make_volume_cells(space) if isinstance(space, Volume) else make_graph_cells(space)
    return Tfce(cells=cells, extent_power=extent_power, height_power=height_power)
