"""What a claim's statistic and p-values are called, and which of them pass."""

import math

import numpy as np
from jaxtyping import Bool, Float

from phmri.inference import Claim, Peak
from phmri.report._records import QuestionContent
from phmri.report._text import format_df, format_number

__all__ = [
    "beyond_words",
    "cluster_word",
    "headline",
    "height_words",
    "is_single",
    "least_pvalue",
    "method_words",
    "own_df",
    "passes",
    "pvalue_word",
    "statistic_axis",
    "statistic_of_df",
    "statistic_symbol",
    "statistic_word",
    "threshold_marks",
    "verdict_pvalue",
]

_ROUNDING = 1e-6
"""Maps are stored as float32, which may lift a p that is exactly alpha."""
_METHODS = {
    "tfce": "TFCE",
    "cluster_mass": "cluster mass",
    "cluster_extent": "cluster extent",
    "random_field": "random field theory",
    "holm": "Holm",
}
_OF_HEIGHT = {"voxel", "random_field", "fdr", "holm"}
"""Methods whose threshold is in units of the statistic."""
_OF_CLUSTER = {
    "cluster_mass": "pvalue_mass",
    "cluster_extent": "pvalue_extent",
    "tfce": "pvalue_tfce",
}


def is_single(claim: Claim) -> bool:
    """Tell whether a claim is of one number, with an error rate of its own.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    bool
    """
    return claim.outcome == "scalar" and not claim.corrected_over


def pvalue_word(claim: Claim) -> str:
    """Call the corrected p-values of a claim by what they are.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        ``p (FWE)``, ``q (FDR)`` for a false discovery rate, or ``p`` of one number, which is not
        corrected.
    """
    if is_single(claim):
        return "p"
    return "q (FDR)" if claim.method == "fdr" else "p (FWE)"


def method_words(claim: Claim) -> str:
    """Say by which method p-values are corrected.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Ready to follow a p-value; empty where its name says enough, or where there is one number
        and nothing is corrected.
    """
    if is_single(claim):
        return ""
    return f"by {_METHODS[claim.method]}" if claim.method in _METHODS else ""


def statistic_word(claim: Claim) -> str:
    """Call what is tested by its name.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        ``t``, ``v`` (Welch), ``t of ranks``, or ``z`` (Wald).
    """
    return "t of ranks" if claim.statistic == "rank" else statistic_symbol(claim)


def statistic_axis(claim: Claim, *, one_df: bool = True) -> str:
    """Label an axis of the statistic.

    Parameters
    ----------
    claim : Claim
    one_df : bool, default True
        All outcomes have the degrees of freedom of the claim.

    Returns
    -------
    str
        With its degrees of freedom, where known and the same for all.
    """
    word = statistic_word(claim)
    known = one_df and math.isfinite(claim.df)
    return f"{word} (df = {format_df(claim.df)})" if known else word


def passes(
    pvalues: Float[np.ndarray, "*shape"] | float, claim: Claim
) -> Bool[np.ndarray, "*shape"]:
    """Tell which corrected p-values are at most alpha.

    Parameters
    ----------
    pvalues : ndarray or float
        NaN where nothing was tested.
    claim : Claim

    Returns
    -------
    ndarray of bool
        False for NaN. A p that float32 has lifted above alpha by its rounding still passes.
    """
    passing: Bool[np.ndarray, "*shape"] = np.asarray(
        np.asarray(pvalues, dtype=float) <= claim.alpha * (1 + _ROUNDING)
    )
    return passing


def threshold_marks(claim: Claim) -> tuple[float, ...]:
    """List the values of the statistic from which outcomes pass.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    tuple of float
        With their sign; empty where no single height decides, or none is enough.
    """
    height = claim.threshold
    if claim.method not in _OF_HEIGHT or not math.isfinite(height):
        return ()
    sides = {"greater": (height,), "less": (-height,)}
    return sides.get(claim.alternative, (-height, height))


def cluster_word(claim: Claim) -> str:
    """Call connected outcomes by what they are.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        ``component`` of edges, else ``cluster``.
    """
    return "component" if claim.outcome == "edges" else "cluster"


def beyond_words(claim: Claim) -> str:
    """Say what is outlined in a figure.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
    """
    level = f"{pvalue_word(claim)} ≤ {claim.alpha:g}"
    if claim.method in {"cluster_mass", "cluster_extent"}:
        what = claim.method.removeprefix("cluster_")
        return f"{cluster_word(claim)}s whose {what} has {level}"
    height = height_words(claim)
    return f"{level} {method_words(claim)}".strip() + (f", {height}" if height else "")


def height_words(claim: Claim) -> str:
    """Say from which height of the statistic outcomes pass.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Empty where no single height decides, or none is enough.
    """
    marks, word = threshold_marks(claim), statistic_word(claim)
    if not marks:
        return ""
    if claim.alternative == "two-sided":
        return f"|{word}| ≥ {format_number(claim.threshold)}"
    return f"{word} {'≤' if claim.alternative == 'less' else '≥'} {format_number(marks[0])}"


def statistic_symbol(claim: Claim) -> str:
    """Give the symbol of the statistic that belongs to an estimate.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        ``v`` (Welch), ``z`` (of infinitely many degrees of freedom) or ``t``; of ranks, estimates
        and their t are those of the values.
    """
    if claim.statistic == "v":
        return "v"
    return "z" if math.isinf(claim.df) else "t"


def statistic_of_df(claim: Claim, df: str = "") -> str:
    """Give the symbol of the statistic with its degrees of freedom.

    Parameters
    ----------
    claim : Claim
    df : str, optional
        Of one outcome, where outcomes have their own.

    Returns
    -------
    str
        ``z`` has none.
    """
    symbol = statistic_symbol(claim)
    return symbol if symbol == "z" else f"{symbol}({df or format_df(claim.df)})"


def own_df(question: QuestionContent) -> dict[int, str]:
    """Give the degrees of freedom of every listed outcome, where they differ.

    Parameters
    ----------
    question : QuestionContent

    Returns
    -------
    dict of int to str
        By the outcome's index; empty where all are those of the claim.
    """
    words = [format_df(df) for df in question.peak_df]
    if len(set(words)) <= 1:
        return {}
    return {peak.index: df for peak, df in zip(question.claim.peaks, words, strict=True)}


def verdict_pvalue(claim: Claim) -> str | None:
    """Name the p-value of a cluster that the verdict rests on.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str or None
        A field of `Cluster`; None where the verdict rests on single outcomes.
    """
    return _OF_CLUSTER.get(claim.method)


def headline(claim: Claim) -> Peak | None:
    """Choose the outcome to be shown first.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Peak or None
        The strongest that passes, else the strongest; None when none is listed.
    """
    passing = (peak for peak in claim.peaks if passes(peak.pvalue_corrected, claim))
    return next(passing, claim.peaks[0] if claim.peaks else None)


def least_pvalue(claim: Claim) -> float:
    """Give the least corrected p of a claim: of its listed outcomes and its clusters.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    float
        NaN when there is none.
    """
    field = verdict_pvalue(claim)
    found = [peak.pvalue_corrected for peak in claim.peaks]
    if field is not None:
        found += [p for c in claim.clusters if (p := getattr(c, field)) is not None]
    return min(found, default=math.nan)
