"""Run benchmarks: ours and a named peer on the same data, alternating, one process each.

    python benchmarks/run.py [NAME ...] [--rounds N]

Every file in ``benchmarks/cases`` is a benchmark: ``PEER`` (None where there is none), ``GOAL``,
``GOAL_RATIO``, ``prepare``, ``ours``, ``peer``, ``compare``, which gives differences between the
answers of the two, further sides to be timed named in ``INFORMATION``, and ``PER`` where seconds
are not of one whole run. Each side runs in a child of its own, so that its peak memory (imports
included) is its own; a side times itself after its imports and compiled kernels are loaded. Times
are medians over the rounds. Results go to ``benchmarks/results/<name>.json``.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]
DATA = HERE / "data"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="all when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    known = sorted(path.stem for path in (HERE / "cases").glob("[a-z]*.py"))
    unknown = set(arguments.names) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    if arguments.child:
        _child(arguments.names[0], *arguments.child)
        return 0
    results = [_run_case(name, arguments.rounds) for name in arguments.names or known]
    _print_table(results)
    return 0


def _child(name: str, side: str, file: str) -> None:
    case = importlib.import_module(f"cases.{name}")
    facts, answer = getattr(case, side)(DATA)
    np.savez(file, answer=answer, facts=json.dumps(facts))


def _measure(name: str, side: str) -> tuple[dict[str, float], np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.npz"
        command = [sys.executable, __file__, name, "--child", side, str(file)]
        subprocess.run(command, check=True)
        with np.load(file) as answer:
            facts = json.loads(str(answer["facts"]))
            print(f"  {name} {side}: " + ", ".join(f"{k} {v:.4g}" for k, v in facts.items()))
            return facts, answer["answer"]


def _run_case(name: str, rounds: int) -> dict[str, object]:
    case = importlib.import_module(f"cases.{name}")
    case.prepare(DATA)
    pair = ("ours",) if case.PEER is None else ("ours", "peer")
    taken: dict[str, list[dict[str, float]]] = {}
    answers: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for side in (*pair, *case.INFORMATION):
            facts, answers[side] = _measure(name, side)
            taken.setdefault(side, []).append(facts)
    sides = {side: _summary(rows) for side, rows in taken.items()}
    result: dict[str, object] = {
        "name": name,
        "per": getattr(case, "PER", "run"),
        "peer": case.PEER,
        "goal": case.GOAL,
        **{f"{side}_{key}": value for side in sides for key, value in sides[side].items()},
    }
    if case.PEER is not None:
        result["ratio"] = round(sides["peer"]["s"] / sides["ours"]["s"], 2)
        result |= case.compare(answers["ours"], answers["peer"])
    result |= {
        "commit": describe_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def _summary(rows: list[dict[str, float]]) -> dict[str, float]:
    seconds = median(facts["s"] for facts in rows)
    return {"s": float(f"{seconds:.4g}"), "mb": round(max(facts["mb"] for facts in rows), 1)}


def describe_commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _print_table(results: list[dict[str, object]]) -> None:
    keys = ("name", "ours_s", "peer_s", "ratio", "ours_mb", "peer_mb", "max_abs_diff", "goal")
    rows = [keys, *([str(result.get(key, "")) for key in keys] for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(keys))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
