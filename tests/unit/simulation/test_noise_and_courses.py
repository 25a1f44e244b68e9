from itertools import pairwise

import numpy as np
import pytest

from phmri.protocol import Step
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._courses import Block, RunCourses, blocks_of, make_courses
from phmri.simulation._noise import noise_volumes
from phmri.simulation._plan import Person, PlannedEffect, PlannedRun
from phmri.simulation._scene import NETWORKS, make_scene
from phmri.simulation._truth import (
    Background,
    Coupling,
    FromRuns,
    Movement,
    Physiology,
    RegionSignal,
    Response,
    ScanTruth,
    Truth,
)

REGIONS = {"seed": RegionSignal(task=-0.8), "target": RegionSignal(task=1.2)}
TRUTH = Truth(
    phmri_truth=1,
    scans={
        "rest": ScanTruth(n_volumes=100, t_r=2.0),
        "nback": ScanTruth(n_volumes=60, t_r=2.0, conditions={"0back": 0.4, "2back": 1.0}),
    },
    regions=REGIONS,
    effects={
        "link": Coupling(
            kind="coupling", scan="rest", treatments={"drug": 1}, seed="seed", target="target",
            gain=1.5,
        ),
        "loaded": Coupling(
            kind="coupling", scan="nback", treatments={"drug": 1}, seed="seed", target="target",
            gain=1.0, conditions=("2back",),
        ),
        "fall": Response(
            kind="response", scan="rest", treatments={"drug": 1}, region="target", percent=-1,
            curve=Step(model="step"), own_map=0.5,
        ),
    },
)  # fmt: skip
PERSON = Person(label="01", index=0, group="drug", weight_kg=70.0, sizes={}, scores={})


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene(shape: tuple[int, int, int]) -> object:
    anatomy = box_anatomy(shape)
    shapes = {name: np.ones(anatomy.grey.size, np.float32) for name in REGIONS}
    return make_scene(anatomy, TRUTH, shapes)


def courses(
    scan: str, *effects: PlannedEffect, blocks: tuple[Block, ...] = (), truth: Truth = TRUTH
) -> RunCourses:
    length = truth.scans[scan]
    run = PlannedRun(
        person=PERSON, session="one", scan=scan, task=scan, run=None, treatment="drug",
        key=(0, 0, 0), n_volumes=length.n_volumes, t_r=length.t_r, nods=2.0, effects=effects,
    )  # fmt: skip
    return make_courses(run, truth, blocks, 5, rng())


def test_noise_has_the_declared_level_and_autocorrelation() -> None:
    made = scene((10, 10, 10))
    noise = np.stack(list(noise_volumes(made, 1500, rng()))) / made.noise_sd
    assert np.median(noise.std(axis=0)) == pytest.approx(1.0, abs=0.02)
    assert abs(noise.mean()) < 0.01
    lag_one = (noise[1:] * noise[:-1]).mean(axis=0) / noise.var(axis=0)
    for level in np.unique(made.noise_ar):
        assert np.median(lag_one[made.noise_ar == level]) == pytest.approx(level, abs=0.03)
    kurtosis = (noise**4).mean() / (noise**2).mean() ** 2 - 3
    assert -0.2 < kurtosis < 0.0


def test_noise_is_smooth_in_space() -> None:
    """[1 2 1] twice convolved with itself correlates neighbours by 4/6 and next ones by 1/6."""
    made = scene((12, 12, 12))
    grid = np.full((12, 12, 12), np.nan)
    found = []
    for volume in noise_volumes(made, 200, rng()):
        grid.ravel(order="K")[made.anatomy.mask.transpose(2, 1, 0).ravel()] = (
            volume / made.noise_sd
        )
        image = grid.copy()  # z, y, x
        innovation = image[1:]
        found.append(
            [(innovation[:, :, k:] * innovation[:, :, : 12 - k]).mean() for k in (0, 1, 2, 3)]
        )
    variance, near, next_, far = np.mean(found, axis=0)
    assert near / variance == pytest.approx(4 / 6, abs=0.06)
    assert next_ / variance == pytest.approx(1 / 6, abs=0.06)
    assert far / variance == pytest.approx(0.0, abs=0.06)


def test_coupling_adds_the_seeds_signal_and_nothing_else() -> None:
    without = courses("rest").sources
    coupled = courses("rest", PlannedEffect(name="link", size=1.5, curve=None)).sources
    assert set(coupled) == set(without)
    for name, column in coupled.items():
        change = column - without[name]
        expected = 1.5 * without["region seed"] if name == "region target" else 0.0
        np.testing.assert_allclose(change, expected, atol=1e-12)


def test_coupling_of_a_condition_stays_in_its_blocks() -> None:
    blocks = (
        Block(onset=10.0, duration=24.0, trial_type="0back"),
        Block(onset=70.0, duration=24.0, trial_type="2back"),
    )
    without = courses("nback", blocks=blocks).sources["region target"]
    effect = PlannedEffect(name="loaded", size=2.0, curve=None)
    change = np.abs(courses("nback", effect, blocks=blocks).sources["region target"] - without)
    assert change[:35].max() == 0  # up to 70 s
    assert change[38:50].max() > 0.5


