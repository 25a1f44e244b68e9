"""Field errors in plain words: from pydantic's report to findings."""

import types
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._inference import ONE_THRESHOLD, THRESHOLDS, Inference

__all__ = ["reword"]

_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "a number of {} or more"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "a number of {} or less"),
    "too_short": ("min_length", "at least {}"),
    "too_long": ("max_length", "at most {}"),
    "string_too_long": ("max_length", "at most {} characters"),
}
_NEEDED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of usual size",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list: [a, b], or one entry per line after '- '",
    "dict_type": "a mapping: lines of 'key: value' below it",
    "model_type": "a mapping: lines of 'key: value' below it",
    "model_attributes_type": "a mapping: lines of 'key: value' below it",
}


def reword(error: ErrorDetails, document: type[BaseModel]) -> Finding:
    """Say one error of pydantic's report in plain words.

    Parameters
    ----------
    error : dict
        One entry of ``ValidationError.errors()``.
    document : type
        The record that the whole file was read as.

    Returns
    -------
    Finding
        At the place in the document, without the names of union members that pydantic adds.
    """
    special = _SPECIAL.get(error["type"])
    path, expected_type = _walk(error["loc"], document)
    if error["type"] == "extra_forbidden":
        expected_type = _walk(error["loc"][:-1], document)[1]  # the record that the key stands in
    if special is not None:
        return special(path, error["input"], expected_type)
    if error["type"] in _BOUNDS:
        return _out_of_bounds(path, error)
    found, needed = error["input"], _NEEDED.get(error["type"])
    if needed is None:
        return Finding(path=path, what=error["msg"], found=shown(found))
    if error["type"] == "string_type" and isinstance(found, int | float):
        needed += f"; put it in quotes: '{shown(found)}'"
    return Finding(path=path, what="a value of another kind", found=_kind(found), expected=needed)


def _out_of_bounds(path: Path, error: ErrorDetails) -> Finding:
    key, words = _BOUNDS[error["type"]]
    found, limit = error["input"], f"{error['ctx'][key]:g}"
    if "length" not in key:
        return Finding(
            path=path, what="out of range", found=shown(found), expected=words.format(limit)
        )
    if isinstance(found, str):
        return Finding(
            path=path, what="this is too long", found=shown(found), expected=words.format(limit)
        )
    unit = "entry" if limit == "1" else "entries"
    return Finding(
        path=path,
        what="too few entries" if key == "min_length" else "too many entries",
        found=shown(found),
        expected=f"{words.format(limit)} {unit}",
    )


def _missing(path: Path, found: object, expected_type: object) -> Finding:
    if isinstance(path[-1], int):
        return Finding(
            path=path[:-1],
            what="too few entries",
            found=shown(found),
            expected=f"at least {path[-1] + 1} entries",
        )
    return Finding(
        path=path,
        what=f"the key '{path[-1]}' is missing",
        expected=_described(expected_type),
    )


def _unknown_key(path: Path, _found: object, owner: Any) -> Finding:
    key, allowed = str(path[-1]), tuple(owner.model_fields) if _is_record(owner) else ()
    expected = one_of(allowed, key)
    close = get_close_matches(key, allowed, n=1)
    if owner is Inference and ("threshold" in key or set(close) & set(THRESHOLDS)):
        expected = ONE_THRESHOLD  # the closest of the three may have the wrong unit
    return Finding(
        path=path, what=f"the key '{key}' is not known here", found=key, expected=expected
    )


def _wrong_tag(path: Path, found: object, union: object) -> Finding:
    tags, key = tuple(_tags(union)), _tag_key(union)
    tag = found.get(key) if isinstance(found, dict) else None
    if tag is None:
        return Finding(
            path=(*path, key), what=f"the key '{key}' is missing", expected=one_of(tags)
        )
    return Finding(
        path=(*path, key),
        what="this value is not one of the choices",
        found=shown(tag),
        expected=one_of(tags, tag),
    )


