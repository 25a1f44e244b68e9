"""Runs made of files: which mask, confounds, events and repetition time belong to an image."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeGuard

import numpy as np
from jaxtyping import Float

from phmri.dataset._dosing_sidecar import find_dosing
from phmri.dataset._headers import (
    ImageHeader,
    find_affine_fault,
    find_size_fault,
    header_of,
)
from phmri.dataset._names import FileName, acquired
from phmri.dataset._physio import find_physio
from phmri.dataset._read_files import unreadable
from phmri.dataset._read_series import lacks_names
from phmri.dataset._records import Run
from phmri.dataset._run_events import find_events, onset_problems
from phmri.dataset._tree import Tree
from phmri.exceptions import DatasetError, Problem

__all__ = ["find_runs"]

_PREPROCESSED = frozenset({None, "preproc", "denoised", "residual"})
_NO_PARCELS = frozenset({"confounds", "motion"})
_STATISTICS = frozenset({None, "mean"})
_PARTIAL = frozenset({"echo", "part", "hemi", "den"})
_STEM = ("space", "res", "setting", "feature", "cohort")
_N_AXES = 4
_TAIL_BYTES = 256
_LARGEST_NUMBER = 1e6  # of seconds or Hz: beyond it the sidecar is not to be believed
_T_R_TOLERANCE_S = 1e-3
_LONGEST_T_R_S = 30.0
_MS_PER_S = 1e3
_SHOWN = 60
"""Characters of a value that are shown."""
_AFFINE_TOLERANCE_MM = 1e-3
_STANDARD_GRIDS: dict[tuple[tuple[int, ...], tuple[float, ...]], str] = {
    ((193, 229, 193), (-96.0, -132.0, -78.0)): "MNI152NLin2009cAsym",
    ((97, 115, 97), (-96.5, -132.5, -78.5)): "MNI152NLin2009cAsym",
    ((91, 109, 91), (-90.0, -126.0, -72.0)): "MNI152NLin6Asym",
}
"""Template by grid (shape, mm of the first voxel), for HALFpipe, whose names lack ``space-``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the headers say about a run so far."""

    t_r: float | None = None
    n_volumes: int | None = None
    shape: tuple[int, int, int] | None = None
    affine: Float[np.ndarray, "4 4"] | None = None
    space: str | None = None
    mask: Path | None = None
    confounds: Path | None = None
    problems: tuple[Problem, ...] = ()


def find_runs(tree: Tree, raw: Tree, others: tuple[Tree, ...]) -> list[Run]:
    """Find the preprocessed runs of a derivative folder.

    Parameters
    ----------
    tree : Tree
        The derivative folder.
    raw : Tree
        The BIDS root, for sidecars and events.
    others : tuple of Tree
        Further derivative folders in which a missing mask is looked for.

    Returns
    -------
    list of Run
    """
    runs = []
    for subject in tree.subjects:
        images = tree.of(subject, "bold", ".nii.gz") + tree.of(subject, "bold", ".nii")
        runs += [_make_run(f, "volume", tree, raw, others) for f in images if _is_volume(f)]
        tables = tree.of(subject, "timeseries", ".tsv")
        runs += [_make_run(f, "series", tree, raw, others) for f in tables if _is_series(f)]
    return runs


def _is_volume(file: FileName) -> bool:
    names = file.entities
    return (
        "task" in names
        and "sub" in names
        and names.get("desc") in _PREPROCESSED
        and not _PARTIAL & names.keys()
    )


def _is_series(file: FileName) -> bool:
    names = file.entities
    return (
        "task" in names
        and "sub" in names
        and names.get("desc") not in _NO_PARCELS
        and names.get("stat") in _STATISTICS
    )


def _make_run(
    file: FileName,
    kind: Literal["volume", "series"],
    tree: Tree,
    raw: Tree,
    others: tuple[Tree, ...],
) -> Run:
    names = file.entities
    found = _inspect_image(file, tree, others) if kind == "volume" else _inspect_series(file)
    found = _with_repetition_time(found, file, tree, raw)
    found = _with_confounds(found, file, tree)
    events = find_events(file, (raw, tree))
    event_problems = onset_problems(events, found.t_r, found.n_volumes) if events else ()
    return Run(
        subject=names["sub"],
        session=names.get("ses"),
        task=names["task"],
        run=names.get("run"),
        space=found.space,
        resolution=names.get("res"),
        seg=names.get("seg", names.get("atlas")),
        kind=kind,
        pipeline=tree.pipeline,
        path=file.path,
        mask=found.mask,
        confounds=found.confounds,
        events=events,
        t_r=found.t_r,
        n_volumes=found.n_volumes,
        shape=found.shape,
        affine=found.affine,
        problems=tuple(
            replace(problem, subject=names["sub"], session=names.get("ses"))
            for problem in (*found.problems, *event_problems)
        ),
        physio=find_physio(file, raw.root),
        dosing=find_dosing(file, raw),
    )


def _inspect_image(file: FileName, tree: Tree, others: tuple[Tree, ...]) -> _Found:
    space = file.entities.get("space")
    try:
        header = header_of(file.path)
    except DatasetError as error:
        mask, _ = _find_mask(file, tree, others)
        return _Found(space=space, mask=mask, problems=error.problems)
    if len(header.shape) != _N_AXES:
        problem = Problem(
            what="not a 4D image",
            file=str(file.path),
            found=f"shape {header.shape}",
            expected="x, y, z and volumes",
        )
        return _Found(space=space, problems=(problem,))
    if space is None and ("setting" in file.entities or "feature" in file.entities):
        space = _space_of_grid(header)
    problems = [p for p in (find_size_fault(header), find_affine_fault(header)) if p is not None]
    mask, mask_problems = _find_mask(file, tree, others)
    if mask is not None:
        mask_problems += _compare_mask(mask, header)
    return _Found(
        t_r=header.t_r,
        n_volumes=header.shape[3],
        shape=(header.shape[0], header.shape[1], header.shape[2]),
        affine=header.affine,
        space=space,
        mask=mask,
        problems=(*problems, *mask_problems),
    )


def _space_of_grid(header: ImageHeader) -> str | None:
    corners = header.affine @ np.array([[0, 0, 0, 1], [*np.array(header.shape[:3]) - 1, 1]]).T
    origin = tuple(float(mm) for mm in np.round(corners[:3].min(axis=1), 1))
    return _STANDARD_GRIDS.get((header.shape[:3], origin))


def _inspect_series(file: FileName) -> _Found:
    space = file.entities.get("space")
    try:
        n_rows = _count_rows(file.path, has_names=not lacks_names(file.path))
    except DatasetError as error:
        return _Found(space=space, problems=error.problems)
    if n_rows < 1:
        problem = Problem(what="the time series is empty", file=str(file.path))
        return _Found(space=space, problems=(problem,))
    return _Found(space=space, n_volumes=n_rows)


def _count_rows(path: Path, *, has_names: bool) -> int:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from error
    end = len(content)
    while content[max(end - _TAIL_BYTES, 0) : end].isspace():
        end = max(end - _TAIL_BYTES, 0)
    tail = content[max(end - _TAIL_BYTES, 0) : end]
    n_blank = tail.count(b"\n") - tail.rstrip().count(b"\n")
    return content.count(b"\n", 0, end) - n_blank + bool(tail.strip()) - has_names


def _find_mask(
    file: FileName, tree: Tree, others: tuple[Tree, ...]
) -> tuple[Path | None, list[Problem]]:
    for place in (tree, *others):
        candidates = [
            mask
            for extension in (".nii.gz", ".nii")
            for mask in place.of(file.entities["sub"], "mask", extension)
            if mask.entities.get("desc", "brain") == "brain"
            and "label" not in mask.entities
            and _belongs(mask, file, exact=("space",))
        ]
        if candidates:
            return max(candidates, key=lambda mask: len(mask.entities)).path, []
    return None, [
        Problem(
            what="no brain mask belongs to this image",
            file=str(file.path),
            expected="a file ..._desc-brain_mask.nii.gz of the same run and space",
        )
    ]


def _belongs(candidate: FileName, file: FileName, *, exact: tuple[str, ...] = ()) -> bool:
    """Ask for the same acquisition; of its other entities, those that are there must agree."""
    theirs, ours = candidate.entities, file.entities
    return (
        acquired(theirs) == acquired(ours)
        and all(theirs.get(key) == ours.get(key) for key in exact)
        and all(theirs[key] == ours.get(key) for key in _STEM if key in theirs)
    )


def _compare_mask(mask: Path, header: ImageHeader) -> list[Problem]:
    try:
        other = header_of(mask)
    except DatasetError as error:
        return list(error.problems)
    problems = []
    if other.shape[:3] != header.shape[:3]:
        problems.append(
            Problem(
                what="the mask has another shape than the image",
                file=str(mask),
                found=str(other.shape[:3]),
                expected=str(header.shape[:3]),
            )
        )
    elif not np.isclose(other.affine, header.affine, rtol=0, atol=_AFFINE_TOLERANCE_MM).all():
        problems.append(
            Problem(
                what="the mask lies elsewhere than the image (their affines differ)",
                file=str(mask),
                found=_affine_text(other),
                expected=_affine_text(header),
            )
        )
    fault = find_size_fault(other)
    return [*problems, fault] if fault is not None else problems


def _affine_text(header: ImageHeader) -> str:
    return "; ".join(" ".join(f"{number:g}" for number in row) for row in header.affine[:3])


def _with_repetition_time(found: _Found, file: FileName, tree: Tree, raw: Tree) -> _Found:
    """Take it from the derivative's sidecars, then the raw ones, then the header."""
    own, own_paths, problems = tree.metadata(file.entities, file.suffix)
    theirs, their_paths, raw_problems = raw.metadata(
        acquired(file.entities), "bold", ignore=("echo", "part")
    )
    problems = problems + raw_problems
    t_r, source, faults = _of_sidecars(((tree, own, own_paths), (raw, theirs, their_paths)))
    problems += faults
    if not own_paths and not their_paths:
        problems.append(
            Problem(
                what="the sidecar is missing",
                file=str(file.path),
                expected="a .json file beside it, or one that applies to it by BIDS inheritance",
            )
        )
    if t_r is None and found.t_r is None and not problems:
        problems.append(
            Problem(
                what="the repetition time is unknown",
                file=str(file.path),
                field="RepetitionTime",
                expected="a number of seconds in the sidecar, or in the header with its unit",
            )
        )
    final = found.t_r if t_r is None else t_r
    if final is not None and final > _LONGEST_T_R_S:
        problems.append(
            Problem(
                what=f"a repetition time above {_LONGEST_T_R_S:g} s: is it in milliseconds?",
                file=str(source or file.path),
                field="RepetitionTime",
                found=f"{final:g} s",
                expected=f"seconds, such as {final / _MS_PER_S:g}",
            )
        )
    elif t_r is not None and found.t_r is not None and abs(t_r - found.t_r) > _T_R_TOLERANCE_S:
        problems.append(
            Problem(
                what="sidecar and header disagree on the repetition time",
                file=str(file.path),
                field="RepetitionTime",
                found=f"{found.t_r:g} s in the header",
                expected=f"{t_r:g} s as in the sidecar",
            )
        )
    return replace(found, t_r=final, problems=(*found.problems, *problems))


