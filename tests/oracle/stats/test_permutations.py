from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group import UnitDesign, fit_contrast
from phmri.inference import count_shufflings, permute
from phmri.inference._permutation import permute_with
from phmri.inference._pvalues import pvalue_of_maximum
from phmri.inference._shuffling import Shufflings
from phmri.protocol import Inference

SETTINGS = Inference(n_permutations=5000)


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
        shuffling=shuffling,
        blocks=np.zeros(len(X), dtype=np.int64),
        notes=(),
        sentences=(),
    )


def given_orders(order):
    order = np.asarray(order)
    yield Shufflings(order=order, sign=np.ones(order.shape), flips=False)


def test_two_groups_all_splits(data, expected):
    value = expected("N_permutation", "perm_twogroup_exhaustive")
    frame = data("perm_twogroup")
    group = frame["group"].to_numpy()
    Y = frame.filter(regex="^v").to_numpy()
    design = make_design(np.column_stack([group == 1, group == 0]), [1, -1])
    assert count_shufflings(design) == 924
    both = permute(design, Y, None, SETTINGS)
    above = permute(design, Y, None, SETTINGS, alternative="greater")
    assert both.exhaustive
    assert both.n_permutations == 924
    assert_allclose(fit_contrast(design, Y).t, value["t"], rtol=1e-9)
    assert_allclose(both.pvalue_uncorrected, value["p_two_sided"], rtol=1e-12)
    assert_allclose(both.pvalue_fwe, value["p_fwe_two_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_uncorrected, value["p_one_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_fwe, value["p_fwe_one_sided"], rtol=1e-12)


def test_one_sample_all_sign_flips(data, expected):
    value = expected("N_permutation", "perm_onesample_exhaustive")
    Y = data("perm_onesample").filter(regex="^v").to_numpy()
    design = make_design(np.ones((10, 1)), [1], estimator="paired", shuffling="sign_flip")
    above = permute(design, Y, None, SETTINGS, alternative="greater")
    both = permute(design, Y, None, SETTINGS)
    assert (above.n_permutations, above.exhaustive) == (1024, True)
    assert_allclose(fit_contrast(design, Y).t, value["t"], rtol=1e-9)
    assert_allclose(above.pvalue_uncorrected, value["p_one_sided"], rtol=1e-12)
    assert_allclose(above.pvalue_fwe, value["p_fwe_one_sided"], rtol=1e-12)
    assert_allclose(both.pvalue_fwe, value["p_fwe_two_sided"], rtol=1e-12)


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
    assert result.pvalue_fwe[0] == pytest.approx(value["p_two_sided_by_t"], rel=1e-12)


def test_freedman_lane_with_voxelwise_baseline_on_given_permutations(data, expected):
    value = expected("N_permutation", "permutation_ancova")["freedman_lane"]
    rois = expected("N_permutation", "permutation_ancova")["rois"]
    rows = data("parallel3x3").sort_values("subject")
    at = {s: rows[rows["session"] == s].set_index("subject") for s in ("baseline", "acute")}
    people = at["baseline"]
    Y = at["acute"].loc[people.index, rois].to_numpy()
    baseline = people[rois].to_numpy()
    arms = [people["arm"] == arm for arm in ("KET", "PLA", "LTGKET")]
    X = np.column_stack([*arms, people["sex"] == "M"])
    design = make_design(X, [1, -1, 0, 0], estimator="ancova")
    order = data("perm_indices_parallel").to_numpy() - 1
    counted = permute_with(
        design,
        Y,
        baseline,
        given_orders(order),
        alternative="two-sided",
        n_threads=1,
        on_batch=None,
    )
    assert_allclose(counted.statistic, np.abs(value["t_observed"]), rtol=1e-9)
    assert_allclose(counted.count / 500, value["p_uncorrected_two_sided"], rtol=1e-12)
    assert_allclose(
        pvalue_of_maximum(counted.statistic, counted.maximum, 70.0),
        value["p_fwe_max_abs_t"],
        rtol=1e-12,
    )
    assert counted.maximum[1] == pytest.approx(np.abs(value["row2"]).max(), rel=1e-9)


def test_freedman_lane_over_all_orders_of_nine(data, expected):
    value = expected("O_permutation_spatial_blocks", "freedman_lane_full_9factorial")
    frame = data("perm_covariate")
    X = np.column_stack([np.ones(9), frame["group"], frame["age"]])
    design = make_design(X, [0, 1, 0])
    Y = frame.filter(regex="^v").to_numpy()
    assert count_shufflings(design) == value["n_perm"]
    orders = np.array(list(permutations(range(9))))
    for alternative, name in (("greater", "one"), ("two-sided", "two")):
        counted = permute_with(
            design,
            Y,
            None,
            given_orders(orders),
            alternative=alternative,
            n_threads=1,
            on_batch=None,
        )
        assert_allclose(counted.count / len(orders), value[f"p_{name}_sided"], rtol=1e-9)
        assert_allclose(
            pvalue_of_maximum(counted.statistic, counted.maximum, 6.0),
            value[f"p_fwe_{name}_sided"],
            rtol=1e-9,
        )


def test_volume_of_sign_flips(data, volume_t: pd.DataFrame):
    frame = data("perm_volume_8x8x6").merge(volume_t, on=["i", "j", "k"])
    assert len(frame) == 384
    Y = frame.filter(regex="^s").to_numpy().T
    design = make_design(np.ones((10, 1)), [1], estimator="paired", shuffling="sign_flip")
    result = permute(design, Y, None, SETTINGS, alternative="greater")
    assert_allclose(fit_contrast(design, Y).t, frame["t"], rtol=1e-9)
    assert_allclose(result.pvalue_fwe, frame["p_fwe"], rtol=1e-9)
