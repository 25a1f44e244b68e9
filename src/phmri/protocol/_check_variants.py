"""What a measure can bear of its denoisings: filters, the task, the global signal."""

from collections.abc import Iterator, Sequence

from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, text, unknown

__all__ = ["check_variants"]

_MODELS = ("infusion", "task", "ppi", "beta_series")
"""Linear models with nuisance columns in place of a cleaning."""
_CORRELATIONS = ("seed_to_voxel", "seed_to_parcel", "roi_to_roi")
_OWN_BAND = ("alff", "falff")


def check_variants(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check the denoising of a measure, and those that are shown beside it.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the measure stands.
    measure : dict
        As written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    own, declared = text(measure.get("denoising")), mapping(raw.get("denoising"))
    yield from unknown((*path, "denoising"), "denoising", own, declared)
    yield from repeated((*path, "sensitivity"), measure.get("sensitivity"), "denoising")
    places: dict[str, Path] = {} if own is None else {own: (*path, "denoising")}
    for i, item in listed(measure.get("sensitivity")):
        place = (*path, "sensitivity", i)
        yield from unknown(place, "denoising", item, declared)
        if item == own:
            yield Finding(
                path=place,
                what="this is the measure's own denoising",
                found=item,
                expected="others, to be shown beside it",
            )
        places.setdefault(item, place)
    settings = entries(raw, "denoising")
    for name in filter(settings.get, places):
        yield from _check_task(raw, places[name], measure, name)
        yield from _check_filter(places[name], measure, name, settings[name])
    if measure.get("kind") == "global_connectivity":
        yield from _check_global_signal(path, measure, [settings.get(name) for name in places])


def _check_task(raw: Raw, path: Path, measure: Raw, name: str) -> Iterator[Finding]:
    if entries(raw, "denoising")[name].get("task") != "remove":
        return
    kind = text(measure.get("kind"))
    scan = entries(raw, "scans").get(text(measure.get("scan")) or "")
    if kind in _MODELS:
        yield Finding(
            path=path,
            what=f"'{kind}' models the conditions itself",
            found=f"{name} (task: remove)",
            expected="'task: keep'",
        )
    elif scan is not None and not scan.get("conditions"):
        yield Finding(
            path=path,
            what=f"it removes the task, and the scan '{measure['scan']}' has no conditions",
            found=f"{name} (task: remove)",
            expected="'conditions' in the scan, or a denoising with 'task: keep'",
        )


def _check_filter(path: Path, measure: Raw, name: str, setting: Raw) -> Iterator[Finding]:
    kind = text(measure.get("kind")) or ""
    for key, why in (
        ("highpass_hz", _against_highpass(kind, measure, setting)),
        ("lowpass_hz", _against_lowpass(kind, measure, setting)),
    ):
        if why is not None:
            yield Finding(
                path=path,
                what=f"'{kind}' cannot use a denoising with this '{key}': {why}",
                found=f"{name} ({key}: {shown(setting[key])})",
                expected=f"a denoising without '{key}'",
            )
    if setting.get("filter") == "butterworth" and kind and kind not in _CORRELATIONS:
        yield Finding(
            path=path,
            what=f"'{kind}' needs a filter that is a projection",
            found=f"{name} (filter: butterworth)",
            expected="'filter: projection'",
        )


def _band(measure: Raw) -> tuple[float | None, float | None]:
    value = measure.get("band_hz")
    ends = [number(item) for item in value] if isinstance(value, list | tuple) else []
    return (ends[0], ends[1]) if len(ends) == 2 else (None, None)  # noqa: PLR2004 - a band


def _against_highpass(kind: str, measure: Raw, setting: Raw) -> str | None:
    highpass, lower = number(setting.get("highpass_hz")), _band(measure)[0]
    if highpass is None:
        return None
    if kind == "infusion":
        return "the drug's signal is as slow as what this filter removes"
    if kind in _OWN_BAND and lower is not None and highpass > lower:
        return f"it cuts into the band, which begins at {lower:g}"
    return None


def _against_lowpass(kind: str, measure: Raw, setting: Raw) -> str | None:
    lowpass, upper = number(setting.get("lowpass_hz")), _band(measure)[1]
    if lowpass is None:
        return None
    if kind in _MODELS:
        return "it shapes the noise that the model estimates"
    if kind == "falff":
        return "the fraction is one of all frequencies"
    if kind == "alff" and upper is not None and lowpass < upper:
        return f"it cuts into the band, which ends at {upper:g}"
    return None


def _check_global_signal(
    path: Path, measure: Raw, settings: Sequence[Raw | None]
) -> Iterator[Finding]:
    strategies = [str(setting.get("strategy")) for setting in settings if setting is not None]
    removed = {name == "36p" or name.endswith("_gsr") for name in strategies}
    if len(removed) == 1 and measure.get("sensitivity"):
        word = "with" if removed == {True} else "without"
        yield Finding(
            path=(*path, "sensitivity"),
            what="global connectivity is shown with and without the global signal",
            found=f"only denoisings {word} its removal",
            expected="one of each among 'denoising' and 'sensitivity'",
        )
