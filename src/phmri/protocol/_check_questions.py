"""What a question needs of the other sections, and of the design."""

import re
from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import (
    Raw,
    entries,
    gives_map,
    held_by_design,
    listed,
    mapping,
    number,
    repeated,
    text,
    unknown,
)

__all__ = ["check_questions"]


def check_questions(raw: Raw) -> Iterator[Finding]:
    """Check every question against measures, design, sessions and regions.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    questions = entries(raw, "questions")
    roles = [question.get("role") for question in questions.values()]
    if questions and "primary" not in roles and None not in roles:
        yield Finding(
            path=("questions",),
            what="no question is the primary one",
            found=one_of(dict.fromkeys(map(str, roles))),
            expected="'role: primary' in at least one question",
        )
    measures = mapping(raw.get("measures"))
    for name, question in questions.items():
        path = ("questions", name)
        yield from unknown((*path, "measure"), "measure", question.get("measure"), measures)
        yield from repeated((*path, "contrast"), question.get("contrast"), "name")
        yield from repeated((*path, "covariates"), question.get("covariates"), "covariate")
        yield from held_by_design(raw, (*path, "covariates"), question.get("covariates"))
        if mapping(raw.get("design")).get("kind") == "parallel":
            yield from _check_parallel(raw, path, question)
        elif mapping(raw.get("design")).get("kind") == "crossover":
            yield from _check_crossover(raw, path, question)
        yield from _check_where(raw, path, question)
        yield from _check_variant(raw, path, question)


def _check_variant(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the measure has the denoising and the further map that are asked of."""
    measure = _measure(raw, question)
    if not measure:
        return
    known = [text(measure.get("denoising")) or ""]
    known += [item for _, item in listed(measure.get("sensitivity"))]
    yield from unknown(
        (*path, "denoising"), "denoising of the measure", question.get("denoising"), known
    )
    name, maps = text(question.get("map")), _further_maps(measure)
    if name is not None and name.isalnum() and _BIN.sub("bin01", name) not in maps:
        yield Finding(
            path=(*path, "map"),
            what="the measure has no such further map",
            found=name,
            expected=one_of(maps, name) if maps else "no key 'map'",
        )


def _measure(raw: Raw, question: Raw) -> Raw:
    return entries(raw, "measures").get(text(question.get("measure")) or "", {})


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


def _further_maps(measure: Raw) -> tuple[str, ...]:
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


