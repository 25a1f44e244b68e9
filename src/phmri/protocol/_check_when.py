"""When a question looks: sessions of a parallel trial, periods of a crossover."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import (
    Raw,
    entries,
    listed,
    mapping,
    measure_of,
    number,
    scale_of,
    text,
    unknown,
)

__all__ = [
    "check_no_sessions",
    "check_period_baseline",
    "check_session",
    "check_together",
    "planned",
]

_PHASES = {
    "session": ("acute", "sustained"),
    "early": ("acute", "sustained"),
    "baseline": ("baseline",),
}
"""What a session is to a question -> the phases that it may have."""


def check_session(raw: Raw, path: Path, asking: Raw, key: str) -> Iterator[Finding]:
    """Check that a session exists, has the right phase, and has the measure or the rating.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the session stands.
    asking : dict
        The question or the association.
    key : {"session", "baseline", "early"}
        What the session is to it; the last part of the path.

    Yields
    ------
    Finding
        Each contradiction.
    """
    sessions, label = entries(raw, "sessions"), _at(asking, key)
    yield from unknown(path, "session", label, sessions)
    if not isinstance(label, str) or label not in sessions:
        return
    phase, right = text(sessions[label].get("phase")), _PHASES[key]
    if phase in {"baseline", "acute", "sustained"} and phase not in right:
        suited = [name for name, entry in sessions.items() if entry.get("phase") in right]
        role = "early session" if key == "early" else key
        yield Finding(
            path=path,
            what=f"a session of phase {phase} cannot be the {role} of a question",
            found=label,
            expected=one_of(suited) if suited else f"a session of phase {' or '.join(right)}",
        )
        return
    yield from _check_acquired(raw, path, asking, label)
    if phase != "acute":  # of acute sessions the measure says so itself
        yield from _check_timed(raw, path, asking, label)


def _at(asking: Raw, key: str) -> object:
    return mapping(asking.get("persistence")).get(key) if key == "early" else asking.get(key)


def _check_timed(raw: Raw, path: Path, asking: Raw, session: str) -> Iterator[Finding]:
    measure = measure_of(raw, asking)
    kind, scan = text(measure.get("kind")), text(measure.get("scan")) or ""
    starts = mapping(entries(raw, "scans").get(scan, {}).get("start_min"))
    if kind in {"infusion", "exposure_connectivity"} and session not in starts:
        yield Finding(
            path=path,
            what=f"'{kind}' is measured from time zero, and this session has none",
            found=session,
            expected=one_of(starts) if starts else "a session with 'start_min' in the scan",
        )


def _check_acquired(raw: Raw, path: Path, asking: Raw, session: str) -> Iterator[Finding]:
    """Check that the scan, and the scale that is asked of or compared with, has the session."""
    scan = text(measure_of(raw, asking).get("scan")) or ""
    yield from _check_listed(
        path,
        f"the scan '{scan}' of this measure is not acquired",
        planned(raw, "scans", scan),
        session,
    )
    scale = text(asking.get("scale")) or scale_of(raw, asking) or ""
    yield from _check_listed(
        path, f"the scale '{scale}' is not rated", planned(raw, "scales", scale), session
    )


def _check_listed(
    path: Path, what: str, sessions: tuple[str, ...] | None, session: str
) -> Iterator[Finding]:
    if sessions and session not in sessions:
        yield Finding(
            path=path,
            what=f"{what} in session {session}",
            found=session,
            expected=one_of(sessions, session),
        )


def planned(raw: Raw, section: str, name: str) -> tuple[str, ...] | None:
    """List the sessions of a scan or a scale.

    Parameters
    ----------
    raw : dict
        The document as written.
    section : {"scans", "scales"}
        Where it stands.
    name : str
        Its key.

    Returns
    -------
    tuple of str or None
        All sessions where it lists none; None where there is no such scan or scale.
    """
    entry = entries(raw, section).get(name)
    if entry is None:
        return None
    own = tuple(label for _, label in listed(entry.get("sessions")))
    return own or tuple(mapping(raw.get("sessions")))


def check_no_sessions(path: Path, asking: Raw) -> Iterator[Finding]:
    """Check that a crossover is asked about by treatments alone.

    Parameters
    ----------
    path : tuple
        Where the question or the association stands.
    asking : dict
        The question or the association.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for key in ("session", "baseline"):
        if asking.get(key) is not None:
            yield Finding(
                path=(*path, key),
                what=f"'{key}' has no meaning in a crossover: the treatment says the session",
                found=shown(asking[key]),
                expected=f"no key '{key}'",
            )


