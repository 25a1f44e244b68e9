"""Error rates, power, bias and coverage of whole pipelines, in SIMULATED trials.

    python benchmarks/calibrate.py [--null N] [--planted N] [--workers N] [--tables | --figure]

Every trial is a tree of small images, analysed as a user's would be, each question in every way
that phmri offers (``_calibration.py``). Trials already done are kept in
``benchmarks/results/calibration_SETTINGS.jsonl`` and not done again, so that the run may be
interrupted and lengthened; what a trial gives depends on its seed, not on the number of workers.
Sums go to
``benchmarks/results/calibration.json``, and from there into the tables and the figure of
``docs/validation.md``; ``--tables`` and ``--figure`` make these of the trials done so far.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from _calibration import (
    ALPHA,
    ASKED,
    N_PEOPLE,
    N_PERMUTATIONS,
    N_VOLUMES,
    PLACES,
    REGIONS,
    SHAPE,
    TRUE_SIZE,
    Way,
    protocol_of,
    run_trial,
    truth_of,
    ways,
)
from _calibration_page import CONFIDENCE, draw, write_tables
from run import describe_commit
from scipy import stats

from phmri.exceptions import PhmriError

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results"
RESULT = HERE / "results" / "calibration.json"

N_NULL, N_PLANTED = 1000, 200
FIRST_SEED = {
    ("parallel", False): 1_000_000,
    ("parallel", True): 2_000_000,
    ("crossover", False): 3_000_000,
    ("crossover", True): 4_000_000,
}
Trial = tuple[str, bool, int]


def settings_key() -> str:
    """Hash what is simulated and asked: trials of other settings are not counted with these."""
    settings = [
        [protocol_of(design), truth_of(design, planted=False), truth_of(design, planted=True)]
        for design in ASKED
    ]
    settings.append([SHAPE])
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def kept_path() -> Path:
    return KEPT / f"calibration_{settings_key()}.jsonl"


def read_kept() -> dict[Trial, dict]:
    """Read the trials that were done; a last line cut off by an interruption does not count."""
    found = {}
    path = kept_path()
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            trial = json.loads(line)
        except ValueError:
            continue
        names = [way.name for way in ways(trial["design"])]
        trial["rows"] = dict(zip(names, trial["rows"], strict=not trial["failed"]))
        found[trial["design"], trial["planted"], trial["seed"]] = trial
    return found


def wanted(n_null: int, n_planted: int) -> Iterator[Trial]:
    """List trials, all four kinds in turn, so that an interrupted run says something of each."""
    for number in range(max(n_null, n_planted)):
        for (design, planted), first in FIRST_SEED.items():
            if number < (n_planted if planted else n_null):
                yield design, planted, first + number


def one_trial(trial: Trial) -> dict:
    design, planted, seed = trial
    started = time.process_time()
    rows, failed = [], ""
    try:
        answers = run_trial(design, seed, planted=planted)
        rows = [_short(answers[way.name], way) for way in ways(design)]
    except PhmriError as error:  # counted, and shown in the tables
        failed = str(error)
    return {
        "design": design,
        "planted": planted,
        "seed": seed,
        "rows": rows,
        "failed": failed,
        "seconds": round(time.process_time() - started, 2),
    }


def _short(row: list[float | None], way: Way) -> list[float | None]:
    """Keep what is summed up, to five digits: thousands of trials are committed."""
    if row[0] is None:
        return row
    numbers = row[2:] if row[0] or _is_number(way) else []
    return [int(row[0]), *(float(f"{number:.5g}") for number in numbers)]


def simulate(trials: Iterable[Trial], *, n_workers: int, commit: str) -> None:
    """Do trials and append what each gave; one process writes."""
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    pool = ProcessPoolExecutor(n_workers, mp_context=get_context("spawn"))
    with pool, kept_path().open("a") as file:
        futures = [pool.submit(one_trial, trial) for trial in trials]
        file.write("\n" if futures else "")  # after a line that was cut off
        for done, future in enumerate(as_completed(futures), start=1):
            line = json.dumps(future.result() | {"commit": commit}, separators=(",", ":"))
            file.write(line + "\n")
            file.flush()
            if done % 10 == 0 or done == len(futures):
                print(f"{done} of {len(futures)} trials", flush=True)


def interval(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the exact (Clopper-Pearson) interval of a rate."""
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, count, n - count + 1) if count else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return float(low), float(high)


