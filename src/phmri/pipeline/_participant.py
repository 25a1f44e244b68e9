"""Participant level: one run in, its measures and a manifest out.

A job holds everything that one run needs, so that it can be sent to another process or machine.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from phmri.dataset import read_confounds
from phmri.exceptions import (
    DegreesOfFreedomError,
    OutputError,
    PhmriError,
    Problem,
    SignalsError,
)
from phmri.firstlevel import RunEstimate
from phmri.pipeline._censored import censored_reason
from phmri.pipeline._confound_faults import motion_problems
from phmri.pipeline._estimates import write_estimate
from phmri.pipeline._job import RunJob, manifest_path, run_inputs
from phmri.pipeline._manifest import RunManifest, describe_cleaning, known, write_manifest
from phmri.pipeline._measures import Variant, measure_run
from phmri.pipeline._nuisance_summary import summarise_nuisance
from phmri.pipeline._provenance import FileRecord
from phmri.pipeline._run_data import RunData
from phmri.signals import Cleaning, RunQuality, run_quality

__all__ = ["RunOutcome", "run_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What became of a job.

    Parameters
    ----------
    status : {"done", "excluded", "failed"}
    reason : str
        Why it was excluded; empty otherwise.
    problems : tuple of Problem
        Why it failed; empty otherwise.
    seconds : float
        How long it took.
    """

    status: str
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0


def run_job(job: RunJob) -> RunOutcome:
    """Compute and write all measures of one run.

    Parameters
    ----------
    job : RunJob

    Returns
    -------
    RunOutcome
        Data that cannot be used are an outcome, not an exception.

    Raises
    ------
    OutputError
        If results cannot be written: no further job would fare better.
    """
    started = time.perf_counter()
    manifest_path(job).unlink(missing_ok=True)  # of data or settings that are others now
    try:
        return replace(_measure_run(job), seconds=time.perf_counter() - started)
    except OutputError:
        raise
    except PhmriError as error:
        if job.exclusions.broken_run == "exclude":
            _leave_reason(job, "; ".join(dict.fromkeys(item.what for item in error.problems)))
        located = (
            problem
            if problem.subject
            else replace(problem, subject=job.run.subject, session=job.session)
            for problem in error.problems
        )
        seconds = time.perf_counter() - started
        return RunOutcome(status="failed", problems=tuple(located), seconds=seconds)


def _leave_reason(job: RunJob, reason: str) -> None:
    """Tell the group level, which may be another call, why there are no results."""
    try:
        inputs = tuple(map(FileRecord.of, run_inputs(job.run)))
    except OSError:  # gone or locked: it could not be told from another later
        return
    manifest = RunManifest(
        step_key=job.key,
        protocol_sha256=job.protocol_sha256,
        subject=job.run.subject,
        session=job.session,
        scan=job.scan_name,
        excluded=f"could not be measured: {reason}",
        broken=True,
        sources=inputs,
    )
    write_manifest(manifest_path(job), manifest)


def _measure_run(job: RunJob) -> RunOutcome:
    confounds = read_confounds(job.run.confounds) if job.run.confounds else None
    data = RunData(job=job, confounds=confounds)
    inputs = [FileRecord.of(path) for path in run_inputs(job.run)]
    cleanings, reason = _cleanings(data)
    quality = run_quality(confounds)
    unknown = motion_problems(job, quality.mean_fd_mm)
    if unknown:
        raise SignalsError(*unknown)
    reason = reason or _motion_reason(job, cleanings, quality) or censored_reason(data)
    estimates: dict[Variant, RunEstimate] = {}
    if not reason:
        quality = _quality(data)
        reason = _coverage_reason(job, quality)
    nuisance: dict[str, float] = {}
    if not reason:
        estimates, nuisance = measure_run(data), summarise_nuisance(data)
    outputs: list[Path] = []
    for variant, estimate in estimates.items():
        outputs += write_estimate(data, variant, estimate)
    manifest = RunManifest(
        step_key=job.key,
        protocol_sha256=job.protocol_sha256,
        subject=job.run.subject,
        session=job.session,
        scan=job.scan_name,
        excluded=reason,
        sources=tuple(inputs),
        outputs=tuple(map(FileRecord.of, outputs)),
        n_volumes=job.run.n_volumes or 0,
        mean_fd_mm=known(quality.mean_fd_mm),
        mean_std_dvars=known(quality.mean_std_dvars),
        tsnr_median=known(quality.tsnr_median),
        region_voxels=quality.region_voxels,
        region_coverage=quality.region_coverage,
        region_sources={region.name: region.source for region in job.regions},
        cleaning={name: describe_cleaning(item) for name, item in cleanings.items()},
        nuisance=nuisance,
    )
    write_manifest(manifest_path(job), manifest)
    return RunOutcome(status="excluded" if reason else "done", reason=reason)


def _cleanings(data: RunData) -> tuple[dict[str, Cleaning], str]:
    """Make every cleaning that the measures use; say which leaves too little of the run."""
    cleanings: dict[str, Cleaning] = {}
    reason = ""
    for name in data.job.denoising:
        try:
            cleanings[name] = data.cleaning(name)
        except DegreesOfFreedomError as error:
            found = error.problems[0]
            reason = f"'{name}': {found.what}; {found.found}, {found.expected}"
    return cleanings, reason


def _quality(data: RunData) -> RunQuality:
    """Judge the run by the first pass over its file that the measures need anyway."""
    measure = next(iter(data.job.measures.values()))
    return data.signals(measure, measure.denoising).quality


def _motion_reason(job: RunJob, cleanings: dict[str, Cleaning], quality: RunQuality) -> str:
    """Say why a run is left out for motion; empty when it is not."""
    limit = job.exclusions.max_mean_fd_mm
    if limit is not None and quality.mean_fd_mm > limit:
        return f"mean framewise displacement {quality.mean_fd_mm:.3g} mm, limit {limit:g} mm"
    limit = job.exclusions.max_censored_fraction
    for name, cleaning in cleanings.items():
        n_volumes = cleaning.sample_mask.size - cleaning.n_steady
        fraction = cleaning.n_censored / n_volumes
        if limit is not None and fraction > limit:
            return f"{fraction:.0%} of the volumes censored by '{name}', limit {limit:.0%}"
    return ""


def _coverage_reason(job: RunJob, quality: RunQuality) -> str:
    """Say which region has too little signal; empty when none has."""
    if job.run.kind == "series":
        return ""
    used = (name for measure in job.measures.values() for name in measure.used_regions)
    for region in dict.fromkeys(used):
        coverage = quality.region_coverage[region]
        if coverage < job.exclusions.min_region_coverage:
            return (
                f"{coverage:.0%} of region '{region}' carries signal, at least "
                f"{job.exclusions.min_region_coverage:.0%} asked for"
            )
    return ""
