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
from phmri.exceptions import DegreesOfFreedomError, Problem, SignalsError
from phmri.protocol import Denoising
from phmri.signals._columns import Columns, find_columns
from phmri.signals._filters import butterworth_matrix, check_band, cosines_outside
from phmri.signals._records import Cleaning
from phmri.signals._strategies import Strategy, find_strategy
from phmri.signals._volumes import Kept, choose_volumes

__all__ = ["make_cleaning"]

_RANK_TOLERANCE = 1e-7  # of the largest singular value of unit-length columns
_OPERATOR_TOLERANCE = 1e-6  # directions of a filter below this of its largest are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    kind: Literal["remove", "keep"]
    basis: Float[np.ndarray, "n_kept k"]
    df: float
    n_cosines: int


def make_cleaning(
    denoising: Denoising,
    confounds: Confounds | None,
    *,
    n_volumes: int,
    t_r: float,
    extra: Float[np.ndarray, "n_volumes n_extra"] | None = None,
    extra_names: Sequence[str] = (),
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
    check_band(t_r, denoising.highpass_hz, denoising.lowpass_hz)
    strategy = find_strategy(denoising.strategy)
    extra_values = _checked_extra(extra, extra_names, n_volumes)
    _check_table(strategy, denoising, confounds, n_volumes)
    kept = choose_volumes(denoising, confounds, n_volumes)
    columns = Columns(names=(), values=np.empty((n_volumes, 0)), computed=())
    if confounds is not None:
        columns = find_columns(
            strategy, confounds, n_compcor=denoising.n_compcor, kept=kept.sample_mask
        )
    nuisance = np.column_stack([columns.values, extra_values])[kept.sample_mask]
    names = (*columns.names, *extra_names)
    if denoising.filter == "butterworth":
        operator = _filter_operator(denoising, nuisance, t_r)
    else:
        operator = _projection(denoising, nuisance, kept, t_r)
    names = ("constant", *(f"dct{i + 1:02d}" for i in range(operator.n_cosines)), *names)
    _check_df(denoising, kept, n_regressors=len(names), df=operator.df, file=_path(confounds))
    return Cleaning(
        sample_mask=kept.sample_mask,
        kind=operator.kind,
        basis=operator.basis,
        df=operator.df,
        regressors=names,
        n_steady=kept.n_leading,
        n_censored=kept.n_censored,
        sentences=_sentences(denoising, strategy, columns, kept, n_extra=len(extra_names)),
    )


def _path(confounds: Confounds | None) -> str | None:
    return None if confounds is None else confounds.path


def _checked_extra(
    extra: Float[np.ndarray, "rows n_extra"] | None, names: Sequence[str], n_volumes: int
) -> Float[np.ndarray, "n_volumes n_extra"]:
    values = np.empty((n_volumes, 0)) if extra is None else np.asarray(extra, float)
    if values.shape != (n_volumes, len(names)):
        raise SignalsError(
            Problem(
                what="the extra regressors do not fit the run",
                found=f"shape {values.shape} with {len(names)} names",
                expected=f"({n_volumes}, {len(names)})",
            )
        )
    if not np.isfinite(values).all():
        raise SignalsError(Problem(what="an extra regressor has missing or infinite values"))
    return values


def _check_table(
    strategy: Strategy, denoising: Denoising, confounds: Confounds | None, n_volumes: int
) -> None:
    censor = denoising.censor.fd_mm is not None or denoising.censor.std_dvars is not None
    if confounds is None:
        if strategy.name != "none" or censor:
            raise SignalsError(
                Problem(
                    what="the run has no confound table, which its denoising needs",
                    found=f"strategy {strategy.name!r}, censoring {'on' if censor else 'off'}",
                    expected="a confounds file, or strategy 'none' without censoring",
                )
            )
    elif confounds.values.shape[0] != n_volumes:
        raise SignalsError(
            Problem(
                what="the confound table has another number of rows than the run has volumes",
                file=confounds.path,
                found=f"{confounds.values.shape[0]} rows",
                expected=f"{n_volumes}",
            )
        )
    if denoising.filter == "butterworth" and censor:
        raise SignalsError(
            Problem(
                what="filter 'butterworth' cannot be combined with censoring",
                field="censor",
                found=f"fd_mm {denoising.censor.fd_mm}, std_dvars {denoising.censor.std_dvars}",
                expected="filter 'projection', or no censoring",
            )
        )


def _orthonormal(X: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n rank"]:
    """Give a basis of centred columns; constant and dependent ones drop out."""
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varies = length > 1e-10 * np.linalg.norm(X, axis=0)
    if not varies.any():
        return np.empty((X.shape[0], 0))
    left, singular, _ = scipy.linalg.svd(centred[:, varies] / length[varies], full_matrices=False)
    basis: Float[np.ndarray, "n rank"] = left[:, singular > _RANK_TOLERANCE * singular[0]]
    return basis


def _projection(
    denoising: Denoising, nuisance: Float[np.ndarray, "n_kept k"], kept: Kept, t_r: float
) -> _Operator:
    """Build the projection; as its complement where that has fewer columns."""
    n_steady = kept.sample_mask.size - kept.n_leading
    cosines = cosines_outside(
        n_steady, t_r, highpass_hz=denoising.highpass_hz, lowpass_hz=denoising.lowpass_hz
    )[kept.sample_mask[kept.n_leading :]]
    n_kept = nuisance.shape[0]
    constant = np.full((n_kept, 1), 1.0 / np.sqrt(max(n_kept, 1)))
    basis = np.hstack([constant, _orthonormal(np.hstack([cosines, nuisance]))])
    df = n_kept - basis.shape[1]
    kind: Literal["remove", "keep"] = "remove"
    if 0 < df < basis.shape[1]:
        complete, _ = scipy.linalg.qr(basis)
        kind, basis = "keep", np.ascontiguousarray(complete[:, basis.shape[1] :])
    return _Operator(kind=kind, basis=basis, df=float(df), n_cosines=cosines.shape[1])


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
    basis = _orthonormal(F @ (D @ nuisance))
    L = F @ D
    L -= basis @ (basis.T @ L)
    L -= L.mean(axis=0)
    _, singular, right = scipy.linalg.svd(L)
    power = singular**2
    df = power.sum() ** 2 / (power**2).sum()
    used = singular > _OPERATOR_TOLERANCE * singular[0]
    basis = np.ascontiguousarray(right[used].T * singular[used])
    return _Operator(kind="keep", basis=basis, df=float(df), n_cosines=0)


def _check_df(
    denoising: Denoising, kept: Kept, *, n_regressors: int, df: float, file: str | None
) -> None:
    if df < denoising.min_df:
        raise DegreesOfFreedomError(
            Problem(
                what="too few degrees of freedom are left after cleaning",
                file=file,
                field="min_df",
                found=f"{df:.1f} ({kept.sample_mask.size} volumes, {kept.n_leading} removed at "
                f"the start, {kept.n_censored} censored, {n_regressors} regressors)",
                expected=f"at least {denoising.min_df}",
            )
        )


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


def _sentences(
    denoising: Denoising, strategy: Strategy, columns: Columns, kept: Kept, *, n_extra: int
) -> tuple[str, ...]:
    cited = strategy.sentence + "".join(f" [doi:{doi}]" for doi in strategy.dois)
    sentences = [*kept.sentences, cited]
    if strategy.components == "acompcor":
        sentences.append(
            f"The first {denoising.n_compcor} components of each aCompCor mask were used, with "
            "the cosine columns that fMRIPrep filtered them by"
        )
    if columns.computed:
        sentences.append(
            "Columns that the table lacks were computed from their base column: "
            + ", ".join(columns.computed)
        )
    if denoising.highpass_hz is not None or denoising.lowpass_hz is not None:
        sentences.append(_band_sentence(denoising))
    if n_extra:
        sentences.append(
            f"{n_extra} task regressors, convolved with the haemodynamic response, were "
            "removed in the same step"
        )
    return tuple(sentences)
