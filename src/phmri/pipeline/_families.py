"""Families of questions: one error rate over the answers of several."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import write_table
from phmri.inference import adjust_by_graph, adjust_pvalues, format_p, make_alpha_graph
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._judged import BLOCKADE_SAID
from phmri.protocol import Family, Protocol, inference_of, protocol_sha256
from phmri.report import AssociationContent, FamilyContent, FamilyMemberContent

__all__ = ["settle_answer", "settle_association", "settle_families", "write_families"]

GATED = {
    "holm": "Holm's step-down procedure, which holds under any dependence",
    "hochberg": "Hochberg's step-up procedure, which holds under positive dependence "
    "[doi:10.1093/biomet/75.4.800]",
    "fixed_sequence": "a fixed sequence: one question after the other, each at the full alpha, "
    "until one is not answered",
    "graph": "a graph of shares of alpha that answered questions hand on [doi:10.1002/sim.3495]",
}
OWN = "Each question has an error rate of its own"
Verdict = Literal["found", "not found", "refused", "not tested"]


def settle_families(
    protocol: Protocol,
    results: Sequence[QuestionAnswer],
    associations: Sequence[AssociationContent] = (),
) -> tuple[FamilyContent, ...]:
    """Correct the answers of every family for one another.

    Parameters
    ----------
    protocol : Protocol
    results : sequence of QuestionAnswer
    associations : sequence of AssociationContent

    Returns
    -------
    tuple of FamilyContent
        Of families with a correction that takes one p-value per question.

    Notes
    -----
    A question's p-value is the least corrected one of its outcomes, which holds for the
    hypothesis that none of them differs. A refused question counts as p = 1: it was asked.
    """
    pvalues = {
        r.claim.question: None if r.claim.verdict == "refused" else r.claim.least_pvalue
        for r in results
    }
    pvalues |= {
        item.name: item.pvalue if item.pvalue_corrected is None else item.pvalue_corrected
        for item in associations
    }
    family_of = {name: question.family for name, question in protocol.questions.items()}
    family_of |= {name: item.family for name, item in protocol.associations.items()}
    return tuple(
        _settle(protocol, name, family, [q for q, f in family_of.items() if f == name], pvalues)
        for name, family in protocol.families.items()
        if family.correction in GATED
    )


def _settle(
    protocol: Protocol,
    name: str,
    family: Family,
    members: Sequence[str],
    pvalues: Mapping[str, float | None],
) -> FamilyContent:
    order = list(family.sequence) if family.correction == "fixed_sequence" else list(members)
    found = [pvalues.get(member) for member in order]
    p = np.array([1.0 if value is None else value for value in found])
    adjusted = _adjust(family, order, p)
    alpha = inference_of(protocol, order[0]).alpha
    rows = []
    for k, member in enumerate(order):
        verdict: Verdict = "found" if adjusted[k] <= alpha else "not found"
        if found[k] is None:
            verdict = "refused"
        elif family.correction == "fixed_sequence" and (p[:k] > alpha).any():
            verdict = "not tested"
        rows.append(
            FamilyMemberContent(
                question=member,
                pvalue=found[k],
                adjusted_pvalue=None if found[k] is None else float(adjusted[k]),
                verdict=verdict,
            )
        )
    return FamilyContent(
        name=name, correction=GATED[family.correction], alpha=alpha, rows=tuple(rows)
    )


def _adjust(
    family: Family, order: Sequence[str], p: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    match family.correction:
        case "graph":
            graph = make_alpha_graph(order, family.weights, family.transitions)
            return adjust_by_graph(p, graph)
        case "holm" | "hochberg" | "fixed_sequence" as method:
            return adjust_pvalues(p, method)
        case _:
            return p


def _membership(
    families: Sequence[FamilyContent], name: str
) -> tuple[FamilyContent, FamilyMemberContent] | None:
    for family in families:
        for row in family.rows:
            if row.question == name:
                return family, row
    return None


def _words(family: FamilyContent, row: FamilyMemberContent) -> str:
    """Say what the family makes of an answer; empty where it changes nothing."""
    if row.verdict == "not tested":
        return (
            f"In the fixed sequence of the family {family.name} an earlier question was not "
            "answered, so that this one makes no claim."
        )
    shown = "" if row.adjusted_pvalue is None else format_p(row.adjusted_pvalue)
    return f"Over the {len(family.rows)} questions of the family {family.name}, p {shown}."


def _join(sentence: str, verdict: str, family: FamilyContent, row: FamilyMemberContent) -> str:
    """Put what the family makes of an answer beside it, first where it takes the answer back."""
    said = _words(family, row)
    if verdict == "found" and row.verdict != "found":
        return f"Not claimed. {said} Alone it would read: {sentence}"
    return f"{sentence} {said}"


def _claimed(alone: Verdict, in_family: Verdict) -> Verdict:
    """Give the verdict that both allow."""
    if in_family == "not tested":
        return "not tested"
    return "found" if alone == in_family == "found" else "not found"


def settle_answer(families: Sequence[FamilyContent], answer: QuestionAnswer) -> QuestionAnswer:
    """Let an answer claim no more than its family allows.

    Parameters
    ----------
    families : sequence of FamilyContent
    answer : QuestionAnswer

    Returns
    -------
    QuestionAnswer
        As it was, where the question stands in no such family.
    """
    found = _membership(families, answer.claim.question)
    if found is None or answer.claim.verdict == "refused":
        return answer
    family, row = found
    alone = answer.claim.sentence
    if row.verdict != "found":
        alone = alone.partition(BLOCKADE_SAID)[0]  # no more is said of it than of the effect
    claim = replace(
        answer.claim,
        verdict=_claimed(answer.claim.verdict, row.verdict),
        sentence=_join(alone, answer.claim.verdict, family, row),
        sentences=(
            *(text for text in answer.claim.sentences if not text.startswith(OWN)),
            (
                f"The questions of the family {family.name} share one error rate by "
                f"{family.correction}."
            ),
        ),
    )
    return replace(answer, claim=claim, content=replace(answer.content, claim=claim))


def settle_association(
    families: Sequence[FamilyContent], content: AssociationContent
) -> AssociationContent:
    """Let an association claim no more than its family allows.

    Parameters
    ----------
    families : sequence of FamilyContent
    content : AssociationContent

    Returns
    -------
    AssociationContent
    """
    found = _membership(families, content.name)
    if found is None or content.verdict == "refused":
        return content
    return replace(
        content,
        verdict=_claimed(content.verdict, found[1].verdict),
        sentence=_join(content.sentence, content.verdict, *found),
    )


def write_families(
    protocol: Protocol, families: Sequence[FamilyContent], out_dir: Path
) -> Path | None:
    """Write ``group/families.tsv``: every question of a family before and after correction.

    Parameters
    ----------
    protocol : Protocol
    families : sequence of FamilyContent
    out_dir : Path

    Returns
    -------
    Path or None
        None where no family shares an error rate so.
    """
    if not families:
        return None
    rows = [
        {"family": family.name, "alpha": family.alpha, **asdict(row)}
        for family in families
        for row in family.rows
    ]
    corrections = {family.name: family.correction for family in families}
    return write_table(
        out_dir / "group" / "families.tsv",
        pd.DataFrame(rows),
        {
            "Description": "Questions that share an error rate: the least corrected p of each, "
            "and after the family's correction. `claim.json` of a question holds the answer "
            "after it and, under `alone`, the one before.",
            "Corrections": corrections,
            "ProtocolSHA256": protocol_sha256(protocol),
        },
    )
