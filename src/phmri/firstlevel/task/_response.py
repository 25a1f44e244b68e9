r"""Haemodynamic responses and their sampled convolution.

Time runs in bins of :math:`\delta = TR/16`. SPM's canonical response is the difference of two
gamma densities at the bins :math:`0, 1, 2, \dots` up to 32 s,

.. math:: h(t) = g(t; 6, 1) - g(t; 16, 1)/6, \qquad
          g(t; a, s) = \frac{t^{a/s-1} e^{-t/s}}{s^{a/s}\,\Gamma(a/s)},

scaled to sum 1. Its derivatives are differences: in time :math:`h(t) - h(t - 1\,\mathrm{s})`, in
dispersion :math:`(h(t; s) - h(t; 1.01 s))/0.01` for the first density. A regressor is the
convolution with a stimulus function, sampled in bin :math:`16 i + T_0 - 1` of scan :math:`i`.
"""

from typing import Literal

import numpy as np
import scipy.sparse
import scipy.stats
from jaxtyping import Float

__all__ = ["BINS", "basis_functions", "canonical_response", "sampled_convolution"]

BINS = 16
_RESPONSE_S = 32.0
_ONSET_SHIFT_S = 1.0
_DISPERSION_STEP = 0.01


def canonical_response(t_r: float) -> Float[np.ndarray, " n_bins"]:
    """Give SPM's canonical response in bins of a sixteenth of a volume.

    Parameters
    ----------
    t_r : float
        Repetition time in seconds.

    Returns
    -------
    ndarray of shape (n_bins,)
        Sum 1.

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.
    """
    return _double_gamma(t_r, shift_s=0.0, dispersion=1.0)


def _double_gamma(t_r: float, *, shift_s: float, dispersion: float) -> Float[np.ndarray, " n"]:
    step = t_r / BINS
    # The last bin is floor(32 / step); an exact multiple may come out a rounding below it.
    time = np.arange(int(np.floor(_RESPONSE_S / step * (1.0 + 1e-12))) + 1) * step - shift_s
    response = (
        scipy.stats.gamma.pdf(time, 6.0 / dispersion, scale=dispersion)
        - scipy.stats.gamma.pdf(time, 16.0) / 6.0
    )
    return np.asarray(response / response.sum())


def basis_functions(
    hrf: Literal["canonical", "canonical_derivative", "canonical_derivatives"], t_r: float
) -> Float[np.ndarray, "n_bins n_basis"]:
    """Give the canonical response and its derivatives, orthogonalised in order.

    Parameters
    ----------
    hrf : {"canonical", "canonical_derivative", "canonical_derivatives"}
    t_r : float
        Repetition time in seconds.

    Returns
    -------
    ndarray of shape (n_bins, n_basis)
        Bins of a sixteenth of a volume; the first column has sum 1.

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.
    """
    canonical = canonical_response(t_r)
    later = _double_gamma(t_r, shift_s=_ONSET_SHIFT_S, dispersion=1.0)
    wider = _double_gamma(t_r, shift_s=0.0, dispersion=1.0 + _DISPERSION_STEP)
    derivatives = [(canonical - later) / _ONSET_SHIFT_S, (canonical - wider) / _DISPERSION_STEP]
    n_derivatives = {"canonical": 0, "canonical_derivative": 1, "canonical_derivatives": 2}[hrf]
    return orthogonalise(np.column_stack([canonical, *derivatives[:n_derivatives]]))


def orthogonalise(X: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Take from every column what those before it explain.

    Parameters
    ----------
    X : ndarray of shape (n, k)

    Returns
    -------
    ndarray of shape (n, k)
        The first column as it was; a column that the others explain whole becomes 0.
    """
    done = X.copy()
    for column in range(1, X.shape[1]):
        before = done[:, :column]
        explained = before @ np.linalg.lstsq(before, X[:, column], rcond=None)[0]
        rest = X[:, column] - explained
        rounding = np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(X[:, column])
        done[:, column] = 0.0 if rounding else rest
    return done


def sampled_convolution(
    response: Float[np.ndarray, " n_response"],
    n_volumes: int,
    *,
    sample_bin: int,
    lead_bins: int = 0,
) -> scipy.sparse.csr_array:
    """Make the matrix that convolves a signal in microtime and samples it once per volume.

    Parameters
    ----------
    response : ndarray of shape (n_response,)
        Impulse response in bins of a sixteenth of a volume.
    n_volumes : int
    sample_bin : int
        Bin of every volume, counted from 0.
    lead_bins : int, default 0
        Bins of the signal before the first volume.

    Returns
    -------
    csr_array of shape (n_volumes, lead_bins + 16 n_volumes)
    """
    rows, lags = np.indices((n_volumes, response.size))
    columns = lead_bins + BINS * rows + sample_bin - lags
    inside = columns >= 0
    values = np.broadcast_to(response, rows.shape)[inside]
    shape = (n_volumes, lead_bins + BINS * n_volumes)
    return scipy.sparse.csr_array((values, (rows[inside], columns[inside])), shape=shape)
