"""YAML as a protocol may use it: mappings, lists, texts, numbers, true, false, null.

Read event by event, so that every key and value keeps its line, a key given twice is seen, and
nothing clever happens: no anchors, no tags, no merge keys, no second document. Scalars follow YAML
1.2, not 1.1: ``no`` and ``on`` are texts, and a number with leading zeros (``01``) is a text, as a
BIDS label is. Keys are always texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

import yaml

from phmri.exceptions import Problem, ProtocolError
from phmri.protocol._finding import Path, dotted

__all__ = ["Document", "read_document"]

_MAX_BYTES = 250_000
_MAX_DEPTH = 12
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A protocol file as plain values, with the line of every key and value.

    Parameters
    ----------
    file : str
        Path, for messages.
    value : dict
        Plain mappings, lists, texts, numbers, truth values, None.
    lines : dict of path to int or None
        Line of a key in a mapping, of an entry in a list; counted from 1.
    problems : tuple of Problem
        What the format refuses although it could be read, e.g. a key given twice.
    """

    file: str
    value: dict[str, object]
    lines: dict[Path, int | None]
    problems: tuple[Problem, ...]

    def line(self, path: Path) -> int | None:
        """Find the line of a path, or of the nearest thing around it.

        Parameters
        ----------
        path : tuple of str or int
            Keys and list positions.

        Returns
        -------
        int or None
            Counted from 1; None for the whole document.
        """
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_document(
    path: FilePath,
    *,
    name: str = "protocol file",
    usual: str = "trial.yaml",
    first: str = "phmri: 1",
) -> Document:
    """Read a YAML file into plain values with their lines.

    Parameters
    ----------
    path : Path
        The file.
    name, usual, first : str
        What such a file is, how it is usually called and how it begins, for messages.

    Returns
    -------
    Document
        Its values and their lines.

    Raises
    ------
    ProtocolError
        Not readable, not text, not YAML, empty, or not a mapping.
    """
    text = _read_text(path, name, usual)
    events = _read_events(text, str(path))
    builder = _Builder(str(path), iter(events))
    value = builder.build_document()
    if not isinstance(value, dict):
        empty = value is None
        raise ProtocolError(
            Problem(
                what="the file is empty" if empty else "the file is not a mapping",
                file=str(path),
                line=None if empty else 1,
                found=None if empty else f"a {'list' if isinstance(value, list) else 'text'}",
                expected=f"keys with values, starting with '{first}'",
            )
        )
    return Document(
        file=str(path), value=value, lines=builder.lines, problems=tuple(builder.problems)
    )


def _read_text(path: FilePath, name: str, usual: str) -> str:
    def refuse(
        what: str, *, line: int | None = None, expected: str | None = None
    ) -> ProtocolError:
        return ProtocolError(Problem(what=what, file=str(path), line=line, expected=expected))

    try:
        if path.is_dir():
            raise refuse("this is a folder", expected=f"a {name}, e.g. {usual} in it")
        content = path.read_bytes()
    except FileNotFoundError:
        raise refuse("there is no such file", expected=f"a {name} ({usual})") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise refuse(f"the file cannot be read ({reason})") from error
    if len(content) > _MAX_BYTES:
        raise refuse(f"the file has {len(content)} bytes", expected="a text of less than 250 kB")
    if b"\0" in content:
        raise refuse("the file is not a text", expected="YAML, encoded in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refuse(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            line=line,
            expected="a text saved as UTF-8",
        ) from error


def _read_events(text: str, file: str) -> list[yaml.Event]:
    events: list[yaml.Event] = []
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise ProtocolError(
                    Problem(
                        what="brackets or indentation are nested too deeply",
                        file=file,
                        line=_line(event),
                        expected=f"at most {_MAX_DEPTH} levels",
                    )
                )
            events.append(event)
    except yaml.MarkedYAMLError as error:
        problems = _tab_problems(text, file)
        syntax = _syntax_problem(error, file)
        if syntax.line not in {problem.line for problem in problems}:
            problems.append(syntax)
        raise ProtocolError(*problems) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ProtocolError(
            Problem(
                what="a character that a text file should not hold",
                file=file,
                line=line,
                found=f"U+{ord(text[error.position]):04X}",
            )
        ) from error
    return events


