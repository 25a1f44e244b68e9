"""Look into a protocol as written, where any part may be missing or malformed.

What is not of the expected kind reads as empty: the field checks say so already.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from phmri.protocol._finding import Finding, Path, one_of

__all__ = [
    "Raw",
    "entries",
    "gives_map",
    "held_by_design",
    "listed",
    "mapping",
    "measure_of",
    "number",
    "repeated",
    "scale_of",
    "text",
    "unknown",
]

Raw = dict[str, Any]


def mapping(value: object) -> Raw:
    """Give a mapping, empty where the value is none.

    Parameters
    ----------
    value : object
        As written.

    Returns
    -------
    dict
        The mapping itself, or a new empty one.
    """
    return value if isinstance(value, dict) else {}


def entries(raw: Raw, section: str) -> dict[str, Raw]:
    """Give the named entries of a section.

    Parameters
    ----------
    raw : dict
        The document as written.
    section : str
        Its key, e.g. ``"arms"``.

    Returns
    -------
    dict of str to dict
        Empty mappings for malformed entries, so that their names still count.
    """
    return {name: mapping(entry) for name, entry in mapping(raw.get(section)).items()}


def gives_map(measure: Raw) -> bool:
    """Tell whether the outcomes of a measure are voxels.

    Parameters
    ----------
    measure : dict
        As written.

    Returns
    -------
    bool
        False also where the kind is missing.
    """
    kind = measure.get("kind")
    return kind is not None and kind != "roi_to_roi" and measure.get("parcels") is None


def measure_of(raw: Raw, asking: Raw) -> Raw:
    """Give the measure that a question or an association names.

    Parameters
    ----------
    raw : dict
        The document as written.
    asking : dict
        One entry of ``questions`` or ``associations``.

    Returns
    -------
    dict
        Empty where the name is that of a scale, or of nothing.
    """
    return entries(raw, "measures").get(text(asking.get("measure")) or "", {})


def scale_of(raw: Raw, question: Raw) -> str | None:
    """Give the name of the scale that a question asks of in place of a measure.

    Parameters
    ----------
    raw : dict
        The document as written.
    question : dict
        One entry of ``questions``.

    Returns
    -------
    str or None
        Key in ``scales``.
    """
    name = text(question.get("measure"))
    of_scale = name in mapping(raw.get("scales")) and name not in mapping(raw.get("measures"))
    return name if of_scale else None


def text(value: object) -> str | None:
    """Give a text, None where the value is none.

    Parameters
    ----------
    value : object
        As written.

    Returns
    -------
    str or None
        The text.
    """
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """Give a number, None where the value is none.

    Parameters
    ----------
    value : object
        As written.

    Returns
    -------
    float or None
        The number; a truth value is none.
    """
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def listed(value: object) -> Iterator[tuple[int, str]]:
    """Go through the texts of a list with their positions.

    Parameters
    ----------
    value : object
        As written.

    Yields
    ------
    tuple of int and str
        Position from 0, text.
    """
    if isinstance(value, list | tuple):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, str))


def unknown(path: Path, kind: str, found: object, allowed: Iterable[str]) -> Iterator[Finding]:
    """Find a name that is not declared; anything but a text is left to the field checks.

    Parameters
    ----------
    path : tuple
        Where the name stands.
    kind : str
        What it should name, e.g. ``"drug"``.
    found : object
        The name as written.
    allowed : iterable of str
        The declared names.

    Yields
    ------
    Finding
        One, or none.
    """
    allowed = tuple(allowed)
    if isinstance(found, str) and found not in allowed:
        yield Finding(
            path=path,
            what=f"this {kind} is not declared",
            found=found,
            expected=one_of(allowed, found),
        )


def repeated(path: Path, value: object, kind: str) -> Iterator[Finding]:
    """Find texts that stand twice in a list.

    Parameters
    ----------
    path : tuple
        Where the list stands.
    value : object
        The list as written.
    kind : str
        What its entries are.

    Yields
    ------
    Finding
        One for each repetition.
    """
    seen: set[str] = set()
    for i, item in listed(value):
        if item in seen:
            yield Finding(
                path=(*path, i), what=f"this {kind} is listed twice", found=item, expected="once"
            )
        seen.add(item)


def held_by_design(raw: Raw, path: Path, columns: object) -> Iterator[Finding]:
    """Find columns of ``participants.tsv`` that the design holds already.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the list of columns stands.
    columns : object
        The list as written.

    Yields
    ------
    Finding
        One for each column of the groups or of a stratum.
    """
    design = mapping(raw.get("design"))
    default = {"parallel": "arm", "crossover": "sequence"}.get(str(design.get("kind")))
    held = {
        text(design.get("column", default)),
        *(name for _, name in listed(design.get("strata"))),
    }
    for i, column in listed(columns):
        if column in held:
            yield Finding(
                path=(*path, i),
                what="the design holds this column already",
                found=column,
                expected="columns other than the groups and the strata",
            )