def _wrong_choice(path: Path, found: object, expected_type: object) -> Finding:
    return Finding(
        path=path,
        what="this value is not one of the choices",
        found=shown(found),
        expected=one_of(_literals(expected_type), found),
    )


def _wrong_name(path: Path, found: object, _type: object) -> Finding:
    name = str(found)
    for prefix in ("sub-", "ses-", "task-", "run-"):
        if name.startswith(prefix):
            return Finding(
                path=path,
                what="BIDS labels stand here without their prefix",
                found=name,
                expected=name.removeprefix(prefix),
            )
    is_label = path[-1] == "map" or bool(_LABELLED & set(path))
    return Finding(
        path=path,
        what="a character that a name cannot hold",
        found=shown(name),
        expected="letters and digits only"
        if is_label
        else "letters, digits and underscores, a letter first",
    )


_LABELLED = {
    *("sessions", "session", "baseline", "early", "task", "seg", "start_min", "exclusions"),
    *("subscales", "subscale"),
}
_SPECIAL: dict[str, Callable[[Path, object, object], Finding]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "union_tag_invalid": _wrong_tag,
    "union_tag_not_found": _wrong_tag,
    "literal_error": _wrong_choice,
    "string_pattern_mismatch": _wrong_name,
}


def _kind(value: object) -> str:
    names = {
        bool: "the truth value",
        int: "the number",
        float: "the number",
        str: "the text",
        list: "the list",
    }
    name = names.get(type(value))
    return shown(value) if name is None else f"{name} {shown(value)}"


def _walk(loc: Path, document: type[BaseModel]) -> tuple[Path, Any]:
    """Follow a place through the models: the path without tags, the type that is expected."""
    path: list[str | int] = []
    current: Any = document
    for part in loc:
        if part == "[key]":
            break
        current = _plain(current)
        if get_origin(current) in {Union, types.UnionType}:
            members = _tags(current)
            if part in members:  # the name of a member, not a key of the document
                current = members[str(part)]
                continue
        path.append(part)
        current = _child(current, part)
    return tuple(path), _plain(current)


def _child(current: Any, part: str | int) -> Any:
    if _is_record(current):
        field: FieldInfo | None = current.model_fields.get(str(part))
        return None if field is None else field.annotation
    arguments = get_args(current)
    if get_origin(current) is dict:
        return arguments[1]
    if get_origin(current) is tuple and isinstance(part, int):
        return arguments[0] if Ellipsis in arguments else arguments[min(part, len(arguments) - 1)]
    return None


def _plain(current: Any) -> Any:
    """Take off ``Annotated`` and ``| None``."""
    while get_origin(current) is Annotated:
        current = get_args(current)[0]
    if get_origin(current) in {Union, types.UnionType}:
        members = [member for member in get_args(current) if member is not type(None)]
        if len(members) == 1:
            return _plain(members[0])
    return current


def _is_record(current: Any) -> bool:
    return isinstance(current, type) and issubclass(current, BaseModel)


def _members(union: Any) -> list[type[BaseModel]]:
    plain = _plain(union)
    if get_origin(plain) not in {Union, types.UnionType}:
        return []
    return [member for member in get_args(plain) if _is_record(member)]


def _tag_key(union: Any) -> str:
    """Name the key that tells the members of a union apart."""
    shared = set.intersection(*(set(record.model_fields) for record in _members(union)))
    return next(key for key in ("kind", "model") if key in shared)


def _tags(union: Any) -> dict[str, Any]:
    return {
        get_args(record.model_fields[_tag_key(union)].annotation)[0]: record
        for record in _members(union)
    }


def _literals(annotation: Any) -> Iterator[object]:
    plain = _plain(annotation)
    return iter(get_args(plain) if get_origin(plain) is Literal else ())


def _described(annotation: Any) -> str:
    plain = _plain(annotation)
    choices = tuple(_literals(plain)) or tuple(_tags(plain))
    if choices:
        return one_of(choices)
    words: dict[Any, str] = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    if get_origin(plain) is tuple:
        return "a list"
    return words.get(plain, "a mapping")
