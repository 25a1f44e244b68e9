"""The one command on designs and layouts other than the demo's; every number is held to NumPy."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.simulation import make_small_tree
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
    write_fmriprep_run,
    write_image,
    write_json,
    write_mask,
    write_run,
    write_table,
    z_map,
)

BOX = Box()
SEQUENCES = {
    "ketamine_saline": 10,
    "saline_ketamine": 7,
    "lamotrigine_placebo": 9,
    "placebo_lamotrigine": 7,
}
WEIGHTS = {  # of the seed's course in the thalamus, by treatment of period 1 and 2
    "ketamine_saline": (1.5, 0.0),
    "saline_ketamine": (0.0, 1.5),
    "lamotrigine_placebo": (0.5, 0.5),
    "placebo_lamotrigine": (0.5, 0.5),
}
BEFORE_S = 48.0  # the short runs of these tests begin so long before the infusion
PLANTED = {name: tuple(2.0 * w for w in both) for name, both in WEIGHTS.items()}  # % of the mean
SHORT = {  # what the template asks of a long run, for one of two minutes
    "period1: -5": "period1: -0.8",
    "period2: -5": "period2: -0.8",
    "bin_s: 60": "bin_s: 16",
    "window_min: [1, 10]": "window_min: [0.4, 1.2]",
    "permutations: 5000": "permutations: 500",
    "sensitivity: [motion_tissue, ": "sensitivity: [",  # half of the files
    "kind: arma11": "kind: white",  # as the noise of these runs is
}
SPHERE = f"""\
    kind: sphere
    center_mm: {list(SEED_MM)}
    radius_mm: 12
    space: {SPACE}
"""


def sphere_instead_of_julich(text: str, region: str) -> str:
    """Replace a Julich region of a template by a sphere."""
    head, rest = text.split(f"  {region}:\n    kind: julich\n")
    lines = rest.splitlines(keepends=True)
    while lines[0].startswith("    "):
        lines.pop(0)
    return f"{head}  {region}:\n{SPHERE}{''.join(lines)}"


def add_global_signal(bids: Path, subject: str, session: str, data: np.ndarray) -> None:
    """Write the mean over the brain beside a run's other confounds."""
    folder = bids / "derivatives" / "fmriprep" / subject / session / "func"
    (path,) = folder.glob("*_desc-confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t").assign(global_signal=data.mean(axis=(0, 1, 2)))
    write_table(path, dict(table))


# --------------------------------------------------------------- crossover, order recorded, images
@pytest.fixture(scope="module")
def deakin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """33 men in four sequences, two periods; what ketamine does is planted in the thalamus.

    There the signal follows the seed, and steps up when the infusion begins; both by WEIGHTS.
    """
    root = tmp_path_factory.mktemp("deakin")
    bids = root / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    groups = np.repeat(list(SEQUENCES), list(SEQUENCES.values()))
    np.random.default_rng(33).shuffle(groups)
    subjects = [f"{number:02d}" for number in range(1, 34)]
    write_table(
        bids / "participants.tsv",
        {
            "participant_id": [f"sub-{label}" for label in subjects],
            "sequence": groups,
            "weight_kg": [60 + number for number in range(33)],
        },
    )
    infused = np.arange(64) * T_R >= BEFORE_S
    for number, (subject, group) in enumerate(zip(subjects, groups, strict=True)):
        for period in (1, 2):
            rng = np.random.default_rng([number, period])
            data = coupled_data(rng, BOX, 64, [(WEIGHTS[group][period - 1], TARGET_MM)])
            step = 0.01 * PLANTED[group][period - 1] * data.mean()
            data[BOX.inside(TARGET_MM, 12.0)] += np.float32(step) * infused
            write_fmriprep_run(
                bids / "derivatives" / "fmriprep",
                subject,
                f"period{period}",
                "rest",
                data,
                BOX,
                seed=10 * number + period,
            )
            add_global_signal(bids, f"sub-{subject}", f"ses-period{period}", data)
    assert call("new", "deakin2008", root / "template")[0] == 0
    text = (root / "template" / "trial.yaml").read_text()
    text = sphere_instead_of_julich(text, "sgacc")
    for old, new in SHORT.items():
        assert old in text
        text = text.replace(old, new)
    (root / "trial.yaml").write_text(text)
    return root


@pytest.fixture(scope="module")
def deakin_out(deakin: Path) -> Path:
    run_all(deakin / "bids", deakin / "out", deakin / "trial.yaml")
    return deakin / "out"


