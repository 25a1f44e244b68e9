import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from phmri.exceptions import OutputError, SimulationError
from phmri.protocol import read_protocol, write_template
from phmri.simulation import DemoTrial, make_small_tree, simulate_demo
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._demo import ARMS, write_trial
from phmri.simulation._scene import DMPFC_MM, PGACC_MM, make_scene
from phmri.simulation._tree import make_plan

FUNC = "sub-{s}/ses-{v}/func/sub-{s}_ses-{v}_task-{t}_acq-simulated"
SPACE = "_space-MNI152NLin2009cAsym_res-2_"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> DemoTrial:
    return make_small_tree(tmp_path_factory.mktemp("small"), n_subjects=6, n_volumes=40)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def small_trial(directory: Path, *, n_workers: int, seed: int = 4) -> DemoTrial:
    plan = make_plan(
        "test",
        subjects_per_arm=dict.fromkeys(ARMS, 2),
        sessions=("baseline", "infusion"),
        tasks=("rest", "nback"),
        n_volumes=30,
        t_r=2.0,
        seed=seed,
    )
    return write_trial(directory, make_scene(box_anatomy((6, 6, 6))), plan, n_workers=n_workers)


def test_every_run_has_its_files(tree: DemoTrial) -> None:
    people = pd.read_csv(tree.bids_dir / "participants.tsv", sep="\t")
    assert people["arm"].value_counts().to_dict() == dict.fromkeys(ARMS, 2)
    for subject in people["participant_id"].str.removeprefix("sub-"):
        for visit in ("baseline", "infusion", "followup"):
            for task in ("rest", "nback"):
                stem = FUNC.format(s=subject, v=visit, t=task)
                for ending in (
                    f"{SPACE}desc-preproc_bold.nii.gz",
                    f"{SPACE}desc-preproc_bold.json",
                    f"{SPACE}desc-brain_mask.nii.gz",
                    "_desc-confounds_timeseries.tsv",
                    "_desc-confounds_timeseries.json",
                ):
                    assert (tree.derivatives / f"{stem}{ending}").is_file(), stem + ending
                events = tree.bids_dir / f"{stem}_events.tsv"
                assert events.is_file() == (task == "nback")


def test_everything_says_simulated(tree: DemoTrial) -> None:
    for folder in (tree.bids_dir, tree.derivatives):
        described = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
        assert "SIMULATED" in described["Name"]
        assert described["Simulated"] is True
        assert described["GeneratedBy"][0]["Name"] != "fMRIPrep"
    for path in tree.derivatives.rglob("sub-*_*"):
        assert "acq-simulated" in path.name
    assert "SIMULATED" in read_protocol(tree.protocol).title
    assert yaml.safe_load(tree.truth.read_text(encoding="utf-8"))["simulated"] is True


def test_image_reads_as_it_should(tree: DemoTrial) -> None:
    stem = FUNC.format(s="01", v="baseline", t="rest")
    bold = nib.load(tree.derivatives / f"{stem}{SPACE}desc-preproc_bold.nii.gz")
    mask = nib.load(tree.derivatives / f"{stem}{SPACE}desc-brain_mask.nii.gz")
    assert bold.shape == (8, 9, 8, 40)
    assert bold.get_data_dtype() == np.int16
    assert bold.header.get_zooms()[3] == 2.0
    assert bold.header.get_xyzt_units() == ("mm", "sec")
    assert int(bold.header["sform_code"]) == int(bold.header["qform_code"]) == 4
    np.testing.assert_array_equal(bold.affine, mask.affine)
    data = np.asarray(bold.dataobj)
    inside = np.asarray(mask.dataobj) > 0
    assert np.abs(data[~inside]).max() == 0
    assert data[inside].min() > 300
    assert data[inside][:, 0].mean() > 1.05 * data[inside][:, 1:].mean()
    confounds = pd.read_csv(
        tree.derivatives / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", na_values="n/a"
    )
    assert len(confounds) == 40
    correlation = np.corrcoef(confounds["global_signal"], data[inside].mean(axis=0))[0, 1]
    assert correlation > 0.999


def test_protocol_fits_the_templates_trial(tree: DemoTrial, tmp_path: Path) -> None:
    demo = read_protocol(tree.protocol)
    template = read_protocol(write_template("weigner2025", tmp_path))
    assert set(demo.treatments) == set(template.treatments)
    for name, treatment in demo.treatments.items():
        assert treatment.doses == template.treatments[name].doses, name
    assert demo.design.kind == template.design.kind == "parallel"
    assert {k: v.treatment for k, v in demo.design.arms.items()} == {
        k: v.treatment for k, v in template.design.arms.items()
    }
    assert {k: v.phase for k, v in demo.sessions.items()} == {
        k: v.phase for k, v in template.sessions.items()
    }
    assert [arm.n_planned for arm in demo.design.arms.values()] == [2, 2, 2]


