# ruff: noqa: E501 - a table: one paragraph per broken protocol
"""One mistake per protocol: exactly one problem, at its line, with field, found and expected."""

from dataclasses import dataclass

import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import read_protocol

PARALLEL = """\
phmri: 1
name: demo
title: A trial
drugs:
  ketamine: {}
treatments:
  placebo: {}
  other: {}
  ketamine:
    doses:
      - drug: ketamine
        route: intravenous
        amount: 0.12
        unit: mg/kg
        start_min: 0
      - drug: ketamine
        route: intravenous
        rate: 0.31
        unit: mg/kg/h
        start_min: 1
        duration_min: 39
design:
  kind: parallel
  arms:
    placebo:
      treatment: placebo
    ketamine:
      treatment: ketamine
  strata: [sex]
sessions:
  pre:
    phase: baseline
  infusion:
    phase: acute
  day:
    phase: sustained
    hours_after: 24
scans:
  rest:
    task: rest
    start_min: {infusion: 10}
  nback:
    task: nback
    sessions: [pre, infusion]
    conditions: [zero, two]
scales:
  cadss:
    columns: [total]
    minimum: 0
    maximum: 92
space: MNI152NLin2009cAsym
regions:
  pgacc:
    kind: julich
    areas: [p24ab, p32]
  dmpfc:
    kind: sphere
    center_mm: [0, 50, 30]
    radius_mm: 8
    space: MNI152NLin2009cAsym
  vmpfc:
    kind: sphere
    center_mm: [0, 50, -10]
    radius_mm: 8
    space: MNI152NLin2009cAsym
  column:
    kind: series
    columns: [a]
parcellations:
  image:
    file: parcels.nii.gz
    space: MNI152NLin2009cAsym
  table: {}
denoising:
  plain:
    strategy: 24motion_wmcsf
    highpass_hz: 0.008
    lowpass_hz: 0.1
    censor:
      fd_mm: 0.5
  task:
    strategy: 24motion_wmcsf
    task: remove
measures:
  map:
    kind: seed_to_voxel
    scan: nback
    seed: pgacc
    denoising: task
  parcels:
    kind: seed_to_parcel
    scan: rest
    seed: pgacc
    parcels: image
    denoising: plain
  edges:
    kind: roi_to_roi
    scan: rest
    regions: [pgacc, dmpfc, vmpfc]
    denoising: plain
  nodes:
    kind: roi_to_roi
    scan: rest
    parcels: table
    summary: nodes
    denoising: plain
questions:
  acute:
    text: Does it?
    role: primary
    measure: map
    contrast: [ketamine, placebo]
    session: infusion
    baseline: pre
    estimator: ancova
    covariates: [age]
  dmpfc:
    text: Does it there?
    role: secondary
    measure: map
    contrast: [ketamine, placebo]
    session: infusion
    baseline: pre
    estimator: change
    where: {mean_of: dmpfc}
  edge:
    text: Does that edge?
    role: secondary
    measure: edges
    contrast: [ketamine, placebo]
    session: day
    estimator: post
    where: {at: pgacc~dmpfc}
inference:
  n_permutations: 1000
exclusions:
  participants: {}
"""

CROSSOVER = """\
phmri: 1
name: demo
title: A trial
drugs:
  drug: {}
treatments:
  placebo: {}
  drug: {}
  third: {}
design:
  kind: crossover
  sequences:
    AB:
      treatments: [drug, placebo]
    BA:
      treatments: [placebo, drug]
sessions:
  one:
    phase: acute
    period: 1
  two:
    phase: acute
    period: 2
scans:
  rest:
    task: rest
space: MNI152NLin6Asym
parcellations:
  all: {}
denoising:
  none:
    strategy: none
measures:
  mean:
    kind: roi_to_roi
    scan: rest
    parcels: all
    summary: global
    denoising: none
questions:
  mean:
    text: Does it?
    role: primary
    measure: mean
    contrast: [drug, placebo]
    estimator: crossover
"""

UNKNOWN = (
    CROSSOVER.replace("  kind: crossover", "  kind: crossover\n  order: unknown")
    .replace("period: 1", "treatment: drug")
    .replace("period: 2", "treatment: placebo")
)

