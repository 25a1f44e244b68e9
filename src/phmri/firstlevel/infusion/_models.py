r"""Models of the response to an infusion, and of the drift beside it.

Time :math:`t` is in minutes from time zero, the start of the infusion. With the baseline level
:math:`c`, the drift :math:`d(t)` and coloured noise :math:`e(t)`, every model is linear,

.. math:: y(t) = c + d(t) + \sum_j b_j g_j(t) + e(t), \qquad g_j(t) = 0 \text{ for } t < 0,

and differs in the curves :math:`g_j`: one boxcar per bin (pseudoblock), one curve that theory
gives (exposure, step, ramp, gamma variate), or the principal components of many (family).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.firstlevel.glm import Contrast

__all__ = [
    "Drift",
    "Exposure",
    "GammaVariate",
    "InfusionDesign",
    "InfusionModel",
    "Pseudoblock",
    "Ramp",
    "ResponseFamily",
    "Step",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudoblock:
    r"""One level of signal per bin of time, each against the baseline; no shape is assumed.

    Parameters
    ----------
    kind : {"pseudoblock"}
    bin_s : float, default 60
        Length of a bin in seconds, from time zero on. A last bin shorter than half of it joins
        the one before.
    baseline_min : float, optional
        The last so many minutes before time zero are the baseline; volumes before them get a
        level of their own. All time before time zero when left out.
    window_min : tuple of two float, optional
        Minutes from time zero of the window whose mean is the measure; bins count by the length
        that lies inside. All time after time zero when left out.

    References
    ----------
    McKie et al. 2005, doi:10.1007/s00213-005-2270-y.
    """

    kind: Literal["pseudoblock"] = "pseudoblock"
    bin_s: float = 60.0
    baseline_min: float | None = None
    window_min: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    r"""The concentration of the drug in plasma or at its site of effect, as a regressor.

    Parameters
    ----------
    kind : {"plasma", "effect_site"}
    peak_ng_ml : float, optional
        Concentration that counts as 1: the peak of the typical curve, so that the effects of
        people with curves of their own are in one unit. The peak of the given curve within the
        scan when left out.

    References
    ----------
    Höflich et al. 2017, doi:10.1007/s00429-016-1291-0.
    """

    kind: Literal["plasma", "effect_site"] = "plasma"
    peak_ng_ml: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    r"""A level that begins some time into the infusion and stays, :math:`g(t) = [t \ge t_0]`.

    Parameters
    ----------
    kind : {"step"}
    onset_min : float, default 0
        :math:`t_0`.
    """

    kind: Literal["step"] = "step"
    onset_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    r"""A straight rise to a level, :math:`g(t) = (t - t_0)/(t_1 - t_0)` within 0 and 1.

    Parameters
    ----------
    kind : {"ramp"}
    end_min : float
        :math:`t_1`, when the level is reached: the infusion's end, or saturation.
    onset_min : float, default 0
        :math:`t_0`.
    """

    end_min: float
    kind: Literal["ramp"] = "ramp"
    onset_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaVariate:
    r"""A rise and fall, :math:`g(t) = (s e^{1-s})^a`, :math:`s = (t - t_0)/(t_1 - t_0) > 0`.

    Parameters
    ----------
    kind : {"gamma_variate"}
    peak_min : float
        :math:`t_1`, where :math:`g = 1`.
    shape : float
        :math:`a`; the larger, the narrower.
    onset_min : float, default 0
        :math:`t_0`.
    """

    peak_min: float
    shape: float
    kind: Literal["gamma_variate"] = "gamma_variate"
    onset_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFamily:
    r"""Principal components of all gamma variates whose parameters lie in given ranges.

    Parameters
    ----------
    kind : {"response_family"}
    onset_min, delay_min, shape : tuple of two float
        Least and greatest onset :math:`t_0`, time from onset to peak :math:`t_1 - t_0`, and
        shape :math:`a` of `GammaVariate`.
    n_components : int, optional
        Fixed number of components; else as many as explain `explained`.
    explained : float, default 0.99
        Least share of the curves' sum of squares.
    bin_s : float, default 60
        Seconds between the points in which the fitted curve is given.
    """

    onset_min: tuple[float, float]
    delay_min: tuple[float, float]
    shape: tuple[float, float]
    kind: Literal["response_family"] = "response_family"
    n_components: int | None = None
    explained: float = 0.99
    bin_s: float = 60.0


InfusionModel = Pseudoblock | Exposure | Step | Ramp | GammaVariate | ResponseFamily


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    r"""Slow change of the signal that is not the drug's: a polynomial of time.

    Parameters
    ----------
    order : int, default 1
        Of the polynomial; 0 for none.
    source : {"run", "baseline"}, default "run"
        What informs it. ``run``: every volume, given the response model. ``baseline``: the
        volumes before time zero only, extrapolated; the model then has a polynomial of its own
        in every bin after time zero, and a curve is fitted to the bins' distances from the
        extrapolated drift.
    bin_s : float, default 60
        Length in seconds of the bins that ``baseline`` needs beside a curve; a model with bins
        uses its own.
    """

    order: int = 1
    source: Literal["run", "baseline"] = "run"
    bin_s: float = 60.0

    @property
    def extrapolated(self) -> bool:
        """Say whether there is a drift that the baseline alone informs.

        Returns
        -------
        bool
        """
        return self.source == "baseline" and self.order > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionDesign:
    """The response of one run as columns and contrasts.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, n_columns)
        Response, constant and drift; no nuisance.
    columns : tuple of str
    contrasts : tuple of Contrast
        Weights on the columns of `X`. Effects are in units of the data, those of curves at the
        curve's value 1.
    primary : str
        The contrast that is the measure; ``peak`` stands for the largest of `course`.
    course : tuple of str
        Contrasts that follow the response over time, one per bin; empty for a single curve.
    edges_min : ndarray of shape (n_bins + 1,)
        Of the bins of `course`, minutes from time zero; empty for a single curve.
    overlap : float
        Share of the primary contrast's variance that is due to the drift, 0 to 1.
    sentences : tuple of str
        For the methods text, with citations as ``[doi:...]``.
    facts : dict of str to float, str or list of str
        For the sidecar.
    """

    X: Float[np.ndarray, "n_volumes n_columns"]
    columns: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    primary: str
    course: tuple[str, ...]
    edges_min: Float[np.ndarray, " n_edges"]
    overlap: float
    sentences: tuple[str, ...]
    facts: dict[str, float | str | list[str]]
