"""What a mixed model hands on, and what its parts hand one another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.group._records import JointEstimate

__all__ = ["BlockFit", "JointTest", "MixedFit", "Uncertainty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """F test that all contrasts of a fit are zero, for every outcome.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        F, scaled where the degrees of freedom are Kenward-Roger's.
    df_numerator : int
        Number of independent contrasts; of redundant ones the first are kept.
    df_denominator : ndarray of shape (n_outcomes,)
        NaN where the approximation has none.
    """

    statistic: Float[np.ndarray, " n_outcomes"]
    df_numerator: int
    df_denominator: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFit:
    """A model with correlated errors, fitted by REML to every outcome.

    Where ``contrasts.status`` is 3, all numbers are NaN.

    Parameters
    ----------
    contrasts : JointEstimate
        Effects with covariance and degrees of freedom.
    omnibus : JointTest
        All contrasts together.
    coefficients : ndarray of shape (n_coefficients, n_outcomes)
        One per column of the model, in the measure's unit; NaN where the rows at hand do not
        tell the columns apart, even if they hold the contrasts.
    theta : ndarray of shape (n_theta, n_outcomes)
        Parameters of the covariance.
    theta_names : tuple of str
        What each parameter is.
    reml_loglik_minus2 : ndarray of shape (n_outcomes,)
        -2 log of the restricted likelihood, with its constant; depends on the coding of X.
    """

    contrasts: JointEstimate
    omnibus: JointTest
    coefficients: Float[np.ndarray, "n_coefficients n_outcomes"]
    theta: Float[np.ndarray, "n_theta n_outcomes"]
    theta_names: tuple[str, ...]
    reml_loglik_minus2: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    r"""All that standard errors and degrees of freedom are made of; outcomes last.

    Parameters
    ----------
    covariance : ndarray of shape (n_contrasts, n_contrasts, n_block)
        :math:`L\Phi L^\top` at the estimated covariance.
    slopes : ndarray of shape (n_theta, n_contrasts, n_contrasts, n_block)
        Its derivatives along the covariance parameters.
    theta_covariance : ndarray of shape (n_theta, n_theta, n_block)
        Sampling covariance of these parameters.
    correction : ndarray of shape (n_contrasts, n_contrasts, n_block)
        What Kenward and Roger add to the covariance.
    """

    covariance: Float[np.ndarray, "n_contrasts n_contrasts n_block"]
    slopes: Float[np.ndarray, "n_theta n_contrasts n_contrasts n_block"]
    theta_covariance: Float[np.ndarray, "n_theta n_theta n_block"]
    correction: Float[np.ndarray, "n_contrasts n_contrasts n_block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFit:
    """Estimates of a block of outcomes with the same rows missing.

    Parameters
    ----------
    coefficients : ndarray of shape (rank, n_block)
        Along the orthonormal basis of the model.
    theta : ndarray of shape (n_theta, n_block)
        Covariance parameters.
    reml_loglik_minus2 : ndarray of shape (n_block,)
        Of the orthonormal basis.
    uncertainty : Uncertainty
        Of the contrasts.
    boundary, converged, fitted : ndarray of shape (n_block,)
        A variance component is 0; the maximum was found; the outcome varies.
    """

    coefficients: Float[np.ndarray, "rank n_block"]
    theta: Float[np.ndarray, "n_theta n_block"]
    reml_loglik_minus2: Float[np.ndarray, " n_block"]
    uncertainty: Uncertainty
    boundary: Bool[np.ndarray, " n_block"]
    converged: Bool[np.ndarray, " n_block"]
    fitted: Bool[np.ndarray, " n_block"]
