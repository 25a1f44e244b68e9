"""The whole protocol: the model behind ``trial.yaml``.

Everything that changes a result stands here and nowhere else. All records are frozen and refuse
unknown keys. What one section says of another is checked by `phmri.protocol._references`, on the
file as written and on every `Protocol` made in Python alike.
"""

from typing import Literal

from pydantic import Field, model_validator

from phmri.protocol._analysis import (
    Censor,
    Denoising,
    Exclusions,
    JulichRegion,
    LabelRegion,
    MaskRegion,
    Parcellation,
    Region,
    SeriesRegion,
    SphereRegion,
)
from phmri.protocol._base import Label, Name, Record
from phmri.protocol._estimand import IntercurrentEvent, Population
from phmri.protocol._exposure import Compartments, Exposure
from phmri.protocol._finding import listing
from phmri.protocol._inference import Family, Inference
from phmri.protocol._map_associations import MapAssociation
from phmri.protocol._measures import (
    Alff,
    BetaSeries,
    DegreeCentrality,
    Drift,
    DualRegression,
    ExposureConnectivity,
    ExposureResponse,
    Falff,
    GammaVariate,
    GlobalConnectivity,
    Infusion,
    InfusionModel,
    Measure,
    Noise,
    Ppi,
    Pseudoblock,
    Ramp,
    ReceptorMaps,
    Reho,
    ResponseFamily,
    RoiToRoi,
    SeedToParcel,
    SeedToVoxel,
    Step,
    Task,
)
from phmri.protocol._questions import (
    Association,
    Blockade,
    Persistence,
    Prediction,
    Question,
    Reliability,
    Where,
)
from phmri.protocol._references import check_references
from phmri.protocol._trial import (
    Arm,
    Crossover,
    Design,
    Dose,
    Drug,
    Parallel,
    Scale,
    Scan,
    Sequence,
    Session,
    Treatment,
)

__all__ = [
    "Alff",
    "Arm",
    "Association",
    "BetaSeries",
    "Blockade",
    "Censor",
    "Compartments",
    "Crossover",
    "DegreeCentrality",
    "Denoising",
    "Design",
    "Dose",
    "Drift",
    "Drug",
    "DualRegression",
    "Exclusions",
    "Exposure",
    "ExposureConnectivity",
    "ExposureResponse",
    "Falff",
    "Family",
    "GammaVariate",
    "GlobalConnectivity",
    "Inference",
    "Infusion",
    "InfusionModel",
    "IntercurrentEvent",
    "JulichRegion",
    "LabelRegion",
    "MapAssociation",
    "MaskRegion",
    "Measure",
    "Noise",
    "Parallel",
    "Parcellation",
    "Persistence",
    "Population",
    "Ppi",
    "Prediction",
    "Protocol",
    "Pseudoblock",
    "Question",
    "Ramp",
    "ReceptorMaps",
    "Region",
    "Reho",
    "Reliability",
    "ResponseFamily",
    "RoiToRoi",
    "Scale",
    "Scan",
    "SeedToParcel",
    "SeedToVoxel",
    "Sequence",
    "SeriesRegion",
    "Session",
    "SphereRegion",
    "Step",
    "Task",
    "Treatment",
    "Where",
]


class Protocol(Record):
    """A whole trial.

    Raises
    ------
    ValueError
        Sections contradict each other; every contradiction is listed. (A file is read with
        `read_protocol`, which also says the lines.)
    """

    phmri: Literal[1]
    """Version of this file's format."""
    name: Name
    title: str
    registration: str | None = None
    references: tuple[str, ...] = ()
    """DOIs of the trial's own publications."""
    notes: str | None = None
    drugs: dict[Name, Drug]
    treatments: dict[Name, Treatment] = Field(min_length=1)
    design: Design
    sessions: dict[Label, Session] = Field(min_length=1)
    scans: dict[Name, Scan] = Field(min_length=1)
    scales: dict[Name, Scale] = Field(default={})
    space: str
    """Template space of the preprocessed data (BIDS ``space-``), or ``native``."""
    resolution: str | None = None
    """BIDS ``res-``, where there is more than one."""
    regions: dict[Name, Region] = Field(default={})
    parcellations: dict[Name, Parcellation] = Field(default={})
    denoising: dict[Name, Denoising] = Field(min_length=1)
    compartments: dict[Name, Compartments] = Field(default={})
    """Drug models of one's own."""
    exposures: dict[Name, Exposure] = Field(default={})
    """Concentration curves that measures use."""
    measures: dict[Name, Measure] = Field(min_length=1)
    intercurrent_events: dict[Name, IntercurrentEvent] = Field(default={})
    """What happened to some participants after the start of treatment, and what follows."""
    populations: dict[Name, Population] = Field(default={})
    """Whose data answer a question; a question names them in ``populations``."""
    questions: dict[Name, Question] = Field(min_length=1)
    associations: dict[Name, Association] = Field(default={})
    """How outcomes go with scores of scales."""
    reliability: dict[Name, Reliability] = Field(default={})
    """How well measures repeat themselves."""
    map_associations: dict[Name, MapAssociation] = Field(default={})
    """How effects go with other maps of the brain."""
    families: dict[Name, Family] = Field(default={})
    """Families that questions and associations name in ``family``; one that is left out has no
    correction."""
    inference: Inference = Inference()
    exclusions: Exclusions = Exclusions()

    @model_validator(mode="after")
    def _sections_agree(self) -> "Protocol":
        findings = check_references(self.model_dump(mode="json"))
        if findings:
            raise ValueError(listing(findings))
        return self
