"""Response curves over the volumes of a run."""

import itertools

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.infusion._models import (
    Exposure,
    GammaVariate,
    Ramp,
    ResponseFamily,
    Step,
)

__all__ = ["gamma_variate", "response_curves"]

_PER_RANGE = 8  # values of each parameter of a family; more change components by under 1 %


def gamma_variate(
    times_min: Float[np.ndarray, " n_volumes"], onset_min: float, delay_min: float, shape: float
) -> Float[np.ndarray, " n_volumes"]:
    r"""Rise and fall as :math:`(s e^{1-s})^a` with :math:`s = (t - t_0)/\delta`.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes.
    onset_min : float
        :math:`t_0`; 0 before it.
    delay_min : float
        :math:`\delta > 0`, from onset to the peak of 1.
    shape : float
        :math:`a > 0`.

    Returns
    -------
    ndarray of shape (n_volumes,)
        From 0 to 1.
    """
    s = np.maximum((times_min - onset_min) / delay_min, 0.0)
    return np.asarray((s * np.exp(1.0 - s)) ** shape)


def response_curves(
    model: Exposure | Step | Ramp | GammaVariate | ResponseFamily,
    times_min: Float[np.ndarray, " n_volumes"],
    exposure: Float[np.ndarray, " n_volumes"] | None,
) -> tuple[Float[np.ndarray, "n_volumes n_curves"], float]:
    r"""Give the curves of a model that is not a pseudoblock.

    Parameters
    ----------
    model : Exposure, Step, Ramp, GammaVariate or ResponseFamily
        Checked.
    times_min : ndarray of shape (n_volumes,)
        Minutes from time zero.
    exposure : ndarray of shape (n_volumes,) or None
        Concentration in ng/mL for `Exposure`.

    Returns
    -------
    curves : ndarray of shape (n_volumes, n_curves)
        Each with value 1 where its unit is defined.
    explained : float
        Share of the sum of squares of a family that its components explain; 1 for one curve.

    Raises
    ------
    FirstLevelError
        An exposure model comes without its curve.

    Notes
    -----
    Components of a family are the left singular vectors of its curves, not centred over curves,
    so that the mean curve is among what they explain. Their scale is a largest value of 1.
    """
    if isinstance(model, ResponseFamily):
        return _components(model, times_min)
    if isinstance(model, Exposure):
        if exposure is None:
            raise FirstLevelError(Problem(what="an exposure model without a curve"))
        curve = exposure / (model.peak_ng_ml or float(exposure.max()))
    elif isinstance(model, Step):
        curve = (times_min >= model.onset_min).astype(np.float64)
    elif isinstance(model, Ramp):
        rise = (times_min - model.onset_min) / (model.end_min - model.onset_min)
        curve = np.clip(rise, 0.0, 1.0)
    else:
        delay = model.peak_min - model.onset_min
        curve = gamma_variate(times_min, model.onset_min, delay, model.shape)
    return curve[:, None], 1.0


def _components(
    model: ResponseFamily, times_min: Float[np.ndarray, " n_volumes"]
) -> tuple[Float[np.ndarray, "n_volumes n_curves"], float]:
    ranges = (model.onset_min, model.delay_min, model.shape)
    grid = itertools.product(
        *(np.unique(np.linspace(*limits, _PER_RANGE)).tolist() for limits in ranges)
    )
    curves = np.column_stack([gamma_variate(times_min, *point) for point in grid])
    left, size, _ = np.linalg.svd(curves, full_matrices=False)
    share = np.cumsum(size**2) / (size**2).sum()
    needed = int(np.searchsorted(share, model.explained)) + 1
    n = min(model.n_components or needed, int((size > 1e-8 * size[0]).sum()))
    chosen = left[:, :n]
    largest = chosen[np.abs(chosen).argmax(axis=0), np.arange(n)]
    return chosen / largest, float(share[n - 1])
