"""Who can tell how an outcome goes with a score."""

from dataclasses import replace

import pandas as pd

from phmri.dataset import AssociationCheck, Cell, association_cells
from phmri.dataset._associated import check_association
from phmri.protocol import Protocol, treatment_of
from tests.e2e.first_level_trial import base_document, question
from tests.unit.pipeline.test_exposure import cell

PEOPLE = [f"{k:02d}" for k in range(12)]


def crossover() -> Protocol:
    document = base_document()
    document["design"] = {
        "kind": "crossover",
        "sequences": {
            "pk": {"treatments": ["placebo", "ketamine"]},
            "kp": {"treatments": ["ketamine", "placebo"]},
        },
    }
    document["sessions"] = {f"p{k}": {"phase": "acute", "period": k} for k in (1, 2)}
    document["scans"]["rest"]["start_min"] = {"p1": -1.5, "p2": -1.5}
    asked = {**question("bins", role="primary"), "estimator": "crossover"}
    del asked["session"]
    document["questions"] = {"q": asked}
    document["scales"] = {"mood": {"columns": ["joy"], "minimum": 0, "maximum": 9}}
    document["associations"] = {
        "felt": {
            "text": "Felt?",
            "role": "exploratory",
            "measure": "bins",
            "scale": "mood",
            "contrast": ["ketamine", "placebo"],
            "partial": ["age", "mean_fd"],
        }
    }
    return Protocol.model_validate(document)


def cells(protocol: Protocol, scan: str) -> list[Cell]:
    return [
        replace(
            cell(),
            subject=subject,
            session=session,
            scan=scan,
            group=group,
            treatment=treatment_of(protocol, group, session),
        )
        for subject in PEOPLE
        for session in ("p1", "p2")
        for group in ("pk" if int(subject) % 2 else "kp",)
    ]


def check(runs: list[Cell], scores: list[Cell], ages: list[float]) -> AssociationCheck:
    people = pd.DataFrame({"age": ages}, index=PEOPLE)
    return check_association(crossover(), "felt", cells=runs, ratings=scores, participants=people)


def test_roles_are_the_treatments_of_the_contrast() -> None:
    protocol = crossover()
    found = association_cells(protocol, protocol.associations["felt"], cells(protocol, "rest"))
    assert {role: item.session for role, item in found["00"].items()} == {
        "first": "p1",
        "second": "p2",
    }
    assert found["01"]["first"].session == "p2"


def test_who_lacks_a_run_or_a_score_does_not_count() -> None:
    protocol = crossover()
    runs, scores = cells(protocol, "rest"), cells(protocol, "mood")
    runs[0] = replace(runs[0], status="missing", run=None)
    scores[3] = replace(scores[3], status="missing")
    found = check(runs, scores, [30.0] * 12)
    assert found.n_per_group == {"kp": 5, "pk": 5}
    assert (found.answerable, found.reason) == (True, "")
    few = check(runs, scores[:8], [30.0] * 12)
    assert few.n_per_group == {"kp": 1, "pk": 1}
    assert few.reason.startswith("2 of at least 5 participants have both")


def test_who_lacks_what_the_association_is_adjusted_for_is_named() -> None:
    protocol = crossover()
    ages = [30.0] * 8 + [float("nan")] * 4
    found = check(cells(protocol, "rest"), cells(protocol, "mood"), ages)
    assert not found.answerable
    assert found.reason == "without age: sub-08, sub-09, sub-10 and 1 more"
