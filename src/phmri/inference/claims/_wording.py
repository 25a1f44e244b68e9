"""The fixed sentences in which a claim may be made."""

from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Literal

from phmri.inference._records import Method, Outcomes, Peak, StatisticName

__all__ = ["Words", "format_interval", "format_p", "found_sentence", "missing_sentence", "signed"]

LEVELS: dict[Method, str] = {
    "voxel": "family-wise p at most {alpha:g}",
    "tfce": "family-wise p of TFCE at most {alpha:g}",
    "cluster_mass": "in clusters whose mass has family-wise p at most {alpha:g}; such a p says "
    "that something in the cluster differs, not that every part of it does",
    "cluster_extent": "in clusters whose extent has family-wise p at most {alpha:g}; such a p "
    "says that something in the cluster differs, not that every part of it does",
    "random_field": "family-wise p by random field theory at most {alpha:g}",
    "holm": "family-wise p by Holm at most {alpha:g}",
    "fdr": "false discovery rate at most {alpha:g}; single ones among them may be false",
}
NOUNS = {"scalar": "outcome", "map": "voxel", "parcels": "parcel", "edges": "edge"}
NOT_ABSENT = "this is not evidence of no effect"
CLEAR, SMALLEST_SHOWN, NEARLY_ONE = (0.045, 0.055), 1e-4, 0.995


def format_p(pvalue: float, *, smallest: float | None = None) -> str:
    """Write a p-value with its relation sign, never as zero.

    Parameters
    ----------
    pvalue : float
        Between 0 and 1.
    smallest : float, optional
        Least value possible with the shufflings made; said when reached.

    Returns
    -------
    str
        Ready to stand in a sentence.

    Examples
    --------
    >>> format_p(0.0312)
    '= 0.031'
    >>> format_p(1e-12)
    '< 0.0001'
    >>> format_p(0.0002, smallest=0.0002)
    '= 0.0002, the smallest that 5,000 shufflings can give'
    """
    if pvalue < SMALLEST_SHOWN * (1 - 1e-9):
        text = "< 0.0001"
    elif NEARLY_ONE <= pvalue < 1:
        text = "> 0.99"
    elif CLEAR[0] < pvalue < CLEAR[1]:
        text = f"= {pvalue:.4f}"
    else:
        text = f"= {pvalue:.2g}" if pvalue >= SMALLEST_SHOWN * 10 else f"= {pvalue:.4f}"
    if smallest and pvalue <= smallest * (1 + 1e-9):
        text += f", the smallest that {round(1 / smallest):,} shufflings can give"
    return text


def signed(value: float, digits: int = 2, *, plus: bool = False) -> str:
    """Write a number with a true minus.

    Parameters
    ----------
    value : float
        As computed.
    digits : int, default 2
        Decimals.
    plus : bool, default False
        Give positive numbers their sign too.

    Returns
    -------
    str
        Ready to stand in a sentence; what rounds to zero has no minus.

    Examples
    --------
    >>> signed(-0.251), signed(-0.001), signed(0.25, plus=True)
    ('−0.25', '0.00', '+0.25')
    """
    text = f"{value:+.{digits}f}" if plus else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def format_interval(effect: float, low: float, high: float, confidence: float) -> str:
    """Write an effect and its interval with as many digits as the interval deserves.

    Parameters
    ----------
    effect, low, high : float
        In the measure's unit.
    confidence : float
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    str
        Ready to stand in a sentence.

    Examples
    --------
    >>> format_interval(0.312, 0.12, 0.504, 0.95)
    '+0.31, 95 % CI 0.12 to 0.50'
    """
    digits = _digits(high - low)
    ends = f"{signed(low, digits)} to {signed(high, digits)}"
    return f"{signed(effect, digits, plus=True)}, {100 * confidence:g} % CI {ends}"


