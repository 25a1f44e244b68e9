"""Who can answer what once intercurrent events and populations are counted, as answering does."""

from collections.abc import Mapping
from dataclasses import replace

from phmri.dataset import DatasetCheck, DatasetIndex, check_association, check_question
from phmri.pipeline._populations import count_in, find_events
from phmri.protocol import Protocol

__all__ = ["check_after_events", "count_after_events"]

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
    questions = []
    for name, question in protocol.questions.items():
        population = next(iter(question.populations), None)
        counted = count_in(protocol, question.measure, check, happened, population).check
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
