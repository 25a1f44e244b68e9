"""What ``phmri design`` says before anything is measured."""

import pytest

from phmri.pipeline import DesignSummary, describe_designs
from phmri.protocol import Protocol
from tests.unit.pipeline.measured_trial import PARALLEL, parallel


def describe(n_per_arm: int = 5, *, measure: str = "step", **changes: object) -> DesignSummary:
    """Describe the one question of two arms."""
    own = {"question": {**PARALLEL, "measure": measure}, "inference": {}} | changes
    content = parallel(questions={"it": own["question"]}, inference=own["inference"])
    content["design"]["arms"] = {
        "treated": {"treatment": "drug", "n_planned": n_per_arm},
        "control": {"treatment": "placebo", "n_planned": n_per_arm},
    }
    (summary,) = describe_designs(Protocol.model_validate(content))
    return summary


def test_an_enumeration_is_not_said_to_stop_early() -> None:
    settings = {"n_permutations": 2000, "stop_after": 10}
    lines = dict(describe(5, inference=settings).lines)
    assert lines["shufflings"] == "252 distinct; all will be made"
    lines = dict(describe(8, inference=settings).lines)
    assert lines["shufflings"].endswith("fewer once 10 reach the strongest outcome")


def test_the_null_hypothesis_is_called_that() -> None:
    lines = dict(describe().lines)
    assert (
        lines["null hypothesis"]
        == "treated and control give the same outcome in every participant"
    )


@pytest.mark.parametrize("method", ["fdr", "random_field", "tfce"])
def test_one_number_is_said_to_be_shuffled(method: str) -> None:
    question = {**PARALLEL, "where": {"mean_of": "target"}}
    summary = describe(question=question, inference={"method": method})
    assert any(
        f"the protocol's method '{method}' is for several" in note for note in summary.notes
    )
    assert summary.n_used == 252
    assert not any("One number" in note for note in describe(inference={"method": method}).notes)


def test_overridden_signs_are_planned_too() -> None:
    summary = describe(6, inference={"shuffle": "sign_flip"})
    assert summary.n_distinct == 2**12
    assert "change sign" in summary.words
    assert summary.null == (
        "treated and control have the same mean, and errors are symmetric about zero; variances "
        "may differ"
    )


@pytest.mark.parametrize(("measure", "refused"), [("step", True), ("parcels", False)])
def test_a_threshold_that_no_map_reaches_is_refused_where_maps_are_asked_for(
    measure: str, refused: bool
) -> None:
    summary = describe(10, measure=measure, inference={"cluster_t": 100.0})
    assert ("no map has clusters beyond so high a threshold" in summary.refusal) == refused
    assert "at 18 degrees of freedom" in summary.refusal or not refused
    assert describe(10, inference={"cluster_t": 5.0}).refusal == ""
