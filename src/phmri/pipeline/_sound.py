"""Whether first-level results are what was measured, and fit together."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phmri.exceptions import DesignError, Problem
from phmri.pipeline._job import RunJob, grid_of
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._outcome_files import outcome_path
from phmri.protocol import Question
from phmri.signals import Grid

__all__ = ["few", "is_as_measured", "refuse_altered", "refuse_odd_grids"]

SHOWN = 3
"""Participants or files that an error names; beyond this they are counted."""
SAME_MM = 1e-3
"""Affines that differ by no more are the same grid."""


def few(names: Sequence[str], *, joint: str = ", ") -> str:
    """List names as an error does.

    Parameters
    ----------
    names : sequence of str
    joint : str, default ", "
        Between two of them.

    Returns
    -------
    str
        Three at most, and how many more there are.
    """
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return joint.join(names[:SHOWN]) + more


def is_as_measured(job: RunJob, manifest: RunManifest, question: Question) -> bool:
    """Tell whether the file that a question reads is the one that was measured.

    Parameters
    ----------
    job : RunJob
    manifest : RunManifest
        Of the same run; its folder may have been moved since.
    question : Question

    Returns
    -------
    bool
        Of a file with the size and time of change that it had, without reading it.
    """
    path = outcome_path(job, question)
    records = (record for record in manifest.outputs if Path(record.path).name == path.name)
    record = next(records, None)
    return record is not None and record.is_unchanged(path)


def refuse_altered(runs: Sequence[tuple[RunJob, RunManifest]], question: Question) -> None:
    """Refuse first-level files that were changed or lost since they were measured.

    Parameters
    ----------
    runs : sequence of (RunJob, RunManifest)
        That a question is answered from.
    question : Question

    Raises
    ------
    DesignError
        With the files.
    """
    altered = [
        outcome_path(job, question).name
        for job, manifest in runs
        if not is_as_measured(job, manifest, question)
    ]
    if altered:
        raise DesignError(
            Problem(
                what="first-level files were changed or lost after they were measured",
                field=f"measures.{question.measure}",
                found=few(altered),
                expected="the files as they were written: run the participant level again",
            )
        )


def refuse_odd_grids(jobs: Sequence[RunJob]) -> None:
    """Refuse maps that lie on another grid than most.

    Parameters
    ----------
    jobs : sequence of RunJob
        Of images; a map lies on the grid of its run.

    Raises
    ------
    DesignError
        With the odd ones.
    """
    kinds: list[Grid] = []
    kind_of = []
    for job in jobs:
        grid = grid_of(job.run)
        alike = [number for number, kind in enumerate(kinds) if _same_grid(kind, grid)]
        kind_of.append(alike[0] if alike else len(kinds))
        kinds += [] if alike else [grid]
    ((usual, n_usual),) = Counter(kind_of).most_common(1)
    odd = [
        f"{job.run.path.name} {kinds[kind].shape}"
        for job, kind in zip(jobs, kind_of, strict=True)
        if kind != usual
    ]
    if odd:
        raise DesignError(
            Problem(
                what="runs lie on another grid than most",
                found=few(odd),
                expected=f"shape {kinds[usual].shape} and the affine of the other {n_usual}",
            )
        )


def _same_grid(one: Grid, other: Grid) -> bool:
    return one.shape == other.shape and bool(np.abs(one.affine - other.affine).max() <= SAME_MM)
