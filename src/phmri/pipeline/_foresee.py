"""What cannot be computed of a run, told by its design alone, before any computing starts.

Protocol, header, events, recordings of pulse and breathing and the images of networks are looked
at, tables of time series, and as many volumes as show that every seed changes; not the confounds.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phmri.exceptions import FirstLevelError, PhmriError, Problem
from phmri.firstlevel import (
    InfusionDesign,
    Noise,
    find_window_problems,
    fit_glm,
    task_contrast,
)
from phmri.pipeline._blocks import make_block_weights
from phmri.pipeline._by_tissue import by_tissue, refuse_without_tissues
from phmri.pipeline._confound_faults import find_confound_faults
from phmri.pipeline._infusion_measure import make_infusion_design
from phmri.pipeline._job import RunJob, grid_of, run_key
from phmri.pipeline._located import located, tell_place
from phmri.pipeline._model_measures import (
    make_task_design,
    make_trial_design,
)
from phmri.pipeline._run_data import RunData
from phmri.pipeline._series_faults import find_odd_tables
from phmri.pipeline._still_regions import find_still_regions, is_measured
from phmri.protocol import (
    Association,
    BetaSeries,
    DualRegression,
    ExposureConnectivity,
    Infusion,
    Measure,
    Ppi,
    Question,
    ReceptorMaps,
    Reliability,
    RoiToRoi,
    SeedToParcel,
    SeedToVoxel,
    Task,
)
from phmri.signals import pick_recordings, place_maps, place_tissues

__all__ = ["Foreseen", "foresee"]


_Asked = Mapping[str, Question | Association | Reliability]
_Key = tuple[object, ...]
_NO_SUCH_BIN = "the response has no such bin"
"""The one fault of which a run can be measured; who asks cannot be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What will keep measures from being computed.

    Parameters
    ----------
    problems : tuple of Problem
        Each once. Those of an image that all runs share name no participant.
    broken : dict of (str, str, str) to str
        Participant, session and scan of every run that cannot be measured -> the first reason.
    """

    problems: tuple[Problem, ...]
    broken: dict[tuple[str, str, str], str]


def foresee(
    jobs: Collection[RunJob],
    asked: _Asked,
    *,
    resuming: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Foreseen:
    """Find what will keep measures from being computed.

    Parameters
    ----------
    jobs : collection of RunJob
    asked : mapping of str to Question, Association or Reliability
        That will be asked, by their place in the protocol (``questions.NAME``); how many bins a
        response has is for the run to say.
    resuming : bool, default False
        Whether the seeds of runs that are measured already need no second look.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    Foreseen
    """
    known: dict[_Key, tuple[Problem, ...]] = {}
    found: list[tuple[RunJob, Problem]] = []
    problems: dict[Problem, None] = {}
    for job in jobs:
        data = RunData(job=job, confounds=None)
        shared = {file.path for file in job.maps.values()}
        for problem in (*_of_measures(data, asked, known), *_of_denoisings(data)):
            if problem.file in shared:
                problems[problem] = None
            else:
                found.append((job, _of_run(problem, job)))
                problems[found[-1][1]] = None
    new = [job for job in jobs if not (resuming and is_measured(job))]
    confounds = (
        (job, _of_run(problem, job)) for job, problem in find_confound_faults(new, on_progress)
    )
    still = [*confounds, *find_odd_tables(jobs), *find_still_regions(new, on_progress)]
    broken: dict[tuple[str, str, str], str] = {}
    for job, problem in (*found, *still):
        if not problem.what.startswith(_NO_SUCH_BIN):
            broken.setdefault(run_key(job), problem.what)
    problems |= dict.fromkeys(problem for _, problem in still)
    return Foreseen(problems=tuple(problems), broken=broken)


def _of_measures(
    data: RunData, asked: _Asked, known: dict[_Key, tuple[Problem, ...]]
) -> list[Problem]:
    """Find what is wrong with the measures of a run, and who is to blame for its time zero."""
    job = data.job
    problems: list[Problem] = []
    late: dict[Problem, None] = {}
    for name, measure in job.measures.items():
        if measure.used_exposure not in {None, *job.exposures}:
            continue  # the curve could not be made, and its problems are told already
        found = _look(data, name, asked, known)
        if found and job.told_start is not None and measure.needs_time_zero:
            planned = _look(RunData(job=_as_planned(job), confounds=None), name, asked, known)
            late |= dict.fromkeys(problem for problem in found if problem not in planned)
            found = tuple(problem for problem in found if problem in planned)
        problems += [
            tell_place(problem, file=str(job.run.path), field=f"measures.{name}")
            for problem in found
        ]
    if late and job.told_start is not None:
        told = job.told_start.problem
        measured = all(problem.what == _NO_SUCH_BIN for problem in late)
        what = _NO_SUCH_BIN if measured else told.what
        problems.append(replace(told, what=f"{what} ({'; '.join(map(str, late))})"))
    return problems


def _as_planned(job: RunJob) -> RunJob:
    curves = {
        name: replace(curve, values_ng_ml=curve.typical_ng_ml)
        for name, curve in job.exposures.items()
    }
    return replace(job, start_min=job.scan.start_min.get(job.session), exposures=curves)


def _look(
    data: RunData, name: str, asked: _Asked, known: dict[_Key, tuple[Problem, ...]]
) -> tuple[Problem, ...]:
    """Look at a measure of a run, once for all runs that are alike."""
    key = _key(data.job, name)
    if key not in known:
        maps = {
            place: item.map
            for place, item in asked.items()
            if item.measure == name and item.map is not None
        }
        known[key] = _problems_of(data, data.job.measures[name], maps)
    return known[key]


def _of_run(problem: Problem, job: RunJob) -> Problem:
    return replace(problem, subject=job.run.subject, session=job.session)


def _key(job: RunJob, name: str) -> _Key:
    """Give what the answer depends on: most runs of a trial have one design."""
    run, measure = job.run, job.measures[name]
    curve = job.exposures.get(measure.used_exposure or "")
    by_event = isinstance(measure, Task | Ppi | BetaSeries) or measure.blocks_of is not None
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


def _problems_of(data: RunData, measure: Measure, maps: Mapping[str, str]) -> tuple[Problem, ...]:
    try:
        if by_tissue(measure):
            refuse_without_tissues(data.job.run)
            place_tissues(data.job.run.tissues, grid_of(data.job.run))
        match measure:
            case Infusion():
                _look_for_bins(make_infusion_design(data, measure), maps)
            case Task():
                _try_contrast(data, measure)
            case Ppi():
                make_task_design(data, measure)
            case BetaSeries():
                make_trial_design(data)
            case SeedToVoxel() | SeedToParcel() | RoiToRoi():
                make_block_weights(data, measure)
            case ExposureConnectivity():
                _look_at_windows(data, measure)
            case DualRegression() | ReceptorMaps():
                _look_at_maps(data.job, measure)
            case _:
                pass
    except PhmriError as error:
        return error.problems
    return ()


def _look_for_bins(design: InfusionDesign, maps: Mapping[str, str]) -> None:
    problems = [
        Problem(
            what=_NO_SUCH_BIN,
            field=f"{place}.map",
            found=name,
            expected=f"{design.course[0]} to {design.course[-1]}" if design.course else "no bin",
        )
        for place, name in maps.items()
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


def _look_at_windows(data: RunData, measure: ExposureConnectivity) -> None:
    problems = find_window_problems(
        data.job.exposures[measure.exposure].values_ng_ml,
        t_r=data.t_r,
        window_s=measure.window_s,
        step_s=measure.step_s,
    )
    if problems:
        raise FirstLevelError(*problems)


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
