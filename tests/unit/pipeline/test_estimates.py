"""Maps, tables and sidecars of one measure in one run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import Confounds, read_image, read_json, sidecar_path, write_image
from phmri.firstlevel import RunEstimate
from phmri.pipeline._estimates import write_estimate
from phmri.pipeline._measures import Variant
from phmri.pipeline._run_data import RunData
from phmri.protocol import Protocol
from tests.unit.pipeline.measured_trial import (
    AFFINE,
    N_VOLUMES,
    SHAPE,
    T_R,
    document,
    infusion,
    make_job,
)

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
INSIDE = np.ones(SHAPE, bool)
INSIDE[0, 0, 0] = INSIDE[2, 1, 1] = False
SEED = {"kind": "seed_to_voxel", "seed": "target", "scan": "rest", "denoising": "motion"}


@pytest.fixture
def data(tmp_path: Path) -> RunData:
    measures = {
        "my_bins": infusion(),
        "table": infusion(parcels="atlas"),
        "seed": SEED,
        "seed_table": SEED | {"kind": "seed_to_parcel", "parcels": "atlas"},
    }
    asked = document()["questions"]["it"] | {"measure": "my_bins"}
    content = document(measures=measures, questions={"it": asked})
    job = make_job(Protocol.model_validate(json.loads(json.dumps(content))), tmp_path)
    names = [*MOTION, "csf", "white_matter", "global_signal"]
    values = np.random.default_rng(0).normal(size=(N_VOLUMES, len(names)))
    confounds = Confounds(names=tuple(names), values=values, metadata={}, path="confounds.tsv")
    write_image(tmp_path / "mask.nii.gz", INSIDE.astype(np.uint8), AFFINE)
    return RunData(job=job, confounds=confounds)


def estimate(values: list[float], **changes: object) -> RunEstimate:
    record = {
        "values": np.array(values),
        "variance": np.nan,
        "df": np.nan,
        "unit": "% signal change",
        "variance_assumes": "independent volumes",
        "names": (),
        "extras": {},
        "facts": {},
        "n_undefined": 0,
    }
    return RunEstimate(**(record | changes))


def write(
    data: RunData, made: RunEstimate, measure: str = "my_bins", denoising: str = "motion"
) -> tuple[list[str], list[Path]]:
    paths = write_estimate(data, Variant(measure, denoising), made)
    return [path.name.split("contrast-")[1] for path in paths], list(paths)


VALUES = [float(i) for i in range(10)]


def test_map_is_put_back_into_its_voxels(data: RunData) -> None:
    values = [np.nan, *VALUES[1:]]
    names, (path,) = write(data, estimate(values, n_undefined=1))
    assert names == ["mybins_stat-effect_statmap.nii.gz"]
    assert path.parent == data.job.out_dir / "sub-01" / "ses-one" / "func"
    image = read_image(path, allow_nan=True)
    assert_allclose(image.data[INSIDE], values)
    assert np.isnan(image.data[~INSIDE]).all()
    assert_allclose(image.affine, AFFINE)


def test_variance_by_voxel_and_further_maps_have_files_of_their_own(data: RunData) -> None:
    variance = np.linspace(0.1, 1.0, 10)
    bins = {"bin01": np.array(VALUES) + 1, "F": np.array(VALUES) * 2}
    names, paths = write(data, estimate(VALUES, variance=variance, df=12.5, extras=bins))
    assert names == [
        f"mybins_stat-{name}_statmap.nii.gz" for name in ("effect", "variance", "bin01", "F")
    ]
    assert_allclose(read_image(paths[1], allow_nan=True).data[INSIDE], variance, rtol=1e-6)
    assert_allclose(read_image(paths[2], allow_nan=True).data[INSIDE], bins["bin01"])
    sidecars = [read_json(sidecar_path(path)) for path in paths]
    assert [item["Statistic"] for item in sidecars] == ["effect", "variance", "bin01", "F"]
    assert {item["Variance"] for item in sidecars} == {"stat-variance"}
    assert sidecars[0]["DegreesOfFreedom"] == 12.5


def test_other_denoising_is_told_by_desc(data: RunData) -> None:
    names, (path,) = write(data, estimate(VALUES), denoising="gsr")
    assert names == ["mybins_desc-gsr_stat-effect_statmap.nii.gz"]
    assert read_json(sidecar_path(path))["Denoising"]["strategy"] == "24motion_wmcsf_gsr"


def test_table_has_a_column_each(data: RunData) -> None:
    made = estimate(
        [1.5, np.nan, 3.0],
        names=("a", "b", "NA"),
        variance=np.array([0.1, np.nan, 0.3]),
        extras={"bin01": np.array([1.0, 2.0, 3.0])},
    )
    names, (path,) = write(data, made, "table")
    assert names == ["table_stat-effect_values.tsv"]
    table = pd.read_csv(path, sep="\t", dtype={"name": str}, keep_default_na=False)
    assert table.to_dict("list") == {
        "name": ["a", "b", "NA"],
        "effect": ["1.5", "n/a", "3.0"],
        "variance": ["0.1", "n/a", "0.3"],
        "bin01": [1.0, 2.0, 3.0],
    }
    assert "Statistic" not in read_json(sidecar_path(path))


@pytest.mark.parametrize(
    ("measure", "name", "names"),
    [("seed", "seed_stat-z_statmap.nii.gz", ()),
     ("seed_table", "seedtable_stat-z_connectivity.tsv", tuple("abcdefghij"))],
)  # fmt: skip
def test_connectivity_is_a_z(
    data: RunData, measure: str, name: str, names: tuple[str, ...]
) -> None:
    found, _ = write(data, estimate(VALUES, names=names), measure)
    assert found == [name]


def test_sidecar_tells_how_it_was_made(data: RunData) -> None:
    made = estimate(VALUES, variance=0.04, df=55.0, facts={"overlap": 0.25, "model": "step"})
    _, (path,) = write(data, made)
    sidecar = read_json(sidecar_path(path))
    expected = {
        "Measure": "my_bins",
        "Units": "% signal change",
        "Variance": 0.04,
        "VarianceAssumes": "independent volumes",
        "DegreesOfFreedom": 55.0,
        "Model": {"overlap": 0.25, "model": "step"},
        "VolumesKept": N_VOLUMES,
        "RepetitionTime": T_R,
        "ProtocolSHA256": "0" * 64,
        "StepKey": data.job.key,
        "Sources": [str(data.job.run.path), str(data.job.run.mask)],
    }
    assert {name: sidecar[name] for name in expected} == expected
    assert set(MOTION) <= set(sidecar["Regressors"])
    assert sidecar["Parameters"]["response"]["bin_s"] == 12
    assert sidecar["Denoising"]["strategy"] == "6motion"


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_what_no_formula_gives_is_null(data: RunData, unknown: float) -> None:
    _, (path,) = write(data, estimate(VALUES, variance=unknown, df=unknown))
    sidecar = read_json(sidecar_path(path))
    assert sidecar["Variance"] is None
    assert sidecar["DegreesOfFreedom"] is None


def test_censored_volumes_are_not_counted_as_kept(data: RunData) -> None:
    confounds = data.confounds
    assert confounds is not None
    displacement = np.full(N_VOLUMES, 0.1)
    displacement[[7, 8, 30]] = 2.0
    longer = replace(
        confounds,
        names=(*confounds.names, "framewise_displacement"),
        values=np.column_stack([*confounds.values.T, displacement]),  # noqa: PD011
    )
    motion = data.job.denoising["motion"]
    censor = motion.model_copy(update={"censor": motion.censor.model_copy(update={"fd_mm": 0.5})})
    job = replace(data.job, denoising={**data.job.denoising, "motion": censor})
    _, (path,) = write(RunData(job=job, confounds=longer), estimate(VALUES))
    assert read_json(sidecar_path(path))["VolumesKept"] == N_VOLUMES - 3
