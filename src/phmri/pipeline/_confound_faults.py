"""What confound tables lack, found before anything is computed."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from phmri.dataset import Confounds, read_confounds
from phmri.exceptions import DegreesOfFreedomError, PhmriError, Problem
from phmri.pipeline._job import RunJob
from phmri.pipeline._run_data import RunData
from phmri.signals import make_cleaning, run_quality

__all__ = ["find_confound_faults", "motion_problems"]

_STAGE = "Confounds"
_MANY_THREADS = 8


def find_confound_faults(
    jobs: Sequence[RunJob], on_progress: Callable[[str, int, int], None]
) -> list[tuple[RunJob, Problem]]:
    """Find tables and settings from which a denoising cannot be made.

    Parameters
    ----------
    jobs : sequence of RunJob
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    list of (RunJob, Problem)
        Not of runs of which a denoising leaves too little: those are left out by rule.
    """
    problems: list[tuple[RunJob, Problem]] = []
    if jobs:
        on_progress(_STAGE, 0, len(jobs))
    with ThreadPoolExecutor(min(_MANY_THREADS, os.cpu_count() or 1)) as threads:
        for done, (job, found) in enumerate(zip(jobs, threads.map(_look, jobs), strict=True), 1):
            problems += [(job, problem) for problem in found]
            on_progress(_STAGE, done, len(jobs))
    return problems


def motion_problems(job: RunJob, mean_fd_mm: float) -> list[Problem]:
    """Tell of a limit of motion that cannot be judged.

    Parameters
    ----------
    job : RunJob
    mean_fd_mm : float
        NaN where nobody knows it.

    Returns
    -------
    list of Problem
        Empty without such a limit.
    """
    if job.exclusions.max_mean_fd_mm is None or math.isfinite(mean_fd_mm):
        return []
    return [
        Problem(
            what="exclusions.max_mean_fd_mm cannot be judged: the motion is not known",
            file=str(job.run.confounds or job.run.path),
            field="framewise_displacement",
            found="no confound table" if job.run.confounds is None else "no such number",
            expected="a number in every row but the first, or no such limit",
        )
    ]


def _look(job: RunJob) -> list[Problem]:
    confounds: Confounds | None = None
    try:
        if job.run.confounds is not None:
            confounds = read_confounds(job.run.confounds)
    except PhmriError as error:
        return list(error.problems)
    data, problems = RunData(job=job, confounds=confounds), dict[Problem, None]()
    for denoising in job.denoising.values():
        try:
            make_cleaning(denoising, confounds, n_volumes=data.n_volumes, t_r=data.t_r)
        except DegreesOfFreedomError:
            continue
        except PhmriError as error:
            problems |= dict.fromkeys(error.problems)
    mean_fd_mm = run_quality(confounds).mean_fd_mm
    return [*problems, *motion_problems(job, mean_fd_mm)]
