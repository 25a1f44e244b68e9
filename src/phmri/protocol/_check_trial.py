"""What the sections on the trial say of each other: doses, design, sessions, scans."""

from collections.abc import Iterator
from itertools import combinations

from phmri.protocol._finding import Finding, one_of, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, text, unknown

__all__ = ["check_design", "check_scans", "check_sessions", "check_treatments"]

_UNITS = {"amount": ("mg", "mg/kg"), "rate": ("mg/h", "mg/kg/h")}


def check_treatments(raw: Raw) -> Iterator[Finding]:
    """Check that every dose names a declared drug and is either an amount or a rate.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    drugs = mapping(raw.get("drugs"))
    for name, treatment in entries(raw, "treatments").items():
        doses = treatment.get("doses")
        for i, dose in enumerate(doses if isinstance(doses, list) else []):
            path = ("treatments", name, "doses", i)
            yield from unknown((*path, "drug"), "drug", mapping(dose).get("drug"), drugs)
            yield from _check_dose(path, mapping(dose))


def _check_dose(path: tuple[str | int, ...], dose: Raw) -> Iterator[Finding]:
    given = [kind for kind in _UNITS if dose.get(kind) is not None]
    if len(given) != 1:
        yield Finding(
            path=path,
            what="a dose is either an amount or a rate",
            found=" and ".join(given) or "neither",
            expected="'amount' in mg or mg/kg, or 'rate' in mg/h or mg/kg/h with 'duration_min'",
        )
        return
    kind = given[0]
    unit = text(dose.get("unit"))
    if unit in _UNITS["amount"] + _UNITS["rate"] and unit not in _UNITS[kind]:
        yield Finding(
            path=(*path, "unit"),
            what=f"this unit does not fit the key '{kind}'",
            found=unit,
            expected=one_of(_UNITS[kind]),
        )
    duration = dose.get("duration_min")
    if kind == "rate" and (duration is None or number(duration) == 0):
        yield Finding(
            path=(*path, "duration_min") if duration is not None else path,
            what="a rate needs the minutes that it runs for",
            found=f"duration_min: {shown(duration)}",
            expected="'duration_min' above 0",
        )


def check_design(raw: Raw) -> Iterator[Finding]:
    """Check arms or sequences against the treatments and against each other.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    design = mapping(raw.get("design"))
    treatments = mapping(raw.get("treatments"))
    for name, arm in entries(design, "arms").items():
        path = ("design", "arms", name, "treatment")
        yield from unknown(path, "treatment", arm.get("treatment"), treatments)
    for name, sequence in entries(design, "sequences").items():
        for i, treatment in listed(sequence.get("treatments")):
            path_i = ("design", "sequences", name, "treatments", i)
            yield from unknown(path_i, "treatment", treatment, treatments)
    yield from repeated(("design", "strata"), design.get("strata"), "column")
    for i, column in listed(design.get("strata")):
        if column == design.get("column"):
            yield Finding(
                path=("design", "strata", i),
                what="the column of the groups cannot be a stratum",
                found=column,
                expected="a column known before randomisation, e.g. sex",
            )
    yield from _check_sequences(entries(design, "sequences"))


def _check_sequences(sequences: dict[str, Raw]) -> Iterator[Finding]:
    named = {name: text(sequence.get("experiment")) for name, sequence in sequences.items()}
    if any(named.values()):
        for name in (name for name, experiment in named.items() if experiment is None):
            yield Finding(
                path=("design", "sequences", name),
                what="other sequences name their experiment, this one does not",
                expected="'experiment' in every sequence, or in none",
            )
    for (a, one), (b, other) in combinations(sequences.items(), 2):
        first = [item for _, item in listed(one.get("treatments"))]
        second = [item for _, item in listed(other.get("treatments"))]
        if named[a] != named[b] or not first or not second:
            continue
        path = ("design", "sequences", b, "treatments")
        if first == second:
            yield Finding(
                path=path,
                what=f"this sequence is the same as '{a}'",
                found=shown(second),
                expected="another order, or one sequence",
            )
        elif len(first) != len(second):
            yield Finding(
                path=path,
                what=f"this sequence has another number of periods than '{a}'",
                found=str(len(second)),
                expected=f"{len(first)} treatments in every sequence of an experiment",
            )


