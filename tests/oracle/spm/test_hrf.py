"""Responses, regressors, modulators, derivatives and cosine high-pass against SPM."""

from pathlib import Path

import numpy as np
import pytest

from phmri.firstlevel import clean
from phmri.firstlevel.task import (
    Modulator,
    TaskSettings,
    basis_functions,
    canonical_response,
    task_design,
    task_regressors,
    trial_design,
)
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

RUNS = ((135, 1.35), (200, 2.0), (250, 2.5))
CONDITIONS = ("block", "event", "mixed", "pmod")


@pytest.fixture(scope="module")
def spm():
    with np.load(Path(__file__).parent / "hrf_regressors.npz") as file:
        return {name: file[name] for name in file.files}


def events(spm, key):
    block, event = spm[f"tr{key}_block_ons"], spm["event_ons"]
    onset = np.concatenate([block, event, event[:3] + 45, block + 15])
    duration = np.concatenate(
        [np.full(3, float(spm["block_dur"])), np.zeros(6), spm["mixed_dur"], np.full(3, 6.0)]
    )
    kinds = ["block"] * 3 + ["event"] * 6 + ["mixed"] * 3 + ["pmod"] * 3
    load = np.full(15, np.nan)
    load[12:] = [1, 2, 4]
    return onset, duration, kinds, {"load": load}


def design(spm, key, t_r, hrf, reference_bin):
    settings = TaskSettings(
        hrf=hrf, modulators={"pmod": (Modulator(name="load"),)}, reference_bin=reference_bin
    )
    return task_design(
        *events(spm, key),
        settings=settings,
        conditions=CONDITIONS,
        t_r=t_r,
        n_volumes=int(spm[f"tr{key}_N"]),
    )


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_responses(spm, key, t_r):
    micro = canonical_response(t_r)
    np.testing.assert_allclose(micro, spm[f"tr{key}_hrf_micro"], atol=1e-10)
    scans = micro[::16] / micro[::16].sum()
    np.testing.assert_allclose(scans, spm[f"tr{key}_hrf_scan"], atol=1e-10)
    basis = basis_functions("canonical_derivatives", t_r)
    np.testing.assert_allclose(basis, spm[f"tr{key}_basis"], atol=1e-10)


@pytest.mark.parametrize(("key", "t_r"), RUNS)
@pytest.mark.parametrize("reference_bin", [1, 8])
def test_designs(spm, key, t_r, reference_bin):
    """Blocks, events, both, a modulator; response and two derivatives; either reference bin."""
    ours = design(spm, key, t_r, "canonical_derivatives", reference_bin)
    expected = spm[f"tr{key}_T0_{reference_bin}_X"][:, :-1]
    np.testing.assert_allclose(ours.X, expected, atol=1e-10)
    assert ours.condition_columns["pmod:load"] == (12, 13, 14)
    assert ours.columns[3:5] == ("task_event", "task_event_derivative")


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_stimulus_functions(spm, key, t_r):
    """SPM's include 32 bins before the first scan; ours begin with it."""
    ours = design(spm, key, t_r, "canonical", 8)
    np.testing.assert_allclose(ours.stimulus, spm[f"tr{key}_u_micro"][32:, :4], atol=1e-10)


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_plain_regressors_and_the_sum_of_single_trials(spm, key, t_r):
    onset, duration, kinds, _ = events(spm, key)
    n_volumes = int(spm[f"tr{key}_N"])
    X, names = task_regressors(
        onset, duration, kinds, conditions=CONDITIONS[:3], t_r=t_r, n_volumes=n_volumes
    )
    assert names == ("task_block", "task_event", "task_mixed")
    np.testing.assert_allclose(X, spm[f"tr{key}_T0_8_X"][:, :9:3], atol=1e-10)
    trials = trial_design(
        onset,
        duration,
        kinds,
        settings=TaskSettings(),
        conditions=CONDITIONS[:3],
        t_r=t_r,
        n_volumes=n_volumes,
    )
    own = np.array([[kind == name for name in CONDITIONS[:3]] for kind in trials.trial_type])
    np.testing.assert_allclose(trials.X @ own, spm[f"tr{key}_T0_8_X"][:, :9:3], atol=1e-10)


@pytest.mark.parametrize(("key", "t_r"), RUNS)
@pytest.mark.parametrize("cutoff", [100, 128, 256])
def test_cosines(spm, key, t_r, cutoff):
    """The filter's columns and the constant span what SPM's cosines and constant span."""
    setting = Denoising(strategy="none", highpass_hz=1 / cutoff)
    cosines = spm[f"tr{key}_dct_{cutoff}"]
    cleaning = make_cleaning(setting, None, n_volumes=cosines.shape[0], t_r=t_r)
    both = np.column_stack([np.ones(cosines.shape[0]), cosines])
    np.testing.assert_allclose(
        cleaning.basis @ cleaning.basis.T, both @ np.linalg.pinv(both), atol=1e-10
    )


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_highpass_of_128_s(spm, key, t_r):
    """SPM's filter leaves the constant in; ours takes it out in the same projection."""
    series, expected = spm[f"tr{key}_filt_in"], spm[f"tr{key}_filt_out"]
    setting = Denoising(strategy="none", highpass_hz=1 / 128)
    cleaning = make_cleaning(setting, None, n_volumes=series.shape[0], t_r=t_r)
    np.testing.assert_allclose(
        clean(cleaning, series), expected - expected.mean(axis=0), atol=1e-10
    )
    assert cleaning.df == series.shape[0] - 1 - spm[f"tr{key}_dct_128"].shape[1]
