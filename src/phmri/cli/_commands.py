"""One function per command."""

import argparse
import os
from collections.abc import Callable, Iterable

import psutil

from phmri.cli._beside_tables import beside_tables, reliabilities_table
from phmri.cli._problems import problem_lines
from phmri.cli._progress import ProgressBars
from phmri.cli._screen import OUT, command_line, say, show_summary
from phmri.cli._tables import (
    associations_table,
    completeness_table,
    design_table,
    questions_table,
    ratings_table,
)
from phmri.dataset import (
    AssociationCheck,
    DatasetCheck,
    check_dataset,
    index_dataset,
)
from phmri.exceptions import Problem, ProtocolError
from phmri.pipeline import (
    DesignSummary,
    describe_associations,
    describe_designs,
    look_ahead,
    run,
)
from phmri.protocol import Protocol, read_protocol, write_template

__all__ = ["run_command"]


def run_command(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command line.

    Parameters
    ----------
    arguments : argparse.Namespace
        From `phmri.cli._parser.make_parser`.

    Returns
    -------
    int
        Exit code.
    """
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "new": _new,
        "check": _check,
        "design": _design,
        "run": _run,
        "simulate": _simulate,
        "demo": _demo,
        "power": _power,
    }
    return commands[arguments.command](arguments)


def _new(arguments: argparse.Namespace) -> int:
    path = write_template(arguments.template, arguments.directory)
    say(f"Wrote {path} and its schema. Edit it, then: phmri check {path} BIDS_DIR")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    protocol = read_protocol(arguments.protocol)
    index = index_dataset(arguments.bids_dir, tuple(arguments.derivatives))
    check = check_dataset(protocol, index, _labels(arguments))
    with ProgressBars() as progress:
        plan = look_ahead(
            arguments.protocol,
            index,
            check,
            atlas_dirs=tuple(arguments.atlas_dir),
            on_progress=progress.update,
        )
    OUT.print(completeness_table(protocol, plan.check))
    if plan.check.ratings:
        OUT.print(ratings_table(protocol, plan.check))
    OUT.print(questions_table(plan.foreseen))
    if plan.foreseen.associations:
        OUT.print(associations_table(plan.foreseen.associations, "participants with both"))
    if protocol.reliability:
        OUT.print(reliabilities_table(protocol, plan.reliabilities))
    stopped = _list_problems(protocol, check, plan.problems, plan.tolerated)
    refused = any(
        item.role == "primary" and not item.answerable for item in plan.foreseen.questions
    )
    unanswered = [item.question for item in plan.foreseen.questions if not item.answerable]
    unanswered += [i.association for i in plan.foreseen.associations if not i.answerable]
    unanswered += plan.reliabilities
    if unanswered:
        say(f"Will not be answered: {', '.join(unanswered)}.")
    if not (stopped or refused):
        say("Nothing was found that would stop phmri run.")
    return 1 if stopped or refused else 0


def _list_problems(
    protocol: Protocol,
    check: DatasetCheck,
    problems: tuple[Problem, ...],
    tolerated: tuple[Problem, ...],
) -> bool:
    """List all problems, those at which a run stops first, and say whether there are such."""
    stops = protocol.exclusions.broken_run == "stop"
    stopping = dict.fromkeys((*(check.problems if stops else ()), *problems))
    for line in problem_lines(stopping):
        say(f"  - {line}")
    if stopping:
        OUT.print(
            "phmri run will stop at these problems: mend them, or let the protocol leave them "
            "out (exclusions.broken_run: exclude; exclusions.participants).",
            style="bold red",
        )
    others = [p for p in dict.fromkeys((*check.problems, *tolerated)) if p not in stopping]
    if stopping and others:
        say("phmri run will not stop at these:")
    for line in problem_lines(others):
        say(f"  - {line}")
    for line in problem_lines(check.remarks):
        say(f"  - may be a slip: {line}")
    return bool(stopping)


def _design(arguments: argparse.Namespace) -> int:
    protocol = read_protocol(arguments.protocol)
    stopped = False
    if arguments.bids_dir is None:
        summaries = _describe_plan(protocol, arguments)
        _show_designs(summaries)
        _show_beside(protocol, describe_associations(protocol), "participants planned", None)
    else:
        index = index_dataset(arguments.bids_dir, tuple(arguments.derivatives))
        check = check_dataset(protocol, index)
        with ProgressBars() as progress:
            plan = look_ahead(
                arguments.protocol,
                index,
                check,
                atlas_dirs=tuple(arguments.atlas_dir),
                on_progress=progress.update,
            )
        summaries = plan.designs
        _show_designs(summaries)
        associations = plan.foreseen.associations
        _show_beside(protocol, associations, "participants with both", plan.reliabilities)
        stopped = _list_problems(protocol, check, plan.problems, plan.tolerated)
    refused = any(item.role == "primary" and not item.answerable for item in summaries)
    return 1 if stopped or refused else 0


def _show_designs(summaries: Iterable[DesignSummary]) -> None:
    told: dict[str, str] = {}
    for summary in summaries:
        first = told.setdefault(summary.refusal, summary.question)
        like = first if first != summary.question else ""
        OUT.print(design_table(summary, refused_like=like))


def _show_beside(
    protocol: Protocol,
    associations: tuple[AssociationCheck, ...],
    counted: str,
    reliabilities: dict[str, str] | None,
) -> None:
    if associations:
        OUT.print(associations_table(associations, counted))
    for table in beside_tables(protocol, reliabilities):
        OUT.print(table)


def _describe_plan(protocol: Protocol, arguments: argparse.Namespace) -> tuple[DesignSummary, ...]:
    """Describe the designs of the participants that the protocol plans.

    Parameters
    ----------
    protocol : Protocol
    arguments : argparse.Namespace

    Returns
    -------
    tuple of DesignSummary

    Raises
    ------
    ProtocolError
        If derivatives were named of no data set.
    """
    if arguments.derivatives:
        raise ProtocolError(
            Problem(what="--derivatives names folders of a data set", expected="BIDS_DIR too")
        )
    return describe_designs(protocol)


def _run(arguments: argparse.Namespace) -> int:
    with ProgressBars() as progress:
        summary = run(
            arguments.bids_dir,
            arguments.out_dir,
            arguments.level,
            arguments.protocol,
            derivatives=tuple(arguments.derivatives),
            participants=_labels(arguments),
            n_workers=arguments.n_workers or os.cpu_count() or 1,
            memory_gb=arguments.memory_gb or psutil.virtual_memory().available / 2**30,
            atlas_dirs=tuple(arguments.atlas_dir),
            on_progress=progress.update,
            command=command_line(),
        )
    return show_summary(summary)


def _simulate(arguments: argparse.Namespace) -> int:
    # Imported here: the other commands do not need a simulator.
    from phmri.simulation import simulate  # noqa: PLC0415

    with ProgressBars() as progress:
        trial = simulate(
            arguments.protocol,
            arguments.directory,
            truth_path=arguments.truth,
            seed=arguments.seed,
            n_workers=arguments.n_workers or os.cpu_count() or 1,
            atlas_dirs=tuple(arguments.atlas_dir),
            on_run=lambda done, total, _: progress.update("Simulating runs", done, total),
        )
    say(f"SIMULATED data: {trial.bids_dir}; what was planted is in {trial.truth}")
    say(f"Next: phmri run {trial.bids_dir} OUT_DIR all --protocol {trial.protocol}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    # Imported here: the other commands do not need a simulator.
    from phmri.cli._demo import run_demo  # noqa: PLC0415

    return run_demo(arguments)


def _power(arguments: argparse.Namespace) -> int:
    from phmri.cli._power import run_power  # noqa: PLC0415

    return run_power(arguments)


def _labels(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    if arguments.participant_label is None:
        return None
    return tuple(label.removeprefix("sub-").rstrip("/") for label in arguments.participant_label)