def _tab_problems(text: str, file: str) -> list[Problem]:
    return [
        Problem(
            what="a tab stands in the indentation or after a colon",
            file=file,
            line=number,
            found="a tab",
            expected="spaces",
        )
        for number, line in enumerate(text.splitlines(), 1)
        if re.match(r"\s*\t", line) or re.match(r"[^#'\"]*:\t", line)
    ]


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    expected = None
    if "quoted scalar" in context:
        mark, what = error.context_mark, "a quotation mark is opened and never closed"
    elif "mapping values are not allowed" in problem:
        what = "a second ': ' in one line, or an indentation that fits no line above"
        expected = "one 'key: value' per line; a text that holds ': ' goes in quotes"
    elif "flow" in context:
        mark, what = error.context_mark, "a bracket is opened and not properly closed"
        expected = "[a, b] or {key: value}, in which a text that holds ? , [ ] { } goes in quotes"
    elif "could not find expected ':'" in problem:
        mark, what = error.context_mark or mark, "this line is no 'key: value'"
        expected = "a colon and a space after the key"
    elif "expected <block end>" in problem:
        what = "this line does not fit the lines above it"
        expected = "the same indentation for the keys of one section, and 'key: value'"
    elif "cannot start any token" in problem:
        what = "a text cannot start with this character unless it is in quotes"
    else:
        what = f"this is not YAML: {problem or context}"
    return Problem(
        what=what, file=file, line=None if mark is None else mark.line + 1, expected=expected
    )


def _line(event: yaml.Event) -> int | None:
    return None if event.start_mark is None else event.start_mark.line + 1


class _Builder:
    """Turn YAML events into plain values, keeping lines and collecting problems.

    Parameters
    ----------
    file : str
        Path, for messages.
    events : iterator of Event
        Of one file.
    """

    def __init__(self, file: str, events: Iterator[yaml.Event]) -> None:
        self.file = file
        self.events = events
        self.lines: dict[Path, int | None] = {}
        self.problems: list[Problem] = []

    def build_document(self) -> object:
        value: object = None
        n_documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    self._refuse(event, (), "a second document starts here", "one document")
                    break
            elif isinstance(event, yaml.NodeEvent):
                value = self._build(event, ())
        return value

    def _refuse(self, event: yaml.Event, path: Path, what: str, expected: str) -> None:
        self.problems.append(
            Problem(
                what=what,
                file=self.file,
                line=_line(event),
                field=dotted(path) or None,
                expected=expected,
            )
        )

    def _build(self, event: yaml.Event, path: Path) -> object:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(
                event,
                path,
                f"'*{event.anchor}' refers to another place of the file",
                "the value itself, written out (a text that starts with * goes in quotes)",
            )
            return None
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            self._refuse(event, path, f"the tag {event.tag} is not part of the format", "no tag")
        if isinstance(event, yaml.MappingStartEvent):
            return self._build_mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._build_list(path)
        if not isinstance(event, yaml.ScalarEvent):
            raise TypeError(f"unexpected event {event!r}")
        return _plain_value(event.value) if event.implicit[0] else event.value

    def _build_mapping(self, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, path, "a key is not a plain name", "'key: value'")
                self._build(event, path)
                self._build(next(self.events), path)
                continue
            key = event.value
            line = _line(event)
            if key in mapping:
                first = self.lines[*path, key]
                self._refuse(
                    event,
                    (*path, key),
                    f"the key '{key}' is given twice",
                    f"once; it stands in line {first} already",
                )
                self._skip(next(self.events))
                continue
            self.lines[*path, key] = line
            mapping[key] = self._build(next(self.events), (*path, key))
        return mapping

    def _build_list(self, path: Path) -> list[object]:
        items: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(items))
            self.lines[here] = _line(event)
            items.append(self._build(event, here))
        return items

    def _skip(self, event: yaml.Event) -> None:
        """Pass over a value without keeping its lines."""
        depth = int(isinstance(event, yaml.CollectionStartEvent))
        while depth:
            event = next(self.events)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)


def _plain_value(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 100 else text  # noqa: PLR2004 - int() of a huge text is slow
    if _NUMBER.fullmatch(text):
        return float(text)
    return text
