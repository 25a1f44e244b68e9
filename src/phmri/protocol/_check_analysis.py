"""What the sections on the analysis say of each other: names, regions, denoising."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, mapping, number, repeated, text

__all__ = ["check_denoising", "check_names", "check_regions"]

_SHARED = (
    ("measures", "scales"),
    ("questions", "associations"),
    ("reliability",),
    ("map_associations",),
    ("regions",),
    ("denoising",),
    ("populations",),
)
"""Sections whose names must stay different, those of one row also from each other."""


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
    for sections in _SHARED:
        taken: dict[str, tuple[str, str]] = {}
        for section, name in ((own, name) for own in sections for name in mapping(raw.get(own))):
            short = name.replace("_", "").casefold()
            first = taken.setdefault(short, (section, name))
            if first == (section, name):
                continue
            of_other = "" if first[0] == section else f" of {first[0]}"
            yield Finding(
                path=(section, name),
                what=f"this name and '{first[1]}'{of_other} become the same in file names",
                found=name,
                expected="names that differ in more than underscores and capitals",
            )


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
