"""Entry point: from words on a command line to an exit code."""

import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from phmri.cli._commands import run_command
from phmri.cli._parser import make_parser
from phmri.cli._problems import problem_lines
from phmri.exceptions import OutputError, PhmriError, Problem, ProtocolError, SimulationError

__all__ = ["main"]

INTERRUPTED = 130
TERMINATED = 143


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, as a queue or a container sends it: stop as on Ctrl-C."""


_ENDS: dict[type[PhmriError], tuple[str, int]] = {
    ProtocolError: ("the protocol cannot be used", 2),
    SimulationError: ("no trial can be simulated as asked", 2),
    OutputError: ("results cannot be written; finished steps are kept", 1),
    PhmriError: ("stopped; finished steps are kept", 1),
}
"""What is said of an error, and the exit code; the first that fits."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``phmri``.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after ``phmri``; those of the process by default.

    Returns
    -------
    int
        0 done; 1 the data cannot answer, or results cannot be written; 2 the protocol or the
        command is wrong; 130 interrupted; 143 terminated.
    """
    _print_what_can_be_printed()
    arguments = make_parser().parse_args(argv)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _termination_as_interrupt():
            return run_command(arguments)
    except PhmriError as error:
        kinds = (kind for kind in _ENDS if isinstance(error, kind))
        headline, code = _ENDS[next(kinds)]
        _show(console, error, headline)
        return code
    except (OSError, MemoryError) as error:
        headline, code = _ENDS[PhmriError]
        _show(console, _of_system(error), headline)
        return code
    except KeyboardInterrupt as error:
        console.print("Interrupted. Finished steps are kept: the same command goes on from here.")
        return TERMINATED if isinstance(error, _TerminatedError) else INTERRUPTED


def _print_what_can_be_printed() -> None:
    """Write ? for what the terminal's character set lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind the work, so that no half-written file stays; main thread only."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TerminatedError

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _of_system(error: OSError | MemoryError) -> PhmriError:
    """Put into words what the system refused."""
    if isinstance(error, MemoryError):
        what = "the memory does not suffice: fewer workers (--n-workers) need less"
        return PhmriError(Problem(what=what))
    reason = error.strerror or str(error)
    file = None if error.filename is None else str(error.filename)
    return PhmriError(Problem(what="the system refused", file=file, found=reason))


def _show(console: Console, error: PhmriError, headline: str) -> None:
    n_problems = len(error.problems)
    count = "1 problem" if n_problems == 1 else f"{n_problems} problems"
    console.print(f"phmri: {headline} ({count})", style="bold red", markup=False, emoji=False)
    for line in problem_lines(error.problems):
        console.print(f"  - {line}", markup=False, emoji=False)


if __name__ == "__main__":
    sys.exit(main())
