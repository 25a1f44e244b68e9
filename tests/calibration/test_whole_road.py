"""Null trials from voxel series to family-wise p, and the variance of one run's Fisher z."""

import numpy as np
import pytest
from scipy import signal, stats

from phmri.dataset import Confounds
from phmri.firstlevel import seed_to_voxel
from phmri.group import UnitTable, make_outcome, make_unit_design
from phmri.inference import permute
from phmri.protocol import Censor, Denoising, Inference, Parallel, Question
from phmri.signals import make_cleaning

N_TRIALS, ALPHA = 200, 0.05
N_PER_ARM, N_VOLUMES, N_VOXELS, T_R = 6, 50, 24, 2.0
MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
LOW, HIGH = stats.binom.ppf([0.005, 0.995], N_TRIALS, ALPHA) / N_TRIALS
DENOISING = Denoising(strategy="6motion", highpass_hz=0.01, censor=Censor(fd_mm=0.5), min_df=10)


def make_runs(motion_rate, *, seed, n_runs=40):
    """Give cleanings of runs that move, and what the movement adds to every series."""
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(n_runs):
        motion = rng.normal(size=(N_VOLUMES, 6))
        displacement = np.where(rng.random(N_VOLUMES) < motion_rate, 1.0, 0.1)
        confounds = Confounds(
            names=(*MOTION, "framewise_displacement"),
            values=np.column_stack([motion, displacement]),
            metadata={},
            path="simulated",
        )
        cleaning = make_cleaning(DENOISING, confounds, n_volumes=N_VOLUMES, t_r=T_R)
        drift = np.linspace(-3, 3, N_VOLUMES)[:, None]
        bursts = 20.0 * (displacement > DENOISING.censor.fd_mm)[:, None]
        runs.append((cleaning, motion @ rng.normal(size=(6, 1)) + drift + bursts))
    return runs


def one_map(rng, runs, coupling):
    """Give the z map of one run: noise coupled to a seed, and motion that hits everything."""
    cleaning, artefact = runs[rng.integers(len(runs))]
    noise = rng.normal(size=(N_VOLUMES, N_VOXELS + 2))
    noise = noise[:, 2:] + noise[:, 1:-1] + noise[:, :-2]  # neighbours are alike
    seed = rng.normal(size=(N_VOLUMES, 1))
    voxels = noise + coupling * seed + 2 * artefact
    (result,) = seed_to_voxel(cleaning, seed + artefact, voxels)
    return result.values


def ancova_design():
    n = 3 * N_PER_ARM
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
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple("ABC"[k % 3] for k in range(n)),
        strata=("",) * n,
        covariates={},
    )
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "ABC"})
    return make_unit_design(question, trial, table)


def test_no_more_findings_than_alpha_from_series_to_family_wise_p():
    # Coupling differs between people and voxels, not between A and B. Arm C is coupled more at
    # the session, and moves more, so that its maps have another variance.
    design = ancova_design()
    still, restless = make_runs(0.05, seed=1), make_runs(0.2, seed=2)
    family = 0
    single = np.empty((N_TRIALS, N_VOXELS))
    for trial in range(N_TRIALS):
        rng = np.random.default_rng(np.random.SeedSequence(13, spawn_key=(trial,)))
        maps = {"baseline": [], "outcome": []}
        for group in design.groups:
            coupling = 0.5 + 0.3 * rng.normal(size=N_VOXELS)
            maps["baseline"].append(one_map(rng, still, coupling))
            third = group == "C"
            maps["outcome"].append(
                one_map(rng, restless if third else still, coupling + 0.5 * third)
            )
        images = {role: np.array(found) for role, found in maps.items()}
        settings = Inference(n_permutations=100, alpha=ALPHA, seed=trial)
        result = permute(design, make_outcome(design, images), images["baseline"], settings)
        family += result.pvalue_corrected.min() <= ALPHA
        single[trial] = result.pvalue_uncorrected
    # The artefact is gone: what is left is the coupling of 0.5 to noise of variance 3.
    assert images["baseline"].mean() == pytest.approx(np.arctanh(0.5 / np.sqrt(3.25)), abs=0.06)
    assert LOW <= family / N_TRIALS <= HIGH
    # neighbours within two voxels are dependent: a third of the voxels count
    n_independent = N_TRIALS * N_VOXELS / 3
    error = np.sqrt(ALPHA * (1 - ALPHA) / n_independent)
    assert abs((single <= ALPHA).mean() - ALPHA) < 3 * error


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.6])
def test_written_variance_of_z_is_short_by_the_autocorrelation_alone(phi):
    """AR(1) noise in both series: Var z = (1 + phi^2) / (1 - phi^2) / (df - 2), so docs say.

    The factor is Bartlett's for two independent series, sum over lags of phi^(2 |lag|).
    """
    rng = np.random.default_rng(17)
    n, n_seeds, n_voxels = 400, 60, 500
    cleaning = make_cleaning(Denoising(strategy="none"), None, n_volumes=n, t_r=T_R)
    white = rng.normal(size=(n + 100, n_seeds + n_voxels))
    series = signal.lfilter([1.0], [1.0, -phi], white, axis=0)[100:]
    results = seed_to_voxel(cleaning, series[:, :n_seeds], series[:, n_seeds:])
    ratio = np.var([result.values for result in results]) / results[0].variance
    assert ratio == pytest.approx((1 + phi**2) / (1 - phi**2), rel=0.04)
