"""One model of all sessions or periods, derived from the protocol and from who has which cells."""

from phmri.group.longitudinal._contrasts import make_unit_contrasts
from phmri.group.longitudinal._design import carryover_design, make_long_design
from phmri.group.longitudinal._fit import check_covariance, fit_long_design, sessions_without_error
from phmri.group.longitudinal._records import LongDesign, LongSettings, LongTable
from phmri.group.longitudinal._table import make_long_table

__all__ = [
    "LongDesign",
    "LongSettings",
    "LongTable",
    "carryover_design",
    "check_covariance",
    "fit_long_design",
    "make_long_design",
    "make_long_table",
    "make_unit_contrasts",
    "sessions_without_error",
]
