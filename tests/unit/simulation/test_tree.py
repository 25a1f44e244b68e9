import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.exceptions import OutputError, SimulationError
from phmri.protocol import read_protocol, write_template
from phmri.simulation import SimulatedTrial, make_small_tree, read_truth
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._plan import make_plan
from phmri.simulation._simulate import simulate_trial

FUNC = "sub-{s}/ses-{v}/func/sub-{s}_ses-{v}_task-{t}_acq-simulated"
SPACE = "_space-MNI152NLin2009cAsym_res-2_"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> SimulatedTrial:
    return make_small_tree(tmp_path_factory.mktemp("small"), n_subjects=6, n_volumes=40)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def small_trial(directory: Path, *, n_workers: int = 1, seed: int = 4) -> SimulatedTrial:
    return make_small_tree(
        directory, n_subjects=3, shape=(6, 6, 6), n_volumes=24, seed=seed, n_workers=n_workers
    )


def test_every_run_has_its_files(tree: SimulatedTrial) -> None:
    people = pd.read_csv(tree.bids_dir / "participants.tsv", sep="\t")
    arms = read_protocol(tree.protocol).design.arms
    assert people["arm"].value_counts().to_dict() == dict.fromkeys(arms, 2)
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


def test_everything_says_simulated(tree: SimulatedTrial) -> None:
    for folder in (tree.bids_dir, tree.derivatives):
        described = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
        assert "SIMULATED" in described["Name"]
        assert described["Simulated"] is True
        assert described["GeneratedBy"][0]["Name"] != "fMRIPrep"
    for path in tree.derivatives.rglob("sub-*_*"):
        assert "acq-simulated" in path.name
    assert "SIMULATED" in read_protocol(tree.protocol).title
    drawn = json.loads((tree.truth.parent / "drawn.json").read_text(encoding="utf-8"))
    assert drawn["Simulated"] is True


def test_image_reads_as_it_should(tree: SimulatedTrial) -> None:
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


def test_protocol_fits_the_templates_trial(tree: SimulatedTrial, tmp_path: Path) -> None:
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


def test_truth_names_what_each_question_should_find(tree: SimulatedTrial) -> None:
    protocol = read_protocol(tree.protocol)
    truth = read_truth(tree.truth, protocol)
    effect = truth.effects["wm_dmpfc"]
    for name, question in protocol.questions.items():
        scan = protocol.measures[question.measure].scan
        hit = (
            question.contrast[0] in effect.treatments
            and question.session in effect.sessions
            and scan == effect.scan
        )
        assert bool(name in truth.expected and truth.expected[name].planted) is hit, name


def test_effect_is_where_it_was_planted_and_nowhere_else(tree: SimulatedTrial) -> None:
    drawn = json.loads((tree.truth.parent / "drawn.json").read_text(encoding="utf-8"))
    sizes = drawn["SizeOfEffects"]["wm_dmpfc"]
    carried = {}
    for path in tree.derivatives.rglob("*_desc-preproc_bold.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        carried[path.name] = content["SimulationParameters"]["Effects"]
    hit = {name: value["wm_dmpfc"] for name, value in carried.items() if value}
    arm = pd.read_csv(tree.bids_dir / "participants.tsv", sep="\t", index_col=0)["arm"]
    planted = [subject for subject in arm.index if arm[subject] == "ketamine"]
    assert sorted(sizes) == sorted(planted)
    assert len(hit) == len(planted) == 2
    for name, value in hit.items():
        assert "ses-infusion_task-nback" in name
        assert sizes[name[:6]] == pytest.approx(value, abs=1e-4)


def test_planted_coupling_is_in_the_images(tree: SimulatedTrial) -> None:
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
            for point in ((0.0, 46.8, 9.5), (0.0, 38.0, 42.0))
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
    trial = small_trial(tmp_path)
    before = digest(tmp_path)
    images = sorted(trial.derivatives.rglob("*_bold.nii.gz"))
    stamps = {path: path.stat().st_mtime_ns for path in images}
    images[3].unlink()
    small_trial(tmp_path)
    assert digest(tmp_path) == before
    changed = [path for path in images if path.stat().st_mtime_ns != stamps[path]]
    assert changed == [images[3]]


def test_bytes_do_not_depend_on_an_earlier_simulation(tmp_path: Path) -> None:
    """Fewer people, other visits lost: what is not planned any more must not stay."""
    make_small_tree(tmp_path / "used", n_subjects=5, shape=(6, 6, 6), n_volumes=24, seed=9)
    phenotype = tmp_path / "used" / "bids" / "phenotype" / "old_scale.tsv"
    phenotype.parent.mkdir(exist_ok=True)
    phenotype.write_text("participant_id\n", encoding="utf-8")
    used, fresh = small_trial(tmp_path / "used"), small_trial(tmp_path / "fresh")
    assert digest(used.bids_dir) == digest(fresh.bids_dir)
    assert not (used.bids_dir / "sub-04").exists()


def test_runs_are_made_again_when_a_region_has_moved(tmp_path: Path) -> None:
    trial = small_trial(tmp_path / "used")
    before = digest(trial.derivatives)
    for folder in ("used", "fresh"):
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        path = target / "trial.yaml"
        text = trial.protocol.read_text(encoding="utf-8")
        path.write_text(text.replace("[0.0, 38.0, 42.0]", "[-20.0, 20.0, 10.0]"), encoding="utf-8")
        truth = target / "truth.yaml"
        truth.write_bytes(trial.truth.read_bytes())
        protocol = read_protocol(path)
        plan = make_plan(protocol, read_truth(truth, protocol), 4)
        simulate_trial(path, truth, target, plan, box_anatomy((6, 6, 6)))
    moved = digest(trial.derivatives)
    assert moved == digest(tmp_path / "fresh" / trial.derivatives.relative_to(tmp_path / "used"))
    images = [name for name in before if name.endswith("_bold.nii.gz") and "ses-infusion" in name]
    assert any(moved[name] != before[name] for name in images)


def test_regions_outside_the_brain_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    trial = small_trial(tmp_path / "used")
    text = trial.protocol.read_text(encoding="utf-8")
    text = text.replace("[0.0, 38.0, 42.0]", "[0.0, 38.0, 420.0]")
    text = text.replace("[-38.0, 6.0, 0.0]", "[-380.0, 6.0, 0.0]")
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    # Wide edges reach the brain from anywhere: what counts is where the region is.
    truth = tmp_path / "truth.yaml"
    planted = trial.truth.read_text(encoding="utf-8").replace("edge_mm: 8", "edge_mm: 1000")
    planted += "background: {from_runs: {files: [absent.nii.gz]}}\n"
    truth.write_text(planted, encoding="utf-8")
    protocol = read_protocol(path)
    plan = make_plan(protocol, read_truth(truth, protocol), 4)
    with pytest.raises(SimulationError, match="outside the simulated brain") as caught:
        simulate_trial(path, truth, tmp_path / "sim", plan, box_anatomy((6, 6, 6)))
    told = [problem.field for problem in caught.value.problems]
    assert told == ["regions.dmPFC", "regions.left_insula", "background.from_runs.files"]
    files = [problem.file for problem in caught.value.problems]
    assert files == [str(path), str(path), str(truth)]
    assert not (tmp_path / "sim").exists()


def test_refuses_trials_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="at least 3 participants"):
        make_small_tree(tmp_path, n_subjects=2)
    with pytest.raises(SimulationError, match="at least 4 voxels"):
        make_small_tree(tmp_path, shape=(3, 9, 8))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        make_small_tree(tmp_path / "file", n_subjects=3)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "x"
