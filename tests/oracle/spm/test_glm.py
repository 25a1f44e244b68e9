"""SPM's first level: T, F, betas and residual variance given its whitening, and its ReML."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, fit_glm
from phmri.firstlevel.glm._reml import estimate_covariance, root_of_precision

SPM = np.load(Path(__file__).parent / "first_level.npz")
Y = SPM["in_bold"].astype(np.float64) * SPM["spm_gSF"]
X = SPM["spm_X"]
N_COLUMNS = X.shape[1] + SPM["spm_highpass"].shape[1]
EYE = np.eye(N_COLUMNS)
CONTRASTS = [
    Contrast(name="first", weights=EYE[:1]),
    Contrast(name="difference", weights=EYE[:1] - EYE[1:2]),
    Contrast(name="both", weights=EYE[:2]),
    *(Contrast(name=f"beta{j}", weights=EYE[j : j + 1]) for j in range(X.shape[1])),
]


def fit_as_spm(noise: Noise | GivenNoise):
    # SPM whitens first and takes the drift out of whitened data.
    drift = SPM["spm_highpass"]
    if isinstance(noise, GivenNoise):
        drift = np.linalg.solve(noise.values, drift)
    return fit_glm(Y, np.column_stack([X, drift]), CONTRASTS, noise=noise)


def noise_of(model: str) -> Noise | GivenNoise:
    if model == "none":
        return Noise(kind="white")
    if model == "AR1":
        return GivenNoise(kind="whitening", values=SPM["spm_AR1_W"].astype(np.float64))
    row = SPM["spm_FAST_V_row0"]  # its variance is not quite 1
    return GivenNoise(kind="whitening", values=root_of_precision(row) / np.sqrt(row[0]))


@pytest.mark.parametrize("model", ["none", "AR1", "FAST"])
def test_statistics_given_the_whitening(model):
    fit = fit_as_spm(noise_of(model))
    for row, name in enumerate(("first", "difference")):
        found = fit.contrasts[name]
        np.testing.assert_allclose(found.statistic, SPM[f"spm_{model}_T"][row], atol=1e-4)
        np.testing.assert_allclose(found.effect[0], SPM[f"spm_{model}_con"][row], atol=1e-5)
    np.testing.assert_allclose(
        fit.contrasts["both"].statistic, SPM[f"spm_{model}_F"], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(fit.noise["variance"], SPM[f"spm_{model}_ResMS"], rtol=1e-5)
    betas = [fit.contrasts[f"beta{j}"].effect[0] for j in range(X.shape[1])]
    np.testing.assert_allclose(betas, SPM[f"spm_{model}_beta"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(fit.df, SPM[f"spm_{model}_erdf"], rtol=1e-9)


def test_the_components_are_those_of_spm():
    k = np.arange(len(Y))
    expected = np.column_stack([(1 - k) * 0.2**k, (1 + k) * 0.2**k])
    # SPM takes the derivative as a difference.
    np.testing.assert_allclose(SPM["spm_AR1_Q_first_columns"], expected, atol=1e-3)


def test_reml_of_the_pooled_covariance():
    basis = scipy.linalg.orth(np.column_stack([X, SPM["spm_highpass"]]))
    found = estimate_covariance(SPM["spm_AR1_Cy"], basis)
    expected = SPM["spm_AR1_V_row0"]
    # SPM stops its iterations when the change is small, 0.3 % from where they end.
    np.testing.assert_allclose(found / found[0], expected / expected[0], atol=1e-3)
    components = np.linalg.lstsq(SPM["spm_AR1_Q_first_columns"], found, rcond=None)[0]
    np.testing.assert_allclose(components, SPM["spm_AR1_h"], rtol=0.02)


@pytest.mark.parametrize("noise", [Noise(kind="spm", scope="brain"), Noise(scope="brain")])
def test_statistics_with_noise_of_our_own(noise):
    fit = fit_as_spm(noise)
    for row, name in enumerate(("first", "difference")):
        ours, theirs = fit.contrasts[name].statistic, SPM["spm_AR1_T"][row]
        assert np.corrcoef(ours, theirs)[0, 1] > 0.9998
        assert 0.98 < ours.std() / theirs.std() < 1.02
