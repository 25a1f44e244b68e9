"""z of the same tail as a statistic, exact and tabulated."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.inference.statistics._zscore import make_z_table, to_z

MANY = np.concatenate([np.linspace(-8, 8, 4001), np.linspace(-50, 50, 4001)])


@pytest.mark.parametrize("df", [0.7, 1.0, 4.5, 20.0, 70.0, 500.0])
def test_same_tail_as_student(df):
    t = np.array([-12.0, -2.0, -0.3, 0.0, 1e-3, 1.0, 3.0, 15.0])
    assert_allclose(stats.norm.sf(np.abs(to_z(t, df, "t"))), stats.t.sf(np.abs(t), df), rtol=1e-12)
    assert_array_equal(np.sign(to_z(t, df, "t")), np.sign(t))
    assert_array_equal(to_z(t, df, "v"), to_z(t, df, "t"))
    assert_array_equal(to_z(-t, df, "t"), -to_z(t, df, "t"))


def test_far_tails_are_finite():
    # log(mpmath.betainc(df/2, 1/2, 0, df/(df + t**2), regularized=True) / 2) with 60 digits; the
    # last three tails lie below the smallest float64.
    t = np.array([40.0, 60.0, 200.0, 1e4])
    df = np.array([70.0, 2000.0, 500.0, 300.0])
    log_tail = [
        -114.0488824286877772,
        -1034.1182928762434159,
        -1102.6328448890487506,
        -1911.3068520060086051,
    ]
    z = to_z(t, df, "t")
    assert_allclose(stats.norm.logsf(z), log_tail, rtol=1e-12)


def test_limit_of_many_degrees_of_freedom():
    t = np.array([0.5, 5.0, 40.0])
    assert_allclose(to_z(t, 1e6, "t"), t, rtol=5e-4)


@pytest.mark.parametrize("df1", [1, 2, 6])
def test_upper_tail_of_f(df1):
    F = np.array([1.5, 4.0, 30.0, 400.0])
    z = to_z(F, 20.0, "F", df1)
    assert_allclose(stats.norm.sf(z), stats.f.sf(F, df1, 20), rtol=1e-12)
    assert_array_equal(to_z(F, 20.0, "G", df1), z)
    assert_array_equal(to_z(np.array([0.0, 0.1]), 20.0, "F", df1), 0.0)


def test_degrees_of_freedom_per_outcome():
    t, df = np.array([2.0, 2.0, -3.0]), np.array([3.0, 30.0, 9.5])
    one_by_one = [to_z(t[k : k + 1], float(df[k]), "v")[0] for k in range(3)]
    assert_allclose(to_z(t, df, "v"), one_by_one, rtol=1e-14)


@pytest.mark.parametrize("df", [1.0, 3.0, 12.0, 70.0, 1000.0])
def test_table_is_within_a_millionth(df):
    found = make_z_table(df).fill(MANY, np.empty_like(MANY))
    assert np.abs(found - to_z(MANY, df, "t")).max() < 1e-6
    for df1 in (2, 8):
        F = MANY**2
        found = make_z_table(df, df1, "F").fill(F, np.empty_like(F))
        assert np.abs(found - to_z(F, df, "F", df1)).max() < 1e-6


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
    wanted = to_z(t.astype(np.float64), 15.0, "t")
    found = make_z_table(15.0).fill(t, t)
    assert found is t
    assert_allclose(found, wanted, atol=2e-6)
