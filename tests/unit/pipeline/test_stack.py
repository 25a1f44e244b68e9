"""Loaded outcomes as rows of a design."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group import UnitTable, make_unit_design
from phmri.pipeline._loading import LoadedOutcomes
from phmri.pipeline._stack import stack_outcomes
from phmri.protocol import Protocol
from tests.unit.pipeline.measured_trial import (
    ARMS,
    CROSSED,
    PARALLEL,
    document,
    parallel,
    question,
)


def loaded(**images: list[list[float]]) -> LoadedOutcomes:
    return LoadedOutcomes(
        kind="parcels",
        images={role: np.array(rows, float) for role, rows in images.items()},
        names=("a", "b"),
        mask=None,
        affine=None,
        weights=None,
        note="",
    )


def design_of(content: dict, people: dict[str, str], present: dict | None = None):
    protocol = Protocol.model_validate(content)
    table = UnitTable(
        subjects=tuple(people), groups=tuple(people.values()), strata=("",) * len(people),
        covariates={},
    )  # fmt: skip
    return make_unit_design(
        protocol.questions["it"], protocol.design, table, min_per_group=2, present=present
    )


def grid(n: int, seed: int) -> list[list[float]]:
    return np.random.default_rng(seed).normal(size=(n, 2)).tolist()


@pytest.mark.parametrize("estimator", ["post", "change", "ancova"])
def test_parallel_rows(estimator: str) -> None:
    asked = PARALLEL | {"estimator": estimator}
    if estimator != "post":
        asked["baseline"] = "before"
    design = design_of(parallel(questions={"it": asked}), ARMS)
    after, before = grid(10, 1), grid(10, 2)
    images = {"outcome": after} if estimator == "post" else {"outcome": after, "baseline": before}
    Y, baseline = stack_outcomes(design, loaded(**images))
    assert_allclose(Y, np.subtract(after, before) if estimator == "change" else after)
    if estimator == "ancova":
        assert_allclose(baseline, before)
    else:
        assert baseline is None


def test_row_without_baseline_is_absent_in_both() -> None:
    asked = PARALLEL | {"estimator": "ancova", "baseline": "before"}
    design = design_of(parallel(questions={"it": asked}), ARMS)
    after, before = grid(10, 1), grid(10, 2)
    after[3][0], before[5][1] = np.nan, np.nan
    given = loaded(outcome=after, baseline=before)
    Y, baseline = stack_outcomes(design, given)
    assert baseline is not None
    absent = np.zeros((10, 2), bool)
    absent[3, 0] = absent[5, 1] = True
    assert (np.isnan(Y) == absent).all()
    assert (np.isnan(baseline) == absent).all()
    assert_allclose(Y[~absent], np.array(after)[~absent])
    # What was loaded is left as it was.
    assert given.images["baseline"][3, 0] == before[3][0]


def test_crossover_rows_are_half_of_period_one_minus_two() -> None:
    design = design_of(document(), CROSSED)
    drug, placebo = grid(8, 1), grid(8, 2)
    Y, baseline = stack_outcomes(design, loaded(first=drug, second=placebo))
    sign = np.array([1 if order == "ab" else -1 for order in CROSSED.values()])
    assert_allclose(Y, sign[:, None] * np.subtract(drug, placebo) / 2)
    assert baseline is None


def test_planned_periods_without_a_run_stay_empty(tmp_path: Path) -> None:
    content = document(
        treatments={"placebo": {}, "drug": {}, "more": {}},
        design={
            "kind": "crossover",
            "sequences": {
                "abc": {"treatments": ["drug", "placebo", "more"]},
                "bca": {"treatments": ["placebo", "more", "drug"]},
                "cab": {"treatments": ["more", "drug", "placebo"]},
            },
        },
        sessions={name: {"phase": "acute", "period": k} for k, name in enumerate("xyz", 1)},
        scans={"rest": {"task": "rest"}},
        measures={"slow": {"kind": "alff", "scan": "rest", "denoising": "motion",
                           "band_hz": [0.01, 0.1]}},
        exposures={},
        questions={"it": question("slow")},
    )  # fmt: skip
    people = {f"{i:02d}": ("abc", "bca", "cab")[i % 3] for i in range(6)}
    present = dict.fromkeys(people, frozenset({1, 2, 3})) | {"02": frozenset({1, 3})}
    design = design_of(content, people, present)
    rows = grid(17, 4)
    Y, _ = stack_outcomes(design, loaded(periods=rows))
    assert Y.shape == (18, 2)
    assert design.present is not None
    assert_allclose(Y[design.present], rows)
    assert np.isnan(Y[~design.present]).all()
    assert (~design.present).sum() == 1
    lost = int(np.flatnonzero(~design.present)[0])
    assert design.subjects[lost] == "02"
