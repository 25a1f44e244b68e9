"""Who can answer a question: the cells that it needs of each participant.

A parallel question needs the outcome session and, for ANCOVA and change, the baseline session. It
takes participants of every arm: the arms beside the contrast stay in the model, where they add to
the estimate of the residual variance. A crossover question needs one session under each of its two
treatments; where its sequences have more than two periods, all sessions that there are. A model of
all sessions together (`REPEATED`) takes what there is of them. Where periods are adjusted for
their own baselines, a period counts with its baseline alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from phmri.dataset._records import Cell, DatasetCheck, QuestionCheck
from phmri.dataset._table_columns import without_column
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import Crossover, Parallel, Protocol, Question, treatment_of

__all__ = [
    "NO_TABLE",
    "OTHER_SESSIONS",
    "REPEATED",
    "check_question",
    "needed_cells",
    "source_of",
    "unit_groups",
]

REPEATED = frozenset({"mixed", "mmrm", "clda"})
"""Estimators that model all sessions, or periods, together."""

NO_TABLE = "the data set has no"
"""In the reason of a cell whose scale has no table at all."""
OTHER_SESSIONS = "the data have"
"""In the reason of a cell whose session nobody has, before the sessions that there are."""
_UNKNOWN = "unknown"
_MIN_UNITS = 2
_MIN_PERIODS = 2


def needed_cells(
    protocol: Protocol,
    question: str,
    check: DatasetCheck,
    participants: pd.DataFrame | None = None,
) -> dict[str, dict[str, Cell]]:
    """List the runs that answer a question, per participant and role.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    question : str
        Key in ``protocol.questions``.
    check : DatasetCheck
        From `check_dataset`.
    participants : DataFrame, optional
        ``DatasetIndex.participants``: leaves out who lacks a covariate or a stratum, as
        `check_dataset` does when it counts.

    Returns
    -------
    dict of str to dict of str to Cell
        Participants of all arms (parallel) or of the sequences that hold both treatments, in
        order; roles ``outcome`` and ``baseline`` (parallel; no baseline for
        ``post``), ``first`` and ``second`` (crossover: the treatments of the contrast in its
        order), or ``period1``, ``period2``, ... (crossover of more periods: those at hand, two
        at least); of a model of all sessions, ``visit-SESSION`` or ``periodN`` for those at hand.
        With ``period_baseline`` each of a crossover has a ``baseline-ROLE`` beside it. All cells
        are ``ok``.

    Raises
    ------
    DatasetError
        The protocol has no such question.
    """
    if question not in protocol.questions:
        what = "the protocol has no such question"
        raise DatasetError(
            Problem(what=what, field=question, expected=", ".join(protocol.questions))
        )
    asked = protocol.questions[question]
    cells = check.ratings if asked.measure in protocol.scales else check.cells
    usable, _ = _sort(protocol, asked, cells, participants)
    return usable


def unit_groups(
    protocol: Protocol,
    question: str,
    check: DatasetCheck,
    participants: pd.DataFrame | None = None,
) -> dict[str, str]:
    """Give the arm or sequence of every participant who answers a question.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    question : str
        Key in ``protocol.questions``.
    check : DatasetCheck
        From `check_dataset`.
    participants : DataFrame, optional
        As in `needed_cells`.

    Returns
    -------
    dict of str to str
        ``"unknown"`` where the order of a crossover is not recorded.
    """
    found = needed_cells(protocol, question, check, participants)
    return {
        subject: next(iter(roles.values())).group or _UNKNOWN for subject, roles in found.items()
    }


def source_of(protocol: Protocol, measure: str) -> str:
    """Name what a measure is taken from, as cells call it.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    measure : str
        A measure, or a scale.

    Returns
    -------
    str
        The measure's scan; of a scale, the scale itself.
    """
    return measure if measure in protocol.scales else protocol.measures[measure].scan


def check_question(
    protocol: Protocol, name: str, cells: Sequence[Cell], participants: pd.DataFrame
) -> QuestionCheck:
    """Tell whether the data at hand can answer a question.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    name : str
    cells : sequence of Cell
        From `check_dataset`.
    participants : DataFrame
        Index ``participant_id``.

    Returns
    -------
    QuestionCheck
    """
    question = protocol.questions[name]
    columns = _columns(protocol, question)
    absent = [column for column in columns if column not in participants.columns]
    usable, lost = _sort(protocol, question, cells, participants)
    everyone = Counter(next(iter(roles.values())).group or _UNKNOWN for roles in usable.values())
    counts = {group: everyone.pop(group, 0) for group in _groups_of(protocol, question)}
    faults = [without_column("participants.tsv", column) for column in absent]
    needed = counts | {arm: everyone[arm] for arm in _references(protocol, question)}
    faults += _too_few(protocol, question, needed)
    reasons = list(faults)
    if faults and lost:
        reasons.append("left out: " + ", ".join(f"{n} {why}" for why, n in sorted(lost.items())))
    return QuestionCheck(
        question=name,
        role=question.role,
        n_per_group=counts,
        n_beside=dict(sorted(everyone.items())),
        answerable=not faults,
        reason="; ".join(reasons),
    )


def _columns(protocol: Protocol, question: Question) -> tuple[str, ...]:
    """Columns of ``participants.tsv`` that the question's model and shuffling look at."""
    within = (question.inference or protocol.inference).shuffle_within
    return (*question.covariates, *protocol.design.strata, *within)


