"""What reliability leaves for differences and correlations."""

import math

from phmri.exceptions import DesignError, Problem

__all__ = ["largest_correlation", "reliability_of_difference"]


def reliability_of_difference(
    first: float,
    second: float,
    correlation: float,
    *,
    sd_first: float = 1.0,
    sd_second: float = 1.0,
) -> float:
    r"""Give the reliability of the difference of two measures, such as drug minus placebo.

    Parameters
    ----------
    first, second : float
        Reliabilities of the two measures, between 0 and 1.
    correlation : float
        Of the two measures, between -1 and 1.
    sd_first, sd_second : float, default 1.0
        Standard deviations of the two measures, in their unit.

    Returns
    -------
    float
        Share of true variance in the variance of the difference; negative if the correlation is
        larger than the reliabilities allow.

    Raises
    ------
    DesignError
        When a number is outside its range, or the difference does not vary.

    Notes
    -----
    :math:`(\rho_x\sigma_x^2 + \rho_y\sigma_y^2 - 2r\sigma_x\sigma_y) /
    (\sigma_x^2 + \sigma_y^2 - 2r\sigma_x\sigma_y)`, for independent errors of measurement [1]_:
    two measures of reliability 0.7 that correlate 0.5 leave a difference of reliability 0.4.

    References
    ----------
    .. [1] Cronbach and Furby (1970), How we should measure "change", doi:10.1037/h0029382.
    """
    problems = [
        *_outside("first", first, 0.0),
        *_outside("second", second, 0.0),
        *_outside("correlation", correlation, -1.0),
        *(
            Problem(
                what="not a standard deviation",
                field=name,
                found=str(sd),
                expected="a positive number",
            )
            for name, sd in (("sd_first", sd_first), ("sd_second", sd_second))
            if not 0 < sd < math.inf
        ),
    ]
    if problems:
        raise DesignError(*problems)
    shared = 2 * correlation * sd_first * sd_second
    variance = sd_first**2 + sd_second**2 - shared
    if variance <= 0:
        raise DesignError(
            Problem(
                what="the difference does not vary",
                field="correlation",
                found=str(correlation),
                expected="below 1, or standard deviations that differ",
            )
        )
    return (first * sd_first**2 + second * sd_second**2 - shared) / variance


def largest_correlation(first: float, second: float) -> float:
    r"""Give the largest correlation that two measures of limited reliability can show.

    Parameters
    ----------
    first, second : float
        Reliabilities of the two measures, between 0 and 1.

    Returns
    -------
    float
        Expected correlation of measures whose true values correlate perfectly.

    Raises
    ------
    DesignError
        When a reliability is not between 0 and 1.

    Notes
    -----
    :math:`|r| \le \sqrt{\rho_x\rho_y}`, for independent errors of measurement [1]_. It bounds the
    correlation in the population: that of a sample scatters around it.

    References
    ----------
    .. [1] Spearman (1904), doi:10.2307/1412159.
    """
    problems = [*_outside("first", first, 0.0), *_outside("second", second, 0.0)]
    if problems:
        raise DesignError(*problems)
    return math.sqrt(first * second)


def _outside(name: str, value: float, least: float) -> tuple[Problem, ...]:
    """Name a number that is outside its range."""
    if least <= value <= 1:
        return ()
    return (
        Problem(
            what="a number outside its range",
            field=name,
            found=str(value),
            expected=f"{least:g} to 1",
        ),
    )
