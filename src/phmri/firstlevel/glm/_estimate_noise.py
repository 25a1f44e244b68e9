"""Autocorrelation of the noise alone, for models that are fitted elsewhere."""

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.glm._blocks import Blocks
from phmri.firstlevel.glm._check import check_data, check_noise
from phmri.firstlevel.glm._design import reduce_design
from phmri.firstlevel.glm._fit import fit_glm
from phmri.firstlevel.glm._pool import pool_coefficients
from phmri.firstlevel.glm._records import Noise

__all__ = ["estimate_noise"]


def estimate_noise(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    X: Float[np.ndarray, "n_rows n_columns"],
    *,
    noise: Noise,
    groups: Int[np.ndarray, " n_labels"] | None = None,
    n_threads: int = 1,
) -> dict[str, Float[np.ndarray, " n_voxels"]]:
    """Estimate the noise that `fit_glm` would whiten by.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        float32 or float64, any unit.
    X : ndarray of shape (n_volumes, n_columns)
        Design with the constant in its span.
    noise : Noise
        Of kind ``ar`` or ``arma11``.
    groups : ndarray of shape (n_voxels,), optional
        Integer label of the group (tissue) of every voxel.
    n_threads : int, default 1
        Blocks of voxels at one time.

    Returns
    -------
    dict of str to ndarray of shape (n_voxels,)
        ``ar1``, ``ar2``, ... or ``a`` and ``b``; 0 in voxels that do not vary.

    Raises
    ------
    FirstLevelError
        As `fit_glm`.
    """
    if noise.kind != "ar" or not (noise.shrink or noise.scope != "voxel"):
        # Every voxel's own coefficients come with its fit.
        fitted = fit_glm(Y, X, (), noise=noise, groups=groups, n_threads=n_threads).noise
        return {
            name: np.nan_to_num(values) for name, values in fitted.items() if name != "variance"
        }
    design, problems = reduce_design(X, (), None)
    problems += check_data(Y, X.shape[0], n_threads)
    problems += check_noise(noise, groups, *Y.shape)
    if problems or design is None:
        raise FirstLevelError(*problems)
    if groups is None or noise.scope == "brain":
        groups = np.zeros(Y.shape[1], np.int64)
    values = pool_coefficients(Blocks(Y, design), design, noise, groups, n_threads)
    return {f"ar{k + 1}": row for k, row in enumerate(values)}
