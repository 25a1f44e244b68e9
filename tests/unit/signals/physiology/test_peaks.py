"""Beats and breaths of simulated recordings whose truth is known."""

import numpy as np
import pytest

from phmri.exceptions import SignalsError
from phmri.signals import find_beats, find_breaths
from phmri.signals.physiology._intervals import correct_beats
from tests.unit.signals.physiology.simulated import HZ, beat_times, breathing_wave, pulse_wave

MISSED = slice(100, 102)


def nearest(found, truth):
    """Distance of every true time to the nearest one found, without a constant shift."""
    place = np.clip(np.searchsorted(found, truth), 1, found.size - 1)
    before, after = found[place - 1] - truth, found[place] - truth
    distance = np.where(np.abs(before) < np.abs(after), before, after)
    return distance - np.median(distance)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("hz", [25.0, 50.0, 250.0])
def test_beats_are_found_within_20_ms(noise, hz):
    truth = beat_times()
    beats = find_beats(pulse_wave(truth, hz=hz, noise=noise), hz)
    assert beats.times_s.size == truth.size
    assert np.abs(beats.times_s - truth).max() < 0.02
    assert np.abs(np.median(beats.times_s - truth)) < 0.01
    assert not beats.inserted.any()
    assert beats.n_removed == 0
    assert beats.quality.flags == ()


def test_noise_of_a_tenth_of_the_wave_moves_beats_by_milliseconds():
    truth = beat_times()
    beats = find_beats(pulse_wave(truth, noise=0.1), HZ)
    assert beats.times_s.size == truth.size
    assert (beats.times_s - truth).std() < 0.008


def test_heavy_noise_is_seen_in_the_quality():
    truth = beat_times()
    quiet = find_beats(pulse_wave(truth, noise=0.05), HZ).quality
    loud = find_beats(pulse_wave(truth, noise=0.5), HZ).quality
    assert quiet.signal_to_noise_db > 5 > loud.signal_to_noise_db
    assert any("mean cycle" in flag for flag in loud.flags)


def test_pure_noise_is_no_pulse_and_no_breathing():
    noise = np.random.default_rng(0).standard_normal(12_000)
    assert len(find_beats(noise, HZ).quality.flags) == 2
    assert find_breaths(noise, HZ).quality.explained < 0.1
    assert find_breaths(noise, HZ).quality.flags


def test_missed_beats_are_put_in_and_marked():
    truth = beat_times()
    seen = np.delete(truth, MISSED)
    beats = find_beats(pulse_wave(seen, noise=0.02), HZ)
    assert beats.times_s.size == truth.size
    np.testing.assert_array_equal(np.flatnonzero(beats.inserted), [100, 101])
    assert np.abs(beats.times_s[MISSED] - truth[MISSED]).max() < 0.12
    seen_again = np.delete(beats.times_s, MISSED)
    assert np.abs(seen_again - seen).max() < 0.02
    assert beats.quality.corrected == pytest.approx(2 / seen.size)
    assert beats.quality.longest_gap_s == pytest.approx(np.diff(seen).max(), abs=0.05)


def test_extra_beats_are_taken_out():
    truth = beat_times()
    extra = np.sort(np.append(truth, truth[[40, 90]] + 0.4))
    times, inserted, n_removed = correct_beats(extra)
    np.testing.assert_allclose(times, truth)
    assert not inserted.any()
    assert n_removed == 2


def test_a_premature_beat_becomes_one_in_the_middle():
    truth = np.arange(0.0, 40.0, 1.0)
    early = truth.copy()
    early[20] -= 0.5
    times, inserted, n_removed = correct_beats(early)
    np.testing.assert_allclose(times, truth, atol=1e-12)
    assert inserted.sum() == n_removed == 1


def test_a_stretch_without_a_pulse_is_flagged():
    truth = beat_times()
    seen = truth[(truth < 80) | (truth > 110)]
    quality = find_beats(pulse_wave(seen), HZ).quality
    assert quality.longest_gap_s == pytest.approx(30, abs=2)
    assert any("without a peak" in flag for flag in quality.flags)


@pytest.mark.parametrize("share", [0.7, 0.85])
def test_clipping_keeps_the_beats_and_is_told(share):
    truth = beat_times()
    wave = pulse_wave(truth, drift=0.0)
    low, high = wave.min(), wave.max()
    clipped = np.clip(wave, None, low + share * (high - low))
    beats = find_beats(clipped, HZ)
    assert beats.quality.clipped == pytest.approx(np.mean(clipped == clipped.max()), abs=0.01)
    assert beats.quality.clipped > 0.02
    assert np.abs(nearest(beats.times_s, truth)).max() < 0.02
    assert find_beats(wave, HZ).quality.clipped == 0.0


def test_an_artefact_does_not_hide_quiet_beats():
    truth = beat_times()
    wave = pulse_wave(truth)
    wave[6000:6050] += 20_000.0 * np.hanning(50)
    beats = find_beats(wave, HZ)
    away = (truth < 115) | (truth > 126)
    assert np.abs(nearest(beats.times_s, truth[away])).max() < 0.03


@pytest.mark.parametrize("rate_hz", [0.12, 0.3, 0.5])
def test_breaths_are_found(rate_hz):
    wave, tops = breathing_wave(rate_hz=rate_hz, noise=0.05)
    breaths = find_breaths(wave, HZ)
    inside = tops[(tops > 5) & (tops < 235)]
    found = breaths.times_s[(breaths.times_s > 4) & (breaths.times_s < 236)]
    assert np.abs(nearest(found, inside)).max() < 0.3
    assert abs(found.size - inside.size) <= 2
    assert breaths.quality.flags == ()
    assert breaths.trough_times_s.size == breaths.times_s.size - 1
    assert (breaths.trough_times_s > breaths.times_s[:-1]).all()
    assert (breaths.trough_heights < breaths.heights[1:]).all()


def test_a_pause_in_breathing_is_flagged():
    wave, _ = breathing_wave()
    wave[5000:6500] = wave[5000]
    quality = find_breaths(wave, HZ).quality
    assert quality.longest_gap_s > 25
    assert any("without a peak" in flag for flag in quality.flags)


def test_times_shift_with_the_start():
    wave = pulse_wave(beat_times())
    breathing, _ = breathing_wave()
    early = find_beats(wave, HZ, start_s=-30.0).times_s
    np.testing.assert_allclose(early, find_beats(wave, HZ).times_s - 30.0)
    np.testing.assert_allclose(
        find_breaths(breathing, HZ, start_s=7.0).times_s,
        find_breaths(breathing, HZ).times_s + 7.0,
    )


@pytest.mark.parametrize("find", [find_beats, find_breaths])
def test_what_cannot_be_a_recording(find):
    with pytest.raises(SignalsError, match="does not change"):
        find(np.full(5000, 3.0), HZ)
    with pytest.raises(SignalsError, match="not finite"):
        find(np.append(np.arange(5000.0), np.nan), HZ)
    with pytest.raises(SignalsError, match="too slowly"):
        find(np.sin(np.arange(500.0)), 2.0)
    with pytest.raises(SignalsError, match="can be seen"):
        find(np.sin(np.arange(100) / 60.0), HZ)
