"""What follows from the report's content: order of arms, the final state of every run, counts."""

import re
from collections import Counter
from dataclasses import dataclass

from phmri.inference import Claim
from phmri.protocol import Parallel, Protocol
from phmri.report._records import QuestionContent, ReportContent, RunContent

__all__ = [
    "UNKNOWN",
    "FinalCell",
    "LeftOut",
    "final_cells",
    "group_names",
    "group_order",
    "group_treatments",
    "left_out",
    "question_anchor",
    "ranked_questions",
    "run_group",
    "session_order",
    "sizes",
    "subjects_by_group",
    "treatment_names",
    "treatments_by_session",
]

UNKNOWN = "unknown"
_ROLES = ("primary", "secondary", "exploratory")
_ABSENT = ("ok", "not planned")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalCell:
    """One participant x session x scan after all checks.

    Parameters
    ----------
    subject, session, scan, group : str
    status : str
        As in the data set's check, or ``quality`` for a run that was left out after its signals
        were looked at.
    reason : str
    """

    subject: str
    session: str
    scan: str
    group: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Runs of one group that were left out for one kind of reason.

    Parameters
    ----------
    reason : str
    n_runs, n_participants : int
    """

    reason: str
    n_runs: int
    n_participants: int


def group_order(content: ReportContent) -> tuple[str, ...]:
    """List arms or sequences: the design's in its order, then others that the data hold.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of str
    """
    design = content.protocol.design
    planned = tuple(design.arms if isinstance(design, Parallel) else design.sequences)
    held = {group or UNKNOWN for group in content.groups.values()}
    held |= {
        cell.group or UNKNOWN for cell in content.check.cells if cell.subject not in content.groups
    }
    if not isinstance(design, Parallel) and design.order == "unknown":
        planned = tuple(group for group in planned if group in held)
    return planned + tuple(sorted(held - set(planned)))


def subjects_by_group(content: ReportContent) -> dict[str, tuple[str, ...]]:
    """Sort the participants of ``participants.tsv`` into their groups.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    dict of str to tuple of str
    """
    groups = {subject: group or UNKNOWN for subject, group in content.groups.items()}
    for cell in content.check.cells:
        groups.setdefault(cell.subject, cell.group or UNKNOWN)
    return {
        group: tuple(sorted(subject for subject, own in groups.items() if own == group))
        for group in group_order(content)
    }


def run_group(content: ReportContent, run: RunContent) -> str:
    """Name the group of a run's participant.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    run : RunContent

    Returns
    -------
    str
    """
    return content.groups.get(run.subject) or run.group or UNKNOWN


def group_word(protocol: Protocol) -> str:
    """Call the groups of a trial by what they are.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    str
        ``arm`` or ``sequence``.
    """
    return "arm" if isinstance(protocol.design, Parallel) else "sequence"


def group_treatments(protocol: Protocol, group: str) -> str:
    """Say in words what a group receives.

    Parameters
    ----------
    protocol : Protocol
    group : str

    Returns
    -------
    str
        Empty for a group that the design does not know.
    """
    design = protocol.design
    if isinstance(design, Parallel):
        arm = design.arms.get(group)
        names: tuple[str, ...] = (arm.treatment,) if arm else ()
    else:
        sequence = design.sequences.get(group)
        names = sequence.treatments if sequence else ()
    labels = treatment_names(protocol)
    return ", then ".join(labels.get(name, name) for name in names)


def treatment_names(protocol: Protocol) -> dict[str, str]:
    """Map treatment keys to what the report calls them.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    dict of str to str
    """
    return {name: record.label or name for name, record in protocol.treatments.items()}


def group_names(protocol: Protocol) -> dict[str, str]:
    """Map arms to what the report's sentences call them.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    dict of str to str
        Keys with an underscore go by the label of their treatment, where no other arm has the
        same; keys that read as they are, and sequences, have no entry.
    """
    design = protocol.design
    if not isinstance(design, Parallel):
        return {}
    labels = treatment_names(protocol)
    said = {arm: labels[own.treatment] for arm, own in design.arms.items()}
    taken = list(said.values())
    return {arm: name for arm, name in said.items() if "_" in arm and taken.count(name) == 1}


def session_order(content: ReportContent) -> tuple[str, ...]:
    """List sessions: the protocol's in its order, then others that the data hold.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of str
    """
    planned = tuple(content.protocol.sessions)
    held = {cell.session for cell in content.check.cells}
    held |= {session for question in content.questions for _, session in question.values}
    return planned + tuple(sorted(held - set(planned)))


def treatments_by_session(content: ReportContent) -> dict[tuple[str, str], str]:
    """Look up what was received in a session, where the data's check knows it.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    dict of (subject, session) to str
    """
    found = {
        (cell.subject, cell.session): visit.treatment
        for cell in content.check.cells
        if (visit := content.protocol.sessions.get(cell.session)) and visit.treatment
    }
    found |= {(run.subject, run.session): run.treatment for run in content.runs if run.treatment}
    found |= {
        (cell.subject, cell.session): cell.treatment
        for cell in content.check.cells
        if cell.treatment
    }
    return found


def final_cells(content: ReportContent) -> tuple[FinalCell, ...]:
    """Join the data set's check with what the signals told later.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of FinalCell
        In the order of the check.
    """
    later = {
        (run.subject, run.session, run.scan): run.reason for run in content.runs if not run.used
    }
    cells = []
    for cell in content.check.cells:
        status, reason = str(cell.status), cell.reason
        key = (cell.subject, cell.session, cell.scan)
        if status == "ok" and key in later:
            status, reason = "quality", later[key]
        cells.append(
            FinalCell(
                subject=cell.subject,
                session=cell.session,
                scan=cell.scan,
                group=content.groups.get(cell.subject) or cell.group or UNKNOWN,
                status=status,
                reason=reason,
            )
        )
    return tuple(cells)


def left_out(cells: tuple[FinalCell, ...]) -> tuple[LeftOut, ...]:
    """Count runs by why they were left out; reasons that differ in numbers only are one.

    Parameters
    ----------
    cells : tuple of FinalCell

    Returns
    -------
    tuple of LeftOut
        Most frequent first.
    """
    runs: dict[str, list[FinalCell]] = {}
    for cell in cells:
        if cell.status not in _ABSENT:
            runs.setdefault(_kind(cell), []).append(cell)
    counted = [
        LeftOut(
            reason=_say(kind, members),
            n_runs=len(members),
            n_participants=len({member.subject for member in members}),
        )
        for kind, members in runs.items()
    ]
    return tuple(sorted(counted, key=lambda item: (-item.n_runs, item.reason)))


def _kind(cell: FinalCell) -> str:
    if cell.status in {"missing", "doubled", "short", "space"}:
        return cell.status
    return re.sub(r"\d+(\.\d+)?", "#", cell.reason) or cell.status


def _say(kind: str, members: list[FinalCell]) -> str:
    plain = {
        "missing": "no data",
        "doubled": "two files for one run",
        "short": "too few volumes",
        "space": "another template space",
    }
    if kind in plain:
        return plain[kind]
    reasons = Counter(member.reason for member in members)
    if len(reasons) == 1:
        return members[0].reason or members[0].status
    return re.split(r"\s*[=:>(]?\s*#", kind)[0] or members[0].status


def sizes(protocol: Protocol, claim: Claim) -> str:
    """Write a question's group sizes in one line.

    Parameters
    ----------
    protocol : Protocol
    claim : Claim

    Returns
    -------
    str
        Like ``ketamine 25, placebo 24``; the number alone where the order is unknown.
    """
    counts, names = claim.n_per_group, group_names(protocol)
    if list(counts) == [UNKNOWN]:
        return str(counts[UNKNOWN])
    return ", ".join(f"{names.get(group, group)} {count}" for group, count in counts.items())


def ranked_questions(content: ReportContent) -> tuple[QuestionContent, ...]:
    """Order questions: primary, secondary, exploratory, and within each as they came.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of QuestionContent
    """
    return tuple(
        sorted(
            content.questions,
            key=lambda question: (
                _ROLES.index(question.claim.role) if question.claim.role in _ROLES else len(_ROLES)
            ),
        )
    )


def question_anchor(question: str) -> str:
    """Name a question's place in the page.

    Parameters
    ----------
    question : str

    Returns
    -------
    str
        Letters, digits and hyphens only.
    """
    return "question-" + re.sub(r"[^A-Za-z0-9]+", "-", question)
