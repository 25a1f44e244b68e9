"""Coefficients of the noise that many voxels share, or lend each other."""

import numpy as np
from jaxtyping import Float, Int

from phmri.firstlevel.glm._arma import Arma, search
from phmri.firstlevel.glm._autoregression import (
    from_partial,
    make_lag_model,
    shrink_partial,
)
from phmri.firstlevel.glm._blocks import Blocks, for_each
from phmri.firstlevel.glm._design import Design
from phmri.firstlevel.glm._precision import lag_products
from phmri.firstlevel.glm._records import Noise

__all__ = ["pool_coefficients"]

_BLOCK = 8192


def pool_coefficients(
    blocks: Blocks,
    design: Design,
    noise: Noise,
    groups: Int[np.ndarray, " n_voxels"],
    n_threads: int,
) -> Float[np.ndarray, "n_coefficients n_voxels"]:
    """Estimate coefficients with the help of other voxels.

    Parameters
    ----------
    blocks : Blocks
        The run.
    design : Design
        What is fitted.
    noise : Noise
        Of scope ``group`` or ``brain``, or to be shrunk.
    groups : ndarray of shape (n_voxels,)
        Group of every voxel.
    n_threads : int
        Blocks at one time.

    Returns
    -------
    ndarray of shape (n_coefficients, n_voxels)
        0 in voxels that do not vary.

    Notes
    -----
    Autoregression: the products of residuals, each voxel's divided by its sum of squares, are
    averaged, so that bright voxels count no more than others. ARMA: the restricted
    log-likelihoods, each with the voxel's own variance, are added.
    """
    if noise.kind == "arma11":
        return _pool_likelihood(blocks, design, groups, n_threads)
    products = np.zeros((noise.order + 1, groups.size))

    def sum_products(voxels: Int[np.ndarray, " n"]) -> None:
        block = blocks.take(voxels)
        products[:, block.voxels] = lag_products(block.e, noise.order)

    for_each(sum_products, np.arange(groups.size), size=_BLOCK, n_threads=n_threads)
    model = make_lag_model(design.basis, noise.order, bias_corrected=noise.bias_corrected)
    result = np.zeros((noise.order, groups.size))
    for group in np.unique(groups):
        inside = np.flatnonzero((groups == group) & (products[0] > 0))
        if not inside.size:
            continue
        own = products[:, inside]
        if noise.shrink:
            kappa = shrink_partial(model.partial(own), design.df)
        else:
            kappa = model.partial((own / own[0]).mean(axis=1, keepdims=True))
        result[:, inside] = from_partial(kappa)
    return result


def _pool_likelihood(
    blocks: Blocks, design: Design, groups: Int[np.ndarray, " n_voxels"], n_threads: int
) -> Float[np.ndarray, "2 n_voxels"]:
    names, label = np.unique(groups, return_inverse=True)
    arma = Arma(design, None, n_voxels=groups.size, dtype=blocks.dtype)

    def criterion(
        points: Float[np.ndarray, "m 2"], units: Int[np.ndarray, " k"]
    ) -> Float[np.ndarray, "m k"]:
        def add(voxels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
            return np.asarray(arma.criterion(blocks.take(voxels).e, points).sum(axis=1))

        totals = [
            np.sum(
                for_each(add, np.flatnonzero(label == unit), size=_BLOCK, n_threads=n_threads),
                axis=0,
            )
            for unit in units
        ]
        return np.stack(totals, axis=1)

    return search(criterion, names.size)[:, label]
