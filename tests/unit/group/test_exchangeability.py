import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import UnitDesign, exchange_repeated, exchange_within, override_kind

SUBJECTS = ["b", "b", "a", "a", "c", "c"]
VISITS = ["pre", "post", "post", "pre", "pre", "post"]


def test_rows_within_blocks():
    found = exchange_within(np.array([1, 0, -1, 1]), null="n", words="w")
    assert_array_equal(found.levels, [[1, 0], [0, 1], [-1, 2], [1, 3]])
    assert_array_equal(found.fixed, [False, False, True, False])
    assert (found.kind, found.exchanged) == ("permute", (False, True))
    assert (found.null, found.words) == ("n", "w")


@pytest.mark.parametrize(
    ("effect", "exchanged"),
    [("between", (True, False)), ("within", (False, True)), ("both", (True, True))],
)
def test_repeated_rows_have_participant_and_visit(effect, exchanged):
    found = exchange_repeated(SUBJECTS, VISITS, effect=effect)
    assert_array_equal(found.levels, [[1, 1], [1, 0], [0, 0], [0, 1], [2, 1], [2, 0]])
    assert found.exchanged == exchanged
    assert not found.fixed.any()
    assert ("compound symmetry" in found.null) == (effect != "between")
    assert found.words.endswith(".")


def test_groups_and_sites_stay():
    found = exchange_repeated(
        SUBJECTS, VISITS, effect="both", groups=list("xxxxyy"), sites=list("ssttuu")
    )
    assert found.levels.shape == (6, 4)
    assert found.exchanged == (False, False, True, True)
    assert "within their group or site" in found.words


def test_given_sentences_are_kept():
    found = exchange_repeated(SUBJECTS, VISITS, effect="within", null="n", words="w")
    assert (found.null, found.words) == ("n", "w")


@pytest.mark.parametrize("effect", ["between", "both"])
def test_participants_of_other_visits_are_named(effect):
    subjects, visits = [*SUBJECTS, "d", "e"], [*VISITS, "pre", "late"]
    with pytest.raises(DesignError) as caught:
        exchange_repeated(subjects, visits, effect=effect)
    assert len(caught.value.problems) == 1
    assert "found d (pre); e (late); expected visits post, pre" in str(caught.value)
    fixed = np.array([False] * 6 + [True] * 2)
    assert exchange_repeated(subjects, visits, effect=effect, fixed=fixed).fixed.sum() == 2
    assert exchange_repeated(subjects, visits, effect="within").exchanged == (False, True)
    apart = exchange_repeated(subjects, visits, effect=effect, groups=list("xxxxxxyz"))
    assert apart.exchanged[0] is False


def test_rows_that_contradict_each_other_are_refused():
    with pytest.raises(DesignError, match="columns of different length; found 5, 6"):
        exchange_repeated(SUBJECTS, VISITS[:5], effect="within")
    with pytest.raises(DesignError) as caught:
        exchange_repeated(
            SUBJECTS, ["pre"] * 2 + VISITS[2:], effect="within", sites=list("ssstuu")
        )
    assert {p.subject for p in caught.value.problems} == {"a", "b"}
    assert "sub-b: participant has a visit more than once; found pre" in str(caught.value)
    assert "sub-a: participant belongs to more than one group or site; found s, t" in str(
        caught.value
    )


def overridden(columns, contrast, groups, fixed, kind="sign_flip"):
    n = len(groups)
    design = UnitDesign(
        estimator="post",
        subjects=tuple(f"{k}" for k in range(n)),
        groups=tuple(groups),
        X=np.random.default_rng(1).normal(size=(n, len(columns))),
        columns=columns,
        contrast=np.array(contrast),
        voxelwise_baseline=False,
        exchangeability=exchange_within(
            np.where(fixed, -1, 0), null="they are the same", words="Participants move."
        ),
        notes=(),
        sentences=(),
    )
    return override_kind(design, kind).exchangeability


@pytest.mark.parametrize(
    ("columns", "contrast", "compared"),
    [
        (("arm:A", "arm:B", "arm:C"), [1.0, -1.0, 0.0], "A and B have the same mean"),
        (("A first", "B first"), [1.0, -1.0], "A and B have the same mean"),
        (("treatment:A", "treatment:B", "period:2"), [1.0, -1.0, 0.0], "A and B have the same"),
    ],
)
def test_flipped_signs_test_means(columns, contrast, compared):
    tree = overridden(columns, contrast, "AABBCC", [False] * 4 + [True] * 2)
    assert tree.kind == "sign_flip"
    assert tree.null.startswith(compared)
    assert tree.null.endswith("errors are symmetric about zero; variances may differ")
    assert tree.words == (
        "Residuals of participants change sign instead of place, as the protocol asks, which "
        "takes errors to be symmetric about zero; those of C stay."
    )


def test_the_kind_of_the_design_keeps_its_words():
    tree = overridden(("arm:A", "arm:B"), [1.0, -1.0], "AABB", [False] * 4, kind="permute")
    assert (tree.null, tree.words) == ("they are the same", "Participants move.")
