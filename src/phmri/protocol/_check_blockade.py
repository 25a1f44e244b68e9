"""What a question on blockade or persistence needs beside its contrast."""

from collections.abc import Iterator

from phmri.protocol._check_when import check_session
from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._raw import Raw, entries, listed, mapping, text, unknown

__all__ = ["check_blockade", "check_persistence"]

_REFERENCES = ("reference", "pretreated_reference")


def check_blockade(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the references are declared, differ, and are compared in the same people.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        Each contradiction.
    """
    blockade = mapping(question.get("blockade"))
    if not blockade:
        return
    design = mapping(raw.get("design"))
    parallel = design.get("kind") == "parallel"
    known = mapping(design.get("arms")) if parallel else mapping(raw.get("treatments"))
    compared = {name: "contrast" for _, name in listed(question.get("contrast"))}
    for key in _REFERENCES:
        name, here = text(blockade.get(key)), (*path, "blockade", key)
        yield from unknown(here, "arm" if parallel else "treatment", name, known)
        if name is None:
            continue
        if name in compared:
            yield Finding(
                path=here,
                what=f"'{compared[name]}' names this already; a blockade compares different ones",
                found=name,
                expected="contrast [drug, pretreated drug], and a reference beside them",
            )
        compared.setdefault(name, key)
    if not parallel and set(compared) <= set(known):
        yield from _check_one_sequence(design, path, compared)


def _check_one_sequence(design: Raw, path: Path, compared: dict[str, str]) -> Iterator[Finding]:
    orders = [
        {item for _, item in listed(sequence.get("treatments"))}
        for sequence in entries(design, "sequences").values()
    ]
    contrast = {name for name, key in compared.items() if key == "contrast"}
    if not any(contrast <= order for order in orders):
        return  # the contrast says so already
    if not any(set(compared) <= order for order in orders):
        yield Finding(
            path=(*path, "blockade"),
            what="no sequence holds all these treatments, so nobody tells them apart",
            found=shown(list(compared)),
            expected="treatments of one sequence",
        )


def check_persistence(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the early session is another one of a parallel trial.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        Each contradiction.
    """
    persistence = mapping(question.get("persistence"))
    if not persistence:
        return
    here = (*path, "persistence")
    if mapping(raw.get("design")).get("kind") == "crossover":
        yield Finding(
            path=here,
            what="a crossover question has no sessions of which one could be the early one",
            found=shown(persistence),
            expected="no key 'persistence'",
        )
        return
    if question.get("blockade") is not None:
        yield Finding(
            path=here,
            what="a question is about blockade or about persistence",
            found="both",
            expected="two questions",
        )
    estimator = text(question.get("estimator"))
    if estimator in {"ancova", "change", "post", "rank", "ordinal"}:
        yield Finding(
            path=here,
            what="both sessions need to be in one model",
            found=f"estimator {estimator}",
            expected="estimator mixed, mmrm or clda",
        )
    yield from check_session(raw, (*here, "early"), question, "early")
    if persistence.get("early") is not None and persistence["early"] == question.get("session"):
        yield Finding(
            path=(*here, "early"),
            what="the early session is the one whose effect is asked about",
            found=shown(persistence["early"]),
            expected="another session than 'session'",
        )
