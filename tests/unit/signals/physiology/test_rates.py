import numpy as np
import pytest

from phmri.exceptions import SignalsError
from phmri.signals import (
    cardiac_response,
    find_breaths,
    heart_rate,
    respiration_response,
    respiratory_volume_per_time,
)
from phmri.signals.physiology._rates import convolve_response
from tests.unit.signals.physiology.simulated import HZ


def test_heart_rate_is_60_over_the_mean_interval_in_the_window():
    beats = np.array([0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 10.0])
    times = np.array([0.5, 3.0, 7.0])
    rate = heart_rate(times, beats)
    np.testing.assert_allclose(rate, [60 * 5 / 3.5, 60 * 5 / 3.5, 60 / 6.5])
    np.testing.assert_allclose(heart_rate(np.array([2.9]), beats, window_s=1.2), [120.0])


def test_what_has_no_heart_rate():
    with pytest.raises(SignalsError, match="no heart rate"):
        heart_rate(np.array([1.0]), np.array([1.0]))
    with pytest.raises(SignalsError, match="window"):
        heart_rate(np.array([1.0]), np.array([1.0, 2.0]), window_s=0.0)


def test_breathing_volume_is_depth_over_period():
    times = np.arange(round(200 * HZ)) / HZ
    breaths = find_breaths(3.0 * np.cos(2 * np.pi * 0.25 * times), HZ)
    volume = respiratory_volume_per_time(np.arange(10.0, 190.0), breaths)
    np.testing.assert_allclose(volume, 2 * 3.0 / 4.0, rtol=0.02)


def test_responses_have_their_published_form():
    seconds = np.arange(0.0, 60.0, 0.01)
    rrf, crf = respiration_response(seconds), cardiac_response(seconds)
    # Birn 2008: undershoot about 16 s; Chang 2009: peak about 4 s, dip about 12 s.
    assert seconds[rrf.argmax()] == pytest.approx(3.1, abs=0.2)
    assert seconds[rrf.argmin()] == pytest.approx(16, abs=0.8)
    assert seconds[crf.argmax()] == pytest.approx(4.1, abs=0.2)
    assert seconds[crf.argmin()] == pytest.approx(12.4, abs=0.4)
    at = np.array([5.0])
    np.testing.assert_allclose(
        respiration_response(at),
        0.6 * 5**2.1 * np.exp(-5 / 1.6) - 0.0023 * 5**3.54 * np.exp(-5 / 4.25),
    )
    np.testing.assert_allclose(
        cardiac_response(at),
        0.6 * 5**2.7 * np.exp(-5 / 1.6) - 16 / np.sqrt(18 * np.pi) * np.exp(-49 / 18),
    )
    before = np.array([-1.0])
    assert respiration_response(before) == cardiac_response(before) == 0.0


def test_convolution_with_a_step():
    """A step answers with the integral of the response."""
    times = np.arange(101.0, 200.0, 2.0)
    step = convolve_response(
        times, lambda t: (t >= 100.0).astype(float), respiration_response, start_s=0.0
    )
    fine = np.arange(0.0, 60.0, 0.001)
    area = np.array([respiration_response(fine[fine <= t - 100]).sum() * 1e-3 for t in times])
    # The first minute sees the mean of the whole recording taken out before it.
    settled = step - step[-1] - (area - area[-1])
    np.testing.assert_allclose(settled, 0.0, atol=0.25)
