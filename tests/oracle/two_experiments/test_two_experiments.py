"""A blockade over two experiments of different people, against R and against paired tests."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group import fit_long_design, make_long_design, make_long_table
from phmri.group.blockade import attenuation, judge_blockade
from phmri.protocol import Crossover
from tests.unit.group.longitudinal.long_trials import TWO_EXPERIMENTS, ask, over_two, units

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "two_experiments.json").read_text())
NAMES = ("drug", "difference", "pretreated")
SEQUENCES = {"_".join(each["treatments"]): each for each in TWO_EXPERIMENTS.values()}
METHODS = ("satterthwaite", "kenward_roger")


def fit(column, **how):
    frame = pd.read_csv(HERE / "two_experiments.csv")
    people = frame.drop_duplicates("subject")
    table = units(people["sequence"])
    codes = dict(zip(people["subject"], table.subjects, strict=True))
    has = frame[frame[column].notna()]
    cells = {
        codes[subject]: frozenset(rows["period"].tolist())
        for subject, rows in has.groupby("subject")
    }
    question = ask(
        ("PLAKET", "LTGKET"), "mixed", blockade={"reference": "PLA", "reference_drug": "KET"}
    )
    trial = Crossover(kind="crossover", sequences=SEQUENCES)
    long = make_long_table(question, trial, table, cells)
    design = make_long_design(over_two(), long)
    return fit_long_design(design, frame[column].to_numpy()[design.rows][:, None], **how)


def numbers(joint, name):
    k = joint.names.index(name)
    return joint.effect[k, 0], np.sqrt(joint.covariance[0, k, k]), joint.df[k, 0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("column", ["y", "y_missing"])
def test_mixed_equals_r(column, method):
    joint = fit(column, df_method=method)
    for name in NAMES:
        theirs = EXPECTED[column][method][name]
        effect, se, df = numbers(joint, name)
        assert_allclose(effect, theirs["estimate"], rtol=1e-6)
        assert_allclose(se, theirs["se"], rtol=1e-6)
        assert_allclose(df, theirs["df"], rtol=1e-4)


@pytest.mark.parametrize("column", ["y", "y_missing"])
def test_covariance_of_the_contrasts_equals_r(column):
    joint = fit(column, df_method="satterthwaite")
    order = [joint.names.index(name) for name in ("drug", "difference", "pretreated")]
    assert_allclose(
        joint.covariance[0][np.ix_(order, order)],
        EXPECTED[column]["covariance"],
        rtol=1e-6,
        atol=1e-10,
    )


def bell_and_mccaffrey(*sizes):
    """Degrees of freedom of a sum of means of groups, from their sizes."""
    n = np.concatenate(sizes)
    return (1 / n).sum() ** 2 / (1 / (n**2 * (n - 1))).sum()


def test_clusters_are_the_two_crossovers_each_by_itself():
    joint = fit("y", errors="cr2")
    for name, theirs in EXPECTED["halves"].items():
        df = bell_and_mccaffrey(theirs["n"])
        assert_allclose(numbers(joint, name), [theirs["estimate"], theirs["se"], df])


def test_what_remained_is_the_first_less_the_second():
    joint = fit("y", errors="cr2")
    drug, removed = (EXPECTED["halves"][name] for name in ("drug", "difference"))
    effect, se, df = numbers(joint, "pretreated")
    assert_allclose(effect, drug["estimate"] - removed["estimate"])
    assert_allclose(se, np.hypot(drug["se"], removed["se"]))
    assert_allclose(df, bell_and_mccaffrey(drug["n"], removed["n"]))


def test_attenuation_is_the_ratio_of_independent_effects():
    joint = fit("y", errors="cr2")
    found = attenuation(joint, 0.95)
    drug, removed = (EXPECTED["halves"][name] for name in ("drug", "difference"))
    assert_allclose(found.estimate, 100 * removed["estimate"] / drug["estimate"])
    ends = np.array([found.low[0], found.high[0]]) / 100
    # Fieller: the ends are where removed - r drug is as far from 0 as t allows.
    apart = removed["estimate"] - ends * drug["estimate"]
    spread = np.sqrt(removed["se"] ** 2 + (ends * drug["se"]) ** 2)
    assert_allclose(np.abs(apart / spread), np.abs(apart / spread)[0], rtol=1e-9)
    assert judge_blockade(joint, margin=2.0, two_experiments=True).two_experiments
