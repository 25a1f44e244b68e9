r"""Statistics of outcomes without missing rows, as products of a tile of models with the data.

For orthonormal model columns, shuffling the data is shuffling the columns the other way:
:math:`q^\top Pe = (P^\top q)^\top e`. So one matrix product gives what a whole tile of shufflings
needs of a block of outcomes. With :math:`e` of length 1, contrast columns :math:`R` and the
nuisance columns :math:`Q` that shuffling does not leave orthogonal to :math:`e` [1]_,

.. math:: F = \frac{\lVert R^\top Pe\rVert^2 / q}{(1 - \lVert Q^\top Pe\rVert^2
    - \lVert R^\top Pe\rVert^2)/\nu}, \qquad t = \sqrt F\ \text{with the sign of}\ R^\top Pe .

With a variance per group, :math:`W` holds the trace of the residual-forming matrix over the rows
of a group, divided by their residual sum of squares, and

.. math:: G = \frac{\hat\psi^\top C\,(C^\top (M^\top W M)^{-1} C)^{-1} C^\top\hat\psi}{q\Lambda},
    \quad \Lambda = 1 + \frac{2(q-1)}{q(q+2)} \sum_g \frac{1}{\nu_g}
    \Bigl(1 - \frac{n_g W_g}{\sum_h n_h W_h}\Bigr)^2 ,

with ordinary least squares :math:`\hat\psi`; :math:`v = \sqrt G` for one contrast.

References
----------
.. [1] Winkler et al. (2014), Permutation inference for the general linear model,
   doi:10.1016/j.neuroimage.2014.01.060.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from phmri.inference.statistics._kernel import shuffled_products, student, student_beside_baseline
from phmri.inference.statistics._kernel_pivotal import pivotal
from phmri.inference.statistics._shuffled_model import Layout, TileModel

__all__ = ["LEAST_ERROR", "Block", "PivotalTile", "StudentTile", "make_pivotal_tile", "make_tile"]

LEAST_ERROR = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}
"""Residual sum of squares below which a statistic grows no more, data having length 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some outcomes, ready to be shuffled.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_outcomes)
        Residuals of length 1, or 0 where an outcome is not tested.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        Voxelwise regressor, free of the nuisance and of length 1.
    """

    data: Float[np.ndarray, "n_rows n_outcomes"]
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentTile:
    """What t and F of every block need of a tile of shufflings.

    Parameters
    ----------
    shuffled : ndarray of shape (n_shufflings, n_directions, n_rows)
        Columns that data are multiplied with, those of the contrast last.
    directions : ndarray of shape (n_models, n_directions, n_rows)
        The same before shuffling: what a baseline, which stays, is multiplied with.
    order, sign : ndarray of shape (n_shufflings, n_rows)
        What meets what.
    df : ndarray of shape (n_shufflings,)
        Residual degrees of freedom.
    n_contrasts : int
        Columns of the contrast.
    moves_data : bool
        Otherwise the data stay orthogonal to the baseline.
    """

    shuffled: Float[np.ndarray, "n_shufflings n_directions n_rows"]
    directions: Float[np.ndarray, "n_models n_directions n_rows"]
    order: Int[np.ndarray, "n_shufflings n_rows"]
    sign: Float[np.ndarray, "n_shufflings n_rows"]
    df: Float[np.ndarray, " n_shufflings"]
    n_contrasts: int
    moves_data: bool

    def fill(self, block: Block, out: Float[np.ndarray, "n_out n_all"], start: int) -> None:
        """Compute t or F.

        Parameters
        ----------
        block : Block
            Outcomes.
        out : ndarray of shape (n_out, n_all)
            Receives the statistic of the first ``n_out`` shufflings.
        start : int
            Column of the first outcome.
        """
        dtype = out.dtype.type
        least = dtype(LEAST_ERROR[out.dtype])
        products = _multiply(self.shuffled, block.data)
        if block.baseline is None:
            student(products, self.df, self.n_contrasts, least, out, start)
            return
        onto = np.zeros((len(self.order), 1, 1, block.data.shape[1]), dtype)
        if self.moves_data:
            one_group = np.zeros((1, len(block.data)), dtype=np.int64)
            shuffled_products(
                block.baseline, block.data, self.order[: len(out)], self.sign, one_group, onto
            )
        along = _multiply(self.directions, block.baseline)
        student_beside_baseline(
            products, onto, along, self.df, self.n_contrasts, least, out, start
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotalTile:
    """What v and G of every block need of a tile of shufflings.

    Parameters
    ----------
    shuffled : ndarray of shape (n_shufflings, n_groups, n_met, n_rows)
        Columns that data are multiplied with, over the rows of each group and 0 elsewhere; a
        first one of 0 keeps the place of the baseline, if there is one.
    members : ndarray of shape (n_shufflings, n_groups, n_rows)
        1 for data that meet a row of the group.
    columns : ndarray of shape (n_models, n_groups, n_beside, n_rows)
        All columns before shuffling, with the same first one: what a baseline is multiplied with.
    inside : ndarray of shape (n_models, n_groups, n_rows)
        ``members`` before shuffling.
    gram : ndarray of shape (n_models, n_groups, n_columns, n_columns)
        Inner products of all columns but a baseline over the rows of each group.
    freedom, size : ndarray of shape (n_models, n_groups)
        Trace of the residual-forming matrix over the rows of each group, and their number.
    order, sign : ndarray of shape (n_shufflings, n_rows)
        What meets what.
    n_contrasts : int
        Columns of the contrast.
    """

    shuffled: Float[np.ndarray, "n_shufflings n_groups n_met n_rows"]
    members: Float[np.ndarray, "n_shufflings n_groups n_rows"]
    columns: Float[np.ndarray, "n_models n_groups n_beside n_rows"]
    inside: Float[np.ndarray, "n_models n_groups n_rows"]
    gram: Float[np.ndarray, "n_models n_groups n_columns n_columns"]
    freedom: Float[np.ndarray, "n_models n_groups"]
    size: Float[np.ndarray, "n_models n_groups"]
    order: Int[np.ndarray, "n_shufflings n_rows"]
    sign: Float[np.ndarray, "n_shufflings n_rows"]
    n_contrasts: int

    def fill(
        self,
        block: Block,
        out: Float[np.ndarray, "n_out n_all"],
        start: int,
        uneven: Float[np.ndarray, "n_out n_outcomes"] | None = None,
    ) -> None:
        """Compute v or G.

        Parameters
        ----------
        block : Block
            Outcomes.
        out : ndarray of shape (n_out, n_all)
            Receives the statistic of the first ``n_out`` shufflings.
        start : int
            Column of the first outcome.
        uneven : ndarray of shape (n_out, n_outcomes), optional
            Receives the sum over groups in the equation of the module.
        """
        pivotal(
            self.cross(block, len(out)),
            (self.gram, self.freedom, self.size),
            self.n_contrasts,
            LEAST_ERROR[out.dtype],
            out,
            np.empty((0, 0)) if uneven is None else uneven,
            start,
        )

    def cross(
        self, block: Block, n_out: int
    ) -> tuple[
        Float[np.ndarray, "n_shufflings n_groups n_met n_outcomes"],
        Float[np.ndarray, "n_shufflings n_groups n_outcomes"],
        Float[np.ndarray, "n_models n_groups n_beside n_beside_outcomes"],
    ]:
        """Take the products of shuffled data, columns and baseline within each group.

        Parameters
        ----------
        block : Block
            Outcomes.
        n_out : int
            Shufflings that are wanted.

        Returns
        -------
        products : ndarray of shape (n_shufflings, n_groups, n_met, n_outcomes)
            Of shuffled data with the baseline and the columns that they meet.
        squares : ndarray of shape (n_shufflings, n_groups, n_outcomes)
            Of shuffled data with themselves.
        along : ndarray of shape (n_models, n_groups, n_beside, n_outcomes or 0)
            Of the baseline with itself and all columns.
        """
        products = _multiply(self.shuffled, block.data)
        squares = _multiply(self.members, block.data**2)
        if block.baseline is None:
            return products, squares, np.empty((*self.columns.shape[:3], 0), products.dtype)
        along = _multiply(self.columns, block.baseline)
        along[:, :, 0] = _multiply(self.inside, block.baseline**2)
        shuffled_products(
            block.baseline,
            block.data,
            self.order[:n_out],
            self.sign,
            np.ascontiguousarray(np.argmax(self.inside, axis=1)),
            products,
        )
        return products, squares, along


def make_tile(
    layout: Layout, model: TileModel, dtype: np.dtype[np.floating]
) -> StudentTile | PivotalTile:
    """Prepare what all blocks need of a tile of shufflings.

    Parameters
    ----------
    layout : Layout
        What moves and what stays.
    model : TileModel
        The model of each shuffling.
    dtype : dtype
        Of the products.

    Returns
    -------
    StudentTile or PivotalTile
        The second where variance groups differ.
    """
    if layout.n_groups > 1:
        return make_pivotal_tile(layout, model, dtype, n_still=layout.n_still)
    directions = np.swapaxes(model.basis, 1, 2)[:, layout.n_still :]
    return StudentTile(
        shuffled=_shuffle(directions, model).astype(dtype),
        directions=directions.astype(dtype),
        order=model.order,
        sign=model.sign.astype(dtype),
        df=model.df.astype(dtype),
        n_contrasts=layout.n_contrasts,
        moves_data=not layout.moves_labels,
    )


def make_pivotal_tile(
    layout: Layout, model: TileModel, dtype: np.dtype[np.floating], *, n_still: int
) -> PivotalTile:
    """Prepare sums over variance groups, be there only one.

    Parameters
    ----------
    layout : Layout
        What moves and what stays.
    model : TileModel
        The model of each shuffling.
    dtype : dtype
        Of the products.
    n_still : int
        First columns whose products with the data are 0 and not taken.

    Returns
    -------
    PivotalTile
    """
    basis = np.swapaxes(model.basis, 1, 2)
    inside = (model.groups[:, None, :] == np.arange(layout.n_groups)[:, None]).astype(np.float64)
    columns = basis[:, None] * inside[:, :, None]
    gram = np.ascontiguousarray(columns @ np.swapaxes(columns, 2, 3))
    size = np.ascontiguousarray(inside.sum(axis=2))
    place = ((0, 0), (0, 0), (int(layout.with_baseline), 0), (0, 0))
    met = np.pad(columns[:, :, n_still:], place)
    unsigned = replace(model, sign=np.ones_like(model.sign))
    return PivotalTile(
        shuffled=_shuffle(met, model).astype(dtype),
        members=_shuffle(inside, unsigned).astype(dtype),
        columns=np.pad(columns, place).astype(dtype),
        inside=inside.astype(dtype),
        gram=gram,
        freedom=np.ascontiguousarray(size - np.trace(gram, axis1=2, axis2=3)),
        size=size,
        order=model.order,
        sign=model.sign.astype(dtype),
        n_contrasts=layout.n_contrasts,
    )


def _shuffle(
    rows: Float[np.ndarray, "n_models *shape n_rows"], model: TileModel
) -> Float[np.ndarray, "n_shufflings *shape n_rows"]:
    """Give the row vectors whose product with the data is that of `rows` with shuffled data."""
    n_shufflings, n_rows = model.order.shape
    flat = rows.reshape(len(rows), -1, n_rows)
    out = np.empty((n_shufflings, flat.shape[1], n_rows))
    np.put_along_axis(out, model.order[:, None], flat * model.sign[:, None], axis=2)
    return out.reshape(n_shufflings, *rows.shape[1:])


def _multiply(
    rows: Float[np.ndarray, "*shape n_rows"], data: Float[np.ndarray, "n_rows n_outcomes"]
) -> Float[np.ndarray, "*shape n_outcomes"]:
    """Take all products in one matrix product."""
    product: Float[np.ndarray, ...] = rows.reshape(-1, len(data)) @ data
    return product.reshape(*rows.shape[:-1], data.shape[1])
