"""One SIMULATED trial through the whole pipeline: a tree, first levels, every way to answer.

`run_trial` writes a small trial of images, analyses it with a protocol that asks the same things
in many ways, and gives what every question found. That depends on design, truth and seed alone.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from phmri.dataset import read_image, write_image
from phmri.inference import Claim
from phmri.pipeline import run
from phmri.protocol import read_protocol
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._plan import make_plan
from phmri.simulation._simulate import read_truth, simulate_trial

ALPHA, N_PERMUTATIONS, CLUSTER_P = 0.05, 100, 0.01
SHAPE, N_VOLUMES, T_R = (7, 8, 8), 50, 2.0
START_MIN = -0.8
SPACE = "MNI152NLin2009cAsym"
SHUFFLED = ("voxel", "tfce", "cluster_mass", "cluster_extent")
METHODS = (*SHUFFLED, "random_field", "holm", "fdr")
N_PEOPLE = {
    "parallel": {"drug": 10, "placebo": 10, "pretreated": 3},
    "crossover": {"drug_placebo": 8, "placebo_drug": 8},
}
REGIONS = {
    "seed": (0, 50, 6),
    "target": (0, 34, 38),
    "other": (-32, 10, 22),
    "fourth": (-24, 50, 30),
    "fifth": (-24, 26, 6),
}
"""Centres in mm, on centres of voxels."""
RADIUS_MM = 9.0
MEASURES = ("coupling", "infusion", "task", "alff", "edges", "score")
PLACES = {"coupling": "target", "infusion": "other", "task": "target", "edges": "seed~target"}
"""Measure -> where something is planted."""
GAIN, PERCENT, POINTS = 1.5, 2.0, 5.0
"""Planted: standard deviations of the target's own course, % of the mean signal, points."""
TRUE_SIZE = {"infusion": PERCENT, "task": PERCENT, "score": POINTS}
"""Of questions whose estimand is what was planted, in its unit."""

_NUMBER = ("voxel",)
_BY_MODEL = ("holm",)
ASKED = {
    "parallel": (
        ("coupling", "map", "ancova", METHODS),
        ("coupling", "map", "change", SHUFFLED),
        ("coupling", "map", "mixed", ("holm", "fdr")),
        ("coupling", "map", "clda", ("holm", "fdr")),
        ("infusion", "map", "post", METHODS),
        ("task", "map", "post", METHODS),
        ("alff", "map", "ancova", METHODS),
        ("edges", "edges", "ancova", (*SHUFFLED, "holm", "fdr")),
        ("coupling", "region", "ancova", _NUMBER),
        ("coupling", "region", "change", _NUMBER),
        ("coupling", "region", "mixed", _BY_MODEL),
        ("coupling", "region", "clda", _BY_MODEL),
        ("infusion", "parcel", "post", _NUMBER),
        ("task", "parcel", "post", _NUMBER),
        ("score", "score", "post", _NUMBER),
        ("score", "score", "ancova", _NUMBER),
        ("score", "score", "rank", _BY_MODEL),
        ("score", "score", "ordinal", _BY_MODEL),
    ),
    "crossover": (
        ("coupling", "map", "crossover", METHODS),
        ("coupling", "map", "mixed", ("holm", "fdr")),
        ("infusion", "map", "crossover", METHODS),
        ("task", "map", "crossover", METHODS),
        ("alff", "map", "crossover", METHODS),
        ("edges", "edges", "crossover", (*SHUFFLED, "holm", "fdr")),
        ("coupling", "region", "crossover", _NUMBER),
        ("coupling", "region", "mixed", _BY_MODEL),
        ("infusion", "parcel", "crossover", _NUMBER),
        ("task", "parcel", "crossover", _NUMBER),
        ("score", "score", "crossover", _NUMBER),
        ("score", "score", "mixed", _BY_MODEL),
    ),
}
"""Design -> measure, what of it, estimator, methods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to ask.

    Parameters
    ----------
    measure, outcome, estimator, method : str
        What the tables are sorted by.
    """

    measure: str
    outcome: str
    estimator: str
    method: str

    @property
    def name(self) -> str:
        return f"{self.measure}_{self.outcome}_{self.estimator}_{self.method}"


def ways(design: str, measures: Sequence[str] = MEASURES) -> Iterator[Way]:
    """List all that is asked in a design."""
    for measure, outcome, estimator, methods in ASKED[design]:
        for method in methods if measure in measures else ():
            yield Way(measure=measure, outcome=outcome, estimator=estimator, method=method)


