"""Threads of the linear algebra libraries, which would spin on cores that others work on."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import TypeVar

import numpy as np  # noqa: F401 - loads the library that is to be found
import scipy.linalg  # noqa: F401 - likewise: scipy has one of its own
from threadpoolctl import ThreadpoolController

__all__ = ["map_threads", "one_blas_thread"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], n_threads: int
) -> list[_Result]:
    """Do something with every item, the linear algebra within on one thread each.

    Parameters
    ----------
    work : callable
        Takes an item.
    items : iterable
        What there is to do.
    n_threads : int
        Items at one time; with one, no thread is started.

    Returns
    -------
    list
        What `work` gave, in order.
    """
    with one_blas_thread():
        if n_threads == 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(work, items))


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
