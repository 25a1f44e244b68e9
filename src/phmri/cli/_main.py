"""Entry point: from words on a command line to an exit code."""

import sys
from collections.abc import Sequence

from rich.console import Console

from phmri.cli._commands import run_command
from phmri.cli._parser import make_parser
from phmri.exceptions import OutputError, PhmriError, ProtocolError

__all__ = ["main"]

INTERRUPTED = 130


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
        command is wrong; 130 interrupted.
    """
    arguments = make_parser().parse_args(argv)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return run_command(arguments)
    except ProtocolError as error:
        _show(console, error, "the protocol cannot be used")
        return 2
    except OutputError as error:
        _show(console, error, "results cannot be written; finished steps are kept")
        return 1
    except PhmriError as error:
        _show(console, error, "stopped; finished steps are kept")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted. Finished steps are kept: the same command goes on from here.")
        return INTERRUPTED


def _show(console: Console, error: PhmriError, headline: str) -> None:
    n_problems = len(error.problems)
    count = "1 problem" if n_problems == 1 else f"{n_problems} problems"
    console.print(f"phmri: {headline} ({count})", style="bold red", markup=False)
    for problem in error.problems:
        console.print(f"  - {problem}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
