"""The probability of each verdict on a blockade."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import Problem, SimulationError
from phmri.simulation.power._owen import REACH, estimated_sd_nodes, quadrature
from phmri.simulation.power._power import Alternative, number_problems, t_power
from phmri.simulation.power._precision import Precision

__all__ = ["BlockadePower", "blockade_power"]

ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockadePower:
    """What a trial will say about a blockade, and how often.

    Parameters
    ----------
    drug, difference : float
        Power for the drug's effect, and for drug minus pretreated drug.
    blocked, partly_blocked, not_blocked, undecided : float
        Probabilities of the verdicts; their sum is 1.
    """

    drug: float
    difference: float
    blocked: float
    partly_blocked: float
    not_blocked: float
    undecided: float


def blockade_power(
    drug_effect: float,
    attenuation: float,
    precision: Precision,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    correlation: float = 0.5,
) -> BlockadePower:
    r"""Give the probability of each verdict on a blockade.

    Parameters
    ----------
    drug_effect : float
        True effect of the drug alone against the reference, in the measure's unit.
    attenuation : float
        Share of it that the pretreatment takes away: 0 none, 1 all, above 1 a reversal.
    precision : Precision
        Of any two treatments' difference; the same for all three pairs.
    margin : float, optional
        Largest effect that counts as none, in the measure's unit. Without it neither "blocked"
        nor "not blocked" is ever said.
    alpha : float, default 0.05
        Error rate of every test.
    alternative : {"two-sided", "greater", "less"}
        Direction of the drug's effect and of the difference.
    correlation : float, default 0.5
        Of drug minus reference and drug minus pretreated drug, which share the drug: one half
        with equal arms, or in a balanced crossover.

    Returns
    -------
    BlockadePower
        Exact for normal outcomes; accurate to 1e-12.

    Raises
    ------
    SimulationError
        When a number is not finite, ``margin`` not above 0, ``correlation`` not between -1 and 1
        or ``alpha`` not between 0 and 0.5; all at once.

    Notes
    -----
    The verdict's rules are those of `phmri.group.blockade.judge_blockade`. Given the ratio s of
    estimated to true standard error they bound two correlated normal estimates by straight
    lines: with u and w the drug's effect and the difference in true standard errors,
    :math:`c = t_{1-\alpha/2} s` and :math:`h = M/\mathrm{SE} - t_{1-\alpha} s`, for a rising
    effect

    - blocked: :math:`u > c`, :math:`\max(c, u - h, h) < w < u + h`;
    - partly blocked: :math:`u > c`, :math:`w > \max(c, h)` and not blocked;
    - not blocked: :math:`u > c`, :math:`-h < w < \min(h, u - h)`.

    Their probabilities are averaged over s.

    Examples
    --------
    >>> from phmri.simulation.power import parallel_precision
    >>> design = parallel_precision(25, 1.0, n_arms=3, baseline_correlation=0.5)
    >>> power = blockade_power(1.0, 0.5, design)
    >>> round(power.drug, 2), round(power.difference, 2), round(power.partly_blocked, 2)
    (0.98, 0.52, 0.52)
    """
    problems = number_problems(alpha, {"drug_effect": drug_effect, "attenuation": attenuation})
    if margin is not None and not 0 < margin < np.inf:
        problems.append(Problem(what="a margin is above 0", field="margin", found=str(margin)))
    if not -1 < correlation < 1:
        problems.append(
            Problem(
                what="a correlation lies between -1 and 1",
                field="correlation",
                found=str(correlation),
            )
        )
    if problems:
        raise SimulationError(*problems)
    removed = attenuation * drug_effect
    signs = {"two-sided": (1.0, -1.0), "greater": (1.0,), "less": (-1.0,)}[alternative]
    truth = np.array([drug_effect, removed]) / precision.se
    room = 0.0 if margin is None else margin / precision.se
    sided = alpha / 2 if alternative == "two-sided" else alpha
    criticals = stats.t.isf([sided, alpha], precision.df)
    shares = [_rising(sign * truth, room, criticals, precision.df, correlation) for sign in signs]
    blocked, partly, kept = np.sum(shares, axis=0).tolist()
    return BlockadePower(
        drug=t_power(drug_effect, precision, alpha=alpha, alternative=alternative),
        difference=t_power(removed, precision, alpha=alpha, alternative=alternative),
        blocked=blocked,
        partly_blocked=partly,
        not_blocked=kept,
        undecided=1 - blocked - partly - kept,
    )


def _rising(
    truth: Float[np.ndarray, "2"],
    room: float,
    criticals: Float[np.ndarray, "2"],
    df: float,
    correlation: float,
) -> Float[np.ndarray, "3"]:
    """Give the probabilities of blocked, partly and not blocked with the drug found above 0."""
    differs, within = criticals
    bends = room / np.array([within, differs + within, differs / 2 + within])
    ratio, weight = estimated_sd_nodes(df, bends)
    c, h = differs * ratio, room - within * ratio
    least, most = np.maximum(truth[0] - REACH, c), truth[0] + REACH
    ends = np.array([least, 2 * h, h + np.maximum(c, h), np.broadcast_to(most, h.shape)])
    ends = np.clip(ends.T, least[:, None], most)
    nodes, weights = quadrature(ends[:, :-1], ends[:, 1:])
    u, inner = nodes.reshape(len(ratio), -1), weights.reshape(len(ratio), -1)
    inner *= np.exp(-((u - truth[0]) ** 2) / 2) / ROOT_TWO_PI
    c, h = c[:, None], h[:, None]
    centre = truth[1] + correlation * (u - truth[0])
    spread = np.sqrt(1 - correlation**2)

    def between(
        low: Float[np.ndarray, "..."], high: Float[np.ndarray, "..."]
    ) -> Float[np.ndarray, "..."]:
        share: Float[np.ndarray, ...] = np.maximum(
            special.ndtr((high - centre) / spread) - special.ndtr((low - centre) / spread), 0.0
        )
        return share

    blocked = between(np.maximum(np.maximum(c, h), u - h), u + h)
    partly = np.maximum(special.ndtr((centre - np.maximum(c, h)) / spread) - blocked, 0.0)
    kept = between(-h, np.minimum(h, u - h))
    return np.array([weight @ (inner * share).sum(-1) for share in (blocked, partly, kept)])
