"""Deconvolution, interaction, psychological and physiological columns against SPM."""

from pathlib import Path

import numpy as np
import pytest

from phmri.firstlevel.ppi import deconvolve, interactions, ppi_design
from phmri.firstlevel.ppi._deconvolution import unexplained
from phmri.firstlevel.task import (
    TaskSettings,
    canonical_response,
    sampled_convolution,
    task_design,
)

SETS = ("tr200", "tr135", "t0one")


@pytest.fixture(scope="module", params=SETS)
def spm(request):
    with np.load(Path(__file__).parent / f"ppi_{request.param}.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def task(spm):
    labels = [name[-1] for name in spm if name.startswith("in_onsets_")]
    onsets = [spm[f"in_onsets_{label}"] for label in labels]
    return task_design(
        np.concatenate(onsets),
        np.concatenate([spm[f"in_durations_{label}"] for label in labels]),
        [label for label, own in zip(labels, onsets, strict=True) for _ in own],
        {},
        settings=TaskSettings(reference_bin=int(spm["in_T0"])),
        conditions=labels,
        t_r=float(spm["in_TR"]),
        n_volumes=spm["in_y"].size,
    )


@pytest.fixture(scope="module")
def neural(spm):
    return deconvolve(
        spm["mid_y_whitened_filtered"][:, None],
        spm["mid_X0"],
        t_r=float(spm["in_TR"]),
        whitening=spm["in_W"],
    )


def close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=0, atol=5e-5 * np.abs(expected).max())


def test_neural_signal(spm, neural):
    close(neural[:, 0], spm["out_neural"])


def test_stimulus_functions(spm, task):
    np.testing.assert_array_equal(task.stimulus, spm["mid_stick_microtime"])


def test_interactions(spm, task, neural):
    ours = interactions(
        neural, task.stimulus, t_r=float(spm["in_TR"]), reference_bin=int(spm["in_T0"])
    )
    close(ours[:, 0], spm["out_ppi"])
    close(ours[:, 0, 1] - ours[:, 0, 0], spm["out_ppi_c2_minus_c1"])


def test_psychological_column(spm, task):
    """SPM convolves the centred function; our model holds the task's own columns instead."""
    convolution = sampled_convolution(
        canonical_response(float(spm["in_TR"])),
        spm["in_y"].size,
        sample_bin=int(spm["in_T0"]) - 1,
    )
    centred = task.stimulus - task.stimulus.mean(axis=0)
    np.testing.assert_allclose(convolution @ centred, spm["out_psy"], rtol=0, atol=1e-10)


def test_physiological_column(spm):
    ours = unexplained(spm["mid_y_whitened_filtered"][:, None], spm["mid_X0"])
    np.testing.assert_allclose(ours[:, 0], spm["out_Y"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("spm", ["tr200"], indirect=True)
def test_the_whole_design(spm, task):
    """The set that SPM was given without whitening."""
    assert np.ptp(spm["in_W"] - np.eye(len(spm["in_W"]))) == 0
    series = spm["mid_y_whitened_filtered"][:, None]
    design = ppi_design(series, task, names=["seed"], nuisance=spm["mid_X0"])
    np.testing.assert_allclose(design.physiological[:, 0], spm["out_Y"], rtol=0, atol=1e-10)
    close(design.interaction[:, 0], spm["out_ppi"])
    assert design.conditions == ("1", "2", "3")
