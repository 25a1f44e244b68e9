import numpy as np
import pytest

from phmri.group import UnitTable, fit_contrast, make_outcome, make_unit_design
from phmri.inference import Outcomes, make_claim, permute
from phmri.protocol import Inference, Parallel, Question


def notes_of(groups):
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session="s",
        baseline="b",
        estimator="ancova",
    )
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "ABC"})
    design = make_unit_design(question, trial, table)
    outcome, baseline = np.random.default_rng(1).normal(size=(2, len(groups), 1))
    Y = make_outcome(design, {"outcome": outcome, "baseline": baseline})
    settings = Inference(n_permutations=100)
    claim = make_claim(
        "q",
        question,
        design,
        fit_contrast(design, Y, baseline),
        permute(design, Y, baseline, settings),
        outcomes=Outcomes(kind="scalar", unit="u", measure="m", labels=("A", "B")),
        settings=settings,
    )
    return " ".join(claim.notes)


@pytest.mark.parametrize(
    ("groups", "held", "uneven"),
    [
        ("AAAABBBB", False, False),
        ("AAAABBBBBCCCCCCCCC", True, False),
        ("AAAAAABBBB", False, True),
        ("AAAABBBBBBCC", True, True),
    ],
)
def test_a_claim_says_what_unequal_variances_would_do(groups, held, uneven):
    notes = notes_of(groups)
    assert ("where C varies less than the compared arms" in notes) == held
    assert (f"{groups.count('A')} participants of A and" in notes) == uneven
