"""What a linear model can be asked to fit."""

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem
from phmri.firstlevel.glm._records import GivenNoise, Noise

__all__ = ["check_data", "check_noise"]


def check_data(
    Y: Float[np.ndarray, "n_rows n_voxels"], n_volumes: int, n_threads: int
) -> list[Problem]:
    """Find what is wrong with the data.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_voxels)
        Data.
    n_volumes : int
        Rows of the design.
    n_threads : int
        Asked for.

    Returns
    -------
    list of Problem
        Empty where all is well.
    """
    problems = []
    if n_threads < 1:
        problems.append(
            Problem(what="no thread to work with", found=f"{n_threads}", expected="1 or more")
        )
    if Y.shape[0] != n_volumes:
        problems.append(
            Problem(
                what="data and design differ in volumes",
                found=f"{Y.shape[0]} volumes of data",
                expected=f"{n_volumes} rows of the design",
            )
        )
    # One sum per voxel instead of a look at every value: it is not finite when one of them is not.
    suspects = np.flatnonzero(~np.isfinite(np.ones(Y.shape[0], Y.dtype) @ Y))
    n_bad = int((~np.isfinite(Y[:, suspects])).any(axis=0).sum())
    if n_bad:
        problems.append(
            Problem(
                what="voxels hold values that are not finite",
                found=f"{n_bad} of {Y.shape[1]} voxels",
                expected="numbers",
            )
        )
    return problems


def check_noise(
    noise: Noise | GivenNoise,
    groups: Int[np.ndarray, " n_labels"] | None,
    n_volumes: int,
    n_voxels: int,
) -> list[Problem]:
    """Find what is wrong with the model of the noise.

    Parameters
    ----------
    noise : Noise or GivenNoise
        To be estimated or given.
    groups : ndarray of shape (n_labels,) or None
        Group of every voxel.
    n_volumes, n_voxels : int
        Of the data.

    Returns
    -------
    list of Problem
        Empty where all is well.
    """
    if isinstance(noise, GivenNoise):
        return _problems_of_given(noise, n_volumes, n_voxels)
    problems = []
    if noise.kind == "ar" and not 1 <= noise.order <= n_volumes // 4:
        problems.append(
            Problem(
                what="an autoregression of this order cannot be fitted",
                field="noise.order",
                found=f"{noise.order}",
                expected=f"1 to {n_volumes // 4}, a quarter of the volumes",
            )
        )
    if noise.scope == "group" and groups is None:
        problems.append(
            Problem(
                what="the noise is to be shared by groups of voxels, and none are given",
                field="noise.scope",
            )
        )
    if groups is not None and groups.size != n_voxels:
        problems.append(
            Problem(
                what="every voxel needs a group",
                field="groups",
                found=f"{groups.size} groups",
                expected=f"{n_voxels}, the number of voxels",
            )
        )
    if noise.kind == "spm" and noise.scope != "brain":
        problems.append(
            Problem(
                what="SPM's noise is one for the brain",
                field="noise.scope",
                found=noise.scope,
                expected="brain",
            )
        )
    if noise.shrink and (noise.kind not in {"ar", "arma11"} or noise.scope != "voxel"):
        problems.append(
            Problem(
                what="only AR or ARMA noise of single voxels can be shrunk",
                field="noise.shrink",
                found=f"{noise.kind} of scope {noise.scope}",
            )
        )
    return problems


def _problems_of_given(noise: GivenNoise, n_volumes: int, n_voxels: int) -> list[Problem]:
    shape = noise.values.shape
    expected = {
        "ar": (shape[0], n_voxels),
        "arma11": (2, n_voxels),
        "whitening": (n_volumes, n_volumes),
    }[noise.kind]
    if shape != expected or not shape[0] or not np.isfinite(noise.values).all():
        return [
            Problem(
                what="the given noise does not fit the data",
                field=f"noise.{noise.kind}",
                found=f"shape {shape}",
                expected=f"numbers of shape {expected}",
            )
        ]
    if noise.kind == "whitening":
        return []
    return _problems_of_process(noise)


def _problems_of_process(noise: GivenNoise) -> list[Problem]:
    if noise.kind == "arma11":
        bad = (np.abs(noise.values) >= 1).any(axis=0)
    else:
        bad = np.zeros(noise.values.shape[1], bool)
        phi = noise.values.astype(np.float64)
        while len(phi):
            last = phi[-1]
            bad |= ~(np.abs(last) < 1)
            safe = np.where(bad, 0.0, last)
            phi = (phi[:-1] + safe * phi[:-1][::-1]) / (1.0 - safe**2)
    if not bad.any():
        return []
    return [
        Problem(
            what="the given process is not stationary and invertible",
            field=f"noise.{noise.kind}",
            found=f"{int(bad.sum())} of {bad.size} voxels",
        )
    ]
