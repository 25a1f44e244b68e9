"""Numbers and citations as they are printed."""

import json
import math
import re
from importlib.resources import files

from markupsafe import Markup, escape

__all__ = [
    "Bibliography",
    "format_number",
    "format_pvalue",
    "format_signed",
    "join_sentences",
    "plural",
]

_CITATION = re.compile(r"\s*\[(doi:[^\]]+)\]", flags=re.IGNORECASE)
_DOI = re.compile(r"(?:doi:)?\s*(10\.[^\s,;]+)", flags=re.IGNORECASE)
_DASH = "–"


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


def format_signed(value: float, digits: int = 3) -> str:
    """Write an effect: with its sign, and small ones with more digits.

    Parameters
    ----------
    value : float
    digits : int, optional
        Decimals of a number that needs no more.

    Returns
    -------
    str
    """
    if math.isfinite(value) and value != 0 and abs(value) < 10.0 ** (1 - digits):
        digits = min(8, 1 - math.floor(math.log10(abs(value))))
    text = format_number(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 else text


def format_pvalue(value: float) -> str:
    """Write a p-value; it is never rounded to 0.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
        Three decimals, four below 0.01, a power of ten below 0.0001.
    """
    if math.isnan(value):
        return _DASH
    if value >= 0.01:  # noqa: PLR2004 - two more digits would be noise
        return f"{value:.3f}"
    if value >= 0.0001:  # noqa: PLR2004 - below it the zeros are hard to count
        return f"{value:.4f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}×10⁻{str(abs(int(exponent))).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


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
    tidy = []
    for sentence in dict.fromkeys(text.strip() for text in sentences):
        if sentence:
            tidy.append(sentence if re.search(r"[.!?]$", sentence) else f"{sentence}.")
    return tuple(tidy)


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
            One marker may hold several DOIs: ``[doi:10.1/a, doi:10.1/b]``.

        Returns
        -------
        Markup
            Safe to be put in a page.
        """
        pieces: list[Markup] = []
        end = 0
        for match in _CITATION.finditer(text):
            dois = _DOI.findall(match.group(1))
            if not dois:
                continue
            pieces.append(escape(text[end : match.start()]))
            pieces.append(Markup(" "))
            for doi in dois:
                number = self._numbers.setdefault(doi.lower(), len(self._numbers) + 1)
                pieces.append(
                    Markup('<a class="cite" href="#ref-{0}">[{0}]</a>').format(number)  # noqa: S704
                )
            end = match.end()
        pieces.append(escape(text[end:]))
        return Markup("").join(pieces)

    @property
    def references(self) -> tuple[tuple[str, str], ...]:
        """List what was cited so far: DOI and, where we know it, the reference in words."""
        return tuple((doi, self._known.get(doi, "")) for doi in self._numbers)
