import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import SimulationError
from phmri.group import JointEstimate
from phmri.group.blockade import VERDICTS, judge_blockade
from phmri.simulation.power import Precision, blockade_power, parallel_precision, t_power

N_TRIALS = 40_000


def judged(drug_effect, attenuation, precision, margin, alternative):
    """Simulate trials and let the verdict's own rules judge them."""
    rng = np.random.default_rng(11)
    means = np.array([0.0, drug_effect, (1 - attenuation) * drug_effect])
    arms = means[:, None] + precision.se / np.sqrt(2) * rng.standard_normal((3, N_TRIALS))
    reference, drug, pretreated = arms
    effect = np.array([drug - reference, pretreated - reference, drug - pretreated])
    shape = precision.se**2 * np.array([[1, 0.5, 0.5], [0.5, 1, -0.5], [0.5, -0.5, 1]])
    ratio = rng.chisquare(precision.df, N_TRIALS) / precision.df
    joint = JointEstimate(
        names=("drug", "pretreated", "difference"),
        effect=effect,
        covariance=ratio[:, None, None] * shape,
        df=np.full(effect.shape, precision.df),
        status=np.zeros(N_TRIALS, np.uint8),
    )
    verdict = judge_blockade(joint, margin=margin, alternative=alternative).verdict
    return {name: float((verdict == i).mean()) for i, name in enumerate(VERDICTS)}


@pytest.mark.parametrize(
    ("attenuation", "df", "se", "margin", "alternative"),
    [
        (1.0, 71.0, 0.20, 0.5, "two-sided"),
        (0.5, 71.0, 0.25, 0.5, "two-sided"),
        (0.0, 20.0, 0.25, 0.6, "greater"),
        (0.3, 4.0, 0.20, 0.9, "two-sided"),
        (0.7, 30.0, 0.25, 1.5, "two-sided"),
        (0.6, 30.0, 0.25, None, "two-sided"),
        (1.2, 12.0, 0.30, 0.8, "less"),
    ],
)
def test_verdicts_by_simulation(attenuation, df, se, margin, alternative):
    effect = -1.0 if alternative == "less" else 1.0
    precision = Precision(se=se, df=df)
    found = blockade_power(effect, attenuation, precision, margin=margin, alternative=alternative)
    share = judged(effect, attenuation, precision, margin, alternative)
    for name in VERDICTS:
        power = getattr(found, name.replace(" ", "_"))
        assert_allclose(share[name], power, atol=4.5 * np.sqrt(0.25 / N_TRIALS), err_msg=name)


def test_half_a_blockade_of_a_large_effect_is_a_medium_effect():
    design = parallel_precision(25, 1.0, n_arms=3, baseline_correlation=0.5)
    found = blockade_power(1.0, 0.5, design)
    assert found.difference == t_power(0.5, design)
    assert found.drug == t_power(1.0, design)
    assert round(found.difference, 2) == 0.52
    assert found.blocked == found.not_blocked == 0
    assert 0.50 < found.partly_blocked < found.difference


def test_a_remaining_effect_of_the_margin_is_seldom_called_blocked():
    for n in (10, 25, 100, 1000):
        design = parallel_precision(n, 1.0, n_arms=3)
        assert blockade_power(1.0, 0.6, design, margin=0.4).blocked <= 0.05 + 1e-9


def test_verdicts_add_up_and_signs_do_not_matter():
    design = parallel_precision(30, 1.0, n_arms=3)
    up, down = (blockade_power(e, 0.9, design, margin=0.5) for e in (1.0, -1.0))
    shares = [up.blocked, up.partly_blocked, up.not_blocked, up.undecided]
    assert_allclose(sum(shares), 1)
    assert min(shares) >= 0
    assert_allclose(up.blocked, down.blocked)
    assert_allclose(up.not_blocked, down.not_blocked)


def test_large_trials_say_what_is_true():
    design = parallel_precision(5000, 1.0, n_arms=3)
    assert blockade_power(1.0, 1.0, design, margin=0.3).blocked > 0.999
    assert blockade_power(1.0, 0.5, design, margin=0.3).partly_blocked > 0.999
    assert blockade_power(1.0, 0.0, design, margin=0.3).not_blocked > 0.999
    assert blockade_power(0.0, 0.0, design, margin=0.3).undecided > 0.94


def test_all_that_is_wrong_is_told():
    design = parallel_precision(10, 1.0)
    with pytest.raises(SimulationError) as caught:
        blockade_power(np.nan, np.inf, design, margin=-1.0, alpha=0.5, correlation=1.0)
    assert [p.field for p in caught.value.problems] == [
        "drug_effect",
        "attenuation",
        "alpha",
        "margin",
        "correlation",
    ]
