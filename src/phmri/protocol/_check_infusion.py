"""What a response to an infusion needs: a time zero, a baseline before it, ranges in order."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, text

__all__ = ["check_course", "check_infusion", "check_range", "check_time_zero"]


def check_infusion(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check the response model of an infusion, and that its scan begins before the infusion.

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
    response = mapping(measure.get("response"))
    yield from check_range((*path, "response", "window_min"), response.get("window_min"))
    for key in ("onset_min", "delay_min", "shape"):
        yield from check_range((*path, "response", key), response.get(key), may_be_one=True)
    yield from check_course((*path, "response"), response)
    yield from check_time_zero(raw, path, measure)
    yield from _check_baseline(raw, path, measure)


def check_course(path: Path, course: Raw) -> Iterator[Finding]:
    """Check that a course begins before it peaks or ends.

    Parameters
    ----------
    path : tuple
        Where it stands.
    course : dict
        As written.

    Yields
    ------
    Finding
        One, or none.
    """
    onset = number(course.get("onset_min", 0.0))
    for key in ("end_min", "peak_min"):
        end = number(course.get(key))
        if onset is not None and end is not None and onset >= end:
            yield Finding(
                path=(*path, key),
                what="the response would be over before it starts",
                found=f"onset_min {onset:g}, {key} {end:g}",
                expected=f"'{key}' above 'onset_min'",
            )


def check_range(path: Path, value: object, *, may_be_one: bool = False) -> Iterator[Finding]:
    """Check that the first of two numbers is below the second.

    Parameters
    ----------
    path : tuple
        Where the range stands.
    value : object
        As written; anything but two numbers is left to the field checks.
    may_be_one : bool, default False
        Whether both may be the same.

    Yields
    ------
    Finding
        One, or none.
    """
    ends = [number(item) for item in value] if isinstance(value, list | tuple) else []
    match ends:
        case [float(low), float(high)] if low > high or (low == high and not may_be_one):
            yield Finding(
                path=path,
                what="the first number must be below the second",
                found=shown(list(value)) if isinstance(value, list | tuple) else None,
                expected="[from, to]",
            )


def check_time_zero(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check that the scan of a measure says when it begins in every session after a dose.

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
        One, or none.
    """
    name = text(measure.get("scan")) or ""
    scan = entries(raw, "scans").get(name, {})
    acquired = [label for _, label in listed(scan.get("sessions"))]
    missing = [
        label
        for label, session in entries(raw, "sessions").items()
        if session.get("phase") == "acute"
        and (not acquired or label in acquired)
        and label not in mapping(scan.get("start_min"))
    ]
    if scan and missing:
        yield Finding(
            path=(*path, "scan"),
            what=f"'scans.{name}.start_min' does not say when the run begins",
            found=f"nothing for {', '.join(missing)}",
            expected="minutes from time zero to the first volume, per session",
        )


def _check_baseline(raw: Raw, path: Path, measure: Raw) -> Iterator[Finding]:
    """Check that each run begins before time zero, and that its baseline holds a bin."""
    name, sessions = text(measure.get("scan")) or "", entries(raw, "sessions")
    starts = mapping(entries(raw, "scans").get(name, {}).get("start_min"))
    for label, value in starts.items():
        start = number(value)
        if label not in sessions or start is None:
            continue
        if start < 0:
            yield from _check_bins(path, mapping(measure.get("response")), label, -start)
            continue
        yield Finding(
            path=("scans", name, "start_min", label),
            what="the infusion starts before the scan: its response has no baseline",
            found=f"{start:g} min",
            expected="a run that begins before time zero (negative minutes)",
        )


def _check_bins(path: Path, response: Raw, session: str, before_min: float) -> Iterator[Finding]:
    if response.get("model") != "pseudoblock":
        return
    baseline, bin_s = number(response.get("baseline_min")), number(response.get("bin_s", 60.0))
    if baseline is not None and baseline > before_min:
        yield Finding(
            path=(*path, "response", "baseline_min"),
            what=f"the run of session {session} begins later than this baseline",
            found=f"{baseline:g} min, {before_min:g} min before time zero",
            expected=f"at most {before_min:g}",
        )
        return
    seconds = 60 * (before_min if baseline is None else baseline)
    if bin_s is not None and bin_s > seconds:
        yield Finding(
            path=(*path, "response", "bin_s"),
            what=f"the bins are longer than the baseline in session {session}",
            found=f"bins of {bin_s:g} s, baseline of {seconds:g} s",
            expected=f"at most {seconds:g}",
        )
