"""Rules of the house that no linter knows."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import phmri

SOURCE = Path(phmri.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
MAX_LINES = 400


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_modules_are_found() -> None:
    assert len(MODULES) > 50
    assert "signals" in ROOMS


def test_no_keyword_is_passed_through_unread() -> None:
    assert [
        f"{path}:{node.name}"
        for path in MODULES
        for node in _functions(ast.parse(path.read_text()))
        if node.args.kwarg is not None
    ] == []


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_rooms_are_addressed_by_their_front_door() -> None:
    strangers = [
        (path, module)
        for path in MODULES
        for module in _imported(path)
        if module.startswith("phmri.")
        and len(module.split(".")) > 2
        and module.split(".")[1] != path.relative_to(SOURCE).parts[0]
    ]
    assert strangers == []


def test_images_are_opened_by_dataset_alone() -> None:
    # report hands its template to the drawing library as an image in memory.
    allowed = {"dataset", "report"}
    users = {
        path.relative_to(SOURCE).parts[0]
        for path in MODULES
        if any(module.split(".")[0] == "nibabel" for module in _imported(path))
    }
    assert users <= allowed


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_exist(room: str) -> None:
    module = importlib.import_module(f"phmri.{room}")
    names = list(module.__all__)
    assert sorted(set(names)) == sorted(names)
    assert all(hasattr(module, name) for name in names)
