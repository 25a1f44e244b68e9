"""One pass over the folders of a BIDS tree, listing the files that a trial needs.

Own code instead of a general BIDS indexer: those read every file name and sidecar into a
database, which takes minutes on a trial; a trial needs the ``func`` folders and a few tables.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from phmri.dataset._names import FileName, applies_to, parse_name
from phmri.dataset._read_files import read_json
from phmri.exceptions import DatasetError, PhmriError, Problem

__all__ = ["Tree", "find_derivatives", "is_derivative", "scan_tree"]

_NO_SUBJECT = ""


@dataclass(slots=True, kw_only=True)
class Tree:
    """The files of one BIDS root or derivative folder.

    Parameters
    ----------
    root : Path
        Folder.
    pipeline : str
        Program that wrote it.
    files : dict of (subject, suffix, extension) to list of FileName
        Subject ``""`` holds the files of the root, which apply to every subject.
    subjects : list of str
        Labels of the folders ``sub-*``, sorted.
    problems : list of Problem
        What is wrong.
    """

    root: Path
    pipeline: str
    files: dict[tuple[str, str, str], list[FileName]] = field(default_factory=dict)
    subjects: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    contents: dict[Path, dict[str, object] | PhmriError] = field(default_factory=dict)

    def of(
        self, subject: str, suffix: str, extension: str
    ) -> list[FileName]:  # numpydoc ignore=PR01,RT01
        """List the files of a subject by suffix and extension."""
        return self.files.get((subject, suffix, extension), [])

    def inherited(
        self, entities: dict[str, str], suffix: str, extension: str, ignore: tuple[str, ...] = ()
    ) -> list[FileName]:  # numpydoc ignore=PR01,RT01
        """List the metadata files that apply to a data file, the most general first."""
        found = [
            file
            for subject in (_NO_SUBJECT, entities["sub"])
            for file in self.of(subject, suffix, extension)
            if applies_to(file, entities, ignore)
        ]
        return sorted(found, key=lambda file: (len(file.path.parts), len(file.entities)))

    def metadata(
        self, entities: dict[str, str], suffix: str, ignore: tuple[str, ...] = ()
    ) -> tuple[dict[str, object], list[Path], list[Problem]]:  # numpydoc ignore=PR01,RT01
        """Merge all sidecars that apply to a data file; each is read once."""
        merged: dict[str, object] = {}
        paths: list[Path] = []
        problems: list[Problem] = []
        for file in self.inherited(entities, suffix, ".json", ignore):
            content = self._content(file.path)
            paths.append(file.path)
            if isinstance(content, PhmriError):
                problems.extend(content.problems)
            else:
                merged.update(content)
        return merged, paths, problems

    def source(self, paths: list[Path], key: str) -> Path | None:  # numpydoc ignore=PR01,RT01
        """Find the sidecar, of those that `metadata` merged, whose value of a key counts."""
        naming = [
            path for path in paths if isinstance(c := self._content(path), dict) and key in c
        ]
        return naming[-1] if naming else None

    def _content(self, path: Path) -> dict[str, object] | PhmriError:
        if path not in self.contents:
            try:
                self.contents[path] = read_json(path)
            except DatasetError as error:
                self.contents[path] = error
        return self.contents[path]


def scan_tree(root: Path) -> Tree:
    """List the files of a BIDS root or derivative folder.

    Parameters
    ----------
    root : Path
        Folder.

    Returns
    -------
    Tree
        Folders that cannot be read are among its problems.
    """
    tree = Tree(root=root, pipeline=_pipeline(root))
    for entry in _entries(root, tree):
        if entry.name.startswith("sub-") and _is_folder(entry):
            tree.subjects.append(entry.name.removeprefix("sub-"))
        elif not _is_folder(entry):
            _add(tree, _NO_SUBJECT, entry)
    tree.subjects.sort()
    for subject in tree.subjects:
        _scan_subject(tree, subject)
    return tree


def _scan_subject(tree: Tree, subject: str) -> None:
    for entry in _entries(tree.root / f"sub-{subject}", tree, subject):
        if entry.name == "func":
            _scan_func(tree, subject, Path(entry.path))
        elif entry.name.startswith("ses-") and _is_folder(entry):
            for inner in _entries(Path(entry.path), tree, subject):
                if inner.name == "func":
                    _scan_func(tree, subject, Path(inner.path))
                else:
                    _add(tree, subject, inner)
        else:
            _add(tree, subject, entry)


def _scan_func(tree: Tree, subject: str, folder: Path) -> None:
    for entry in _entries(folder, tree, subject):
        if entry.name.startswith("task-") and _is_folder(entry):  # HALFpipe: one folder per task
            for inner in _entries(Path(entry.path), tree, subject):
                _add(tree, subject, inner)
        else:
            _add(tree, subject, entry)


def _add(tree: Tree, subject: str, entry: os.DirEntry[str]) -> None:
    file = parse_name(Path(entry.path), entry.name)
    if file is not None:
        tree.files.setdefault((subject, file.suffix, file.extension), []).append(file)


def _entries(folder: Path, tree: Tree, subject: str | None = None) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = error.strerror or str(error)
        tree.problems.append(
            Problem(
                what="the folder cannot be read", file=str(folder), subject=subject, found=reason
            )
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _description(root: Path) -> dict[str, object]:
    try:
        return read_json(root / "dataset_description.json")
    except DatasetError:  # optional in derivatives; a broken one changes nothing here
        return {}


def _pipeline(root: Path) -> str:
    description = _description(root)
    generated = description.get("GeneratedBy")
    first = generated[0] if isinstance(generated, list) and generated else generated
    for entry in (first, description.get("PipelineDescription")):
        if isinstance(entry, dict) and isinstance(entry.get("Name"), str):
            return str(entry["Name"])
    return root.name


def is_derivative(root: Path) -> bool:
    """Tell whether a folder says of itself that it is a derivative.

    Parameters
    ----------
    root : Path
        Folder.

    Returns
    -------
    bool
    """
    return _description(root).get("DatasetType") == "derivative"


def find_derivatives(root: Path, given: tuple[Path, ...]) -> tuple[Path, ...]:
    """List the derivative folders to be searched.

    Parameters
    ----------
    root : Path
        BIDS root.
    given : tuple of Path
        Named by the user; empty: the root itself if it is a derivative, and all folders of
        ``root/derivatives``.

    Returns
    -------
    tuple of Path
        Each holds folders ``sub-*``; a given folder without any stands for the folders in it, or
        in its ``derivatives`` (the working directory of HALFpipe).

    Raises
    ------
    DatasetError
        A given folder does not exist or holds no participant.
    """
    if not given:
        own = [root] if is_derivative(root) else []
        return tuple(
            own + (_expand(root / "derivatives") if (root / "derivatives").is_dir() else [])
        )
    found: dict[Path, Path] = {}
    problems = []
    for folder in given:
        expanded = _expand(folder) if folder.is_dir() else []
        if not expanded:
            problems.append(
                Problem(
                    what="no folder of a participant in this derivative folder",
                    file=str(folder),
                    found="a folder" if folder.is_dir() else "no such folder",
                    expected="folders sub-*",
                )
            )
        for child in expanded:
            found.setdefault(child.resolve(), child)
    if problems:
        raise DatasetError(*problems)
    return tuple(found.values())


def _expand(folder: Path) -> list[Path]:
    if _has_subjects(folder):
        return [folder]
    inner = folder / "derivatives" if (folder / "derivatives").is_dir() else folder
    try:
        children = sorted(child for child in inner.iterdir() if child.is_dir())
    except OSError:
        return []
    return [child for child in children if _has_subjects(child)]


def _has_subjects(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(e.name.startswith("sub-") and _is_folder(e) for e in entries)
    except OSError:
        return False
