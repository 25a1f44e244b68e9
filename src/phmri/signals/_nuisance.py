r"""Everything that is to be removed from a run, as columns of a design.

`gather` collects them once: volumes chosen, confounds of the strategy, extra regressors, cosines.
`phmri.signals._cleaning` turns that into a projection of the kept volumes; `make_nuisance` into
the nuisance part of a general linear model :math:`y = X\beta + Z\gamma + \epsilon` on consecutive
volumes: :math:`Z` holds the constant, the cosines, the confounds, and for each censored volume a
column that is 1 in it alone. Under any noise model that column makes the fit the likelihood of
the other volumes at their true distances in time, where cutting the row out would join volumes
that were not neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from phmri.dataset import Confounds
from phmri.exceptions import DegreesOfFreedomError, Problem, SignalsError
from phmri.protocol import Denoising
from phmri.signals._columns import Columns, find_columns
from phmri.signals._filters import check_band, cosines_outside
from phmri.signals._records import Nuisance
from phmri.signals._strategies import Strategy, find_strategy
from phmri.signals._volumes import Kept, choose_volumes

__all__ = ["Gathered", "check_df", "gather", "make_nuisance", "orthonormal"]

_FLAT = 1e-10  # of a column's size: rounding, not a regressor
_RANK_TOLERANCE = 1e-7  # of the largest singular value of unit-length columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a run's denoising setting asks to be removed, before it becomes an operator.

    Parameters
    ----------
    kept : Kept
        The choice of volumes.
    cosines : ndarray of shape (n_steady, n_cosines)
        Outside the band, over the volumes after those removed at the start.
    values : ndarray of shape (n_volumes, k)
        Confounds, then extra regressors; confounds may be missing in volumes not kept.
    names : tuple of str
        Constant, cosines, then the columns of `values`.
    sentences : tuple of str
        For the methods text, save what is said of the filter.
    extra_sentence : str
        What the extra regressors are; empty without any.
    file : str or None
        Of the confounds, for messages.
    """

    kept: Kept
    cosines: Float[np.ndarray, "n_steady n_cosines"]
    values: Float[np.ndarray, "n_volumes k"]
    names: tuple[str, ...]
    sentences: tuple[str, ...]
    extra_sentence: str
    file: str | None


def gather(
    denoising: Denoising,
    confounds: Confounds | None,
    *,
    n_volumes: int,
    t_r: float,
    extra: Float[np.ndarray, "rows n_extra"] | None,
    extra_names: Sequence[str],
    extra_sentence: str,
) -> Gathered:
    """Collect what is to be removed from a run.

    Parameters
    ----------
    denoising : Denoising
        The protocol's setting.
    confounds : Confounds or None
        The run's table.
    n_volumes : int
        Volumes in the file.
    t_r : float
        Repetition time in seconds.
    extra : ndarray of shape (n_volumes, n_extra) or None
        Further regressors.
    extra_names : sequence of str
        Their names.
    extra_sentence : str
        What they are.

    Returns
    -------
    Gathered
        Without cosines where the filter is ``butterworth``, which works on the series itself.
    """
    check_band(t_r, denoising.highpass_hz, denoising.lowpass_hz)
    strategy = find_strategy(denoising.strategy)
    extra_values = _checked_extra(extra, extra_names, n_volumes)
    _check_table(strategy, denoising, confounds, n_volumes)
    kept = choose_volumes(denoising, confounds, n_volumes)
    _refuse_gaps(denoising, confounds, kept)
    columns = Columns(names=(), values=np.empty((n_volumes, 0)), computed=())
    if confounds is not None:
        columns = find_columns(
            strategy, confounds, n_compcor=denoising.n_compcor, kept=kept.sample_mask
        )
    cosines = np.empty((n_volumes - kept.n_leading, 0))
    if denoising.filter == "projection":
        cosines = cosines_outside(
            n_volumes - kept.n_leading,
            t_r,
            highpass_hz=denoising.highpass_hz,
            lowpass_hz=denoising.lowpass_hz,
        )
    return Gathered(
        kept=kept,
        cosines=cosines,
        values=np.column_stack([columns.values, extra_values]),
        names=("constant", *_cosine_names(cosines.shape[1]), *columns.names, *extra_names),
        sentences=_sentences(denoising, strategy, columns, kept),
        extra_sentence=extra_sentence if extra_names else "",
        file=None if confounds is None else confounds.path,
    )


def _cosine_names(count: int) -> list[str]:
    return [f"dct{i + 1:02d}" for i in range(count)]


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


def _refuse_gaps(denoising: Denoising, confounds: Confounds | None, kept: Kept) -> None:
    if denoising.filter == "butterworth" and kept.n_censored:
        raise SignalsError(
            Problem(
                what="filter 'butterworth' works on series without a gap",
                file=None if confounds is None else confounds.path,
                found=f"{kept.n_censored} volumes after the start are not in steady state",
                expected="filter 'projection', or a table that marks none after the start",
            )
        )


