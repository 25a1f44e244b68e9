"""Threads of the linear algebra libraries, which would spin on cores that others work on."""

from contextlib import AbstractContextManager
from functools import cache

import numpy as np  # noqa: F401 - loads the library that is to be found
import scipy.linalg  # noqa: F401 - likewise: scipy has one of its own
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep linear algebra to one thread for a while.

    Returns
    -------
    context manager
        On leaving it the threads are as many as before.

    Notes
    -----
    Finding the libraries of a process takes milliseconds, and is done once.
    """
    limited: AbstractContextManager[object] = _controller().limit(limits=1)
    return limited


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
