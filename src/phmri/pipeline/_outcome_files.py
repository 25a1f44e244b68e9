"""Which first-level file a question reads, and which column of a table."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset import read_table
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._job import RunJob, measure_path, statistic_of
from phmri.protocol import Association, Protocol, Question, SeriesRegion

__all__ = ["outcome_column", "outcome_path", "read_values", "unknown_outcome"]

SHOWN = 3
"""Names that an error gives as examples."""


def outcome_path(job: RunJob, question: Question) -> Path:
    """Say which file of a run a question reads.

    Parameters
    ----------
    job : RunJob
    question : Question

    Returns
    -------
    Path
    """
    return measure_path(
        job, question.measure, denoising=question.denoising, statistic=question.map
    )


def outcome_column(job: RunJob, question: Question) -> str:
    """Say which column of a table of outcomes a question reads.

    Parameters
    ----------
    job : RunJob
    question : Question

    Returns
    -------
    str
    """
    return question.map or statistic_of(job, question.measure)


def read_values(
    path: Path, column: str
) -> tuple[tuple[str, ...], Float[np.ndarray, " n_outcomes"]]:
    """Read one column of a table of outcomes.

    Parameters
    ----------
    path : Path
    column : str

    Returns
    -------
    names : tuple of str
    values : ndarray of shape (n_outcomes,)

    Raises
    ------
    DesignError
        The table has no such column.
    """
    table = read_table(path, text_columns=("name",))
    if column not in table:
        raise DesignError(
            Problem(
                what="the measure has no such further values",
                file=str(path),
                field="map",
                found=column,
                expected=", ".join(name for name in table.columns if name != "name"),
            )
        )
    return tuple(table["name"]), table[column].to_numpy(np.float64)


def unknown_outcome(
    protocol: Protocol, asked: Question | Association, names: Sequence[str]
) -> Problem:
    """Say that a measure has no outcome of the name that ``where.at`` gives.

    Parameters
    ----------
    protocol : Protocol
    asked : Question or Association
    names : sequence of str
        Of the outcomes that there are.

    Returns
    -------
    Problem
        Suggests any but the seed, whose coupling with itself answers nothing.
    """
    seed = getattr(protocol.measures[asked.measure], "seed", None)
    region = protocol.regions.get(seed or "")
    own = {seed, *(region.columns if isinstance(region, SeriesRegion) else ())}
    others = [name for name in names if name not in own]
    found = asked.where.at or ""
    close = get_close_matches(found, others, n=1)
    mean = f" (did you mean {close[0]}?)" if close else ""
    return Problem(
        what="the measure has no outcome of this name",
        field="where.at",
        found=found,
        expected=f"one of {len(others)}, e.g. {', '.join(others[:SHOWN])}{mean}",
    )
