r"""All linear cleaning of a run as one operator.

Order: leading volumes (non-steady-state, discarded) go first; the cosines of the filter are
laid over the volumes that remain; censored volumes go next; then everything is removed in one
orthogonal projection of the kept volumes, so that no step puts back what another took out:

.. math:: \hat y = (I - Q Q^\top) y, \qquad df = \mathrm{tr}(I - Q Q^\top) = n - \mathrm{rank}(X),

with :math:`Q` an orthonormal basis of :math:`X` = constant, cosines outside the band, confounds,
task regressors. ``filter: butterworth`` is instead
:math:`L = C (I - Q Q^\top) F D` (:math:`D` linear detrending, :math:`F` the filter, :math:`Q` a
basis of the filtered confounds, :math:`C` centring), with
:math:`df = \mathrm{tr}(L L^\top)^2 / \mathrm{tr}((L L^\top)^2)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.linalg
from jaxtyping import Float

from phmri.dataset import Confounds
from phmri.protocol import Denoising
from phmri.signals._filters import butterworth_matrix
from phmri.signals._nuisance import Gathered, check_df, gather, orthonormal
from phmri.signals._records import Cleaning

__all__ = ["make_cleaning"]

_OPERATOR_TOLERANCE = 1e-6  # directions of a filter below this of its largest are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    kind: Literal["remove", "keep"]
    basis: Float[np.ndarray, "n_kept k"]
    df: float


def make_cleaning(
    denoising: Denoising,
    confounds: Confounds | None,
    *,
    n_volumes: int,
    t_r: float,
    extra: Float[np.ndarray, "n_volumes n_extra"] | None = None,
    extra_names: Sequence[str] = (),
    extra_sentence: str = "",
) -> Cleaning:
    r"""Turn a denoising setting and a run's confounds into one linear operator.

    Parameters
    ----------
    denoising : Denoising
        The protocol's setting.
    confounds : Confounds or None
        The run's table; None is enough for strategy ``none`` without censoring.
    n_volumes : int
        Volumes in the file.
    t_r : float
        Repetition time in seconds.
    extra : ndarray of shape (n_volumes, n_extra), optional
        Further regressors, e.g. of task conditions.
    extra_names : sequence of str
        Their names.
    extra_sentence : str
        What they are, for the methods text; task regressors when left out.

    Returns
    -------
    Cleaning
        With at least ``denoising.min_df`` degrees of freedom.

    Notes
    -----
    `SignalsError` tells that columns are missing, that a filter edge or the extra regressors do
    not fit the run, or that too few degrees of freedom are left.

    The rank is decided on centred columns of unit length by singular values: a direction
    smaller than 1e-7 of the largest is rounding in the table, not a regressor.

    References
    ----------
    Lindquist et al. 2019, doi:10.1002/hbm.24528 (filter and confounds in one projection).

    Examples
    --------
    >>> from phmri.protocol import Denoising
    >>> setting = Denoising(strategy="none", highpass_hz=0.01)
    >>> make_cleaning(setting, None, n_volumes=100, t_r=2.0).df
    95.0
    """
    names = tuple(extra_names)
    gathered = gather(
        denoising,
        confounds,
        n_volumes=n_volumes,
        t_r=t_r,
        extra=extra,
        extra_names=names,
        extra_sentence=extra_sentence
        or f"{len(names)} task regressors, convolved with the haemodynamic response, were "
        "removed in the same step",
    )
    kept = gathered.kept
    nuisance = gathered.values[kept.sample_mask]
    if denoising.filter == "butterworth":
        operator = _filter_operator(denoising, nuisance, t_r)
    else:
        operator = _projection(gathered, nuisance)
    check_df(denoising, gathered, operator.df)
    return Cleaning(
        sample_mask=kept.sample_mask,
        kind=operator.kind,
        basis=operator.basis,
        df=operator.df,
        regressors=gathered.names,
        n_steady=kept.n_leading,
        n_censored=kept.n_censored,
        sentences=_sentences(denoising, gathered),
    )


def _projection(gathered: Gathered, nuisance: Float[np.ndarray, "n_kept k"]) -> _Operator:
    """Build the projection; as its complement where that has fewer columns."""
    kept = gathered.kept
    cosines = gathered.cosines[kept.sample_mask[kept.n_leading :]]
    n_kept = nuisance.shape[0]
    constant = np.full((n_kept, 1), 1.0 / np.sqrt(max(n_kept, 1)))
    basis = np.hstack([constant, orthonormal(np.hstack([cosines, nuisance]))])
    df = n_kept - basis.shape[1]
    kind: Literal["remove", "keep"] = "remove"
    if 0 < df < basis.shape[1]:
        complete, _ = scipy.linalg.qr(basis)
        kind, basis = "keep", np.ascontiguousarray(complete[:, basis.shape[1] :])
    return _Operator(kind=kind, basis=basis, df=float(df))


def _filter_operator(
    denoising: Denoising, nuisance: Float[np.ndarray, "n_kept k"], t_r: float
) -> _Operator:
    """Build the operator of detrending, filtering, regression and centring."""
    n_kept = nuisance.shape[0]
    F = butterworth_matrix(
        n_kept, t_r, highpass_hz=denoising.highpass_hz, lowpass_hz=denoising.lowpass_hz
    )
    line = np.column_stack([np.ones(n_kept), np.arange(n_kept) - (n_kept - 1) / 2.0])
    line /= np.linalg.norm(line, axis=0)
    D = np.eye(n_kept) - line @ line.T
    basis = orthonormal(F @ (D @ nuisance))
    L = F @ D
    L -= basis @ (basis.T @ L)
    L -= L.mean(axis=0)
    _, singular, right = scipy.linalg.svd(L)
    power = singular**2
    df = power.sum() ** 2 / (power**2).sum()
    used = singular > _OPERATOR_TOLERANCE * singular[0]
    basis = np.ascontiguousarray(right[used].T * singular[used])
    return _Operator(kind="keep", basis=basis, df=float(df))


def _band_sentence(denoising: Denoising) -> str:
    low, high = denoising.highpass_hz, denoising.lowpass_hz
    edges = " and ".join(
        text
        for text in (
            f"below {low:g} Hz" if low is not None else "",
            f"above {high:g} Hz" if high is not None else "",
        )
        if text
    )
    if denoising.filter == "butterworth":
        return (
            f"Data and confounds were detrended and filtered (Butterworth, order 5, zero phase; "
            f"frequencies {edges} attenuated) before regression"
        )
    return (
        f"Frequencies {edges} were removed by discrete cosines in the same projection as the "
        "confounds [doi:10.1002/hbm.24528]"
    )


def _sentences(denoising: Denoising, gathered: Gathered) -> tuple[str, ...]:
    sentences = list(gathered.sentences)
    if denoising.highpass_hz is not None or denoising.lowpass_hz is not None:
        sentences.append(_band_sentence(denoising))
    if gathered.extra_sentence:
        sentences.append(gathered.extra_sentence)
    return tuple(sentences)
