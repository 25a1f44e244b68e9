"""Clustered errors where every outcome has its own baseline: as with it among the columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.robust import fit_cluster_robust
from tests.unit.group.mixed.test_own_baseline import NAMES, maps


@pytest.mark.parametrize("n_visits", [2, 3])
def test_maps_equal_scalars(n_visits):
    Y, X, subjects, visits, baseline, L = maps(30, 260, n_visits)
    found = fit_cluster_robust(Y, X, subjects, L, NAMES, own=(baseline, visits))
    assert (found.status == 0).all()
    for v in np.random.default_rng(7).choice(Y.shape[1], 200, replace=False):
        rows = np.isfinite(Y[:, v])
        slopes = [np.where(visits == k, baseline[:, v], 0.0) for k in range(n_visits)]
        one = fit_cluster_robust(
            Y[rows, v : v + 1],
            np.column_stack([X, *slopes])[rows],
            subjects[rows],
            np.pad(L, ((0, 0), (0, n_visits))),
            NAMES,
        )
        assert_allclose(found.effect[:, v], one.effect[:, 0], rtol=1e-8)
        assert_allclose(found.covariance[v], one.covariance[0], rtol=1e-8)
        assert_allclose(found.df[:, v], one.df[:, 0], rtol=1e-8)


def test_threads_change_no_byte():
    Y, X, subjects, visits, baseline, L = maps(12, 700)
    one, two = (
        fit_cluster_robust(Y, X, subjects, L, NAMES, own=(baseline, visits), n_threads=k)
        for k in (1, 2)
    )
    assert one.covariance.tobytes() == two.covariance.tobytes()
    assert one.df.tobytes() == two.df.tobytes()


def test_a_baseline_that_says_nothing_is_not_estimable_and_harms_no_neighbour():
    Y, X, subjects, visits, baseline, L = maps(24, 4)
    whole = fit_cluster_robust(Y, X, subjects, L, NAMES, own=(baseline, visits))
    baseline[:, 1] = 0.1
    Y[:, 2] = np.where(np.isfinite(Y[:, 2]), 3.0 * baseline[:, 2], np.nan)
    found = fit_cluster_robust(Y, X, subjects, L, NAMES, own=(baseline, visits))
    assert found.status.tolist() == [0, 3, 3, 0]
    assert_allclose(found.covariance[[0, 3]], whole.covariance[[0, 3]], rtol=1e-10)


def test_too_few_rows_or_another_correction_are_refused():
    Y, X, subjects, visits, baseline, L = maps(12, 2)
    with pytest.raises(DesignError, match=r"baseline per outcome.*found cr3; expected cr2"):
        fit_cluster_robust(Y, X, subjects, L, NAMES, correction="cr3", own=(baseline, visits))
    few = slice(0, 8)
    Y = np.random.default_rng(0).normal(size=(8, 2))
    with pytest.raises(DesignError, match="nothing is left of it as error"):
        fit_cluster_robust(
            Y, X[few, :6], subjects[few], L[:, :6], NAMES, own=(baseline[few], visits[few])
        )
