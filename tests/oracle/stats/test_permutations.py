from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group import UnitDesign, exchange_repeated, exchange_within, fit_contrast
from phmri.inference import make_source, permute
from phmri.inference._pvalues import orient, pvalue_of_maximum
from phmri.inference.shuffling._source import Shufflings
from phmri.inference.statistics import _statistics as statistics
from phmri.inference.statistics._statistics import make_statistic
from phmri.protocol import Inference

SETTINGS = Inference(n_permutations=10_000)


def make_design(X, contrast, *, estimator="post", shuffling="permute"):
    X = np.asarray(X, dtype=float)
    return UnitDesign(
        estimator=estimator,
        subjects=tuple(map(str, range(len(X)))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.asarray(contrast, dtype=float),
        voxelwise_baseline=estimator == "ancova",
        exchangeability=exchange_within(np.zeros(len(X), dtype=np.int64), kind=shuffling),
        notes=(),
        sentences=(),
    )


def maps_of(design, Y, baseline, order):
    """Give the statistic under given orders of the rows, the identity first."""
    model = make_statistic(design, Y, baseline, SETTINGS, single=False)
    maps = np.empty((len(order), Y.shape[1]))
    size = statistics.TILE
    for start in range(0, len(order), size):
        part = np.asarray(order[start : start + size])
        shufflings = Shufflings(order=part, sign=np.ones(part.shape))
        model.fill(shufflings, maps[start : start + size])
    return model, maps


def count_pvalues(maps, df):
    """Give p of each outcome and of the largest of all."""
    share = [pvalue_of_maximum(column[:1], column, df=df)[0] for column in maps.T]
    return np.array(share), pvalue_of_maximum(maps[0], maps.max(axis=1), df=df)


def test_two_groups_all_splits(data, expected):
    value = expected("N_permutation", "perm_twogroup_exhaustive")
    frame = data("perm_twogroup")
    group = frame["group"].to_numpy()
    Y = frame.filter(regex="^v").to_numpy()
    design = make_design(np.column_stack([group == 1, group == 0]), [1, -1])
    assert make_source(design, SETTINGS).n_distinct == 924
    both = permute(design, Y, None, SETTINGS)
    above = permute(design, Y, None, SETTINGS, alternative="greater")
    assert both.exhaustive
    assert both.n_permutations == 924
    assert_allclose(fit_contrast(design, Y).t, value["t"], rtol=1e-9)
    assert_allclose(both.pvalue_uncorrected, value["p_two_sided"], rtol=1e-12)
    assert_allclose(both.pvalue_corrected, value["p_fwe_two_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_uncorrected, value["p_one_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_corrected, value["p_fwe_one_sided"], rtol=1e-12)


def test_one_sample_all_sign_flips(data, expected):
    value = expected("N_permutation", "perm_onesample_exhaustive")
    Y = data("perm_onesample").filter(regex="^v").to_numpy()
    design = make_design(np.ones((10, 1)), [1], estimator="paired", shuffling="sign_flip")
    above = permute(design, Y, None, SETTINGS, alternative="greater")
    both = permute(design, Y, None, SETTINGS)
    assert (above.n_permutations, above.exhaustive) == (1024, True)
    assert_allclose(fit_contrast(design, Y).t, value["t"], rtol=1e-9)
    assert_allclose(above.pvalue_uncorrected, value["p_one_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_corrected, value["p_fwe_one_sided"], rtol=1e-12)
    assert_allclose(both.pvalue_corrected, value["p_fwe_two_sided"], rtol=1e-12)


def test_small_crossover_all_sequences(data, expected):
    value = expected("N_permutation", "xover_rerandomisation_exhaustive")
    periods = data("xover2x2_small").groupby("period")
    one, two = (periods.get_group(k).set_index("subject") for k in (1, 2))
    kp = (one["sequence"] == "KP").to_numpy()
    design = make_design(np.column_stack([kp, ~kp]), [1, -1], estimator="crossover")
    Y = (one["y"] - two["y"].loc[one.index]).to_numpy()[:, None] / 2
    result = permute(design, Y, None, SETTINGS)
    estimate = fit_contrast(design, Y)
    assert_allclose([estimate.effect[0], estimate.t[0]], [value["estimate"], value["t"]], 1e-9)
    assert result.pvalue_corrected[0] == pytest.approx(value["p_two_sided_by_t"], rel=1e-12)


@pytest.mark.parametrize("shuffled", ["freedman_lane", "label_permutation"])
def test_three_arms_with_voxelwise_baseline_on_given_permutations(data, expected, shuffled):
    rois = expected("N_permutation", "permutation_ancova")["rois"]
    value = expected("N_permutation", "permutation_ancova")[shuffled]
    rows = data("parallel3x3").sort_values("subject")
    at = {s: rows[rows["session"] == s].set_index("subject") for s in ("baseline", "acute")}
    people = at["baseline"]
    Y = at["acute"].loc[people.index, rois].to_numpy()
    arms = [people["arm"] == arm for arm in ("KET", "PLA", "LTGKET")]
    X = np.column_stack([*arms, people["sex"] == "M"])
    design = make_design(X, [1, -1, 0, 0], estimator="ancova")
    if shuffled == "label_permutation":
        design = replace(design, dealt=np.array([True, True, True, False]))
    order = data("perm_indices_parallel").to_numpy() - 1
    model, t = maps_of(design, Y, people[rois].to_numpy(), order)
    assert_allclose(model.observed, value["t_observed"], rtol=1e-9)
    assert_allclose(t[1], value["row2"], rtol=1e-9)
    single, family = count_pvalues(np.abs(t), model.df)
    assert_allclose(single, value["p_uncorrected_two_sided"], rtol=1e-12)
    assert_allclose(family, value["p_fwe_max_abs_t"], rtol=1e-12)


def test_freedman_lane_over_all_orders_of_nine(data, expected, monkeypatch):
    monkeypatch.setattr(statistics, "TILE", 4032)  # the same sums, in fewer calls
    value = expected("O_permutation_spatial_blocks", "freedman_lane_full_9factorial")
    frame = data("perm_covariate")
    X = np.column_stack([np.ones(9), frame["group"], frame["age"]])
    design = make_design(X, [0, 1, 0])
    Y = frame.filter(regex="^v").to_numpy()
    assert make_source(design, SETTINGS).n_distinct == value["n_perm"]
    model, t = maps_of(design, Y, None, np.array(list(permutations(range(9)))))
    for alternative, name in (("greater", "one"), ("two-sided", "two")):
        single, family = count_pvalues(orient(t, alternative), model.df)
        assert_allclose(single, value[f"p_{name}_sided"], rtol=1e-9)
        assert_allclose(family, value[f"p_fwe_{name}_sided"], rtol=1e-9)


def check_exhaustive(design, Y, value):
    for alternative, name in (("greater", "one"), ("two-sided", "two")):
        settings = Inference(n_permutations=10_000, alpha=0.1)  # 20 shufflings: no p below it
        result = permute(design, Y, None, settings, alternative=alternative)
        assert (result.n_permutations, result.exhaustive) == (value["n_perm"], True)
        assert_allclose(result.statistic, value["t"], rtol=1e-9)
        assert_allclose(result.pvalue_uncorrected, value[f"p_{name}_sided"], rtol=1e-12)
        assert_allclose(result.pvalue_corrected, value[f"p_fwe_{name}_sided"], rtol=1e-12)


def blocks(data, n_subjects, effect):
    frame = data("perm_blocks").query("subject <= @n_subjects")
    subjects = frame["subject"].astype(str).tolist()
    tree = exchange_repeated(subjects, frame["session"].tolist(), effect=effect)
    return frame, frame.filter(regex="^v").to_numpy(), tree


def test_participants_as_whole_blocks(data, expected):
    frame, Y, tree = blocks(data, 6, "between")
    group = frame["group"].to_numpy()
    design = make_design(np.column_stack([group == 1, group == 0]), [1, -1])
    design = replace(design, exchangeability=tree)
    check_exhaustive(design, Y, expected("O_blocks", "blocks_whole_between_subject"))


def test_sessions_within_participants(data, expected):
    # Residuals of the null model move, all 6^5 ways.
    frame, Y, tree = blocks(data, 5, "within")
    session, subject = frame["session"].to_numpy(), frame["subject"].to_numpy()
    people = subject[:, None] == np.unique(subject)
    design = make_design(np.column_stack([session == 2, session == 3, people]), np.eye(7)[0])
    design = replace(design, exchangeability=tree)
    check_exhaustive(design, Y, expected("O_blocks", "blocks_within_session_freedman_lane"))


def test_group_by_session_by_differences(data, expected):
    frame, _, _ = blocks(data, 6, "between")
    at = {k: frame[frame["session"] == k].filter(regex="^v").to_numpy() for k in (1, 2)}
    group = frame.loc[frame["session"] == 1, "group"].to_numpy()
    design = make_design(np.column_stack([group == 1, group == 0]), [1, -1])
    value = expected("O_blocks", "blocks_group_by_session_via_difference")
    check_exhaustive(design, at[2] - at[1], value)
