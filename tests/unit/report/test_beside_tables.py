"""Tables and figures beside an answer, and of doses, on the page."""

import dataclasses
import html
import re

import pytest

from phmri.report import (
    BesideContent,
    CourseContent,
    DoseContent,
    ExposureContent,
    NuisanceContent,
    VariantContent,
    write_report,
)

EVIL = "<script>alert('x')</script>"
OWN = VariantContent(
    denoising="motion", effect=0.2, ci_low=0.08, ci_high=0.32, pvalue=0.0002,
    least_pvalue=0.0002, n_found=3, n_outcomes=1500,
)  # fmt: skip
OTHER = dataclasses.replace(
    OWN, denoising=f"gsr {EVIL}", effect=-0.0123, ci_low=-0.14, ci_high=0.11, pvalue=0.81,
    least_pvalue=0.031, n_found=1, n_outcomes=1498,
)  # fmt: skip
NOWHERE = dataclasses.replace(
    OWN, denoising="aroma", effect=None, ci_low=None, ci_high=None, pvalue=None,
    least_pvalue=1.0, n_found=0, n_outcomes=0,
)  # fmt: skip
STILL = NuisanceContent(
    name="framewise displacement, mean (mm)", effect=0.0042, ci_low=-0.011, ci_high=0.0194,
    pvalue=0.58, n=39,
)  # fmt: skip
MOVED = NuisanceContent(
    name=f"trans_z, response to the infusion (SD) {EVIL}", effect=1.52, ci_low=0.9, ci_high=2.14,
    pvalue=3.2e-17, n=38,
)  # fmt: skip
COURSE = CourseContent(
    edges_min=(0.0, 1.0, 2.0),
    unit="% signal change",
    values={"placebo": {"01": (0.0, 1.0), "02": (1.0, 1.0)}, "drug": {"06": (1.0, 2.0)}},
)


def beside(content, found, name="whole"):
    """Give one question what stands beside it."""
    questions = tuple(
        dataclasses.replace(item, beside=found, t_map=None, values={})
        if item.claim.question == name
        else item
        for item in content.questions
        if item.claim.question == name
    )
    return dataclasses.replace(content, questions=questions)


