"""Which questions and associations will be answered, as far as that can be known beforehand."""

from collections.abc import Iterable
from dataclasses import replace

from phmri.dataset import AssociationCheck, DatasetCheck, QuestionCheck
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._at_hand import AtHand, refuse_unknown_outcome
from phmri.pipeline._design_associations import association_problems
from phmri.pipeline._design_summary import DesignSummary
from phmri.pipeline._reliability import try_reliability

__all__ = ["foresee_answers", "foresee_reliabilities", "refusals"]


def foresee_answers(at_hand: AtHand, designs: Iterable[DesignSummary]) -> DatasetCheck:
    """Tell which questions and associations will be refused, in the words of the refusal.

    Parameters
    ----------
    at_hand : AtHand
    designs : iterable of DesignSummary
        Of the same data.

    Returns
    -------
    DatasetCheck
        What is not refused here may be refused yet, for what runs turn out to hold.
    """
    summaries = {item.question: item for item in designs}
    counted = at_hand.counted
    return replace(
        counted,
        questions=tuple(_judged(item, summaries[item.question]) for item in counted.questions),
        associations=tuple(
            _judged_association(at_hand, name) for name in at_hand.inputs.protocol.associations
        ),
    )


def foresee_reliabilities(at_hand: AtHand) -> dict[str, str]:
    """Tell which reliabilities will be refused, in the words of the refusal.

    Parameters
    ----------
    at_hand : AtHand

    Returns
    -------
    dict of str to str
        Those that will be refused -> why.
    """
    inputs = at_hand.inputs
    reasons = {name: try_reliability(inputs, name) for name in inputs.protocol.reliability}
    return {name: reason for name, reason in reasons.items() if reason}


def refusals(check: DatasetCheck) -> list[Problem]:
    """List what cannot be answered, and why.

    Parameters
    ----------
    check : DatasetCheck

    Returns
    -------
    list of Problem
    """
    reasons = {f"questions.{item.question}": item.reason for item in check.questions}
    reasons |= {f"associations.{item.association}": item.reason for item in check.associations}
    return [Problem(what=reason, field=field) for field, reason in reasons.items() if reason]


def _judged(item: QuestionCheck, summary: DesignSummary) -> QuestionCheck:
    reason = summary.refusal or summary.out_of_reach
    judged = replace(item, answerable=not reason, reason=reason)
    in_model = summary.n_per_group
    if not in_model:
        return judged
    return replace(
        judged,
        n_per_group={group: in_model.get(group, 0) for group in item.n_per_group},
        n_beside={g: n for g, n in in_model.items() if g not in item.n_per_group},
    )


def _judged_association(at_hand: AtHand, name: str) -> AssociationCheck:
    inputs = at_hand.inputs
    found = association_problems(
        inputs.protocol,
        name,
        inputs.index,
        inputs.check,
        happened=inputs.happened,
        ratings=inputs.ratings,
    )
    try:
        refuse_unknown_outcome(at_hand, inputs.protocol.associations[name])
    except DesignError as error:
        said = "; ".join(filter(None, (found.reason, str(error))))
        return replace(found, answerable=False, reason=said)
    return found
