r"""Interaction columns: a seed's neural signal while a condition is on.

With the centred stimulus function :math:`s_c` of condition c and the centred neural signal
:math:`x` of the seed, both in microtime, and the response h,

.. math:: p_c = (s_c \cdot x) * h, \text{ sampled per volume and centred.}

The model of a voxel holds the task's own columns for all conditions, the seed, every
:math:`p_c`, and the nuisance (generalised form, McLaren). The coefficient of :math:`p_c` says how
much steeper the voxel follows the seed while c is on. ``none`` multiplies after the response
instead: centred convolved stimulus times seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.ppi._deconvolution import deconvolve, seed_problems, unexplained
from phmri.firstlevel.task import BINS, TaskDesign, canonical_response, sampled_convolution

__all__ = ["PpiDesign", "interactions", "ppi_design"]

_ROUNDING = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class PpiDesign:
    """The design of a psychophysiological interaction, for every seed of a run.

    Parameters
    ----------
    common : ndarray of shape (n_volumes, n_common)
        Columns that all seeds share: the task, then the nuisance.
    physiological : ndarray of shape (n_volumes, n_seeds)
        Seeds without what the nuisance explains, in their own unit.
    interaction : ndarray of shape (n_volumes, n_seeds, n_conditions)
        Mean 0, in the seed's unit while the condition is on.
    seeds : tuple of str
        Names.
    conditions : tuple of str
    method : {"bayes", "none"}
        How the neural signal was estimated.
    """

    common: Float[np.ndarray, "n_volumes n_common"]
    physiological: Float[np.ndarray, "n_volumes n_seeds"]
    interaction: Float[np.ndarray, "n_volumes n_seeds n_conditions"]
    seeds: tuple[str, ...]
    conditions: tuple[str, ...]
    method: Literal["bayes", "none"]


def ppi_design(
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    task: TaskDesign,
    *,
    names: Sequence[str],
    nuisance: Float[np.ndarray, "n_volumes n_nuisance"],
    method: Literal["bayes", "none"] = "bayes",
    noise_to_signal: float = 0.25,
) -> PpiDesign:
    """Make the interaction columns of all conditions with all seeds.

    Parameters
    ----------
    seeds : ndarray of shape (n_volumes, n_seeds)
        Uncleaned means of unsmoothed data; in percent of their mean, slopes are percent per
        percent.
    task : TaskDesign
        Of the same run; its stimulus functions without modulators interact.
    names : sequence of str
        Of the seeds.
    nuisance : ndarray of shape (n_volumes, n_nuisance)
        Constant, filter and confounds, with a column per censored volume; the constant is in
        its span.
    method : {"bayes", "none"}, default "bayes"
        Product of stimulus and neural signal, deconvolved as SPM does; or of convolved stimulus
        and BOLD signal.
    noise_to_signal : float, default 0.25
        Penalty of the deconvolution; SPM's.

    Returns
    -------
    PpiDesign

    Raises
    ------
    FirstLevelError
        Seeds, task and nuisance of different length, names that do not fit, a seed that is not
        finite or has no variance after the nuisance is taken out, a nuisance without constant, or
        a condition that is on during the whole run; all at once.

    References
    ----------
    McLaren et al. 2012, doi:10.1016/j.neuroimage.2012.03.068; Gitelman et al. 2003,
    doi:10.1016/S1053-8119(03)00058-2.
    """
    _check_lengths(seeds, task, nuisance, names)
    physiological = unexplained(seeds, nuisance)
    problems = seed_problems(seeds, physiological, names)
    problems += [
        Problem(
            what="a condition that covers the whole run leaves nothing to compare it with",
            field=name,
            expected="volumes with and without the condition",
        )
        for name, constant in zip(
            task.conditions, np.ptp(task.stimulus, axis=0) == 0.0, strict=True
        )
        if constant
    ]
    if problems:
        raise FirstLevelError(*problems)
    if method == "bayes":
        neural = deconvolve(physiological, nuisance, t_r=task.t_r, noise_to_signal=noise_to_signal)
        interaction = interactions(
            neural, task.stimulus, t_r=task.t_r, reference_bin=task.reference_bin
        )
    else:
        convolved = _convolution(seeds.shape[0], task.t_r, task.reference_bin) @ task.stimulus
        interaction = physiological[:, :, None] * _centred(convolved)[:, None, :]
    return PpiDesign(
        common=np.hstack([task.X, nuisance]),
        physiological=physiological,
        interaction=_centred(interaction),
        seeds=tuple(names),
        conditions=task.conditions,
        method=method,
    )


def interactions(
    neural: Float[np.ndarray, "n_bins n_seeds"],
    stimulus: Float[np.ndarray, "n_bins n_conditions"],
    *,
    t_r: float,
    reference_bin: int,
) -> Float[np.ndarray, "n_volumes n_seeds n_conditions"]:
    """Convolve the products of neural signals and centred stimulus functions.

    Parameters
    ----------
    neural : ndarray of shape (n_bins, n_seeds)
        Mean 0, 16 bins per volume.
    stimulus : ndarray of shape (n_bins, n_conditions)
        In the same bins.
    t_r : float
        Repetition time in seconds.
    reference_bin : int
        Bin of the volume, counted from 1, at which the result is sampled.

    Returns
    -------
    ndarray of shape (n_volumes, n_seeds, n_conditions)
        Mean 0, in units of the neural signal.
    """
    convolution = _convolution(neural.shape[0] // BINS, t_r, reference_bin)
    products = [convolution @ (neural * one[:, None]) for one in _centred(stimulus).T]
    return _centred(np.stack(products, axis=2))


def _convolution(n_volumes: int, t_r: float, reference_bin: int) -> scipy.sparse.csr_array:
    return sampled_convolution(canonical_response(t_r), n_volumes, sample_bin=reference_bin - 1)


def _centred(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.asarray(x - x.mean(axis=0))


def _check_lengths(
    seeds: Float[np.ndarray, "n n_seeds"],
    task: TaskDesign,
    nuisance: Float[np.ndarray, "m n_nuisance"],
    names: Sequence[str],
) -> None:
    lengths = {"seeds": len(seeds), "task": len(task.X), "nuisance": len(nuisance)}
    problems = []
    if len(set(lengths.values())) > 1:
        problems.append(
            Problem(
                what="seeds, task and nuisance are of runs of different length",
                found=", ".join(f"{name} {n} volumes" for name, n in lengths.items()),
            )
        )
    if len(names) != seeds.shape[1] or len(set(names)) != len(names):
        problems.append(
            Problem(
                what="every seed needs a name of its own",
                found=f"{seeds.shape[1]} seeds, {len(set(names))} different names",
            )
        )
    problems += [
        Problem(what="a seed has values that are not finite", field=name)
        for name, finite in zip(names, np.isfinite(seeds).all(axis=0), strict=False)
        if not finite
    ]
    if not np.isfinite(nuisance).all():
        problems.append(Problem(what="the nuisance has values that are not finite"))
    elif np.abs(unexplained(np.ones((len(nuisance), 1)), nuisance)).max() > _ROUNDING:
        problems.append(
            Problem(
                what="the nuisance has no constant, and the data have a mean", field="nuisance"
            )
        )
    if problems:
        raise FirstLevelError(*problems)
