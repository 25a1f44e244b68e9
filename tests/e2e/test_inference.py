"""Every way to p-values through the one command, on tiny trials with a planted effect."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.pipeline import run
from tests.e2e.trees import (
    SEED_MM,
    SPACE,
    T_R,
    TARGET_MM,
    Box,
    call,
    claim_of,
    coupled_data,
    describe,
    exact_series,
    map_of,
    run_all,
    statistics_of,
    write_confounds,
    write_image,
    write_json,
    write_run,
    write_table,
    z_map,
)

BOX = Box()
ARMS = ("K", "LK", "P")
N_EACH = 5
SESSIONS = ("before", "early", "late")
THIRD_MM, QUIET_MM = (-14.0, 2.0, 14.0), (14.0, 34.0, 14.0)
LOST_IN_ONE, LOST_IN_TWO = (0, 0, 0), (5, 0, 0)
"""Corner voxels that one or two participants of placebo lack at the late session."""

HEAD = f"""\
phmri: 1
name: tiny
title: Every way to p-values
drugs: {{drug: {{}}}}
treatments:
  placebo: {{}}
  ketamine: {{doses: [{{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}}]}}
  both: {{doses: [{{drug: drug, route: oral, amount: 2, unit: mg, start_min: 0}}]}}
design:
  kind: parallel
  arms: {{K: {{treatment: ketamine}}, LK: {{treatment: both}}, P: {{treatment: placebo}}}}
sessions: {{before: {{phase: baseline}}, early: {{phase: acute}}, late: {{phase: acute}}}}
scans: {{rest: {{task: rest}}}}
space: {SPACE}
regions:
  seed: {{kind: sphere, center_mm: {list(SEED_MM)}, radius_mm: 12, space: {SPACE}}}
  target: {{kind: sphere, center_mm: {list(TARGET_MM)}, radius_mm: 12, space: {SPACE}}}
  third: {{kind: sphere, center_mm: {list(THIRD_MM)}, radius_mm: 12, space: {SPACE}}}
  quiet: {{kind: sphere, center_mm: {list(QUIET_MM)}, radius_mm: 12, space: {SPACE}}}
  around: {{kind: sphere, center_mm: {list(TARGET_MM)}, radius_mm: 20, space: {SPACE}}}
denoising: {{light: {{strategy: 6motion, smoothing_fwhm_mm: 8}}}}
measures:
  map: {{kind: seed_to_voxel, scan: rest, seed: seed, denoising: light}}
  edges:
    kind: roi_to_roi
    scan: rest
    regions: [seed, target, third, quiet]
    denoising: light
"""
ASKED = {  # what is asked, and the question's own inference
    "tfce": ("measure: map", ""),
    "averaged": ("measure: map, where: {mean_of: target}", ""),
    "mass": ("measure: map", "method: cluster_mass, cluster_p: 0.01"),
    "extent": ("measure: map", "method: cluster_extent, cluster_z: 2.6"),
    "field": ("measure: map", "method: random_field"),
    "fieldat": ("measure: map", "method: random_field, cluster_p: 0.005"),
    "small": ("measure: map, where: {within: around}", "method: random_field"),
    "fdr": ("measure: map", "method: fdr"),
    "complete": ("measure: map", "method: voxel"),
    "covered": ("measure: map", "method: voxel, min_coverage: 0.8"),
    "welch": ("measure: map", "statistic: v"),
    "ranks": ("measure: map", "statistic: rank"),
    "flipped": ("measure: map", "shuffle: sign_flip"),
    "sites": ("measure: map", "shuffle_within: [site]"),
    "network": ("measure: edges", "method: cluster_extent, cluster_t: 3"),
    "edgetfce": ("measure: edges", "method: tfce"),
}
BESIDE = {
    "beside": ("measure: edges", "method: fdr"),
    "near": ("measure: map, where: {within: around}", "method: fdr"),
}
"""Asked in every protocol, so that all of them need the same first levels."""
N_DISTINCT = 252
"""Ways to choose ketamine's five out of ten."""


def question(
    name: str, asked: str, own: str = "", *, role: str = "secondary", arms: str = "K, P"
) -> str:
    when = "" if "session:" in asked else ", session: late"
    how = "" if "estimator:" in asked else ", estimator: post"
    inference = f", inference: {{n_permutations: 500, {own}}}" if own else ""
    return (
        f"  {name}: {{text: 'Is there a {name}?', role: {role}, contrast: [{arms}], "
        f"{asked}{when}{how}{inference}}}\n"
    )


