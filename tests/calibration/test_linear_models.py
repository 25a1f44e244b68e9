"""False-positive rates of parametric t under the null: ANCOVA, HC3, CR2, several periods.

Simulated, normal errors. Every outcome is a trial of its own, so that all trials of a case are
fitted at once, as voxels are. `PHMRI_TRIALS` sets their number; README.md holds rates in 20000.
"""

import os
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from phmri.group import JointEstimate, UnitTable
from phmri.group.longitudinal import LongSettings, make_long_design, make_long_table
from phmri.group.robust import fit_cluster_robust, fit_ols
from phmri.protocol import Crossover, Parallel, Question

N_TRIALS = int(os.environ.get("PHMRI_TRIALS", "2000"))
N_PATTERNS = 20
ALPHA = 0.05
SESSIONS = ("pre", "acute", "day")


class Case(NamedTuple):
    """A null trial; ``least`` and ``most`` bound its true rate, where that is not nominal."""

    method: str
    arms: tuple[int, int]
    sd: tuple[float, float] = (1.0, 1.0)
    missing: float = 0.0
    least: float = ALPHA
    most: float = ALPHA


def rng_of(case):
    return np.random.default_rng(np.random.SeedSequence(11, spawn_key=(list(CASES).index(case),)))


def outcomes(case, rng):
    """Give participants by sessions by trials: correlated sessions, arms of different spread."""
    n = sum(case.arms)
    sd = np.repeat(case.sd, case.arms)[:, None, None]
    y = rng.normal(size=(n, 1, N_TRIALS)) + sd * rng.normal(size=(n, 3, N_TRIALS))
    patterns = rng.random((n, 3, N_PATTERNS)) < case.missing
    y[patterns[:, :, np.arange(N_TRIALS) % N_PATTERNS]] = np.nan
    return y


def ancova(case, y, errors):
    X = np.repeat(np.eye(2), case.arms, axis=0)
    contrast = np.array([[1.0, -1.0]])
    return fit_ols(y[:, 1], X, contrast, ("d",), errors=errors, baseline=y[:, 0])


def cluster_robust(case, y):
    groups = ("A",) * case.arms[0] + ("B",) * case.arms[1]
    table = UnitTable(
        subjects=tuple(f"{k:03d}" for k in range(len(groups))),
        groups=groups,
        strata=("",) * len(groups),
        covariates={},
    )
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session="acute",
        baseline="pre",
        estimator="change",
    )
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in "AB"})
    cells = dict.fromkeys(table.subjects, frozenset(SESSIONS))
    design = make_long_design(
        LongSettings(model="mixed", contrast=("A", "B"), session="acute", baseline="pre"),
        make_long_table(question, trial, table, cells, sessions=SESSIONS),
    )
    Y = y.reshape(-1, y.shape[-1])[design.rows]
    return fit_cluster_robust(Y, design.X, design.subjects, design.contrasts, design.names)


def periods(case, rng):
    """Fit a Williams trial of three periods whose third treatment differs."""
    orders = ["".join(order) for order in permutations("ABC")]
    groups = orders * case.arms[0]
    table = UnitTable(
        subjects=tuple(f"{k:03d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    question = Question(
        text="t", role="primary", measure="m", contrast=("A", "B"), estimator="crossover"
    )
    trial = Crossover(
        kind="crossover", sequences={order: {"treatments": tuple(order)} for order in orders}
    )
    cells = dict.fromkeys(table.subjects, frozenset({1, 2, 3}))
    long = make_long_table(question, trial, table, cells)
    design = make_long_design(LongSettings(model="fixed_subject", contrast=("A", "B")), long)
    n = len(groups)
    y = rng.normal(size=(n, 1, N_TRIALS)) + rng.normal(size=(n, 3, N_TRIALS))
    y += np.arange(3)[:, None]
    y += 2 * (np.array(long.treatments) == "C").reshape(n, 3, 1)
    lost = rng.random((n, 3, N_PATTERNS)) < case.missing
    y[lost[:, :, np.arange(N_TRIALS) % N_PATTERNS]] = np.nan
    return fit_ols(y.reshape(3 * n, -1), design.X, design.contrasts, design.names)


CASES = {
    "ANCOVA, 25 per arm": Case("model", (25, 25)),
    "ANCOVA, 8 per arm": Case("model", (8, 8)),
    "ANCOVA, 15 % missing": Case("model", (25, 25), missing=0.15),
    "ANCOVA, SD 1 and 2, 30 and 15": Case("model", (30, 15), (1.0, 2.0), least=0.05, most=0.15),
    "HC3, 25 per arm": Case("hc3", (25, 25), least=0.04, most=0.05),
    "HC3, 8 per arm": Case("hc3", (8, 8), least=0.03, most=0.06),
    "HC3, 15 % missing": Case("hc3", (25, 25), missing=0.15, least=0.04, most=0.05),
    "HC3, SD 1 and 2, 30 and 15": Case("hc3", (30, 15), (1.0, 2.0), least=0.04, most=0.06),
    "CR2, 25 per arm": Case("cr2", (25, 25), least=0.04, most=0.06),
    "CR2, 8 per arm": Case("cr2", (8, 8), least=0.03, most=0.06),
    "CR2, 15 % missing": Case("cr2", (25, 25), missing=0.15, least=0.04, most=0.06),
    "CR2, 15 % missing, 8 per arm": Case("cr2", (8, 8), missing=0.15, least=0.03, most=0.06),
    "CR2, SD 1 and 2, 30 and 15": Case("cr2", (30, 15), (1.0, 2.0), least=0.04, most=0.06),
    "periods, 12 participants": Case("periods", (2, 0), missing=0.1),
}


def estimate(name) -> JointEstimate:
    case = CASES[name]
    rng = rng_of(name)
    if case.method == "periods":
        return periods(case, rng)
    y = outcomes(case, rng)
    return cluster_robust(case, y) if case.method == "cr2" else ancova(case, y, case.method)


def rejections(name):
    joint = estimate(name)
    assert (joint.status == 0).all()
    t = joint.effect[0] / np.sqrt(joint.covariance[:, 0, 0])
    return int((2 * stats.t.sf(np.abs(t), joint.df[0]) <= ALPHA).sum())


@pytest.mark.parametrize("name", CASES)
def test_rates_are_nominal_or_as_tabled(name):
    case = CASES[name]
    low = stats.binom.ppf(0.005, N_TRIALS, case.least)
    high = stats.binom.ppf(0.995, N_TRIALS, case.most)
    assert low <= rejections(name) <= high
