r"""ARMA(1,1) noise of a voxel as far as the run tells it, and what is not known of it added up.

A voxel's own estimate of a and b is uncertain, and an estimate of a contrast that takes it for
the truth is less certain than it says. Here every process on a grid counts by its probability:

.. math:: p_g \propto \pi_g L_g, \qquad \bar\beta = \sum_g p_g \hat\beta_g, \qquad
          \operatorname{var} = \sum_g p_g \{ v_g + (\hat\beta_g - \bar\beta)^2 \},

with the restricted likelihood L and the generalised least squares estimate and its variance v
under process g. The prior is that of the run's own voxels: the distribution over the grid under
which they are likeliest (nonparametric maximum likelihood, by expectation maximisation), with
the weight of one voxel spread evenly so that a handful of series does not settle it.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from phmri.firstlevel.glm._arma import Whitening, make_whitening, whiten
from phmri.firstlevel.glm._blocks import Block, Blocks, for_each
from phmri.firstlevel.glm._design import Design
from phmri.firstlevel.glm._solve import Solution, squared_distance

__all__ = ["ArmaAverage"]

_A = (0.0, 0.25, 0.45, 0.6, 0.7, 0.78, 0.84, 0.88, 0.91, 0.935, 0.955, 0.97)
_NEIGHBOURS = (
    0.02, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.46, 0.53, 0.6, 0.68, 0.76, 0.85, 0.93,
)  # fmt: skip
_LARGEST_B = 0.93
_SAMPLE = 4096
_EVEN_VOXELS = 1.0
_STEPS = 300
_NEGLIGIBLE = 1e-4
_VOXELS_AT_ONCE = 512


@lru_cache(maxsize=1)
def grid() -> Float[np.ndarray, "n_points 2"]:
    """Give the processes: white noise, then by a and by the correlation of neighbouring volumes.

    Returns
    -------
    ndarray of shape (n_points, 2)
        a and b.
    """
    found = [(0.0, 0.0)]
    for a in _A:
        for rho in _NEIGHBOURS:
            # (a + b)(1 + ab) = rho (1 + 2ab + b^2) is b^2 + kb + 1 = 0: one root is inside.
            distance, rest = a - rho, 1.0 + a * a - 2.0 * a * rho
            if abs(distance) * 2.0 > rest:
                continue
            k = rest / distance if distance else np.inf
            b = 0.0 if np.isinf(k) else -2.0 / (k + np.copysign(np.sqrt(k * k - 4.0), k))
            if abs(b) <= _LARGEST_B:
                found.append((a, b))
    return np.array(found)


class ArmaAverage:
    """Noise with a and b of every voxel averaged over.

    Parameters
    ----------
    blocks : Blocks
        The run.
    design : Design
        What is fitted.
    groups : ndarray of shape (n_voxels,)
        Voxels of a group have one prior.
    n_threads : int
        Blocks at one time.
    """

    def __init__(
        self, blocks: Blocks, design: Design, groups: Int[np.ndarray, " n_voxels"], n_threads: int
    ) -> None:
        self._design = design
        self.coefficients = np.zeros((2, blocks.n_voxels))
        names, self._label = np.unique(groups, return_inverse=True)
        points = grid()
        processes = [make_whitening(design, a, b, blocks.dtype) for a, b in points]
        priors = [
            self._learn(processes, blocks, np.flatnonzero(self._label == k), n_threads)
            for k in range(names.size)
        ]
        self._mixtures = [_Mixture(points, processes, prior) for prior in priors]

    def _learn(
        self,
        processes: list[Whitening],
        blocks: Blocks,
        voxels: Int[np.ndarray, " n"],
        n_threads: int,
    ) -> Float[np.ndarray, " n_points"]:
        def likelihood(some: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n_points varying"]:
            e = blocks.take(some).e
            return np.stack([self._log_likelihood(one, _fit(one, e)[0]) for one in processes])

        sample = voxels[np.linspace(0, voxels.size - 1, min(_SAMPLE, voxels.size)).astype(int)]
        found = np.concatenate(
            for_each(likelihood, sample, size=_VOXELS_AT_ONCE, n_threads=n_threads), axis=1
        )
        weight = np.exp(found - found.max(axis=0))
        prior = np.full(len(processes), 1.0 / len(processes))
        for _ in range(_STEPS):
            prior = prior * (weight @ (1.0 / (prior @ weight))) + _EVEN_VOXELS / prior.size
            prior /= prior.sum()
        return prior

    def _log_likelihood(
        self, one: Whitening, left: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        return np.asarray(-0.5 * (one.log_determinants + self._design.df * np.log(left)))

    def solve(self, block: Block) -> Iterator[Solution]:
        """Estimate the contrasts of a block.

        Parameters
        ----------
        block : Block
            Voxels that vary.

        Yields
        ------
        Solution
            Of some of its voxels.
        """
        label = self._label[block.voxels]
        for k, mixture in enumerate(self._mixtures):
            places = np.flatnonzero(label == k)
            for start in range(0, places.size, _VOXELS_AT_ONCE):
                part = places[start : start + _VOXELS_AT_ONCE]
                z, e = block.z[:, part], block.e.take(part, axis=1)
                yield self._solve(mixture, block.voxels[part], z, e)

    def _solve(
        self,
        mixture: "_Mixture",
        voxels: Int[np.ndarray, " n"],
        z: Float[np.ndarray, "rank n"],
        e: Float[np.ndarray, "n_volumes n"],
    ) -> Solution:
        design, n_points = self._design, len(mixture.processes)
        gain = np.empty((n_points, len(design.rows), voxels.size))
        left = np.empty((n_points, voxels.size))
        posterior = np.empty((n_points, voxels.size))
        for g, one in enumerate(mixture.processes):
            left[g], x = _fit(one, e)
            gain[g] = one.half.T @ x
            posterior[g] = mixture.log_prior[g] + self._log_likelihood(one, left[g])
        posterior = np.exp(posterior - posterior.max(axis=0))
        posterior /= posterior.sum(axis=0)
        self.coefficients[:, voxels] = mixture.points.T @ posterior
        mean = np.einsum("gn,grn->rn", posterior, gain)
        effect = design.rows @ z + mean
        deviation = np.sqrt(posterior)[:, None] * (gain - mean)
        noise = posterior * left / design.df
        spread = np.einsum("gn,grr->rn", noise, mixture.outer) + (deviation**2).sum(axis=0)
        statistic = {}
        for name, rows in design.contrasts.items():
            if rows.stop - rows.start == 1:
                statistic[name] = effect[rows.start] / np.sqrt(spread[rows.start])
                continue
            own = deviation[:, rows].transpose(2, 1, 0)
            covariance = np.einsum(
                "gn,gcd->ncd", noise, mixture.outer[:, rows, rows], optimize=True
            )
            covariance += own @ own.transpose(0, 2, 1)
            distance = squared_distance(covariance, effect[rows])
            statistic[name] = distance / (rows.stop - rows.start)
        return Solution(
            voxels=voxels,
            effect=effect,
            spread=spread,
            variance=noise.sum(axis=0),
            statistic=statistic,
        )


class _Mixture:
    """The processes that the prior of a group does not rule out.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
        a and b.
    processes : list of Whitening
        By them.
    prior : ndarray of shape (n_points,)
        Their probabilities.
    """

    def __init__(
        self,
        points: Float[np.ndarray, "n_points 2"],
        processes: list[Whitening],
        prior: Float[np.ndarray, " n_points"],
    ) -> None:
        used = np.flatnonzero(prior >= _NEGLIGIBLE)
        self.points, self.log_prior = points[used], np.log(prior[used])
        self.processes = [processes[g] for g in used]
        halves = np.stack([one.half for one in self.processes])
        self.outer = np.einsum("grc,grd->gcd", halves, halves)


def _fit(
    one: Whitening, e: Float[np.ndarray, "n_volumes n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "rank n"]]:
    """Give the weighted sum of squares that a design leaves, and x of `_solve`."""
    w = whiten(one, e)
    x = (one.unit @ w).astype(np.float64)
    left = np.einsum("tv,tv->v", w, w).astype(np.float64) - np.einsum("rv,rv->v", x, x)
    return left, x
