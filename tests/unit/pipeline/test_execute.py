"""Jobs here and on workers, and how many fit."""

import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from distributed import get_worker

from phmri.exceptions import PhmriError
from phmri.pipeline import _execute
from phmri.pipeline._execute import execute, n_workers_that_fit


def _square(number: int) -> int:
    return number * number


def test_jobs_run_here_in_order() -> None:
    assert list(execute(_square, [3, 1, 2], n_workers=1)) == [(0, 9), (1, 1), (2, 4)]


def test_no_jobs_no_outcomes() -> None:
    assert list(execute(_square, [], n_workers=4)) == []


@pytest.mark.parametrize(
    ("asked", "memory_gb", "job_gb", "fitting"),
    [(4, None, 2.0, 4), (4, 8.0, 2.0, 4), (4, 5.0, 2.0, 2), (4, 0.1, 2.0, 1), (1, 100.0, 2.0, 1)],
)
def test_workers_that_fit(
    asked: int, memory_gb: float | None, job_gb: float, fitting: int
) -> None:
    assert n_workers_that_fit(asked, memory_gb, job_gb) == fitting


def _leave(seconds: float) -> None:
    worker = get_worker()
    worker.loop.add_callback(worker.close, nanny=True, reason="as after a suspended night")
    time.sleep(seconds)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers find the functions of this file."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))


@pytest.mark.usefixtures("importable")
def test_a_run_that_its_workers_left_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Dask's own port taken, of which it would warn; warnings are errors here."""
    monkeypatch.setattr(_execute, "_WITHOUT_WORKERS_S", 1)
    with socket.socket() as other:
        with suppress(OSError):  # taken already, which does as well
            other.bind(("", 8787))
            other.listen()
        with pytest.raises(PhmriError, match="all workers have left"):
            list(execute(_leave, [1.0, 1.0], n_workers=2))
