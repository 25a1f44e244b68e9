"""The probability of each verdict on a blockade."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import Problem, SimulationError
from phmri.simulation.power._owen import REACH
from phmri.simulation.power._pairs import average_over_sd, both_below
from phmri.simulation.power._power import Alternative, number_problems, t_power
from phmri.simulation.power._precision import Precision

__all__ = ["BlockadePower", "blockade_power"]


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
        Exact for normal outcomes; accurate to 1e-12 where the correlation is 0.999 or less in
        size, and less so nearer to 1 or -1.

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
    # The third number is the first less the second: what remained.
    spread = np.sqrt(2 - 2 * correlation)
    left, with_left = truth[0] - truth[1], -spread / 2

    def shares(ratio: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3 n"]:
        c, h = differs * ratio, np.maximum(room - within * ratio, 0.0)
        least, corner = np.maximum(c, h), np.clip(c - h, -h, h)

        def w_below(bound: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
            return np.asarray(special.ndtr(bound - truth[1]))

        def u_w(bound: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
            return both_below(c - truth[0], bound - truth[1], correlation)

        def rest_w(
            rest: Float[np.ndarray, " n"], bound: Float[np.ndarray, " n"]
        ) -> Float[np.ndarray, " n"]:
            return both_below((rest - left) / spread, bound - truth[1], with_left)

        # Above w = c + h the line u = c bounds nothing any more.
        blocked = special.ndtr((h - left) / spread) - rest_w(h, least)
        blocked -= u_w(c + h) - u_w(least)
        blocked -= special.ndtr((-h - left) / spread) - rest_w(-h, c + h)
        blocked = np.where(h > 0.0, np.maximum(blocked, 0.0), 0.0)
        less = both_below(truth[0] - c, truth[1] - least, correlation)
        kept = (
            w_below(h) - w_below(-h) - (u_w(corner) - u_w(-h)) - (rest_w(h, h) - rest_w(h, corner))
        )
        return np.array([blocked, np.maximum(less - blocked, 0.0), np.maximum(kept, 0.0)])

    return average_over_sd(shares, df, _breaks(truth, room, criticals, spread))


def _breaks(
    truth: Float[np.ndarray, "2"], room: float, criticals: Float[np.ndarray, "2"], spread: float
) -> Float[np.ndarray, " n_breaks"]:
    """List the ratios where a line bends, or comes and goes from where there is probability."""
    differs, within = criticals
    left = truth[0] - truth[1]
    bends = room / np.array([within, differs + within, differs / 2 + within])
    sides = np.array([-REACH, 0.0, REACH])
    moving = [(truth[0] + sides) / differs, (truth[1] + sides) / differs]
    moving += [(room - sign * truth[1] - sides) / within for sign in (1, -1)]
    moving += [(room - sign * left - sides * spread) / within for sign in (1, -1)]
    return np.concatenate([bends, *moving])
