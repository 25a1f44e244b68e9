import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.missing import (
    adjust_by_delta,
    draw_outcomes,
    find_tipping_points,
    pool_imputations,
)

CONTRAST = np.array([0.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def trial():
    rng = np.random.default_rng(6)
    n = 50
    drug = np.arange(n) % 2.0
    design = np.column_stack([np.ones(n), drug, rng.standard_normal(n)])
    outcome = design @ [0.0, 0.8, 0.6] + 0.7 * rng.standard_normal(n)
    missing = rng.random(n) < 0.2
    outcome[missing] = np.nan
    completed = draw_outcomes(outcome, design, 15, rng)
    return completed, missing & (drug == 1), design


def by_refitting(completed, moved, design, delta):
    effects, variances = [], []
    for outcome in completed + delta * moved:
        beta, squares = np.linalg.lstsq(design, outcome)[:2]
        effects.append([CONTRAST @ beta])
        gram = np.linalg.inv(design.T @ design)
        variances.append([squares[0] / (len(design) - 3) * (CONTRAST @ gram @ CONTRAST)])
    return pool_imputations(np.array(effects), np.array(variances), len(design) - 3.0)


def test_every_shift_is_a_refit(trial):
    deltas = np.array([-2.0, 0.0, 0.3, 5.0])
    found = adjust_by_delta(*trial, CONTRAST, deltas)
    for i, delta in enumerate(deltas):
        expected = by_refitting(*trial, delta)
        for name in ("effect", "se", "df", "pvalue", "within", "between"):
            assert_allclose(getattr(found, name)[i], getattr(expected, name)[0], rtol=1e-9)


def test_the_tipping_point_is_where_p_is_alpha(trial):
    found = find_tipping_points(*trial, CONTRAST, alpha=0.05, limit=20.0)
    assert found.differs
    assert -20 < found.low < 0
    tipped = adjust_by_delta(*trial, CONTRAST, found.low + np.array([-0.01, 0.0, 0.01]))
    assert_allclose(tipped.pvalue[1], 0.05, rtol=1e-9)
    assert tipped.pvalue[0] > 0.05 > tipped.pvalue[2]


def test_within_a_narrow_limit_nothing_changes(trial):
    found = find_tipping_points(*trial, CONTRAST, alpha=0.05, limit=0.01)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_an_answer_that_is_not_there_may_appear(trial):
    completed, moved, design = trial
    effect = adjust_by_delta(*trial, CONTRAST, np.zeros(1)).effect[0]
    null = completed - effect * design[:, 1]
    found = find_tipping_points(null, moved, design, CONTRAST, alpha=0.05, limit=20.0)
    assert not found.differs
    assert 0 < found.high < 20


def test_nothing_missing_tips_nowhere(trial):
    completed, moved, design = trial
    nobody = np.zeros_like(moved)
    found = find_tipping_points(completed, nobody, design, CONTRAST, alpha=0.05, limit=20.0)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_all_that_is_wrong_is_told(trial):
    completed, moved, design = trial
    with pytest.raises(DesignError, match=r"moved: only outcomes that were drawn.*observed among"):
        adjust_by_delta(completed, ~moved, design, CONTRAST, np.zeros(1))
    with pytest.raises(DesignError) as caught:
        find_tipping_points(
            completed[:1], moved, np.ones_like(design), 0 * CONTRAST, alpha=5.0, limit=-1.0
        )
    fields = [p.field for p in caught.value.problems]
    assert fields == ["completed", "design", "contrast", "limit", "alpha"]
    with pytest.raises(DesignError) as caught:
        adjust_by_delta(np.nan * completed, moved, np.nan * design, CONTRAST, np.zeros(1))
    assert [p.field for p in caught.value.problems] == ["completed", "design"]
