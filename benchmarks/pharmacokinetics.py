"""Concentrations of 10,000 simulated people, every second of an hour, on one core.

    python benchmarks/pharmacokinetics.py [--people N]

The largest model (S-ketamine with both metabolites, eleven compartments) under a bolus and an
infusion; its last metabolite at an effect site needs all of them. The peer integrates the same
equations step by step (SciPy's LSODA) for a few of the same people.

Prints seconds, peak memory and the largest difference, and writes them to
``benchmarks/results/pharmacokinetics.json``.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from scipy.integrate import solve_ivp

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from run import describe_commit  # noqa: E402

from phmri.pharmacokinetics import (  # noqa: E402
    DoseInput,
    Individuals,
    concentrations,
    draw_individuals,
    find_model,
    rate_matrices,
)

GOAL_S = 10.0
TIMES = np.arange(3600) / 60
DOSES = [
    DoseInput(route="intravenous", amount_mg=18.2, start_min=0.0, duration_min=1.0),
    DoseInput(route="intravenous", amount_mg=17.2, start_min=1.0, duration_min=59.0),
]
KE0_PER_MIN = 0.2
N_PEER = 5
SEED = 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=10_000)
    n = parser.parse_args().people
    people = draw_individuals(
        find_model("simons"), n, rng=np.random.default_rng(SEED), weight_kg=70.0
    )
    before = _peak_mb()
    cases = {}
    for name, analyte, ke0 in (
        ("ketamine", "ketamine", None),
        ("hydroxynorketamine", "hydroxynorketamine", None),
        ("hydroxynorketamine at an effect site", "hydroxynorketamine", KE0_PER_MIN),
    ):
        start, own = time.perf_counter(), time.process_time()
        curves = concentrations(people, DOSES, TIMES, analyte=analyte, ke0_per_min=ke0)
        cases[name] = {
            "s": round(time.perf_counter() - start, 2),
            "cpu_s": round(time.process_time() - own, 2),
        }
        print(f"{name:<38} {cases[name]['s']:6.2f} s  {cases[name]['cpu_s']:6.2f} s of one core")
    peer_s, difference = _peer(people, curves)
    result = {
        "people": n,
        "times": len(TIMES),
        "cases": cases,
        "result_mb": round(curves.nbytes / 2**20),
        "peak_mb": round(_peak_mb()),
        "peak_mb_before": round(before),
        "peer": "scipy.integrate.solve_ivp, LSODA, rtol 1e-8",
        "peer_s_per_person": round(peer_s, 3),
        "max_relative_difference": float(f"{difference:.1e}"),
        "goal": f"at most {GOAL_S:g} s",
        "goal_met": all(case["cpu_s"] <= GOAL_S for case in cases.values()),
        "commit": describe_commit(),
    }
    print(
        f"peak {result['peak_mb']} MB, of which the result {result['result_mb']} MB; "
        f"peer {peer_s:.3f} s a person, largest relative difference {difference:.1e}"
    )
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "pharmacokinetics.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


def _peer(people: Individuals, ours: np.ndarray) -> tuple[float, float]:
    """Integrate some people; relative to each one's largest concentration."""
    model = people.model
    analyte = model.analytes[-1]
    seen = model.compartments.index(analyte.compartment)
    volume = [parameter.name for parameter in model.parameters].index(analyte.volume)
    seconds, worst = 0.0, 0.0
    for i in range(N_PEER):
        one = Individuals(model=model, values=people.values[i : i + 1])
        A = rate_matrices(one)[0]
        per_mg = 1000 * analyte.mass_ratio / one.values[0, volume]

        def slope(
            _: float, state: np.ndarray, rate: float, A: np.ndarray = A, per_mg: float = per_mg
        ) -> np.ndarray:
            change = A @ state[:-1]
            change[0] += rate
            return np.append(change, KE0_PER_MIN * (per_mg * state[seen] - state[-1]))

        start = time.perf_counter()
        state, found = np.zeros(len(A) + 1), np.zeros(len(TIMES))
        for dose in DOSES:
            first, last = dose.start_min, dose.start_min + dose.duration_min
            inside = (first <= TIMES) & (last > TIMES)
            course = solve_ivp(
                slope,
                (first, last),
                state,
                args=(dose.amount_mg / dose.duration_min,),
                method="LSODA",
                t_eval=np.append(TIMES[inside], last),
                rtol=1e-8,
                atol=1e-10,
            )
            state, found[inside] = course.y[:, -1], course.y[-1, :-1]
        seconds += time.perf_counter() - start
        worst = max(worst, np.abs(found - ours[i]).max() / ours[i].max())
    return seconds / N_PEER, worst


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
