"""What is asked: questions, which compare treatments, associations with a scale, reliability."""

import math
from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol._base import Label, Name, Record
from phmri.protocol._inference import Inference

__all__ = [
    "Alternative",
    "Association",
    "Blockade",
    "Estimator",
    "Persistence",
    "Prediction",
    "Question",
    "Reliability",
    "Role",
    "Where",
]

Role = Literal["primary", "secondary", "exploratory"]
Alternative = Literal["two-sided", "greater", "less"]
Estimator = Literal[
    "ancova", "change", "post", "crossover", "mixed", "mmrm", "clda", "rank", "ordinal"
]


class Where(Record):
    """Where a question looks. Left out: every voxel, parcel or edge of the measure."""

    mean_of: Name | None = None
    """Mean of a map over this region: one number per participant."""
    within: Name | None = None
    """Only voxels of this region: a small volume, corrected within it."""
    at: str | None = None
    """One parcel, node (``A``) or edge (``A~B``) by name."""


class Blockade(Record):
    """Whether a pretreatment blocks the drug: drug, pretreated and reference in one model."""

    reference: Name
    """Arm or treatment without the drug, from which the drug's effect is measured."""
    reference_drug: Name | None = None
    """Crossover whose ``reference`` was given to other people than the contrast: the treatment
    with the drug alone that was compared with it in them. What remains is then this minus the
    reference, less what the contrast shows to be removed; that the drug alone does the same in
    both is assumed. Left out: the first of the contrast."""
    pretreated_reference: Name | None = None
    """Arm or treatment of the pretreatment alone, from which the remaining effect is measured.
    Left out: ``reference``; the pretreatment's own effect is then part of what remains."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """Largest remaining effect that counts as none, in the measure's unit; fix it before
    unblinding. Without it neither "blocked" nor "not blocked" is ever said."""
    bayes_scale: Annotated[float, Field(gt=0)] = math.sqrt(2) / 2
    """Scale of the Cauchy prior of standardised effects, for the Bayes factors beside it."""

    @property
    def elsewhere(self) -> frozenset[str]:  # numpydoc ignore=RT01
        """Treatments that were given to other people than the contrast."""
        if self.reference_drug is None:
            return frozenset()
        return frozenset({self.reference_drug, self.reference})


class Persistence(Record):
    """Whether the effect at ``session`` is what is left of an earlier one."""

    early: Label
    """Session of the early effect."""


class Question(Record):
    """An estimand: which measure, which contrast of treatments, when, adjusted for what, where."""

    text: str
    """The question as a person would ask it."""
    role: Role
    family: str | None = None
    """Questions that belong together; ``families`` says whether they share an error rate."""
    measure: Name
    """A measure, or a scale: the answer is then about its score."""
    map: Label | None = None
    """A further map of the measure in place of its outcome, e.g. ``bin05`` of a pseudoblock; of a
    scale, a subscale."""
    denoising: Name | None = None
    """One of the measure's ``sensitivity`` denoisings in place of its own."""
    contrast: tuple[Name, Name]
    """Two arms (parallel) or two treatments (crossover): the first minus the second."""
    session: Label | None = None
    """Parallel: the session of the outcome. Crossover: left out."""
    baseline: Label | None = None
    """Parallel: the session to adjust for (``ancova``, ``mmrm``, ``mixed``, ``rank``,
    ``ordinal``), to subtract (``change``), or to hold equal between arms (``clda``)."""
    period_baseline: bool = False
    """Crossover of recorded order: adjust each period for its own baseline session, the one of
    phase ``baseline`` with that ``period``."""
    estimator: Estimator
    """``mixed``: random intercept per participant over sessions or periods. ``mmrm``: the sessions
    after treatment, unstructured covariance. ``clda``: the baseline is an outcome too, with one
    mean in all arms, unstructured covariance. All three use what participants with missing
    sessions have. Of a scale in a parallel trial, by the order of scores alone: ``rank``, the
    probability that one of the first arm scores above one of the second; ``ordinal``, the odds
    ratio of a higher score, the same at every cut."""
    errors: Literal["model", "hc3", "cr2"] = "model"
    """Standard errors: of the model; ``hc3``, right also where variances differ (``ancova``,
    ``change``, ``post``); ``cr2``, the mean model of ``mixed``, ``mmrm`` or ``clda`` by least
    squares with errors clustered by participant."""
    degrees_of_freedom: Literal["kenward_roger", "satterthwaite"] = "kenward_roger"
    """Of ``mixed``, ``mmrm`` and ``clda``."""
    covariates: tuple[str, ...] = ()
    """Columns of ``participants.tsv``; numbers are centred, texts become indicator columns."""
    where: Where = Where()
    alternative: Alternative = "two-sided"
    blockade: Blockade | None = None
    """The contrast is then the drug minus the pretreated drug."""
    persistence: Persistence | None = None
    """The early effect of the same contrast, and how much of it is left at ``session``."""
    populations: tuple[Name, ...] = ()
    """Whose data: the first answers the question, the others are shown beside it. Left out: all
    who have them."""
    inference: Inference | None = None
    """Takes the place of the protocol's ``inference``, as a whole, for this question."""


