"""Blockade, persistence and populations: what is said, drawn and tabled."""

import dataclasses
import html
import re

import numpy as np
import pytest
from matplotlib.text import Text

from phmri.report import (
    BesideContent,
    BlockadeContent,
    ContrastContent,
    FamilyContent,
    FamilyMemberContent,
    PersistenceContent,
    PopulationContent,
    RatioContent,
    plot_blockade,
    plot_persistence,
    write_report,
)
from phmri.report._blockade import (
    blockade_badge,
    blockade_lines,
    bracketed,
    persistence_sentences,
    place_words,
    ratio_words,
)

EVIL = "<script>alert('x')</script>"
DRUG = ContrastContent(name="drug − placebo", effect=0.68, ci_low=0.37, ci_high=0.98,
                       t=4.43, df=70.0, pvalue=4.6e-5)  # fmt: skip
LEFT = ContrastContent(name="pre + drug − placebo", effect=0.33, ci_low=0.02, ci_high=0.64,
                       t=2.13, df=70.0, pvalue=0.036)  # fmt: skip
GONE = ContrastContent(name="drug − pre + drug", effect=0.34, ci_low=0.03, ci_high=0.65,
                       t=2.19, df=70.0, pvalue=0.03)  # fmt: skip
BOUNDED = RatioContent(estimate=51.2, low=6.1, high=96.4, kind="bounded", g=0.2)
COMPLEMENT = RatioContent(estimate=140.0, low=-80.0, high=30.0, kind="complement", g=1.4)
WHOLE = RatioContent(estimate=30.0, low=None, high=None, kind="whole_line", g=3.0)
NONE = RatioContent(estimate=float("nan"), low=None, high=None, kind="none", g=None)
BLOCKADE = BlockadeContent(
    verdict="partly blocked", drug=DRUG, pretreated=LEFT, difference=GONE,
    conjunction_pvalue=0.03, attenuation=BOUNDED, bootstrap=(4.0, 91.0), margin=0.25,
    equivalence=(0.702, 0.07, 0.59), bayes_factors={"remaining": 1.81, "removed": 0.0004},
    within_margin=0.62, bayes_scale=2**-0.5,
    sentences=(f"Blocked {EVIL} in part.", "More [doi:10.1038/nn.2886]."),
)  # fmt: skip
PERSISTENCE = PersistenceContent(
    early_session="acute", late_session="later", early=0.67, late=0.27,
    ratio=dataclasses.replace(BOUNDED, estimate=0.4, low=-0.03, high=0.87),
    waning=ContrastContent(name="early − late", effect=0.41, ci_low=0.06, ci_high=0.75,
                           t=2.37, df=71.7, pvalue=0.021),
    effects=(dataclasses.replace(DRUG, name="drug − placebo"), LEFT),
)  # fmt: skip


def asked(content, found, name="single"):
    """One question, with what stands beside it."""
    (question,) = (item for item in content.questions if item.claim.question == name)
    question = dataclasses.replace(question, beside=found, values={}, t_map=None)
    return question, dataclasses.replace(content, questions=(question,))


def article_of(content, tmp_path, name="single"):
    text = write_report(content, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in text
    article = text.split(f'id="question-{name}"')[1].split("</article>")[0]
    return text, re.sub(r"\s+", " ", html.unescape(re.sub("<.*?>", " ", article)))


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (BOUNDED, "51 % (95 % set of Fieller 6 to 96 %)"),
        (
            dataclasses.replace(BOUNDED, g=0.8),
            "51 % (95 % set of Fieller 6 to 96 %, by an effect barely shown)",
        ),
        (
            COMPLEMENT,
            (
                "cannot be bounded: the 95 % set of Fieller is everything outside −80 to 30 % "
                "(estimate 140 %)"
            ),
        ),
        (
            WHOLE,
            "cannot be bounded: every percentage is in the 95 % set of Fieller (estimate 30 %)",
        ),
        (NONE, "cannot be estimated here"),
    ],
)
def test_a_ratio_is_told_by_the_form_of_its_set(ratio, words):
    assert ratio_words(ratio, 0.95) == words


def test_brackets_where_a_plus_would_be_read_as_arithmetic():
    assert bracketed("drug − pre + drug") == "drug − (pre + drug)"
    assert bracketed("pre + drug − placebo") == "(pre + drug) − placebo"
    assert bracketed("removed") == "removed"


def test_what_the_verdict_rests_on(make_claim):
    claim = make_claim("q", outcome="scalar")
    lines = dict(blockade_lines(claim, BLOCKADE))
    assert lines["Share removed"].endswith("; by bootstrap (BCa, 95 %) 4 to 91 %.")
    assert lines["Effect, and less of it"].startswith("p = 0.030, both")
    assert lines["Next to nothing left"] == (
        "p = 0.702 that what remained is within ±0.25 Fisher z (two one-sided tests); its 90 % "
        "interval is +0.07 to +0.59."
    )
    assert lines["Bayes factors"].startswith(
        "BF10 = 1.81 for what remained, 0.0004 for what was removed"
    )
    assert "scale 0.707" in lines["Bayes factors"]
    assert "0.62 for a remaining effect within the margin against" in lines["Bayes factors"]


