"""Our projection against AFNI 3dTproject: polynomials, motion, Fourier band-pass, censoring.

AFNI keeps Fourier bins strictly between rint((a - 1e-4 - df/6)/df) and rint((b + 1e-4 + df/6)/df).
Those columns and the polynomials are given as extra regressors, so that the same span is removed.
"""

from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import Confounds
from phmri.firstlevel import clean
from phmri.protocol import Censor, Denoising
from phmri.signals import make_cleaning

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@pytest.fixture(scope="module")
def afni():
    with np.load(Path(__file__).parent / "denoise_afni.npz") as file:
        return {name: file[name] for name in file.files}


def polynomials(n):
    x = np.linspace(-1, 1, n)
    return np.column_stack([x, 1.5 * x**2 - 0.5])


def fourier_outside(n, t_r, low, high):
    step = 1.0 / (n * t_r)
    first = int(np.rint((low - 1e-4 - step / 6) / step))
    last = int(np.rint((high + 1e-4 + step / 6) / step))
    time = np.arange(n)
    columns = []
    for k in range(1, n // 2 + 1):
        if first < k < last:
            continue
        columns.append(np.cos(2 * np.pi * k * time / n))
        if 2 * k != n:
            columns.append(np.sin(2 * np.pi * k * time / n))
    return np.column_stack(columns)


def cleaned(afni, extra, keep=None):
    bold, motion = afni["in_bold"].astype(float), afni["in_motion"]
    n = bold.shape[0]
    displacement = np.zeros(n) if keep is None else np.where(keep > 0, 0.0, 1.0)
    table = Confounds(
        names=(*MOTION, "framewise_displacement"),
        values=np.column_stack([motion, displacement]),
        metadata={},
        path="confounds.tsv",
    )
    setting = Denoising(strategy="6motion", censor=Censor(fd_mm=0.5), min_df=10)
    cleaning = make_cleaning(
        setting,
        table,
        n_volumes=n,
        t_r=float(afni["in_TR"]),
        extra=extra,
        extra_names=[f"e{i}" for i in range(extra.shape[1])],
    )
    coordinates = clean(cleaning, bold)
    basis = cleaning.basis
    series = basis @ coordinates if cleaning.kind == "keep" else coordinates
    return cleaning, series


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def test_polort_and_motion(afni):
    cleaning, series = cleaned(afni, polynomials(200))
    assert relative(series, afni["out_polort_motion"]) < 1e-3
    assert cleaning.df == 200 - 1 - 2 - 6


def test_censored_volumes_are_dropped(afni):
    cleaning, series = cleaned(afni, polynomials(200), afni["in_keep"])
    assert series.shape[0] == afni["out_censor_kill"].shape[0]
    assert relative(series, afni["out_censor_kill"]) < 1e-3
    assert cleaning.n_censored == 200 - afni["in_keep"].sum()


def test_bandpass_in_the_same_projection(afni):
    t_r = float(afni["in_TR"])
    extra = np.hstack([polynomials(200), fourier_outside(200, t_r, 0.01, 0.1)])
    _, series = cleaned(afni, extra)
    assert relative(series, afni["out_bandpass"]) < 2e-2


def test_bandpass_with_censoring(afni):
    t_r = float(afni["in_TR"])
    low, high = afni["in_censored_passband"]
    extra = np.hstack([polynomials(200), fourier_outside(200, t_r, float(low), float(high))])
    _, series = cleaned(afni, extra, afni["in_keep"])
    expected = afni["out_bandpass_censor_zero"][afni["in_keep"] > 0]
    assert relative(series, expected) < 2e-2
