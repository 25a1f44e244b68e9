"""Freedman-Lane permutation and sign flipping, with the maximum over outcomes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from phmri.exceptions import InferenceError, Problem
from phmri.group import (
    AdjustedOutcomes,
    ContrastPartition,
    UnitDesign,
    adjust_outcomes,
    fit_contrast,
    partition_contrast,
)
from phmri.inference._kernel import shuffled_products
from phmri.inference._pvalues import (
    Alternative,
    benjamini_hochberg,
    orient,
    parametric_pvalue,
    pvalue_of_maximum,
    threshold_of_maximum,
    tie_margin,
)
from phmri.inference._records import PermutationResult
from phmri.inference._shuffling import (
    Shufflings,
    count_shufflings,
    make_shufflings,
    split_nuisance,
)
from phmri.protocol import Inference

__all__ = ["permute", "permute_with"]

OUTCOMES = 1024
"""Outcomes per block: one block of residuals and baselines stays in a core's cache."""
BATCH = 64
"""Shufflings per matrix product."""
LEAST_ERROR = 1e-13
"""Residual sum of squares, relative to that under the null, below which t grows no more."""
CHUNK = 512
"""Shufflings between two reports of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What shuffling gave, before it is turned into p-values.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        Of the identity, oriented: large against the null hypothesis.
    count : ndarray of shape (n_outcomes,)
        Shufflings whose statistic reaches it.
    maximum : ndarray of shape (n_shufflings,)
        Over the outcomes, per shuffling.
    """

    statistic: Float[np.ndarray, " n_outcomes"]
    count: Int[np.ndarray, " n_outcomes"]
    maximum: Float[np.ndarray, " n_shufflings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What every block of outcomes needs to know."""

    partition: ContrastPartition
    moved: Float[np.ndarray, "n_units n_moved"]
    alternative: Alternative
    Y: Float[np.ndarray, "n_units n_outcomes"]
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None


def permute(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    *,
    alternative: Alternative = "two-sided",
    n_threads: int = 1,
    on_batch: Callable[[int], None] | None = None,
) -> PermutationResult:
    r"""Test a contrast in every outcome by shuffling the units.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcome of every unit, as `make_outcome` gives it.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one.
    settings : Inference
        ``n_permutations``, ``seed`` and ``alpha``.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        Side of the null hypothesis that counts as evidence.
    n_threads : int, default 1
        Blocks of outcomes worked on at once. Changes no number.
    on_batch : callable, optional
        Called with the number of shufflings just finished; they add up to ``n_permutations`` of
        the result, which is the lesser of `count_shufflings` and the number asked for.

    Returns
    -------
    PermutationResult
        p-values of every outcome.

    Raises
    ------
    InferenceError
        When ``n_threads`` is less than 1.

    Notes
    -----
    Freedman and Lane [1]_: residuals :math:`e` of the model without the contrast are shuffled
    and the whole model is fitted to them. With the regressor :math:`r` of the contrast, nuisance
    basis :math:`Q` and the unit baseline :math:`u` of an outcome, all residualised,

    .. math:: t_P = \frac{(r - u\,u^\top r)^\top Pe}{\sqrt{\kappa\,\mathrm{RSS}_P/\nu}},\quad
        \mathrm{RSS}_P = e^\top e - \lVert Q^\top Pe\rVert^2 - (u^\top Pe)^2
        - \frac{((r - u\,u^\top r)^\top Pe)^2}{\kappa},

    with :math:`\kappa = r^\top r - (u^\top r)^2`: matrix products for :math:`r` and :math:`Q`,
    and one product per outcome for :math:`u`. All distinct shufflings are enumerated when there
    are no more than asked for; otherwise shuffling k draws from its own stream of the seed. The
    identity is always the first, so no p-value is 0 [2]_. The family-wise p compares with the
    maximum over outcomes [3]_. Valid when units are exchangeable within blocks under the null
    (randomisation gives that), or, for sign flips, when their errors are symmetric; exact
    without covariates, approximate with them.

    References
    ----------
    .. [1] Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354; Winkler et al. (2014),
       doi:10.1016/j.neuroimage.2014.01.060.
    .. [2] Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.
    .. [3] Nichols and Holmes (2002), doi:10.1002/hbm.1058.
    """
    if n_threads < 1:
        raise InferenceError(
            Problem(
                what="too few threads",
                field="n_threads",
                found=str(n_threads),
                expected="1 or more",
            )
        )
    estimate = fit_contrast(design, Y, baseline)
    n_distinct = count_shufflings(design)
    exhaustive = n_distinct <= settings.n_permutations
    n_used = min(n_distinct, settings.n_permutations)
    chunks = make_shufflings(
        design, n_used, seed=settings.seed, exhaustive=exhaustive, chunk=CHUNK
    )
    counted = permute_with(
        design,
        Y,
        baseline,
        chunks,
        alternative=alternative,
        n_threads=n_threads,
        on_batch=on_batch,
    )
    parametric = parametric_pvalue(estimate.t, estimate.df, alternative)
    return PermutationResult(
        pvalue_uncorrected=counted.count / n_used,
        pvalue_fwe=pvalue_of_maximum(counted.statistic, counted.maximum, estimate.df),
        pvalue_parametric=parametric,
        qvalue_fdr=benjamini_hochberg(parametric),
        n_permutations=n_used,
        exhaustive=exhaustive,
        n_distinct=n_distinct,
        null_maximum=counted.maximum,
        threshold_fwe=threshold_of_maximum(counted.maximum, settings.alpha, estimate.df),
        sentences=_sentences(
            design, n_used, settings, n_outcomes=Y.shape[1], exhaustive=exhaustive
        ),
    )


def permute_with(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    chunks: Iterator[Shufflings],
    *,
    alternative: Alternative,
    n_threads: int,
    on_batch: Callable[[int], None] | None,
) -> Counted:
    """Count over given shufflings, the first of which is the identity.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcome of every unit, as `make_outcome` gives it.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one.
    chunks : iterator of Shufflings
        Batches in order; the very first is the identity.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.
    n_threads : int
        Blocks of outcomes worked on at once.
    on_batch : callable or None
        Called with the number of shufflings just finished.

    Returns
    -------
    Counted
        Statistics, counts and maxima.
    """
    partition = partition_contrast(design)
    task = _Task(
        partition=partition,
        moved=split_nuisance(design, partition),
        alternative=alternative,
        Y=Y,
        baseline=baseline,
    )
    n_outcomes = Y.shape[1]
    starts = range(0, n_outcomes, OUTCOMES)
    statistic = np.empty(n_outcomes)
    count = np.zeros(n_outcomes, dtype=np.int64)
    maxima: list[Float[np.ndarray, " n_chunk"]] = []
    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        for shufflings in chunks:
            if not maxima:
                identity = _first(shufflings)
                found = pool.map(lambda s: _observed(task, s, identity), starts)  # noqa: B023
                statistic = np.concatenate(list(found))
            products = _regressor_rows(task, shufflings)
            parts = pool.map(
                lambda s: _count_block(task, s, shufflings, products, statistic),  # noqa: B023
                starts,
            )
            highest = np.full(len(shufflings.order), -np.inf)
            for start, (counts, block_maximum) in zip(starts, parts, strict=True):
                count[start : start + OUTCOMES] += counts
                np.maximum(highest, block_maximum, out=highest)
            if not maxima:
                highest[0] = statistic.max()
            maxima.append(highest)
            if on_batch is not None:
                on_batch(len(highest))
    return Counted(statistic=statistic, count=np.maximum(count, 1), maximum=np.concatenate(maxima))


def _first(shufflings: Shufflings) -> Shufflings:
    return Shufflings(order=shufflings.order[:1], sign=shufflings.sign[:1], flips=shufflings.flips)


def _regressor_rows(
    task: _Task, shufflings: Shufflings
) -> Float[np.ndarray, "n_rows n_shufflings n_units"]:
    """Shuffle regressor and moving nuisance instead of the data: one matrix for all outcomes."""
    rows = np.vstack([task.partition.regressor[None, :], task.moved.T])
    moved = np.empty((len(rows), *shufflings.order.shape))
    numbers = np.arange(len(shufflings.order))[:, None]
    moved[:, numbers, shufflings.order] = rows[:, None, :] * shufflings.sign
    return moved


def _adjusted(task: _Task, start: int) -> AdjustedOutcomes:
    part = slice(start, start + OUTCOMES)
    baseline = None if task.baseline is None else task.baseline[:, part]
    return adjust_outcomes(task.partition, task.Y[:, part], baseline)


def _observed(task: _Task, start: int, identity: Shufflings) -> Float[np.ndarray, " n_block"]:
    adjusted = _adjusted(task, start)
    rows = _regressor_rows(task, identity)
    total = np.einsum("ij,ij->j", adjusted.residual, adjusted.residual)
    return orient(_statistics(task, adjusted, total, rows, identity)[0], task.alternative)


def _count_block(
    task: _Task,
    start: int,
    shufflings: Shufflings,
    products: Float[np.ndarray, "n_rows n_shufflings n_units"],
    statistic: Float[np.ndarray, " n_outcomes"],
) -> tuple[Int[np.ndarray, " n_block"], Float[np.ndarray, " n_shufflings"]]:
    """Count, in one block of outcomes, the shufflings that reach the observed statistic."""
    adjusted = _adjusted(task, start)
    total = np.einsum("ij,ij->j", adjusted.residual, adjusted.residual)
    observed = statistic[start : start + OUTCOMES]
    least = observed - tie_margin(observed, task.partition.df)
    count = np.zeros(observed.size, dtype=np.int64)
    maximum = np.empty(len(shufflings.order))
    for first in range(0, len(shufflings.order), BATCH):
        batch = slice(first, first + BATCH)
        shuffled = Shufflings(
            order=shufflings.order[batch], sign=shufflings.sign[batch], flips=shufflings.flips
        )
        t = _statistics(task, adjusted, total, products[:, batch], shuffled)
        t = orient(t, task.alternative)
        count += np.count_nonzero(t >= least, axis=0)
        maximum[batch] = t.max(axis=1)
    return count, maximum


def _statistics(
    task: _Task,
    adjusted: AdjustedOutcomes,
    total: Float[np.ndarray, " n_block"],
    products: Float[np.ndarray, "n_rows n_batch n_units"],
    shufflings: Shufflings,
) -> Float[np.ndarray, "n_batch n_block"]:
    """Give t of every shuffling of a batch in every outcome of a block."""
    numerator: Float[np.ndarray, "n_batch n_block"] = products[0] @ adjusted.residual
    rss = np.broadcast_to(total, numerator.shape).copy()
    for rows in products[1:]:
        rss -= (rows @ adjusted.residual) ** 2
    if adjusted.baseline is not None and adjusted.overlap is not None:
        on_baseline = _on_baseline(adjusted.residual, adjusted.baseline, shufflings)
        rss -= on_baseline**2
        on_baseline *= adjusted.overlap
        numerator -= on_baseline
    rss *= adjusted.information
    rss -= numerator**2
    np.maximum(rss, LEAST_ERROR * adjusted.information * total, out=rss)
    np.sqrt(rss, out=rss)
    numerator *= np.sqrt(task.partition.df)
    numerator /= rss
    return numerator


def _on_baseline(
    residual: Float[np.ndarray, "n_units n_block"],
    baseline: Float[np.ndarray, "n_units n_block"],
    shufflings: Shufflings,
) -> Float[np.ndarray, "n_batch n_block"]:
    """Give the inner products of shuffled residuals and unit baselines, outcome by outcome."""
    out = np.empty((len(shufflings.order), residual.shape[1]))
    if shufflings.flips:
        return np.matmul(shufflings.sign, residual * baseline, out=out)
    shuffled_products(
        np.ascontiguousarray(baseline), np.ascontiguousarray(residual), shufflings.order, out
    )
    return out


def _sentences(
    design: UnitDesign, n_used: int, settings: Inference, *, n_outcomes: int, exhaustive: bool
) -> tuple[str, ...]:
    what = "sign flips" if design.shuffling == "sign_flip" else "permutations"
    adjusted = design.voxelwise_baseline or design.X.shape[1] > np.count_nonzero(design.contrast)
    how = f"all {n_used} distinct {what}" if exhaustive else f"{n_used} random {what}"
    drawn = "" if exhaustive else f", the unshuffled data among them (seed {settings.seed})"
    method = (
        " of residuals by the method of Freedman and Lane "
        "[doi:10.1080/07350015.1983.10509354, doi:10.1016/j.neuroimage.2014.01.060]"
        if adjusted
        else ""
    )
    sentences = [f"p-values come from {how}{method}{drawn} [doi:10.2202/1544-6115.1585]."]
    if n_outcomes > 1:
        sentences.append(
            "Family-wise p-values compare each statistic with the maximum over all "
            f"{n_outcomes} outcomes in every shuffling [doi:10.1002/hbm.1058]; q-values are "
            "Benjamini and Hochberg's over parametric p-values "
            "[doi:10.1111/j.2517-6161.1995.tb02031.x]."
        )
    return tuple(sentences)
