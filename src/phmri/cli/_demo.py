"""The command ``phmri demo``."""

import argparse
import os
from pathlib import Path

import psutil

from phmri.cli._guard import refuse_foreign_demo
from phmri.cli._progress import ProgressBars
from phmri.cli._screen import OUT, command_line, say, show_summary
from phmri.cli._tables import recovered_table
from phmri.pipeline import RunSummary, run
from phmri.protocol import read_protocol
from phmri.report import write_recovered_page
from phmri.simulation import SimulatedTrial, compare, read_truth, simulate_demo, write_recovered

__all__ = ["run_demo"]


def run_demo(arguments: argparse.Namespace) -> int:
    """Simulate a founding study, analyse it, and hold the answers against what was planted.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the parser of ``demo``.

    Returns
    -------
    int
        Exit code.
    """
    refuse_foreign_demo(arguments.directory)
    n_workers = arguments.n_workers or os.cpu_count() or 1
    with ProgressBars() as progress:
        trial = simulate_demo(
            arguments.template,
            arguments.directory,
            scenario=arguments.scenario,
            full=arguments.full,
            seed=arguments.seed,
            n_workers=n_workers,
            atlas_dirs=tuple(arguments.atlas_dir),
            on_run=lambda done, total, _: progress.update("Simulating runs", done, total),
        )
        summary = run(
            trial.bids_dir,
            arguments.directory / "out",
            "all",
            trial.protocol,
            derivatives=(trial.derivatives,),
            n_workers=n_workers,
            memory_gb=psutil.virtual_memory().available / 2**30,
            atlas_dirs=tuple(arguments.atlas_dir),
            on_progress=progress.update,
            command=command_line(),
        )
    code = show_summary(summary)
    _show_recovered(trial, summary, arguments.directory)
    return code


def _show_recovered(trial: SimulatedTrial, summary: RunSummary, directory: Path) -> None:
    """Hold what was found against what was planted: on the screen, as a table, as a page."""
    protocol = read_protocol(trial.protocol)
    truth = read_truth(trial.truth, protocol)
    notes = [f"Scenario {truth.scenario}: {truth.notes}", *filter(None, [protocol.notes])]
    for note in notes:
        say(note)
    rows = compare(trial, summary.claims, summary.associations, summary.blockades)
    OUT.print(recovered_table(rows))
    write_recovered(rows, directory / "recovered.tsv")
    page = write_recovered_page(
        rows,
        directory / "recovered.html",
        title=protocol.title,
        notes=notes,
        report="out/report/index.html",
    )
    say(f"SIMULATED data: what was planted is in {trial.truth}. Planted and found: {page}")