def test_without_a_margin_nothing_is_said_of_equivalence(make_claim):
    bare = dataclasses.replace(
        BLOCKADE, margin=None, equivalence=None, bootstrap=None, bayes_factors={}
    )
    lines = dict(blockade_lines(make_claim("q"), bare))
    assert lines["Next to nothing left"].startswith("Not tested: the protocol names no margin")
    assert "bootstrap" not in lines["Share removed"]
    assert "Bayes factors" not in lines


def test_verdict_in_the_answers_and_in_the_section(parallel, tmp_path):
    _, content = asked(parallel, BesideContent(blockade=BLOCKADE))
    text, article = article_of(content, tmp_path)
    answers = text.split('id="answers"')[1].split("</section>")[0]
    # The question itself was not found.
    assert "blockade: partly blocked, uncorrected</span>" in answers
    assert f"Was it blocked? Partly blocked, uncorrected Blocked {EVIL} in part." in article
    assert "Effect of the drug drug − placebo +0.68 +0.37 to +0.98 70 4.6×10⁻⁵" in article
    assert "What remained (pre + drug) − placebo +0.33 +0.02 to +0.64 70 0.036" in article
    assert "What was removed drug − (pre + drug) +0.34" in article
    assert "†" not in article
    assert "Nieuwenhuis" in text.split('id="references"')[1]


def test_a_verdict_claims_no_more_than_its_question(parallel, tmp_path):
    question, content = asked(parallel, BesideContent(blockade=BLOCKADE))
    member = FamilyMemberContent(
        question="single", pvalue=0.01, adjusted_pvalue=0.2, verdict="not tested"
    )
    family = FamilyContent(name="plan", correction="a sequence", alpha=0.05, rows=(member,))
    text, article = article_of(dataclasses.replace(content, families=(family,)), tmp_path)
    answers = text.split('id="answers"')[1].split("</section>")[0]
    assert "blockade: not claimed, by its family</span>" in answers
    assert "blockade: partly" not in answers
    assert "The family of this question claims nothing here. Alone: Blocked" in article
    found = dataclasses.replace(member, verdict="found")
    claimed = dataclasses.replace(
        question, claim=dataclasses.replace(question.claim, verdict="found")
    )
    assert blockade_badge(claimed, (found,)) == "blockade: partly blocked"
    of_map = dataclasses.replace(
        question, claim=dataclasses.replace(question.claim, outcome="map")
    )
    assert blockade_badge(of_map, ()) == "blockade: partly blocked at the peak, uncorrected"


def test_a_selected_place_is_said(parallel, tmp_path, make_claim):
    _, content = asked(parallel, BesideContent(blockade=BLOCKADE), "whole")
    _, article = article_of(content, tmp_path, "whole")
    assert "+0.68† " in article
    assert (
        "† At the strongest outcome, cingulate (0, 4, 6) mm: selected for its height, hence "
        "biased. Maps of every voxel's verdict and share removed are in the folder "
        "question-whole; each is judged by itself, so that they describe."
    ) in article
    assert place_words(make_claim("q", outcome="scalar")) == ""


@pytest.mark.parametrize(("alone", "said"), [(None, True), ("control", False)])
def test_antagonism_is_a_limit_without_the_pretreatment_alone(parallel, tmp_path, alone, said):
    _, content = asked(parallel, BesideContent(blockade=BLOCKADE))
    record = content.protocol.questions["single"]
    blocked = {"reference": "control", "pretreated_reference": alone}
    changed = type(record).model_validate(record.model_dump() | {"blockade": blocked})
    protocol = content.protocol.model_copy(
        update={"questions": dict(content.protocol.questions) | {"single": changed}}
    )
    text, _ = article_of(dataclasses.replace(content, protocol=protocol), tmp_path)
    limits = text.split('id="limits"')[1].split("</section>")[0]
    words = "antagonism cannot be separated from the pretreatment"
    assert (words in limits) is said


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pieces(axes, place):
    """Ends of the lines drawn in a row, and the markers in it."""
    rows = [line for line in axes.lines if set(line.get_ydata()) == {place}]
    spans = [tuple(line.get_xdata()) for line in rows if line.get_linestyle() != "None"]
    marks = [(line.get_marker(), line.get_xdata()[0]) for line in rows if line.get_marker() != ""]
    return spans, [mark for mark in marks if mark[0] != "None"]


def test_effects_margin_and_interval_of_equivalence_are_drawn(parallel):
    question, content = asked(parallel, BesideContent(blockade=BLOCKADE))
    figure = plot_blockade(content, question)
    left, _ = figure.axes
    assert pieces(left, 0)[0] == [(0.37, 0.98)]
    assert pieces(left, 1)[0] == [(0.02, 0.64), (0.07, 0.59)]
    (band,) = left.patches
    np.testing.assert_allclose([band.get_x(), band.get_width()], [-0.25, 0.5])
    found = texts(figure)
    assert "Effects ± 95 % CI; band: margin ± 0.25" in found
    assert "Effect (Fisher z)" in found
    assert "SIMULATED DATA" in found


