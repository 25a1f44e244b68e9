"""From counts and maxima to p-values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from phmri.group import UnitDesign
from phmri.inference._fdr import qvalues_of
from phmri.inference._pvalues import (
    Alternative,
    orient,
    parametric_pvalue,
    pvalue_of_maximum,
    threshold_of,
)
from phmri.inference._records import CorrectedTest, InferenceResult, Method, PermutationState
from phmri.inference.shuffling._source import labels_move
from phmri.inference.statistics._statistics import StatisticModel
from phmri.inference.tails._gamma import gamma_pvalue
from phmri.inference.tails._sequential import sequential_pvalue
from phmri.inference.tails._tails import fit_tail, pvalue_in_tail
from phmri.protocol import Inference

__all__ = ["Shuffled", "make_result", "shuffling_sentences"]

CORRECTIONS: dict[Method, str] = {
    "voxel": "Family-wise p-values compare each statistic with the maximum over all {n:,} "
    "outcomes in every shuffling [doi:10.1002/hbm.1058].",
    "tfce": "Maps were enhanced by threshold-free cluster enhancement (the exact integral, E = "
    "{settings.tfce_extent_power:g}, H = {settings.tfce_height_power:g}, {neighbours}, of "
    "{settings.height}) [doi:10.1016/j.neuroimage.2008.03.061]; family-wise p-values compare each "
    "enhanced value with the maximum over all {n:,} outcomes in every shuffling.",
    "cluster_extent": "Clusters are connected outcomes ({neighbours}) beyond a cluster-forming "
    "threshold of {threshold}; family-wise p-values compare their extent with the largest in "
    "every shuffling [doi:10.1002/hbm.1058].",
    "cluster_mass": "Clusters are connected outcomes ({neighbours}) beyond a cluster-forming "
    "threshold of {threshold}; family-wise p-values compare their mass (sum of {mass}) with the "
    "largest in every shuffling [doi:10.1109/42.750253].",
}
VARIANCES = {
    "t": "One residual variance was taken for all groups.",
    "v": "Every group was given a residual variance of its own (Aspin and Welch's v) "
    "[doi:10.1016/j.neuroimage.2014.01.060].",
    "rank": "Outcomes, and baselines where the model has them, were replaced by their ranks over "
    "participants before the test; the estimate and its interval are of the outcomes themselves.",
}
METHODS = {
    "freedman_lane": "residuals of the model without the contrast by the method of Freedman and "
    "Lane [doi:10.1080/07350015.1983.10509354, doi:10.1016/j.neuroimage.2014.01.060]",
    "draper_stoneman": "labels by the method of Draper and Stoneman "
    "[doi:10.1016/j.neuroimage.2014.01.060]",
    "ter_braak": "residuals of the whole model by the method of ter Braak "
    "[doi:10.1007/978-3-642-48850-4_10, doi:10.1016/j.neuroimage.2014.01.060]",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """What shuffling gave.

    Parameters
    ----------
    state : PermutationState
        Where it ended.
    observed : dict of str to ndarray of shape (n_outcomes,)
        Signed value of every correction in the data as they are.
    methods : tuple of str
        One per column of the maxima.
    margin : float
        Relative difference within which values of float32 maps are the same.
    n_distinct : int
        Distinct shufflings of the design.
    exhaustive : bool
        All of them were used.
    key : str
        What moved whom.
    """

    state: PermutationState
    observed: dict[Method, Float[np.ndarray, " n_outcomes"]]
    methods: tuple[Method, ...]
    margin: float
    n_distinct: int
    exhaustive: bool
    key: str


def make_result(
    design: UnitDesign,
    model: StatisticModel,
    settings: Inference,
    shuffled: Shuffled,
    *,
    alternative: Alternative,
    neighbours: str = "",
) -> InferenceResult:
    """Turn counts and maxima into p-values.

    Parameters
    ----------
    design : UnitDesign
    model : StatisticModel
    settings : Inference
    shuffled : Shuffled
    alternative : {"two-sided", "greater", "less"}
    neighbours : str, default ""
        What makes two outcomes neighbours, in words.

    Returns
    -------
    InferenceResult
    """
    state = shuffled.state
    df = np.broadcast_to(np.asarray(model.df, dtype=np.float64), model.observed.shape).copy()
    parametric = parametric_pvalue(model.observed, df, alternative, df1=model.df1, name=model.name)
    parametric[~model.tested] = 1.0
    n_used = state.n_done
    n_tested = int(model.tested.sum())
    tests = {
        method: _correct(
            method,
            shuffled,
            column,
            settings,
            alternative=alternative,
            df=float(df[model.tested].min()),
            sentence=_sentence(method, settings, n_tested, neighbours),
        )
        for column, method in enumerate(shuffled.methods)
    }
    for test in tests.values():
        test.pvalue[~model.tested] = 1.0
    return InferenceResult(
        statistic_name=model.name,
        statistic=model.observed,
        df1=model.df1,
        df=df,
        tested=model.tested,
        n_per_outcome=model.n_per_outcome,
        pvalue_uncorrected=np.where(model.tested, state.exceeded, n_used) / n_used,
        pvalue_parametric=parametric,
        qvalue_fdr=qvalues_of(model.tested, parametric, settings.fdr),
        method=settings.method,
        tests=tests,
        n_permutations=n_used,
        exhaustive=shuffled.exhaustive,
        n_distinct=shuffled.n_distinct,
        shufflings_key=shuffled.key,
        sentences=(
            *shuffling_sentences(design, settings, shuffled),
            *(tests[settings.method].sentences if n_tested > 1 else ()),
        ),
    )


def _correct(
    method: Method,
    shuffled: Shuffled,
    column: int,
    settings: Inference,
    *,
    alternative: Alternative,
    df: float,
    sentence: str,
) -> CorrectedTest:
    """Compare the values of one correction with their maxima."""
    null = np.ascontiguousarray(shuffled.state.maxima[:, column])
    value = shuffled.observed[method]
    oriented = orient(value, alternative)
    sentences: tuple[str, ...] = (sentence,)
    pvalue_of: Callable[[np.ndarray], np.ndarray] = partial(
        pvalue_of_maximum,
        null_maximum=null,
        margin=shuffled.margin,
        df=df if method == "voxel" else np.inf,
    )
    if settings.stop_after is not None and not shuffled.exhaustive:
        pvalue_of = partial(
            sequential_pvalue, null, stop_after=settings.stop_after, margin=shuffled.margin
        )
        sentences += (
            (
                f"A test ends with the {settings.stop_after}th shuffling that reaches it "
                "[doi:10.1093/biomet/78.2.301]."
            ),
        )
    elif settings.tail == "gamma" and not shuffled.exhaustive:
        pvalue_of = partial(_gamma, null=null, least=1 / shuffled.n_distinct)
        sentences += (
            (
                "p-values come from a gamma distribution with the moments of the maxima "
                "[doi:10.1016/j.neuroimage.2016.05.068]."
            ),
        )
    elif settings.tail == "generalised_pareto" and not shuffled.exhaustive:
        tail = fit_tail(null, n_possible=shuffled.n_distinct)
        sentences += (tail.sentence,)
        pvalue_of = partial(pvalue_in_tail, tail, margin=shuffled.margin)
    return CorrectedTest(
        method=method,
        value=value,
        pvalue=np.array(pvalue_of(oriented)),
        threshold=threshold_of(pvalue_of, null, settings.alpha),
        null_maximum=null,
        sentences=sentences,
    )


def _gamma(
    statistic: Float[np.ndarray, " m"], *, null: Float[np.ndarray, " n"], least: float
) -> Float[np.ndarray, " m"]:
    """Give p of the fitted gamma distribution, none below what all shufflings could give."""
    pvalue: Float[np.ndarray, " m"] = np.maximum(gamma_pvalue(null, statistic), least)
    return pvalue


def _sentence(method: Method, settings: Inference, n_tested: int, neighbours: str) -> str:
    thresholds = {
        "z": settings.cluster_z,
        settings.statistic if settings.statistic != "rank" else "t": settings.cluster_t,
        "p": settings.cluster_p,
    }
    given = [f"{unit} = {value:g}" for unit, value in thresholds.items() if value is not None]
    mass = f"the {settings.height} values"
    return CORRECTIONS[method].format(
        n=n_tested,
        settings=settings,
        neighbours=neighbours or "neighbours",
        threshold=" ".join(given),
        mass=f"{mass} above the threshold" if settings.cluster_mass == "excess" else mass,
    )


def shuffling_sentences(
    design: UnitDesign, settings: Inference, shuffled: Shuffled
) -> tuple[str, ...]:
    """Say what was shuffled, how often, and how.

    Parameters
    ----------
    design : UnitDesign
    settings : Inference
    shuffled : Shuffled

    Returns
    -------
    tuple of str
        With citations as ``[doi:...]``.
    """
    n_used = shuffled.state.n_done
    what = {
        "sign_flip": "sign flips",
        "permute": "permutations",
        "both": "permutations with sign flips",
    }[design.exchangeability.kind]
    how = f"{n_used:,} random {what}"
    if shuffled.exhaustive:
        how = f"all {n_used:,} distinct {what}"
    drawn = (
        "" if shuffled.exhaustive else f", the unshuffled data among them (seed {settings.seed})"
    )
    n_contrast = 1 if design.contrast.ndim == 1 else len(design.contrast)
    adjusted = design.voxelwise_baseline or design.X.shape[1] > max(
        n_contrast, np.count_nonzero(np.atleast_2d(design.contrast).any(axis=0))
    )
    nuisance = "draper_stoneman" if labels_move(design, settings) else settings.nuisance
    method = f" of {METHODS[nuisance]}" if adjusted else ""
    return (
        VARIANCES[settings.statistic],
        *((design.exchangeability.words,) if design.exchangeability.words else ()),
        f"p-values come from {how}{method}{drawn} [doi:10.2202/1544-6115.1585].",
    )