def protocol(questions: dict[str, tuple[str, str]], rest: str = "") -> str:
    first = next(iter(questions))
    return (
        HEAD
        + "questions:\n"
        + "".join(
            question(name, *words, role="primary" if name == first else "secondary")
            for name, words in questions.items()
        )
        + rest
    )


def at_most(p: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Mark the voxels whose p, stored as float32, is at most alpha."""
    return np.asarray(np.nan_to_num(p, nan=1.0) <= alpha * (1 + 1e-6))


def folder_of(out: Path, name: str) -> Path:
    return out / "group" / f"question-{name.replace('_', '')}"


def written(out: Path, name: str) -> set[str]:
    """Name the maps and tables of a question by what they end in."""
    folder = folder_of(out, name)
    return {
        path.name.removeprefix(f"{folder.name}_").removesuffix("_statmap.nii.gz")
        for path in folder.iterdir()
        if not path.name.endswith(".json")
    }


def table_of(out: Path, name: str, ending: str) -> pd.DataFrame:
    folder = folder_of(out, name)
    return pd.read_csv(folder / f"{folder.name}_{ending}.tsv", sep="\t")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# ------------------------------------------------------------------------------ three arms, images
@dataclass(frozen=True)
class Trial:
    """A trial whose runs are measured once; protocols that differ in questions share them."""

    root: Path

    @property
    def bids(self) -> Path:
        return self.root / "bids"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def ask(self, name: str, text: str) -> tuple[int, str]:
        """Answer the questions of another protocol; runs are measured the first time only."""
        path = self.root / f"{name}.yaml"
        path.write_text(text)
        return call("run", self.bids, self.out, "all", "--protocol", path, "--n-workers", "1")

    def run(self, on_progress: Callable[[str, int, int], None]) -> None:
        """Answer the questions of the protocol asked last, telling how far it is."""
        run(self.bids, self.out, "group", self.root / "kept.yaml", on_progress=on_progress)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Three arms of five; ketamine couples the seed to two regions, early and late."""
    made = Trial(tmp_path_factory.mktemp("inference"))
    fmriprep = made.bids / "derivatives" / "fmriprep"
    describe(made.bids)
    describe(fmriprep, "derivative", "fMRIPrep")
    numbers = range(len(ARMS) * N_EACH)
    write_table(
        made.bids / "participants.tsv",
        {
            "participant_id": [f"sub-{number:02d}" for number in numbers],
            "arm": [ARMS[number % 3] for number in numbers],
            "site": ["north" if number < 9 else "south" for number in numbers],
        },
    )
    for number in numbers:
        for day, session in enumerate(SESSIONS):
            rng = np.random.default_rng([number, day])
            weight = {"K": 1.5, "LK": 1.0, "P": 0.0}[ARMS[number % 3]] if day else 0.0
            data = coupled_data(rng, BOX, 40, [(weight, TARGET_MM), (weight, THIRD_MM)])
            folder = fmriprep / f"sub-{number:02d}" / f"ses-{session}" / "func"
            stem = f"sub-{number:02d}_ses-{session}_task-rest"
            write_run(folder, stem, data, BOX, f"_space-{SPACE}_desc-preproc")
            mask = np.ones(BOX.shape, np.uint8)
            if session == "late" and number in {2, 5}:  # of placebo
                mask[LOST_IN_TWO] = 0
                mask[LOST_IN_ONE] = number != 2
            write_image(folder / f"{stem}_space-{SPACE}_desc-brain_mask.nii.gz", mask, BOX.affine)
            write_confounds(folder, stem, np.random.default_rng([number, day, 9]), 40)
    return made


@pytest.fixture(scope="module", autouse=True)
def _undrawn() -> Iterator[None]:
    """Leave figures out of the reports: each takes a second, and they have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        pictures = "phmri.report._figures.Pictures"
        patch.setattr(f"{pictures}.of_question", lambda self, question: ())
        for name in ("flow", "completeness", "quality", "regions"):
            patch.setattr(f"{pictures}.{name}", lambda self: ())
        yield


@pytest.fixture(scope="module")
def page(trial: Trial) -> str:
    """Ask everything in one run and give the report."""
    rest = "inference: {method: tfce, n_permutations: 500}\n"
    code, printed = trial.ask("all", protocol(ASKED, rest))
    assert code == 0, printed
    return (trial.out / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("name", "method", "files"),
    [
        ("tfce", "tfce", {"stat-tfce", "stat-ptfce"}),
        (
            "mass",
            "cluster_mass",
            {"stat-clustermass", "stat-pclustermass", "stat-clusterextent", "stat-pclusterextent"},
        ),
        ("extent", "cluster_extent", {"stat-clusterextent", "stat-pclusterextent"}),
        ("complete", "voxel", set()),
    ],
)
def test_shuffled_map_finds_what_was_planted_and_writes_its_files(
    trial: Trial, page: str, name: str, method: str, files: set[str]
) -> None:
    claim = claim_of(trial.out, name)
    assert (claim["verdict"], claim["method"]) == ("found", method)
    assert claim["n_permutations"] == claim["n_distinct"] == N_DISTINCT
    wanted = {"stat-effect", "stat-t", "stat-puncorrected", "stat-pparametric", "stat-qfdr"}
    assert wanted | {"stat-pvoxel"} | files <= written(trial.out, name)
    p = map_of(trial.out, name, f"p{method.replace('_', '')}")
    assert_allclose(np.nanmin(p), 2 / N_DISTINCT, rtol=1e-6)
    passed = at_most(p)
    assert claim["n_significant"] == passed.sum()
    planted = BOX.inside(TARGET_MM, 12.0) | BOX.inside(THIRD_MM, 12.0)
    assert (passed & planted).sum() > 0.5 * planted.sum()
    around = BOX.inside(TARGET_MM, 24.0) | BOX.inside(THIRD_MM, 24.0)
    assert not (passed & ~around).any()
    null = table_of(trial.out, name, "null")
    assert len(null) == N_DISTINCT
    assert {"voxel", method} <= set(null)
    value = {"voxel": "t"}.get(method, method.replace("_", ""))
    assert_allclose(null[method][0], np.nanmax(np.abs(map_of(trial.out, name, value))), rtol=1e-5)


@pytest.mark.parametrize("name", ["tfce", "mass", "extent", "field", "network"])
def test_cluster_table_is_that_of_claim_and_report(trial: Trial, page: str, name: str) -> None:
    claim = claim_of(trial.out, name)
    table = table_of(trial.out, name, "clusters")
    assert len(table) == len(claim["clusters"])
    first = claim["clusters"][0]
    assert_allclose(table["mass"], [cluster["mass"] for cluster in claim["clusters"]])
    assert table["peak_t"][0] > 8
    assert table["true_discoveries"][0] > 0
    column = {
        "tfce": "pvalue_tfce",
        "mass": "pvalue_mass",
        "extent": "pvalue_extent",
        "field": "pvalue_random_field",
        "network": "pvalue_extent",
    }[name]
    assert table[column][0] == first[column] <= 0.05
    noun = "Components" if name == "network" else "Clusters"
    assert f"{noun} of {name}." in page
    assert f"{first['mass']:,.1f}" in page


@pytest.mark.parametrize("name", ["field", "fieldat", "fdr"])
def test_unshuffled_map_finds_what_was_planted(trial: Trial, page: str, name: str) -> None:
    claim = claim_of(trial.out, name)
    assert (claim["verdict"], claim["n_permutations"], claim["shuffled"]) == ("found", 0, "")
    files = written(trial.out, name)
    assert "null.tsv" not in files
    assert ("stat-prandomfield" in files) == (name != "fdr")
    p = map_of(trial.out, name, "qfdr" if name == "fdr" else "prandomfield")
    assert 0 < np.nanmin(p) < 1e-4
    passed = at_most(p)
    assert claim["n_significant"] == passed.sum()
    around = BOX.inside(TARGET_MM, 24.0) | BOX.inside(THIRD_MM, 24.0)
    assert passed.sum() > 20
    assert not (passed & ~around).any()


def test_small_volume_is_searched_alone_and_says_so(trial: Trial, page: str) -> None:
    inside = BOX.inside(TARGET_MM, 20.0)
    t = map_of(trial.out, "small", "t")
    assert_array_equal(np.isfinite(t), inside)
    assert_allclose(t[inside], map_of(trial.out, "field", "t")[inside], rtol=1e-6)
    small, whole = (map_of(trial.out, name, "prandomfield")[inside] for name in ("small", "field"))
    assert (small <= whole * (1 + 1e-6)).all()
    claim = claim_of(trial.out, "small")
    assert claim["corrected_over"] == f"{inside.sum()} voxels of around"
    notes = " ".join(claim["notes"])
    assert (
        f"{np.isfinite(map_of(trial.out, 'field', 't')).sum() - inside.sum()} voxels beside"
        in (notes)
    )
    assert "same in every participant" not in notes


def test_network_is_one_component_of_the_planted_edges(trial: Trial, page: str) -> None:
    planted = ["seed~target", "seed~third", "target~third"]
    table = statistics_of(trial.out, "network")
    assert_array_equal(table["clusterextent"], [3 * (name in planted) for name in table.index])
    assert_allclose(table.loc[planted, "pclusterextent"], 2 / N_DISTINCT)
    (component, *others) = claim_of(trial.out, "network")["clusters"]
    assert (component["n_outcomes"], component["label"]) == (3, "target~third")
    assert all(other["pvalue_extent"] > 0.05 for other in others)
    enhanced = statistics_of(trial.out, "edgetfce")
    assert set(enhanced.index[enhanced["ptfce"] <= 0.05]) == set(planted)
    assert claim_of(trial.out, "edgetfce")["verdict"] == "found"


def test_mean_over_a_region_takes_the_protocols_settings_less_the_spatial(
    trial: Trial, page: str
) -> None:
    claim = claim_of(trial.out, "averaged")
    assert (claim["method"], claim["outcome"], claim["verdict"]) == ("voxel", "scalar", "found")
    table = statistics_of(trial.out, "averaged")
    assert "ptfce" not in table
    assert_allclose(table.loc["target", "pvoxel"], 2 / N_DISTINCT)


def test_other_statistics_and_shufflings(trial: Trial, page: str) -> None:
    t = map_of(trial.out, "complete", "t")
    assert {"stat-v", "stat-pvoxel"} <= written(trial.out, "welch")
    assert "stat-t" not in written(trial.out, "welch")
    ranks = map_of(trial.out, "ranks", "t")
    assert np.nanmax(np.abs(ranks - t)) > 0.1
    assert_array_equal(map_of(trial.out, "ranks", "effect"), map_of(trial.out, "welch", "effect"))
    claims = {name: claim_of(trial.out, name) for name in ("welch", "ranks", "flipped", "sites")}
    assert {claim["verdict"] for claim in claims.values()} == {"found"}
    assert [claim["statistic"] for claim in claims.values()] == ["v", "rank", "t", "t"]
    assert claims["flipped"]["n_distinct"] == 2**10
    assert "change sign" in claims["flipped"]["shuffled"]
    # North holds three of each arm, south two.
    assert claims["sites"]["n_distinct"] == 20 * 6
    assert "within strata" in claims["sites"]["shuffled"]
    for claim in claims.values():
        name = claim["question"]
        assert np.nanmin(map_of(trial.out, name, "pvoxel")) >= 1 / claim["n_permutations"] - 1e-6
    page_of = {name: page.count(f"Is there a {name}?") for name in claims}
    assert min(page_of.values()) >= 1


def test_voxels_that_some_lack_are_tested_where_enough_have_them(trial: Trial, page: str) -> None:
    complete, covered = (map_of(trial.out, name, "effect") for name in ("complete", "covered"))
    assert np.isnan([complete[LOST_IN_ONE], complete[LOST_IN_TWO], covered[LOST_IN_TWO]]).all()
    assert np.isfinite(covered[LOST_IN_ONE])
    both = np.isfinite(complete)
    assert both.sum() == BOX.inside((0.0, 0.0, 0.0), 1e3).sum() - 2
    for stat in ("effect", "se", "t", "d"):
        assert_array_equal(
            map_of(trial.out, "covered", stat)[both], map_of(trial.out, "complete", stat)[both]
        )
    n = map_of(trial.out, "covered", "n")
    assert (n[both] == len(ARMS) * N_EACH).all()
    assert n[LOST_IN_ONE] == len(ARMS) * N_EACH - 1
    assert "stat-n" not in written(trial.out, "complete")
    own = [
        float(
            np.asarray(nib.load(z_map(trial.out, f"{number:02d}", "late", "map")).dataobj)[0, 0, 0]
        )
        for number in range(len(ARMS) * N_EACH)
    ]
    arms = [np.nanmean(own[arm :: len(ARMS)]) for arm in range(len(ARMS))]
    assert np.isnan(own).sum() == 1
    assert_allclose(covered[LOST_IN_ONE], arms[0] - arms[2], atol=1e-5)
    notes = " ".join(claim_of(trial.out, "covered")["notes"])
    assert "data in too few of a group: 1 voxel." in notes
    assert "same in every participant" not in notes


def test_another_method_leaves_no_files_of_the_first(trial: Trial) -> None:
    rest = "inference: {n_permutations: 300}\n"
    for own, present in (("method: tfce", True), ("method: fdr", False)):
        asked = {"changing": ("measure: map", own), **BESIDE}
        code, printed = trial.ask("changing", protocol(asked, rest))
        assert code == 0, printed
        files = written(trial.out, "changing")
        assert ("stat-ptfce" in files) == ("null.tsv" in files) == present
        folder = folder_of(trial.out, "changing")
        assert (folder / f"{folder.name}_stat-ptfce_statmap.json").is_file() == present


# ------------------------------------------------------------------------------------ interruption
def test_interrupted_shuffling_goes_on_and_gives_the_same_bytes(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phmri.pipeline._shuffle.SECONDS", 0.0)
    asked = {"kept": ("measure: map", "method: tfce, shuffle: sign_flip"), **BESIDE}
    text = protocol(asked).replace("500, method: tfce", "700, method: tfce")
    code, printed = trial.ask("kept", text)
    assert code == 0, printed
    folder = folder_of(trial.out, "kept")
    uninterrupted, claim = contents(folder), claim_of(trial.out, "kept")
    assert not claim["exhaustive"]
    (folder / "claim.json").unlink()
    shutil.rmtree(folder)

    told: list[int] = []

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "Shuffling kept":
            told.append(done)
            if done > total / 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.run(interrupt)
    assert [path.name for path in folder.iterdir()] == ["unfinished_shuffling.npz"]
    first, told[:] = list(told), []
    trial.run(lambda stage, done, total: told.append(done) if "kept" in stage else None)
    assert first == [256, 512]
    assert told == [512, 700]  # what was kept last is not made again
    resumed = contents(folder)
    assert set(resumed) == set(uninterrupted)
    assert {name for name in resumed if resumed[name] != uninterrupted[name]} <= {"claim.json"}
    assert claim_of(trial.out, "kept") == claim


# ---------------------------------------------------------------------------------------- families
def family(correction: str, arms: dict[str, str]) -> str:
    """Ask of every contrast at both sessions, as one family."""
    asked = [
        question(
            f"{session}{name}",
            f"measure: map, session: {session}, family: drug",
            role="primary",
            arms=compared,
        )
        for session in ("early", "late")
        for name, compared in arms.items()
    ]
    asked += [question(name, *words) for name, words in BESIDE.items()]
    rest = (
        f"families: {{drug: {{correction: {correction}}}}}\ninference: {{n_permutations: 400}}\n"
    )
    return f"{HEAD}questions:\n{''.join(asked)}{rest}"


def test_joint_maximum_over_sessions_raises_every_p(trial: Trial) -> None:
    alone, p = ("earlyK", "lateK"), {}
    for correction in ("none", "joint_maximum"):
        code, printed = trial.ask("sessions", family(correction, {"K": "K, P"}))
        assert code == 0, printed
        for name in alone:
            p[correction, name] = map_of(trial.out, name, "pvoxel")
    for name in alone:
        own, joint = p["none", name], p["joint_maximum", name]
        assert (joint[np.isfinite(joint)] >= own[np.isfinite(own)] - 1e-7).all()
    assert np.nansum(p["joint_maximum", "lateK"] - p["none", "lateK"]) > 0


def test_joint_maximum_over_sessions_and_contrasts(trial: Trial) -> None:
    text = family("joint_maximum", {"K": "K, P", "LK": "LK, P"})
    names = ("earlyK", "earlyLK", "lateK", "lateLK")
    code, printed = trial.ask("contrasts", text)
    assert code == 0, printed
    assert not list(trial.out.glob("group/*/unfinished_shuffling.npz"))
    nulls = [table_of(trial.out, name, "null")["voxel"].to_numpy() for name in names]
    for name, null in zip(names, nulls, strict=True):
        assert_array_equal(null, nulls[0])
        t, p = map_of(trial.out, name, "t"), map_of(trial.out, name, "pvoxel")
        tested = np.isfinite(t)
        reached = null >= np.abs(t[tested])[:, None] * (1 - 1e-5)
        assert_allclose(p[tested], reached.mean(axis=1), rtol=1e-6)
        claim = claim_of(trial.out, name)
        assert claim["verdict"] == "found"
        assert all(other in claim["corrected_over"] for other in names)
        assert "LK" in claim["shuffled"]
        said = " ".join(claim["sentences"])
        assert "p-values cover earlyK, earlyLK, lateK, lateLK together" in said
        assert "error rate of its own" not in said
    assert_allclose(
        nulls[0][0], max(np.nanmax(map_of(trial.out, name, "t")) for name in names), rtol=1e-6
    )
    before = contents(trial.out / "group")
    code, printed = trial.ask("contrasts", text)
    assert code == 0
    assert "51 kept" in printed  # 45 runs and 6 answers
    assert contents(trial.out / "group") == before


# --------------------------------------------------------------------------------------- bad input
def test_column_that_the_participants_lack(trial: Trial) -> None:
    asked = {"nowhere": ("measure: map", "shuffle_within: [scanner]"), **BESIDE}
    code, printed = trial.ask("nowhere", protocol(asked))
    assert code == 1
    told = " ".join(printed.split())
    field = "questions.nowhere.inference.shuffle_within"
    assert f"{field}: participants.tsv has no column scanner" in told
    assert "Traceback" not in printed


def test_too_few_participants_for_alpha(trial: Trial) -> None:
    asked = {"few": ("measure: map", "alpha: 0.005"), **BESIDE}
    code, printed = trial.ask("few", protocol(asked))
    assert code == 1
    claim = claim_of(trial.out, "few")
    assert claim["verdict"] == "refused"
    assert "the smallest attainable p is 0.00794" in claim["sentence"]
    page = (trial.out / "report" / "index.html").read_text()
    assert "the smallest attainable p is 0.00794" in page
    assert "Traceback" not in printed


# -------------------------------------------------------------------------------------- crossovers
TREATMENTS = {"D": "drug", "P": "placebo", "O": "other"}
EFFECTS = {"D": 0.3, "P": 0.0, "O": 0.1}
ORDERS = ("DPO", "DOP", "PDO", "POD", "ODP", "OPD")
CROSSOVER = """\
phmri: 1
name: crossover
title: Treatments in the same people
drugs: {drug: {}}
treatments:
  placebo: {}
  drug: {doses: [{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}]}
  other: {doses: [{drug: drug, route: oral, amount: 2, unit: mg, start_min: 0}]}
scans: {rest: {task: rest}}
"""
DRUG_AGAINST_PLACEBO = """\
    text: Does the drug change it?
    role: primary
    contrast: [drug, placebo]
    estimator: crossover
"""


def design_of(orders: tuple[str, ...]) -> str:
    sequences = "".join(
        f"    {order}: {{treatments: [{', '.join(TREATMENTS[letter] for letter in order)}]}}\n"
        for order in orders
    )
    sessions = "".join(
        f"  {period}: {{phase: acute, period: {period}}}\n"
        for period in range(1, len(orders[0]) + 1)
    )
    return f"design:\n  kind: crossover\n  sequences:\n{sequences}sessions:\n{sessions}"


def write_people(bids: Path, sequences: list[str], kind: str = "raw") -> None:
    describe(bids, kind)
    names = [f"sub-{number:02d}" for number in range(len(sequences))]
    write_table(bids / "participants.tsv", {"participant_id": names, "sequence": sequences})


def test_three_periods_with_sessions_missing(tmp_path: Path) -> None:
    bids, sequences = tmp_path / "bids", [*ORDERS, *ORDERS]
    write_people(bids, sequences, "derivative")
    lost = {(0, 3), (5, 1), (7, 2)}
    for number, sequence in enumerate(sequences):
        rng = np.random.default_rng(number)
        level = rng.normal(0.2, 0.3)
        for period, letter in enumerate(sequence, start=1):
            z = level + EFFECTS[letter] + 0.2 * period + rng.normal(0.0, 0.02)
            left, right = exact_series(rng, z)
            if (number, period) in lost:
                continue
            folder = bids / f"sub-{number:02d}" / f"ses-{period}" / "func"
            stem = f"sub-{number:02d}_ses-{period}_task-rest_timeseries"
            write_table(folder / f"{stem}.tsv", {"L": left, "R": right})
            write_json(folder / f"{stem}.json", {"RepetitionTime": T_R})
    (tmp_path / "trial.yaml").write_text(
        f"""\
{CROSSOVER}{design_of(ORDERS)}
space: MNI152NLin6Asym
regions:
  left: {{kind: series, columns: [L]}}
  right: {{kind: series, columns: [R]}}
denoising: {{none: {{strategy: none}}}}
measures:
  pair: {{kind: roi_to_roi, scan: rest, regions: [left, right], denoising: none}}
questions:
  pair:
{DRUG_AGAINST_PLACEBO}    measure: pair
    where: {{at: left~right}}
inference: {{n_permutations: 500}}
"""
    )
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml")
    found = statistics_of(tmp_path / "out", "pair").loc["left~right"]
    assert abs(found["effect"] - 0.3) < 0.05
    claim = claim_of(tmp_path / "out", "pair")
    assert (claim["verdict"], claim["estimator"]) == ("found", "periods")
    assert (
        "Participants change sequences with those who have drug and placebo" in claim["shuffled"]
    )
    assert "drug and placebo give the same outcome" in claim["null"]
    assert claim["n_distinct"] == 6**3  # 2 of 4 participants in each of three pairs of sequences
    assert sum(claim["n_per_group"].values()) == len(sequences)
    said = " ".join(claim["sentences"])
    assert "3 of 36 planned cells have no data" in said
    units = table_of(tmp_path / "out", "pair", "units")
    assert units["used"].sum() == 33
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "Participants change sequences" in page


def test_two_periods_in_maps_that_some_lack_in_part(tmp_path: Path) -> None:
    bids, sequences = tmp_path / "bids", ["DP", "PD"] * 5
    fmriprep = bids / "derivatives" / "fmriprep"
    write_people(bids, sequences)
    describe(fmriprep, "derivative", "fMRIPrep")
    for number, sequence in enumerate(sequences):
        for period, letter in enumerate(sequence, start=1):
            if (number, period) == (9, 2):
                continue
            rng = np.random.default_rng([number, period])
            data = coupled_data(rng, BOX, 40, [(1.5 * (letter == "D"), TARGET_MM)])
            folder = fmriprep / f"sub-{number:02d}" / f"ses-{period}" / "func"
            stem = f"sub-{number:02d}_ses-{period}_task-rest"
            write_run(folder, stem, data, BOX, f"_space-{SPACE}_desc-preproc")
            mask = np.ones(BOX.shape, np.uint8)
            mask[LOST_IN_ONE] = (number, period) != (0, 1)
            write_image(folder / f"{stem}_space-{SPACE}_desc-brain_mask.nii.gz", mask, BOX.affine)
            write_confounds(folder, stem, rng, 40)
    (tmp_path / "trial.yaml").write_text(
        f"""\
{CROSSOVER}{design_of(("DP", "PD"))}
space: {SPACE}
regions:
  seed: {{kind: sphere, center_mm: {list(SEED_MM)}, radius_mm: 12, space: {SPACE}}}
denoising: {{light: {{strategy: 6motion, smoothing_fwhm_mm: 8}}}}
measures:
  map: {{kind: seed_to_voxel, scan: rest, seed: seed, denoising: light}}
questions:
  map:
{DRUG_AGAINST_PLACEBO}    measure: map
inference: {{n_permutations: 200, min_coverage: 0.75}}
"""
    )
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml")
    claim = claim_of(tmp_path / "out", "map")
    assert (claim["verdict"], claim["estimator"]) == ("found", "crossover")
    assert claim["n_per_group"] == {"DP": 5, "PD": 4}
    n = map_of(tmp_path / "out", "map", "n")
    assert n[LOST_IN_ONE] == 8
    assert (np.delete(n.ravel(), 0) == 9).all()
    notes = " ".join(claim["notes"])
    assert (
        f"of {BOX.inside((0.0, 0.0, 0.0), 1e3).sum() - 1} outcomes for the period effect" in notes
    )
