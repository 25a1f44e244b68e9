"""What a correction over questions needs: shares of alpha, an order, questions that may share."""

from collections.abc import Iterator

from phmri.protocol._check_inference import asked_of, settings_of
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, number, repeated, text, unknown

__all__ = ["GATES", "check_gate"]

GATES = ("holm", "hochberg", "fixed_sequence", "graph")
"""Corrections that take one p-value per question."""
_KEYS = {"sequence": "fixed_sequence", "weights": "graph", "transitions": "graph"}
_ROUNDING = 1e-6
"""How far shares written as decimals, such as 0.333, may add up beyond 1 by rounding."""


def check_gate(raw: Raw, path: Path, members: dict[str, Raw]) -> Iterator[Finding]:
    """Check shares and order of a family, and that its questions can share an error rate.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the family stands.
    members : dict of str to dict
        Its questions and associations.

    Yields
    ------
    Finding
        Each contradiction.
    """
    family = entries(raw, "families")[str(path[-1])]
    correction = text(family.get("correction", "none"))
    for key, owner in _KEYS.items():
        if family.get(key) and correction != owner:
            yield Finding(
                path=(*path, key),
                what=f"this has no effect with the correction '{correction}'",
                found=shown(family[key]),
                expected=f"'correction: {owner}', or no key '{key}'",
            )
    if correction == "fixed_sequence":
        yield from _check_sequence(path, family, members)
    elif correction == "graph":
        yield from _check_graph(path, family, members)
    if correction in GATES:
        yield from _check_members(raw, (*path, "correction"), members)


def _check_sequence(path: Path, family: Raw, members: dict[str, Raw]) -> Iterator[Finding]:
    here = (*path, "sequence")
    yield from repeated(here, family.get("sequence"), "question")
    order = [name for _, name in listed(family.get("sequence"))]
    for i, name in listed(family.get("sequence")):
        yield from unknown((*here, i), "question of the family", name, members)
    left_out = [name for name in members if name not in order]
    if left_out:
        yield Finding(
            path=here if "sequence" in family else path,
            what="a fixed sequence lists every question of the family",
            found=f"without {', '.join(left_out)}",
            expected="'sequence' with all of them, the first one first",
        )


def _check_graph(path: Path, family: Raw, members: dict[str, Raw]) -> Iterator[Finding]:
    weights, transitions = mapping(family.get("weights")), mapping(family.get("transitions"))
    for name in weights:
        yield from unknown((*path, "weights", name), "question of the family", name, members)
    yield from _check_shares((*path, "weights"), weights, "the shares of alpha add")
    if not any(number(weight) for weight in weights.values()):
        yield Finding(
            path=(*path, "weights") if "weights" in family else path,
            what="without a share of alpha to start from nothing is ever answered",
            found=shown(family.get("weights")),
            expected="'weights', question: share, together 1",
        )
    else:
        yield from _check_reach(path, members, weights, transitions)
    for source, row in transitions.items():
        here = (*path, "transitions", source)
        yield from unknown(here, "question of the family", source, members)
        for target in mapping(row):
            yield from unknown((*here, target), "question of the family", target, members)
        if source in mapping(row):
            yield Finding(
                path=(*here, source),
                what="a question hands its share on to others, not to itself",
                found=source,
                expected="other questions of the family",
            )
        yield from _check_shares(here, mapping(row), f"the shares that '{source}' hands on add")


def _check_reach(
    path: Path, members: dict[str, Raw], weights: Raw, transitions: Raw
) -> Iterator[Finding]:
    """Check that a share of alpha can come to every question."""
    reached: set[str] = set()
    new = {name for name, weight in weights.items() if (number(weight) or 0.0) > 0}
    while new:
        reached |= new
        rows = [mapping(transitions.get(source)) for source in new]
        new = {target for row in rows for target in row if (number(row[target]) or 0.0) > 0}
        new -= reached
    for name in members:
        if name not in reached:
            yield Finding(
                path=(*path, "weights"),
                what=f"no share of alpha can ever come to '{name}', so that it is never answered",
                found="no share to start from, and no question with a share hands one on to it",
                expected=f"'{name}' in 'weights', or in 'transitions' of a question that has or "
                "is handed a share",
            )


def _check_shares(path: Path, shares: Raw, what: str) -> Iterator[Finding]:
    total = sum(number(share) or 0.0 for share in shares.values())
    if total > 1 + _ROUNDING:
        yield Finding(
            path=path,
            what=f"{what} up to more than 1",
            found=f"{total:g}",
            expected="1 together, or less",
        )


def _check_members(raw: Raw, path: Path, members: dict[str, Raw]) -> Iterator[Finding]:
    """Check that every question has one p-value, made at one alpha, and that roles fit."""
    of_role: dict[str, list[str]] = {}
    for name, asking in members.items():
        of_role.setdefault(str(asking.get("role")), []).append(name)
    if "primary" in of_role and "exploratory" in of_role:
        yield Finding(
            path=path,
            what="exploratory questions cannot share an error rate with primary ones",
            found=f"exploratory {', '.join(of_role['exploratory'])}; "
            f"primary {', '.join(of_role['primary'])}",
            expected="another family, or none, for the exploratory ones",
        )
    settings = {name: settings_of(raw, asking) for name, asking in members.items()}
    alphas = {name: own["alpha"] for name, own in settings.items()}
    if len({shown(alpha) for alpha in alphas.values()}) > 1:
        yield Finding(
            path=path,
            what="the questions of a family share one alpha",
            found=", ".join(f"{name} {shown(alpha)}" for name, alpha in alphas.items()),
            expected="one value",
        )
    for name, asking in members.items():
        if settings[name]["method"] == "fdr" and asked_of(raw, asking) != "one number":
            yield Finding(
                path=path,
                what="a family keeps the chance of any false answer at alpha, and the method "
                f"of '{name}' does not",
                found="method fdr",
                expected=f"as 'method' {one_of(('holm', 'voxel'))} or another that does",
            )
