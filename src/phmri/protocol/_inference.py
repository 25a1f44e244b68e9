"""How p-values are made: the settings, and what they say of each other.

`check_settings` is the one place of these rules: a file is checked by it, with lines, and so is an
`Inference` made in Python, with the same words.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from phmri.protocol._base import Name, Probability, Record
from phmri.protocol._finding import Finding, listing, one_of, shown
from phmri.protocol._raw import Raw, number, repeated, text

__all__ = [
    "CLUSTERED",
    "ONE_THRESHOLD",
    "PARAMETRIC",
    "SHUFFLED",
    "THRESHOLDS",
    "USED_BY",
    "Family",
    "Inference",
    "Method",
    "check_settings",
    "with_defaults",
]

Method = Literal["voxel", "tfce", "cluster_mass", "cluster_extent", "random_field", "fdr", "holm"]

CLUSTERED = ("cluster_mass", "cluster_extent")
"""Methods that need a cluster-forming threshold."""
SHUFFLED = ("voxel", "tfce", *CLUSTERED)
"""Methods whose p-values come from shuffling."""
PARAMETRIC = ("fdr", "holm")
"""Methods that correct the p-values of the model itself."""
THRESHOLDS = {
    "cluster_z": "a z value",
    "cluster_t": "in units of the statistic",
    "cluster_p": "a one-sided p-value",
}
"""Cluster-forming threshold -> its unit."""
ONE_THRESHOLD = one_of(f"{key} ({unit})" for key, unit in THRESHOLDS.items())
"""The choice in words."""

USED_BY = {
    "tfce_extent_power": ("tfce",),
    "tfce_height_power": ("tfce",),
    **dict.fromkeys(THRESHOLDS, (*SHUFFLED, "random_field")),
    **dict.fromkeys(
        ("nuisance", "cluster_mass", "height", "tail", "stop_after", "shuffle", "shuffle_within"),
        SHUFFLED,
    ),
}
"""Setting -> the methods whose result it changes; the other settings count with every method."""


class Family(Record):
    """Questions that belong together, and how they share an error rate.

    Beside ``joint_maximum`` every correction takes one p-value per question, the smallest
    corrected one of its outcomes, and says which questions are answered at the family's alpha.
    """

    correction: Literal["none", "joint_maximum", "holm", "hochberg", "fixed_sequence", "graph"] = (
        "none"
    )
    """``none``: every question keeps its own error rate. ``joint_maximum``: one error rate over
    the questions of the family, from the maximum over all their outcomes under the same
    shufflings. ``holm``: step down, any dependence. ``hochberg``: step up, positive dependence.
    ``fixed_sequence``: one question after the other, each at alpha, until one is not answered.
    ``graph``: every question has a share of alpha and hands it on once it is answered."""
    sequence: tuple[Name, ...] = ()
    """``fixed_sequence``: the questions in the order in which they are tested."""
    weights: dict[Name, Annotated[float, Field(ge=0, le=1)]] = Field(default={})
    """``graph``: question -> share of alpha at the start, 0 when left out; at most 1 together."""
    transitions: dict[Name, dict[Name, Annotated[float, Field(ge=0, le=1)]]] = Field(default={})
    """``graph``: question -> question -> part of its share that is handed on, at most 1
    from each."""


class Inference(Record):
    """How p-values are made.

    Raises
    ------
    ValueError
        Settings contradict each other, or one has no effect; every such setting is listed.
    """

    method: Method = "voxel"
    """What the verdict rests on. ``voxel``: the maximum statistic over outcomes (voxels, parcels,
    edges) under shuffling. ``tfce``: threshold-free cluster enhancement. ``cluster_mass``,
    ``cluster_extent``: the largest cluster above a cluster-forming threshold; for edges, connected
    components. ``random_field``: peaks by Gaussian random field theory. ``fdr``: false discovery
    rate over parametric p-values. ``holm``: parametric p-values corrected for all outcomes by
    Holm."""
    statistic: Literal["t", "v", "rank"] = "t"
    """``t``: one residual variance. ``v``: Aspin-Welch, a variance per arm. ``rank``: t of the
    ranks of the outcome."""
    n_permutations: Annotated[int, Field(ge=100)] = 5000
    """Shufflings asked for; all of them are enumerated when there are no more than this."""
    seed: Annotated[int, Field(ge=0)] = 0
    alpha: Probability = 0.05
    confidence: Probability = 0.95
    nuisance: Literal["freedman_lane", "draper_stoneman", "ter_braak"] = "freedman_lane"
    """Shuffle the residuals under the null hypothesis, the labels, or the residuals of the whole
    model."""
    tfce_extent_power: Annotated[float, Field(gt=0)] = 0.5
    tfce_height_power: Annotated[float, Field(gt=0)] = 2.0
    cluster_z: Annotated[float, Field(gt=0, le=7)] | None = None
    """Cluster-forming threshold as a z value, at most 7: beyond it no map has clusters. Give one
    of ``cluster_z``, ``cluster_t`` and ``cluster_p``."""
    cluster_t: Annotated[float, Field(gt=0)] | None = None
    """Cluster-forming threshold in units of the statistic."""
    cluster_p: Annotated[float, Field(ge=1e-12, lt=0.5)] | None = None
    """Cluster-forming threshold as a one-sided p-value."""
    cluster_mass: Literal["excess", "height"] = "excess"
    """Mass is the sum over voxels of the statistic above the threshold, or of all of it."""
    height: Literal["t", "z"] = "t"
    """Whether TFCE and cluster mass are of the statistic as it is, or turned into z first."""
    connectivity: Literal[6, 18, 26] = 26
    """Neighbours of a voxel: by faces, edges too, corners too."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A voxel is tested when at least this fraction of the participants of every group has data
    there."""
    tail: Literal["counts", "generalised_pareto", "gamma"] = "counts"
    """p-values beyond the shufflings made: not at all, from a generalised Pareto distribution
    fitted to the tail of the maxima, or a gamma distribution of their moments."""
    stop_after: Annotated[int, Field(ge=10)] | None = None
    """Stop shuffling once this many maxima have reached the strongest outcome; fewer than
    ``n_permutations``. Without effect where all shufflings are enumerated."""
    fdr: Literal["bh", "by"] = "bh"
    """Benjamini-Hochberg (positive dependence) or Benjamini-Yekutieli (any dependence)."""
    shuffle: Literal["from_design", "permute", "sign_flip"] = "from_design"
    """Overrides what the design says is exchangeable."""
    shuffle_within: tuple[str, ...] = ()
    """Columns of ``participants.tsv``: participants change places only within them, beside the
    strata of the design."""

    @model_validator(mode="after")
    def _settings_agree(self) -> "Inference":
        findings = tuple(check_settings(self.model_dump(mode="json")))
        if findings:
            raise ValueError(listing(findings))
        return self


def with_defaults(settings: Raw) -> Raw:
    """Fill settings as written up with the defaults.

    Parameters
    ----------
    settings : dict
        A section ``inference`` as written.

    Returns
    -------
    dict
        Every setting by name; lists stay lists.
    """
    return {**_defaults(), **settings}


def check_settings(settings: Raw) -> Iterator[Finding]:
    """Check that the settings of one section ``inference`` agree, and that each has an effect.

    Parameters
    ----------
    settings : dict
        As written; what is left out counts with its default.

    Yields
    ------
    Finding
        Each contradiction, by its path within the section.
    """
    settings = with_defaults(settings)
    method = text(settings["method"])
    yield from repeated(("shuffle_within",), settings["shuffle_within"], "column")
    if method is None or method not in get_args(Method):
        return
    yield from _check_effect(settings, method)
    if method in SHUFFLED:
        yield from _check_shuffling(settings)
    if method == "random_field":
        yield from _check_random_field(settings)
    if method not in PARAMETRIC:
        yield from _check_threshold(settings, method)


def _defaults() -> Raw:
    defaults = {name: field.default for name, field in Inference.model_fields.items()}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults.items()
    }


def _check_effect(settings: Raw, method: str) -> Iterator[Finding]:
    defaults = _defaults()
    for key, methods in USED_BY.items():
        if method not in methods and settings[key] not in (None, defaults[key]):
            yield Finding(
                path=(key,),
                what=f"this has no effect with the method '{method}'",
                found=shown(settings[key]),
                expected=f"no key '{key}', or as 'method' {one_of(methods)}",
            )


def _check_threshold(settings: Raw, method: str) -> Iterator[Finding]:
    given = [key for key in THRESHOLDS if settings[key] is not None]
    if len(given) > 1:
        yield Finding(
            path=(given[1],),
            what="clusters are formed by one threshold",
            found=" and ".join(given),
            expected=ONE_THRESHOLD,
        )
    elif not given and method in CLUSTERED:
        yield Finding(
            path=("method",),
            what=f"the method '{method}' needs a cluster-forming threshold",
            found="none",
            expected=ONE_THRESHOLD,
        )
    if "cluster_t" in given and settings["height"] == "z" and method in SHUFFLED:
        yield Finding(
            path=("cluster_t",),
            what="this is in units of the statistic, and heights are turned into z",
            found=f"cluster_t {shown(settings['cluster_t'])}, height z",
            expected="'cluster_z' or 'cluster_p', or 'height: t'",
        )


def _check_shuffling(settings: Raw) -> Iterator[Finding]:
    if settings["stop_after"] is not None and text(settings["tail"]) in {
        "generalised_pareto",
        "gamma",
    }:
        yield Finding(
            path=("stop_after",),
            what="a tail is fitted to all maxima, and this stops before they are made",
            found=f"stop_after {shown(settings['stop_after'])}, tail {settings['tail']}",
            expected="one of the two",
        )
    stop_after, n = number(settings["stop_after"]), number(settings["n_permutations"])
    if stop_after is not None and n is not None and stop_after >= n:
        yield Finding(
            path=("stop_after",),
            what="this can never stop: so many are not made",
            found=f"stop_after {shown(settings['stop_after'])}, n_permutations {n:g}",
            expected="less than 'n_permutations'",
        )
    if settings["shuffle"] == "sign_flip" and settings["shuffle_within"]:
        yield Finding(
            path=("shuffle_within",),
            what="signs are flipped, so that nobody changes places",
            found=shown(settings["shuffle_within"]),
            expected="no key 'shuffle_within', or 'shuffle: permute'",
        )


def _check_random_field(settings: Raw) -> Iterator[Finding]:
    if text(settings["statistic"]) in {"v", "rank"}:
        yield Finding(
            path=("statistic",),
            what="random field theory is for the statistic t",
            found=shown(settings["statistic"]),
            expected=f"t, or as 'method' {one_of((*SHUFFLED, *PARAMETRIC))}",
        )
    coverage = number(settings["min_coverage"])
    if coverage is not None and 0 < coverage < 1:
        yield Finding(
            path=("min_coverage",),
            what="random field theory needs the same participants in every voxel",
            found=shown(settings["min_coverage"]),
            expected=f"1, or as 'method' {one_of((*SHUFFLED, *PARAMETRIC))}",
        )
