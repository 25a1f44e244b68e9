import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group.robust import fit_ols, wald_test

ARMS = np.repeat(np.eye(2), 8, axis=0)
PAIR = np.array([[1.0, -1.0]])


def data(n_outcomes=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(16, n_outcomes)), rng.normal(size=(16, n_outcomes))


def one_by_one(Y, X, contrasts, errors, baseline):
    """Write every formula out for one outcome, with a matrix of its own."""
    effects, covariances = [], []
    for v in range(Y.shape[1]):
        own = np.column_stack([X, baseline[:, v]])
        C = np.pad(contrasts, ((0, 0), (0, 1)))
        bread = np.linalg.inv(own.T @ own)
        beta = bread @ own.T @ Y[:, v]
        e = Y[:, v] - own @ beta
        h = np.diag(own @ bread @ own.T)
        n, p = own.shape
        meat = {
            "model": np.full(n, e @ e / (n - p)),
            "hc0": e**2,
            "hc1": e**2 * n / (n - p),
            "hc2": e**2 / (1 - h),
            "hc3": e**2 / (1 - h) ** 2,
        }[errors]
        effects.append(C @ beta)
        covariances.append(C @ bread @ (own.T * meat) @ own @ bread @ C.T)
    return np.array(effects).T, np.array(covariances)


@pytest.mark.parametrize("errors", ["model", "hc0", "hc1", "hc2", "hc3"])
def test_a_voxelwise_baseline_has_its_own_leverage(errors):
    Y, baseline = data()
    contrasts = np.array([[1.0, -1.0], [1.0, 0.0]])
    joint = fit_ols(Y, ARMS, contrasts, ("d", "a"), errors=errors, baseline=baseline)
    effect, covariance = one_by_one(Y, ARMS, contrasts, errors, baseline)
    assert_allclose(joint.effect, effect, rtol=1e-10)
    assert_allclose(joint.covariance, covariance, rtol=1e-9)
    assert_array_equal(joint.df, np.full((2, 5), 13.0))
    assert_array_equal(joint.status, 0)


@pytest.mark.parametrize("with_baseline", [True, False])
@pytest.mark.parametrize("errors", ["model", "hc3"])
def test_rows_without_data_are_left_out_of_their_outcome(errors, with_baseline):
    Y, baseline = data(6)
    holes = [(0, 0), (3, 0), (9, 2), (9, 4), (15, 5)]
    for row, outcome in holes:
        Y[row, outcome] = np.nan
    given = baseline if with_baseline else None
    joint = fit_ols(Y, ARMS, PAIR, ("d",), errors=errors, baseline=given)
    for v in range(6):
        rows = np.isfinite(Y[:, v])
        own = baseline[rows][:, [v]] if with_baseline else None
        alone = fit_ols(Y[rows][:, [v]], ARMS[rows], PAIR, ("d",), errors=errors, baseline=own)
        assert_allclose(joint.effect[:, v], alone.effect[:, 0], rtol=1e-12)
        assert_allclose(joint.covariance[v], alone.covariance[0], rtol=1e-11)
        assert joint.df[0, v] == rows.sum() - 2 - with_baseline


def test_a_missing_baseline_leaves_the_row_out_as_well():
    Y, baseline = data(2)
    baseline[4, 1] = np.nan
    joint = fit_ols(Y, ARMS, PAIR, ("d",), baseline=baseline)
    assert_array_equal(joint.df, [[13.0, 12.0]])


def test_float32_is_summed_in_float64():
    Y, _ = data(3)
    Y = (1e4 + Y).astype(np.float32)
    joint = fit_ols(Y, ARMS, PAIR, ("d",), errors="hc3")
    other = fit_ols(Y.astype(np.float64), ARMS, PAIR, ("d",), errors="hc3")
    assert_array_equal(joint.covariance, other.covariance)


def test_outcomes_that_cannot_be_modelled_are_a_status():
    Y, baseline = data(5)
    Y[:, 0] = 3.7
    baseline[:, 1] = 1.0
    Y[:8, 2] = np.nan
    Y[2:15, 3] = np.nan
    joint = fit_ols(Y, ARMS, PAIR, ("d",), errors="hc3", baseline=baseline)
    assert_array_equal(joint.status, [3, 3, 3, 3, 0])
    assert np.isnan(joint.effect[:, :4]).all()
    assert np.isnan(joint.covariance[:4]).all()
    assert np.isnan(joint.df[:, :4]).all()
    assert np.isfinite(joint.effect[0, 4])


