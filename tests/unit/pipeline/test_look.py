"""What is told before anything is computed: still seeds, missing tissues, and all in one list."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import AtlasStore, VolumeReader, check_dataset, index_dataset
from phmri.exceptions import DatasetError, Problem
from phmri.firstlevel import Noise, fit_glm, task_contrast
from phmri.pipeline import look_ahead
from phmri.pipeline._job import RunJob, run_inputs
from phmri.pipeline._loading import gather_runs
from phmri.pipeline._measure_words import describe_measure
from phmri.pipeline._measures import Variant, measure_run
from phmri.pipeline._model_measures import make_task_design
from phmri.pipeline._participant import run_job
from phmri.pipeline._plan import make_plan
from phmri.pipeline._still_regions import find_still_regions, is_measured
from phmri.protocol import read_protocol
from tests.e2e.first_level_trial import (
    BOX,
    N_VOLUMES,
    OTHER_MM,
    SEED_MM,
    InfusionTrial,
    base_document,
    inside,
    question,
    write_trial,
)
from tests.e2e.trees import SPACE, call, write_image
from tests.unit.pipeline.test_run_data import open_run

REST = {"scan": "rest", "denoising": "motion"}
NBACK = {"scan": "nback", "denoising": "motion"}
BY_TISSUE = {"noise": {"scope": "tissue", "order": 1}}


def document() -> dict[str, dict]:
    content = base_document()
    seed = {"kind": "seed_to_voxel", **REST}
    content["measures"] = {
        "first": {**seed, "seed": "seed"},
        "second": {**seed, "seed": "other"},
        "edges": {"kind": "roi_to_roi", **REST, "regions": ["seed", "target"]},
        "load": {"kind": "task", **NBACK, "contrast": {"two_back": 1}, **BY_TISSUE},
    }
    content["questions"] = {"q": question("first", role="primary")}
    del content["exposures"], content["compartments"]
    return content


def tissues() -> np.ndarray:
    return (1 + np.indices(BOX.shape)[0] * 3 // BOX.shape[0]).astype(np.uint8)


def segmentation(trial: InfusionTrial, subject: str) -> Path:
    anat = trial.bids / "derivatives" / "fmriprep" / f"sub-{subject}" / "anat"
    return anat / f"sub-{subject}_space-{SPACE}_dseg.nii.gz"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> InfusionTrial:
    trial = write_trial(tmp_path_factory.mktemp("trial"), document())
    for subject in ("01", "02", "03", "04", "05", "06"):
        write_image(segmentation(trial, subject), tissues(), BOX.affine)
    return trial


@pytest.fixture
def trial(pristine: InfusionTrial, tmp_path: Path) -> InfusionTrial:
    shutil.copytree(pristine.root, tmp_path / "trial")
    return InfusionTrial(root=tmp_path / "trial")


def jobs_of(trial: InfusionTrial, *subjects: str) -> dict[str, RunJob]:
    protocol, index = read_protocol(trial.protocol), index_dataset(trial.bids, ())
    found = make_plan(
        protocol,
        index,
        check_dataset(protocol, index, subjects or None),
        protocol_dir=trial.root,
        protocol_sha256="",
        out_dir=trial.out,
        atlas=AtlasStore(()),
    )
    return {job.scan_name: job for job in found.jobs}


def problems_of(trial: InfusionTrial) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    index = index_dataset(trial.bids, ())
    check = check_dataset(read_protocol(trial.protocol), index, None)
    plan = look_ahead(trial.protocol, index, check)
    return plan.problems, plan.tolerated


def still(
    trial: InfusionTrial, subject: str, *centers: tuple[float, float, float], value: float = 1007.0
) -> Path:
    path = trial.bold(subject, "rest")
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    for center in centers:
        data[inside(center)] = value
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    return path


# ---------------------------------------------------------------------------------- still seeds
def test_every_still_region_is_told_once_with_those_who_need_it(trial: InfusionTrial) -> None:
    path = still(trial, "02", SEED_MM, OTHER_MM)
    found, tolerated = problems_of(trial)
    assert tolerated == ()
    assert [(p.file, p.subject, p.session, p.field) for p in found] == [
        (str(path), "02", "infusion", "measures.first, edges: seed"),
        (str(path), "02", "infusion", "measures.second: other"),
    ]
    assert found[0].found == f"1007 in all {N_VOLUMES} volumes"


def test_a_region_that_changes_late_is_not_still(trial: InfusionTrial) -> None:
    path = still(trial, "02", SEED_MM)
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    data[inside(SEED_MM), -1] = 1008.0
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    assert problems_of(trial) == ((), ())


def test_a_region_without_signal_is_left_to_the_rule_of_coverage(trial: InfusionTrial) -> None:
    still(trial, "02", SEED_MM, value=0.0)
    assert problems_of(trial) == ((), ())
    outcome = run_job(jobs_of(trial, "02")["rest"])
    assert outcome.status == "excluded"
    assert "'seed' carries signal" in outcome.reason


def test_a_sound_run_is_read_for_two_volumes(
    pristine: InfusionTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs_of(pristine, "01")["rest"]
    n_read = 0
    whole = VolumeReader.__iter__

    def counted(reader: VolumeReader):  # type: ignore[no-untyped-def]
        nonlocal n_read
        for volume in whole(reader):
            n_read += 1
            yield volume

    monkeypatch.setattr(VolumeReader, "__iter__", counted)
    said: list[tuple[str, int, int]] = []
    assert find_still_regions([job], lambda *words: said.append(words)) == []
    assert n_read == 2
    assert said == [("Seeds", 0, 1), ("Seeds", 1, 1)]


def test_runs_that_are_measured_are_not_read_again(trial: InfusionTrial) -> None:
    job = jobs_of(trial, "02")["rest"]
    assert not is_measured(job)
    assert run_job(job).status == "done"
    assert is_measured(job)
    still(trial, "02", SEED_MM)
    assert not is_measured(job)
    with pytest.raises(DatasetError, match="no variance"):
        jobs_of(trial, "02")


def test_damaged_runs_are_told_by_file(trial: InfusionTrial) -> None:
    job = jobs_of(trial, "02")["rest"]
    path = job.run.path
    path.write_bytes(path.read_bytes()[:400])
    ((_, problem),) = find_still_regions([job], lambda stage, done, total: None)
    assert (problem.file, problem.subject, problem.session) == (str(path), "02", "infusion")


# ------------------------------------------------------------------------------ noise by tissue
def test_tissues_are_an_input_of_the_run_that_needs_them(pristine: InfusionTrial) -> None:
    jobs = jobs_of(pristine, "02")
    path = segmentation(pristine, "02")
    assert path in run_inputs(jobs["nback"].run)
    assert path not in run_inputs(jobs["rest"].run)


def test_noise_is_pooled_over_the_voxels_of_a_tissue(pristine: InfusionTrial) -> None:
    data = open_run(jobs_of(pristine, "02")["nback"])
    measure = data.job.measures["load"]
    found = measure_run(data)[Variant("load", "motion")]
    assert found.variance_assumes == "AR(1) noise of each tissue and the model"
    assert "AR(1) noise of each tissue" in describe_measure(measure)
    design = make_task_design(data, measure)
    X = np.hstack([design.X, data.design_nuisance("motion")])
    contrast = task_contrast(design, measure.contrast, name="load", n_columns=X.shape[1])
    Y = data.outcomes(measure, "motion")
    labels = tissues().reshape(-1).astype(np.int64)
    for tissue in (1, 2, 3):
        # Alone, the voxels of a tissue are a brain of their own.
        own = np.ascontiguousarray(Y.series[:, labels == tissue])
        fit = fit_glm(own, X, (contrast,), noise=Noise(kind="ar", scope="brain"))
        variance = fit.contrasts["load"].variance * (100.0 / Y.mean[labels == tissue]) ** 2
        assert_allclose(np.asarray(found.variance)[labels == tissue], variance[0], rtol=1e-5)


def test_infusion_and_interaction_have_it_too(trial: InfusionTrial) -> None:
    content = base_document()
    content["measures"] = {
        "bins": {**content["measures"]["bins"], "noise": {"kind": "arma11", "scope": "tissue"}},
        "coupling": {
            "kind": "ppi",
            **NBACK,
            "seed": "seed",
            "contrast": {"two_back": 1},
            **BY_TISSUE,
        },
    }
    trial.write_protocol(content)
    jobs = jobs_of(trial, "02")
    bins = measure_run(open_run(jobs["rest"]))[Variant("bins", "motion")]
    assert bins.variance_assumes.startswith("ARMA(1,1) noise of each tissue")
    coupling = measure_run(open_run(jobs["nback"]))[Variant("coupling", "motion")]
    assert "shared by each tissue" in coupling.variance_assumes
    content["measures"]["coupling"]["noise"] = {"order": 1}
    trial.write_protocol(content)
    own = measure_run(open_run(jobs_of(trial, "02")["nback"]))[Variant("coupling", "motion")]
    ratio = np.asarray(coupling.variance) / np.asarray(own.variance)
    assert np.nanmax(np.abs(ratio - 1.0)) > 0.01


def test_missing_tissues_are_told_once_for_every_run(trial: InfusionTrial) -> None:
    segmentation(trial, "03").unlink()
    (problem,), _ = problems_of(trial)
    assert (problem.file, problem.subject) == (str(trial.bold("03", "nback")), "03")
    assert problem.field == "measures.load"
    assert f"space-{SPACE}_dseg.nii.gz" in str(problem.expected)


# ------------------------------------------------------------------------------------- one list
def everything_wrong(content: dict[str, dict]) -> None:
    content["regions"]["other"]["center_mm"] = [500, 0, 0]
    content["measures"]["load"]["contrast"] = {"two_back": 1}
    content["measures"]["network"] = {
        "kind": "dual_regression",
        **REST,
        "networks": "missing.nii.gz",
        "network": 1,
        "space": SPACE,
    }


@pytest.mark.parametrize("policy", ["stop", "exclude"])
def test_check_says_what_run_would_say(trial: InfusionTrial, policy: str) -> None:
    content = document()
    everything_wrong(content)
    content["exclusions"]["broken_run"] = policy
    trial.write_protocol(content)
    segmentation(trial, "03").unlink()
    checked, said = call("check", trial.protocol, trial.bids)
    assert checked == 1
    assert not trial.out.exists()
    ran, stopped = call("run", trial.bids, trial.out, "participant", "--protocol", trial.protocol)
    assert ran == 1
    lines = [line for line in stopped.splitlines() if line.startswith("  - ")]
    of_runs = policy == "stop"
    assert len(lines) == (3 if of_runs else 2)
    assert set(lines) <= set(said.splitlines())
    for words in ("missing.nii.gz", "regions.other"):
        assert words in "".join(lines)
    assert ("dseg" in "".join(lines)) == of_runs
    assert "dseg" in said
    assert "phmri run will stop" in said
    assert not trial.out.exists()


def test_check_of_a_sound_trial(pristine: InfusionTrial) -> None:
    code, printed = call("check", pristine.protocol, pristine.bids, "--atlas-dir", pristine.root)
    assert code == 0, printed
    assert "  - " not in printed
    assert not pristine.out.exists()


@pytest.mark.parametrize(("policy", "code"), [("stop", 1), ("exclude", 0)])
def test_single_runs_stop_a_trial_only_where_the_protocol_says(
    trial: InfusionTrial, policy: str, code: int
) -> None:
    content = document()
    content["exclusions"]["broken_run"] = policy
    trial.write_protocol(content)
    still(trial, "05", SEED_MM)
    checked, said = call("check", trial.protocol, trial.bids)
    assert checked == code
    assert "sub-05" in said
    assert "no variance" in said
    assert ("phmri run will stop" in said) == (code == 1)


def test_a_run_that_fails_now_leaves_no_earlier_result(trial: InfusionTrial) -> None:
    job = jobs_of(trial, "02")["rest"]
    assert run_job(job).status == "done"
    assert list(gather_runs([job]))
    path = job.run.path
    path.write_bytes(path.read_bytes()[:400])
    assert run_job(job).status == "failed"
    assert not gather_runs([job])
