"""Tables for the terminal."""

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from phmri.dataset import AssociationCheck, Cell, DatasetCheck
from phmri.inference import Claim
from phmri.pipeline import DesignSummary
from phmri.protocol import Family, Protocol, inference_of
from phmri.report import AssociationContent
from phmri.simulation import Recovered

__all__ = [
    "associations_table",
    "beside_tables",
    "claims_table",
    "completeness_table",
    "design_table",
    "questions_table",
    "ratings_table",
    "recovered_table",
]

_COLOURS = {
    "ok": "green",
    "not planned": "dim",
    "excluded": "yellow",
    "short": "yellow",
}
_NAMED = 3
"""So many participants are named; beyond this they are counted."""
_CORRECTIONS = {
    "none": "not shared: every question keeps its own alpha",
    "joint_maximum": "one alpha, by the maximum over all outcomes of all questions under the same "
    "shufflings",
    "holm": "one alpha, smallest p first (Holm), whatever the dependence",
    "hochberg": "one alpha, largest p first (Hochberg), under positive dependence",
    "fixed_sequence": "one after the other, each at alpha, until one is not answered",
    "graph": "shares of alpha, handed on by every question that is answered",
}


def completeness_table(protocol: Protocol, check: DatasetCheck) -> Table:
    """Lay out participants x sessions x scans.

    Parameters
    ----------
    protocol : Protocol
    check : DatasetCheck

    Returns
    -------
    rich.table.Table
    """
    columns = [
        (session, scan)
        for session in protocol.sessions
        for scan in protocol.scans
        if any(cell.session == session and cell.scan == scan for cell in check.cells)
    ]
    title = Text(f"{protocol.title}: participants × sessions × scans", style="table.title")
    table = Table(title=title, title_justify="left")
    table.add_column("participant", no_wrap=True)
    table.add_column("group", overflow="fold")
    for session, scan in columns:
        table.add_column(f"{session}\n{scan}", overflow="fold")
    rows: dict[str, dict[tuple[str, str], Cell]] = {}
    for cell in check.cells:
        rows.setdefault(cell.subject, {})[cell.session, cell.scan] = cell
    for subject, cells in rows.items():
        group = next(iter(cells.values())).group or "?"
        table.add_row(
            escape(f"sub-{subject}"),
            escape(group),
            *(_cell_text(cells[key]) if key in cells else "" for key in columns),
        )
    return table


def ratings_table(protocol: Protocol, check: DatasetCheck) -> Table:
    """Lay out who has which score: scales x sessions.

    Parameters
    ----------
    protocol : Protocol
    check : DatasetCheck

    Returns
    -------
    rich.table.Table
        Participants counted by what there is of them; a few who lack a score are named.
    """
    table = Table(title="Scales: participants with a score", title_justify="left")
    table.add_column("scale", overflow="fold")
    for session in protocol.sessions:
        table.add_column(session, overflow="fold")
    by_place: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = {}
    for cell in check.ratings:
        of_place = by_place.setdefault((cell.scan, cell.session), {})
        of_place.setdefault((cell.status, cell.reason), []).append(cell.subject)
    for scale in dict.fromkeys(scale for scale, _ in by_place):
        texts = (
            "\n".join(
                _counted(status, reason, subjects)
                for (status, reason), subjects in sorted(
                    by_place.get((scale, session), {}).items()
                )
            )
            for session in protocol.sessions
        )
        table.add_row(escape(scale), *texts)
    return table


def _counted(status: str, reason: str, subjects: Sequence[str]) -> str:
    colour = _COLOURS.get(status, "red")
    if status in {"ok", "not planned"}:
        text = f"{len(subjects)} {status}" if status == "ok" else status
    else:
        names = ", ".join(f"sub-{subject}" for subject in subjects[:_NAMED])
        more = f" and {len(subjects) - _NAMED} more" if len(subjects) > _NAMED else ""
        text = f"{len(subjects)} {status}: {reason or names + more}"
    return f"[{colour}]{escape(text)}[/{colour}]"


def _cell_text(cell: Cell) -> str:
    colour = _COLOURS.get(cell.status, "red")
    text = cell.status if not cell.reason else f"{cell.status}: {cell.reason}"
    return f"[{colour}]{escape(text)}[/{colour}]"


def questions_table(check: DatasetCheck) -> Table:
    """Lay out which questions the data can answer.

    Parameters
    ----------
    check : DatasetCheck

    Returns
    -------
    rich.table.Table
    """
    table = Table(title="Questions", title_justify="left")
    for name in ("question", "role", "participants with all runs", "can be answered"):
        table.add_column(name, overflow="fold")
    for item in check.questions:
        counts = ", ".join(f"{group} {n}" for group, n in item.n_per_group.items())
        if item.n_beside:
            beside = ", ".join(f"{group} {n}" for group, n in item.n_beside.items())
            counts += f" (and {beside})"
        answer = _answer(answerable=item.answerable, reason=item.reason)
        table.add_row(item.question, item.role, escape(counts), answer)
    return table