def test_a_third_arm_of_one_participant_costs_no_answer():
    Y, _ = data(2)
    X = np.column_stack([ARMS, np.zeros(16)])
    X[15] = 0, 0, 1
    joint = fit_ols(Y, X, np.array([[1.0, -1, 0]]), ("d",), errors="hc3")
    two = fit_ols(Y[:15], ARMS[:15], PAIR, ("d",), errors="hc3")
    assert_allclose(joint.covariance, two.covariance, rtol=1e-10)


def test_compared_arms_without_error_are_refused_by_hc3():
    """What rounding leaves of two constants beside a third arm that varies is no error."""
    X = np.repeat(np.eye(3), 6, axis=0)
    Y = np.random.default_rng(2).normal(10, 3, (18, 3))
    Y[:12, 0], Y[:6, 1], Y[6:12, 1] = 2.3, 5.3, 2.3
    Y[:6, 2] = 0.1
    contrast = np.array([[1.0, -1, 0]])
    joint = fit_ols(Y, X, contrast, ("d",), errors="hc3")
    assert_array_equal(joint.status, [3, 3, 0])
    assert np.isnan(joint.effect[0, :2]).all()
    assert_array_equal(fit_ols(Y, X, contrast, ("d",)).status, 0)
    tiny = fit_ols(Y[:, 2:] * 1e-9, X, contrast, ("d",), errors="hc3")
    assert_allclose(tiny.effect, joint.effect[:, 2:] * 1e-9)
    with pytest.raises(DesignError, match="nothing is left of it as error"):
        fit_ols(Y[:, :2], X, contrast, ("d",), errors="hc3")


def test_a_participant_alone_in_an_arm_is_refused_by_hc3():
    Y, _ = data(2)
    X = np.column_stack([ARMS, np.zeros(16)])
    X[15] = 0, 0, 1
    contrast = np.array([[1.0, 0, -1]])
    with pytest.raises(DesignError, match=r"a participant decides a contrast alone.*found row 16"):
        fit_ols(Y, X, contrast, ("d",), errors="hc3")
    assert fit_ols(Y, X, contrast, ("d",)).status[0] == 0


def test_a_baseline_that_one_participant_has_alone_is_a_status_under_hc3():
    Y, baseline = data(2)
    baseline[:, 0] = 0
    baseline[3, 0] = 1
    joint = fit_ols(Y, ARMS, PAIR, ("d",), errors="hc3", baseline=baseline)
    assert_array_equal(joint.status, [3, 0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("a", "b")}, "contrasts need one name each"),
        ({"X": np.column_stack([ARMS, ARMS[:, :1]])}, "cannot tell this contrast apart"),
        ({"X": np.where(ARMS > 5, ARMS, np.nan)}, "not finite"),
        ({"Y": np.full((16, 1), np.inf)}, "found 16 infinite"),
        ({"Y": np.full((16, 1), 2.5)}, "nothing is left of it as error; found 1 of 1"),
        ({"Y": np.full((16, 1), np.nan)}, "the outcome is the same in every participant"),
        ({"X": np.eye(16), "contrasts": np.eye(16)[:1]}, "no residual degrees of freedom"),
    ],
)
def test_designs_that_cannot_answer_are_refused(change, words):
    given = {"Y": data(1)[0], "X": ARMS, "contrasts": PAIR, "names": ("d",)} | change
    width = given["X"].shape[1]
    contrasts = np.pad(given["contrasts"], ((0, 0), (0, width - given["contrasts"].shape[1])))
    with pytest.raises(DesignError, match=words):
        fit_ols(given["Y"], given["X"], contrasts, given["names"])


def test_an_infinite_baseline_is_refused():
    Y, baseline = data(2)
    baseline[3, 1] = np.inf
    with pytest.raises(
        DesignError, match="baseline: values that are not finite; found 1 infinite"
    ):
        fit_ols(Y, ARMS, PAIR, ("d",), baseline=baseline)


def test_the_joint_test_is_the_partial_f_test():
    rng = np.random.default_rng(3)
    X = np.repeat(np.eye(3), 6, axis=0)
    Y = rng.normal(size=(18, 4))
    joint = fit_ols(Y, X, np.array([[1.0, -1, 0], [1, 0, -1], [0, 1, -1]]), ("ab", "ac", "bc"))
    means = X @ np.linalg.pinv(X) @ Y
    within = ((Y - means) ** 2).sum(axis=0) / 15
    F = ((means - Y.mean(axis=0)) ** 2).sum(axis=0) / 2 / within
    test = wald_test(joint, ("ab", "bc"))
    assert_allclose(test.statistic, F, rtol=1e-12)
    assert_array_equal(test.df_denominator, 15.0)
    with pytest.raises(DesignError, match="follow from each other"):
        wald_test(joint)
    with pytest.raises(DesignError, match="no such contrast; found x; expected ab, ac, bc"):
        wald_test(joint, ("ab", "x"))
