"""What a question looks at within its measure: a further map, a place."""

import re
from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import (
    Raw,
    entries,
    gives_map,
    listed,
    mapping,
    measure_of,
    number,
    text,
    unknown,
)

__all__ = ["check_map", "check_where", "further_maps"]

_BIN = re.compile(r"bin[0-9]{2,}")
_FURTHER: dict[str, tuple[str, ...]] = {
    "task": ("t",),
    "ppi": ("t",),
    "alff": ("zscored",),
    "falff": ("zscored",),
    "reho": ("zscored", "neighbours", "meanrankcorrelation"),
    "degree_centrality": ("weighted", "zscored"),
    "exposure_connectivity": ("baseline",),
}


def further_maps(measure: Raw) -> tuple[str, ...]:
    """List what a measure gives beside its outcome.

    Parameters
    ----------
    measure : dict
        As written.

    Returns
    -------
    tuple of str
        ``bin01`` stands for all bins.
    """
    if measure.get("kind") != "infusion":
        return _FURTHER.get(text(measure.get("kind")) or "", ())
    drift = ("driftslope",) if number(mapping(measure.get("drift")).get("order", 1)) else ()
    if text(mapping(measure.get("response")).get("model")) in {"pseudoblock", "response_family"}:
        return ("bin01", "F", "timetopeak", "onset", "duration", *drift)
    return drift


def check_map(raw: Raw, path: Path, asking: Raw) -> Iterator[Finding]:
    """Check that the measure has the further map that is asked of.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question or the association stands.
    asking : dict
        The question or the association.

    Yields
    ------
    Finding
        Each contradiction.
    """
    measure, name = measure_of(raw, asking), text(asking.get("map"))
    if not measure or name is None or not name.isalnum():
        return
    maps = further_maps(measure)
    if _BIN.sub("bin01", name) not in maps:
        yield Finding(
            path=(*path, "map"),
            what="the measure has no such further map",
            found=name,
            expected=one_of(maps, name) if maps else "no key 'map'",
        )


def check_where(raw: Raw, path: Path, asking: Raw) -> Iterator[Finding]:
    """Check that the place is one, is declared, and lies in the measure.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question or the association stands.
    asking : dict
        The question or the association.

    Yields
    ------
    Finding
        Each contradiction.
    """
    where = {k: v for k, v in mapping(asking.get("where")).items() if v is not None}
    given = [key for key in ("mean_of", "within", "at") if key in where]
    if len(given) > 1:
        yield Finding(
            path=(*path, "where"),
            what="a question looks at one place",
            found=" and ".join(given),
            expected="one of mean_of, within, at",
        )
    measure = measure_of(raw, asking)
    kind = text(measure.get("kind"))
    for key in given:
        here = (*path, "where", key)
        if key == "at":
            yield from _check_at(raw, here, measure, where[key])
            continue
        if kind is not None and not gives_map(measure):
            yield Finding(
                path=here,
                what=f"'{key}' needs a map of voxels, and the measure is {kind}",
                found=shown(where[key]),
                expected="'at' with the name of a parcel, node or edge",
            )
        yield from _check_where_region(raw, here, measure, where[key])


def _check_where_region(raw: Raw, path: Path, measure: Raw, name: object) -> Iterator[Finding]:
    regions = entries(raw, "regions")
    yield from unknown(path, "region", name, regions)
    if isinstance(name, str) and regions.get(name, {}).get("kind") == "series":
        yield Finding(
            path=path,
            what="a region of tabular time series has no voxels",
            found=f"{name} (kind: series)",
            expected="a region of an image",
        )
    if name == measure.get("seed") and gives_map(measure):
        yield Finding(
            path=path,
            what="this is the seed itself: its coupling with itself answers nothing",
            found=shown(name),
            expected="another region",
        )


def _check_at(raw: Raw, path: Path, measure: Raw, name: object) -> Iterator[Finding]:
    kind, summary = measure.get("kind"), text(measure.get("summary", "edges"))
    if gives_map(measure) or (kind == "roi_to_roi" and summary == "global"):
        yield Finding(
            path=path,
            what="this measure has no parcel, node or edge to look at",
            found=shown(name),
            expected="'mean_of' or 'within' for maps; nothing for a global mean",
        )
    if kind != "roi_to_roi" or summary not in {"edges", "nodes"} or not isinstance(name, str):
        return
    ends = name.split("~")
    n_ends = {"edges": 2, "nodes": 1}[summary]
    if len(ends) != n_ends or not all(ends) or len(set(ends)) != n_ends:
        yield Finding(
            path=path,
            what=f"this does not name one of the measure's {summary}",
            found=name,
            expected="an edge 'A~B' of two names" if summary == "edges" else "one name",
        )
        return
    known = [region for _, region in listed(measure.get("regions"))]
    if not known:
        return
    for end in ends:
        yield from unknown(path, "region of the measure", end, known)
    if set(ends) <= set(known) and ends != sorted(ends, key=known.index):
        yield Finding(
            path=path,
            what="an edge is named in the order of the measure's regions",
            found=name,
            expected="~".join(reversed(ends)),
        )
