# ruff: noqa: E501 - a table: one paragraph per broken protocol
"""Estimators, blockade, scales, associations, families, populations: every contradiction is told
once, in these words, at its line."""

import copy
import re
from dataclasses import dataclass

import pytest
import yaml

from phmri.exceptions import ProtocolError
from phmri.protocol import Inference, Protocol, inference_of, protocol_sha256, read_protocol
from phmri.protocol._references import check_references

PARALLEL = """\
phmri: 1
name: demo
title: A trial
drugs: {ketamine: {}}
treatments: {placebo: {}, ketamine: {}, both: {}, pill: {}}
design:
  kind: parallel
  strata: [sex]
  arms:
    placebo: {treatment: placebo}
    ketamine: {treatment: ketamine}
    both: {treatment: both}
    pill: {treatment: pill}
sessions:
  pre: {phase: baseline}
  infusion: {phase: acute}
  day: {phase: sustained, hours_after: 24}
scans:
  rest: {task: rest}
  early: {task: rest2, sessions: [pre, infusion]}
  once: {task: rest3, sessions: [infusion]}
scales:
  total:
    columns: [total]
    minimum: 0
    maximum: 92
    sessions: [pre, infusion, day]
  items:
    columns: [a, b, c]
    subscales: {low: [a, b]}
    minimum: 3
    maximum: 12
    item_minimum: 1
    item_maximum: 4
    missing_items: prorate
    min_items_answered: 0.6
    sessions: [infusion]
space: MNI152NLin6Asym
regions:
  seed: {kind: sphere, center_mm: [0, 50, 2], radius_mm: 6, space: MNI152NLin6Asym}
  place: {kind: sphere, center_mm: [0, 0, 2], radius_mm: 6, space: MNI152NLin6Asym}
denoising:
  plain: {strategy: 6motion}
measures:
  map: {kind: seed_to_voxel, scan: rest, seed: seed, denoising: plain}
  short: {kind: seed_to_voxel, scan: early, seed: seed, denoising: plain}
  single: {kind: seed_to_voxel, scan: once, seed: seed, denoising: plain}
intercurrent_events:
  stopped:
    column: stopped
    value: "yes"
    strategy: treatment_policy
  aborted:
    column: aborted
    value: "yes"
    sessions: [infusion]
    measures: [total]
    strategy: composite
    composite_value: 92
  mistaken:
    column: mistaken
    value: "yes"
    strategy: exclude
populations:
  all: {}
  completers:
    exclude_events: [stopped]
    exclude_missing: true
questions:
  first:
    text: Does it?
    role: primary
    family: gate
    measure: map
    contrast: [ketamine, placebo]
    session: infusion
    baseline: pre
    estimator: ancova
    populations: [all, completers]
  second:
    text: Is it blocked?
    role: primary
    family: gate
    measure: map
    contrast: [ketamine, both]
    session: infusion
    baseline: pre
    estimator: clda
    degrees_of_freedom: satterthwaite
    inference: {method: holm}
    blockade:
      reference: placebo
      pretreated_reference: pill
      margin: 0.1
  third:
    text: Does it last?
    role: secondary
    family: gate
    measure: map
    contrast: [ketamine, placebo]
    session: day
    baseline: pre
    estimator: mixed
    errors: cr2
    where: {mean_of: place}
    persistence: {early: infusion}
  score:
    text: Do they feel it?
    role: secondary
    family: scores
    measure: total
    contrast: [ketamine, placebo]
    session: infusion
    baseline: pre
    estimator: mmrm
  part:
    text: Do they feel low?
    role: secondary
    family: scores
    measure: items
    map: low
    contrast: [ketamine, placebo]
    session: infusion
    estimator: post
    errors: hc3
associations:
  goes_with:
    text: Does it go with the score?
    role: exploratory
    measure: map
    where: {within: place}
    scale: total
    session: infusion
    baseline: pre
    groups: [ketamine, both]
    partial: [mean_fd, age]
    prediction: {folds: 5}
  part_of:
    text: Does it go with a part of the score?
    role: exploratory
    measure: map
    where: {mean_of: place}
    scale: items
    subscale: low
    session: infusion
    method: spearman
    prediction: {folds: 5, model: ols}
families:
  gate:
    correction: graph
    weights: {first: 0.5, second: 0.5}
    transitions:
      first: {second: 0.5, third: 0.5}
      second: {first: 1}
  scores:
    correction: fixed_sequence
    sequence: [score, part]
inference:
  n_permutations: 1000
"""

CROSSOVER = """\
phmri: 1
name: demo
title: A trial
drugs: {ketamine: {}}
treatments: {saline: {}, ketamine: {}, both: {}, pill: {}}
design:
  kind: crossover
  sequences:
    one: {treatments: [saline, ketamine, both]}
    two: {treatments: [ketamine, both, saline]}
    three: {treatments: [both, saline, ketamine]}
sessions:
  p1: {phase: acute, period: 1}
  p2: {phase: acute, period: 2}
  p3: {phase: acute, period: 3}
scans:
  rest: {task: rest}
scales:
  total:
    columns: [total]
    minimum: 0
    maximum: 92
space: MNI152NLin6Asym
parcellations: {table: {}}
denoising: {none: {strategy: none}}
measures:
  mean: {kind: roi_to_roi, scan: rest, parcels: table, summary: global, denoising: none}
questions:
  blocked:
    text: Is it?
    role: primary
    measure: mean
    contrast: [ketamine, both]
    estimator: mixed
    blockade:
      reference: saline
associations:
  felt:
    text: Does it go with the score?
    role: exploratory
    measure: mean
    scale: total
    contrast: [ketamine, saline]
inference:
  method: tfce
"""

