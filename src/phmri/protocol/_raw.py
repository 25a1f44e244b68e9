"""Look into a protocol as written, where any part may be missing or malformed.

What is not of the expected kind reads as empty: the field checks say so already.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from phmri.protocol._finding import Finding, Path, one_of

__all__ = ["Raw", "entries", "listed", "mapping", "number", "repeated", "text", "unknown"]

Raw = dict[str, Any]


def mapping(value: object) -> Raw:
    """Give a mapping, empty where the value is none."""
    return value if isinstance(value, dict) else {}


def entries(raw: Raw, section: str) -> dict[str, Raw]:
    """Give the named entries of a section."""
    return {name: mapping(entry) for name, entry in mapping(raw.get(section)).items()}


def text(value: object) -> str | None:
    """Give a text, None where the value is none."""
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """Give a number, None where the value is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def listed(value: object) -> Iterator[tuple[int, str]]:
    """Go through the texts of a list with their positions."""
    if isinstance(value, list | tuple):
        yield from ((i, item) for i, item in enumerate(value) if isinstance(item, str))


def unknown(path: Path, kind: str, found: object, allowed: Iterable[str]) -> Iterator[Finding]:
    """Find a name that is not declared; anything but a text is left to the field checks."""
    allowed = tuple(allowed)
    if isinstance(found, str) and found not in allowed:
        yield Finding(
            path=path,
            what=f"this {kind} is not declared",
            found=found,
            expected=one_of(allowed, found),
        )


def repeated(path: Path, value: object, kind: str) -> Iterator[Finding]:
    """Find texts that stand twice in a list."""
    seen: set[str] = set()
    for i, item in listed(value):
        if item in seen:
            yield Finding(
                path=(*path, i), what=f"this {kind} is listed twice", found=item, expected="once"
            )
        seen.add(item)