def page_of(content, tmp_path):
    text = write_report(content, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in text
    return text


def table_with(text, caption):
    """Give head and rows of the table with this in its caption, as plain text."""
    (table,) = [
        item for item in re.findall(r"<table.*?</table>", text, re.DOTALL) if caption in item
    ]
    rows = re.findall(r"<tr.*?>(.*?)</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub("<.*?>", "", cell)) for cell in row] for row in cells], table


def test_other_denoisings(parallel, tmp_path):
    text = page_of(beside(parallel, BesideContent(variants=(OWN, OTHER, NOWHERE))), tmp_path)
    (head, *rows), table = table_with(text, "with other denoisings")
    assert head == [
        "Denoising", "Effect (Fisher z)", "95 % CI", "p uncorrected", "least p (FWE)", "passed",
    ]  # fmt: skip
    assert rows == [
        ["motion", "+0.20", "+0.08 to +0.32", "0.0002", "0.0002", "3 of 1,500"],
        [f"gsr {EVIL}", "−0.01", "−0.14 to +0.11", "0.810", "0.031", "1 of 1,498"],
        ["aroma", "no data there", "–", "–", "1.000", "0 of 0"],
    ]
    assert "at the outcome that the first row found strongest" in table
    assert "The first row is the answer; the others decide nothing." in table


def test_one_number_was_not_selected(parallel, tmp_path):
    text = page_of(beside(parallel, BesideContent(variants=(OWN, OTHER)), "single"), tmp_path)
    _, table = table_with(text, "with other denoisings")
    assert "of the same outcome" in table
    assert "strongest" not in table


def test_nuisance(parallel, tmp_path):
    text = page_of(beside(parallel, BesideContent(nuisance=(STILL, MOVED))), tmp_path)
    (head, *rows), table = table_with(text, "What is of no interest")
    assert head == ["Variable", "Difference", "95 % CI", "p uncorrected", "n"]
    assert rows == [
        ["framewise displacement, mean (mm)", "+0.004", "−0.011 to +0.019", "0.580", "39"],
        [f"trans_z, response to the infusion (SD) {EVIL}", "+1.52", "+0.90 to +2.14",
         "3.2×10⁻¹⁷", "38"],
    ]  # fmt: skip
    assert table.count('class="passes"') == 1
    assert "1 of 2 at uncorrected p ≤ 0.05" in text
    assert "A drug can change these, too" in table


@pytest.mark.parametrize(("rows", "is_open"), [((STILL, MOVED), True), ((STILL,), False)])
def test_nuisance_opens_where_something_differs(parallel, tmp_path, rows, is_open):
    text = page_of(beside(parallel, BesideContent(nuisance=rows)), tmp_path)
    opening = re.search(r"<details([^>]*)><summary>Did motion", text)
    assert opening is not None
    assert ("open" in opening[1]) == is_open


def test_no_p_is_zero(parallel, tmp_path):
    tiny = dataclasses.replace(MOVED, pvalue=1e-300)
    least = dataclasses.replace(OWN, pvalue=4e-9, least_pvalue=1 / 5000)
    text = page_of(beside(parallel, BesideContent(variants=(least,), nuisance=(tiny,))), tmp_path)
    rows = table_with(text, "What is of no interest")[0] + table_with(text, "other denois")[0]
    assert [row[3] for row in rows if row[3] != "p uncorrected"] == ["1.0×10⁻³⁰⁰", "4.0×10⁻⁹"]
    assert not [cell for row in rows for cell in row if re.fullmatch(r"0(\.0+)?", cell)]


def test_course_stands_with_the_question(parallel, tmp_path):
    text = page_of(beside(parallel, BesideContent(course=COURSE)), tmp_path)
    article = text.split('id="question-whole"')[1].split("</article>")[0]
    assert "whole: course over the infusion." in article
    assert "not corrected for placebo" in article
    image = re.search(r'<img src="data:image/svg[^"]*" alt="([^"]*course of each[^"]*)"', article)
    assert image is not None
    assert image[1].startswith("Simulated data.")


def test_exposures_and_doses(parallel, tmp_path):
    curve = ((0.0, 1.0), (0.0, 9.0))
    exposures = (
        ExposureContent(
            name="plasma", model=f"x in plasma; {EVIL}", typical=curve, curves=(curve,)
        ),
    )
    doses = (
        DoseContent(subject="03", session="one", drug="x", given="1 mg at 0.5 min", planned=""),
        DoseContent(subject="04", session="one", drug=EVIL, given="", planned="2 mg at 0 min"),
    )
    content = dataclasses.replace(parallel, questions=(), exposures=exposures, doses=doses)
    text = page_of(content, tmp_path)
    assert '<a href="#drug">Doses and exposure</a>' in text
    section = text.split('<section id="drug">')[1].split("</section>")[0]
    (_, *rows), table = table_with(section, "Doses as given")
    assert rows == [
        ["03", "one", "x", "1 mg at 0.5 min", "–"],
        ["04", "one", EVIL, "–", "2 mg at 0 min"],
    ]
    assert "Minutes count from time zero of the protocol." in table
    assert "Computed, not measured" in section
    assert "2 doses as given" in section
    assert "<b>plasma:</b> x in plasma; &lt;script&gt;" in section


@pytest.mark.parametrize("given", ["exposures", "doses"])
def test_section_with_one_of_both(parallel, tmp_path, given):
    curve = ((0.0, 1.0), (0.0, 9.0))
    values = {
        "exposures": (ExposureContent(name="p", model="m", typical=curve, curves=()),),
        "doses": (DoseContent(subject="03", session="one", drug="x", given="g", planned="p"),),
    }
    content = dataclasses.replace(parallel, questions=(), **{given: values[given]})
    section = page_of(content, tmp_path).split('<section id="drug">')[1].split("</section>")[0]
    assert ("<figure" in section) == (given == "exposures")
    assert ("<table" in section) == (given == "doses")


def test_report_without_any_of_these(parallel, tmp_path):
    text = page_of(beside(parallel, BesideContent()), tmp_path)
    for words in (
        'id="drug"', "#drug", "Doses and exposure", "with other denoisings",
        "Did motion, global signal", "course over the infusion", "Concentration of the drug",
    ):  # fmt: skip
        assert words not in text
