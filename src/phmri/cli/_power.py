"""The command ``phmri power``."""

import argparse
import os
from pathlib import Path

from phmri.cli._power_figure import draw_power
from phmri.cli._power_page import grant_text, power_page
from phmri.cli._power_tables import needs_table, pairings_table, power_rows, study_record
from phmri.cli._progress import ProgressBars
from phmri.cli._screen import OUT, say
from phmri.dataset import write_bytes, write_json, write_table, write_text
from phmri.exceptions import Problem, ProtocolError, SimulationError
from phmri.protocol import read_protocol
from phmri.simulation import power

__all__ = ["run_power"]

_ROWS = {
    "Description": "Power of SIMULATED trials and by closed forms. Effects are standardised "
    "differences within a person (dz); of correlations r.",
    "n": "Participants per arm, or in the whole crossover, as the column unit says.",
    "power": "By the closed form; n/a where there is none.",
    "simulated": "Share of simulated trials; low and high are its 95 % Monte-Carlo interval.",
}


def run_power(arguments: argparse.Namespace) -> int:
    """Say how many participants a protocol needs.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the parser of ``power``.

    Returns
    -------
    int
        0.

    Raises
    ------
    ProtocolError
        With every option that is out of range or a pilot that cannot be used.
    """
    protocol = read_protocol(arguments.protocol)
    problems: list[Problem] = []
    plan = pilot = None
    try:
        plan = _plan(arguments)
    except SimulationError as error:
        problems += error.problems
    if arguments.pilot is not None:
        try:
            pilot = power.read_pilot(protocol, arguments.pilot)
        except SimulationError as error:
            problems += error.problems
    if problems or plan is None:
        raise ProtocolError(*problems)
    try:
        with ProgressBars() as progress:
            study = power.study_power(protocol, plan, pilot=pilot, on_progress=progress.update)
    except SimulationError as error:
        raise ProtocolError(*error.problems) from error
    _show(study)
    if arguments.out is not None:
        _write(study, arguments.out)
    return 0


def _plan(arguments: argparse.Namespace) -> power.PowerPlan:
    """Gather the options, and every one that is out of range.

    Raises
    ------
    SimulationError
        With all of them.
    """
    problems: list[Problem] = []
    effort, plan = None, None
    try:
        effort = power.Effort(
            n_trials=max(arguments.trials, 1) if arguments.trials >= 0 else arguments.trials,
            seed=arguments.seed,
            n_workers=os.cpu_count() or 1 if arguments.n_workers is None else arguments.n_workers,
        )
    except SimulationError as error:
        problems += error.problems
    try:
        plan = power.PowerPlan(
            effects=tuple(arguments.effect),
            sizes=tuple(arguments.n),
            target=arguments.power,
            alpha=arguments.alpha,
            correlation=arguments.correlation,
            missing=arguments.missing,
            margin=arguments.margin,
            n_tests=arguments.tests,
            simulated=arguments.trials != 0,
            effort=effort or power.Effort(),
        )
    except SimulationError as error:
        problems += error.problems
    if problems or plan is None:
        raise SimulationError(*problems)
    return plan


def _show(study: power.PowerStudy) -> None:
    for topic in study.topics:
        OUT.print(needs_table(topic, study.plan))
    OUT.print(pairings_table(study))
    for name, reason in study.refused.items():
        say(f"  - {name}: no power: {reason}")
    for sentence in study.pilot:
        say(sentence)
    say(
        "Effects are standardised differences within a person (dz); their sources, and what they "
        "leave out, stand in grant.txt and power.html (--out DIR). All power is of simulated or "
        "assumed data."
    )


def _write(study: power.PowerStudy, out: Path) -> None:
    images = {kind: draw_power(study, kind) for kind in ("png", "svg")}
    grant = grant_text(study)
    write_table(out / "power.tsv", power_rows(study))
    write_json(out / "power.json", {"Columns": _ROWS, **study_record(study)})
    for kind, content in images.items():
        write_bytes(out / f"power.{kind}", content)
    write_text(out / "grant.txt", grant)
    write_text(out / "power.html", power_page(study, images["png"], grant))
    say(f"Wrote {out / 'power.html'}, grant.txt, power.tsv, power.png and power.svg beside it.")
