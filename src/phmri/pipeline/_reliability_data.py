"""Who has the outcome of a reliability again and again, and what of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from phmri.dataset import Cell, source_of
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._left_out import leave_out_constant
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun, load_outcomes
from phmri.pipeline._populations import Counted, count_in
from phmri.pipeline._ratings import Rating, load_ratings, score_of
from phmri.pipeline._units import Source
from phmri.protocol import Parallel, Protocol, Question, Reliability

__all__ = ["ReliabilityData", "find_repeated", "load_reliability", "reliability_question"]

LEAST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityData:
    """Outcomes of the participants who have them again and again.

    Parameters
    ----------
    subjects : tuple of str
    groups : tuple of str
        Arm, or sequence of a crossover; ``""`` where the order is unknown.
    occasions : tuple of str
        What the sessions are called.
    outcomes : LoadedOutcomes
    Y : ndarray of shape (n_participants, n_occasions, n_outcomes)
        NaN where someone has no data.
    differ : bool
        Treatments differ between the sessions, or in one of them between participants.
    sources : tuple of str
        What every outcome was made with.
    """

    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    occasions: tuple[str, ...]
    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_participants n_occasions n_outcomes"]
    differ: bool
    sources: tuple[str, ...]


def reliability_question(protocol: Protocol, item: Reliability) -> Question:
    """Ask for the outcomes of a reliability as a question does.

    Parameters
    ----------
    protocol : Protocol
    item : Reliability

    Returns
    -------
    Question
        Whose contrast is not looked at.
    """
    treatments = tuple(protocol.treatments)
    return Question(
        text=item.text,
        role="exploratory",
        measure=item.measure,
        map=item.map,
        where=item.where,
        contrast=(treatments[0], treatments[-1]),
        estimator="post",
    )


def find_repeated(
    inputs: GroupInputs, name: str
) -> dict[str, tuple[tuple[Cell, ...], tuple[Source, ...]]]:
    """Find who has the outcome of a reliability again and again.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.reliability``.

    Returns
    -------
    dict of str to tuple
        Participant -> cells, and what stands in them, in the order of the sessions.

    Raises
    ------
    DesignError
        When too few participants have it in every session.
    """
    protocol, item = inputs.protocol, inputs.protocol.reliability[name]
    counted = count_in(protocol, item.measure, inputs.check, inputs.happened, None)
    members: dict[str, tuple[tuple[Cell, ...], tuple[Source, ...]]] = {}
    for subject, cells in sorted(_visits(protocol, item, counted).items()):
        found = tuple(_source(inputs, item, counted, cell) for cell in cells)
        usable = tuple(source for source in found if source is not None)
        if len(usable) == len(cells):
            members[subject] = cells, usable
    if len(members) < LEAST:
        raise DesignError(
            Problem(
                what="too few participants have the outcome in every session",
                found=str(len(members)),
                expected=f"at least {LEAST}",
            )
        )
    return members


def load_reliability(inputs: GroupInputs, name: str) -> ReliabilityData:
    """Load the outcomes of a reliability.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.reliability``.

    Returns
    -------
    ReliabilityData

    Notes
    -----
    A `DesignError` tells when too few participants have them in every session.
    """
    members, item = find_repeated(inputs, name), inputs.protocol.reliability[name]
    subjects = tuple(members)
    visits, sources = zip(*members.values(), strict=True)
    n_occasions = len(sources[0])
    roles = tuple(f"occasion{k}" for k in range(1, n_occasions + 1))
    outcomes = leave_out_constant(
        _load(inputs, item, {r: [own[k] for own in sources] for k, r in enumerate(roles)})
    )
    given = [tuple(cell.treatment for cell in cells) for cells in visits]
    return ReliabilityData(
        subjects=subjects,
        groups=tuple(cells[0].group or "" for cells in visits),
        occasions=item.sessions or _occasions(visits),
        outcomes=outcomes,
        Y=np.stack([outcomes.images[role].astype(np.float64) for role in roles], axis=1),
        differ=len({treatment for own in given for treatment in own}) > 1,
        sources=tuple(source.step_key for own in sources for source in own),
    )


def _occasions(visits: Sequence[tuple[Cell, ...]]) -> tuple[str, ...]:
    """Call sessions by name where all have them in one order, else by their place in it."""
    first, *others = {tuple(cell.session for cell in cells) for cells in visits}
    n_occasions = len(first)
    return tuple(f"{k} of {n_occasions}" for k in range(1, n_occasions + 1)) if others else first


def _visits(
    protocol: Protocol, item: Reliability, counted: Counted
) -> dict[str, tuple[Cell, ...]]:
    """Find the cells of everyone who may take part, in the order of the sessions."""
    source, order = source_of(protocol, item.measure), list(protocol.sessions)
    every = counted.check.ratings if item.measure in protocol.scales else counted.check.cells
    planned: dict[str, list[Cell]] = {}
    for cell in every:
        asked = (
            cell.session in item.sessions
            if item.sessions
            else cell.treatment == item.treatment and _first_of_period(protocol, cell.session)
        )
        if cell.scan == source and cell.status != "not planned" and asked:
            planned.setdefault(cell.subject, []).append(cell)
    if isinstance(protocol.design, Parallel):
        arms = item.groups or tuple(protocol.design.arms)
        planned = {s: cells for s, cells in planned.items() if cells[0].group in arms}
    if item.sessions:
        order = list(item.sessions)
    most = max((len(cells) for cells in planned.values()), default=0)
    return {
        subject: tuple(sorted(cells, key=lambda cell: order.index(cell.session)))
        for subject, cells in planned.items()
        if len(cells) == most > 1
        and subject not in counted.left_out
        and all(cell.status == "ok" for cell in cells)
    }


def _first_of_period(protocol: Protocol, session: str) -> bool:
    """Tell whether a session is the one that stands for its period."""
    visit = protocol.sessions[session]
    return visit.period is None or visit.phase == "acute"


def _source(inputs: GroupInputs, item: Reliability, counted: Counted, cell: Cell) -> Source | None:
    """Give run or rating; None where it cannot be used."""
    key = (cell.subject, cell.session, cell.scan)
    if key[:2] in counted.missing:
        return None
    if item.measure not in inputs.protocol.scales:
        run = inputs.runs.get(key)
        return None if run is None or run.excluded else run
    rating = inputs.ratings.get(key)
    if rating is not None and key[:2] in counted.scores:
        rating = replace(rating, score=counted.scores[key[:2]])
    return rating if rating is not None and np.isfinite(score_of(rating, item.map)) else None


def _load(
    inputs: GroupInputs, item: Reliability, sources: dict[str, list[Source]]
) -> LoadedOutcomes:
    question = reliability_question(inputs.protocol, item)
    if item.measure in inputs.protocol.scales:
        ratings = {r: [s for s in own if isinstance(s, Rating)] for r, own in sources.items()}
        return load_ratings(question, ratings)
    runs = {r: [s for s in own if isinstance(s, MeasuredRun)] for r, own in sources.items()}
    region = inputs.regions.get(item.where.mean_of or item.where.within or "")
    return load_outcomes(inputs.protocol, question, runs, region)
