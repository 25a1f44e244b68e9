"""What the signals room hands on: where voxels are, how series are cleaned, the series."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

__all__ = ["Cleaning", "Grid", "Nuisance", "RegionOnGrid", "RunQuality", "RunSignals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The voxel grid of a run and the template space it lies in.

    Parameters
    ----------
    shape : tuple of int
        Voxels along x, y, z.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    space : str
        Template, e.g. ``MNI152NLin2009cAsym``, or ``native``.
    """

    shape: tuple[int, int, int]
    affine: Float[np.ndarray, "4 4"]
    space: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionOnGrid:
    """A region placed on a grid.

    Parameters
    ----------
    name : str
        Region or parcel.
    voxels : ndarray of shape (n_voxels,)
        Flat index into the grid in C order, ascending.
    weights : ndarray of shape (n_voxels,)
        Non-negative, sum 1.
    source : dict
        Where it came from: file, sha256, atlas version, areas, licence, citation.
    """

    name: str
    voxels: Int[np.ndarray, " n_voxels"]
    weights: Float[np.ndarray, " n_voxels"]
    source: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """All linear cleaning of one run as one operator.

    The cleaned coordinates of a series ``y`` (kept volumes only) are ``y - Q Q' y`` for a
    projection, ``K y`` otherwise. Correlations are cosines between cleaned coordinates.

    Parameters
    ----------
    sample_mask : ndarray of shape (n_volumes,)
        True for the volumes that are kept.
    kind : {"remove", "keep"}
        ``remove``: `basis` is Q, orthonormal columns to project out (the constant is in it).
        ``keep``: `basis` is K', rows of the operator as columns.
    basis : ndarray of shape (n_kept, k)
        Q, or K'; for a band-pass projection K' is the orthonormal complement of Q.
    df : float
        Degrees of freedom left: trace of the projection, or its effective number.
    regressors : tuple of str
        Every column that went in, by name, before rank reduction.
    n_steady, n_censored : int
        Volumes removed at the start; volumes censored after that.
    sentences : tuple of str
        What was done, for the methods text, with citations as ``[doi:...]``.
    """

    sample_mask: Bool[np.ndarray, " n_volumes"]
    kind: Literal["remove", "keep"]
    basis: Float[np.ndarray, "n_kept k"]
    df: float
    regressors: tuple[str, ...]
    n_steady: int
    n_censored: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuisance:
    """The part of a run's design that is of no interest, for a general linear model.

    Parameters
    ----------
    X : ndarray of shape (n_rows, k)
        One row per volume after those removed at the start. Confounds and extra regressors have
        mean 0 and SD 1 over the volumes not censored, and 0 in the censored ones.
    names : tuple of str
        Of the columns: ``constant``, ``dct01`` ..., confounds, extra, ``censored_<volume>``
        (counted from 0 in the file).
    first_volume : int
        Volume of the file that the first row belongs to.
    n_censored : int
        Volumes with a column of their own.
    sentences : tuple of str
        What was done, for the methods text, with citations as ``[doi:...]``.
    """

    X: Float[np.ndarray, "n_rows k"]
    names: tuple[str, ...]
    first_volume: int
    n_censored: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuality:
    """What is known of a run's quality.

    Parameters
    ----------
    mean_fd_mm : float
        NaN where the confounds have no framewise displacement.
    mean_std_dvars : float
        NaN where the confounds have none.
    tsnr_median : float
        Median over the brain mask of mean / SD in time, unsmoothed, uncleaned; NaN for tables.
    region_voxels : dict of str to int
        Voxels of each region on the grid.
    region_coverage : dict of str to float
        Fraction of each region's voxels inside the mask that carry signal.
    """

    mean_fd_mm: float
    mean_std_dvars: float
    tsnr_median: float
    region_voxels: dict[str, int]
    region_coverage: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSignals:
    """Time series of one run, not yet cleaned.

    Parameters
    ----------
    voxels : ndarray of shape (n_volumes, n_voxels) or None
        Smoothed, float32, minus the first volume (so that float32 sums are safe). C order of the
        mask. None when only regions were asked for.
    regions : ndarray of shape (n_volumes, n_regions)
        Weighted means of unsmoothed data, float64.
    region_names : tuple of str
        Of the columns of `regions`.
    quality : RunQuality
        Of the same pass over the file.
    voxel_mean : ndarray of shape (n_voxels,) or None
        Mean over all volumes of the smoothed data, in the file's scaled units; None as `voxels`.
    """

    voxels: Float32[np.ndarray, "n_volumes n_voxels"] | None
    regions: Float[np.ndarray, "n_volumes n_regions"]
    region_names: tuple[str, ...]
    quality: RunQuality
    voxel_mean: Float32[np.ndarray, " n_voxels"] | None = None
