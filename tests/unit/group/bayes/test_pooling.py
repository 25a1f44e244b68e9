import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.bayes import partial_pooling

Y = np.array([0.675, 0.457, 0.069, 0.081, 0.356])
SE = np.array([0.155, 0.19, 0.135, 0.145, 0.158])


def correlated(rho):
    return np.outer(SE, SE) * (rho + (1.0 - rho) * np.eye(5))


def test_full_covariance_against_a_grid():
    S = correlated(0.5)
    found = partial_pooling(Y, S, prior="half_cauchy", scale=0.25)
    tau = (np.arange(4000) + 0.5) * 20.0 / 4000
    ones = np.ones(5)
    logs, means, variances = [], [], []
    for x in tau:
        precision = np.linalg.inv(S + x**2 * np.eye(5))
        information = ones @ precision @ ones
        mu = ones @ precision @ Y / information
        r = Y - mu
        logs.append(
            0.5 * np.linalg.slogdet(precision)[1]
            - 0.5 * np.log(information)
            - 0.5 * r @ precision @ r
            - np.log1p((x / 0.25) ** 2)
        )
        means.append(Y - S @ precision @ r)
        pull = S @ precision @ ones
        variances.append(np.diag(S - S @ precision @ S) + pull**2 / information)
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    mean = weight @ np.array(means)
    assert_allclose(found.effect, mean, rtol=1e-4)
    sd = np.sqrt(weight @ (np.array(variances) + (np.array(means) - mean) ** 2))
    assert_allclose(found.sd, sd, rtol=1e-4)
    assert_allclose(found.spread, weight @ tau, rtol=1e-4)


def test_correlation_leaves_the_common_mean_less_certain():
    sds = [
        partial_pooling(Y, correlated(rho), prior="half_cauchy", scale=0.25).common_sd
        for rho in (0.0, 0.4, 0.8)
    ]
    assert sds[0] < sds[1] < sds[2]


def test_a_narrow_prior_pools_completely():
    found = partial_pooling(Y, np.diag(SE**2), prior="uniform", scale=1e-6)
    weight = SE**-2.0 / (SE**-2.0).sum()
    assert_allclose(found.effect, weight @ Y, rtol=1e-6)
    assert_allclose(found.common, weight @ Y, rtol=1e-6)
    assert_allclose(found.sd, (SE**-2.0).sum() ** -0.5, rtol=1e-6)


def test_order_and_unit_do_not_matter():
    S = correlated(0.3)
    one = partial_pooling(Y, S, prior="half_cauchy", scale=0.25)
    other = partial_pooling(100.0 * Y[::-1], 1e4 * S[::-1, ::-1], prior="half_cauchy", scale=25.0)
    assert_allclose(other.effect[::-1], 100.0 * one.effect, rtol=1e-10)
    assert_allclose(other.spread_median, 100.0 * one.spread_median, rtol=1e-10)


@pytest.mark.parametrize(
    ("effect", "covariance", "scale", "field"),
    [
        (Y[:1], np.eye(1), 1.0, "effect"),
        (Y * np.nan, np.eye(5), 1.0, "effect, covariance"),
        (Y, -np.eye(5), 1.0, "covariance"),
        (Y, np.eye(5) + np.eye(5, k=1), 1.0, "covariance"),
        (Y, np.eye(5), 0.0, "scale"),
    ],
)
def test_misuse_is_refused(effect, covariance, scale, field):
    with pytest.raises(DesignError) as error:
        partial_pooling(effect, covariance, prior="uniform", scale=scale)
    assert field in {p.field for p in error.value.problems}
