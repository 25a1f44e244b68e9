"""A blockade whose reference other people had: what the protocol has to hold."""

import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import read_protocol

TRIAL = """\
phmri: 1
name: demo
title: A trial
drugs: {ketamine: {}, lamotrigine: {}}
treatments:
  saline: {}
  ketamine: {doses: [{drug: ketamine, route: oral, amount: 1, unit: mg, start_min: 0}]}
  placebo_ketamine: {doses: [{drug: ketamine, route: oral, amount: 1, unit: mg, start_min: 0}]}
  lamotrigine_ketamine: {doses: [{drug: ketamine, route: oral, amount: 1, unit: mg, start_min: 0}]}
  lamotrigine: {doses: [{drug: lamotrigine, route: oral, amount: 1, unit: mg, start_min: 0}]}
design:
  kind: crossover
  sequences:
    one: {experiment: first, treatments: [saline, ketamine]}
    two: {experiment: first, treatments: [ketamine, saline]}
    three: {experiment: second, treatments: [placebo_ketamine, lamotrigine_ketamine]}
    four: {experiment: second, treatments: [lamotrigine_ketamine, placebo_ketamine]}
sessions:
  p1: {phase: acute, period: 1}
  p2: {phase: acute, period: 2}
scans:
  rest: {task: rest}
space: MNI152NLin6Asym
parcellations: {table: {}}
denoising: {none: {strategy: none}}
measures:
  mean: {kind: roi_to_roi, scan: rest, parcels: table, summary: global, denoising: none}
questions:
  blocked:
    text: Is it?
    role: primary
    measure: mean
    contrast: [placebo_ketamine, lamotrigine_ketamine]
    estimator: mixed
    errors: cr2
    blockade:
      reference: saline
      reference_drug: ketamine
"""
SAME = "reference_drug: ketamine"
WHOLE = "four: {experiment: second, treatments: [lamotrigine_ketamine, placebo_ketamine]}"
CASES = {
    "left out": (
        SAME,
        "margin: 1",
        "no sequence holds all these treatments, so nobody tells them apart",
    ),
    "unknown": (SAME, "reference_drug: ketamin", "this treatment is not declared"),
    "of the contrast": (SAME, "reference_drug: placebo_ketamine", "'contrast' names this already"),
    "the reference": (SAME, "reference_drug: saline", "'reference' names this already"),
    "never with the reference": (
        SAME,
        "reference_drug: lamotrigine",
        "no sequence holds this treatment and the reference, so nobody tells them apart",
    ),
    "another drug": (SAME, "reference_drug: lamotrigine", "gives other drugs"),
    "another estimator": (
        "estimator: mixed\n    errors: cr2",
        "estimator: crossover",
        "two experiments stand in one model only with all their sequences",
    ),
    "pretreatment alone": (
        SAME,
        f"{SAME}\n      pretreated_reference: lamotrigine",
        "with the pretreatment alone what remains is measured by itself",
    ),
    "nobody else needed": (
        WHOLE,
        WHOLE.replace("placebo_ketamine]", "placebo_ketamine, saline]"),
        "a sequence holds contrast and reference, so that no other people are needed",
    ),
}


def read(tmp_path, text):
    path = tmp_path / "trial.yaml"
    path.write_text(text)
    return read_protocol(path)


def test_two_experiments_are_accepted(tmp_path):
    blockade = read(tmp_path, TRIAL).questions["blocked"].blockade
    assert blockade.elsewhere == {"ketamine", "saline"}
    assert blockade.model_copy(update={"reference_drug": None}).elsewhere == frozenset()


@pytest.mark.parametrize("case", CASES)
def test_contradictions_are_told(tmp_path, case):
    old, new, says = CASES[case]
    assert TRIAL.count(old) == 1
    with pytest.raises(ProtocolError) as caught:
        read(tmp_path, TRIAL.replace(old, new))
    assert any(says in problem.what for problem in caught.value.problems), caught.value


def test_arms_have_one_reference(tmp_path):
    parallel = (
        TRIAL.split("design:", maxsplit=1)[0]
        + """\
design:
  kind: parallel
  arms:
    saline: {treatment: saline}
    ketamine: {treatment: ketamine}
    placebo_ketamine: {treatment: placebo_ketamine}
    lamotrigine_ketamine: {treatment: lamotrigine_ketamine}
sessions:
  p1: {phase: acute}
"""
        + "scans:"
        + TRIAL.split("scans:")[1].replace(
            "estimator: mixed\n    errors: cr2", "estimator: post\n    session: p1"
        )
    )
    with pytest.raises(ProtocolError) as caught:
        read(tmp_path, parallel)
    (problem,) = caught.value.problems
    assert problem.what == "all arms of a parallel trial are compared with one reference"
