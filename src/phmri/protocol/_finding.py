"""One thing that is wrong with a protocol, by its place in the document."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = ["Finding", "Path", "dotted", "listing", "one_of", "shown"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Say what is wrong at a place of the document.

    Parameters
    ----------
    path : tuple of str or int
        Keys and list positions from the top of the document.
    what : str
        The problem in one sentence, without a final stop.
    found, expected : str, optional
        What stands there, what could.
    """

    path: Path
    what: str
    found: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        text = self.what
        if self.found is not None:
            text += f"; found {self.found}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text


def dotted(path: Path) -> str:
    """Write a path as ``design.arms.ketamine`` or ``doses[0].drug`` (positions from 0).

    Parameters
    ----------
    path : tuple of str or int
        Keys and list positions.

    Returns
    -------
    str
        Keys joined by dots.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def listing(findings: Iterable[Finding]) -> str:
    """Write findings one per line, each after its path.

    Parameters
    ----------
    findings : iterable of Finding
        What is wrong.

    Returns
    -------
    str
        For the message of an error.
    """
    return "\n".join(f"{dotted(item.path)}: {item}" for item in findings)


def one_of(allowed: Iterable[object], found: object = None) -> str:
    """List the allowed values in words, and suggest the closest to `found`.

    Parameters
    ----------
    allowed : iterable
        The values.
    found : object, optional
        What stands there; a text is compared for a suggestion.

    Returns
    -------
    str
        For example ``one of mg, mg/kg (did you mean mg?)``.
    """
    words = [str(item) for item in allowed]
    if not words:
        return "a name that is declared (none is)"
    text = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if isinstance(found, str) and len(words) > 1:
        folded = {word.casefold(): word for word in reversed(words)}
        close = get_close_matches(found.casefold(), list(folded), n=1)
        if close:
            text += f" (did you mean {folded[close[0]]}?)"
    return text


def shown(value: object) -> str:
    """Show a value as a person would have written it, cut to a readable length.

    Parameters
    ----------
    value : object
        As written.

    Returns
    -------
    str
        At most 80 characters.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping with the keys {', '.join(map(str, value))}" if value else "{}"
    if isinstance(value, list):
        text = f"[{', '.join(shown(item) for item in value)}]"
    else:
        text = str(value) if value != "" else "an empty text"
    limit = 80
    return text if len(text) <= limit else text[: limit - 1] + "…"
