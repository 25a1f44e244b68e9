r"""From events to stimulus functions.

An event at :math:`o` s of :math:`d` s fills the bins from :math:`\mathrm{round}(o/\delta)` on,
:math:`\mathrm{round}(d/\delta) + 1` of them, with height 1 (:math:`1/\delta` where no event of
its condition has a duration). A modulated function has the height times the event's number.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem
from phmri.firstlevel.task._records import Modulator, TaskSettings
from phmri.firstlevel.task._response import BINS, orthogonalise

__all__ = ["LEAD_BINS", "event_height", "event_problems", "modulations", "stimulus_functions"]

LEAD_BINS = 32


def event_problems(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    *,
    conditions: Sequence[str],
    length_s: float,
    t_r: float,
    strict: bool,
) -> list[Problem]:
    """List all that is wrong with the events of a run.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds from the first volume.
    trial_type : sequence of str
        Condition of every event.
    conditions : sequence of str
        Those wanted.
    length_s : float
        Of the run, in seconds.
    t_r : float
        Repetition time in seconds.
    strict : bool
        Whether an event of another condition is a problem.

    Returns
    -------
    list of Problem
        Conditions without an event first, then events in their order.
    """
    found = set(trial_type)
    problems = [
        Problem(
            what="a condition has no event in this run",
            field=name,
            found="conditions " + (", ".join(sorted(found)) or "none"),
        )
        for name in conditions
        if name not in found
    ]
    problems += [
        Problem(
            what="events of a condition that is not modelled",
            field=name,
            found=f"{list(trial_type).count(name)} events",
            expected=", ".join(conditions),
        )
        for name in sorted(found - set(conditions))
        if strict
    ]
    problems += [
        Problem(
            what=fault,
            field=f"event {i + 1} ({name})",
            found=f"onset {onset[i]:g} s, duration {duration[i]:g} s",
            expected=f"onset within the run of {length_s:g} s, duration of 0 s or more",
        )
        for i, name in enumerate(trial_type)
        if name in conditions
        and (fault := _fault(float(onset[i]), float(duration[i]), length_s, t_r))
    ]
    return problems


def _fault(onset: float, duration: float, length_s: float, t_r: float) -> str:
    if not (np.isfinite(onset) and np.isfinite(duration)):
        return "an event has no finite onset and duration"
    if duration < 0:
        return "an event has a negative duration"
    if onset >= length_s:
        return "an event begins after the end of the scan"
    if onset < -LEAD_BINS / BINS * t_r:
        return "an event begins more than two volumes before the scan"
    return ""


def modulations(
    modulators: Mapping[str, Float[np.ndarray, " n_events"]],
    trial_type: Sequence[str],
    *,
    conditions: Sequence[str],
    settings: TaskSettings,
) -> tuple[dict[str, Float[np.ndarray, "_ _"]], list[Problem]]:
    """Give the heights of a condition's events: 1, then every modulator's powers.

    Parameters
    ----------
    modulators : dict of str to ndarray of shape (n_events,)
        Values by name, for all events of the run.
    trial_type : sequence of str
        Condition of every event.
    conditions : sequence of str
        Those wanted.
    settings : TaskSettings

    Returns
    -------
    heights : dict of str to ndarray of shape (n_events, n_functions)
        By condition, of its own events.
    problems : list of Problem
        Modulators that are unknown, not finite, or do not differ between events.
    """
    kinds = np.asarray(trial_type, dtype=str)
    problems = [
        Problem(
            what="a condition that is not modelled has modulators",
            field=name,
            expected=", ".join(conditions),
        )
        for name in settings.modulators
        if name not in conditions
    ]
    heights = {}
    for condition in conditions:
        own = kinds == condition
        columns = [np.ones(int(own.sum()))]
        for modulator in settings.modulators.get(condition, ()):
            fault = _modulator_fault(modulator, modulators, own)
            if fault:
                problems.append(Problem(what=fault, field=f"{condition}:{modulator.name}"))
                continue
            values = np.asarray(modulators[modulator.name][own], float)
            columns += [values**power for power in range(1, modulator.order + 1)]
        heights[condition] = _event_columns(columns, settings)
        problems += _flat_problems(heights[condition], columns, condition)
    return heights, problems


def _modulator_fault(
    modulator: Modulator, modulators: Mapping[str, Float[np.ndarray, " n_events"]], own: np.ndarray
) -> str:
    if modulator.order < 1:
        return "the order of a modulator must be 1 or more"
    if modulator.name not in modulators:
        return f"the events have no such column; they have {', '.join(modulators) or 'none'}"
    if modulators[modulator.name].shape != own.shape:
        return "a modulator needs one value per event"
    if not np.isfinite(modulators[modulator.name][own]).all():
        return "a modulator is missing for some events of its condition"
    return ""


def _event_columns(
    columns: list[Float[np.ndarray, " n_events"]], settings: TaskSettings
) -> Float[np.ndarray, "n_events n_functions"]:
    heights = np.column_stack(columns)
    return orthogonalise(heights) if settings.orthogonalise else heights


def _flat_problems(
    heights: Float[np.ndarray, "n_events n_functions"],
    columns: list[Float[np.ndarray, " n_events"]],
    condition: str,
) -> list[Problem]:
    if not heights.shape[0]:
        return []
    flat = ~orthogonalise(np.column_stack(columns)).any(axis=0)
    return [
        Problem(
            what="a modulator tells the events no further apart than the columns before it do",
            field=condition,
            found=f"modulating column {column} of {len(columns) - 1}",
            expected="more different values than modulating columns",
        )
        for column in np.flatnonzero(flat).tolist()
    ]


def event_height(duration: Float[np.ndarray, " n_events"], t_r: float) -> float:
    """Give the height of a condition's events.

    Parameters
    ----------
    duration : ndarray of shape (n_events,)
        Seconds, of the events of one condition.
    t_r : float
        Repetition time in seconds.

    Returns
    -------
    float
        1, or 1 / bin width in seconds where all events have no duration.
    """
    return 1.0 if duration.any() else BINS / t_r


def _half_away(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Round to the nearest integer, halves away from zero."""
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + 0.5), np.int64)


def stimulus_functions(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    heights: Float[np.ndarray, "n_events n_functions"],
    *,
    t_r: float,
    n_volumes: int,
) -> Float[np.ndarray, "n_bins n_functions"]:
    """Make the stimulus functions of one condition.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds from the first volume.
    heights : ndarray of shape (n_events, n_functions)
        Of every event in every function.
    t_r : float
        Repetition time in seconds.
    n_volumes : int

    Returns
    -------
    ndarray of shape (32 + 16 n_volumes, n_functions)
        The first 32 bins lie before the first volume.
    """
    step = t_r / BINS
    n_bins = n_volumes * BINS + LEAD_BINS
    start = np.clip(_half_away(onset / step) + LEAD_BINS, 0, n_bins)
    stop = np.clip(start + _half_away(duration / step) + 1, 0, n_bins)
    steps = np.zeros((n_bins + 1, heights.shape[1]))
    np.add.at(steps, start, heights)
    np.add.at(steps, stop, -heights)
    return np.asarray(np.cumsum(steps, axis=0)[:n_bins])
