"""Who can answer what once intercurrent events and populations are counted, as answering does."""

from collections.abc import Mapping
from dataclasses import replace

from phmri.dataset import (
    DatasetCheck,
    DatasetIndex,
    QuestionCheck,
    check_association,
    check_question,
)
from phmri.exceptions import DesignError
from phmri.pipeline._asked import Asked, GroupInputs, ask
from phmri.pipeline._populations import count_in, find_events
from phmri.protocol import Protocol, inference_of

__all__ = ["ask_counted", "check_after_events", "count_after_events"]

_LEFT_OUT = "left out: "

Happened = Mapping[str, frozenset[tuple[str, str]]]


def check_after_events(
    protocol: Protocol, index: DatasetIndex, check: DatasetCheck
) -> DatasetCheck:
    """Tell anew which questions and associations the data can answer.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck

    Returns
    -------
    DatasetCheck
        With the same cells.

    Notes
    -----
    A `DatasetError` names all tables and columns of intercurrent events that the data set lacks.
    """
    return count_after_events(protocol, index, check, find_events(protocol, index))


def count_after_events(
    protocol: Protocol, index: DatasetIndex, check: DatasetCheck, happened: Happened
) -> DatasetCheck:
    """Tell which questions and associations the data can answer, by events that are looked up.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.

    Returns
    -------
    DatasetCheck
        With the same cells.
    """
    questions = (
        _count_question(protocol, name, index, check, happened) for name in protocol.questions
    )
    associations = []
    for name, item in protocol.associations.items():
        measured = count_in(protocol, item.measure, check, happened, None).check
        rated = count_in(protocol, item.scale, check, happened, None).check
        associations.append(
            check_association(
                protocol,
                name,
                cells=measured.cells,
                ratings=rated.ratings,
                participants=index.participants,
            )
        )
    return replace(check, questions=tuple(questions), associations=tuple(associations))


def _count_question(
    protocol: Protocol, name: str, index: DatasetIndex, check: DatasetCheck, happened: Happened
) -> QuestionCheck:
    question = protocol.questions[name]
    population = next(iter(question.populations), None)
    counted = count_in(protocol, question.measure, check, happened, population).check
    cells = counted.ratings if question.measure in protocol.scales else counted.cells
    return check_question(protocol, name, cells, index.participants)


def ask_counted(inputs: GroupInputs, name: str) -> Asked:
    """Find the participants of a question and make its model, or say who is left out and why.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Of the question.

    Returns
    -------
    Asked

    Raises
    ------
    DesignError
        If the data cannot answer the question; with who is left out for lack of what.
    """
    protocol, index = inputs.protocol, inputs.index
    found = _count_question(protocol, name, index, inputs.check, inputs.happened)
    if _columns(protocol, name) - set(index.participants.columns):
        raise DesignError(found.reason)
    try:
        asked = ask(inputs, name)
    except DesignError as error:
        _, words, lost = found.reason.partition(_LEFT_OUT)
        raise DesignError(*error.problems, *([words + lost] if lost else [])) from error
    if not found.answerable:
        raise DesignError(found.reason)
    return asked


def _columns(protocol: Protocol, name: str) -> set[str]:
    asked, within = protocol.questions[name], inference_of(protocol, name).shuffle_within
    return {*asked.covariates, *protocol.design.strata, *within}
