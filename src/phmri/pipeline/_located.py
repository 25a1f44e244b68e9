"""Problems with arrays, told with the file and the part of the protocol they come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from phmri.exceptions import PhmriError, Problem

__all__ = ["located", "tell_place"]


@contextmanager
def located(*, file: str, field: str) -> Iterator[None]:
    """Tell of problems with arrays which file and which part of the protocol they come from.

    Parameters
    ----------
    file : str
    field : str

    Yields
    ------
    None

    Notes
    -----
    What is raised inside is raised again, with the place added.
    """
    try:
        yield
    except PhmriError as error:
        problems = (tell_place(problem, file=file, field=field) for problem in error.problems)
        raise type(error)(*problems) from error


def tell_place(problem: Problem, *, file: str, field: str) -> Problem:
    """Say which file and which part of the protocol a problem comes from.

    Parameters
    ----------
    problem : Problem
    file : str
    field : str

    Returns
    -------
    Problem
        As it was where it knows its file; else its own field stands behind the one given.
    """
    if problem.file:
        return replace(problem, field=problem.field or field)
    own = f": {problem.field}" if problem.field else ""
    return replace(problem, file=file, field=f"{field}{own}")
