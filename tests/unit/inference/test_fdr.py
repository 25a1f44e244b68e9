import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import InferenceError
from phmri.inference._fdr import false_discovery

# R 4.2.2, stats::p.adjust(p, "BH") and "BY", on made-up p-values.
P = np.fromstring(
    "0.361259 0.471226 0.480784 0.00361315 0.0656874 0.674521 0.760077 0.126151 0.930013 "
    "0.167044 0.0685791 0.777796 0.43935 0.458527 0.0677407",
    sep=" ",
)
BH = np.fromstring(
    "0.655614545454545 0.655614545454545 0.655614545454545 0.05419725 0.257171625 "
    "0.833352857142857 0.833352857142857 0.378453 0.930013 0.41761 0.257171625 "
    "0.833352857142857 0.655614545454545 0.655614545454545 0.257171625",
    sep=" ",
)
BY = np.ones(15)
BY[[3, 4, 10, 14]] = 0.17983888630328, 0.853354342310814, 0.853354342310814, 0.853354342310814


@pytest.mark.parametrize(("method", "expected"), [("bh", BH), ("by", BY)])
def test_as_r_gives_it(method, expected):
    assert_allclose(false_discovery(P, method), expected, rtol=1e-10)


@pytest.mark.parametrize("method", ["bh", "by"])
def test_as_scipy_gives_it_with_ties(method):
    p = np.random.default_rng(3).integers(0, 40, 300) / 40
    assert_allclose(false_discovery(p, method), stats.false_discovery_control(p, method=method))


def test_one_and_none():
    assert false_discovery(np.array([0.3]), "by").tolist() == [0.3]
    assert false_discovery(np.array([])).size == 0


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_refuses_what_is_no_probability(bad):
    with pytest.raises(InferenceError, match=r"1 of 2, the first is"):
        false_discovery(np.array([0.5, bad]))