PAIRED = """\
phmri: 1
name: demo
title: A trial
drugs: {ketamine: {}}
treatments: {saline: {}, ketamine: {}}
design:
  kind: crossover
  order: unknown
  sequences:
    one: {treatments: [saline, ketamine]}
    two: {treatments: [ketamine, saline]}
sessions:
  a: {phase: acute, treatment: saline}
  b: {phase: acute, treatment: ketamine}
scans:
  rest: {task: rest}
space: MNI152NLin6Asym
parcellations: {table: {}}
denoising: {none: {strategy: none}}
measures:
  mean: {kind: roi_to_roi, scan: rest, parcels: table, summary: global, denoising: none}
questions:
  paired:
    text: Is it?
    role: primary
    measure: mean
    contrast: [ketamine, saline]
    estimator: crossover
"""
BASES = {"parallel": PARALLEL, "crossover": CROSSOVER, "paired": PAIRED}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Replace `old` by `new`, in which ``#!`` marks the line of the one problem."""

    id: str
    old: str
    new: str
    field: str
    says: str
    base: str = "parallel"
    n: int = 1


FIRST = "    baseline: pre\n    estimator: ancova\n"
CLDA = (
    "    estimator: clda\n    degrees_of_freedom: satterthwaite\n    inference: {method: holm}\n"
)
HOLM = "    inference: {method: holm}\n"
THIRD = "    estimator: mixed\n    errors: cr2\n    where: {mean_of: place}\n"
SCORE = "    measure: total\n"
PART = "    measure: items\n    map: low\n"
POST = "    estimator: post\n    errors: hc3\n"
WITHIN = "    where: {within: place}\n"
REFITTED = "expected an 'inference' of this question, in it as 'method' one of fdr, holm"

ESTIMATORS = [
    Case(id="baseline of mmrm", old="    baseline: pre\n    estimator: mmrm", new="    estimator: mmrm", field="questions.score",
         says="the estimator 'mmrm' needs the key 'baseline'; expected 'baseline' with the label of a session"),
    Case(id="mixed of one session", old="    measure: map\n    contrast: [ketamine, placebo]\n    session: day\n    baseline: pre\n    estimator: mixed\n    errors: cr2\n    where: {mean_of: place}\n    persistence: {early: infusion}\n",
         new="    measure: single\n    contrast: [ketamine, placebo]\n    session: infusion\n    estimator: mixed #!\n    where: {mean_of: place}\n", field="questions.third.estimator",
         says="this estimator needs two sessions or more, and there is one; found infusion; expected one of ancova, change, post"),
    Case(id="sandwich of a mixed model", old="errors: cr2", new="errors: hc3 #!", field="questions.third.errors",
         says="the estimator 'mixed' has no such standard errors; found hc3; expected model, or as 'estimator' one of ancova, change, post"),
    Case(id="clusters of one row", old="errors: hc3", new="errors: cr2 #!", field="questions.part.errors",
         says="the estimator 'post' has no such standard errors; found cr2; expected model, or as 'estimator' one of mixed, mmrm, clda"),
    Case(id="degrees of freedom of ancova", old=FIRST, new=FIRST + "    degrees_of_freedom: satterthwaite #!\n", field="questions.first.degrees_of_freedom",
         says="this has no effect with the estimator 'ancova'; found satterthwaite; "
         "expected no key 'degrees_of_freedom', or as 'estimator' one of mixed, mmrm, clda with the errors of the model"),
    Case(id="degrees of freedom of clusters", old="    errors: cr2\n", new="    errors: cr2\n    degrees_of_freedom: satterthwaite #!\n", field="questions.third.degrees_of_freedom",
         says="this has no effect with the errors 'cr2'; found satterthwaite; "
         "expected no key 'degrees_of_freedom', or as 'estimator' one of mixed, mmrm, clda with the errors of the model"),
    Case(id="shuffling a mixed model", old=HOLM, new="", field="questions.second",
         says="no maximum under shuffling or random field is known with estimator clda; found 'method: voxel' in the protocol's 'inference'; " + REFITTED),
    Case(id="shuffling with robust errors", old=FIRST, new=FIRST + "    errors: hc3\n", field="questions.first",
         says="no maximum under shuffling or random field is known with errors hc3; found 'method: voxel' in the protocol's 'inference'; " + REFITTED),
    Case(id="random field of a mixed model", old=HOLM, new="    inference: {method: random_field} #!\n", field="questions.second.inference.method",
         says="no maximum under shuffling or random field is known with estimator clda; found random_field; expected one of fdr, holm"),
    Case(id="one number shuffled by its own wish", old=THIRD, new=THIRD + "    inference: {method: voxel} #!\n", field="questions.third.inference.method",
         says="no maximum under shuffling or random field is known with estimator mixed; found voxel; expected one of fdr, holm"),
    Case(id="ranks of a mixed model", old=HOLM, new="    inference: {method: holm, statistic: rank} #!\n", field="questions.second.inference.statistic",
         says="the statistic with estimator clda is the t of its model; found rank; expected t"),
    Case(id="shuffling without effect", old=HOLM, new="    inference: {method: holm, stop_after: 20} #!\n", field="questions.second.inference.stop_after",
         says="this has no effect with the method 'holm'; found 20; expected no key 'stop_after', or as 'method' one of voxel, tfce, cluster_mass, cluster_extent"),
    Case(base="crossover", id="unstructured periods", old="estimator: mixed", new="estimator: clda #!", field="questions.blocked.estimator",
         says="this estimator needs a parallel design, and the design is a crossover; found clda; expected one of crossover, mixed"),
    Case(base="paired", id="periods of unknown order", old="estimator: crossover", new="estimator: mixed #!", field="questions.paired.estimator",
         says="this estimator needs a recorded order, and the design is a crossover of unknown order; found mixed; expected crossover"),
]  # fmt: skip

