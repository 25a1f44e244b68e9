import dataclasses
import math

import numpy as np
import pytest

from phmri.protocol import Family
from phmri.report._correction import (
    beyond_words,
    headline,
    least_pvalue,
    method_words,
    passes,
    pvalue_word,
    statistic_axis,
    statistic_of_df,
    threshold_marks,
)
from phmri.report._made import (
    correction_sentence,
    doubt_sentence,
    made_lines,
    warning_sentences,
)
from phmri.report._words import limits


def test_float32_does_not_undo_a_finding(make_claim):
    claim = make_claim("q", alpha=0.05)
    assert float(np.float32(0.05)) > 0.05
    found = passes(np.array([0.049, 0.05, np.float32(0.05), 0.0501, np.nan]), claim)
    assert found.tolist() == [True, True, True, False, False]
    assert passes(0.05, claim)


@pytest.mark.parametrize(
    ("changes", "largest", "where"),
    [
        ({}, "the maximum t in every shuffling", "|t| ≥ 4.50"),
        ({"alternative": "less"}, "the maximum t in every shuffling", "t ≤ −4.50"),
        ({"alternative": "greater", "statistic": "v"}, "the maximum v in every", "v ≥ 4.50"),
        ({"threshold": math.inf}, "the maximum t in every shuffling", ""),
        (
            {"method": "tfce", "threshold": 12345.6},
            "the maximum enhanced value (TFCE) in every shuffling",
            "the enhanced value ≥ 12,346",
        ),
        (
            {"method": "cluster_mass", "threshold": 31.25},
            "the mass of the heaviest cluster in every shuffling",
            "the mass of the cluster ≥ 31.2",
        ),
        (
            {"method": "cluster_extent", "threshold": 6.0, "outcome": "edges"},
            "the extent of the largest component in every shuffling",
            "the extent of the component ≥ 6",
        ),
        ({"method": "random_field"}, "random field theory", "|t| ≥ 4.50"),
    ],
)
def test_correction_is_told_per_method(make_claim, changes, largest, where):
    told = correction_sentence(make_claim("q", **changes))
    assert told.startswith(f"p (FWE) is corrected over 500 voxels by {largest}")
    assert told.endswith(f"; it is at most 0.05 where {where}." if where else f"{largest}.")


@pytest.mark.parametrize(
    ("statistic", "df", "symbol"),
    [("t", math.inf, "z"), ("t", 31.24, "t(31.2)"), ("v", 20.0, "v(20)"), ("rank", 20.0, "t(20)")],
)
def test_statistic_is_called_as_in_the_claim(make_claim, statistic, df, symbol):
    assert statistic_of_df(make_claim("q", statistic=statistic, df=df)) == symbol


def test_discoveries_are_told_as_such(make_claim):
    assert correction_sentence(make_claim("q", method="fdr")) == (
        "q (FDR) is the expected share of false discoveries over 500 voxels; it is at most 0.05 "
        "where |t| ≥ 4.50."
    )
    assert correction_sentence(make_claim("q", verdict="refused")) == ""


def test_one_number_is_not_called_corrected(parallel, make_claim):
    single = make_claim("single", outcome="scalar", corrected_over="", threshold=2.09)
    assert pvalue_word(single) == "p"
    assert correction_sentence(single) == (
        "p is of one number, and nothing is corrected; it is at most 0.05 where |t| ≥ 2.09."
    )
    joint = dataclasses.replace(single, corrected_over="1 outcome and the questions a, b")
    assert pvalue_word(joint) == "p (FWE)"
    assert "corrected over 1 outcome and the questions a, b" in correction_sentence(joint)


@pytest.mark.parametrize(("method", "said"), [("fdr", True), ("voxel", False)])
def test_one_number_is_shuffled_whatever_the_method(parallel, make_claim, method, said):
    inference = parallel.protocol.inference.model_copy(update={"method": method})
    protocol = parallel.protocol.model_copy(update={"inference": inference})
    single = make_claim("single", outcome="scalar", corrected_over="")
    told = dict(made_lines(protocol, single))["Correction"]
    assert (
        f"The protocol's method '{method}' is for several outcomes; this p comes" in told
    ) == said


def test_marks_stand_where_a_height_decides(make_claim):
    marks = {
        (method, alternative): threshold_marks(
            make_claim("q", method=method, alternative=alternative)
        )
        for method in ("voxel", "random_field", "fdr", "tfce", "cluster_mass", "cluster_extent")
        for alternative in ("two-sided", "greater", "less")
    }
    expected = {"two-sided": (-4.5, 4.5), "greater": (4.5,), "less": (-4.5,)}
    for (method, alternative), found in marks.items():
        height = method in {"voxel", "random_field", "fdr"}
        assert found == (expected[alternative] if height else ())
    assert threshold_marks(make_claim("q", threshold=math.inf)) == ()


def test_figures_say_what_is_outlined(make_claim):
    assert beyond_words(make_claim("q", method="tfce")) == "p (FWE) ≤ 0.05 by TFCE"
    assert beyond_words(make_claim("q", method="fdr")) == "q (FDR) ≤ 0.05, |t| ≥ 4.50"
    edges = make_claim("q", method="cluster_mass", outcome="edges")
    assert beyond_words(edges) == "components whose mass has p (FWE) ≤ 0.05"
    assert statistic_axis(make_claim("q", statistic="rank", df=46.0)) == "t of ranks (df = 46)"


