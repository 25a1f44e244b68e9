import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group.association import Ridge, assign_folds, predict_across_folds

N = 24
LEAST_SQUARES = Ridge(penalties=(0.0,))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((N, 6)) * 10.0 ** np.arange(-2, 4)
    return features, features[:, 0] * 50 + rng.standard_normal(N) + 20


def ridge(train, test, score, penalty):
    """Solve the penalised normal equations of standardised features."""
    centre, scale = train.mean(axis=0), train.std(axis=0)
    Z, z = (train - centre) / scale, (test - centre) / scale
    gram = Z.T @ Z + penalty * Z.shape[1] * np.eye(Z.shape[1])
    return score.mean() + z @ np.linalg.solve(gram, Z.T @ (score - score.mean()))


def test_leaving_one_out_is_the_residual_over_one_less_its_leverage(data):
    features, score = data
    found = predict_across_folds(features, score, np.arange(N), model=LEAST_SQUARES)
    X = np.column_stack([np.ones(N), features])
    H = X @ np.linalg.pinv(X)
    assert_allclose(found.predicted, score - (score - H @ score) / (1 - np.diag(H)), rtol=1e-8)
    assert_allclose(found.reference, (score.sum() - score) / (N - 1))
    want = 1 - np.sum((score - found.predicted) ** 2) / np.sum((score - found.reference) ** 2)
    assert found.r2 == pytest.approx(want)
    assert np.isnan(found.pvalue)
    assert found.null.size == 0


@pytest.mark.parametrize("n_features", [6, 60])
def test_ridge_is_the_penalised_normal_equations(n_features):
    rng = np.random.default_rng(1)
    features, score = rng.standard_normal((N, n_features)), rng.standard_normal(N)
    folds = assign_folds(N, 4, seed=0)
    found = predict_across_folds(features, score, folds, model=Ridge(penalties=(0.7,)))
    for fold in range(4):
        out = folds == fold
        want = ridge(features[~out], features[out], score[~out], 0.7)
        assert_allclose(found.predicted[out], want, rtol=1e-8)


def test_the_penalty_is_the_best_of_leaving_one_out_in_training(data):
    features, score = data
    folds = np.arange(N) % 3
    penalties = (0.01, 1.0, 100.0)
    found = predict_across_folds(features, score, folds, model=Ridge(penalties=penalties))
    for fold in range(3):
        train = folds != fold
        Z = (features[train] - features[train].mean(axis=0)) / features[train].std(axis=0)
        y = score[train]
        errors = []
        for penalty in penalties:
            gram = Z.T @ Z + penalty * Z.shape[1] * np.eye(Z.shape[1])
            H = 1 / len(y) + Z @ np.linalg.solve(gram, Z.T)
            errors.append(np.sum(((y - H @ y) / (1 - np.diag(H))) ** 2))
        best = penalties[int(np.argmin(errors))]
        want = ridge(features[train], features[~train], y, best)
        assert_allclose(found.predicted[~train], want, rtol=1e-8)


@pytest.mark.parametrize("n_selected", [None, 2])
def test_a_participant_teaches_nothing_to_the_own_prediction(data, n_selected):
    features, score = data
    folds = np.arange(N) % 4
    model = Ridge(n_selected=n_selected)
    found = predict_across_folds(features, score, folds, model=model)
    changed = score.copy()
    changed[folds == 2] += 1000
    again = predict_across_folds(features, changed, folds, model=model)
    assert_array_equal(again.predicted[folds == 2], found.predicted[folds == 2])
    assert not np.any(again.predicted[folds == 0] == found.predicted[folds == 0])


def test_selection_among_noise_promises_what_folds_do_not_keep():
    rng = np.random.default_rng(2)
    features, score = rng.standard_normal((N, 2000)), rng.standard_normal(N)
    model = Ridge(penalties=(0.01,), n_selected=5)
    found = predict_across_folds(features, score, np.arange(N) % 6, model=model)
    assert found.r2_in_sample > 0.7
    assert found.r2 < 0.2


