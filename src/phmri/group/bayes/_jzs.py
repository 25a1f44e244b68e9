"""JZS Bayes factors, two-sided and directed."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special

from phmri.exceptions import DesignError, Problem

__all__ = ["DEFAULT_SCALE", "adjusted_bayes_factor", "jzs_bayes_factor", "t_problems"]

DEFAULT_SCALE = 2.0**-0.5
STEP = 0.3
# In log g over the squared scale: below, exp(-1/2g) has vanished; above, 1/g against the whole.
LOG_G = np.arange(-5.0, 34.0, STEP)
BLOCK = 16_384
"""Outcomes at once: bounds the memory, changes no number."""
LARGEST = np.log(np.finfo(np.float64).max)


def jzs_bayes_factor(
    t: Float[np.ndarray, " n_outcomes"],
    n1: int,
    n2: int = 0,
    *,
    scale: float = DEFAULT_SCALE,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the Bayes factor of an effect against none, of one or two groups.

    Parameters
    ----------
    t : ndarray of shape (n_outcomes,)
        Of the one-sample, paired, or (equal variances) two-sample t test; NaN stays NaN.
    n1 : int
        Participants, or those of the first group.
    n2 : int, default 0
        Participants of the second group; 0: one sample or pairs.
    scale : float, default sqrt(2)/2
        Scale r of the Cauchy prior of the effect in standard deviations. Report others beside it.
    alternative : {"two-sided", "greater", "less"}
        Effect on either side of 0, or its half-Cauchy above or below.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        BF10: above 1 speaks for the effect. At most the largest number that can be written.

    Raises
    ------
    DesignError
        When groups are too small, or t or the scale cannot be used.

    Notes
    -----
    `adjusted_bayes_factor` with :math:`N = n_1` and :math:`\nu = n_1 - 1`, or
    :math:`N = n_1 n_2/(n_1 + n_2)` and :math:`\nu = n_1 + n_2 - 2` [1]_.

    References
    ----------
    .. [1] Rouder et al. (2009), Psychon Bull Rev 16:225, doi:10.3758/PBR.16.2.225.

    Examples
    --------
    >>> (1.0 / jzs_bayes_factor(np.array([2.03]), 80, scale=1.0)).round(2).tolist()
    [1.56]
    """
    n_effective = n1 * n2 / (n1 + n2) if n2 else float(n1)
    df = float(n1 + n2 - 2 if n2 else n1 - 1)
    problems = t_problems(t, n_effective, df, scale)
    if problems:
        raise DesignError(*problems)
    return adjusted_bayes_factor(t, n_effective, df, scale=scale, alternative=alternative)


def adjusted_bayes_factor(
    t: Float[np.ndarray, " n_outcomes"],
    n_effective: float | Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    *,
    scale: float = DEFAULT_SCALE,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the Bayes factor of a contrast of a linear model against none.

    Parameters
    ----------
    t : ndarray of shape (n_outcomes,)
        Effect over its standard error; NaN stays NaN.
    n_effective : float or ndarray of shape (n_outcomes,)
        :math:`s^2/\mathrm{SE}^2`: residual variance over the squared standard error.
    df : float or ndarray of shape (n_outcomes,)
        Residual degrees of freedom.
    scale : float, default sqrt(2)/2
        Scale r of the Cauchy prior of the effect in residual standard deviations.
    alternative : {"two-sided", "greater", "less"}
        Effect on either side of 0, or its half-Cauchy above or below.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        BF10: above 1 speaks for the effect. At most the largest number that can be written.

    Raises
    ------
    DesignError
        When t, the effective number, degrees of freedom or the scale cannot be used.

    Notes
    -----
    .. math:: \mathrm{BF}_{10} = \int_0^\infty \frac{(1+Ng)^{-1/2}
       \left(1+\frac{t^2}{(1+Ng)\nu}\right)^{-(\nu+1)/2}}{(1+t^2/\nu)^{-(\nu+1)/2}}
       \, \frac{r\,e^{-r^2/2g}}{\sqrt{2\pi}\,g^{3/2}}\,dg ,

    summed by the trapezoid rule in :math:`\log g`, where it converges exponentially (relative
    error about 1e-12). Given g, a positive effect has posterior probability :math:`P(T_{\nu+1}
    \le t\sqrt{(\nu+1)Ng / ((1+Ng)\nu + t^2)})`, which weighs the nodes when the alternative
    is directed. With covariates in the model it is an approximation: it takes them as known
    not to share in the contrast beyond what the standard error says.
    """
    problems = t_problems(t, n_effective, df, scale)
    if problems:
        raise DesignError(*problems)
    N, nu = np.broadcast_to(n_effective, t.shape), np.broadcast_to(df, t.shape)
    found = np.empty(t.shape)
    for start in range(0, t.size, BLOCK):
        part = slice(start, start + BLOCK)
        found[part] = _log_factor(t[part, None], N[part, None], nu[part, None], scale, alternative)
    return np.exp(np.minimum(found, LARGEST))


def _log_factor(
    t: Float[np.ndarray, "n_block 1"],
    N: Float[np.ndarray, "n_block 1"],
    nu: Float[np.ndarray, "n_block 1"],
    scale: float,
    alternative: str,
) -> Float[np.ndarray, " n_block"]:
    g = scale**2 * np.exp(LOG_G)
    inflation = 1.0 + N * g
    t2 = t**2
    # The prior's r exp(-r^2/2g) g^-3/2 dg, with dg = g d(log g).
    prior = np.log(scale / np.sqrt(2.0 * np.pi)) - scale**2 / (2.0 * g) - 0.5 * np.log(g)
    log_term = np.log1p(t2 / (inflation * nu)) - np.log1p(t2 / nu)
    log_term = prior - 0.5 * np.log(inflation) - 0.5 * (nu + 1.0) * log_term
    top = log_term.max(axis=1, keepdims=True)
    weight = np.exp(log_term - top)
    if alternative != "two-sided":
        towards = t if alternative == "greater" else -t
        ratio = towards * np.sqrt((nu + 1.0) * N * g / (inflation * nu + t2))
        weight *= 2.0 * special.stdtr(nu + 1.0, ratio)
    total: np.ndarray = top[:, 0] + np.log(STEP * weight.sum(axis=1))
    return total


def t_problems(
    t: Float[np.ndarray, " n_outcomes"],
    n_effective: float | Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    scale: float,
) -> list[Problem]:
    """Tell what of a t statistic cannot be used.

    Parameters
    ----------
    t : ndarray of shape (n_outcomes,)
        NaN passes.
    n_effective, df : float or ndarray of shape (n_outcomes,)
        Must be positive where t is a number.
    scale : float
        Must be positive.

    Returns
    -------
    list of Problem
        Empty when all is well.
    """
    found = []
    if np.isinf(t).any():
        found.append(Problem(what="values that are not finite", field="t"))
    for field, values in (("n_effective", n_effective), ("df", df)):
        usable = (np.asarray(values) > 0.0) & np.isfinite(values)
        if not (usable | np.isnan(t)).all():
            found.append(
                Problem(
                    what="not a positive number",
                    field=field,
                    found=f"{int((~(usable | np.isnan(t))).sum())} of {t.size}",
                )
            )
    if not 0.0 < scale < np.inf:
        found.append(Problem(what="not a positive number", field="scale", found=str(scale)))
    return found
