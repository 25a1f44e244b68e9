"""What is of no interest in a run, as numbers; and whether it differs between treatments."""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from phmri.dataset import Confounds
from phmri.group import UnitTable, make_unit_design
from phmri.pipeline._beside import test_nuisance as judge_nuisance
from phmri.pipeline._loading import MeasuredRun
from phmri.pipeline._nuisance_summary import summarise_nuisance
from phmri.pipeline._run_data import RunData
from phmri.protocol import Protocol
from phmri.report import NuisanceContent
from tests.unit.pipeline.measured_trial import (
    CROSSED,
    N_VOLUMES,
    T_R,
    document,
    infusion,
    make_job,
    make_run,
    question,
)

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
AFTER = (np.arange(N_VOLUMES) + 0.5) * T_R / 60 > 1.0
ALWAYS = ("global_signal", "white_matter", "csf", "framewise_displacement", "std_dvars")
RESPONSE = ", response to the infusion (SD)"
WHITE = {"noise": {"kind": "white"}, "sensitivity": []}


def motion(rng: np.random.Generator, names: tuple[str, ...] = MOTION) -> dict[str, np.ndarray]:
    """Give motion that drifts slowly, as heads do."""
    noise = rng.normal(size=(N_VOLUMES, len(names)))
    for volume in range(1, N_VOLUMES):
        noise[volume] += 0.6 * noise[volume - 1]
    return dict(zip(names, noise.T, strict=True))


def data_of(
    root: Path,
    columns: Mapping[str, np.ndarray] | None,
    *,
    measures: Mapping[str, object] | None = None,
    denoising: Mapping[str, object] | None = None,
    physio: tuple[Path, ...] = (),
) -> RunData:
    measures = measures or {"bins": infusion(**WHITE)}
    content = document(measures=measures, questions={"it": question(next(iter(measures)))})
    content["denoising"] |= denoising or {}
    job = make_job(Protocol.model_validate(json.loads(json.dumps(content))), root)
    job = replace(job, run=replace(job.run, physio=physio))
    return RunData(job=job, confounds=None if columns is None else confounds(columns))


def confounds(columns: Mapping[str, np.ndarray]) -> Confounds:
    values = np.column_stack(list(columns.values()))
    return Confounds(names=tuple(columns), values=values, metadata={}, path="confounds.tsv")


# --------------------------------------------------------------------------------------- levels
def test_levels_are_means_of_what_is_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = motion(rng) | {
        "framewise_displacement": np.r_[np.nan, rng.uniform(0.1, 0.3, N_VOLUMES - 1)],
        "std_dvars": np.r_[np.nan, rng.uniform(0.9, 1.1, N_VOLUMES - 1)],
        "global_signal": 1000 + rng.normal(0, 5, N_VOLUMES),
    }
    found = summarise_nuisance(data_of(tmp_path, columns))
    signal = columns["global_signal"]
    expected = {
        "framewise displacement, mean (mm)": np.nanmean(columns["framewise_displacement"]),
        "standardised DVARS, mean": np.nanmean(columns["std_dvars"]),
        "global signal, SD (% of its mean)": 100 * signal.std() / signal.mean(),
    }
    for name, number in expected.items():
        assert_allclose(found[name], number, rtol=1e-12)


def test_columns_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    columns = motion(np.random.default_rng(0)) | {
        "framewise_displacement": np.full(N_VOLUMES, 0.1),
        "std_dvars": np.where(np.arange(N_VOLUMES) < 20, np.nan, 1.0 + AFTER),
        "global_signal": np.random.default_rng(1).normal(0, 1, N_VOLUMES) - 50.0,
    }
    found = summarise_nuisance(data_of(tmp_path, columns))
    names = {name.removesuffix(RESPONSE) for name in found}
    assert names == {*MOTION, "global_signal"}  # whose mean is below 0: no % of it


def test_no_confounds_no_summary(tmp_path: Path) -> None:
    raw = {"bins": infusion(**WHITE, denoising="raw")}
    data = data_of(tmp_path, None, measures=raw, denoising={"raw": {"strategy": "none"}})
    assert summarise_nuisance(data) == {}


# ------------------------------------------------------------------------------------ responses
def following(rng: np.random.Generator, effect: float) -> dict[str, np.ndarray]:
    columns = motion(rng, (*MOTION, *ALWAYS))
    columns["trans_z"] = columns["trans_z"] + effect * AFTER
    return columns


