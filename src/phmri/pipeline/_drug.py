"""Doses and concentration curves, for the report."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from phmri.dataset import Cell, DatasetCheck, DatasetIndex
from phmri.pharmacokinetics import Dose
from phmri.pipeline._dosing_log import SIDECAR, DosingLog
from phmri.pipeline._job import ExposureCurve
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.protocol import Protocol
from phmri.report import DoseContent, ExposureContent

__all__ = ["list_doses", "list_exposures"]

_GAP = 5.0
"""Volumes further apart than so many usual steps belong to different scans: no line joins them."""
_Points = tuple[tuple[float, ...], tuple[float, ...]]


def list_exposures(
    protocol: Protocol, check: DatasetCheck, runs: Mapping[RunKey, MeasuredRun]
) -> tuple[ExposureContent, ...]:
    """Gather the curves of all runs, by exposure.

    Parameters
    ----------
    protocol : Protocol
    check : DatasetCheck
    runs : mapping of RunKey to MeasuredRun

    Returns
    -------
    tuple of ExposureContent
        Of exposures that a run uses.
    """
    treatments = {(cell.subject, cell.session, cell.scan): cell.treatment for cell in check.cells}
    contents = []
    for name, exposure in protocol.exposures.items():
        used = [run for run in runs.values() if name in run.job.exposures]
        own = [run for run in used if treatments.get(run.key) == exposure.treatment]
        if not used:
            continue
        site = "in plasma" if exposure.ke0_per_min is None else "at the effect site"
        contents.append(
            ExposureContent(
                name=name,
                model=f"{exposure.drug} {site}; {_sources(name, own or used)}",
                typical=_typical(name, used),
                curves=tuple(_own(run, run.job.exposures[name]) for run in own),
            )
        )
    return tuple(contents)


def _sources(name: str, runs: Sequence[MeasuredRun]) -> str:
    """Say how many runs have their curve from what."""
    found = Counter(run.job.exposures[name].source for run in runs)
    return "; ".join(
        f"{source}: {n} run{'' if n == 1 else 's'}" for source, n in sorted(found.items())
    )


def _own(run: MeasuredRun, curve: ExposureCurve) -> _Points:
    return _points(run.job.start_min or 0.0, run, curve.values_ng_ml)


def _typical(name: str, runs: Sequence[MeasuredRun]) -> _Points:
    """Join the typical participant's curve over the planned times of all runs."""
    known: dict[float, float] = {}
    for run in runs:
        start_min = run.job.scan.start_min.get(run.job.session, 0.0)
        times, values = _points(start_min, run, run.job.exposures[name].typical_ng_ml)
        known |= dict(zip(times, values, strict=True))
    times_min = np.array(sorted(known))
    values_ng_ml = np.array([known[time] for time in times_min])
    steps = np.diff(times_min)
    between = np.flatnonzero(steps > _GAP * np.median(steps)) + 1
    joined = (np.insert(column, between, np.nan) for column in (times_min, values_ng_ml))
    return tuple(next(joined).tolist()), tuple(next(joined).tolist())


def _points(
    start_min: float, run: MeasuredRun, values: Float[np.ndarray, " n_volumes"]
) -> _Points:
    times = start_min + (np.arange(values.size) + 0.5) * (run.job.run.t_r or 0.0) / 60.0
    return tuple(times.tolist()), tuple(values.tolist())


def list_doses(
    protocol: Protocol, index: DatasetIndex, check: DatasetCheck
) -> tuple[DoseContent, ...]:
    """Lay what was given beside what was planned.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck

    Returns
    -------
    tuple of DoseContent
        Of participants and sessions that the log names, or sidecars of runs tell of; empty
        without either. Minutes count from the planned time zero, so that a late start shows.
    """
    log = DosingLog(protocol, index, check.cells)
    visits: dict[tuple[str, str], Cell] = {}
    for cell in check.cells:
        if (cell.subject, cell.session) not in visits or _planned_min(protocol, cell) is not None:
            visits[cell.subject, cell.session] = cell
    return tuple(
        DoseContent(
            subject=cell.subject,
            session=cell.session,
            drug=drug,
            given="; ".join(_words(dose, late_min=_late(protocol, log, cell)) for dose in given)
            + (f" ({SIDECAR})" if log.source(cell) == SIDECAR else ""),
            planned="; ".join(_words(dose) for dose in _planned(protocol, cell, drug)),
        )
        for cell in visits.values()
        for drug in protocol.drugs
        if (given := log.doses(cell, drug))
    )


def _planned_min(protocol: Protocol, cell: Cell) -> float | None:
    return protocol.scans[cell.scan].start_min.get(cell.session)


def _late(protocol: Protocol, log: DosingLog, cell: Cell) -> float:
    """Give the minutes by which the infusion began later than planned."""
    planned, actual = _planned_min(protocol, cell), log.start_min(cell)
    return 0.0 if planned is None or actual is None else planned - actual


def _planned(protocol: Protocol, cell: Cell, drug: str) -> list[Dose]:
    treatment = protocol.treatments.get(cell.treatment or "")
    return [
        Dose(
            route=dose.route,
            amount=dose.amount or dose.rate or 0.0,
            unit=dose.unit,
            start_min=dose.start_min,
            duration_min=dose.duration_min,
        )
        for dose in (() if treatment is None else treatment.doses)
        if dose.drug == drug
    ]


def _words(dose: Dose, *, late_min: float = 0.0) -> str:
    start = _number(dose.start_min + late_min)
    during = f" over {_number(dose.duration_min)} min" if dose.duration_min else ""
    return f"{_number(dose.amount)} {dose.unit} {dose.route} at {start} min{during}"


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:,.10g}".replace("-", "\N{MINUS SIGN}")
