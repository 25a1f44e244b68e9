from itertools import pairwise

import numpy as np
import pytest

from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._courses import Block, blocks_of, make_courses
from phmri.simulation._noise import noise_volumes
from phmri.simulation._scene import SOURCES, make_scene


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_noise_has_the_declared_level_and_autocorrelation() -> None:
    scene = make_scene(box_anatomy((10, 10, 10)))
    noise = np.stack(list(noise_volumes(scene, 1500, rng()))) / scene.noise_sd
    assert np.median(noise.std(axis=0)) == pytest.approx(1.0, abs=0.02)
    assert abs(noise.mean()) < 0.01
    lag_one = (noise[1:] * noise[:-1]).mean(axis=0) / noise.var(axis=0)
    for level in np.unique(scene.noise_ar):
        assert np.median(lag_one[scene.noise_ar == level]) == pytest.approx(level, abs=0.03)
    kurtosis = (noise**4).mean() / (noise**2).mean() ** 2 - 3
    assert -0.2 < kurtosis < 0.0


def test_noise_is_smooth_in_space() -> None:
    """[1 2 1] twice convolved with itself correlates neighbours by 4/6 and next ones by 1/6."""
    scene = make_scene(box_anatomy((12, 12, 12)))
    grid = np.full((12, 12, 12), np.nan)
    found = []
    for volume in noise_volumes(scene, 200, rng()):
        grid.ravel(order="K")[scene.anatomy.mask.transpose(2, 1, 0).ravel()] = (
            volume / scene.noise_sd
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
    without = make_courses(100, 2.0, (), coupling=0.0, rng=rng()).sources
    coupled = make_courses(100, 2.0, (), coupling=1.5, rng=rng()).sources
    change = coupled - without
    pgacc, dmpfc = SOURCES.index("pgacc"), SOURCES.index("dmpfc")
    np.testing.assert_allclose(change[:, dmpfc], 1.5 * without[:, pgacc], atol=1e-5)
    change[:, dmpfc] = 0
    assert np.abs(change).max() == 0


def test_task_moves_networks_and_leaves_rest_alone() -> None:
    blocks = (Block(onset=20.0, duration=24.0, trial_type="2back"),)
    rest = make_courses(60, 2.0, (), coupling=0.0, rng=rng()).sources
    task = make_courses(60, 2.0, blocks, coupling=0.0, rng=rng()).sources
    response = (task - rest)[:, SOURCES.index("frontoparietal")]
    peak = int(np.argmax(response))
    assert 13 <= peak <= 23  # 26 to 46 s: after the haemodynamic delay
    moved = {name for name, c in zip(SOURCES, (task - rest).T, strict=True) if np.abs(c).max() > 0}
    assert moved == {"frontoparietal", "default", "dmpfc", "pgacc"}


@pytest.mark.parametrize("n_volumes", [20, 40, 80, 200])
def test_blocks_alternate_and_end_inside_the_run(n_volumes: int) -> None:
    blocks = blocks_of(n_volumes, 2.0, rng())
    assert len(blocks) >= 2
    assert {block.trial_type for block in blocks} == {"0back", "2back"}
    assert all(a.trial_type != b.trial_type for a, b in pairwise(blocks))
    assert all(a.onset + a.duration <= b.onset for a, b in pairwise(blocks))
    assert blocks[-1].onset + blocks[-1].duration <= n_volumes * 2.0


def test_motion_starts_at_zero_and_is_in_the_sources() -> None:
    courses = make_courses(80, 2.0, (), coupling=0.0, rng=rng())
    assert np.abs(courses.motion[0]).max() == 0
    column = courses.sources[:, SOURCES.index("trans_y")]
    np.testing.assert_allclose(np.diff(column), np.diff(courses.motion[:, 1]), atol=1e-5)
    assert np.abs(courses.motion[:, 3:]).max() < 0.1  # radian, not degrees


def test_saturation_is_in_the_first_volume_only() -> None:
    column = make_courses(30, 2.0, (), coupling=0.0, rng=rng()).sources[:, -1]
    assert column[0] == 1
    assert np.abs(column[1:]).max() == 0
