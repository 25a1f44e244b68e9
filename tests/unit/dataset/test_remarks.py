"""What may be a slip: it is told, and nothing stops at it."""

import pytest

from phmri.dataset import check_dataset, index_dataset
from phmri.protocol import Protocol

KETAMINE = {"drug": "ketamine", "route": "oral", "amount": 1, "unit": "mg", "start_min": 0}
LAMOTRIGINE = {**KETAMINE, "drug": "lamotrigine", "start_min": -120}
TREATMENTS = {
    "placebo": {},
    "ketamine": {"doses": [KETAMINE]},
    "both": {"doses": [LAMOTRIGINE, KETAMINE]},
    "lamotrigine": {"doses": [LAMOTRIGINE]},
}


def remarks(trial, parallel, contrast, treatments=TREATMENTS, **blockade):
    arms = {name: {"treatment": name} for name in TREATMENTS}
    question = {**parallel["questions"]["acute"], "contrast": contrast}
    if blockade:
        question["blockade"] = blockade
    document = {
        **parallel,
        "drugs": {"ketamine": {}, "lamotrigine": {}},
        "treatments": treatments,
        "design": {**parallel["design"], "arms": arms},
        "questions": {"acute": question},
    }
    found = check_dataset(Protocol.model_validate(document), index_dataset(trial.root))
    assert found.problems == ()
    return found.remarks


def test_pretreated_drug_first_in_a_blockade_may_be_a_slip(trial, parallel) -> None:
    (remark,) = remarks(trial, parallel, ["both", "ketamine"], reference="placebo")
    assert remark.field == "questions.acute.contrast"
    assert "lamotrigine beside all drugs of its second" in remark.what
    assert (remark.found, remark.expected) == ("both, ketamine", "ketamine, both")


@pytest.mark.parametrize(
    ("contrast", "blockade"),
    [
        (["ketamine", "both"], {"reference": "placebo"}),
        (["ketamine", "lamotrigine"], {"reference": "placebo"}),
        (["both", "ketamine"], {}),
    ],
    ids=["drug first", "other drugs", "no blockade"],
)
def test_other_contrasts_need_no_remark(trial, parallel, contrast, blockade) -> None:
    assert remarks(trial, parallel, contrast, **blockade) == ()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            {"amount": 1000},
            ("oral doses of ketamine are more than 10-fold apart", "1000 mg"),
        ),
        ({"unit": "mg/kg"}, ("oral doses of ketamine are planned in different units", "1 mg/kg")),
        ({"amount": 9}, ()),
        ({"route": "intranasal", "amount": 40}, ()),
    ],
    ids=["a factor of 1000", "per kilogram", "a dose-finding trial", "another route"],
)
def test_doses_that_hardly_belong_together_may_be_a_slip(trial, parallel, other, words) -> None:
    treatments = {**TREATMENTS, "both": {"doses": [LAMOTRIGINE, {**KETAMINE, **other}]}}
    found = remarks(trial, parallel, ["ketamine", "placebo"], treatments=treatments)
    assert len(found) == bool(words)
    for remark in found:
        assert words[0] == remark.what
        assert words[1] in remark.found
