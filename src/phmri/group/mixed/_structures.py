"""Covariances between visits, and how their parameters make the entries.

Each is a function from parameters to the covariance and its derivatives; parameters that give
no positive definite matrix are refused by the likelihood, so that none needs a transformation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.group.mixed._likelihood import unique_entries

__all__ = ["Structure", "StructureName", "make_structure"]

StructureName = Literal["un", "cs", "csh", "ar1", "slope"]
Entries = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A family of covariances between visits.

    Parameters
    ----------
    name : {"un", "cs", "csh", "ar1", "slope"}
        Which.
    names : tuple of str
        Its parameters.
    powers : tuple of float
        Power of the measure's unit that each has.
    linear : bool
        The covariance is linear in them.
    start : callable
        From a covariance (n_visits, n_visits, n_block) to the parameters of one like it.
    entries : callable
        From parameters (n_theta, n_block) to the covariance and its derivatives
        (n_theta, n_visits, n_visits, n_block).
    """

    name: StructureName
    names: tuple[str, ...]
    powers: tuple[float, ...]
    linear: bool
    start: Callable[[np.ndarray], np.ndarray]
    entries: Callable[[np.ndarray], Entries]


def make_structure(name: StructureName, n_visits: int) -> Structure:
    """Look a structure up.

    Parameters
    ----------
    name : {"un", "cs", "csh", "ar1", "slope"}
        Unstructured; compound symmetry, with one variance or one per visit; first-order
        autoregressive; random intercept and slope along the number of the visit.
    n_visits : int
        Visits of the trial.

    Returns
    -------
    Structure
        For so many visits.
    """
    if name == "csh":
        return _heterogeneous(n_visits)
    if name == "ar1":
        return _autoregressive(n_visits)
    time = np.arange(float(n_visits))
    one = np.ones((n_visits, n_visits))
    bases: dict[StructureName, tuple[list[str], np.ndarray]] = {
        "un": (
            [f"cov_{a + 1}_{b + 1}" for a in range(n_visits) for b in range(a + 1)],
            unique_entries(n_visits).T.reshape(-1, n_visits, n_visits),
        ),
        "cs": (["covariance", "residual"], np.stack([one, np.eye(n_visits)])),
        "slope": (
            ["intercept", "covariance", "slope", "residual"],
            np.stack([one, np.add.outer(time, time), np.outer(time, time), np.eye(n_visits)]),
        ),
    }
    names, basis = bases[name]
    return _linear(name, tuple(names), basis)


def _linear(
    name: StructureName, names: tuple[str, ...], basis: Float[np.ndarray, "n_theta n n"]
) -> Structure:
    flat = basis.reshape(len(basis), -1)
    guess = np.linalg.pinv(flat.T)

    def start(sigma: np.ndarray) -> np.ndarray:
        found: np.ndarray = guess @ sigma.reshape(flat.shape[1], -1)
        if name != "un":
            # Some of the variance must stay outside the participants' part.
            found[:-1] *= 0.5
            found[-1] = np.maximum(found[-1], 0.5 * np.einsum("aav->av", sigma).mean(axis=0))
        return found

    def entries(theta: np.ndarray) -> Entries:
        slopes = np.broadcast_to(basis[..., None], (*basis.shape, theta.shape[1]))
        return np.tensordot(basis, theta, (0, 0)), slopes

    return Structure(
        name=name,
        names=names,
        powers=(2.0,) * len(names),
        linear=True,
        start=start,
        entries=entries,
    )


def _heterogeneous(n_visits: int) -> Structure:
    """One standard deviation per visit, one correlation."""
    unlike = 1.0 - np.eye(n_visits)[..., None]

    def start(sigma: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [np.sqrt(np.einsum("aav->av", sigma)), np.full((1, sigma.shape[-1]), 0.3)]
        )

    def entries(theta: np.ndarray) -> Entries:
        sd, rho = theta[:-1], theta[-1]
        correlation = 1.0 + unlike * (rho - 1.0)
        slopes = np.zeros((n_visits + 1, n_visits, n_visits, theta.shape[1]))
        for a in range(n_visits):
            slopes[a, a] += correlation[a] * sd
            slopes[a, :, a] += correlation[a] * sd
        slopes[-1] = unlike * sd[:, None] * sd
        return correlation * sd[:, None] * sd, slopes

    names = (*(f"sd_{a + 1}" for a in range(n_visits)), "correlation")
    return Structure(
        name="csh",
        names=names,
        powers=(*(1.0,) * n_visits, 0.0),
        linear=False,
        start=start,
        entries=entries,
    )


def _autoregressive(n_visits: int) -> Structure:
    """One variance; correlation falls by a factor per visit."""
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))[..., None]

    def start(sigma: np.ndarray) -> np.ndarray:
        variance = np.einsum("aav->av", sigma).mean(axis=0)
        return np.stack([variance, np.full_like(variance, 0.3)])

    def entries(theta: np.ndarray) -> Entries:
        variance, rho = theta
        correlation = rho**lag
        return variance * correlation, np.stack(
            [correlation, variance * lag * rho ** np.maximum(lag - 1, 0)]
        )

    return Structure(
        name="ar1",
        names=("variance", "correlation"),
        powers=(2.0, 0.0),
        linear=False,
        start=start,
        entries=entries,
    )
