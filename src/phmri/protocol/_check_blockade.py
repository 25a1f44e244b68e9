"""What a question on blockade or persistence needs beside its contrast."""

from collections.abc import Iterator

from phmri.protocol._check_when import check_session
from phmri.protocol._finding import Finding, Path, shown
from phmri.protocol._questions import Blockade
from phmri.protocol._raw import Raw, entries, listed, mapping, number, text, unknown

__all__ = ["check_blockade", "check_persistence"]

_NAMED = ("reference", "reference_drug", "pretreated_reference")


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
    # A record written out by Python names every key; a person's empty one is a forgotten number.
    by_hand = not set(Blockade.model_fields) <= set(blockade)
    if by_hand and "margin" in blockade and blockade["margin"] is None:
        yield Finding(
            path=(*path, "blockade", "margin"),
            what="the margin has no number",
            found=shown(None),
            expected="a number above 0, or no key 'margin'",
        )
    design = mapping(raw.get("design"))
    parallel = design.get("kind") == "parallel"
    known = mapping(design.get("arms")) if parallel else mapping(raw.get("treatments"))
    compared = {name: "contrast" for _, name in listed(question.get("contrast"))}
    for key in _NAMED:
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
    if blockade.get("reference_drug") is not None:
        yield from _check_two_experiments(raw, path, question, blockade)
    elif not parallel and set(compared) <= set(known):
        yield from _check_one_sequence(design, path, compared)


def _orders(design: Raw) -> list[set[str]]:
    """List the treatments of each sequence."""
    return [
        {item for _, item in listed(sequence.get("treatments"))}
        for sequence in entries(design, "sequences").values()
    ]


def _check_one_sequence(design: Raw, path: Path, compared: dict[str, str]) -> Iterator[Finding]:
    orders = _orders(design)
    contrast = {name for name, key in compared.items() if key == "contrast"}
    if not any(contrast <= order for order in orders):
        return  # the contrast says so already
    if not any(set(compared) <= order for order in orders):
        yield Finding(
            path=(*path, "blockade"),
            what="no sequence holds all these treatments, so nobody tells them apart",
            found=shown(list(compared)),
            expected="treatments of one sequence; or 'reference_drug', the drug alone as it was "
            "compared with the reference in other people",
        )


def _check_two_experiments(
    raw: Raw, path: Path, question: Raw, blockade: Raw
) -> Iterator[Finding]:
    """Check that drug and reference stand in one sequence, and the contrast in others."""
    here = (*path, "blockade", "reference_drug")
    drug, reference = text(blockade.get("reference_drug")), text(blockade.get("reference"))
    design = mapping(raw.get("design"))
    if design.get("kind") == "parallel":
        yield Finding(
            path=here,
            what="all arms of a parallel trial are compared with one reference",
            found=shown(drug),
            expected="no key 'reference_drug'",
        )
        return
    if blockade.get("pretreated_reference") is not None:
        yield Finding(
            path=here,
            what="with the pretreatment alone what remains is measured by itself",
            found="reference_drug and pretreated_reference",
            expected="one of them",
        )
    if question.get("estimator") != "mixed":
        yield Finding(
            path=(*path, "estimator"),
            what="two experiments stand in one model only with all their sequences",
            found=shown(question.get("estimator")),
            expected="estimator mixed",
        )
    orders = _orders(design)
    pair = {drug, reference}
    contrast = {name for _, name in listed(question.get("contrast"))}
    if pair <= set(mapping(raw.get("treatments"))) and not any(pair <= order for order in orders):
        yield Finding(
            path=here,
            what="no sequence holds this treatment and the reference, so nobody tells them apart",
            found=shown([drug, reference]),
            expected="two treatments of one sequence",
        )
    if any(contrast | {reference} <= order for order in orders):
        yield Finding(
            path=here,
            what="a sequence holds contrast and reference, so that no other people are needed",
            found=shown(drug),
            expected="no key 'reference_drug'",
        )
    first = next((name for _, name in listed(question.get("contrast"))), None)
    yield from _check_same_drugs(raw, here, drug, first)


def _check_same_drugs(
    raw: Raw, here: Path, drug: str | None, first: str | None
) -> Iterator[Finding]:
    """Check that the drug alone is the same one in both experiments."""
    treatments = entries(raw, "treatments")
    if drug not in treatments or first not in treatments:
        return
    given, again = (_drugs_of(treatments[name]) for name in (drug, first))
    if given - again:
        yield Finding(
            path=here,
            what=f"'{first}', the drug alone of the contrast, gives other drugs",
            found=shown(sorted(again)),
            expected=shown(sorted(given)),
        )


def _drugs_of(treatment: Raw) -> set[str]:
    doses = treatment.get("doses")
    drugs = (
        text(mapping(dose).get("drug")) for dose in (doses if isinstance(doses, list) else ())
    )
    return {drug for drug in drugs if drug is not None}


def check_persistence(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the early session is an earlier one of a parallel trial.

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
    yield from _check_earlier(raw, (*here, "early"), persistence, question)


def _check_earlier(raw: Raw, path: Path, persistence: Raw, question: Raw) -> Iterator[Finding]:
    """Check that the early session comes before the one whose effect is asked about."""
    sessions = entries(raw, "sessions")
    early, late = text(persistence.get("early")), text(question.get("session"))
    if early not in sessions or late not in sessions or early == late:
        return
    first, second = sessions[early], sessions[late]
    phases = text(first.get("phase")), text(second.get("phase"))
    if not set(phases) <= {"acute", "sustained"}:
        return  # the session of another phase is refused for that
    hours = number(first.get("hours_after")), number(second.get("hours_after"))
    order = list(sessions)
    if phases[0] != phases[1]:
        why, before = "acute comes before sustained", phases[0] == "acute"
    elif hours[0] is not None and hours[1] is not None and hours[0] != hours[1]:
        why, before = "by their 'hours_after'", hours[0] < hours[1]
    else:
        why, before = "by the order of 'sessions'", order.index(early) < order.index(late)
    if not before:
        yield Finding(
            path=path,
            what=f"the early session comes after the one whose effect is asked about ({why})",
            found=early,
            expected=f"a session before {late}",
        )
