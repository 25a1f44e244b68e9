"""Crossovers adjusted for the baseline of each period, against R."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group import (
    fit_contrast,
    fit_long_design,
    make_baseline,
    make_long_design,
    make_long_table,
    make_outcome,
    make_unit_design,
)
from phmri.group.longitudinal import LongSettings
from phmri.protocol import Crossover
from tests.unit.group.longitudinal.long_trials import ask, units

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "period_baselines.json").read_text())
CONTRAST = ("KET", "PLA")


def read(name, column):
    """Give table of units, trial, rows, and who has a period with its baseline."""
    frame = pd.read_csv(HERE / f"{name}.csv").sort_values(["subject", "period"])
    people = frame.drop_duplicates("subject")
    table = units(people["sequence"])
    codes = dict(zip(people["subject"], table.subjects, strict=True))
    has = frame[frame[column].notna()]
    present = {
        codes[subject]: frozenset(rows["period"].tolist())
        for subject, rows in has.groupby("subject")
    }
    sequences = {name: {"treatments": tuple(name.split("_"))} for name in set(people["sequence"])}
    return table, Crossover(kind="crossover", sequences=sequences), frame, present


def assert_found(found, r):
    assert_allclose(found.effect[0], r["estimate"], rtol=1e-9)
    assert_allclose(found.se[0], r["se"], rtol=1e-9)
    assert_allclose(found.t[0], r["t"], rtol=1e-9)
    assert found.df == r["df"]


def test_two_periods_equal_lm_of_half_differences():
    table, trial, frame, _ = read("two", "b")
    question = ask(CONTRAST, "crossover", period_baseline=True)
    design = make_unit_design(question, trial, table)
    assert design.voxelwise_baseline

    def under(column, treatment):
        return frame.loc[frame["treatment"] == treatment, column].to_numpy()[:, None]

    images = {
        role: under("y", name) for role, name in zip(("first", "second"), CONTRAST, strict=True)
    }
    images |= {
        f"baseline-{role}": under("b", name)
        for role, name in zip(("first", "second"), CONTRAST, strict=True)
    }
    Y, baseline = make_outcome(design, images), make_baseline(design, images)
    half = frame.pivot_table(index="subject", columns="period", values="b")
    assert_allclose(baseline[:, 0], (half[1] - half[2]) / 2, atol=1e-12)
    assert_found(fit_contrast(design, Y, baseline), EXPECTED["halves"])


@pytest.mark.parametrize("column", ["b", "b_missing"])
def test_periods_equal_lm_with_a_level_per_participant(column):
    table, trial, frame, present = read("three", column)
    kept = [k for k, name in enumerate(table.subjects) if len(present[name]) > 1]
    codes = np.repeat(np.arange(len(table.subjects)), 3)
    frame = frame[np.isin(codes, kept)]
    table = units([table.groups[k] for k in kept])
    people = dict(zip(dict.fromkeys(frame["subject"]), table.subjects, strict=True))
    has = frame[frame[column].notna()]
    present = {
        people[subject]: frozenset(rows["period"].tolist())
        for subject, rows in has.groupby("subject")
    }
    question = ask(CONTRAST, "crossover", period_baseline=True)
    design = make_unit_design(question, trial, table, present=present)
    images = {"periods": frame[["y"]].to_numpy(), "baseline-periods": frame[[column]].to_numpy()}
    found = fit_contrast(design, make_outcome(design, images), make_baseline(design, images))
    assert_found(found, EXPECTED["periods"][column])


@pytest.mark.parametrize("method", ["satterthwaite", "kenward_roger"])
@pytest.mark.parametrize("column", ["b", "b_missing"])
@pytest.mark.parametrize("name", ["two", "three"])
def test_random_intercept_equals_lmertest(name, column, method):
    table, trial, frame, present = read(name, column)
    question = ask(CONTRAST, "mixed", period_baseline=True)
    long = make_long_table(question, trial, table, present)
    design = make_long_design(
        LongSettings(model="mixed", contrast=CONTRAST), long, baseline=frame[column].to_numpy()
    )
    assert design.columns[-2:] == ("baseline within", "baseline between")
    Y = frame["y"].to_numpy()[design.rows][:, None]
    found = fit_long_design(design, Y, df_method=method)
    r = EXPECTED[name][column][method]
    assert_allclose(found.effect[0, 0], r["estimate"], rtol=1e-6)
    assert_allclose(np.sqrt(found.covariance[0, 0, 0]), r["se"], rtol=1e-6)
    assert_allclose(found.df[0, 0], r["df"], rtol=1e-4)
