"""Who is scanned when, and what each run carries: a protocol and a truth, drawn once."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem, SimulationError
from phmri.pharmacokinetics import Dose, concentration, find_model, resolve_doses
from phmri.protocol import Crossover, GammaVariate, Protocol, Ramp, Step, treatment_of
from phmri.simulation._real_runs import LABEL
from phmri.simulation._truth import (
    Coupling,
    Curve,
    Effect,
    Movement,
    Physiology,
    Response,
    Truth,
)

__all__ = ["Person", "PlannedEffect", "PlannedRun", "TrialPlan", "make_plan", "sizes_in_words"]

_LIGHTEST_KG, _HEAVIEST_KG = 50.0, 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One participant.

    Parameters
    ----------
    label : str
        BIDS label.
    index : int
        Place in the trial.
    group : str
        Arm or sequence.
    weight_kg : float
        Body weight.
    sizes : dict of str to float
        Effect -> its size in this person.
    scores : dict of str to float
        Effect -> that size in standard deviations from the mean of all people.
    """

    label: str
    index: int
    group: str
    weight_kg: float
    sizes: dict[str, float]
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEffect:
    """An effect in one run.

    Parameters
    ----------
    name : str
        Its key in the truth.
    size : float
        The person's size times the treatment's share.
    curve : ndarray of shape (n_volumes,) or None
        Of what follows the infusion.
    """

    name: str
    size: float
    curve: Float[np.ndarray, " n_volumes"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run.

    Parameters
    ----------
    person : Person
        Who lies in the scanner.
    session, scan, task : str
        When, and which scan of the protocol.
    run : int or None
        BIDS ``run-``.
    treatment : str or None
        None before any.
    key : tuple of int
        Of its random stream.
    n_volumes : int
        Length.
    t_r : float
        Seconds.
    nods : float
        Sudden movements expected.
    effects : tuple of PlannedEffect
        What it carries.
    """

    person: Person
    session: str
    scan: str
    task: str
    run: int | None
    treatment: str | None
    key: tuple[int, int, int]
    n_volumes: int
    t_r: float
    nods: float
    effects: tuple[PlannedEffect, ...]

    @property
    def stem(self) -> str:
        """Give the start of its files' names.

        Returns
        -------
        str
            Up to the entities that a derivative adds.
        """
        run = "" if self.run is None else f"_run-{self.run}"
        return f"sub-{self.person.label}_ses-{self.session}_task-{self.task}_{LABEL}{run}"

    @property
    def folder(self) -> Path:
        """Give its folder below the root.

        Returns
        -------
        Path
            Relative.
        """
        return Path(f"sub-{self.person.label}") / f"ses-{self.session}" / "func"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """A simulated trial before it is written.

    Parameters
    ----------
    protocol : Protocol
        Its design.
    truth : Truth
        What is planted.
    seed : int
        Not negative.
    people : tuple of Person
        In the order of their labels.
    runs : tuple of PlannedRun
        All that are scanned.
    """

    protocol: Protocol
    truth: Truth
    seed: int
    people: tuple[Person, ...]
    runs: tuple[PlannedRun, ...]

    @property
    def visits(self) -> dict[str, list[str]]:
        """Give the sessions of every person, in order.

        Returns
        -------
        dict of str to list of str
            Label -> sessions that took place.
        """
        found: dict[str, list[str]] = {person.label: [] for person in self.people}
        for run in self.runs:
            if run.session not in found[run.person.label]:
                found[run.person.label].append(run.session)
        return found


def make_plan(protocol: Protocol, truth: Truth, seed: int) -> TrialPlan:
    """Randomise people and draw the size of every effect in them.

    Parameters
    ----------
    protocol : Protocol
        Design, sessions, scans, doses.
    truth : Truth
        Checked against it.
    seed : int
        Not negative.

    Returns
    -------
    TrialPlan
        Before any image is made.

    Raises
    ------
    SimulationError
        A curve is 0 all through a run that should carry it.
    """
    people = _people(protocol, truth, seed)
    problems: list[Problem] = []
    lost = _lost_visits(protocol, truth, seed, len(people))
    runs = []
    places = product(people, enumerate(protocol.sessions), enumerate(protocol.scans.items()))
    curves: dict[tuple[str, str, str], Float[np.ndarray, " n"]] = {}
    for person, (i, session), (t, (name, scan)) in places:
        if (scan.sessions is not None and session not in scan.sessions) or lost[person.index, i]:
            continue
        treatment = treatment_of(protocol, person.group, session)
        effects = []
        for key, effect in truth.effects.items():
            share = effect.treatments.get(treatment or "", 0.0)
            elsewhere = effect.sessions is not None and session not in effect.sessions
            if effect.scan != name or not share or elsewhere:
                continue
            curve = None
            if isinstance(effect, Response | Physiology | Movement):
                place = (key, session, treatment or "")
                if place not in curves:
                    times = _minutes(protocol, truth, name, session)
                    curves[place] = _curve(protocol, effect.curve, times)
                    if not curves[place].any():
                        problems.append(_empty(key, session, times))
                curve = curves[place]
            effects.append(
                PlannedEffect(name=key, size=share * person.sizes[key], curve=curve)
            )  # fmt: skip
        length = truth.scans[name]
        runs.append(
            PlannedRun(
                person=person,
                session=session,
                scan=name,
                task=scan.task,
                run=scan.run,
                treatment=treatment,
                key=(person.index, i, t),
                n_volumes=length.n_volumes,
                t_r=length.t_r,
                nods=truth.motion.by_treatment.get(treatment or "", truth.motion.nods),
                effects=tuple(effects),
            )
        )
    if problems:
        raise SimulationError(*dict.fromkeys(problems))
    return TrialPlan(
        protocol=protocol, truth=truth, seed=seed, people=people, runs=tuple(runs)
    )  # fmt: skip


def _empty(effect: str, session: str, minutes: Float[np.ndarray, " n"]) -> Problem:
    return Problem(
        what="the curve is 0 all through a run that should carry it",
        field=f"effects.{effect}.curve",
        session=session,
        found=f"a run from minute {minutes[0]:.3g} to {minutes[-1]:.3g}",
        expected="a curve that rises within the run, or other sessions",
    )


def _people(protocol: Protocol, truth: Truth, seed: int) -> tuple[Person, ...]:
    design = protocol.design
    planned = design.sequences if isinstance(design, Crossover) else design.arms
    counts = truth.participants or {name: group.n_planned or 0 for name, group in planned.items()}
    groups = np.repeat(list(counts), list(counts.values()))
    np.random.default_rng(np.random.SeedSequence(seed)).shuffle(groups)
    width = max(2, len(str(groups.size)))
    weights = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 1)))
    kilograms = np.clip(weights.normal(75.0, 10.0, groups.size), _LIGHTEST_KG, _HEAVIEST_KG)
    people = []
    for index, group in enumerate(groups.tolist()):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        scores = {name: float(rng.standard_normal()) for name in truth.effects}
        sizes = {}
        for name, effect in truth.effects.items():
            mean, spread = _size(effect)
            sizes[name] = mean + spread * scores[name]
        people.append(
            Person(
                label=f"{index + 1:0{width}d}",
                index=index,
                group=str(group),
                weight_kg=round(float(kilograms[index]), 1),
                sizes=sizes,
                scores=scores,
            )
        )
    return tuple(people)


def _size(effect: Effect) -> tuple[float, float]:
    """Give the mean size of an effect, and its standard deviation between people."""
    if isinstance(effect, Coupling):
        return effect.gain, effect.gain_sd
    if isinstance(effect, Movement):
        return effect.mm, effect.mm_sd
    return effect.percent, effect.percent_sd


def _lost_visits(protocol: Protocol, truth: Truth, seed: int, n_people: int) -> np.ndarray:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 2)))
    lost = rng.random((n_people, len(protocol.sessions))) < truth.missing.session
    lost[:, 0] = False
    return np.asarray(lost)


def _minutes(
    protocol: Protocol, truth: Truth, scan: str, session: str
) -> Float[np.ndarray, " n_volumes"]:
    length = truth.scans[scan]
    middles = (np.arange(length.n_volumes) + 0.5) * length.t_r / 60.0
    return np.asarray(protocol.scans[scan].start_min.get(session, 0.0) + middles)


def _curve(
    protocol: Protocol, curve: Curve, minutes: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    if isinstance(curve, Step):
        return np.asarray((minutes >= curve.onset_min).astype(np.float64))
    if isinstance(curve, Ramp):
        rise = (minutes - curve.onset_min) / (curve.end_min - curve.onset_min)
        return np.asarray(np.clip(rise, 0.0, 1.0))
    if isinstance(curve, GammaVariate):
        delay = curve.peak_min - curve.onset_min
        s = np.maximum((minutes - curve.onset_min) / delay, 0.0)
        return np.asarray((s * np.exp(1.0 - s)) ** curve.shape)
    exposure = protocol.exposures[curve.exposure]
    model = find_model(exposure.model)
    weight = model.reference_weight_kg
    planned = [
        Dose(
            route=dose.route,
            amount=dose.amount if dose.amount is not None else dose.rate or 0.0,
            unit=dose.unit,
            start_min=dose.start_min,
            duration_min=dose.duration_min,
        )
        for dose in protocol.treatments[exposure.treatment].doses
        if dose.drug == exposure.drug
    ]
    doses = resolve_doses(planned, weight_kg=weight)
    level = concentration(
        model,
        doses,
        minutes,
        weight_kg=weight,
        ke0_per_min=exposure.ke0_per_min,
        analyte=exposure.analyte,
    )
    return np.asarray(level / level.max() if level.any() else level)


def sizes_in_words(plan: TrialPlan) -> Mapping[str, Mapping[str, float]]:
    """List what was drawn, for the record of the simulation.

    Parameters
    ----------
    plan : TrialPlan
        Of the trial.

    Returns
    -------
    mapping
        Effect -> participant -> size, of people whose runs carry it.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in plan.truth.effects}
    for run in plan.runs:
        for effect in run.effects:
            found[effect.name][f"sub-{run.person.label}"] = round(
                run.person.sizes[effect.name], 4
            )  # fmt: skip
    return found
