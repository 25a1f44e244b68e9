"""The confound table of one run, with the names that fMRIPrep gives its columns.

Means and components are computed from the simulated images; the motion is the one that was put in.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from phmri.simulation._scene import Scene

__all__ = ["ConfoundTable", "make_confounds", "motion_confounds"]

_MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_HEAD_RADIUS_MM = 50.0
_COSINE_CUTOFF_S = 128.0
_PURE = 0.95
_COMPONENTS = {"a_comp_cor": 6, "c_comp_cor": 5, "w_comp_cor": 5}
_MASK_NAMES = {"a_comp_cor": "combined", "c_comp_cor": "CSF", "w_comp_cor": "WM"}
_COMPCOR_VOXELS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfoundTable:
    """Columns and their description.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n_volumes,)
        NaN where a derivative has no value.
    metadata : dict of str to dict
        The sidecar.
    """

    columns: dict[str, Float[np.ndarray, " n_volumes"]]
    metadata: dict[str, dict[str, object]]


def make_confounds(
    scene: Scene,
    data: Float32[np.ndarray, "n_volumes n_voxels"],
    motion: Float[np.ndarray, "n_volumes 6"],
    t_r: float,
) -> ConfoundTable:
    """Compute the confounds of a run.

    Parameters
    ----------
    scene : Scene
        What the runs share.
    data : ndarray of shape (n_volumes, n_voxels)
        Image units.
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm, rotations in radian.
    t_r : float
        Seconds.

    Returns
    -------
    ConfoundTable
        Columns in fMRIPrep's order, and their description.
    """
    anatomy = scene.anatomy
    cosines = _cosines(data.shape[0], t_r)
    columns: dict[str, np.ndarray] = {}
    metadata: dict[str, dict[str, object]] = {}
    tissues = {
        "global_signal": np.ones_like(anatomy.grey),
        "csf": (anatomy.csf >= _PURE).astype(np.float32),
        "white_matter": (anatomy.white >= _PURE).astype(np.float32),
    }
    weights = np.stack([weight / weight.sum() for weight in tissues.values()])
    for name, series in zip(tissues, weights @ data.T, strict=True):
        columns |= _expand(name, series.astype(np.float64))
        metadata[name] = {"Method": "Mean"}
    columns |= _variation(data) | _displacement(motion)
    voxels = {
        "a_comp_cor": tissues["csf"] + tissues["white_matter"],
        "c_comp_cor": tissues["csf"],
        "w_comp_cor": tissues["white_matter"],
    }
    for prefix, weight in voxels.items():
        some = np.flatnonzero(weight)
        some = some[:: max(1, some.size // _COMPCOR_VOXELS)]
        found, described = _components(data[:, some], cosines, prefix)
        columns |= found
        metadata |= described
    for index, cosine in enumerate(cosines.T):
        columns[f"cosine{index:02d}"] = cosine
    columns["non_steady_state_outlier00"] = (np.arange(data.shape[0]) == 0).astype(np.float64)
    columns |= _expanded_motion(motion)
    return ConfoundTable(columns=columns, metadata=metadata)


def motion_confounds(motion: Float[np.ndarray, "n_volumes 6"]) -> ConfoundTable:
    """Compute the confounds that are there without an image.

    Parameters
    ----------
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm, rotations in radian.

    Returns
    -------
    ConfoundTable
        Framewise displacement and motion.
    """
    columns = _displacement(motion) | _expanded_motion(motion)
    return ConfoundTable(columns=columns, metadata={})


def _expanded_motion(motion: Float[np.ndarray, "n_volumes 6"]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name, series in zip(_MOTION, motion.T, strict=True):
        columns |= _expand(name, series)
    return columns


def _expand(name: str, series: Float[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    change = np.concatenate([[np.nan], np.diff(series)])
    return {
        name: series,
        f"{name}_derivative1": change,
        f"{name}_derivative1_power2": change**2,
        f"{name}_power2": series**2,
    }


def _variation(data: Float32[np.ndarray, "n_volumes n_voxels"]) -> dict[str, np.ndarray]:
    """Compute DVARS, and DVARS over its median (Power 2012)."""
    dvars = np.full(data.shape[0], np.nan)
    for t in range(1, data.shape[0]):
        change = data[t] - data[t - 1]
        dvars[t] = np.sqrt(float(np.dot(change, change)) / change.size)
    return {"std_dvars": dvars / np.median(dvars[1:]), "dvars": dvars}


def _displacement(motion: Float[np.ndarray, "n_volumes 6"]) -> dict[str, np.ndarray]:
    """Compute framewise displacement (Power 2012)."""
    displacement = np.abs(np.diff(motion, axis=0))
    displacement[:, 3:] *= _HEAD_RADIUS_MM
    return {"framewise_displacement": np.concatenate([[np.nan], displacement.sum(axis=1)])}


def _cosines(n_volumes: int, t_r: float) -> Float[np.ndarray, "n_volumes k"]:
    """Give the discrete cosines slower than 128 s."""
    order = int(np.floor(2 * n_volumes * t_r / _COSINE_CUTOFF_S))
    grid = (np.arange(n_volumes) + 0.5) * np.pi / n_volumes
    cosines = np.cos(np.outer(grid, np.arange(1, order + 1))) * np.sqrt(2 / n_volumes)
    return np.asarray(cosines)


def _components(
    voxels: Float32[np.ndarray, "n_volumes n_some"],
    cosines: Float[np.ndarray, "n_volumes k"],
    prefix: str,
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, object]]]:
    """Take the leading temporal components of standardised, high-passed voxels."""
    n_volumes = voxels.shape[0]
    slow, _ = np.linalg.qr(np.column_stack([np.ones(n_volumes), cosines]))
    values = voxels.astype(np.float64)
    values -= slow @ (slow.T @ values)
    values /= values.std(axis=0)
    eigenvalues, vectors = np.linalg.eigh(values @ values.T)
    variance = np.maximum(eigenvalues[::-1], 0.0)
    share = variance / variance.sum()
    columns: dict[str, np.ndarray] = {}
    metadata: dict[str, dict[str, object]] = {}
    for index in range(min(_COMPONENTS[prefix], n_volumes)):
        vector = vectors[:, -1 - index]
        name = f"{prefix}_{index:02d}"
        columns[name] = vector * np.sign(vector[np.argmax(np.abs(vector))])
        metadata[name] = {
            "Method": "aCompCor",
            "Mask": _MASK_NAMES[prefix],
            "Retained": True,
            "SingularValue": float(np.sqrt(variance[index])),
            "VarianceExplained": float(share[index]),
            "CumulativeVarianceExplained": float(share[: index + 1].sum()),
        }
    return columns, metadata