BLOCKADE = [
    Case(id="reference unknown", old="reference: placebo", new="reference: plazebo #!", field="questions.second.blockade.reference",
         says="this arm is not declared; found plazebo; expected one of placebo, ketamine, both, pill (did you mean placebo?)"),
    Case(id="reference in the contrast", old="reference: placebo", new="reference: both #!", field="questions.second.blockade.reference",
         says="'contrast' names this already; a blockade compares different ones; found both; "
         "expected contrast [drug, pretreated drug], and a reference beside them"),
    Case(id="reference twice", old="pretreated_reference: pill", new="pretreated_reference: placebo #!", field="questions.second.blockade.pretreated_reference",
         says="'reference' names this already; a blockade compares different ones; found placebo; "
         "expected contrast [drug, pretreated drug], and a reference beside them"),
    Case(id="margin of nothing", old="margin: 0.1", new="margin: 0 #!", field="questions.second.blockade.margin",
         says="out of range; found 0; expected a number above 0"),
    Case(id="margin left empty", old="margin: 0.1", new="margin: #!", field="questions.second.blockade.margin",
         says="the margin has no number; found nothing; expected a number above 0, or no key 'margin'"),
    Case(base="crossover", id="margin that is null", old="reference: saline", new="reference: saline\n      margin: null #!", field="questions.blocked.blockade.margin",
         says="the margin has no number; found nothing; expected a number above 0, or no key 'margin'"),
    Case(id="no reference", old="      reference: placebo\n", new="", field="questions.second.blockade.reference",
         says="the key 'reference' is missing; expected a text"),
    Case(id="ranks of a blockade", old=FIRST, new=FIRST + "    persistence: {early: day}\n    inference: {statistic: v} #!\n", field="questions.first.inference.statistic",
         says="the statistic with persistence is the t of its model; found v; expected t", n=3),
    Case(id="persistence in two models", old=FIRST, new=FIRST + "    persistence: {early: day} #!\n", field="questions.first.persistence",
         says="both sessions need to be in one model; found estimator ancova; expected estimator mixed, mmrm or clda", n=2),
    Case(base="crossover", id="treatment of no sequence", old="      reference: saline\n", new="      reference: pill\n", field="questions.blocked.blockade",
         says="no sequence holds all these treatments, so nobody tells them apart; found [ketamine, both, pill]; expected treatments of one sequence; "
         "or 'reference_drug', the drug alone as it was compared with the reference in other people"),
    Case(base="crossover", id="persistence in a crossover", old="    estimator: mixed\n", new="    estimator: mixed\n    persistence: {early: p1} #!\n", field="questions.blocked.persistence",
         says="a crossover question has no sessions of which one could be the early one; found a mapping with the keys early; expected no key 'persistence'"),
    Case(id="blockade and persistence", old="    blockade:\n", new="    persistence: {early: day} #!\n    blockade:\n", field="questions.second.persistence",
         says="a question is about blockade or about persistence; found both; expected two questions", n=2),
    Case(id="early is late", old="early: infusion", new="early: day", field="questions.third.persistence.early",
         says="the early session is the one whose effect is asked about; found day; expected another session than 'session'"),
    Case(id="early after the effect", old="session: day\n    baseline: pre\n    estimator: mixed\n    errors: cr2\n    where: {mean_of: place}\n    persistence: {early: infusion}",
         new="session: infusion\n    baseline: pre\n    estimator: mixed\n    errors: cr2\n    where: {mean_of: place}\n    persistence: {early: day}", field="questions.third.persistence.early",
         says="the early session comes after the one whose effect is asked about (acute comes before sustained); found day; expected a session before infusion"),
    Case(id="early by its hours", old="  infusion: {phase: acute}", new="  infusion: {phase: sustained, hours_after: 30}", field="questions.third.persistence.early",
         says="the early session comes after the one whose effect is asked about (by their 'hours_after'); found infusion; expected a session before day"),
    Case(id="early by the order", old="  infusion: {phase: acute}\n  day: {phase: sustained, hours_after: 24}", new="  day: {phase: acute}\n  infusion: {phase: acute}", field="questions.third.persistence.early",
         says="the early session comes after the one whose effect is asked about (by the order of 'sessions'); found infusion; expected a session before day"),
    Case(id="early before treatment", old="early: infusion", new="early: pre", field="questions.third.persistence.early",
         says="a session of phase baseline cannot be the early session of a question; found pre; expected one of infusion, day"),
    Case(id="early unknown", old="early: infusion", new="early: infuson", field="questions.third.persistence.early",
         says="this session is not declared; found infuson; expected one of pre, infusion, day (did you mean infusion?)"),
    Case(id="early not scanned", old="  rest: {task: rest}", new="  rest: {task: rest, sessions: [pre, infusion]}", field="questions.third.session",
         says="the scan 'rest' of this measure is not acquired in session day; found day; expected one of pre, infusion"),
]  # fmt: skip

