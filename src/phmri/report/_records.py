"""What the report is made of; the pipeline gathers it, the report opens no file but its own."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from phmri.dataset import DatasetCheck
from phmri.inference import Claim
from phmri.protocol import Protocol
from phmri.report._across_records import AssociationContent, EventContent, FamilyContent
from phmri.report._beside_records import BesideContent
from phmri.report._map_records import MapAssociationContent
from phmri.report._reliability_records import ReliabilityContent

__all__ = [
    "DoseContent",
    "ExposureContent",
    "QuestionContent",
    "RegionContent",
    "ReportContent",
    "RunContent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContent:
    """Quality of one analysed or excluded run.

    Parameters
    ----------
    subject, session, scan : str
    group, treatment : str or None
    used : bool
    reason : str
        Why it was left out; empty when used.
    mean_fd_mm, mean_std_dvars, tsnr_median, df : float
        NaN where unknown.
    n_volumes, n_censored : int
    region_voxels : dict of str to int
    region_coverage : dict of str to float
    """

    subject: str
    session: str
    scan: str
    group: str | None
    treatment: str | None
    used: bool
    reason: str
    mean_fd_mm: float
    mean_std_dvars: float
    tsnr_median: float
    df: float
    n_volumes: int
    n_censored: int
    region_voxels: dict[str, int]
    region_coverage: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionContent:
    """A region to be drawn on anatomy.

    Parameters
    ----------
    name : str
    mask : ndarray of shape (x, y, z) or None
        Weights on the group grid; None for tabular series.
    affine : ndarray of shape (4, 4) or None
    description : str
        In words, with atlas, version and licence.
    n_voxels : int
    """

    name: str
    mask: Float[np.ndarray, "x y z"] | None
    affine: Float[np.ndarray, "4 4"] | None
    description: str
    n_voxels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureContent:
    """A concentration curve of the protocol, as the runs have it.

    Parameters
    ----------
    name : str
        Of the exposure.
    model : str
        In words: drug model, where blood was drawn, how many by what doses.
    typical : tuple of (times, values)
        Of the typical participant, minutes from time zero and ng/mL.
    curves : tuple of (times, values)
        One per run under the treatment.
    """

    name: str
    model: str
    typical: tuple[tuple[float, ...], tuple[float, ...]]
    curves: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseContent:
    """A dose as it was given, beside the one that was planned.

    Parameters
    ----------
    subject, session, drug : str
    given, planned : str
        Amount, start and duration in words; empty where there is none.
    """

    subject: str
    session: str
    drug: str
    given: str
    planned: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionContent:
    """A claim with what is drawn beside it.

    Parameters
    ----------
    claim : Claim
    t_map : ndarray of shape (x, y, z) or None
        Statistic in the tested voxels, NaN elsewhere; None unless the outcome is a map.
    p_map : ndarray of shape (x, y, z) or None
        Corrected p of the claim's method (q for a false discovery rate) in the same voxels: what
        is at most alpha is drawn as found.
    affine : ndarray of shape (4, 4) or None
    values : dict of (subject, session) to float
        The outcome of every participant in every session, at the scalar or the first peak.
    values_label : str
        What ``values`` are, e.g. ``pgACC connectivity (Fisher z) at (2, 38, 40) mm, selected``.
    t_values, p_values, names : tuple
        For parcels and edges: statistic and corrected p per outcome, and their names.
    beside : BesideContent
        Other denoisings, and motion and physiology by the same model.
    used : frozenset of (subject, session) or None
        Which of ``values`` the model uses; None: all of them.
    peak_df : tuple of float
        Degrees of freedom of the claim's peaks, in their order; empty: those of the claim.
    """

    claim: Claim
    t_map: Float[np.ndarray, "x y z"] | None
    p_map: Float[np.ndarray, "x y z"] | None
    affine: Float[np.ndarray, "4 4"] | None
    values: dict[tuple[str, str], float]
    values_label: str
    t_values: tuple[float, ...] = ()
    p_values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    beside: BesideContent = field(default_factory=BesideContent)
    used: frozenset[tuple[str, str]] | None = None
    peak_df: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """Everything the report shows.

    Parameters
    ----------
    protocol : Protocol
    protocol_sha256 : str
    check : DatasetCheck
    groups : dict of str to str
        Participant -> arm or sequence, every participant of ``participants.tsv``.
    runs : tuple of RunContent
    regions : tuple of RegionContent
    questions : tuple of QuestionContent
    simulated : bool
        The data set says that it is simulated: the report says so on every page and figure.
    methods : tuple of str
        Sentences of what was actually run, citations as ``[doi:...]``.
    versions : dict of str to str
    created : str
        ISO 8601, UTC.
    command : str
    exposures : tuple of ExposureContent
        Concentration curves that measures use.
    doses : tuple of DoseContent
        What was given, where the data set says so.
    families : tuple of FamilyContent
        Families of questions that share an error rate by their p-values.
    associations : tuple of AssociationContent
    reliabilities : tuple of ReliabilityContent
    map_associations : tuple of MapAssociationContent
    events : tuple of EventContent
        Intercurrent events of the protocol.
    """

    protocol: Protocol
    protocol_sha256: str
    check: DatasetCheck
    groups: dict[str, str]
    runs: tuple[RunContent, ...]
    regions: tuple[RegionContent, ...]
    questions: tuple[QuestionContent, ...]
    simulated: bool
    methods: tuple[str, ...]
    versions: dict[str, str]
    created: str
    command: str
    exposures: tuple[ExposureContent, ...] = ()
    doses: tuple[DoseContent, ...] = ()
    families: tuple[FamilyContent, ...] = ()
    associations: tuple[AssociationContent, ...] = ()
    reliabilities: tuple[ReliabilityContent, ...] = ()
    map_associations: tuple[MapAssociationContent, ...] = ()
    events: tuple[EventContent, ...] = ()
