"""From the events of a run to the columns of its design."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.task._records import TaskDesign, TaskSettings, TrialDesign
from phmri.firstlevel.task._response import (
    BINS,
    basis_functions,
    canonical_response,
    orthogonalise,
    sampled_convolution,
)
from phmri.firstlevel.task._stimulus import (
    LEAD_BINS,
    event_height,
    event_problems,
    modulations,
    stimulus_functions,
)

__all__ = ["task_design", "task_regressors", "trial_design"]

_DERIVATIVES = ("", "_derivative", "_dispersion")


def task_design(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    modulators: Mapping[str, Float[np.ndarray, " n_events"]],
    *,
    settings: TaskSettings,
    conditions: Sequence[str],
    t_r: float,
    n_volumes: int,
) -> TaskDesign:
    r"""Make the task columns of a run.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds; onsets count from the first volume of the file.
    trial_type : sequence of str
        Condition of every event.
    modulators : dict of str to ndarray of shape (n_events,)
        Numbers per event by name, in units of their own; NaN where a condition has none.
    settings : TaskSettings
    conditions : sequence of str
        Those modelled, in the order of the columns.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.

    Returns
    -------
    TaskDesign

    Raises
    ------
    FirstLevelError
        A condition has no event; an event has no finite time, a negative duration, lies outside
        the run or, where `settings` is strict, belongs to a condition that is not modelled; a
        modulator is unknown, missing for an event or does not differ between events; the
        settings of time cannot be used. All at once.

    Notes
    -----
    Per condition: the plain stimulus function and then the modulated ones, each convolved with
    every basis function and sampled; then, with `settings.orthogonalise`, all columns of the
    condition orthogonalised in this order, after the numbers of the modulators were
    orthogonalised over events (the first one thereby loses its mean).

    Finite impulse response: column :math:`k` is 1 in the volumes sampled from :math:`k` to
    :math:`k + 1` bins after an onset. It models the response to the onset; durations are not
    used, events have height 1, and bins are not orthogonalised, so that every coefficient
    stays in units of the data. (SPM convolves durations and divides by the bin.)

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.
    """
    problems = _settings_problems(settings, t_r)
    problems += event_problems(
        onset,
        duration,
        trial_type,
        conditions=conditions,
        length_s=n_volumes * t_r,
        t_r=t_r,
        strict=settings.strict,
    )
    heights, faults = modulations(modulators, trial_type, conditions=conditions, settings=settings)
    if problems or faults:
        raise FirstLevelError(*problems, *faults)
    kinds = np.asarray(trial_type, dtype=str)
    convolutions, endings = _convolutions(settings, t_r, n_volumes)
    columns: list[str] = []
    parts: list[Float[np.ndarray, "n_volumes _"]] = []
    stimuli: list[Float[np.ndarray, " n_bins"]] = []
    places: dict[str, tuple[int, ...]] = {}
    for name in conditions:
        own = kinds == name
        scaled = heights[name] * event_height(duration[own], t_r)
        stimulus = stimulus_functions(
            onset[own], duration[own], scaled, t_r=t_r, n_volumes=n_volumes
        )
        stimuli.append(stimulus[LEAD_BINS:, 0])
        if settings.hrf == "fir":
            stimulus = stimulus_functions(
                onset[own], 0.0 * duration[own], heights[name], t_r=t_r, n_volumes=n_volumes
            )
        block = np.stack([matrix @ stimulus for matrix in convolutions], axis=2)
        part = block.reshape(n_volumes, -1)
        in_order = settings.orthogonalise and settings.hrf != "fir"
        parts.append(orthogonalise(part) if in_order else part)
        for label in _labels(name, settings):
            places[label] = tuple(range(len(columns), len(columns) + len(endings)))
            columns += [f"task_{label}{ending}" for ending in endings]
    return TaskDesign(
        X=np.hstack([np.empty((n_volumes, 0)), *parts]),
        columns=tuple(columns),
        condition_columns=places,
        conditions=tuple(conditions),
        stimulus=np.column_stack([np.empty((n_volumes * BINS, 0)), *stimuli]),
        hrf=settings.hrf,
        t_r=t_r,
        reference_bin=settings.reference_bin,
    )


def _settings_problems(settings: TaskSettings, t_r: float) -> list[Problem]:
    problems = []
    if not 1 <= settings.reference_bin <= BINS:
        problems.append(
            Problem(
                what="the reference bin lies outside the volume",
                field="reference_bin",
                found=str(settings.reference_bin),
                expected=f"1 to {BINS}",
            )
        )
    width = t_r if settings.fir_bin_s is None else settings.fir_bin_s
    if settings.hrf == "fir" and not (t_r / BINS <= width <= settings.fir_duration_s < np.inf):
        problems.append(
            Problem(
                what="the bins of the finite impulse response do not fit",
                field="fir_bin_s, fir_duration_s",
                found=f"bins of {width:g} s in {settings.fir_duration_s:g} s",
                expected=f"at least one bin of {t_r / BINS:g} s or more",
            )
        )
    return problems


def _convolutions(
    settings: TaskSettings, t_r: float, n_volumes: int
) -> tuple[list[scipy.sparse.csr_array], list[str]]:
    if settings.hrf == "fir":
        width = t_r if settings.fir_bin_s is None else settings.fir_bin_s
        n_basis = round(settings.fir_duration_s / width)
        basis = np.kron(np.eye(n_basis), np.ones((round(width * BINS / t_r), 1)))
        endings = [f"_fir{i + 1:02d}" for i in range(n_basis)]
    else:
        basis = basis_functions(settings.hrf, t_r)
        endings = list(_DERIVATIVES[: basis.shape[1]])
    matrices = [
        sampled_convolution(
            basis[:, k], n_volumes, sample_bin=settings.reference_bin - 1, lead_bins=LEAD_BINS
        )
        for k in range(basis.shape[1])
    ]
    return matrices, endings


def _labels(condition: str, settings: TaskSettings) -> list[str]:
    return [
        condition,
        *(
            f"{condition}:{modulator.name}" + (f"^{power}" if power > 1 else "")
            for modulator in settings.modulators.get(condition, ())
            for power in range(1, modulator.order + 1)
        ),
    ]


def task_regressors(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    *,
    conditions: Sequence[str],
    t_r: float,
    n_volumes: int,
) -> tuple[Float[np.ndarray, "n_volumes n_conditions"], tuple[str, ...]]:
    """Convolve the events of every condition with the haemodynamic response.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds; onsets count from the first volume of the file.
    trial_type : sequence of str
        Condition of every event.
    conditions : sequence of str
        Those wanted; other events are left out.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.

    Returns
    -------
    regressors : ndarray of shape (n_volumes, n_conditions)
        One column per condition.
    names : tuple of str
        ``task_<condition>``.

    Notes
    -----
    `FirstLevelError` tells that a condition has no event, or that an event has no finite time,
    a negative duration, or lies outside the run; all at once.

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.

    Examples
    --------
    >>> import numpy as np
    >>> X, names = task_regressors(
    ...     np.array([10.0]), np.array([5.0]), ["go"], conditions=["go"], t_r=2.0, n_volumes=20
    ... )
    >>> names, int(X[:, 0].argmax())
    (('task_go',), 9)
    """
    design = task_design(
        onset,
        duration,
        trial_type,
        {},
        settings=TaskSettings(),
        conditions=conditions,
        t_r=t_r,
        n_volumes=n_volumes,
    )
    return design.X, design.columns


def trial_design(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    *,
    settings: TaskSettings,
    conditions: Sequence[str],
    t_r: float,
    n_volumes: int,
) -> TrialDesign:
    """Make one canonical regressor per event.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds; onsets count from the first volume of the file.
    trial_type : sequence of str
        Condition of every event.
    settings : TaskSettings
        Its `reference_bin` and `strict`; the response is canonical.
    conditions : sequence of str
        Those modelled; other events are left out.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.

    Returns
    -------
    TrialDesign
        Events in their order. The columns of a condition add up to its task regressor.

    Raises
    ------
    FirstLevelError
        A condition has no event, or an event has no finite time, a negative duration, lies
        outside the run or belongs to a condition that may not be there; all at once.

    References
    ----------
    Mumford et al. 2012, doi:10.1016/j.neuroimage.2011.08.076.
    """
    problems = _settings_problems(settings, t_r)
    problems += event_problems(
        onset,
        duration,
        trial_type,
        conditions=conditions,
        length_s=n_volumes * t_r,
        t_r=t_r,
        strict=settings.strict,
    )
    if problems:
        raise FirstLevelError(*problems)
    kinds = np.asarray(trial_type, dtype=str)
    wanted = np.flatnonzero(np.isin(kinds, list(conditions)))
    heights = np.zeros((wanted.size, wanted.size))
    for name in conditions:
        own = np.flatnonzero(kinds[wanted] == name)
        heights[own, own] = event_height(duration[kinds == name], t_r)
    response = canonical_response(t_r)
    longest = float(duration[wanted].max(initial=0.0))
    n_longer = n_volumes + int(np.ceil(longest / t_r + response.size / BINS)) + 1
    stimulus = stimulus_functions(
        onset[wanted], duration[wanted], heights, t_r=t_r, n_volumes=n_longer
    )
    convolution = sampled_convolution(
        response, n_longer, sample_bin=settings.reference_bin - 1, lead_bins=LEAD_BINS
    )
    whole = np.asarray(convolution @ stimulus)
    power = np.cumsum(whole**2, axis=0)
    return TrialDesign(
        X=whole[:n_volumes],
        trial_type=tuple(kinds[wanted].tolist()),
        within=power[n_volumes - 1] / power[-1],
    )
