"""Participant level: one run in, its measures and a manifest out.

A job holds everything that one run needs, so that it can be sent to another process or machine.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import (
    Confounds,
    read_confounds,
    read_events,
    read_mask,
    read_series,
    write_image,
    write_table,
)
from phmri.exceptions import DegreesOfFreedomError, OutputError, PhmriError, Problem
from phmri.firstlevel import (
    Connectivity,
    roi_to_roi,
    seed_to_parcel,
    seed_to_voxel,
    task_regressors,
)
from phmri.pipeline._job import RunJob, manifest_path, measure_path, parcel_name, run_inputs
from phmri.pipeline._manifest import RunManifest, describe_cleaning, known, write_manifest
from phmri.pipeline._provenance import FileRecord
from phmri.protocol import (
    Measure,
    RoiToRoi,
    SeedToParcel,
    SeedToVoxel,
)
from phmri.signals import (
    Cleaning,
    RunQuality,
    RunSignals,
    extract_series,
    extract_signals,
    make_cleaning,
    run_quality,
)

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
    try:
        return replace(_measure_run(job), seconds=time.perf_counter() - started)
    except OutputError:
        raise
    except PhmriError as error:
        located = (
            problem
            if problem.subject
            else replace(problem, subject=job.run.subject, session=job.session)
            for problem in error.problems
        )
        seconds = time.perf_counter() - started
        return RunOutcome(status="failed", problems=tuple(located), seconds=seconds)


def _measure_run(job: RunJob) -> RunOutcome:
    confounds = read_confounds(job.run.confounds) if job.run.confounds else None
    inputs = [FileRecord.of(path) for path in run_inputs(job.run)]
    cleanings, reason = _cleanings(job, confounds)
    signals: dict[float, RunSignals] = {}
    quality: RunQuality | None = None
    outputs: list[Path] = []
    reason = reason or _motion_reason(job, cleanings, run_quality(confounds))
    results: dict[str, Connectivity] = {}
    for name, measure in job.measures.items() if not reason else ():
        setting = job.denoising[measure.denoising]
        fwhm = setting.smoothing_fwhm_mm if measure.kind == "seed_to_voxel" else 0.0
        if fwhm not in signals:
            signals[fwhm] = _signals(job, fwhm, confounds)
        quality = signals[fwhm].quality
        reason = reason or _coverage_reason(job, measure, quality)
        if reason:
            break
        with _located(file=str(job.run.path), field=f"measures.{name}"):
            results[name] = _connectivity(
                job, measure, cleanings[measure.denoising], signals[fwhm]
            )
    for name, connectivity in results.items() if not reason else ():
        path = measure_path(job, name)
        outputs.append(path)
        _write_measure(job, name, path, connectivity, cleanings[job.measures[name].denoising])
    quality = quality or run_quality(confounds)
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
    )
    write_manifest(manifest_path(job), manifest)
    return RunOutcome(status="excluded" if reason else "done", reason=reason)


def _cleanings(job: RunJob, confounds: Confounds | None) -> tuple[dict[str, Cleaning], str]:
    """Make every cleaning that the measures use; say which leaves too little of the run."""
    cleanings: dict[str, Cleaning] = {}
    reason = ""
    for name in sorted({measure.denoising for measure in job.measures.values()}):
        try:
            cleanings[name] = _cleaning(job, name, confounds)
        except DegreesOfFreedomError as error:
            found = error.problems[0]
            reason = f"'{name}': {found.what}; {found.found}, {found.expected}"
    return cleanings, reason


def _cleaning(job: RunJob, name: str, confounds: Confounds | None) -> Cleaning:
    setting = job.denoising[name]
    n_volumes, t_r = job.run.n_volumes, job.run.t_r
    if n_volumes is None or t_r is None:
        raise PhmriError(
            Problem(
                what="neither the number of volumes nor the repetition time may be unknown",
                file=str(job.run.path),
                found=f"{n_volumes} volumes, repetition time {t_r} s",
            )
        )
    extra, extra_names = (
        _task_columns(job, n_volumes=n_volumes, t_r=t_r)
        if setting.task == "remove"
        else (None, ())
    )
    return make_cleaning(
        setting,
        confounds,
        n_volumes=n_volumes,
        t_r=t_r,
        extra=extra,
        extra_names=extra_names,
    )


def _task_columns(
    job: RunJob, *, n_volumes: int, t_r: float
) -> tuple[Float[np.ndarray, "n_volumes n_conditions"], tuple[str, ...]]:
    if job.run.events is None:
        raise PhmriError(
            Problem(
                what="the task conditions cannot be removed without events",
                file=str(job.run.path),
                field=f"scans.{job.scan_name}",
                expected="an events.tsv of this run",
            )
        )
    events = read_events(job.run.events)
    with _located(file=str(job.run.events), field=f"scans.{job.scan_name}.conditions"):
        return task_regressors(
            events.onset,
            events.duration,
            events.trial_type,
            conditions=job.scan.conditions,
            t_r=t_r,
            n_volumes=n_volumes,
        )


@contextmanager
def _located(*, file: str, field: str) -> Iterator[None]:
    """Tell of problems with arrays which file and which part of the protocol they come from."""
    try:
        yield
    except PhmriError as error:
        raise type(error)(
            *(
                replace(problem, file=problem.file or file, field=problem.field or field)
                for problem in error.problems
            )
        ) from error


def _signals(job: RunJob, fwhm: float, confounds: Confounds | None) -> RunSignals:
    if job.run.kind == "series":
        series = read_series(job.run.path)
        return extract_series(series, job.series, confounds)
    if job.run.mask is None:
        raise PhmriError(Problem(what="the run has no brain mask", file=str(job.run.path)))
    return extract_signals(
        job.run,
        read_mask(job.run.mask),
        job.regions,
        smoothing_fwhm_mm=fwhm,
        voxels=any(measure.kind == "seed_to_voxel" for measure in job.measures.values()),
        dropout_threshold=job.exclusions.dropout_threshold,
        confounds=confounds,
    )


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


def _coverage_reason(job: RunJob, measure: Measure, quality: RunQuality) -> str:
    """Say which region has too little signal; empty when none has."""
    if job.run.kind == "series":
        return ""
    for region in _seed_regions(measure):
        coverage = quality.region_coverage[region]
        if coverage < job.exclusions.min_region_coverage:
            return (
                f"{coverage:.0%} of region '{region}' carries signal, at least "
                f"{job.exclusions.min_region_coverage:.0%} asked for"
            )
    return ""


def _seed_regions(measure: Measure) -> tuple[str, ...]:
    if isinstance(measure, RoiToRoi):
        return measure.regions or ()
    return (measure.seed,)


def _connectivity(
    job: RunJob, measure: Measure, cleaning: Cleaning, signals: RunSignals
) -> Connectivity:
    columns = {name: signals.regions[:, i] for i, name in enumerate(signals.region_names)}
    if isinstance(measure, SeedToVoxel):
        if signals.voxels is None:
            raise PhmriError(Problem(what="voxelwise maps need images", file=str(job.run.path)))
        return seed_to_voxel(cleaning, columns[measure.seed][:, None], signals.voxels)
    if isinstance(measure, SeedToParcel):
        keys = job.parcels[measure.parcels]
        parcels = np.column_stack([columns[key] for key in keys])
        return seed_to_parcel(
            cleaning, columns[measure.seed], parcels, tuple(map(parcel_name, keys))
        )
    keys = measure.regions or job.parcels[measure.parcels or ""]
    names = measure.regions or tuple(map(parcel_name, keys))
    regions = np.column_stack([columns[key] for key in keys])
    return roi_to_roi(cleaning, regions, names, measure.summary)


def _write_measure(
    job: RunJob, name: str, path: Path, connectivity: Connectivity, cleaning: Cleaning
) -> None:
    measure = job.measures[name]
    sidecar = {
        "Measure": name,
        "Parameters": measure.model_dump(mode="json"),
        "Denoising": job.denoising[measure.denoising].model_dump(mode="json"),
        "Regressors": list(cleaning.regressors),
        "Units": "Fisher z",
        "Variance": connectivity.variance,
        "VarianceAssumes": "white noise; autocorrelation makes the true variance larger",
        "DegreesOfFreedom": connectivity.df,
        "VolumesKept": int(cleaning.sample_mask.sum()),
        "RepetitionTime": job.run.t_r,
        "ProtocolSHA256": job.protocol_sha256,
        "StepKey": job.key,
        "Sources": [str(item) for item in run_inputs(job.run)],
    }
    if measure.kind != "seed_to_voxel":
        rows = {"name": connectivity.names, "z": np.atleast_1d(connectivity.z)}
        write_table(path, pd.DataFrame(rows), sidecar)
        return
    if job.run.mask is None or job.run.affine is None or job.run.shape is None:
        raise PhmriError(Problem(what="the run has no brain mask", file=str(job.run.path)))
    volume = np.full(job.run.shape, np.nan, np.float32)
    volume[read_mask(job.run.mask).data] = connectivity.z[0]
    write_image(path, volume, job.run.affine, sidecar)
