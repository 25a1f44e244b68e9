"""Which shufflings of units a design allows, and which of them are distinct."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, product
from math import factorial, prod

import numpy as np
from jaxtyping import Float, Int

from phmri.group import ContrastPartition, UnitDesign, partition_contrast

__all__ = ["Shufflings", "count_shufflings", "make_shufflings", "split_nuisance"]

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shufflings:
    """A batch of shufflings of residuals: ``shuffled[i] = sign[i] * residual[order[i]]``.

    Parameters
    ----------
    order : ndarray of shape (n_shufflings, n_units)
        Row numbers.
    sign : ndarray of shape (n_shufflings, n_units)
        1 or -1.
    flips : bool
        Only signs change; otherwise only the order does.
    """

    order: Int[np.ndarray, "n_shufflings n_units"]
    sign: Float[np.ndarray, "n_shufflings n_units"]
    flips: bool


def split_nuisance(
    design: UnitDesign, partition: ContrastPartition
) -> Float[np.ndarray, "n_units n_moved"]:
    """Give the part of the nuisance that shuffled residuals can become correlated with.

    Columns that are constant within every block (intercept, strata, arms held fixed) stay
    orthogonal to residuals shuffled within blocks and need no work.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    partition : ContrastPartition
        Contrast and nuisance of the design.

    Returns
    -------
    ndarray of shape (n_units, n_moved)
        Orthonormal columns.
    """
    Q = partition.nuisance
    if design.shuffling == "sign_flip" or not Q.shape[1]:
        return Q
    within = np.zeros_like(Q)
    for block in np.unique(design.blocks[design.blocks >= 0]):
        rows = design.blocks == block
        within[rows] = Q[rows] - Q[rows].mean(axis=0)
    _, lengths, directions = np.linalg.svd(within, full_matrices=False)
    moved: Float[np.ndarray, "n_units n_moved"] = Q @ directions[lengths > TOLERANCE].T
    return moved


def count_shufflings(design: UnitDesign) -> int:
    r"""Count the distinct shufflings of a design, the identity included.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.

    Returns
    -------
    int
        At least 1.

    Notes
    -----
    Sign flips: :math:`2^n`. Permutations: the product over blocks of :math:`n!/\prod_a n_a!`,
    since exchanging units of one arm changes nothing. With covariates or a voxelwise baseline
    it does change the Freedman-Lane statistic, and every order counts: the product of
    :math:`n!`.
    """
    free = design.blocks[design.blocks >= 0]
    if design.shuffling == "sign_flip":
        return int(2**free.size)
    total = 1
    for labels in _block_labels(design).values():
        _, counts = np.unique(labels, return_counts=True)
        total *= factorial(labels.size) // prod(factorial(int(count)) for count in counts)
    return total


def make_shufflings(
    design: UnitDesign, n_shufflings: int, *, seed: int, exhaustive: bool, chunk: int = 512
) -> Iterator[Shufflings]:
    """Make shufflings in chunks, the identity first.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    n_shufflings : int
        In all; the number of distinct ones when ``exhaustive``.
    seed : int
        Shuffling k draws from its own stream, spawned from the seed under key k, so that it does
        not depend on how the work is cut.
    exhaustive : bool
        Enumerate instead of drawing.
    chunk : int, default 512
        Largest number per chunk.

    Yields
    ------
    Shufflings
    """
    flips = design.shuffling == "sign_flip"
    listed = _enumerate(design) if exhaustive else _draw(design, seed)
    still = np.arange(len(design.subjects)) if flips else np.ones(len(design.subjects))
    for start in range(0, n_shufflings, chunk):
        found = np.array(list(islice(listed, min(chunk, n_shufflings - start))))
        other = np.tile(still, (len(found), 1))
        yield Shufflings(
            order=other if flips else found, sign=found if flips else other, flips=flips
        )


def _enumerate(design: UnitDesign) -> Iterator[np.ndarray]:
    """Give every distinct order, or every row of signs, the identity first."""
    if design.shuffling == "permute":
        yield from _enumerate_orders(design)
        return
    free = np.flatnonzero(design.blocks >= 0)
    for number in range(2**free.size):
        sign = np.ones(design.blocks.size)
        sign[free] = 1.0 - 2.0 * ((number >> np.arange(free.size)) & 1)
        yield sign


def _draw(design: UnitDesign, seed: int) -> Iterator[np.ndarray]:
    """Give random orders or signs without end, the identity first."""
    n_units = design.blocks.size
    flips = design.shuffling == "sign_flip"
    free = np.flatnonzero(design.blocks >= 0)
    members = [np.flatnonzero(design.blocks == b) for b in np.unique(design.blocks[free])]
    yield np.ones(n_units) if flips else np.arange(n_units)
    for number in count(1):
        stream = np.random.SeedSequence(seed, spawn_key=(number,))
        rng = np.random.Generator(np.random.PCG64(stream))
        drawn = np.ones(n_units) if flips else np.arange(n_units)
        if flips:
            drawn[free] = 1.0 - 2.0 * rng.integers(0, 2, size=free.size)
        else:
            for rows in members:
                drawn[rows] = rng.permutation(rows)
        yield drawn


def _block_labels(design: UnitDesign) -> dict[int, Int[np.ndarray, " n_block"]]:
    """Give integer labels per block: equal where exchanging two units changes no statistic."""
    partition = partition_contrast(design)
    alike = not design.voxelwise_baseline and not split_nuisance(design, partition).shape[1]
    _, labels = np.unique(partition.labels.round(9), return_inverse=True)
    if not alike:
        labels = np.arange(labels.size)
    return {
        int(block): labels[design.blocks == block]
        for block in np.unique(design.blocks[design.blocks >= 0])
    }


def _enumerate_orders(design: UnitDesign) -> Iterator[Int[np.ndarray, " n_units"]]:
    """Give every distinct order, the identity first."""
    members, choices = [], []
    for block, labels in _block_labels(design).items():
        rows = np.flatnonzero(design.blocks == block)
        sources = np.argsort(labels, kind="stable")
        orders = []
        for arrangement in _arrangements(np.sort(labels)):
            local = np.empty(labels.size, dtype=np.int64)
            local[sources] = np.argsort(arrangement, kind="stable")
            orders.append(rows[local])
        identity = next(k for k, found in enumerate(orders) if (found == rows).all())
        orders.insert(0, orders.pop(identity))
        members.append(rows)
        choices.append(orders)
    for choice in product(*choices):
        order = np.arange(len(design.subjects))
        for rows, found in zip(members, choice, strict=True):
            order[rows] = found
        yield order


def _arrangements(labels: Int[np.ndarray, " n"]) -> Iterator[Int[np.ndarray, " n"]]:
    """Give every distinct arrangement of sorted labels, in lexicographic order."""
    current = labels.copy()
    while True:
        yield current.copy()
        rises = np.flatnonzero(current[:-1] < current[1:])
        if not rises.size:
            return
        pivot = rises[-1]
        swap = np.flatnonzero(current > current[pivot])
        swap = swap[swap > pivot][-1]
        current[[pivot, swap]] = current[[swap, pivot]]
        current[pivot + 1 :] = current[pivot + 1 :][::-1].copy()
