"""Intercurrent events and populations, in the words of ICH E9(R1).

An intercurrent event comes after the start of treatment and changes what the outcome means, or
whether there is one: an infusion that was stopped, a rescue drug, a scan broken off. The strategy
says which outcome is asked about in those who had it; the population, whose outcomes are.
"""

from typing import Literal

from phmri.protocol._base import Label, Name, Record

__all__ = ["IntercurrentEvent", "Population"]


class IntercurrentEvent(Record):
    """An event of some participants, by a column that says who had it, and what follows."""

    label: str | None = None
    """How the report calls it; the key itself when left out."""
    file: str | None = None
    """Stem of a table in ``phenotype/``; ``participants.tsv`` when left out."""
    column: str
    value: str
    """What the column holds for those who had the event, as text."""
    sessions: tuple[Label, ...] | None = None
    """Sessions that the event counts in; all but those of phase baseline when left out. Where the
    table has a column ``session_id``, only the rows of these sessions are looked at."""
    measures: tuple[Name, ...] | None = None
    """Measures and scales that the event counts for; all when left out."""
    strategy: Literal["treatment_policy", "hypothetical", "composite", "exclude"]
    """``treatment_policy``: the outcome as it is, whatever happened. ``hypothetical``: the outcome
    had the event not happened; data of these sessions count as missing. ``composite``: the event
    is an outcome, ``composite_value``. ``exclude``: the participant is left out of every answer;
    no strategy of ICH E9(R1), as those who remain were not randomised."""
    composite_value: float | None = None
    """``composite``: the score of a scale in a session with the event."""


class Population(Record):
    """Whose data answer a question."""

    label: str | None = None
    """How the report calls it; the key itself when left out."""
    exclude_events: tuple[Name, ...] = ()
    """Participants with one of these intercurrent events are not of it."""
    exclude_missing: bool = False
    """Completers: only participants with the outcome in every session (or period) of it."""
