"""What the measures of a run share, from a run on disk."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.dataset import AtlasStore, check_dataset, index_dataset, read_confounds
from phmri.exceptions import FirstLevelError, PhmriError, Problem
from phmri.firstlevel import RunEstimate
from phmri.pipeline._job import RunJob, grid_of
from phmri.pipeline._located import located, tell_place
from phmri.pipeline._outcomes import Outcomes
from phmri.pipeline._plan import make_plan
from phmri.pipeline._run_data import RunData
from phmri.protocol import read_protocol
from tests.e2e.first_level_trial import (
    BOX,
    N_VOLUMES,
    SEED_MM,
    InfusionTrial,
    base_document,
    inside,
    parcels,
    write_trial,
)
from tests.e2e.trees import SPACE

REST = {"scan": "rest", "denoising": "motion"}


def document() -> dict[str, dict]:
    content = base_document()
    content["denoising"] |= {
        "late": {"strategy": "6motion", "discard_volumes": 3},
        "smooth": {"strategy": "6motion", "smoothing_fwhm_mm": 12},
        "removed": {"strategy": "6motion", "task": "remove"},
    }
    band = {"band_hz": [0.01, 0.1]}
    content["measures"] |= {
        "slow": {"kind": "alff", **REST, "sensitivity": ["late", "smooth"], **band},
        "byparcel": {"kind": "alff", **REST, **band, "parcels": "atlas"},
        "seeds": {"kind": "seed_to_voxel", **REST, "seed": "seed"},
        "network": {
            "kind": "dual_regression",
            **REST,
            "networks": "networks.nii.gz",
            "network": 2,
            "space": SPACE,
        },
        "task": {"kind": "seed_to_voxel", "scan": "nback", "denoising": "removed", "seed": "seed"},
    }
    return content


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> InfusionTrial:
    return write_trial(tmp_path_factory.mktemp("trial"), document())


@pytest.fixture(scope="module")
def jobs(trial: InfusionTrial) -> dict[str, RunJob]:
    protocol = read_protocol(trial.protocol)
    index = index_dataset(trial.bids, ())
    found = make_plan(
        protocol,
        index,
        check_dataset(protocol, index, ("01",)),
        protocol_dir=trial.root,
        protocol_sha256="",
        out_dir=trial.out,
        atlas=AtlasStore(()),
    )
    return {job.scan_name: job for job in found.jobs}


@pytest.fixture
def data(jobs: dict[str, RunJob]) -> RunData:
    return open_run(jobs["rest"])


def open_run(job: RunJob) -> RunData:
    assert job.run.confounds is not None
    return RunData(job=job, confounds=read_confounds(job.run.confounds))


def series(job: RunJob) -> np.ndarray:
    image = np.asarray(nib.load(job.run.path).dataobj, np.float64)
    return image.reshape(-1, N_VOLUMES).T


def test_voxels_come_with_the_mean_of_their_signal(data: RunData) -> None:
    found = data.outcomes(data.job.measures["slow"], "motion")
    Y = series(data.job)
    assert_allclose(found.mean, Y.mean(axis=0), rtol=1e-6)
    assert_allclose(found.series - found.series[0], Y - Y[0], atol=1e-3)
    assert found.names == ()


def test_parcels_are_means_of_what_is_not_smoothed(data: RunData) -> None:
    found = data.outcomes(data.job.measures["byparcel"], "smooth")
    Y = series(data.job)
    assert found.names == ("one", "other", "target")
    for k in range(3):
        own = Y[:, (parcels() == k + 1).reshape(-1)].mean(axis=1)
        assert_allclose(found.series[:, k], own, rtol=1e-9)
    assert_allclose(found.mean, found.series.mean(axis=0))


def test_run_is_read_once_per_smoothing(data: RunData) -> None:
    measure = data.job.measures["slow"]
    plain = data.signals(measure, "motion")
    assert data.signals(measure, "late") is plain
    smooth = data.signals(measure, "smooth")
    assert smooth is not plain
    assert data.signals(measure, "smooth") is smooth
    assert data.cleaning("motion") is data.cleaning("motion")


def test_regions_need_no_pass_of_their_own(data: RunData) -> None:
    smooth = data.job.denoising["smooth"]
    job = replace(data.job, denoising=data.job.denoising | {"motion": smooth})
    slow, regions = job.measures["slow"], job.measures["byparcel"]
    before, after, only = (RunData(job=job, confounds=data.confounds) for _ in range(3))
    first = before.signals(regions, "motion")
    assert before.signals(slow, "motion") is first
    maps = after.signals(slow, "late")
    assert after.signals(regions, "motion") is maps
    assert_array_equal(maps.regions, first.regions)
    only.job = replace(job, measures={"byparcel": regions})
    assert only.signals(regions, "motion").voxels is None
    assert_array_equal(only.signals(regions, "motion").regions, first.regions)


def test_seed_is_the_mean_of_its_voxels(data: RunData) -> None:
    own = series(data.job)[:, inside(SEED_MM).reshape(-1)].mean(axis=1)
    members = {"seeds": data.job.measures["seeds"]}
    assert_allclose(data.seeds(members, "motion")[:, 0], own, rtol=1e-9)


def test_leading_volumes_keep_the_clock_of_the_file(data: RunData) -> None:
    X = data.design_nuisance("late")
    assert X.shape[0] == N_VOLUMES
    assert_array_equal(X[:3, :3], np.eye(3))
    assert not X[3:, :3].any()
    assert not X[:3, 3:].any()
    plain = data.design_nuisance("motion")[3:]
    assert np.linalg.matrix_rank(np.hstack([X[3:, 3:], plain])) == np.linalg.matrix_rank(plain)


def test_task_is_removed_where_the_denoising_says(jobs: dict[str, RunJob]) -> None:
    rest, nback = open_run(jobs["rest"]), open_run(jobs["nback"])
    assert rest.task_columns("motion") is None
    extra = nback.task_columns("removed")
    assert extra is not None
    assert extra.names == ("task_zero_back", "task_two_back")
    assert set(extra.names) < set(nback.cleaning("removed").regressors)
    cleaned = nback.cleaning("removed")
    assert cleaned.df == rest.cleaning("motion").df - 2


def test_events_are_asked_of_a_run_that_has_none(data: RunData) -> None:
    with pytest.raises(PhmriError, match="it has none; expected an events"):
        _ = data.events


def test_recordings_are_asked_of_a_run_that_has_none(data: RunData) -> None:
    data.refuse_without_recording("motion")
    asked = data.job.denoising["motion"].model_copy(update={"physiology": "retroicor"})
    job = replace(data.job, denoising={"motion": asked})
    other = RunData(job=job, confounds=data.confounds)
    with pytest.raises(PhmriError, match=r"denoising.motion.physiology.*found retroicor"):
        other.refuse_without_recording("motion")
    with pytest.raises(PhmriError, match="no recording"):
        other.cleaning("motion")


def test_maps_lie_in_the_order_of_the_voxels(data: RunData, trial: InfusionTrial) -> None:
    maps = data.maps(data.job.measures["network"])
    written = np.asarray(nib.load(trial.root / "networks.nii.gz").dataobj, float)
    assert_allclose(maps, written.reshape(-1, 3).T, atol=1e-6)
    assert data.mask.all()
    assert grid_of(data.job.run).shape == BOX.shape


def test_length_must_be_known(data: RunData) -> None:
    job = replace(data.job, run=replace(data.job.run, t_r=None))
    with pytest.raises(PhmriError, match="120 volumes, repetition time None s"):
        _ = RunData(job=job, confounds=None).t_r


def test_voxels_are_not_asked_of_a_table(data: RunData, tmp_path: Path) -> None:
    table = tmp_path / "run_timeseries.tsv"
    rows = np.random.default_rng(0).normal(100.0, 1.0, (N_VOLUMES, 2))
    table.write_text("a\tb\n" + "".join(f"{x:.5f}\t{y:.5f}\n" for x, y in rows))
    job = replace(data.job, run=replace(data.job.run, kind="series", path=table), series={})
    with pytest.raises(PhmriError, match="voxelwise maps need images"):
        RunData(job=job, confounds=None).outcomes(job.measures["slow"], "motion")


@pytest.mark.parametrize("level", [0.0, 4.0, -100.0])
def test_percent_of_no_mean_is_refused(level: float) -> None:
    rng = np.random.default_rng(0)
    rows = level + rng.normal(0.0, 5.0, (200, 30))
    found = Outcomes(series=rows, mean=rows.mean(axis=0), names=())
    with pytest.raises(FirstLevelError, match="no mean"):
        found.refuse_without_mean()
    rows = rows + 200.0
    Outcomes(series=rows, mean=rows.mean(axis=0), names=()).refuse_without_mean()


def test_estimates_take_the_names_of_their_outcomes() -> None:
    rows = np.ones((3, 2))
    found = Outcomes(series=rows, mean=rows.mean(axis=0), names=("a", "b"))
    estimate = RunEstimate(
        values=np.zeros(2), names=(), variance=1.0, df=3.0, unit="z", variance_assumes="nothing"
    )
    assert found.named(estimate).names == ("a", "b")


def test_place_is_added_to_what_has_none() -> None:
    bare, placed = Problem(what="wrong", field="bin_s"), Problem(what="worse", file="x.tsv")
    told = tell_place(bare, file="run.nii.gz", field="measures.a")
    assert (told.file, told.field) == ("run.nii.gz", "measures.a: bin_s")
    assert tell_place(replace(bare, field=None), file="r", field="m").field == "m"
    kept = tell_place(replace(placed, field="row"), file="run.nii.gz", field="measures.a")
    assert (kept.file, kept.field) == ("x.tsv", "row")
    with (
        pytest.raises(FirstLevelError) as caught,
        located(file="run.nii.gz", field="measures.a"),
        located(file="events.tsv", field="scans.nback"),
    ):
        raise FirstLevelError(bare, placed)
    assert [(p.file, p.field) for p in caught.value.problems] == [
        ("events.tsv", "scans.nback: bin_s"),
        ("x.tsv", "scans.nback"),
    ]
