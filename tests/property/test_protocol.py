"""Any protocol survives the way through YAML; no document whatever makes the reader stumble."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import phmri
from phmri.exceptions import ProtocolError
from phmri.protocol import Inference, Protocol, protocol_sha256, read_protocol
from phmri.protocol._document import read_document

TEMPLATES = sorted((Path(phmri.__file__).parent / "resources" / "templates").glob("*.yaml"))
RAW = [read_document(path).value for path in TEMPLATES]
FULL = copy.deepcopy(RAW[-1])  # every setting of inference written out, for all and for one
FULL["inference"] = Inference().model_dump(mode="json")
FULL["questions"]["wm_acute"]["inference"] = Inference(shuffle_within=("site",)).model_dump(
    mode="json"
)
FULL["families"] = {"acute": {"correction": "none"}}
RAW.append(FULL)
MAPS = {"wm_acute": RAW[-2]["questions"]["wm_acute"]}
QUICK = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
labels = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
amounts = st.floats(min_value=1e-6, max_value=1e6)


class _Quoting(yaml.SafeDumper):
    """Quote every text: PyYAML decides by YAML 1.1 what needs quotes, the reader goes by 1.2."""


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@st.composite
def documents(draw):
    drug, placebo, active = draw(st.lists(names, min_size=3, max_size=3, unique_by=str.casefold))
    baseline, acute = draw(st.lists(labels, min_size=2, max_size=2, unique=True))
    regions = draw(st.lists(names, min_size=2, max_size=4, unique_by=str.casefold))
    dose = {
        "drug": drug,
        "route": draw(st.sampled_from(["oral", "intravenous"])),
        "start_min": draw(st.floats(-600, 600)),
        **draw(
            st.one_of(
                st.fixed_dictionaries(
                    {"amount": amounts, "unit": st.sampled_from(["mg", "mg/kg"])}
                ),
                st.fixed_dictionaries(
                    {"rate": amounts, "unit": st.just("mg/kg/h"), "duration_min": amounts}
                ),
            )
        ),
    }
    point = st.tuples(*[st.floats(-100, 100)] * 3)
    return {
        "phmri": 1,
        "name": draw(names),
        "title": draw(texts),
        "notes": draw(st.none() | texts),
        "references": draw(st.lists(texts, max_size=3)),
        "drugs": {drug: {"name": draw(st.none() | texts)}},
        "treatments": {placebo: {}, active: {"doses": [dose], "label": draw(st.none() | texts)}},
        "design": {
            "kind": "parallel",
            "arms": {placebo: {"treatment": placebo}, active: {"treatment": active}},
        },
        "sessions": {baseline: {"phase": "baseline"}, acute: {"phase": "acute"}},
        "scans": {"rest": {"task": draw(labels), "start_min": {acute: draw(st.floats(-60, 60))}}},
        "space": "native",
        "regions": {
            region: {
                "kind": "sphere",
                "center_mm": draw(point),
                "radius_mm": draw(amounts),
                "space": "native",
            }
            for region in regions
        },
        "denoising": {"plain": {"strategy": "36p", "highpass_hz": draw(amounts)}},
        "measures": {
            "edges": {
                "kind": "roi_to_roi",
                "scan": "rest",
                "regions": regions,
                "denoising": "plain",
            }
        },
        "questions": {
            "one": {
                "text": draw(texts),
                "role": "primary",
                "measure": "edges",
                "contrast": [active, placebo],
                "session": acute,
                "baseline": baseline,
                "estimator": draw(st.sampled_from(["ancova", "change"])),
                "where": draw(st.sampled_from([{}, {"at": "~".join(regions[:2])}])),
            }
        },
        "exclusions": {"participants": draw(st.dictionaries(labels, texts, max_size=3))},
    }


@QUICK
@given(document=documents(), keep_defaults=st.booleans(), flow=st.booleans())
def test_round_trip_through_yaml(tmp_path, document, keep_defaults, flow):
    protocol = Protocol.model_validate(document)
    path = tmp_path / "trial.yaml"
    value = protocol.model_dump(mode="json", exclude_defaults=not keep_defaults)
    path.write_text(
        yaml.dump(value, Dumper=_Quoting, default_flow_style=flow, allow_unicode=True, width=60),
        encoding="utf-8",
    )

    again = read_protocol(path)

    assert again == protocol
    assert protocol_sha256(again) == protocol_sha256(protocol)


@QUICK
@given(document=documents())
def test_round_trip_through_json(tmp_path, document):
    protocol = Protocol.model_validate(document)
    path = tmp_path / "trial.yaml"
    path.write_text(json.dumps(protocol.model_dump(mode="json"), indent=1), encoding="utf-8")

    assert read_protocol(path) == protocol


def _places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, key))


junk = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "acute", "crossover", "seed_to_voxel", "A~B", "~"]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.lists(st.integers()))),
)  # fmt: skip


settings_of_inference = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(
            ["voxel", "tfce", "cluster_mass", "cluster_extent", "random_field", "fdr"]
        ),
        "statistic": st.sampled_from(["t", "v", "rank"]),
        "nuisance": st.sampled_from(["freedman_lane", "ter_braak"]),
        "tfce_extent_power": st.sampled_from([0.5, 1.0]),
        "cluster_z": st.sampled_from([None, 3.1]),
        "cluster_t": st.sampled_from([None, 3.5]),
        "cluster_p": st.sampled_from([None, 0.001]),
        "height": st.sampled_from(["t", "z"]),
        "min_coverage": st.sampled_from([0.9, 1.0]),
        "tail": st.sampled_from(["counts", "gamma"]),
        "stop_after": st.sampled_from([None, 20]),
        "shuffle": st.sampled_from(["from_design", "permute", "sign_flip"]),
        "shuffle_within": st.lists(st.sampled_from(["site", "scanner"]), max_size=2),
    },
)


@settings(QUICK, max_examples=100)
@given(inference=settings_of_inference)
def test_a_file_and_python_judge_inference_alike(tmp_path, inference):
    path = tmp_path / "trial.yaml"
    path.write_text(json.dumps({**RAW[-1], "inference": inference, "questions": MAPS}))

    outcome = _read_or_problems(path)

    if isinstance(outcome, Protocol):
        assert outcome.inference == Inference.model_validate(inference)
    else:
        with pytest.raises(ValidationError) as caught:
            Inference.model_validate(inference)
        lines = caught.value.errors()[0]["msg"].removeprefix("Value error, ").splitlines()
        told = [
            f"{item.field}: {item.what}; found {item.found}; expected {item.expected}"
            for item in outcome
        ]
        assert sorted(f"inference.{line}" for line in lines) == sorted(told)


def _read_or_problems(path):
    try:
        return read_protocol(path)
    except ProtocolError as error:
        return error.problems


@settings(QUICK, max_examples=100)
@given(data=st.data(), which=st.sampled_from(range(len(RAW))))
def test_junk_anywhere_is_told_and_never_stumbled_over(tmp_path, data, which):
    value = copy.deepcopy(RAW[which])
    *parents, last = data.draw(st.sampled_from([place for place in _places(value) if place]))
    holder = value
    for key in parents:
        holder = holder[key]
    holder[last] = data.draw(junk)
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.dump(value, Dumper=_Quoting), encoding="utf-8")

    outcome = _read_or_problems(path)

    if isinstance(outcome, Protocol):
        assert Protocol.model_validate(outcome.model_dump()) == outcome
    else:
        assert outcome
        assert all(problem.line and problem.field and problem.what for problem in outcome)