def summarise(kept: dict[Trial, dict], n_null: int, n_planted: int) -> dict:
    trials = [kept[trial] for trial in wanted(n_null, n_planted) if trial in kept]
    failed = Counter((t["design"], t["planted"]) for t in trials if t["failed"])
    chosen = {
        kind: [t for t in trials if (t["design"], t["planted"]) == kind and not t["failed"]]
        for kind in FIRST_SEED
    }
    return {
        "simulated": True,
        "alpha": ALPHA,
        "confidence": CONFIDENCE,
        "n_permutations": N_PERMUTATIONS,
        "n_volumes": N_VOLUMES,
        "shape": SHAPE,
        "n_people": N_PEOPLE,
        "settings": settings_key(),
        "trials": {
            f"{design}, {'planted' if planted else 'null'}": {
                "n": len(items),
                "n_wanted": n_planted if planted else n_null,
                "n_failed": failed[design, planted],
                "first_seed": FIRST_SEED[design, planted],
                "cpu_seconds": round(float(np.median([t["seconds"] for t in items])), 1)
                if items
                else None,
            }
            for (design, planted), items in chosen.items()
        },
        "null": [
            _null_row(design, way, chosen[design, False])
            for design in ASKED
            for way in ways(design)
            if chosen[design, False]
        ],
        "planted": [
            _planted_row(design, way, chosen[design, True])
            for design in ASKED
            for way in ways(design)
            if chosen[design, True] and way.measure in (*PLACES, *TRUE_SIZE)
        ],
        "commits": sorted({trial["commit"] for trial in trials}),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _counted(design: str, way: Way, trials: list[dict]) -> tuple[dict, list[list[float]]]:
    rows = [trial["rows"][way.name] for trial in trials]
    answered = [row for row in rows if row[0] is not None]
    count, n = sum(int(row[0]) for row in answered), len(answered)
    low, high = interval(count, n)
    counted = {
        "design": design,
        "measure": way.measure,
        "outcome": way.outcome,
        "estimator": way.estimator,
        "method": way.method,
        "n": n,
        "n_refused": len(rows) - n,
        "found": count,
        "low": low,
        "high": high,
    }
    return counted, answered


def _is_number(way: Way) -> bool:
    return way.outcome in {"region", "parcel", "score"}


def _null_row(design: str, way: Way, trials: list[dict]) -> dict:
    counted, rows = _counted(design, way, trials)
    low, high = counted["low"], counted["high"]
    verdict = "conservative" if high < ALPHA else "anticonservative" if low > ALPHA else "inside"
    return counted | {"verdict": verdict} | (_numbers(rows, 0.0) if _is_number(way) else {})


def _planted_row(design: str, way: Way, trials: list[dict]) -> dict:
    counted, rows = _counted(design, way, trials)
    if way.outcome == "map":
        centre = np.array(REGIONS[PLACES[way.measure]])
        found = np.array([row[1:] for row in rows if row[0]]).reshape(-1, 3)
        distance = np.linalg.norm(found - centre, axis=1)
        median = float(np.median(distance)) if distance.size else None
        return counted | {
            "median_mm": median,
            "within_16_mm": int((distance <= 16.0).sum()),
        }
    if not _is_number(way):
        return counted
    probability_or_odds = way.estimator in {"rank", "ordinal"}
    return counted | _numbers(rows, None if probability_or_odds else TRUE_SIZE.get(way.measure))


def _numbers(rows: list[list[float]], truth: float | None) -> dict:
    if len(rows) < 2:
        return {}
    effect, low, high = np.array([row[1:] for row in rows]).T
    mean, error = effect.mean(), effect.std(ddof=1) / np.sqrt(effect.size)
    numbers = {"truth": truth, "mean": float(mean), "mean_se": float(error)}
    if truth is not None:
        covered = int(((low <= truth) & (truth <= high)).sum())
        numbers |= {"covered": covered, "coverage_interval": interval(covered, effect.size)}
    return numbers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--null", type=int, default=N_NULL, help="trials per design")
    parser.add_argument("--planted", type=int, default=N_PLANTED, help="trials per design")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--figure", action="store_true")
    asked = parser.parse_args()
    kept = read_kept()
    if not (asked.tables or asked.figure):
        todo = [trial for trial in wanted(asked.null, asked.planted) if trial not in kept]
        simulate(todo, n_workers=asked.workers, commit=describe_commit())
        kept = read_kept()
    if kept:
        result = summarise(kept, asked.null, asked.planted)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    result = json.loads(RESULT.read_text())
    if not asked.figure:
        write_tables(result)
    if not asked.tables:
        draw(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
