"""What cannot be computed of a run, told by its design alone, before any computing starts.

Protocol, header, events, recordings of pulse and breathing and the images of networks are looked
at, and as many volumes as show that every seed changes; not the confounds.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from phmri.exceptions import FirstLevelError, PhmriError, Problem
from phmri.firstlevel import InfusionDesign, Noise, fit_glm, task_contrast
from phmri.pipeline._by_tissue import by_tissue, refuse_without_tissues
from phmri.pipeline._job import RunJob, grid_of
from phmri.pipeline._located import located, tell_place
from phmri.pipeline._model_measures import (
    make_infusion_design,
    make_task_design,
    make_trial_design,
)
from phmri.pipeline._run_data import RunData
from phmri.pipeline._still_regions import find_still_regions, is_measured
from phmri.protocol import (
    BetaSeries,
    DualRegression,
    Infusion,
    Measure,
    Ppi,
    Question,
    ReceptorMaps,
    Task,
)
from phmri.signals import pick_recordings, place_maps, place_tissues

__all__ = ["foresee"]


def foresee(
    jobs: Collection[RunJob],
    questions: Mapping[str, Question],
    *,
    resuming: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Problem]:
    """Find what will keep measures from being computed.

    Parameters
    ----------
    jobs : collection of RunJob
    questions : mapping of str to Question
        That will be asked; how many bins a response has is for the run to say.
    resuming : bool, default False
        Whether the seeds of runs that are measured already need no second look.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    list of Problem
        Each once. Those of an image that all runs share name no participant.
    """
    known: dict[tuple[object, ...], tuple[Problem, ...]] = {}
    problems: dict[Problem, None] = {}
    for job in jobs:
        data = RunData(job=job, confounds=None)
        for name, measure in job.measures.items():
            if measure.used_exposure not in {None, *job.exposures}:
                continue  # the curve could not be made, and its problems are told already
            key = _key(job, name)
            if key not in known:
                asked = {
                    field: item.map
                    for field, item in questions.items()
                    if item.measure == name and item.map is not None
                }
                known[key] = _problems_of(data, measure, asked)
            file = str(job.run.path)
            for problem in known[key]:
                there = tell_place(problem, file=file, field=f"measures.{name}")
                shared = problem.file in {job.maps[item].path for item in measure.map_files}
                problems[there if shared else _of_run(there, job)] = None
        for problem in _of_denoisings(data):
            problems[_of_run(problem, job)] = None
    new = [job for job in jobs if not (resuming and is_measured(job))]
    return [*problems, *find_still_regions(new, on_progress)]


def _of_run(problem: Problem, job: RunJob) -> Problem:
    return replace(problem, subject=job.run.subject, session=job.session)


def _key(job: RunJob, name: str) -> tuple[object, ...]:
    """Give what the answer depends on: most runs of a trial have one design."""
    run, measure = job.run, job.measures[name]
    curve = job.exposures.get(measure.used_exposure or "")
    by_event = isinstance(measure, Task | Ppi | BetaSeries)
    return (
        name,
        run.n_volumes,
        run.t_r,
        job.start_min if isinstance(measure, Infusion) else None,
        b"" if curve is None else curve.values_ng_ml.tobytes(),
        run.events if by_event else None,
        (run.shape, str(run.affine)) if measure.map_files else None,
        run.tissues or run.path if by_tissue(measure) else None,
    )


def _problems_of(data: RunData, measure: Measure, asked: Mapping[str, str]) -> tuple[Problem, ...]:
    try:
        if by_tissue(measure):
            refuse_without_tissues(data.job.run)
            place_tissues(data.job.run.tissues, grid_of(data.job.run))
        match measure:
            case Infusion():
                _look_for_bins(make_infusion_design(data, measure), asked)
            case Task():
                _try_contrast(data, measure)
            case Ppi():
                make_task_design(data, measure)
            case BetaSeries():
                make_trial_design(data)
            case DualRegression() | ReceptorMaps():
                _look_at_maps(data.job, measure)
            case _:
                pass
    except PhmriError as error:
        return error.problems
    return ()


def _look_for_bins(design: InfusionDesign, asked: Mapping[str, str]) -> None:
    problems = [
        Problem(
            what="the response has no such bin",
            field=f"questions.{question}.map",
            found=name,
            expected=f"{design.course[0]} to {design.course[-1]}" if design.course else "no bin",
        )
        for question, name in asked.items()
        if name.startswith("bin") and name not in design.course
    ]
    if problems:
        raise FirstLevelError(*problems)


def _try_contrast(data: RunData, measure: Task) -> None:
    # A voxel without signal shows whether the events alone can tell the contrast.
    design = make_task_design(data, measure)
    X = np.hstack([design.X, np.ones((data.n_volumes, 1))])
    contrast = task_contrast(design, measure.contrast, name="contrast", n_columns=X.shape[1])
    names = (*design.columns, "constant")
    still = np.zeros((data.n_volumes, 1))
    fit_glm(still, X, (contrast,), noise=Noise(kind="white"), column_names=names)


def _of_denoisings(data: RunData) -> list[Problem]:
    problems: list[Problem] = []
    for name in data.job.denoising:
        try:
            data.refuse_without_recording(name)
            if data.job.denoising[name].physiology != "none":
                _look_at_recordings(data, f"denoising.{name}.physiology")
            data.task_columns(name)
        except PhmriError as error:
            problems += error.problems
    return problems


def _look_at_recordings(data: RunData, field: str) -> None:
    with located(file=str(data.job.run.physio[0]), field=field):
        pick_recordings(data.physio, t_r=data.t_r, n_volumes=data.n_volumes)


def _look_at_maps(job: RunJob, measure: DualRegression | ReceptorMaps) -> None:
    problems: list[Problem] = []
    for name in measure.map_files:
        file = job.maps[name].path
        try:
            count = len(place_maps(Path(file), grid_of(job.run)))
        except PhmriError as error:
            problems += error.problems
            continue
        wanted = "one map in every image of receptors or grey matter" if count != 1 else ""
        if isinstance(measure, DualRegression):
            least = f"{measure.network} or more, one volume of a 4-D image per network"
            wanted = least if count < measure.network else ""
        if wanted:
            what = "the image holds another number of maps than the measure asks for"
            problems.append(Problem(what=what, file=file, found=f"{count}", expected=wanted))
    if problems:
        raise FirstLevelError(*problems)
