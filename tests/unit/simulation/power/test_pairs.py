import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special

from phmri.simulation.power import Precision, blockade_power
from phmri.simulation.power._pairs import average_over_sd, both_below


@pytest.mark.parametrize("rho", [-0.99, -0.3, 0.0, 0.5, 0.999])
@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.0, -1.0), (1.2, -0.7), (-2.0, -3.0)])
def test_two_normals_by_quadrature(a, b, rho):
    def density(x):
        below = special.ndtr((b - rho * x) / np.sqrt(1 - rho**2))
        return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * below

    step = [b / rho] if rho and -9 < b / rho < a else None
    expected = integrate.quad(density, -9, a, points=step, epsabs=1e-13, limit=500)[0]
    assert_allclose(both_below(np.array([a]), np.array([b]), rho)[0], expected, atol=1e-12)


def test_two_normals_at_their_ends():
    far = np.array([1e9, -1e9, 1e9, 0.5])
    other = np.array([1e9, 1e9, 0.3, -1e9])
    assert_allclose(both_below(far, other, 0.4), [1, 0, special.ndtr(0.3), 0], atol=1e-15)


@pytest.mark.parametrize("df", [1.0, 2.5, 71.0, 1e5, 1e8])
def test_moments_of_the_estimated_deviation(df):
    found = average_over_sd(lambda s: np.array([s**0, s**2, s**4]), df, np.array([1.0]))
    assert_allclose(found, [1, 1, 1 + 2 / df], rtol=1e-12)


# By nested Gauss-Legendre quadrature over the deviation and the drug's effect, of 3000 and of some
# hundred nodes, with ends where a line comes or goes; the closed form of a pair plays no part.
HARD = [
    (0.9, 0.1, 1.0, 0.4, {"alpha": 1e-3}, (0.0071012001953, 0.00407383774063)),
    (0.5, 0.25, 71.0, 0.5, {"correlation": -0.99}, (0.08219767675813, 0.39941675113087)),
    (0.5, 1e-3, 2.0, 0.3, {"alpha": 1e-4}, (0.0, 0.99999999998609)),
    (0.8, 0.2, 71.0, 0.5, {"correlation": 0.999}, (0.13439468310254, 0.84205374212153)),
]


@pytest.mark.parametrize(("attenuation", "se", "df", "margin", "more", "expected"), HARD)
def test_hard_cases_by_nested_quadrature(attenuation, se, df, margin, more, expected):
    precision = Precision(se=se, df=df)
    found = blockade_power(1.0, attenuation, precision, margin=margin, **more)
    assert_allclose([found.blocked, found.partly_blocked], expected, atol=1e-12, rtol=0)
    assert 0 <= found.undecided <= 1


def test_large_samples_end_in_the_normal_distribution():
    # With the deviation known the region is one of two normals: u > c, w > c.
    found = blockade_power(1.0, 0.5, Precision(se=0.25, df=1e8))
    c = special.ndtri(0.975)
    either = sum(
        both_below(np.array([sign * 4.0 - c]), np.array([sign * 2.0 - c]), 0.5)[0]
        for sign in (1, -1)
    )
    assert_allclose(found.partly_blocked, either, atol=1e-7)