def _sentences(
    denoising: Denoising, strategy: Strategy, columns: Columns, kept: Kept
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
    return tuple(sentences)


def check_df(denoising: Denoising, gathered: Gathered, df: float) -> None:
    """Refuse a run of which too little is left.

    Parameters
    ----------
    denoising : Denoising
        The protocol's setting.
    gathered : Gathered
        What is removed.
    df : float
        Degrees of freedom left.

    Raises
    ------
    DegreesOfFreedomError
        Fewer than ``denoising.min_df``.
    """
    kept = gathered.kept
    if df < denoising.min_df:
        raise DegreesOfFreedomError(
            Problem(
                what="too few degrees of freedom are left after cleaning",
                file=gathered.file,
                field="min_df",
                found=f"{df:.1f} ({kept.sample_mask.size} volumes, {kept.n_leading} removed at "
                f"the start, {kept.n_censored} censored, {len(gathered.names)} regressors)",
                expected=f"at least {denoising.min_df}",
            )
        )


def make_nuisance(
    denoising: Denoising,
    confounds: Confounds | None,
    *,
    n_volumes: int,
    t_r: float,
    extra: Float[np.ndarray, "n_volumes n_extra"] | None = None,
    extra_names: Sequence[str] = (),
    extra_sentence: str = "Further regressors were part of the same model",
) -> Nuisance:
    r"""Turn a denoising setting and a run's confounds into the nuisance part of a design.

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
        Further regressors of no interest, e.g. of pulse and breathing.
    extra_names : sequence of str
        Their names.
    extra_sentence : str
        What they are, for the methods text.

    Returns
    -------
    Nuisance
        Columns that do not vary over the volumes used are left out; others may depend on each
        other.

    Notes
    -----
    `SignalsError` tells that a low-pass or a Butterworth filter is set, which a model with a noise
    model of its own contradicts (it estimates the noise that the filter has shaped), and whatever
    `make_cleaning` refuses. `DegreesOfFreedomError` tells that fewer than ``min_df`` are left
    before any column of interest.

    References
    ----------
    Lindquist et al. 2019, doi:10.1002/hbm.24528 (filter and confounds in one model).

    Examples
    --------
    >>> from phmri.protocol import Denoising
    >>> setting = Denoising(strategy="none", highpass_hz=0.01)
    >>> make_nuisance(setting, None, n_volumes=100, t_r=2.0).names
    ('constant', 'dct01', 'dct02', 'dct03', 'dct04')
    """
    _refuse_lowpass(denoising)
    gathered = gather(
        denoising,
        confounds,
        n_volumes=n_volumes,
        t_r=t_r,
        extra=extra,
        extra_names=extra_names,
        extra_sentence=extra_sentence,
    )
    kept = gathered.kept
    used = kept.sample_mask[kept.n_leading :]
    scaled, varies = _standardised(gathered.values[kept.n_leading :], used)
    censored = np.flatnonzero(~used)
    n_fixed = 1 + gathered.cosines.shape[1]
    X = np.column_stack(
        [np.ones(used.size), gathered.cosines, scaled, np.eye(used.size)[:, censored]]
    )
    n_removed = orthonormal(X[used, 1 : X.shape[1] - censored.size]).shape[1]
    check_df(denoising, gathered, float(used.sum() - 1 - n_removed))
    changing = np.array(gathered.names[n_fixed:], dtype=object)[varies]
    return Nuisance(
        X=X,
        names=(
            *gathered.names[:n_fixed],
            *changing.tolist(),
            *(f"censored_{kept.n_leading + row}" for row in censored),
        ),
        first_volume=kept.n_leading,
        n_censored=kept.n_censored,
        sentences=_model_sentences(denoising, gathered, censored.size),
    )


def _refuse_lowpass(denoising: Denoising) -> None:
    why = "a model that estimates the noise's correlation in time contradicts this filter"
    problems = []
    if denoising.filter == "butterworth":
        problems.append(
            Problem(what=why, field="filter", found="butterworth", expected="projection")
        )
    if denoising.lowpass_hz is not None:
        problems.append(
            Problem(
                what=why,
                field="lowpass_hz",
                found=f"{denoising.lowpass_hz:g} Hz",
                expected="no low-pass",
            )
        )
    if problems:
        raise SignalsError(*problems)


def _standardised(
    values: Float[np.ndarray, "n_rows k"], used: Bool[np.ndarray, " n_rows"]
) -> tuple[Float[np.ndarray, "n_rows k_varying"], Bool[np.ndarray, " k"]]:
    """Give mean 0 and SD 1 over the rows used, 0 in the others; leave out what is constant.

    The same space is spanned: the constant and the columns of censored volumes are in the design.
    """
    centred = values[used] - values[used].mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    varies = sd > _FLAT * np.sqrt((values[used] ** 2).mean(axis=0))
    scaled = np.zeros((used.size, int(varies.sum())))
    scaled[used] = centred[:, varies] / sd[varies]
    return scaled, varies


def orthonormal(X: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n rank"]:
    """Give a basis of centred columns; constant and dependent ones drop out.

    Parameters
    ----------
    X : ndarray of shape (n, k)
        In any units: columns are brought to unit length.

    Returns
    -------
    ndarray of shape (n, rank)
        Orthonormal, each of mean 0.
    """
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varies = length > _FLAT * np.linalg.norm(X, axis=0)
    if not varies.any():
        return np.empty((X.shape[0], 0))
    left, singular, _ = scipy.linalg.svd(centred[:, varies] / length[varies], full_matrices=False)
    basis: Float[np.ndarray, "n rank"] = left[:, singular > _RANK_TOLERANCE * singular[0]]
    return basis


def _model_sentences(denoising: Denoising, gathered: Gathered, n_censored: int) -> tuple[str, ...]:
    sentences = list(gathered.sentences)
    if n_censored:
        sentences.append("Each censored volume had a regressor of its own")
    if denoising.highpass_hz is not None:
        sentences.append(
            f"Frequencies below {denoising.highpass_hz:g} Hz were modelled by discrete cosines "
            "in the same model as the confounds [doi:10.1002/hbm.24528]"
        )
    if gathered.extra_sentence:
        sentences.append(gathered.extra_sentence)
    return tuple(sentences)
