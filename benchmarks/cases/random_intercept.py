"""Random intercept by REML with Satterthwaite's degrees of freedom, in every voxel."""

from pathlib import Path

import _mixed
import numpy as np

PEER = "lmerTest::lmer and its Satterthwaite df (R)"
GOAL = "ratio >= 2000, whole_brain_s < 5, whole_brain_mb < 2000"
GOAL_RATIO = 2000.0
INFORMATION = ("whole_brain",)
PER = "voxel on one thread; whole_brain: run on two"
R_FIT = """
m <- lmerTest::lmer(y ~ arm * session + (1 | subject), d)
s <- summary(m)$coefficients["arm1:session1", ]
c(s[["Estimate"]], s[["Std. Error"]], s[["df"]], REMLcrit(m))
"""


def prepare(directory: Path) -> None:
    _mixed.prepare(directory)


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    del directory
    return _mixed.ours(_fit, _mixed.N_TIMED, 1)


def whole_brain(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    del directory
    return _mixed.ours(_fit, _mixed.N_VOXELS, 2)


def peer(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return _mixed.peer(directory, R_FIT)


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return _mixed.compare(ours, peer)


def _fit(Y: np.ndarray, n_threads: int) -> object:
    from phmri.group.mixed import fit_random_intercept  # noqa: PLC0415

    return fit_random_intercept(
        Y,
        _mixed.model_matrix(),
        _mixed.SUBJECTS,
        _mixed.CONTRASTS,
        _mixed.NAMES,
        df_method="satterthwaite",
        n_threads=n_threads,
    )
