import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import phmri.group.bayes
from phmri.exceptions import DesignError
from phmri.group.bayes import (
    adjusted_bayes_factor,
    bayesian_information,
    bic_bayes_factor,
    interval_bayes_factor,
    jzs_bayes_factor,
)

SCALE = 2.0**-0.5


NODES, WEIGHTS = np.polynomial.legendre.leggauss(300)


def likelihood(delta, t, N, nu):
    """Noncentral over central t density, by the chi distribution of the standard deviation."""
    half = 0.5 * (np.sqrt(nu + 1.0) + 10.0)
    s = half * (NODES + 1.0)
    mu = delta[:, None] * np.sqrt(N)
    exponent = t * mu * s / np.sqrt(nu + t**2) - 0.5 * mu**2
    return half * np.exp(exponent) @ (WEIGHTS * stats.chi.pdf(s, nu + 1.0))


def area(low, high, t, N, nu):
    half = 0.5 * (high - low)
    delta = low + half * (NODES + 1.0)
    prior = stats.cauchy.pdf(delta, 0.0, SCALE)
    return half * WEIGHTS @ (likelihood(delta, t, N, nu) * prior)


@pytest.mark.parametrize(
    ("t", "N", "nu"), [(0.0, 12.5, 48.0), (-3.0, 6.0, 20.0), (2.0, 60.0, 99.0)]
)
def test_against_integration_over_the_effect(t, N, nu):
    given, far = np.array([t]), 2.0 + 14.0 / np.sqrt(N)
    below, above = area(-far, 0.0, t, N, nu), area(0.0, far, t, N, nu)
    assert_allclose(adjusted_bayes_factor(given, N, nu), below + above, rtol=1e-8)
    for alternative, half in (("greater", above), ("less", below)):
        found = adjusted_bayes_factor(given, N, nu, alternative=alternative)
        assert_allclose(found, 2.0 * half, rtol=1e-8)
    inside = area(-0.3, 0.3, t, N, nu)
    prior = 2.0 / np.pi * np.arctan(0.3 / SCALE)
    want = inside / (below + above - inside) * (1.0 - prior) / prior
    assert_allclose(interval_bayes_factor(given, N, nu, bound=0.3), want, rtol=1e-7)


def test_both_directions_average_to_the_two_sided():
    t = np.linspace(-6.0, 9.0, 31)
    up, down = (jzs_bayes_factor(t, 14, 11, alternative=a) for a in ("greater", "less"))
    assert_allclose((up + down) / 2.0, jzs_bayes_factor(t, 14, 11), rtol=1e-12)


def test_outcomes_may_differ_in_numbers_and_be_absent():
    t = np.array([2.0, np.nan, 2.0])
    found = adjusted_bayes_factor(t, np.array([12.5, np.nan, 6.0]), np.array([48.0, 48.0, 22.0]))
    assert_allclose(found[0], jzs_bayes_factor(t[:1], 25, 25)[0])
    assert_allclose(found[2], jzs_bayes_factor(t[:1], 12, 12)[0])
    assert np.isnan(found[1])
    inside = interval_bayes_factor(t, 12.5, 48.0, bound=0.3)
    assert np.isnan(inside[1])
    assert np.isfinite(inside[[0, 2]]).all()


def test_overwhelming_evidence_is_a_number():
    found = jzs_bayes_factor(np.array([1e4]), 900)
    assert np.isfinite(found[0])
    assert found[0] > 1e300


def test_an_effect_that_is_surely_inside_has_a_lower_bound():
    found = interval_bayes_factor(np.array([0.0]), 600.0, 1200.0, bound=1.0)
    assert 1e6 < found[0] < np.inf


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: jzs_bayes_factor(np.array([np.inf]), 12), "t"),
        (lambda: jzs_bayes_factor(np.array([1.0]), 1), "df"),
        (lambda: jzs_bayes_factor(np.array([1.0]), 12, scale=0.0), "scale"),
        (lambda: adjusted_bayes_factor(np.array([1.0]), -1.0, 4.0), "n_effective"),
        (lambda: interval_bayes_factor(np.array([1.0]), 9.0, 8.0, bound=0.0), "bound"),
        (lambda: bayesian_information(np.array([0.0]), 10, 3), "residual_ss"),
        (lambda: bayesian_information(np.array([1.0]), 3, 3), "n_columns"),
    ],
)
def test_misuse_is_refused(call, field):
    with pytest.raises(DesignError) as error:
        call()
    assert field in {p.field for p in error.value.problems}


def test_a_bound_too_far_out_is_refused():
    with pytest.raises(DesignError, match="at most 25 standard errors"):
        interval_bayes_factor(np.array([1.0]), 9.0, 8.0, bound=9.0)


def test_equal_fits_favour_the_smaller_model_by_root_n():
    small, large = (bayesian_information(np.array([7.0]), 49, p) for p in (3, 4))
    assert_allclose(bic_bayes_factor(small, large), 7.0)
    assert np.isfinite(bic_bayes_factor(small - 1e6, large))


def test_public_names():
    names = phmri.group.bayes.__all__
    assert names == sorted(names, key=lambda n: (n[0].islower(), n))
    assert all(hasattr(phmri.group.bayes, name) for name in names)
