import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.exceptions import SignalsError
from phmri.signals import cardiac_phase, respiratory_phase, retroicor
from tests.unit.signals.physiology.simulated import HZ, breathing_wave


def test_cardiac_phase_is_linear_between_beats():
    phase = cardiac_phase(np.array([1.0, 1.25, 1.5, 2.0, 3.5]), np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(phase, 2 * np.pi * np.array([0, 0.25, 0.5, 0, 0.75]))


def test_the_nearest_interval_goes_on_beyond_the_beats():
    phase = cardiac_phase(np.array([-0.25, 5.0, 7.5]), np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(phase, 2 * np.pi * np.array([0.75, 0.5, 0.75]))
    with pytest.raises(SignalsError, match="two beats"):
        cardiac_phase(np.array([1.0]), np.array([1.0]))


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.floats(0.3, 2.0), min_size=2, max_size=30),
    times=st.lists(st.floats(-50, 100), min_size=1, max_size=20),
    shift=st.integers(-40, 40),
)
def test_phases_are_in_range_and_move_with_time(steps, times, shift):
    beats, at = np.cumsum(steps), np.array(times)
    phase = cardiac_phase(at, beats)
    assert (phase >= 0).all()
    assert (phase < 2 * np.pi).all()
    moved = cardiac_phase(at + shift, beats + shift)
    np.testing.assert_allclose(np.exp(1j * moved), np.exp(1j * phase), atol=1e-8)


def test_respiratory_phase_of_a_regular_breath():
    """For a cosine the equalised amplitude is its own phase: pi while in, minus pi while out."""
    times = np.arange(12_000) / HZ
    phase = respiratory_phase(times, np.cos(2 * np.pi * 0.25 * times), HZ)
    inner = (times > 20) & (times < 220)
    turn = (times * 0.25) % 1.0
    expected = np.where(turn < 0.5, -np.pi * (1 - 2 * turn), np.pi * (2 * turn - 1))
    away = np.abs(turn - 0.5) < 0.45
    np.testing.assert_allclose(phase[inner & away], expected[inner & away], atol=0.2)


def test_respiratory_phase_is_in_range_and_moves_with_time():
    wave, _ = breathing_wave(noise=0.1)
    times = np.linspace(-3.0, 245.0, 100)
    phase = respiratory_phase(times, wave, HZ)
    assert (np.abs(phase) <= np.pi).all()
    np.testing.assert_array_equal(respiratory_phase(times + 9, wave, HZ, start_s=9.0), phase)
    np.testing.assert_allclose(respiratory_phase(times, 3 * wave + 5, HZ), phase, atol=0.05)


def test_deeper_breaths_reach_further():
    wave, _ = breathing_wave()
    times = np.arange(wave.size) / HZ
    phase = np.abs(respiratory_phase(times, wave, HZ))
    deep = (times > 5) & (times < 25)
    shallow = (times > 35) & (times < 55)
    assert np.percentile(phase[deep], 98) > np.percentile(phase[shallow], 98) + 0.2


def test_columns_are_fourier_series_of_the_phases():
    rng = np.random.default_rng(0)
    c, r = rng.uniform(0, 6, 50), rng.uniform(-3, 3, 50)
    X, names = retroicor(c, r, cardiac_order=2, respiratory_order=1, interaction_order=1)
    assert X.shape == (50, len(names)) == (50, 10)
    column = dict(zip(names, X.T, strict=True))
    np.testing.assert_allclose(column["cardiac_sin2"], np.sin(2 * c))
    np.testing.assert_allclose(column["respiratory_cos1"], np.cos(r))
    np.testing.assert_allclose(column["cardiac_minus_respiratory_sin1"], np.sin(c - r))
    assert retroicor(None, r)[0].shape == (50, 8)
    assert retroicor(c, None)[0].shape == (50, 6)
    with pytest.raises(SignalsError, match="negative"):
        retroicor(c, r, cardiac_order=-1)


def test_it_takes_out_what_is_locked_to_the_phase():
    rng = np.random.default_rng(1)
    beats = np.cumsum(0.9 + 0.05 * rng.standard_normal(400))
    times = np.arange(150) * 2.0 + 1.0
    turn = np.searchsorted(beats, times) - 1
    since = (times - beats[turn]) / (beats[turn + 1] - beats[turn])
    y = 3 * np.exp(2 * np.cos(2 * np.pi * since))
    X, _ = retroicor(cardiac_phase(times, beats), None)
    design = np.column_stack([np.ones(150), X])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert left.var() < 0.02 * y.var()
