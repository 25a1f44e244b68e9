"""Who can answer what once intercurrent events and populations are counted, as answering does."""

from collections.abc import Mapping
from dataclasses import replace

from phmri.dataset import DatasetCheck, DatasetIndex, check_association, check_question
from phmri.pipeline._populations import count_in, find_events
from phmri.protocol import Protocol

__all__ = ["check_after_events", "counted_check"]

Happened = Mapping[str, frozenset[tuple[str, str]]]


def counted_check(
    protocol: Protocol, name: str, check: DatasetCheck, happened: Happened
) -> DatasetCheck:
    """Leave out the cells that do not count for a question, in the population that answers it.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Of the question.
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.

    Returns
    -------
    DatasetCheck
    """
    question = protocol.questions[name]
    population = next(iter(question.populations), None)
    return count_in(protocol, question.measure, check, happened, population).check


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
    happened = find_events(protocol, index)
    questions = []
    for name, question in protocol.questions.items():
        counted = counted_check(protocol, name, check, happened)
        cells = counted.ratings if question.measure in protocol.scales else counted.cells
        questions.append(check_question(protocol, name, cells, index.participants))
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
