"""What a summary of a design looks like on the terminal."""

import io

from rich.console import Console

from phmri.cli._beside_tables import beside_tables, reliabilities_table
from phmri.cli._tables import design_table, ratings_table
from phmri.dataset import Cell, DatasetCheck
from phmri.pipeline import DesignSummary
from phmri.protocol import Inference, Protocol
from tests.e2e.test_foretold import asked, document

SUMMARY = DesignSummary(
    question="effect",
    text="Does [it] work?",
    role="primary",
    planned=False,
    settings=Inference(stop_after=20),
    n_per_group={"drug": 15, "placebo": 15, "held": 12},
    columns=("arm:drug", "arm:placebo", "arm:held"),
    n_own_columns=1,
    df=38,
    n_rows=42,
    n_moving=30,
    staying={"held": tuple(f"{k:02d}" for k in range(12))},
    words="Participants of drug and placebo change places.",
    null="drug and placebo give the same outcome",
    n_distinct=10**400,
    n_used=5000,
    exhaustive=False,
    smallest_pvalue=1 / 5000,
    notes=("Something [else].",),
)


def shown(summary: DesignSummary) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(design_table(summary))
    text = console.file.getvalue()
    assert isinstance(text, str)
    return text


def test_three_who_stay_are_named_and_the_rest_counted() -> None:
    text = shown(SUMMARY)
    assert "sub-02 and 9 more" in text
    assert "sub-03" not in text


def test_brackets_are_not_markup() -> None:
    text = shown(SUMMARY)
    assert "Does [it] work?" in text
    assert "Something [else]." in text


def test_numbers_of_a_summary() -> None:
    text = shown(SUMMARY)
    assert "1.0e+400 distinct; 5,000 random ones will be made" in text
    assert "fewer once 20 reach the strongest outcome" in text
    assert "4 columns (arm:drug, arm:placebo, arm:held, own baseline), 38 residual" in text


def test_a_refused_question_says_why_and_nothing_else() -> None:
    refused = DesignSummary(
        question="effect",
        text="Does it work?",
        role="primary",
        planned=True,
        settings=Inference(),
        refusal="no participant [at all]",
    )
    text = shown(refused)
    assert "refused" in text
    assert "no participant [at all]" in text
    assert "smallest p" not in text


def test_a_refusal_that_another_question_told_is_not_told_again() -> None:
    refused = DesignSummary(
        question="second",
        text="Does it work?",
        role="secondary",
        planned=True,
        settings=Inference(),
        refusal="no participant at all",
    )
    console = Console(file=io.StringIO(), width=200)
    console.print(design_table(refused, refused_like="effect"))
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "as effect" in text
    assert "no participant" not in text


def test_scores_that_lack_are_counted_and_a_few_named() -> None:
    protocol = Protocol.model_validate(document({"one": asked("score", role="primary")}))
    cells = tuple(
        Cell(
            subject=f"{k:02d}",
            session="day",
            scan="score",
            group="drug",
            treatment=None,
            status="ok" if k > 4 else "missing",
            reason="",
            run=None,
        )
        for k in range(1, 8)
    )
    console = Console(file=io.StringIO(), width=200)
    check = DatasetCheck(cells=(), questions=(), problems=(), ratings=cells)
    console.print(ratings_table(protocol, check))
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "3 ok" in text
    assert "4 missing: sub-01, sub-02, sub-03 and 1 more" in text


def test_what_stands_beside_the_questions_is_told() -> None:
    protocol = Protocol.model_validate(
        document(
            {name: asked("score", role="primary", family="graph") for name in ("one", "two")},
            families={
                "graph": {
                    "correction": "graph",
                    "weights": {"one": 1},
                    "transitions": {"one": {"two": 1}},
                }
            },
            populations={"everyone": {}, "completers": {"exclude_missing": True}},
            reliability={
                "again": {"text": "Same?", "measure": "score", "sessions": ["before", "day"]}
            },
        )
    )
    console = Console(file=io.StringIO(), width=200)
    for table in beside_tables(protocol):
        console.print(table)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "0.05: shares of alpha, handed on" in text
    assert "one 1 of it, hands on 1 to two; two 0 of it" in text
    assert "who lacks a session" in text
    assert "before, day (agreement)" in text
    assert "Associations with maps" not in text


def test_reliabilities_say_which_are_refused() -> None:
    asked_for = {"text": "?", "measure": "score", "sessions": ["before", "day"]}
    reliability = {"one": asked_for, "two": asked_for | {"groups": ["drug"]}}
    content = document({"it": asked("score", role="primary")}, reliability=reliability)
    protocol = Protocol.model_validate(content)
    console = Console(file=io.StringIO(), width=200)
    console.print(reliabilities_table(protocol, {"two": "too few [of all]"}))
    lines = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    (one,) = (line for line in lines if "one" in line)
    (two,) = (line for line in lines if "two" in line)
    assert "yes" in one
    assert "arms drug" in two
    assert "no: too few [of all]" in two
