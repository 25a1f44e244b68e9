"""Reliabilities, and scales compared by their order: every contradiction is told in words."""

import copy

import pytest

from phmri.protocol import Protocol, inference_of
from phmri.protocol._finding import listing
from phmri.protocol._references import check_references

SPACE = "MNI152NLin6Asym"
BASE = {
    "phmri": 1,
    "name": "demo",
    "title": "A trial",
    "drugs": {},
    "treatments": {"placebo": {}, "ketamine": {}, "unused": {}},
    "design": {
        "kind": "parallel",
        "arms": {"placebo": {"treatment": "placebo"}, "ketamine": {"treatment": "ketamine"}},
    },
    "sessions": {
        "pre": {"phase": "baseline"},
        "infusion": {"phase": "acute"},
        "day": {"phase": "sustained", "hours_after": 24},
    },
    "scans": {"rest": {"task": "rest", "sessions": ["pre", "infusion"]}},
    "scales": {
        "total": {
            "columns": ["a", "b"],
            "subscales": {"low": ["a"]},
            "minimum": 0,
            "maximum": 92,
            "item_minimum": 0,
            "item_maximum": 46,
        }
    },
    "space": SPACE,
    "regions": {
        "seed": {"kind": "sphere", "center_mm": [0, 50, 2], "radius_mm": 6, "space": SPACE}
    },
    "denoising": {"plain": {"strategy": "6motion"}},
    "measures": {
        "map": {"kind": "seed_to_voxel", "scan": "rest", "seed": "seed", "denoising": "plain"}
    },
    "questions": {
        "felt": {
            "text": "Do they feel it?",
            "role": "primary",
            "measure": "total",
            "contrast": ["ketamine", "placebo"],
            "session": "infusion",
            "estimator": "rank",
        }
    },
    "reliability": {
        "retest": {
            "text": "How reliable is it?",
            "measure": "map",
            "sessions": ["pre", "infusion"],
            "groups": ["placebo"],
        },
        "felt": {"text": "And the score?", "measure": "total", "treatment": "placebo"},
    },
}
CROSSOVER = {
    "design": {
        "kind": "crossover",
        "sequences": {
            "one": {"treatments": ["placebo", "ketamine"]},
            "two": {"treatments": ["ketamine", "placebo"]},
        },
    },
    "sessions": {f"p{k}": {"phase": "acute", "period": k} for k in (1, 2)},
    "scans": {"rest": {"task": "rest"}},
}
TWICE = "'sessions' with two labels or more, or 'treatment'"

