"""What intercurrent events and missing items did to the data of an answer, in words and counts."""

from collections import Counter
from collections.abc import Collection, Mapping

from phmri.dataset import Cell, DatasetCheck, DatasetIndex, needed_cells, read_scale, source_of
from phmri.protocol import IntercurrentEvent, Protocol, Scale
from phmri.report import EventContent

__all__ = ["describe_events", "event_notes", "rating_notes"]

Happened = Mapping[str, frozenset[tuple[str, str]]]


def event_notes(
    protocol: Protocol,
    name: str,
    *,
    index: DatasetIndex,
    check: DatasetCheck,
    happened: Happened,
) -> tuple[str, ...]:
    """Say what events and prorated ratings did to the data of a question.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Of the question.
    index : DatasetIndex
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.

    Returns
    -------
    tuple of str
        One sentence per event that concerns its measure, counted over what it could use.
    """
    question = protocol.questions[name]
    needed = needed_cells(protocol, name, check, index.participants)
    cells = [cell for roles in needed.values() for cell in roles.values()]
    said = [
        f"Intercurrent event '{_label(event, key)}' ({event.strategy.replace('_', ' ')}): "
        f"{_done(event, cells, happened[key])}."
        for key, event in protocol.intercurrent_events.items()
        if _concerns(event, question.measure)
    ]
    if question.measure in protocol.scales:
        used = {(cell.subject, cell.session) for cell in cells}
        said += rating_notes(protocol, index, question.measure, part=question.map, used=used)
    return tuple(said)


def rating_notes(
    protocol: Protocol,
    index: DatasetIndex,
    name: str,
    *,
    part: str | None = None,
    used: Collection[tuple[str, str]] | None = None,
) -> tuple[str, ...]:
    """Say how many ratings of a scale lacked items, and what became of them.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    name : str
        Of the scale.
    part : str, optional
        Its subscale.
    used : collection of (str, str), optional
        Participants and sessions to count; all by default.

    Returns
    -------
    tuple of str
        Empty where the scale allows none to be missing, or none is.
    """
    scale = protocol.scales[name]
    if scale.missing_items != "prorate":
        return ()
    counts = _ratings_by_items(protocol, index, name, scale=scale, part=part, used=used)
    if not counts["prorated"] + counts["too few"]:
        return ()
    what = f"{name} {part}" if part else name
    return (
        (
            f"Of {counts.total()} ratings of {what}, {counts['prorated']} lacked items and were "
            f"prorated, and {counts['too few']} had too few items for a score."
        ),
    )


def _ratings_by_items(
    protocol: Protocol,
    index: DatasetIndex,
    name: str,
    *,
    scale: Scale,
    part: str | None,
    used: Collection[tuple[str, str]] | None,
) -> Counter[str]:
    table = index.phenotype[scale.file or name]
    scores = read_scale(index, protocol, name)
    items = table[list(scale.subscales[part] if part else scale.columns)].isna()
    columns = ("participant", "session", part or "score")
    found: Counter[str] = Counter()
    for (subject, session, score), missing in zip(
        scores[list(columns)].itertuples(index=False, name=None), items.any(axis=1), strict=True
    ):
        if used is None or (subject, session) in used:
            lacking = "prorated" if score == score else "too few"  # noqa: PLR0124 - NaN
            found[lacking if missing else "whole"] += 1
    return found


def describe_events(
    protocol: Protocol, index: DatasetIndex, check: DatasetCheck, happened: Happened
) -> tuple[EventContent, ...]:
    """Describe the intercurrent events of a trial: who had them, and what was done.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.

    Returns
    -------
    tuple of EventContent
        In the order of the protocol.
    """
    asked = dict.fromkeys(
        (
            *(question.measure for question in protocol.questions.values()),
            *(item.measure for item in protocol.associations.values()),
            *(item.scale for item in protocol.associations.values()),
        )
    )
    known = {cell.subject: cell.group or "" for cell in (*check.cells, *check.ratings)}
    found = []
    for key, event in protocol.intercurrent_events.items():
        pairs = frozenset(pair for pair in happened[key] if pair[0] in known)
        groups = Counter(known[subject] for subject in sorted({person for person, _ in pairs}))
        done = [
            f"{measure}: {_done(event, _at_hand(protocol, check, measure), pairs)}"
            for measure in asked
            if _concerns(event, measure)
        ]
        found.append(
            EventContent(
                label=_label(event, key),
                source=_source(event, key, check),
                strategy=event.strategy,
                n_per_group=dict(sorted(groups.items())),
                done=tuple(done),
            )
        )
    return tuple(found)


def _source(event: IntercurrentEvent, key: str, check: DatasetCheck) -> str:
    """Say where an event stands, and what stands there instead of a value that nobody has."""
    table = f"phenotype/{event.file}.tsv" if event.file else "participants.tsv"
    field = f"intercurrent_events.{key}.value"
    instead = [f"; nobody has it, found {r.found}" for r in check.remarks if r.field == field]
    return "".join([f"{event.column} = {event.value} in {table}", *instead])


def _concerns(event: IntercurrentEvent, measure: str) -> bool:
    return event.measures is None or measure in event.measures


def _label(event: IntercurrentEvent, key: str) -> str:
    return event.label or key.replace("_", " ")


def _at_hand(protocol: Protocol, check: DatasetCheck, measure: str) -> list[Cell]:
    cells = check.ratings if measure in protocol.scales else check.cells
    source = source_of(protocol, measure)
    return [cell for cell in cells if cell.scan == source and cell.status == "ok"]


def _done(
    event: IntercurrentEvent, cells: Collection[Cell], pairs: frozenset[tuple[str, str]]
) -> str:
    """Count what an event touched of these cells, and say what was done to it."""
    if event.strategy == "exclude":
        people = {cell.subject for cell in cells} & {subject for subject, _ in pairs}
        return f"{_count(len(people), 'participant')} left out"
    touched = {(cell.subject, cell.session) for cell in cells} & pairs
    n_people = len({subject for subject, _ in touched})
    what = {
        "treatment_policy": "taken as they are",
        "hypothetical": "counted as missing",
        "composite": f"given the score {event.composite_value or 0:g}",
    }[event.strategy]
    counts = f"{_count(len(touched), 'session')} of {_count(n_people, 'participant')}"
    return f"{counts} {what}" if touched else f"no session {what.replace('they are', 'it is')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
