"""What all commands say alike, and the console that they say it on."""

import shlex
import sys

from rich.console import Console

from phmri.cli._problems import problem_lines
from phmri.cli._tables import claims_table
from phmri.pipeline import RunSummary

__all__ = ["OUT", "command_line", "say", "show_summary"]

OUT = Console(highlight=False, soft_wrap=True)


def show_summary(summary: RunSummary) -> int:
    """Print answers, problems and counts of a run.

    Parameters
    ----------
    summary : RunSummary

    Returns
    -------
    int
        Exit code: 1 where a primary question was refused.
    """
    if summary.claims:
        OUT.print(claims_table(summary.claims, summary.associations))
    for line in problem_lines(summary.problems):
        say(f"  - {line}")
    say(
        f"{summary.n_done} steps done, {summary.n_kept} kept from before, "
        f"{summary.n_excluded} runs excluded, {summary.n_failed} runs broken."
    )
    if summary.report_path is not None:
        say(f"Report: {summary.report_path}")
    refused = any(
        claim.role == "primary" and claim.verdict == "refused" for claim in summary.claims
    )
    return 1 if refused else 0


def say(text: str) -> None:
    """Print text as it is: a path or a title may hold what the console takes for markup.

    Parameters
    ----------
    text : str
    """
    OUT.print(text, markup=False, emoji=False)


def command_line() -> str:
    """Give the command as a shell would take it again.

    Returns
    -------
    str
    """
    return shlex.join(["phmri", *sys.argv[1:]])
