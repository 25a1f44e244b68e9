"""Which volumes of a run are used: the start is removed first, then outliers are censored."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from phmri.dataset import Confounds
from phmri.exceptions import DegreesOfFreedomError, Problem, SignalsError
from phmri.protocol import Denoising
from phmri.signals._columns import find_column, find_numbered

__all__ = ["Kept", "choose_volumes", "count_leading"]

_POWER = "10.1016/j.neuroimage.2011.10.018"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The choice of volumes.

    Parameters
    ----------
    sample_mask : ndarray of shape (n_volumes,)
        True for kept volumes.
    n_leading, n_censored : int
        Removed at the start; censored after that.
    sentences : tuple of str
        For the methods text.
    """

    sample_mask: Bool[np.ndarray, " n_volumes"]
    n_leading: int
    n_censored: int
    sentences: tuple[str, ...]


def _non_steady(confounds: Confounds) -> Bool[np.ndarray, " n_volumes"]:
    marked = np.zeros(confounds.values.shape[0], bool)
    for name in find_numbered(confounds, "non_steady_state_outlier"):
        marked |= confounds.values[:, confounds.names.index(name)] > 0
    return marked


def count_leading(confounds: Confounds) -> int:
    """Count the consecutive volumes from the first that are marked as not in steady state.

    Parameters
    ----------
    confounds : Confounds
        The table with its ``non_steady_state_outlierXX`` columns, if any.

    Returns
    -------
    int
        0 without such columns.
    """
    marked = _non_steady(confounds)
    return int(np.cumprod(marked).sum())


def choose_volumes(denoising: Denoising, confounds: Confounds | None, n_volumes: int) -> Kept:
    """Choose the volumes that enter the analysis.

    Parameters
    ----------
    denoising : Denoising
        The protocol's setting.
    confounds : Confounds or None
        The run's table.
    n_volumes : int
        Volumes in the file.

    Returns
    -------
    Kept
        A volume whose displacement or DVARS is n/a (the first) is not censored for it.

    Raises
    ------
    DegreesOfFreedomError
        No volume is left.

    Notes
    -----
    A volume marked as non-steady-state after the leading ones is censored. `SignalsError` tells
    that the table lacks a column that censoring needs.
    """
    leading = denoising.discard_volumes
    late = np.zeros(n_volumes, bool)
    if confounds is not None and denoising.non_steady_state == "remove":
        leading = max(leading, count_leading(confounds))
        late = _non_steady(confounds)
    bad = late | _outliers(denoising, confounds, n_volumes)
    after = np.arange(n_volumes) >= leading
    keep = after & ~bad
    if not keep.any():
        raise DegreesOfFreedomError(
            Problem(
                what="no volume is left",
                file=None if confounds is None else confounds.path,
                found=f"{n_volumes} volumes, {min(leading, n_volumes)} removed at the start, "
                f"{int((bad & after).sum())} censored",
                expected=f"at least {denoising.min_df} degrees of freedom",
            )
        )
    n_censored = int((bad & after).sum())
    return Kept(
        sample_mask=keep,
        n_leading=leading,
        n_censored=n_censored,
        sentences=_sentences(denoising, leading),
    )


def _outliers(
    denoising: Denoising, confounds: Confounds | None, n_volumes: int
) -> Bool[np.ndarray, " n_volumes"]:
    bad = np.zeros(n_volumes, bool)
    limits = {
        "framewise_displacement": denoising.censor.fd_mm,
        "std_dvars": denoising.censor.std_dvars,
    }
    problems = []
    for name, limit in limits.items():
        if limit is None or confounds is None:
            continue
        column = find_column(confounds, name)
        if column is None:
            problems.append(
                Problem(
                    what="censoring needs a column that the confound table lacks",
                    file=confounds.path,
                    field=name,
                )
            )
        elif not np.isfinite(column[1:]).all():
            problems.append(
                Problem(
                    what="censoring needs a number in every row but the first",
                    file=confounds.path,
                    field=name,
                    found=f"{int((~np.isfinite(column[1:])).sum())} rows without one",
                )
            )
        else:
            bad |= np.greater(column, limit)
    if problems:
        raise SignalsError(*problems)
    return bad


def _sentences(denoising: Denoising, leading: int) -> tuple[str, ...]:
    sentences = []
    if leading:
        noun = "volume was" if leading == 1 else f"{leading} volumes were"
        sentences.append(f"The first {noun} removed")
    limits = [
        text
        for text, limit in (
            (f"framewise displacement above {denoising.censor.fd_mm} mm", denoising.censor.fd_mm),
            (f"standardised DVARS above {denoising.censor.std_dvars}", denoising.censor.std_dvars),
        )
        if limit is not None
    ]
    if limits:
        sentences.append(f"Volumes with {' or '.join(limits)} were censored [doi:{_POWER}]")
    return tuple(sentences)
