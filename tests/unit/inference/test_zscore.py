"""z of the same tail as a statistic, exact and tabulated."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.inference.statistics._zscore import exact_z, make_z_table

MANY = np.concatenate([np.linspace(-8, 8, 4001), np.linspace(-50, 50, 4001)])


@pytest.mark.parametrize("df", [0.7, 1.0, 4.5, 20.0, 70.0, 500.0])
def test_same_tail_as_student(df):
    t = np.array([0.0, 1e-3, 0.3, 1.0, 2.0, 3.0, 12.0, 15.0])
    assert_allclose(stats.norm.sf(exact_z(t, df, "t")), stats.t.sf(t, df), rtol=1e-12)
    assert_array_equal(exact_z(t, df, "v"), exact_z(t, df, "t"))


@pytest.mark.parametrize(
    ("t", "df", "log_tail"),
    # log(mpmath.betainc(df/2, 1/2, 0, df/(df + t**2), regularized=True) / 2) with 60 digits; the
    # last three tails lie below the smallest float64.
    [
        (40.0, 70.0, -114.0488824286877772),
        (60.0, 2000.0, -1034.1182928762434159),
        (200.0, 500.0, -1102.6328448890487506),
        (1e4, 300.0, -1911.3068520060086051),
    ],
)
def test_far_tails_are_finite(t, df, log_tail):
    z = exact_z(np.array([t]), df, "t")
    assert_allclose(stats.norm.logsf(z), log_tail, rtol=1e-12)


def test_limit_of_many_degrees_of_freedom():
    t = np.array([0.5, 5.0, 40.0])
    assert_allclose(exact_z(t, 1e6, "t"), t, rtol=5e-4)


@pytest.mark.parametrize("df1", [1, 2, 6])
def test_upper_tail_of_f(df1):
    F = np.array([0.1, 1.5, 4.0, 30.0, 400.0])
    z = exact_z(F, 20.0, "F", df1)
    assert_allclose(stats.norm.sf(z), stats.f.sf(F, df1, 20), rtol=1e-12)
    assert_array_equal(exact_z(F, 20.0, "G", df1), z)
    assert z[0] < 0


@pytest.mark.parametrize("df", [1.0, 3.0, 12.0, 70.0, 1000.0])
def test_table_is_within_a_millionth(df):
    found = make_z_table(df).fill(MANY, np.empty_like(MANY))
    wanted = np.sign(MANY) * exact_z(np.abs(MANY), df, "t")
    assert np.abs(found - wanted).max() < 1e-6
    for df1 in (2, 8):
        F = MANY**2
        found = make_z_table(df, df1, "F").fill(F, np.empty_like(F))
        wanted = np.maximum(exact_z(F, df, "F", df1), 0.0)
        assert np.abs(found - wanted).max() < 1e-6


def test_table_keeps_order_sign_and_zero_to_any_height():
    t = np.concatenate([np.linspace(0, 60, 5001), np.geomspace(61, 1e15, 500)])
    table = make_z_table(9.0)
    z = table.fill(t, np.empty_like(t))
    assert z[0] == 0
    assert np.isfinite(z).all()
    assert (np.diff(z[t < 1e12]) > 0).all()
    assert (np.diff(z) >= 0).all()
    assert_array_equal(table.fill(-t, np.empty_like(t)), -z)


def test_table_fills_single_precision_in_place():
    t = MANY.astype(np.float32)
    wanted = np.sign(t) * exact_z(np.abs(t).astype(np.float64), 15.0, "t")
    found = make_z_table(15.0).fill(t, t)
    assert found is t
    assert_allclose(found, wanted, atol=2e-6)
