from dataclasses import replace

import numpy as np
import pytest

from phmri.exceptions import SignalsError
from phmri.protocol import Denoising
from phmri.signals import (
    PhysiologySettings,
    RecordingLimits,
    make_nuisance,
    physiology_regressors,
    physiology_summary,
)
from tests.unit.signals.physiology.simulated import HZ, beat_times, recording

T_R, N = 2.0, 120
RUN = {"t_r": T_R, "n_volumes": N}


def test_regressors_have_full_rank_and_enter_a_design():
    made = physiology_regressors([recording()], **RUN)
    assert made.X.shape == (N, 20)
    assert np.linalg.matrix_rank(np.column_stack([np.ones(N), made.X])) == 21
    np.testing.assert_allclose(made.X.mean(axis=0), 0.0, atol=1e-9)
    nuisance = make_nuisance(
        Denoising(strategy="none"),
        None,
        **RUN,
        extra=made.X,
        extra_names=made.names,
        extra_sentence=". ".join(made.sentences),
    )
    assert nuisance.names == ("constant", *made.names)
    assert "RETROICOR" in nuisance.sentences[-1]


def test_one_signal_alone():
    pulse = physiology_regressors([recording(respiratory=False)], **RUN)
    assert len(pulse.names) == 7
    assert pulse.names[-1] == "heart_rate_crf"
    settings = PhysiologySettings(rates=False, respiratory_order=2)
    breathing = physiology_regressors([recording(cardiac=False)], **RUN, settings=settings)
    assert len(breathing.names) == 4
    assert not any("response function" in sentence for sentence in breathing.sentences)


def test_two_files_are_as_good_as_one():
    both = physiology_regressors([recording()], **RUN)
    apart = [recording(respiratory=False), recording(cardiac=False)]
    np.testing.assert_array_equal(physiology_regressors(apart, **RUN).X, both.X)
    with pytest.raises(SignalsError, match="two recordings hold the pulse"):
        physiology_regressors([recording(), recording(respiratory=False)], **RUN)


def test_phases_are_those_of_the_asked_time_in_a_volume():
    early = physiology_regressors(
        [recording()], **RUN, settings=PhysiologySettings(slice_time_s=0.0)
    )
    middle = physiology_regressors([recording()], **RUN)
    asked = PhysiologySettings(slice_time_s=T_R / 2)
    np.testing.assert_array_equal(
        physiology_regressors([recording()], **RUN, settings=asked).X, middle.X
    )
    assert np.abs(early.X - middle.X).max() > 0.5


def test_what_was_recorded_before_the_scan_does_not_move_the_phases():
    whole = recording(start_s=-40.0, length_s=280.0)
    cut = round(40.0 * HZ)
    scan = replace(
        whole,
        times_s=whole.times_s[cut:],
        cardiac=whole.cardiac[cut:],
        respiratory=whole.respiratory[cut:],
        start_s=0.0,
    )
    a, b = (physiology_regressors([r], **RUN).X[5:-5, :6] for r in (whole, scan))
    assert np.abs(a - b).max() < 0.1


@pytest.mark.parametrize(
    ("start_s", "length_s", "what"),
    [
        (0.0, 200.0, "does not cover"),
        (5.0, 240.0, "does not cover"),
        (0.0, 400.0, "too long"),
    ],
)
def test_a_recording_of_another_length_names_both(start_s, length_s, what):
    with pytest.raises(SignalsError, match=what) as caught:
        physiology_summary([recording(start_s=start_s, length_s=length_s)], **RUN)
    problem = caught.value.problems[0]
    assert problem.found.startswith(f"{length_s:.1f} s")
    assert problem.expected.startswith("240.0 s")
    assert "120 volumes" in problem.expected


def test_a_surplus_is_allowed():
    physiology_summary([recording(start_s=-100.0, length_s=390.0)], **RUN)
    physiology_summary([recording(length_s=239.2)], **RUN)
    long = PhysiologySettings(surplus_s=200.0)
    assert physiology_summary([recording(length_s=400.0)], **RUN, settings=long).flags == ()


def test_no_recording():
    with pytest.raises(SignalsError, match="no recording"):
        physiology_regressors([], **RUN)


def test_poor_recordings_are_refused_together_and_only_flagged_as_outcome():
    rng = np.random.default_rng(0)
    good = recording()
    poor = replace(
        good,
        cardiac=rng.standard_normal(good.times_s.size),
        respiratory=rng.standard_normal(good.times_s.size),
    )
    with pytest.raises(SignalsError, match="too poor") as caught:
        physiology_regressors([poor], **RUN)
    assert len(caught.value.problems) == 2
    flags = physiology_summary([poor], **RUN).flags
    assert any(flag.startswith("pulse: ") for flag in flags)
    assert any(flag.startswith("breathing: ") for flag in flags)


def test_limits_can_be_changed():
    strict = RecordingLimits(slowest_per_min=35.0, fastest_per_min=180.0, min_explained=0.999)
    with pytest.raises(SignalsError, match="mean cycle explains"):
        physiology_regressors([recording()], **RUN, settings=PhysiologySettings(pulse=strict))


def test_outcomes():
    summary = physiology_summary([recording()], **RUN)
    beats = beat_times()
    intervals = np.diff(beats)
    assert summary.heart_rate_per_min == pytest.approx(60 / intervals.mean(), rel=1e-3)
    assert summary.heart_rate_sd_per_min == pytest.approx((60 / intervals).std(ddof=1), rel=0.05)
    assert summary.breathing_rate_per_min == pytest.approx(18, abs=0.5)
    assert summary.breathing_volume_per_s == pytest.approx(2 * 500 * 0.3, rel=0.15)
    assert summary.flags == ()


def test_outcomes_are_of_the_scan_alone():
    early = recording(start_s=-60.0, length_s=300.0)
    slow = beat_times(length_s=300.0, start_s=-60.0)
    inside = np.diff(slow[(slow >= 0) & (slow <= 240)])
    summary = physiology_summary([early], **RUN)
    assert summary.heart_rate_per_min == pytest.approx(60 / inside.mean(), rel=1e-3)


def test_a_flat_recording_is_an_outcome_that_is_missing():
    good = recording()
    flat = replace(good, cardiac=np.zeros(good.times_s.size))
    summary = physiology_summary([flat], **RUN)
    assert np.isnan(summary.heart_rate_per_min)
    assert summary.pulse is None
    assert summary.flags == ("pulse: the recording of pulse does not change",)
    assert summary.breathing_rate_per_min == pytest.approx(18, abs=0.5)
    with pytest.raises(SignalsError, match="does not change"):
        physiology_regressors([flat], **RUN)


def test_dependent_regressors_are_refused():
    with pytest.raises(SignalsError, match="depend on each other"):
        physiology_regressors([recording()], t_r=12.0, n_volumes=20)
