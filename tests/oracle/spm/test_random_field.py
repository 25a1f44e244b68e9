import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import UnitDesign, exchange_within, fit_contrast
from phmri.inference._space import Volume
from phmri.inference.random_field._euler import StatisticField, expected_euler, tail_probability
from phmri.inference.random_field._extent import (
    cluster_pvalue,
    expected_resels_per_cluster,
    extent_threshold,
)
from phmri.inference.random_field._height import height_threshold, peak_pvalue
from phmri.inference.random_field._result import random_field_result
from phmri.inference.random_field._smoothness import count_resels, estimate_smoothness
from phmri.inference.statistics._residuals import model_residuals

HERE = Path(__file__).parent
RESELS = ["R0", "R1", "R2", "R3"]


def make_field(kind, df1, df2, n_maps=1):
    return {
        "Z": lambda: StatisticField(kind="z", n_maps=n_maps),
        "T": lambda: StatisticField(kind="t", df=float(df2), n_maps=n_maps),
        "F": lambda: StatisticField(kind="f", df=float(df2), df1=float(df1), n_maps=n_maps),
    }[kind]()


def test_every_value_of_spm12():
    table = pd.read_csv(HERE / "S_grf_spm.csv")
    asked = {
        "peak_P_fwe": lambda u, k, f, R: peak_pvalue(u, f, R)[0],
        "peak_P_fwe_min_stat_global_null": lambda u, k, f, R: peak_pvalue(u, f, R)[0],
        "expected_EC": lambda u, k, f, R: expected_euler(u, f, R)[0],
        "expected_resels_per_cluster": lambda u, k, f, R: expected_resels_per_cluster(
            float(u[0]), f, R
        ),
        "cluster_P_fwe": lambda u, k, f, R: cluster_pvalue(k, float(u[0]), f, R)[0][0],
        "cluster_p_uncorrected": lambda u, k, f, R: cluster_pvalue(k, float(u[0]), f, R)[1][0],
        "height_threshold_fwe05": lambda u, k, f, R: height_threshold(float(u[0]), f, R),
    }
    found = [
        asked[row.kind](
            np.array([row.u_or_p], dtype=float),
            np.array([row.k_resels], dtype=float),
            make_field(row.stat, row.df1, row.df2, int(row.n)),
            resels,
        )
        for row, resels in zip(
            table.itertuples(), table[RESELS].to_numpy(dtype=float), strict=True
        )
    ]
    assert len(found) == 322
    assert_allclose(found, table["value"], rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "name", "corrected", "uncorrected"),
    [(0, "Z", 1e-6, 2e-2), (1, "T", 1e-9, 1e-9), (2, "F", 1e-6, 1e-3)],
)
def test_grid_of_spm26(kind, name, corrected, uncorrected):
    grid = pd.read_csv(HERE / "random_field_p_grid.tsv", sep="\t")
    grid = grid[(grid["kind"] == kind) & (grid["p_corrected"] > 1e-6)]
    assert len(grid) > 80
    fwe, single, expected = np.empty((3, len(grid)))
    for i, (row, resels) in enumerate(
        zip(grid.itertuples(), grid[RESELS].to_numpy(dtype=float), strict=True)
    ):
        field = make_field(name, row.df1, row.df2)
        extent, height = np.array([row.extent_resels]), np.array([row.height])
        (fwe[i],), (single[i],) = cluster_pvalue(extent, row.height, field, resels)
        if not row.extent_resels:
            (fwe[i],) = peak_pvalue(height, field, resels)
        (expected[i],) = expected_euler(height, field, resels)
    assert_allclose(fwe, grid["p_corrected"], rtol=corrected)
    assert_allclose(single, grid["p_uncorrected"], rtol=uncorrected)
    assert_allclose(expected, grid["expected_clusters"], rtol=corrected)


def test_height_thresholds():
    table = pd.read_csv(HERE / "random_field_thresholds.tsv", sep="\t")
    resels = table[RESELS].to_numpy(dtype=float)
    fields = [StatisticField(kind="t", df=float(df)) for df in table["df"]]
    plain = [height_threshold(0.05, f, R) for f, R in zip(fields, resels, strict=True)]
    both = [height_threshold(0.05, f, R, 9000) for f, R in zip(fields, resels, strict=True)]
    assert_allclose(plain, table["u_fwe05_random_field"], atol=1e-4)
    assert_allclose(both, table["u_fwe05_min_rf_bonferroni_9000"], atol=1e-4)


@pytest.fixture(scope="module")
def spm():
    with np.load(HERE / "random_field.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def design(spm):
    X = spm["in_X"]
    return UnitDesign(
        estimator="post",
        subjects=tuple(map(str, range(len(X)))),
        groups=("x",) * len(X),
        X=X,
        columns=("mean", "covariate"),
        contrast=np.array([1.0, 0.0]),
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(len(X), dtype=np.int64), kind="sign_flip"),
        notes=(),
        sentences=(),
    )


@pytest.fixture(scope="module")
def smoothness(spm, design):
    return estimate_smoothness(model_residuals(design, spm["in_Y"].astype(float)), spm["mask"])


