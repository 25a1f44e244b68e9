"""What a question's design shuffles, tests and can show: as numbers and in words."""

from dataclasses import dataclass, field
from decimal import Decimal

from phmri.protocol import Inference

__all__ = ["UNSHUFFLED", "DesignSummary"]

NAMED = 3
"""Participants that are named; beyond this they are counted."""
WRITTEN_OUT = 1_000_000
"""Numbers of shufflings below this are written with all their digits."""
UNSHUFFLED = {
    "random_field": "Gaussian random field theory",
    "fdr": "the distribution of the statistic under normal errors",
    "holm": "the distribution of the statistic under normal errors",
}
"""Method that does not shuffle -> what its p-values come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSummary:
    """What a question's design shuffles, tests and can show.

    Parameters
    ----------
    question, text, role : str
        From the protocol.
    planned : bool
        Participants are those that the protocol plans, not those at hand.
    settings : Inference
        How p-values will be made.
    refusal : str
        Why the question cannot be answered; empty when it can. What is not known then is empty.
    out_of_reach : str
        Why no p-value can be as small as alpha, as answering says it; empty where one can.
    n_per_group : dict of str to int
        Participants per arm or sequence.
    columns : tuple of str
        Of the model.
    n_own_columns : int
        Columns that every outcome has of its own: the participants' baselines, with a slope each
        in the sessions of a model of several.
    period_baseline : bool
        Periods of a crossover are adjusted for their own baselines.
    df : int
        Residual degrees of freedom.
    n_rows, n_moving : int
        Rows of the model, and those of them that shuffling moves.
    staying : dict of str to tuple of str
        Arm or sequence -> participants that stay where they are.
    words, null : str
        What is shuffled, and the hypothesis that this tests.
    n_distinct, n_used : int
        Distinct shufflings, and those that will be made; 0 where the method does not shuffle.
    exhaustive : bool
        All distinct shufflings will be made.
    smallest_pvalue : float
        Least p-value that counting shufflings can give; 0 where the method does not shuffle.
    notes : tuple of str
        What must be said beside it.
    covariance : str
        How rows of one participant, and rows of unequal variance, are allowed for.
    contrasts : tuple of str
        What is estimated, in words; more than one for a blockade or persistence.
    p_source : str
        What p-values come from where the method alone does not say it: of the order of scores,
        which has no residuals.
    """

    question: str
    text: str
    role: str
    planned: bool
    settings: Inference
    refusal: str = ""
    out_of_reach: str = ""
    n_per_group: dict[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    n_own_columns: int = 0
    period_baseline: bool = False
    df: int = 0
    n_rows: int = 0
    n_moving: int = 0
    staying: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: str = ""
    null: str = ""
    n_distinct: int = 0
    n_used: int = 0
    exhaustive: bool = False
    smallest_pvalue: float = 0.0
    notes: tuple[str, ...] = ()
    covariance: str = ""
    contrasts: tuple[str, ...] = ()
    p_source: str = ""

    @property
    def reaches_alpha(self) -> bool:  # numpydoc ignore=RT01
        """Whether a p-value can be as small as alpha."""
        return self.smallest_pvalue <= self.settings.alpha * (1 + 1e-9)

    @property
    def answerable(self) -> bool:  # numpydoc ignore=RT01
        """Whether the question can be answered."""
        return not self.refusal and self.reaches_alpha

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:  # numpydoc ignore=RT01
        """Terms, each with what there is to say of it; empty when the question is refused."""
        if self.refusal:
            return ()
        if self.settings.method in UNSHUFFLED:
            source = self.p_source or UNSHUFFLED[self.settings.method]
            shuffling = [("shuffled", f"nothing: p-values come from {source}")]
        else:
            shuffling = [
                ("shuffled", self.words),
                ("null hypothesis", self.null),
                ("moves", self._moves()),
                ("shufflings", self._shufflings()),
                ("smallest p", self._smallest_pvalue()),
            ]
        return (
            ("participants", self._participants()),
            *shuffling,
            ("model", self._model()),
            *((("errors", self.covariance),) if self.covariance else ()),
            *((("contrasts", "; ".join(self.contrasts)),) if len(self.contrasts) > 1 else ()),
        )

    def _participants(self) -> str:
        counts = ", ".join(f"{group} {number:,}" for group, number in self.n_per_group.items())
        return f"{counts} (planned)" if self.planned else counts

    def _moves(self) -> str:
        by_participant = self.n_rows == sum(self.n_per_group.values())
        what = "participants" if by_participant else "rows (one per participant and period)"
        stay = []
        for group, subjects in self.staying.items():
            names = ", ".join(f"sub-{subject}" for subject in subjects[:NAMED])
            more = f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
            named = "" if self.planned else f" ({names}{more})"
            stay.append(f"{len(subjects)} of {group}{named}")
        text = f"{self.n_moving} of {self.n_rows} {what}"
        return f"{text}; {' and '.join(stay)} stay" if stay else text

    def _shufflings(self) -> str:
        few = self.n_distinct < WRITTEN_OUT
        # Decimal: there may be more of them than a float can hold.
        shown = f"{self.n_distinct:,}" if few else f"{Decimal(self.n_distinct):.1e}"
        used = "all" if self.exhaustive else f"{self.n_used:,} random ones"
        text = f"{shown} distinct; {used} will be made"
        if self.settings.stop_after is not None and not self.exhaustive:
            text += f", fewer once {self.settings.stop_after} reach the strongest outcome"
        return text

    def _smallest_pvalue(self) -> str:
        n_ties = round(self.smallest_pvalue * self.n_used)
        why = ": one shuffling turns every sign, and both sides count" if n_ties > 1 else ""
        text = f"{self.smallest_pvalue:.2g} ({n_ties} of {self.n_used:,}{why})"
        alpha = f"alpha {self.settings.alpha:g}"
        if not self.reaches_alpha:
            return f"{text}; {alpha} CANNOT BE REACHED with so few participants"
        if self.settings.tail != "counts" and not self.exhaustive:
            text += f", less by the tail fitted to the maxima ({self.settings.tail})"
        return f"{text}; {alpha} can be reached"

    def _model(self) -> str:
        n_columns, n_own = len(self.columns) + self.n_own_columns, self.n_own_columns
        own = "own baseline" if n_own < 2 else f"own baseline in each of {n_own} sessions"  # noqa: PLR2004
        columns = (*self.columns, *((own,) if n_own else ()))
        count = "1 column" if n_columns == 1 else f"{n_columns} columns"
        if self.p_source:
            return f"{count} ({', '.join(columns)})"
        before = ", adjusted for the baseline of each period" if self.period_baseline else ""
        fewer = ", fewer for the statistic v" if self.settings.statistic == "v" else ""
        df = f"{self.df} residual degrees of freedom{fewer}"
        return f"{count} ({', '.join(columns)}){before}, {df}"
