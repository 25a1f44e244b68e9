"""Which first-level file a question reads, and which column of a table."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset import read_table
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._job import RunJob, measure_path, statistic_of
from phmri.protocol import Question

__all__ = ["outcome_column", "outcome_path", "read_values"]


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
