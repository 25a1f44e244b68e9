"""What a summary of a design looks like on the terminal."""

import io

from rich.console import Console

from phmri.cli._tables import design_table
from phmri.pipeline import DesignSummary
from phmri.protocol import Inference

SUMMARY = DesignSummary(
    question="effect",
    text="Does [it] work?",
    role="primary",
    planned=False,
    settings=Inference(stop_after=20),
    n_per_group={"drug": 15, "placebo": 15, "held": 12},
    columns=("arm:drug", "arm:placebo", "arm:held"),
    voxelwise_baseline=True,
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