def test_selected_features_are_those_that_correlate_most_in_training():
    rng = np.random.default_rng(3)
    features, score = rng.standard_normal((N, 20)), rng.standard_normal(N)
    folds = np.arange(N) % 4
    model = Ridge(penalties=(0.0,), n_selected=3)
    found = predict_across_folds(features, score, folds, model=model)
    for fold in range(4):
        train = folds != fold
        r = [abs(np.corrcoef(x, score[train])[0, 1]) for x in features[train].T]
        best = np.argsort(r)[-3:]
        want = ridge(features[train][:, best], features[~train][:, best], score[train], 0.0)
        assert_allclose(found.predicted[~train], want, rtol=1e-8)


def test_p_counts_shufflings_of_fixed_numbers(data):
    features, score = data
    folds = assign_folds(N, 4, seed=1)
    found = predict_across_folds(features, score, folds, n_permutations=40, seed=7)
    assert found.pvalue == (np.sum(found.null >= found.r2 - 1e-12) + 1) / 41
    assert found.pvalue == pytest.approx(1 / 41)
    fewer = predict_across_folds(features, score, folds, n_permutations=10, seed=7)
    assert_allclose(fewer.null, found.null[:10], rtol=1e-10)
    other = predict_across_folds(features, score, folds, n_permutations=10, seed=8)
    assert not np.any(np.isclose(other.null, fewer.null))


def test_arms_that_differ_are_no_prediction_within_arms():
    rng = np.random.default_rng(4)
    groups = ("A", "B") * (N // 2)
    arm = np.array(groups) == "B"
    features = 5.0 * arm[:, None] + rng.standard_normal((N, 3))
    score = 5.0 * arm + rng.standard_normal(N)
    folds = assign_folds(N, 6, seed=0, groups=groups)
    free = predict_across_folds(features, score, folds, n_permutations=60)
    within = predict_across_folds(features, score, folds, groups=groups, n_permutations=60)
    assert free.r2 == within.r2 > 0.5
    assert free.pvalue < 0.02
    assert within.pvalue > 0.05


def test_a_constant_feature_teaches_nothing(data):
    features, score = data
    folds = np.arange(N) % 4
    model = Ridge(penalties=(0.0,))
    extra = np.column_stack([features, np.full(N, 0.1)])
    found, want = (predict_across_folds(x, score, folds, model=model) for x in (extra, features))
    assert_allclose(found.predicted, want.predicted)


def test_folds_are_even_in_every_group():
    groups = ("A",) * 13 + ("B",) * 7
    folds = assign_folds(20, 4, seed=0, groups=groups)
    assert_array_equal(np.bincount(folds), [5, 5, 5, 5])
    counts = np.bincount(folds[:13], minlength=4)
    assert counts.max() - counts.min() <= 1
    assert (folds != assign_folds(20, 4, seed=1, groups=groups)).any()
    with pytest.raises(DesignError) as caught:
        assign_folds(20, 21, seed=0, groups=("A",))
    assert len(caught.value.problems) == 2


def test_what_is_wrong_is_told_at_once(data):
    features, score = data
    with pytest.raises(DesignError) as caught:
        predict_across_folds(
            features[:5],
            score,
            np.arange(3),
            model=Ridge(penalties=(), n_selected=0),
            groups=("A",),
            n_permutations=-1,
        )
    assert len(caught.value.problems) == 6
    with pytest.raises(DesignError, match="training set that is too small"):
        predict_across_folds(features, score, np.zeros(N, dtype=np.int64))
    with pytest.raises(DesignError, match="more features than") as caught:
        predict_across_folds(np.zeros((N, 30)), np.ones(N), np.arange(N) % 2, model=LEAST_SQUARES)
    assert "does not vary" in str(caught.value)
