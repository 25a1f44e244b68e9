"""MMRM of a map, every voxel adjusted for its own baseline, Kenward and Roger's errors.

The sessions after baseline, with a slope of the baseline in each. The peer has no degrees of
freedom of its own; ours has them and the enlarged errors too. Compared are effects and
likelihoods.
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
b <- d$y[d$place == 1L][match(d$subject, d$subject[d$place == 1L])]
e <- d[d$place > 1L & !is.na(b), ]; e$b <- b[d$place > 1L & !is.na(b)]
e$place <- e$place - 1L; e$session <- droplevels(e$session)
m <- gls(y ~ arm * session + b * session, e, correlation = corSymm(form = ~ place | subject),
         weights = varIdent(form = ~ 1 | session), method = "REML")
s <- summary(m)$tTable["arm1", ]
c(s[["Value"]], s[["Std.Error"]], NA, -2 * as.numeric(logLik(m)))
"""
LATE = _mixed.SESSIONS > 0


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

    # As R codes it, since the likelihood depends on that.
    arms, later = _mixed.ARMS[LATE], (_mixed.SESSIONS[LATE] == 2).astype(float)
    drug = np.stack([arms == 1, arms == 2], axis=1).astype(float)
    X = np.column_stack([np.ones(len(arms)), drug, later, drug * later[:, None]])
    baseline = np.repeat(Y[~LATE], _mixed.N_SESSIONS - 1, axis=0)
    outcome = np.where(np.isfinite(baseline), Y[LATE], np.nan)
    return fit_unstructured(
        outcome,
        X,
        _mixed.SUBJECTS[LATE],
        _mixed.SESSIONS[LATE],
        np.eye(6)[1:3],
        _mixed.NAMES,
        baseline=baseline,
        n_threads=n_threads,
    )
