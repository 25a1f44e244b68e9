"""What can be typed after ``phmri``, and the help that teaches it."""

import argparse
import math
from pathlib import Path

from phmri import __version__
from phmri.cli._power_parser import add_power
from phmri.protocol import list_templates

__all__ = ["make_parser"]

_RUN_EXAMPLES = """\
examples:
  # the whole trial; a second call does only what is missing or changed
  phmri run bids out all --protocol trial.yaml

  # first levels of two participants, then the group answers
  phmri run bids out participant --protocol trial.yaml --participant-label 01 02
  phmri run bids out group --protocol trial.yaml

  # derivatives somewhere else, 8 workers, at most 32 GB
  phmri run bids out all --protocol trial.yaml --derivatives /data/fmriprep \\
        --n-workers 8 --memory-gb 32

exit code: 0 done, 1 the data cannot answer (all reasons are listed), 2 the protocol or the
command is wrong, 130 interrupted (finished steps are kept).
"""

_DESIGN_EXAMPLES = """\
examples:
  # before the trial: with the numbers that the protocol plans (n_planned)
  phmri design trial.yaml

  # with the participants at hand, their strata and covariates
  phmri design trial.yaml bids --derivatives /data/fmriprep

what it says of each question:
  shuffled      who changes places, or sign, under the null hypothesis; strata stay apart
  null hypothesis  what a small p speaks against: no more than this is tested
  moves         how many rows of the model shuffling moves, and who stays
  shufflings    how many distinct ones exist; all are made when n_permutations allows it,
                else that many random ones
  smallest p    what the strongest of effects can reach. Few participants have few shufflings:
                3 against 3 (no baseline) have 20, and a two-sided p is never below 2 of 20

exit code: 0 done, 1 a primary question cannot be answered, its p cannot reach alpha, or
run would stop, 2 the protocol or the command is wrong.

p-values that come from a model and not from shuffling: 'ordinal' is anticonservative with few
participants (7 % at a nominal 5 % with 10 per arm; docs/validation.md has all rates).
"""

_TEMPLATES = """\
templates:
  minimal_parallel      the shortest parallel trial: two arms, two sessions, one seed
  timeseries_crossover  ROI time series, two treatments, order of treatments not recorded
  weigner2025           ketamine, lamotrigine before ketamine, placebo: three arms, three
                        sessions, rest and working memory, pregenual cingulate
  deakin2008            ketamine infusion: two crossover experiments, 33 men

Values marked "OURS" in a template are defaults of phmri that no paper states: replace them.
"""

_SIMULATE_EXAMPLES = """\
a truth file:
  phmri_truth: 1
  voxel_mm: 3                       # 2, 3, 4 or 6; or, for tables of time series:
                                    # tables: {columns: 100}
  participants: {placebo: 12, ketamine: 12}
  scans:
    rest: {n_volumes: 200, t_r: 2.0}
  regions:                          # of the protocol; their own fluctuations
    pgacc: {signal_percent: 1.2}
    left_insula: {signal_percent: 0.9}
  effects:                          # kinds: coupling, response (to a drug), activation (by a
                                    # task); physiology, movement (confounds that follow a drug)
    rest_insula:
      kind: coupling
      scan: rest
      sessions: [infusion]
      treatments: {ketamine: 1}     # share of the size; 0.5 is half blocked
      seed: pgacc
      target: left_insula
      gain: 1.0                     # standard deviations of the target's own signal
      gain_sd: 0.5                  # between people

examples:
  phmri simulate trial.yaml sim --truth truth.yaml --seed 1
  phmri run sim/bids sim/out all --protocol trial.yaml
"""

_DEMO_EXAMPLES = """\
examples:
  phmri demo weigner2025 demo          # pgACC connectivity: three arms, rest and working memory
  phmri demo deakin2008 infusion       # response to the infusion: two crossover experiments
  phmri demo weigner2025 half --scenario half_blocked

scenarios of weigner2025:
  published             what the authors report: lamotrigine blocks ketamine
  null                  nothing is planted
  not_blocked           ketamine acts after lamotrigine as it does alone
  half_blocked          lamotrigine takes away half
  lamotrigine_alone     lamotrigine lowers the connections by itself and blocks nothing, which
                        this design cannot tell from a blockade
  present_after_24h     ketamine's effect lasts to the day after, when lamotrigine still acts

scenarios of deakin2008:
  published             what the authors report: lamotrigine blocks ketamine
  null                  nothing is planted
  not_blocked           ketamine acts after lamotrigine as it does alone
  subgenual_rises       the subgenual signal rises instead of falling
  confounded            nothing neural: blood flow, breathing and head motion follow the drug

DIR then holds trial.yaml (the protocol), truth.yaml (what was planted; the analysis never reads
it), bids/, out/ (all results) and recovered.tsv (planted beside found).
"""

