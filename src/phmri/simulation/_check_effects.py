"""What a truth says of an effect: where it acts, in which runs, by how much."""

from collections.abc import Iterable, Iterator

from phmri.protocol import (
    Crossover,
    Finding,
    Infusion,
    Protocol,
    Raw,
    check_course,
    listed,
    mapping,
    number,
    one_of,
    treatment_of,
)

__all__ = ["check_effect", "known"]

_Path = tuple[str, ...]
_MOST_GAIN = 5.0
_FOLLOWS_INFUSION = ("response", "physiology", "movement")


def known(
    found: Iterable[str], path: _Path, allowed: Iterable[str], what: str
) -> Iterator[Finding]:
    """Find names that the protocol does not have.

    Parameters
    ----------
    found : iterable of str
        Names as written.
    path : tuple of str
        Where they stand.
    allowed : iterable of str
        Those of the protocol.
    what : str
        They are names of.

    Yields
    ------
    Finding
        For each unknown name.
    """
    allowed = tuple(allowed)
    for name in found:
        if name not in allowed:
            yield Finding(
                path=(*path, name),
                what=f"the protocol has no such {what}",
                found=str(name),
                expected=one_of(allowed, name) if allowed else "nothing here",
            )


def check_effect(value: Raw, protocol: Protocol, name: str, effect: Raw) -> Iterator[Finding]:
    """Check an effect.

    Parameters
    ----------
    value : dict
        The whole truth, as written.
    protocol : Protocol
        That it is planted in.
    name : str
        Of the effect.
    effect : dict
        As written.

    Yields
    ------
    Finding
        Everything that does not fit.
    """
    path = ("effects", name)
    yield from _places(value, protocol, path, effect)
    scan, shares = effect.get("scan"), mapping(effect.get("treatments"))
    if isinstance(scan, str):
        yield from known([scan], (*path, "scan"), protocol.scans, "scan")
    yield from known(shares, (*path, "treatments"), protocol.treatments, "treatment")
    sessions = [session for _, session in listed(effect.get("sessions"))]
    yield from known(sessions, (*path, "sessions"), protocol.sessions, "session")
    if isinstance(scan, str) and scan in protocol.scans:
        told = effect.get("conditions")
        conditions = told if isinstance(told, dict) else [item for _, item in listed(told)]
        allowed = protocol.scans[scan].conditions
        yield from known(conditions, (*path, "conditions"), allowed, "condition of this scan")
        yield from _runs(value, protocol, path, effect, scan)
        yield from _heights(path, effect)
    yield from _gain(path, effect, shares)
    curve = mapping(effect.get("curve"))
    yield from check_course((*path, "curve"), curve)
    exposure = curve.get("exposure")
    if isinstance(exposure, str):
        yield from known([exposure], (*path, "curve", "exposure"), protocol.exposures, "exposure")


def _places(value: Raw, protocol: Protocol, path: _Path, effect: Raw) -> Iterator[Finding]:
    own = mapping(value.get("regions"))
    for field in ("seed", "target", "region"):
        region = effect.get(field)
        if not isinstance(region, str):
            continue
        yield from known([region], (*path, field), protocol.regions, "region")
        if field == "region" or region not in protocol.regions:
            continue
        if region not in own or number(mapping(own[region]).get("signal_percent", 1.0)) == 0.0:
            yield Finding(
                path=(*path, field),
                what="a coupled region needs a signal of its own",
                found=f"{region} with signal_percent 0"
                if region in own
                else f"{region} not in regions",
                expected=f"regions: {{{region}: {{signal_percent: ...}}}}",
            )
    if effect.get("seed") is not None and effect.get("seed") == effect.get("target"):
        yield Finding(
            path=(*path, "target"),
            what="a region cannot be coupled to itself",
            found=str(effect["target"]),
        )


def _gain(path: _Path, effect: Raw, shares: Raw) -> Iterator[Finding]:
    gain, spread = number(effect.get("gain")), number(effect.get("gain_sd", 0.0))
    if gain is None or spread is None:
        return
    sizes = [abs(share) for share in map(number, shares.values()) if share is not None]
    largest = max(sizes, default=1.0)
    if (abs(gain) + 3 * spread) * largest > _MOST_GAIN:
        yield Finding(
            path=(*path, "gain"),
            what="no coupling is as strong as that",
            found=f"{gain:g}, {spread:g} between people, share {largest:g}",
            expected=f"at most {_MOST_GAIN:g} standard deviations with 3 of gain_sd",
        )