BASES = {"parallel": PARALLEL, "crossover": CROSSOVER, "unknown": UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Replace `old` by `new`, in which ``#!`` marks the line of the one problem."""

    id: str
    old: str
    new: str
    field: str
    what: str
    found: str | None = None
    expected: str | None = None
    base: str = "parallel"


FIELDS = [
    Case(id="unknown key with suggestion", old="title: A trial", new="title: A trial\ntitlee: B #!",
         field="titlee", what="'titlee' is not known", expected="did you mean title?"),
    Case(id="unknown nested key", old="    columns: [total]", new="    columns: [total]\n    columnz: [x] #!",
         field="scales.cadss.columnz", what="not known here", expected="did you mean columns?"),
    Case(id="missing key", old="scales:", new="  third: #!\n    run: 2\nscales:",
         field="scans.third.task", what="the key 'task' is missing", expected="a text"),
    Case(id="missing top-level key", old="space: MNI152NLin2009cAsym\nregions", new="regions",
         field="space", what="the key 'space' is missing", expected="a text"),
    Case(id="format version", old="phmri: 1", new="phmri: 2 #!", field="phmri",
         what="not one of the choices", found="2", expected="1"),
    Case(id="number for a text", old="title: A trial", new="title: 2008 #!", field="title",
         what="another kind", found="the number 2008", expected="in quotes: '2008'"),
    Case(id="text for a number", old="n_permutations: 1000", new="n_permutations: many #!",
         field="inference.n_permutations", what="another kind", found="the text many", expected="a whole number"),
    Case(id="quoted number", old="n_permutations: 1000", new="n_permutations: '1000' #!",
         field="inference.n_permutations", what="another kind", found="the text 1000", expected="a whole number"),
    Case(id="fraction of a permutation", old="n_permutations: 1000", new="n_permutations: 1000.5 #!",
         field="inference.n_permutations", what="another kind", expected="a whole number"),
    Case(id="truth value for a number", old="radius_mm: 8\n    space: MNI152NLin2009cAsym\n  vmpfc",
         new="radius_mm: true #!\n    space: MNI152NLin2009cAsym\n  vmpfc", field="regions.dmpfc.radius_mm",
         what="another kind", found="the truth value true", expected="a number"),
    Case(id="too few permutations", old="n_permutations: 1000", new="n_permutations: 50 #!",
         field="inference.n_permutations", what="out of range", found="50", expected="100 or more"),
    Case(id="negative amount", old="amount: 0.12", new="amount: -0.12 #!",
         field="treatments.ketamine.doses[0].amount", what="out of range", expected="above 0"),
    Case(id="alpha of 5", old="  n_permutations: 1000", new="  n_permutations: 1000\n  alpha: 5 #!",
         field="inference.alpha", what="out of range", found="5", expected="below 1"),
    Case(id="infinite number", old="amount: 0.12", new="amount: 1e999 #!",
         field="treatments.ketamine.doses[0].amount", what="another kind", expected="a finite number"),
    Case(id="unknown route", old="route: intravenous\n        amount", new="route: intravenos #!\n        amount",
         field="treatments.ketamine.doses[0].route", what="not one of the choices", found="intravenos",
         expected="did you mean intravenous?"),
    Case(id="unknown unit", old="unit: mg/kg\n", new="unit: ug/kg #!\n",
         field="treatments.ketamine.doses[0].unit", what="not one of the choices", expected="mg/kg"),
    Case(id="unknown phase", old="phase: acute", new="phase: accute #!", field="sessions.infusion.phase",
         what="not one of the choices", expected="did you mean acute?"),
    Case(id="unknown strategy", old="strategy: 24motion_wmcsf\n    highpass", new="strategy: 24p #!\n    highpass",
         field="denoising.plain.strategy", what="not one of the choices", expected="36p"),
    Case(id="unknown region kind", old="kind: series", new="kind: seriess #!", field="regions.column.kind",
         what="not one of the choices", expected="did you mean series?"),
    Case(id="missing kind", old="  column:\n    kind: series", new="  column: #!", field="regions.column.kind",
         what="'kind' is missing", expected="one of julich, sphere, mask, label, series"),
    Case(id="key of another kind of region", old="    areas: [p24ab, p32]", new="    areas: [p24ab, p32]\n    radius_mm: 3 #!",
         field="regions.pgacc.radius_mm", what="not known here", expected="areas"),
    Case(id="list for a mapping", old="  participants: {}", new="  participants: [] #!",
         field="exclusions.participants", what="another kind", found="the list []", expected="a mapping"),
    Case(id="text for a list", old="strata: [sex]", new="strata: sex #!", field="design.strata",
         what="another kind", found="the text sex", expected="a list"),
    Case(id="section left empty", old="inference:\n  n_permutations: 1000", new="inference: #!",
         field="inference", what="another kind", found="nothing", expected="a mapping"),
    Case(id="two coordinates", old="center_mm: [0, 50, 30]", new="center_mm: [0, 50] #!",
         field="regions.dmpfc.center_mm", what="too few entries", found="[0, 50]", expected="at least 3"),
    Case(id="three arms in a contrast", old="contrast: [ketamine, placebo]\n    session: day",
         new="contrast: [ketamine, placebo, x] #!\n    session: day",
         field="questions.edge.contrast", what="too many entries", expected="at most 2"),
    Case(id="no areas", old="areas: [p24ab, p32]", new="areas: [] #!", field="regions.pgacc.areas",
         what="too few entries", expected="at least 1 entry"),
    Case(id="label with underscore", old="task: rest\n", new="task: re_st #!\n", field="scans.rest.task",
         what="a name cannot hold", found="re_st", expected="letters and digits only"),
    Case(id="prefix of a participant", old="participants: {}", new="participants: {sub-01: moved} #!",
         field="exclusions.participants.sub-01", what="without their prefix", expected="01"),
    Case(id="name with a space", old="  table: {}", new="  my table: {} #!\n  table: {}",
         field="parcellations.my table", what="a name cannot hold", expected="letters, digits and underscores"),
    Case(id="long name", old="name: demo", new=f"name: {'d' * 41} #!", field="name",
         what="too long", expected="at most 40 characters"),
]  # fmt: skip

TRIAL = [
    Case(id="unknown drug", old="- drug: ketamine\n        route: intravenous\n        rate",
         new="- drug: ketmine #!\n        route: intravenous\n        rate", field="treatments.ketamine.doses[1].drug",
         what="this drug is not declared", found="ketmine", expected="ketamine"),
    Case(id="amount and rate", old="- drug: ketamine\n        route: intravenous\n        amount: 0.12",
         new="- drug: ketamine #!\n        route: intravenous\n        rate: 1\n        amount: 0.12",
         field="treatments.ketamine.doses[0]", what="either an amount or a rate", found="amount and rate"),
    Case(id="neither amount nor rate", old="- drug: ketamine\n        route: intravenous\n        amount: 0.12",
         new="- drug: ketamine #!\n        route: intravenous", field="treatments.ketamine.doses[0]",
         what="either an amount or a rate", found="neither"),
    Case(id="amount per hour", old="unit: mg/kg\n", new="unit: mg/kg/h #!\n", field="treatments.ketamine.doses[0].unit",
         what="does not fit the key 'amount'", found="mg/kg/h", expected="one of mg, mg/kg"),
    Case(id="rate without hour", old="unit: mg/kg/h", new="unit: mg #!", field="treatments.ketamine.doses[1].unit",
         what="does not fit the key 'rate'", found="mg", expected="one of mg/h, mg/kg/h"),
    Case(id="rate without duration", old="- drug: ketamine\n        route: intravenous\n        rate: 0.31\n        unit: mg/kg/h\n        start_min: 1\n        duration_min: 39",
         new="- drug: ketamine #!\n        route: intravenous\n        rate: 0.31\n        unit: mg/kg/h\n        start_min: 1",
         field="treatments.ketamine.doses[1]", what="a rate needs the minutes", expected="above 0"),
    Case(id="rate for no time", old="duration_min: 39", new="duration_min: 0 #!",
         field="treatments.ketamine.doses[1].duration_min", what="a rate needs the minutes", expected="above 0"),
    Case(id="unknown treatment of an arm", old="treatment: ketamine", new="treatment: Ketamine #!",
         field="design.arms.ketamine.treatment", what="this treatment is not declared", expected="did you mean ketamine?"),
    Case(id="stratum is the arm", old="  strata: [sex]", new="  column: sex\n  strata: [sex] #!", field="design.strata[0]",
         what="cannot be a stratum", found="sex"),
    Case(id="stratum twice", old="strata: [sex]", new="strata: [sex, sex] #!", field="design.strata[1]",
         what="listed twice", found="sex"),
    Case(id="period in a parallel trial", old="phase: acute", new="phase: acute\n    period: 1 #!",
         field="sessions.infusion.period", what="only a crossover has periods"),
    Case(id="treatment of a session", old="phase: acute", new="phase: acute\n    treatment: ketamine #!",
         field="sessions.infusion.treatment", what="the arm says the treatment"),
    Case(id="hours before", old="hours_after: 24", new="hours_after: -24 #!", field="sessions.day.hours_after",
         what="contradict the phase 'sustained'", found="-24"),
    Case(id="scan in an unknown session", old="sessions: [pre, infusion]", new="sessions: [pre, infusion, after] #!",
         field="scans.nback.sessions[2]", what="this session is not declared", found="after", expected="pre, infusion, day"),
    Case(id="session of a scan twice", old="sessions: [pre, infusion]", new="sessions: [pre, infusion, pre] #!",
         field="scans.nback.sessions[2]", what="listed twice", found="pre"),
    Case(id="start in an unknown session", old="start_min: {infusion: 10}", new="start_min: {infuson: 10} #!",
         field="scans.rest.start_min.infuson", what="not declared", expected="did you mean infusion?"),
    Case(id="two scans of one task", old="scales:", new="  again: #!\n    task: rest\nscales:",
         field="scans.again", what="cannot be told from the scan 'rest'", expected="another 'run'"),
    Case(id="scale in an unknown session", old="maximum: 92", new="maximum: 92\n    sessions: [later] #!",
         field="scales.cadss.sessions[0]", what="this session is not declared", found="later"),
    Case(id="empty range", old="maximum: 92", new="maximum: 0 #!", field="scales.cadss.maximum",
         what="the range of the score is empty", found="0 to 0", expected="'minimum' below 'maximum'"),
    Case(base="crossover", id="unknown treatment in a sequence", old="[placebo, drug]\nsessions", new="[placebo, durg] #!\nsessions",
         field="design.sequences.BA.treatments[1]", what="this treatment is not declared", expected="did you mean drug?"),
    Case(base="crossover", id="two equal sequences", old="[placebo, drug]\nsessions", new="[drug, placebo] #!\nsessions",
         field="design.sequences.BA.treatments", what="the same as 'AB'"),
    Case(base="crossover", id="one experiment unnamed", old="    AB:\n      treatments: [drug, placebo]\n    BA:",
         new="    AB:\n      experiment: a\n      treatments: [drug, placebo]\n    BA: #!",
         field="design.sequences.BA", what="this one does not", expected="'experiment' in every sequence"),
    Case(base="crossover", id="session without period", old="  one:\n    phase: acute\n    period: 1",
         new="  zero: #!\n    phase: sustained\n  one:\n    phase: acute\n    period: 1", field="sessions.zero",
         what="needs its period", expected="1 to 2"),
    Case(base="crossover", id="a third period", old="  one:\n", new="  zero:\n    phase: acute\n    period: 3 #!\n  one:\n",
         field="sessions.zero.period", what="no sequence has so many periods", found="3", expected="1 to 2"),
    Case(base="crossover", id="two acute sessions of a period", old="  one:\n",
         new="  zero:\n    phase: acute\n    period: 1\n  one: #!\n", field="sessions.one",
         what="period 1 needs one session of phase acute", found="[zero, one]", expected="exactly one"),
    Case(base="crossover", id="period without session", old="phase: acute\n    period: 2", new="phase: sustained\n    period: 2",
         field="sessions", what="period 2 needs one session of phase acute", found="none"),
    Case(base="crossover", id="treatment where the order is known", old="period: 1", new="period: 1\n    treatment: drug #!",
         field="sessions.one.treatment", what="has no meaning here"),
    Case(base="unknown", id="session without treatment", old="  one:\n", new="  zero: #!\n    phase: sustained\n  one:\n",
         field="sessions.zero", what="a session needs its treatment", expected="placebo, drug"),
    Case(base="unknown", id="session of a treatment never given", old="  one:\n",
         new="  zero:\n    phase: acute\n    treatment: third #!\n  one:\n", field="sessions.zero.treatment",
         what="no sequence holds this treatment", found="third"),
    Case(base="unknown", id="period where the order is unknown", old="treatment: placebo", new="treatment: placebo\n    period: 2 #!",
         field="sessions.two.period", what="the order is declared unknown"),
]  # fmt: skip

ANALYSIS = [
    Case(id="sphere in another space", old="radius_mm: 8\n    space: MNI152NLin2009cAsym\n  vmpfc",
         new="radius_mm: 8\n    space: MNI152NLin6Asym #!\n  vmpfc", field="regions.dmpfc.space",
         what="another space than the data", found="MNI152NLin6Asym", expected="MNI152NLin2009cAsym"),
    Case(id="background as label", old="  column:\n    kind: series\n    columns: [a]",
         new="  column:\n    kind: label\n    file: a.nii\n    space: MNI152NLin2009cAsym\n    labels: [0] #!",
         field="regions.column.labels[0]", what="label 0 is the background"),
    Case(id="area twice", old="areas: [p24ab, p32]", new="areas: [p32, p32] #!", field="regions.pgacc.areas[1]",
         what="this area is listed twice"),
    Case(id="parcels without space", old="  image:\n    file: parcels.nii.gz\n    space: MNI152NLin2009cAsym",
         new="  image: #!\n    file: parcels.nii.gz", field="parcellations.image", what="needs the space"),
    Case(id="names without image", old="  table: {}", new="  table: {names: a.tsv} #!", field="parcellations.table.names",
         what="belongs to a label image"),
    Case(id="empty band", old="lowpass_hz: 0.1", new="lowpass_hz: 0.001 #!", field="denoising.plain.lowpass_hz",
         what="the band is empty", found="highpass_hz 0.008, lowpass_hz 0.001"),
    Case(id="butterworth with censoring", old="    censor:\n      fd_mm: 0.5", new="    filter: butterworth\n    censor:\n      fd_mm: 0.5 #!",
         field="denoising.plain.censor.fd_mm", what="cannot be censored", expected="projection"),
    Case(id="butterworth without band", old="task: remove", new="task: remove\n    filter: butterworth #!",
         field="denoising.task.filter", what="no band"),
    Case(id="task removed at rest", old="parcels: image\n    denoising: plain", new="parcels: image\n    denoising: task #!",
         field="measures.parcels.denoising", what="the scan 'rest' has no conditions"),
    Case(id="unknown scan", old="scan: nback", new="scan: nbak #!", field="measures.map.scan", what="this scan is not declared",
         found="nbak", expected="did you mean nback?"),
    Case(id="unknown seed", old="seed: pgacc\n    denoising", new="seed: sgacc #!\n    denoising", field="measures.map.seed",
         what="this region is not declared", found="sgacc", expected="did you mean pgacc?"),
    Case(id="unknown denoising", old="denoising: task", new="denoising: tsk #!", field="measures.map.denoising",
         what="this denoising is not declared", expected="did you mean task?"),
    Case(id="unknown parcellation", old="parcels: image", new="parcels: schaefer #!", field="measures.parcels.parcels",
         what="this parcellation is not declared", expected="one of image, table"),
    Case(id="seed without voxels", old="seed: pgacc\n    denoising", new="seed: column #!\n    denoising", field="measures.map.seed",
         what="no voxels around it", found="column (kind: series)"),
    Case(id="image and table", old="  parcels:\n    kind: seed_to_parcel\n    scan: rest\n    seed: pgacc",
         new="  parcels: #!\n    kind: seed_to_parcel\n    scan: rest\n    seed: column", field="measures.parcels",
         what="cannot be correlated with each other", found="from images: image; from tables: column"),
    Case(id="regions and parcels", old="  nodes:\n    kind: roi_to_roi\n    scan: rest\n",
         new="  nodes: #!\n    kind: roi_to_roi\n    scan: rest\n    regions: [column]\n", field="measures.nodes",
         what="either among regions or among parcels", found="regions and parcels"),
    Case(id="one region", old="regions: [pgacc, dmpfc, vmpfc]", new="regions: [pgacc] #!", field="measures.edges.regions",
         what="needs two regions"),
    Case(id="colliding measures", old="  parcels:\n    kind: seed", new="  ma_p: #!\n    kind: seed", field="measures.ma_p",
         what="this name and 'map' become the same"),
    Case(id="no primary question", old="role: primary", new="role: secondary", field="questions", what="no question is the primary"),
    Case(id="unknown measure", old="measure: map\n    contrast: [ketamine, placebo]\n    session: infusion\n    baseline: pre\n    estimator: ancova",
         new="measure: maps #!\n    contrast: [ketamine, placebo]\n    session: infusion\n    baseline: pre\n    estimator: ancova",
         field="questions.acute.measure", what="this measure is not declared", expected="did you mean map?"),
]  # fmt: skip

ACUTE = "    contrast: [ketamine, placebo]\n    session: infusion\n    baseline: pre\n    estimator: ancova"

QUESTIONS = [
    Case(id="unknown arm", old="contrast: [ketamine, placebo]\n    session: day", new="contrast: [ketamine, other] #!\n    session: day",
         field="questions.edge.contrast[1]", what="this arm is not declared", found="other", expected="one of placebo, ketamine"),
    Case(id="an arm against itself", old="contrast: [ketamine, placebo]\n    session: day",
         new="contrast: [placebo, placebo] #!\n    session: day", field="questions.edge.contrast[1]", what="listed twice"),
    Case(id="arms of one treatment", old=ACUTE,
         new="    contrast: [ketamine, placebo] #!" + ACUTE.removeprefix("    contrast: [ketamine, placebo]"),
         field="questions.acute.contrast", what="both arms receive the same treatment"),
    Case(id="ancova without baseline", old="  acute:\n    text: Does it?\n    role: primary\n    measure: map\n" + ACUTE,
         new="  acute: #!\n    text: Does it?\n    role: primary\n    measure: map\n" + ACUTE.replace("    baseline: pre\n", ""),
         field="questions.acute", what="'ancova' needs the key 'baseline'"),
    Case(id="post without session", old="  edge:\n    text: Does that edge?\n    role: secondary\n    measure: edges\n    contrast: [ketamine, placebo]\n    session: day",
         new="  edge: #!\n    text: Does that edge?\n    role: secondary\n    measure: edges\n    contrast: [ketamine, placebo]",
         field="questions.edge", what="'post' needs the key 'session'"),
    Case(id="post with baseline", old="estimator: post", new="estimator: post\n    baseline: pre #!", field="questions.edge.baseline",
         what="does not look at a baseline"),
    Case(id="session after none", old="session: day", new="session: night #!", field="questions.edge.session",
         what="this session is not declared", expected="one of pre, infusion, day"),
    Case(id="outcome before treatment", old="session: day", new="session: pre #!", field="questions.edge.session",
         what="phase baseline cannot be the session", expected="one of infusion, day"),
    Case(id="baseline after treatment", old="baseline: pre\n    estimator: change", new="baseline: day #!\n    estimator: change",
         field="questions.dmpfc.baseline", what="phase sustained cannot be the baseline", expected="pre"),
    Case(id="scan not in the session", old="session: infusion\n    baseline: pre\n    estimator: change",
         new="session: day #!\n    baseline: pre\n    estimator: change", field="questions.dmpfc.session",
         what="the scan 'nback' of this measure is not acquired in session day", expected="one of pre, infusion"),
    Case(id="crossover estimator in a parallel trial", old="estimator: post", new="estimator: crossover #!",
         field="questions.edge.estimator", what="needs a crossover", expected="ancova, change, post"),
    Case(id="stratum as covariate", old="covariates: [age]", new="covariates: [age, sex] #!", field="questions.acute.covariates[1]",
         what="the design holds this column already", found="sex"),
    Case(id="arm as covariate", old="covariates: [age]", new="covariates: [arm] #!", field="questions.acute.covariates[0]",
         what="the design holds this column already", found="arm"),
    Case(id="two places", old="where: {mean_of: dmpfc}", new="where: {mean_of: dmpfc, within: vmpfc} #!", field="questions.dmpfc.where",
         what="one place", found="mean_of and within"),
    Case(id="place not declared", old="where: {mean_of: dmpfc}", new="where: {mean_of: dmfpc} #!", field="questions.dmpfc.where.mean_of",
         what="this region is not declared", expected="did you mean dmpfc?"),
    Case(id="the seed itself", old="where: {mean_of: dmpfc}", new="where: {within: pgacc} #!", field="questions.dmpfc.where.within",
         what="this is the seed itself"),
    Case(id="place without voxels", old="where: {mean_of: dmpfc}", new="where: {within: column} #!", field="questions.dmpfc.where.within",
         what="has no voxels"),
    Case(id="a parcel of a map", old="where: {mean_of: dmpfc}", new="where: {at: dmpfc} #!", field="questions.dmpfc.where.at",
         what="no parcel, node or edge"),
    Case(id="a mean over edges", old="where: {at: pgacc~dmpfc}", new="where: {mean_of: dmpfc} #!", field="questions.edge.where.mean_of",
         what="needs a map of voxels, and the measure is roi_to_roi"),
    Case(id="an edge of one end", old="where: {at: pgacc~dmpfc}", new="where: {at: pgacc} #!", field="questions.edge.where.at",
         what="does not name one of the measure's edges", expected="'A~B'"),
    Case(id="an edge the other way round", old="where: {at: pgacc~dmpfc}", new="where: {at: dmpfc~pgacc} #!",
         field="questions.edge.where.at", what="in the order of the measure's regions", expected="pgacc~dmpfc"),
    Case(id="an edge to nowhere", old="where: {at: pgacc~dmpfc}", new="where: {at: pgacc~insula} #!", field="questions.edge.where.at",
         what="region of the measure is not declared", found="insula"),
    Case(id="p can never reach alpha", old="covariates: [age]", new="inference: {n_permutations: 100, alpha: 0.001} #!",
         field="questions.acute.inference", what="so few permutations", expected="1 / alpha"),
    Case(base="crossover", id="parallel estimator in a crossover", old="estimator: crossover", new="estimator: ancova #!",
         field="questions.mean.estimator", what="needs a parallel design", expected="crossover"),
    Case(base="crossover", id="session in a crossover", old="estimator: crossover", new="estimator: crossover\n    session: one #!",
         field="questions.mean.session", what="the treatment says the session"),
    Case(base="crossover", id="treatments that nobody has both of", old="contrast: [drug, placebo]", new="contrast: [drug, third] #!",
         field="questions.mean.contrast", what="nobody received both"),
    Case(base="crossover", id="unknown treatment in a contrast", old="contrast: [drug, placebo]", new="contrast: [drug, saline] #!",
         field="questions.mean.contrast[1]", what="this treatment is not declared", found="saline"),
    Case(base="crossover", id="scan missing in a period", old="measure: mean", new="measure: mean #!", field="questions.mean.measure",
         what="not acquired in session two", expected="one"),
    Case(base="crossover", id="a node of a global mean", old="estimator: crossover", new="estimator: crossover\n    where: {at: A} #!",
         field="questions.mean.where.at", what="no parcel, node or edge"),
]  # fmt: skip

SETTINGS = "inference:\n  n_permutations: 1000"
MAP = "covariates: [age]"  # of the question on a whole map
ONE = "where: {mean_of: dmpfc}"
EDGE = "where: {at: pgacc~dmpfc}"
NODES = "questions:\n  nodes:\n    text: Does a node?\n    role: secondary\n    measure: nodes\n    contrast: [ketamine, placebo]\n    session: day\n    estimator: post\n"
PARCELS = NODES.replace("nodes", "parcels")
EDGES = NODES.replace("nodes", "edges")
PAIRED = "estimator: crossover"
FAMILY = "    family: acute\n"
TWO = (
    ("role: primary\n", "role: primary\n" + FAMILY),
    ("role: secondary\n", "role: secondary\n" + FAMILY),
)

INFERENCE = [
    Case(id="threshold of no unit", old=SETTINGS, new=f"{SETTINGS}\n  threshold: 3.1 #!", field="inference.threshold",
         what="not known here", found="threshold",
         expected="one of cluster_z (a z value), cluster_t (in units of the statistic), cluster_p (a one-sided p-value)"),
    Case(id="threshold of another unit", old=SETTINGS, new=f"{SETTINGS}\n  cluster_q: 0.01 #!", field="inference.cluster_q",
         what="not known here", found="cluster_q", expected="cluster_p (a one-sided p-value)"),
    Case(id="misspelt setting", old=SETTINGS, new=f"{SETTINGS}\n  cluster_mas: excess #!", field="inference.cluster_mas",
         what="not known here", expected="did you mean cluster_mass?"),
    Case(id="former method", old=SETTINGS, new=f"{SETTINGS}\n  method: max_statistic #!", field="inference.method",
         what="not one of the choices", found="max_statistic", expected="one of voxel, tfce"),
    Case(id="threshold as a percentage", old=SETTINGS, new=f"{SETTINGS}\n  cluster_p: 1 #!", field="inference.cluster_p",
         what="out of range", found="1", expected="below 0.5"),
    Case(id="negative threshold", old=SETTINGS, new=f"{SETTINGS}\n  cluster_t: -3 #!", field="inference.cluster_t",
         what="out of range", found="-3", expected="above 0"),
    Case(id="neighbours of a cross", old=SETTINGS, new=f"{SETTINGS}\n  connectivity: 8 #!", field="inference.connectivity",
         what="not one of the choices", found="8", expected="one of 6, 18, 26"),
    Case(id="too much coverage", old=SETTINGS, new=f"{SETTINGS}\n  min_coverage: 90 #!", field="inference.min_coverage",
         what="out of range", found="90", expected="1"),
    Case(id="shuffling within the arms", old=SETTINGS, new=f"{SETTINGS}\n  shuffle_within: [site, arm] #!",
         field="inference.shuffle_within[1]", what="the design holds this column already", found="arm"),
    Case(id="contradiction in a question's own", old=MAP, new=f"{MAP}\n    inference:\n      method: cluster_mass #!",
         field="questions.acute.inference.method", what="needs a cluster-forming threshold", found="none"),
    Case(id="enhancement of one number", old=ONE, new=f"{ONE}\n    inference: {{method: tfce}} #!",
         field="questions.dmpfc.inference.method", what="needs outcomes with neighbours, and the question asks of one number",
         found="tfce", expected="one of voxel, fdr"),
    Case(id="clusters of one edge", old=EDGE, new=f"{EDGE}\n    inference: {{method: cluster_extent, cluster_t: 3}} #!",
         field="questions.edge.inference.method", what="the question asks of one number", found="cluster_extent"),
    Case(id="clusters of parcels", old="questions:\n", new=f"{PARCELS}    inference: {{method: cluster_mass, cluster_z: 3}} #!\n",
         field="questions.parcels.inference.method", what="the question asks of parcels", expected="one of voxel, fdr"),
    Case(id="enhancement of nodes", old="questions:\n", new=f"{NODES}    inference: {{method: tfce}} #!\n",
         field="questions.nodes.inference.method", what="the question asks of nodes", expected="one of voxel, fdr"),
    Case(id="random field of edges", old="questions:\n", new=f"{EDGES}    inference: {{method: random_field}} #!\n",
         field="questions.edges.inference.method", what="needs a map of voxels, and the question asks of edges",
         expected="one of voxel, tfce, cluster_mass, cluster_extent, fdr"),
    Case(id="parcels with gaps", old="questions:\n", new=f"{PARCELS}    inference: {{min_coverage: 0.9}} #!\n",
         field="questions.parcels.inference.min_coverage", what="only voxels of a map", found="0.9"),
    Case(base="unknown", id="variances of one group", old=PAIRED, new=f"{PAIRED}\n    inference: {{statistic: v}} #!",
         field="questions.mean.inference.statistic", what="compares variances of groups", found="v", expected="t"),
    Case(base="unknown", id="ranks of one group", old=PAIRED, new=f"{PAIRED}\n    inference: {{statistic: rank}} #!",
         field="questions.mean.inference.statistic", what="the same mean whatever the data", found="rank"),
    Case(base="unknown", id="places in one group", old=PAIRED, new=f"{PAIRED}\n    inference: {{shuffle: permute}} #!",
         field="questions.mean.inference.shuffle", what="changing places changes nothing", expected="sign_flip"),
    Case(base="unknown", id="blocks of signs", old=PAIRED, new=f"{PAIRED}\n    inference: {{shuffle_within: [site]}} #!",
         field="questions.mean.inference.shuffle_within", what="nobody changes places", found="[site]"),
]  # fmt: skip

FAMILIES = [
    Case(id="family of no question", old="inference:\n", new="families:\n  acute: {} #!\ninference:\n", field="families.acute",
         what="no question belongs to this family", found="acute", expected="'family: acute' in a question"),
    Case(id="misspelt family", old="inference:\n", new="families:\n  acut: {} #!\n  acute: {}\ninference:\n", field="families.acut",
         what="no question belongs to this family", expected="questions name acute"),
    Case(id="family with a made-up correction", old="inference:\n", new="families:\n  acute: {correction: sidak} #!\ninference:\n",
         field="families.acute.correction", what="not one of the choices", expected="one of none, joint_maximum"),
    Case(id="maximum of one question", old="inference:\n", new="families:\n  acute:\n    correction: joint_maximum #!\ninference:\n",
         field="families.acute.correction", what="over several questions", found="one, acute", expected="at least 2"),
    Case(id="maximum over two estimators", old="inference:\n", new="families:\n  acute:\n    correction: joint_maximum #!\ninference:\n",
         field="families.acute.correction", what="the same 'estimator' in every question", found="acute ancova, dmpfc change"),
    Case(id="maximum over two seeds", old="inference:\n  n_permutations: 1000",
         new="families:\n  acute:\n    correction: joint_maximum #!\ninference:\n  n_permutations: 1000",
         field="families.acute.correction", what="the same 'seed' in every question", found="acute 7, dmpfc 0"),
    Case(id="maximum without shuffling", old="inference:\n", new="families:\n  acute:\n    correction: joint_maximum #!\ninference:\n  method: fdr\n",
         field="families.acute.correction", what="comes from shuffling, and 'acute' is answered without", found="method fdr"),
]  # fmt: skip

# What has to change elsewhere for the one mistake to stand alone.
ANCOVA = ("estimator: change", "estimator: ancova")
SEED = (MAP, f"{MAP}\n    inference: {{n_permutations: 1000, seed: 7}}")
ALSO = {
    "scan missing in a period": [("    task: rest\n", "    task: rest\n    sessions: [one]\n")],
    "arms of one treatment": [("      treatment: placebo\n", "      treatment: ketamine\n")],
    "misspelt family": TWO[:1],
    "family with a made-up correction": TWO[:1],
    "maximum of one question": TWO[:1],
    "maximum over two estimators": TWO,
    "maximum over two seeds": [*TWO, ANCOVA, SEED],
    "maximum without shuffling": [*TWO, ANCOVA],
}
ALL = FIELDS + TRIAL + ANALYSIS + QUESTIONS + INFERENCE + FAMILIES


def _broken(case):
    text = BASES[case.base]
    for old, new in ALSO.get(case.id, ()):
        assert old in text
        text = text.replace(old, new, 1)
    assert case.old in text
    return text.replace(case.old, case.new, 1)


def _problems(tmp_path, text):
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    return caught.value.problems


@pytest.mark.parametrize("base", BASES)
def test_bases_are_sound(tmp_path, base):
    path = tmp_path / "trial.yaml"
    path.write_text(BASES[base], encoding="utf-8")

    assert read_protocol(path).name == "demo"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_one_mistake_is_told_at_its_place(tmp_path, case):
    text = _broken(case)
    marked = [number for number, line in enumerate(text.splitlines(), 1) if "#!" in line]

    problems = _problems(tmp_path, text)

    problem = next(item for item in problems if item.field == case.field)
    assert case.what in problem.what
    assert case.found is None or case.found == problem.found
    assert case.expected is None or case.expected in (problem.expected or "")
    assert problem.file is not None
    assert problem.file.endswith("trial.yaml")
    if marked:
        assert [problem.line] == marked
    if case.id not in ALONG:
        assert len(problems) == 1, "\n".join(map(str, problems))


# Mistakes that cannot stand alone: another section depends on the part that is wrong.
ALONG = {
    "three arms in a contrast",  # the third is no arm either
    "regions and parcels",  # and one region is no pair
    "one region",  # and the edge asked for is gone
    "arms of one treatment",  # three questions ask of these arms
    "maximum without shuffling",  # of either question
}


def test_ids_are_unique():
    ids = [case.id for case in ALL]

    assert len(ids) == len(set(ids)) >= 40


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(tmp_path):
    text = (
        PARALLEL.replace("unit: mg/kg\n", "unit: ug/kg\n")
        .replace("treatment: ketamine", "treatment: ketamin")
        .replace("seed: pgacc\n    denoising", "seed: sgacc\n    denoising")
        .replace("estimator: change", "estimatr: change")
        .replace("n_permutations: 1000", "n_permutations: ten")
    )

    problems = _problems(tmp_path, text)

    assert [problem.field for problem in problems] == [
        "treatments.ketamine.doses[0].unit",
        "design.arms.ketamine.treatment",
        "measures.map.seed",
        "questions.dmpfc.estimator",
        "questions.dmpfc.estimatr",
        "inference.n_permutations",
    ]
    lines = [problem.line for problem in problems]
    assert lines == sorted(lines)


def test_messages_are_free_of_jargon(tmp_path):
    for case in ALL:
        for problem in _problems(tmp_path, _broken(case)):
            message = str(problem).lower()
            for word in (
                "pydantic",
                "nonetype",
                "dict_",
                "dictionary",
                "tuple",
                "instance",
                "input",
                "valid ",
            ):
                assert word not in message
