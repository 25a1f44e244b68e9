"""Run independent jobs, here or on a local cluster of processes.

The answer does not depend on how the work was cut: a job sees nothing but its own arguments.
"""

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from phmri.exceptions import PhmriError, Problem
from phmri.threads import one_blas_thread

__all__ = ["execute", "n_workers_that_fit"]

_WORKER_ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
"""Dask's own environment also fixes the threshold at which memory goes back to the system; every
block of voxels is then asked for anew, which was a third of a worker's time."""
_WITHOUT_WORKERS_S = 60
Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


def n_workers_that_fit(n_asked: int, memory_gb: float | None, job_gb: float) -> int:
    """Say how many jobs may run at once.

    Parameters
    ----------
    n_asked : int
        Workers asked for.
    memory_gb : float or None
        Memory that may be used, in GiB; None for no limit.
    job_gb : float
        Memory that the largest job needs, in GiB.

    Returns
    -------
    int
        At least 1.
    """
    if memory_gb is None:
        return max(1, n_asked)
    return max(1, min(n_asked, math.floor(min(memory_gb / job_gb, n_asked))))


def execute(
    function: Callable[[Job], Outcome], jobs: Sequence[Job], *, n_workers: int
) -> Iterator[tuple[int, Outcome]]:
    """Run a function over jobs and give the outcomes as they come.

    Parameters
    ----------
    function : callable
        Importable by name, of one argument.
    jobs : sequence
    n_workers : int
        1 runs in this process.

    Yields
    ------
    index : int
        Position in `jobs`.
    outcome : object
    """
    if n_workers == 1 or len(jobs) <= 1:
        for index, job in enumerate(jobs):
            yield index, _with_one_thread(function, job)
        return
    yield from _execute_on_cluster(function, jobs, n_workers=min(n_workers, len(jobs)))


def _with_one_thread(function: Callable[[Job], Outcome], job: Job) -> Outcome:
    """Keep BLAS from spinning on cores that other workers use."""
    with one_blas_thread():
        return function(job)


def _execute_on_cluster(
    function: Callable[[Job], Outcome], jobs: Sequence[Job], *, n_workers: int
) -> Iterator[tuple[int, Outcome]]:
    # Imported here: it takes a second, which no command should cost that needs no cluster.
    import dask  # noqa: PLC0415
    from distributed import Client, KilledWorker, LocalCluster, as_completed  # noqa: PLC0415
    from distributed.scheduler import NoWorkerError  # noqa: PLC0415

    # Workers are born deaf to Ctrl-C: only this process decides what to stop.
    with (  # noqa: SIM117 - Ctrl-C is heard again only once they are born
        _interrupts(signal.SIG_IGN),
        dask.config.set(
            {
                "distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT,
                # Workers give up a process that was suspended; it must not wait for them for ever.
                "distributed.scheduler.no-workers-timeout": f"{_WITHOUT_WORKERS_S} s",
            }
        ),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # n_workers_that_fit has decided
            dashboard_address=None,
            # Else it wants the port of every Dask on the computer, and warns where it is taken.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        with _interrupts(signal.default_int_handler):
            futures = {
                client.submit(_with_one_thread, function, job, pure=False): index
                for index, job in enumerate(jobs)
            }
            for future in as_completed(futures):
                try:
                    outcome = future.result()
                except KilledWorker as error:
                    what = "a worker died, most likely for lack of memory"
                    raise PhmriError(
                        Problem(what=what, expected="fewer workers (--n-workers) or more memory")
                    ) from error
                except NoWorkerError as error:
                    what = "all workers have left, as they do when the computer is suspended"
                    raise PhmriError(
                        Problem(
                            what=what, expected="the same command again: finished runs are kept"
                        )
                    ) from error
                yield futures[future], outcome


@contextmanager
def _interrupts(handler: object) -> Iterator[None]:
    """Handle Ctrl-C in this way inside the block; only the main thread may say so."""
    try:
        before = signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