CASES = {
    "order of a map": (
        {"questions.felt.measure": "map", "questions.felt.inference": {"method": "holm"}},
        (
            "questions.felt.estimator: this estimator compares scores of a scale, "
            "and the question "
            "asks of a measure; found rank; expected one of ancova, change, post, with ranks as "
            "'statistic: rank' of 'inference'"
        ),
    ),
    "order without a session": (
        {"questions.felt.session": None},
        (
            "questions.felt: the estimator 'rank' needs the key 'session'; "
            "expected 'session' with "
            "the label of a session"
        ),
    ),
    "order of a blockade": (
        {
            "questions.felt.estimator": "ordinal",
            "questions.felt.blockade": {"reference": "third"},
            "design.arms.third": {"treatment": "unused"},
        },
        (
            "questions.felt.blockade: an attenuation is a ratio of differences, "
            "and this estimator "
            "has none; found estimator ordinal; expected 'estimator' one of ancova, change, post, "
            "mixed, mmrm, clda"
        ),
    ),
    "order that lasts": (
        {"questions.felt.persistence": {"early": "infusion"}, "questions.felt.session": "day"},
        (
            "questions.felt.persistence: both sessions need to be in one model; "
            "found estimator rank; "
            "expected estimator mixed, mmrm or clda"
        ),
    ),
    "errors of an order": (
        {"questions.felt.errors": "hc3"},
        (
            "questions.felt.errors: the estimator 'rank' has no such standard errors; found hc3; "
            "expected model, or as 'estimator' one of ancova, change, post"
        ),
    ),
    "order by shuffling": (
        {"questions.felt.inference": {"method": "voxel"}},
        (
            "questions.felt.inference.method: no maximum under shuffling or random field is known "
            "with estimator rank; found voxel; expected one of fdr, holm"
        ),
    ),
    "reliability of nothing": (
        {"reliability.retest.measure": "mp"},
        (
            "reliability.retest.measure: this measure is not declared; found mp; "
            "expected one of map, "
            "total (did you mean map?)"
        ),
    ),
    "neither sessions nor treatment": (
        {"reliability.retest.sessions": []},
        (
            "reliability.retest: a reliability is over sessions, or over all sessions under one "
            f"treatment; found neither; expected {TWICE}"
        ),
    ),
    "sessions and treatment": (
        {"reliability.retest.treatment": "placebo"},
        (
            "reliability.retest: a reliability is over sessions, or over all sessions under one "
            f"treatment; found both; expected {TWICE}"
        ),
    ),
    "one session": (
        {"reliability.retest.sessions": ["pre"]},
        (
            "reliability.retest.sessions: one session repeats nothing; found [pre]; expected two "
            "labels or more"
        ),
    ),
    "session twice": (
        {"reliability.retest.sessions": ["pre", "pre"]},
        "reliability.retest.sessions[1]: this session is listed twice; found pre; expected once",
    ),
    "session unknown": (
        {"reliability.retest.sessions": ["pre", "infuson"]},
        (
            "reliability.retest.sessions[1]: this session is not declared; found "
            "infuson; expected "
            "one of pre, infusion, day (did you mean infusion?)"
        ),
    ),
    "session without a scan": (
        {"reliability.retest.sessions": ["pre", "day"]},
        (
            "reliability.retest.sessions[1]: the scan 'rest' of this measure is not acquired in "
            "session day; found day; expected one of pre, infusion"
        ),
    ),
    "treatment of nobody": (
        {"reliability.felt.treatment": "unused"},
        (
            "reliability.felt.treatment: nobody is planned to have two sessions "
            "under this treatment; "
            "found unused; expected a treatment that is repeated, or 'sessions'"
        ),
    ),
    "arm unknown": (
        {"reliability.retest.groups": ["plcebo"]},
        (
            "reliability.retest.groups[0]: this arm is not declared; found plcebo; "
            "expected one of "
            "placebo, ketamine (did you mean placebo?)"
        ),
    ),
    "subscale unknown": (
        {"reliability.felt.map": "high"},
        "reliability.felt.map: the scale has no such subscale; found high; expected low",
    ),
    "map unknown": (
        {"reliability.retest.map": "bin01"},
        (
            "reliability.retest.map: the measure has no such further map; found "
            "bin01; expected no "
            "key 'map'"
        ),
    ),
    "names alike": (
        {"reliability.re_test": BASE["reliability"]["retest"]},
        (
            "reliability.re_test: this name and 'retest' become the same in file names; found "
            "re_test; expected names that differ in more than underscores and capitals"
        ),
    ),
}


def changed(changes):
    document = copy.deepcopy(BASE)
    for place, value in changes.items():
        *parents, last = place.split(".")
        section = document
        for parent in parents:
            section = section[parent]
        section[last] = copy.deepcopy(value)
    return document


def test_the_base_is_a_protocol():
    assert check_references(BASE) == ()
    protocol = Protocol.model_validate(BASE)
    assert protocol.reliability["retest"].kind == "agreement"
    assert inference_of(protocol, "felt").method == "holm"


@pytest.mark.parametrize("name", CASES)
def test_a_contradiction_is_told_once(name):
    changes, says = CASES[name]
    (finding,) = check_references(changed(changes))
    assert says in listing([finding])


def test_crossovers_have_no_arms_and_no_orders_of_scores():
    document = changed({**CROSSOVER, "reliability.retest.sessions": ["p1", "p2"]})
    document["questions"]["felt"].pop("session")
    words = " ".join(str(finding) for finding in check_references(document))
    assert "this estimator needs a parallel design" in words
    assert "a crossover has no arms" in words
    assert "nobody is planned to have two sessions under this treatment" in words
    assert len(check_references(document)) == 3