_MAIN_EXAMPLES = """\
a new trial in five commands:
  phmri new weigner2025 mytrial              # a commented protocol to edit
  phmri check mytrial/trial.yaml bids        # participants x sessions x scans, what is missing
  phmri design mytrial/trial.yaml bids       # what is shuffled, and how small p can get
  phmri run bids out all --protocol mytrial/trial.yaml
  xdg-open out/report/index.html
"""


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = argparse.ArgumentParser(
        prog="phmri",
        description="Pharmacological fMRI trials, from protocol to report.",
        epilog=_MAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"phmri {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_new(commands)
    _add_check(commands)
    _add_design(commands)
    _add_run(commands)
    _add_simulate(commands)
    _add_demo(commands)
    add_power(commands)
    return parser


def _add_new(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "new",
        help="write a commented protocol to start from",
        description="Write DIR/trial.yaml, a commented protocol, and its JSON Schema beside it.",
        epilog=_TEMPLATES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "template",
        choices=list_templates(),
        metavar="TEMPLATE",
        help="one of: " + ", ".join(list_templates()),
    )
    command.add_argument("directory", type=Path, metavar="DIR")


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "check",
        help="hold a data set against a protocol",
        description=(
            "Print participants x sessions x scans with what is missing, doubled, too short, in "
            "another space, broken or excluded and why, and whether each question can be "
            "answered; then all that a run would stop at before it computes anything: files, "
            "doses, weights, designs, regions, seeds. Writes nothing. Exit code 1 when a run "
            "would stop, or a primary question cannot be answered."
        ),
    )
    command.add_argument("protocol", type=Path, metavar="PROTOCOL", help="trial.yaml")
    command.add_argument("bids_dir", type=Path, metavar="BIDS_DIR")
    _add_derivatives(command)
    _add_participants(command)
    _add_atlases(command)


def _add_design(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "design",
        help="say what each question shuffles and how small its p can get",
        description=(
            "Say of each question, in words: what is shuffled and which hypothesis that tests, "
            "who moves, how many distinct shufflings there are, the smallest p they can give, "
            "and the model with its degrees of freedom. Nothing is measured."
        ),
        epilog=_DESIGN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("protocol", type=Path, metavar="PROTOCOL", help="trial.yaml")
    command.add_argument(
        "bids_dir",
        type=Path,
        nargs="?",
        metavar="BIDS_DIR",
        help="count the participants at hand (default: those that the protocol plans)",
    )
    _add_derivatives(command)
    _add_atlases(command)


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "run",
        help="analyse a trial",
        description=(
            "Run a trial as its protocol says: BIDS data preprocessed by fMRIPrep, XCP-D or "
            "HALFpipe, or ROI time series, in; maps, tables, claims and a report out."
        ),
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "bids_dir", type=Path, metavar="BIDS_DIR", help="root of the BIDS data set"
    )
    command.add_argument(
        "out_dir", type=_folder, metavar="OUT_DIR", help="results; made when absent"
    )
    command.add_argument(
        "level",
        choices=("participant", "group", "all"),
        help="first levels only; group answers and report from finished first levels; both",
    )
    command.add_argument("--protocol", type=Path, required=True, metavar="TRIAL_YAML")
    _add_derivatives(command)
    _add_participants(command)
    command.add_argument(
        "--n-workers",
        type=_positive_int,
        metavar="N",
        help="processes (default: all cores); the results do not depend on it",
    )
    command.add_argument(
        "--memory-gb",
        type=_positive_float,
        metavar="M",
        help="use at most this much memory in all (default: what is free now)",
    )
    _add_atlases(command)


def _add_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "simulate",
        help="make SIMULATED data of a protocol, with a known truth",
        description=(
            "Write DIR/bids, a BIDS + fMRIPrep-like tree labelled SIMULATED, for any protocol: "
            "its arms, sessions, scans and scales, with the effects that a truth file plants. "
            "The same seed gives the same bytes; runs that are there already are kept."
        ),
        epilog=_SIMULATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("protocol", type=Path, metavar="PROTOCOL", help="trial.yaml")
    command.add_argument("directory", type=Path, metavar="DIR", help="made when absent")
    command.add_argument("--truth", type=Path, required=True, metavar="TRUTH_YAML")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    command.add_argument("--n-workers", type=_positive_int, metavar="N")
    _add_atlases(command)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "demo",
        help="simulate a founding study and analyse it",
        description=(
            "Simulate a founding study as a BIDS + fMRIPrep-like tree labelled SIMULATED, run all "
            "of it, and print what was planted beside what was found."
        ),
        epilog=_DEMO_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "template",
        choices=("weigner2025", "deakin2008"),
        metavar="STUDY",
        help="weigner2025 or deakin2008",
    )
    command.add_argument("directory", type=Path, metavar="DIR", help="made when absent")
    command.add_argument(
        "--scenario",
        default="published",
        metavar="WORD",
        help="what is planted, see below (default: published)",
    )
    command.add_argument(
        "--full",
        action="store_true",
        help="as many people and volumes as the real study, effects of a real size: hours, and "
        "tens of GB of disk",
    )
    command.add_argument("--n-workers", type=_positive_int, metavar="N")
    command.add_argument("--seed", type=int, help="of the simulation")
    _add_atlases(
        command,
        "folder with files of the Julich-Brain atlas 3.1 (also: PHMRI_ATLAS_DIR): the seed of "
        "weigner2025 is then p24ab, p24c and p32; else a sphere between their centroids",
    )


def _add_derivatives(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--derivatives",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="derivative folder, may be given again (default: every folder in "
        "BIDS_DIR/derivatives)",
    )


def _add_participants(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--participant-label",
        nargs="+",
        metavar="LABEL",
        help="only these participants, with or without sub-",
    )


def _add_atlases(
    command: argparse.ArgumentParser,
    words: str = "folder with atlas files (also: PHMRI_ATLAS_DIR); else they are downloaded and "
    "kept",
) -> None:
    command.add_argument(
        "--atlas-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=words,
    )


def _folder(text: str) -> Path:
    if not text.strip():  # a variable of the shell that is not set
        raise argparse.ArgumentTypeError("no folder is named")
    return Path(text)


def _positive_int(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def _positive_float(text: str) -> float:
    message = f"'{text}' is not a number above 0"
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message) from error
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(message)
    return value
