"""Periods of a crossover adjusted for their own baselines: what the protocol has to hold."""

import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import read_protocol

TRIAL = """\
phmri: 1
name: demo
title: A trial
drugs: {ketamine: {}}
treatments: {ketamine: {}, placebo: {}, other: {}}
design:
  kind: crossover
  sequences:
    KP: {treatments: [ketamine, placebo]}
    PK: {treatments: [placebo, ketamine]}
sessions:
  b1: {phase: baseline, period: 1}
  p1: {phase: acute, period: 1}
  b2: {phase: baseline, period: 2}
  p2: {phase: acute, period: 2}
scans:
  rest: {task: rest, start_min: {p1: -5, p2: -5}}
space: MNI152NLin6Asym
parcellations: {table: {}}
denoising: {none: {strategy: none}}
measures:
  mean: {kind: roi_to_roi, scan: rest, parcels: table, summary: global, denoising: none}
questions:
  first:
    text: Does it?
    role: primary
    measure: mean
    contrast: [ketamine, placebo]
    estimator: crossover
    period_baseline: true
"""
SECOND = "  b2: {phase: baseline, period: 2}\n"
ORDERS = "    KP: {treatments: [ketamine, placebo]}\n    PK: {treatments: [placebo, ketamine]}\n"
SCAN = "task: rest, start_min"
CASES = {
    "no baseline": (
        SECOND,
        "",
        "questions.first.period_baseline: period 2 needs one session of phase baseline,.* none",
    ),
    "two baselines": (
        SECOND,
        f"{SECOND}  b3: {{phase: baseline, period: 2}}\n",
        r"period 2 needs one session of phase baseline.* found \[b2, b3\]",
    ),
    "not scanned": (
        SCAN,
        "task: rest, sessions: [b1, p1, p2], start_min",
        "period_baseline: the scan 'rest' of this measure is not acquired in session b2",
    ),
    "without time zero": (
        "{kind: roi_to_roi, scan: rest, parcels: table, summary: global, denoising: none}",
        (
            "{kind: infusion, scan: rest, parcels: table, response: {model: pseudoblock, "
            "bin_min: 5}, denoising: none}"
        ),
        (
            "period_baseline: 'infusion' is measured from time zero, and this session has none; "
            "found b1"
        ),
    ),
    "more periods": (
        ORDERS,
        ORDERS.replace("]}", ", other]}"),
        "period 3 needs one session of phase baseline",
    ),
    "order lost": (
        "  kind: crossover\n",
        "  kind: crossover\n  order: unknown\n",
        (
            "where the order is unknown, nobody knows the periods; found true; expected no key "
            "'period_baseline'"
        ),
    ),
    "parallel": (
        f"  kind: crossover\n  sequences:\n{ORDERS}",
        (
            "  kind: parallel\n  arms: {ketamine: {treatment: ketamine}, placebo: {treatment: "
            "placebo}}\n"
        ),
        "a parallel trial has no periods, and 'baseline' names its session",
    ),
    "every edge": (
        "summary: global, denoising: none}",
        "denoising: none}",
        (
            "this estimator adjusts for one baseline per period, and the question asks of edges, "
            "which have a baseline each; found mixed; expected crossover"
        ),
    ),
    "no truth value": ("period_baseline: true", "period_baseline: 1.5", "period_baseline"),
}


def read(tmp_path, text):
    path = tmp_path / "trial.yaml"
    path.write_text(text)
    return read_protocol(path)


@pytest.mark.parametrize("estimator", ["crossover", "mixed"])
def test_every_period_with_its_baseline_is_accepted(tmp_path, estimator):
    protocol = read(tmp_path, TRIAL.replace("estimator: crossover", f"estimator: {estimator}"))
    assert protocol.questions["first"].period_baseline


def test_maps_are_accepted_where_shuffling_answers(tmp_path):
    edges = TRIAL.replace("summary: global, denoising", "denoising")
    assert read(tmp_path, edges).questions["first"].estimator == "crossover"


def test_without_the_key_baselines_are_looked_at_by_nobody(tmp_path):
    protocol = read(tmp_path, TRIAL.replace(SECOND, "").replace("    period_baseline: true\n", ""))
    assert not protocol.questions["first"].period_baseline


def test_a_scale_is_rated_before_every_period(tmp_path):
    text = TRIAL.replace("measure: mean", "measure: mood").replace(
        "questions:", "scales: {mood: {columns: [x], maximum: 9, sessions: [p1, p2]}}\nquestions:"
    )
    with pytest.raises(ProtocolError, match="the scale 'mood' is not rated in session b1") as told:
        read(tmp_path, text)
    assert "is not rated in session b2" in str(told.value)


@pytest.mark.parametrize("case", CASES)
def test_what_it_cannot_mean_is_refused(tmp_path, case):
    old, new, words = CASES[case]
    text = TRIAL.replace(old, new)
    if case == "every edge":
        text = text.replace("estimator: crossover", "estimator: mixed")
    assert text != TRIAL
    with pytest.raises(ProtocolError, match=words):
        read(tmp_path, text)


def test_periods_of_other_experiments_need_none(tmp_path):
    text = TRIAL.replace("{treatments", "{experiment: one, treatments").replace(
        "sessions:\n",
        "    other: {experiment: two, treatments: [other, other, other]}\nsessions:\n",
        1,
    )
    text = text.replace("scans:", "  p3: {phase: acute, period: 3}\nscans:")
    assert read(tmp_path, text).questions["first"].period_baseline
