"""Associations and families on the page."""

import dataclasses
import html
import re

import numpy as np
import pytest
from matplotlib.text import Text

from phmri.report import (
    AssociationContent,
    CircularContent,
    FamilyContent,
    FamilyMemberContent,
    PredictionContent,
    ReadingContent,
    plot_association,
    plot_participants,
    write_report,
)
from phmri.report._association import association_lines, circular_lines
from phmri.report._style import make_looks
from phmri.report._values import floor_of
from phmri.report._words import across_sentence

EVIL = "<script>alert('x')</script>"
CIRCULAR = CircularContent(
    max_r_in_map=0.61, mean_r_selected=0.48, n_selected=14, threshold="p < 0.001",
    honest_r=-0.03, null_r=0.46,
)  # fmt: skip
PREDICTION = PredictionContent(r2=-0.04, pvalue=0.62, folds=10, model="ridge", r2_in_sample=0.31)
GOES = AssociationContent(
    name="goes_with",
    text=f"Does it go with the score {EVIL}?",
    role="exploratory",
    verdict="not found",
    sentence=f"Not found {EVIL}.",
    method="pearson",
    n=6,
    r=0.12,
    ci_low=-0.11,
    ci_high=0.34,
    pvalue=0.31,
    pvalue_rank=0.28,
    points={
        "control": ((0.0, 1.0, 2.0), (1.0, 3.0, 5.0), ("01", "02", "03")),
        "treated": ((0.0, 4.0), (2.0, 2.0), ("06", "07")),
    },
    x_label="connectivity (Fisher z)",
    y_label=f"score {EVIL}",
    place="edge a~b",
    pvalue_corrected=0.74,
    corrected_over="45 edges",
    partial=("sex",),
    circular=CIRCULAR,
    prediction=PREDICTION,
    notes=("A note [doi:10.1038/nn.2886].",),
    shuffled="Whose scores go with whose outcomes, within each arm only.",
    null="no outcome depends on the score",
    n_permutations=2000,
    n_distinct=10**20,
    sentences=("The outcome was regressed on the score.",),
)
REPEATED = dataclasses.replace(
    GOES,
    name="repeated",
    place="",
    pvalue_corrected=None,
    circular=None,
    prediction=None,
    part="within",
    n_pairs=17,
    readings=(
        ReadingContent(name="Means left in", r=0.12, ci_low=-0.11, ci_high=0.34, asked=True),
        ReadingContent(name="Means taken out", r=-0.2, ci_low=-0.41, ci_high=0.03, asked=False),
    ),
    readings_words="One holds a shared change.",
    between=dataclasses.replace(
        GOES, name="repeated", r=-0.45, part="between", place="", sentences=("Of means.",)
    ),
)
FAMILY = FamilyContent(
    name="confirm",
    correction=f"Holm {EVIL} [doi:10.1002/hbm.1058]",
    alpha=0.05,
    rows=(
        FamilyMemberContent(
            question="whole", pvalue=0.001, adjusted_pvalue=0.003, verdict="found"
        ),
        FamilyMemberContent(
            question="single", pvalue=0.046, adjusted_pvalue=0.092, verdict="not found"
        ),
        FamilyMemberContent(
            question="refused", pvalue=None, adjusted_pvalue=None, verdict="refused"
        ),
    ),
)


@pytest.fixture(scope="module")
def page(parallel, tmp_path_factory):
    questions = tuple(dataclasses.replace(q, t_map=None, values={}) for q in parallel.questions)
    content = dataclasses.replace(
        parallel, questions=questions, associations=(GOES,), families=(FAMILY,)
    )
    path = tmp_path_factory.mktemp("association") / "r.html"
    text = write_report(content, path).read_text(encoding="utf-8")
    assert "<script" not in text
    return text


def section(page, name):
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def plain(text):
    return re.sub(r"\s+", " ", html.unescape(re.sub("<.*?>", " ", text)))


def test_association_is_among_the_answers(page):
    answers = plain(section(page, "answers"))
    assert "exploratory · association Does it go with the score" in answers
    assert "Not found +0.12† [−0.11, +0.34] r, 95 % Pearson 0.740 corrected 6" in answers
    assert 'href="#association-goes-with"' in page
    assert 'id="association-goes-with"' in page