def test_protocol_truth_and_scene_agree(tree: DemoTrial) -> None:
    protocol = read_protocol(tree.protocol)
    truth = yaml.safe_load(tree.truth.read_text(encoding="utf-8"))
    assert set(truth["questions"]) == set(protocol.questions)
    assert protocol.regions["pgACC"].center_mm == PGACC_MM == tuple(truth["planted"]["from_mm"])
    assert protocol.regions["dmPFC"].center_mm == DMPFC_MM == tuple(truth["planted"]["to_mm"])
    for name, question in protocol.questions.items():
        scan = protocol.scans[protocol.measures[question.measure].scan]
        hit = (
            question.contrast[0] == truth["planted"]["arm"]
            and question.session == truth["planted"]["session"]
            and scan.task == truth["planted"]["task"]
        )
        assert (truth["questions"][name] == "planted") is hit, name


def test_effect_is_where_it_was_planted_and_nowhere_else(tree: DemoTrial) -> None:
    truth = yaml.safe_load(tree.truth.read_text(encoding="utf-8"))["planted"]
    couplings = {}
    for path in tree.derivatives.rglob("*_desc-preproc_bold.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        couplings[path.name] = content["SimulationParameters"]["Coupling"]
    hit = {name: value for name, value in couplings.items() if value != 0}
    arm = pd.read_csv(tree.bids_dir / "participants.tsv", sep="\t", index_col=0)["arm"]
    planted = [subject for subject in arm.index if arm[subject] == "ketamine"]
    assert sorted(truth["gain"]) == sorted(planted)
    assert len(hit) == len(planted) == 2
    for name, value in hit.items():
        assert "ses-infusion_task-nback" in name
        assert truth["gain"][name[:6]] == pytest.approx(value, abs=1e-4)


def test_planted_coupling_is_in_the_images(tree: DemoTrial) -> None:
    arm = pd.read_csv(tree.bids_dir / "participants.tsv", sep="\t", index_col=0)["arm"]
    correlations: dict[str, list[float]] = {"ketamine": [], "placebo": []}
    for subject in arm.index[arm != "lamotrigine_ketamine"]:
        stem = FUNC.format(s=subject[4:], v="infusion", t="nback")
        bold = nib.load(tree.derivatives / f"{stem}{SPACE}desc-preproc_bold.nii.gz")
        data = np.asarray(bold.dataobj)[..., 1:]
        motion = pd.read_csv(
            tree.derivatives / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", na_values="n/a"
        ).filter(regex=r"^(trans|rot)_[xyz]$|^cosine")[1:]
        out, _ = np.linalg.qr(np.column_stack([np.ones(len(motion)), motion]))
        centers = np.stack(np.indices(bold.shape[:3]), -1) @ bold.affine[:3, :3].T
        centers += bold.affine[:3, 3]
        series = [
            data[((centers - np.array(point)) ** 2).sum(-1) <= 81].mean(axis=0)
            for point in (PGACC_MM, DMPFC_MM)
        ]
        cleaned = [one - out @ (out.T @ one) for one in series]
        correlations[arm[subject]].append(float(np.corrcoef(cleaned)[0, 1]))
    assert min(correlations["ketamine"]) > max(correlations["placebo"])


def test_same_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    one = small_trial(tmp_path / "one", n_workers=1)
    three = small_trial(tmp_path / "three", n_workers=3)
    assert digest(one.bids_dir.parent) == digest(three.bids_dir.parent)
    other = small_trial(tmp_path / "other", n_workers=1, seed=5)
    assert digest(one.bids_dir) != digest(other.bids_dir)


def test_a_second_call_writes_only_what_is_missing(tmp_path: Path) -> None:
    trial = small_trial(tmp_path, n_workers=1)
    before = digest(tmp_path)
    images = sorted(trial.derivatives.rglob("*_bold.nii.gz"))
    stamps = {path: path.stat().st_mtime_ns for path in images}
    images[3].unlink()
    small_trial(tmp_path, n_workers=1)
    assert digest(tmp_path) == before
    changed = [path for path in images if path.stat().st_mtime_ns != stamps[path]]
    assert changed == [images[3]]


def test_progress_counts_every_run(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    plan = make_plan(
        "test",
        subjects_per_arm=dict.fromkeys(ARMS, 1),
        sessions=("infusion",),
        tasks=("nback",),
        n_volumes=20,
        t_r=2.0,
        seed=1,
    )
    scene = make_scene(box_anatomy((5, 5, 5)))
    write_trial(tmp_path, scene, plan, on_run=lambda done, total, name: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_refuses_numbers_out_of_range_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(SimulationError) as caught:
        simulate_demo(tmp_path, n_per_arm=1, n_volumes=10, n_workers=0, seed=-1)
    assert len(caught.value.problems) == 4
    with pytest.raises(SimulationError, match="at least 3 participants"):
        make_small_tree(tmp_path, n_subjects=2)
    with pytest.raises(SimulationError, match="at least 4 voxels"):
        make_small_tree(tmp_path, shape=(3, 9, 8))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        make_small_tree(tmp_path / "file", n_subjects=3)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "x"
