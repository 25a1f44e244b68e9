"""Effects against maps through the command: tables of series, a label image, what is refused."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.inference import associate_maps
from tests.e2e.rated_trial import rated_document, run_rated
from tests.e2e.trees import (
    SEED_MM,
    SPACE,
    TARGET_MM,
    Box,
    call,
    coupled_data,
    describe,
    write_fmriprep_run,
    write_image,
    write_json,
    write_table,
)

PARCELS = tuple(f"P{k:02d}" for k in range(14))
SESSIONS = {
    "on": {"phase": "acute", "treatment": "drug"},
    "off": {"phase": "acute", "treatment": "placebo"},
}
DESIGN = {
    "kind": "crossover",
    "order": "unknown",
    "sequences": {"both": {"treatments": ["drug", "placebo"]}},
}


def question(measure: str) -> dict[str, object]:
    asked = {"text": "Does it change?", "role": "primary", "measure": measure}
    return {**asked, "contrast": ["drug", "placebo"], "estimator": "crossover"}


def association(**more: object) -> dict[str, object]:
    asked = {"text": "Does the change go with the map?", "question": "nodes"}
    return {**asked, "maps": {"dense": "maps.tsv", "other": "maps.tsv"}, "seed": 4, **more}


def tabular_document(**associations: object) -> dict[str, Any]:
    document = rated_document(
        DESIGN,
        SESSIONS,
        {"placebo": {}, "drug": {}},
        parcellations={"tables": {}},
        measures={
            "nodes": {
                "kind": "roi_to_roi",
                "scan": "rest",
                "parcels": "tables",
                "summary": "nodes",
                "denoising": "plain",
            }
        },
        questions={"nodes": question("nodes")},
        map_associations=associations,
    )
    return {**document, "regions": {}}


def write_trial(root: Path, density: np.ndarray) -> None:
    """Write six people; under the drug a parcel joins the others by its density."""
    rng, bids = np.random.default_rng(3), root / "bids"
    write_json(
        bids / "dataset_description.json",
        {
            "Name": "series, SIMULATED",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "a script"}],
        },
    )
    people = [f"{k:02d}" for k in range(1, 7)]
    write_table(bids / "participants.tsv", {"participant_id": [f"sub-{s}" for s in people]})
    for subject in people:
        for session, weight in (("on", 1.5), ("off", 0.0)):
            shared = rng.standard_normal((120, 1)) * density * weight
            series = shared + rng.standard_normal((120, len(PARCELS)))
            stem = f"sub-{subject}_ses-{session}_task-rest_timeseries"
            folder = bids / f"sub-{subject}" / f"ses-{session}" / "func"
            write_table(folder / f"{stem}.tsv", dict(zip(PARCELS, series.T, strict=True)))
            write_json(folder / f"{stem}.json", {"RepetitionTime": 2.0})


def result_of(root: Path, name: str) -> dict[str, Any]:
    path = root / "out" / "group" / f"map_association-{name}" / "map_association.json"
    return dict(json.loads(path.read_text())["result"])


@pytest.fixture(scope="module")
def tabular(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(8)
    density = rng.uniform(0.0, 1.0, len(PARCELS))
    write_trial(root, density)
    shuffled = rng.permutation(len(PARCELS))  # tables have an order of their own
    names = [PARCELS[k] for k in shuffled]
    other = rng.standard_normal(len(PARCELS))
    write_table(root / "maps.tsv", {"name": names, "dense": density[shuffled], "other": other})
    x, y, z = rng.normal(scale=40.0, size=(3, len(PARCELS)))
    write_table(root / "positions.tsv", {"name": PARCELS, "x": x, "y": y, "z": z})
    short = pd.read_csv(root / "maps.tsv", sep="\t").replace({"name": {"P00": "Q00"}})
    short.to_csv(root / "short.tsv", sep="\t", index=False)
    document = tabular_document(
        whole=association(positions="positions.tsv"),
        product=association(positions="positions.tsv", statistic="pearson"),
        short=association(positions="positions.tsv", maps={"dense": "short.tsv"}),
    )
    code, printed = run_rated(root, document)
    assert code == 0, printed
    return root


@pytest.mark.parametrize(("name", "statistic"), [("whole", "spearman"), ("product", "pearson")])
def test_numbers_are_those_of_the_files(tabular: Path, name: str, statistic: Any) -> None:
    found, group = result_of(tabular, name), tabular / "out" / "group"
    stats = pd.read_csv(group / "question-nodes" / "question-nodes_stats.tsv", sep="\t")
    maps, positions = (
        pd.read_csv(tabular / f"{file}.tsv", sep="\t").set_index("name").loc[stats["name"]]
        for file in ("maps", "positions")
    )
    want = associate_maps(
        stats["effect"].to_numpy(),
        maps[["dense", "other"]].to_numpy().T.copy(),
        positions[["x", "y", "z"]].to_numpy(),
        statistic=statistic,
        n_surrogates=5000,
        rng=np.random.default_rng(4),
    )
    table = pd.read_csv(group / f"map_association-{name}" / "table.tsv", sep="\t")
    assert table["map"].tolist() == ["dense", "other"]
    np.testing.assert_allclose(table["correlation"], want.correlation, rtol=1e-6)
    np.testing.assert_allclose(table["p"], want.pvalue, rtol=1e-6)
    np.testing.assert_allclose(table["p_corrected"], want.pvalue_corrected, rtol=1e-6)
    np.testing.assert_allclose(table["p_naive"], want.pvalue_naive, rtol=1e-6)
    assert found["statistic"] == statistic
    assert (found["n_places"], found["n_surrogates"]) == (14, 5000)


def test_what_was_planted_is_found_and_nothing_else(tabular: Path) -> None:
    found = result_of(tabular, "whole")
    assert found["verdict"] == "found"
    assert {row["name"]: row["found"] for row in found["rows"]} == {"dense": True, "other": False}
    assert found["sentence"].startswith("The effect went with dense (rho = +0.")
    parcels = pd.read_csv(
        tabular / "out" / "group" / "map_association-whole" / "parcels.tsv", sep="\t"
    )
    assert parcels["name"].tolist() == list(PARCELS)
    assert list(parcels.columns[1:]) == ["effect", "map_dense", "map_other"]


def test_parcels_that_a_map_lacks_are_named(tabular: Path) -> None:
    found = result_of(tabular, "short")
    assert (found["verdict"], found["rows"]) == ("refused", [])
    assert "without P00; parcels that the effect lacks: Q00" in found["sentence"]
    folder = tabular / "out" / "group" / "map_association-short"
    assert [path.name for path in folder.iterdir()] == ["map_association.json"]


def test_the_report_shows_them(tabular: Path) -> None:
    page = (tabular / "out" / "report" / "index.html").read_text()
    assert '<section id="map-associations">' in page
    assert page.count('id="map-association-') == 3
    assert "p that would have been claimed" in page
    assert "Moran spectral randomization methods" in page


def test_files_are_looked_at_before_anything_is_run(tabular: Path, tmp_path: Path) -> None:
    document = tabular_document(
        absent=association(positions="nowhere.tsv"),
        column=association(positions="positions.tsv", maps={"dopamine": "maps.tsv"}),
        numbers=association(positions="positions.tsv", maps={"dense": "bad.tsv"}),
    )
    for name in ("maps", "positions"):
        (tmp_path / f"{name}.tsv").write_bytes((tabular / f"{name}.tsv").read_bytes())
    write_table(tmp_path / "bad.tsv", {"name": ["P00", "P00"], "dense": ["1.0", "n/a"]})
    protocol = tmp_path / "trial.yaml"
    protocol.write_text(json.dumps(document))
    code, printed = call("run", tabular / "bids", tmp_path / "out", "all", "--protocol", protocol)
    assert code != 0
    assert not list((tmp_path / "out").rglob("sub-*"))
    told = " ".join(printed.split())
    assert "nowhere.tsv" in told
    assert "no column dopamine among name, dense, other" in told
    assert "a parcel stands twice in the table" in told
    assert "no finite numbers" in told


def test_voxels_and_images_within_the_parcels_of_a_label_image(tmp_path: Path) -> None:
    box, bids = Box(), tmp_path / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    people = [f"{k:02d}" for k in range(1, 7)]
    write_table(bids / "participants.tsv", {"participant_id": [f"sub-{s}" for s in people]})
    rng = np.random.default_rng(1)
    for k, subject in enumerate(people):
        for session, weight in (("on", 1.5), ("off", 0.0)):
            data = coupled_data(rng, box, 60, [(weight, TARGET_MM)])
            write_fmriprep_run(
                bids / "derivatives" / "fmriprep", subject, session, "rest", data, box, k
            )
    place = np.indices(box.shape)
    labels = 1 + place[0] // 3 + 2 * (place[1] // 2) + 12 * (place[2] // 3)  # 24 blocks
    write_image(tmp_path / "labels.nii.gz", labels.astype(np.int16), box.affine)
    density = rng.standard_normal(box.shape).astype(np.float32)
    write_image(tmp_path / "density.nii.gz", density, box.affine)
    sphere = {"kind": "sphere", "radius_mm": 12.0, "space": SPACE, "center_mm": SEED_MM}
    document = {
        **tabular_document(),
        "regions": {"seed": sphere},
        "parcellations": {"blocks": {"file": "labels.nii.gz", "space": SPACE}},
        "measures": {
            "map": {"kind": "seed_to_voxel", "scan": "rest", "seed": "seed", "denoising": "plain"}
        },
        "questions": {"map": question("map")},
        "map_associations": {
            "image": association(
                question="map", maps={"D2": "density.nii.gz"}, space=SPACE, parcels="blocks"
            )
        },
    }
    code, printed = run_rated(tmp_path, document)
    assert code == 0, printed
    folder = tmp_path / "out" / "group"
    parcels = pd.read_csv(
        folder / "map_association-image" / "parcels.tsv", sep="\t", dtype={"name": int}
    )
    effect = nib.load(
        folder / "question-map" / "question-map_stat-effect_statmap.nii.gz"
    ).get_fdata()
    assert parcels["name"].tolist() == list(range(1, 25))
    for row in parcels.itertuples():
        inside = labels == row.name
        assert row.effect == pytest.approx(np.nanmean(effect[inside]), rel=1e-5)
        assert row.map_D2 == pytest.approx(density[inside].mean(), rel=1e-5)
    assert result_of(tmp_path, "image")["n_places"] == 24
