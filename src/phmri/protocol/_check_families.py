"""What a family needs of the questions that belong to it."""

from collections.abc import Iterator

from phmri.protocol._check_estimator import refitted
from phmri.protocol._check_gates import GATES, check_gate
from phmri.protocol._check_inference import settings_of
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._inference import SHUFFLED, with_defaults
from phmri.protocol._raw import Raw, entries, mapping, text

__all__ = ["check_families"]

_MAY_DIFFER = ("confidence", "min_coverage", "fdr")
"""Settings of inference that leave the maxima of a question comparable with those of another."""


def check_families(raw: Raw) -> Iterator[Finding]:
    """Check that declared families have questions, and that these can share a maximum.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    asking = {**entries(raw, "questions"), **entries(raw, "associations")}
    families = [text(entry.get("family")) for entry in asking.values()]
    named = tuple(dict.fromkeys(family for family in families if family is not None))
    for name, family in entries(raw, "families").items():
        members = {label: entry for label, entry in asking.items() if entry.get("family") == name}
        path = ("families", name)
        if not members:
            instead = f"; questions name {one_of(named, name)}" if named else ""
            yield Finding(
                path=path,
                what="no question belongs to this family",
                found=name,
                expected=f"'family: {name}' in a question" + instead,
            )
        elif len(members) == 1 and text(family.get("correction")) in {*GATES, "joint_maximum"}:
            yield Finding(
                path=(*path, "correction"),
                what=f"'{family['correction']}' is over several questions",
                found=f"one, {next(iter(members))}",
                expected="'family' of the same name in at least 2 questions, or "
                "'correction: none'",
            )
        elif family.get("correction") == "joint_maximum":
            yield from _check_joint_maximum(raw, (*path, "correction"), members)
        yield from check_gate(raw, path, members)
    yield from _check_strays(raw, asking)


def _check_strays(raw: Raw, asking: dict[str, Raw]) -> Iterator[Finding]:
    """Check that no question missed a family that is corrected, by a slip of the pen."""
    declared = entries(raw, "families")
    shared = [name for name, own in declared.items() if own.get("correction", "none") != "none"]
    families = {label: text(entry.get("family")) for label, entry in asking.items()}
    for label, family in families.items():
        alone = list(families.values()).count(family) == 1
        if shared and family is not None and alone and family not in declared:
            section = "questions" if label in mapping(raw.get("questions")) else "associations"
            yield Finding(
                path=(section, label, "family"),
                what="no other question belongs to this family, and it is not declared",
                found=family,
                expected=f"{one_of(shared, family)}, or '{family}' in 'families'",
            )


def _check_joint_maximum(raw: Raw, path: Path, members: dict[str, Raw]) -> Iterator[Finding]:
    settings = {name: settings_of(raw, question) for name, question in members.items()}
    for name, own in settings.items():
        yield from _check_member(raw, path, name, own)
    compared = {
        "estimator": [question.get("estimator") for question in members.values()],
        "alternative": [question.get("alternative", "two-sided") for question in members.values()],
    }
    for key in with_defaults({}):
        if key not in _MAY_DIFFER:
            compared[key] = [own[key] for own in settings.values()]
    for key, values in compared.items():
        if any(value != values[0] for value in values):
            told = (f"{name} {shown(value)}" for name, value in zip(members, values, strict=True))
            yield Finding(
                path=path,
                what=f"a joint maximum needs the same '{key}' in every question of the family",
                found=", ".join(told),
                expected="one value",
            )


def _check_member(raw: Raw, path: Path, name: str, settings: Raw) -> Iterator[Finding]:
    """Check that a question makes every shuffling, and that its p-values count them."""
    question = entries(raw, "questions").get(name)
    without = None
    if question is None:
        without = f"the association {name}, in which scores change places"
    elif refitted(question) is not None:
        without = refitted(question)
    elif settings["method"] not in SHUFFLED:
        without = f"method {shown(settings['method'])}"
    if without is not None:
        yield Finding(
            path=path,
            what=f"a joint maximum comes from shuffling, and '{name}' is answered without",
            found=without,
            expected=f"as 'method' {one_of(SHUFFLED)}, or as 'correction' {one_of(GATES)}",
        )
        return
    for key in ("tail", "stop_after"):
        if settings[key] not in (None, with_defaults({})[key]):
            yield Finding(
                path=path,
                what=f"a joint maximum counts the same shufflings for all, without '{key}'",
                found=f"{key} {shown(settings[key])} for {name}",
                expected=f"no key '{key}', or 'correction: none'",
            )
