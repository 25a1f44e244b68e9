"""The course of an infusion response at one place, by treatment."""

from collections import Counter
from typing import Any

import numpy as np

from phmri.dataset import read_image, read_json, sidecar_path
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._job import measure_path
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun
from phmri.pipeline._measure_words import unit_of
from phmri.pipeline._outcome_files import read_values
from phmri.protocol import Infusion, Parallel, Question
from phmri.report import CourseContent

__all__ = ["load_course"]

_WITH_BINS = ("pseudoblock", "response_family")
_SAME = 0.5
"""Of a bin's length: bins of two runs whose ends differ by less are the same."""


def load_course(
    inputs: GroupInputs, question: Question, outcomes: LoadedOutcomes, index: int
) -> CourseContent | None:
    """Read the bins of every run in which the response was measured.

    Parameters
    ----------
    inputs : GroupInputs
    question : Question
    outcomes : LoadedOutcomes
        Of the question.
    index : int
        Which outcome.

    Returns
    -------
    CourseContent or None
        The bins that most runs have; a run that ends earlier has fewer, and someone who received
        a treatment more than once has the mean. None unless the measure is an infusion response
        with bins.
    """
    measure = inputs.protocol.measures[question.measure]
    if not isinstance(measure, Infusion) or question.map is not None:
        return None
    if measure.response.model not in _WITH_BINS:
        return None
    runs = _runs(inputs, question)
    found = [_edges(run, question) for _, _, run in runs]
    edges = Counter(found).most_common(1)[0][0]
    courses: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    for (treatment, subject, run), own in zip(runs, found, strict=True):
        course = _course(run, question, outcomes, index, n_bins=_n_shared(own, edges))
        if course:
            courses.setdefault(treatment, {}).setdefault(subject, []).append(course)
    values = {
        treatment: {subject: _mean(several) for subject, several in people.items()}
        for treatment, people in courses.items()
    }
    return CourseContent(edges_min=edges, unit=unit_of(measure, question), values=values)


def _runs(inputs: GroupInputs, question: Question) -> list[tuple[str, str, MeasuredRun]]:
    """List treatment, participant and run; of a parallel trial those of the question's session."""
    sessions = (
        {question.session}
        if isinstance(inputs.protocol.design, Parallel)
        else set(inputs.protocol.sessions)
    )
    found = []
    for cell in inputs.check.cells:
        run = inputs.runs.get((cell.subject, cell.session, cell.scan))
        if run is None or cell.treatment is None or run.manifest.excluded:
            continue
        if cell.session in sessions and question.measure in run.job.measures:
            found.append((cell.treatment, cell.subject, run))
    return found


def _edges(run: MeasuredRun, question: Question) -> tuple[float, ...]:
    sidecar: Any = read_json(sidecar_path(measure_path(run.job, question.measure)))
    return tuple(map(float, sidecar["Model"]["bin_edges_min"]))


def _n_shared(own: tuple[float, ...], edges: tuple[float, ...]) -> int:
    """Count the bins, from the first, that a run shares with the most common ones."""
    n = min(len(own), len(edges))
    same = np.abs(np.subtract(own[:n], edges[:n])) < _SAME * (edges[1] - edges[0])
    return max(int(np.logical_and.accumulate(same).sum()) - 1, 0)


def _course(
    run: MeasuredRun, question: Question, outcomes: LoadedOutcomes, index: int, *, n_bins: int
) -> tuple[float, ...]:
    """Read a run's bins up to the first without data."""
    values: list[float] = []
    for number in range(1, n_bins + 1):
        value = _bin(run, question, outcomes, index, f"bin{number:02d}")
        if not np.isfinite(value):
            break
        values.append(value)
    return tuple(values)


def _bin(
    run: MeasuredRun, question: Question, outcomes: LoadedOutcomes, index: int, name: str
) -> float:
    path = measure_path(run.job, question.measure, denoising=question.denoising, statistic=name)
    if outcomes.mask is None:
        names, column = read_values(path, name)
        return float(column[names.index(outcomes.names[index])])
    inside = read_image(path, allow_nan=True).data[outcomes.mask]
    return float(inside[index] if outcomes.weights is None else inside @ outcomes.weights)


def _mean(courses: list[tuple[float, ...]]) -> tuple[float, ...]:
    n_bins = min(map(len, courses))
    return tuple(np.mean([course[:n_bins] for course in courses], axis=0).tolist())
