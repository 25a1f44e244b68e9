"""What can be typed after ``phmri power``."""

import argparse
from pathlib import Path

__all__ = ["add_power"]

_EXAMPLES = """\
examples:
  # what is in the protocol: small, medium and large published effects, 80 % power
  phmri power trial.yaml

  # closed forms only, at once
  phmri power trial.yaml --trials 0

  # effects of one's own, 90 % power, 10 % of scans lost, results and figure in a folder
  phmri power trial.yaml --effect 0.4 0.6 --power 0.9 --missing 0.1 --out planning

  # with what an earlier run tells of variation, reliability and effects
  phmri power trial.yaml --pilot pilot/out --out planning

  # equivalence, and "blocked" and "not blocked": what counts as no effect, in SD
  phmri power trial.yaml --margin 0.5

effects:
  dz is a difference over the standard deviation of within-person differences; between people the
  same effect is d = dz * sqrt(2 (1 - R)) standard deviations, with R the correlation of two
  sessions. One dz is one truth in both designs. Where nothing is given, published effects of the
  kind of measure are used, each named with its source, and conventions where none was found.
  With a correlation that is not given, 0.5 is an assumption: needs at 0.3 and 0.7 stand beside.

what is simulated:
  small arrays of normal outcomes go through the estimators and the inference of 'phmri run'.
  Maps: a small smooth image with one planted blob, or --tests independent outcomes.
  Intervals of simulated power are of 95 %. The same seed gives the same numbers.

files in --out: power.tsv, power.json, power.html, power.png, power.svg, grant.txt
exit code: 0 done, 2 the protocol or the command is wrong, 1 anything else.
"""


def add_power(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command ``power``.

    Parameters
    ----------
    commands : argparse subparsers
        Of ``phmri``.
    """
    command = commands.add_parser(
        "power",
        help="say how many participants a trial needs",
        description=(
            "Give power and sample size of every question, blockade and association of a "
            "protocol: by closed forms, and by simulated trials that are analysed as a run does; "
            "and the same effects in a parallel trial and in a crossover, side by side."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("protocol", type=Path, metavar="PROTOCOL", help="trial.yaml")
    command.add_argument(
        "--effect",
        type=float,
        nargs="+",
        default=[],
        metavar="DZ",
        help="within-person standardised differences in place of the published ones",
    )
    command.add_argument(
        "--n",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="participants per arm, or in a whole crossover (default: a usual range)",
    )
    command.add_argument(
        "--power", type=float, default=0.8, metavar="P", help="power to reach (default: 0.8)"
    )
    command.add_argument(
        "--alpha", type=float, metavar="A", help="error rate (default: as the protocol declares)"
    )
    command.add_argument(
        "--correlation",
        type=float,
        metavar="R",
        help="of two sessions of one person: baseline and follow-up, or two periods (default: the "
        "pilot's, else 0.5)",
    )
    command.add_argument(
        "--missing", type=float, default=0.0, metavar="F", help="share of scans lost (default: 0)"
    )
    command.add_argument(
        "--margin",
        type=float,
        metavar="M",
        help="largest effect that counts as none, in standard deviations between people",
    )
    command.add_argument(
        "--tests",
        type=int,
        metavar="K",
        help="effective independent tests of a map (default: a small smooth image is simulated)",
    )
    command.add_argument(
        "--pilot", type=Path, metavar="OUT_DIR", help="output of an earlier phmri run"
    )
    command.add_argument("--out", type=Path, metavar="DIR", help="write tables, figure and text")
    command.add_argument(
        "--trials",
        type=int,
        default=1000,
        metavar="N",
        help="simulated trials of one number, a twentieth of it for a map; 0: closed forms only "
        "(default: 1000)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    command.add_argument("--n-workers", type=int, metavar="N", help="threads (default: all cores)")
