"""Claims as plain values that any JSON reader understands, and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from math import isfinite
from typing import Any, cast

from phmri.exceptions import InferenceError, Problem
from phmri.inference._records import Claim, Cluster, Peak

__all__ = ["claim_from_dict", "claim_to_dict"]

UNBOUNDED = ("threshold", "df")
"""Numbers of a claim that may be infinite, which JSON has no word for."""


def claim_to_dict(claim: Claim) -> dict[str, Any]:
    """Turn a claim into dicts, lists, texts and numbers.

    Parameters
    ----------
    claim : Claim
        As `make_claim` gives it.

    Returns
    -------
    dict
        A threshold that no statistic can reach, or the degrees of freedom of a normal
        distribution (infinity), become None.
    """
    plain = cast("dict[str, Any]", _plain(asdict(claim)))
    for name in UNBOUNDED:
        if not isfinite(plain[name]):
            plain[name] = None
    return plain


def claim_from_dict(values: Mapping[str, Any]) -> Claim:
    """Read a claim back.

    Parameters
    ----------
    values : mapping
        As `claim_to_dict` gives it.

    Returns
    -------
    Claim
        With sentence, numbers and notes.

    Raises
    ------
    InferenceError
        With every key that is missing or unknown.
    """
    problems = _keys(values, Claim, "claim")
    for k, peak in enumerate(values.get("peaks", ())):
        problems += _keys(peak, Peak, f"peaks[{k}]")
    for k, cluster in enumerate(values.get("clusters", ())):
        problems += _keys(cluster, Cluster, f"clusters[{k}]")
        if cluster.get("strongest"):
            problems += _keys(cluster["strongest"], Peak, f"clusters[{k}].strongest")
    if problems:
        raise InferenceError(*problems)
    content = dict(values)
    content["peaks"] = tuple(_peak(peak) for peak in values["peaks"])
    content["clusters"] = tuple(
        Cluster(
            **{
                **cluster,
                "centre_mm": _position(cluster["centre_mm"]),
                "peaks": tuple(cluster["peaks"]),
                "strongest": cluster["strongest"] and _peak(cluster["strongest"]),
            }
        )
        for cluster in values["clusters"]
    )
    for name in ("notes", "sentences", "pvalue_interval"):
        content[name] = tuple(values[name])
    for name in UNBOUNDED:
        if values[name] is None:
            content[name] = float("inf")
    return Claim(**content)


def _peak(values: Mapping[str, Any]) -> Peak:
    return Peak(**{**values, "position_mm": _position(values["position_mm"])})


def _position(values: list[float] | None) -> tuple[float, float, float] | None:
    if values is None:
        return None
    x, y, z = values
    return float(x), float(y), float(z)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _keys(
    values: Mapping[str, Any], record: type[Claim | Cluster | Peak], place: str
) -> list[Problem]:
    known = {field.name for field in fields(record)}
    problems = [
        Problem(what="key is missing", field=f"{place}.{name}")
        for name in sorted(known - set(values))
    ]
    problems.extend(
        Problem(what="unknown key", field=f"{place}.{name}")
        for name in sorted(set(values) - known)
    )
    return problems
