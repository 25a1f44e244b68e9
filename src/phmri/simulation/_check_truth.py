"""What a truth says of a protocol: names that must be there."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from phmri.protocol import Crossover, Finding, Protocol, listed, mapping, number, one_of
from phmri.simulation._check_effects import check_effect, known
from phmri.simulation._table import columns_of, is_tabular, segs_of
from phmri.simulation._truth import ScanTruth

__all__ = ["check_against"]

_DRAWN = ("grey_percent", "white_percent", "csf_percent", "grey_ar", "white_ar", "csf_ar")
_OF_IMAGES = ("voxel_mm", "background")
_EFFECTS_OF_IMAGES = ("physiology", "movement")
_LENGTHS = {
    field: ScanTruth.model_fields[field].default for field in ("first_s", "block_s", "gap_s")
}
_ROUNDING = 1e-9


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
    sections: tuple[tuple[str, str, Iterable[str]], ...] = (
        ("participants", "arm or sequence", groups),
        ("regions", "region", protocol.regions),
        ("scans", "scan", protocol.scans),
        ("scales", "scale", protocol.scales),
        ("expected", "question or association", (*protocol.questions, *protocol.associations)),
    )

    def check(value: dict[str, Any]) -> Iterator[Finding]:
        for section, what, names in sections:
            yield from known(mapping(value.get(section)), (section,), names, what)
        yield from _missing_scans(value, protocol)
        yield from _background(mapping(value.get("background")), protocol.regions)
        yield from _tables(value, protocol)
        moved = mapping(mapping(value.get("motion")).get("by_treatment"))
        yield from known(moved, ("motion", "by_treatment"), protocol.treatments, "treatment")
        effects = mapping(value.get("effects"))
        for name, effect in effects.items():
            yield from check_effect(value, protocol, name, mapping(effect))
        for name, scale in mapping(value.get("scales")).items():
            yield from _scale(protocol, effects, name, mapping(scale))
        yield from _expected(value, protocol)
        for name, group in groups.items():
            if group.n_planned is None and not value.get("participants"):
                yield Finding(
                    path=("participants",),
                    what="nobody says how many people there are",
                    found=f"{name} without n_planned",
                    expected=f"participants: {{{name}: ...}}, or n_planned in the protocol",
                )

    return check


def _expected(value: dict[str, Any], protocol: Protocol) -> Iterator[Finding]:
    both = (*mapping(value.get("effects")), *mapping(value.get("scales")))
    for name, item in mapping(value.get("expected")).items():
        told = dict.fromkeys(effect for _, effect in listed(mapping(item).get("planted")))
        yield from known(told, ("expected", name, "planted"), both, "effect or scale")
        verdict = mapping(item).get("verdict")
        asked = protocol.questions.get(name)
        there = asked is not None or name in protocol.associations
        if verdict is not None and there and (asked is None or asked.blockade is None):
            blockades = [key for key, one in protocol.questions.items() if one.blockade]
            yield Finding(
                path=("expected", name, "verdict"),
                what="nothing is asked of a blockade here, so there is no verdict on one",
                found=str(verdict),
                expected=f"a verdict of {one_of(blockades)}" if blockades else "no verdict",
            )


def _scale(
    protocol: Protocol, effects: dict[str, Any], name: str, scale: dict[str, Any]
) -> Iterator[Finding]:
    means, follows = mapping(scale.get("mean")), mapping(scale.get("follows"))
    yield from known(means, ("scales", name, "mean"), protocol.treatments, "treatment")
    yield from known(follows, ("scales", name, "follows"), effects, "effect")
    for effect in follows:
        told = mapping(effects.get(effect))
        spreads = [number(told.get(f"{size}_sd", 0.0)) for size in ("gain", "percent", "mm")]
        if told and spreads == [0.0, 0.0, 0.0]:
            yield Finding(
                path=("scales", name, "follows", effect),
                what="people do not differ in this effect, so no score can follow it",
                found="a spread of 0",
                expected="gain_sd, percent_sd or mm_sd above 0",
            )
    ranged = protocol.scales.get(name)
    for treatment, mean in means.items():
        score = number(mean)
        if ranged and score is not None and not ranged.minimum <= score <= ranged.maximum:
            yield Finding(
                path=("scales", name, "mean", treatment),
                what="the mean lies outside the scale",
                found=f"{score:g}",
                expected=f"{ranged.minimum:g} to {ranged.maximum:g}",
            )


def _background(background: dict[str, Any], regions: Iterable[str]) -> Iterator[Finding]:
    dropout = mapping(background.get("dropout"))
    yield from known(dropout, ("background", "dropout"), regions, "region")
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
    for name, effect in mapping(value.get("effects")).items():
        kind = mapping(effect).get("kind")
        if kind in _EFFECTS_OF_IMAGES:
            yield Finding(
                path=("effects", name, "kind"),
                what="tables are cleaned: this acts on images",
                found=str(kind),
                expected="coupling, response or activation",
            )
    yield from _columns(mapping(told).get("columns"), protocol)


def _elsewhere(value: dict[str, Any], protocol: Protocol, *, tables: bool) -> Iterator[Finding]:
    """Find regions that lie where nothing is made."""
    placed: dict[tuple[str, ...], str] = {
        ("regions", name): name for name in mapping(value.get("regions"))
    }
    for name, effect in mapping(value.get("effects")).items():
        if "region" in mapping(effect):
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
        names = [name for _, name in listed(told)]
        for column in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield Finding(path=path, what="a column stands twice", found=str(column))


def _missing_scans(value: dict[str, Any], protocol: Protocol) -> Iterator[Finding]:
    scans = mapping(value.get("scans"))
    for name, scan in protocol.scans.items():
        if name not in scans:
            yield Finding(
                path=("scans",),
                what="a scan of the protocol has no length",
                found=", ".join(scans) or "no scan",
                expected=f"{name}: {{n_volumes: ..., t_r: ...}}",
            )
            continue
        yield from _blocks(name, mapping(scans[name]))
        told = set(mapping(mapping(scans[name]).get("conditions")))
        if told != set(scan.conditions):
            yield Finding(
                path=("scans", name, "conditions"),
                what="the conditions are not those of the protocol",
                found=", ".join(sorted(told)) or "none",
                expected=", ".join(scan.conditions) or "none",
            )


def _blocks(name: str, scan: dict[str, Any]) -> Iterator[Finding]:
    """Lengths that are left out give way in a very short run; those that are told do not."""
    lengths = {field: number(scan.get(field, usual)) for field, usual in _LENGTHS.items()}
    first, block, gap = lengths.values()
    n_volumes, t_r = number(scan.get("n_volumes")), number(scan.get("t_r"))
    told = [field for field in scan if field in lengths]
    n = len(mapping(scan.get("conditions")))
    if first is None or block is None or gap is None or n_volumes is None or t_r is None:
        return  # told as fields of another type
    needed, total = first + n * (block + gap), n_volumes * t_r
    if n and told and needed > total * (1 + _ROUNDING):
        yield Finding(
            path=("scans", name, told[0]),
            what="blocks of all conditions do not fit the run",
            found=f"first_s {first:g} + {n} x (block_s {block:g} + gap_s {gap:g}) = {needed:g} s",
            expected=f"at most {total:g} s, as long as the run",
        )
