"""One linear model for all voxels of a run, block by block."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.glm._arma import Arma
from phmri.firstlevel.glm._autoregression import make_lag_model
from phmri.firstlevel.glm._average import ArmaAverage
from phmri.firstlevel.glm._blocks import Blocks, for_each
from phmri.firstlevel.glm._check import check_data, check_noise
from phmri.firstlevel.glm._design import Design, reduce_design
from phmri.firstlevel.glm._pool import pool_coefficients
from phmri.firstlevel.glm._precision import Autoregressive
from phmri.firstlevel.glm._records import Contrast, GivenNoise, GlmFit, Noise
from phmri.firstlevel.glm._reml import (
    estimate_covariance,
    pool_covariance,
    root_of_precision,
)
from phmri.firstlevel.glm._solve import Equations, Estimates, solve_equations, solve_shared

__all__ = ["fit_glm"]

_BLOCK = 8192
_BLOCK_OF_SEARCH = 32768
_NUMBERS_IN_STACK = 1 << 21


@runtime_checkable
class _Model(Protocol):
    """Noise that turns residuals into normal equations."""

    coefficients: Float[np.ndarray, "n_coefficients n_voxels"]

    def equations(
        self, e: Float[np.ndarray, "n_volumes n"], voxels: Int[np.ndarray, " n"]
    ) -> Iterator[Equations]: ...


class _SameForAll:
    """White noise, or noise that one matrix whitens.

    Parameters
    ----------
    design : Design
        What is fitted.
    whitening : ndarray of shape (n_volumes, n_volumes) or None
        None for white noise.
    dtype : numpy dtype
        Of long sums.
    """

    def __init__(
        self, design: Design, whitening: Float[np.ndarray, "t t"] | None, dtype: np.dtype
    ) -> None:
        Q = design.basis if whitening is None else whitening @ design.basis
        self.coefficients = np.empty((0, 0))
        self._whitening = None if whitening is None else whitening.astype(dtype)
        inverse_factor, self._half = solve_shared(Q.T @ Q, design.rows)
        self._unit = (inverse_factor @ Q.T).astype(dtype)

    def equations(
        self, e: Float[np.ndarray, "n_volumes n"], voxels: Int[np.ndarray, " n"]
    ) -> Iterator[Equations]:
        w = e if self._whitening is None else self._whitening @ e
        yield Equations(
            where=np.arange(voxels.size),
            half=self._half,
            x=(self._unit @ w).astype(np.float64),
            square=np.einsum("tv,tv->v", w, w).astype(np.float64),
        )


def fit_glm(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    X: Float[np.ndarray, "n_rows n_columns"],
    contrasts: Sequence[Contrast],
    *,
    noise: Noise | GivenNoise,
    groups: Int[np.ndarray, " n_labels"] | None = None,
    column_names: Sequence[str] | None = None,
    n_threads: int = 1,
) -> GlmFit:
    r"""Fit one linear model to every voxel by generalised least squares.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        float32 or float64, any unit; a constant per voxel may have been subtracted.
    X : ndarray of shape (n_volumes, n_columns)
        Design with the constant in its span; its rank may be deficient. A volume that is 1 in a
        column of its own is left out.
    contrasts : sequence of Contrast
        To be estimated.
    noise : Noise or GivenNoise
        Autocorrelation to be estimated, or known.
    groups : ndarray of shape (n_voxels,), optional
        Integer label of the group (tissue) of every voxel.
    column_names : sequence of str, optional
        For messages.
    n_threads : int, default 1
        Blocks of voxels at one time.

    Returns
    -------
    GlmFit
        Contrasts, noise and degrees of freedom.

    Raises
    ------
    FirstLevelError
        The data hold values that are not finite, data and design do not fit together, the noise
        is asked for in a way that does not exist, or a contrast cannot be estimated; all at once.

    Notes
    -----
    :math:`y = Xb + e`, :math:`e \sim N(0, s^2 V)`, with V taken as known once it is estimated, so
    that t has n minus rank degrees of freedom. Estimates of V: autoregression from
    bias-corrected autocovariances of the residuals of ordinary least squares, exact inverse of
    the covariance; ARMA(1, 1) by restricted maximum likelihood on a grid. A shrunk ARMA(1, 1) is
    not taken as known: contrasts are averaged over the processes by their probability in the
    voxel, under a prior learned from the run, and their variance holds how they differ.

    float32 data are summed in float32 only after the voxel's mean and the fit of ordinary least
    squares have been subtracted; what follows is float64. For float64 data all is.

    References
    ----------
    Worsley et al. 2002, doi:10.1006/nimg.2001.0933.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.column_stack([np.ones(40), np.tile([0.0] * 5 + [1.0] * 5, 4)])
    >>> Y = X @ np.array([[100.0], [2.0]]) + np.random.default_rng(0).normal(size=(40, 1))
    >>> on = Contrast(name="on", weights=np.array([[0.0, 1.0]]))
    >>> fit = fit_glm(Y, X, [on], noise=Noise(kind="white"))
    >>> fit.df, bool(fit.contrasts["on"].statistic[0] > 3)
    (38.0, True)
    """
    n_volumes, n_voxels = Y.shape
    design, problems = reduce_design(X, contrasts, column_names)
    problems += check_data(Y, X.shape[0], n_threads)
    problems += check_noise(noise, groups, n_volumes, n_voxels)
    if problems or design is None:
        raise FirstLevelError(*problems)
    if not np.issubdtype(Y.dtype, np.floating) or Y.dtype.itemsize < 4:  # noqa: PLR2004  bytes
        Y = Y.astype(np.float32)
    blocks = Blocks(Y, design)
    model, names = _make_model(blocks, design, noise, groups, n_threads)
    estimates = Estimates(design, n_voxels)

    def work(voxels: Int[np.ndarray, " n"]) -> int:
        block = blocks.take(voxels)
        if isinstance(model, ArmaAverage):
            solutions = model.solve(block)
        else:
            solutions = (
                solve_equations(design, equations, block.z, block.voxels)
                for equations in model.equations(block.e, block.voxels)
            )
        for solution in solutions:
            estimates.note(solution)
        return int(block.voxels.size)

    size = _block_size(noise, design)
    used = for_each(work, np.arange(n_voxels), size=size, n_threads=n_threads)
    constant = np.isnan(estimates.variance)
    found = {
        name: np.where(constant, np.nan, values)
        for name, values in zip(names, model.coefficients, strict=True)
    }
    return GlmFit(
        contrasts=estimates.contrasts(),
        noise=found | {"variance": estimates.variance},
        df=float(design.df),
        rank=design.rank,
        n_constant=n_voxels - sum(used),
    )


def _make_model(
    blocks: Blocks,
    design: Design,
    noise: Noise | GivenNoise,
    groups: Int[np.ndarray, " n_voxels"] | None,
    n_threads: int,
) -> tuple[_Model | ArmaAverage, tuple[str, ...]]:
    dtype, n_voxels = blocks.dtype, blocks.n_voxels
    if noise.kind == "white":
        return _SameForAll(design, None, dtype), ()
    if noise.kind == "spm":
        pooled = pool_covariance(blocks, design, n_threads)
        matrix = root_of_precision(estimate_covariance(pooled, design.basis))
        return _SameForAll(design, matrix, dtype), ()
    if noise.kind == "whitening":
        return _SameForAll(design, noise.values, dtype), ()
    given = noise.values if isinstance(noise, GivenNoise) else None
    if isinstance(noise, Noise) and (noise.shrink or noise.scope != "voxel"):
        if groups is None or noise.scope == "brain":
            groups = np.zeros(n_voxels, np.int64)
        if noise.kind == "arma11" and noise.scope == "voxel":
            return ArmaAverage(blocks, design, groups, n_threads), ("a", "b")
        given = pool_coefficients(blocks, design, noise, groups, n_threads)
    if noise.kind == "arma11":
        return Arma(design, given, n_voxels=n_voxels, dtype=dtype), ("a", "b")
    exact_start, order = True, 0 if given is None else len(given)
    if isinstance(noise, Noise):
        exact_start, order = noise.bias_corrected, noise.order
    source = (
        make_lag_model(design.basis, order, bias_corrected=exact_start) if given is None else given
    )
    model = Autoregressive(
        design, order, source, exact_start=exact_start, n_voxels=n_voxels, dtype=dtype
    )
    return model, tuple(f"ar{k + 1}" for k in range(order))


def _block_size(noise: Noise | GivenNoise, design: Design) -> int:
    """Give voxels per block: fewer where every voxel has a matrix of its own."""
    if noise.kind == "arma11":
        return _BLOCK_OF_SEARCH
    own = noise.kind == "ar" and (
        isinstance(noise, GivenNoise) or noise.shrink or (noise.order > 1)
    )
    width = max(design.rank, len(design.rows))
    return max(64, min(_BLOCK, _NUMBERS_IN_STACK // design.rank // width)) if own else _BLOCK
