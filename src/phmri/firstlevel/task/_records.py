"""What a task design is made from, and what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

__all__ = ["Modulator", "TaskDesign", "TaskSettings", "TrialDesign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Modulator:
    """A number per event that the response is expected to grow with.

    Parameters
    ----------
    name : str
        Column of the events.
    order : int, default 1
        Highest power; every power from 1 on is a regressor.
    """

    name: str
    order: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """How events become columns.

    Parameters
    ----------
    hrf : {"canonical", "canonical_derivative", "canonical_derivatives", "fir"}
        SPM's canonical response alone, with its derivative in time, with those in time and
        dispersion, or one column per bin of peristimulus time.
    fir_duration_s : float, default 32
        Seconds after the onset that are modelled; ours: the length of SPM's response.
    fir_bin_s : float, optional
        Width of a bin in seconds; one volume where left out.
    modulators : dict of str to tuple of Modulator
        By condition.
    orthogonalise : bool, default True
        Orthogonalise the columns of a condition in their order, as SPM does.
    reference_bin : int, default 8
        Sixteenth of the volume, counted from 1, at which regressors are sampled (SPM's T0).
        8 is the middle, to which slice timing correction usually refers.
    strict : bool, default False
        Refuse events of a condition that is not modelled; otherwise they join the baseline.
    """

    hrf: Literal["canonical", "canonical_derivative", "canonical_derivatives", "fir"] = "canonical"
    fir_duration_s: float = 32.0
    fir_bin_s: float | None = None
    modulators: Mapping[str, tuple[Modulator, ...]] = field(default_factory=dict)
    orthogonalise: bool = True
    reference_bin: int = 8
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDesign:
    """The task part of a run's design.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, n_columns)
        Without constant and confounds.
    columns : tuple of str
        ``task_<condition>``, with ``_derivative``, ``_dispersion``, ``_fir01`` behind it;
        ``task_<condition>:<modulator>^<power>``.
    condition_columns : dict of str to tuple of int
        Columns of every condition and of every ``condition:modulator``, in the order of the
        basis functions.
    conditions : tuple of str
    stimulus : ndarray of shape (n_bins, n_conditions)
        Stimulus function of every condition, 16 bins per volume from the first volume on;
        height 1, or 1 / bin width in seconds where no event of the condition has a duration.
    hrf : str
        As in `TaskSettings`.
    t_r : float
        Repetition time in seconds.
    reference_bin : int
        As in `TaskSettings`.
    """

    X: Float[np.ndarray, "n_volumes n_columns"]
    columns: tuple[str, ...]
    condition_columns: dict[str, tuple[int, ...]]
    conditions: tuple[str, ...]
    stimulus: Float[np.ndarray, "n_bins n_conditions"]
    hrf: str
    t_r: float
    reference_bin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDesign:
    """One column per event.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, n_trials)
        Responses to single events, canonical.
    trial_type : tuple of str
        Condition of every event.
    within : ndarray of shape (n_trials,)
        Share of the response's sum of squares that lies within the run; less than 1 for events
        near its end.
    """

    X: Float[np.ndarray, "n_volumes n_trials"]
    trial_type: tuple[str, ...]
    within: Float[np.ndarray, " n_trials"]
