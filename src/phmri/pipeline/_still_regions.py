"""Regions that never change, told before any computing: nothing can be correlated with them.

A run is read until every region has changed, which takes two volumes of a sound run.
Only a region that does not change costs the whole run. A region without signal is left to the
protocol's rule of coverage, which excludes the run. Tables are read whole, and everything that
is wrong with one is told.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from phmri.dataset import open_volumes, read_mask
from phmri.exceptions import PhmriError, Problem
from phmri.pipeline._job import RunJob, manifest_path
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._read_as import read_kept
from phmri.pipeline._series_faults import series_faults

__all__ = ["find_still_regions", "is_measured"]

_STAGE = "Seeds"
_MANY_THREADS = 8


def find_still_regions(
    jobs: Iterable[RunJob], on_progress: Callable[[str, int, int], None]
) -> list[tuple[RunJob, Problem]]:
    """Find regions that measures need and that have one value in a whole run, and wrong tables.

    Parameters
    ----------
    jobs : iterable of RunJob
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    list of (RunJob, Problem)
        One per run and region, and what is wrong with tables and with files that cannot be read.
    """
    todo = [job for job in jobs if job.series or _wanted(job)]
    if not todo:
        return []
    problems: list[tuple[RunJob, Problem]] = []
    on_progress(_STAGE, 0, len(todo))
    with ThreadPoolExecutor(min(_MANY_THREADS, os.cpu_count() or 1)) as threads:
        for done, (job, found) in enumerate(zip(todo, threads.map(_look, todo), strict=True), 1):
            problems += [(job, problem) for problem in found]
            on_progress(_STAGE, done, len(todo))
    return problems


def _wanted(job: RunJob) -> dict[str, list[str]]:
    """Give the regions whose series measures need, and who needs them."""
    there = {region.name for region in job.regions}
    wanted: dict[str, list[str]] = {}
    for name, measure in job.measures.items():
        for region in measure.used_regions:
            if region in there:
                wanted.setdefault(region, []).append(name)
    return wanted


def is_measured(job: RunJob) -> bool:
    """Tell whether a run was measured with these settings, as far as its image's time tells.

    Parameters
    ----------
    job : RunJob

    Returns
    -------
    bool
        Without a look at the results: whether they may be kept is decided when they are due.
    """
    manifest = read_kept(RunManifest, manifest_path(job))
    if manifest is None or manifest.broken or manifest.step_key != job.key:
        return False
    image = next((item for item in manifest.sources if item.path == str(job.run.path)), None)
    if image is None:
        return False
    try:
        stat = job.run.path.stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (image.size, image.mtime_ns)


def _look(job: RunJob) -> list[Problem]:
    wanted = _wanted(job)
    try:
        if job.run.kind == "series":
            return series_faults(job)
        still = _still(job, wanted)
    except PhmriError as error:
        return [
            replace(problem, subject=job.run.subject, session=job.session)
            for problem in error.problems
        ]
    return [
        Problem(
            what="the region has no variance: nothing can be correlated with it",
            file=str(job.run.path),
            subject=job.run.subject,
            session=job.session,
            field=f"measures.{', '.join(wanted[region])}: {region}",
            found=f"{value:g} in all {job.run.n_volumes} volumes",
            expected="a signal that changes during the run",
        )
        for region, value in still.items()
    ]


def _still(job: RunJob, wanted: Iterable[str]) -> dict[str, float]:
    if job.run.mask is None:
        return {}  # the check of the data set tells of it
    inside = read_mask(job.run.mask).data
    regions = {region.name: region for region in job.regions if region.name in set(wanted)}
    with open_volumes(job.run.path) as run:
        if inside.shape != run.shape:
            return {}  # the check of the data set tells of it
        places = {
            name: _in_memory(region.voxels[inside.reshape(-1)[region.voxels]], inside.shape)
            for name, region in regions.items()
        }
        volumes = (volume.reshape(-1) for volume in run)
        first = next(volumes, None)
        if first is None:
            return {}
        still = {name: first[where] for name, where in places.items() if where.size}
        for flat in volumes:
            still = {
                name: values
                for name, values in still.items()
                if (flat[places[name]] == values).all()
            }
            if not still:
                break
        if not still:
            return {}
        brain = np.median(first[_in_memory(np.flatnonzero(inside), inside.shape)])
        level = job.exclusions.dropout_threshold * (brain * run.slope + run.inter)
        found = {name: values * run.slope + run.inter for name, values in still.items()}
    return {
        name: float(values.mean())
        for name, values in found.items()
        if (values > level).sum() >= job.exclusions.min_region_coverage * regions[name].voxels.size
    }


def _in_memory(
    voxels: Int[np.ndarray, " n"], shape: tuple[int, int, int]
) -> Int[np.ndarray, " n"]:
    """Turn flat C indices of (x, y, z) into those of a volume stored as (z, y, x)."""
    x, y, z = np.unravel_index(voxels, shape)
    return np.asarray(np.ravel_multi_index((z, y, x), shape[::-1]))
