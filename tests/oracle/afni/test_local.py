"""Regional homogeneity and amplitudes against AFNI's 3dReHo and 3dRSFC."""

from pathlib import Path

import numpy as np
import pytest

from phmri.firstlevel.local import alff, falff, reho
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

BAND = (0.01, 0.1)


@pytest.fixture(scope="module")
def afni():
    with np.load(Path(__file__).parent / "local_afni.npz") as file:
        return {name: file[name] for name in file.files}


def cleaning_of(afni, trend):
    n = afni["in_bold"].shape[0]
    x = np.linspace(-1, 1, n)
    extra = np.column_stack([x, x**2]) if trend == "quadratic" else np.empty((n, 0))
    names = ("linear", "quadratic")[: extra.shape[1]]
    return make_cleaning(
        Denoising(strategy="none"),
        None,
        n_volumes=n,
        t_r=float(afni["in_TR"]),
        extra=extra,
        extra_names=names,
    )


@pytest.mark.parametrize("neighbours", [7, 19, 27])
def test_reho(afni, neighbours):
    series = np.rint(1e4 * afni["in_bold"].astype(float))
    result = reho(cleaning_of(afni, "demean"), series, afni["mask"], neighbours=neighbours)
    whole = afni["whole_neighbourhood"]
    assert whole.sum() > 30
    expected = afni[f"out_reho{neighbours}"][whole]
    np.testing.assert_allclose(result.values[whole], expected, atol=1e-6)


@pytest.mark.parametrize("trend", ["demean", "quadratic"])
@pytest.mark.parametrize(("measure", "name"), [(alff, "ALFF"), (falff, "fALFF")])
def test_amplitudes(afni, trend, measure, name):
    result = measure(
        cleaning_of(afni, trend), afni["in_bold"], t_r=2.0, band_hz=BAND, definition="afni"
    )
    np.testing.assert_allclose(result.values, afni[f"out_{trend}_{name}"], rtol=1e-5)