def _of_sidecars(
    places: tuple[tuple[Tree, dict[str, object], list[Path]], ...],
) -> tuple[float | None, Path | None, list[Problem]]:
    """Take the first repetition time and its file; one that is no number is not passed over."""
    for tree, sidecar, paths in places:
        if "RepetitionTime" in sidecar:
            value, source = sidecar["RepetitionTime"], tree.source(paths, "RepetitionTime")
            if _is_positive(value):
                return float(value), source, []
            problem = Problem(
                what="not a number of seconds",
                file=str(source),
                field="RepetitionTime",
                found=json.dumps(value, ensure_ascii=False)[:_SHOWN],
                expected="a number above 0",
            )
            return None, source, [problem]
        frequency = sidecar.get("SamplingFrequency")
        if _is_positive(frequency):
            return 1.0 / float(frequency), tree.source(paths, "SamplingFrequency"), []
    return None, None, []


def _is_positive(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < _LARGEST_NUMBER


def _with_confounds(found: _Found, file: FileName, tree: Tree) -> _Found:
    candidates = [
        table
        for suffix in ("timeseries", "regressors")
        for table in tree.of(file.entities["sub"], suffix, ".tsv")
        if table.entities.get("desc") == "confounds" and _belongs(table, file)
    ]
    if not candidates:
        if file.entities.get("desc") != "preproc" or file.suffix != "bold":
            return found
        problem = Problem(
            what="no confounds belong to this image",
            file=str(file.path),
            expected="a file ..._desc-confounds_timeseries.tsv of the same run",
        )
        return replace(found, problems=(*found.problems, problem))
    path = candidates[0].path
    problems: tuple[Problem, ...] = ()
    try:
        n_rows = _count_rows(path, has_names=True)
    except DatasetError as error:
        problems = error.problems
    else:
        if found.n_volumes is not None and n_rows != found.n_volumes:
            problems = (
                Problem(
                    what="the confounds have another number of rows than the run has volumes",
                    file=str(path),
                    found=f"{n_rows} rows",
                    expected=f"{found.n_volumes} rows",
                ),
            )
    return replace(found, confounds=path, problems=(*found.problems, *problems))
