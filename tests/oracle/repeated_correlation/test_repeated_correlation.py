"""Within and between persons against statsmodels' analysis of covariance, pingouin and numpy."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.association import association_design, correlate, correlate_repeated
from phmri.inference import infer
from phmri.protocol import Inference

HERE = Path(__file__).parent
FOUND = json.loads((HERE / "reference.json").read_text())
EXACT = 1e-9


@pytest.fixture(scope="module", params=["complete", "missing"])
def data(request):
    """Give the rows, the columns of what is taken out, and what is to be found."""
    path = HERE.parent / "stats_reference" / "data" / "parallel3x3.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    if request.param == "missing":
        rows = [row for k, row in enumerate(rows) if k not in FOUND["dropped_rows"]]
    visits = [(row["arm"], row["session"]) for row in rows]
    columns = {
        "plain": None,
        "sessions_out": np.array([[float(v == u) for u in sorted(set(visits))] for v in visits]),
        "motion_out": np.array([[float(row["fd_mean"])] for row in rows]),
    }
    return rows, columns, FOUND[request.param]


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


@pytest.mark.parametrize("outcome", ["roi3", "roi4"])
@pytest.mark.parametrize("beside", ["plain", "sessions_out", "motion_out"])
def test_within_is_analysis_of_covariance(data, outcome, beside):
    rows, columns, found = data
    people = tuple(row["subject"] for row in rows)
    values, score = column(rows, outcome)[:, None], column(rows, "cadss")
    want = found[outcome][beside]
    within = correlate_repeated(values, score, people, nuisance=columns[beside]).within
    assert_allclose([within.r[0], within.pvalue[0]], [want["r"], want["p"]], rtol=EXACT)
    assert within.df == want["df"]
    if beside == "plain":
        assert_allclose(within.r[0], found[outcome]["pingouin_rm_corr"], rtol=EXACT)
    alone = correlate(values, score, groups=people, nuisance=columns[beside])
    assert_allclose(alone.r, within.r, rtol=EXACT)


def test_shuffling_within_persons_has_the_same_correlation_and_about_the_p(data):
    rows, columns, found = data
    people = tuple(row["subject"] for row in rows)
    values, score = column(rows, "roi3")[:, None], column(rows, "cadss")
    want = found["roi3"]["sessions_out"]
    design = association_design(
        score, subjects=people, nuisance=columns["sessions_out"], repeated=True
    )
    tested = infer(design, values, None, Inference(n_permutations=200, seed=1))
    t = tested.statistic[0]
    assert_allclose(t / np.sqrt(t**2 + tested.df[0]), want["r"], rtol=EXACT)
    assert tested.pvalue_uncorrected[0] == pytest.approx(want["p"], abs=0.03)


@pytest.mark.parametrize("outcome", ["roi3", "roi4"])
def test_ranks_within_and_means_between(data, outcome):
    rows, _, found = data
    people = tuple(row["subject"] for row in rows)
    values, score = column(rows, outcome)[:, None], column(rows, "cadss")
    ranks = correlate_repeated(values, score, people, method="spearman")
    assert_allclose(ranks.within.r[0], found[outcome]["ranks"]["r"], rtol=EXACT)
    between = correlate_repeated(values, score, people).between
    assert_allclose(between.r[0], found[outcome]["between"], rtol=EXACT)
    means = [
        [values[np.array(people) == one].mean(), score[np.array(people) == one].mean()]
        for one in sorted(set(people))
    ]
    assert_allclose(ranks.between.r[0], stats.spearmanr(*np.transpose(means)).statistic)
