"""What a design would test, told before anything is measured."""

from collections.abc import Callable
from math import comb, factorial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import index_dataset
from phmri.group import UnitTable, make_unit_design
from phmri.inference import permute
from phmri.pipeline import DesignSummary, describe_designs
from phmri.protocol import Parallel, list_templates, read_protocol, write_template
from tests.e2e.conftest import Trial
from tests.e2e.trees import Box, call, describe, write_fmriprep_run, write_json, write_table

HEAD = """\
phmri: 1
name: planned
title: A planned trial
drugs: {drug: {}}
treatments:
  placebo: {}
  drug: {doses: [{drug: drug, route: oral, amount: 1, unit: mg, start_min: 0}]}
  other: {doses: [{drug: drug, route: oral, amount: 2, unit: mg, start_min: 0}]}
scans: {rest: {task: rest}}
space: MNI152NLin6Asym
regions:
  left: {kind: series, columns: [L]}
  right: {kind: series, columns: [R]}
denoising: {none: {strategy: none}}
measures:
  pair: {kind: roi_to_roi, scan: rest, regions: [left, right], denoising: none}
"""
PARALLEL = """\
sessions: {before: {phase: baseline}, day: {phase: acute}}
questions:
  pair:
    text: Does the drug change the pair?
    role: primary
    measure: pair
    contrast: [drug, placebo]
    session: day
    estimator: post
"""
CROSSOVER = """\
questions:
  pair:
    text: Does the drug change the pair?
    role: primary
    measure: pair
    contrast: [drug, placebo]
    estimator: crossover
"""
UNKNOWN = (
    """\
design:
  kind: crossover
  order: unknown
  sequences:
    DP: {treatments: [drug, placebo], n_planned: %d}
    PD: {treatments: [placebo, drug], n_planned: %d}
sessions: {D: {phase: acute, treatment: drug}, P: {phase: acute, treatment: placebo}}
"""
    + CROSSOVER
)

ORDERS = ("DPO", "DOP", "PDO", "POD", "ODP", "OPD")
TREATMENTS = {"D": "drug", "P": "placebo", "O": "other"}
WILLIAMS = (
    "design:\n  kind: crossover\n  sequences:\n"
    + "".join(
        f"    {order}: {{treatments: [{', '.join(TREATMENTS[key] for key in order)}], "
        "n_planned: 2}\n"
        for order in ORDERS
    )
    + "sessions:\n"
    + "".join(f"  {number}: {{phase: acute, period: {number}}}\n" for number in (1, 2, 3))
    + CROSSOVER
)


def tell(*words: str | Path) -> tuple[int, str]:
    """Call ``phmri design``; give exit code and what it says, without the tables' frames."""
    code, printed = call("design", *words)
    return code, " ".join(printed.replace("│", " ").split())


def arms(**numbers: int) -> str:
    listed = ", ".join(
        f"{name}: {{treatment: {name}, n_planned: {n}}}" for name, n in numbers.items()
    )
    return f"design: {{kind: parallel, arms: {{{listed}}}}}\n"


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[str], DesignSummary]:
    """Describe the one question of a protocol that is HEAD and a text."""

    def describe_one(text: str) -> DesignSummary:
        path = tmp_path / "trial.yaml"
        path.write_text(HEAD + text)
        (summary,) = describe_designs(read_protocol(path))
        return summary

    return describe_one


# ---------------------------------------------------------------------------------- planned trials
@pytest.mark.parametrize("template", list_templates())
def test_templates_are_described_or_ask_for_numbers(template: str, tmp_path: Path) -> None:
    path = write_template(template, tmp_path)
    protocol = read_protocol(path)
    summaries = describe_designs(protocol)
    assert [item.question for item in summaries] == list(protocol.questions)
    for item in summaries:
        assert item.planned
        if template == "weigner2025":
            assert item.answerable
        else:
            assert "n_planned" in item.refusal
            assert "BIDS_DIR" in item.refusal
            assert not item.answerable
    assert tell(path)[0] == (0 if template == "weigner2025" else 1)


