"""Families of questions: what is left of answers once they share an error rate."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._families import (
    settle_answer,
    settle_association,
    settle_families,
    write_families,
)
from phmri.protocol import Protocol
from phmri.report import AssociationContent, FamilyContent
from tests.unit.pipeline.measured_trial import N_VOXELS, PARALLEL, make_trial, parallel

Make = Callable[..., QuestionAnswer]
ALPHA = 0.05
VOXEL = {"method": "voxel", "n_permutations": 100}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Give answers with any p: the claim of a measured trial under other names."""
    trial = make_trial(tmp_path_factory.mktemp("families"))
    rng = np.random.default_rng(5)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
    answer = trial.answer()

    def answer_with(name: str, *pvalues: float, refused: bool = False) -> QuestionAnswer:
        peak = answer.claim.peaks[0]
        peaks = tuple(replace(peak, pvalue_corrected=p) for p in pvalues)
        verdict = "found" if pvalues and min(pvalues) <= ALPHA else "not found"
        claim = replace(
            answer.claim,
            question=name,
            verdict="refused" if refused else verdict,
            sentence=f"The answer of {name}.",
            peaks=peaks[1:],  # a map lists some of its outcomes
            least_pvalue=min(pvalues, default=None),
        )
        return replace(answer, claim=claim, content=replace(answer.content, claim=claim))

    return answer_with


def protocol_of(correction: str, names: str = "abc", **family: object) -> Protocol:
    questions = {
        name: PARALLEL | {"role": "secondary" if k else "primary", "family": "plan"}
        for k, name in enumerate(names)
    }
    questions["apart"] = PARALLEL | {"role": "exploratory"}
    families = {"plan": {"correction": correction, **family}}
    return Protocol.model_validate(
        parallel(questions=questions, families=families, inference=VOXEL)
    )


def settle(protocol: Protocol, *answers: QuestionAnswer) -> FamilyContent:
    (family,) = settle_families(protocol, answers)
    return family


def rows_of(family: FamilyContent) -> dict[str, tuple[float | None, str]]:
    return {row.question: (row.adjusted_pvalue, row.verdict) for row in family.rows}


@pytest.mark.parametrize(
    ("correction", "adjusted", "verdicts"),
    [
        # p of 0.01, 0.04 and 0.03, by hand
        ("holm", (0.03, 0.06, 0.06), ("found", "not found", "not found")),
        ("hochberg", (0.03, 0.04, 0.04), ("found", "found", "found")),
    ],
)
def test_stepwise(
    make: Make, correction: str, adjusted: tuple[float, ...], verdicts: tuple[str, ...]
) -> None:
    pvalues = {"a": 0.01, "b": 0.04, "c": 0.03}
    answers = [make(name, p) for name, p in pvalues.items()]
    family = settle(protocol_of(correction), *answers, make("apart", 0.001))
    assert [row.question for row in family.rows] == ["a", "b", "c"]
    assert [row.pvalue for row in family.rows] == list(pvalues.values())
    assert [row.adjusted_pvalue for row in family.rows] == pytest.approx(adjusted)
    assert tuple(row.verdict for row in family.rows) == verdicts
    assert family.alpha == ALPHA


def test_map_enters_with_its_least_corrected_p(make: Make) -> None:
    family = settle(protocol_of("holm", "ab"), make("a", 0.3, 0.02, 0.6), make("b", 0.5))
    assert rows_of(family)["a"] == (pytest.approx(0.04), "found")


def test_refused_question_was_asked_all_the_same(make: Make) -> None:
    protocol = protocol_of("holm")
    answers = make("a", 0.02), make("b", refused=True), make("c", 0.03)
    rows = rows_of(settle(protocol, *answers))
    # Three were asked: 3 x 0.02, then 2 x 0.03; of two alone 0.04 and 0.04 would be found.
    assert rows["a"] == (pytest.approx(0.06), "not found")
    assert rows["c"] == (pytest.approx(0.06), "not found")
    assert rows["b"] == (None, "refused")
    alone = rows_of(settle(protocol_of("holm", "ac"), answers[0], answers[2]))
    assert alone["a"] == (pytest.approx(0.04), "found")


def test_fixed_sequence_stops_at_the_first_that_is_not_answered(make: Make) -> None:
    protocol = protocol_of("fixed_sequence", "abcd", sequence=["c", "a", "b", "d"])
    pvalues = {"a": 0.2, "b": 0.001, "c": 0.04, "d": 0.002}
    answers = [make(name, p) for name, p in pvalues.items()]
    family = settle(protocol, *answers)
    assert [(row.question, row.verdict) for row in family.rows] == [
        ("c", "found"),
        ("a", "not found"),
        ("b", "not tested"),
        ("d", "not tested"),
    ]
    # Adjusted: the largest so far.
    assert [row.adjusted_pvalue for row in family.rows] == [0.04, 0.2, 0.2, 0.2]


def test_refused_question_stops_a_sequence(make: Make) -> None:
    protocol = protocol_of("fixed_sequence", sequence=["a", "b", "c"])
    family = settle(protocol, make("a", 0.01), make("b", refused=True), make("c", 0.01))
    assert [row.verdict for row in family.rows] == ["found", "refused", "not tested"]


