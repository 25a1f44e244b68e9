r"""Interactions of many seeds with all voxels, in one pass over the data.

Whitened by the voxel's noise, the model of seed s is :math:`y = C a + Z_s b + e` with the common
columns C (task, nuisance) and the seed's own :math:`Z_s` (seed, interactions). By
Frisch-Waugh-Lovell, with :math:`\tilde Z_s = (I - QQ^\top) Z_s = U_s S_s V_s^\top` and Q a basis
of C,

.. math:: \hat b = V_s S_s^{-1} U_s^\top y, \qquad
          e^\top e = \lVert y\rVert^2 - \lVert Q^\top y\rVert^2 - \lVert U_s^\top y\rVert^2,

so one product :math:`[Q, U_1, U_2, \dots]^\top y` serves all seeds. The noise is that of the
common model, the same for every seed; voxels whose coefficient is the same to 0.01 go together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, estimate_noise, fit_glm
from phmri.firstlevel.ppi._checks import check_voxels, contrast_rows
from phmri.firstlevel.ppi._design import PpiDesign

__all__ = ["fit_ppi"]

_BLOCK = 4096  # columns: a block of 300 float64 volumes and its products stay in cache
_STEPS = 100  # per unit of the autoregressive coefficient
_TOLERANCE = 1e-7  # of a column's length: rounding, not a direction of its own
_ROUNDING = 1e-14  # of a series' sum of squares: what float64 leaves of a difference that is 0
_NO_VARIANCE = 1e-12  # of a series' sum of squares: rounding of float32 data, not signal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maps:
    """Results of all seeds and contrasts, filled group by group."""

    effect: Float[np.ndarray, "n_seeds n_contrasts n_voxels"]
    variance: Float[np.ndarray, "n_seeds n_contrasts n_voxels"]
    df: tuple[float, ...]


def fit_ppi(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    design: PpiDesign,
    contrasts: Mapping[str, Mapping[str, float]],
    *,
    noise: Noise,
    groups: Int[np.ndarray, " n_voxels"] | None = None,
    n_threads: int = 1,
) -> tuple[dict[str, RunEstimate], ...]:
    r"""Estimate contrasts between the interactions of conditions with every seed.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        Uncleaned, float32; computed with in float64, block by block. In percent of the voxel's
        mean, with seeds in percent too, slopes are percent per percent.
    design : PpiDesign
        Of the same run.
    contrasts : dict of str to dict of str to float
        Weights of conditions by name of the contrast, e.g. ``{"load": {"two_back": 1,
        "zero_back": -1}}``.
    noise : Noise
        Estimated once, with the common columns.
    groups : ndarray of shape (n_voxels,), optional
        Integer label of the tissue of every voxel, for noise that is shared by tissues.
    n_threads : int, default 1
        For the estimate of the noise.

    Returns
    -------
    tuple of dict of str to RunEstimate
        Per seed, by contrast; ``extras["t"]`` is the statistic. NaN in voxels without variance.

    Notes
    -----
    `FirstLevelError` tells of data that do not fit or are not finite, unknown conditions,
    contrasts that cannot be estimated with a seed (each is named), or no degrees of freedom.

    The common model lacks the seed, whose slow signal it leaves in the residual: its
    coefficient of autocorrelation is a little larger than that of the seed's own model, and
    variances are on the cautious side. ``docs/task.md`` has the size.

    White noise and order 1 take one pass for all seeds. Any other noise is fitted seed by seed
    with the coefficients of the common model.

    References
    ----------
    McLaren et al. 2012, doi:10.1016/j.neuroimage.2012.03.068.
    """
    rows = contrast_rows(design.conditions, contrasts)
    check_voxels(Y, design.common.shape[0])
    weights = np.hstack([np.zeros((len(contrasts), 1)), rows])  # the seed itself weighs nothing
    left, size, _ = np.linalg.svd(_scaled(design.common), full_matrices=False)
    basis = left[:, size > _TOLERANCE * size[0]]
    own = np.concatenate([design.physiological[:, :, None], design.interaction], axis=2)
    ranks = _check_estimable(basis, own, design, weights, tuple(contrasts))
    maps = _Maps(
        effect=np.full((len(design.seeds), len(contrasts), Y.shape[1]), np.nan),
        variance=np.full((len(design.seeds), len(contrasts), Y.shape[1]), np.nan),
        df=tuple(float(Y.shape[0] - basis.shape[1] - rank) for rank in ranks),
    )
    if noise.kind == "white":
        _fit_together(Y, basis, own, weights, ranks, np.zeros(Y.shape[1]), maps)
    else:
        found = estimate_noise(Y, design.common, noise=noise, groups=groups, n_threads=n_threads)
        if noise.kind == "ar" and noise.order == 1:
            _fit_together(Y, basis, own, weights, ranks, found["ar1"], maps)
        else:
            _fit_singly(Y, design, weights, _given(noise, found), maps, n_threads)
    return tuple(
        {name: _estimate(maps, design, noise, s, c) for c, name in enumerate(contrasts)}
        for s in range(len(design.seeds))
    )


def _scaled(X: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    norm = np.linalg.norm(X, axis=0)
    return np.asarray(X / np.where(norm > 0, norm, 1.0))


def _check_estimable(
    basis: Float[np.ndarray, "n_volumes rank"],
    own: Float[np.ndarray, "n_volumes n_seeds n_own"],
    design: PpiDesign,
    weights: Float[np.ndarray, "n_contrasts n_own"],
    names: tuple[str, ...],
) -> list[int]:
    # The rank of every seed's own columns, beside the common ones.
    ranks, problems = [], []
    for s, seed in enumerate(design.seeds):
        norm = np.linalg.norm(own[:, s], axis=0)
        columns = _scaled(own[:, s])
        rest = columns - basis @ (basis.T @ columns)
        _, size, right = np.linalg.svd(rest, full_matrices=False)
        kept = right[size > _TOLERANCE]
        ranks.append(len(kept))
        scaled = weights / np.where(norm > 0, norm, 1.0)
        scaled = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
        lost = np.abs(scaled - scaled @ kept.T @ kept) > _TOLERANCE
        problems += [
            Problem(
                what="an interaction cannot be told from the other columns",
                field=f"{seed}, contrast {names[c]}",
                found="conditions " + ", ".join(np.array(design.conditions)[lost[c, 1:]].tolist()),
                expected="conditions that do not fill the run, alone or together",
            )
            for c in range(len(names))
            if lost[c].any()
        ]
        if basis.shape[0] - basis.shape[1] - len(kept) < 1:
            problems.append(Problem(what="the model leaves no degree of freedom", field=seed))
    if problems:
        raise FirstLevelError(*problems)
    return ranks


def _fit_together(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    basis: Float[np.ndarray, "n_volumes rank"],
    own: Float[np.ndarray, "n_volumes n_seeds n_own"],
    weights: Float[np.ndarray, "n_contrasts n_own"],
    ranks: list[int],
    coefficient: Float[np.ndarray, " n_voxels"],
    maps: _Maps,
) -> None:
    scale = np.linalg.norm(own, axis=0)
    scale[scale == 0.0] = 1.0
    df = np.array(maps.df)[:, None, None]
    shape = (len(ranks), weights.shape[1], -1)
    for rho, groups in _groups(coefficient):
        common = np.linalg.qr(_whiten(basis, rho))[0]
        U, solve = _seed_bases(common, _whiten(own / scale, rho), ranks)
        reading = np.einsum("ck,sk,skr->scr", weights, 1.0 / scale, solve)
        K = np.hstack([common, U]).T
        spread = (reading**2).sum(axis=2)[:, :, None]
        for voxels in groups:
            y = Y[:, voxels].astype(np.float64)
            y = _whiten(y - y[0], rho)  # exact zeros where a voxel does not vary
            products = K @ y
            total = np.einsum("tv,tv->v", y, y)
            a, b = products[: common.shape[1]], products[common.shape[1] :].reshape(shape)
            residual = total - np.einsum("rv,rv->v", a, a)
            residual[residual <= _NO_VARIANCE * total] = np.nan
            left = residual - np.einsum("srv,srv->sv", b, b)
            left[left <= _ROUNDING * total] = np.nan  # the seed itself, explained whole
            effect = np.matmul(reading, b)
            effect[np.broadcast_to(np.isnan(left)[:, None], effect.shape)] = np.nan
            maps.effect[:, :, voxels] = effect
            maps.variance[:, :, voxels] = spread * left[:, None, :] / df


def _groups(
    coefficient: Float[np.ndarray, " n_voxels"],
) -> Iterator[tuple[float, list[Int[np.ndarray, " n"]]]]:
    """Give every value of the coefficient and its voxels, in blocks."""
    steps = np.rint(coefficient * _STEPS).astype(np.int64)
    order = np.argsort(steps, kind="stable")
    values, starts = np.unique(steps[order], return_index=True)
    for value, voxels in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
        yield value / _STEPS, [voxels[i : i + _BLOCK] for i in range(0, voxels.size, _BLOCK)]


def _whiten(x: Float[np.ndarray, "..."], rho: float) -> Float[np.ndarray, "..."]:
    if rho == 0.0:
        return x
    white = np.empty_like(x)
    white[0] = np.sqrt(1.0 - rho**2) * x[0]
    np.multiply(x[:-1], -rho, out=white[1:])
    white[1:] += x[1:]
    return white


def _seed_bases(
    common: Float[np.ndarray, "n_volumes rank"],
    own: Float[np.ndarray, "n_volumes n_seeds n_own"],
    ranks: list[int],
) -> tuple[Float[np.ndarray, "n_volumes n_columns"], Float[np.ndarray, "n_seeds n_own n_own"]]:
    # Every seed's U, side by side, and its V / S; 0 beyond the rank.
    flat = own.reshape(own.shape[0], -1)
    rest = (flat - common @ (common.T @ flat)).reshape(own.shape)
    left, size, right = np.linalg.svd(rest.transpose(1, 0, 2), full_matrices=False)
    real = np.arange(size.shape[1]) < np.array(ranks)[:, None]
    solve = (
        right.transpose(0, 2, 1) * np.where(real, 1.0 / np.where(real, size, 1.0), 0.0)[:, None]
    )
    U = (left * real[:, None]).transpose(1, 0, 2)
    return U.reshape(own.shape[0], -1), solve


def _given(noise: Noise, found: Mapping[str, Float[np.ndarray, " n_voxels"]]) -> GivenNoise:
    if noise.kind == "arma11":
        return GivenNoise(kind="arma11", values=np.stack([found["a"], found["b"]]))
    orders = range(1, noise.order + 1)
    return GivenNoise(kind="ar", values=np.stack([found[f"ar{i}"] for i in orders]))


def _fit_singly(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    design: PpiDesign,
    weights: Float[np.ndarray, "n_contrasts n_own"],
    noise: GivenNoise,
    maps: _Maps,
    n_threads: int,
) -> None:
    padding = np.zeros(design.common.shape[1])
    asked = [
        Contrast(name=str(c), weights=np.concatenate([padding, row])[None])
        for c, row in enumerate(weights)
    ]
    for s in range(len(design.seeds)):
        X = np.column_stack([design.common, design.physiological[:, s], design.interaction[:, s]])
        fit = fit_glm(Y, X, asked, noise=noise, n_threads=n_threads)
        for c in range(len(weights)):
            maps.effect[s, c] = fit.contrasts[str(c)].effect[0]
            maps.variance[s, c] = fit.contrasts[str(c)].variance[0]


def _estimate(maps: _Maps, design: PpiDesign, noise: Noise, s: int, c: int) -> RunEstimate:
    effect, variance = maps.effect[s, c], maps.variance[s, c]
    kind = f"AR({noise.order})" if noise.kind == "ar" else noise.kind
    return RunEstimate(
        values=effect,
        names=(),
        variance=variance,
        df=maps.df[s],
        unit="slope per unit of the seed",
        variance_assumes=f"{kind} noise of the model without seeds",
        extras={"t": effect / np.sqrt(variance)},
        facts={
            "seed": design.seeds[s],
            "deconvolution": design.method,
            "conditions": list(design.conditions),
        },
        n_undefined=int(np.isnan(effect).sum()),
    )
