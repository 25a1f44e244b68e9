"""What a reliability needs of measures, scales, design and sessions."""

from collections.abc import Iterator

from phmri.protocol._check_questions import check_of_scale
from phmri.protocol._check_when import check_session
from phmri.protocol._check_where import check_map, check_where
from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, repeated, scale_of, text, unknown

__all__ = ["check_reliability"]

_FEWEST = 2


def check_reliability(raw: Raw) -> Iterator[Finding]:
    """Check every reliability against measures, scales, design and sessions.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    outcomes = [*mapping(raw.get("measures")), *mapping(raw.get("scales"))]
    for name, item in entries(raw, "reliability").items():
        path = ("reliability", name)
        yield from unknown((*path, "measure"), "measure", item.get("measure"), outcomes)
        scale = scale_of(raw, item)
        if scale is not None:
            yield from check_of_scale(raw, path, item, scale)
        else:
            yield from check_where(raw, path, item)
            yield from check_map(raw, path, item)
        yield from _check_repetitions(raw, path, item)
        yield from _check_groups(raw, path, item)


def _check_repetitions(raw: Raw, path: Path, item: Raw) -> Iterator[Finding]:
    """Check that it is said once what is repeated, and how often."""
    sessions, treatment = list(listed(item.get("sessions"))), item.get("treatment")
    if bool(sessions) == (treatment is not None):
        yield Finding(
            path=path,
            what="a reliability is over sessions, or over all sessions under one treatment",
            found="both" if sessions else "neither",
            expected="'sessions' with two labels or more, or 'treatment'",
        )
    yield from unknown(
        (*path, "treatment"), "treatment", treatment, mapping(raw.get("treatments"))
    )
    yield from repeated((*path, "sessions"), item.get("sessions"), "session")
    if 0 < len(sessions) < _FEWEST:
        yield Finding(
            path=(*path, "sessions"),
            what="one session repeats nothing",
            found=shown(item["sessions"]),
            expected="two labels or more",
        )
    for i, label in sessions:
        phase = entries(raw, "sessions").get(label, {}).get("phase")
        key = "baseline" if phase == "baseline" else "session"
        yield from check_session(raw, (*path, "sessions", i), {**item, key: label}, key)
    given = text(treatment)
    if given in mapping(raw.get("treatments")) and _given(raw, str(given)) < _FEWEST:
        yield Finding(
            path=(*path, "treatment"),
            what="nobody is planned to have two sessions under this treatment",
            found=given,
            expected="a treatment that is repeated, or 'sessions'",
        )


def _given(raw: Raw, treatment: str) -> int:
    """Count the most sessions that anybody is planned to have under a treatment."""
    design, sessions = mapping(raw.get("design")), entries(raw, "sessions")
    if design.get("kind") == "parallel":
        arms = entries(design, "arms").values()
        after = sum(session.get("phase") != "baseline" for session in sessions.values())
        return after if any(arm.get("treatment") == treatment for arm in arms) else 0
    if design.get("order") == "unknown":
        return sum(session.get("treatment") == treatment for session in sessions.values())
    orders = entries(design, "sequences").values()
    return max(
        ([given for _, given in listed(o.get("treatments"))].count(treatment) for o in orders),
        default=0,
    )


def _check_groups(raw: Raw, path: Path, item: Raw) -> Iterator[Finding]:
    design, groups = mapping(raw.get("design")), item.get("groups")
    yield from repeated((*path, "groups"), groups, "arm")
    if design.get("kind") == "crossover" and groups:
        yield Finding(
            path=(*path, "groups"),
            what="a crossover has no arms",
            found=shown(groups),
            expected="no key 'groups'",
        )
    if design.get("kind") == "parallel":
        for i, arm in listed(groups):
            yield from unknown((*path, "groups", i), "arm", arm, mapping(design.get("arms")))
