"""Figures with their number, caption and text for those who cannot see them."""

from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from phmri.inference import Claim
from phmri.protocol import Parallel
from phmri.report._across_records import AssociationContent
from phmri.report._anatomy import plot_regions
from phmri.report._association import correlation_words, plot_association, scatter_caption
from phmri.report._correction import beyond_words, statistic_word, threshold_marks
from phmri.report._drug import plot_course, plot_exposures
from phmri.report._effects import plot_blockade, plot_persistence
from phmri.report._flow import flow_texts, plot_completeness, plot_flow
from phmri.report._maps import plot_statistic_map
from phmri.report._outcomes import plot_outcomes
from phmri.report._participants import plot_participants
from phmri.report._quality import covered_regions, plot_coverage, plot_quality
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import data_uri
from phmri.report._trial import final_cells, group_word
from phmri.report._values import floor_of, unused_values

__all__ = ["Picture", "Pictures"]

_PARTS = {
    "": ": every participant",
    "within": ", within persons: every pair, less the person's own mean",
    "between": ", between persons: every participant's mean",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An encoded figure.

    Parameters
    ----------
    number : int
    source : str
        A ``data:`` address.
    title, caption, alternative : str
    width_px : int
        At which its type has the size of the page's.
    """

    number: int
    source: str
    title: str
    caption: str
    alternative: str
    width_px: int


class Pictures:
    """Draw, encode and number the figures of one report, in order.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    """

    def __init__(self, content: ReportContent) -> None:
        self._content = content
        self._count = 0

    def _make(
        self,
        figure: Figure,
        kind: Literal["svg", "png"],
        *,
        title: str,
        caption: str,
        alternative: str,
    ) -> Picture:
        self._count += 1
        return Picture(
            number=self._count,
            source=data_uri(figure, kind),
            title=title,
            caption=caption,
            alternative=("Simulated data. " if self._content.simulated else "") + alternative,
            width_px=round(100 * float(figure.get_size_inches()[0])),
        )

    def flow(self) -> tuple[Picture, ...]:  # numpydoc ignore=RT01
        """Draw the participants' flow."""
        told = [
            f"{stage}, {group}: {'; '.join(lines)}"
            for stage, groups in flow_texts(self._content).items()
            for group, lines in groups.items()
        ]
        design = self._content.protocol.design
        known = isinstance(design, Parallel) or design.order == "recorded"
        arms = f" per {group_word(self._content.protocol)}" if known else ""
        return (
            self._make(
                plot_flow(self._content),
                "svg",
                title=f"Participants' flow{arms}.",
                caption="Scans used per session (of those planned), runs left out and why, "
                "and participants analysed per question.",
                alternative=". ".join(told) + ".",
            ),
        )

    def completeness(self) -> tuple[Picture, ...]:  # numpydoc ignore=RT01
        """Draw the matrix of runs."""
        if not self._content.check.cells:
            return ()
        cells = [cell for cell in final_cells(self._content) if cell.status != "not planned"]
        used = sum(cell.status == "ok" for cell in cells)
        return (
            self._make(
                plot_completeness(self._content),
                "svg",
                title="Completeness.",
                caption=f"Every participant (columns) by session and scan (rows): {used} of "
                f"{len(cells)} planned runs were used.",
                alternative=f"Matrix of participants by session and scan; {used} of {len(cells)} "
                "planned runs were used.",
            ),
        )

    def quality(self) -> tuple[Picture, ...]:  # numpydoc ignore=RT01
        """Draw motion and data quality."""
        if not self._content.runs:
            return ()
        limit = self._content.protocol.exclusions.max_mean_fd_mm
        dashed = f" Dashed: the protocol's limit of {limit:g} mm." if limit is not None else ""
        word = group_word(self._content.protocol)
        return (
            self._make(
                plot_quality(self._content),
                "svg",
                title=f"Motion and data quality by {word} and session.",
                caption="One dot per run; hollow: left out. Ticks: median of used runs; bars: "
                f"middle half. n: participants with a used run.{dashed}",
                alternative=f"Dots per run by {word} and session; the table below gives the "
                "means.",
            ),
        )

    def regions(self) -> tuple[Picture, ...]:  # numpydoc ignore=RT01
        """Draw regions on anatomy, and how much of them carries signal."""
        if not self._content.regions:
            return ()
        pictures = []
        if any(region.mask is not None for region in self._content.regions):
            names = ", ".join(region.name for region in self._content.regions)
            pictures.append(
                self._make(
                    plot_regions(self._content),
                    "png",
                    title="Regions on anatomy.",
                    caption="Sections through the middle of each region, on the grid of the "
                    "data; darker red: larger weight.",
                    alternative=f"Sagittal, coronal and axial sections of {names}.",
                )
            )
        if any(run.region_coverage for run in self._content.runs):
            pictures.append(
                self._make(
                    plot_coverage(self._content),
                    "svg",
                    title="Coverage of the regions.",
                    caption="One dot per run; hollow: run left out."
                    + _coverage_words(self._content),
                    alternative="Share of each region's voxels with signal, per run.",
                )
            )
        return tuple(pictures)

    def of_question(self, question: QuestionContent) -> tuple[Picture, ...]:
        """Draw what belongs to one question.

        Parameters
        ----------
        question : QuestionContent
            The question to be drawn.

        Returns
        -------
        tuple of Picture
        """
        pictures = []
        claim = question.claim
        if question.t_map is not None:
            pictures.append(
                self._make(
                    plot_statistic_map(self._content, question),
                    "png",
                    title=f"{claim.question}: statistic map.",
                    caption=_map_caption(claim),
                    alternative=f"Map of {statistic_word(claim)} of {claim.question}. "
                    f"{claim.sentence}",
                )
            )
        if len(question.t_values) > 1 and question.names:
            pictures.append(
                self._make(
                    plot_outcomes(self._content, question),
                    "svg",
                    title=f"{claim.question}: every outcome.",
                    caption=_outcomes_caption(claim),
                    alternative=f"{statistic_word(claim)} of {len(question.names)} outcomes. "
                    f"{claim.sentence}",
                )
            )
        if question.beside.course is not None:
            pictures.append(self._course(question))
        if question.values:
            pictures.append(self._participants(question))
        return tuple(pictures)

    def _course(self, question: QuestionContent) -> Picture:
        claim = question.claim
        return self._make(
            plot_course(self._content, question),
            "svg",
            title=f"{claim.question}: course over the infusion.",
            caption=f"Every bin against the minutes before the infusion, {question.values_label}."
            " Bins of one treatment alone are not corrected for placebo.",
            alternative=f"Mean course of each treatment over the infusion. {claim.sentence}",
        )

    def of_blockade(self, question: QuestionContent) -> tuple[Picture, ...]:
        """Draw the effects of a blockade.

        Parameters
        ----------
        question : QuestionContent
            The question to be drawn.

        Returns
        -------
        tuple of Picture
            Empty where the question is about no blockade.
        """
        blockade, claim = question.beside.blockade, question.claim
        if blockade is None:
            return ()
        thick = (
            f" Thick: the {100 * (1 - 2 * claim.alpha):g} % interval, which is compared with the "
            "margin (grey band)."
            if blockade.equivalence is not None
            else ""
        )
        return (
            self._make(
                plot_blockade(self._content, question),
                "svg",
                title=f"{claim.question}: blockade.",
                caption=f"Left: effects of one model.{thick} Right: percentages of the drug's "
                "effect that may have been removed (0: none, 100: all); arrows: the set goes on; "
                "hollow: the drug's effect is too uncertain to divide by.",
                alternative=f"Effects and percentage removed. {' '.join(blockade.sentences)}",
            ),
        )

    def of_persistence(self, question: QuestionContent) -> tuple[Picture, ...]:
        """Draw an effect early and late.

        Parameters
        ----------
        question : QuestionContent
            The question to be drawn.

        Returns
        -------
        tuple of Picture
            Empty where nothing is known of the two sessions.
        """
        persistence, claim = question.beside.persistence, question.claim
        if persistence is None or not persistence.effects:
            return ()
        return (
            self._make(
                plot_persistence(self._content, question),
                "svg",
                title=f"{claim.question}: early and late.",
                caption="The effect in both sessions and its difference, of one model.",
                alternative=f"Effects at {persistence.early_session} and "
                f"{persistence.late_session} with their intervals.",
            ),
        )

    def of_association(self, association: AssociationContent) -> tuple[Picture, ...]:
        """Draw outcome and score of every participant.

        Parameters
        ----------
        association : AssociationContent
            The association to be drawn.

        Returns
        -------
        tuple of Picture
            Empty where there is nobody to draw.
        """
        if not association.points:
            return ()
        words = correlation_words(association)
        return (
            self._make(
                plot_association(self._content, association),
                "svg",
                title=f"{association.name}{_PARTS[association.part]}.",
                caption=scatter_caption(self._content.protocol, association),
                alternative=f"{association.y_label} against {association.x_label}, every "
                f"participant. {words}",
            ),
        )

    def of_figure(
        self, figure: Figure, *, title: str, caption: str, alternative: str
    ) -> tuple[Picture, ...]:  # numpydoc ignore=PR01,RT01
        """Encode a figure that is drawn elsewhere."""
        return (self._make(figure, "svg", title=title, caption=caption, alternative=alternative),)

    def exposure(self) -> tuple[Picture, ...]:  # numpydoc ignore=RT01
        """Draw the concentration curves."""
        if not self._content.exposures:
            return ()
        names = ", ".join(exposure.name for exposure in self._content.exposures)
        return (
            self._make(
                plot_exposures(self._content),
                "svg",
                title="Concentration of the drug during the runs.",
                caption="Computed, not measured, from doses and a drug model. Thick: the typical "
                "participant under the planned doses; thin: every run under the treatment. Runs "
                "of other treatments are fitted with the same curve.",
                alternative=f"Concentration over time: {names}.",
            ),
        )

    def _participants(self, question: QuestionContent) -> Picture:
        claim = question.claim
        parallel = isinstance(self._content.protocol.design, Parallel)
        drawn = (
            "Thin lines join the sessions of a participant; large marks are arm means with their "
            f"{100 * claim.confidence:g} % intervals. "
            if parallel
            else "Lines join the two treatments of a participant; large marks are means with "
            f"their {100 * claim.confidence:g} % intervals. "
        )
        chosen = (
            "The place was selected for its height: the plot illustrates, it is no second test."
            if claim.outcome != "scalar"
            else "Right: the estimate of the model."
        )
        floor = floor_of(question)
        at_floor = "" if floor is None else f" Below: how many are at the least value, {floor:g}."
        hollow = (
            " Hollow: left out by the model, and not averaged." if unused_values(question) else ""
        )
        return self._make(
            plot_participants(self._content, question),
            "svg",
            title=f"{claim.question}: every participant.",
            caption=f"{question.values_label}. {drawn}{chosen}{hollow}{at_floor}",
            alternative=f"{question.values_label}, every participant. {claim.sentence}",
        )


def _coverage_words(content: ReportContent) -> str:
    names = {name for run in content.runs for name in run.region_coverage}
    n_hidden = len(names) - len(covered_regions(content))
    return f" {n_hidden} parcels that are covered better are not drawn." if n_hidden else ""


def _map_caption(claim: Claim) -> str:
    height = " and is full at the threshold" if threshold_marks(claim) else ""
    return (
        f"Nothing is hidden: opacity rises with the square of {statistic_word(claim)}{height}. "
        f"Outlined in black: {beyond_words(claim)}. Upper right: projections of the outlined "
        "voxels alone."
    )


def _outcomes_caption(claim: Claim) -> str:
    marks = " Dashed lines or black marks: the threshold." if threshold_marks(claim) else ""
    return f"{statistic_word(claim)} of each outcome. Ringed: {beyond_words(claim)}.{marks}"