def associations_table(associations: Sequence[AssociationCheck], counted: str) -> Table:
    """Lay out which associations can be told.

    Parameters
    ----------
    associations : sequence of AssociationCheck
    counted : str
        Who is counted, e.g. ``participants with both``.

    Returns
    -------
    rich.table.Table
    """
    table = Table(title="Associations", title_justify="left")
    for name in ("association", "role", "measure", "scale", counted, "can be answered"):
        table.add_column(name, overflow="fold")
    for item in associations:
        counts = ", ".join(f"{group} {n}" for group, n in item.n_per_group.items()) or "0"
        table.add_row(
            item.association,
            item.role,
            item.measure,
            escape(item.scale),
            escape(counts),
            _answer(answerable=item.answerable, reason=item.reason),
        )
    notes: dict[str, list[str]] = {}
    for item in associations:
        notes.setdefault(item.note, []).append(item.association)
    said = [f"{', '.join(names)}: {note}" for note, names in notes.items() if note]
    if said:
        table.caption = Text("\n".join(said))
        table.caption_justify = "left"
    return table


def _answer(*, answerable: bool, reason: str) -> str:
    return "[green]yes[/green]" if answerable else f"[red]no[/red]: {escape(reason)}"


def design_table(summary: DesignSummary, *, refused_like: str = "") -> Table:
    """Lay out what a question shuffles, tests and can show.

    Parameters
    ----------
    summary : DesignSummary
    refused_like : str, optional
        A question that was refused for the same reason, and that told it.

    Returns
    -------
    rich.table.Table
    """
    title = Text(f"{summary.question} ({summary.role}): {summary.text}", style="table.title")
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    if summary.refusal:
        reason = f"as {refused_like}" if refused_like else summary.refusal
        table.add_row("[red]refused[/red]", escape(reason))
    for term, text in summary.lines:
        unreachable = term == "smallest p" and not summary.reaches_alpha
        table.add_row(term, Text(text, style="bold red" if unreachable else ""))
    for note in summary.notes:
        table.add_row("[dim]note[/dim]", escape(note))
    return table


def beside_tables(protocol: Protocol) -> list[Table]:
    """Lay out what a protocol asks for beside questions and associations.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    list of rich.table.Table
        Populations, families, reliabilities and associations with maps: those that there are.
    """
    return [
        _rows(title, columns, rows)
        for title, columns, rows in (
            ("Populations", ("population", "leaves out", "answers"), _populations(protocol)),
            ("Families", ("family", "alpha", "shared by"), _families(protocol)),
            ("Reliabilities", ("reliability", "measure", "repeated in"), _reliabilities(protocol)),
            ("Associations with maps", ("association", "effect of", "maps"), _with_maps(protocol)),
        )
        if rows
    ]


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


def claims_table(
    claims: Iterable[Claim], associations: Iterable[AssociationContent] = ()
) -> Table:
    """Lay out the answers.

    Parameters
    ----------
    claims : iterable of Claim
    associations : iterable of AssociationContent, default ()

    Returns
    -------
    rich.table.Table
    """
    table = Table(title="Claims", title_justify="left", show_lines=True)
    for name in ("question", "role", "verdict", "answer"):
        table.add_column(name, overflow="fold")
    rows = [(claim.question, claim.role, claim.verdict, claim.sentence) for claim in claims]
    rows += [(item.name, item.role, item.verdict, item.sentence) for item in associations]
    for name, role, verdict, sentence in rows:
        colour = {"found": "green", "refused": "red"}.get(verdict, "white")
        table.add_row(name, role, f"[{colour}]{verdict}[/{colour}]", escape(sentence))
    return table


def recovered_table(rows: Iterable[Recovered]) -> Table:
    """Lay out what was planted beside what was found.

    Parameters
    ----------
    rows : iterable of Recovered

    Returns
    -------
    rich.table.Table
    """
    table = Table(title="SIMULATED: planted and found", title_justify="left")
    for name in (
        "question", "role", "planted", "found", "estimate", "corrected p", "blockade", "right"
    ):  # fmt: skip
        table.add_column(name, overflow="fold")
    for row in rows:
        found = row.verdict
        if row.missed:
            found += f"; missed {', '.join(row.missed)}"
        if row.astray:
            found += f"; {row.astray} peaks elsewhere"
        blockade = row.blockade
        if row.blockade_planted:
            blockade += f" (planted: {row.blockade_planted})"
        table.add_row(
            row.question,
            row.role,
            ", ".join(row.planted) or "nothing",
            found,
            escape(row.estimate_text),
            row.pvalue_text,
            blockade,
            "[green]yes[/green]" if row.right else "[red]no[/red]",
        )
    return table
