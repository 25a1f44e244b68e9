"""From what a protocol asks to functions of size and effect."""

import math
from collections.abc import Iterator
from dataclasses import replace

from phmri.exceptions import SimulationError
from phmri.group import ORDERED
from phmri.protocol import Parallel, Protocol, Question
from phmri.simulation.power._asked import (
    Asked,
    AskedAssociation,
    ask_associations,
    ask_questions,
)
from phmri.simulation.power._blockade_topics import blockade_topics
from phmri.simulation.power._cases import case_of, sign_of
from phmri.simulation.power._correlation import correlation_power, simulate_association
from phmri.simulation.power._effects import EffectSize, between, chosen_sizes
from phmri.simulation.power._expected import count_participants, expect, least_n, step_n
from phmri.simulation.power._maps import Independent, SmoothImage, simulate_map
from phmri.simulation.power._pilot import Pilot
from phmri.simulation.power._power import equivalence_power, t_power
from phmri.simulation.power._records import PowerPlan, Topic, spread_of_correlations
from phmri.simulation.power._scalar import (
    Case,
    simulate_equivalence,
    simulate_question,
)
from phmri.simulation.power._tested import Noise
from phmri.simulation.power._trials import SimulatedPower

__all__ = ["list_topics", "planned_correlation"]

USUAL_CORRELATION = 0.5
PER_ARM = (10, 15, 20, 25, 30, 40, 50, 75, 100)
IN_ALL = (12, 18, 24, 30, 36, 48, 60, 84, 120)
N_SIMULATED = 5
MAP_SHARE = 20
"""Trials of one number for each trial of a map, which takes as much longer."""
FEWEST_MAPS = 20
MAP_SHUFFLINGS = 150
TELLING = (0.03, 0.97)
"""Power, roughly guessed, between which simulating a map tells something."""
N_PARCELS = 400
MANY = 1_000_000
"""Participants enough for any share of lost scans."""
_ONLY_SIMULATED = "there is no closed form, and nothing was to be simulated"


def planned_correlation(plan: PowerPlan) -> float:
    """Give the correlation of two sessions where no pilot tells.

    Parameters
    ----------
    plan : PowerPlan

    Returns
    -------
    float
    """
    return USUAL_CORRELATION if plan.correlation is None else plan.correlation


def list_topics(
    protocol: Protocol, plan: PowerPlan, pilot: Pilot | None
) -> tuple[tuple[Topic, ...], dict[str, str]]:
    """List what may be found by the questions and associations of a protocol.

    Parameters
    ----------
    protocol : Protocol
    plan : PowerPlan
    pilot : Pilot or None

    Returns
    -------
    topics : tuple of Topic
    refused : dict of str to str
        Question -> why it has no power.
    """
    apart = frozenset() if pilot is None else frozenset(pilot.outcomes)
    asked, refused = ask_questions(protocol, plan.alpha, apart=apart)
    topics: list[Topic] = []
    for one in asked:
        base = _base(protocol, plan, pilot, one)
        if one.kind == "blockade":
            topics += blockade_topics(base, protocol, plan, pilot, one)
        elif one.kind == "map":
            topics.append(_map_topic(base, protocol, plan, one))
        else:
            topics += _scalar_topics(base, protocol, plan, one)
    topics += [
        _association_topic(plan, protocol, one) for one in ask_associations(protocol, plan.alpha)
    ]
    if not plan.simulated:
        for topic in topics:
            if topic.closed is None:
                refused |= dict.fromkeys(topic.names, _ONLY_SIMULATED)
        topics = [replace(topic, simulate=None) for topic in topics if topic.closed is not None]
    return tuple(topics), refused


