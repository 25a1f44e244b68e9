r"""One person's parameters from a few measured concentrations and what is known of people.

Maximum a posteriori (empirical Bayes): with :math:`f(\eta)` the predicted concentrations and
:math:`g^2 = a^2 + (b f)^2` the variance of a measurement, the minimum of

.. math:: \sum_j \left[\frac{(y_j - f_j)^2}{g_j^2} + \ln g_j^2\right]
          + \eta^\top \Omega^{-1} \eta .
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._concentration import concentrations, find_analyte
from phmri.pharmacokinetics._doses import DoseInput
from phmri.pharmacokinetics._individuals import make_individuals
from phmri.pharmacokinetics._records import CompartmentModel, Individuals, covariance_matrix

__all__ = ["IndividualFit", "fit_individual"]

_STEP = 1e-5
"""Of a logarithm, for central differences: their error of 1e-10 is far below any eta's."""
_GRADIENT_IS_ZERO = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class IndividualFit:
    r"""One person's most probable parameters.

    Parameters
    ----------
    individual : Individuals
        That one person, for `concentrations` at any times.
    parameters : dict of str to float
        All parameters in their own units, weight in them.
    etas : dict of str to float
        Differences to the typical person of that weight, as logarithms.
    objective : float
        The minimum, :math:`-2 \ln` of the posterior up to a constant.
    predicted_ng_ml : ndarray of shape (n_samples,)
        At the sample times.
    residuals_ng_ml : ndarray of shape (n_samples,)
        Measured less predicted.
    converged : bool
        Whether the gradient at the minimum is zero as far as numbers can tell.
    """

    individual: Individuals
    parameters: dict[str, float]
    etas: dict[str, float]
    objective: float
    predicted_ng_ml: Float[np.ndarray, " n_samples"]
    residuals_ng_ml: Float[np.ndarray, " n_samples"]
    converged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    model: CompartmentModel
    doses: Sequence[DoseInput]
    times: Float[np.ndarray, " n_samples"]
    measured: Float[np.ndarray, " n_samples"]
    weight_kg: float | None
    analyte: str | None
    variances: tuple[float, float]
    precision: Float[np.ndarray, "n_random n_random"]

    def predict(
        self, etas: Float[np.ndarray, "n_people n_random"]
    ) -> Float[np.ndarray, "n_people n_samples"]:
        people = make_individuals(self.model, etas, self.weight_kg)
        return concentrations(people, self.doses, self.times, analyte=self.analyte)

    def objective(
        self, etas: Float[np.ndarray, "n_people n_random"]
    ) -> Float[np.ndarray, " n_people"]:
        predicted = self.predict(etas)
        variance = self.variances[0] + self.variances[1] * predicted**2
        fit = ((self.measured - predicted) ** 2 / variance + np.log(variance)).sum(axis=1)
        return np.asarray(fit + ((etas @ self.precision) * etas).sum(axis=1))

    def value_and_gradient(
        self, eta: Float[np.ndarray, " n_random"]
    ) -> tuple[float, Float[np.ndarray, " n_random"]]:
        steps = _STEP * np.eye(len(eta))
        values = self.objective(np.vstack([eta, eta + steps, eta - steps]))
        above, below = values[1:].reshape(2, -1)
        return float(values[0]), (above - below) / (2 * _STEP)