class Prediction(Record):
    """Prediction of the score of people whom the model has not seen."""

    folds: Annotated[int, Field(ge=2)]
    """Parts that the participants are cut into; each is predicted from the others."""
    model: Literal["ridge", "ols"] = "ridge"
    """``ridge`` chooses its penalty within the other parts; ``ols`` for one number alone."""


class Association(Record):
    """How an outcome goes with the score of a scale, over participants."""

    text: str
    """The question as a person would ask it."""
    role: Role
    family: str | None = None
    """As of a question."""
    measure: Name
    map: Label | None = None
    """A further map of the measure in place of its outcome."""
    where: Where = Where()
    scale: Name
    subscale: Label | None = None
    """In place of the whole score."""
    session: Label | None = None
    """Parallel: the session of the outcome and of the score. Crossover: left out."""
    baseline: Label | None = None
    """Parallel: the session whose outcome and score are subtracted."""
    groups: tuple[Name, ...] = ()
    """Parallel: the arms whose participants count, each with a mean of its own; all when left
    out."""
    contrast: tuple[Name, Name] | None = None
    """Crossover: the difference of outcome and of score between two treatments, per person."""
    sessions: tuple[Label, ...] = ()
    """Parallel: two sessions or more in place of ``session``, each person's outcome and score in
    every one; what goes together within persons and between them is told apart."""
    treatments: tuple[Name, ...] = ()
    """Crossover: the same of the acute sessions of two treatments or more, in place of
    ``contrast``."""
    session_means: bool = False
    """With ``sessions`` or ``treatments``: the mean of every session in each arm or sequence is
    taken out of both, so that what changes in everyone alike does not count within persons."""
    partial: tuple[str, ...] = ()
    """What both are adjusted for: columns of ``participants.tsv``, and ``mean_fd``, the mean
    framewise displacement of the runs that enter."""
    method: Literal["pearson", "spearman"] = "pearson"
    alternative: Alternative = "two-sided"
    prediction: Prediction | None = None
    """Shown beside the correlation."""
    inference: Inference | None = None
    """As of a question."""

    @property
    def repeated(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """What is repeated in every person: sessions or treatments; empty for one number each."""
        return self.sessions or self.treatments


class Reliability(Record):
    """How well a measure repeats itself in the same people."""

    text: str
    """The question as a person would ask it."""
    measure: Name
    """A measure, or a scale."""
    map: Label | None = None
    """A further map of the measure in place of its outcome; of a scale, a subscale."""
    where: Where = Where()
    sessions: tuple[Label, ...] = ()
    """Two sessions or more; only who has the outcome in all of them counts."""
    treatment: Name | None = None
    """In place of ``sessions``: all sessions under this treatment, in the order in which each
    person had them."""
    groups: tuple[Name, ...] = ()
    """Parallel: the arms whose participants count; all when left out."""
    kind: Literal["agreement", "consistency"] = "agreement"
    """``agreement``, ICC(2,1): what all participants share between sessions counts against it.
    ``consistency``, ICC(3,1): it does not."""
