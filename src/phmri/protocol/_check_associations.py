"""What an association needs of measures, scales, design and sessions."""

from collections.abc import Iterator
from itertools import combinations

from phmri.protocol._check_inference import asked_of
from phmri.protocol._check_when import check_no_sessions, check_session, check_together
from phmri.protocol._check_where import check_map, check_where
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import (
    Raw,
    entries,
    held_by_design,
    listed,
    mapping,
    repeated,
    text,
    unknown,
)

__all__ = ["check_associations"]

_FEWEST = 2


def check_associations(raw: Raw) -> Iterator[Finding]:
    """Check every association against measures, scales, design and sessions.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    measures, scales = mapping(raw.get("measures")), entries(raw, "scales")
    for name, association in entries(raw, "associations").items():
        path = ("associations", name)
        yield from unknown((*path, "measure"), "measure", association.get("measure"), measures)
        yield from check_map(raw, path, association)
        yield from check_where(raw, path, association)
        yield from unknown((*path, "scale"), "scale", association.get("scale"), scales)
        yield from _check_subscale(path, association, scales)
        yield from repeated((*path, "partial"), association.get("partial"), "covariate")
        yield from held_by_design(raw, (*path, "partial"), association.get("partial"))
        if mapping(raw.get("design")).get("kind") == "parallel":
            yield from _check_parallel(raw, path, association)
        elif mapping(raw.get("design")).get("kind") == "crossover":
            yield from _check_crossover(raw, path, association)
        yield from _check_prediction(raw, path, association)
        yield from _check_repeated(path, association)


def _check_subscale(path: Path, association: Raw, scales: dict[str, Raw]) -> Iterator[Finding]:
    scale, subscale = text(association.get("scale")), association.get("subscale")
    if scale not in scales or subscale is None:
        return
    known = mapping(scales[scale].get("subscales"))
    yield from unknown((*path, "subscale"), f"subscale of '{scale}'", subscale, known)


def _check_parallel(raw: Raw, path: Path, association: Raw) -> Iterator[Finding]:
    for key in ("contrast", "treatments"):
        if association.get(key):
            yield Finding(
                path=(*path, key),
                what="a difference within people needs a crossover, and the design is parallel"
                if key == "contrast"
                else "treatments of one person need a crossover, and the design is parallel",
                found=shown(association[key]),
                expected="'groups' with the arms whose participants count"
                if key == "contrast"
                else "'sessions' with two labels or more",
            )
    repeats = list(listed(association.get("sessions")))
    if association.get("session") is None and not repeats:
        yield Finding(
            path=path,
            what="an association in a parallel trial needs the key 'session'",
            expected="'session' with the label of a session, or 'sessions' with two or more",
        )
    arms = mapping(mapping(raw.get("design")).get("arms"))
    yield from repeated((*path, "groups"), association.get("groups"), "arm")
    for i, arm in listed(association.get("groups")):
        yield from unknown((*path, "groups", i), "arm", arm, arms)
    for key in ("session", "baseline"):
        yield from check_session(raw, (*path, key), association, key)
    for i, label in repeats:
        phase = entries(raw, "sessions").get(label, {}).get("phase")
        key = "baseline" if phase == "baseline" else "session"
        yield from check_session(raw, (*path, "sessions", i), {**association, key: label}, key)


def _check_crossover(raw: Raw, path: Path, association: Raw) -> Iterator[Finding]:
    yield from check_no_sessions(path, association)
    for key, what, expected in (
        (
            "groups",
            "a crossover has no arms",
            "no key 'groups'; all participants who received both treatments count",
        ),
        (
            "sessions",
            "'sessions' has no meaning in a crossover: the treatment says the session",
            "'treatments' with two names or more",
        ),
    ):
        if association.get(key):
            yield Finding(
                path=(*path, key), what=what, found=shown(association[key]), expected=expected
            )
    repeats = list(listed(association.get("treatments")))
    if association.get("contrast") is None and not repeats:
        yield Finding(
            path=path,
            what="an association in a crossover needs the key 'contrast'",
            expected="two treatments, whose difference per person goes with that of the score; "
            "or 'treatments' with two or more",
        )
    yield from repeated((*path, "contrast"), association.get("contrast"), "name")
    yield from check_together(raw, path, association)
    for i, treatment in repeats:
        known = mapping(raw.get("treatments"))
        yield from unknown((*path, "treatments", i), "treatment", treatment, known)
    yield from _check_repeats_together(raw, path, association)


def _check_repeats_together(raw: Raw, path: Path, association: Raw) -> Iterator[Finding]:
    """Check that everyone who counts can have pairs under two of the treatments or more."""
    names = dict.fromkeys(name for _, name in listed(association.get("treatments")))
    known = [name for name in names if name in mapping(raw.get("treatments"))]
    orders = [
        {item for _, item in listed(sequence.get("treatments"))}
        for sequence in entries(mapping(raw.get("design")), "sequences").values()
    ]
    pairs = [
        pair for pair in combinations(known, 2) if any(set(pair) <= order for order in orders)
    ]
    alone = [name for name in known if not any(name in pair for pair in pairs)]
    if orders and alone and len(known) >= _FEWEST:
        yield Finding(
            path=(*path, "treatments"),
            what="no sequence holds this treatment with another of them, so nobody's pairs vary "
            "with it",
            found=shown(alone),
            expected="treatments that share a sequence",
        )
    told = (
        finding
        for pair in pairs
        for finding in check_together(raw, path, {**association, "contrast": list(pair)})
    )
    yield from dict.fromkeys(told)


def _check_repeated(path: Path, association: Raw) -> Iterator[Finding]:
    """Check what is asked of pairs of one person."""
    keys = [key for key in ("sessions", "treatments") if association.get(key)]
    if association.get("session_means") is True and not keys:
        yield Finding(
            path=(*path, "session_means"),
            what="'session_means' is for an association of several sessions",
            found="true",
            expected="'sessions' (parallel) or 'treatments' (crossover) with two or more",
        )
    for key in keys:
        names = list(listed(association.get(key)))
        yield from repeated((*path, key), association.get(key), key[:-1])
        if len(names) < _FEWEST:
            yield Finding(
                path=(*path, key),
                what=f"one {key[:-1]} holds one pair of each person, and nothing varies within",
                found=shown(association[key]),
                expected="two or more",
            )
        for other in ("session", "baseline", "contrast", "prediction"):
            if association.get(other) is not None:
                yield Finding(
                    path=(*path, other),
                    what=f"'{other}' is not for an association of several {key}",
                    found=shown(association[other]),
                    expected=f"'{other}' or '{key}', not both",
                )


def _check_prediction(raw: Raw, path: Path, association: Raw) -> Iterator[Finding]:
    asked = asked_of(raw, association)
    prediction = mapping(association.get("prediction"))
    if prediction.get("model") == "ols" and asked not in {None, "one number"}:
        yield Finding(
            path=(*path, "prediction", "model"),
            what=f"least squares predicts from one number, and the association asks of {asked}",
            found="ols",
            expected=one_of(("ridge", "'where: {mean_of: REGION}'")),
        )
