"""The one command on designs and layouts other than the demo's; every number is held to NumPy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.simulation import make_small_tree
from tests.e2e.trees import (
    SEED_MM,
    SPACE,
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


# --------------------------------------------------------------- crossover, order recorded, images
@pytest.fixture(scope="module")
def deakin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """33 men in four sequences, two periods; what ketamine does is planted in the thalamus."""
    root = tmp_path_factory.mktemp("deakin")
    bids = root / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    groups = np.repeat(list(SEQUENCES), list(SEQUENCES.values()))
    np.random.default_rng(33).shuffle(groups)
    subjects = [f"{number:02d}" for number in range(1, 34)]
    write_table(
        bids / "participants.tsv",
        {"participant_id": [f"sub-{label}" for label in subjects], "sequence": groups},
    )
    for number, (subject, group) in enumerate(zip(subjects, groups, strict=True)):
        for period in (1, 2):
            rng = np.random.default_rng([number, period])
            data = coupled_data(rng, BOX, 64, [(WEIGHTS[group][period - 1], TARGET_MM)])
            write_fmriprep_run(
                bids / "derivatives" / "fmriprep",
                subject,
                f"period{period}",
                "rest",
                data,
                BOX,
                seed=10 * number + period,
            )
    assert call("new", "deakin2008", root / "template")[0] == 0
    text = (root / "template" / "trial.yaml").read_text()
    text = sphere_instead_of_julich(text, "sgacc").replace("permutations: 5000", "permutations: 500")
    (root / "trial.yaml").write_text(text)
    return root


@pytest.fixture(scope="module")
def deakin_out(deakin: Path) -> Path:
    run_all(deakin / "bids", deakin / "out", deakin / "trial.yaml")
    return deakin / "out"


def periods(deakin: Path, out: Path, sequences: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Read period 1 minus period 2 of everyone in two sequences, from the written z maps."""
    people = pd.read_csv(deakin / "bids" / "participants.tsv", sep="\t")

    def differences(name: str) -> np.ndarray:
        subjects = people.loc[people["sequence"] == name, "participant_id"].str[4:]
        return np.array(
            [
                read(z_map(out, subject, "period1", "sgaccinfusion"))
                - read(z_map(out, subject, "period2", "sgaccinfusion"))
                for subject in subjects
            ]
        )

    return differences(sequences[0]), differences(sequences[1])


def read(path: Path) -> np.ndarray:
    import nibabel as nib

    return np.asarray(nib.load(path).dataobj, float)


def test_deakin_template_as_it_is_passes_the_check(deakin: Path) -> None:
    code, printed = call("check", deakin / "template" / "trial.yaml", deakin / "bids")
    assert code == 0, printed
    assert "sub-33" in printed
    assert "broken" not in printed


def test_deakin_without_atlas_and_network_says_what_to_do(
    deakin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PHMRI_ATLAS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
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
    scalar = statistics_of(deakin_out, "ketaminethalamus").loc["thalamus"]
    first, second = periods(deakin, deakin_out, ("ketamine_saline", "saline_ketamine"))
    inside = BOX.inside((6, -18, 2), 8.0)
    effect = (first[:, inside].mean() - second[:, inside].mean()) / 2
    assert_allclose(scalar["effect"], effect, atol=1e-5)
    assert scalar["effect"] > 0.3
    assert scalar["pfwe"] <= 1 / 500 + 1e-9


def test_period_effect_drops_out(deakin: Path, deakin_out: Path) -> None:
    import nibabel as nib

    questions = ("ketamine", "lamotrigine")
    before = {name: map_of(deakin_out, name, "effect") for name in questions}
    t_before = {name: map_of(deakin_out, name, "t") for name in questions}
    paths = sorted(deakin_out.glob("sub-*/ses-period2/func/*statmap.nii.gz"))
    assert len(paths) == 33
    kept = {path: path.read_bytes() for path in paths}
    try:
        for path in paths:
            image = nib.load(path)
            data = np.asarray(image.dataobj, np.float32) + np.float32(0.7)
            nib.save(nib.Nifti1Image(data, image.affine), path)
        words = ("run", deakin / "bids", deakin_out, "group", "--protocol", deakin / "trial.yaml")
        code, printed = call(*words)
        assert code == 0, printed
        for name in questions:
            assert_allclose(map_of(deakin_out, name, "effect"), before[name], atol=1e-5)
            assert_allclose(map_of(deakin_out, name, "t"), t_before[name], atol=1e-3)
        notes = " ".join(claim_of(deakin_out, "ketaminethalamus")["notes"])
        assert "Period 1 minus period 2: Fisher z -0." in notes
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_order_of_participants_is_irrelevant(deakin: Path, deakin_out: Path) -> None:
    table = deakin / "bids" / "participants.tsv"
    head, *rows = table.read_text().splitlines(keepends=True)
    run_all(deakin / "bids", deakin_out, deakin / "trial.yaml")
    before = [claim_of(deakin_out, name) for name in ("ketamine", "lamotrigine")]
    table.write_text(head + "".join(reversed(rows)))
    try:
        run_all(deakin / "bids", deakin_out, deakin / "trial.yaml")
    finally:
        table.write_text(head + "".join(rows))
    assert [claim_of(deakin_out, name) for name in ("ketamine", "lamotrigine")] == before


# ------------------------------------------------------------------------- crossover from tables
def write_series(folder: Path, stem: str, columns: dict[str, np.ndarray]) -> None:
    write_table(folder / f"{stem}_timeseries.tsv", columns)
    write_json(folder / f"{stem}_timeseries.json", {"RepetitionTime": 2.0})


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
            write_series(folder, f"{stem}_seg-Pair", {"01": one, "02": two})
            many = {f"{name:02d}": column for name, column in enumerate(noise.T, start=1)}
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
    assert_allclose(mean["pfwe"], 2 / 2**8, rtol=1e-9)
    nodes = statistics_of(tables / "out", "nodes")
    assert tuple(nodes.index) == ("01", "02")
    assert_allclose(nodes["effect"], 0.2, atol=1e-9)
    claim = claim_of(tables / "out", "mean")
    assert claim["verdict"] == "found"
    assert "order" in " ".join(claim["notes"])


def test_two_atlases_in_one_protocol_by_two_scans(tables: Path) -> None:
    text = (tables / "trial.yaml").read_text()
    text = text.replace("rest: {task: rest}", "rest: {task: rest}\n  same: {task: rest}")
    text = text.replace("parcels: {}", "parcels: {seg: Pair}\n  many: {seg: Many}")
    node = "{kind: roi_to_roi, scan: rest, parcels: parcels, summary: nodes, denoising: none}"
    assert node in text
    text = text.replace(node, node.replace("scan: rest, parcels: parcels", "scan: same, parcels: many"))
    (tables / "trial.yaml").write_text(text)
    run_all(tables / "bids", tables / "out", tables / "trial.yaml")
    assert_allclose(statistics_of(tables / "out", "mean")["effect"], 0.2, atol=1e-9)
    assert tuple(statistics_of(tables / "out", "nodes").index) == ("01", "02", "03", "04", "05")


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
    assert_allclose(result["pfwe"], 1 / 56, rtol=1e-9)
    claim = claim_of(tmp_path / "out", "pair")
    assert claim["verdict"] == "found"
    assert ("Period 1 minus period 2: Fisher z -0.49" in " ".join(claim["notes"])) == (
        period_effect > 0
    )
