"""What the sections of a protocol say of each other.

Works on the document as written, so that these mistakes are told together with malformed fields;
what is missing or malformed is passed over here. A `Protocol` made in Python goes through the same
checks.
"""

from typing import Any

from phmri.protocol._check_analysis import (
    check_denoising,
    check_names,
    check_regions,
)
from phmri.protocol._check_associations import check_associations
from phmri.protocol._check_estimand import check_estimand
from phmri.protocol._check_exposures import check_exposures
from phmri.protocol._check_families import check_families
from phmri.protocol._check_inference import check_inference
from phmri.protocol._check_map_associations import check_map_associations
from phmri.protocol._check_measures import check_measures
from phmri.protocol._check_questions import check_questions
from phmri.protocol._check_reliability import check_reliability
from phmri.protocol._check_scales import check_scales
from phmri.protocol._check_trial import (
    check_design,
    check_scans,
    check_sessions,
    check_treatments,
)
from phmri.protocol._finding import Finding

__all__ = ["check_references"]

_CHECKS = (
    check_treatments,
    check_design,
    check_sessions,
    check_scans,
    check_scales,
    check_regions,
    check_denoising,
    check_exposures,
    check_measures,
    check_names,
    check_estimand,
    check_questions,
    check_associations,
    check_reliability,
    check_map_associations,
    check_inference,
    check_families,
)


def check_references(raw: dict[str, Any]) -> tuple[Finding, ...]:
    """Find every contradiction between the sections of a protocol.

    Parameters
    ----------
    raw : dict
        The document as plain mappings, lists and scalars.

    Returns
    -------
    tuple of Finding
        In the order of the sections, each once.
    """
    findings = (finding for check in _CHECKS for finding in check(raw))
    return tuple(dict.fromkeys(findings))