def test_the_published_trial_as_planned(tmp_path: Path) -> None:
    path = write_template("weigner2025", tmp_path)
    code, printed = tell(path)
    assert code == 0
    assert printed.count("50 of 75 participants; 25 of lamotrigine_ketamine stay") == 12
    assert printed.count("50 of 75 participants; 25 of placebo stay") == 4
    assert "5,000 random ones" in printed
    assert f"{factorial(50):.1e} distinct" in printed
    assert "0.0002 (1 of 5,000); alpha 0.05 can be reached" in printed
    first = describe_designs(read_protocol(path))[0]
    assert first.df == 75 - 3 - 1
    assert first.n_per_group == {"placebo": 25, "ketamine": 25, "lamotrigine_ketamine": 25}


@pytest.mark.parametrize(
    ("first", "second", "alternative", "ties"),
    [(4, 4, "two-sided", 2), (4, 4, "greater", 1), (5, 3, "two-sided", 1)],
)
def test_smallest_p_of_two_arms(
    planned: Callable[[str], DesignSummary], first: int, second: int, alternative: str, ties: int
) -> None:
    text = arms(drug=first, placebo=second) + PARALLEL + f"    alternative: {alternative}\n"
    summary = planned(text)
    n_distinct = comb(first + second, first)
    assert (summary.n_distinct, summary.n_used, summary.exhaustive) == (n_distinct, n_distinct, 1)
    assert summary.smallest_pvalue == ties / n_distinct
    assert (summary.n_moving, summary.staying) == (first + second, {})
    assert summary.df == first + second - 2


def test_every_order_counts_beside_a_baseline(planned: Callable[[str], DesignSummary]) -> None:
    text = PARALLEL.replace("estimator: post", "estimator: ancova\n    baseline: before")
    summary = planned(arms(drug=3, placebo=3) + text)
    assert summary.n_distinct == factorial(6)
    assert summary.smallest_pvalue == 1 / factorial(6)
    assert summary.df == 6 - 2 - 1


def test_more_shufflings_than_floats_hold(planned: Callable[[str], DesignSummary]) -> None:
    summary = planned(arms(drug=900, placebo=900) + PARALLEL)
    digits = str(comb(1800, 900))
    shown = f"{int(digits[:4]) / 1000:.1f}e+{len(digits) - 1}"
    assert dict(summary.lines)["shufflings"].startswith(f"{shown} distinct; 5,000 random ones")


@pytest.mark.parametrize(("n_people", "code"), [(5, 1), (6, 0)])
def test_alpha_out_of_reach_is_said(n_people: int, code: int, tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(HEAD + UNKNOWN % (n_people - 2, 2))
    found, printed = tell(path)
    assert found == code
    (summary,) = describe_designs(read_protocol(path))
    assert summary.smallest_pvalue == 2 / 2**n_people
    assert summary.answerable == (code == 0)
    assert ("alpha 0.05 CANNOT BE REACHED" in printed) == (code == 1)


@pytest.mark.parametrize(
    ("text", "covariate"),
    [
        (UNKNOWN % (4, 4), False),
        (UNKNOWN % (3, 4), True),
        (arms(drug=4, placebo=4) + PARALLEL, False),
        (arms(drug=5, placebo=3) + PARALLEL, False),
        (arms(drug=3, placebo=3, other=3) + PARALLEL, False),
        (WILLIAMS, False),
    ],
)
def test_the_engine_reaches_the_smallest_p_and_no_less(
    planned: Callable[[str], DesignSummary], tmp_path: Path, text: str, covariate: bool
) -> None:
    summary = planned(text)
    protocol = read_protocol(tmp_path / "trial.yaml")
    groups = [group for group, n in summary.n_per_group.items() for _ in range(n)]
    rng = np.random.default_rng(3)
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={"age": rng.normal(size=(len(groups), 1))} if covariate else {},
    )
    design = make_unit_design(protocol.questions["pair"], protocol.design, table)
    contrast = design.X @ design.contrast
    Y = contrast[:, None] + 0.01 * rng.normal(size=(len(contrast), 3))
    lenient = protocol.inference.model_copy(update={"alpha": 0.5})
    least = permute(design, Y, None, lenient).pvalue_uncorrected
    assert_allclose(least, summary.smallest_pvalue, rtol=1e-12)


def test_what_is_not_known_of_planned_people_is_said(
    planned: Callable[[str], DesignSummary],
) -> None:
    text = arms(drug=8, placebo=8).replace("kind: parallel", "kind: parallel, strata: [sex]")
    text += PARALLEL + "    covariates: [age]\ninference: {shuffle_within: [site]}\n"
    notes = " ".join(planned(text).notes)
    assert "Nobody's sex and site is known yet" in notes
    assert "Left out here: age" in notes


