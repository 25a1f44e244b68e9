"""Which events of a run are modelled, and which the protocol leaves in the baseline."""

from collections import Counter
from dataclasses import replace

import numpy as np

from phmri.dataset import Events
from phmri.pipeline._run_data import RunData

__all__ = ["events_in_baseline", "modelled_events"]


def modelled_events(data: RunData) -> Events:
    """Give the events without those that the protocol leaves in the baseline.

    Parameters
    ----------
    data : RunData

    Returns
    -------
    Events
    """
    events, others = data.events, data.job.scan.other_conditions
    kept = np.array([kind not in others for kind in events.trial_type], bool)
    return replace(
        events,
        onset=events.onset[kept],
        duration=events.duration[kept],
        trial_type=tuple(kind for kind in events.trial_type if kind not in others),
        columns={name: column[kept] for name, column in events.columns.items()},
    )


def events_in_baseline(data: RunData) -> list[str]:
    """Count the events that the protocol leaves in the baseline.

    Parameters
    ----------
    data : RunData

    Returns
    -------
    list of str
        ``name: count``.
    """
    counts = Counter(data.events.trial_type)
    known = data.job.scan.conditions
    return [f"{name}: {count}" for name, count in sorted(counts.items()) if name not in known]
