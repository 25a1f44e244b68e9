"""What measures need of scans, denoising, regions, parcellations and exposures."""

from collections.abc import Iterator

from phmri.protocol._check_infusion import check_infusion, check_range, check_time_zero
from phmri.protocol._check_variants import check_variants
from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._measures import SeedToVoxel
from phmri.protocol._raw import (
    Raw,
    entries,
    gives_map,
    listed,
    mapping,
    number,
    repeated,
    text,
    unknown,
)

__all__ = ["check_measures"]

_BY_EVENT = ("task", "ppi", "beta_series")
_CORRELATIONS = ("seed_to_voxel", "seed_to_parcel", "roi_to_roi")
_USUAL_VOLUMES = SeedToVoxel.model_fields["min_effective_volumes"].default


def check_measures(raw: Raw) -> Iterator[Finding]:
    """Check that measures use what is declared, and what they can use.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for name, measure in entries(raw, "measures").items():
        path = ("measures", name)
        yield from _check_names(raw, path, measure)
        yield from check_variants(raw, path, measure)
        yield from _check_kind(raw, path, measure)
        yield from _check_sources(raw, path, measure)
    yield from _check_tables(raw)


def _check_names(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    declared = {
        "scan": ("scan", "scans"),
        "seed": ("region", "regions"),
        "parcels": ("parcellation", "parcellations"),
        "exposure": ("exposure", "exposures"),
    }
    for key, (kind, section) in declared.items():
        yield from unknown((*path, key), kind, measure.get(key), mapping(raw.get(section)))
    response = mapping(measure.get("response"))
    yield from unknown(
        (*path, "response", "exposure"),
        "exposure",
        response.get("exposure"),
        mapping(raw.get("exposures")),
    )
    yield from repeated((*path, "regions"), measure.get("regions"), "region")
    for i, item in listed(measure.get("regions")):
        yield from unknown((*path, "regions", i), "region", item, mapping(raw.get("regions")))


def _check_kind(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    kind = text(measure.get("kind"))
    if kind == "roi_to_roi":
        yield from _check_roi_to_roi(path, measure)
    elif kind == "infusion":
        yield from check_infusion(raw, path, measure)
    elif kind == "exposure_connectivity":
        yield from check_time_zero(raw, path, measure)
    elif kind in _BY_EVENT:
        yield from _check_contrast(raw, path, measure, "contrast")
    elif kind in {"alff", "falff"}:
        yield from check_range((*path, "band_hz"), measure.get("band_hz"))
    elif kind in {"dual_regression", "receptor_maps"}:
        yield from _check_maps(raw, path, measure)
    if kind in _CORRELATIONS:
        yield from _check_condition(raw, path, measure)
    yield from _check_noise(path, measure)


def _check_condition(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check what a correlation within blocks needs of scan and denoising."""
    if measure.get("condition") is None:
        if number(measure.get("min_effective_volumes")) not in {None, _USUAL_VOLUMES}:
            yield Finding(
                path=(*path, "min_effective_volumes"),
                what="this has no effect without a condition",
                found=shown(measure["min_effective_volumes"]),
                expected="'condition' beside it",
            )
        return
    yield from _check_contrast(raw, path, measure, "condition")
    settings = entries(raw, "denoising")
    names = [
        text(measure.get("denoising")) or "",
        *(n for _, n in listed(measure.get("sensitivity"))),
    ]
    for name in names:
        if settings.get(name, {}).get("filter") == "butterworth":
            yield Finding(
                path=(*path, "condition"),
                what="volumes can only be weighted after a filter that is a projection",
                found=f"{name} (filter: butterworth)",
                expected="'filter: projection'",
            )


def _check_noise(path: Path, measure: Raw) -> Iterator[Finding]:
    noise = mapping(measure.get("noise"))
    if noise.get("scope") == "tissue" and measure.get("parcels") is not None:
        yield Finding(
            path=(*path, "noise", "scope"),
            what="parcels have no tissue",
            found="tissue",
            expected="voxel (each parcel's own) or brain, or no 'parcels'",
        )
    is_ar = text(noise.get("kind", "ar")) not in {"white", "arma11"}
    if not is_ar and number(noise.get("order")) not in {None, 1.0}:
        yield Finding(
            path=(*path, "noise", "order"),
            what=f"noise of kind '{noise['kind']}' has no order",
            found=shown(noise["order"]),
            expected="'kind: ar', or no 'order'",
        )