def test_parametric_methods_shuffle_nothing(planned: Callable[[str], DesignSummary]) -> None:
    summary = planned(arms(drug=3, placebo=3) + PARALLEL + "inference: {method: fdr}\n")
    lines = dict(summary.lines)
    assert lines["shuffled"].startswith("nothing")
    assert "shufflings" not in lines
    assert summary.n_used == 0
    assert summary.answerable


def test_three_periods_move_whole_participants(planned: Callable[[str], DesignSummary]) -> None:
    summary = planned(WILLIAMS)
    assert summary.n_per_group == dict.fromkeys(ORDERS, 2)
    assert (summary.n_rows, summary.n_moving) == (36, 36)
    assert "36 of 36 rows (one per participant and period)" in dict(summary.lines)["moves"]
    # 12 participants, 2 periods and 2 treatments are estimated from the 36 rows.
    assert summary.df == 36 - 12 - 2 - 2
    # Orders that differ only in the places of drug and placebo are dealt again among their four.
    assert summary.n_distinct == summary.n_used == comb(4, 2) ** 3
    assert summary.smallest_pvalue == 2 / comb(4, 2) ** 3


# ------------------------------------------------------------------------------------ data at hand
def test_participants_at_hand(trial: Trial) -> None:
    code, printed = tell(trial.protocol, trial.bids)
    assert code == 0, printed
    people = (trial.bids / "participants.tsv").read_text().splitlines()[1:]
    staying = sorted(row.split("\t")[0] for row in people if "lamotrigine" in row)
    assert len(staying) == 2
    assert f"4 of 6 participants; 2 of lamotrigine_ketamine ({', '.join(staying)}) stay" in printed
    assert "24 distinct; all will be made" in printed
    assert "0.042 (1 of 24); alpha 0.05 can be reached" in printed
    assert "planned" not in printed


def test_a_lost_run_refuses_its_question_alone(trial: Trial) -> None:
    people = (trial.bids / "participants.tsv").read_text().splitlines()[1:]
    subject = next(row.split("\t")[0][4:] for row in people if row.split("\t")[1] == "ketamine")
    trial.bold(subject=subject, session="infusion", task="nback").unlink()
    code, printed = tell(trial.protocol, trial.bids)
    assert code == 1
    assert "ketamine: too few participants in this arm can answer the question" in printed
    assert "left out: 1 with nback in ses-infusion missing" in printed
    assert printed.count("refused") == 2  # nback_acute and dmpfc_acute
    assert "24 distinct" in printed


