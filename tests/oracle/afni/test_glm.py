"""3dREMLfit: t given its a and b, and with a and b of our own."""

from pathlib import Path

import numpy as np
import pytest

from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, fit_glm
from phmri.firstlevel.glm._arma import Arma
from phmri.firstlevel.glm._design import reduce_design

HERE = Path(__file__).parent
AFNI = np.load(HERE / "first_level.npz")
Y = np.load(HERE.parent / "spm" / "first_level.npz")["in_bold"].astype(np.float64)
X = AFNI["afni_X"]
A_AND_B = np.round(AFNI["afni_reml_var"][:2].astype(np.float64), 6)
FINE = np.round(AFNI["afni_grid5_var"][:2].astype(np.float64), 6)
EYE = np.eye(X.shape[1])
CONTRASTS = [
    Contrast(name="first", weights=EYE[:1]),
    Contrast(name="difference", weights=EYE[:1] - EYE[1:2]),
    *(Contrast(name=f"beta{j}", weights=EYE[j : j + 1]) for j in range(X.shape[1])),
]


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        (Noise(kind="white"), "ols"),
        (GivenNoise(kind="arma11", values=A_AND_B), "reml"),
    ],
)
def test_statistics_given_the_noise(noise, kind):
    fit = fit_glm(Y, X, CONTRASTS, noise=noise)
    for row, name in enumerate(("first", "difference")):
        np.testing.assert_allclose(
            fit.contrasts[name].statistic, AFNI[f"afni_{kind}_t"][row], atol=1e-3
        )
    betas = [fit.contrasts[f"beta{j}"].effect[0] for j in range(X.shape[1])]
    np.testing.assert_allclose(betas, AFNI[f"afni_{kind}_beta"], atol=2e-3)  # of a mean of 500


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_a_and_b_of_our_own(precision):
    fit = fit_glm(Y.astype(precision), X, CONTRASTS, noise=Noise(kind="arma11"))
    for row, name in enumerate(("first", "difference")):
        r = np.corrcoef(fit.contrasts[name].statistic, AFNI["afni_reml_t"][row])[0, 1]
        assert r > 0.998
    found = np.stack([fit.noise["a"], fit.noise["b"]])
    # Most voxels agree to a step of the finest grid of both; the others must be likelier here.
    close = (np.abs(found - FINE) < 0.03).all(axis=0)
    assert close.mean() > 0.93
    design, _ = reduce_design(X, [])
    e = Y - design.basis @ (design.basis.T @ Y)
    arma = Arma(design, None, n_voxels=Y.shape[1], dtype=np.dtype(np.float64))
    for v in np.flatnonzero(~close):
        ours, theirs = arma.criterion(e[:, [v]], np.stack([found[:, v], FINE[:, v]]))[:, 0]
        assert ours < theirs + 0.5  # a second optimum, a quarter of a unit of log-likelihood
