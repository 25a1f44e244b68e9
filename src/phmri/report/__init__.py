"""The report: one self-contained page that says what was asked, what was found, and from what.

A report is a pure function of its `ReportContent`: the same content gives the same bytes. It
computes no statistic of its own but means, medians and their intervals for drawing; estimates,
p-values and verdicts are printed as the claims carry them. Every participant is drawn, maps are
shown below the threshold as well as above it, an arm has one colour throughout, and a question
without an answer keeps its place.
"""

from phmri.report._across_records import (
    AssociationContent,
    CircularContent,
    EventContent,
    FamilyContent,
    FamilyMemberContent,
    PredictionContent,
    ReadingContent,
)
from phmri.report._anatomy import plot_regions
from phmri.report._association import plot_association
from phmri.report._beside_records import (
    BesideContent,
    BlockadeContent,
    ContrastContent,
    CourseContent,
    EffectMeasureContent,
    NuisanceContent,
    PersistenceContent,
    PopulationContent,
    RatioContent,
    VariantContent,
)
from phmri.report._drug import plot_course, plot_exposures
from phmri.report._effects import plot_blockade, plot_persistence
from phmri.report._flow import plot_completeness, plot_flow
from phmri.report._map_association import plot_map_association
from phmri.report._map_records import (
    MapAssociationContent,
    MapAssociationResult,
    MapAssociationRow,
)
from phmri.report._maps import plot_statistic_map
from phmri.report._outcomes import plot_outcomes
from phmri.report._page import write_report
from phmri.report._participants import plot_participants
from phmri.report._quality import plot_coverage, plot_quality
from phmri.report._records import (
    DoseContent,
    ExposureContent,
    QuestionContent,
    RegionContent,
    ReportContent,
    RunContent,
)
from phmri.report._recovered import write_recovered_page
from phmri.report._reliability import plot_reliability
from phmri.report._reliability_records import (
    ReliabilityContent,
    ReliabilityNumbers,
    ReliabilityResult,
    ReliabilitySpread,
)

__all__ = [
    "AssociationContent",
    "BesideContent",
    "BlockadeContent",
    "CircularContent",
    "ContrastContent",
    "CourseContent",
    "DoseContent",
    "EffectMeasureContent",
    "EventContent",
    "ExposureContent",
    "FamilyContent",
    "FamilyMemberContent",
    "MapAssociationContent",
    "MapAssociationResult",
    "MapAssociationRow",
    "NuisanceContent",
    "PersistenceContent",
    "PopulationContent",
    "PredictionContent",
    "QuestionContent",
    "RatioContent",
    "ReadingContent",
    "RegionContent",
    "ReliabilityContent",
    "ReliabilityNumbers",
    "ReliabilityResult",
    "ReliabilitySpread",
    "ReportContent",
    "RunContent",
    "VariantContent",
    "plot_association",
    "plot_blockade",
    "plot_completeness",
    "plot_course",
    "plot_coverage",
    "plot_exposures",
    "plot_flow",
    "plot_map_association",
    "plot_outcomes",
    "plot_participants",
    "plot_persistence",
    "plot_quality",
    "plot_regions",
    "plot_reliability",
    "plot_statistic_map",
    "write_recovered_page",
    "write_report",
]