def protocol_of(
    design: str, measures: Sequence[str] = MEASURES, *, seed: int = 0
) -> dict[str, object]:
    """Give the protocol that asks all of it; every trial has shufflings of its own."""
    parallel = design == "parallel"
    treatments = ("placebo", "drug", "pretreated") if parallel else ("placebo", "drug")
    acute = ["treated"] if parallel else ["period1", "period2"]
    people = N_PEOPLE[design]
    nback = {"task": "nback", "sessions": acute, "conditions": ["easy", "hard"]}
    asked_ways = tuple(ways(design, measures))
    asked = {name: item for name, item in _measures().items() if name.split("_")[0] in measures}
    return {
        "phmri": 1,
        "name": f"calibration_{design}",
        "title": f"SIMULATED {design} trial for calibration",
        "drugs": {"drug": {}},
        "treatments": {name: _treatment(name) for name in treatments},
        "design": {
            "kind": "parallel",
            "arms": {name: {"treatment": name, "n_planned": n} for name, n in people.items()},
        }
        if parallel
        else {
            "kind": "crossover",
            "sequences": {
                name: {"treatments": name.split("_"), "n_planned": n} for name, n in people.items()
            },
        },
        "sessions": {"baseline": {"phase": "baseline"}, "treated": {"phase": "acute"}}
        if parallel
        else {name: {"phase": "acute", "period": k} for k, name in enumerate(acute, start=1)},
        "scans": {
            "rest": {"task": "rest", "start_min": dict.fromkeys(acute, START_MIN)},
            **({"nback": nback} if "task" in measures else {}),
        },
        "scales": {"score": {"columns": ["total"], "minimum": 0, "maximum": 40}},
        "space": SPACE,
        "regions": {
            name: {"kind": "sphere", "center_mm": centre, "radius_mm": RADIUS_MM, "space": SPACE}
            for name, centre in REGIONS.items()
        },
        "parcellations": {
            "places": {"file": "places.nii.gz", "names": "places.tsv", "space": SPACE}
        },
        "denoising": {
            "rest": {
                "strategy": "6motion_wmcsf",
                "highpass_hz": 0.008,
                "smoothing_fwhm_mm": 20,
                "min_df": 20,
            },
            "model": {"strategy": "6motion", "smoothing_fwhm_mm": 20, "min_df": 20},
        },
        "measures": asked,
        "questions": {
            way.name: _question(way, parallel=parallel, seed=seed) for way in asked_ways
        },
        "exclusions": {"min_participants_per_group": 2},
    }


def _treatment(name: str) -> dict[str, object]:
    dose = {"drug": "drug", "route": "oral", "amount": 1, "unit": "mg", "start_min": 0}
    return {"doses": [] if name == "placebo" else [dose]}


def _measures() -> dict[str, object]:
    response = {
        "kind": "infusion",
        "scan": "rest",
        "denoising": "model",
        "response": {"model": "step", "onset_min": 0},
        "drift": {"order": 0, "max_overlap": 0.9},
        "noise": {"kind": "ar", "order": 1},
    }
    load = {
        "kind": "task",
        "scan": "nback",
        "denoising": "model",
        "contrast": {"hard": 1, "easy": -1},
        "noise": {"kind": "ar", "order": 1},
    }
    return {
        "coupling": {
            "kind": "seed_to_voxel",
            "scan": "rest",
            "seed": "seed",
            "denoising": "rest",
        },
        "edges": {
            "kind": "roi_to_roi",
            "scan": "rest",
            "regions": list(REGIONS),
            "denoising": "rest",
        },
        "alff": {"kind": "alff", "scan": "rest", "denoising": "model", "band_hz": [0.03, 0.1]},
        "infusion": response,
        "infusion_places": response | {"parcels": "places"},
        "task": load,
        "task_places": load | {"parcels": "places"},
    }


def _question(way: Way, *, parallel: bool, seed: int) -> dict[str, object]:
    shuffles = way.method in SHUFFLED
    settings: dict[str, object] = {"method": way.method, "alpha": ALPHA}
    if shuffles:
        settings |= {"n_permutations": N_PERMUTATIONS, "seed": seed}
    if way.method.startswith("cluster"):
        settings["cluster_p"] = CLUSTER_P
    question: dict[str, object] = {
        "text": f"Does the drug change {way.measure} ({way.outcome}, {way.estimator})?",
        "role": "primary",
        "measure": f"{way.measure}_places" if way.outcome == "parcel" else way.measure,
        "contrast": ["drug", "placebo"],
        "estimator": way.estimator,
        "inference": settings,
    }
    if way.outcome == "region":
        question["where"] = {"mean_of": PLACES[way.measure]}
    if way.outcome == "parcel":
        question["where"] = {"at": PLACES[way.measure]}
    if parallel:
        question["session"] = "treated"
        if way.estimator != "post":
            question["baseline"] = "baseline"
    return question


