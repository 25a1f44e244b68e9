"""Ten people under LSD and placebo: from tables of parcel series to the published direction.

The expected t values were computed with NumPy from the tables (mean Fisher z, paired t test) and
agree with what the README of the data states: t(9) = 2.45 and 2.06.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from phmri.exceptions import DatasetError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SERIES = DATA / "real" / "lsd-schaefer100"
SOURCES = (SERIES, DATA / "atlas" / "schaefer2018", DATA / "receptors")
EXAMPLE = ROOT / "examples" / "lsd"
DENSITIES = "receptor_density_seg-Schaefer2018x100x7N.tsv"

needs_data = pytest.mark.skipif(
    not all(folder.is_dir() for folder in SOURCES), reason=f"real data are not here: {DATA}"
)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lsd_arrange", EXAMPLE / "arrange.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_data
def test_arranges_a_bids_derivative(example: ModuleType, tmp_path: Path) -> None:
    assert example.arrange(*SOURCES, tmp_path / "lsd") == 20
    table = next((tmp_path / "lsd" / "sub-001" / "ses-PLCB" / "func").glob("*_timeseries.tsv"))
    assert table.read_bytes() == (SERIES / table.name).read_bytes()
    sidecar = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar["RepetitionTime"] == 2.0
    people = (tmp_path / "lsd" / "participants.tsv").read_text(encoding="utf-8").split()
    assert people[0] == "participant_id"
    assert len(people) == 11
    written = (tmp_path / "lsd" / "code" / "trial.yaml").read_bytes()
    assert written == (EXAMPLE / "trial.yaml").read_bytes()


def test_arrange_tells_all_that_is_wrong(example: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "file").write_text("x", encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        example.arrange(tmp_path, tmp_path, tmp_path, tmp_path / "target")
    assert [problem.what for problem in caught.value.problems] == [
        "no tables of parcel series are here",
        *["there is no such file"] * 4,
        "the target is not empty",
    ]


@needs_data
def test_lsd_against_placebo_as_the_readme_of_the_data_states(
    example: ModuleType, tmp_path: Path
) -> None:
    from phmri.pipeline import run  # noqa: PLC0415 - a missing room fails this test alone

    data = tmp_path / "lsd"
    example.arrange(*SOURCES, data)
    summary = run(data, tmp_path / "out", "all", data / "code" / "trial.yaml")
    claims = {claim.question: claim for claim in summary.claims}
    assert set(claims) == {"mean", "pgacc", "parcels"}

    mean, pgacc, parcels = claims["mean"], claims["pgacc"], claims["parcels"]
    assert mean.df == pgacc.df == 9
    assert mean.peaks[0].t == pytest.approx(2.4511537, abs=2e-5)
    assert mean.peaks[0].effect == pytest.approx(0.0411053, abs=2e-6)
    assert pgacc.peaks[0].t == pytest.approx(2.0595842, abs=2e-5)
    assert pgacc.peaks[0].effect == pytest.approx(0.0618117, abs=2e-6)
    assert parcels.n_outcomes == 100
    assert parcels.peaks[0].name == "7Networks_RH_Default_Par_1"
    assert parcels.peaks[0].t == pytest.approx(6.905718, abs=2e-4)

    assert mean.n_distinct == 1024
    assert mean.exhaustive
    assert mean.verdict == "found"
    assert pgacc.verdict == "not found"
    for claim in claims.values():
        assert any("order" in note.lower() for note in claim.notes), claim.notes
    assert summary.report_path is not None
    assert summary.report_path.is_file()
    _check_receptors(tmp_path / "out" / "group" / "map_association-receptors")


def _check_receptors(folder: Path) -> None:
    table = pd.read_csv(folder / "table.tsv", sep="\t").set_index("map")
    parcels = pd.read_csv(folder / "parcels.tsv", sep="\t").set_index("name")
    densities = pd.read_csv(SOURCES[2] / DENSITIES, sep="\t").set_index("name")
    # The image, averaged here within the label image, and the table that others made of it.
    assert np.corrcoef(parcels["map_NMDA"], densities["NMDA"].loc[parcels.index])[0, 1] > 0.98
    for name in table.index.drop("NMDA"):
        want = spearmanr(parcels["effect"], densities[name].loc[parcels.index])
        assert table["correlation"][name] == pytest.approx(want.statistic, abs=1e-9)
        assert table["p_naive"][name] == pytest.approx(want.pvalue, rel=1e-6)
    assert table["correlation"]["5HT2a"] == pytest.approx(0.66866, abs=1e-4)
    assert table["p_corrected"]["5HT2a"] == pytest.approx(0.0001)
    assert (table["p_corrected"].drop("5HT2a") > 0.05).all()
    assert (table["p_naive"] < 0.05).sum() == 5
    assert (
        json.loads((folder / "map_association.json").read_text())["result"]["verdict"] == "found"
    )
