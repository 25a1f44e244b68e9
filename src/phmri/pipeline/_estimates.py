"""Write what a measure came to in one run: maps or a table, with a sidecar each."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32

from phmri.dataset import write_image, write_table
from phmri.firstlevel import RunEstimate
from phmri.pipeline._job import grid_of, measure_path, measure_sources, statistic_of
from phmri.pipeline._measures import Variant
from phmri.pipeline._run_data import RunData

__all__ = ["write_estimate"]


def write_estimate(data: RunData, variant: Variant, estimate: RunEstimate) -> tuple[Path, ...]:
    """Write one measure of a run under one denoising.

    Parameters
    ----------
    data : RunData
    variant : Variant
    estimate : RunEstimate

    Returns
    -------
    tuple of Path
        A map for the outcome, its variance where voxels differ in it, and every further map; or
        one table with a column each.
    """
    job, name = data.job, variant.measure
    sidecar = _sidecar(data, variant, estimate)
    columns = {statistic_of(job, name): estimate.values}  # noqa: PD011 - not of pandas
    if isinstance(estimate.variance, np.ndarray):
        columns["variance"] = estimate.variance
    columns |= estimate.extras
    if not job.measures[name].is_map:
        path = measure_path(job, name, denoising=variant.denoising)
        write_table(path, pd.DataFrame({"name": estimate.names, **columns}), sidecar)
        return (path,)
    inside = data.mask
    return tuple(
        _write_map(data, variant, statistic, _fill(inside, values), sidecar)
        for statistic, values in columns.items()
    )


def _fill(
    inside: Bool[np.ndarray, "x y z"], values: Float[np.ndarray, " n_voxels"]
) -> Float32[np.ndarray, "x y z"]:
    volume = np.full(inside.shape, np.nan, np.float32)
    volume[inside] = values
    return volume


def _write_map(
    data: RunData,
    variant: Variant,
    statistic: str,
    volume: Float32[np.ndarray, "x y z"],
    sidecar: dict[str, object],
) -> Path:
    path = measure_path(
        data.job, variant.measure, denoising=variant.denoising, statistic=statistic
    )
    write_image(path, volume, grid_of(data.job.run).affine, {**sidecar, "Statistic": statistic})
    return path


def _sidecar(data: RunData, variant: Variant, estimate: RunEstimate) -> dict[str, object]:
    job = data.job
    cleaning = data.cleaning(variant.denoising)
    by_outcome = isinstance(estimate.variance, np.ndarray)
    return {
        "Measure": variant.measure,
        "Parameters": job.measures[variant.measure].model_dump(mode="json"),
        "Denoising": job.denoising[variant.denoising].model_dump(mode="json"),
        "Regressors": list(cleaning.regressors),
        "Units": estimate.unit,
        "Variance": "stat-variance" if by_outcome else _known(estimate.variance),
        "VarianceAssumes": estimate.variance_assumes,
        "DegreesOfFreedom": _known(estimate.df),
        "Model": estimate.facts,
        "VolumesKept": int(cleaning.sample_mask.sum()),
        "RepetitionTime": job.run.t_r,
        "ProtocolSHA256": job.protocol_sha256,
        "StepKey": job.key,
        "Sources": [str(item) for item in measure_sources(job, variant.measure)],
    }


def _known(value: object) -> float | None:
    """Write what no formula gives as null: JSON knows no NaN."""
    return float(value) if isinstance(value, float | int) and np.isfinite(value) else None