def _digits(width: float) -> int:
    if not isfinite(width) or width <= 0:
        return 2
    return min(8, max(2, 1 - floor(log10(width / 2))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What every sentence of one claim shares.

    Parameters
    ----------
    outcomes : Outcomes
        Names, unit and measure.
    df, confidence, alpha : float
        Of the model, the intervals and the verdict.
    statistic : {"t", "v"}
        What the estimate over its standard error is called.
    method : str
        The correction that the verdict rests on.
    randomised : bool
        Whether the comparison is free of order effects, so that "raised" may be said.
    alternative : {"two-sided", "greater", "less"}
        Of the question.
    smallest : float
        Least p-value possible with the shufflings made.
    """

    outcomes: Outcomes
    df: float
    statistic: StatisticName
    method: Method
    confidence: float
    alpha: float
    randomised: bool
    alternative: Literal["two-sided", "greater", "less"]
    smallest: float


def found_sentence(words: Words, strongest: Peak, *, n_outcomes: int, up: int, down: int) -> str:
    """Say what was found.

    Parameters
    ----------
    words : Words
        What the sentences of this claim share.
    strongest : Peak
        Outcome with the strongest evidence.
    n_outcomes, up, down : int
        Outcomes in all; significant ones with positive and negative effect.

    Returns
    -------
    str
        Ready to stand in a sentence.
    """
    outcomes = words.outcomes
    first, second = outcomes.labels
    if outcomes.kind == "scalar":
        rose = strongest.effect > 0
        if words.randomised:
            verb = "raised" if rose else "lowered"
            text = f"{first} {verb} {outcomes.measure} compared with {second}"
        else:
            text = (
                f"{outcomes.measure} was {'higher' if rose else 'lower'} under {first} than "
                f"under {second}"
            )
        return _upper(f"{text} ({_statistics(words, strongest)}).")
    noun = NOUNS[outcomes.kind]
    many = f"{up + down:,} of {n_outcomes:,} {noun}s"
    if words.randomised:
        text = f"{first} changed {outcomes.measure} compared with {second} in {many}"
        directions = (f"raised in {up:,}", f"lowered in {down:,}")
    else:
        text = f"{outcomes.measure} differed between {first} and {second} in {many}"
        directions = (f"higher in {up:,}", f"lower in {down:,}")
    said = ", ".join(d for d, n in zip(directions, (up, down), strict=True) if n)
    return _upper(
        f"{text} ({said}; {LEVELS[words.method].format(alpha=words.alpha)}). The strongest, "
        f"{_place(words, strongest)}, had {_statistics(words, strongest)}; it was chosen for its "
        "height, so this estimate is biased away from zero."
    )


def missing_sentence(words: Words, strongest: Peak, *, n_outcomes: int) -> str:
    """Say what was not found, and that this does not mean it is absent.

    Parameters
    ----------
    words : Words
        What the sentences of this claim share.
    strongest : Peak
        Outcome with the strongest evidence.
    n_outcomes : int
        Outcomes in all.

    Returns
    -------
    str
        Ready to stand in a sentence.
    """
    outcomes = words.outcomes
    first, second = outcomes.labels
    what = {
        "two-sided": f"No difference in {outcomes.measure} between {first} and {second} was found",
        "greater": f"No increase of {outcomes.measure} under {first} over {second} was found",
        "less": f"No decrease of {outcomes.measure} under {first} below {second} was found",
    }[words.alternative]
    digits = _digits(strongest.ci_high - strongest.ci_low)
    ends = (signed(strongest.ci_low, digits), signed(strongest.ci_high, digits))
    interval = f"from {ends[0]} to {ends[1]}"
    sided = "" if words.alternative == "two-sided" else "two-sided "
    if outcomes.kind == "scalar":
        beyond = {"greater": strongest.ci_high < 0, "less": strongest.ci_low > 0}
        if beyond.get(words.alternative, False):
            return (
                f"{what} ({_statistics(words, strongest)}); the estimate points the other way, "
                f"which this one-sided question does not test: its two-sided interval reaches "
                f"{interval} {outcomes.unit}."
            )
        return (
            f"{what} ({_statistics(words, strongest)}); {NOT_ABSENT}: the {sided}interval reaches "
            f"{interval} {outcomes.unit}."
        )
    noun = NOUNS[outcomes.kind]
    pvalue = format_p(strongest.pvalue_corrected, smallest=words.smallest)
    return (
        f"{what} in any of {n_outcomes:,} {noun}s (smallest {_label(words)} {pvalue}); "
        f"{NOT_ABSENT}: at the strongest, {_place(words, strongest)}, chosen for its height, the "
        f"{sided}interval reaches {interval} {outcomes.unit}."
    )


def _statistics(words: Words, peak: Peak) -> str:
    """Write effect, interval, t and p of a peak."""
    interval = format_interval(peak.effect, peak.ci_low, peak.ci_high, words.confidence)
    if words.alternative != "two-sided":
        interval = interval.replace(" % CI ", " % two-sided CI ")
    pvalue = format_p(peak.pvalue_corrected, smallest=words.smallest)
    symbol = f"{words.statistic}({words.df:.4g})" if isfinite(words.df) else "z"
    statistic = f"{symbol} = {signed(peak.t)}"
    return f"{words.outcomes.unit} {interval}; {statistic}; {_label(words)} {pvalue}"


def _label(words: Words) -> str:
    """Call the p-value by what it is corrected for."""
    sided = "" if words.alternative == "two-sided" else "one-sided "
    if words.outcomes.kind == "scalar" and not words.outcomes.corrected_over:
        return f"{sided}p"
    return f"{sided}q" if words.method == "fdr" else f"{sided}p_FWE"


def _place(words: Words, peak: Peak) -> str:
    """Write where a peak is."""
    where = ""
    if peak.position_mm is not None:
        where = f"({', '.join(signed(mm, 0) for mm in peak.position_mm)}) mm"
    if peak.name:
        return f"{peak.name} {where}".strip()
    return where or f"{NOUNS[words.outcomes.kind]} {peak.index + 1:,}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
