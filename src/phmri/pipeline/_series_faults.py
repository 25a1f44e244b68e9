"""What is wrong with tabular time series, told before anything is computed of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from phmri.dataset import scan_series
from phmri.exceptions import Problem
from phmri.pipeline._job import RunJob, parcel_name
from phmri.signals import find_series_faults

__all__ = ["find_odd_tables", "series_faults"]

_SHOWN = 5


def series_faults(job: RunJob) -> list[Problem]:
    """Tell all that is wrong with the table of a run.

    Parameters
    ----------
    job : RunJob
        Of a run that is a table.

    Returns
    -------
    list of Problem
        Fields that are no numbers; columns that are missing, that do not change in time, or that
        have the time course of another.
    """
    series, problems = scan_series(job.run.path)
    return [
        replace(problem, subject=job.run.subject, session=job.session)
        for problem in (*problems, *find_series_faults(series, job.series))
    ]


def find_odd_tables(jobs: Iterable[RunJob]) -> list[tuple[RunJob, Problem]]:
    """Find tables whose parcels are not those of most tables of the same scan.

    Parameters
    ----------
    jobs : iterable of RunJob

    Returns
    -------
    list of (RunJob, Problem)
        Their outcomes could not be put beside those of the others.
    """
    by_scan: dict[str, list[RunJob]] = {}
    for job in jobs:
        if job.run.kind == "series" and job.parcels:
            by_scan.setdefault(job.scan_name, []).append(job)
    return [pair for together in by_scan.values() for pair in _odd_among(together)]


def _odd_among(jobs: list[RunJob]) -> list[tuple[RunJob, Problem]]:
    columns = [_columns(job) for job in jobs]
    ((usual, n_alike),) = Counter(columns).most_common(1)
    return [
        (
            job,
            Problem(
                what="the table has other columns than most of its scan",
                file=str(job.run.path),
                subject=job.run.subject,
                session=job.session,
                field=f"parcellations.{', '.join(job.parcels)}",
                found=_difference(found, usual),
                expected=f"the {len(usual)} columns of {n_alike} of {len(jobs)} tables",
            ),
        )
        for job, found in zip(jobs, columns, strict=True)
        if found != usual
    ]


def _columns(job: RunJob) -> tuple[str, ...]:
    return tuple(map(parcel_name, next(iter(job.parcels.values()))))


def _difference(found: tuple[str, ...], usual: tuple[str, ...]) -> str:
    lacking = [name for name in usual if name not in found]
    further = [name for name in found if name not in usual]
    words = [f"no column {_few(lacking)}"] * bool(lacking)
    words += [f"further {_few(further)}"] * bool(further)
    return "; ".join(words) or "another order"


def _few(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