SCALES = [
    Case(id="scale called as a measure", old="  map: {kind", new="  To_tal: {kind: seed_to_voxel, scan: rest, seed: seed, denoising: plain}\n  map: {kind", field="scales.total",
         says="this name and 'To_tal' of measures become the same in file names; found total; expected names that differ in more than underscores and capitals"),
    Case(id="subscale of none", old="    map: low\n", new="    map: high #!\n", field="questions.part.map",
         says="the scale has no such subscale; found high; expected low"),
    Case(id="subscale of one score", old=SCORE, new=SCORE + "    map: low #!\n", field="questions.score.map",
         says="the scale has no such subscale; found low; expected no key 'map'"),
    Case(id="place of a scale", old=SCORE, new=SCORE + "    where: {mean_of: place} #!\n", field="questions.score.where",
         says="a scale has no images, and so no 'where'; found a mapping with the keys mean_of; expected no key 'where'"),
    Case(id="denoising of a scale", old=SCORE, new=SCORE + "    denoising: plain #!\n", field="questions.score.denoising",
         says="a scale has no images, and so no 'denoising'; found plain; expected no key 'denoising'"),
    Case(id="enhancement of a scale", old=POST, new="    estimator: post\n    inference: {method: tfce} #!\n", field="questions.part.inference.method",
         says="the method 'tfce' needs outcomes with neighbours, and the question asks of one number; found tfce; expected one of voxel, fdr, holm"),
    Case(id="scale not rated", old=PART + "    contrast: [ketamine, placebo]\n    session: infusion\n", new=PART + "    contrast: [ketamine, placebo]\n    session: day #!\n", field="questions.part.session",
         says="the scale 'items' is not rated in session day; found day; expected infusion"),
    Case(id="scale of nothing", old=SCORE, new="    measure: totl #!\n", field="questions.score.measure",
         says="this measure is not declared; found totl; expected one of map, short, single, total, items (did you mean total?)"),
    Case(id="item range", old="item_maximum: 4", new="item_maximum: 5 #!", field="scales.items.item_maximum",
         says="3 items of this maximum do not add up to the maximum of the score; found 3 times 5 is 15, maximum 12; expected the score's range as the sum of the items' ranges"),
    Case(id="empty item range", old="item_maximum: 4", new="item_maximum: 1 #!", field="scales.items.item_maximum", n=2,
         says="the range of the items is empty; found 1 to 1; expected 'item_minimum' below 'item_maximum'"),
    Case(id="prorating how many", old="    min_items_answered: 0.6\n", new="", field="scales.items.missing_items",
         says="prorating needs the fraction of items that must be answered; found prorate; expected 'min_items_answered' of the scale's own manual"),
    Case(id="prorating refused", old="missing_items: prorate", new="missing_items: refuse", field="scales.items.min_items_answered",
         says="this has no effect where missing items are refused; found 0.6; expected 'missing_items: prorate', or no key 'min_items_answered'"),
    Case(id="prorating one item", old="    columns: [total]\n", new="    columns: [total]\n    missing_items: prorate #!\n    min_items_answered: 1\n", field="scales.total.missing_items",
         says="one column has no other items to take the place of a missing one; found prorate; expected the items in 'columns', or 'missing_items: refuse'"),
    Case(id="subscale of other items", old="{low: [a, b]}", new="{low: [a, d]} #!", field="scales.items.subscales.low[1]",
         says="this item of the scale is not declared; found d; expected one of a, b, c"),
    Case(id="subscale of reserved name", old="{low: [a, b]}", new="{low: [a, b], score: [a]} #!", field="scales.items.subscales.score",
         says="the table of scores has a column of this name already; found score; expected a name other than one of participant, session, score"),
    Case(id="subscale with underscore", old="{low: [a, b]}", new="{low: [a, b], lo_w: [a]} #!", field="scales.items.subscales.lo_w",
         says="a character that a name cannot hold; found lo_w; expected letters and digits only"),
]  # fmt: skip

