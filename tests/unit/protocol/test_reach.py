"""Settings of inference that could never do anything, and families that were misspelt."""

import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import Inference, read_protocol, write_template


def _problems(tmp_path, **sections):
    """Read a protocol with sections added, and a family given to its question."""
    path = write_template("minimal_parallel", tmp_path)
    text = path.read_text()
    family = sections.pop("family", None)
    if family is not None:
        text = text.replace("    role: primary", f"    role: primary\n    family: {family}")
    added = "".join(f"{name}: {content}\n" for name, content in sections.items())
    path.write_text(f"{text}\n{added}")
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    return [(item.field, item.what, item.found, item.expected) for item in caught.value.problems]


@pytest.mark.parametrize(
    ("setting", "found", "expected"),
    [
        ("cluster_z: 39.9", "39.9", "a number of 7 or less"),
        ("cluster_p: 1e-300", "1e-300", "a number of 1e-12 or more"),
    ],
)
def test_thresholds_that_no_map_reaches_are_refused(tmp_path, setting, found, expected):
    field = f"inference.{setting.split(':')[0]}"
    told = _problems(tmp_path, inference=f"{{{setting}}}")
    assert told == [(field, "out of range", found, expected)]


def test_the_highest_thresholds_are_kept():
    assert Inference(cluster_z=7.0).cluster_z == 7
    assert Inference(cluster_p=1e-12).cluster_p == 1e-12


@pytest.mark.parametrize("stop_after", [500, 5000])
def test_stopping_after_more_than_are_made_is_refused(tmp_path, stop_after):
    told = _problems(tmp_path, inference=f"{{n_permutations: 500, stop_after: {stop_after}}}")
    assert told == [
        (
            "inference.stop_after",
            "this can never stop: so many are not made",
            f"stop_after {stop_after}, n_permutations 500",
            "less than 'n_permutations'",
        )
    ]
    assert Inference(n_permutations=500, stop_after=499).stop_after == 499


def test_what_methods_without_shuffling_ignore_is_accepted():
    kept = Inference(method="random_field", n_permutations=200, seed=3, connectivity=18)
    assert (kept.n_permutations, kept.seed, kept.connectivity) == (200, 3, 18)


def test_a_misspelt_family_is_told(tmp_path):
    told = _problems(tmp_path, family="acuet", families="{acute: {correction: joint_maximum}}")
    stray = [item for item in told if item[0] == "questions.effect.family"]
    assert stray == [
        (
            "questions.effect.family",
            "no other question belongs to this family, and it is not declared",
            "acuet",
            "acute, or 'acuet' in 'families'",
        )
    ]
