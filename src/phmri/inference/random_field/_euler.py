"""How many blobs a smooth random field has above a height: Euler characteristic densities."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import InferenceError, Problem

__all__ = [
    "StatisticField",
    "euler_densities",
    "expected_euler",
    "height_of_tail",
    "tail_probability",
]

N_DIMENSIONS = 4
ROUGHNESS = 4 * math.log(2)
"""Variance of the gradient of a unit field whose smoothing kernel is one FWHM wide."""
LEAST_DF = 2
"""Below it the densities of three dimensions do not exist."""
LEAST_F = 1e-100
"""F from here on, so that negative powers of it stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticField:
    """What kind of random field a map is under the null hypothesis.

    Parameters
    ----------
    kind : {"z", "t", "f"}
        Gaussian, Student's t or F field.
    df : float
        Residual degrees of freedom, of t and F; more than 2, below which the densities do not
        exist in three dimensions.
    df1 : float
        Numerator degrees of freedom, of F.
    two_sided : bool
        Both large and small values of z or t count; heights are absolute values.
    n_maps : int
        The map is the minimum of so many independent maps of this kind. That tests whether the
        null hypothesis holds in all of them, not in at least one.

    Raises
    ------
    InferenceError
        When degrees of freedom are missing or too few, or F is given two sides.
    """

    kind: Literal["z", "t", "f"]
    df: float = math.inf
    df1: float = 1.0
    two_sided: bool = False
    n_maps: int = 1

    def __post_init__(self) -> None:
        problems = []
        if self.kind != "z" and not LEAST_DF < self.df < math.inf:
            problems.append(
                Problem(
                    what=f"no random field of {self.kind} has these residual degrees of freedom",
                    field="df",
                    found=f"{self.df:g}",
                    expected=f"a finite number above {LEAST_DF}",
                )
            )
        if not 1 <= self.df1 < math.inf or self.n_maps < 1:
            problems.append(
                Problem(
                    what="fewer than one numerator degree of freedom, or than one map",
                    field="df1, n_maps",
                    found=f"{self.df1:g}, {self.n_maps}",
                    expected="at least 1",
                )
            )
        if self.kind == "f" and self.two_sided:
            problems.append(Problem(what="F has one side only", field="two_sided"))
        if problems:
            raise InferenceError(*problems)

    @property
    def sides(self) -> int:  # numpydoc ignore=RT01
        """Count the sides on which a value may be large."""
        return 1 + self.two_sided


def tail_probability(
    height: Float[np.ndarray, " n"], field: StatisticField
) -> Float[np.ndarray, " n"]:
    """Give the uncorrected p-value of a height.

    Parameters
    ----------
    height : ndarray of shape (n,)
        Statistic; its absolute value when the field has two sides.
    field : StatisticField
        Distribution under the null hypothesis.

    Returns
    -------
    ndarray of shape (n,)
        Probability that one voxel is higher, from the upper tail itself; 0 where it underflows.
    """
    _refuse_heights(height)
    upper = {
        "z": lambda: stats.norm.sf(height),
        "t": lambda: stats.t.sf(height, field.df),
        "f": lambda: stats.f.sf(height, field.df1, field.df),
    }[field.kind]()
    both = np.minimum(field.sides * np.asarray(upper, dtype=np.float64), 1.0)
    tail: Float[np.ndarray, " n"] = both**field.n_maps
    return tail


def height_of_tail(
    pvalue: Float[np.ndarray, " n"], field: StatisticField
) -> Float[np.ndarray, " n"]:
    """Give the height whose uncorrected p-value is as asked.

    Parameters
    ----------
    pvalue : ndarray of shape (n,)
        Above 0 and at most 1.
    field : StatisticField
        Distribution under the null hypothesis.

    Returns
    -------
    ndarray of shape (n,)
        Inverse of `tail_probability`.
    """
    upper = pvalue ** (1 / field.n_maps) / field.sides
    if field.kind == "f":
        return _fisher_height(upper, field.df1, field.df)
    normal = field.kind == "z"
    height: Float[np.ndarray, " n"] = (
        stats.norm.isf(upper) if normal else stats.t.isf(upper, field.df)
    )
    return height


def euler_densities(
    height: Float[np.ndarray, " n"], field: StatisticField
) -> Float[np.ndarray, "4 n"]:
    r"""Give the expected Euler characteristic above a height, per resel of each dimension.

    Parameters
    ----------
    height : ndarray of shape (n,)
        Statistic; its absolute value when the field has two sides.
    field : StatisticField
        Kind of field.

    Returns
    -------
    ndarray of shape (4, n)
        Densities :math:`\rho_0 \dots \rho_3` per resel; negative ones, of heights below the bulk
        of the field, are given as 0.

    Notes
    -----
    Table II of [1]_; :math:`\rho_0` is the tail probability. Above a height that few voxels
    reach, the Euler characteristic counts blobs. The blobs of both sides of a field are disjoint,
    so that their numbers add. For the minimum of :math:`n` independent fields the series
    :math:`\sum_d \rho_d \sqrt\pi\,\Gamma(\tfrac{d+1}{2})^{-1} x^d` is raised to the power
    :math:`n` [2]_.

    References
    ----------
    .. [1] Worsley et al. (1996), A unified statistical approach for determining significant
       signals in images of cerebral activation,
       doi:10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO;2-O.
    .. [2] Worsley and Friston (2000), A test for a conjunction,
       doi:10.1016/S0167-7152(99)00149-2.
    """
    _refuse_heights(height)
    higher = {
        "z": lambda: _gaussian(height),
        "t": lambda: _student(height, field.df),
        "f": lambda: _fisher(height, field.df1, field.df),
    }[field.kind]()
    density = np.empty((N_DIMENSIONS, height.size))
    density[0] = tail_probability(height, field) ** (1 / field.n_maps)
    density[1:] = field.sides * np.maximum(higher, 0.0)
    if field.two_sided:
        density[1:, height <= 0] = 0.0
    return _least_of_maps(density, field.n_maps)


