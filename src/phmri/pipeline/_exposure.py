"""Concentration curves of every run: whose doses, planned or given, by which model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import Cell, DatasetIndex
from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics import (
    Absorption,
    CompartmentModel,
    Dose,
    Individuals,
    concentration,
    concentrations,
    find_model,
    fit_individual,
    make_model,
    resolve_doses,
)
from phmri.pipeline._dosing_log import DosingLog
from phmri.pipeline._job import ExposureCurve, ToldStart
from phmri.protocol import Exposure, Protocol, treatment_of

__all__ = ["Exposures", "drug_model"]

SAMPLED = ("time_min", "concentration_ng_ml")
LIGHTEST_KG, HEAVIEST_KG = 10.0, 400.0
"""Body weights beyond these are taken for another unit or a slip."""


@dataclass(slots=True)
class Exposures:
    """The doses of a trial, and the curves that follow from them.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
        Its participants have the weights; ``phenotype/dosing.tsv`` holds what was given.
    cells : sequence of Cell
        Whose runs may tell of doses in their sidecars.
    problems : list of Problem
        Everything that kept a curve from being made.
    """

    protocol: Protocol
    index: DatasetIndex
    cells: Sequence[Cell] = ()
    problems: list[Problem] = field(default_factory=list)
    _log: DosingLog = field(init=False)
    _peaks: dict[tuple[str, float, int, float], float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._log = DosingLog(self.protocol, self.index, self.cells)
        self.problems += self._log.problems

    def start_min(self, cell: Cell) -> float | None:
        """Say how long after the actual start of the infusion a run begins.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        float or None
            Minutes, negative before it; None where the protocol gives the scan no such time.
        """
        return self._log.start_min(cell)

    def told_start(self, cell: Cell) -> ToldStart | None:
        """Give the dose that says when time zero of a run was.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        ToldStart or None
            None where the plan alone says it.
        """
        return self._log.told_start(cell)

    def curves(self, cell: Cell, names: Sequence[str]) -> dict[str, ExposureCurve]:
        """Make the curves that the measures of a run need.

        Parameters
        ----------
        cell : Cell
            With a run.
        names : sequence of str
            Exposures of the protocol.

        Returns
        -------
        dict of str to ExposureCurve
            Without those that cannot be made; `problems` says why, once per participant where
            it is the same for all of its runs.
        """
        if any(problem.subject in {None, cell.subject} for problem in self._log.problems):
            return {}  # a curve of doses that are wrong would only tell more of the same
        found = {}
        for name in names:
            try:
                found[name] = self._curve(cell, self.protocol.exposures[name])
            except PharmacokineticsError as error:
                self.problems += [
                    problem if problem.file else _placed(problem, cell, name)
                    for problem in error.problems
                ]
        return found

    def _curve(self, cell: Cell, exposure: Exposure) -> ExposureCurve:
        planned_min = self.protocol.scans[cell.scan].start_min.get(cell.session)
        start_min = self.start_min(cell)
        if start_min is None or planned_min is None:
            raise PharmacokineticsError("nobody says when this run begins")
        if cell.run is None or cell.run.n_volumes is None or cell.run.t_r is None:
            raise PharmacokineticsError("a run of unknown length has no curve")
        model = drug_model(self.protocol, exposure)
        planned = _planned(self.protocol, exposure)
        middles = _middles(cell.run.n_volumes, cell.run.t_r)
        typical = _typical(self.protocol, exposure, planned_min + middles)
        if not typical.max() > 0:
            raise PharmacokineticsError(
                Problem(what="there is no drug during the run", found="a curve of 0")
            )
        given = self._log.doses(cell, exposure.drug)
        weight = self._weight(cell.subject, exposure, model, given or planned)
        person, sampled = self._person(cell, exposure, model, weight)
        doses = resolve_doses(given or planned, weight_kg=weight)
        if person is None:
            values = concentration(
                model,
                doses,
                start_min + middles,
                weight_kg=weight,
                ke0_per_min=exposure.ke0_per_min,
                analyte=exposure.analyte,
            )
        else:
            values = concentrations(
                person,
                doses,
                start_min + middles,
                ke0_per_min=exposure.ke0_per_min,
                analyte=exposure.analyte,
            )[0]
        return ExposureCurve(
            values_ng_ml=values,
            typical_ng_ml=typical,
            peak_ng_ml=self._peak(cell, exposure),
            at_effect_site=exposure.ke0_per_min is not None,
            source=f"{model.name} ({model.site}), "
            + (f"doses as given ({self._log.source(cell)})" if given else "doses as planned")
            + ("" if person is None else ", fitted to this participant's samples"),
            files=(
                *self._log.files(cell),
                *((self._people,) if _needs_weight(model, given or planned) else ()),
                *sampled,
            ),
        )

    def _peak(self, cell: Cell, exposure: Exposure) -> float:
        """Give the typical person's peak in this scan: one for all of its runs, however long."""
        starts = self.protocol.scans[cell.scan].start_min
        spans = {
            (starts[other.session], other.run.n_volumes, other.run.t_r)
            for other in (*self.cells, cell)
            if other.scan == cell.scan and other.session in starts and other.run is not None
        }
        peaks = []
        for start, n_volumes, t_r in spans:
            if n_volumes is None or t_r is None:
                continue
            key = (repr(exposure), start, n_volumes, t_r)
            if key not in self._peaks:
                minutes = start + _middles(n_volumes, t_r)
                self._peaks[key] = float(_typical(self.protocol, exposure, minutes).max())
            peaks.append(self._peaks[key])
        return max(peaks)

    @property
    def _people(self) -> Path:
        return self.index.root / "participants.tsv"

    def _weight(
        self, subject: str, exposure: Exposure, model: CompartmentModel, doses: Sequence[Dose]
    ) -> float | None:
        # None where nobody knows it, and neither doses nor model ask for it.
        column, table = exposure.weight_column, self.index.participants
        values = pd.to_numeric(table[column], errors="coerce") if column in table else None
        weight = float(values.get(subject, np.nan)) if values is not None else np.nan
        if np.isfinite(weight) and LIGHTEST_KG <= weight <= HEAVIEST_KG:
            return weight
        if not _needs_weight(model, doses):
            return None
        raise PharmacokineticsError(
            Problem(
                what="the doses or the drug model need a body weight",
                file=str(self._people),
                subject=None if values is None else subject,
                field=column,
                found="no such column" if values is None else _shown(table[column].get(subject)),
                expected=f"kilograms, {LIGHTEST_KG:g} to {HEAVIEST_KG:g}",
            )
        )

    def _person(
        self, cell: Cell, exposure: Exposure, model: CompartmentModel, weight: float | None
    ) -> tuple[Individuals | None, tuple[Path, ...]]:
        # Fit a participant's own parameters to samples, from whichever session has them; and say
        # which files that takes.
        if exposure.samples is None:
            return None, ()
        session, own = self._samples(cell, exposure)
        if own.empty:
            return None, ()
        there = cell
        if session is not None:
            treatment = treatment_of(self.protocol, cell.group, session)
            there = replace(cell, session=session, treatment=treatment)
        self._refuse_texts(own, cell, exposure)
        given = self._log.doses(there, exposure.drug)
        fitted = fit_individual(
            model,
            resolve_doses(given or _planned(self.protocol, exposure), weight_kg=weight),
            *(own[column].to_numpy(float) for column in SAMPLED),
            weight_kg=weight,
            analyte=exposure.analyte,
            residual_sd_proportional=exposure.sample_error,
        )
        if not fitted.converged:
            what, file = "no parameters fit these samples", str(self._samples_file(exposure))
            raise PharmacokineticsError(Problem(what=what, file=file, subject=cell.subject))
        return fitted.individual, (*self._log.files(there), self._samples_file(exposure))

    def _refuse_texts(self, own: pd.DataFrame, cell: Cell, exposure: Exposure) -> None:
        problems = [
            Problem(
                what="a measured concentration or its time is no number",
                file=str(self._samples_file(exposure)),
                subject=cell.subject,
                field=column,
                found=_shown(value),
                expected="a number; leave out the row where there is none",
            )
            for column in SAMPLED
            for value in own[column]
            if not np.isfinite(pd.to_numeric(value, errors="coerce"))
        ]
        if problems:
            raise PharmacokineticsError(*dict.fromkeys(problems))

    def _samples_file(self, exposure: Exposure) -> Path:
        return self.index.root / "phenotype" / f"{exposure.samples}.tsv"

    def _samples(self, cell: Cell, exposure: Exposure) -> tuple[str | None, pd.DataFrame]:
        # A participant's samples, of one session, and that session where it is named.
        file = str(self._samples_file(exposure))
        table = self.index.phenotype.get(exposure.samples or "")
        needed = ("subject", *SAMPLED)
        if table is None or not set(needed) <= set(table.columns):
            raise PharmacokineticsError(
                Problem(
                    what="the measured concentrations cannot be read",
                    file=file,
                    found="no such file" if table is None else ", ".join(table.columns),
                    expected="columns participant_id, time_min, concentration_ng_ml",
                )
            )
        own = table[table["subject"] == cell.subject]
        if "session" not in own or own.empty:
            return None, own
        unknown = sorted(set(map(str, own["session"])) - set(self.protocol.sessions))
        sessions = [
            name
            for name in dict.fromkeys(own["session"])
            if name in self.protocol.sessions and self._is_given(exposure.drug, cell.group, name)
        ]
        if unknown or (len(sessions) > 1 and cell.session not in sessions):
            raise PharmacokineticsError(
                Problem(
                    what="nobody says which of the samples tell of this participant",
                    file=file,
                    subject=cell.subject,
                    field="session_id",
                    found=", ".join(unknown or sessions),
                    expected=f"one session of the protocol in which {exposure.drug} is given",
                )
            )
        # Of people who never got the drug there is nothing to fit.
        chosen = cell.session if cell.session in sessions else next(iter(sessions), None)
        return chosen, own[own["session"] == chosen]

    def _is_given(self, drug: str, group: str | None, session: str) -> bool:
        treatment = self.protocol.treatments.get(treatment_of(self.protocol, group, session) or "")
        return treatment is not None and any(dose.drug == drug for dose in treatment.doses)


