import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from phmri.exceptions import SimulationError
from phmri.simulation.power import (
    Precision,
    compare_designs,
    crossover_precision,
    equivalence_power,
    paired_precision,
    parallel_precision,
    sample_size,
    t_power,
)
from phmri.simulation.power._owen import owens_q


@pytest.mark.parametrize("df", [1.0, 2.0, 5.5, 22.0, 500.0])
@pytest.mark.parametrize("delta", [0.0, 0.5, 2.8, 6.0])
def test_the_noncentral_t_of_scipy(df, delta):
    t = [-2.0, 0.0, 0.5, 1.96, 5.0, 300.0]
    found = [owens_q(one, delta, df) for one in t]
    assert_allclose(found, stats.nct.cdf(t, df, delta), atol=1e-12)


@pytest.mark.parametrize(
    ("df", "t", "delta", "bound"), [(3.0, 2.0, 1.0, 0.8), (40.0, -1.7, -4.0, 1.1)]
)
def test_owens_q_by_adaptive_quadrature(df, t, delta, bound):
    def integrand(s):
        return stats.norm.cdf(t * s - delta) * stats.chi.pdf(s * df**0.5, df) * df**0.5

    expected, _ = integrate.quad(integrand, 0, bound, epsabs=1e-13)
    assert_allclose(owens_q(t, delta, df, bound), expected, atol=1e-12)


def test_without_an_effect_power_is_the_error_rate():
    design = parallel_precision(12, 1.3)
    for alternative in ("two-sided", "greater", "less"):
        assert_allclose(t_power(0.0, design, alpha=0.01, alternative=alternative), 0.01)
    assert_allclose(equivalence_power(0.5, crossover_precision(400, 0.6), (-0.5, 0.5)), 0.05)


def test_sides():
    design = paired_precision(16, 1.0)
    up, down = (t_power(0.7, design, alternative=side) for side in ("greater", "less"))
    assert up > t_power(0.7, design) > 0.7
    assert down < 1e-4
    assert_allclose(t_power(-0.7, design, alternative="less"), up)
    assert_allclose(t_power(-0.7, design), t_power(0.7, design))


def test_a_hopeless_equivalence_has_no_power():
    power = equivalence_power(0.0, parallel_precision(3, 1.0), (-0.1, 0.1), alpha=0.001)
    assert 0 <= power < 1e-3
    assert_allclose(
        equivalence_power(0.0, parallel_precision(9000, 1.0), (-0.1, 0.1)), 1.0, rtol=1e-6
    )


def test_equivalence_by_simulation():
    rng = np.random.default_rng(5)
    design = Precision(se=0.3, df=7.0)
    n = 200_000
    effect = 0.1 + 0.3 * rng.standard_normal(n)
    reach = 0.3 * np.sqrt(rng.chisquare(7, n) / 7) * stats.t.isf(0.05, 7)
    share = ((effect - reach > -0.5) & (effect + reach < 0.8)).mean()
    found = equivalence_power(0.1, design, (-0.5, 0.8))
    assert_allclose(share, found, atol=4 * np.sqrt(found * (1 - found) / n))


# What a plan of this kind is made from, worked out before this code was written (R, 2 digits).
@pytest.mark.parametrize(
    ("d", "per_arm", "at_25"),
    [(0.5, (58, 48, 33), (0.45, 0.52, 0.69)), (0.8, (23, 20, 14), (0.83, 0.90, 0.97))],
)
def test_three_arms_with_a_baseline(d, per_arm, at_25):
    for correlation, n, power in zip((0.3, 0.5, 0.7), per_arm, at_25, strict=True):

        def of(size, correlation=correlation):
            design = parallel_precision(size, 1.0, n_arms=3, baseline_correlation=correlation)
            return t_power(d, design)

        assert sample_size(of, 0.8) == n
        assert round(of(25), 2) == power


@pytest.mark.parametrize(("n", "d", "power"), [(24, 0.8, 0.77), (16, 0.8, 0.59), (24, 0.5, 0.40)])
def test_williams_designs(n, d, power):
    assert round(t_power(d, crossover_precision(n, 1.0, n_treatments=3)), 2) == power


def test_covariates_and_arms_are_counted():
    assert parallel_precision(10, 1.0).df == 18
    assert parallel_precision(10, 1.0, n_arms=3, baseline_correlation=0.0, n_covariates=2).df == 24
    assert crossover_precision(12, 1.0).df == 10


def test_the_smallest_size_is_found():
    for least in (2, 60):
        for step in (1, 2, 7):
            size = sample_size(lambda n: n / 200, 0.5, least=least, step=step)
            assert size == next(n for n in range(least, 999, step) if n >= 100)


def test_parallel_against_crossover():
    found = compare_designs(0.5, 1.0, 0.6, n_treatments=3)
    assert found.parallel_scans == 2 * found.parallel_participants == 6 * found.parallel_per_arm
    assert found.crossover_participants % 6 == 0
    assert found.crossover_scans == 3 * found.crossover_participants
    within = crossover_precision(found.crossover_participants, np.sqrt(0.4), n_treatments=3)
    fewer = crossover_precision(found.crossover_participants - 6, np.sqrt(0.4), n_treatments=3)
    assert t_power(0.5, fewer) < 0.8 <= t_power(0.5, within)


def test_refusals():
    with pytest.raises(SimulationError, match=r"df: too few participants.*found 0 degrees"):
        crossover_precision(2, 1.0)
    with pytest.raises(SimulationError, match="se: a standard error is above 0"):
        parallel_precision(10, 0.0)
    with pytest.raises(SimulationError, match=r"baseline_correlation: .* found 1"):
        parallel_precision(10, 1.0, baseline_correlation=1.0)
    design = parallel_precision(10, 1.0)
    with pytest.raises(SimulationError) as caught:
        equivalence_power(np.nan, design, (0.5, 0.1), alpha=0.7)
    assert [p.field for p in caught.value.problems] == ["effect", "alpha", "margins"]
    with pytest.raises(SimulationError, match="found inf"):
        t_power(np.inf, design)
    with pytest.raises(SimulationError, match="no trial of a million"):
        sample_size(lambda n: t_power(0.0, parallel_precision(n, 1.0)), 0.8)
    with pytest.raises(SimulationError, match="target: power lies between"):
        sample_size(lambda n: 1.0, 80.0)
    with pytest.raises(SimulationError, match="correlation: sessions"):
        compare_designs(0.5, 1.0, 1.0)
