"""Haemodynamic response, task regressors and cosine high-pass against SPM."""

from pathlib import Path

import numpy as np
import pytest

from phmri.firstlevel import canonical_response, clean, task_regressors
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

RUNS = ((135, 1.35), (200, 2.0), (250, 2.5))


@pytest.fixture(scope="module")
def spm():
    with np.load(Path(__file__).parent / "hrf_spm.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_response(spm, key, t_r):
    np.testing.assert_allclose(canonical_response(t_r), spm[f"tr{key}_hrf_micro"], atol=1e-10)


@pytest.mark.parametrize(("key", "t_r"), RUNS)
def test_regressors_of_blocks_events_and_both(spm, key, t_r):
    """Blocks fill one bin more than expected; events without duration have height 1/bin."""
    block, event = spm[f"tr{key}_block_ons"], spm["event_ons"]
    onset = np.concatenate([block, event, event[:3] + 45])
    duration = np.concatenate([np.full(3, float(spm["block_dur"])), np.zeros(6), spm["mixed_dur"]])
    kinds = ["block"] * 3 + ["event"] * 6 + ["mixed"] * 3
    X, names = task_regressors(
        onset,
        duration,
        kinds,
        conditions=["block", "event", "mixed"],
        t_r=t_r,
        n_volumes=int(spm[f"tr{key}_N"]),
    )
    assert names == ("task_block", "task_event", "task_mixed")
    np.testing.assert_allclose(X, spm[f"tr{key}_X"], atol=1e-10)


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
