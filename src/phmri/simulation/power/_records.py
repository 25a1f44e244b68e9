"""What is planned with, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from phmri.exceptions import Problem, SimulationError
from phmri.simulation.power._compare import DesignComparison
from phmri.simulation.power._effects import EffectSize
from phmri.simulation.power._trials import Effort, SimulatedPower

__all__ = [
    "Curve",
    "Need",
    "Pairing",
    "PowerPlan",
    "PowerRow",
    "PowerStudy",
    "Topic",
    "TopicPower",
    "spread_of_correlations",
]

LARGEST_ALPHA = 0.5
SPREAD = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlan:
    """What the power of a protocol is asked for.

    Parameters
    ----------
    effects : tuple of float, default ()
        Standardised differences within a person, above 0, in place of the published ones.
    sizes : tuple of int, default ()
        Participants per arm, or in a whole crossover; a usual range when left out.
    target : float, default 0.8
        Power to reach.
    alpha : float or None
        Error rate in place of the protocol's.
    correlation : float or None
        Of two sessions of one person, where no pilot tells; 0.5 when left out.
    missing : float, default 0
        Share of scans lost at random.
    margin : float or None
        Largest effect that counts as none, in standard deviations between people.
    n_tests : int or None
        Effective independent tests of a map, in place of a simulated image.
    simulated : bool, default True
        Whether anything is simulated beside the closed forms.
    effort : Effort
        How much is simulated.

    Raises
    ------
    SimulationError
        When a number is out of range; all at once.
    """

    effects: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    target: float = 0.8
    alpha: float | None = None
    correlation: float | None = None
    missing: float = 0.0
    margin: float | None = None
    n_tests: int | None = None
    simulated: bool = True
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        finite = (*self.effects, *((self.margin,) if self.margin is not None else ()))
        known = 0.5 if self.correlation is None else self.correlation
        alpha = 0.05 if self.alpha is None else self.alpha
        rules = {
            "effect": (all(0 < one < np.inf for one in finite), "above 0, the margin too"),
            "n": (all(one >= 4 for one in self.sizes), "4 or more"),  # noqa: PLR2004
            "power": (alpha < self.target < 1, "above alpha and below 1"),
            "alpha": (0 < alpha < LARGEST_ALPHA, "above 0 and below 0.5"),
            "correlation": (0 <= known < 1, "from 0 to below 1"),
            "missing": (0 <= self.missing < 1, "from 0 to below 1"),
            "tests": (self.n_tests is None or self.n_tests >= 1, "1 or more"),
        }
        values = {
            "effect": finite,
            "n": self.sizes,
            "power": self.target,
            "alpha": self.alpha,
            "correlation": self.correlation,
            "missing": self.missing,
            "tests": self.n_tests,
        }
        problems = [
            Problem(what="out of range", field=name, found=str(values[name]), expected=words)
            for name, (right, words) in rules.items()
            if not right
        ]
        if problems:
            raise SimulationError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing that may be found, as functions of size and effect.

    Parameters
    ----------
    names : tuple of str
        Questions or associations that share it.
    about : str
        What is found.
    unit : str
        What n counts: ``per arm`` or ``in all``.
    design : str
        Trial and estimator in words.
    sizes : tuple of EffectSize
        Effects to plan with; of associations correlations.
    source : str
        What the effects are of, and what must be known of them.
    alpha : float
        Error rate.
    alternative : str
        Of the test.
    correlations : tuple of float
        Of two sessions of one person: the one planned with first, then others to show what hangs
        on it; one where nothing does.
    planned : int or None
        What the protocol plans, as n counts.
    ns : tuple of int
        Sizes of the table.
    simulated_ns : tuple of int
        Those of them that are simulated.
    least, step : int
        Trials considered: ``least`` and so many more.
    participants : callable
        n -> participants in the whole trial.
    strength : callable
        (n, effect) -> true effect over its standard error.
    worthwhile : callable
        (n, effect) -> whether simulating it tells more than 0 or 1.
    closed : callable or None
        (n, effect, correlation) -> power, by a closed form.
    simulate : callable or None
        (n, effect, key) -> power, by simulation.
    doubt : str
        Why the closed form is not exact.
    notes : tuple of str
        What must be known besides.
    assumed : bool
        Whether the correlation is neither given nor measured.
    """

    names: tuple[str, ...]
    about: str
    unit: str
    design: str
    sizes: tuple[EffectSize, ...]
    source: str
    alpha: float
    alternative: str
    correlations: tuple[float, ...]
    planned: int | None
    ns: tuple[int, ...]
    simulated_ns: tuple[int, ...]
    least: int
    step: int
    participants: Callable[[int], int]
    strength: Callable[[int, float], float]
    worthwhile: Callable[[int, float], bool]
    closed: Callable[[int, float, float], float] | None
    simulate: Callable[[int, float, tuple[int, ...]], SimulatedPower] | None
    doubt: str = ""
    notes: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def correlation(self) -> float:  # numpydoc ignore=RT01
        """The correlation that is planned with."""
        return self.correlations[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerRow:
    """Power of one size of trial for one size of effect.

    Parameters
    ----------
    size : str
        Of the effect, in words.
    effect : float
        As `EffectSize` gives it.
    n, n_participants : int
        As the topic counts, and all participants.
    closed : float or None
        By the closed form.
    simulated : SimulatedPower or None
        By simulation.
    """

    size: str
    effect: float
    n: int
    n_participants: int
    closed: float | None
    simulated: SimulatedPower | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many participants reach the power.

    Parameters
    ----------
    size : str
        Of the effect, in words.
    effect : float
        As `EffectSize` gives it.
    correlation : float
        Of two sessions of one person.
    n, n_participants : int or None
        As the topic counts, and all participants; None where no trial of a million does.
    basis : str
        ``closed form`` or ``simulated``.
    """

    size: str
    effect: float
    correlation: float
    n: int | None
    n_participants: int | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Power over the size of the trial.

    Parameters
    ----------
    size : str
        Of the effect, in words.
    effect : float
        As `EffectSize` gives it.
    n : tuple of int
        Sizes.
    power : tuple of float
        One per size.
    """

    size: str
    effect: float
    n: tuple[int, ...]
    power: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPower:
    """A topic with its power.

    Parameters
    ----------
    topic : Topic
    rows : tuple of PowerRow
    needs : tuple of Need
        At the topic's correlation first, then at others.
    curves : tuple of Curve
    """

    topic: Topic
    rows: tuple[PowerRow, ...]
    needs: tuple[Need, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """A parallel trial with a baseline beside a crossover, for the same effect.

    Parameters
    ----------
    measure : str
        Kind of measure.
    size : EffectSize
    correlation : float
        Of two sessions of one person.
    n_treatments : int
        Arms of the one, periods of the other.
    alpha : float
    need : DesignComparison or None
        None where no trial of a million reaches the power.
    participants : tuple of int
        In all.
    parallel, crossover : tuple of float
        Power with so many.
    """

    measure: str
    size: EffectSize
    correlation: float
    n_treatments: int
    alpha: float
    need: DesignComparison | None
    participants: tuple[int, ...]
    parallel: tuple[float, ...]
    crossover: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStudy:
    """The power of everything that a protocol asks.

    Parameters
    ----------
    name, title : str
        Of the protocol.
    design : str
        In words.
    plan : PowerPlan
    topics : tuple of TopicPower
    pairings : tuple of Pairing
    refused : dict of str to str
        Question -> why it has no power.
    pilot : tuple of str
        What a pilot was read for, in sentences.
    """

    name: str
    title: str
    design: str
    plan: PowerPlan
    topics: tuple[TopicPower, ...]
    pairings: tuple[Pairing, ...]
    refused: dict[str, str]
    pilot: tuple[str, ...]


def spread_of_correlations(known: float) -> tuple[float, ...]:
    """Give correlations to show what hangs on them.

    Parameters
    ----------
    known : float
        The one that is planned with.

    Returns
    -------
    tuple of float
        It first, then 0.3, 0.5 and 0.7.
    """
    return (known, *(one for one in SPREAD if one != known))