def test_how_p_was_made(parallel, make_claim):
    protocol = parallel.protocol
    lines = dict(made_lines(protocol, make_claim("whole")))
    assert list(lines) == ["Shuffled", "Null hypothesis", "Shufflings", "Correction", "Least p"]
    assert lines["Null hypothesis"] == "The outcome is distributed alike in both arms."
    assert lines["Least p"] == "No p-value can be smaller than 1/5,000 = 0.0002."
    all_of_them = make_claim("whole", exhaustive=True, n_permutations=70, n_distinct=70, null="")
    lines = dict(made_lines(protocol, all_of_them))
    assert lines["Shufflings"] == "All 70 distinct shufflings."
    assert "Null hypothesis" not in lines
    few = make_claim("whole", n_permutations=500, n_distinct=924)
    assert (
        "500, drawn at random out of 924 distinct" in dict(made_lines(protocol, few))["Shufflings"]
    )
    fdr = make_claim("whole", method="fdr", statistic="v", n_permutations=0, shuffled="", null="")
    lines = dict(made_lines(protocol, fdr))
    assert (
        lines["Shuffled"] == "Nothing. p-values rest on the distribution of v under normal errors."
    )
    assert "Least p" not in lines
    assert made_lines(protocol, make_claim("refused", verdict="refused")) == ()


def test_a_fitted_tail_goes_below_a_count(parallel, make_claim):
    settings = parallel.protocol.inference.model_copy(update={"tail": "gamma"})
    protocol = parallel.protocol.model_copy(update={"inference": settings})
    lines = dict(made_lines(protocol, make_claim("whole")))
    assert lines["Least p"] == (
        "Below 1/5,000 = 0.0002, p-values come from a fitted tail, not from a count."
    )


@pytest.mark.parametrize(
    ("interval", "doubtful"),
    [((0.04, 0.06), True), ((0.051, 0.07), False), ((0.01, 0.049), False), ((0.05, 0.05), False)],
)
def test_doubt_is_told_when_the_interval_straddles_alpha(make_claim, interval, doubtful):
    claim = make_claim("q", pvalue_interval=interval)
    assert bool(doubt_sentence(claim)) == doubtful
    assert not doubt_sentence(dataclasses.replace(claim, exhaustive=True))
    if doubtful:
        assert "between 0.040 and 0.060 (95 % Monte-Carlo interval)" in doubt_sentence(claim)


def test_warnings_are_gathered_once(make_claim):
    claim = make_claim("q", notes=("Warning: a.", "A note."), sentences=("Warning: a.", "Done."))
    assert warning_sentences(claim) == ("Warning: a.",)


def test_headline_is_what_passed(make_claim, make_cluster):
    weak, strong = make_claim("q").peaks[::-1]
    claim = make_claim("q", peaks=(weak, strong), method="cluster_mass")
    assert headline(claim) == strong
    assert headline(dataclasses.replace(claim, peaks=(weak,))) == weak
    assert headline(dataclasses.replace(claim, peaks=())) is None
    clusters = (make_cluster(pvalue_mass=0.0001), make_cluster(2, pvalue_extent=0.00001))
    assert least_pvalue(claim) == 0.0002
    assert least_pvalue(dataclasses.replace(claim, clusters=clusters)) == 0.0001
    assert math.isnan(least_pvalue(dataclasses.replace(claim, peaks=())))


def test_limits_know_joint_families(parallel):
    def told(correction, members):
        families = {"acute": Family(correction=correction)}
        questions = tuple(
            dataclasses.replace(
                question,
                claim=dataclasses.replace(
                    question.claim,
                    family="acute" if question.claim.question in members else None,
                ),
            )
            for question in parallel.questions
        )
        protocol = parallel.protocol.model_copy(update={"families": families})
        return " ".join(
            limits(dataclasses.replace(parallel, protocol=protocol, questions=questions))
        )

    assert "across questions of a family (families named in the protocol: acute)" in told(
        "none", {"whole", "single"}
    )
    part = told("joint_maximum", {"whole", "single"})
    assert "family acute (whole, single) share one error rate" in part
    assert "Each other question (network) has an error rate of its own." in part
    claims = [dataclasses.replace(q.claim, family="acuet") for q in parallel.questions[:1]]
    strayed = dataclasses.replace(parallel.questions[0], claim=claims[0])
    families = {"acute": Family(correction="joint_maximum")}
    single = dataclasses.replace(
        parallel.questions[2],
        claim=dataclasses.replace(parallel.questions[2].claim, family="acute"),
    )
    content = dataclasses.replace(
        parallel,
        protocol=parallel.protocol.model_copy(update={"families": families}),
        questions=(strayed, parallel.questions[1], single),
    )
    assert "Each other question (network of family acuet) has" in " ".join(limits(content))
    assert "across questions of a family" not in part
    assert "error rate" not in told("joint_maximum", {"whole", "single", "network", "refused"})


def test_limits_of_clusters_and_discoveries(parallel):
    def told(method):
        first = dataclasses.replace(
            parallel.questions[1],
            claim=dataclasses.replace(parallel.questions[1].claim, method=method),
        )
        return " ".join(limits(dataclasses.replace(parallel, questions=(first,))))

    assert "every part of a cluster" in told("cluster_extent")
    assert "false discovery rate" in told("fdr")
    assert "every part of a cluster" not in told("voxel")


def test_one_number_by_a_model_is_neither_shuffled_nor_corrected(parallel, make_claim):
    claim = make_claim(
        "single",
        outcome="scalar",
        corrected_over="",
        method="holm",
        n_permutations=0,
        n_distinct=0,
    )
    said = dict(made_lines(parallel.protocol, claim))
    assert (
        said["Shuffled"] == "Nothing. p-values rest on the distribution of t under normal errors."
    )
    assert "comes from shuffling" not in said["Correction"]
    assert method_words(claim) == ""