def truth_of(
    design: str, measures: Sequence[str] = MEASURES, *, planted: bool
) -> dict[str, object]:
    """Give what is simulated: people who differ, and a drug that works where it is planted.

    The third arm responds and a second period differs from the first, whether the drug works or
    not: neither may be taken for an effect of the drug.
    """
    parallel = design == "parallel"
    carries: dict[str, float] = {"drug": 1.0} if planted else {}
    carries |= {"pretreated": 1.0} if parallel else {}
    everywhere = {"placebo": 1.0, "drug": 1.0} | ({"pretreated": 1.0} if parallel else {})
    scans = {"coupling": "rest", "infusion": "rest", "task": "nback"}
    scans = {measure: scan for measure, scan in scans.items() if measure in measures}
    nback = {
        "n_volumes": N_VOLUMES,
        "t_r": T_R,
        "conditions": {"easy": 0.4, "hard": 0.8},
        "block_s": 10,
        "gap_s": 6,
    }
    effects: dict[str, object] = {}
    for measure, scan in scans.items():
        kind = _effect_kind(measure)
        size, spread = ("gain", GAIN) if measure == "coupling" else ("percent", PERCENT)
        common = {"scan": scan, **kind}
        effects[f"{measure}_people"] = common | {
            "treatments": everywhere,
            size: 0.0,
            f"{size}_sd": 0.3 * spread,
            "own_map": 0.3 * spread,
        }
        if carries:
            effects[f"{measure}_drug"] = common | {
                "treatments": carries,
                size: spread,
                f"{size}_sd": 0.3 * spread,
            }
        if not parallel:
            effects[f"{measure}_period"] = common | {
                "treatments": everywhere,
                "sessions": ["period2"],
                size: 0.3 * spread,
            }
    return {
        "phmri_truth": 1,
        "participants": N_PEOPLE[design],
        "scans": {
            "rest": {"n_volumes": N_VOLUMES, "t_r": T_R},
            **({"nback": nback} if "task" in measures else {}),
        },
        "background": {"drift_percent": 0.3},
        "regions": {name: {"signal_percent": 2.0, "edge_mm": 8} for name in REGIONS},
        "effects": effects,
        "scales": {
            "score": {
                "mean": {
                    "placebo": 12,
                    "drug": 12 + (POINTS if planted else 0),
                    **({"pretreated": 12 + POINTS} if parallel else {}),
                },
                "sd": 4,
            }
        },
    }


def _effect_kind(measure: str) -> dict[str, object]:
    if measure == "coupling":
        return {"kind": "coupling", "seed": "seed", "target": PLACES[measure]}
    if measure == "infusion":
        curve = {"model": "step", "onset_min": 0}
        return {"kind": "response", "region": PLACES[measure], "curve": curve}
    return {"kind": "activation", "region": PLACES[measure], "conditions": {"hard": 1.0}}


Rows = dict[str, list[float | None]]


def run_trial(
    design: str, seed: int, *, planted: bool, measures: Sequence[str] = MEASURES
) -> Rows:
    """Simulate and analyse one trial.

    Parameters
    ----------
    design : {"parallel", "crossover"}
    seed : int
        Of the trial; not negative.
    planted : bool
        Whether the drug does anything.
    measures : sequence of str
        What is asked of; fewer take less time.

    Returns
    -------
    dict
        Question -> found (0 or 1), least corrected p; of one number then its estimate and the
        ends of its interval, of a map then x, y, z (mm) of its strongest outcome.
    """
    with TemporaryDirectory(prefix="calibration") as folder:
        directory = Path(folder)
        trial = directory / "trial.yaml"
        planned = directory / "truth.yaml"
        trial.write_text(json.dumps(protocol_of(design, measures, seed=seed)))
        planned.write_text(json.dumps(truth_of(design, measures, planted=planted)))
        anatomy = box_anatomy(SHAPE)
        _write_places(directory, anatomy)
        protocol = read_protocol(trial)
        plan = make_plan(protocol, read_truth(planned, protocol), seed)
        tree = simulate_trial(trial, planned, directory, plan, anatomy)
        # A report is drawn after all has been answered; questions share the maps that they read.
        with (
            patch("phmri.pipeline._answer_trial.write_trial_report", return_value=None),
            patch("phmri.pipeline._loading.read_image", functools.cache(read_image)),
        ):
            summary = run(tree.bids_dir, directory / "out", "all", trial)
    return {claim.question: _row(claim) for claim in summary.claims}


def _write_places(directory: Path, anatomy) -> None:
    labels = np.zeros(anatomy.mask.shape, dtype=np.float64)
    voxels = np.argwhere(anatomy.mask)
    position = voxels @ anatomy.affine[:3, :3].T + anatomy.affine[:3, 3]
    for number, centre in enumerate(REGIONS.values(), start=1):
        inside = ((position - centre) ** 2).sum(axis=1) <= RADIUS_MM**2
        labels[tuple(voxels[inside].T)] = number
    write_image(directory / "places.nii.gz", labels, anatomy.affine, {})
    rows = [f"{number}\t{name}" for number, name in enumerate(REGIONS, start=1)]
    (directory / "places.tsv").write_text("\n".join(("index\tname", *rows)) + "\n")


def _row(claim: Claim) -> list[float | None]:
    if claim.verdict not in ("found", "not found"):
        return [None]
    peak = claim.peaks[0]
    found = [float(claim.verdict == "found"), peak.pvalue_corrected]
    if claim.outcome == "scalar":
        return [*found, peak.effect, peak.ci_low, peak.ci_high]
    return [*found, *(peak.position_mm or ())]