def _base(protocol: Protocol, plan: PowerPlan, pilot: Pilot | None, asked: Asked) -> Topic:
    """Make a topic of which only the finding is missing."""
    case = Case(question=asked.question, design=protocol.design, n=4)
    parallel = isinstance(protocol.design, Parallel)
    step = step_n(case)
    usual = PER_ARM if parallel else IN_ALL
    known = None if pilot is None else pilot.correlation_of(asked.question)
    rho = planned_correlation(plan)
    notes: tuple[str, ...] = ()
    if known is not None and plan.correlation is None:
        rho = round(known, 3)
        notes = (f"Correlation of two sessions from the pilot: {known:.2f}.",)
    ns = sorted({max(step * math.ceil(n / step), 4) for n in plan.sizes or usual})
    if asked.planned is not None and not plan.sizes:
        ns = sorted({*ns, asked.planned})
    sizes = _sizes(asked, plan, pilot, rho)
    if asked.question.estimator in {"mmrm", "mixed"} and asked.question.baseline is not None:
        notes = (*notes, "Simulated with the baseline as an outcome of one mean in all arms.")
    if asked.question.estimator in ORDERED:
        notes = (*notes, "Not simulated; scores are taken to be normal.")
    if asked.question.persistence is not None:
        notes = (*notes, "Of the effect at the later session; a ratio needs many more people.")
    return Topic(
        names=asked.names,
        about="difference",
        unit="per arm" if parallel else "in all",
        design=_words(asked.question, protocol),
        sizes=sizes,
        source=f"{asked.regime.name}. {asked.regime.caveat}" if not plan.effects else "by hand",
        alpha=asked.alpha,
        alternative=asked.question.alternative,
        correlations=spread_of_correlations(rho),
        planned=asked.planned,
        ns=tuple(ns),
        simulated_ns=_spread(tuple(ns)),
        least=max(least_n(case), step * math.ceil(4 / step)),
        step=step,
        participants=lambda n: count_participants(replace(case, n=n)),
        strength=lambda n, effect: (
            between(effect, rho) / expect(case_of(protocol, plan, asked, n, rho)).precision.se
        ),
        worthwhile=lambda _n, _effect: True,
        closed=None,
        simulate=None,
        doubt=expect(replace(case, n=MANY * step, noise=Noise(missing=plan.missing))).doubt,
        notes=(*asked.notes, *notes),
        assumed=known is None and plan.correlation is None,
    )


def _words(question: Question, protocol: Protocol) -> str:
    design = protocol.design
    kind = f"{len(design.arms)} parallel arms" if isinstance(design, Parallel) else "crossover"
    errors = "" if question.errors == "model" else f", errors {question.errors}"
    return f"{kind}, {question.estimator}{errors}"


def _sizes(
    asked: Asked, plan: PowerPlan, pilot: Pilot | None, rho: float
) -> tuple[EffectSize, ...]:
    sizes = chosen_sizes(asked.regime, plan.effects)
    own = [] if pilot is None else [pilot.effects[n] for n in asked.names if n in pilot.effects]
    # The effect of a question about blockade is what pretreatment took away, not the drug's.
    if not own or plan.effects or asked.kind == "blockade":
        return sizes
    value = round(min(own) * _to_within(asked, rho), 4)
    least = EffectSize(label="pilot", value=value, source="lower 80 % limit of the pilot's")
    return (*sizes, least)


def _to_within(asked: Asked, rho: float) -> float:
    """Give what turns an estimator's standardised effect into dz.

    Models of all sessions divide by the standard deviation between people, less what a baseline
    among their covariates explains.
    """
    of_people = 1 / math.sqrt(2 * (1 - rho))
    adjusted = of_people * math.sqrt(1 - rho**2)
    question = asked.question
    if not isinstance(question.session, str):
        return of_people if question.estimator == "mixed" else 1.0
    has_covariate = question.baseline is not None and asked.kind != "map"
    scales = {"change": 1.0, "ancova": adjusted, "mmrm": adjusted}
    scales |= {"mixed": adjusted if has_covariate else of_people}
    return scales.get(question.estimator, of_people)


def _scalar_topics(
    base: Topic, protocol: Protocol, plan: PowerPlan, asked: Asked
) -> Iterator[Topic]:
    sign, rho = sign_of(asked.question.alternative), base.correlation

    def closed(n: int, effect: float, correlation: float) -> float:
        case = case_of(protocol, plan, asked, n, correlation)
        return t_power(
            sign * between(effect, correlation),
            expect(case).precision,
            alpha=asked.alpha,
            alternative=asked.question.alternative,
        )

    def simulate(n: int, effect: float, key: tuple[int, ...]) -> SimulatedPower:
        case = case_of(protocol, plan, asked, n, rho)
        planted = sign * between(effect, rho)
        return simulate_question(
            case, planted, asked.settings, plan.effort, alpha=asked.alpha, key=key
        ).as_asked

    ordered = asked.question.estimator in ORDERED
    yield replace(base, closed=closed, simulate=None if ordered else simulate)
    if plan.margin is None or ordered:
        return
    margin = plan.margin

    def closed_within(n: int, effect: float, correlation: float) -> float:
        case = case_of(protocol, plan, asked, n, correlation)
        return equivalence_power(
            effect, expect(case).precision, (-margin, margin), alpha=asked.alpha
        )

    def simulate_within(n: int, effect: float, key: tuple[int, ...]) -> SimulatedPower:
        case = case_of(protocol, plan, asked, n, rho)
        return simulate_equivalence(case, effect, margin, plan.effort, alpha=asked.alpha, key=key)

    yield replace(
        base,
        about=f"equivalence within {margin:g} SD",
        sizes=(EffectSize(label="no effect", value=0.0, source="the truth that is planned for"),),
        source="equivalence: no true effect.",
        closed=closed_within,
        simulate=simulate_within,
    )


