r"""Beta series: how a voxel's response and a seed's go together from trial to trial.

Each trial has a model of its own (LSS): this trial, the other trials of every condition summed,
and the nuisance. It spans what the common model :math:`C = [X_1 \dots X_k, N]` and the trial's
column :math:`x_j` span, so by Frisch-Waugh-Lovell, with :math:`\tilde x_j = (I - CC^+) x_j`
and condition c of trial j,

.. math:: b_j = \beta_c + (1 - \gamma_{jc})\,\delta_j, \quad
          \delta_j = \frac{\tilde x_j^\top y}{\tilde x_j^\top \tilde x_j}, \quad
          \beta = C^+ y, \quad \gamma_j = C^+ x_j .

All trials of all voxels are therefore one product :math:`B = L Y`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._volumes import used_volumes
from phmri.firstlevel.ppi._checks import check_voxels, contrast_rows
from phmri.firstlevel.ppi._deconvolution import seed_problems
from phmri.firstlevel.task import TrialDesign

__all__ = ["fit_beta_series", "trial_estimator"]

_BLOCK = 4096  # columns: a block of float64 volumes and its betas stay in cache
_FEWEST = 5  # trials: below, 1 / (n - 3) says nothing
_WITHIN = 0.5  # of the response: less has not been seen
_TOLERANCE = 1e-6  # of a column's length: rounding, not a direction of its own
_LARGEST_R = 1.0 - 1e-7  # what float32 data can tell from 1
_NO_VARIANCE = 1e-12  # of a series' sum of squares: rounding of float32 data, not signal


def trial_estimator(
    trials: TrialDesign, nuisance: Float[np.ndarray, "n_volumes n_nuisance"]
) -> tuple[Float[np.ndarray, "n_seen n_volumes"], tuple[str, ...]]:
    """Make the matrix that turns time series into responses to single trials.

    Parameters
    ----------
    trials : TrialDesign
        Of the run.
    nuisance : ndarray of shape (n_volumes, n_nuisance)
        Constant, filter and confounds, with a column per censored volume.

    Returns
    -------
    estimator : ndarray of shape (n_seen, n_volumes)
        Rows of trials at least half of whose response lies within the volumes that are used; the
        others are modelled with the rest of their condition. Result in units of the data.
    conditions : tuple of str
        Of the rows.

    Raises
    ------
    FirstLevelError
        A condition with fewer than 5 such trials or that the nuisance explains, a trial that
        cannot be told from the other columns, other volumes than the run's; all at once.

    References
    ----------
    Mumford et al. 2012, doi:10.1016/j.neuroimage.2011.08.076.
    """
    if len(trials.X) != len(nuisance):
        raise FirstLevelError(
            Problem(
                what="trials and nuisance are of runs of different length",
                found=f"{len(trials.X)} and {len(nuisance)} volumes",
            )
        )
    names = sorted(set(trials.trial_type), key=trials.trial_type.index)
    kinds = np.array(trials.trial_type)
    membership = (kinds[:, None] == np.array(names)[None, :]).astype(float)
    common = np.hstack([trials.X @ membership, nuisance])
    norm = np.linalg.norm(common, axis=0)
    norm[norm == 0.0] = 1.0
    inverse = np.linalg.pinv(common / norm, rcond=1e-10) / norm[:, None]
    k = len(names)
    used = used_volumes(nuisance)
    power_of = (trials.X**2).sum(axis=0)
    left = (trials.X[used] ** 2).sum(axis=0)
    share_left = np.divide(left, power_of, out=np.zeros_like(left), where=power_of > 0.0)
    seen = trials.within * share_left >= _WITHIN
    gamma = inverse @ trials.X
    own = trials.X - common @ gamma
    power = (own**2).sum(axis=0)
    alone = power > _TOLERANCE**2 * power_of
    found = np.abs(inverse[:k] @ common[:, :k] - np.eye(k)).max(axis=1) < _TOLERANCE
    problems = _trial_problems(names, kinds, seen, alone, found)
    if problems:
        raise FirstLevelError(*problems)
    label = membership[seen].argmax(axis=1)
    share = (1.0 - gamma[label, np.flatnonzero(seen)]) / power[seen]
    return inverse[label] + share[:, None] * own[:, seen].T, tuple(kinds[seen].tolist())


def _trial_problems(
    names: Sequence[str],
    kinds: np.ndarray,
    seen: Bool[np.ndarray, " n_trials"],
    alone: Bool[np.ndarray, " n_trials"],
    found: Bool[np.ndarray, " n_conditions"],
) -> list[Problem]:
    problems = []
    for name, estimable in zip(names, found.tolist(), strict=True):
        n_trials = int((seen & (kinds == name)).sum())
        if n_trials < _FEWEST:
            problems.append(
                Problem(
                    what="a condition has too few trials for a beta series",
                    field=name,
                    found=f"{n_trials} trials",
                    expected=f"{_FEWEST} or more whose response lies within the volumes used",
                )
            )
        if not estimable:
            problems.append(
                Problem(
                    what="a condition cannot be told from the nuisance or the other conditions",
                    field=name,
                )
            )
    problems += [
        Problem(
            what="a trial cannot be told from the other columns",
            field=f"trial {i + 1} ({kinds[i]})",
            expected="trials that do not coincide",
        )
        for i in np.flatnonzero(seen & ~alone).tolist()
    ]
    return problems


def fit_beta_series(
    Y: Float[np.ndarray, "n_volumes n_voxels"],
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    trials: TrialDesign,
    contrasts: Mapping[str, Mapping[str, float]],
    *,
    names: Sequence[str],
    nuisance: Float[np.ndarray, "n_volumes n_nuisance"],
) -> tuple[dict[str, RunEstimate], ...]:
    r"""Correlate seeds' and voxels' responses over the trials of a condition.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        Uncleaned, float32; computed with in float64, block by block.
    seeds : ndarray of shape (n_volumes, n_seeds)
        Uncleaned means of unsmoothed data.
    trials : TrialDesign
        Of the same run.
    contrasts : dict of str to dict of str to float
        Weights of conditions by name of the contrast.
    names : sequence of str
        Of the seeds.
    nuisance : ndarray of shape (n_volumes, n_nuisance)
        Constant, filter and confounds, with a column per censored volume.

    Returns
    -------
    tuple of dict of str to RunEstimate
        Per seed, by contrast: :math:`\sum_c w_c z_c`, Fisher z. NaN in voxels whose responses
        do not vary.

    Notes
    -----
    `FirstLevelError` tells of data that do not fit or are not finite, unknown conditions,
    conditions with fewer than 5 trials, trials that coincide, or seeds without variance.

    :math:`\operatorname{Var} \sum_c w_c z_c = \sum_c w_c^2 / (n_c - 3)`: trials are taken to be
    independent, and those that overlap are not. The degrees of freedom of several conditions are
    Satterthwaite's, of one :math:`n_c - 3`.

    References
    ----------
    Mumford et al. 2012, doi:10.1016/j.neuroimage.2011.08.076.
    """
    conditions = sorted(set(trials.trial_type), key=trials.trial_type.index)
    weights = contrast_rows(conditions, contrasts)
    check_voxels(Y, len(trials.X))
    check_voxels(seeds, len(trials.X))
    estimator, kinds = trial_estimator(trials, nuisance)
    rows = [np.flatnonzero(np.array(kinds) == name) for name in conditions]
    unit = _unit_betas(estimator @ seeds, rows, names)
    z = np.empty((len(conditions), seeds.shape[1], Y.shape[1]))
    for start in range(0, Y.shape[1], _BLOCK):
        block = Y[:, start : start + _BLOCK].astype(np.float64)
        betas = estimator @ block
        for c, own in enumerate(rows):
            z[c, :, start : start + _BLOCK] = _fisher(unit[c], betas[own])
    n_trials = np.array([own.size for own in rows])
    counts = [f"{name} {own.size}" for name, own in zip(conditions, rows, strict=True)]
    return tuple(
        {
            name: _estimate(
                np.einsum("c,cv->v", weights[i], z[:, s]), weights[i], n_trials, counts
            )
            for i, name in enumerate(contrasts)
        }
        for s in range(seeds.shape[1])
    )


def _unit_betas(
    betas: Float[np.ndarray, "n_seen n_seeds"],
    rows: list[np.ndarray],
    names: Sequence[str],
) -> list[Float[np.ndarray, "_ n_seeds"]]:
    unit, problems = [], []
    for own in rows:
        centred = betas[own] - betas[own].mean(axis=0)
        problems += seed_problems(betas[own], centred, names)
        unit.append(centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-300))
    if problems:
        raise FirstLevelError(*dict.fromkeys(problems))
    return unit


def _fisher(
    unit: Float[np.ndarray, "n n_seeds"], betas: Float[np.ndarray, "n n_voxels"]
) -> Float[np.ndarray, "n_seeds n_voxels"]:
    centred = betas - betas.mean(axis=0)
    power = (centred**2).sum(axis=0)
    power[power <= _NO_VARIANCE * (betas**2).sum(axis=0)] = np.nan
    r = unit.T @ centred / np.sqrt(power)
    return np.asarray(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)))


def _estimate(
    values: Float[np.ndarray, " n_voxels"],
    weights: Float[np.ndarray, " n_conditions"],
    n_trials: np.ndarray,
    counts: list[str],
) -> RunEstimate:
    parts = weights**2 / (n_trials - 3.0)
    return RunEstimate(
        values=values,
        names=(),
        variance=float(parts.sum()),
        df=float(parts.sum() ** 2 / (parts**2 / (n_trials - 3.0)).sum()),
        unit="Fisher z",
        variance_assumes="independent trials; overlapping responses make the true variance larger",
        facts={"trials": counts},
        n_undefined=int(np.isnan(values).sum()),
    )