def check_together(raw: Raw, path: Path, asking: Raw) -> Iterator[Finding]:
    """Check that some people receive both treatments, with measure and rating under each.

    Parameters
    ----------
    raw : dict
        The document as written; its design is a crossover.
    path : tuple
        Where the question or the association stands.
    asking : dict
        The question or the association.

    Yields
    ------
    Finding
        Each contradiction.
    """
    treatments = mapping(raw.get("treatments"))
    contrast = list(listed(asking.get("contrast")))
    for i, treatment in contrast:
        yield from unknown((*path, "contrast", i), "treatment", treatment, treatments)
    wanted = {treatment for _, treatment in contrast}
    if not wanted <= set(treatments) or len(wanted) != 2:  # noqa: PLR2004 - a difference of two
        return
    orders = [
        [item for _, item in listed(sequence.get("treatments"))]
        for sequence in entries(mapping(raw.get("design")), "sequences").values()
    ]
    holding = [order for order in orders if wanted <= set(order)]
    if orders and not holding:
        yield Finding(
            path=(*path, "contrast"),
            what="no sequence holds both treatments, so nobody received both",
            found=shown(sorted(wanted)),
            expected="two treatments of one sequence",
        )
    periods = {
        i for order in holding for i, treatment in enumerate(order, 1) if treatment in wanted
    }
    for label, session in entries(raw, "sessions").items():
        named = (
            text(session.get("treatment")) in wanted or number(session.get("period")) in periods
        )
        if named and session.get("phase") == "acute":
            yield from _check_acquired(raw, (*path, "measure"), asking, label)


def check_period_baseline(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that every period that is modelled has one baseline, with the measure in it.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        Each contradiction.
    """
    here, design = (*path, "period_baseline"), mapping(raw.get("design"))
    if question.get("period_baseline") is not True:
        return
    if design.get("kind") != "crossover" or design.get("order", "recorded") != "recorded":
        parallel = design.get("kind") == "parallel"
        yield Finding(
            path=here,
            what="a parallel trial has no periods, and 'baseline' names its session"
            if parallel
            else "where the order is unknown, nobody knows the periods",
            found="true",
            expected="no key 'period_baseline'",
        )
        return
    before: dict[float | None, list[str]] = {
        float(period): [] for period in range(1, _n_periods(raw, question) + 1)
    }
    for label, session in entries(raw, "sessions").items():
        period = number(session.get("period"))
        if period in before and session.get("phase") == "baseline":
            before[period].append(label)
    for period, labels in before.items():
        if len(labels) != 1:
            yield Finding(
                path=here,
                what=f"period {period:g} needs one session of phase baseline, which the question "
                "adjusts it for",
                found=shown(labels) if labels else "none",
                expected=f"exactly one session with 'phase: baseline' and 'period: {period:g}'",
            )
        for label in labels:
            yield from _check_acquired(raw, here, question, label)
            yield from _check_timed(raw, here, question, label)


def _n_periods(raw: Raw, question: Raw) -> int:
    """Count the periods of the longest sequence that the question's model takes."""
    wanted = {item for _, item in listed(question.get("contrast"))}
    sequences = entries(mapping(raw.get("design")), "sequences").values()
    orders = [[item for _, item in listed(order.get("treatments"))] for order in sequences]
    if question.get("estimator") == "mixed":  # one treatment tells between people
        blockade = mapping(question.get("blockade"))
        if blockade.get("reference_drug") is not None:
            wanted |= {str(blockade.get(key)) for key in ("reference_drug", "reference")}
        return max((len(order) for order in orders if wanted & set(order)), default=0)
    return max((len(order) for order in orders if wanted <= set(order)), default=0)