ESTIMANDS = [
    Case(id="population unknown", old="[all, completers]", new="[all, completrs] #!", field="questions.first.populations[1]",
         says="this population is not declared; found completrs; expected one of all, completers (did you mean completers?)"),
    Case(id="population twice", old="[all, completers]", new="[all, all] #!", field="questions.first.populations[1]",
         says="this population is listed twice; found all; expected once"),
    Case(id="event unknown", old="exclude_events: [stopped]", new="exclude_events: [stoppd] #!", field="populations.completers.exclude_events[0]",
         says="this intercurrent event is not declared; found stoppd; expected one of stopped, aborted, mistaken (did you mean stopped?)"),
    Case(id="event excluded already", old="exclude_events: [stopped]", new="exclude_events: [mistaken] #!", field="populations.completers.exclude_events[0]",
         says="participants with this event are left out of every population already; found mistaken; expected an event of another strategy, or no such entry"),
    Case(id="event before treatment", old="    sessions: [infusion]\n    measures: [total]", new="    sessions: [pre] #!\n    measures: [total]", field="intercurrent_events.aborted.sessions[0]",
         says="an intercurrent event comes after the start of treatment; found pre; expected one of infusion, day"),
    Case(id="event of no measure", old="    measures: [total]", new="    measures: [totla] #!", field="intercurrent_events.aborted.measures[0]", n=2,
         says="this measure is not declared; found totla; expected one of map, short, single, total, items (did you mean total?)"),
    Case(id="composite of images", old="    measures: [total]", new="    measures: [total, map] #!", field="intercurrent_events.aborted.measures",
         says="a composite is a score: an image has no worst value; found [total, map]; expected scales alone in 'measures', and another event for the images"),
    Case(id="composite of everything", old="    measures: [total]\n    strategy: composite", new="    strategy: composite #!", field="intercurrent_events.aborted.strategy",
         says="a composite is a score: an image has no worst value; found all measures; expected scales alone in 'measures', and another event for the images"),
    Case(id="composite of no value", old="    composite_value: 92\n", new="", field="intercurrent_events.aborted.strategy",
         says="a composite needs the score that stands for the event; found composite; expected 'composite_value', e.g. the worst score"),
    Case(id="composite out of range", old="composite_value: 92", new="composite_value: 93 #!", field="intercurrent_events.aborted.composite_value",
         says="this is outside the range of the scale 'total'; found 93; expected 0 to 92"),
    Case(id="value of another strategy", old="    strategy: exclude\n", new="    strategy: exclude\n    composite_value: 1 #!\n", field="intercurrent_events.mistaken.composite_value",
         says="this has no effect with the strategy 'exclude'; found 1; expected 'strategy: composite', or no key 'composite_value'"),
    Case(id="value that is a truth value", old='    column: stopped\n    value: "yes"', new="    column: stopped\n    value: true #!", field="intercurrent_events.stopped.value",
         says="a value of another kind; found the truth value true; expected a text; put it in quotes: 'true'"),
]  # fmt: skip

