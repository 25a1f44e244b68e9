r"""Effect sizes to plan with: what ketamine trials have found, and conventions where none has.

Sizes are standardised differences within a person, :math:`d_z = \tau/\mathrm{SD}(y_1 - y_2)`.
Between people, in standard deviations at one session, the same effect is
:math:`d = d_z\sqrt{2(1 - \rho)}`. Nothing here is a promise: published sizes are of peaks chosen
for their height, of one drug, and of few people.
"""

from dataclasses import dataclass

import numpy as np

from phmri.protocol import Protocol

__all__ = ["ASSOCIATIONS", "EffectSize", "Regime", "between", "chosen_sizes", "regime_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSize:
    """An effect size and where it comes from.

    Parameters
    ----------
    label : str
        ``small``, ``medium``, ``large``, or what was asked for.
    value : float
        Standardised difference within a person, or a correlation.
    source : str
        Where it comes from.
    """

    label: str
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """What effects of one kind of measure are like.

    Parameters
    ----------
    name : str
        In words.
    sizes : tuple of EffectSize
        By size.
    caveat : str
        What must be known of them.
    """

    name: str
    sizes: tuple[EffectSize, ...]
    caveat: str


MOUJAES = "Moujaes et al. 2024 (eLife 84173), 40 people, ketamine and placebo"
HOEFLICH = "Höflich et al. 2017, doi:10.1007/s00429-016-1291-0, 35 people, t over √35"
COHEN = "convention (Cohen 1988); no published size of a drug's effect on such a measure was found"

CONNECTIVITY = Regime(
    name="connectivity",
    sizes=(
        EffectSize(label="small", value=0.16, source=f"{MOUJAES}: the median parcel"),
        EffectSize(label="medium", value=0.42, source=f"{MOUJAES}: the median of five networks"),
        EffectSize(label="large", value=0.84, source=f"{MOUJAES}: the largest of 718 parcels"),
    ),
    caveat="Global brain connectivity of parcels; the largest is selected, hence too large. "
    "Other pipelines found d of 0.6 to 1.1 in whole networks (ENIGMA re-analysis, 30 men).",
)
RESPONSE = Regime(
    name="signal response to the drug",
    sizes=(
        EffectSize(label="small", value=1.0, source=f"{HOEFLICH}: the weakest peak reported"),
        EffectSize(label="medium", value=1.3, source=f"{HOEFLICH}: the fall in subgenual cortex"),
        EffectSize(label="large", value=1.65, source=f"{HOEFLICH}: the strongest peak"),
    ),
    caveat="All are peaks that passed a whole-brain threshold, hence too large: a region chosen "
    "beforehand will have less. Give --effect to plan for less.",
)
SCALE = Regime(
    name="rating scale",
    sizes=(
        EffectSize(
            label="small",
            value=0.82,
            source="Hack et al. 2023 (PMC10587184), 12 people, depersonalisation, 0.5 mg/kg",
        ),
        EffectSize(label="medium", value=1.2, source=f"{MOUJAES}: PANSS negative"),
        EffectSize(label="large", value=1.6, source=f"{MOUJAES}: CADSS"),
    ),
    caveat="Mean rise over the standard deviation under ketamine; scores are skewed, and vary "
    "more under the drug.",
)
OTHER = Regime(
    name="other measure",
    sizes=(
        EffectSize(label="small", value=0.2, source=COHEN),
        EffectSize(label="medium", value=0.5, source=COHEN),
        EffectSize(label="large", value=0.8, source=COHEN),
    ),
    caveat="These are conventions, not findings: a pilot (--pilot) says more.",
)
ASSOCIATIONS = Regime(
    name="correlation",
    sizes=(
        EffectSize(label="small", value=0.1, source="convention (Cohen 1988)"),
        EffectSize(label="medium", value=0.3, source="convention (Cohen 1988)"),
        EffectSize(label="large", value=0.5, source="convention (Cohen 1988)"),
    ),
    caveat="With reliabilities of 0.6 and 0.7 no correlation can exceed √(0.6 · 0.7) = 0.65; "
    "published ones near 0.9 were selected from maps of few people.",
)
KINDS = {
    "seed_to_voxel": CONNECTIVITY,
    "seed_to_parcel": CONNECTIVITY,
    "roi_to_roi": CONNECTIVITY,
    "global_connectivity": CONNECTIVITY,
    "degree_centrality": CONNECTIVITY,
    "dual_regression": CONNECTIVITY,
    "exposure_connectivity": CONNECTIVITY,
    "infusion": RESPONSE,
}


def regime_of(protocol: Protocol, measure: str) -> Regime:
    """Give the effects that a measure may be planned with.

    Parameters
    ----------
    protocol : Protocol
    measure : str
        A measure or a scale of it.

    Returns
    -------
    Regime
        By the kind of measure; conventions where nothing was found for the kind.
    """
    if measure in protocol.scales:
        return SCALE
    return KINDS.get(protocol.measures[measure].kind, OTHER)


def between(within: float, correlation: float) -> float:
    """Turn a standardised difference within a person into one between people.

    Parameters
    ----------
    within : float
        In standard deviations of the difference of two sessions.
    correlation : float
        Of two sessions of one person.

    Returns
    -------
    float
        In standard deviations between people at one session.

    Examples
    --------
    >>> between(0.8, 0.5)
    0.8
    """
    return float(within * np.sqrt(2 * (1 - correlation)))


def chosen_sizes(regime: Regime, effects: tuple[float, ...]) -> tuple[EffectSize, ...]:
    """Give the sizes to plan with.

    Parameters
    ----------
    regime : Regime
    effects : tuple of float
        Standardised differences within a person, in place of the regime's.

    Returns
    -------
    tuple of EffectSize
        The regime's where none is given.
    """
    if not effects:
        return regime.sizes
    return tuple(
        EffectSize(label=f"dz {one:g}", value=one, source="given by hand") for one in effects
    )
