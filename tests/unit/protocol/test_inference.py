"""Settings of inference that contradict each other: in Python and in a file, in the same words."""

import pytest
from pydantic import ValidationError

from phmri.exceptions import ProtocolError
from phmri.protocol import Inference, Protocol, inference_of, read_protocol, write_template

THREE = "one of cluster_z (a z value), cluster_t (in units of the statistic), cluster_p"
NO_SHUFFLING = ["random_field", "fdr"]
SHUFFLING = ["voxel", "tfce", "cluster_mass", "cluster_extent"]

CONTRADICTIONS = [
    ({"method": "cluster_mass"}, "method", "needs a cluster-forming threshold; found none"),
    ({"method": "cluster_extent"}, "method", f"expected {THREE}"),
    ({"method": "cluster_mass", "cluster_z": 3.1, "cluster_p": 0.001}, "cluster_p", THREE),
    ({"cluster_z": 3.1, "cluster_t": 3.1}, "cluster_t", "found cluster_z and cluster_t"),
    ({"method": "random_field", "cluster_z": 3.1, "cluster_p": 0.001}, "cluster_p", "by one"),
    ({"method": "cluster_mass", "cluster_t": 3.5, "height": "z"}, "cluster_t", "or 'height: t'"),
    ({"method": "fdr", "cluster_p": 0.001}, "cluster_p", "no effect with the method 'fdr'"),
    ({"tfce_extent_power": 1.5}, "tfce_extent_power", "expected no key 'tfce_extent_power'"),
    ({"method": "fdr", "tfce_height_power": 1.5}, "tfce_height_power", "as 'method' tfce"),
    ({"stop_after": 20, "tail": "gamma"}, "stop_after", "found stop_after 20, tail gamma"),
    ({"shuffle": "sign_flip", "shuffle_within": ["site"]}, "shuffle_within", "nobody changes"),
    ({"shuffle_within": ["site", "site"]}, "shuffle_within[1]", "listed twice; found site"),
    ({"method": "random_field", "statistic": "v"}, "statistic", "for the statistic t; found v"),
    ({"method": "random_field", "statistic": "rank"}, "statistic", "for the statistic t"),
    ({"method": "random_field", "min_coverage": 0.9}, "min_coverage", "the same participants"),
    *(
        ({"method": method, **setting}, next(iter(setting)), f"with the method '{method}'")
        for method in NO_SHUFFLING
        for setting in (
            {"tail": "gamma"},
            {"stop_after": 20},
            {"nuisance": "ter_braak"},
            {"height": "z"},
            {"cluster_mass": "height"},
            {"shuffle": "permute"},
            {"shuffle_within": ["site"]},
        )
    ),
]


def _problems(tmp_path, settings):
    path = write_template("minimal_parallel", tmp_path)
    lines = [f"  {key}: {str(value).replace(chr(39), '')}" for key, value in settings.items()]
    path.write_text("\n".join([path.read_text(), "inference:", *lines, ""]))
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    return caught.value.problems


@pytest.mark.parametrize(("settings", "field", "words"), CONTRADICTIONS)
def test_contradictions_are_told_in_python_and_in_a_file_alike(tmp_path, settings, field, words):
    (problem,) = _problems(tmp_path, settings)
    with pytest.raises(ValueError, match="Value error") as caught:
        Inference.model_validate(settings)

    told = f"{problem.what}; found {problem.found}; expected {problem.expected}"
    assert problem.field == f"inference.{field}"
    assert words in told
    assert f"Value error, {field}: {told} [" in str(caught.value)
    assert problem.line is not None
    assert problem.line > 1


def test_all_contradictions_are_told_at_once():
    with pytest.raises(ValidationError) as caught:
        Inference(
            method="random_field",
            statistic="rank",
            tail="gamma",
            tfce_height_power=1.0,
            min_coverage=0.9,
        )

    (error,) = caught.value.errors()
    lines = error["msg"].removeprefix("Value error, ").splitlines()
    fields = [line.split(": ")[0] for line in lines]
    assert fields == ["tfce_height_power", "tail", "statistic", "min_coverage"]