ASSOCIATIONS = [
    Case(id="association called as a question", old="  goes_with:\n", new="  fir_st:\n", field="associations.fir_st",
         says="this name and 'first' of questions become the same in file names; found fir_st; expected names that differ in more than underscores and capitals"),
    Case(id="scale unknown", old="    scale: total\n", new="    scale: totl #!\n", field="associations.goes_with.scale",
         says="this scale is not declared; found totl; expected one of total, items (did you mean total?)"),
    Case(id="score with a score", old="    measure: map\n" + WITHIN, new="    measure: items #!\n", field="associations.goes_with.measure",
         says="this measure is not declared; found items; expected one of map, short, single"),
    Case(id="association of no subscale", old="subscale: low", new="subscale: hgh #!", field="associations.part_of.subscale",
         says="this subscale of 'items' is not declared; found hgh; expected low"),
    Case(id="association of no session", old="    session: infusion\n    baseline: pre\n    groups", new="    groups", field="associations.goes_with",
         says="an association in a parallel trial needs the key 'session'; expected 'session' with the label of a session, or 'sessions' with two or more"),
    Case(id="association in a session without rating", old="    subscale: low\n    session: infusion\n", new="    subscale: low\n    session: day #!\n", field="associations.part_of.session",
         says="the scale 'items' is not rated in session day; found day; expected infusion"),
    Case(id="association of treatments in arms", old="    groups: [ketamine, both]\n", new="    contrast: [ketamine, placebo] #!\n", field="associations.goes_with.contrast",
         says="a difference within people needs a crossover, and the design is parallel; found [ketamine, placebo]; expected 'groups' with the arms whose participants count"),
    Case(n=3, id="repeated and not", old="    subscale: low\n    session: infusion\n", new="    subscale: low\n    sessions: [infusion, day]\n    session: infusion #!\n", field="associations.part_of.session",
         says="'session' is not for an association of several sessions; found infusion; expected 'session' or 'sessions', not both"),
    Case(n=2, id="repeated once", old="    subscale: low\n    session: infusion\n", new="    subscale: low\n    sessions: [infusion] #!\n", field="associations.part_of.sessions",
         says="one session holds one pair of each person, and nothing varies within; found [infusion]; expected two or more"),
    Case(n=2, id="repeated in a session without rating", old="    subscale: low\n    session: infusion\n", new="    subscale: low\n    sessions: [infusion, day] #!\n", field="associations.part_of.sessions[1]",
         says="the scale 'items' is not rated in session day; found day; expected infusion"),
    Case(n=3, id="repeated treatments in arms", old="    subscale: low\n    session: infusion\n", new="    subscale: low\n    treatments: [placebo, ketamine] #!\n    session: infusion\n", field="associations.part_of.treatments",
         says="treatments of one person need a crossover, and the design is parallel; found [placebo, ketamine]; expected 'sessions' with two labels or more"),
    Case(id="means of one session", old="    subscale: low\n", new="    subscale: low\n    session_means: true #!\n", field="associations.part_of.session_means",
         says="'session_means' is for an association of several sessions; found true; expected 'sessions' (parallel) or 'treatments' (crossover) with two or more"),
    Case(base="crossover", n=2, id="sessions of a crossover", old="    contrast: [ketamine, saline]\n", new="    sessions: [p1, p2] #!\n    contrast: [ketamine, saline]\n", field="associations.felt.sessions",
         says="'sessions' has no meaning in a crossover: the treatment says the session; found [p1, p2]; expected 'treatments' with two names or more"),
    Case(base="crossover", id="repeated unknown treatment", old="    scale: total\n    contrast: [ketamine, saline]\n", new="    scale: total\n    treatments: [ketamine, salin] #!\n", field="associations.felt.treatments[1]",
         says="this treatment is not declared; found salin; expected one of saline, ketamine, both, pill (did you mean saline?)"),
    Case(base="crossover", id="repeated treatments that nobody had together", old="    scale: total\n    contrast: [ketamine, saline]\n", new="    scale: total\n    treatments: [ketamine, pill] #!\n", field="associations.felt.treatments",
         says="no sequence holds this treatment with another of them, so nobody's pairs vary with it; found [ketamine, pill]; expected treatments that share a sequence"),
    Case(base="crossover", id="one repeated treatment that nobody had beside others", old="    scale: total\n    contrast: [ketamine, saline]\n", new="    scale: total\n    treatments: [ketamine, saline, pill] #!\n", field="associations.felt.treatments",
         says="no sequence holds this treatment with another of them, so nobody's pairs vary with it; found [pill]; expected treatments that share a sequence"),
    Case(id="truth in words", old="    subscale: low\n", new="    subscale: low\n    session_means: yes #!\n", field="associations.part_of.session_means",
         says="a value of another kind; found the text yes; expected true or false"),
    Case(id="association of no arm", old="[ketamine, both]\n    partial", new="[ketamine, bth] #!\n    partial", field="associations.goes_with.groups[1]",
         says="this arm is not declared; found bth; expected one of placebo, ketamine, both, pill (did you mean both?)"),
    Case(id="adjusted for a stratum", old="[mean_fd, age]", new="[mean_fd, sex] #!", field="associations.goes_with.partial[1]",
         says="the design holds this column already; found sex; expected columns other than the groups and the strata"),
    Case(id="least squares of a map", old="prediction: {folds: 5}", new="prediction: {folds: 5, model: ols}", field="associations.goes_with.prediction.model",
         says="least squares predicts from one number, and the association asks of voxels; found ols; expected one of ridge, 'where: {mean_of: REGION}'"),
    Case(id="one fold", old="prediction: {folds: 5}", new="prediction: {folds: 1} #!", field="associations.goes_with.prediction.folds",
         says="out of range; found 1; expected a number of 2 or more"),
    Case(id="random field of correlations", old=WITHIN, new=WITHIN + "    inference: {method: random_field} #!\n", field="associations.goes_with.inference.method",
         says="an association is answered by shuffling scores, or by its parametric p; found random_field; expected one of voxel, tfce, cluster_mass, cluster_extent, fdr, holm"),
    Case(id="ranks by the statistic", old=WITHIN, new=WITHIN + "    inference: {statistic: rank} #!\n", field="associations.goes_with.inference.statistic",
         says="an association has one statistic, the t of its correlation; found rank; expected t; ranks are 'method: spearman' of the association"),
    Case(id="signs of scores", old=WITHIN, new=WITHIN + "    inference: {shuffle: sign_flip} #!\n", field="associations.goes_with.inference.shuffle",
         says="scores change places; a sign cannot; found sign_flip; expected one of from_design, permute"),
    Case(id="further map of an association", old=WITHIN, new=WITHIN + "    map: bin05 #!\n", field="associations.goes_with.map",
         says="the measure has no such further map; found bin05; expected no key 'map'"),
    Case(base="crossover", id="association without treatments", old="    scale: total\n    contrast: [ketamine, saline]\n", new="    scale: total\n", field="associations.felt",
         says="an association in a crossover needs the key 'contrast'; expected two treatments, whose difference per person goes with that of the score; or 'treatments' with two or more"),
    Case(base="crossover", id="association of arms in a crossover", old="    scale: total\n", new="    scale: total\n    groups: [one] #!\n", field="associations.felt.groups",
         says="a crossover has no arms; found [one]; expected no key 'groups'; all participants who received both treatments count"),
    Case(base="crossover", id="association in a session of a crossover", old="    scale: total\n", new="    scale: total\n    session: p1 #!\n", field="associations.felt.session",
         says="'session' has no meaning in a crossover: the treatment says the session; found p1; expected no key 'session'"),
    Case(base="crossover", id="rating of one period", old="    maximum: 92\n", new="    maximum: 92\n    sessions: [p1, p2]\n", field="associations.felt.measure",
         says="the scale 'total' is not rated in session p3; found p3; expected one of p1, p2"),
]  # fmt: skip