def fit_individual(
    model: CompartmentModel,
    doses: Sequence[DoseInput],
    sample_times_min: Float[np.ndarray, " n_times"],
    measured_ng_ml: Float[np.ndarray, " n_samples"],
    *,
    weight_kg: float | None = None,
    analyte: str | None = None,
    residual_sd_proportional: float | None = None,
    residual_sd_additive_ng_ml: float | None = None,
) -> IndividualFit:
    r"""Fit one person's parameters to measured concentrations, drawn towards the typical person.

    Parameters
    ----------
    model : CompartmentModel
        With variances between people.
    doses : sequence of DoseInput
        That the person received, in mg and minutes from time zero.
    sample_times_min : ndarray of shape (n_times,)
        Minutes from time zero, after the first dose; may be empty.
    measured_ng_ml : ndarray of shape (n_samples,)
        One per time, above 0, drawn at the model's site, ng/mL. Leave out those below the limit
        of quantification.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.
    analyte : str, optional
        What was measured; the parent drug where left out.
    residual_sd_proportional, residual_sd_additive_ng_ml : float, optional
        SD of a measurement as a fraction of the concentration, and in ng/mL; where neither is
        given, the model's own.

    Returns
    -------
    IndividualFit
        Without samples, the typical person. With few, one between that and the samples.

    Raises
    ------
    PharmacokineticsError
        Naming all of: a model without variances, no error of measurement, samples that are not
        above 0 or precede the first dose, different numbers of times and samples; else samples
        where the typical person has no drug, while errors are in proportion to it.

    Notes
    -----
    What `concentration` refuses is refused.
    The minimum of the module's equation by BFGS from the typical person. Etas are normal,
    measurements independent. Parameters that the samples say nothing of stay typical.

    References
    ----------
    .. [1] Sheiner and Beal (1982), J Pharm Sci 71:1344-1348.
    """
    names, covariance = covariance_matrix(model)
    found = find_analyte(model, analyte)
    sds = (residual_sd_additive_ng_ml or 0.0, residual_sd_proportional or 0.0)
    if residual_sd_proportional is None and residual_sd_additive_ng_ml is None:
        sds = (found.residual_sd_additive_ng_ml or 0.0, found.residual_sd_proportional or 0.0)
    problems = [*_wrong(model, sds), *_wrong_samples(doses, sample_times_min, measured_ng_ml)]
    if problems:
        raise PharmacokineticsError(*problems)
    question = _Question(
        model=model,
        doses=doses,
        times=sample_times_min,
        measured=measured_ng_ml,
        weight_kg=weight_kg,
        analyte=found.name,
        variances=(sds[0] ** 2, sds[1] ** 2),
        precision=np.linalg.inv(covariance),
    )
    predicted = question.predict(np.zeros((1, len(names))))[0]
    if not sds[0] and not (predicted > 0.0).all():
        raise PharmacokineticsError(
            Problem(
                what="a sample where the model has nothing in the body",
                field="sample_times_min",
                found=f"{sample_times_min[~(predicted > 0.0)].tolist()} min",
                expected="samples after a dose is absorbed, or an error of measurement in ng/mL",
            )
        )
    result = scipy.optimize.minimize(
        question.value_and_gradient,
        np.zeros(len(names)),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-5},
    )
    individual = make_individuals(model, result.x[None, :], weight_kg)
    predicted = question.predict(result.x[None, :])[0]
    return IndividualFit(
        individual=individual,
        parameters={
            p.name: float(value)
            for p, value in zip(model.parameters, individual.values[0], strict=True)
        },
        etas=dict(zip(names, result.x.tolist(), strict=True)),
        objective=float(result.fun),
        predicted_ng_ml=predicted,
        residuals_ng_ml=measured_ng_ml - predicted,
        converged=bool(np.abs(result.jac).max() < _GRADIENT_IS_ZERO),
    )


def _wrong(model: CompartmentModel, sds: tuple[float, float]) -> Iterator[Problem]:
    if not covariance_matrix(model)[0]:
        yield Problem(
            what="the source gives no variance between people",
            field=model.name,
            expected="a model with variances (with_variances sets your own)",
        )
    if not (np.isfinite(sds).all() and min(sds) >= 0 and max(sds) > 0):
        yield Problem(
            what="no error of measurement",
            field="residual_sd_proportional, residual_sd_additive_ng_ml",
            found=f"{sds[1]:g}, {sds[0]:g} ng/mL",
            expected="none below 0, at least one of them above 0",
        )


def _wrong_samples(
    doses: Sequence[DoseInput],
    times: Float[np.ndarray, " n_times"],
    measured: Float[np.ndarray, " n_samples"],
) -> Iterator[Problem]:
    if len(times) != len(measured):
        yield Problem(
            what="different numbers of times and samples",
            field="sample_times_min, measured_ng_ml",
            found=f"{len(times)} and {len(measured)}",
        )
    first = min((dose.start_min for dose in doses), default=np.inf)
    if not (np.isfinite(times) & (times > first)).all():
        yield Problem(
            what="a sample that no dose precedes",
            field="sample_times_min",
            found=f"{times[~(np.isfinite(times) & (times > first))].tolist()} min",
            expected=f"later than the first dose at {first:g} min",
        )
    if not (np.isfinite(measured) & (measured > 0)).all():
        yield Problem(
            what="a measured concentration that is none",
            field="measured_ng_ml",
            found=f"{measured[~(np.isfinite(measured) & (measured > 0))].tolist()}",
            expected="ng/mL, above 0",
        )
