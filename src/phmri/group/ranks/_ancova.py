"""Analysis of covariance of scales: raw, ranked, or on a logarithmic scale."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.ranks._check import score_problems
from phmri.group.ranks._records import ArmTest
from phmri.group.robust import fit_ols

__all__ = ["quade_test", "scale_ancova"]

Transform = Literal["none", "rank", "log1p"]


def scale_ancova(
    scores: Float[np.ndarray, " n_participants"],
    arms: Sequence[str],
    contrasts: Sequence[tuple[str, str]],
    *,
    baseline: Float[np.ndarray, " n_others"] | None = None,
    transform: Transform = "none",
    errors: Literal["model", "hc3"] = "hc3",
    floor: float = 0.0,
) -> JointEstimate:
    r"""Compare arms on a scale, adjusted for its baseline.

    Parameters
    ----------
    scores : ndarray of shape (n_participants,)
        At the session asked about, in points.
    arms : sequence of str
        Of each participant; every arm enters the model, those of no contrast too.
    contrasts : sequence of tuple of str
        Pairs of arms, first minus second.
    baseline : ndarray of shape (n_participants,), optional
        Scores before treatment; leave it out where nearly all are at the floor.
    transform : {"none", "rank", "log1p"}, default "none"
        Of scores and baseline: none; ranks among all participants; or the logarithm of 1 plus
        the points above the floor.
    errors : {"model", "hc3"}, default "hc3"
        One variance for all, or one for each participant.
    floor : float, default 0.0
        Lowest possible score (18 for the BPRS); read for ``log1p`` alone.

    Returns
    -------
    JointEstimate
        One outcome; effects in points, ranks, or logarithms.

    Raises
    ------
    DesignError
        When shapes do not fit, a score is not finite or below the floor, an arm of a contrast
        has no participant, or the baseline does not vary.

    Notes
    -----
    ``y ~ arm + baseline`` by least squares. Of the raw score the effect is the mean difference,
    unbiased in a randomised trial whatever the distribution; with hc3 its error needs no common
    variance. Ranks are tested well, but a difference of mean ranks has no unit a clinician
    knows [1]_.

    References
    ----------
    .. [1] Conover and Iman (1982), Analysis of covariance using the rank transformation,
       doi:10.2307/2530051.
    """
    problems = _arm_problems(scores, arms, baseline)
    problems += [
        Problem(
            what="an arm without participants",
            field="contrasts",
            found=arm,
            expected=", ".join(sorted(set(arms))),
        )
        for arm in dict.fromkeys(arm for pair in contrasts for arm in pair)
        if arm not in arms
    ]
    given = [scores] if baseline is None else [scores, baseline]
    if transform == "log1p" and any((values < floor).any() for values in given):
        problems.append(Problem(what="scores below the floor", field="floor", found=str(floor)))
    if problems:
        raise DesignError(*problems)
    names = sorted(set(arms))
    X = np.array([[float(arm == name) for name in names] for arm in arms])
    rows = np.array([[float(n == a) - float(n == b) for n in names] for a, b in contrasts])
    if baseline is not None:
        X = np.column_stack([X, _transformed(baseline, transform, floor)])
        rows = np.column_stack([rows, np.zeros(len(rows))])
    return fit_ols(
        _transformed(scores, transform, floor)[:, None],
        X,
        rows,
        tuple(f"{a} - {b}" for a, b in contrasts),
        errors=errors,
    )


def quade_test(
    scores: Float[np.ndarray, " n_participants"],
    arms: Sequence[str],
    baseline: Float[np.ndarray, " n_others"],
) -> ArmTest:
    """Test whether any arms differ, by ranks adjusted for the ranked baseline.

    Parameters
    ----------
    scores : ndarray of shape (n_participants,)
        At the session asked about, in points.
    arms : sequence of str
        Of each participant.
    baseline : ndarray of shape (n_participants,)
        Scores before treatment, in points.

    Returns
    -------
    ArmTest
        F of the arms.

    Raises
    ------
    DesignError
        When shapes do not fit, a score is not finite, the baseline does not vary, or there are
        too few arms or participants.

    Notes
    -----
    What a regression of ranks on ranked baseline leaves, over all participants and without their
    arms, is compared between arms by an analysis of variance [1]_.

    References
    ----------
    .. [1] Quade (1967), doi:10.1080/01621459.1967.10500925.
    """
    problems = _arm_problems(scores, arms, baseline)
    n, names = len(arms), sorted(set(arms))
    if not 1 < len(names) < n:
        problems.append(
            Problem(
                what="arms that cannot be compared",
                field="arms",
                found=f"{len(names)} arms of {n} participants",
                expected="two arms or more, and more participants than arms",
            )
        )
    if problems:
        raise DesignError(*problems)
    y, x = (values - values.mean() for values in map(stats.rankdata, (scores, baseline)))
    rest = y - x * (x @ y) / (x @ x)
    of_arms = [rest[[arm == name for arm in arms]] for name in names]
    between = sum(part.size * part.mean() ** 2 for part in of_arms)
    within = sum(float(np.sum((part - part.mean()) ** 2)) for part in of_arms)
    df = (len(names) - 1.0, float(n - len(names)))
    if not within > 0 and not between > 0:
        raise DesignError("the scores are the same in everyone")
    f = float(between / df[0] / (within / df[1])) if within > 0 else float("inf")
    return ArmTest(f=f, df=df, pvalue=max(float(special.fdtrc(*df, f)), np.finfo(float).tiny))


def _transformed(
    values: Float[np.ndarray, " n_scores"], transform: Transform, floor: float
) -> Float[np.ndarray, " n_scores"]:
    """Give scores on the scale that is analysed."""
    if transform == "rank":
        return np.asarray(stats.rankdata(values), dtype=np.float64)
    return np.log1p(values - floor) if transform == "log1p" else values.astype(np.float64)


def _arm_problems(
    scores: Float[np.ndarray, " n_scores"],
    arms: Sequence[str],
    baseline: Float[np.ndarray, " n_others"] | None,
) -> list[Problem]:
    """Name shapes that do not fit and scores that cannot be used."""
    given = {"scores": scores} | ({} if baseline is None else {"baseline": baseline})
    problems = score_problems(given)
    lengths = {"arms": len(arms)} | ({} if baseline is None else {"baseline": baseline.size})
    problems += [
        Problem(
            what="another number of participants than scores",
            field=name,
            found=str(length),
            expected=str(scores.size),
        )
        for name, length in lengths.items()
        if length != scores.size
    ]
    if not problems and baseline is not None and np.ptp(baseline) == 0:
        problems.append(
            Problem(
                what="a baseline that does not vary",
                field="baseline",
                found=f"{float(baseline[0]):g} in all participants",
                expected="a baseline that varies, or none",
            )
        )
    return problems
