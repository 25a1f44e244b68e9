"""Measures: what is computed from one run, as one map, one row of names, or one number."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from phmri.protocol._base import Name, Record

__all__ = [
    "Alff",
    "BetaSeries",
    "DegreeCentrality",
    "Drift",
    "DualRegression",
    "ExposureConnectivity",
    "ExposureResponse",
    "Falff",
    "GammaVariate",
    "GlobalConnectivity",
    "Infusion",
    "InfusionModel",
    "Measure",
    "Noise",
    "Ppi",
    "Pseudoblock",
    "Ramp",
    "ReceptorMaps",
    "Reho",
    "ResponseFamily",
    "RoiToRoi",
    "SeedToParcel",
    "SeedToVoxel",
    "Step",
    "Task",
]

Minutes = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Weights = Annotated[dict[str, float], Field(min_length=1)]
Conditions = Annotated[
    dict[str, float],
    Field(min_length=1),
    BeforeValidator(
        lambda value: {value: 1.0} if isinstance(value, str) else value,
        json_schema_input_type=str | dict[str, float],
    ),
]
MinutesRange = tuple[Minutes, Minutes]
PositiveRange = tuple[Positive, Positive]


class Noise(Record):
    """Autocorrelation of the noise in a linear model."""

    kind: Literal["white", "ar", "arma11"] = "ar"
    """``arma11``: one autoregressive and one moving-average term."""
    order: Annotated[int, Field(ge=1, le=12)] = 1
    """Of ``ar``."""
    scope: Literal["voxel", "tissue", "brain"] = "voxel"
    """Coefficients of every voxel, one set for each of grey matter, white matter and CSF, or one
    for all."""
    shrink: bool = True
    """Whether a voxel's coefficients are drawn towards the mean over the brain, by how little
    the run says of them."""


class _RunMeasure(Record):
    scan: Name
    denoising: Name
    sensitivity: tuple[Name, ...] = ()
    """Further denoisings, computed side by side; every question shows what it would answer with
    each of them."""

    @property
    def is_map(self) -> bool:  # numpydoc ignore=RT01
        """Whether the outcomes are voxels."""
        return getattr(self, "parcels", None) is None

    @property
    def used_regions(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """The regions whose mean series it needs."""
        seed = getattr(self, "seed", None)
        return (seed,) if seed is not None else getattr(self, "regions", None) or ()

    @property
    def parcellation(self) -> str | None:  # numpydoc ignore=RT01
        """The parcellation whose series it needs."""
        return getattr(self, "parcels", None)

    @property
    def used_exposure(self) -> str | None:  # numpydoc ignore=RT01
        """The concentration curve it needs."""
        response = getattr(self, "response", self)
        return getattr(response, "exposure", None)

    @property
    def needs_time_zero(self) -> bool:  # numpydoc ignore=RT01
        """Whether it can only be computed in a run that knows where time zero is."""
        return getattr(self, "kind", "") in {"infusion", "exposure_connectivity"}

    @property
    def map_files(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """Images of networks or receptors, as written in the protocol."""
        return ()

    @property
    def denoisings(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """Its own denoising, then those shown beside it."""
        return (self.denoising, *self.sensitivity)

    @property
    def blocks_of(self) -> dict[str, float] | None:  # numpydoc ignore=RT01
        """The conditions whose blocks it looks at, with their weights."""
        return getattr(self, "condition", None)

    @property
    def is_connectivity(self) -> bool:  # numpydoc ignore=RT01
        """Whether the outcome is Fisher z of cleaned series."""
        return getattr(self, "kind", "") in {"seed_to_voxel", "seed_to_parcel", "roi_to_roi"}


class _VoxelMeasure(_RunMeasure):
    parcels: Name | None = None
    """Every parcel of this parcellation in place of every voxel."""


class _Correlation(_RunMeasure):
    condition: Conditions | None = None
    """Only within the blocks of this condition, every volume by its share in them; or condition ->
    weight, for a weighted sum of the z of several. All volumes alike when left out."""
    min_effective_volumes: Annotated[float, Field(gt=3)] = 15.0
    """A condition that is worth fewer volumes is refused."""


class SeedToVoxel(_Correlation):
    """Fisher z of the correlation of a seed region with every voxel."""

    kind: Literal["seed_to_voxel"]
    seed: Name


class SeedToParcel(_Correlation):
    """Fisher z of the correlation of a seed region with every parcel."""

    kind: Literal["seed_to_parcel"]
    seed: Name
    parcels: Name


class RoiToRoi(_Correlation):
    """Fisher z of the correlations among regions, or among all parcels of a parcellation."""

    kind: Literal["roi_to_roi"]
    regions: tuple[Name, ...] | None = None
    parcels: Name | None = None
    """Either ``regions`` or ``parcels``."""
    summary: Literal["edges", "nodes", "global"] = "edges"
    """``edges``: every pair. ``nodes``: for each region the mean over its pairs. ``global``: the
    mean over all pairs, one number."""

    @property
    def is_map(self) -> bool:  # numpydoc ignore=RT01
        """Whether the outcomes are voxels."""
        return False


class Pseudoblock(Record):
    """Bins of set length against the minutes before the infusion."""

    model: Literal["pseudoblock"]
    bin_s: Positive = 60.0
    baseline_min: Positive | None = None
    """The last so many minutes before time zero; all of them when left out."""
    window_min: MinutesRange | None = None
    """Bins whose mean is the outcome, in minutes from time zero; all after it when left out."""


class ExposureResponse(Record):
    """The signal follows a concentration curve."""

    model: Literal["exposure"]
    exposure: Name
    """Of ``exposures``: plasma, or effect site where it has ``ke0_per_min``."""


class Step(Record):
    """The signal steps up and stays."""

    model: Literal["step"]
    onset_min: Minutes = 0.0


class Ramp(Record):
    """The signal rises in a straight line, then stays."""

    model: Literal["ramp"]
    onset_min: Minutes = 0.0
    end_min: Positive
    """When it has reached its height."""


class GammaVariate(Record):
    """The signal rises and falls back."""

    model: Literal["gamma_variate"]
    onset_min: Minutes = 0.0
    peak_min: Positive
    """Minutes from time zero."""
    shape: Positive
    """Larger is narrower."""


class ResponseFamily(Record):
    """Principal components of gamma variates over ranges of onset, time to peak and shape."""

    model: Literal["response_family"]
    onset_min: MinutesRange
    delay_min: PositiveRange
    """From onset to peak."""
    shape: PositiveRange
    n_components: Annotated[int, Field(ge=1, le=6)] | None = None
    """As many as explain 99 % of the family when left out."""
    bin_s: Positive = 60.0
    """Seconds between the points in which the fitted curve is given."""


InfusionModel = Annotated[
    Pseudoblock | ExposureResponse | Step | Ramp | GammaVariate | ResponseFamily,
    Field(discriminator="model"),
]


class Drift(Record):
    """Scanner drift, told from the drug's slow signal as far as it can be."""

    order: Annotated[int, Field(ge=0, le=5)] = 1
    """Of the polynomial; 0 for none."""
    source: Literal["run", "baseline"] = "run"
    """What informs it: all volumes, or those before the infusion."""
    max_overlap: Annotated[float, Field(gt=0, lt=1)]
    """Share of the drug regressor that drift may explain; above it, the run is refused."""


