import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg

from phmri.exceptions import DesignError
from phmri.group.robust import fit_cluster_robust, fit_ols, wald_htz, wald_test


def visits(n_each=5, n_visits=3):
    """Two arms by visits: participants, model, contrasts of the last visit and of its change."""
    subjects = np.repeat(np.arange(2 * n_each), n_visits)
    arm = subjects % 2
    visit = np.tile(np.arange(n_visits), 2 * n_each)
    X = np.zeros((len(subjects), 2 * n_visits))
    X[np.arange(len(subjects)), 2 * visit + arm] = 1
    contrasts = np.zeros((2, X.shape[1]))
    contrasts[0, -2:] = 1, -1
    contrasts[1, -2:] = 1, -1
    contrasts[1, :2] = -1, 1
    return subjects, X, contrasts


NAMES = ("last", "change")
POWERS = {"cr0": 0.0, "cr2": -0.5, "cr3": -1.0}


def by_definition(y, X, subjects, contrasts, correction):
    """Build every matrix of the definition, of all rows at once."""
    n = len(y)
    bread = np.linalg.inv(X.T @ X)
    M = np.eye(n) - X @ bread @ X.T
    people = np.unique(subjects)
    L = contrasts @ bread @ X.T
    covariance = np.zeros((len(contrasts),) * 2)
    p = []
    for i in people:
        rows = subjects == i
        A = np.real(linalg.fractional_matrix_power(M[np.ix_(rows, rows)], POWERS[correction]))
        g = L[:, rows] @ A
        score = g @ (M @ y)[rows]
        covariance += np.outer(score, score)
        p.append(M[:, rows] @ g.T)
    p = np.array(p)
    df = []
    for k in range(len(contrasts)):
        G = p[:, :, k] @ p[:, :, k].T
        df.append(np.trace(G) ** 2 / (G**2).sum())
    return covariance, df


@pytest.mark.parametrize("correction", POWERS)
def test_every_outcome_follows_the_definition(correction):
    subjects, X, contrasts = visits()
    Y = np.random.default_rng(0).normal(size=(len(X), 4))
    Y[4, 1] = Y[11, 1] = Y[4, 3] = np.nan
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES, correction=correction)
    for v in range(4):
        rows = np.isfinite(Y[:, v])
        covariance, df = by_definition(Y[rows, v], X[rows], subjects[rows], contrasts, correction)
        assert_allclose(joint.covariance[v], covariance, rtol=1e-9)
        assert_allclose(joint.df[:, v], df, rtol=1e-9)
    assert_array_equal(joint.status, 0)


def test_the_order_of_rows_and_the_labels_of_participants_do_not_matter():
    subjects, X, contrasts = visits()
    rng = np.random.default_rng(1)
    Y = rng.normal(size=(len(X), 2))
    order = rng.permutation(len(X))
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES)
    other = fit_cluster_robust(Y[order], X[order], 100 - 7 * subjects[order], contrasts, NAMES)
    assert_allclose(other.covariance, joint.covariance, rtol=1e-10)
    assert_allclose(other.df, joint.df, rtol=1e-10)


def test_one_row_per_participant_is_hc():
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(20), rng.normal(size=20)])
    Y = rng.normal(size=(20, 3))
    for cr, hc in (("cr0", "hc0"), ("cr2", "hc2"), ("cr3", "hc3")):
        joint = fit_cluster_robust(Y, X, np.arange(20), np.eye(2), ("a", "b"), correction=cr)
        plain = fit_ols(Y, X, np.eye(2), ("a", "b"), errors=hc)
        assert_allclose(joint.covariance, plain.covariance, rtol=1e-9)


def test_participants_with_a_column_of_their_own_give_the_paired_t_test():
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(9), 2)
    treatment = np.tile([1.0, 0.0], 9)
    X = np.column_stack([treatment, np.equal.outer(subjects, np.arange(9))])
    Y = rng.normal(size=(18, 1))
    joint = fit_cluster_robust(Y, X, subjects, np.eye(10)[:1], ("d",))
    difference = Y[::2, 0] - Y[1::2, 0]
    assert_allclose(joint.effect, difference.mean(), rtol=1e-10)
    assert_allclose(joint.covariance, difference.var(ddof=1) / 9, rtol=1e-9)
    assert_allclose(joint.df, 8, rtol=1e-9)


def test_the_joint_test_of_independent_rows_comes_close_to_f():
    rng = np.random.default_rng(4)
    X = np.repeat(np.eye(3), 40, axis=0)
    Y = rng.normal(size=(120, 3))
    C = np.array([[1.0, -1, 0], [0, 1, -1]])
    test = wald_htz(Y, X, np.arange(120), C)
    plain = wald_test(fit_ols(Y, X, C, ("a", "b"), errors="hc2"))
    assert (test.df_denominator < 120).all()
    assert_allclose(test.pvalue, plain.pvalue, rtol=0.05)


def test_one_contrast_is_the_square_of_t():
    subjects, X, contrasts = visits()
    Y = np.random.default_rng(5).normal(size=(len(X), 3))
    Y[7, 2] = np.nan
    joint = fit_cluster_robust(Y, X, subjects, contrasts[:1], ("last",))
    test = wald_htz(Y, X, subjects, contrasts[:1])
    assert_allclose(test.statistic, joint.effect[0] ** 2 / joint.covariance[:, 0, 0], rtol=1e-9)
    assert_allclose(test.df_denominator, joint.df[0], rtol=1e-9)


def test_outcomes_that_cannot_be_answered_are_a_status():
    subjects, X, contrasts = visits()
    Y = np.random.default_rng(6).normal(size=(len(X), 4))
    Y[X[:, -1] == 1, 0] = np.nan
    Y[:, 1] = -2.0
    Y[subjects > 0, 2] = np.nan
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES)
    assert_array_equal(joint.status, [3, 3, 3, 0])
    test = wald_htz(Y, X, subjects, contrasts)
    assert_array_equal(test.status, [3, 3, 3, 0])
    assert np.isnan(test.pvalue[:3]).all()
    assert test.pvalue[3] > 0


def test_too_few_participants_are_refused():
    subjects, X, contrasts = visits()
    Y = np.random.default_rng(7).normal(size=(len(X), 1))
    with pytest.raises(
        DesignError, match="too few participants for errors between participants; found 1"
    ):
        fit_cluster_robust(Y, X, 0 * subjects, contrasts, NAMES)
    with pytest.raises(DesignError, match="follow from each other"):
        wald_htz(Y, X, subjects, np.vstack([contrasts, contrasts.sum(axis=0)]))
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES)
    joint.df[1] += 1
    with pytest.raises(DesignError, match="degrees of freedom differ between contrasts"):
        wald_test(joint)