def test_association_has_its_numbers(page):
    article = plain(section(page, "associations"))
    for words in (
        "Correlation r = +0.12†, 95 % CI −0.11 to +0.34",
        "p corrected over 45 edges 0.740",
        "By ranks (Spearman) p = 0.280",
        "Adjusted for sex",
        "R² = −0.04 in participants who taught nothing (ridge, 10 folds), p = 0.620 by shuffling",
        "no better than the mean score. In the data it was fitted to, R² would be +0.31.",
        "Pearson's r: r = +0.12†, 95 % CI −0.11 to +0.34. † At edge a~b, selected for its height.",
        "Out of the correlation, but not the points, was taken: a mean of each arm, sex. Lines:",
    ):
        assert words in article


def test_how_p_was_made(page):
    article = plain(section(page, "associations"))
    assert (
        "How p was made Shuffled Whose scores go with whose outcomes, within each arm" in article
    )
    assert "Shufflings 2,000, drawn at random out of more than 10²⁰ distinct ones" in article
    assert "p is corrected over 45 edges by the largest in every shuffling." in article
    methods = plain(section(page, "methods"))
    assert "goes_with. The outcome was regressed on the score" in methods


def test_spearman_has_a_symbol_of_its_own():
    ranked = dataclasses.replace(GOES, method="spearman", place="")
    assert dict(association_lines(ranked))["Correlation"].startswith("rho = +0.12, 95 % CI")


def test_circular_numbers_stand_apart(page):
    article = section(page, "associations")
    box = article.split('<div class="quarantine">')[1].split("</div>")[0]
    said = plain(box).strip()
    assert said.startswith(
        "Do not quote. What a circular analysis of the same data would have claimed: r = +0.61"
    )
    assert "+0.61" not in plain(article.replace(box, ""))
    assert "With every participant's outcomes selected without that participant: r = −0.03" in said
    assert "the same selection gives an average of about +0.46." in said


def test_circular_reading_of_a_part_says_which(parallel, tmp_path):
    within = dataclasses.replace(REPEATED, circular=CIRCULAR, place="edge a~b")
    content = dataclasses.replace(parallel, associations=(within,))
    page = plain(write_report(content, tmp_path / "r.html").read_text())
    assert "What a circular analysis of the same data, within persons, would have" in page
    assert "Out of the correlation, but not the points, was taken: sex." in page
    assert "Means taken out −0.20† −0.41 to +0.03" in page


def test_reading_of_which_nothing_is_left_has_no_number(parallel, tmp_path):
    kept, gone = REPEATED.readings
    empty = dataclasses.replace(gone, r=None, ci_low=None, ci_high=None)
    within = dataclasses.replace(REPEATED, readings=(kept, empty))
    content = dataclasses.replace(parallel, associations=(within,))
    page = plain(write_report(content, tmp_path / "r.html").read_text())
    assert "Means taken out nothing left –" in page


def test_a_p_that_is_too_small_for_a_number_is_not_zero():
    exact = dataclasses.replace(GOES, pvalue_rank=0.0)
    assert dict(association_lines(exact))["By ranks (Spearman)"] == "p < 10⁻³⁰⁰"


def test_nothing_selected_claims_nothing():
    empty = dataclasses.replace(CIRCULAR, n_selected=0, max_r_in_map=float("nan"))
    assert circular_lines(empty) == ("Nothing: no outcome passed the selection (p < 0.001).",)


def test_a_refused_association_has_no_numbers():
    refused = dataclasses.replace(
        GOES, verdict="refused", r=None, ci_low=None, ci_high=None, pvalue=None,
        pvalue_rank=None, pvalue_corrected=None, corrected_over="", place="", prediction=None,
        method="spearman",
    )  # fmt: skip
    assert [term for term, _ in association_lines(refused)] == [
        "Outcome", "Score", "Method", "Adjusted for", "Participants",
    ]  # fmt: skip


def test_association_is_a_limit(page):
    assert "causes a score or foretells it" in section(page, "limits")


