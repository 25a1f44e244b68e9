"""Published trials with published results; their data are not ours to ship."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group import UnitTable, fit_contrast, make_outcome, make_unit_design, sequence_test
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Question

KNOWN = Path(__file__).parents[2].parent / "shared" / "reference" / "stats" / "known"

pytestmark = pytest.mark.skipif(
    not KNOWN.is_dir(), reason=f"published data are not distributed: {KNOWN} is absent"
)


@pytest.fixture
def senn():
    with (KNOWN / "senn_formoterol_salbutamol.csv").open() as file:
        rows = list(csv.DictReader(file))
    checks = json.loads((KNOWN / "known_answers.json").read_text())["checks"]
    value = next(c for c in checks if c["id"] == "senn_formoterol_salbutamol")
    trial = Crossover(
        kind="crossover",
        sequences={"FS": {"treatments": ("F", "S")}, "SF": {"treatments": ("S", "F")}},
    )
    table = UnitTable(
        subjects=tuple(row["patient"] for row in rows),
        groups=tuple(row["sequence"] for row in rows),
        strata=("",) * len(rows),
        covariates={},
    )
    question = Question(
        text="Formoterol or salbutamol?",
        role="primary",
        measure="pef",
        contrast=("F", "S"),
        estimator="crossover",
    )
    periods = np.array([[float(row["period1"]), float(row["period2"])] for row in rows])
    flipped = np.array([row["sequence"] == "SF" for row in rows])
    periods[flipped] = periods[flipped, ::-1]
    images = {"first": periods[:, :1], "second": periods[:, 1:]}
    return make_unit_design(question, trial, table), images, value


def test_formoterol_trial_as_published(senn):
    design, images, value = senn
    estimate = fit_contrast(design, make_outcome(design, images))
    published = value["published"]
    assert round(estimate.effect[0], 1) == published["treatment"]
    assert round(estimate.se[0], 1) == published["se"]
    assert estimate.df == published["df"]


def test_formoterol_trial_at_full_precision(senn):
    design, images, value = senn
    terms = sequence_test(design, images)
    treatment = fit_contrast(design, make_outcome(design, images))
    for name, estimate in (
        ("treatment", treatment),
        ("period1_minus_period2", terms.period),
        ("carryover", terms.carry_over),
    ):
        want = value["computed_full_precision"][name]
        assert_allclose(
            [estimate.effect[0], estimate.se[0], estimate.t[0], estimate.df],
            [want["estimate"], want["se"], want["t"], want["df"]],
            rtol=1e-9,
        )
    assert_allclose(
        terms.carry_over_pvalue[0],
        value["computed_full_precision"]["carryover"]["p"],
        rtol=1e-9,
    )


def test_formoterol_trial_rerandomised(senn):
    design, images, _ = senn
    result = permute(design, make_outcome(design, images), None, Inference(n_permutations=2000))
    assert (result.n_distinct, result.exhaustive) == (1716, True)
    assert result.pvalue_corrected[0] < 0.01