def _groups_of(protocol: Protocol, question: Question) -> tuple[str, ...]:
    """Arms of the contrast, or sequences that hold both treatments."""
    design = protocol.design
    if isinstance(design, Parallel):
        return tuple(question.contrast)
    if design.order == _UNKNOWN:
        return (_UNKNOWN,)
    if question.estimator in REPEATED:  # one treatment of the contrast tells between people
        elsewhere = frozenset() if question.blockade is None else question.blockade.elsewhere
        return tuple(
            name
            for name, sequence in design.sequences.items()
            if {*question.contrast, *elsewhere} & set(sequence.treatments)
        )
    return tuple(
        name
        for name, sequence in design.sequences.items()
        if set(question.contrast) <= set(sequence.treatments)
    )


def _references(protocol: Protocol, question: Question) -> tuple[str, ...]:
    """Arms that a blockade is judged by, beside those of the contrast."""
    blocked = question.blockade
    if blocked is None or not isinstance(protocol.design, Parallel):
        return ()
    named = (blocked.reference, blocked.pretreated_reference)
    return tuple(arm for arm in named if arm is not None and arm not in question.contrast)


def _too_few(protocol: Protocol, question: Question, counts: dict[str, int]) -> list[str]:
    needed = max(_MIN_UNITS, protocol.exclusions.min_participants_per_group)
    design = protocol.design
    if question.estimator in REPEATED and isinstance(design, Crossover):
        counts = {"any sequence": sum(counts.values())}
    elif isinstance(design, Crossover) and design.order == "recorded":
        counts = _per_order(design, question, counts)
    return [
        f"{group}: {n} of at least {needed} participants have all that the question needs"
        for group, n in counts.items()
        if n < needed
    ]


def _per_order(design: Crossover, question: Question, counts: dict[str, int]) -> dict[str, int]:
    """Count who had the first treatment first, and who had it second."""
    one, two = question.contrast
    orders = {f"{one} before {two}": 0, f"{two} before {one}": 0}
    for name, n in counts.items():
        treatments = design.sequences[name].treatments
        early, late = (one, two) if treatments.index(one) < treatments.index(two) else (two, one)
        orders[f"{early} before {late}"] += n
    return orders


def _sort(
    protocol: Protocol,
    question: Question,
    cells: Sequence[Cell],
    participants: pd.DataFrame | None,
) -> tuple[dict[str, dict[str, Cell]], Counter[str]]:
    """Part the participants of the question's model into usable and lost, with the reason."""
    scan = source_of(protocol, question.measure)
    by_subject: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        if cell.scan == scan:
            by_subject.setdefault(cell.subject, {})[cell.session] = cell
    design = protocol.design
    relevant = set(design.arms if isinstance(design, Parallel) else _groups_of(protocol, question))
    usable: dict[str, dict[str, Cell]] = {}
    lost: Counter[str] = Counter()
    for subject, visits in by_subject.items():
        group = next(iter(visits.values())).group
        if (group or _UNKNOWN) not in relevant:
            continue
        roles, why = _roles(protocol, question, group, visits)
        why = why or _lacking(protocol, question, subject, participants)
        if why:
            lost[why] += 1
        else:
            usable[subject] = roles
    return usable, lost


