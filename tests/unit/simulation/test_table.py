"""Tables of parcel time series instead of images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import write_template
from phmri.simulation import SimulatedTrial, simulate

REGIONS = """
regions:
  seed: {kind: series, columns: [left_seed, right_seed]}
  target: {kind: series, columns: [target]}
"""
TRUTH = """
phmri_truth: 1
tables: {columns: 12, noise_percent: 0.5}
participants: {drug_first: 3, placebo_first: 3}
scans: {rest: {n_volumes: 2000, t_r: 2.0}}
regions: {seed: {signal_percent: 1.0}, target: {signal_percent: 0.8}}
effects:
  link: {kind: coupling, scan: rest, treatments: {drug: 1}, seed: seed, target: target, gain: 1.5}
"""


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = write_template("timeseries_crossover", tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + REGIONS, encoding="utf-8")
    return path


def make(protocol: Path, truth: str, name: str = "sim", n_workers: int = 1) -> SimulatedTrial:
    path = protocol.with_name(f"{name}.yaml")
    path.write_text(truth, encoding="utf-8")
    return simulate(
        protocol, protocol.with_name(name), truth_path=path, seed=3, n_workers=n_workers
    )


def tables(tree: SimulatedTrial, session: str) -> list[pd.DataFrame]:
    name = f"sub-*/ses-{session}/func/*_acq-simulated_seg-simulated_stat-mean_timeseries.tsv"
    return [pd.read_csv(path, sep="\t") for path in sorted(tree.derivatives.glob(name))]


def test_columns_are_those_of_regions_and_then_numbered_ones(protocol: Path) -> None:
    found = tables(make(protocol, TRUTH), "DRUG")
    assert [table.shape for table in found] == [(2000, 12)] * 6
    assert list(found[0])[:4] == ["left_seed", "right_seed", "target", "parcel0001"]
    assert list(found[0])[-1] == "parcel0009"
    named = ", ".join(f"c{k}" for k in range(3))
    truth = TRUTH.replace("columns: 12", f"columns: [target, {named}, right_seed, left_seed]")
    again = tables(make(protocol, truth, "named"), "PLCB")
    assert list(again[0]) == ["target", "c0", "c1", "c2", "right_seed", "left_seed"]


def test_coupling_is_as_strong_as_planted(protocol: Path) -> None:
    """Networks of 12, own signals of 10 and 8, noise of 5: in thousandths of the mean."""
    tree = make(protocol, TRUTH)
    seed = 12**2 + 10**2 + 5**2
    for session, gain in (("PLCB", 0.0), ("DRUG", 1.5)):
        target = 12**2 + (1 + gain**2) * 8**2 + 5**2
        expected = gain * 10 * 8 / np.sqrt(seed * target)
        seen = [np.corrcoef(table["left_seed"], table["target"])[0, 1]
                for table in tables(tree, session)]  # fmt: skip
        assert np.mean(seen) == pytest.approx(expected, abs=0.03)  # SE 0.01
        assert float(tables(tree, session)[0].mean().mean()) == pytest.approx(1000, abs=1)


def test_a_response_is_in_percent_of_its_columns_and_people_differ_elsewhere(
    protocol: Path,
) -> None:
    text = protocol.read_text(encoding="utf-8")
    begins = "rest: {task: rest, start_min: {PLCB: -5, DRUG: -5}}"
    protocol.write_text(text.replace("rest: {task: rest}", begins), encoding="utf-8")
    curve = "curve: {model: step, onset_min: 0}, percent: 5.0"
    truth = f"{TRUTH}  rise: {{kind: response, scan: rest, treatments: {{drug: 1}}, region: seed, "
    tree = make(protocol, f"{truth}{curve}, own_map: 0.2}}")
    rises = np.array([table[150:].mean() - table[:150].mean() for table in tables(tree, "DRUG")])
    seed, target, other = rises[:, :2], rises[:, 2], rises[:, 3:]
    assert seed.mean() == pytest.approx(50, abs=15)  # 5 %; own maps of 10, networks' slow changes
    assert abs(target.mean()) < 15
    assert 5 < other.std() < 16  # 0.2 of 5 %
    still = [table[150:].mean() - table[:150].mean() for table in tables(tree, "PLCB")]
    assert np.std(still) < 3


def test_noise_has_the_colour_asked_for(protocol: Path) -> None:
    truth = TRUTH.replace("noise_percent: 0.5", "noise_percent: 18, noise_ar: 0.7")
    (table, *_) = tables(make(protocol, truth), "PLCB")
    noise = table["parcel0003"].to_numpy() - 1000
    assert noise.std() == pytest.approx(180, rel=0.08)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.7, abs=0.05)


def test_everything_says_simulated_and_how_it_was_made(protocol: Path) -> None:
    tree = make(protocol, TRUTH)
    assert tree.derivatives.name == "xcp_d"
    sidecars = sorted(tree.derivatives.rglob("*_stat-mean_timeseries.json"))
    assert len(sidecars) == 12
    for path in sidecars:
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["Simulated"] is True
        assert found["RepetitionTime"] == 2.0
        drug = "ses-DRUG" in path.name
        assert found["SimulationParameters"]["Effects"] == ({"link": 1.5} if drug else {})
    for folder in (tree.bids_dir, tree.derivatives):
        text = (folder / "dataset_description.json").read_text(encoding="utf-8")
        assert "SIMULATED" in json.loads(text)["Name"]
    assert "not made by XCP-D" in (tree.bids_dir / "README").read_text(encoding="utf-8")
    (motion, *_) = sorted(tree.derivatives.rglob("*_desc-confounds_timeseries.tsv"))
    columns = pd.read_csv(motion, sep="\t")
    assert len(columns) == 2000
    assert {"framewise_displacement", "rot_z_derivative1_power2"} <= set(columns)
    assert not {"dvars", "csf", "a_comp_cor_00"} & set(columns)  # nobody has an image for these


def test_same_seed_same_bytes_and_nothing_is_written_twice(protocol: Path) -> None:
    short = TRUTH.replace("n_volumes: 2000", "n_volumes: 40")
    first, second = make(protocol, short, "one"), make(protocol, short, "two", n_workers=3)
    files = [path.relative_to(first.bids_dir) for path in first.bids_dir.rglob("*.*")]
    assert len(files) > 50
    for name in files:
        if (first.bids_dir / name).is_file():
            assert (first.bids_dir / name).read_bytes() == (second.bids_dir / name).read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in first.derivatives.rglob("*_stat-mean_*")}
    make(protocol, short, "one")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def refusals(protocol: Path, truth: str) -> list[str]:
    with pytest.raises(ProtocolError) as caught:
        make(protocol, truth)
    assert not protocol.with_name("sim").exists()
    return [str(problem) for problem in caught.value.problems]


def test_a_protocol_of_tables_needs_tables(protocol: Path) -> None:
    found = refusals(protocol, TRUTH.replace("tables: {columns: 12, noise_percent: 0.5}", ""))
    assert len(found) == 3
    assert "asks for tables of time series, the truth makes images" in found[0] + found[-1]
    assert sum("is of a table, the truth makes images" in one for one in found) == 2


def test_what_only_images_have_is_refused_all_at_once(protocol: Path) -> None:
    sphere = "\n  ball: {kind: sphere, center_mm: [0, 0, 0], radius_mm: 8, space: MNI152NLin6Asym}"
    protocol.write_text(protocol.read_text(encoding="utf-8") + sphere, encoding="utf-8")
    truth = (
        TRUTH.replace("columns: 12", "columns: 2").replace("regions: {", "regions: {ball: {}, ")
        + "  slide: {kind: movement, scan: rest, treatments: {drug: 1}, direction: x,"
        + " curve: {model: step, onset_min: 1}, mm: 1}\n"
        + "voxel_mm: 2\nbackground: {drift_percent: 0}\n"
    )
    found = "\n".join(refusals(protocol, truth))
    for words in (
        "voxel_mm: tables have no voxels",
        "background: tables have no voxels",
        "effects.slide.kind: tables are cleaned",
        "regions.ball: this region lies in an image",
        "fewer columns than regions name; found 2; expected at least 3",
    ):
        assert words in found


def test_names_of_columns_are_held_to_the_protocol(protocol: Path) -> None:
    text = protocol.read_text(encoding="utf-8").replace(
        "parcels: {}", "a: {seg: A}\n  b: {seg: B}"
    )
    protocol.write_text(text.replace("parcels: parcels", "parcels: a"), encoding="utf-8")
    truth = TRUTH.replace("columns: 12", "columns: [left_seed, other, other, target]")
    found = "\n".join(refusals(protocol, truth))
    for words in (
        "no such column for the protocol's region seed; found 4 names; expected right_seed",
        "a column stands twice; found other",
        "the protocol asks for several; found A, B",
    ):
        assert words in found
