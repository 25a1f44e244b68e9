"""The power of a whole protocol: every topic by its closed form and by simulation."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from phmri.exceptions import DesignError, InferenceError, Problem, SimulationError
from phmri.protocol import Parallel, Protocol
from phmri.simulation.power._curve import ProbitCurve, fit_curve
from phmri.simulation.power._effects import EffectSize
from phmri.simulation.power._pairing import pair_designs
from phmri.simulation.power._pilot import Pilot
from phmri.simulation.power._records import (
    Curve,
    Need,
    PowerPlan,
    PowerRow,
    PowerStudy,
    Topic,
    TopicPower,
)
from phmri.simulation.power._sample_size import sample_size
from phmri.simulation.power._topics import list_topics
from phmri.simulation.power._trials import SimulatedPower

__all__ = ["study_power"]

OnProgress = Callable[[str, int, int], None]
POINTS = 16
MOST_POINTS = 8


def study_power(
    protocol: Protocol,
    plan: PowerPlan,
    *,
    pilot: Pilot | None = None,
    on_progress: OnProgress | None = None,
) -> PowerStudy:
    """Give power and sample size of every question and association of a protocol.

    Parameters
    ----------
    protocol : Protocol
    plan : PowerPlan
        Effects, sizes, error rate, and how much is simulated.
    pilot : Pilot, optional
        An earlier run, which tells standard deviations, correlations and effects.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    PowerStudy
        The same for the same seed, whatever the number of threads.

    Raises
    ------
    SimulationError
        Nothing of the protocol has a power that can be told.
    """
    topics, refused = list_topics(protocol, plan, pilot)
    if not topics:
        raise SimulationError(
            *(Problem(what=f"no power: {why}", field=name) for name, why in refused.items())
        )
    total = sum(len(_points(topic)) for topic in topics)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress("Simulating trials", done, total)

    found = []
    for number, topic in enumerate(topics):
        found.append(_study(topic, plan, number, advance))
        if on_progress is not None:
            on_progress("Questions", number + 1, len(topics))
    return PowerStudy(
        name=protocol.name,
        title=protocol.title,
        design=_design_words(protocol),
        plan=plan,
        topics=tuple(found),
        pairings=pair_designs(
            protocol,
            plan,
            {name: topic.correlation for topic in topics for name in topic.names},
        ),
        refused=refused,
        pilot=() if pilot is None else pilot.sentences,
    )


def _design_words(protocol: Protocol) -> str:
    design = protocol.design
    if isinstance(design, Parallel):
        return f"{len(design.arms)} parallel arms"
    count = len(design.sequences)
    periods = max(len(sequence.treatments) for sequence in design.sequences.values())
    return f"crossover of {periods} periods, {count} sequence{'s' if count > 1 else ''}"


def _points(topic: Topic) -> list[tuple[EffectSize, int]]:
    """List what is simulated of a topic."""
    if topic.simulate is None:
        return []
    points = [
        (size, n)
        for size in topic.sizes
        for n in topic.simulated_ns
        if topic.worthwhile(n, size.value)
    ]
    if topic.closed is not None or len(points) <= MOST_POINTS:
        return points
    ranked = sorted(points, key=lambda point: topic.strength(point[1], point[0].value))
    chosen = np.linspace(0, len(ranked) - 1, MOST_POINTS).round().astype(int)
    return [ranked[place] for place in chosen.tolist()]


def _study(topic: Topic, plan: PowerPlan, number: int, advance: Callable[[], None]) -> TopicPower:
    found = _simulate(topic, number, advance)
    curve = None if topic.closed is not None else _fit(topic, found)
    rows, needs, curves = [], [], []
    for size in topic.sizes:
        rows += [
            PowerRow(
                size=size.label,
                effect=size.value,
                n=n,
                n_participants=topic.participants(n),
                closed=_closed(topic, n, size.value, topic.correlation),
                simulated=found.get((size.label, n)),
            )
            for n in topic.ns
        ]
        needs += _needs(topic, size, plan, curve)
        curves += _curves(topic, size, curve)
    return TopicPower(topic=topic, rows=tuple(rows), needs=tuple(needs), curves=tuple(curves))


def _simulate(
    topic: Topic, number: int, advance: Callable[[], None]
) -> dict[tuple[str, int], SimulatedPower]:
    found: dict[tuple[str, int], SimulatedPower] = {}
    for size, n in _points(topic):
        place = topic.sizes.index(size)
        if topic.simulate is not None:
            # So few people that no shuffling reaches alpha, or a design cannot be fitted.
            with suppress(InferenceError, DesignError, SimulationError):
                found[size.label, n] = topic.simulate(n, size.value, (number, place, n))
        advance()
    return found


def _fit(topic: Topic, found: dict[tuple[str, int], SimulatedPower]) -> ProbitCurve | None:
    effects = {size.label: size.value for size in topic.sizes}
    strengths = [topic.strength(n, effects[label]) for label, n in found]
    return fit_curve(np.array(strengths), tuple(found.values()))


def _closed(topic: Topic, n: int, effect: float, correlation: float) -> float | None:
    if topic.closed is None:
        return None
    try:
        return topic.closed(n, effect, correlation)
    except SimulationError:  # too few to estimate a variance
        return None


def _power_of(
    topic: Topic, effect: float, correlation: float, curve: ProbitCurve | None
) -> Callable[[int], float] | None:
    """Give power as a function of n: the closed form, or the curve through simulations."""
    if topic.closed is not None:
        return lambda n: _closed(topic, n, effect, correlation) or 0.0
    return None if curve is None else lambda n: _on_curve(topic, curve, n, effect)


def _on_curve(topic: Topic, curve: ProbitCurve, n: int, effect: float) -> float:
    try:
        return curve.power(topic.strength(n, effect))
    except SimulationError:  # too few to estimate a variance
        return 0.0


def _needs(
    topic: Topic, size: EffectSize, plan: PowerPlan, curve: ProbitCurve | None
) -> list[Need]:
    basis = "simulated" if topic.closed is None else "closed form"
    found = []
    for rho in topic.correlations:
        power_of, n = _power_of(topic, size.value, rho, curve), None
        if power_of is not None:
            # No trial of a million: an effect that a verdict does not wait for, or too wide.
            with suppress(SimulationError):
                n = sample_size(power_of, plan.target, least=topic.least, step=topic.step)
        found.append(_need(topic, size, rho, n, basis))
    return found


def _need(topic: Topic, size: EffectSize, correlation: float, n: int | None, basis: str) -> Need:
    return Need(
        size=size.label,
        effect=size.value,
        correlation=correlation,
        n=n,
        n_participants=None if n is None else topic.participants(n),
        basis=basis,
    )


def _curves(topic: Topic, size: EffectSize, curve: ProbitCurve | None) -> list[Curve]:
    power_of = _power_of(topic, size.value, topic.correlation, curve)
    if power_of is None:
        return []
    most = max(topic.ns[-1], topic.least + 1)
    grid = np.unique(np.linspace(topic.least, most, POINTS).astype(int)).tolist()
    power = tuple(power_of(n) for n in grid)
    return [Curve(size=size.label, effect=size.value, n=tuple(grid), power=power)]
