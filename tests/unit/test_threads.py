"""Linear algebra on one thread, for a while; work shared out among threads."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from phmri.threads import map_threads, one_blas_thread


def threads() -> list[int]:
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_all_libraries_are_limited_and_set_free_again() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    for _ in range(2):
        with one_blas_thread():
            within = threads()
            with one_blas_thread():
                assert set(threads()) == {1}
            assert threads() == within
        assert set(within) == {1}
        assert threads() == before


@pytest.mark.parametrize("n_threads", [1, 3])
def test_work_is_done_in_order_by_as_many_threads_as_asked(n_threads: int) -> None:
    def work(number: int) -> tuple[int, str, set[int]]:
        return number**2, threading.current_thread().name, set(threads())

    squares, names, within = zip(*map_threads(work, iter(range(20)), n_threads), strict=True)
    assert squares == tuple(number**2 for number in range(20))
    assert (set(names) == {threading.current_thread().name}) == (n_threads == 1)
    assert set.union(*within) == {1}
    assert map_threads(work, (), n_threads) == []