def periods(deakin: Path, out: Path, sequences: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Read period 1 minus period 2 of everyone in two sequences, from the written maps."""
    people = pd.read_csv(deakin / "bids" / "participants.tsv", sep="\t")

    def differences(name: str) -> np.ndarray:
        subjects = people.loc[people["sequence"] == name, "participant_id"].str[4:]
        return np.array(
            [
                read(response_map(out, subject, "period1"))
                - read(response_map(out, subject, "period2"))
                for subject in subjects
            ]
        )

    return differences(sequences[0]), differences(sequences[1])


def response_map(out: Path, subject: str, session: str) -> Path:
    (path,) = (out / f"sub-{subject}" / f"ses-{session}" / "func").glob(
        "*contrast-response_stat-effect_statmap.nii.gz"
    )
    return path


def read(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj, float)


def without_network(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("PHMRI_ATLAS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_check_tells_what_the_deakin_template_lacks_here(
    deakin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch, tmp_path / "cache")
    code, printed = call("check", deakin / "template" / "trial.yaml", deakin / "bids")
    assert code == 1, printed
    assert "sub-33" in printed  # every run is there
    assert "there is no drug during the run" in printed  # and ends before the infusion begins
    assert "cannot be downloaded" in printed


def test_deakin_without_atlas_and_network_says_what_to_do(
    deakin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch, tmp_path / "cache")
    protocol = deakin / "template" / "trial.yaml"
    code, printed = call("run", deakin / "bids", tmp_path / "out", "all", "--protocol", protocol)
    assert code != 0
    assert "sgacc" in printed
    assert "cannot be downloaded" in printed
    assert "PHMRI_ATLAS_DIR" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "out").exists()


def test_crossover_map_is_half_the_difference_of_the_orders(
    deakin: Path, deakin_out: Path
) -> None:
    first, second = periods(deakin, deakin_out, ("ketamine_saline", "saline_ketamine"))
    assert (len(first), len(second)) == (10, 7)
    effect = (first.mean(0) - second.mean(0)) / 2
    pooled = np.sqrt(
        (((first - first.mean(0)) ** 2).sum(0) + ((second - second.mean(0)) ** 2).sum(0)) / 15
    )
    t = effect / (pooled / 2 * np.sqrt(1 / 10 + 1 / 7))
    found = map_of(deakin_out, "ketamine", "effect")
    tested = np.isfinite(found)
    assert tested.sum() > 300
    assert_allclose(found[tested], effect[tested], atol=1e-5)
    assert_allclose(map_of(deakin_out, "ketamine", "t")[tested], t[tested], rtol=1e-3, atol=1e-3)


def test_crossover_finds_what_was_planted_and_nothing_else(deakin: Path, deakin_out: Path) -> None:
    claim = claim_of(deakin_out, "ketamine")
    assert claim["verdict"] == "found"
    position = np.asarray(claim["peaks"][0]["position_mm"])
    assert np.linalg.norm(position - TARGET_MM) < 17
    assert claim_of(deakin_out, "lamotrigine")["verdict"] == "not found"
    assert claim_of(deakin_out, "ketamineconnectivity")["verdict"] == "found"
    assert claim_of(deakin_out, "lamotriginethalamus")["verdict"] == "not found"
    scalar = statistics_of(deakin_out, "ketaminethalamus").loc["thalamus"]
    first, second = periods(deakin, deakin_out, ("ketamine_saline", "saline_ketamine"))
    inside = BOX.inside((6, -18, 2), 8.0)
    effect = (first[:, inside].mean() - second[:, inside].mean()) / 2
    assert_allclose(scalar["effect"], effect, atol=1e-5)
    assert scalar["effect"] > 0.3
    assert scalar["pvoxel"] <= 1 / 500 + 1e-9


def sign(manifest: Path, path: Path) -> None:
    """Make a map that the test has changed the one that was measured."""
    content = json.loads(manifest.read_text())
    (record,) = (item for item in content["outputs"] if Path(item["path"]).name == path.name)
    record["size"] = path.stat().st_size
    record["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))


def test_period_effect_drops_out(deakin: Path, deakin_out: Path) -> None:
    questions = ("ketamine", "lamotrigine")
    before = {name: map_of(deakin_out, name, "effect") for name in questions}
    t_before = {name: map_of(deakin_out, name, "t") for name in questions}
    paths = sorted(
        deakin_out.glob("sub-*/ses-period2/func/*_contrast-response_stat-effect_*.nii.gz")
    )
    assert len(paths) == 33
    manifests = [next(path.parent.glob("*_desc-quality_run.json")) for path in paths]
    kept = {path: path.read_bytes() for path in (*paths, *manifests)}
    try:
        for path, manifest in zip(paths, manifests, strict=True):
            image = nib.load(path)
            data = np.asarray(image.dataobj, np.float32) + np.float32(0.7)
            nib.save(nib.Nifti1Image(data, image.affine), path)
            sign(manifest, path)
        words = ("run", deakin / "bids", deakin_out, "group", "--protocol", deakin / "trial.yaml")
        code, printed = call(*words)
        assert code == 0, printed
        for name in questions:
            assert_allclose(map_of(deakin_out, name, "effect"), before[name], atol=1e-5)
            assert_allclose(map_of(deakin_out, name, "t"), t_before[name], atol=1e-3)
        notes = " ".join(claim_of(deakin_out, "ketaminethalamus")["notes"])
        assert "Period 1 minus period 2: % signal change −0." in notes
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_order_of_participants_is_irrelevant(
    deakin: Path, deakin_out: Path, tmp_path: Path
) -> None:
    table = deakin / "bids" / "participants.tsv"
    head, *rows = table.read_text().splitlines(keepends=True)
    shutil.copytree(deakin_out, tmp_path / "out", ignore=shutil.ignore_patterns("group"))
    table.write_text(head + "".join(reversed(rows)))
    try:
        run_all(deakin / "bids", tmp_path / "out", deakin / "trial.yaml")
    finally:
        table.write_text(head + "".join(rows))
    run_all(deakin / "bids", deakin_out, deakin / "trial.yaml")
    for question in ("ketamine", "lamotrigine", "ketaminethalamus"):
        assert claim_of(tmp_path / "out", question) == claim_of(deakin_out, question)


# ------------------------------------------------------------------------- crossover from tables
def write_series(folder: Path, stem: str, columns: dict[str, np.ndarray]) -> None:
    write_table(folder / f"{stem}_timeseries.tsv", columns)
    write_json(folder / f"{stem}_timeseries.json", {"RepetitionTime": 2.0})


def rename_columns(bids: Path, old: str, new: str) -> None:
    for path in bids.glob("sub-*/ses-*/func/*_timeseries.tsv"):
        head, rest = path.read_text().split("\n", 1)
        path.write_text(head.replace(old, new) + "\n" + rest)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Eight people, order lost, two atlases; the drug adds exactly 0.2 to one of three pairs."""
    root = tmp_path / "tables"
    bids = root / "bids"
    describe(bids, "derivative")
    write_table(bids / "participants.tsv", {"participant_id": [f"sub-{i:02d}" for i in range(8)]})
    for number in range(8):
        rng = np.random.default_rng(number)
        level = rng.normal(0.4, 0.1)
        for session, shift in (("PLCB", 0.0), ("DRUG", 0.2 + 0.01 * (-1) ** number)):
            one, two = exact_series(rng, level + shift)
            noise = rng.normal(size=(60, 5))
            folder = bids / f"sub-{number:02d}" / f"ses-{session}" / "func"
            stem = f"sub-{number:02d}_ses-{session}_task-rest"
            write_series(folder, f"{stem}_seg-Pair", {"r01": one, "r02": two})
            many = {f"r{name:02d}": column for name, column in enumerate(noise.T, start=1)}
            write_series(folder, f"{stem}_seg-Many", many)
    assert call("new", "timeseries_crossover", root)[0] == 0
    return root


def test_two_atlases_are_told_apart_by_seg(tables: Path) -> None:
    code, printed = call("check", tables / "trial.yaml", tables / "bids")
    assert code == 1
    assert "seg" in printed
    assert "doubled" in printed


def test_paired_difference_of_tables_is_exact(tables: Path) -> None:
    protocol = tables / "trial.yaml"
    protocol.write_text(protocol.read_text().replace("parcels: {}", "parcels: {seg: Pair}"))
    run_all(tables / "bids", tables / "out", protocol)
    mean = statistics_of(tables / "out", "mean")
    assert_allclose(mean["effect"], 0.2, atol=1e-9)
    assert_allclose(mean["pvoxel"], 2 / 2**8, rtol=1e-9)
    nodes = statistics_of(tables / "out", "nodes")
    assert_allclose(nodes["effect"], [0.2, 0.2], atol=1e-9)
    claim = claim_of(tables / "out", "mean")
    assert claim["verdict"] == "found"
    page = (tables / "out" / "report" / "index.html").read_text()
    assert "No run of this trial states its motion" in page
    numbers = [int(number) for number in re.findall(r'id="figure-(\d+)"', page)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "order" in " ".join(claim["notes"])


def test_two_atlases_in_one_scan_are_refused_by_line(tables: Path) -> None:
    text = (tables / "trial.yaml").read_text()
    text = text.replace("parcels: {}", "parcels: {seg: Pair}\n  many: {seg: Many}")
    nodes = "parcels: parcels, summary: nodes"
    assert nodes in text
    text = text.replace(nodes, "parcels: many, summary: nodes")
    (tables / "trial.yaml").write_text(text)
    code, printed = call("check", tables / "trial.yaml", tables / "bids")
    assert code == 2
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "node_connectivity:" in row)
    assert f"trial.yaml:{line}" in printed or f"trial.yaml:{line + 1}" in printed
    assert "Pair" in printed
    assert "Many" in printed


def test_parcels_named_by_numbers_keep_their_zeros(tables: Path) -> None:
    rename_columns(tables / "bids", "r", "0")
    text = (tables / "trial.yaml").read_text().replace("parcels: {}", "parcels: {seg: Many}")
    (tables / "trial.yaml").write_text(text + "    where: {at: '002'}\n")
    run_all(tables / "bids", tables / "out", tables / "trial.yaml")
    assert tuple(statistics_of(tables / "out", "nodes").index) == ("002",)


RECORDED = """\
phmri: 1
name: recorded
title: A drug against placebo in the same people, order recorded
drugs: {drug: {}}
treatments:
  placebo: {}
  drug: {doses: [{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}]}
design:
  kind: crossover
  sequences:
    DP: {treatments: [drug, placebo]}
    PD: {treatments: [placebo, drug]}
sessions:
  1: {phase: acute, period: 1}
  2: {phase: acute, period: 2}
scans: {rest: {task: rest}}
space: MNI152NLin6Asym
regions:
  left: {kind: series, columns: [L]}
  right: {kind: series, columns: [R]}
denoising: {none: {strategy: none}}
measures:
  pair: {kind: roi_to_roi, scan: rest, regions: [left, right], denoising: none}
questions:
  pair:
    text: Is the pair more connected under the drug?
    role: primary
    measure: pair
    contrast: [drug, placebo]
    estimator: crossover
    alternative: greater
    where: {at: left~right}
"""


@pytest.mark.parametrize("period_effect", [0.0, 0.5])
def test_recorded_order_gives_exactly_the_treatment_effect(
    tmp_path: Path, period_effect: float
) -> None:
    bids = tmp_path / "bids"
    describe(bids, "derivative")
    groups = ["DP"] * 5 + ["PD"] * 3
    write_table(
        bids / "participants.tsv",
        {"participant_id": [f"sub-{i}" for i in range(8)], "sequence": groups},
    )
    for number, group in enumerate(groups):
        rng = np.random.default_rng(number)
        level = rng.normal(0.0, 0.3)
        for period in (1, 2):
            drug = group[period - 1] == "D"
            z = level + 0.15 * drug + period_effect * (period == 2)
            z += 0.01 * (-1) ** number * drug
            left, right = exact_series(rng, z)
            folder = bids / f"sub-{number}" / f"ses-{period}" / "func"
            write_series(folder, f"sub-{number}_ses-{period}_task-rest", {"L": left, "R": right})
    (tmp_path / "trial.yaml").write_text(RECORDED)
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml")
    result = statistics_of(tmp_path / "out", "pair").loc["left~right"]
    signs = np.array([(-1) ** number for number in range(8)])
    expected = 0.15 + 0.01 * (signs[:5].mean() + signs[5:].mean()) / 2
    assert_allclose(result["effect"], expected, atol=1e-9)
    assert_allclose(result["pvoxel"], 1 / 56, rtol=1e-9)
    claim = claim_of(tmp_path / "out", "pair")
    assert claim["verdict"] == "found"
    assert ("Period 1 minus period 2: Fisher z −0.49" in " ".join(claim["notes"])) == (
        period_effect > 0
    )


# -------------------------------------------------------------------- other programs' derivatives
PLAIN = f"""\
phmri: 1
name: plain
title: Two arms at one session
drugs: {{drug: {{}}}}
treatments:
  placebo: {{}}
  drug: {{doses: [{{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}}]}}
design:
  kind: parallel
  arms: {{drug: {{treatment: drug}}, placebo: {{treatment: placebo}}}}
sessions: {{day: {{phase: acute}}}}
scans: {{rest: {{task: rest}}}}
space: {SPACE}
regions:
  seed: {{kind: sphere, center_mm: {list(SEED_MM)}, radius_mm: 12, space: {SPACE}}}
  target: {{kind: sphere, center_mm: {list(TARGET_MM)}, radius_mm: 12, space: {SPACE}}}
denoising: {{none: {{strategy: none}}}}
measures:
  pair: {{kind: roi_to_roi, scan: rest, regions: [seed, target], denoising: none}}
questions:
  pair:
    text: Does the drug raise the connectivity of the pair?
    role: primary
    measure: pair
    contrast: [drug, placebo]
    session: day
    estimator: post
"""
N_EACH = 4


def plain_runs() -> list[tuple[str, np.ndarray]]:
    """Make eight runs, coupled in the first four."""
    return [
        (
            f"{number:02d}",
            coupled_data(
                np.random.default_rng(number), BOX, 50, [(float(number < N_EACH), TARGET_MM)]
            ),
        )
        for number in range(2 * N_EACH)
    ]


def plain_trial(root: Path) -> Path:
    describe(root / "bids")
    write_table(
        root / "bids" / "participants.tsv",
        {
            "participant_id": [f"sub-{number:02d}" for number in range(2 * N_EACH)],
            "arm": ["drug"] * N_EACH + ["placebo"] * N_EACH,
        },
    )
    (root / "trial.yaml").write_text(PLAIN)
    return root / "bids"


def z_of(data: np.ndarray, seed: np.ndarray, target: np.ndarray) -> float:
    r = np.corrcoef(data[seed].astype(float).mean(0), data[target].astype(float).mean(0))[0, 1]
    return float(np.arctanh(r))


def plain_difference() -> float:
    seed, target = BOX.inside(SEED_MM, 12), BOX.inside(TARGET_MM, 12)
    z = [z_of(data, seed, target) for _, data in plain_runs()]
    return float(np.mean(z[:N_EACH]) - np.mean(z[N_EACH:]))


def write_xcpd(bids: Path) -> Path:
    xcpd, fmriprep = (bids / "derivatives" / name for name in ("xcp_d", "fmriprep"))
    describe(xcpd, "derivative", "XCP-D")
    describe(fmriprep, "derivative", "fMRIPrep")
    for number, (subject, data) in enumerate(plain_runs()):
        place = Path(f"sub-{subject}") / "ses-day" / "func"
        stem = f"sub-{subject}_ses-day_task-rest"
        space = f"_space-{SPACE}_res-2"
        write_run(xcpd / place, stem, data, BOX, f"{space}_desc-denoised")
        write_table(
            xcpd / place / f"{stem}{space}_seg-4S156Parcels_stat-mean_timeseries.tsv",
            {"a": data[0, 0, 0], "b": data[1, 1, 1]},
        )
        write_mask(fmriprep / place / f"{stem}{space}_desc-brain_mask.nii.gz", BOX)
        write_confounds(fmriprep / place, stem, np.random.default_rng(number), 50)
    return xcpd


def write_halfpipe(bids: Path) -> Path:
    halfpipe = bids.parent / "work" / "derivatives" / "halfpipe"
    describe(halfpipe, "derivative", "HALFpipe")
    for subject, data in plain_runs():
        place = halfpipe / f"sub-{subject}" / "ses-day" / "func" / "task-rest"
        stem = f"sub-{subject}_ses-day_task-rest_setting-plain"
        write_run(place, stem, data, BOX, "")
        write_mask(place / f"{stem}_desc-brain_mask.nii.gz", BOX)
    return halfpipe.parent.parent


def test_xcpd_derivatives_with_the_masks_of_fmriprep(tmp_path: Path) -> None:
    bids = plain_trial(tmp_path)
    write_xcpd(bids)
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml")
    found = statistics_of(tmp_path / "out", "pair")["effect"]
    assert_allclose(found, plain_difference(), atol=1e-5)
    assert found.iloc[0] > 0.5


def test_halfpipe_working_directory_in_native_grid(tmp_path: Path) -> None:
    bids = plain_trial(tmp_path)
    work = write_halfpipe(bids)
    (tmp_path / "trial.yaml").write_text(PLAIN.replace(SPACE, "native"))
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml", "--derivatives", work)
    found = statistics_of(tmp_path / "out", "pair")["effect"]
    assert_allclose(found, plain_difference(), atol=1e-5)


def test_native_space_with_a_grid_of_its_own_per_person(tmp_path: Path) -> None:
    bids = plain_trial(tmp_path)
    (tmp_path / "trial.yaml").write_text(PLAIN.replace(SPACE, "native"))
    fmriprep = bids / "derivatives" / "fmriprep"
    describe(fmriprep, "derivative", "fMRIPrep")
    expected = []
    for number in range(2 * N_EACH):
        box = Box(shape=(6, 11 + number % 2, 6 + number % 3))
        rng = np.random.default_rng(number)
        data = coupled_data(rng, box, 50, [(float(number < N_EACH), TARGET_MM)])
        place = fmriprep / f"sub-{number:02d}" / "ses-day" / "func"
        stem = f"sub-{number:02d}_ses-day_task-rest"
        write_run(place, stem, data, box, "_desc-preproc")
        write_mask(place / f"{stem}_desc-brain_mask.nii.gz", box)
        write_confounds(place, stem, rng, 50)
        expected.append(z_of(data, box.inside(SEED_MM, 12), box.inside(TARGET_MM, 12)))
    run_all(bids, tmp_path / "out", tmp_path / "trial.yaml")
    found = statistics_of(tmp_path / "out", "pair")["effect"]
    assert_allclose(found, np.mean(expected[:N_EACH]) - np.mean(expected[N_EACH:]), atol=1e-5)


def test_template_region_in_native_data_is_refused(tmp_path: Path) -> None:
    bids = plain_trial(tmp_path)
    work = write_halfpipe(bids)
    (tmp_path / "trial.yaml").write_text(
        PLAIN.replace(f"space: {SPACE}\nregions", "space: native\nregions")
    )
    words = ("run", bids, tmp_path / "out", "all", "--protocol", tmp_path / "trial.yaml")
    code, printed = call(*words, "--derivatives", work)
    assert code == 2
    assert SPACE in printed
    assert "native" in printed


# ------------------------------------------------------------------------- every kind of question
@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 people, two arms, baseline and drug day; coupling planted to one of three parcels."""
    root = tmp_path_factory.mktemp("rich")
    bids = root / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    rng = np.random.default_rng(1)
    write_table(
        bids / "participants.tsv",
        {
            "participant_id": [f"sub-{number:02d}" for number in range(18)],
            "arm": ["drug", "placebo"] * 9,
            "age": rng.integers(20, 60, 18),
            "site": [("north", "south", "west")[number % 3] for number in range(18)],
            "sex": ["F"] * 9 + ["M"] * 9,
        },
    )
    for number in range(18):
        for day, session in enumerate(("baseline", "drug")):
            weight = 1.0 if day and number % 2 == 0 else 0.0
            data = coupled_data(
                np.random.default_rng([number, day]), BOX, 70, [(weight, TARGET_MM)]
            )
            write_fmriprep_run(
                bids / "derivatives" / "fmriprep",
                f"{number:02d}",
                session,
                "rest",
                data,
                BOX,
                seed=number * 2 + day,
            )
    labels = np.zeros(BOX.shape, np.int16)
    for label, center in ((3, SEED_MM), (7, TARGET_MM), (11, (-16.0, 10.0, 10.0))):
        labels[BOX.inside(center, 12.0)] = label
    write_image(root / "atlas.nii.gz", labels, BOX.affine)
    write_table(
        root / "atlas.tsv", {"index": [3, 7, 11], "name": ["seed", "thalamus", "elsewhere"]}
    )
    write_image(root / "two.nii.gz", np.where(labels == 3, 0, labels), BOX.affine)
    write_table(root / "two.tsv", {"index": [7, 11], "name": ["thalamus", "elsewhere"]})
    write_table(root / "swapped.tsv", {"index": [7, 11], "name": ["elsewhere", "thalamus"]})
    assert call("new", "minimal_parallel", root)[0] == 0
    (root / "trial.yaml").write_text(RICH)
    return root


RICH = f"""\
phmri: 1
name: rich
title: Every kind of question
drugs: {{drug: {{}}}}
treatments:
  placebo: {{}}
  drug: {{doses: [{{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}}]}}
design:
  kind: parallel
  strata: [sex]
  arms: {{drug: {{treatment: drug}}, placebo: {{treatment: placebo}}}}
sessions: {{baseline: {{phase: baseline}}, drug: {{phase: acute}}}}
scans: {{rest: {{task: rest}}}}
space: {SPACE}
regions:
  seed: {{kind: sphere, center_mm: {list(SEED_MM)}, radius_mm: 12, space: {SPACE}}}
  target: {{kind: label, file: atlas.nii.gz, labels: [7], space: {SPACE}}}
  other: {{kind: sphere, center_mm: [-16, 10, 10], radius_mm: 12, space: {SPACE}}}
parcellations:
  atlas: {{file: atlas.nii.gz, names: atlas.tsv, space: {SPACE}}}
  two: {{file: two.nii.gz, names: two.tsv, space: {SPACE}}}
denoising:
  light: {{strategy: 6motion, highpass_hz: 0.01, smoothing_fwhm_mm: 8}}
  heavy: {{strategy: 24motion_wmcsf, highpass_hz: 0.01}}
measures:
  map: {{kind: seed_to_voxel, scan: rest, seed: seed, denoising: light}}
  map_heavy: {{kind: seed_to_voxel, scan: rest, seed: seed, denoising: heavy}}
  parcels: {{kind: seed_to_parcel, scan: rest, seed: seed, parcels: two, denoising: light}}
  edges: {{kind: roi_to_roi, scan: rest, regions: [seed, target, other], denoising: heavy}}
  nodes:
    kind: roi_to_roi
    scan: rest
    regions: [seed, target, other]
    summary: nodes
    denoising: light
  global: {{kind: roi_to_roi, scan: rest, parcels: atlas, summary: global, denoising: light}}
questions:
"""
QUESTIONS = {
    "within": "measure: map, estimator: ancova, baseline: baseline, where: {within: target}",
    "meanheavy": "measure: map_heavy, estimator: change, baseline: baseline, "
    "where: {mean_of: target}",
    "parcels": "measure: parcels, estimator: post",
    "covaried": "measure: parcels, estimator: ancova, baseline: baseline, "
    "covariates: [age, site], where: {at: thalamus}",
    "edges": "measure: edges, estimator: change, baseline: baseline",
    "edge": "measure: edges, estimator: post, where: {at: seed~target}, alternative: greater",
    "edgeless": "measure: edges, estimator: post, where: {at: seed~target}, alternative: less",
    "nodes": "measure: nodes, estimator: post",
    "global": "measure: global, estimator: post",
}
RICH += "".join(
    f"  {name}: {{text: 'Is there a {name}?', role: {role}, contrast: [drug, placebo], "
    f"session: drug, {rest}}}\n"
    for (name, rest), role in zip(
        QUESTIONS.items(), ["primary", *["exploratory"] * (len(QUESTIONS) - 1)], strict=True
    )
)
RICH += "inference: {n_permutations: 999}\n"


@pytest.fixture(scope="module")
def rich_out(rich: Path) -> Path:
    run_all(rich / "bids", rich / "out", rich / "trial.yaml")
    return rich / "out"


def people(rich: Path) -> pd.DataFrame:
    return pd.read_csv(rich / "bids" / "participants.tsv", sep="\t")


def values(rich: Path, session: str, measure: str) -> pd.DataFrame:
    """Read a table measure of everyone, one row each."""
    rows = []
    for subject in people(rich)["participant_id"]:
        (path,) = (rich / "out" / subject / f"ses-{session}" / "func").glob(
            f"*contrast-{measure}_stat-z_connectivity.tsv"
        )
        rows.append(pd.read_csv(path, sep="\t").set_index("name")["z"])
    return pd.DataFrame(rows).reset_index(drop=True)


def least_squares(rich: Path, y: np.ndarray, *columns: np.ndarray) -> tuple[float, float]:
    """Fit arm, sex and further columns; give effect and t of the arm."""
    table = people(rich)
    X = np.column_stack(
        [np.ones(18), table["arm"] == "drug", table["sex"] == "M", *columns]
    ).astype(float)
    beta, *_ = np.linalg.lstsq(X, y, rcond=None)
    residual = y - X @ beta
    variance = residual @ residual / (18 - X.shape[1]) * np.linalg.inv(X.T @ X)[1, 1]
    return float(beta[1]), float(beta[1] / np.sqrt(variance))


@pytest.mark.parametrize(
    ("question", "measure", "name", "estimator"),
    [
        ("parcels", "parcels", "thalamus", "post"),
        ("parcels", "parcels", "elsewhere", "post"),
        ("covaried", "parcels", "thalamus", "ancova"),
        ("edges", "edges", "target~other", "change"),
        ("edge", "edges", "seed~target", "post"),
        ("nodes", "nodes", "target", "post"),
    ],
)
def test_estimate_of_a_table_is_least_squares(
    rich: Path, rich_out: Path, question: str, measure: str, name: str, estimator: str
) -> None:
    y = values(rich, "drug", measure)[name].to_numpy()
    before = values(rich, "baseline", measure)[name].to_numpy()
    columns: list[np.ndarray] = []
    if estimator == "change":
        y = y - before
    if question == "covaried":
        table = people(rich)
        columns = [before, table["age"], table["site"] == "south", table["site"] == "west"]
    found = statistics_of(rich_out, question).loc[name]
    assert_allclose([found["effect"], found["t"]], least_squares(rich, y, *columns), rtol=1e-6)


def test_global_is_the_mean_of_all_edges_of_the_label_image(rich: Path, rich_out: Path) -> None:
    y = values(rich, "drug", "global").iloc[:, 0].to_numpy()
    found = statistics_of(rich_out, "global")
    assert len(found) == 1
    assert_allclose(found["effect"].iloc[0], least_squares(rich, y)[0], rtol=1e-6)
    nodes = values(rich, "drug", "nodes")
    assert_allclose(y, nodes.mean(axis=1), rtol=1e-6)  # the same three regions, as parcels


def test_map_within_a_label_is_least_squares_in_its_voxels(rich: Path, rich_out: Path) -> None:
    def stack(session: str) -> np.ndarray:
        subjects = people(rich)["participant_id"].str[4:]
        return np.array([read(z_map(rich_out, name, session, "map")) for name in subjects])

    inside = BOX.inside(TARGET_MM, 12.0)
    effect = map_of(rich_out, "within", "effect")
    assert (np.isfinite(effect) == inside).all()
    after, before = stack("drug")[:, inside], stack("baseline")[:, inside]
    expected = [least_squares(rich, y, x) for y, x in zip(after.T, before.T, strict=True)]
    t = map_of(rich_out, "within", "t")[inside]
    assert_allclose(np.column_stack([effect[inside], t]), expected, rtol=1e-4)
    claim = claim_of(rich_out, "within")
    assert claim["verdict"] == "found"
    assert claim["n_outcomes"] == inside.sum()


def test_mean_over_a_label_of_the_other_denoising(rich: Path, rich_out: Path) -> None:
    def mean(session: str) -> np.ndarray:
        subjects = people(rich)["participant_id"].str[4:]
        maps = [read(z_map(rich_out, name, session, "mapheavy")) for name in subjects]
        return np.array([one[BOX.inside(TARGET_MM, 12.0)].mean() for one in maps])

    found = statistics_of(rich_out, "meanheavy").loc["target"]
    expected = least_squares(rich, mean("drug") - mean("baseline"))
    assert_allclose([found["effect"], found["t"]], expected, rtol=1e-5)


def test_one_sided_p_values_are_of_opposite_tails(rich_out: Path) -> None:
    greater, less = (statistics_of(rich_out, name).iloc[0] for name in ("edge", "edgeless"))
    assert greater["effect"] == less["effect"] > 0.3
    assert greater["pvoxel"] <= 0.002
    assert less["pvoxel"] > 0.99
    assert claim_of(rich_out, "edge")["verdict"] == "found"
    assert claim_of(rich_out, "edgeless")["verdict"] == "not found"


def test_planted_parcel_alone_is_found(rich_out: Path) -> None:
    parcels = statistics_of(rich_out, "parcels")
    assert set(parcels.index) == {"thalamus", "elsewhere"}
    assert parcels.loc["thalamus", "pvoxel"] <= 0.005
    assert parcels.loc["elsewhere", "pvoxel"] > 0.05


def test_report_shows_every_question(rich_out: Path) -> None:
    page = (rich_out / "report" / "index.html").read_text()
    for name in QUESTIONS:
        assert f"Is there a {name}?" in page
    assert "sex (stratum)" in page
    assert "baseline (baseline, subtracted), sex (stratum)" in page


def small_question(rich: Path, name: str, parcels: str, parcellations: str) -> Path:
    """Ask two exploratory parcel questions, the second of other parcels."""
    text = RICH[: RICH.index("  within:")].replace(
        "denoising:\n", f"{parcellations}denoising:\n", 1
    )
    measure = "{kind: seed_to_parcel, scan: rest, seed: seed, parcels: %s, denoising: light}"
    text = text.replace("questions:\n", f"  others: {measure % parcels}\nquestions:\n")
    for question, role in (("parcels", "primary"), ("others", "exploratory")):
        text += (
            f"  {question}: {{text: 'Which?', role: {role}, contrast: [drug, placebo], "
            f"session: drug, measure: {question}, estimator: post}}\n"
        )
    (rich / f"{name}.yaml").write_text(text + "inference: {n_permutations: 200}\n")
    run_all(rich / "bids", rich / name, rich / f"{name}.yaml")
    return rich / name


def test_parcels_of_one_name_in_two_atlases_stay_apart(rich: Path) -> None:
    out = small_question(
        rich,
        "names",
        "swapped",
        f"  swapped: {{file: two.nii.gz, names: swapped.tsv, space: {SPACE}}}\n",
    )
    there, here = statistics_of(out, "parcels"), statistics_of(out, "others")
    assert_allclose(here.loc["elsewhere", "t"], there.loc["thalamus", "t"], rtol=1e-9)


def test_seed_that_is_a_parcel_leaves_the_other_parcels_tested(rich: Path) -> None:
    out = small_question(rich, "self", "atlas", "")
    there, here = statistics_of(out, "parcels"), statistics_of(out, "others")
    assert_allclose(here.loc["thalamus", "t"], there.loc["thalamus", "t"], rtol=1e-9)


def test_wrong_name_of_an_edge_is_refused_with_those_there_are(rich: Path, rich_out: Path) -> None:
    text = RICH.replace("seed~target}, alternative: greater", "target~seed}")
    (rich / "wrong.yaml").write_text(text)
    words = ("run", rich / "bids", rich / "wrong", "all", "--protocol", rich / "wrong.yaml")
    _, printed = call(*words)
    assert "seed~target" in printed


# ----------------------------------------------------------------------------------- a whole trial
def test_75_participants_3_sessions_2_tasks(tmp_path: Path) -> None:
    trial = make_small_tree(tmp_path, n_subjects=75)
    code, printed = call("check", trial.protocol, trial.bids_dir)
    assert code == 0, printed
    assert "sub-75" in printed
    printed = run_all(trial.bids_dir, tmp_path / "out", trial.protocol)
    assert "457 steps done" in printed
    claims = {path.parent.name: path for path in (tmp_path / "out" / "group").glob("*/claim.json")}
    assert len(claims) == 6
    assert claim_of(tmp_path / "out", "dmpfcacute")["verdict"] == "found"
    (strongest, *_) = claim_of(tmp_path / "out", "nbackacute")["peaks"]
    assert (
        np.linalg.norm(np.asarray(strongest["position_mm"]) - [0.0, 38.0, 42.0]) < 12
    )  # voxels of 8 mm
    assert claim_of(tmp_path / "out", "insularestacute")["verdict"] == "not found"