WEIGHTS = "weights: {first: 0.5, second: 0.5}"
MAXIMUM = "    correction: joint_maximum #!\n"
SEQUENCE = "    correction: fixed_sequence\n    sequence: [score, part]\n"

FAMILIES = [
    Case(id="weights beyond alpha", old=WEIGHTS, new="weights: {first: 0.5, second: 0.6} #!", field="families.gate.weights",
         says="the shares of alpha add up to more than 1; found 1.1; expected 1 together, or less"),
    Case(id="weight of a stranger", old=WEIGHTS, new="weights: {first: 0.5, seconde: 0.5} #!", field="families.gate.weights.seconde",
         says="this question of the family is not declared; found seconde; expected one of first, second, third (did you mean second?)"),
    Case(id="no weights", old=f"    {WEIGHTS}\n", new="", field="families.gate",
         says="without a share of alpha to start from nothing is ever answered; found nothing; expected 'weights', question: share, together 1"),
    Case(id="negative weight", old=WEIGHTS, new="weights: {first: 0.5, second: -0.5} #!", field="families.gate.weights.second",
         says="out of range; found -0.5; expected a number of 0 or more"),
    Case(id="row beyond one", old="{second: 0.5, third: 0.5}", new="{second: 0.5, third: 0.7} #!", field="families.gate.transitions.first",
         says="the shares that 'first' hands on add up to more than 1; found 1.2; expected 1 together, or less"),
    Case(id="to itself", old="{second: 0.5, third: 0.5}", new="{first: 0.5, third: 0.5} #!", field="families.gate.transitions.first.first",
         says="a question hands its share on to others, not to itself; found first; expected other questions of the family"),
    Case(id="to a stranger", old="second: {first: 1}", new="second: {score: 1} #!", field="families.gate.transitions.second.score",
         says="this question of the family is not declared; found score; expected one of first, second, third"),
    Case(id="question without alpha", old="{second: 0.5, third: 0.5}", new="{second: 0.5}", field="families.gate.weights",
         says="no share of alpha can ever come to 'third', so that it is never answered; found no share to start from, and no question with a share hands one on to it; "
         "expected 'third' in 'weights', or in 'transitions' of a question that has or is handed a share"),
    Case(id="transition that hands on nothing", old="{second: 0.5, third: 0.5}", new="{second: 0.5, third: 0}", field="families.gate.weights",
         says="no share of alpha can ever come to 'third', so that it is never answered; found no share to start from, and no question with a share hands one on to it; "
         "expected 'third' in 'weights', or in 'transitions' of a question that has or is handed a share"),
    Case(id="question out of order", old="[score, part]", new="[score] #!", field="families.scores.sequence",
         says="a fixed sequence lists every question of the family; found without part; expected 'sequence' with all of them, the first one first"),
    Case(id="no sequence", old="    sequence: [score, part]\n", new="", field="families.scores",
         says="a fixed sequence lists every question of the family; found without score, part; expected 'sequence' with all of them, the first one first"),
    Case(id="sequence of another correction", old=SEQUENCE, new="    correction: holm\n    sequence: [score, part] #!\n", field="families.scores.sequence",
         says="this has no effect with the correction 'holm'; found [score, part]; expected 'correction: fixed_sequence', or no key 'sequence'"),
    Case(id="primary with exploratory", old="    text: Does it last?\n    role: secondary\n", new="    text: Does it last?\n    role: exploratory\n", field="families.gate.correction",
         says="exploratory questions cannot share an error rate with primary ones; found exploratory third; primary first, second; expected another family, or none, for the exploratory ones"),
    Case(id="two alphas", old=FIRST, new=FIRST + "    inference: {alpha: 0.01}\n", field="families.gate.correction",
         says="the questions of a family share one alpha; found first 0.01, second 0.05, third 0.05; expected one value"),
    Case(id="discoveries in a family", old=HOLM, new="    inference: {method: fdr}\n", field="families.gate.correction",
         says="a family keeps the chance of any false answer at alpha, and the method of 'second' does not; found method fdr; expected as 'method' one of holm, voxel or another that does"),
    Case(id="maximum of robust errors", old=SEQUENCE, new=MAXIMUM, field="families.scores.correction", n=3,
         says="a joint maximum comes from shuffling, and 'score' is answered without; found estimator mmrm; "
         "expected as 'method' one of voxel, tfce, cluster_mass, cluster_extent, or as 'correction' one of holm, hochberg, fixed_sequence, graph"),
    Case(id="family of one", old="    family: scores\n    measure: items\n", new="    measure: items\n", field="families.scores.correction", n=2,
         says="'fixed_sequence' is over several questions; found one, score; expected 'family' of the same name in at least 2 questions, or 'correction: none'"),
    Case(id="stray family", old="    role: exploratory\n    measure: map\n    where: {mean_of: place}\n", new="    role: exploratory\n    family: scors #!\n    measure: map\n    where: {mean_of: place}\n", field="associations.part_of.family",
         says="no other question belongs to this family, and it is not declared; found scors; expected one of gate, scores (did you mean scores?), or 'scors' in 'families'"),
]  # fmt: skip

