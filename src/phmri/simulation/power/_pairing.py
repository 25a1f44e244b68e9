"""The same effects in a parallel trial and in a crossover."""

from collections.abc import Mapping

from phmri.exceptions import SimulationError
from phmri.protocol import Parallel, Protocol, inference_of
from phmri.simulation.power._compare import DesignComparison, compare_designs
from phmri.simulation.power._effects import EffectSize, between, chosen_sizes, regime_of
from phmri.simulation.power._power import t_power
from phmri.simulation.power._precision import crossover_precision, parallel_precision
from phmri.simulation.power._records import Pairing, PowerPlan, spread_of_correlations

__all__ = ["pair_designs"]

GRID = tuple(range(8, 201, 4))


def pair_designs(
    protocol: Protocol, plan: PowerPlan, correlations: Mapping[str, float]
) -> tuple[Pairing, ...]:
    """Compare designs for every kind of measure that the questions are about.

    Parameters
    ----------
    protocol : Protocol
    plan : PowerPlan
    correlations : mapping of str to float
        Question that has a power -> correlation of two sessions of one person.

    Returns
    -------
    tuple of Pairing
        Kinds of measure by sizes of effect by correlations; one number, correlation and error
        rate of the first question about such a measure.
    """
    design = protocol.design
    if isinstance(design, Parallel):
        n_treatments = len(design.arms)
    else:
        n_treatments = max(len(one.treatments) for one in design.sequences.values())
    found: dict[str, tuple[Pairing, ...]] = {}
    for name, question in protocol.questions.items():
        regime = regime_of(protocol, question.measure)
        if regime.name in found or name not in correlations:
            continue
        alpha = inference_of(protocol, name).alpha if plan.alpha is None else plan.alpha
        found[regime.name] = tuple(
            _pair(regime.name, size, rho, n_treatments, plan.target, alpha)
            for size in chosen_sizes(regime, plan.effects)
            for rho in spread_of_correlations(correlations[name])
        )
    return tuple(pairing for pairings in found.values() for pairing in pairings)


def _pair(
    measure: str, size: EffectSize, rho: float, n_treatments: int, target: float, alpha: float
) -> Pairing:
    d = between(size.value, rho)
    need: DesignComparison | None
    try:
        need = compare_designs(d, 1.0, rho, n_treatments=n_treatments, target=target, alpha=alpha)
    except SimulationError:
        need = None
    parallel = [
        t_power(
            d,
            parallel_precision(
                n / n_treatments,
                1.0,
                n_arms=n_treatments,
                baseline_correlation=rho,
                chance_baseline=True,
            ),
            alpha=alpha,
        )
        for n in GRID
    ]
    crossover = [
        t_power(
            d, crossover_precision(n, (1 - rho) ** 0.5, n_treatments=n_treatments), alpha=alpha
        )
        for n in GRID
    ]
    return Pairing(
        measure=measure,
        size=size,
        correlation=rho,
        n_treatments=n_treatments,
        alpha=alpha,
        need=need,
        participants=GRID,
        parallel=tuple(parallel),
        crossover=tuple(crossover),
    )
