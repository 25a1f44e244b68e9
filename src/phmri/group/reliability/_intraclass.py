"""Intraclass correlations of single sessions and of their averages."""

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError
from phmri.group._confidence import confidence_problems
from phmri.group.reliability._mean_squares import (
    MeanSquares,
    mean_squares,
    table_problems,
)
from phmri.group.reliability._records import Reliability

__all__ = ["intraclass_correlation"]

FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")


def intraclass_correlation(
    values: Float[np.ndarray, "n_participants n_sessions n_outcomes"],
    *,
    confidence: float = 0.95,
) -> Reliability:
    r"""Estimate the six intraclass correlations of Shrout and Fleiss in every outcome.

    Parameters
    ----------
    values : ndarray of shape (n_participants, n_sessions, n_outcomes)
        One measurement per participant and session, in the unit of the measure; for the
        reliability of a drug response, drug minus placebo of every occasion.
    confidence : float, default 0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    Reliability
        Numbers or maps.

    Raises
    ------
    DesignError
        When the table is too small or has values that are not finite, or the confidence is not
        a probability.

    Notes
    -----
    With mean squares B between participants, J between sessions, E of the rest and W within
    participants, n participants and k sessions [1]_:

    - ICC(1,1) = (B-W)/(B+(k-1)W): sessions are not told apart;
    - ICC(2,1) = (B-E)/(B+(k-1)E+k(J-E)/n): agreement, sessions stand for any others;
    - ICC(3,1) = (B-E)/(B+(k-1)E): consistency, what all participants share between sessions
      (practice, order) does not count;
    - of the mean of k sessions (B-W)/B, (B-E)/(B+(J-E)/n) and (B-E)/B.

    Intervals come from F for (1) and (3), exact under normality, and with Satterthwaite's
    degrees of freedom for (2) [2]_. Estimates below 0 are given as they are;
    `crossed_components` has the estimates that cannot be. The error of measurement is
    :math:`\sqrt{E}`, the smallest detectable change :math:`1.96\sqrt{2}\sqrt{E}`.

    References
    ----------
    .. [1] Shrout and Fleiss (1979), doi:10.1037/0033-2909.86.2.420.
    .. [2] McGraw and Wong (1996), doi:10.1037/1082-989X.1.1.30.
    """
    problems = [*table_problems(values), *confidence_problems(confidence)]
    if problems:
        raise DesignError(*problems)
    squares = mean_squares(values)
    n, k = squares.n, squares.k
    rest_df = (n - 1) * (k - 1)
    upper = (1 + confidence) / 2
    B, W, E = squares.participants, squares.within, squares.residual
    with np.errstate(divide="ignore", invalid="ignore"):
        one = _one_way(B, W, k, (n - 1, n * (k - 1)), upper)
        two = _two_way(squares, upper)
        three = _one_way(B, E, k, (n - 1, rest_df), upper)
        singles = np.stack([one, two, three])
        # Spearman and Brown: the mean of k sessions.
        averages = k * singles / (1 + (k - 1) * singles)
        f = np.stack([B / W, B / E, B / E])
        # Rounding may leave a perfect one above 1.
        both = np.minimum(np.concatenate([singles, averages]), 1.0)
    both[:, :, squares.constant] = np.nan
    f[:, squares.constant] = np.nan
    df = np.array([(n - 1, n * (k - 1)), (n - 1, rest_df), (n - 1, rest_df)], dtype=np.float64)
    pvalue = special.fdtrc(df[:, :1], df[:, 1:], f)
    error = np.sqrt(E)
    return Reliability(
        forms=FORMS,
        icc=both[:, 0],
        low=both[:, 1],
        high=both[:, 2],
        f=np.tile(f, (2, 1)),
        df=np.tile(df, (2, 1)),
        pvalue=np.tile(pvalue, (2, 1)),
        participants=B,
        sessions=squares.sessions,
        residual=E,
        within=W,
        error_of_measurement=error,
        smallest_change=float(stats.norm.ppf(0.975)) * np.sqrt(2) * error,
        status=np.where(squares.constant, 3, 0).astype(np.uint8),
    )


def _one_way(
    between: Float[np.ndarray, " n_outcomes"],
    error: Float[np.ndarray, " n_outcomes"],
    k: int,
    df: tuple[int, int],
    upper: float,
) -> Float[np.ndarray, "3 n_outcomes"]:
    """Give estimate, low and high of a form that has one error."""
    scales = (1.0, special.fdtri(*df, upper), 1 / special.fdtri(*df[::-1], upper))
    return np.stack([(between - c * error) / (between + (k - 1) * c * error) for c in scales])


def _two_way(squares: MeanSquares, upper: float) -> Float[np.ndarray, "3 n_outcomes"]:
    """Give estimate, low and high of agreement between random sessions."""
    n, k = squares.n, squares.k
    B, J, E = squares.participants, squares.sessions, squares.residual
    icc = (B - E) / (B + (k - 1) * E + k * (J - E) / n)
    # Of the denominator's mean squares; both times E squared, so that E may be 0.
    session, rest = k * icc * J, (n * (1 + (k - 1) * icc) - k * icc) * E
    spread = (n - 1) * session**2 + rest**2
    v = np.where(spread > 0, (k - 1) * (n - 1) * (session + rest) ** 2 / spread, 1.0)
    wide = k * J + (k * n - k - n) * E
    low, high = special.fdtri(n - 1, v, upper), special.fdtri(v, n - 1, upper)
    return np.stack(
        [
            icc,
            n * (B - low * E) / (low * wide + n * B),
            n * (high * B - E) / (wide + n * high * B),
        ]
    )