def check_sessions(raw: Raw) -> Iterator[Finding]:
    """Check that sessions tell what the design needs of them, and nothing else.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    design = mapping(raw.get("design"))
    sessions = entries(raw, "sessions")
    for name, session in sessions.items():
        yield from _check_hours(name, session)
    if design.get("kind") == "parallel":
        for name in sessions:
            yield from _forbid(name, sessions[name], "period", "only a crossover has periods")
            yield from _forbid(name, sessions[name], "treatment", "the arm says the treatment")
    elif design.get("kind") == "crossover" and design.get("order") == "unknown":
        yield from _check_named_sessions(design, sessions, tuple(mapping(raw.get("treatments"))))
    elif design.get("kind") == "crossover" and design.get("order", "recorded") == "recorded":
        yield from _check_periods(design, sessions)


def _check_hours(name: str, session: Raw) -> Iterator[Finding]:
    hours, phase = number(session.get("hours_after")), text(session.get("phase"))
    wrong = {"baseline": lambda h: h > 0, "sustained": lambda h: h <= 0}
    if hours is not None and phase in wrong and wrong[phase](hours):
        yield Finding(
            path=("sessions", name, "hours_after"),
            what=f"these hours contradict the phase '{phase}'",
            found=shown(session["hours_after"]),
            expected="hours after time zero: above 0 if sustained, none if baseline",
        )


def _forbid(name: str, session: Raw, key: str, why: str) -> Iterator[Finding]:
    if session.get(key) is not None:
        yield Finding(
            path=("sessions", name, key),
            what=f"'{key}' has no meaning here: {why}",
            found=shown(session[key]),
            expected=f"no key '{key}'",
        )


def _check_periods(design: Raw, sessions: dict[str, Raw]) -> Iterator[Finding]:
    lengths = [
        len(list(listed(s.get("treatments")))) for s in entries(design, "sequences").values()
    ]
    n_periods = max(lengths, default=0)
    acute: dict[float | None, list[str]] = {
        float(period): [] for period in range(1, n_periods + 1)
    }
    for name, session in sessions.items():
        why = "the sequence and the period say the treatment"
        yield from _forbid(name, session, "treatment", why)
        period = session.get("period")
        if period is None:
            yield Finding(
                path=("sessions", name),
                what="a session of a crossover needs its period",
                expected=f"'period', 1 to {n_periods}",
            )
        elif isinstance(period, int) and period > n_periods > 0:
            yield Finding(
                path=("sessions", name, "period"),
                what="no sequence has so many periods",
                found=shown(period),
                expected=f"1 to {n_periods}",
            )
        elif number(period) in acute and session.get("phase") == "acute":
            acute[number(period)].append(name)
    for period, names in acute.items():
        if sessions and len(names) != 1:
            yield _one_acute(f"period {period:g}", names)


def _one_acute(owner: str, names: list[str]) -> Finding:
    return Finding(
        path=("sessions", names[1]) if names else ("sessions",),
        what=f"{owner} needs one session of phase acute, which carries the treatment",
        found=shown(names) if names else "none",
        expected="exactly one",
    )


def _check_named_sessions(
    design: Raw, sessions: dict[str, Raw], treatments: tuple[str, ...]
) -> Iterator[Finding]:
    given = {
        item
        for sequence in entries(design, "sequences").values()
        for _, item in listed(sequence.get("treatments"))
    }
    acute: dict[str, list[str]] = {name: [] for name in treatments if name in given}
    for name, session in sessions.items():
        yield from _forbid(name, session, "period", "the order is declared unknown")
        treatment = text(session.get("treatment"))
        if session.get("treatment") is None:
            yield Finding(
                path=("sessions", name),
                what="where the order is unknown, a session needs its treatment",
                expected=f"'treatment', {one_of(acute)}",
            )
        path = ("sessions", name, "treatment")
        if treatment in treatments and treatment not in given:
            yield Finding(
                path=path,
                what="no sequence holds this treatment",
                found=shown(treatment),
                expected=one_of(acute, treatment),
            )
        else:
            yield from unknown(path, "treatment", treatment, treatments)
        if treatment in acute and session.get("phase") == "acute":
            acute[treatment].append(name)
    for treatment, names in acute.items():
        if len(names) != 1:
            yield _one_acute(f"the treatment '{treatment}'", names)


def check_scans(raw: Raw) -> Iterator[Finding]:
    """Check that scans belong to declared sessions and cannot be taken for each other.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    sessions = mapping(raw.get("sessions"))
    scans = entries(raw, "scans")
    for name, scan in scans.items():
        planned = scan.get("sessions")
        yield from repeated(("scans", name, "sessions"), planned, "session")
        yield from repeated(("scans", name, "conditions"), scan.get("conditions"), "condition")
        for i, session in listed(planned):
            yield from unknown(("scans", name, "sessions", i), "session", session, sessions)
        own = tuple(sessions) if planned is None else [session for _, session in listed(planned)]
        if planned is not None and isinstance(planned, list) and not planned:
            yield Finding(
                path=("scans", name, "sessions"),
                what="this scan belongs to no session",
                found="[]",
                expected="sessions, or no key 'sessions' when it is acquired in all",
            )
        for session in mapping(scan.get("start_min")):
            path = ("scans", name, "start_min", session)
            yield from unknown(path, "session of the scan", session, own)
    for (a, one), (b, other) in combinations(scans.items(), 2):
        runs = {number(one.get("run")), number(other.get("run"))}
        same_run = len(runs) == 1 or None in runs
        if text(one.get("task")) and one["task"] == other.get("task") and same_run:
            where = _planned(one, sessions) & _planned(other, sessions)
            if where:
                yield Finding(
                    path=("scans", b),
                    what=f"this scan cannot be told from the scan '{a}'",
                    found=f"task {one['task']} of session {', '.join(sorted(where))} in both",
                    expected="another task, another 'run' in both, or other sessions",
                )


def _planned(scan: Raw, sessions: Raw) -> set[str]:
    planned = scan.get("sessions")
    return set(sessions) if planned is None else {session for _, session in listed(planned)}
