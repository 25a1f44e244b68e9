import math
from dataclasses import replace

import numpy as np
import pytest
from markupsafe import Markup
from scipy import stats

from phmri.group import SAME_BASELINE, without_baseline
from phmri.group._parallel import same_baseline_words
from phmri.protocol import Protocol
from phmri.report._anatomy import make_volume
from phmri.report._quality import spread
from phmri.report._text import (
    Bibliography,
    format_number,
    format_pvalue,
    join_sentences,
    plural,
    relate_pvalue,
)
from phmri.report._values import mean_interval
from phmri.report._words import estimand_lines

ORDERS = {
    "AB": {"treatments": ["drug", "placebo"], "experiment": "one"},
    "BA": {"treatments": ["placebo", "drug"], "experiment": "one"},
    "CD": {"treatments": ["drug", "pill"], "experiment": "two"},
    "DC": {"treatments": ["pill", "drug"], "experiment": "two"},
}


def adjusted(make_claim, estimator, *, order="recorded", notes=(), **changes):
    sessions = {
        name: {"phase": "acute", "period": period} if order == "recorded" else
        {"phase": "acute", "treatment": treatment}
        for name, period, treatment in (("one", 1, "drug"), ("two", 2, "placebo"))
    }  # fmt: skip
    if changes.get("period_baseline"):
        sessions |= {f"b{k}": {"phase": "baseline", "period": k} for k in (1, 2)}
    question = {
        "text": "Is it?", "role": "primary", "measure": "mean", "contrast": ["drug", "placebo"],
        "estimator": estimator, **changes,
    }  # fmt: skip
    orders = ORDERS if order == "recorded" else {"AB": ORDERS["AB"], "BA": ORDERS["BA"]}
    protocol = Protocol.model_validate(
        {
            "phmri": 1, "name": "x", "title": "x", "drugs": {},
            "treatments": {"drug": {}, "placebo": {}, "pill": {}},
            "design": {"kind": "crossover", "order": order, "sequences": orders},
            "sessions": sessions,
            "scans": {"rest": {"task": "rest"}},
            "space": "MNI152NLin6Asym",
            "parcellations": {"table": {}},
            "denoising": {"none": {"strategy": "none"}},
            "measures": {
                "mean": {
                    "kind": "roi_to_roi", "scan": "rest", "parcels": "table",
                    "summary": "global", "denoising": "none",
                }
            },
            "questions": {"it": question},
        }
    )  # fmt: skip
    claim = replace(make_claim("it", outcome="scalar", estimator=estimator), notes=notes)
    return dict(estimand_lines(protocol, claim))["Adjusted for"]


def test_what_a_crossover_is_adjusted_for(make_claim):
    assert adjusted(make_claim, "crossover") == "period"
    assert adjusted(make_claim, "mixed", errors="cr2") == "period of each experiment, sequence"
    assert adjusted(make_claim, "crossover", order="unknown") == "nothing"


def test_baselines_that_the_model_left_out_are_not_listed(make_claim):
    own = {"period_baseline": True}
    assert adjusted(make_claim, "crossover", **own) == "period, baseline of each period"
    assert adjusted(make_claim, "crossover", notes=(SAME_BASELINE,), **own) == "period"
    assert without_baseline([same_baseline_words(0.0)])
    assert not without_baseline(["Covariate age is constant, and was left out of the model."])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (0.0499, "0.050"), (0.0123, "0.012"), (0.0002, "0.0002"),
     (0.0001, "0.0001"), (6.1e-5, "6.1×10⁻⁵"), (1e-300, "1.0×10⁻³⁰⁰"),
     (0.0, "< 10⁻³⁰⁰"), (math.nan, "–")],
)  # fmt: skip
def test_pvalues_are_never_zero(value, text):
    assert format_pvalue(value) == text
    assert relate_pvalue(value) == (text if text.startswith("<") else f"= {text}")


@pytest.mark.parametrize(
    ("value", "text"), [(-1.234, "−1.23"), (-0.001, "0.00"), (math.inf, "∞"), (math.nan, "–")]
)
def test_numbers_have_a_true_minus(value, text):
    assert format_number(value) == text


def test_citations_escape_and_share_numbers():
    bibliography = Bibliography()
    first = bibliography.cite("a < b [doi:10.1/x, doi:10.1/Y]. See [not a doi].")
    assert isinstance(first, Markup)
    assert first.startswith("a &lt; b <a")
    assert first.endswith("[2]</a>. See [not a doi].")
    assert "[1]" in bibliography.cite("again [doi:10.1/X]")
    assert [doi for doi, _ in bibliography.references] == ["10.1/x", "10.1/y"]


def test_hostile_citation_stays_text():
    bibliography = Bibliography()
    text = bibliography.cite("[doi:<img onerror=1>] [doi:10.1/<b>]")
    assert "<img" not in text
    assert "<b>" not in text


def test_sentences_are_said_once_and_end():
    assert join_sentences(("One", "Two.", "One", " ")) == ("One.", "Two.")


def test_plural():
    assert plural(1, "run") == "1 run"
    assert plural(1200, "run") == "1,200 runs"


def test_mean_interval_is_students():
    values = [0.1, 0.4, 0.2, 0.7]
    mean, low, high = mean_interval(values, 0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    np.testing.assert_allclose((low, high), (expected.low, expected.high), rtol=1e-12)
    assert mean == pytest.approx(0.35)
    assert math.isnan(mean_interval([], 0.9)[0])
    assert math.isnan(mean_interval([1.0], 0.9)[1])


def test_spread_is_even_and_without_chance():
    places = spread(63)
    assert places == spread(63)
    assert len(set(places)) == 63
    assert min(places) > -0.5
    assert max(places) < 0.5
    assert abs(np.mean(places)) < 1e-12


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1)])
def test_volume_finds_a_voxel_by_its_mm(turn):
    affine = np.diag([2.0 * turn[0], 3.0 * turn[1], 4.0 * turn[2], 1.0])
    affine[:3, 3] = (-5, 7, 11)
    data = np.zeros((5, 6, 7))
    data[1, 2, 3] = 1
    x, y, z, _ = affine @ (1, 2, 3, 1)
    volume = make_volume(data, affine)
    for direction, position in (("x", x), ("y", y), ("z", z)):
        section = volume.section(direction, position)
        assert section.sum() == 1
        row, column = np.argwhere(section)[0]
        left, right, bottom, top = volume.extent(direction)
        across = left + (column + 0.5) * (right - left) / section.shape[1]
        up = bottom + (row + 0.5) * (top - bottom) / section.shape[0]
        expected = [value for name, value in (("x", x), ("y", y), ("z", z)) if name != direction]
        np.testing.assert_allclose((across, up), expected)
