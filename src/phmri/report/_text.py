"""Numbers and citations as they are printed."""

import json
import math
import re
from importlib.resources import files
from urllib.parse import unquote

from markupsafe import Markup, escape

from phmri.inference import Peak
from phmri.report._beside_records import (
    ContrastContent,
    NuisanceContent,
    PopulationContent,
    VariantContent,
)

__all__ = [
    "Bibliography",
    "format_df",
    "format_effect",
    "format_number",
    "format_pvalue",
    "join_sentences",
    "plural",
    "relate_pvalue",
    "superscript",
]

Estimated = Peak | VariantContent | NuisanceContent | PopulationContent | ContrastContent

_CITATION = re.compile(r"\s*\[(doi:[^\]]+)\]", flags=re.IGNORECASE)
_DOI = re.compile(r"(?:doi:)?\s*(10\.[^\s,;]+)", flags=re.IGNORECASE)
_DASH = "–"
_LEAST_PVALUE = 1e-300
"""Tails below it lose their digits, and then are 0, on the way through double precision."""


def format_number(value: float, digits: int = 2) -> str:
    """Write a number with a fixed number of decimals and a true minus.

    Parameters
    ----------
    value : float
        NaN is written as a dash, infinity as its sign.
    digits : int, optional

    Returns
    -------
    str
    """
    if math.isnan(value):
        return _DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def format_effect(value: float, peak: Estimated) -> str:
    """Write an effect or an end of its interval with the digits that the interval deserves.

    Parameters
    ----------
    value : float
        Effect, or an end of its interval.
    peak : Peak or VariantContent or NuisanceContent or PopulationContent or ContrastContent
        Whose interval sets the decimals: two digits of its half width, at least two decimals.

    Returns
    -------
    str
        With its sign.
    """
    half = ((peak.ci_high or 0.0) - (peak.ci_low or 0.0)) / 2
    digits = 3
    if math.isfinite(half) and half > 0:
        digits = min(9, max(2, 1 - math.floor(math.log10(half))))
    text = format_number(value, digits)
    return f"+{text}" if value > 0 and re.search(r"[1-9∞]", text) else text


def format_pvalue(value: float) -> str:
    """Write a p-value; it is never 0, also where it is too small for a number of the machine.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
        Three decimals, four below 0.01, a power of ten below 0.0001; below the least of these a
        bound.
    """
    if math.isnan(value):
        return _DASH
    if value >= 0.01:  # noqa: PLR2004 - two more digits would be noise
        return f"{value:.3f}"
    if value >= 0.0001:  # noqa: PLR2004 - below it the zeros are hard to count
        return f"{value:.4f}"
    if value < _LEAST_PVALUE:
        return f"< 10⁻{superscript(-round(math.log10(_LEAST_PVALUE)))}"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = superscript(abs(int(exponent)))
    return f"{mantissa}×10⁻{raised}"


def relate_pvalue(value: float) -> str:
    """Write a p-value with its relation sign, to stand behind the letter p.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
        E.g. ``= 0.031``.
    """
    text = format_pvalue(value)
    return text if text.startswith("<") else f"= {text}"


def format_df(value: float) -> str:
    """Write degrees of freedom: whole ones without decimals.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return format_number(value, 0 if math.isfinite(value) and value == round(value) else 1)


def superscript(number: int) -> str:
    """Write a whole number in raised digits.

    Parameters
    ----------
    number : int
        Not negative.

    Returns
    -------
    str
    """
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Parameters
    ----------
    count : int
    noun : str
        Singular; the plural takes an s.

    Returns
    -------
    str
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def join_sentences(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the first of equal sentences and end each with a stop.

    Parameters
    ----------
    sentences : tuple of str

    Returns
    -------
    tuple of str
    """
    kept = dict.fromkeys(text.strip() for text in sentences if text.strip())
    return tuple(text if re.search(r"[.!?]$", text) else f"{text}." for text in kept)


class Bibliography:
    """Number the DOIs of a text in order of appearance.

    Examples
    --------
    >>> bibliography = Bibliography()
    >>> str(bibliography.cite("By permutation [doi:10.1002/hbm.1058]."))
    'By permutation <a class="cite" href="#ref-1">[1]</a>.'
    >>> bibliography.references[0][0]
    '10.1002/hbm.1058'
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        known = files("phmri.report").joinpath("templates", "references.json")
        self._known: dict[str, str] = json.loads(known.read_text(encoding="utf-8"))

    def cite(self, text: str) -> Markup:
        """Escape a text and turn its ``[doi:...]`` into numbered links.

        Parameters
        ----------
        text : str
            One marker may hold several DOIs: ``[doi:10.1/a, doi:10.1/b]``; a comma or semicolon
            that belongs to a DOI is written as %2C or %3B.

        Returns
        -------
        Markup
            Safe to be put in a page.
        """
        pieces: list[Markup] = []
        end = 0
        for match in _CITATION.finditer(text):
            dois = [unquote(doi) for doi in _DOI.findall(match.group(1))]
            if not dois:
                continue
            pieces.append(escape(text[end : match.start()]))
            pieces.append(Markup(" "))
            for doi in dois:
                number = self._numbers.setdefault(doi.lower(), len(self._numbers) + 1)
                pieces.append(Markup('<a class="cite" href="#ref-{0}">[{0}]</a>').format(number))
            end = match.end()
        pieces.append(escape(text[end:]))
        return Markup("").join(pieces)

    @property
    def references(self) -> tuple[tuple[str, str], ...]:  # numpydoc ignore=RT01
        """List what was cited so far: DOI and, where we know it, the reference in words."""
        return tuple((doi, self._known.get(doi, "")) for doi in self._numbers)