def share_of(parallel, **changes):
    found = BesideContent(blockade=dataclasses.replace(BLOCKADE, **changes))
    question, content = asked(parallel, found)
    return plot_blockade(content, question).axes[1]


def test_a_bounded_set_is_one_line(parallel):
    axes = share_of(parallel)
    spans, marks = pieces(axes, 0)
    assert spans == [(6.1, 96.4)]
    assert marks == [("D", 51.2)]
    assert pieces(axes, 1) == ([(4.0, 91.0)], [])


def test_a_complement_is_two_rays(parallel):
    axes = share_of(parallel, attenuation=COMPLEMENT)
    low, high = axes.get_xlim()
    spans, marks = pieces(axes, 0)
    assert spans == [(low, -80.0), (30.0, high)]
    assert sorted(marks) == [("<", low), (">", high), ("D", 140.0)]


def test_the_whole_line_reaches_both_ends(parallel):
    axes = share_of(parallel, attenuation=WHOLE, bootstrap=None)
    low, high = axes.get_xlim()
    spans, marks = pieces(axes, 0)
    assert spans == [(low, high)]
    assert sorted(marks) == [("<", low), (">", high), ("D", 30.0)]
    (estimate,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert estimate.get_markerfacecolor() == "white"


def test_no_estimate_is_written(parallel):
    axes = share_of(parallel, attenuation=NONE, bootstrap=None)
    assert "no estimate" in texts(axes.figure)


def test_an_end_far_away_is_an_arrow(parallel):
    axes = share_of(parallel, bootstrap=(-900.0, 95.0))
    low, high = axes.get_xlim()
    assert low > -250.0
    assert high < 300.0
    assert pieces(axes, 1) == ([(low, 95.0)], [("<", low)])


def test_no_blockade_is_not_drawn(parallel):
    question, content = asked(parallel, BesideContent())
    with pytest.raises(ValueError, match="without a blockade"):
        plot_blockade(content, question)
    with pytest.raises(ValueError, match="two sessions"):
        plot_persistence(content, question)


@pytest.mark.parametrize(
    ("effect", "pvalue", "words"),
    [
        (0.41, 0.021, "Less of the effect was there at later than at acute (acute minus later"),
        (-0.41, 0.021, "More of the effect was there at later than at acute"),
        (0.41, 0.021, "95 % CI +0.06 to +0.75; t(71.7) = 2.37, p = 0.021)"),
        (0.41, 0.21, "was not shown (acute minus later +0.41 Fisher z, 95 % CI +0.06 to +0.75; "),
    ],
)
def test_persistence_rests_on_the_difference(make_claim, effect, pvalue, words):
    waning = dataclasses.replace(PERSISTENCE.waning, effect=effect, pvalue=pvalue)
    changed = dataclasses.replace(PERSISTENCE, waning=waning)
    said = persistence_sentences(make_claim("q"), changed)
    assert said[0] == (
        "Share of the effect at acute that is left at later: 40 % (95 % set of Fieller −3 to 87 "
        "%)."
    )
    assert words in said[1]
    assert "no evidence that it changed" in said[2]


def test_persistence_on_the_page(parallel, tmp_path):
    question, content = asked(parallel, BesideContent(persistence=PERSISTENCE))
    _, article = article_of(content, tmp_path)
    assert "How much of the early effect is left?" in article
    assert "Difference early − late +0.41 +0.06 to +0.75 71.7 0.021" in article
    assert "acute drug − placebo +0.68" in article
    assert "single: early and late." in article
    assert len(plot_persistence(content, question).axes[0].get_yticks()) == 3
    bare = dataclasses.replace(PERSISTENCE, effects=())
    _, content = asked(parallel, BesideContent(persistence=bare))
    _, article = article_of(content, tmp_path)
    assert "early and late." not in article
    assert "Difference early − late +0.41" in article


def test_populations_side_by_side(parallel, tmp_path):
    own = PopulationContent(
        name="itt", n_per_group={"treated": 25, "control": 24}, effect=0.34, ci_low=0.03,
        ci_high=0.65, pvalue=0.034,
    )  # fmt: skip
    refused = PopulationContent(
        name=f"pp {EVIL}", n_per_group={}, effect=None, ci_low=None, ci_high=None, pvalue=None,
        reason="no column 'pp'",
    )  # fmt: skip
    _, content = asked(parallel, BesideContent(populations=(own, refused)))
    _, article = article_of(content, tmp_path)
    assert "The first row is the population that answers the question" in article
    assert "itt treated 25, control 24 +0.34 +0.03 to +0.65 0.034" in article
    assert f"pp {EVIL} – no column 'pp'" in article


def test_nothing_is_shown_of_what_was_not_asked(parallel, tmp_path):
    _, content = asked(parallel, BesideContent())
    text, _ = article_of(content, tmp_path)
    for words in ("Was it blocked?", "early effect", "other populations", "blockade:"):
        assert words not in text