def _middles(n_volumes: int, t_r: float) -> Float[np.ndarray, " n"]:
    """Give the middles of volumes in minutes from the first one's start."""
    return (np.arange(n_volumes) + 0.5) * t_r / 60.0


def _typical(
    protocol: Protocol, exposure: Exposure, minutes: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give the concentration in a person of the model's own weight, after the planned doses."""
    model = drug_model(protocol, exposure)
    doses = resolve_doses(_planned(protocol, exposure), weight_kg=model.reference_weight_kg)
    return concentration(
        model,
        doses,
        minutes,
        weight_kg=model.reference_weight_kg,
        ke0_per_min=exposure.ke0_per_min,
        analyte=exposure.analyte,
    )


def _needs_weight(model: CompartmentModel, doses: Sequence[Dose]) -> bool:
    scales = any(parameter.weight_exponent for parameter in model.parameters)
    return scales or any("/kg" in dose.unit for dose in doses)


def _placed(problem: Problem, cell: Cell, name: str) -> Problem:
    place = f"exposures.{name}" + (f": {problem.field}" if problem.field else "")
    return replace(problem, subject=cell.subject, session=cell.session, field=place)


def _shown(value: object) -> str:
    return "n/a" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def drug_model(protocol: Protocol, exposure: Exposure) -> CompartmentModel:
    """Find the drug model of an exposure, built-in or the protocol's own.

    Parameters
    ----------
    protocol : Protocol
    exposure : Exposure

    Returns
    -------
    CompartmentModel
    """
    own = protocol.compartments.get(exposure.model)
    if own is None:
        return find_model(exposure.model)
    volumes = [f"V{i + 1}" for i in range(len(own.volumes_l))]
    clearances = ["CL", *(f"Q{i + 2}" for i in range(len(own.volumes_l) - 1))]
    exponents: Mapping[str, float] = {
        **dict.fromkeys(volumes, own.volume_exponent),
        **dict.fromkeys(clearances, own.clearance_exponent),
    }
    absorption = (
        None
        if own.absorption_per_h is None
        else Absorption(
            ka_per_h=own.absorption_per_h,
            bioavailability=own.bioavailability,
            lag_min=own.lag_min,
        )
    )
    model = make_model(
        name=exposure.model,
        drug=exposure.drug,
        site=own.site,
        volumes_l=own.volumes_l,
        clearances_l_per_h=own.clearances_l_per_h,
        absorption=absorption,
        weight_exponents=exponents,
    )
    return replace(model, reference_weight_kg=own.reference_weight_kg)


def _planned(protocol: Protocol, exposure: Exposure) -> tuple[Dose, ...]:
    return tuple(
        Dose(
            route=dose.route,
            amount=dose.amount if dose.amount is not None else dose.rate or 0.0,
            unit=dose.unit,
            start_min=dose.start_min,
            duration_min=dose.duration_min,
        )
        for dose in protocol.treatments[exposure.treatment].doses
        if dose.drug == exposure.drug
    )
