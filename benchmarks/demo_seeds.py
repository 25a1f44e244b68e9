"""How often a small demo finds what was planted, and claims what was not, over many seeds.

    python benchmarks/demo_seeds.py weigner2025|deakin2008 [--seeds 20] [--first 1]
    python benchmarks/demo_seeds.py weigner2025 --scenario not_blocked --seeds 1
    python benchmarks/demo_seeds.py weigner2025 --table

Every seed is simulated (every number is of simulated data) and analysed by `phmri demo` in a
folder that is removed again. What each seed gave goes to
``benchmarks/results/demo_NAME.json`` (``demo_NAME_SCENARIO.json``) at once, and seeds that are
there already are not run again, so that the work can be stopped at any time. The tables of
``docs/demo.md`` are made from these files; ``--table`` does this alone.
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
PUBLISHED = "published"
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


def result_file(name, scenario=PUBLISHED):
    suffix = "" if scenario == PUBLISHED else f"_{scenario}"
    return HERE / "results" / f"demo_{name}{suffix}.json"


def read_result(name, scenario=PUBLISHED):
    path = result_file(name, scenario)
    if path.exists():
        return json.loads(path.read_text())
    return {"simulated": True, "demo": name, "scenario": scenario, "seeds": {}}


def run_seed(name, scenario, seed, workers):
    """Run the demo of one seed, and read what it says of itself."""
    started = time.perf_counter()
    phmri = Path(sys.executable).with_name("phmri")
    with tempfile.TemporaryDirectory(prefix=f"{name}-{seed}-") as folder:
        target = Path(folder) / "demo"
        command = [phmri, "demo", name, target, "--scenario", scenario]
        command += ["--seed", str(seed), "--n-workers", str(workers)]
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
    put_in_docs(name, lines)


def write_scenarios(name):
    """Put beside each other what single seeds of the other scenarios gave."""
    lines = [
        "| scenario | seed | as planted | verdicts on blockade | not as planted |",
        "|---|---|---|---|---|",
    ]
    for path in sorted((HERE / "results").glob(f"demo_{name}_*.json")):
        result = json.loads(path.read_text())
        for seed, made in sorted(result["seeds"].items(), key=lambda item: int(item[0])):
            rows = made["questions"]
            asked = [row for row in rows if row["blockade"] != "n/a"]
            verdicts = [f"{row['question']} “{row['blockade']}”" for row in asked]
            wrong = [row for row in rows if row["right"] == "no"]
            words = [
                f"{row['question']} ({row['role']}): {row['planted']} planted, {row['found']}, "
                f"p {row['p_corrected']}"
                for row in wrong
            ]
            lines.append(
                f"| `{result['scenario']}` | {seed} | {len(rows) - len(wrong)} of {len(rows)} "
                f"| {'; '.join(verdicts) or '–'} | {'; '.join(words) or '–'} |"
            )
    put_in_docs(f"{name} scenarios", lines)


def put_in_docs(mark, lines):
    text = DOC.read_text()
    start, stop = f"<!-- {mark} -->\n", f"<!-- end {mark} -->"
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
    parser.add_argument("--scenario", default=PUBLISHED)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if not asked.table:
        for seed in range(asked.first, asked.first + asked.seeds):
            result = read_result(asked.name, asked.scenario)
            if str(seed) in result["seeds"]:
                continue
            made = run_seed(asked.name, asked.scenario, seed, asked.workers)
            result["seeds"][str(seed)] = made
            path = result_file(asked.name, asked.scenario)
            path.write_text(json.dumps(result, indent=1) + "\n")
            wrong = [row["question"] for row in made["questions"] if row["right"] == "no"]
            print(seed, made["seconds"], "s; not as planted:", *wrong)
    write_table(asked.name)
    write_scenarios(asked.name)


if __name__ == "__main__":
    main()
