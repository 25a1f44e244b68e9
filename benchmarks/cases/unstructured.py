"""Unstructured covariance by REML with Kenward and Roger's errors, in every voxel.

The peer has no degrees of freedom of its own; ours has them and the enlarged errors too. Compared
are effects and likelihoods.
"""

from pathlib import Path

import _mixed
import numpy as np

PEER = "nlme::gls, corSymm and varIdent (R)"
GOAL = "ratio >= 400, whole_brain_s < 120"
GOAL_RATIO = 400.0
INFORMATION = ("whole_brain",)
PER = "voxel on one thread; whole_brain: run on two"
R_FIT = """
m <- gls(y ~ arm * session, d, correlation = corSymm(form = ~ place | subject),
         weights = varIdent(form = ~ 1 | session), method = "REML")
s <- summary(m)$tTable["arm1:session1", ]
c(s[["Value"]], s[["Std.Error"]], NA, -2 * as.numeric(logLik(m)))
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
    found = _mixed.compare(ours, peer)
    # Kenward and Roger's errors are meant to differ.
    del found["max_se_diff_relative"]
    return found


def _fit(Y: np.ndarray, n_threads: int) -> object:
    from phmri.group.mixed import fit_unstructured  # noqa: PLC0415

    return fit_unstructured(
        Y,
        _mixed.model_matrix(),
        _mixed.SUBJECTS,
        _mixed.SESSIONS,
        _mixed.CONTRASTS,
        _mixed.NAMES,
        n_threads=n_threads,
    )
