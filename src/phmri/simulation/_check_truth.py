"""What a truth says of a protocol: names that must be there."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from phmri.protocol import Crossover, Finding, Infusion, Protocol, one_of
from phmri.simulation._table import columns_of, is_tabular, segs_of

__all__ = ["check_against"]

_MOST_GAIN = 5.0
_DRAWN = ("grey_percent", "white_percent", "csf_percent", "grey_ar", "white_ar", "csf_ar")
_FOLLOWS_INFUSION = ("response", "physiology", "movement")
_OF_IMAGES = ("voxel_mm", "background")
_EFFECTS_OF_IMAGES = ("physiology", "movement")


def check_against(protocol: Protocol) -> Callable[[dict[str, Any]], Iterable[Finding]]:
    """Make the check of a truth as written against a protocol.

    Parameters
    ----------
    protocol : Protocol
        That will be simulated.

    Returns
    -------
    callable
        Finds everything that does not fit.
    """
    design = protocol.design
    groups = design.sequences if isinstance(design, Crossover) else design.arms
    names: dict[str, Iterable[str]] = {
        "arm or sequence": groups,
        "region": protocol.regions,
        "scan": protocol.scans,
        "treatment": protocol.treatments,
        "session": protocol.sessions,
        "scale": protocol.scales,
        "question or association": (*protocol.questions, *protocol.associations),
    }

    def check(value: dict[str, Any]) -> Iterator[Finding]:
        for section, what in (
            ("participants", "arm or sequence"),
            ("regions", "region"),
            ("scans", "scan"),
            ("scales", "scale"),
            ("expected", "question or association"),
        ):
            yield from _known(_mapping(value.get(section)), (section,), names[what], what)
        yield from _missing_scans(value, protocol)
        yield from _background(_mapping(value.get("background")), names["region"])
        yield from _tables(value, protocol)
        moved = _mapping(_mapping(value.get("motion")).get("by_treatment"))
        yield from _known(moved, ("motion", "by_treatment"), protocol.treatments, "treatment")
        effects = _mapping(value.get("effects"))
        for name, effect in effects.items():
            yield from _effect(value, protocol, name, _mapping(effect), names)
        for name, scale in _mapping(value.get("scales")).items():
            path = ("scales", name)
            means = _mapping(_mapping(scale).get("mean"))
            yield from _known(means, (*path, "mean"), protocol.treatments, "treatment")
            follows = _mapping(_mapping(scale).get("follows"))
            yield from _known(follows, (*path, "follows"), effects, "effect")
        for name, item in _mapping(value.get("expected")).items():
            planted = _mapping(item).get("planted")
            told = dict.fromkeys(planted if isinstance(planted, list) else ())
            both = (*effects, *_mapping(value.get("scales")))
            yield from _known(told, ("expected", name, "planted"), both, "effect or scale")
        if not value.get("participants"):
            for name, group in groups.items():
                if group.n_planned is None:
                    yield Finding(
                        path=("participants",),
                        what="nobody says how many people there are",
                        found=f"{name} without n_planned",
                        expected=f"participants: {{{name}: ...}}, or n_planned in the protocol",
                    )

    return check


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _known(
    found: Iterable[str], path: tuple[str, ...], allowed: Iterable[str], what: str
) -> Iterator[Finding]:
    allowed = tuple(allowed)
    for name in found:
        if name not in allowed:
            yield Finding(
                path=(*path, name),
                what=f"the protocol has no such {what}",
                found=str(name),
                expected=one_of(allowed, name) if allowed else "nothing here",
            )


def _background(background: dict[str, Any], regions: Iterable[str]) -> Iterator[Finding]:
    dropout = _mapping(background.get("dropout"))
    yield from _known(dropout, ("background", "dropout"), regions, "region")
    if background.get("from_runs") is None:
        return
    for name in _DRAWN:
        if name in background:
            yield Finding(
                path=("background", name),
                what="the noise is that of real runs, so nothing else says how large it is",
                found=str(background[name]),
                expected=f"from_runs or {name}, not both",
            )


def _tables(value: dict[str, Any], protocol: Protocol) -> Iterator[Finding]:
    """Images have no columns, tables no voxels."""
    told = value.get("tables")
    yield from _elsewhere(value, protocol, tables=told is not None)
    if told is None:
        if is_tabular(protocol):
            yield Finding(
                path=("tables",),
                what="the protocol asks for tables of time series, the truth makes images",
                found="no tables",
                expected="tables: {columns: 100}, or their names",
            )
        return
    for field in _OF_IMAGES:
        if field in value:
            yield Finding(
                path=(field,), what="tables have no voxels", found=str(value[field]),
                expected=f"tables or {field}, not both",
            )  # fmt: skip
    if len(segs_of(protocol)) > 1:
        yield Finding(
            path=("tables",),
            what="a run has one table, the protocol asks for several",
            found=", ".join(segs_of(protocol)),
            expected="one seg in the parcellations of the protocol",
        )
    for name, effect in _mapping(value.get("effects")).items():
        kind = _mapping(effect).get("kind")
        if kind in _EFFECTS_OF_IMAGES:
            yield Finding(
                path=("effects", name, "kind"),
                what="tables are cleaned: this acts on images",
                found=str(kind),
                expected="coupling, response or activation",
            )
    yield from _columns(_mapping(told).get("columns"), protocol)


def _elsewhere(value: dict[str, Any], protocol: Protocol, *, tables: bool) -> Iterator[Finding]:
    """Find regions that lie where nothing is made."""
    placed: dict[tuple[str, ...], str] = {
        ("regions", name): name for name in _mapping(value.get("regions"))
    }
    for name, effect in _mapping(value.get("effects")).items():
        if "region" in _mapping(effect):
            placed["effects", name, "region"] = str(effect["region"])
    for path, name in placed.items():
        region = protocol.regions.get(name)
        if region is not None and (name in columns_of(protocol)) != tables:
            yield Finding(
                path=path,
                what="this region lies in an image, the truth makes tables"
                if tables
                else "this region is of a table, the truth makes images",
                found=f"{name}: kind {region.kind}",
                expected="a region of kind series" if tables else "a region that lies in an image",
            )


def _columns(told: object, protocol: Protocol) -> Iterator[Finding]:
    path = ("tables", "columns")
    columns = columns_of(protocol)
    n_named = len({column for own in columns.values() for column in own})
    if isinstance(told, int) and told < n_named:
        yield Finding(
            path=path,
            what="there are fewer columns than regions name",
            found=str(told),
            expected=f"at least {n_named}",
        )
    if isinstance(told, list):
        for region, wanted in columns.items():
            for column in wanted:
                if column not in told:
                    yield Finding(
                        path=path,
                        what=f"no such column for the protocol's region {region}",
                        found=f"{len(told)} names",
                        expected=column,
                    )
        for column in dict.fromkeys(one for one in told if told.count(one) > 1):
            yield Finding(path=path, what="a column stands twice", found=str(column))


def _missing_scans(value: dict[str, Any], protocol: Protocol) -> Iterator[Finding]:
    scans = _mapping(value.get("scans"))
    for name, scan in protocol.scans.items():
        if name not in scans:
            yield Finding(
                path=("scans",),
                what="a scan of the protocol has no length",
                found=", ".join(scans) or "no scan",
                expected=f"{name}: {{n_volumes: ..., t_r: ...}}",
            )
            continue
        told = set(_mapping(_mapping(scans[name]).get("conditions")))
        if told != set(scan.conditions):
            yield Finding(
                path=("scans", name, "conditions"),
                what="the conditions are not those of the protocol",
                found=", ".join(sorted(told)) or "none",
                expected=", ".join(scan.conditions) or "none",
            )


def _effect(
    value: dict[str, Any],
    protocol: Protocol,
    name: str,
    effect: dict[str, Any],
    names: dict[str, Iterable[str]],
) -> Iterator[Finding]:
    path = ("effects", name)
    for field in ("seed", "target", "region"):
        region = effect.get(field)
        if region is None:
            continue
        yield from _known([str(region)], (*path, field), names["region"], "region")
        if field != "region" and region in protocol.regions and region not in _mapping(
            value.get("regions")
        ):  # fmt: skip
            yield Finding(
                path=(*path, field),
                what="a coupled region needs a signal of its own",
                found=f"{region} not in regions",
                expected=f"regions: {{{region}: {{signal_percent: ...}}}}",
            )
    if effect.get("seed") is not None and effect.get("seed") == effect.get("target"):
        yield Finding(
            path=(*path, "target"),
            what="a region cannot be coupled to itself",
            found=str(effect["target"]),
        )
    scan = effect.get("scan")
    if scan is not None:
        yield from _known([str(scan)], (*path, "scan"), names["scan"], "scan")
    shares = _mapping(effect.get("treatments"))
    yield from _known(shares, (*path, "treatments"), names["treatment"], "treatment")
    sessions = effect.get("sessions")
    for session in sessions if isinstance(sessions, list) else ():
        yield from _known([str(session)], (*path, "sessions"), names["session"], "session")
    if scan in protocol.scans:
        told = effect.get("conditions") or ()
        yield from _known(
            [str(one) for one in told], (*path, "conditions"),
            protocol.scans[str(scan)].conditions, "condition of this scan",
        )  # fmt: skip
    gain, spread = effect.get("gain"), effect.get("gain_sd", 0.0)
    if isinstance(gain, int | float) and isinstance(spread, int | float):
        largest = max((abs(s) for s in shares.values() if isinstance(s, int | float)), default=1)
        if (abs(gain) + 3 * spread) * largest > _MOST_GAIN:
            yield Finding(
                path=(*path, "gain"),
                what="no coupling is as strong as that",
                found=f"{gain:g}, {spread:g} between people, share {largest:g}",
                expected=f"at most {_MOST_GAIN:g} standard deviations with 3 of gain_sd",
            )
    yield from _curve(protocol, path, effect)


def _curve(protocol: Protocol, path: tuple[str, ...], effect: dict[str, Any]) -> Iterator[Finding]:
    exposure = _mapping(effect.get("curve")).get("exposure")
    if exposure is not None:
        yield from _known(
            [str(exposure)], (*path, "curve", "exposure"), protocol.exposures, "exposure"
        )
    scan = protocol.scans.get(str(effect.get("scan")))
    if effect.get("kind") in _FOLLOWS_INFUSION and scan is not None and not scan.start_min:
        measures = [m for m in protocol.measures.values() if isinstance(m, Infusion)]
        yield Finding(
            path=(*path, "scan"),
            what="nobody says when this scan begins, so nothing in it follows an infusion",
            found=str(effect.get("scan")),
            expected=one_of({m.scan for m in measures}) if measures else "a scan with start_min",
        )