def _check_parallel(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    arms = entries(mapping(raw.get("design")), "arms")
    contrast = [(i, arm) for i, arm in listed(question.get("contrast"))]
    for i, arm in contrast:
        yield from unknown((*path, "contrast", i), "arm", arm, arms)
    same = {text(arms[arm].get("treatment")) for _, arm in contrast if arm in arms}
    different = {arm for _, arm in contrast if arm in arms}
    if len(different) == 2 and len(same) == 1 and None not in same:  # noqa: PLR2004 - two arms
        yield Finding(
            path=(*path, "contrast"),
            what="both arms receive the same treatment",
            found=shown([arm for _, arm in contrast]),
            expected="arms with different treatments",
        )
    estimator = text(question.get("estimator"))
    if estimator == "crossover":
        yield Finding(
            path=(*path, "estimator"),
            what="this estimator needs a crossover, and the design is parallel",
            found="crossover",
            expected="one of ancova, change, post",
        )
    elif estimator in {"ancova", "change", "post"}:
        yield from _check_estimator_sessions(path, question)
    yield from _check_session(raw, path, question, "session")
    yield from _check_session(raw, path, question, "baseline")


def _check_estimator_sessions(path: Path, question: Raw) -> Iterator[Finding]:
    estimator, baseline = question["estimator"], question.get("baseline")
    needed = ("session",) if estimator == "post" else ("session", "baseline")
    for key in needed:
        if question.get(key) is None:
            yield Finding(
                path=path,
                what=f"the estimator '{estimator}' needs the key '{key}'",
                expected=f"'{key}' with the label of a session",
            )
    if estimator == "post" and baseline is not None:
        yield Finding(
            path=(*path, "baseline"),
            what="the estimator 'post' does not look at a baseline",
            found=shown(baseline),
            expected="no key 'baseline', or 'estimator: ancova'",
        )
    elif baseline is not None and baseline == question.get("session"):
        yield Finding(
            path=(*path, "baseline"),
            what="the outcome cannot be its own baseline",
            found=shown(baseline),
            expected="another session than 'session'",
        )


def _check_session(raw: Raw, path: Path, question: Raw, key: str) -> Iterator[Finding]:
    """Check that a session exists, has the right phase, and has the measure's scan."""
    sessions, label = entries(raw, "sessions"), question.get(key)
    yield from unknown((*path, key), "session", label, sessions)
    if not isinstance(label, str) or label not in sessions:
        return
    phase = text(sessions[label].get("phase"))
    right = {"session": ("acute", "sustained"), "baseline": ("baseline",)}[key]
    if phase in {"baseline", "acute", "sustained"} and phase not in right:
        suited = [name for name, entry in sessions.items() if entry.get("phase") in right]
        yield Finding(
            path=(*path, key),
            what=f"a session of phase {phase} cannot be the {key} of a question",
            found=label,
            expected=one_of(suited) if suited else f"a session of phase {' or '.join(right)}",
        )
        return
    yield from _check_scanned(raw, (*path, key), question, label)
    if phase != "acute":  # of acute sessions the measure says so itself
        yield from _check_timed(raw, (*path, key), question, label)


def _check_timed(raw: Raw, path: Path, question: Raw, session: str) -> Iterator[Finding]:
    measure = _measure(raw, question)
    kind, scan = text(measure.get("kind")), text(measure.get("scan")) or ""
    starts = mapping(entries(raw, "scans").get(scan, {}).get("start_min"))
    if kind in {"infusion", "exposure_connectivity"} and session not in starts:
        yield Finding(
            path=path,
            what=f"'{kind}' is measured from time zero, and this session has none",
            found=session,
            expected=one_of(starts) if starts else "a session with 'start_min' in the scan",
        )


def _check_scanned(raw: Raw, path: Path, question: Raw, session: str) -> Iterator[Finding]:
    measure = _measure(raw, question)
    scan = text(measure.get("scan")) or ""
    planned = [label for _, label in listed(entries(raw, "scans").get(scan, {}).get("sessions"))]
    if planned and session not in planned:
        yield Finding(
            path=path,
            what=f"the scan '{scan}' of this measure is not acquired in session {session}",
            found=session,
            expected=one_of(planned, session),
        )


def _check_crossover(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    if text(question.get("estimator")) in {"ancova", "change", "post"}:
        yield Finding(
            path=(*path, "estimator"),
            what="this estimator needs a parallel design, and the design is a crossover",
            found=shown(question["estimator"]),
            expected="crossover",
        )
    for key in ("session", "baseline"):
        if question.get(key) is not None:
            yield Finding(
                path=(*path, key),
                what=f"'{key}' has no meaning in a crossover: the treatment says the session",
                found=shown(question[key]),
                expected=f"no key '{key}'",
            )
    treatments = mapping(raw.get("treatments"))
    contrast = list(listed(question.get("contrast")))
    for i, treatment in contrast:
        yield from unknown((*path, "contrast", i), "treatment", treatment, treatments)
    wanted = {treatment for _, treatment in contrast}
    if wanted <= set(treatments) and len(wanted) == 2:  # noqa: PLR2004 - a difference of two
        yield from _check_together(raw, path, question, wanted)


def _check_together(raw: Raw, path: Path, question: Raw, wanted: set[str]) -> Iterator[Finding]:
    """Check that some people receive both treatments, with the measure's scan under each."""
    design = mapping(raw.get("design"))
    orders = [
        [item for _, item in listed(sequence.get("treatments"))]
        for sequence in entries(design, "sequences").values()
    ]
    holding = [order for order in orders if wanted <= set(order)]
    if orders and not holding:
        yield Finding(
            path=(*path, "contrast"),
            what="no sequence holds both treatments, so nobody received both",
            found=shown(sorted(wanted)),
            expected="two treatments of one sequence",
        )
    periods = {
        i for order in holding for i, treatment in enumerate(order, 1) if treatment in wanted
    }
    for label, session in entries(raw, "sessions").items():
        named = (
            text(session.get("treatment")) in wanted or number(session.get("period")) in periods
        )
        if named and session.get("phase") == "acute":
            yield from _check_scanned(raw, (*path, "measure"), question, label)


def _check_where(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    where = {k: v for k, v in mapping(question.get("where")).items() if v is not None}
    given = [key for key in ("mean_of", "within", "at") if key in where]
    if len(given) > 1:
        yield Finding(
            path=(*path, "where"),
            what="a question looks at one place",
            found=" and ".join(given),
            expected="one of mean_of, within, at",
        )
    measure = _measure(raw, question)
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
