"""Noise of real runs (made up here): what a surrogate keeps, which are refused. Dropout."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from phmri.dataset import sidecar_path, write_text
from phmri.exceptions import ProtocolError, SimulationError
from phmri.protocol import read_protocol
from phmri.simulation import SimulatedTrial, Truth, read_truth, resample
from phmri.simulation._anatomy import Anatomy, box_anatomy
from phmri.simulation._demo import demo_text
from phmri.simulation._files import write_bold
from phmri.simulation._plan import make_plan
from phmri.simulation._real_runs import find_real_runs
from phmri.simulation._simulate import simulate_trial

BOX = box_anatomy((6, 6, 6))
N, T_R = 40, 2.0


def correlated(n: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shared = np.cumsum(rng.standard_normal((n, 2)), axis=0)
    return shared @ rng.standard_normal((2, 5)) + rng.standard_normal((n, 5)) + 100


def detrended(series: np.ndarray) -> np.ndarray:
    line = np.stack([np.ones(len(series)), np.arange(len(series))], axis=1)
    return series - line @ np.linalg.lstsq(line, series, rcond=None)[0]


@pytest.mark.parametrize("n", [80, 81])
def test_phases_change_and_nothing_of_second_order(n: int) -> None:
    series = correlated(n)
    made = resample(series, np.random.default_rng(1))
    before = detrended(series)
    np.testing.assert_allclose(made.T @ made, before.T @ before, rtol=1e-4, atol=1e-2)
    spectra = [np.abs(np.fft.rfft(one, axis=0)) for one in (made, before)]
    np.testing.assert_allclose(spectra[0][1:], spectra[1][1:], rtol=1e-3, atol=1e-3)
    for column in range(5):
        assert abs(np.corrcoef(made[:, column], before[:, column])[0, 1]) < 0.7
    again = resample(series, np.random.default_rng(1))
    np.testing.assert_array_equal(made, again)
    assert np.abs(made - resample(series, np.random.default_rng(2))).max() > 0.1


def test_blocks_move_as_wholes_and_together() -> None:
    series = correlated(47)
    made = resample(series, np.random.default_rng(1), method="block", block=10)
    before = detrended(series)
    np.testing.assert_allclose(np.sort(made, axis=0), np.sort(before, axis=0), atol=1e-4)
    place = [int(np.abs(before - row).sum(axis=1).argmin()) for row in made]
    assert sorted(place) == list(range(47))
    jumps = np.flatnonzero(np.diff(place) != 1)
    assert 1 <= jumps.size <= 4  # 5 blocks
    assert all(place[jump + 1] % 10 == 0 for jump in jumps)


def test_many_columns_are_resampled_as_few() -> None:
    series = np.repeat(correlated(24)[:, :1], 20_003, axis=1)
    made = resample(series, np.random.default_rng(1))
    np.testing.assert_allclose(made, np.repeat(made[:, :1], 20_003, axis=1), atol=1e-4)


def write_run(
    path: Path, anatomy: Anatomy = BOX, *, n: int = 60, t_r: float = T_R, empty: float = 0.0
) -> Path:
    """Write a made-up run on a finer field of view: one voxel more on each side."""
    rng = np.random.default_rng(len(path.name))
    shape = tuple(length + 2 for length in anatomy.mask.shape)
    affine = anatomy.affine.copy()
    affine[:3, 3] -= affine[:3, :3].sum(axis=1)
    wave = np.sin(np.arange(n) * 0.7)
    data = 500 + 25 * wave + 5 * rng.standard_normal((*shape, n))
    data[: round(empty * shape[0])] = 0
    image = nib.Nifti1Image(data.astype(np.float32), affine)
    image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    return path


def simulate_with(
    folder: Path, background: str, *, n_workers: int = 1, target: str = "sim"
) -> SimulatedTrial:
    settings = {"n_placebo": 1, "n_ketamine": 1, "n_lamotrigine_ketamine": 1, "n_per_arm": 1}
    others = {"seed": 1, "min_volumes": N, "strategy": "6motion_wmcsf", "n_permutations": 100}
    all_ = settings | others | {"space": BOX.space}
    protocol_path, truth_path = folder / "trial.yaml", folder / "planned.yaml"
    write_text(protocol_path, demo_text("small", all_))
    write_text(truth_path, demo_text("small_truth", all_) + f"background: {background}\n")
    protocol = read_protocol(protocol_path)
    plan = make_plan(protocol, read_truth(truth_path, protocol), 1)
    made = folder / f"{target}{n_workers}"
    return simulate_trial(protocol_path, truth_path, made, plan, BOX, n_workers=n_workers)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("method", ["phase", "block"])
def test_runs_carry_the_noise_of_the_run_at_hand(tmp_path: Path, method: str) -> None:
    (tmp_path / "real").mkdir()
    write_run(tmp_path / "real" / "sub-1_space-MNI152NLin2009cAsym_bold.nii.gz")
    write_run(tmp_path / "real" / "sub-22_bold.nii.gz")
    background = f"{{drift_percent: 0, from_runs: {{files: [real], method: {method}}}}}"
    trial = simulate_with(tmp_path, background)
    three = simulate_with(tmp_path, background, n_workers=3)
    assert digest(trial.bids_dir) == digest(three.bids_dir)
    image = next(trial.derivatives.rglob("sub-01_ses-baseline_task-rest*_bold.nii.gz"))
    data = np.asarray(nib.load(image).dataobj)[BOX.mask][:, 1:]
    change = data / data.mean(axis=1, keepdims=True) - 1
    power = np.abs(np.fft.rfft(change, axis=1)).mean(axis=0)[1:]
    if method == "phase":  # blocks of 15 volumes blur a line in the spectrum
        assert np.argmax(power) + 1 == pytest.approx(0.7 / (2 * np.pi) * (N - 1), abs=1.0)
    assert np.median(change.std(axis=1)) == pytest.approx(25 / 500 / np.sqrt(2), rel=0.25)
    sidecar = image.with_name(image.name.replace(".nii.gz", ".json")).read_text(encoding="utf-8")
    assert "sub-1_space-MNI152NLin2009cAsym_bold.nii.gz" in sidecar
    assert "SHA256" in sidecar


def test_all_misfits_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    write_run(tmp_path / "short_bold.nii.gz", n=30, t_r=1.5)
    write_run(tmp_path / "space-T1w_bold.nii.gz").rename(tmp_path / "a_space-T1w_bold.nii.gz")
    write_run(tmp_path / "half_bold.nii.gz", empty=0.6)
    write_run(tmp_path / "sub-01_acq-simulated_bold.nii.gz")
    coarse = BOX.affine.copy()
    coarse[:3, :3] *= 1.5
    image = nib.load(write_run(tmp_path / "coarse_bold.nii.gz"))
    fine = nib.Nifti1Image(np.asarray(image.dataobj), coarse, image.header)
    nib.save(fine, tmp_path / "coarse_bold.nii.gz")
    (tmp_path / "broken_bold.nii.gz").write_bytes(b"not an image")
    (tmp_path / "none").mkdir()
    with pytest.raises(SimulationError) as caught:
        simulate_with(tmp_path, "{from_runs: {files: [., none, absent.nii.gz]}}")
    told = [problem.what for problem in caught.value.problems]
    assert told.count("there is no run to take noise from") == 2
    missing = [problem for problem in caught.value.problems if "no run to take" in problem.what]
    assert {problem.file for problem in missing} == {str(tmp_path / "planned.yaml")}
    for scan in ("rest", "nback"):
        assert f"the run is shorter than scan {scan}" in told
        assert f"the run has another repetition time than scan {scan}" in told
    assert "the run lies in another space" in told
    assert "the run is simulated itself" in told
    assert "the run has no signal in a large part of the brain" in told
    assert "the voxels of the run have another size" in told
    assert any("broken" in str(problem.file) for problem in caught.value.problems)
    assert not (tmp_path / "sim1").exists()


def test_a_run_with_nan_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "nan_bold.nii.gz")
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    data[3, 3, 3, 30] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    with pytest.raises(SimulationError, match="NaN or infinity; found in volume 30"):
        find_real_runs(truth_from(path), BOX, tmp_path)


def truth_from(path: Path) -> Truth:
    text = {"phmri_truth": 1, "scans": {"rest": {"n_volumes": 60, "t_r": 2.0}}}
    from_runs = {"files": [path.name]}
    return Truth.model_validate(text | {"background": {"from_runs": from_runs}})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        # A bright first volume, as runs have it: that one alone looks like an image with its mean.
        (lambda data: data - data.mean(-1, keepdims=True) + 500 * (np.arange(60) == 0),
         "lost its mean in time"),
        (lambda data: data - 2 * data.mean(-1, keepdims=True) + 2000 * (np.arange(60) == 0),
         "lost its mean in time"),
        (lambda data: np.zeros_like(data) + np.float32(100.1), "no noise.*constant in 100%"),
    ],
    ids=["centred", "negative", "constant"],
)  # fmt: skip
def test_a_run_without_mean_or_noise_is_one_clear_error(
    tmp_path: Path, damage: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    path = write_run(tmp_path / "a_bold.nii.gz")
    image = nib.load(path)
    find_real_runs(truth_from(path), BOX, tmp_path)
    data = damage(np.asarray(image.dataobj)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)
    with pytest.raises(SimulationError, match=words) as caught:
        find_real_runs(truth_from(path), BOX, tmp_path)
    assert [problem.file for problem in caught.value.problems] == [str(path)]


@pytest.mark.parametrize("value", [8.0 * 32768, -8.0 * 32769, np.nan, np.inf])
def test_values_that_the_format_does_not_hold_are_not_written(
    tmp_path: Path, value: float
) -> None:
    data = np.full((3, BOX.grey.size), 8.0 * 32767, dtype=np.float32)
    write_bold(tmp_path / "whole_bold.nii.gz", BOX, data, 2.0)
    stored = np.asarray(nib.load(tmp_path / "whole_bold.nii.gz").dataobj)
    assert stored[BOX.mask].min() == 8.0 * 32767
    data[1, 5] = value
    with pytest.raises(SimulationError, match="cannot be stored"):
        write_bold(tmp_path / "a_bold.nii.gz", BOX, data, 2.0)
    assert not (tmp_path / "a_bold.nii.gz").exists()


def test_dropout_takes_signal_and_leaves_noise(tmp_path: Path) -> None:
    whole = simulate_with(tmp_path, "{drift_percent: 0}", target="whole")
    text = "{drift_percent: 0, dropout: {left_insula: {loss: 0.6, runs: 0.5}}}"
    lossy = simulate_with(tmp_path, text, target="lossy")
    center = np.array([-38.0, 6.0, 0.0])
    near = np.linalg.norm(BOX.position_mm - center, axis=1) < 8
    far = np.linalg.norm(BOX.position_mm - center, axis=1) > 17
    ratios = []
    for image in sorted(whole.derivatives.rglob("*_bold.nii.gz")):
        other = lossy.derivatives / image.relative_to(whole.derivatives)
        before, after = (
            np.asarray(nib.load(path).dataobj).reshape(-1, N, order="F")[BOX.mask.ravel("F")]
            for path in (image, other)
        )
        np.testing.assert_array_equal(before[far], after[far])
        ratios.append(after[near].mean() / before[near].mean())
        told = json.loads(sidecar_path(other).read_text(encoding="utf-8"))
        lost = told["SimulationParameters"]["Dropout"]
        assert lost == ({"left_insula": 0.6} if ratios[-1] < 0.99 else {})
        if lost:
            still = [np.diff(data[near], axis=1).std() for data in (before, after)]
            assert still[1] > 0.5 * still[0]  # 0.4 if the noise had gone too
    hit = np.array(ratios) < 0.99
    assert 4 <= hit.sum() <= 14  # of 18
    np.testing.assert_allclose(np.array(ratios)[hit], 0.4, atol=0.02)
    np.testing.assert_allclose(np.array(ratios)[~hit], 1.0)


def test_backgrounds_that_cannot_be(tmp_path: Path) -> None:
    text = (
        "{grey_percent: 2, csf_ar: 0.2, from_runs: {files: [], method: fourier, block_s: 0}, "
        "dropout: {nose: {loss: 0.5}, pgACC: {loss: 1.5, runs: 2}}}"
    )
    with pytest.raises(ProtocolError) as caught:
        simulate_with(tmp_path, text)
    assert {problem.field for problem in caught.value.problems} == {
        "background.grey_percent",
        "background.csf_ar",
        "background.from_runs.files",
        "background.from_runs.method",
        "background.from_runs.block_s",
        "background.dropout.nose",
        "background.dropout.pgACC.loss",
        "background.dropout.pgACC.runs",
    }
