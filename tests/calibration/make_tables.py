"""Make the numbers of the tables in docs/statistics.md, docs/connectivity.md and README.md here.

Run by hand (half an hour): ``python tests/calibration/make_tables.py``. Not a test.
"""

import sys
from functools import partial

import numpy as np
from scipy import signal, stats
from test_family_wise import (
    DESIGNS,
    find_rates,
    parallel_ancova,
    skewed,
    smooth,
    unequal_variances,
)

from phmri.firstlevel import seed_to_voxel
from phmri.group import UnitTable, fit_contrast, make_unit_design
from phmri.inference import permute
from phmri.protocol import Denoising, Inference, Parallel, Question
from phmri.signals import make_cleaning

N_TRIALS, N_OUTCOMES, ALPHA = 800, 20, 0.05
N_VOLUMES, T_R, N_NOISE = 300, 2.0, 36
N_FAMILY_WISE = 2000

BEYOND = {
    "parallel ANCOVA, 8 per arm": (partial(parallel_ancova, n_per_arm=8), "t"),
    "parallel ANCOVA, 8 per arm, normal": (
        partial(parallel_ancova, n_per_arm=8, noise=smooth),
        "t",
    ),
    "unequal variances 14/8, signs": (partial(unequal_variances, sizes=(14, 8)), "v"),
    "unequal variances 30/30, signs, skewed": (
        partial(unequal_variances, sizes=(30, 30), noise=skewed),
        "v",
    ),
    "unequal variances 30/15, places": (partial(unequal_variances, kind="permute"), "v"),
    "unequal variances 14/8, places": (
        partial(unequal_variances, sizes=(14, 8), kind="permute"),
        "v",
    ),
    "unequal variances 14/8, places, t": (
        partial(unequal_variances, sizes=(14, 8), kind="permute"),
        "t",
    ),
}
"""Designs in which the theory does not hold, or not yet: reported, not tested."""


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def ancova(sizes):
    groups = "".join(arm * n for arm, n in zip("ABC", sizes, strict=True))
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session="s",
        baseline="b",
        estimator="ancova",
    )
    table = UnitTable(
        subjects=tuple(f"{k:03d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "ABC"})
    return make_unit_design(question, trial, table)


def null_rates(sizes, deviations, *, skewed):
    """Give rates of any p_FWE, p of an outcome, missing interval and any q at most alpha."""
    design = ancova(sizes)
    spread = np.array([deviations["ABC".index(arm)] for arm in design.groups])[:, None]
    found = np.zeros(4)
    for trial in range(N_TRIALS):
        rng = np.random.default_rng([3, trial])
        shape = (len(spread), N_OUTCOMES)
        baseline = rng.standard_normal(shape)
        errors = rng.exponential(size=shape) - 1 if skewed else rng.standard_normal(shape)
        Y = 0.5 * baseline + spread * errors
        settings = Inference(n_permutations=100, seed=trial)
        result = permute(design, Y, baseline, settings)
        estimate = fit_contrast(design, Y, baseline)
        half = stats.t.ppf(1 - ALPHA / 2, estimate.df) * estimate.se
        found += (
            result.pvalue_corrected.min() <= ALPHA,
            (result.pvalue_uncorrected <= ALPHA).mean(),
            (np.abs(estimate.effect) > half).mean(),
            result.qvalue_fdr.min() <= ALPHA,
        )
    return found / N_TRIALS


def autoregressive(rng, n, phi):
    white = rng.standard_normal((N_VOLUMES + 200, n))
    return signal.lfilter([1.0], [1.0, -phi], white, axis=0)[200:]


def haemodynamic(rng, n):
    lag = np.arange(0, 32, T_R)
    response = stats.gamma.pdf(lag, 6) - stats.gamma.pdf(lag, 16) / 6
    slow = signal.lfilter(response, [1.0], rng.standard_normal((N_VOLUMES + 100, n)), axis=0)[100:]
    return slow / slow.std() + rng.standard_normal((N_VOLUMES, n))


def variance_ratio(make_series, lowpass_hz):
    """Give the variance of z between unrelated series over the one that is written."""
    setting = Denoising(strategy="none", highpass_hz=0.01, lowpass_hz=lowpass_hz)
    ratios = []
    for trial in range(40):
        rng = np.random.default_rng([1, trial])
        cleaning = make_cleaning(
            setting,
            None,
            n_volumes=N_VOLUMES,
            t_r=T_R,
            extra=rng.standard_normal((N_VOLUMES, N_NOISE)),
            extra_names=[f"noise{k}" for k in range(N_NOISE)],
        )
        results = seed_to_voxel(cleaning, make_series(rng, 20), make_series(rng, 400))
        ratios.append(np.var([result.values for result in results]) / results[0].variance)
    return np.mean(ratios)


def main():
    for is_skewed in (False, True):
        for sizes, deviations in (
            ((10, 10, 10), (1, 1, 0.5)),
            ((10, 10, 10), (1, 1, 2)),
            ((25, 25, 25), (1, 1, 0.5)),
            ((25, 25, 25), (1, 1, 2)),
            ((10, 10, 10), (1, 2, 1)),
            ((25, 25, 25), (1, 2, 1)),
            ((15, 30, 20), (1, 2, 1)),
            ((24, 16, 20), (1, 2, 1)),
            ((30, 15, 20), (1, 2, 1)),
        ):
            rates = null_rates(sizes, deviations, skewed=is_skewed)
            say(sizes, deviations, "skewed" if is_skewed else "normal", rates.round(3))
    for lowpass_hz in (None, 0.1):
        say("haemodynamic", lowpass_hz, variance_ratio(haemodynamic, lowpass_hz).round(2))
        for phi in (0.0, 0.2, 0.4, 0.6, 0.8):

            def series(rng, n, phi=phi):
                return autoregressive(rng, n, phi)

            say(f"AR(1) {phi}", lowpass_hz, variance_ratio(series, lowpass_hz).round(2))
    for name, (draw, statistic) in {**DESIGNS, **BEYOND}.items():
        say(name, find_rates(draw, statistic, N_FAMILY_WISE).round(4))


if __name__ == "__main__":
    main()
