"""How often a small demo finds what was planted, and claims what was not, over many seeds.

    python benchmarks/demo_seeds.py weigner2025|deakin2008 [--seeds 20] [--first 1] [--table]

Every seed is simulated (every number is of simulated data) and analysed by `phmri demo` in a
folder that is removed again. What each seed gave goes to
``benchmarks/results/demo_NAME.json`` at once, and seeds that are there already are not run again,
so that the work can be stopped at any time. The table of ``docs/demo.md`` is made from that file;
``--table`` does this alone.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import describe_commit
from scipy.stats import binomtest

HERE = Path(__file__).resolve().parent
DOC = HERE.parent / "docs" / "demo.md"
DEMOS = ("weigner2025", "deakin2008")
KEPT = (
    "question",
    "role",
    "planted",
    "found",
    "missed",
    "peaks_elsewhere",
    "estimate",
    "p_corrected",
    "blockade",
    "blockade_planted",
    "right",
)


def result_file(name):
    return HERE / "results" / f"demo_{name}.json"


def read_result(name):
    path = result_file(name)
    if path.exists():
        return json.loads(path.read_text())
    return {"simulated": True, "demo": name, "seeds": {}}


def run_seed(name, seed, workers):
    """Run the demo of one seed, and read what it says of itself."""
    started = time.perf_counter()
    phmri = Path(sys.executable).with_name("phmri")
    with tempfile.TemporaryDirectory(prefix=f"{name}-{seed}-") as folder:
        target = Path(folder) / "demo"
        command = [phmri, "demo", name, target, "--seed", str(seed), "--n-workers", str(workers)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        table = target / "recovered.tsv"
        if not table.exists():
            raise SystemExit(f"seed {seed}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        with table.open() as stream:
            rows = [
                {key: row[key] for key in KEPT} for row in csv.DictReader(stream, delimiter="\t")
            ]
    return {
        "commit": describe_commit(),
        "seconds": round(time.perf_counter() - started),
        "questions": rows,
    }


def write_table(name):
    """Put the rates into the docs, between their marks."""
    seeds = read_result(name)["seeds"]
    rows = [row for seed in seeds.values() for row in seed["questions"]]
    lines = [
        f"{len(seeds)} seeds ({', '.join(sorted(seeds, key=int)) or 'none since sizes changed'}).",
        "",
        "| question | planted | found | in every planted region | blockade | peaks elsewhere |",
        "|---|---|---|---|---|---|",
    ]
    for question in dict.fromkeys(row["question"] for row in rows):
        own = [row for row in rows if row["question"] == question]
        found = [row for row in own if row["found"] == "found"]
        whole = sum(row["missed"] == "n/a" for row in found)
        planted = own[0]["planted"] != "nothing"
        wanted = own[0]["blockade_planted"]
        verdicts = sum(row["blockade"] == wanted for row in own)
        elsewhere = sum(row["peaks_elsewhere"] != "0" for row in found)
        lines.append(
            f"| {question} ({own[0]['role']}) | {own[0]['planted']} "
            f"| {share(len(found), len(own))} "
            f"| {share(whole, len(own)) if planted else '–'} "
            f"| {f'“{wanted}” {share(verdicts, len(own))}' if wanted != 'n/a' else '–'} "
            f"| {elsewhere} of {len(found)} |"
        )
    text = DOC.read_text()
    start, stop = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    before, rest = text.split(start)
    DOC.write_text(before + start + "\n".join(lines) + "\n" + stop + rest.split(stop)[1])


def share(count, n):
    interval = binomtest(count, n).proportion_ci(0.95, "exact")
    low, high = math.floor(100 * interval.low), math.ceil(100 * interval.high)
    return f"{count} of {n} ({low} to {high} %)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=DEMOS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if not asked.table:
        for seed in range(asked.first, asked.first + asked.seeds):
            result = read_result(asked.name)
            if str(seed) in result["seeds"]:
                continue
            result["seeds"][str(seed)] = run_seed(asked.name, seed, asked.workers)
            result_file(asked.name).write_text(json.dumps(result, indent=1) + "\n")
            wrong = [r["question"] for r in result["seeds"][str(seed)]["questions"]
                     if r["right"] == "no"]  # fmt: skip
            print(seed, result["seeds"][str(seed)]["seconds"], "s; not as planted:", *wrong)
    write_table(asked.name)


if __name__ == "__main__":
    main()