def _map_topic(base: Topic, protocol: Protocol, plan: PowerPlan, asked: Asked) -> Topic:
    rho, sign = base.correlation, sign_of(asked.question.alternative)
    searched: SmoothImage | Independent = SmoothImage()
    if plan.n_tests is not None or asked.parcels:
        searched = Independent(n_outcomes=plan.n_tests or N_PARCELS)
    effort = replace(plan.effort, n_trials=max(plan.effort.n_trials // MAP_SHARE, FEWEST_MAPS))
    effort = replace(effort, n_permutations=min(plan.effort.n_permutations, MAP_SHUFFLINGS))

    def worthwhile(n: int, effect: float) -> bool:
        case = case_of(protocol, plan, asked, n, rho)
        try:
            precision = expect(case).precision
        except SimulationError:  # too few to estimate a variance
            return False
        # A guess: one place, as many independent tests as there are resolution elements.
        guess = t_power(between(effect, rho), precision, alpha=asked.alpha / searched.n_resels)
        return TELLING[0] < guess < TELLING[1]

    def simulate(n: int, effect: float, key: tuple[int, ...]) -> SimulatedPower:
        case = case_of(protocol, plan, asked, n, rho)
        planted = sign * between(effect, rho)
        return simulate_map(
            case, planted, asked.settings, searched, effort, alpha=asked.alpha, key=key
        )

    return replace(
        base,
        about="one of many outcomes",
        simulated_ns=base.ns,
        worthwhile=worthwhile,
        correlations=(rho,),
        simulate=simulate,
        doubt="",
        notes=(
            *base.notes,
            (
                f"By simulation: {searched.words}, method {asked.settings.method}, "
                f"{effort.n_trials} trials each where power is neither 0 nor 1. A probit of "
                "effect over standard error through all of them gives curve and need."
            ),
        ),
    )


def _spread(ns: tuple[int, ...]) -> tuple[int, ...]:
    """Choose a few sizes from the smallest to the largest."""
    if len(ns) <= N_SIMULATED:
        return ns
    places = [round(k * (len(ns) - 1) / (N_SIMULATED - 1)) for k in range(N_SIMULATED)]
    return tuple(ns[place] for place in places)


def _association_topic(plan: PowerPlan, protocol: Protocol, asked: AskedAssociation) -> Topic:
    item, groups = asked.association, asked.n_groups
    sign = sign_of(item.alternative)
    arms = groups if isinstance(protocol.design, Parallel) else 1
    usual = plan.sizes or (PER_ARM if arms > 1 else IN_ALL)
    ns = sorted({arms * n for n in usual} | ({asked.planned} if asked.planned else set()))

    needed = 1 if item.contrast is None and item.baseline is None else 2

    def at_hand(n: int) -> int:
        return math.floor(n * (1 - plan.missing) ** needed + 1e-9)

    def closed(n: int, effect: float, correlation: float) -> float:
        return correlation_power(
            sign * effect,
            at_hand(n),
            n_groups=groups,
            alpha=asked.alpha,
            alternative=item.alternative,
        )

    def simulate(n: int, effect: float, key: tuple[int, ...]) -> SimulatedPower:
        return simulate_association(
            sign * effect,
            at_hand(n),
            asked.settings,
            plan.effort,
            method=item.method,
            n_groups=groups,
            alpha=asked.alpha,
            alternative=item.alternative,
            key=key,
        )

    return Topic(
        names=asked.names,
        about="correlation",
        unit="in all",
        design=f"{item.method} over {groups} group{'s' if groups > 1 else ''}",
        sizes=asked.regime.sizes,
        source=f"{asked.regime.name}. {asked.regime.caveat}",
        alpha=asked.alpha,
        alternative=item.alternative,
        correlations=(0.0,),
        planned=asked.planned,
        ns=tuple(ns),
        simulated_ns=_spread(tuple(ns)),
        least=groups + 5,
        step=1,
        participants=lambda n: n,
        strength=lambda n, effect: math.atanh(effect) * math.sqrt(n),
        worthwhile=lambda _n, _effect: True,
        closed=closed,
        simulate=simulate,
        doubt="ranks find a little less than values" if item.method == "spearman" else "",
        notes=asked.notes,
    )
