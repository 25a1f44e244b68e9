"""Wall time, memory and disk of a founding study at its real size, by stage (SIMULATED data).

    python benchmarks/full_run.py weigner2025|deakin2008 DIR [--workers 2] [--table]

Runs `phmri demo NAME DIR --full` once and watches it: a stage begins with the first line that
tells of it. Memory is that of all processes together, what they share counted once; disk is what
DIR holds when a stage ends. What was seen goes to ``benchmarks/results/full_NAME.json``, and from
there into the tables of ``docs/validation.md``; ``--table`` does this alone. Tens of GB, and an
hour or more.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from _group import TreeMemory
from demo_seeds import DEMOS, KEPT
from run import describe_commit

HERE = Path(__file__).resolve().parent
DOC = HERE.parent / "docs" / "validation.md"
LINE = re.compile(r"^(?P<stage>[A-Z][\w ]+): (?P<done>\d+) of (?P<total>\d+)$")
SIMULATING = "Simulating"
GROUP = ("Can be answered", "Questions", "Shuffling", "Association", "Reliability")


def result_file(name):
    return HERE / "results" / f"full_{name}.json"


def disk_gb(directory):
    files = (Path(at) / name for at, _, names in os.walk(directory) for name in names)
    return sum(file.lstat().st_blocks * 512 for file in files) / 1e9


def watch(name, directory, workers):
    """Run the study, and give its stages in order."""
    phmri = Path(sys.executable).with_name("phmri")
    command = [phmri, "demo", name, directory, "--full", "--n-workers", str(workers)]
    stages = []
    with (
        TreeMemory() as memory,
        (Path(directory).parent / f"full_{name}.log").open("w") as log,
        subprocess.Popen(
            command, stdout=log, stderr=subprocess.PIPE, text=True, bufsize=1
        ) as process,
    ):
        began = time.perf_counter()
        for line in process.stderr:
            log.write(line)
            log.flush()
            told = LINE.match(line.strip())
            if told is None:
                continue
            stage = "Questions" if told["stage"].startswith(GROUP) else told["stage"]
            if not stages or stages[-1]["stage"] != stage:
                end_stage(stages, memory, directory, began)
                began, memory.peak_mb = time.perf_counter(), 0.0
                stages.append({"stage": stage})
            if told["stage"] == stage:
                stages[-1]["of"] = int(told["total"])
        end_stage(stages, memory, directory, began)
    return stages


def end_stage(stages, memory, directory, began):
    if stages:
        stages[-1] |= {
            "seconds": round(time.perf_counter() - began),
            "memory_mb": round(memory.peak_mb),
            "disk_gb": round(disk_gb(directory), 1),
        }
        print(stages[-1], flush=True)


def write_table(name):
    """Put the stages and what was found into the docs, between their marks."""
    found = json.loads(result_file(name).read_text())
    stages = found["stages"]
    lines = [
        (
            f"{found['date']}, commit {found['commit']}, {found['workers']} workers on "
            f"{found['cores']} cores. {found['note']}"
        ),
        "",
        "| stage | of | minutes | largest memory, GB | disk after it, GB |",
        "|---|---|---|---|---|",
        *(
            f"| {s['stage']} | {s['of']} | {s['seconds'] / 60:.1f} | {s['memory_mb'] / 1024:.1f} "
            f"| {s['disk_gb']:.1f} |"
            for s in stages
        ),
        (
            f"| all | | {total(stages) / 60:.1f} "
            f"| {max(s['memory_mb'] for s in stages) / 1024:.1f} | {stages[-1]['disk_gb']:.1f} |"
        ),
        f"| analysis alone | | {total(analysis(stages)) / 60:.1f} | | |",
        "",
        "| question | planted | found | estimate | corrected p | blockade | as planted |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {q['question']} ({q['role']}) | {q['planted']} | {q['found']} | {q['estimate']} "
            f"| {q['p_corrected']} | {q['blockade']} | {q['right']} |"
            for q in found["questions"]
        ),
    ]
    text = DOC.read_text()
    start, stop = f"<!-- full {name} -->\n", f"<!-- end full {name} -->"
    before, rest = text.split(start)
    DOC.write_text(before + start + "\n".join(lines) + "\n" + stop + rest.split(stop)[1])


def analysis(stages):
    return [stage for stage in stages if not stage["stage"].startswith(SIMULATING)]


def total(stages):
    return sum(stage["seconds"] for stage in stages)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=DEMOS)
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--note", default="Nothing else ran.")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if not asked.table:
        if asked.directory is None:
            parser.error("DIR is missing")
        stages = watch(asked.name, asked.directory, asked.workers)
        with (asked.directory / "recovered.tsv").open() as stream:
            rows = [{k: row[k] for k in KEPT} for row in csv.DictReader(stream, delimiter="\t")]
        result = {
            "simulated": True,
            "demo": asked.name,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "commit": describe_commit(),
            "workers": asked.workers,
            "cores": os.cpu_count(),
            "note": asked.note,
            "stages": stages,
            "questions": rows,
        }
        result_file(asked.name).write_text(json.dumps(result, indent=1) + "\n")
    write_table(asked.name)


if __name__ == "__main__":
    main()
