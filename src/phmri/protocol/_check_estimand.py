"""What intercurrent events and populations need of the other sections."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, text, unknown

__all__ = ["check_estimand"]


_PARTS = (
    ("questions", "measure", "map"),
    ("associations", "scale", "subscale"),
    ("reliability", "measure", "map"),
)
"""Where a subscale can be asked of."""


def check_estimand(raw: Raw) -> Iterator[Finding]:
    """Check events against sessions, measures and scales, and populations against events.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    events = entries(raw, "intercurrent_events")
    for name, event in events.items():
        path = ("intercurrent_events", name)
        yield from _check_sessions(raw, path, event)
        outcomes = [*mapping(raw.get("measures")), *mapping(raw.get("scales"))]
        yield from repeated((*path, "measures"), event.get("measures"), "measure")
        for i, measure in listed(event.get("measures")):
            yield from unknown((*path, "measures", i), "measure", measure, outcomes)
        yield from _check_composite(raw, path, event)
    for name, population in entries(raw, "populations").items():
        here = ("populations", name, "exclude_events")
        yield from repeated(here, population.get("exclude_events"), "event")
        for i, event_name in listed(population.get("exclude_events")):
            yield from unknown((*here, i), "intercurrent event", event_name, events)
            if events.get(event_name, {}).get("strategy") == "exclude":
                yield Finding(
                    path=(*here, i),
                    what="participants with this event are left out of every population already",
                    found=event_name,
                    expected="an event of another strategy, or no such entry",
                )


def _check_sessions(raw: Raw, path: Path, event: Raw) -> Iterator[Finding]:
    sessions = entries(raw, "sessions")
    after = [name for name, own in sessions.items() if own.get("phase") != "baseline"]
    yield from repeated((*path, "sessions"), event.get("sessions"), "session")
    for i, session in listed(event.get("sessions")):
        here = (*path, "sessions", i)
        yield from unknown(here, "session", session, sessions)
        if session in sessions and session not in after:
            yield Finding(
                path=here,
                what="an intercurrent event comes after the start of treatment",
                found=session,
                expected=one_of(after) if after else "a session after the baseline",
            )


def _check_composite(raw: Raw, path: Path, event: Raw) -> Iterator[Finding]:
    """Check that an event that is an outcome itself has a value, on scales alone."""
    value, strategy = event.get("composite_value"), text(event.get("strategy"))
    if strategy != "composite":
        if value is not None and strategy is not None:
            yield Finding(
                path=(*path, "composite_value"),
                what=f"this has no effect with the strategy '{strategy}'",
                found=shown(value),
                expected="'strategy: composite', or no key 'composite_value'",
            )
        return
    if value is None:
        yield Finding(
            path=(*path, "strategy"),
            what="a composite needs the score that stands for the event",
            found="composite",
            expected="'composite_value', e.g. the worst score",
        )
    scales = entries(raw, "scales")
    named = [name for _, name in listed(event.get("measures"))]
    if not named or not set(named) <= set(scales):
        yield Finding(
            path=(*path, "measures") if named else (*path, "strategy"),
            what="a composite is a score: an image has no worst value",
            found=shown(named) if named else "all measures",
            expected="scales alone in 'measures', and another event for the images",
        )
    score = number(value)
    for name in named:
        low = number(scales.get(name, {}).get("minimum"))
        high = number(scales.get(name, {}).get("maximum"))
        if score is None or low is None or high is None or low <= score <= high:
            continue
        yield Finding(
            path=(*path, "composite_value"),
            what=f"this is outside the range of the scale '{name}'",
            found=shown(value),
            expected=f"{low:g} to {high:g}",
        )
    yield from _check_subscales(raw, path[-1], named)


def _check_subscales(raw: Raw, event: object, named: list[str]) -> Iterator[Finding]:
    """Check that no subscale is asked of, of which a composite event says nothing."""
    scales = entries(raw, "scales")
    for section, measure, part in _PARTS:
        for asked, item in entries(raw, section).items():
            own = scales.get(text(item.get(measure)) or "", {})
            subscale = text(item.get(part))
            if item.get(measure) in named and subscale in mapping(own.get("subscales")):
                yield Finding(
                    path=(section, asked, part),
                    what="a composite event gives the whole scale a score, which says nothing of "
                    "a subscale",
                    found=subscale,
                    expected=f"the whole scale, or another strategy for the event '{event}'",
                )
