"""Maps of t, F and v as PALM gives them, whichever way they are computed."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group import UnitDesign, exchange_within
from phmri.inference.shuffling._source import Shufflings
from phmri.inference.statistics._statistics import make_statistic
from phmri.protocol import Inference

HERE = Path(__file__).parent
EVERY = 10
"""The engine's file keeps one voxel in ten of these maps."""


def load(name):
    with np.load(HERE / name) as file:
        return dict(file)


def make_design(X, contrast, variance_groups=None, kind="permute"):
    return UnitDesign(
        estimator="post",
        subjects=tuple(map(str, range(len(X)))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=contrast,
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(len(X), dtype=np.int64), kind=kind),
        notes=(),
        sentences=(),
        variance_groups=None if variance_groups is None else variance_groups.astype(np.int64),
    )


def observe(design, Y, statistic="t"):
    """The observed map, after checking that the identity shuffling gives it too."""
    model = make_statistic(design, Y, None, Inference(statistic=statistic), single=False)
    n_rows = len(design.X)
    identity = Shufflings(order=np.arange(n_rows)[None], sign=np.ones((1, n_rows)))
    out = np.empty((1, Y.shape[1]))
    model.fill(identity, out)
    assert_allclose(out[0], model.observed, rtol=1e-12, atol=1e-14)
    assert model.tested.all()
    return model


def test_t_of_three_contrasts_with_a_covariate():
    palm = load("perm_ancova.npz")
    for k, contrast in enumerate(palm["in_C"]):
        model = observe(make_design(palm["in_X"], contrast), palm["in_Y"])
        assert (model.name, model.df, model.df1) == ("t", 20.0, 1)
        assert_allclose(model.observed, palm[f"out_t5000_vox_tstat_c{k + 1}"], atol=1e-10)


def test_f_of_two_contrasts():
    palm, more = load("perm_ancova.npz"), load("engine.npz")
    model = observe(make_design(palm["in_X"], more["ancova_F_rows"]), palm["in_Y"])
    assert (model.name, model.df, model.df1) == ("F", 20.0, 2)
    assert_allclose(model.observed[::EVERY], more["ancova_F"], atol=1e-10)


def test_t_of_paired_differences():
    palm = load("perm_paired.npz")
    design = make_design(np.ones((8, 1)), np.ones(1), kind="sign_flip")
    model = observe(design, palm["in_Y_difference"])
    assert_allclose(model.observed, palm["out_signflip_vox_tstat"], atol=1e-10)


@pytest.mark.parametrize("split", ["5v5", "6v4"])
def test_v_of_two_samples_and_welch(split):
    palm, more = load("perm_twosample.npz"), load("engine.npz")
    X, name = palm["in_X"], "twosample_v"
    if split == "6v4":
        X, name = more["twosample_X6v4"], "twosample_v6v4"
    first = X[:, 0] > 0
    model = observe(make_design(X, palm["in_C"][0], first), palm["in_Y"], "v")
    assert model.name == "v"
    assert_allclose(model.observed[::EVERY], more[name], atol=1e-10)
    Y = palm["in_Y"].astype(float)
    welch = stats.ttest_ind(Y[first], Y[~first], equal_var=False)
    assert_allclose(model.observed, welch.statistic, atol=1e-12)
    assert_allclose(model.df, welch.df, rtol=1e-12)


def test_v_with_visits_and_variances_per_arm():
    more = load("engine.npz")
    design = make_design(more["whole_X"], more["whole_C"][0], more["whole_VG"])
    model = observe(design, more["whole_Y"], "v")
    assert_allclose(model.observed[::EVERY], more["whole_v"], atol=1e-10)