@pytest.fixture(scope="module")
def result(spm, smoothness):
    return random_field_result(
        spm["out_T"].astype(float),
        Volume(mask=spm["mask"], connectivity=18),
        smoothness,
        StatisticField(kind="t", df=float(spm["df"])),
        cluster_threshold=float(spm["height_threshold"]),
    )


def test_t_and_smoothness(spm, design, smoothness):
    assert_allclose(fit_contrast(design, spm["in_Y"].astype(float)).t, spm["out_T"], atol=1e-5)
    assert_allclose(smoothness.fwhm_voxels, spm["out_fwhm_voxels"], rtol=1e-12)
    assert_allclose(smoothness.resels, spm["out_resels"], rtol=1e-12)
    assert_array_equal(count_resels(spm["mask"], np.ones(3)), spm["out_unit_resels"])
    assert_allclose(smoothness.resels_per_voxel, spm["out_rpv"], rtol=1e-10)


def test_single_precision_is_enough_for_smoothness(spm, design, smoothness):
    single = estimate_smoothness(model_residuals(design, spm["in_Y"]), spm["mask"])
    assert_allclose(single.fwhm_voxels, smoothness.fwhm_voxels, rtol=1e-6)


def test_whole_table(spm, result):
    table = pd.DataFrame(spm["table"], columns=spm["table_columns"])
    number = np.cumsum(spm["mask"]).reshape(spm["mask"].shape) - 1
    place = {int(outcome): i for i, outcome in enumerate(result.peaks.outcome)}
    order = [place[int(number[tuple(ijk)])] for ijk in spm["table_ijk"]]
    assert sorted(order) == list(range(len(place)))
    peaks, clusters = result.peaks, result.clusters
    assert_allclose(peaks.height[order], table["peak_T"], rtol=1e-6)
    assert_allclose(peaks.pvalue[order], table["peak_p_fwe"], rtol=1e-6)
    assert_allclose(peaks.qvalue[order], table["peak_p_fdr"], rtol=1e-6)
    # SPM turns t into z, and that into p, by an approximation.
    assert_allclose(peaks.z[order], table["peak_Z"], atol=1.1e-4)
    assert_allclose(peaks.pvalue_uncorrected[order], table["peak_p_unc"], rtol=4e-4)
    first = table["cluster_k"].notna().to_numpy()
    k = peaks.cluster[order][first] - 1
    assert_array_equal(clusters.extent[k], table["cluster_k"][first])
    assert_allclose(clusters.pvalue[k], table["cluster_p_fwe"][first], rtol=1e-6)
    assert_allclose(clusters.qvalue[k], table["cluster_p_fdr"][first], rtol=1e-6)
    assert_allclose(clusters.pvalue_uncorrected[k], table["cluster_p_unc"][first], rtol=1e-6)
    assert clusters.extent.size == table["set_c"][0]
    assert_allclose(result.set_pvalue, table["set_p"][0], rtol=1e-6)


def test_clusters_hold_the_same_voxels(spm, result):
    pairs = set(zip(result.clusters.label.tolist(), spm["cluster_labels"].tolist(), strict=True))
    assert len(pairs) == result.clusters.extent.size + 1
    assert (0, 0) in pairs


def test_footer(spm, result):
    footer = json.loads((HERE / "random_field_footer.json").read_text())["footer"]
    numbers = [[float(x) for x in re.findall(r"\d+\.?\d*", line)] for line in footer]
    assert_allclose(result.cluster_forming_pvalue, numbers[0][1], rtol=1e-6)
    family = peak_pvalue(
        np.array([result.cluster_threshold]), result.field, result.smoothness.resels
    )
    assert_allclose(family, numbers[0][2], atol=5e-4)
    assert_allclose(result.expected_extent, numbers[2][0], atol=5e-4)
    assert_allclose(result.expected_clusters, numbers[3][0], atol=5e-3)
    assert_allclose(result.height_threshold, spm["uc"][0], rtol=1e-6)
    assert result.height_threshold_fdr == spm["uc"][1] == math.inf
    assert result.extent_threshold_fdr == spm["uc"][3]
    # SPM gives the least extent found that is significant, not the least that would be.
    extent = result.clusters.extent
    assert extent[extent >= result.extent_threshold].min() == spm["uc"][2]


def test_extent_threshold_is_the_least_significant_extent(result):
    resels, field = result.smoothness.resels, result.field
    voxels_per_resel = np.prod(result.smoothness.fwhm_voxels)
    around = result.extent_threshold + np.array([-1.0, 0.0])
    fwe, _ = cluster_pvalue(around / voxels_per_resel, result.cluster_threshold, field, resels)
    assert fwe[1] <= 0.05 < fwe[0]
    exact = extent_threshold(0.05, result.cluster_threshold, field, resels)
    fwe, _ = cluster_pvalue(np.array([exact]), result.cluster_threshold, field, resels)
    assert_allclose(fwe, 0.05, rtol=1e-12)


def test_p_of_every_voxel_is_that_of_its_height(result):
    outcome = result.peaks.outcome
    assert_array_equal(result.pvalue[outcome], result.peaks.pvalue)
    bonferroni = result.smoothness.n_voxels * tail_probability(result.peaks.height, result.field)
    assert (result.peaks.pvalue <= bonferroni).all()
