"""Tables of what a protocol asks for beside questions and associations."""

from collections.abc import Iterable, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from phmri.cli._tables import answer_text
from phmri.protocol import Family, Protocol, inference_of

__all__ = ["beside_tables", "reliabilities_table"]

_CORRECTIONS = {
    "none": "not shared: every question keeps its own alpha",
    "joint_maximum": "one alpha, by the maximum over all outcomes of all questions under the same "
    "shufflings",
    "holm": "one alpha, smallest p first (Holm), whatever the dependence",
    "hochberg": "one alpha, largest p first (Hochberg), under positive dependence",
    "fixed_sequence": "one after the other, each at alpha, until one is not answered",
    "graph": "shares of alpha, handed on by every question that is answered",
}


def beside_tables(
    protocol: Protocol, reliabilities: Mapping[str, str] | None = None
) -> list[Table]:
    """Lay out what a protocol asks for beside questions and associations.

    Parameters
    ----------
    protocol : Protocol
    reliabilities : mapping of str to str, optional
        Those that will be refused -> why; left out where no data are at hand.

    Returns
    -------
    list of rich.table.Table
        Populations, families, reliabilities and associations with maps: those that there are.
    """
    tables = [
        _rows("Populations", ("population", "leaves out", "answers"), _populations(protocol)),
        _rows("Families", ("family", "alpha", "shared by"), _families(protocol)),
        reliabilities_table(protocol, reliabilities),
        _rows(
            "Associations with maps", ("association", "effect of", "maps"), _with_maps(protocol)
        ),
    ]
    return [table for table in tables if table.row_count]


def reliabilities_table(protocol: Protocol, refused: Mapping[str, str] | None = None) -> Table:
    """Lay out the reliabilities of a protocol.

    Parameters
    ----------
    protocol : Protocol
    refused : mapping of str to str, optional
        Those that will be refused -> why; left out where no data are at hand.

    Returns
    -------
    rich.table.Table
        Without rows where the protocol asks for none.
    """
    columns, rows = ("reliability", "measure", "repeated in"), _reliabilities(protocol)
    if refused is None:
        return _rows("Reliabilities", columns, rows)
    table = _rows("Reliabilities", (*columns, "can be estimated"), ())
    for name, *rest in rows:
        reason = refused.get(name, "")
        answer = answer_text(answerable=not reason, reason=reason)
        table.add_row(*map(escape, (name, *rest)), answer)
    return table


def _rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _populations(protocol: Protocol) -> list[tuple[str, str, str]]:
    rows = []
    for name, item in protocol.populations.items():
        events = (protocol.intercurrent_events[event] for event in item.exclude_events)
        who = [
            f"who had: {event.label or key.replace('_', ' ')}"
            for key, event in zip(item.exclude_events, events, strict=True)
        ]
        who += ["who lacks a session"] * item.exclude_missing
        asked = [
            key if question.populations[0] == name else f"{key} (shown beside)"
            for key, question in protocol.questions.items()
            if name in question.populations
        ]
        rows.append((name, "; ".join(who) or "nobody", ", ".join(asked) or "no question"))
    return rows


def _families(protocol: Protocol) -> list[tuple[str, str, str]]:
    rows = []
    for name, family in protocol.families.items():
        members = [key for key, item in protocol.questions.items() if item.family == name]
        members += [key for key, item in protocol.associations.items() if item.family == name]
        alphas = sorted({inference_of(protocol, member).alpha for member in members})
        alpha = ", ".join(f"{value:g}" for value in alphas)
        rows.append(
            (name, f"{alpha}: {_CORRECTIONS[family.correction]}", _shared(family, members))
        )
    return rows


def _shared(family: Family, members: Sequence[str]) -> str:
    if family.correction == "fixed_sequence":
        return ", then ".join(family.sequence)
    if family.correction != "graph":
        return ", ".join(members)
    words = []
    for member in members:
        hands = ", ".join(
            f"{part:g} to {other}" for other, part in family.transitions.get(member, {}).items()
        )
        share = f"{member} {family.weights.get(member, 0.0):g} of it"
        words.append(f"{share}, hands on {hands}" if hands else share)
    return "; ".join(words)


def _reliabilities(protocol: Protocol) -> list[tuple[str, str, str]]:
    rows = []
    for name, item in protocol.reliability.items():
        where = ", ".join(item.sessions) or f"every session under {item.treatment}"
        arms = f", arms {', '.join(item.groups)}" if item.groups else ""
        rows.append((name, item.measure, f"{where}{arms} ({item.kind})"))
    return rows


def _with_maps(protocol: Protocol) -> list[tuple[str, str, str]]:
    return [
        (
            name,
            f"question {item.question}",
            f"{', '.join(item.maps)}: {item.statistic}, {item.n_surrogates:,} surrogate maps",
        )
        for name, item in protocol.map_associations.items()
    ]
