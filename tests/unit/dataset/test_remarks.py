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


def remarks(trial, parallel, contrast, treatments=TREATMENTS, exclusions=None, **blockade):
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
        "exclusions": exclusions or {},
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


def remarks_on_events(trial, protocol, *rows):
    trial.events().write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")
    found = check_dataset(protocol, index_dataset(trial.root))
    assert found.problems == ()
    assert {cell.status for cell in found.cells} == {"ok"}
    return found.remarks


def test_overlapping_events_of_one_condition_may_be_a_slip(trial, protocol) -> None:
    rows = ["16\t8\ttwo", "0\t16\ttwo", "8\t16\ttwo"]
    (remark,) = remarks_on_events(trial, protocol, *rows)
    assert "overlap" in remark.what
    assert (remark.file, remark.line) == (str(trial.events()), 4)
    assert (remark.subject, remark.session, remark.field) == ("01", "infusion", "onset")
    assert remark.found == ("'two' at 8 s, before the event of line 3 ends at 16 s; 2 such pairs")


def test_events_that_touch_or_differ_need_no_remark(trial, protocol) -> None:
    rows = ["0\t8.1\ttwo", "8\t8\ttwo", "4\t10\tpress", "5\t10\tpress", "18\tn/a\ttwo"]
    assert remarks_on_events(trial, protocol, *rows) == ()


def test_trial_types_that_are_almost_a_condition_may_be_a_slip(trial, parallel) -> None:
    parallel["scans"] = {"memory": {"task": "nback", "conditions": ["two", "0back", "0-back"]}}
    rows = ["0\t4\tTwo", "4\t4\ttwo", "8\t4\tt-wo", "12\t4\tt wo", "16\t4\tTwo"]
    rows += ["18\t2\t0back", "20\t2\t0-back", "22\t2\ttoo"]
    found = remarks_on_events(trial, Protocol.model_validate(parallel), *rows)
    assert {(remark.field, remark.expected) for remark in found} == {("trial_type", "two")}
    assert [(remark.line, remark.found) for remark in found] == [
        (2, "Two in 2 of 8 rows"),
        (4, "t-wo in 1 of 8 rows"),
        (5, "t wo in 1 of 8 rows"),
    ]
    assert "almost the name of a condition" in found[0].what


def test_a_limit_of_censoring_without_censoring_may_be_a_slip(trial, parallel) -> None:
    limit = {"max_censored_fraction": 0.3}
    (remark,) = remarks(trial, parallel, ["ketamine", "placebo"], exclusions=limit)
    assert remark.field == "exclusions.max_censored_fraction"
    censoring = {name: {**item, "censor": {"fd_mm": 0.5}}
                 for name, item in parallel["denoising"].items()}  # fmt: skip
    parallel = {**parallel, "denoising": censoring}
    assert remarks(trial, parallel, ["ketamine", "placebo"], exclusions=limit) == ()
