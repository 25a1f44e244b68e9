"""Tables for the terminal."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from phmri.dataset import AssociationCheck, Cell, DatasetCheck
from phmri.inference import Claim
from phmri.pipeline import DesignSummary
from phmri.protocol import Protocol
from phmri.report import AssociationContent
from phmri.simulation import Recovered

__all__ = [
    "answer_text",
    "associations_table",
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
        answer = answer_text(answerable=item.answerable, reason=item.reason)
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
            answer_text(answerable=item.answerable, reason=item.reason),
        )
    notes: dict[str, list[str]] = {}
    for item in associations:
        notes.setdefault(item.note, []).append(item.association)
    said = [f"{', '.join(names)}: {note}" for note, names in notes.items() if note]
    if said:
        table.caption = Text("\n".join(said))
        table.caption_justify = "left"
    return table


def answer_text(*, answerable: bool, reason: str) -> str:
    """Say whether something can be answered.

    Parameters
    ----------
    answerable : bool
    reason : str
        Why not.

    Returns
    -------
    str
        Console markup.
    """
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
    # Seven columns in a terminal of 80: no rules between them.
    table = Table(
        title="SIMULATED: planted and found",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("question", no_wrap=True)
    for name in ("planted", "found", "estimate", "p, corr.", "blockade", "right"):
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
            f"{row.question}\n[dim]{row.role}[/dim]",
            ", ".join(row.planted) or "nothing",
            found,
            escape(row.estimate_text.replace(" % CI ", " % CI\n")),
            row.pvalue_text,
            blockade,
            "[green]yes[/green]" if row.right else "[red]no[/red]",
        )
    return table