def test_graph_hands_alpha_on(make: Make) -> None:
    protocol = protocol_of(
        "graph",
        weights={"a": 0.5, "b": 0.5},
        transitions={"a": {"b": 0.5, "c": 0.5}, "b": {"a": 1}},
    )
    # a at 0.025: found. b then has 0.025 + 0.0125: found at 0.03. c has 0.0125 + the rest.
    found = settle(protocol, make("a", 0.01), make("b", 0.03), make("c", 0.04))
    assert [row.verdict for row in found.rows] == ["found", "found", "found"]
    lost = settle(protocol, make("a", 0.03), make("b", 0.03), make("c", 0.001))
    assert [row.verdict for row in lost.rows] == ["not found", "not found", "not found"]


def test_claim_is_taken_back(make: Make) -> None:
    answers = [make("a", 0.02), make("b", 0.03), make("c", 0.9), make("apart", 0.01)]
    families = settle_families(protocol_of("holm"), answers)
    a, b, c, apart = (settle_answer(families, answer) for answer in answers)
    assert a.claim.verdict == b.claim.verdict == "not found"
    assert a.claim.sentence.startswith(
        "Not claimed. Over the 3 questions of the family plan, p = 0.06."
    )
    assert a.claim.sentence.endswith("Alone it would read: The answer of a.")
    assert a.content.claim == a.claim
    # What was not claimed is not taken back.
    assert c.claim.sentence.startswith("The answer of c. Over the 3 questions")
    assert any("share one error rate" in text for text in c.claim.sentences)
    assert not any(text.startswith("Each question has") for text in c.claim.sentences)
    assert apart == answers[-1]


def test_verdict_on_a_blockade_goes_with_the_claim_of_its_family(make: Make) -> None:
    said = "No difference was found. Blockade: not blocked."
    answers = [make("a", 0.001), make("b", 0.6)]
    answers = [replace(one, claim=replace(one.claim, sentence=said)) for one in answers]
    families = settle_families(protocol_of("holm", "ab"), answers)
    kept, lost = (settle_answer(families, one).claim.sentence for one in answers)
    assert kept.startswith(said)
    assert lost.startswith("No difference was found. Over the 2 questions")
    assert "blocked" not in lost


def test_kept_claim_says_its_p_over_the_family(make: Make) -> None:
    answers = [make("a", 0.01), make("b", refused=True)]
    families = settle_families(protocol_of("holm", "ab"), answers)
    kept, refused = (settle_answer(families, answer) for answer in answers)
    assert kept.claim.verdict == "found"
    assert kept.claim.sentence == (
        "The answer of a. Over the 2 questions of the family plan, p = 0.02."
    )
    assert refused == answers[1]


def test_untested_claims_nothing(make: Make) -> None:
    answers = [make("a", 0.5), make("b", 0.001)]
    protocol = protocol_of("fixed_sequence", "ab", sequence=["a", "b"])
    untested = settle_answer(settle_families(protocol, answers), answers[1])
    assert untested.claim.verdict == "not tested"
    assert "Not claimed. In the fixed sequence of the family plan" in untested.claim.sentence


ASSOCIATION = AssociationContent(
    name="goes",
    text="Do they?",
    role="secondary",
    verdict="found",
    sentence="They do.",
    method="pearson",
    n=20,
    r=0.5,
    ci_low=0.1,
    ci_high=0.8,
    pvalue=0.001,
    pvalue_rank=0.002,
    points={},
    x_label="",
    y_label="",
)


def test_association_is_a_member(make: Make) -> None:
    scale = {"columns": ["score"], "minimum": 0, "maximum": 9}
    protocol = Protocol.model_validate(
        parallel(
            questions={"a": PARALLEL | {"family": "plan"}},
            scales={"mood": scale},
            associations={
                "goes": {
                    "text": "Do they?",
                    "role": "secondary",
                    "family": "plan",
                    "measure": "step",
                    "scale": "mood",
                    "session": "day",
                }
            },
            families={"plan": {"correction": "holm"}},
            inference=VOXEL,
        )
    )
    of_map = replace(ASSOCIATION, pvalue_corrected=0.04)
    families = settle_families(protocol, [make("a", 0.03)], [of_map])
    # 2 x 0.03 by the map's corrected p; by its p at the peak it would be 0.03.
    assert rows_of(families[0]) == {
        "a": (pytest.approx(0.06), "not found"),
        "goes": (pytest.approx(0.06), "not found"),
    }
    settled = settle_association(families, of_map)
    assert settled.verdict == "not found"
    assert settled.sentence.startswith("Not claimed.")
    one = settle_families(protocol, [make("a", 0.03)], [ASSOCIATION])
    assert settle_association(one, ASSOCIATION).verdict == "found"
    assert settle_association((), ASSOCIATION) == ASSOCIATION


def test_table_of_families(make: Make, tmp_path: Path) -> None:
    protocol = protocol_of("holm", "ab")
    families = settle_families(protocol, [make("a", 0.01), make("b", refused=True)])
    path = write_families(protocol, families, tmp_path)
    assert path is not None
    table = pd.read_csv(path, sep="\t")
    assert table["question"].tolist() == ["a", "b"]
    assert table["verdict"].tolist() == ["found", "refused"]
    assert table["adjusted_pvalue"].iloc[0] == pytest.approx(0.02)
    assert np.isnan(table["adjusted_pvalue"].iloc[1])
    assert write_families(protocol, (), tmp_path) is None


def test_families_without_a_gate_are_not_settled(make: Make) -> None:
    assert settle_families(protocol_of("none", "ab"), [make("a", 0.01), make("b", 0.01)]) == ()
