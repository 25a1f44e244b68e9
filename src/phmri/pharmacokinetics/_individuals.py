r"""People of a model: the typical one, and random ones.

A parameter of person :math:`i` with body weight :math:`w_i` is
:math:`\theta_i = \theta\,(w_i / w_\mathrm{ref})^{a}\,e^{\eta_i}`, with :math:`\eta_i` normal with
mean 0 and covariance :math:`\Omega`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._records import CompartmentModel, Individuals, covariance_matrix

__all__ = ["draw_individuals", "make_individuals", "typical_individual", "with_variances"]

Weight = float | Float[np.ndarray, " n_individuals"] | None


def typical_individual(model: CompartmentModel, weight_kg: float | None = None) -> Individuals:
    """Make the typical person of a body weight.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.

    Returns
    -------
    Individuals
        One person.

    Notes
    -----
    What `make_individuals` refuses is refused.
    """
    names, _ = covariance_matrix(model)
    return make_individuals(model, np.zeros((1, len(names))), weight_kg)


def draw_individuals(
    model: CompartmentModel,
    n_individuals: int,
    *,
    rng: np.random.Generator,
    weight_kg: Weight = None,
) -> Individuals:
    """Draw people from a model's variances.

    Parameters
    ----------
    model : CompartmentModel
        With the variance of at least one parameter.
    n_individuals : int
        How many.
    rng : numpy.random.Generator
        Source of chance.
    weight_kg : float or ndarray of shape (n_individuals,), optional
        Body weight in kg; needed by models that scale with it.

    Returns
    -------
    Individuals
        Simulated people. Differences between occasions and errors of measurement are not in them.

    Raises
    ------
    PharmacokineticsError
        When the model has no variance.
    """
    names, covariance = covariance_matrix(model)
    if not names:
        raise PharmacokineticsError(
            Problem(
                what="the source gives no variance between people to draw from",
                field=model.name,
                expected="a model with variances (with_variances sets your own)",
            )
        )
    root = np.linalg.cholesky(covariance)
    etas = rng.standard_normal((n_individuals, len(names))) @ root.T
    return make_individuals(model, etas, weight_kg)


def make_individuals(
    model: CompartmentModel,
    etas: Float[np.ndarray, "n_individuals n_random"],
    weight_kg: Weight = None,
) -> Individuals:
    r"""Make people from their differences to the typical one.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    etas : ndarray of shape (n_individuals, n_random)
        :math:`\eta`, differences of logarithms, for the parameters with a variance in the order
        of the model.
    weight_kg : float or ndarray of shape (n_individuals,), optional
        Body weight in kg; needed by models that scale with it.

    Returns
    -------
    Individuals
        One per row.

    Raises
    ------
    PharmacokineticsError
        When the model needs a weight and none is given, or it is no weight.
    """
    exponents = np.array([parameter.weight_exponent for parameter in model.parameters])
    weights = np.asarray(model.reference_weight_kg if weight_kg is None else weight_kg, float)
    if (weight_kg is None and exponents.any()) or not (np.isfinite(weights) & (weights > 0)).all():
        raise PharmacokineticsError(
            Problem(
                what="the model scales with body weight"
                if weight_kg is None
                else "a body weight that is none",
                field=f"{model.name}.weight_kg",
                found="nothing" if weight_kg is None else f"{weights}",
                expected="kilograms, above 0",
            )
        )
    names, _ = covariance_matrix(model)
    differences = np.zeros((len(etas), len(model.parameters)))
    differences[:, [p.name in names for p in model.parameters]] = etas
    typical = np.array([parameter.value for parameter in model.parameters])
    scale = (weights[..., None] / model.reference_weight_kg) ** exponents
    return Individuals(model=model, values=typical * scale * np.exp(differences))


def with_variances(model: CompartmentModel, variances: Mapping[str, float]) -> CompartmentModel:
    r"""Give a model variances between people that its source does not have.

    Parameters
    ----------
    model : CompartmentModel
        Stays as it is.
    variances : mapping of str to float
        Parameter to :math:`\omega^2`; the square of the coefficient of variation comes close to
        it while that is small. They take the place of all of the model's own.

    Returns
    -------
    CompartmentModel
        A copy without covariances.

    Raises
    ------
    PharmacokineticsError
        When the model has no such parameter, or a variance is out of range.
    """
    known = [parameter.name for parameter in model.parameters]
    problems = [
        Problem(what="no such parameter", field=f"{model.name}.{name}", expected=", ".join(known))
        for name in variances
        if name not in known
    ]
    if problems:
        raise PharmacokineticsError(*problems)
    parameters = tuple(replace(p, variance=variances.get(p.name, 0.0)) for p in model.parameters)
    return replace(model, parameters=parameters, covariances=())
