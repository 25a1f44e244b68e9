"""Verdicts on a blockade as functions of size and effect."""

from collections.abc import Iterator
from dataclasses import replace

from phmri.protocol import Protocol
from phmri.simulation.power._asked import Asked
from phmri.simulation.power._blockade import BlockadePower, blockade_power
from phmri.simulation.power._cases import case_of, sign_of
from phmri.simulation.power._effects import between
from phmri.simulation.power._expected import expect
from phmri.simulation.power._pilot import Pilot
from phmri.simulation.power._records import PowerPlan, Topic
from phmri.simulation.power._scalar import simulate_blockade
from phmri.simulation.power._trials import SimulatedPower

__all__ = ["blockade_topics"]

HALF = 0.5
ATTENUATIONS = ((HALF, "half"), (1.0, "full"))
WIDE = (
    "Where the margin is wider than what is left or gone, the verdict is undecided or that none "
    "is left or gone, and power falls as the trial grows."
)


def blockade_topics(
    base: Topic, protocol: Protocol, plan: PowerPlan, pilot: Pilot | None, asked: Asked
) -> Iterator[Topic]:
    """List what may be said of a blockade.

    Parameters
    ----------
    base : Topic
        Of the questions, without a finding.
    protocol : Protocol
    plan : PowerPlan
    pilot : Pilot or None
    asked : Asked
        Questions about one blockade.

    Yields
    ------
    Topic
        Half and full blockade found at least in part; with a margin full blockade found to be
        full, and none found to be none.
    """
    margin, notes = _margin(plan, pilot, asked)
    found: list[tuple[str, float, tuple[str, ...]]] = [
        (f"{word} blockade found at least in part", share, ("blocked", "partly blocked"))
        for share, word in ATTENUATIONS
    ]
    if margin is not None:
        found += [
            ("full blockade found to be full", 1.0, ("blocked",)),
            ("no blockade found to be none", 0.0, ("not blocked",)),
        ]
    for about, attenuation, verdicts in found:
        topic = _verdict_topic(base, protocol, plan, asked, margin, attenuation, verdicts)
        # What hangs on the correlation is shown once.
        rhos = topic.correlations if attenuation == HALF else topic.correlations[:1]
        yield replace(topic, about=about, correlations=rhos, notes=(*topic.notes, *notes))


def _margin(
    plan: PowerPlan, pilot: Pilot | None, asked: Asked
) -> tuple[float | None, tuple[str, ...]]:
    """Give the margin in standard deviations between people."""
    declared = None if asked.question.blockade is None else asked.question.blockade.margin
    place = "For one place chosen beforehand; verdicts of a map are pointwise."
    if plan.margin is not None:
        return plan.margin, (place, WIDE)
    known = None if pilot is None else pilot.outcomes.get(asked.outcome)
    if declared is not None and known is not None:
        margin = declared / known.sd
        return margin, (
            place,
            WIDE,
            f"Margin {declared:g} {known.unit} = {margin:.2f} SD of the pilot.",
        )
    if declared is not None:
        words = (
            f"The margin of {declared:g} has no meaning here without a standard deviation: give "
            "--pilot, or --margin in SD. 'Blocked' and 'not blocked' are left out."
        )
        return None, (place, words)
    words = "Without a margin neither 'blocked' nor 'not blocked' is ever said: give --margin."
    return None, (place, words)


def _verdict_topic(
    base: Topic,
    protocol: Protocol,
    plan: PowerPlan,
    asked: Asked,
    margin: float | None,
    attenuation: float,
    verdicts: tuple[str, ...],
) -> Topic:
    rho, sign = base.correlation, sign_of(asked.question.alternative)
    blockade = asked.question.blockade
    factorial = blockade is not None and blockade.pretreated_reference is not None
    apart = blockade is not None and blockade.reference_drug is not None
    simulated_only = factorial or apart

    def closed(n: int, effect: float, correlation: float) -> float:
        case = case_of(protocol, plan, asked, n, correlation)
        power: BlockadePower = blockade_power(
            sign * between(effect, correlation),
            attenuation,
            expect(case).precision,
            margin=margin,
            alpha=asked.alpha,
            alternative=asked.question.alternative,
        )
        return float(sum(getattr(power, verdict.replace(" ", "_")) for verdict in verdicts))

    def simulate(n: int, effect: float, key: tuple[int, ...]) -> SimulatedPower:
        case = case_of(protocol, plan, asked, n, rho)
        found = simulate_blockade(
            case,
            sign * between(effect, rho),
            attenuation,
            plan.effort,
            margin=margin,
            alpha=asked.alpha,
            key=key,
        )
        return SimulatedPower(
            n_found=sum(found[verdict].n_found for verdict in verdicts),
            n_trials=plan.effort.n_trials,
        )

    own = "The pretreatment alone is the reference: simulated only."
    if apart:
        own = "The drug's effect is of other people: simulated only."
    return replace(
        base,
        closed=None if simulated_only else closed,
        simulate=simulate,
        correlations=base.correlations[:1] if simulated_only else base.correlations,
        notes=(*base.notes, own) if simulated_only else base.notes,
    )
