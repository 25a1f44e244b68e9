"""What the sections on the analysis say of each other: regions, denoising, measures."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, text, unknown

__all__ = ["check_denoising", "check_measures", "check_names", "check_regions"]


def check_names(raw: Raw) -> Iterator[Finding]:
    """Check that names stay different in file names, which hold no underscore.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for section in ("measures", "questions", "regions"):
        taken: dict[str, str] = {}
        for name in mapping(raw.get(section)):
            short = name.replace("_", "").casefold()
            if short in taken:
                yield Finding(
                    path=(section, name),
                    what=f"this name and '{taken[short]}' become the same in file names",
                    found=name,
                    expected="names that differ in more than underscores and capitals",
                )
            taken.setdefault(short, name)


def check_regions(raw: Raw) -> Iterator[Finding]:
    """Check that regions and parcellations lie in the space of the data.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for name, region in entries(raw, "regions").items():
        path = ("regions", name)
        for key in ("areas", "columns"):
            yield from repeated((*path, key), region.get(key), key.removesuffix("s"))
        space = region.get("space")
        if region.get("kind") == "julich" and space is None:
            space = "MNI152NLin2009cAsym"
        yield from _check_space(raw, path, space)
        labels = region.get("labels")
        if isinstance(labels, list) and 0 in labels:
            yield Finding(
                path=(*path, "labels", labels.index(0)),
                what="label 0 is the background",
                found="0",
                expected="labels above 0",
            )
    for name, parcellation in entries(raw, "parcellations").items():
        path = ("parcellations", name)
        if parcellation.get("file") is None:
            for key in ("names", "space"):
                if parcellation.get(key) is not None:
                    yield Finding(
                        path=(*path, key),
                        what=f"'{key}' belongs to a label image, and none is named",
                        found=shown(parcellation[key]),
                        expected="'file' as well, or neither (tabular time series)",
                    )
        elif parcellation.get("space") is None:
            yield Finding(
                path=path,
                what="a label image needs the space that it lies in",
                expected="'space', e.g. MNI152NLin2009cAsym",
            )
        else:
            yield from _check_space(raw, path, parcellation["space"])


def _check_space(raw: Raw, path: Path, space: object) -> Iterator[Finding]:
    data_space = text(raw.get("space"))
    if isinstance(space, str) and data_space is not None and space != data_space:
        yield Finding(
            path=(*path, "space"),
            what="this lies in another space than the data; templates differ by millimetres",
            found=space,
            expected=f"{data_space}, the protocol's 'space'",
        )


def check_denoising(raw: Raw) -> Iterator[Finding]:
    """Check that the filter is possible and the options fit together.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for name, denoising in entries(raw, "denoising").items():
        path = ("denoising", name)
        high, low = number(denoising.get("highpass_hz")), number(denoising.get("lowpass_hz"))
        if high is not None and low is not None and high >= low:
            yield Finding(
                path=(*path, "lowpass_hz"),
                what="the band is empty",
                found=f"highpass_hz {high:g}, lowpass_hz {low:g}",
                expected="'highpass_hz' below 'lowpass_hz'",
            )
        if denoising.get("filter") != "butterworth":
            continue
        if denoising.get("highpass_hz") is None and denoising.get("lowpass_hz") is None:
            yield Finding(
                path=(*path, "filter"),
                what="this filter has no band",
                found="butterworth",
                expected="'highpass_hz', 'lowpass_hz' or both",
            )
        for key, limit in mapping(denoising.get("censor")).items():
            if limit is not None:
                yield Finding(
                    path=(*path, "censor", key),
                    what="volumes cannot be censored before a butterworth filter",
                    found=shown(limit),
                    expected="'filter: projection', or no 'censor'",
                )


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
    scans, denoising = entries(raw, "scans"), entries(raw, "denoising")
    regions, parcellations = mapping(raw.get("regions")), mapping(raw.get("parcellations"))
    for name, measure in entries(raw, "measures").items():
        path = ("measures", name)
        yield from unknown((*path, "scan"), "scan", measure.get("scan"), scans)
        yield from unknown((*path, "denoising"), "denoising", measure.get("denoising"), denoising)
        yield from unknown((*path, "seed"), "region", measure.get("seed"), regions)
        yield from unknown(
            (*path, "parcels"), "parcellation", measure.get("parcels"), parcellations
        )
        yield from repeated((*path, "regions"), measure.get("regions"), "region")
        for i, region in listed(measure.get("regions")):
            yield from unknown((*path, "regions", i), "region", region, regions)
        scan = scans.get(text(measure.get("scan")) or "")
        strategy = denoising.get(text(measure.get("denoising")) or "", {})
        if strategy.get("task") == "remove" and scan is not None and not scan.get("conditions"):
            yield Finding(
                path=(*path, "denoising"),
                what=f"it removes the task, and the scan '{measure['scan']}' has no conditions",
                found=f"{measure['denoising']} (task: remove)",
                expected="'conditions' in the scan, or a denoising with 'task: keep'",
            )
        if measure.get("kind") == "roi_to_roi":
            yield from _check_roi_to_roi(path, measure)
        yield from _check_sources(raw, path, measure)
    yield from _check_tables(raw)


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
    if measure.get("kind") == "seed_to_voxel" and kinds.get(seed):
        yield Finding(
            path=(*path, "seed"),
            what="a region of tabular time series has no voxels around it",
            found=f"{seed} (kind: series)",
            expected="a region of an image, or the measure seed_to_parcel",
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