def expected_euler(
    height: Float[np.ndarray, " n"], field: StatisticField, resels: Float[np.ndarray, " 4"]
) -> Float[np.ndarray, " n"]:
    r"""Give the expected Euler characteristic of a search region above a height.

    Parameters
    ----------
    height : ndarray of shape (n,)
        Statistic; its absolute value when the field has two sides.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.

    Returns
    -------
    ndarray of shape (n,)
        :math:`\sum_d R_d \rho_d`: the expected number of clusters where that is small.

    Raises
    ------
    InferenceError
        When a height or a resel count is not finite.
    """
    if not np.isfinite(resels).all():
        raise InferenceError(
            Problem(what="resel counts that are not finite", field="resels", found=str(resels))
        )
    euler: Float[np.ndarray, " n"] = np.maximum(resels @ euler_densities(height, field), 0.0)
    return euler


def _gaussian(z: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3 n"]:
    shape = np.stack([np.ones_like(z), z, z**2 - 1])
    density: Float[np.ndarray, "3 n"] = _unit_scale() * np.exp(-(z**2) / 2) * shape
    return density


def _student(t: Float[np.ndarray, " n"], df: float) -> Float[np.ndarray, "3 n"]:
    slope = special.poch(df / 2, 0.5) / math.sqrt(df / 2)
    shape = np.stack([np.ones_like(t), slope * t, (df - 1) / df * t**2 - 1])
    density: Float[np.ndarray, "3 n"] = (
        _unit_scale() * np.exp((1 - df) / 2 * np.log1p(t**2 / df)) * shape
    )
    return density


def _fisher_height(p: Float[np.ndarray, " n"], k: float, m: float) -> Float[np.ndarray, " n"]:
    # scipy's own inverse is good to 1e-5 in the far tail and infinite beyond 1e-16.
    share = special.betaincinv(m / 2, k / 2, p)
    height: Float[np.ndarray, " n"] = m / k * (1 - share) / share
    return height


def _fisher(f: Float[np.ndarray, " n"], k: float, m: float) -> Float[np.ndarray, "3 n"]:
    x = k * np.maximum(f, LEAST_F) / m
    dimension = np.arange(1, N_DIMENSIONS)[:, None]
    log_scale = (
        dimension / 2 * math.log(ROUGHNESS / (2 * math.pi))
        + (2 - dimension) / 2 * math.log(2)
        + special.gammaln((m + k - dimension) / 2)
        - math.lgamma(m / 2)
        - math.lgamma(k / 2)
        + (k - dimension) / 2 * np.log(x)
        - (m + k - 2) / 2 * np.log1p(x)
    )
    shape = np.stack(
        [
            np.ones_like(x),
            (m - 1) * x - (k - 1),
            (m - 1) * (m - 2) * x**2 - (2 * m * k - m - k - 1) * x + (k - 1) * (k - 2),
        ]
    )
    density: Float[np.ndarray, "3 n"] = np.exp(log_scale) * shape
    return density


def _unit_scale() -> Float[np.ndarray, "3 1"]:
    """Give what the densities of z and t share in 1 to 3 dimensions."""
    dimension = np.arange(1, N_DIMENSIONS)[:, None]
    return np.asarray(ROUGHNESS ** (dimension / 2) / (2 * math.pi) ** ((dimension + 1) / 2))


def _least_of_maps(density: Float[np.ndarray, "4 n"], n_maps: int) -> Float[np.ndarray, "4 n"]:
    scale = math.sqrt(math.pi) / special.gamma((np.arange(N_DIMENSIONS)[:, None] + 1) / 2)
    single = density * scale
    product = single
    for _ in range(n_maps - 1):
        product = np.stack(
            [np.sum(product[: d + 1] * single[: d + 1][::-1], axis=0) for d in range(N_DIMENSIONS)]
        )
    least: Float[np.ndarray, "4 n"] = product / scale
    return least


def _refuse_heights(height: Float[np.ndarray, " n"]) -> None:
    if not np.isfinite(height).all():
        raise InferenceError(
            Problem(
                what="heights that are not finite",
                field="height",
                found=f"{int((~np.isfinite(height)).sum())} of {height.size}",
            )
        )
