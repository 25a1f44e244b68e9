"""What a protocol is, apart from how it is typed."""

import pytest
import yaml
from pydantic import ValidationError

import phmri.protocol
from phmri.protocol import Protocol, protocol_sha256, read_protocol, write_template


@pytest.fixture
def path(tmp_path):
    return write_template("minimal_parallel", tmp_path)


def _reversed(value):
    """Turn the order of keys around, not that of lists."""
    if isinstance(value, dict):
        return {key: _reversed(item) for key, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def test_hash_is_that_of_the_content(path):
    first = protocol_sha256(read_protocol(path))
    value = yaml.safe_load(path.read_text())

    path.write_text(yaml.safe_dump(_reversed(value), default_flow_style=True, sort_keys=False))

    assert protocol_sha256(read_protocol(path)) == first
    assert len(first) == 64


def test_hash_counts_a_default_as_written(path):
    first = protocol_sha256(read_protocol(path))

    path.write_text(path.read_text() + "inference: {alpha: 0.05}\nresolution: null\n")

    assert protocol_sha256(read_protocol(path)) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount: 100", "amount: 100.5"),
        ("contrast: [drug, placebo]", "contrast: [placebo, drug]"),
        ("radius_mm: 6", "radius_mm: 7"),
        ("role: primary", "role: primary\n    alternative: greater"),
    ],
)
def test_hash_follows_every_value(path, old, new):
    first = protocol_sha256(read_protocol(path))
    text = path.read_text()
    assert old in text

    path.write_text(text.replace(old, new))

    assert protocol_sha256(read_protocol(path)) != first


def test_hash_of_a_fixed_protocol_is_fixed(path):
    # Another number here changes the protocol hash of every result: say so in the changelog.
    assert protocol_sha256(read_protocol(path)).startswith("b91c07498736e9e2")


def test_protocols_made_in_python_are_checked_alike(path):
    value = read_protocol(path).model_dump()
    value["measures"]["seed_rest"]["seed"] = "sed"
    value["questions"]["effect"]["session"] = "baseline"

    with pytest.raises(ValidationError) as caught:
        Protocol.model_validate(value)

    assert "measures.seed_rest.seed: this region is not declared" in str(caught.value)
    assert "questions.effect.session: a session of phase baseline" in str(caught.value)


def test_protocols_are_frozen(path):
    protocol = read_protocol(path)

    with pytest.raises(ValidationError, match="frozen"):
        protocol.name = "other"


def test_public_names():
    assert set(phmri.protocol.__all__) == {
        "Alff",
        "Arm",
        "Association",
        "BetaSeries",
        "Blockade",
        "Censor",
        "Compartments",
        "Crossover",
        "DegreeCentrality",
        "Denoising",
        "Design",
        "Dose",
        "Drift",
        "Drug",
        "DualRegression",
        "Exclusions",
        "Finding",
        "Label",
        "Name",
        "Raw",
        "Record",
        "check_course",
        "listed",
        "mapping",
        "number",
        "one_of",
        "read_record",
        "Exposure",
        "ExposureConnectivity",
        "ExposureResponse",
        "Falff",
        "Family",
        "GammaVariate",
        "GlobalConnectivity",
        "Inference",
        "Infusion",
        "InfusionModel",
        "IntercurrentEvent",
        "JulichRegion",
        "LabelRegion",
        "MapAssociation",
        "MaskRegion",
        "Measure",
        "Noise",
        "Parallel",
        "Parcellation",
        "Persistence",
        "Population",
        "Ppi",
        "Prediction",
        "Protocol",
        "Pseudoblock",
        "Question",
        "Ramp",
        "ReceptorMaps",
        "Region",
        "Reho",
        "Reliability",
        "ResponseFamily",
        "RoiToRoi",
        "Scale",
        "Scan",
        "SeedToParcel",
        "SeedToVoxel",
        "Sequence",
        "SeriesRegion",
        "Session",
        "SphereRegion",
        "Step",
        "Task",
        "Treatment",
        "Where",
        "inference_of",
        "list_templates",
        "protocol_schema",
        "protocol_sha256",
        "read_protocol",
        "treatment_of",
        "write_template",
    }
    assert all(
        getattr(phmri.protocol, name).__doc__ or name.istitle() for name in phmri.protocol.__all__
    )
