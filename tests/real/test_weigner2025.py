"""The templates of published trials, unmodified, on trees of their size and shape.

The images are simulated; the Julich-Brain atlas is the real one.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.protocol import read_protocol
from phmri.simulation import make_small_tree
from tests.e2e.trees import (
    Box,
    call,
    claim_of,
    coupled_data,
    describe,
    map_of,
    run_all,
    write_fmriprep_run,
    write_table,
)

ATLAS = Path(__file__).resolve().parents[3] / "shared" / "data" / "atlas" / "julich31"

pytestmark = pytest.mark.skipif(
    not ATLAS.is_dir(),
    reason=f"the Julich-Brain atlas is not ours to distribute: {ATLAS} is absent",
)


def beside(out: Path, question: str) -> dict[str, dict[str, str]]:
    """Read what stands beside an answer."""
    folder = out / "group" / f"question-{question.replace('_', '')}"
    return dict(json.loads((folder / "claim.json").read_text())["beside"])


def write_ratings(bids: Path) -> None:
    """Rate everyone in every session: SIMULATED scores, a floor without the drug."""
    people = pd.read_csv(bids / "participants.tsv", sep="\t")
    rng = np.random.default_rng(7)
    rows = [
        (person, f"ses-{session}", int(rng.poisson(20 if drugged else 1)))
        for person, arm in zip(people["participant_id"], people["arm"], strict=True)
        for session in ("baseline", "infusion", "followup")
        for drugged in (session == "infusion" and arm != "placebo",)
    ]
    columns = zip(*rows, strict=True)
    names = ("participant_id", "session_id", "cadss_total")
    write_table(
        bids / "phenotype" / "cadss.tsv",
        {name: list(column) for name, column in zip(names, columns, strict=True)},
    )


def test_weigner2025_as_it_is(tmp_path: Path) -> None:
    n_people = 18  # all 75 are in tests/e2e/test_designs.py
    trial = make_small_tree(tmp_path / "tree", n_subjects=n_people, n_volumes=100)
    assert call("new", "weigner2025", tmp_path / "mine")[0] == 0
    protocol = tmp_path / "mine" / "trial.yaml"
    write_ratings(trial.bids_dir)
    code, printed = call("check", protocol, trial.bids_dir, "--atlas-dir", ATLAS)
    assert code == 0, printed
    assert f"sub-{n_people}" in printed
    out = tmp_path / "out"
    printed = run_all(trial.bids_dir, out, protocol, "--atlas-dir", ATLAS)
    questions = read_protocol(protocol).questions
    assert f"{2 * 3 * n_people + len(questions) + 1} steps done" in printed
    maps = [path.name for path in out.glob("sub-*/ses-*/func/*_statmap.nii.gz")]
    n_visits = 3 * n_people
    assert sum("_stat-z_" in name for name in maps) == 3 * n_visits  # rest, task, its blocks
    assert sum("_stat-effect_" in name for name in maps) == 2 * n_visits  # load, its interaction
    claims = {name: claim_of(out, name.replace("_", "")) for name in questions}
    assert "blocks_dmpfc" in claims
    assert {claim["verdict"] for claim in claims.values()} <= {"found", "not found"}
    strongest = claims["wm_acute"]["peaks"][0]
    assert np.linalg.norm(np.asarray(strongest["position_mm"]) - [0.0, 38.0, 42.0]) < 17
    assert claims["rest_left_insula"]["verdict"] == "not found"
    for name in ("wm_lamotrigine", "rest_lamotrigine"):  # no margin is known: never "blocked"
        assert beside(out, name)["blockade"]["verdict"] in {"partly blocked", "undecided"}
    assert beside(out, "wm_dmpfc_lasting")["persistence"]["early_session"] == "infusion"
    page = (out / "report" / "index.html").read_text()
    assert "Julich" in page
    assert "CC BY-NC-SA" in page


def test_deakin2008_as_it_is_with_the_atlas(tmp_path: Path) -> None:
    bids, box = tmp_path / "bids", Box()
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    sequences = (
        ["ketamine_saline"] * 4
        + ["saline_ketamine"] * 3
        + ["lamotrigine_placebo"] * 3
        + ["placebo_lamotrigine"] * 3
    )
    write_table(
        bids / "participants.tsv",
        {
            "participant_id": [f"sub-{number:02d}" for number in range(len(sequences))],
            "sequence": sequences,
            "weight_kg": [70 + number for number in range(len(sequences))],
        },
    )
    for number in range(len(sequences)):
        for period in (1, 2):
            rng = np.random.default_rng([number, period])
            data = coupled_data(rng, box, 480, [])  # 5 min before the infusion, 11 after it
            folder = bids / "derivatives" / "fmriprep"
            write_fmriprep_run(
                folder, f"{number:02d}", f"period{period}", "rest", data, box, seed=number
            )
            (path,) = folder.glob(f"sub-{number:02d}/ses-period{period}/func/*_timeseries.tsv")
            table = pd.read_csv(path, sep="\t").assign(global_signal=data.mean(axis=(0, 1, 2)))
            write_table(path, dict(table))
    assert call("new", "deakin2008", tmp_path / "mine")[0] == 0
    protocol, out = tmp_path / "mine" / "trial.yaml", tmp_path / "out"
    # The noise of these runs is white; ARMA(1,1) would take minutes.
    protocol.write_text(protocol.read_text().replace("kind: arma11", "kind: white"))
    run_all(bids, out, protocol, "--atlas-dir", ATLAS)
    claim = claim_of(out, "ketamine")
    assert claim["n_per_group"] == {"ketamine_saline": 4, "saline_ketamine": 3}
    # Seven people can be dealt to the two orders in 35 ways.
    assert_allclose(np.nanmin(map_of(out, "ketamine", "puncorrected")), 1 / 35, rtol=1e-4)