@pytest.mark.parametrize(
    "settings",
    [
        *({"method": method, "cluster_p": 0.001} for method in [*SHUFFLING, "random_field"]),
        *({"method": method} for method in ["voxel", "tfce", *NO_SHUFFLING]),
        {"method": "random_field", "cluster_p": 0.01},  # allowed, and the report warns
        {"method": "cluster_extent", "cluster_z": 3.1, "statistic": "v"},
        {"method": "cluster_mass", "cluster_z": 3.1, "height": "z", "cluster_mass": "height"},
        {"method": "tfce", "tfce_extent_power": 0.5, "tfce_height_power": 1.0, "height": "z"},
        {"statistic": "v", "min_coverage": 0.9, "stop_after": 20, "shuffle_within": ("site",)},
        {"statistic": "rank", "tail": "generalised_pareto", "nuisance": "draper_stoneman"},
        {"method": "fdr", "statistic": "v", "fdr": "by", "n_permutations": 100, "alpha": 0.001},
        {"method": "fdr", "tfce_extent_power": 0.5, "tail": "counts"},  # defaults, written out
    ],
)
def test_settings_that_agree_are_kept(settings):
    kept = Inference.model_validate(settings)

    assert {key: getattr(kept, key) for key in settings} == settings


def test_few_permutations_are_refused_only_where_they_are_made(tmp_path):
    few = {"n_permutations": 100, "alpha": 0.001}

    (problem,) = _problems(tmp_path / "a", few)

    assert problem.field == "inference"
    assert "so few permutations" in problem.what
    path = write_template("minimal_parallel", tmp_path / "b")
    path.write_text(
        path.read_text() + "inference: {method: fdr, n_permutations: 100, alpha: 0.001}\n"
    )
    assert read_protocol(path).inference.n_permutations == 100


def _protocol(tmp_path, *, inference, questions=None, families=None):
    """Make a trial of two questions of one family: a whole map, and the mean of a region."""
    value = read_protocol(write_template("minimal_parallel", tmp_path)).model_dump()
    first = {**value["questions"]["effect"], "family": "acute"}
    value["regions"]["place"] = {**value["regions"]["seed"], "center_mm": (20, 0, 0)}
    second = {**first, "role": "secondary", "where": {"mean_of": "place"}, **(questions or {})}
    value["questions"] = {"map": first, "mean": second}
    return Protocol.model_validate({**value, "inference": inference, "families": families or {}})


def test_a_question_of_its_own_settings_is_not_bound_by_the_protocols(tmp_path):
    inherited = _protocol(
        tmp_path / "a", inference={"method": "tfce", "height": "z", "n_permutations": 200}
    )

    # One number has no neighbours: it takes the protocol's settings without what concerns them.
    assert inference_of(inherited, "mean") == Inference(n_permutations=200)
    assert inference_of(inherited, "map").method == "tfce"

    protocol = _protocol(
        tmp_path / "b", inference={"method": "tfce"}, questions={"inference": Inference()}
    )

    assert protocol.questions["mean"].inference.method == "voxel"


def test_questions_of_one_setting_may_share_a_maximum(tmp_path):
    joint = {"acute": {"correction": "joint_maximum"}}

    protocol = _protocol(tmp_path / "a", inference={"cluster_p": 0.001}, families=joint)

    assert protocol.families["acute"].correction == "joint_maximum"
    differing = {"alternative": "greater", "inference": {"statistic": "rank", "confidence": 0.9}}
    with pytest.raises(ValidationError) as caught:
        _protocol(tmp_path / "b", inference={}, questions=differing, families=joint)
    assert str(caught.value).count("families.acute.correction: a joint maximum needs") == 2
    assert "'alternative' in every question of the family; found map two-sided, mean greater" in (
        str(caught.value)
    )
    assert "'statistic' in every question of the family; found map t, mean rank" in (
        str(caught.value)
    )


@pytest.mark.parametrize("setting", [{"tail": "gamma"}, {"stop_after": 20}])
def test_a_shared_maximum_counts_all_shufflings(tmp_path, setting):
    (key,) = setting

    with pytest.raises(ValidationError, match=f"without '{key}'; found {key} .* for mean"):
        _protocol(tmp_path, inference=setting, families={"acute": {"correction": "joint_maximum"}})


def test_questions_may_name_a_family_that_is_not_declared(tmp_path):
    assert _protocol(tmp_path, inference={}).families == {}