ALL = ESTIMATORS + BLOCKADE + SCALES + ESTIMANDS + ASSOCIATIONS + FAMILIES


def _read(tmp_path, text):
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return read_protocol(path)


def _replaced(text, old, new):
    assert text.count(old) == 1, f"{text.count(old)} of {old}"
    return text.replace(old, new)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_one_mistake_is_told_in_these_words(tmp_path, case):
    text = _replaced(BASES[case.base], case.old, case.new)

    with pytest.raises(ProtocolError) as caught:
        _read(tmp_path, text)

    problems = caught.value.problems
    problem = next((item for item in problems if item.field == case.field), problems[0])
    said = "; ".join(
        f"{word}{item}"
        for word, item in (("", problem.what), ("found ", problem.found), ("expected ", problem.expected))
        if item is not None
    )  # fmt: skip
    assert (problem.field, said) == (case.field, case.says)
    lines = text.splitlines()
    marked = [number for number, line in enumerate(lines, 1) if "#!" in line]
    assert problem.line is not None
    assert [problem.line] == marked or not marked
    keys = re.sub(r"\[\d+\]", "", case.field).split(".")
    assert any(f"{key}:" in lines[problem.line - 1] for key in keys)
    assert len(problems) == case.n, "\n".join(map(str, problems))


def test_ids_are_unique():
    ids = [case.id for case in ALL]

    assert len(set(ids)) == len(ids) > 80


@pytest.mark.parametrize("base", BASES)
def test_bases_survive_the_way_through_python(tmp_path, base):
    protocol = _read(tmp_path, BASES[base])

    again = Protocol.model_validate(protocol.model_dump())
    typed = _read(tmp_path, yaml.safe_dump(protocol.model_dump(mode="json"), sort_keys=True))

    assert again == protocol == typed
    assert protocol_sha256(again) == protocol_sha256(protocol) == protocol_sha256(typed)


def test_mistakes_of_several_sections_are_told_at_once(tmp_path):
    cases = [ESTIMATORS[0], BLOCKADE[0], SCALES[8], ESTIMANDS[0], ASSOCIATIONS[1], FAMILIES[0]]
    text = PARALLEL
    for case in cases:
        text = _replaced(text, case.old, case.new)

    with pytest.raises(ProtocolError) as caught:
        _read(tmp_path, text)

    assert {item.field for item in caught.value.problems} == {case.field for case in cases}


def test_one_number_that_cannot_be_shuffled_keeps_its_own_pvalue(tmp_path):
    spatial = "inference:\n  n_permutations: 1000\n"
    settings = (
        "inference: {method: cluster_mass, cluster_p: 0.001, height: z, tail: gamma, "
        "shuffle_within: [site], alpha: 0.01, n_permutations: 1000}\n"
    )
    text = _replaced(PARALLEL, spatial, settings)
    text = _replaced(text, HOLM, "    inference: {method: holm, alpha: 0.01}\n")

    protocol = _read(tmp_path, text)

    holm = Inference(method="holm", alpha=0.01, n_permutations=1000)
    assert inference_of(protocol, "third") == holm  # a region, mixed
    assert inference_of(protocol, "score") == holm  # a scale, mmrm
    assert inference_of(protocol, "part") == holm  # a scale, hc3
    assert inference_of(protocol, "part_of") == Inference(
        alpha=0.01, n_permutations=1000, tail="gamma", shuffle_within=("site",)
    )  # an association of one number is shuffled
    assert inference_of(protocol, "first").method == "cluster_mass"
    assert inference_of(protocol, "goes_with").method == "cluster_mass"


def _places(value, path=()):
    """List every place of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


JUNK = [None, True, 5, "x", [], ["x", 1], {}, {"x": {"y": []}}]


@pytest.mark.parametrize(
    "section",
    ["scales", "intercurrent_events", "populations", "questions", "associations", "families"],
)
def test_malformed_parts_leave_the_checks_running(section):
    whole = yaml.safe_load(PARALLEL)
    for place, path in enumerate(_places(whole[section])):
        document = copy.deepcopy(whole)
        part = document[section]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = JUNK[place % len(JUNK)]  # all of them at every place were tried once

        findings = check_references(document)

        assert len(set(findings)) == len(findings)


def test_defaults(tmp_path):
    protocol = _read(tmp_path, CROSSOVER)
    question = protocol.questions["blocked"]

    assert (question.errors, question.degrees_of_freedom) == ("model", "kenward_roger")
    assert question.blockade.margin is None
    assert question.blockade.bayes_scale == pytest.approx(2**0.5 / 2)
    assert question.populations == ()
    assert protocol.associations["felt"].method == "pearson"


def test_composite_of_a_scale_says_nothing_of_the_subscale_that_is_asked(tmp_path):
    base = BASES[SCALES[0].base]
    text = _replaced(base, "    measures: [total]", "    measures: [items]")
    text = _replaced(text, "composite_value: 92", "composite_value: 4")
    with pytest.raises(ProtocolError, match="says nothing of a subscale; found low") as caught:
        _read(tmp_path, text)
    told = [problem.field for problem in caught.value.problems]
    assert told == ["questions.part.map", "associations.part_of.subscale"]
