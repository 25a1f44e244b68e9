"""Both sides of the benchmarks of mixed models: 75 participants, 3 arms, 3 sessions.

29 of 225 images are lost. Outcomes are simulated, independent and normal, with a random
participant; the model has every arm at every session. Seconds are per voxel on one thread;
``whole_brain`` is the run of 235,375 voxels on two. R fits the first voxels one after the other,
its own start not counted; its memory is that of its own objects.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _group import own_peak_mb

N_PEOPLE, N_SESSIONS, N_LOST = 75, 3, 29
N_VOXELS, N_TIMED, N_PEER = 235_375, 20_000, 200
SEED = 20261121
NAMES = ("drug", "drug_after_pretreatment")
CONTRASTS = np.eye(9)[5:7]
SUBJECTS = np.repeat(np.arange(N_PEOPLE), N_SESSIONS)
SESSIONS = np.tile(np.arange(N_SESSIONS), N_PEOPLE)
ARMS = SUBJECTS % 3
CHUNK = 8192

Facts = dict[str, float]
Fit = Callable[..., object]

R_PROGRAM = """
suppressMessages({{library(lmerTest); library(nlme)}})
d <- read.csv("{data}"); d$subject <- factor(d$subject); d$arm <- factor(d$arm)
d$place <- as.integer(d$session) + 1L; d$session <- factor(d$session)
one <- function(y) {{ d$y <- d[[y]]; {fit} }}
names <- grep("^v", names(d), value = TRUE)
invisible(one(names[1])); gc()
t <- system.time(r <- sapply(names, one))[["elapsed"]]
write.csv(r, "{answer}", row.names = FALSE); cat(t / length(names), sum(gc()[, 6]))
"""


def model_matrix() -> np.ndarray:
    arm = np.stack([ARMS == 1, ARMS == 2], axis=1).astype(float)
    late = np.stack([SESSIONS == 1, SESSIONS == 2], axis=1).astype(float)
    return np.column_stack([np.ones(len(ARMS)), arm, late, arm * late[:, :1], arm * late[:, 1:]])


def make_outcomes(n_voxels: int) -> np.ndarray:
    """Give images (225, n_voxels), NaN where one is lost; the first voxels are always the same."""
    rng = np.random.default_rng(SEED)
    lost = rng.permutation(len(SUBJECTS))[:N_LOST]
    Y = np.empty((len(SUBJECTS), n_voxels), np.float32)
    for start in range(0, n_voxels, CHUNK):
        part = Y[:, start : start + CHUNK]
        noise = rng.standard_normal((len(Y) + N_PEOPLE, CHUNK), np.float32)[:, : part.shape[1]]
        part[:] = noise[: len(Y)] + 0.9 * noise[len(Y) :][SUBJECTS]
    Y[lost] = np.nan
    return Y


def ours(fit: Fit, n_voxels: int, n_threads: int) -> tuple[Facts, np.ndarray]:
    """Time a fit; give effect, standard error, df and likelihood of the first voxels."""
    Y = make_outcomes(n_voxels)
    fit(Y[:, :64], n_threads)
    start = time.perf_counter()
    found = fit(Y, n_threads)
    seconds = time.perf_counter() - start
    joint = found.contrasts
    if (joint.status > 1).any():
        raise RuntimeError(f"{int((joint.status > 1).sum())} outcomes without a fit")
    answer = np.stack(
        [
            joint.effect[0, :N_PEER],
            np.sqrt(joint.covariance[:N_PEER, 0, 0]),
            joint.df[0, :N_PEER],
            found.reml_loglik_minus2[:N_PEER],
        ]
    )
    per = n_voxels if n_threads == 1 else 1
    return {"s": seconds / per, "mb": own_peak_mb()}, answer


def peer(directory: Path, fit: str) -> tuple[Facts, np.ndarray]:
    """Time R per voxel; ``fit`` gives effect, standard error, df or NA, -2 log likelihood."""
    program = shutil.which("Rscript")
    if program is None:
        raise RuntimeError("Rscript is not installed")
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.csv"
        text = R_PROGRAM.format(data=directory / "mixed.csv", answer=answer, fit=fit)
        run = subprocess.run([program, "-e", text], capture_output=True, text=True, check=True)
        values = np.genfromtxt(answer, delimiter=",", skip_header=1, missing_values="NA")
    seconds, mb = map(float, run.stdout.split()[-2:])
    return {"s": seconds, "mb": mb}, values


def prepare(directory: Path) -> None:
    """Write the peer's voxels, with all their digits."""
    directory.mkdir(parents=True, exist_ok=True)
    Y = make_outcomes(CHUNK)[:, :N_PEER].astype(float)
    keep = np.isfinite(Y[:, 0])
    table = np.column_stack([SUBJECTS, ARMS, SESSIONS, Y])[keep]
    header = ",".join(["subject", "arm", "session", *(f"v{i}" for i in range(N_PEER))])
    np.savetxt(
        directory / "mixed.csv", table, delimiter=",", header=header, comments="", fmt="%.17g"
    )


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    """Largest differences: effects and errors over the median error, df and likelihood."""
    away = np.abs(ours - peer)
    scale = np.median(peer[1])
    found = {
        "max_effect_diff_se": away[0].max() / scale,
        "max_se_diff_relative": away[1].max() / scale,
        "max_loglik_diff": away[3].max(),
    }
    if np.isfinite(peer[2]).all():
        found["max_df_diff_relative"] = (away[2] / peer[2]).max()
        found["median_df_diff_relative"] = np.median(away[2] / peer[2])
    return {key: float(f"{value:.3g}") for key, value in found.items()}
