r"""Maps with the spatial autocorrelation of a given one: Moran spectral randomisation.

A map is a sum of spatial patterns, from those that vary slowly over the brain to those that
alternate between neighbours. Its spatial autocorrelation is decided by how much of each pattern it
holds, not by the sign; surrogates draw the signs anew.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import pdist, squareform

from phmri.exceptions import InferenceError, Problem

__all__ = [
    "FEWEST_PLACES",
    "moran_eigenvectors",
    "moran_index",
    "moran_surrogates",
    "spatial_weights",
]

FEWEST_PLACES = 10
"""With fewer there are too few signs to draw, and p-values stay coarse."""


def spatial_weights(
    positions_mm: Float[np.ndarray, "n_places 3"],
) -> Float[np.ndarray, "n_places n_places"]:
    r"""Weigh every pair of places by its nearness.

    Parameters
    ----------
    positions_mm : ndarray of shape (n_places, 3)
        Centres of the places, mm.

    Returns
    -------
    ndarray of shape (n_places, n_places)
        Reciprocal distances, 1/mm; 0 on the diagonal.

    Raises
    ------
    InferenceError
        Too few places, a position that is not finite, or two places at one position.

    Notes
    -----
    :math:`W_{ij} = 1 / \lVert r_i - r_j \rVert`, straight through the brain, also across the
    midline.
    """
    n_places = positions_mm.shape[0]
    problems = []
    if n_places < FEWEST_PLACES:
        problems.append(
            Problem(
                what="too few places for their spatial autocorrelation to be kept",
                field="positions_mm",
                found=str(n_places),
                expected=f"at least {FEWEST_PLACES}",
            )
        )
    n_odd = int((~np.isfinite(positions_mm)).any(axis=1).sum())
    distances = squareform(pdist(positions_mm))
    np.fill_diagonal(distances, np.inf)
    if n_odd:
        problems.append(
            Problem(
                what="positions that are not finite", field="positions_mm", found=f"{n_odd} places"
            )
        )
    elif (distances == 0).any():
        first, second = np.argwhere(distances == 0)[0].tolist()
        problems.append(
            Problem(
                what="two places have the same position",
                field="positions_mm",
                found=f"places {first} and {second}, counted from 0",
                expected="a position of its own for each",
            )
        )
    if problems:
        raise InferenceError(*problems)
    return np.asarray(1.0 / distances)


def moran_eigenvectors(
    weights: Float[np.ndarray, "n_places n_places"],
) -> Float[np.ndarray, "n_places n_vectors"]:
    r"""Give the spatial patterns of a set of places, from smooth to alternating.

    Parameters
    ----------
    weights : ndarray of shape (n_places, n_places)
        From `spatial_weights`: symmetric.

    Returns
    -------
    ndarray of shape (n_places, n_places - 1)
        Orthonormal, each of mean 0, by falling Moran's I.

    Notes
    -----
    Eigenvectors of :math:`HWH` with :math:`H = I - \mathbf{1}\mathbf{1}^\top/n`, without the
    constant one [1]_. They are computed within the space of maps of mean 0, so that none is lost
    or mixed with the constant when an eigenvalue happens to be 0.

    References
    ----------
    .. [1] Wagner and Dray (2015), doi:10.1111/2041-210X.12407.
    """
    n_places = weights.shape[0]
    constant = np.full((n_places, 1), 1.0)
    basis = np.linalg.qr(constant, mode="complete").Q[:, 1:]
    _, within = np.linalg.eigh(basis.T @ weights @ basis)
    return np.asarray(basis @ within[:, ::-1])


def moran_surrogates(
    values: Float[np.ndarray, " n_places"],
    eigenvectors: Float[np.ndarray, "n_places n_vectors"],
    *,
    n_surrogates: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n_surrogates n_places"]:
    r"""Draw maps with the mean, variance and spatial autocorrelation of a given one.

    Parameters
    ----------
    values : ndarray of shape (n_places,)
        The map, in any unit.
    eigenvectors : ndarray of shape (n_places, n_vectors)
        From `moran_eigenvectors`.
    n_surrogates : int
        1 or more.
    rng : Generator
        Source of the signs.

    Returns
    -------
    ndarray of shape (n_surrogates, n_places)
        In the unit of ``values``.

    Notes
    -----
    :math:`x^* = \bar x + \sum_k s_k (v_k^\top x) v_k` with :math:`s_k = \pm 1` at even odds, the
    singleton procedure of [1]_. Mean, variance and Moran's I are those of the map itself, exactly.
    Where every pattern could as well have had the other sign, surrogates and map are exchangeable,
    and a p-value that counts them is exact. That holds for a Gaussian map whose covariance has
    these eigenvectors, and nearly so for one whose covariance falls with distance.

    References
    ----------
    .. [1] Wagner and Dray (2015), doi:10.1111/2041-210X.12407.
    """
    amounts = eigenvectors.T @ values
    signs = 2.0 * rng.integers(0, 2, (n_surrogates, amounts.size)) - 1.0
    return np.asarray(values.mean() + (signs * amounts) @ eigenvectors.T)


def moran_index(
    maps: Float[np.ndarray, "n_maps n_places"], weights: Float[np.ndarray, "n_places n_places"]
) -> Float[np.ndarray, " n_maps"]:
    r"""Measure how much neighbours resemble each other.

    Parameters
    ----------
    maps : ndarray of shape (n_maps, n_places)
        In any unit.
    weights : ndarray of shape (n_places, n_places)
        From `spatial_weights`.

    Returns
    -------
    ndarray of shape (n_maps,)
        Moran's I, without unit; :math:`-1/(n-1)` is expected of maps without spatial order. NaN
        for a map that does not vary.

    Notes
    -----
    :math:`I = \frac{n}{\sum_{ij} W_{ij}} \frac{z^\top W z}{z^\top z}` with :math:`z = x - \bar x`.
    """
    centred = maps - maps.mean(axis=1, keepdims=True)
    power = (centred**2).sum(axis=1)
    near = ((centred @ weights) * centred).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        index = weights.shape[0] / weights.sum() * near / power
    return np.where(power > 0, index, np.nan)
