"""What is said of how an effect goes with other maps of the brain."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MapAssociationContent", "MapAssociationResult", "MapAssociationRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAssociationRow:
    """The correlation with one map.

    Parameters
    ----------
    name : str
        Of the map.
    correlation : float
    pvalue : float
        Against surrogates with the spatial autocorrelation of the effect.
    pvalue_corrected : float
        For all maps together.
    pvalue_naive : float
        As if parcels were independent.
    index : float
        Moran's I of the map.
    found : bool
        The corrected p-value is at most alpha.
    """

    name: str
    correlation: float
    pvalue: float
    pvalue_corrected: float
    pvalue_naive: float
    index: float
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAssociationResult:
    """An association with maps as it is kept on disk.

    Parameters
    ----------
    name, text : str
    verdict : str
    sentence : str
    statistic : {"spearman", "pearson"}
    question : str
        Whose effect is compared.
    label, unit : str
        Of the effect.
    n_places, n_surrogates : int
        Parcels; surrogate maps.
    alpha : float
    index : float or None
        Moran's I of the effect; None where refused.
    rows : tuple of MapAssociationRow
        In the order of the protocol.
    notes : tuple of str
        Citations as ``[doi:...]``.
    """

    name: str
    text: str
    verdict: Literal["found", "not found", "refused"]
    sentence: str
    statistic: Literal["spearman", "pearson"]
    question: str
    label: str = ""
    unit: str = ""
    n_places: int = 0
    n_surrogates: int = 0
    alpha: float = 0.05
    index: float | None = None
    rows: tuple[MapAssociationRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAssociationContent:
    """An association with maps and what is drawn of it.

    Parameters
    ----------
    result : MapAssociationResult
    effect : tuple of float
        Per parcel.
    maps : dict of str to tuple of float
        Map -> its value in the same parcels.
    """

    result: MapAssociationResult
    effect: tuple[float, ...] = ()
    maps: dict[str, tuple[float, ...]] = field(default_factory=dict)