def _heights(path: _Path, effect: Raw) -> Iterator[Finding]:
    heights = mapping(effect.get("conditions"))
    if heights and all(number(height) == 0.0 for height in heights.values()):
        yield Finding(
            path=(*path, "conditions"),
            what="every height is 0, so no block carries this effect",
            found=", ".join(f"{name}: 0" for name in heights),
            expected="a height other than 0",
        )


def _runs(
    value: Raw, protocol: Protocol, path: _Path, effect: Raw, scan: str
) -> Iterator[Finding]:
    """Check that runs carry the effect, and that their minutes are known where it has any."""
    follows = effect.get("kind") in _FOLLOWS_INFUSION
    start_min = protocol.scans[scan].start_min
    if follows and not start_min:
        measures = [m for m in protocol.measures.values() if isinstance(m, Infusion)]
        yield Finding(
            path=(*path, "scan"),
            what="nobody says when this scan begins, so nothing in it follows an infusion",
            found=scan,
            expected=one_of({m.scan for m in measures}) if measures else "a scan with start_min",
        )
        return
    shares = mapping(effect.get("treatments"))
    told = [session for _, session in listed(effect.get("sessions"))]
    if not shares.keys() <= protocol.treatments.keys() or not set(told) <= set(protocol.sessions):
        return  # names that are not there are told elsewhere
    places = _places_of(value, protocol, scan, {name for name, share in shares.items() if share})
    places = [place for place in places if not told or place[0] in told]
    carried = list(dict.fromkeys(session for session, _ in places))
    if places:
        yield from _idle(path, scan, shares, told, places)
    elif shares:
        yield Finding(
            path=path,
            what="no run of the trial carries this effect",
            found=f"scan {scan}, treatments {', '.join(shares)}"
            + (f", sessions {', '.join(told)}" if told else ""),
            expected="a session after treatment in which the scan is made, and people in it",
        )
    unknown = [session for session in carried if session not in start_min]
    if follows and unknown:
        yield Finding(
            path=(*path, "sessions"),
            what=f"nobody says when {scan} begins in a session that carries this effect",
            found=", ".join(unknown),
            expected=f"sessions: [{', '.join(s for s in carried if s in start_min)}], or "
            f"scans.{scan}.start_min of the protocol for the others",
        )


def _idle(
    path: _Path, scan: str, shares: Raw, told: list[str], places: list[tuple[str, str]]
) -> Iterator[Finding]:
    """Find treatments and sessions that are named although no run in them carries the effect."""
    sessions, treatments = ({place[k] for place in places} for k in range(2))
    for session in dict.fromkeys(told):
        if session not in sessions:
            yield Finding(
                path=(*path, "sessions", session),
                what=f"no run of {scan} carries this effect in this session",
                found=f"treatments {', '.join(shares)}",
                expected=f"sessions: [{', '.join(s for s in told if s in sessions)}]",
            )
    for name, share in shares.items():
        if share and name not in treatments:
            yield Finding(
                path=(*path, "treatments", name),
                what=f"no run of {scan} carries this effect under this treatment",
                found="nobody who has it" + (f" in sessions {', '.join(told)}" if told else ""),
                expected="people in an arm or sequence with it, or only "
                f"{', '.join(t for t in shares if t in treatments)}",
            )


def _places_of(
    value: Raw, protocol: Protocol, scan: str, treatments: set[str]
) -> list[tuple[str, str]]:
    """List sessions, each with a treatment under which somebody is scanned in it."""
    design = protocol.design
    groups = design.sequences if isinstance(design, Crossover) else design.arms
    counts = mapping(value.get("participants"))
    # Misspelt groups are told as such; what they carry is not known.
    filled = counts if counts and counts.keys() <= groups.keys() else groups
    made = protocol.scans[scan].sessions
    return list(
        dict.fromkeys(
            (session, treatment)
            for session in protocol.sessions
            if made is None or session in made
            for group in filled
            if (treatment := treatment_of(protocol, group, session)) in treatments
        )
    )
