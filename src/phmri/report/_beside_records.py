"""What stands beside an answer: other denoisings, motion, courses, blockade, populations."""

from dataclasses import dataclass

__all__ = [
    "BesideContent",
    "BlockadeContent",
    "ContrastContent",
    "CourseContent",
    "EffectMeasureContent",
    "NuisanceContent",
    "PersistenceContent",
    "PopulationContent",
    "RatioContent",
    "VariantContent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantContent:
    """The answer that another denoising would have given.

    Parameters
    ----------
    denoising : str
    effect, ci_low, ci_high, pvalue : float or None
        At the outcome that the question's own answer found strongest (uncorrected p): the place
        is not chosen anew. None where this denoising has no data there.
    least_pvalue : float
        Least corrected p of this denoising's own answer.
    n_found, n_outcomes : int
        Outcomes that pass, of those tested.
    """

    denoising: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    pvalue: float | None
    least_pvalue: float
    n_found: int
    n_outcomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NuisanceContent:
    """Whether something of no interest differs as the question asks of its measure.

    Parameters
    ----------
    name : str
        With its unit.
    effect, ci_low, ci_high, pvalue : float
        By the question's own model; uncorrected.
    n : int
        Participants that have it.
    """

    name: str
    effect: float
    ci_low: float
    ci_high: float
    pvalue: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseContent:
    """The course of an infusion response at one place.

    Parameters
    ----------
    edges_min : tuple of float
        Of the bins, minutes from time zero.
    unit : str
    values : dict of str to dict of str to tuple of float
        Treatment -> participant -> one value per bin.
    """

    edges_min: tuple[float, ...]
    unit: str
    values: dict[str, dict[str, tuple[float, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationContent:
    """The answer in one population.

    Parameters
    ----------
    name : str
    n_per_group : dict of str to int
    effect, ci_low, ci_high, pvalue : float or None
        At the outcome that the question's own answer found strongest (uncorrected p); None where
        it could not be answered.
    reason : str
        Why it could not; empty where it could.
    """

    name: str
    n_per_group: dict[str, int]
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    pvalue: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastContent:
    """One contrast of a model.

    Parameters
    ----------
    name : str
        In words.
    effect, ci_low, ci_high : float
        In the measure's unit.
    t, df, pvalue : float
        Uncorrected.
    """

    name: str
    effect: float
    ci_low: float
    ci_high: float
    t: float
    df: float
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioContent:
    """A ratio of two effects with Fieller's confidence set.

    Parameters
    ----------
    estimate : float
    low, high : float or None
        None for an infinite end.
    kind : str
        ``bounded``, ``complement`` (all but what lies between), ``whole_line`` or ``none``.
    g : float or None
        Below 1 the set is bounded.
    """

    estimate: float
    low: float | None
    high: float | None
    kind: str
    g: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockadeContent:
    """A blockade at one outcome.

    Parameters
    ----------
    verdict : str
    drug, pretreated, difference : ContrastContent
    conjunction_pvalue : float
        That the drug has an effect and less of it remained.
    attenuation : RatioContent
        Percentage removed.
    bootstrap : tuple of float or None
        BCa interval of it.
    margin : float or None
        In the measure's unit.
    equivalence : tuple of float or None
        p of the two one-sided tests of what remained, and its interval at 1 - 2 alpha.
    bayes_factors : dict of str to float
        BF10 of what remained and of what was removed.
    bayes_scale : float
        Of the Cauchy prior.
    sentences : tuple of str
    within_margin : float or None
        Bayes factor of a remaining effect within the margin against one beyond it.
    """

    verdict: str
    drug: ContrastContent
    pretreated: ContrastContent
    difference: ContrastContent
    conjunction_pvalue: float
    attenuation: RatioContent
    bootstrap: tuple[float, float] | None
    margin: float | None
    equivalence: tuple[float, float, float] | None
    bayes_factors: dict[str, float]
    bayes_scale: float
    sentences: tuple[str, ...]
    within_margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceContent:
    """What of an early effect is left at one outcome.

    Parameters
    ----------
    early_session, late_session : str
    early, late : float
        In the measure's unit.
    ratio : RatioContent
        Late over early.
    waning : ContrastContent
        Early minus late.
    effects : tuple of ContrastContent
        Early and late with their intervals, in this order, where these are known; then drawn.
    """

    early_session: str
    late_session: str
    early: float
    late: float
    ratio: RatioContent
    waning: ContrastContent
    effects: tuple[ContrastContent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectMeasureContent:
    """An effect that is no difference, by the number that it is known by.

    Parameters
    ----------
    name : str
        E.g. ``Odds ratio of a higher score``.
    estimate, low, high : float
        With its interval.
    no_effect : float
        What it is without an effect.
    confidence : float
        Coverage of the interval.
    """

    name: str
    estimate: float
    low: float
    high: float
    no_effect: float
    confidence: float

    @property
    def words(self) -> str:  # numpydoc ignore=RT01
        """The number with its interval."""
        ends = f"{self.low:.3g} to {self.high:.3g}"
        return (
            f"{self.estimate:.3g}, {100 * self.confidence:g} % CI {ends} "
            f"({self.no_effect:g}: no effect)"
        )

    @property
    def sentence(self) -> str:  # numpydoc ignore=RT01
        """The number with its name and interval."""
        return f"{self.name} {self.words}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideContent:
    """What is shown beside an answer, and decides nothing.

    Parameters
    ----------
    variants : tuple of VariantContent
        The question's own denoising first; empty where there is no other.
    nuisance : tuple of NuisanceContent
    course : CourseContent or None
        Of an infusion response with bins, at the strongest place.
    blockade : BlockadeContent or None
    persistence : PersistenceContent or None
    populations : tuple of PopulationContent
        The answer in every population that the question names, its own first.
    effect_measure : EffectMeasureContent or None
        The effect by the number that it is known by, where it is not a difference.
    """

    variants: tuple[VariantContent, ...] = ()
    nuisance: tuple[NuisanceContent, ...] = ()
    course: CourseContent | None = None
    blockade: BlockadeContent | None = None
    persistence: PersistenceContent | None = None
    populations: tuple[PopulationContent, ...] = ()
    effect_measure: EffectMeasureContent | None = None
