import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group import (
    UnitTable,
    confidence_interval,
    fit_contrast,
    make_outcome,
    make_unit_design,
    sequence_test,
)
from phmri.protocol import Crossover, Parallel, Question

ARMS = ("PLA", "KET", "LTGKET")


def parallel_trial(data, estimator, contrast, session):
    wide = data("parallel3x3").pivot(index="subject", columns="session", values="roi_complete")
    people = data("parallel3x3").drop_duplicates("subject").set_index("subject").loc[wide.index]
    table = UnitTable(
        subjects=tuple(wide.index),
        groups=tuple(people["arm"]),
        strata=("",) * len(wide),
        covariates={"sex": (people["sex"] == "M").to_numpy(float)[:, None]},
    )
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=contrast,
        session=session,
        baseline="baseline",
        estimator=estimator,
    )
    design = make_unit_design(
        question, Parallel(kind="parallel", arms={a: {"treatment": a} for a in ARMS}), table
    )
    images = {
        "outcome": wide[[session]].to_numpy(),
        "baseline": wide[["baseline"]].to_numpy(),
    }
    baseline = images["baseline"] if design.voxelwise_baseline else None
    return fit_contrast(design, make_outcome(design, images), baseline)


@pytest.mark.parametrize(
    ("check", "estimator", "session"),
    [
        ("ancova_acute", "ancova", "acute"),
        ("ancova_h24", "ancova", "h24"),
        ("change_score_acute", "change", "acute"),
        ("post_only_acute", "post", "acute"),
    ],
)
@pytest.mark.parametrize("contrast", [("KET", "PLA"), ("LTGKET", "PLA"), ("KET", "LTGKET")])
def test_parallel_estimates_equal_r(data, expected, check, estimator, session, contrast):
    value = expected("A_ols_parallel", check)["contrasts"]["_minus_".join(contrast)]
    estimate = parallel_trial(data, estimator, contrast, session)
    low, high = confidence_interval(estimate, 0.95)
    found = [estimate.effect[0], estimate.se[0], estimate.t[0], low[0], high[0]]
    assert_allclose(
        found, [value[k] for k in ("estimate", "se", "t", "ci95_lo", "ci95_hi")], rtol=1e-9
    )
    assert estimate.df == value["df"]


def crossover_trial(frame):
    wide = frame.pivot(index="subject", columns="treatment", values="y")
    sequence = frame.drop_duplicates("subject").set_index("subject").loc[wide.index, "sequence"]
    question = Question(
        text="t", role="primary", measure="m", contrast=("KET", "PLA"), estimator="crossover"
    )
    trial = Crossover(
        kind="crossover",
        sequences={"KP": {"treatments": ("KET", "PLA")}, "PK": {"treatments": ("PLA", "KET")}},
    )
    table = UnitTable(
        subjects=tuple(wide.index),
        groups=tuple(sequence),
        strata=("",) * len(wide),
        covariates={},
    )
    design = make_unit_design(question, trial, table)
    return design, {"first": wide[["KET"]].to_numpy(), "second": wide[["PLA"]].to_numpy()}


def test_crossover_treatment_period_and_carry_over_equal_r(data, expected):
    value = expected("F_crossover2x2", "xover_ttests")
    design, images = crossover_trial(data("xover2x2"))
    treatment = fit_contrast(design, make_outcome(design, images))
    terms = sequence_test(design, images)
    for name, estimate, pvalue in (
        ("treatment", treatment, None),
        ("period1_minus_period2", terms.period, terms.period_pvalue),
        ("carryover_sum_difference", terms.carry_over, terms.carry_over_pvalue),
    ):
        want = value[name]
        assert_allclose(
            [estimate.effect[0], estimate.se[0], estimate.t[0], estimate.df],
            [want["estimate"], want["se"], want["t"], want["df"]],
            rtol=1e-9,
            err_msg=name,
        )
        if pvalue is not None:
            assert_allclose(pvalue[0], want["p_two_sided"], rtol=1e-9)


def test_crossover_is_not_the_paired_difference(data, expected):
    wrong = expected("F_crossover2x2", "xover_ttests")["wrong_way_paired_t_ignoring_period"]
    design, images = crossover_trial(data("xover2x2"))
    estimate = fit_contrast(design, make_outcome(design, images))
    assert abs(estimate.effect[0] - wrong["estimate"]) > 0.01
    assert np.isclose((images["first"] - images["second"]).mean(), wrong["estimate"])
