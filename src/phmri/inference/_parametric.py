"""p-values from the distribution of the statistic under normal errors, corrected."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int

from phmri.exceptions import InferenceError, Problem
from phmri.group import Estimate
from phmri.inference._fdr import qvalues_of
from phmri.inference._pvalues import Alternative, orient, parametric_pvalue
from phmri.inference._records import CorrectedTest, InferenceResult, Method, StatisticName
from phmri.inference._untested import refuse_untested
from phmri.inference.multiplicity import adjust_pvalues
from phmri.protocol import Inference

__all__ = ["Statistics", "false_discoveries", "judge_estimate", "parametric_result"]

FDR = {
    "bh": "q-values are Benjamini and Hochberg's over parametric p-values "
    "[doi:10.1111/j.2517-6161.1995.tb02031.x].",
    "by": "q-values are Benjamini and Yekutieli's over parametric p-values "
    "[doi:10.1214/aos/1013699998].",
}
HOLM = "Family-wise p-values are Holm's over parametric p-values of {n:,} outcomes."
ALONE = "The p-value comes from the statistic's distribution under normal errors."


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A statistic of every outcome, with what its distribution needs.

    Parameters
    ----------
    name : {"t", "F", "v", "G"}
    observed : ndarray of shape (n_outcomes,)
    df1 : int
    df : ndarray of shape (n_outcomes,)
    tested : ndarray of bool of shape (n_outcomes,)
    n_per_outcome : ndarray of int of shape (n_outcomes,)
        Rows with data.
    """

    name: StatisticName
    observed: Float[np.ndarray, " n_outcomes"]
    df1: int
    df: Float[np.ndarray, " n_outcomes"]
    tested: Bool[np.ndarray, " n_outcomes"]
    n_per_outcome: Int[np.ndarray, " n_outcomes"]


def parametric_result(
    found: Statistics, settings: Inference, alternative: Alternative
) -> InferenceResult:
    """Give p-values of the statistic's own distribution, corrected as the settings say.

    Parameters
    ----------
    found : Statistics
    settings : Inference
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    InferenceResult
        With q-values, and Holm's p-values where the method is ``holm``.

    Notes
    -----
    An `InferenceError` tells when nothing could be tested.
    """
    tested = found.tested
    refuse_untested(tested)
    pvalue = parametric_pvalue(
        found.observed, found.df, alternative, df1=found.df1, name=found.name
    )
    pvalue[~tested] = 1.0
    test = false_discoveries(found.observed, pvalue, tested, settings, alternative)
    if tested.sum() == 1:
        test = replace(test, threshold=_quantile(found, settings, alternative))
    tests: dict[Method, CorrectedTest] = {"fdr": test}
    if settings.method == "holm":
        test = _holm(found.observed, pvalue, tested, settings, alternative)
        if tested.sum() == 1:
            test = replace(test, threshold=_quantile(found, settings, alternative))
        tests["holm"] = test
    return InferenceResult(
        statistic_name=found.name,
        statistic=found.observed,
        df1=found.df1,
        df=found.df,
        tested=tested,
        n_per_outcome=found.n_per_outcome,
        pvalue_uncorrected=pvalue,
        pvalue_parametric=pvalue,
        qvalue_fdr=tests["fdr"].pvalue,
        method=settings.method,
        tests=tests,
        n_permutations=0,
        exhaustive=False,
        n_distinct=0,
        shufflings_key="",
        sentences=test.sentences if tested.sum() > 1 else (ALONE,),
    )


def judge_estimate(
    estimate: Estimate,
    settings: Inference,
    *,
    tested: Bool[np.ndarray, " n_outcomes"],
    n_per_outcome: Int[np.ndarray, " n_outcomes"],
    alternative: Alternative = "two-sided",
) -> InferenceResult:
    """Test the effects of a model by its own standard errors and degrees of freedom.

    Parameters
    ----------
    estimate : Estimate
        Of one contrast in every outcome.
    settings : Inference
        Of method ``fdr`` or ``holm``.
    tested : ndarray of bool of shape (n_outcomes,)
        Outcomes that the model could be fitted to.
    n_per_outcome : ndarray of int of shape (n_outcomes,)
        Rows with data.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        Side of the null hypothesis that counts as evidence.

    Returns
    -------
    InferenceResult

    Raises
    ------
    InferenceError
        The method needs shufflings, which would refit the model every time.

    Notes
    -----
    It also raises `InferenceError` when nothing could be tested.
    """
    if settings.method not in {"fdr", "holm"}:
        raise InferenceError(
            Problem(
                what="this estimator's p-values come from its model, not from shuffling",
                field="method",
                found=settings.method,
                expected="fdr or holm",
            )
        )
    found = Statistics(
        name="t",
        observed=np.where(tested, estimate.t, 0.0),
        df1=1,
        df=np.broadcast_to(np.asarray(estimate.df, np.float64), tested.shape).copy(),
        tested=tested,
        n_per_outcome=n_per_outcome,
    )
    return parametric_result(found, settings, alternative)


def false_discoveries(
    statistic: Float[np.ndarray, " n_outcomes"],
    pvalue: Float[np.ndarray, " n_outcomes"],
    tested: Bool[np.ndarray, " n_outcomes"],
    settings: Inference,
    alternative: Alternative,
) -> CorrectedTest:
    """Adjust parametric p-values for the false discovery rate over the tested outcomes.

    Parameters
    ----------
    statistic, pvalue : ndarray of shape (n_outcomes,)
    tested : ndarray of bool of shape (n_outcomes,)
    settings : Inference
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    CorrectedTest
    """
    qvalue = qvalues_of(tested, pvalue, settings.fdr)
    passed = orient(statistic, alternative)[qvalue <= settings.alpha]
    return CorrectedTest(
        method="fdr",
        value=statistic,
        pvalue=qvalue,
        threshold=float(passed.min(initial=np.inf)),
        null_maximum=np.empty(0),
        sentences=(FDR[settings.fdr],),
    )


def _quantile(found: Statistics, settings: Inference, alternative: Alternative) -> float:
    """Give the t, or other statistic, of a single number that reaches alpha."""
    level = settings.alpha / 2 if alternative == "two-sided" else settings.alpha
    df = float(found.df[found.tested][0])
    if found.name in {"t", "v"}:
        return float(scipy.stats.t.isf(level, df))
    return float(scipy.stats.f.isf(settings.alpha, found.df1, df))


def _holm(
    statistic: Float[np.ndarray, " n_outcomes"],
    pvalue: Float[np.ndarray, " n_outcomes"],
    tested: Bool[np.ndarray, " n_outcomes"],
    settings: Inference,
    alternative: Alternative,
) -> CorrectedTest:
    adjusted = np.ones(pvalue.size)
    adjusted[tested] = adjust_pvalues(pvalue[tested], "holm")
    passed = orient(statistic, alternative)[adjusted <= settings.alpha]
    return CorrectedTest(
        method="holm",
        value=statistic,
        pvalue=adjusted,
        threshold=float(passed.min(initial=np.inf)),
        null_maximum=np.empty(0),
        sentences=(HOLM.format(n=int(tested.sum())),),
    )