class Infusion(_VoxelMeasure):
    """Response of the signal to an infusion, in % of the run's mean signal."""

    kind: Literal["infusion"]
    response: InfusionModel
    drift: Drift
    noise: Noise = Noise(kind="arma11")
    min_baseline_volumes: Annotated[int, Field(ge=5)] = 20
    shape_level: Annotated[float, Field(gt=0, lt=1)] = 0.001
    """Maps of onset, time to peak and duration are empty where the joint F of the response has
    an uncorrected p above this."""


class Task(_VoxelMeasure):
    """Contrast of task conditions in a linear model, in % signal change."""

    kind: Literal["task"]
    contrast: Weights
    """Condition -> weight; ``condition:column`` for a parametric modulator."""
    hrf: Literal["canonical", "canonical_derivative", "canonical_derivatives", "fir"] = "canonical"
    fir_duration_s: Positive = 24.0
    modulators: dict[str, tuple[str, ...]] = Field(default={})
    """Condition -> columns of ``events.tsv`` that modulate its height."""
    noise: Noise = Noise(order=3)


class Ppi(_VoxelMeasure):
    """Generalised psychophysiological interaction: how coupling to a seed differs by condition."""

    kind: Literal["ppi"]
    seed: Name
    contrast: Weights
    """Condition -> weight, of the interaction columns."""
    deconvolution: Literal["bayes", "none"] = "bayes"
    """Whether the seed's neural signal is estimated before the product is taken, as SPM does."""
    noise: Noise = Noise()