def test_scatter_has_a_colour_per_arm_and_lines_where_there_are_enough(parallel):
    figure = plot_association(parallel, GOES)
    (axes,) = figure.axes
    looks, _ = make_looks(parallel.protocol, ("control", "treated"))
    colours = [points.get_facecolor()[0][:3] for points in axes.collections]
    assert len(colours) == 2
    (line,) = axes.lines
    assert line.get_color() == looks["control"].colour
    np.testing.assert_allclose(line.get_ydata(), [1.0, 5.0])
    found = [text.get_text() for text in figure.findobj(Text)]
    assert {"control (n = 3)", "treated (n = 2)", "SIMULATED DATA"} <= set(found)
    assert axes.get_xlabel() == "connectivity (Fisher z)"


def test_scatter_of_a_group_that_no_arm_is(crossover):
    changed = dataclasses.replace(GOES, points={"everyone": GOES.points["control"]})
    figure = plot_association(crossover, changed)
    assert len(figure.axes[0].collections) == 1
    empty = plot_association(crossover, dataclasses.replace(GOES, points={}))
    assert len(empty.axes[0].collections) == 0


def test_family_is_tabled_under_the_answers(page):
    answers = section(page, "answers")
    assert "Family confirm. One error rate of 0.05 for all its questions: Holm" in plain(answers)
    (table,) = [
        item
        for item in re.findall("<table.*?</table>", answers, re.DOTALL)
        if "confirm.</b>" in item
    ]
    rows = [plain(row).strip() for row in re.findall("<tr.*?</tr>", table, re.DOTALL)]
    assert rows == [
        "Question p p adjusted At 0.05",
        "whole 0.0010 0.0030 Found",
        "single 0.046 0.092 Not found",
        "refused – – Refused",
    ]
    assert "in its family: not found, p 0.092" in plain(answers)


def test_families_are_named_among_error_rates(parallel):
    said = across_sentence(dataclasses.replace(parallel, families=(FAMILY,)))
    assert said == (
        "The questions of family confirm (whole, single, refused) share one error rate by the "
        "adjusted p of its table; the p-values of the questions themselves are not adjusted. "
        "Each other question (network) has an error rate of its own. Nothing is adjusted beyond "
        "that."
    )


def session_labels(content, question):
    axes = plot_participants(content, question).axes[0]
    return [label.get_text() for label in axes.get_xticklabels()]


def test_a_floor_is_counted(parallel):
    (single,) = (q for q in parallel.questions if q.claim.question == "single")
    assert floor_of(single) is None
    values = {key: float(key[1] == "acute") for key in single.values}
    scored = dataclasses.replace(single, values=values)
    assert floor_of(scored) == 0.0
    assert session_labels(parallel, scored) == ["before\n5 at 0", "acute"]


def test_a_floor_is_counted_in_a_crossover(crossover):
    (question,) = crossover.questions
    values = {key: max(0.0, value - 0.5) for key, value in question.values.items()}
    labels = session_labels(crossover, dataclasses.replace(question, values=values))
    assert labels == ["Placebo\n(n = 8)\n5 at 0", "Drug X\n(n = 8)\n2 at 0"]


def test_within_and_between_persons_stand_side_by_side(parallel, tmp_path):
    content = dataclasses.replace(parallel, associations=(REPEATED,))
    page = write_report(content, tmp_path / "r.html").read_text()
    part = page[page.index('<div class="beside">') :]
    assert part.index("Within persons") < part.index("Between persons")
    assert ("Pairs", "17") in association_lines(REPEATED)
    assert "repeated, within persons: every pair, less the person" in page
    assert "repeated, between persons: every participant" in page
    row = page[: page.index('<div class="beside">')]
    assert "+0.12" in row
    assert "−0.45" in row
    assert "repeated (between persons)" in page
    readings = plain(part[part.index('class="readings"') :])
    assert "One holds a shared change." in readings
    assert "Means left in (the verdict) +0.12 −0.11 to +0.34" in readings
    assert "Means taken out −0.20 −0.41 to +0.03" in readings
    assert "r, 95 %, within persons, means left in −0.20" in plain(row)
    texts = [text.get_text() for text in plot_association(content, REPEATED).findobj(Text)]
    assert "control (3 pairs)" in texts