def test_strata_and_covariates_at_hand(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(n_subjects=12)
    path = trial.bids / "participants.tsv"
    people = pd.read_csv(path, sep="\t", dtype=str)
    people["site"] = np.where(people.groupby("arm").cumcount() < 2, "A", "B")
    people["age"] = np.arange(20, 32)
    people.to_csv(path, sep="\t", index=False)
    trial.edit_protocol("kind: parallel", "kind: parallel\n  strata: [site]")
    summaries = describe_designs(read_protocol(trial.protocol), index_dataset(trial.bids))
    for summary in summaries:
        # Two of either arm in each of two sites, all of which differ in their baseline.
        assert summary.n_distinct == factorial(4) ** 2
        assert summary.df == 12 - 3 - 1 - 1
        assert "stratum:B" in summary.columns
    text = trial.protocol.read_text()
    trial.protocol.write_text(
        text.replace("    contrast:", "    covariates: [age]\n    contrast:", 1)
    )
    first = describe_designs(read_protocol(trial.protocol), index_dataset(trial.bids))[0]
    assert first.df == 12 - 3 - 1 - 1 - 1
    people.drop(columns="site").to_csv(path, sep="\t", index=False)
    code, printed = tell(trial.protocol, trial.bids)
    assert code == 1
    assert "participants.tsv has no column site" in printed


@pytest.fixture(scope="module")
def deakin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two crossover experiments: 3 and 3, 4 and 3 participants."""
    root = tmp_path_factory.mktemp("deakin")
    bids = root / "bids"
    describe(bids)
    describe(bids / "derivatives" / "fmriprep", "derivative", "fMRIPrep")
    numbers = (3, 3, 4, 3)
    sequences = (
        "ketamine_saline",
        "saline_ketamine",
        "lamotrigine_placebo",
        "placebo_lamotrigine",
    )
    groups = [group for group, n in zip(sequences, numbers, strict=True) for _ in range(n)]
    labels = [f"{number:02d}" for number in range(len(groups))]
    write_table(
        bids / "participants.tsv",
        {"participant_id": [f"sub-{label}" for label in labels], "sequence": groups},
    )
    box = Box(shape=(2, 2, 2))
    data = np.random.default_rng(0).normal(1000.0, 10.0, (2, 2, 2, 64)).astype(np.float32)
    for number, label in enumerate(labels):
        for session in ("period1", "period2"):
            folder = bids / "derivatives" / "fmriprep"
            write_fmriprep_run(folder, label, session, "rest", data, box, seed=number)
    write_template("deakin2008", root)
    return root


def test_crossover_at_hand(deakin: Path) -> None:
    code, printed = tell(deakin / "trial.yaml", deakin / "bids")
    assert code == 1
    assert "20 distinct; all will be made" in printed
    assert "0.1 (2 of 20: one shuffling turns every sign, and both sides count)" in printed
    assert "alpha 0.05 CANNOT BE REACHED" in printed
    assert f"{comb(7, 3)} distinct" in printed
    assert "ketamine_saline 3, saline_ketamine 3" in printed
    text = (deakin / "trial.yaml").read_text()
    relaxed = deakin / "relaxed.yaml"
    relaxed.write_text(text.replace("seed: 2008 ", "alpha: 0.1\n  seed: 2008 "))
    derivatives = deakin / "bids" / "derivatives" / "fmriprep"
    code, relaxed_words = tell(relaxed, deakin / "bids", "--derivatives", derivatives)
    assert code == 1  # its files hold no images
    assert "phmri run will stop at these problems" in " ".join(relaxed_words.split())
    first = relaxed_words.partition("ketamine_plasma")[0]
    assert "20 distinct; all will be made" in first
    assert "CANNOT BE REACHED" not in first.partition("lamotrigine (")[0]


def test_a_refusal_is_told_once(tmp_path: Path) -> None:
    code, printed = tell(write_template("deakin2008", tmp_path))
    assert code == 1
    # Of each experiment, and of both together.
    assert printed.count("how many participants it plans") <= 3
    assert printed.count("as ketamine") + printed.count("as lamotrigine") == 6


def test_order_lost_at_hand(tmp_path: Path) -> None:
    bids = tmp_path / "bids"
    describe(bids, "derivative")
    labels = [f"{number:02d}" for number in range(8)]
    write_table(bids / "participants.tsv", {"participant_id": [f"sub-{i}" for i in labels]})
    courses = np.random.default_rng(0).normal(size=(40, 2))
    for label in labels:
        for session in ("PLCB", "DRUG"):
            folder = bids / f"sub-{label}" / f"ses-{session}" / "func"
            stem = f"sub-{label}_ses-{session}_task-rest_timeseries"
            write_table(folder / f"{stem}.tsv", {"a": courses[:, 0], "b": courses[:, 1]})
            write_json(folder / f"{stem}.json", {"RepetitionTime": 2.0})
    path = write_template("timeseries_crossover", tmp_path)
    code, printed = tell(path, bids)
    assert code == 0, printed
    assert "unknown 8" in printed
    assert "256 distinct; all will be made" in printed
    assert "0.0078 (2 of 256" in printed
    assert "1 column (drug - placebo), 7 residual degrees of freedom" in printed


# ------------------------------------------------------------------------------------------ misuse
def test_derivatives_need_a_data_set(tmp_path: Path) -> None:
    path = write_template("weigner2025", tmp_path)
    code, printed = tell(path, "--derivatives", tmp_path)
    assert code == 2
    assert "BIDS_DIR" in printed


def test_broken_runs_are_listed(trial: Trial) -> None:
    path = trial.bold(subject="01")
    path.write_bytes(b"")
    _, printed = tell(trial.protocol, trial.bids)
    assert str(path) in printed
    assert "phmri run will stop at these problems" in printed


def test_arms_stand_in_the_protocols_order(trial: Trial) -> None:
    protocol = read_protocol(trial.protocol)
    assert isinstance(protocol.design, Parallel)
    order = list(protocol.design.arms)
    index = index_dataset(trial.bids)
    by_subject = dict.fromkeys(index.participants["arm"].sort_index())
    assert list(by_subject) != order
    for summary in describe_designs(protocol, index):
        assert list(summary.n_per_group) == order