def test_regressor_that_is_the_response(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    columns = motion(rng)
    columns["trans_z"] = 5.0 + 0.1 * AFTER + rng.normal(0, 1e-5, N_VOLUMES)
    columns["white_matter"] = 3.0 - 0.2 * AFTER + rng.normal(0, 1e-5, N_VOLUMES)
    found = summarise_nuisance(data_of(tmp_path, columns))
    # A step of one half and one half of the run has a height of two SD.
    assert_allclose(found[f"trans_z{RESPONSE}"], 2.0, atol=1e-3)
    assert_allclose(found[f"white_matter{RESPONSE}"], -2.0, atol=1e-3)
    assert max(abs(found[f"{name}{RESPONSE}"]) for name in MOTION if name != "trans_z") < 1.9


def test_response_of_white_noise_is_least_squares(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    columns = {name: rng.normal(size=N_VOLUMES) for name in MOTION}
    step = {"step": infusion(**WHITE, response={"model": "step"})}
    found = summarise_nuisance(data_of(tmp_path, columns, measures=step))
    for name in MOTION:
        y = (columns[name] - columns[name].mean()) / columns[name].std()
        expected = y[AFTER].mean() - y[~AFTER].mean()
        assert_allclose(found[f"{name}{RESPONSE}"], expected, atol=0.12)  # an AR(1) was fitted


def test_leading_volumes_do_not_shift_the_clock(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    columns = motion(rng)
    columns["trans_z"] = 0.1 * AFTER + rng.normal(0, 1e-4, N_VOLUMES)
    for number in range(3):
        outlier = np.zeros(N_VOLUMES)
        outlier[number] = 1.0
        columns[f"non_steady_state_outlier{number:02d}"] = outlier
    data = data_of(tmp_path, columns)
    assert data.nuisance("motion").first_volume == 3
    found = summarise_nuisance(data)
    assert set(found) == {f"{name}{RESPONSE}" for name in MOTION}
    assert_allclose(found[f"trans_z{RESPONSE}"], 2.0, rtol=0.05)


def test_every_regressor_of_every_denoising(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    columns = motion(rng) | {name: rng.normal(size=N_VOLUMES) for name in ("csf", "white_matter")}
    columns["framewise_displacement"] = np.r_[np.nan, rng.uniform(0.1, 0.9, N_VOLUMES - 1)]
    tissue = {"bins": infusion(noise={"kind": "white"}, sensitivity=["tissue"])}
    data = data_of(
        tmp_path,
        columns,
        measures=tissue,
        denoising={
            "tissue": {
                "strategy": "6motion_wmcsf", "censor": {"fd_mm": 0.85}
            }
        },
    )  # fmt: skip
    names = {name.removesuffix(RESPONSE) for name in summarise_nuisance(data)}
    assert names == {
        *MOTION, "csf", "white_matter", "framewise_displacement",
        "framewise displacement, mean (mm)",
    }  # fmt: skip


@pytest.mark.parametrize(
    "measure",
    [
        {"kind": "alff", "scan": "rest", "denoising": "motion", "band_hz": [0.01, 0.1]},
        infusion(
            sensitivity=[],
            response={
                "model": "response_family", "onset_min": [0, 0.2], "delay_min": [0.2, 0.5],
                "shape": [1, 4],
            },
        ),
    ],
)  # fmt: skip
def test_no_linear_response_no_following(tmp_path: Path, measure: dict) -> None:
    columns = motion(np.random.default_rng(0))
    columns["framewise_displacement"] = np.linspace(0.1, 0.3, N_VOLUMES)
    found = summarise_nuisance(data_of(tmp_path, columns, measures={"it": measure}))
    assert found == {"framewise displacement, mean (mm)": pytest.approx(0.2)}


# ----------------------------------------------------------------------------------- physiology
def recording(root: Path, *, start_s: float = -2.0, columns: str = "cardiac respiratory") -> Path:
    """Write 72 beats and 15 breaths a minute."""
    times = start_s + np.arange(0, N_VOLUMES * T_R + 4, 0.04)
    since = times % (1 / 1.2)
    wave = {
        "cardiac": np.exp(-0.5 * ((since - 0.3) / 0.08) ** 2),
        "respiratory": np.cos(2 * np.pi * 0.25 * times),
    }
    names = columns.split()
    table = np.column_stack([wave[name] for name in names])
    path = root / "sub-01_task-rest_physio.tsv.gz"
    text = "\n".join("\t".join(f"{value:.5f}" for value in row) for row in table)
    path.write_bytes(gzip.compress(f"{text}\n".encode()))
    sidecar = {"SamplingFrequency": 25, "StartTime": start_s, "Columns": names}
    (root / "sub-01_task-rest_physio.json").write_text(json.dumps(sidecar))
    return path


def physiology(root: Path, path: Path) -> dict[str, float]:
    raw = {"slow": {"kind": "alff", "scan": "rest", "denoising": "raw", "band_hz": [0.01, 0.1]}}
    data = data_of(
        root, None, measures=raw, denoising={"raw": {"strategy": "none"}}, physio=(path,)
    )
    return summarise_nuisance(data)


def test_pulse_and_breathing(tmp_path: Path) -> None:
    found = physiology(tmp_path, recording(tmp_path))
    assert_allclose(found["heart rate (per min)"], 72, atol=0.5)
    assert_allclose(found["breathing rate (per min)"], 15, atol=0.5)
    assert found["heart rate, SD (per min)"] < 2
    assert set(found) == {
        "heart rate (per min)", "heart rate, SD (per min)", "breathing rate (per min)",
        "breathing volume per time (units of the device)",
    }  # fmt: skip


def test_only_what_was_recorded(tmp_path: Path) -> None:
    found = physiology(tmp_path, recording(tmp_path, columns="respiratory"))
    assert {name.split()[0] for name in found} == {"breathing"}


def spoil(path: Path) -> Path:
    path.write_bytes(b"not compressed")
    return path


@pytest.mark.parametrize(
    "write",
    [lambda root: recording(root, start_s=30.0), lambda root: spoil(recording(root))],
    ids=["begins too late", "broken"],
)
def test_unusable_recording_is_no_error(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    assert physiology(tmp_path, write(tmp_path)) == {}


# ---------------------------------------------------------------------------------- the drug
def judged(root: Path, rng: np.random.Generator, effect: float) -> dict[str, NuisanceContent]:
    """Simulate a crossover in which trans_z steps under the drug; test every regressor."""
    protocol = Protocol.model_validate(document())
    table = UnitTable(
        subjects=tuple(CROSSED), groups=tuple(CROSSED.values()), strata=("",) * len(CROSSED),
        covariates={},
    )  # fmt: skip
    design = make_unit_design(
        protocol.questions["it"], protocol.design, table, min_per_group=2, present=None
    )
    job = data_of(root, None).job

    def run(height: float) -> MeasuredRun:
        data = RunData(job=job, confounds=confounds(following(rng, height)))
        return make_run(job, nuisance=summarise_nuisance(data))

    runs = {
        role: [run(height) for _ in CROSSED]
        for role, height in (("first", effect), ("second", 0.0))
    }
    rows = judge_nuisance(design, runs, 0.95)
    return {row.name.removesuffix(RESPONSE): row for row in rows if RESPONSE in row.name}


def test_motion_that_follows_the_drug_is_seen(tmp_path: Path) -> None:
    found = judged(tmp_path, np.random.default_rng(6), effect=3.0)
    assert set(found) == {*MOTION, *ALWAYS}
    moved = found.pop("trans_z")
    assert moved.pvalue < 0.001
    assert 0 < moved.ci_low < moved.effect < moved.ci_high < 2
    assert min(row.pvalue for row in found.values()) > 0.05 / len(found)


def test_nothing_follows_more_often_than_alpha(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    pvalues = [row.pvalue for _ in range(19) for row in judged(tmp_path, rng, effect=0.0).values()]
    assert len(pvalues) == 209
    found = sum(pvalue <= 0.05 for pvalue in pvalues)
    low, high = scipy.stats.binom.interval(0.95, len(pvalues), 0.05)
    assert low <= found <= high
    assert scipy.stats.kstest(pvalues, "uniform").pvalue > 0.01


def test_volumes_before_the_steady_state_are_no_response(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    columns = motion(rng) | {
        "global_signal": 1000 + 10 * AFTER + rng.normal(0, 1, N_VOLUMES),
        "framewise_displacement": np.full(N_VOLUMES, 0.1) + rng.uniform(0, 0.1, N_VOLUMES),
    }
    steady = summarise_nuisance(data_of(tmp_path / "a", columns))
    leading = np.arange(N_VOLUMES) < 3
    columns["global_signal"] = np.where(leading, 1600.0, columns["global_signal"])
    columns["framewise_displacement"] = np.where(leading, 5.0, columns["framewise_displacement"])
    marks = {
        f"non_steady_state_outlier0{k}": (np.arange(N_VOLUMES) == k).astype(float)
        for k in range(3)
    }
    found = summarise_nuisance(data_of(tmp_path / "b", columns | marks))
    assert found.keys() == steady.keys()
    for name in ("global signal, SD (% of its mean)", f"global_signal{RESPONSE}"):
        assert_allclose(found[name], steady[name], rtol=0.15)
    assert found["framewise displacement, mean (mm)"] < 0.2


def test_a_confound_that_varies_only_before_the_steady_state_is_left_out(tmp_path: Path) -> None:
    columns = motion(np.random.default_rng(4))
    columns["csf"] = np.where(np.arange(N_VOLUMES) < 2, 7.0, 5.0)
    late = {"motion": {"strategy": "6motion", "discard_volumes": 3}}
    found = summarise_nuisance(data_of(tmp_path, columns, denoising=late))
    assert f"csf{RESPONSE}" not in found
    assert {f"{name}{RESPONSE}" for name in MOTION} <= found.keys()