class BetaSeries(_VoxelMeasure):
    """Correlation with a seed over the responses to single trials, contrasted by condition."""

    kind: Literal["beta_series"]
    seed: Name
    contrast: Weights


class Alff(_VoxelMeasure):
    """Amplitude of slow fluctuations."""

    kind: Literal["alff"]
    band_hz: PositiveRange


class Falff(_VoxelMeasure):
    """Amplitude of slow fluctuations as a fraction of that of all frequencies."""

    kind: Literal["falff"]
    band_hz: PositiveRange


class Reho(_RunMeasure):
    """Regional homogeneity: Kendall's W among a voxel and its neighbours."""

    kind: Literal["reho"]
    neighbours: Literal[7, 19, 27] = 27


class GlobalConnectivity(_VoxelMeasure):
    """Mean correlation of every voxel with all others."""

    kind: Literal["global_connectivity"]

    # The issue is old and unsettled: an answer without the other one is half an answer.
    sensitivity: tuple[Name, ...] = Field(min_length=1)
    """At least one denoising that differs in whether the global signal is removed."""


class DegreeCentrality(_VoxelMeasure):
    """Fraction of all possible connections that are above a threshold."""

    kind: Literal["degree_centrality"]
    threshold_r: Annotated[float, Field(gt=0, lt=1)]
    step: Annotated[int, Field(ge=1, le=8)] = 3
    """Connections are counted to every step-th voxel along each axis."""


class DualRegression(_RunMeasure):
    """Map of one network in this run, given the maps of all."""

    kind: Literal["dual_regression"]
    networks: str
    """4-D image, one volume per network, relative to the protocol file."""
    space: str
    network: Annotated[int, Field(ge=1)]
    """Which volume, counted from 1."""

    @property
    def map_files(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """Images of networks or receptors, as written in the protocol."""
        return (self.networks,)


class ReceptorMaps(_RunMeasure):
    """Map of the coupling with a receptor system: dual regression on receptor densities."""

    kind: Literal["receptor_maps"]
    maps: dict[Name, str] = Field(min_length=1)
    """Receptor -> density image, relative to the protocol file; all in one model."""
    space: str
    receptor: Name
    grey_matter: str | None = None
    """Mask of grey matter, from which the receptors' time courses are taken; the whole mask of
    the run when left out."""

    @property
    def map_files(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """Images of networks or receptors, as written in the protocol."""
        return (*self.maps.values(), *([self.grey_matter] if self.grey_matter else []))


class ExposureConnectivity(_VoxelMeasure):
    """How a seed's connectivity follows a concentration curve, over sliding windows."""

    kind: Literal["exposure_connectivity"]
    seed: Name
    exposure: Name
    window_s: Positive
    step_s: Positive


Measure = Annotated[
    SeedToVoxel
    | SeedToParcel
    | RoiToRoi
    | Infusion
    | Task
    | Ppi
    | BetaSeries
    | Alff
    | Falff
    | Reho
    | GlobalConnectivity
    | DegreeCentrality
    | DualRegression
    | ReceptorMaps
    | ExposureConnectivity,
    Field(discriminator="kind"),
]
