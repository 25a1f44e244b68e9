"""Reliability through the command: a scale against R's numbers, a map, a repeated treatment."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.group.reliability import crossed_components, intraclass_correlation
from tests.e2e.rated_trial import rated_document, run_rated, write_ratings, write_series
from tests.e2e.trees import (
    SEED_MM,
    SPACE,
    TARGET_MM,
    Box,
    coupled_data,
    describe,
    write_fmriprep_run,
    write_table,
)

REFERENCE = Path(__file__).parents[1] / "oracle" / "stats_reference"
SESSIONS = ("one", "two", "three")
ARMS = {"A": {"treatment": "drug"}, "B": {"treatment": "placebo"}}
VISITS = {
    "one": {"phase": "baseline"},
    "two": {"phase": "acute"},
    "three": {"phase": "sustained", "hours_after": 24},
}


def reliability(**more: object) -> dict[str, object]:
    return {"text": "How well does it repeat itself?", "measure": "resp", **more}


RELIABILITY = {
    "three": reliability(sessions=SESSIONS),
    "pair": reliability(sessions=["one", "two"], kind="consistency"),
    "arm": reliability(sessions=["three", "one"], groups=["A"]),
    "placebo": reliability(treatment="placebo"),
    "absent": reliability(measure="absent", sessions=SESSIONS),
    "edge": reliability(measure="edge", sessions=["one", "two"]),
}


def question(measure: str, **more: object) -> dict[str, object]:
    asked = {"text": "Does it differ?", "role": "primary", "measure": measure}
    return {**asked, "contrast": ["A", "B"], "session": "two", "estimator": "post", **more}


def result_of(out: Path, name: str) -> dict[str, Any]:
    path = out / "group" / f"reliability-{name}" / "reliability.json"
    return dict(json.loads(path.read_text())["result"])


def expected(check: str) -> dict[str, Any]:
    document = json.loads((REFERENCE / "expected" / "J_reliability.json").read_text())
    return dict(next(c["value"] for c in document["checks"] if c["id"] == check))


def retest() -> pd.DataFrame:
    rows = pd.read_csv(REFERENCE / "data" / "retest.csv")
    rows["participant_id"] = [f"{k:02d}" for k in range(1, len(rows) + 1)]
    return rows


def retest_document() -> dict[str, Any]:
    return rated_document(
        {"kind": "parallel", "arms": ARMS},
        VISITS,
        {"placebo": {}, "drug": {}},
        scales={
            name: {"columns": [name], "minimum": -1000, "maximum": 1000}
            for name in ("resp", "absent")
        },
        questions={"resp": question("resp")},
        reliability=RELIABILITY,
    )


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rows = tmp_path_factory.mktemp("retest"), retest()
    arms = ["A" if k % 2 else "B" for k in range(len(rows))]
    people = pd.DataFrame({"participant_id": rows["participant_id"], "arm": arms})
    long = rows.melt(
        "participant_id", [f"resp_{k}" for k in (1, 2, 3)], "session_id", "resp"
    ).replace({"session_id": {f"resp_{k}": name for k, name in enumerate(SESSIONS, 1)}})
    write_ratings(root / "bids", people, {"resp": long})
    rng = np.random.default_rng(0)
    for subject in rows["participant_id"][:6]:
        for session in ("one", "two"):
            write_series(root / "bids", subject, session, rng.normal(size=(40, 2)))
    code, printed = run_rated(root, retest_document())
    assert code == 0, printed
    return root


@pytest.mark.parametrize(
    ("name", "check", "form"),
    [("three", "icc_retest_k3", "ICC_2_1"), ("pair", "icc_retest_k2", "ICC_3_1")],
)
def test_numbers_are_those_of_r(estimated: Path, name: str, check: str, form: str) -> None:
    found, want = result_of(estimated / "out", name), expected(check)
    numbers, icc = found["numbers"], want["icc"][form]
    assert (found["verdict"], found["n"]) == ("estimated", len(retest()))
    assert found["form"] == f"{form[:3]}({form[4]},{form[6]})"
    assert numbers["icc"] == pytest.approx(icc["icc"], rel=1e-6)
    assert numbers["low"] == pytest.approx(icc["ci95_lo"], rel=1e-5)
    assert numbers["high"] == pytest.approx(icc["ci95_hi"], rel=1e-5)
    assert numbers["error_of_measurement"] == pytest.approx(want["sem_consistency"], rel=1e-6)
    assert numbers["smallest_change"] == pytest.approx(want["sdc95"], rel=1e-6)
    table = pd.read_csv(
        estimated / "out" / "group" / f"reliability-{name}" / f"reliability-{name}_stats.tsv",
        sep="\t",
    )
    assert table["icc"].tolist() == pytest.approx([numbers["icc"]])


def test_parts_of_variance_and_agreement(estimated: Path) -> None:
    numbers = result_of(estimated / "out", "three")["numbers"]
    want = expected("icc_retest_reml")["components"]
    for ours, theirs in (("participant", "subject"), ("residual", "residual")):
        assert numbers[ours] == pytest.approx(want[theirs], rel=1e-4)
    assert numbers["session"] >= 0
    assert numbers["agreement"] is None
    pair, theirs = result_of(estimated / "out", "pair"), expected("icc_retest_k2")["bland_altman"]
    bias, low, high = pair["numbers"]["agreement"]
    assert bias == pytest.approx(theirs["bias"], rel=1e-6)
    assert [low, high] == pytest.approx(theirs["loa"], rel=1e-6)


def test_arms_and_sessions_under_a_treatment(estimated: Path) -> None:
    values = retest()[[f"resp_{k}" for k in (1, 2, 3)]].to_numpy()[:, :, None]
    arm, placebo = (result_of(estimated / "out", name) for name in ("arm", "placebo"))
    want = intraclass_correlation(values[1::2][:, [2, 0]])
    assert arm["numbers"]["icc"] == pytest.approx(want.icc[1, 0], rel=1e-9)
    assert arm["occasions"] == ["three", "one"]
    assert list(arm["points"]) == ["A"]
    want = intraclass_correlation(values[::2][:, [1, 2]])
    assert placebo["numbers"]["icc"] == pytest.approx(want.icc[1, 0], rel=1e-9)
    assert placebo["occasions"] == ["two", "three"]
    assert not any("differ in treatment" in note for note in placebo["notes"])
    assert any("differ in treatment" in note for note in arm["notes"])


def test_of_an_edge_by_those_who_have_both_sessions(estimated: Path) -> None:
    found = result_of(estimated / "out", "edge")
    assert (found["verdict"], found["n"], found["unit"]) == ("estimated", 6, "Fisher z")


def test_what_cannot_be_estimated_says_why(estimated: Path) -> None:
    found = result_of(estimated / "out", "absent")
    assert (found["verdict"], found["numbers"]) == ("refused", None)
    assert "too few participants" in found["sentence"]


def test_the_report_shows_them(estimated: Path) -> None:
    page = (estimated / "out" / "report" / "index.html").read_text()
    assert '<section id="reliability">' in page
    assert "<dt>Sessions</dt><dd>one, two, three</dd>" in page
    assert "Forming inferences about some intraclass correlation coefficients" in page
    assert page.count('id="reliability-') == len(RELIABILITY)


def test_a_second_run_keeps_them(estimated: Path) -> None:
    folders = sorted((estimated / "out" / "group").glob("reliability-*"))
    tables = [path for folder in folders for path in folder.glob("*_stats.tsv")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in tables]
    assert len(tables) == len(RELIABILITY) - 1
    code, printed = run_rated(estimated, retest_document())
    assert code == 0, printed
    assert before == [(path.read_bytes(), path.stat().st_mtime_ns) for path in tables]


def test_map(tmp_path: Path) -> None:
    box, rng = Box(), np.random.default_rng(5)
    people = [f"{k:02d}" for k in range(1, 9)]
    bids = tmp_path / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    write_table(
        bids / "participants.tsv",
        {"participant_id": [f"sub-{s}" for s in people], "arm": ["A", "B"] * 4},
    )
    for k, subject in enumerate(people):
        for session in ("one", "two"):
            # The coupling of the target is a trait: from 0 to 2.1.
            data = coupled_data(rng, box, 60, [(0.3 * k, TARGET_MM)])
            fmriprep = bids / "derivatives" / "fmriprep"
            write_fmriprep_run(fmriprep, subject, session, "rest", data, box, k)
    sphere = {"kind": "sphere", "radius_mm": 12.0, "space": SPACE}
    document = {
        **retest_document(),
        "scales": {},
        "regions": {
            "seed": {**sphere, "center_mm": SEED_MM},
            "target": {**sphere, "center_mm": TARGET_MM},
        },
        "measures": {
            "map": {"kind": "seed_to_voxel", "scan": "rest", "seed": "seed", "denoising": "plain"}
        },
        "questions": {"map": question("map", where={"mean_of": "target"})},
        "reliability": {
            "whole": reliability(measure="map", sessions=["one", "two"]),
            "target": reliability(
                measure="map", sessions=["one", "two"], where={"mean_of": "target"}
            ),
        },
    }
    code, printed = run_rated(tmp_path, document)
    assert code == 0, printed
    out = tmp_path / "out"
    folder = out / "group" / "reliability-whole"
    maps = {
        name: nib.load(folder / f"{folder.name}_stat-{name}_statmap.nii.gz").get_fdata()
        for name in ("icc", "icclow", "icchigh", "varparticipant", "varresidual", "status")
    }
    z = np.array(
        [
            [
                nib.load(next(out.glob(f"sub-{s}/ses-{visit}/func/*stat-z_*.nii.gz"))).get_fdata()
                for visit in ("one", "two")
            ]
            for s in people
        ]
    )
    has = np.isfinite(maps["icc"])
    assert has.sum() > 100
    want, parts = intraclass_correlation(z[:, :, has]), crossed_components(z[:, :, has])
    np.testing.assert_allclose(maps["icc"][has], want.icc[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps["icclow"][has], want.low[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps["varresidual"][has], parts.residual, rtol=1e-4)
    inside = box.inside(TARGET_MM, 8.0)
    assert np.median(maps["icc"][inside]) > 0.7 > np.median(maps["icc"][has])
    whole, target = (result_of(out, name) for name in ("whole", "target"))
    assert whole["spread"]["n_outcomes"] == has.sum()
    assert sum(whole["spread"]["counts"]) == has.sum()
    assert sum(whole["spread"]["shares"]) == pytest.approx(100, abs=40)
    assert target["numbers"]["icc"] > 0.8
    assert "voxels" in whole["sentence"]


def test_a_treatment_that_is_repeated_in_a_crossover(tmp_path: Path) -> None:
    people = pd.DataFrame(
        {"participant_id": [f"{k:02d}" for k in range(1, 11)], "sequence": ["DPQD", "DQPD"] * 5}
    )
    rng, rows = np.random.default_rng(2), []
    for subject in people["participant_id"]:
        trait = rng.normal(0, 10)
        rows += [(subject, f"p{k}", round(trait + rng.normal(0, 3), 2)) for k in (1, 2, 3, 4)]
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "resp"])
    write_ratings(tmp_path / "bids", people, {"resp": table})
    write_series(tmp_path / "bids", "01", "p1", rng.normal(size=(40, 2)))
    given = {"DPQD": ["drug", "placebo", "other", "drug"]}
    given["DQPD"] = [given["DPQD"][k] for k in (0, 2, 1, 3)]
    document = rated_document(
        {
            "kind": "crossover",
            "sequences": {name: {"treatments": order} for name, order in given.items()},
        },
        {f"p{k}": {"phase": "acute", "period": k} for k in (1, 2, 3, 4)},
        {"placebo": {}, "drug": {}, "other": {}},
        scales={"resp": {"columns": ["resp"], "minimum": -100, "maximum": 100}},
        questions={
            "resp": {
                "text": "Does it differ?",
                "role": "primary",
                "measure": "resp",
                "contrast": ["placebo", "other"],
                "estimator": "mixed",
            }
        },
        reliability={"drug": reliability(treatment="drug")},
    )
    code, printed = run_rated(tmp_path, document)
    found = result_of(tmp_path / "out", "drug")
    wide = table.pivot_table(index="participant_id", columns="session_id", values="resp")
    own = wide.loc[people["participant_id"], ["p1", "p4"]].to_numpy()
    want = intraclass_correlation(own[:, :, None])
    assert code == 0, printed
    assert found["numbers"]["icc"] == pytest.approx(want.icc[1, 0], rel=1e-9)
    assert sorted(found["points"]) == ["DPQD", "DQPD"]
    assert found["occasions"] == ["p1", "p4"]
    assert not any("differ in treatment" in note for note in found["notes"])
