"""Linear algebra on one thread, for a while."""

import numpy as np
from threadpoolctl import threadpool_info

from phmri.threads import one_blas_thread


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
