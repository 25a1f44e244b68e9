"""What the settings of inference need of the questions that they answer, and of the design."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import get_args

from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._inference import SHUFFLED, Method, check_settings, with_defaults
from phmri.protocol._raw import (
    Raw,
    entries,
    gives_map,
    held_by_design,
    listed,
    mapping,
    number,
    text,
)

__all__ = ["check_inference", "settings_of"]

_METHODS = {
    "voxels": get_args(Method),
    "edges": (*SHUFFLED, "fdr"),
    "parcels": ("voxel", "fdr"),
    "nodes": ("voxel", "fdr"),
    "one number": ("voxel", "fdr"),
}
"""What a question asks of -> the methods that can answer it."""


def check_inference(raw: Raw) -> Iterator[Finding]:
    """Check the protocol's inference, every question's own, and what each question can use.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    yield from _placed(("inference",), _check_section(raw, mapping(raw.get("inference"))))
    for name, question in entries(raw, "questions").items():
        path, own = ("questions", name), question.get("inference")
        unfit = _check_fit(raw, question)
        if own is None:
            yield from (_inherited(path, finding) for finding in unfit)
        else:
            yield from _placed((*path, "inference"), _check_section(raw, mapping(own)))
            yield from _placed((*path, "inference"), unfit)


def settings_of(raw: Raw, question: Raw) -> Raw:
    """Give the settings that answer a question: its own, or the protocol's; never a mixture.

    Parameters
    ----------
    raw : dict
        The document as written.
    question : dict
        One entry of ``questions``.

    Returns
    -------
    dict
        Every setting by name, defaults filled in.
    """
    own = question.get("inference")
    return with_defaults(mapping(raw.get("inference") if own is None else own))


def _placed(path: Path, findings: Iterable[Finding]) -> Iterator[Finding]:
    yield from (replace(finding, path=(*path, *finding.path)) for finding in findings)


def _inherited(path: Path, finding: Finding) -> Finding:
    """Tell a setting of the protocol that does not suit one question at that question."""
    key = finding.path[0]
    return replace(
        finding,
        path=path,
        found=f"'{key}: {finding.found}' in the protocol's 'inference'",
        expected=f"an 'inference' of this question, in it as '{key}' {finding.expected}",
    )


def _check_section(raw: Raw, settings: Raw) -> Iterator[Finding]:
    yield from check_settings(settings)
    columns = settings.get("shuffle_within")
    yield from held_by_design(raw, ("shuffle_within",), columns)
    full = with_defaults(settings)
    alpha, n = number(full["alpha"]), number(full["n_permutations"])
    if full["method"] not in SHUFFLED or alpha is None or n is None:
        return
    if alpha > 0 and 0 < n < 1 / alpha:
        yield Finding(
            path=(),
            what="so few permutations can never give a p-value as small as alpha",
            found=f"n_permutations {n:g}, alpha {alpha:g}",
            expected="'n_permutations' of at least 1 / alpha, better 50 times that",
        )


def _check_fit(raw: Raw, question: Raw) -> Iterator[Finding]:
    settings, asked = settings_of(raw, question), _asked_of(raw, question)
    method = text(settings["method"])
    inherited = question.get("inference") is None
    if asked == "one number" and inherited:  # it takes the protocol's settings less the spatial
        asked = None
    if asked is not None and method in get_args(Method) and method not in _METHODS[asked]:
        need = "a map of voxels" if method == "random_field" else "outcomes with neighbours"
        yield Finding(
            path=("method",),
            what=f"the method '{method}' needs {need}, and the question asks of {asked}",
            found=method,
            expected=one_of(_METHODS[asked]),
        )
    coverage = number(settings["min_coverage"])
    is_map = gives_map(_measure(raw, question))
    if asked is not None and not is_map and coverage is not None and 0 < coverage < 1:
        yield Finding(
            path=("min_coverage",),
            what="only voxels of a map may lack participants",
            found=shown(settings["min_coverage"]),
            expected="1",
        )
    design = mapping(raw.get("design"))
    if design.get("kind") == "crossover" and design.get("order") == "unknown":
        yield from _check_one_group(settings)


def _check_one_group(settings: Raw) -> Iterator[Finding]:
    """Check what a paired answer, in which only signs change, can use."""
    why = {
        "v": "the statistic 'v' compares variances of groups",
        "rank": "the ranks of one group have the same mean whatever the data",
    }
    statistic = text(settings["statistic"])
    if statistic in why:
        yield Finding(
            path=("statistic",),
            what=f"{why[statistic]}, and where the order is unknown there is one group",
            found=statistic,
            expected="t",
        )
    if settings["method"] not in SHUFFLED:
        return
    if settings["shuffle"] == "permute":
        yield Finding(
            path=("shuffle",),
            what="where the order is unknown there is one group: changing places changes nothing",
            found="permute",
            expected=one_of(("from_design", "sign_flip")),
        )
    if list(listed(settings["shuffle_within"])) and settings["shuffle"] == "from_design":
        yield Finding(
            path=("shuffle_within",),
            what="where the order is unknown signs are flipped, so that nobody changes places",
            found=shown(settings["shuffle_within"]),
            expected="no columns",
        )


def _asked_of(raw: Raw, question: Raw) -> str | None:
    """Name what a question asks of, a key of `_METHODS`; None where that cannot be told."""
    measure, where = _measure(raw, question), mapping(question.get("where"))
    if where.get("mean_of") is not None or where.get("at") is not None:
        return "one number"
    kind = text(measure.get("kind"))
    if kind == "roi_to_roi":
        of_summary = {"edges": "edges", "nodes": "nodes", "global": "one number"}
        return of_summary.get(text(measure.get("summary", "edges")) or "")
    if kind is None:
        return None
    return "voxels" if gives_map(measure) else "parcels"


def _measure(raw: Raw, question: Raw) -> Raw:
    return entries(raw, "measures").get(text(question.get("measure")) or "", {})
