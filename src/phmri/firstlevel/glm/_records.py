"""What goes into a linear model of one run, and what comes out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

__all__ = ["Contrast", "ContrastEstimate", "GivenNoise", "GlmFit", "Noise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The autocorrelation of the noise, to be estimated.

    Parameters
    ----------
    kind : {"white", "ar", "arma11", "spm"}
        ``spm`` is what SPM calls AR(1): one covariance for the brain, from two components.
    order : int, default 1
        Of ``ar``.
    scope : {"voxel", "group", "brain"}, default "voxel"
        Which voxels share one set of coefficients: none, those of a group (tissue), all.
    bias_corrected : bool, default True
        Of ``ar``: whether the autocovariance of the residuals is corrected for what the design
        took out of it. False is nilearn's way: uncorrected, coefficients of order 1 cut (not
        rounded) to 0.01, the first `order` volumes not rescaled.
    shrink : bool, default False
        With scope ``voxel``. Of ``ar``: whether coefficients are drawn to the mean of their group
        (of the brain without groups) as far as they vary by chance. Of ``arma11``: whether
        contrasts are averaged over all a and b that the voxel may have, by what its group's
        voxels have; the noise maps are then posterior means.
    """

    kind: Literal["white", "ar", "arma11", "spm"] = "ar"
    order: int = 1
    scope: Literal["voxel", "group", "brain"] = "voxel"
    bias_corrected: bool = True
    shrink: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenNoise:
    """A known autocorrelation of the noise: from an earlier fit, or from another program.

    Parameters
    ----------
    kind : {"ar", "arma11", "whitening"}
    values : ndarray of shape (order, n_voxels), (2, n_voxels) or (n_volumes, n_volumes)
        Coefficients of a stationary process; a and b; or the matrix by which data and design are
        multiplied.
    """

    kind: Literal["ar", "arma11", "whitening"]
    values: Float[np.ndarray, "n_coefficients n_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A named linear combination of the columns of a design.

    Parameters
    ----------
    name : str
    weights : ndarray of shape (q, n_columns)
        One row is tested by t, several jointly by F.
    """

    name: str
    weights: Float[np.ndarray, "q n_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastEstimate:
    """What a contrast came to, in every voxel.

    Parameters
    ----------
    name : str
    effect : ndarray of shape (q, n_voxels)
        In units of the data; NaN where the voxel does not vary.
    variance : ndarray of shape (q, n_voxels)
        Sampling variance of each row of `effect`.
    statistic : ndarray of shape (n_voxels,)
        t for one row, F for several.
    df : float
        Of the residuals (denominator).
    """

    name: str
    effect: Float[np.ndarray, "q n_voxels"]
    variance: Float[np.ndarray, "q n_voxels"]
    statistic: Float[np.ndarray, " n_voxels"]
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GlmFit:
    """A fitted linear model.

    Parameters
    ----------
    contrasts : dict of str to ContrastEstimate
    noise : dict of str to ndarray of shape (n_voxels,)
        Noise parameters by name: ``ar1``, ``ar2``, ...; ``a`` and ``b`` of ``arma11``; always
        ``variance``, of the white noise that drives the process.
    df : float
        Rows minus rank of the design.
    rank : int
    n_constant : int
        Voxels without variance around the design, whose results are NaN.
    """

    contrasts: dict[str, ContrastEstimate]
    noise: dict[str, Float[np.ndarray, " n_voxels"]]
    df: float
    rank: int
    n_constant: int
