import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from phmri.exceptions import DesignError
from phmri.group.reliability import (
    bland_altman,
    crossed_components,
    intraclass_correlation,
    largest_correlation,
    reliability_of_difference,
)


def simulated(seed, n=8, k=3, n_outcomes=5, *, participant=1.0, session=0.5):
    rng = np.random.default_rng(seed)
    return (
        100.0
        + participant * rng.standard_normal((n, 1, n_outcomes))
        + session * rng.standard_normal((1, k, n_outcomes))
        + rng.standard_normal((n, k, n_outcomes))
    )


def restricted_likelihood(logs, y):
    """Give -2 REML log likelihood of crossed effects from the marginal covariance."""
    n, k = y.shape
    participant, session, error = np.exp(logs)
    V = (
        participant * np.kron(np.eye(n), np.ones((k, k)))
        + session * np.kron(np.ones((n, n)), np.eye(k))
        + error * np.eye(n * k)
    )
    one, inverse = np.ones(n * k), np.linalg.inv(V)
    precision = one @ inverse @ one
    rest = y.ravel() - one @ inverse @ y.ravel() / precision
    return np.linalg.slogdet(V)[1] + np.log(precision) + rest @ inverse @ rest


def test_a_map_is_its_outcomes_one_by_one():
    values = simulated(0)
    whole = intraclass_correlation(values)
    for v in range(values.shape[2]):
        alone = intraclass_correlation(values[:, :, v : v + 1])
        for name in ("icc", "low", "high", "f", "pvalue"):
            assert_allclose(getattr(whole, name)[:, v], getattr(alone, name)[:, 0], rtol=1e-12)
    assert np.all((whole.low < whole.icc) & (whole.icc < whole.high))


def test_averages_are_what_spearman_and_brown_say_and_units_do_not_count():
    values = simulated(1)
    found, scaled = intraclass_correlation(values), intraclass_correlation(-3 * values + 7)
    assert_allclose(found.icc[3:], 3 * found.icc[:3] / (1 + 2 * found.icc[:3]), rtol=1e-12)
    assert_allclose(scaled.icc, found.icc, rtol=1e-9)
    assert_allclose(scaled.smallest_change, 3 * found.smallest_change, rtol=1e-9)


def test_consistency_leaves_out_what_sessions_share_and_agreement_does_not():
    values = simulated(2, participant=2.0, session=0.0)
    shifted = values + np.array([0.0, 5.0, -5.0])[None, :, None]
    before, after = intraclass_correlation(values), intraclass_correlation(shifted)
    assert_allclose(after.icc[2], before.icc[2], rtol=1e-9)
    assert np.all(after.icc[1] < before.icc[1] - 0.1)


def test_no_error_is_perfect_and_no_variance_is_no_reliability():
    people = np.arange(6.0)[:, None, None]
    values = np.concatenate([people + np.zeros((1, 3, 1)), np.full((6, 3, 1), 0.1)], axis=2)
    found = intraclass_correlation(values)
    assert_array_equal(found.icc[:, 0], np.ones(6))
    assert_array_equal(found.low[:, 0], np.ones(6))
    assert_array_equal(found.high[:, 0], np.ones(6))
    assert np.isnan(found.icc[:, 1]).all()
    assert_array_equal(found.status, [0, 3])
    components = crossed_components(values)
    assert_array_equal(components.status, [1, 3])
    assert components.agreement[0] == 1
    assert np.isnan(components.agreement[1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("participant", "session"), [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0)])
def test_components_maximise_the_restricted_likelihood(seed, participant, session):
    values = simulated(seed, n=5, n_outcomes=1, participant=participant, session=session)
    found = crossed_components(values)
    y = values[:, :, 0] - 100
    here = np.log(np.maximum([found.participant[0], found.session[0], found.residual[0]], 1e-12))
    best = min(
        (
            optimize.minimize(
                restricted_likelihood, start, (y,), method="L-BFGS-B", bounds=[(-27.7, 5)] * 3
            )
            for start in ((0.0, 0.0, 0.0), (-9.0, -1.0, 0.0), (-1.0, -9.0, 0.0))
        ),
        key=lambda fit: fit.fun,
    )
    assert_allclose(restricted_likelihood(here, y), best.fun, atol=1e-6)
    assert_allclose(np.exp(here), np.exp(best.x), rtol=5e-3, atol=1e-4)


def test_components_of_the_inside_are_those_of_the_mean_squares():
    values = simulated(5, n=40, n_outcomes=20, participant=2.0, session=2.0)
    found, squares = crossed_components(values), intraclass_correlation(values)
    inside = found.status == 0
    assert inside.sum() > 10
    assert_allclose(found.agreement[inside], squares.icc[1, inside], rtol=1e-9)
    assert_allclose(found.consistency[inside], squares.icc[2, inside], rtol=1e-9)


def test_limits_of_agreement_are_of_second_minus_first():
    rng = np.random.default_rng(6)
    first = rng.standard_normal((30, 4))
    second = first + 2 + 0.5 * rng.standard_normal((30, 4))
    found, back = bland_altman(first, second), bland_altman(second, first)
    assert_allclose(found.bias, -back.bias)
    assert_allclose(found.limits, -back.limits[::-1])
    assert np.all(np.abs(found.bias - 2) < 0.5)
    assert np.all(found.limits_interval[1, 0] < found.limits[1])
    assert_allclose(found.bias_interval.mean(axis=0), found.bias)


def test_what_is_wrong_is_told_at_once():
    values = simulated(0, k=1)
    values[0, 0, 0] = np.nan
    with pytest.raises(DesignError) as caught:
        intraclass_correlation(values, confidence=1.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError, match="too few sessions"):
        crossed_components(values)
    with pytest.raises(DesignError, match="sessions of different shape") as caught:
        bland_altman(np.zeros((2, 1)), np.full((3, 1), np.nan))
    assert len(caught.value.problems) == 3


def test_difference_and_ceiling():
    assert reliability_of_difference(0.7, 0.7, 0.5) == pytest.approx(0.4)
    assert largest_correlation(0.6, 0.7) == pytest.approx(0.648, abs=5e-4)
    with pytest.raises(DesignError) as caught:
        reliability_of_difference(1.2, 0.7, 2.0, sd_first=0.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError, match="does not vary"):
        reliability_of_difference(0.7, 0.7, 1.0)
    with pytest.raises(DesignError, match="second"):
        largest_correlation(0.5, -0.1)
