r"""The design of an infusion run.

With the curves :math:`G` of a model, the coefficients :math:`b` are those of

- ``source: run``: the columns :math:`G`, a constant and the drift;
- ``source: baseline``: boxcars of bins, polynomials within every bin, a constant and the drift.
  Nothing after time zero then informs the drift, and the boxcars' coefficients :math:`u` are
  the bins' distances from the extrapolated drift. With :math:`\bar G` the means of the curves
  over bins and :math:`N` the volumes per bin, :math:`b = (\bar G^\top N \bar G)^{-1}
  \bar G^\top N u`, the least-squares fit of the curves to these distances.

A pseudoblock's own curves are the boxcars, and its coefficients the same in both.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.glm import Contrast
from phmri.firstlevel.infusion._bins import bin_edges, boxcars, scan_end
from phmri.firstlevel.infusion._check import find_problems
from phmri.firstlevel.infusion._curves import response_curves
from phmri.firstlevel.infusion._drift import (
    bin_polynomials,
    drift_columns,
    drift_slope,
    overlap,
    white_variance,
)
from phmri.firstlevel.infusion._models import (
    Drift,
    InfusionDesign,
    InfusionModel,
    Pseudoblock,
    ResponseFamily,
)
from phmri.firstlevel.infusion._words import sentences

__all__ = ["infusion_design"]

_NO_RESPONSE = 0.1  # of a family's largest weights: bins before any curve rises have no overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    # The response part of a design: columns, and coefficients of the model as weights on them.
    curves: Float[np.ndarray, "n_volumes n_curves"]
    columns: Float[np.ndarray, "n_volumes n_columns"]
    names: tuple[str, ...]
    coefficients: Float[np.ndarray, "n_curves n_columns"]


def infusion_design(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    *,
    drift: Drift,
    exposure: Float[np.ndarray, " n_exposure"] | None = None,
    min_baseline_volumes: int = 10,
    max_overlap: float = 0.99,
    used: Bool[np.ndarray, " n_volumes"] | None = None,
) -> InfusionDesign:
    r"""Make the columns and contrasts of a response model for one run.

    Parameters
    ----------
    model : InfusionModel
    times_min : ndarray of shape (n_volumes,)
        Middle of each volume, minutes from time zero (start of the infusion); rising.
    drift : Drift
    exposure : ndarray of shape (n_volumes,), optional
        Concentration in ng/mL at `times_min`, for `Exposure` only. In a placebo session that of
        the drug it is compared with.
    min_baseline_volumes : int, default 10
        Least number of volumes before time zero. The default is ours.
    max_overlap : float, default 0.99
        Largest overlap of the primary contrast with the drift. The default, a tenfold standard
        error, is ours.
    used : ndarray of bool of shape (n_volumes,), optional
        False where a volume is removed or censored: it has its row, and counts for nothing.

    Returns
    -------
    InfusionDesign
        Contrasts: ``bin01``, ``bin02``, ... and their F ``bins``, and ``window`` (pseudoblock);
        ``response`` (one curve); the fitted curve's means ``bin01``, ... and F ``family``
        (response family); ``driftslope``, per minute, where there is a drift.

    Raises
    ------
    FirstLevelError
        All that is wrong with model, times, exposure and drift, at once; else an overlap above
        the limit.
    """
    used = np.ones(times_min.size, dtype=bool) if used is None else used
    problems = find_problems(
        model, times_min, drift, exposure, min_baseline_volumes=min_baseline_volumes, used=used
    )
    if problems:
        raise FirstLevelError(*problems)
    edges, merged = _edges(model, drift, times_min)
    response, explained = _response(model, times_min, edges, drift, exposure)
    before = _before(model, times_min)
    constant = np.ones((times_min.size, 1))
    polynomials = drift_columns(times_min, drift.order)
    X = np.hstack([response.columns, before, constant, polynomials])
    names = (
        *response.names,
        *("before",) * before.shape[1],
        "constant",
        *(f"drift{k}" for k in range(1, drift.order + 1)),
    )
    coefficients = _pad(response.coefficients, X.shape[1])
    course, edges = _course(model, response, times_min, edges)
    rows, primary = _primary(model, edges, course)
    contrasts = [
        Contrast(name=f"bin{k + 1:02d}", weights=row[None] @ coefficients)
        for k, row in enumerate(course)
    ]
    contrasts += _whole(model, coefficients, rows)
    if drift.order:
        slope = np.zeros((1, X.shape[1]))
        slope[0, X.shape[1] - drift.order :] = drift_slope(times_min, drift.order)
        contrasts.append(Contrast(name="driftslope", weights=slope))
    shared = _overlap(rows, coefficients, X, np.hstack([response.curves, before, constant]))
    _refuse_overlap(model, drift, shared, max_overlap)
    return InfusionDesign(
        X=X,
        columns=names,
        contrasts=tuple(contrasts),
        primary=primary,
        course=tuple(contrast.name for contrast in contrasts[: len(course)]),
        edges_min=edges if len(course) else np.empty(0),
        overlap=shared,
        sentences=sentences(model, drift, shared, explained, n_curves=response.curves.shape[1]),
        facts={
            "model": model.kind,
            "drift_order": float(drift.order),
            "drift_source": drift.source,
            "overlap": shared,
            "overlap_limit": max_overlap,
            "baseline_volumes": float((used & (times_min < 0.0) & ~before.any(axis=1)).sum()),
            "curve_largest_in_scan": float(np.abs(response.curves).max()),
            **({"family_explained": explained} if isinstance(model, ResponseFamily) else {}),
            **_told_bins(edges, merged=merged),
        },
    )


def _told_bins(
    edges: Float[np.ndarray, " n_edges"], *, merged: bool
) -> dict[str, float | str | list[str]]:
    if not edges.size:
        return {}
    return {
        "bin_edges_min": [f"{edge:.6g}" for edge in edges.tolist()],
        "last_bin": "a rest shorter than half a bin joined it" if merged else "as it fell",
    }


def _edges(
    model: InfusionModel, drift: Drift, times_min: Float[np.ndarray, " n_volumes"]
) -> tuple[Float[np.ndarray, " n_edges"], bool]:
    if isinstance(model, Pseudoblock | ResponseFamily):
        return bin_edges(scan_end(times_min), model.bin_s / 60.0)
    if drift.extrapolated:
        return bin_edges(scan_end(times_min), drift.bin_s / 60.0)
    return np.empty(0), False


def _before(
    model: InfusionModel, times_min: Float[np.ndarray, " n_volumes"]
) -> Float[np.ndarray, "n_volumes n_before"]:
    # Volumes before the asked baseline get a level of their own.
    if not isinstance(model, Pseudoblock) or model.baseline_min is None:
        return np.empty((times_min.size, 0))
    column = (times_min < -model.baseline_min).astype(np.float64)
    return column[:, None][:, : int(column.any())]


def _response(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    edges: Float[np.ndarray, " n_edges"],
    drift: Drift,
    exposure: Float[np.ndarray, " n_volumes"] | None,
) -> tuple[_Response, float]:
    inside = boxcars(times_min, edges) if edges.size else np.empty((times_min.size, 0))
    bins = tuple(f"bin{k + 1:02d}" for k in range(inside.shape[1]))
    if isinstance(model, Pseudoblock):
        curves, explained = inside, 1.0
        names = bins
    else:
        curves, explained = response_curves(model, times_min, exposure)
        one = "response" if curves.shape[1] == 1 else "component"
        names = tuple(f"{one}{k + 1}" for k in range(curves.shape[1]))
    if not drift.extrapolated:
        own = _Response(
            curves=curves, columns=curves, names=names, coefficients=np.eye(curves.shape[1])
        )
        return own, explained
    within = bin_polynomials(times_min, inside, drift.order)
    columns = np.hstack([inside, within])
    means = (inside.T @ curves) / inside.sum(axis=0)[:, None]
    root = np.sqrt(inside.sum(axis=0))
    to_curves = np.linalg.pinv(root[:, None] * means) * root
    return _Response(
        curves=curves,
        columns=columns,
        names=(*bins, *(f"{name}poly{p + 1}" for name in bins for p in range(drift.order))),
        coefficients=_pad(to_curves, columns.shape[1]),
    ), explained


def _pad(weights: Float[np.ndarray, "q m"], n: int) -> Float[np.ndarray, "q n"]:
    return np.pad(weights, ((0, 0), (0, n - weights.shape[1])))


def _course(
    model: InfusionModel,
    response: _Response,
    times_min: Float[np.ndarray, " n_volumes"],
    edges: Float[np.ndarray, " n_edges"],
) -> tuple[Float[np.ndarray, "n_course n_curves"], Float[np.ndarray, " n_course_edges"]]:
    # Means of the curves over bins, weights on coefficients that give the fitted course, from
    # the first bin on in which any curve has begun.
    n_curves = response.curves.shape[1]
    if isinstance(model, Pseudoblock):
        return np.eye(n_curves), edges
    if not isinstance(model, ResponseFamily):
        return np.empty((0, n_curves)), edges
    inside = boxcars(times_min, edges)
    means = (inside.T @ response.curves) / inside.sum(axis=0)[:, None]
    first = int(means.any(axis=1).argmax())
    return means[first:], edges[first:]


def _primary(
    model: InfusionModel,
    edges: Float[np.ndarray, " n_edges"],
    course: Float[np.ndarray, "n_bins n_curves"],
) -> tuple[Float[np.ndarray, "q n_curves"], str]:
    # Weights on coefficients of what the measure is, and its name.
    if isinstance(model, Pseudoblock):
        start, stop = model.window_min or (0.0, float(edges[-1]))
        shared = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
        weights = np.clip(shared, 0.0, None)
        return (weights / weights.sum())[None], "window"
    if isinstance(model, ResponseFamily):
        length = np.linalg.norm(course, axis=1)
        return course[length >= _NO_RESPONSE * length.max()], "peak"
    return np.ones((1, 1)), "response"


def _whole(
    model: InfusionModel,
    coefficients: Float[np.ndarray, "n_curves n_columns"],
    rows: Float[np.ndarray, "q n_curves"],
) -> list[Contrast]:
    # What speaks of the response as a whole.
    if isinstance(model, ResponseFamily):
        return [Contrast(name="family", weights=coefficients)]
    if isinstance(model, Pseudoblock):
        return [
            Contrast(name="window", weights=rows @ coefficients),
            Contrast(name="bins", weights=coefficients),
        ]
    return [Contrast(name="response", weights=coefficients)]


def _overlap(
    rows: Float[np.ndarray, "q n_curves"],
    coefficients: Float[np.ndarray, "n_curves n_columns"],
    X: Float[np.ndarray, "n_volumes n_columns"],
    without: Float[np.ndarray, "n_volumes n_without"],
) -> float:
    simple = white_variance(without, _pad(rows, without.shape[1]))
    return float(overlap(simple, white_variance(X, rows @ coefficients)).max())


def _refuse_overlap(model: InfusionModel, drift: Drift, shared: float, max_overlap: float) -> None:
    if shared > max_overlap:
        raise FirstLevelError(
            Problem(
                what=f"the response of the model {model.kind} cannot be told from a drift of "
                f"order {drift.order} informed by the {drift.source}",
                field="max_overlap",
                found=f"overlap {shared:.4f}",
                expected=f"at most {max_overlap:g}; a lower order, an earlier window, a longer "
                "baseline, or a curve instead of bins lessen it",
            )
        )
