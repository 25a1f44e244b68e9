"""What a question needs of the other sections, and of the design."""

from collections.abc import Iterator

from phmri.protocol._check_blockade import check_blockade, check_persistence
from phmri.protocol._check_estimator import (
    check_errors,
    check_estimator,
    check_estimator_sessions,
)
from phmri.protocol._check_inference import asked_of
from phmri.protocol._check_when import (
    check_no_sessions,
    check_period_baseline,
    check_session,
    check_together,
)
from phmri.protocol._check_where import check_map, check_where
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import (
    Raw,
    entries,
    held_by_design,
    listed,
    mapping,
    measure_of,
    repeated,
    scale_of,
    text,
    unknown,
)

__all__ = ["check_of_scale", "check_questions"]


def check_questions(raw: Raw) -> Iterator[Finding]:
    """Check every question against measures, scales, design, sessions and regions.

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
    outcomes = [*mapping(raw.get("measures")), *mapping(raw.get("scales"))]
    for name, question in questions.items():
        path = ("questions", name)
        yield from unknown((*path, "measure"), "measure", question.get("measure"), outcomes)
        for key, entry in (
            ("contrast", "name"),
            ("covariates", "covariate"),
            ("populations", "population"),
        ):
            yield from repeated((*path, key), question.get(key), entry)
        yield from held_by_design(raw, (*path, "covariates"), question.get("covariates"))
        for i, population in listed(question.get("populations")):
            known = mapping(raw.get("populations"))
            yield from unknown((*path, "populations", i), "population", population, known)
        yield from _check_compared(raw, path, question)
        yield from _check_outcome(raw, path, question)


def _check_compared(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    yield from check_estimator(raw, path, question)
    yield from check_errors(path, question)
    kind = mapping(raw.get("design")).get("kind")
    if kind == "parallel":
        yield from _check_arms(raw, path, question)
        yield from check_estimator_sessions(raw, path, question)
        for key in ("session", "baseline"):
            yield from check_session(raw, (*path, key), question, key)
    elif kind == "crossover":
        yield from check_no_sessions(path, question)
        yield from check_together(raw, path, question)
    yield from check_period_baseline(raw, path, question)
    yield from check_blockade(raw, path, question)
    yield from check_persistence(raw, path, question)


def _check_arms(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    arms = entries(mapping(raw.get("design")), "arms")
    contrast = list(listed(question.get("contrast")))
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


def _check_outcome(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check what the question asks of within its measure or its scale."""
    asked, scale = asked_of(raw, question), scale_of(raw, question)
    kind = mapping(raw.get("design")).get("kind")
    of_periods = kind == "crossover" and question.get("period_baseline") is True
    mixed = question.get("estimator") == "mixed"
    if of_periods and mixed and asked not in {None, "one number"}:
        yield Finding(
            path=(*path, "estimator"),
            what="this estimator adjusts for one baseline per period, and the question asks of "
            f"{asked}, which have a baseline each",
            found="mixed",
            expected="crossover; or 'where: {mean_of: REGION}'",
        )
    if scale is not None:
        yield from check_of_scale(raw, path, question, scale)
        return
    yield from check_where(raw, path, question)
    yield from check_map(raw, path, question)
    measure = measure_of(raw, question)
    if measure:
        known = [text(measure.get("denoising")) or ""]
        known += [item for _, item in listed(measure.get("sensitivity"))]
        yield from unknown(
            (*path, "denoising"), "denoising of the measure", question.get("denoising"), known
        )


def check_of_scale(raw: Raw, path: Path, question: Raw, scale: str) -> Iterator[Finding]:
    """Check that what is asked of a scale is one of its scores.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        What asks.
    scale : str
        The name of the scale.

    Yields
    ------
    Finding
        Each contradiction.
    """
    subscales = mapping(entries(raw, "scales")[scale].get("subscales"))
    name = text(question.get("map"))
    if name is not None and name.isalnum() and name not in subscales:
        yield Finding(
            path=(*path, "map"),
            what="the scale has no such subscale",
            found=name,
            expected=one_of(subscales, name) if subscales else "no key 'map'",
        )
    place = {key for key, value in mapping(question.get("where")).items() if value is not None}
    for key, given in (("where", place), ("denoising", question.get("denoising"))):
        if given:
            yield Finding(
                path=(*path, key),
                what=f"a scale has no images, and so no '{key}'",
                found=shown(question[key]),
                expected=f"no key '{key}'",
            )
