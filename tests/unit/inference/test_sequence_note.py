import numpy as np

from phmri.group import Estimate, SequenceTest
from phmri.inference import sequence_note


def make_terms(t, pvalue):
    t, pvalue = np.asarray(t, dtype=float), np.asarray(pvalue, dtype=float)
    estimate = Estimate(effect=t / 10, se=np.full(t.size, 0.1), t=t, df=22.0, d=t)
    return SequenceTest(
        period=estimate,
        period_pvalue=pvalue,
        carry_over=estimate,
        carry_over_pvalue=pvalue[::-1].copy(),
        sentences=(),
    )


def test_one_outcome_gets_its_numbers():
    note = sequence_note(make_terms([-2.5], [0.0203]), unit="Fisher z", confidence=0.95)
    assert note.startswith(
        "Period 1 minus period 2: Fisher z −0.25, 95 % CI −0.46 to −0.04; t(22) = −2.50; p = 0.02."
    )
    assert "Difference in carry-over" in note
    assert note.endswith("Neither decided how the treatment was tested.")


def test_many_outcomes_are_counted():
    pvalue = [0.01, 0.2, 0.3, 0.04, 0.5] * 20
    note = sequence_note(make_terms(np.ones(100), pvalue), unit="Fisher z", confidence=0.95)
    assert "in 40 of 100 outcomes for the period effect and in 40 for" in note
    assert "about 5 are expected by chance" in note
