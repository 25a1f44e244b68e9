r"""Dual regression: networks or receptor maps to their time courses, and back to maps.

.. math:: \text{stage 1: } Y_t = \textstyle\sum_k T_{tk} M_k + c_t + e, \qquad
          \text{stage 2: } \hat y_v = \textstyle\sum_k \tilde T_k \beta_{kv} + e,

with maps :math:`M_k` over voxels, :math:`\hat y` cleaned series, and :math:`\tilde T` the cleaned
time courses at unit standard deviation. Cleaning is linear in time and stage 1 in space, so
cleaned data have the cleaned time courses.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._unit_series import clean
from phmri.firstlevel.local._blocks import clean_blocks, percent_scale, refuse
from phmri.signals import Cleaning

__all__ = ["dual_regression", "receptor_regression"]

_COLLINEAR = 1e-6  # of the largest singular value of unit-length columns
_NO_VARIANCE = 1e-12  # of the sum of squares: rounding


def dual_regression(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    maps: Float[np.ndarray, "n_networks n_map_voxels"],
    *,
    names: Sequence[str],
    network: str,
    first_stage: Bool[np.ndarray, " n_inside"] | None = None,
    mean: Float[np.ndarray, " n_means"] | None = None,
) -> RunEstimate:
    r"""Map one network of a run, given all networks of a group.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned.
    maps : ndarray of shape (n_networks, n_voxels)
        Unthresholded, in any unit.
    names : sequence of str
        Of the maps.
    network : str
        The one to be mapped; the others are adjusted for.
    first_stage : ndarray of shape (n_voxels,), optional
        Voxels that the time courses are taken from; all when left out.
    mean : ndarray of shape (n_voxels,), optional
        Of the voxels in time, before anything was taken from them: makes the unit % of it.

    Returns
    -------
    RunEstimate
        ``values`` is the voxel's change with one standard deviation of the network's time
        course; NaN where a voxel has no variance. ``df`` is that of the cleaning less the
        number of networks.

    Notes
    -----
    `FirstLevelError` tells that maps, names, voxels or means do not fit or are not finite, that
    networks are collinear in space or their time courses after cleaning, or that too few degrees
    of freedom are left.

    Both stages have an intercept; the time courses are scaled by the root of their mean square
    over the kept volumes, so that the maps hold shape *and* amplitude (FSL's ``des_norm``).
    With :math:`T` the scaled time courses,
    :math:`\operatorname{Var}\beta_k = \hat\sigma_v^2\,[(T^\top T)^{-1}]_{kk}`, taking them as
    known without error.

    References
    ----------
    Filippini et al. 2009, doi:10.1073/pnas.0811879106. Nickerson et al. 2017,
    doi:10.3389/fnins.2017.00115.
    """
    inside = np.ones(voxels.shape[1], bool) if first_stage is None else first_stage
    scale = percent_scale(mean, voxels.shape[1])
    refuse(_map_problems(voxels, maps, inside, names, network))
    courses = _time_courses(cleaning, voxels, maps, inside)
    df = cleaning.df - len(names)
    refuse(_course_problems(courses, df))
    courses /= np.linalg.norm(courses, axis=0) / np.sqrt(cleaning.sample_mask.sum())
    inverse = np.linalg.pinv(courses)
    k = list(names).index(network)
    values, variance = np.empty(voxels.shape[1]), np.empty(voxels.shape[1])
    for block in clean_blocks(cleaning, voxels, in_time=False):
        beta = inverse @ block.values
        residual = np.square(block.values - courses @ beta).sum(axis=0)
        unit = np.where(block.flat, np.nan, scale[block.columns])
        values[block.columns] = unit * beta[k]
        variance[block.columns] = unit**2 * residual / df * np.square(inverse[k]).sum()
    return RunEstimate(
        values=values,
        names=(),
        variance=variance,
        df=df,
        unit=("signal units" if mean is None else "% signal change") + " per SD of the network",
        variance_assumes="white noise, and time courses known without error",
        facts={
            "networks": list(names),
            "network": network,
            "n_voxels_first_stage": float(inside.sum()),
            "variance_inflation": float(
                np.square(inverse[k]).sum() * np.square(courses[:, k]).sum()
            ),
        },
        n_undefined=int(np.isnan(values).sum()),
    )


def receptor_regression(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    receptors: Float[np.ndarray, "n_receptors n_map_voxels"],
    *,
    names: Sequence[str],
    receptor: str,
    grey_matter: Bool[np.ndarray, " n_inside"],
    mean: Float[np.ndarray, " n_means"] | None = None,
) -> RunEstimate:
    """Map the connectivity that goes with a receptor's density (REACT).

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned.
    receptors : ndarray of shape (n_receptors, n_voxels)
        Densities, in any unit; 0 where an atlas has none, and in its reference region.
    names : sequence of str
        Of the receptors.
    receptor : str
        The one to be mapped; the others are adjusted for.
    grey_matter : ndarray of shape (n_voxels,)
        Where time courses may be taken from.
    mean : ndarray of shape (n_voxels,), optional
        Of the voxels in time: makes the unit % of it.

    Returns
    -------
    RunEstimate
        As of `dual_regression`.

    Notes
    -----
    `FirstLevelError` tells what it tells in `dual_regression`.

    REACT is dual regression on receptor maps, its first stage in grey matter where every
    receptor has a density above 0. Scaling maps to 0 to 1 first, as REACT does, changes nothing
    in the answer: the first stage has an intercept and the time courses get unit standard
    deviation. REACT maps grey matter only; mask the answer for that.

    References
    ----------
    Dipasquale et al. 2019, doi:10.1016/j.neuroimage.2019.04.007.
    """
    refuse(_size_problems(voxels, receptors, grey_matter))
    return dual_regression(
        cleaning,
        voxels,
        receptors,
        names=names,
        network=receptor,
        first_stage=grey_matter & (receptors > 0).all(axis=0),
        mean=mean,
    )


def _time_courses(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    maps: Float[np.ndarray, "n_networks n_voxels"],
    inside: Bool[np.ndarray, " n_voxels"],
) -> Float[np.ndarray, "n_coordinates n_networks"]:
    design = maps[:, inside].astype(np.float64).T
    design -= design.mean(axis=0)
    refuse(_collinear(design, "maps of the networks"))
    weights = np.linalg.pinv(design).T
    whole = np.zeros((inside.size, weights.shape[1]))
    whole[inside] = weights
    courses = np.stack([volume.astype(np.float64) @ whole for volume in voxels])
    cleaned = clean(cleaning, courses)
    power = np.square(courses[cleaning.sample_mask]).sum(axis=0)
    cleaned[:, np.square(cleaned).sum(axis=0) <= _NO_VARIANCE * power] = 0.0
    return cleaned


def _collinear(design: Float[np.ndarray, "n k"], which: str) -> list[Problem]:
    length = np.linalg.norm(design, axis=0)
    if (length > 0).all():
        singular = np.linalg.svd(design / length, compute_uv=False)
        if design.shape[0] >= design.shape[1] and singular[-1] > _COLLINEAR * singular[0]:
            return []
    return [
        Problem(
            what=f"the {which} are collinear or constant",
            expected="none that is a sum of the others",
        )
    ]


def _course_problems(courses: Float[np.ndarray, "n k"], df: float) -> list[Problem]:
    problems = _collinear(courses, "time courses of the networks after cleaning")
    if df < 1:
        problems.append(
            Problem(
                what="too few degrees of freedom for so many networks",
                found=f"{df:g}",
                expected="at least 1",
            )
        )
    return problems


def _size_problems(
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    maps: Float[np.ndarray, "n_networks n_map_voxels"],
    inside: Bool[np.ndarray, " n_inside"],
) -> list[Problem]:
    if maps.shape[1] == inside.size == voxels.shape[1]:
        return []
    return [
        Problem(
            what="maps do not fit the voxels",
            found=f"{maps.shape[1]} and {inside.size} voxels",
            expected=f"{voxels.shape[1]}",
        )
    ]


def _map_problems(
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    maps: Float[np.ndarray, "n_networks n_map_voxels"],
    inside: Bool[np.ndarray, " n_inside"],
    names: Sequence[str],
    network: str,
) -> list[Problem]:
    problems = _size_problems(voxels, maps, inside)
    if len(names) != maps.shape[0] or len(set(names)) != len(names):
        problems.append(
            Problem(
                what="every map needs a name of its own",
                found=f"{maps.shape[0]} maps, {len(set(names))} different names",
            )
        )
    if network not in names:
        problems.append(
            Problem(
                what="no map has this name",
                field="network",
                found=network,
                expected=", ".join(names),
            )
        )
    if not np.isfinite(maps).all():
        problems.append(Problem(what="maps have values that are not finite", expected="numbers"))
    return problems
