"""What holds of p-values from few shufflings, whatever the maxima."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.inference.tails._enough import monte_carlo_interval
from phmri.inference.tails._gamma import gamma_pvalue, gamma_pvalue_from_moments
from phmri.inference.tails._sequential import sequential_pvalue, stop_index
from phmri.inference.tails._tails import fit_tail, pvalue_in_tail

SHAPES = {
    "gumbel": lambda rng, n: rng.gumbel(size=n),
    "heavy": lambda rng, n: rng.standard_t(4, size=n),
    "bounded": lambda rng, n: rng.beta(2, 3, size=n),
    "counts": lambda rng, n: rng.poisson(40, size=n).astype(float),
    "mostly nothing": lambda rng, n: rng.exponential(size=n) * (rng.random(n) < 0.15),
    "constant": lambda rng, n: np.ones(n),
}
# the seed is part of the case: hypothesis shrinks it like the rest
nulls = st.builds(
    lambda shape, seed, n: SHAPES[shape](np.random.default_rng(seed), n),
    st.sampled_from(sorted(SHAPES)),
    st.integers(0, 10_000),
    st.sampled_from([20, 101, 500]),
)


def ladder(null):
    """Give values from below the least maximum to far beyond the largest, and the maxima."""
    reach = max(np.ptp(null), 1.0)
    return np.unique(np.append(null, np.linspace(null.min() - reach, null.max() + 5 * reach, 200)))


def assert_p_values_that_fall(pvalue):
    assert ((pvalue > 0) & (pvalue <= 1)).all()
    assert (np.diff(pvalue) <= 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(nulls)
def test_every_p_is_above_zero_and_falls_as_the_statistic_rises(null):
    values = ladder(null)
    assert_p_values_that_fall(pvalue_in_tail(fit_tail(null), values))
    assert_p_values_that_fall(gamma_pvalue(null, values))
    assert_p_values_that_fall(sequential_pvalue(null, values, 7))


@settings(max_examples=40, deadline=None)
@given(nulls, st.sampled_from([0.25, 2.0, 1024.0]))
def test_the_unit_of_the_statistic_does_not_matter(null, unit):
    # powers of two, which round nothing
    values = ladder(null)
    scaled = pvalue_in_tail(fit_tail(unit * null), unit * values)
    np.testing.assert_allclose(scaled, pvalue_in_tail(fit_tail(null), values), rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(nulls, st.integers(0, 100))
def test_tails_do_not_know_the_order_of_the_shufflings(null, seed):
    again = np.append(null[0], np.random.default_rng(seed).permutation(null[1:]))
    values = ladder(null)
    np.testing.assert_array_equal(
        pvalue_in_tail(fit_tail(again), values), pvalue_in_tail(fit_tail(null), values)
    )


@settings(max_examples=40, deadline=None)
@given(nulls, st.integers(1, 30))
def test_sequential_p_is_near_the_count_of_what_was_used(null, stop_after):
    values = ladder(null)
    values = values[values <= null[0]]
    for value, pvalue in zip(values, sequential_pvalue(null, values, stop_after), strict=True):
        reached = np.flatnonzero(null[1:] >= value)
        if reached.size >= stop_after:
            assert pvalue == stop_after / (reached[stop_after - 1] + 1)
        else:
            assert pvalue == (reached.size + 1) / null.size
    index = stop_index(null, float(null[0]), stop_after)
    assert (index is not None) == ((null[1:] >= null[0]).sum() >= stop_after)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-5, 5), st.floats(0.01, 100), st.floats(-3, 3), st.floats(-20, 20), st.floats(0, 5)
)
def test_gamma_p_falls_whatever_the_moments(mean, variance, skewness, statistic, step):
    found = gamma_pvalue_from_moments(
        np.array([mean]),
        np.array([variance]),
        np.array([skewness]),
        np.array([statistic, statistic + step]),
    )
    assert (found > 0).all()
    assert found[1] <= found[0] * (1 + 1e-9) <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 20_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_interval_holds_its_p_and_narrows_with_shufflings(n, share, confidence):
    count = 1 + int(share * (n - 1))
    low, high = monte_carlo_interval(count / n, n, confidence)
    assert 0 <= low <= count / n <= high <= 1
    more = monte_carlo_interval(count / n, 4 * n, confidence)
    assert more[1] - more[0] < high - low
