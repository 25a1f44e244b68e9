"""Blocks of simulated trials: what a seed gives, whatever the threads."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import SimulationError
from phmri.simulation.power import Effort, SimulatedPower
from phmri.simulation.power._trials import count_findings


def heads(rng, n):
    return np.array([rng.binomial(n, 0.3), n])


def test_threads_change_nothing_and_keys_do():
    one, four = (
        count_findings(heads, Effort(n_trials=1100, seed=5, n_workers=n), block=100)
        for n in (1, 4)
    )
    assert one == four
    assert one[1].power == 1.0
    other = count_findings(heads, Effort(n_trials=1100, seed=5), block=100, key=(1,))
    assert other[0] != one[0]


def test_every_trial_is_counted_once():
    seen = []
    found = count_findings(
        heads, Effort(n_trials=250), block=100, on_block=lambda done, total: seen.append(done)
    )
    assert found[1].n_found == found[1].n_trials == 250
    assert seen == [100, 200, 250]


def test_interval_is_the_exact_binomial_one():
    # Clopper and Pearson (1934): 10 of 20.
    assert_allclose(SimulatedPower(n_found=10, n_trials=20).interval, (0.2720, 0.7280), atol=5e-5)
    assert SimulatedPower(n_found=0, n_trials=20).interval[0] == 0.0
    assert_allclose(SimulatedPower(n_found=20, n_trials=20).interval, (0.025 ** (1 / 20), 1.0))


def test_all_that_is_too_small_is_told_at_once():
    with pytest.raises(SimulationError) as caught:
        Effort(n_trials=0, seed=-1, n_workers=0, n_permutations=5)
    assert {problem.field for problem in caught.value.problems} == {
        "n_trials",
        "seed",
        "n_workers",
        "n_permutations",
    }
