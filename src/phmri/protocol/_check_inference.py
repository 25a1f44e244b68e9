"""What the settings of inference need of the questions that they answer, and of the design."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import get_args

from phmri.protocol._check_estimator import refitted
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._inference import (
    PARAMETRIC,
    SHUFFLED,
    Method,
    check_settings,
    with_defaults,
)
from phmri.protocol._raw import (
    Raw,
    entries,
    gives_map,
    held_by_design,
    listed,
    mapping,
    measure_of,
    number,
    scale_of,
    text,
)

__all__ = ["asked_of", "check_inference", "settings_of"]

_METHODS = {
    "voxels": get_args(Method),
    "edges": (*SHUFFLED, *PARAMETRIC),
    **dict.fromkeys(("parcels", "nodes", "one number"), ("voxel", *PARAMETRIC)),
}
"""What a question asks of -> the methods that can answer it."""
_SEVERAL = ("voxels", "edges", "parcels", "nodes")
"""What takes the method of the protocol where the question has none of its own."""


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
    for section, check_model in (
        ("questions", _check_question),
        ("associations", _check_association),
    ):
        for name, asking in entries(raw, section).items():
            path, own = (section, name), asking.get("inference")
            unfit = [*_check_fit(raw, asking), *check_model(raw, asking)]
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


def _check_fit(raw: Raw, asking: Raw) -> Iterator[Finding]:
    """Check that the method and the coverage suit the outcomes."""
    settings, asked = settings_of(raw, asking), asked_of(raw, asking)
    method = text(settings["method"])
    inherited = asking.get("inference") is None
    if asked is None or (asked == "one number" and inherited):
        return  # one number takes the protocol's settings less the spatial
    if method in get_args(Method) and method not in _METHODS[asked]:
        need = "a map of voxels" if method == "random_field" else "outcomes with neighbours"
        yield Finding(
            path=("method",),
            what=f"the method '{method}' needs {need}, and the question asks of {asked}",
            found=method,
            expected=one_of(_METHODS[asked]),
        )
    coverage = number(settings["min_coverage"])
    is_map = gives_map(measure_of(raw, asking))
    if not is_map and coverage is not None and 0 < coverage < 1:
        yield Finding(
            path=("min_coverage",),
            what="only voxels of a map may lack participants",
            found=shown(settings["min_coverage"]),
            expected="1",
        )


def _check_question(raw: Raw, question: Raw) -> Iterator[Finding]:
    """Check that the model of a question can be answered so."""
    settings = settings_of(raw, question)
    method, model = text(settings["method"]), refitted(question)
    own = question.get("inference") is not None or asked_of(raw, question) in _SEVERAL
    if model is not None and own and method in {*SHUFFLED, "random_field"}:
        yield Finding(
            path=("method",),
            what=f"no maximum under shuffling or random field is known with {model}",
            found=method,
            expected=one_of(PARAMETRIC),
        )
    joint = next((key for key in ("blockade", "persistence") if question.get(key)), None)
    if (model or joint) and text(settings["statistic"]) in {"v", "rank"}:
        yield Finding(
            path=("statistic",),
            what=f"the statistic with {model or joint} is the t of its model",
            found=settings["statistic"],
            expected="t",
        )
    design = mapping(raw.get("design"))
    if design.get("kind") == "crossover" and design.get("order") == "unknown":
        yield from _check_one_group(settings)


def _check_association(raw: Raw, association: Raw) -> Iterator[Finding]:
    """Check what a correlation can use, of which scores change places."""
    settings = settings_of(raw, association)
    own = association.get("inference") is not None or asked_of(raw, association) in _SEVERAL
    if settings["method"] == "random_field" and own:
        yield Finding(
            path=("method",),
            what="an association is answered by shuffling scores, or by its parametric p",
            found="random_field",
            expected=one_of((*SHUFFLED, *PARAMETRIC)),
        )
    if text(settings["statistic"]) in {"v", "rank"}:
        yield Finding(
            path=("statistic",),
            what="an association has one statistic, the t of its correlation",
            found=settings["statistic"],
            expected="t; ranks are 'method: spearman' of the association",
        )
    if settings["method"] in SHUFFLED and settings["shuffle"] == "sign_flip":
        yield Finding(
            path=("shuffle",),
            what="scores change places; a sign cannot",
            found="sign_flip",
            expected=one_of(("from_design", "permute")),
        )


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


def asked_of(raw: Raw, asking: Raw) -> str | None:
    """Name what a question or an association asks of.

    Parameters
    ----------
    raw : dict
        The document as written.
    asking : dict
        One entry of ``questions`` or ``associations``.

    Returns
    -------
    str or None
        ``voxels``, ``edges``, ``parcels``, ``nodes`` or ``one number``; None where it cannot be
        told.
    """
    measure, where = measure_of(raw, asking), mapping(asking.get("where"))
    if scale_of(raw, asking) is not None:
        return "one number"
    if where.get("mean_of") is not None or where.get("at") is not None:
        return "one number"
    kind = text(measure.get("kind"))
    if kind == "roi_to_roi":
        of_summary = {"edges": "edges", "nodes": "nodes", "global": "one number"}
        return of_summary.get(text(measure.get("summary", "edges")) or "")
    if kind is None:
        return None
    return "voxels" if gives_map(measure) else "parcels"