def _check_maps(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    space, data_space = text(measure.get("space")), text(raw.get("space"))
    if space is not None and data_space is not None and space != data_space:
        yield Finding(
            path=(*path, "space"),
            what="this lies in another space than the data; templates differ by millimetres",
            found=space,
            expected=f"{data_space}, the protocol's 'space'",
        )
    if measure.get("kind") == "receptor_maps":
        maps = mapping(measure.get("maps"))
        yield from unknown((*path, "receptor"), "receptor", measure.get("receptor"), maps)


def _check_contrast(raw: Raw, path: Path, measure: Raw, key: str) -> Iterator[Finding]:
    name = text(measure.get("scan")) or ""
    scans = entries(raw, "scans")
    known = [item for _, item in listed(scans.get(name, {}).get("conditions"))]
    user = measure.get("kind") if key == "contrast" else key
    if name in scans and not known:
        yield Finding(
            path=(*path, "scan"),
            what=f"'{user}' needs task conditions, and this scan has none",
            found=name,
            expected="a scan with 'conditions'",
        )
        return
    modulators = {
        f"{condition}:{column}"
        for condition, columns in mapping(measure.get("modulators")).items()
        for _, column in listed(columns)
    }
    given = measure.get(key)
    contrast = {given: 1.0} if isinstance(given, str) else mapping(given)
    for item in contrast if known else ():
        allowed = (*known, *sorted(modulators))
        place = (*path, key) if given == item else (*path, key, item)
        yield from unknown(place, "condition", item, allowed)
    for item, columns in mapping(measure.get("modulators")).items() if known else ():
        yield from unknown((*path, "modulators", item), "condition", item, known)
        yield from repeated((*path, "modulators", item), columns, "column")
    weights = [number(value) for value in contrast.values()]
    if weights and None not in weights and not any(weights):
        yield Finding(
            path=(*path, key),
            what="all weights are 0",
            found=shown(contrast),
            expected="at least one other",
        )


def _check_tables(raw: Raw) -> Iterator[Finding]:
    """Check that the measures of a scan ask for the tables of one atlas: a scan is one file."""
    parcellations = entries(raw, "parcellations")
    first: dict[object, tuple[str, object]] = {}
    for name, measure in entries(raw, "measures").items():
        parcellation = parcellations.get(text(measure.get("parcels")) or "", {})
        seg = parcellation.get("seg")
        if seg is None or parcellation.get("file") is not None:
            continue
        other, usual = first.setdefault(measure.get("scan"), (name, seg))
        if seg != usual:
            yield Finding(
                path=("measures", name, "parcels"),
                what=f"the tables of two atlases in one scan; '{other}' uses seg {usual}",
                found=f"{measure['parcels']} (seg {seg})",
                expected="one 'seg' per scan; write a second protocol for the other atlas",
            )


def _check_roi_to_roi(path: Path, measure: Raw) -> Iterator[Finding]:
    given = [key for key in ("regions", "parcels") if measure.get(key) is not None]
    if len(given) != 1:
        yield Finding(
            path=path,
            what="correlations are either among regions or among parcels",
            found=" and ".join(given) or "neither",
            expected="'regions' or 'parcels'",
        )
    names = measure.get("regions")
    if isinstance(names, list) and len(names) < 2:  # noqa: PLR2004 - a pair
        yield Finding(
            path=(*path, "regions"),
            what="a correlation needs two regions",
            found=shown(names),
            expected="at least 2",
        )


def _check_sources(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check that all series of a measure come from images, or all from tables."""
    regions, parcellations = entries(raw, "regions"), entries(raw, "parcellations")
    seed, parcels = text(measure.get("seed")) or "", text(measure.get("parcels")) or ""
    names = [seed] if seed else [name for _, name in listed(measure.get("regions"))]
    kinds = {name: regions[name].get("kind") == "series" for name in names if name in regions}
    if gives_map(measure) and kinds.get(seed):
        yield Finding(
            path=(*path, "seed"),
            what="a region of tabular time series has no voxels around it",
            found=f"{seed} (kind: series)",
            expected="a region of an image, or 'parcels' ('seed_to_parcel' for a seed's map)",
        )
        return
    if parcels in parcellations:
        kinds[parcels] = parcellations[parcels].get("file") is None
    if len(set(kinds.values())) > 1:
        tables = [name for name, tabular in kinds.items() if tabular]
        images = [name for name, tabular in kinds.items() if not tabular]
        yield Finding(
            path=path,
            what="images and tabular time series cannot be correlated with each other",
            found=f"from images: {', '.join(images)}; from tables: {', '.join(tables)}",
            expected="one kind",
        )
