r"""Shufflings that a design allows: counted, enumerated or drawn, each by its number alone.

The rows of a design are the leaves of a tree (`Exchangeability`). At every node k of an exchanged
level, its :math:`m_k` members change places as wholes, so that the group of all orders is the
product of these symmetric groups. Labels :math:`L` may make some of them the same: members whose
labels can be shuffled into one another are alike. With :math:`m_{ka}` members of kind a at node k
and :math:`f` members that change sign,

.. math:: N = 2^f \prod_k \frac{m_k!}{\prod_a m_{ka}!}

distinct shufflings exist [1]_. They are numbered in mixed radix, one digit per node and sign, and
the identity is number 0.

References
----------
.. [1] Winkler et al. (2015), Multi-level block permutation,
   doi:10.1016/j.neuroimage.2015.05.092.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import InferenceError, Problem
from phmri.group import Exchangeability, UnitDesign, partition_contrast
from phmri.inference.shuffling._places import draw_places, enumerate_places, rearrange
from phmri.inference.shuffling._row_tree import (
    Member,
    check_exchangeability,
    count_arrangements,
    exchangers,
    flip_members,
    grow_tree,
    row_orbits,
)
from phmri.protocol import Inference

__all__ = [
    "ShufflingSource",
    "Shufflings",
    "labels_move",
    "make_source",
    "plan_shufflings",
    "row_labels",
]

TOLERANCE = 1e-9
LARGEST = 2**40
"""Shufflings above which none is enumerated, so that ranks fit into 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shufflings:
    """A batch of shufflings: row i of the shuffled data is ``sign[i] * data[order[i]]``.

    Parameters
    ----------
    order : ndarray of shape (n_shufflings, n_rows)
        Row numbers.
    sign : ndarray of shape (n_shufflings, n_rows)
        1 or -1.
    """

    order: Int[np.ndarray, "n_shufflings n_rows"]
    sign: Float[np.ndarray, "n_shufflings n_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShufflingSource:
    """Every shuffling of a test, to be taken by its number.

    Parameters
    ----------
    tree : Member
        Root of the tree of rows.
    flipping : ndarray of shape (n_rows,)
        Which member of those that change sign a row belongs to; -1 for none.
    seed : int
        Shuffling k draws from its own stream, spawned from the seed under key k.
    n_distinct : int
        Distinct shufflings, the identity included.
    n_used : int
        Shufflings of the test: all distinct ones, or the number asked for.
    exhaustive : bool
        Every distinct shuffling is used, once; otherwise they are drawn with replacement.
    moves_labels : bool
        Rows of the model change places (``L[order]``), not rows of the data.
    key : str
        Equal for two sources whose shuffling k is the same for every k.
    """

    tree: Member
    flipping: Int[np.ndarray, " n_rows"]
    seed: int
    n_distinct: int
    n_used: int
    exhaustive: bool
    moves_labels: bool
    key: str

    def take(self, numbers: range) -> Shufflings:
        """Give shufflings by their numbers.

        Parameters
        ----------
        numbers : range
            From 0 (the identity) to below ``n_used``, step 1.

        Returns
        -------
        Shufflings
            One per number; the same whatever else is taken.

        Raises
        ------
        InferenceError
            When a number is not one of this test.
        """
        if numbers.step != 1 or not 0 <= numbers.start <= numbers.stop <= self.n_used:
            raise InferenceError(
                Problem(
                    what="shufflings that this test does not have",
                    found=str(numbers),
                    expected=f"range(0, {self.n_used}) or a part of it",
                )
            )
        nodes = exchangers(self.tree)
        n_flips = int(self.flipping.max(initial=-1)) + 1
        places, up = (
            enumerate_places(nodes, n_flips, numbers)
            if self.exhaustive
            else draw_places(nodes, n_flips, numbers, seed=self.seed)
        )
        n_rows = self.flipping.size
        order = np.empty((len(numbers), n_rows), dtype=np.int64)
        order[:, self.tree.rows] = rearrange(self.tree, iter(places), len(numbers))
        if self.exhaustive and not self.moves_labels:
            # What labels meet what data is L at the inverse order: distinct orders of labels
            # give distinct orders of data by inversion.
            order = np.argsort(order, axis=1)
        sign = np.ones((len(numbers), n_rows))
        flipped = self.flipping >= 0
        sign[:, flipped] = np.where(up, 1.0, -1.0)[:, self.flipping[flipped]]
        return Shufflings(order=order, sign=sign)


def make_source(design: UnitDesign, settings: Inference) -> ShufflingSource:
    """Prepare the shufflings of a design.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    settings : Inference
        ``n_permutations``, ``seed`` and ``nuisance`` are read.

    Returns
    -------
    ShufflingSource
        With every distinct shuffling if there are no more than asked for.
    """
    moves_labels = labels_move(design, settings)
    return plan_shufflings(
        design.exchangeability,
        row_labels(design, moves_labels=moves_labels),
        moves_labels=moves_labels,
        seed=settings.seed,
        n_wanted=settings.n_permutations,
        names=design.subjects,
    )


def plan_shufflings(
    exchangeability: Exchangeability,
    labels: Int[np.ndarray, " n_rows"] | None,
    *,
    moves_labels: bool,
    seed: int,
    n_wanted: int,
    names: Sequence[str] = (),
) -> ShufflingSource:
    """Prepare the shufflings of a tree of rows.

    Parameters
    ----------
    exchangeability : Exchangeability
        Which rows may change places.
    labels : ndarray of shape (n_rows,) or None
        Rows with equal labels are alike: exchanging them changes no statistic. None: all differ.
    moves_labels : bool
        Rows of the model are to change places, not rows of the data.
    seed : int
        Of the random ones.
    n_wanted : int
        All distinct ones are used when there are no more.
    names : sequence of str
        Of the rows; they enter the key.

    Returns
    -------
    ShufflingSource
        To take from.

    Raises
    ------
    InferenceError
        When the exchangeability contradicts itself or the labels have another length.

    Notes
    -----
    Shuffling k depends on the tree, the seed and k alone when it is drawn; when all are
    enumerated it depends on the labels and the direction too.
    """
    check_exchangeability(exchangeability, names)
    n_rows = len(exchangeability.levels)
    if labels is not None and len(labels) != n_rows:
        raise InferenceError(
            Problem(
                what="labels of another length than the rows of the tree",
                field="labels",
                found=str(len(labels)),
                expected=str(n_rows),
            )
        )
    tree = grow_tree(exchangeability, np.arange(n_rows) if labels is None else labels)
    flipping = flip_members(exchangeability)
    n_distinct = prod(map(count_arrangements, exchangers(tree))) * 2 ** (int(flipping.max()) + 1)
    exhaustive = n_distinct <= min(n_wanted, LARGEST)
    n_used = n_distinct if exhaustive else n_wanted
    digest = hashlib.sha256(f"{seed} {n_used} {exhaustive} {tuple(names)}".encode())
    digest.update(f"{exchangeability.kind} {exchangeability.exchanged}".encode())
    arrays = [exchangeability.levels, exchangeability.fixed]
    if exhaustive:
        digest.update(f"{moves_labels}".encode())
        arrays += [] if labels is None else [labels]
    for values in arrays:
        digest.update(np.ascontiguousarray(values).tobytes())
    return ShufflingSource(
        tree=tree,
        flipping=flipping,
        seed=seed,
        n_distinct=n_distinct,
        n_used=n_used,
        exhaustive=exhaustive,
        moves_labels=moves_labels,
        key=digest.hexdigest(),
    )


def labels_move(design: UnitDesign, settings: Inference) -> bool:
    """Tell whether rows of the model change places instead of rows of the data.

    Parameters
    ----------
    design : UnitDesign
        Crossovers of several periods name the columns that were dealt; these always move.
    settings : Inference
        ``nuisance`` is read.

    Returns
    -------
    bool
        True for the method of Draper and Stoneman.
    """
    return design.dealt is not None or settings.nuisance == "draper_stoneman"


def row_labels(design: UnitDesign, *, moves_labels: bool) -> Int[np.ndarray, " n_rows"] | None:
    """Label rows so that exchanging two of equal label changes no statistic.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    moves_labels : bool
        Rows of the model change places: those with the same dealt columns are alike. Otherwise
        residuals do: rows are alike under the contrast, but only while no nuisance and no
        voxelwise baseline depends on which of them a residual comes to.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        None when all rows differ.
    """
    partition = partition_contrast(design)
    columns = partition.labels.reshape(len(design.X), -1)
    if moves_labels:
        if design.dealt is not None:
            columns = design.X[:, design.dealt]
    elif design.voxelwise_baseline or _moves(design.exchangeability, partition.nuisance):
        return None
    if design.variance_groups is not None:
        columns = np.column_stack([columns, design.variance_groups])
    # Adding 0 makes -0.0 and 0.0 one label.
    _, labels = np.unique(columns.round(9) + 0.0, axis=0, return_inverse=True)
    return labels.reshape(-1)


def _moves(
    exchangeability: Exchangeability, nuisance: Float[np.ndarray, "n_rows n_nuisance"]
) -> bool:
    """Tell whether shuffling changes a column, i.e. it varies among rows that change places."""
    if exchangeability.kind != "permute":
        return bool(nuisance.shape[1])
    orbit = row_orbits(exchangeability)
    first = np.unique(orbit, return_index=True)[1]
    return bool(np.any(np.abs(nuisance - nuisance[first[orbit]]) > TOLERANCE))
