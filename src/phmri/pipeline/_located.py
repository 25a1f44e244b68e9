"""Problems with arrays, told with the file and the part of the protocol they come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from phmri.exceptions import PhmriError

__all__ = ["located"]


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
        raise type(error)(
            *(
                replace(problem, file=problem.file or file, field=problem.field or field)
                for problem in error.problems
            )
        ) from error