def _roles(
    protocol: Protocol, question: Question, group: str | None, visits: dict[str, Cell]
) -> tuple[dict[str, Cell], str]:
    if question.estimator in REPEATED:
        return _repeated_roles(protocol, question, group, visits)
    if isinstance(protocol.design, Parallel):
        sessions = {"outcome": question.session}
        if question.baseline is not None:
            sessions["baseline"] = question.baseline
    else:
        if protocol.design.order == "recorded" and group is not None:
            treatments = protocol.design.sequences[group].treatments
            if len(treatments) > _MIN_PERIODS:
                return _period_roles(protocol, question, group, visits, least=_MIN_PERIODS)
        sessions = {
            role: _session_under(protocol, treatment, group, visits)
            for role, treatment in zip(("first", "second"), question.contrast, strict=True)
        }
        if question.period_baseline:
            sessions |= {
                f"baseline-{role}": _baseline_before(protocol, session)
                for role, session in sessions.items()
            }
    roles = {}
    for role, session in sessions.items():
        if session is None or session not in visits:
            return {}, f"without a session for the {role}"
        cell = visits[session]
        if cell.status != "ok":
            telling = cell.status in {"space", "excluded"} or any(
                words in cell.reason for words in (OTHER_SESSIONS, NO_TABLE)
            )
            reason = f": {cell.reason}" if telling else ""
            return {}, f"with {cell.scan} in ses-{session} {cell.status}{reason}"
        roles[role] = cell
    return roles, ""


def _repeated_roles(
    protocol: Protocol, question: Question, group: str | None, visits: dict[str, Cell]
) -> tuple[dict[str, Cell], str]:
    """Take every session, or period, that has its run."""
    if isinstance(protocol.design, Crossover):
        if group is None:
            return {}, "without a recorded sequence"
        return _period_roles(protocol, question, group, visits, least=1)
    roles = {f"visit-{session}": cell for session, cell in visits.items() if cell.status == "ok"}
    if question.estimator == "mmrm" and f"visit-{question.baseline}" not in roles:
        why = _excluded(cell for s, cell in visits.items() if s == question.baseline)
        return {}, f"without the baseline in ses-{question.baseline}{why}"
    if not roles:
        return {}, f"without any session{_excluded(visits.values())}"
    if question.estimator == "mmrm" and len(roles) == 1:
        return {}, f"without any session after ses-{question.baseline}"
    return roles, ""


def _period_roles(
    protocol: Protocol,
    question: Question,
    group: str,
    visits: dict[str, Cell],
    *,
    least: int,
) -> tuple[dict[str, Cell], str]:
    """Take every period that has its runs; one alone cannot be compared within the person."""
    design = protocol.design
    treatments = design.sequences[group].treatments if isinstance(design, Crossover) else ()
    kept = {}
    for number, treatment in enumerate(treatments, start=1):
        session = _session_under(protocol, treatment, group, visits)
        needed = {f"period{number}": session}
        if question.period_baseline:
            needed[f"baseline-period{number}"] = _baseline_before(protocol, session)
        found = {role: visits[s] for role, s in needed.items() if s is not None and s in visits}
        if len(found) == len(needed) and all(cell.status == "ok" for cell in found.values()):
            kept[number] = found
    roles = {role: cell for found in kept.values() for role, cell in found.items()}
    if len(kept) < least:
        why = _excluded(visits.values())
        whole = " with their baselines" if question.period_baseline else ""
        return {}, f"with {len(kept)} of {len(treatments)} periods{whole}{why}"
    return roles, ""


def _baseline_before(protocol: Protocol, session: str | None) -> str | None:
    """Find the session of phase baseline in the period of another."""
    if session is None:
        return None
    period = protocol.sessions[session].period
    before = [
        name
        for name, visit in protocol.sessions.items()
        if visit.phase == "baseline" and visit.period == period
    ]
    return before[0] if len(before) == 1 else None


def _excluded(cells: Iterable[Cell]) -> str:
    """Name what took runs out, such as an intercurrent event."""
    why = sorted({cell.reason for cell in cells if cell.status == "excluded" and cell.reason})
    return f" (excluded: {', '.join(why)})" if why else ""


def _session_under(
    protocol: Protocol, treatment: str, group: str | None, visits: dict[str, Cell]
) -> str | None:
    """Find the session of a treatment: the acute one where a period has several."""
    found = [
        session
        for session, cell in visits.items()
        if cell.status != "not planned" and treatment_of(protocol, group, session) == treatment
    ]
    if len(found) > 1:
        found = [s for s in found if protocol.sessions[s].phase == "acute"]
    return found[0] if len(found) == 1 else None


def _lacking(
    protocol: Protocol, question: Question, subject: str, participants: pd.DataFrame | None
) -> str:
    if participants is None:
        return ""
    for column in _columns(protocol, question):
        if column in participants.columns and (
            subject not in participants.index or bool(participants[column].isna()[subject])
        ):
            return f"without {column}"
    return ""