def test_a_response_follows_its_curve_at_the_persons_size() -> None:
    curve = np.linspace(0.0, 1.0, 100)
    found = courses("rest", PlannedEffect(name="fall", size=-2.0, curve=curve)).sources
    np.testing.assert_allclose(found["effect fall"], -2.0 * curve)
    np.testing.assert_allclose(found["own fall"], 1.0 * curve)  # |size| times own_map


def test_task_moves_networks_and_leaves_rest_alone() -> None:
    blocks = (Block(onset=20.0, duration=24.0, trial_type="2back"),)
    rest, task = courses("nback").sources, courses("nback", blocks=blocks).sources
    response = task["frontoparietal"] - rest["frontoparietal"]
    peak = int(np.argmax(response))
    assert 13 <= peak <= 23  # 26 to 46 s: after the haemodynamic delay
    moved = {name for name, column in task.items() if np.abs(column - rest[name]).max() > 0}
    assert moved == {"frontoparietal", "default", "region seed", "region target"}


@pytest.mark.parametrize("n_volumes", [20, 40, 80, 200])
def test_blocks_take_turns_and_end_inside_the_run(n_volumes: int) -> None:
    scan = ScanTruth(n_volumes=n_volumes, t_r=2.0, conditions={"0back": 0.4, "2back": 1.0})
    blocks = blocks_of(scan, rng())
    assert len(blocks) >= 2
    assert {block.trial_type for block in blocks} == {"0back", "2back"}
    assert all(a.trial_type != b.trial_type for a, b in pairwise(blocks))
    assert all(a.onset + a.duration <= b.onset for a, b in pairwise(blocks))
    assert blocks[-1].onset + blocks[-1].duration <= n_volumes * 2.0


def test_motion_starts_at_zero_and_is_in_the_sources() -> None:
    found = courses("rest")
    assert np.abs(found.motion[0]).max() == 0
    np.testing.assert_allclose(
        np.diff(found.sources["trans_y"]), np.diff(found.motion[:, 1]), atol=1e-12
    )
    assert np.abs(found.motion[:, 3:]).max() < 0.1  # radian, not degrees


def test_saturation_is_in_the_first_volume_only() -> None:
    column = courses("rest").sources["saturation"]
    assert column[0] == 1
    assert np.abs(column[1:]).max() == 0


def test_rhythms_change_nothing_else() -> None:
    rhythmic = TRUTH.model_copy(update={"background": Background(cardiac_percent=0.5)})
    plain, found = courses("rest").sources, courses("rest", truth=rhythmic).sources
    assert set(found) - set(plain) == {"cardiac"}
    assert found["cardiac"].std() == pytest.approx(1.0, abs=0.2)
    for name, column in plain.items():
        np.testing.assert_array_equal(column, found[name])


def test_motion_and_physiology_follow_the_infusion() -> None:
    curve = np.linspace(0.0, 1.0, 100)
    effects = {
        "head": Movement(
            kind="movement", scan="rest", treatments={"drug": 1}, direction="z", mm=1,
            curve=Step(model="step"),
        ),
        "flow": Physiology(
            kind="physiology", scan="rest", treatments={"drug": 1}, place="brain", percent=1,
            curve=Step(model="step"),
        ),
    }  # fmt: skip
    truth = TRUTH.model_copy(update={"effects": effects})
    planned = [PlannedEffect(name=name, size=0.8, curve=curve) for name in effects]
    plain, found = courses("rest", truth=truth), courses("rest", *planned, truth=truth)
    slide = found.motion - plain.motion
    np.testing.assert_allclose(slide[:, 2], 0.8 * curve, atol=1e-12)
    assert np.abs(np.delete(slide, 2, axis=1)).max() == 0
    moved = found.sources["trans_z"] - plain.sources["trans_z"]
    np.testing.assert_allclose(moved, 0.8 * (curve - curve.mean()), atol=1e-12)
    np.testing.assert_allclose(found.sources["effect flow"], 0.8 * curve)
    assert set(found.sources) - set(plain.sources) == {"effect flow"}
    for place in scene((6, 6, 6)).physiology.values():
        assert 0 <= place.min() < place.max() <= 1


def test_real_noise_takes_the_place_of_networks() -> None:
    real = Background(from_runs=FromRuns(files=("run.nii.gz",)))
    plain = courses("rest").sources
    found = courses("rest", truth=TRUTH.model_copy(update={"background": real})).sources
    silent = {name for name, column in found.items() if not column.any()}
    assert silent == {*NETWORKS, "global", "white", "csf"} | {
        name for name, column in plain.items() if not column.any()
    }
    np.testing.assert_array_equal(found["region seed"], plain["region seed"])
