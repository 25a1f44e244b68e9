"""Power of simulated trials against closed forms, in designs whose power is known.

    python benchmarks/power_designs.py [--tables]

Every number is of simulated data. Trials are analysed by the functions that ``phmri run`` uses;
results go to ``benchmarks/results/power_designs.json``, and from there into the table of
``docs/power.md``; ``--tables`` does the second step alone.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import jaxtyping
from run import describe_commit

from phmri.protocol import Blockade, Crossover, Inference, Parallel, Question
from phmri.simulation import power

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "power_designs.json"
DOC = HERE.parent / "docs" / "power.md"
BEGIN, END = "<!-- begin: designs -->", "<!-- end: designs -->"
EFFORT = power.Effort(n_trials=5000, seed=6, n_workers=2, n_permutations=500)
NOISE = power.Noise(correlation=0.5)
ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "KLP"})
PAIR = Crossover(kind="crossover", sequences={s: {"treatments": tuple(s)} for s in ("KP", "PK")})
WILLIAMS = Crossover(
    kind="crossover",
    sequences={"".join(s): {"treatments": s} for s in permutations("KLP")},
)
HEAD = ("design", "n", "effect, SD", "closed form", "simulated, t (95 %)", "as run")


def question(estimator, **more):
    parallel = {} if estimator == "crossover" else {"session": "acute"}
    if estimator not in {"crossover", "post"}:
        parallel["baseline"] = "before"
    asked = {"contrast": ("K", "P"), "estimator": estimator} | parallel | more
    return Question(text="t", role="primary", measure="m", **asked)


def difference(words, estimator, design, n, effect, key, settings=None):
    case = power.Case(question=question(estimator), design=design, n=n, noise=NOISE)
    found = power.simulate_question(case, effect, settings or Inference(), EFFORT, key=(key,))
    closed = power.t_power(effect, power.expect(case).precision)
    return row(words, n, effect, closed, found.by_t, found.as_asked)


def row(words, n, effect, closed, found, as_run=None):
    low, high = found.interval
    return {
        "design": words,
        "n": n,
        "effect": effect,
        "closed": closed,
        "simulated": found.power,
        "interval": [low, high],
        "as_run": None if as_run is None else as_run.power,
        "as_run_interval": None if as_run is None else list(as_run.interval),
        "n_trials": found.n_trials,
    }


def simulate():
    rows = [
        difference("parallel, three arms, outcome alone", "post", ARMS, 25, 0.8, 1),
        difference("parallel, three arms, ANCOVA", "ancova", ARMS, 25, 0.7, 2),
        difference("parallel, three arms, change", "change", ARMS, 25, 0.8, 3),
        difference("crossover AB/BA", "crossover", PAIR, 24, 0.6, 4),
        difference("Williams crossover, three periods", "crossover", WILLIAMS, 24, 0.6, 5),
    ]
    case = power.Case(question=question("crossover"), design=PAIR, n=36, noise=NOISE)
    found = power.simulate_equivalence(case, 0.0, 0.5, EFFORT, key=(6,))
    precision = power.expect(case).precision
    closed = power.equivalence_power(0.0, precision, (-0.5, 0.5))
    rows.append(row("equivalence within 0.5 SD, crossover AB/BA", 36, 0.0, closed, found))
    blocked = question("ancova", contrast=("K", "L"), blockade=Blockade(reference="P"))
    case = power.Case(question=blocked, design=ARMS, n=40, noise=NOISE)
    judged = power.simulate_blockade(case, 1.0, 0.5, EFFORT, margin=0.6, key=(7,))
    known = power.blockade_power(1.0, 0.5, power.expect(case).precision, margin=0.6)
    for verdict, counted in judged.items():
        rows.append(
            row(
                f"half blockade, margin 0.6 SD: '{verdict}'",
                40,
                1.0,
                getattr(known, verdict.replace(" ", "_")),
                counted,
            )
        )
    found = power.simulate_association(0.5, 30, Inference(), EFFORT, key=(8,))
    rows.append(row("Pearson, r 0.5", 30, 0.5, power.correlation_power(0.5, 30), found))
    found = power.simulate_association(0.5, 30, Inference(), EFFORT, method="spearman", key=(9,))
    closed = power.correlation_power(0.5, 30)
    rows.append(row("Spearman, r 0.5 (closed form of Pearson)", 30, 0.5, closed, found))
    model = Inference(method="holm")
    rows.append(difference("cLDA, complete", "clda", ARMS, 25, 0.7, 10, model))
    lossy = power.Noise(correlation=0.5, missing=0.15)
    case = power.Case(question=question("clda"), design=ARMS, n=25, noise=lossy)
    found = power.simulate_question(case, 0.7, model, EFFORT, key=(11,))
    closed = power.t_power(0.7, power.expect(case).precision)
    rows.append(row("cLDA, 15 % of scans lost", 25, 0.7, closed, found.by_t))
    return rows


def write_tables(result):
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for one in result["rows"]:
        low, high = one["interval"]
        as_run = "" if one["as_run"] is None else f"{one['as_run']:.3f}"
        lines.append(
            f"| {one['design']} | {one['n']} | {one['effect']:g} | {one['closed']:.3f} | "
            f"{one['simulated']:.3f} ({low:.3f} to {high:.3f}) | {as_run} |"
        )
    text = DOC.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOC.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true")
    asked = parser.parse_args()
    if not asked.tables:
        jaxtyping.config.update("jaxtyping_disable", True)  # noqa: FBT003 - its own signature
        begun = time.perf_counter()
        rows = simulate()
        result = {
            "simulated": True,
            "rows": rows,
            "n_trials": EFFORT.n_trials,
            "seed": EFFORT.seed,
            "n_permutations": EFFORT.n_permutations,
            "seconds": round(time.perf_counter() - begun, 1),
            "commit": describe_commit(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    write_tables(json.loads(RESULT.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
