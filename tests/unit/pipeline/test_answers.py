"""Tables of clusters, and treatments by their labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phmri.inference import Claim, Cluster, Peak
from phmri.pipeline._answer_tables import clusters_table, peaks_table
from phmri.pipeline._treatment_words import say_treatments, treatment_words
from phmri.protocol import Protocol
from tests.unit.pipeline.measured_trial import N_VOXELS, make_trial, parallel

PEAK = Peak(
    name="",
    position_mm=(-4.000000000000002, 34.0, 1e-15),
    index=3,
    t=4.0,
    effect=0.5,
    ci_low=0.2,
    ci_high=0.8,
    d=1.0,
    pvalue_uncorrected=0.01,
    pvalue_corrected=0.02,
    qvalue_fdr=0.03,
)
CLUSTER = Cluster(
    number=1,
    sign=1,
    n_outcomes=64,
    volume_mm3=511.9999999999995,
    extent=64.0,
    mass=12.5,
    centre_mm=(-20.000000000000004, 1 / 3, -1e-9),
    peaks=(3,),
    label="x",
    pvalue_extent=None,
    pvalue_mass=0.01,
    pvalue_tfce=None,
    pvalue_random_field=None,
    qvalue_topological=None,
    true_discoveries=2,
    strongest=PEAK,
)


@pytest.fixture(scope="module")
def claim(tmp_path_factory: pytest.TempPathFactory) -> Claim:
    trial = make_trial(tmp_path_factory.mktemp("answered"))
    rng = np.random.default_rng(5)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
    return trial.answer().claim


def test_clusters_are_rounded_to_what_is_known(claim: Claim) -> None:
    table = clusters_table(replace(claim, clusters=(CLUSTER, replace(CLUSTER, strongest=None))))
    row = table.iloc[0]
    assert row["volume_mm3"] == 512.0
    assert row[["x", "y", "z"]].tolist() == [-20.0, 0.33, 0.0]
    assert row[["peak_x", "peak_y", "peak_z"]].tolist() == [-4.0, 34.0, 0.0]
    assert not np.signbit([row["z"], row["peak_z"]]).any()
    assert (row["mass"], row["pvalue_mass"]) == (12.5, 0.01)
    assert np.isnan(table["peak_t"].iloc[1])
    position = peaks_table(replace(claim, peaks=(PEAK,))).iloc[0]
    assert position[["x", "y", "z"]].tolist() == [-4.0, 34.0, 0.0]


def test_no_cluster_leaves_the_head_of_the_table(tmp_path: Path) -> None:
    trial = make_trial(tmp_path)
    rng = np.random.default_rng(5)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
    assert trial.answer().claim.clusters == ()
    (path,) = tmp_path.glob("group/*/*_clusters.tsv")
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    assert {"number", "volume_mm3", "pvalue_mass", "x", "peak_z"} <= set(lines[0].split("\t"))
    again = trial.answer()
    assert again.kept


def _labelled() -> Protocol:
    content = parallel()
    content["treatments"] = {**content["treatments"], "both_drugs": {"label": "both (a|b)"}}
    content["treatments"]["no_label"] = {}
    content["design"]["arms"] |= {
        "arm_three": {"treatment": "both_drugs"},
        "arm_four": {"treatment": "no_label"},
    }
    return Protocol.model_validate(content)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Participants of arm_three and control change",
            "Participants of both (a|b) and control change",
        ),
        ("those of arm_four stay.", "those of arm four stay."),
        ("arm_threefold, my_arm_three", "arm_threefold, my_arm_three"),
        ("The drug in treated", "The drug in treated"),
    ],
)
def test_keys_of_arms_are_called_by_their_labels(text: str, said: str) -> None:
    assert treatment_words(_labelled(), text) == said


def test_every_sentence_of_a_claim_is_reworded(claim: Claim) -> None:
    spoken = replace(
        claim,
        sentence="arm_three.",
        shuffled="arm_three.",
        null="arm_three",
        notes=("arm_three",),
        sentences=("arm_three",),
    )
    found = say_treatments(_labelled(), spoken)
    texts = (found.sentence, found.shuffled, found.null, *found.notes, *found.sentences)
    assert all("both (a|b)" in text and "arm_three" not in text for text in texts)
