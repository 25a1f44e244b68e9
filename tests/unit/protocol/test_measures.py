# ruff: noqa: E501 - a table: one paragraph per broken protocol
"""Measures and exposures: every contradiction is told once, in these words, at its line."""

import copy
import re
from dataclasses import dataclass
from typing import get_args

import pytest
import yaml

from phmri.exceptions import ProtocolError
from phmri.pharmacokinetics import find_model, model_names
from phmri.protocol import Measure, Protocol, protocol_sha256, read_protocol
from phmri.protocol._check_exposures import BUILT_IN_MODELS
from phmri.protocol._raw import gives_map

FULL = """\
phmri: 1
name: demo
title: A trial
drugs:
  ketamine: {}
  lamotrigine: {}
treatments:
  placebo: {}
  ketamine:
    doses:
      - {drug: ketamine, route: intravenous, amount: 0.12, unit: mg/kg, start_min: 0, duration_min: 1}
  both:
    doses:
      - {drug: lamotrigine, route: oral, amount: 300, unit: mg, start_min: -120}
      - {drug: ketamine, route: intravenous, amount: 0.12, unit: mg/kg, start_min: 0, duration_min: 1}
design:
  kind: parallel
  arms:
    placebo: {treatment: placebo}
    ketamine: {treatment: ketamine}
sessions:
  pre: {phase: baseline}
  infusion: {phase: acute}
  day: {phase: sustained}
scans:
  rest:
    task: rest
    start_min: {infusion: -5}
  nback:
    task: nback
    conditions: [zero_back, two_back]
space: MNI152NLin2009cAsym
regions:
  pgacc: {kind: sphere, center_mm: [0, 50, 2], radius_mm: 6, space: MNI152NLin2009cAsym}
  dmpfc: {kind: sphere, center_mm: [0, 50, 30], radius_mm: 6, space: MNI152NLin2009cAsym}
  column: {kind: series, columns: [a]}
parcellations:
  image: {file: parcels.nii.gz, space: MNI152NLin2009cAsym}
  table: {}
denoising:
  motion: {strategy: 6motion}
  motion_gsr: {strategy: 24motion_wmcsf_gsr}
  slow: {strategy: 6motion, highpass_hz: 0.008}
  narrow: {strategy: 6motion, highpass_hz: 0.02, lowpass_hz: 0.08}
  butter: {strategy: 6motion, highpass_hz: 0.008, filter: butterworth}
  without_task: {strategy: 6motion, task: remove}
exposures:
  plasma: {treatment: ketamine, drug: ketamine, model: domino}
  brain: {treatment: both, drug: ketamine, model: simons, analyte: norketamine, ke0_per_min: 0.35}
  pill: {treatment: both, drug: lamotrigine, model: hussein}
  own: {treatment: both, drug: lamotrigine, model: mine, samples: levels}
compartments:
  mine: {volumes_l: [25, 56], clearances_l_per_h: [84, 161], site: arterial, absorption_per_h: 2}
measures:
  edges: {kind: roi_to_roi, scan: rest, regions: [pgacc, dmpfc], denoising: butter}
  map: {kind: seed_to_voxel, scan: nback, seed: pgacc, denoising: without_task}
  within: {kind: seed_to_voxel, scan: nback, seed: pgacc, denoising: without_task, condition: two_back, min_effective_volumes: 20}
  parcels: {kind: seed_to_parcel, scan: rest, seed: pgacc, parcels: image, denoising: slow}
  blocks:
    kind: infusion
    scan: rest
    denoising: motion
    sensitivity: [motion_gsr]
    response: {model: pseudoblock, bin_s: 60, baseline_min: 5, window_min: [1, 15]}
    drift: {order: 1, max_overlap: 0.9}
  plasma:
    kind: infusion
    scan: rest
    denoising: motion
    response: {model: exposure, exposure: plasma}
    drift: {order: 0, max_overlap: 0.9}
  step: {kind: infusion, scan: rest, denoising: motion, response: {model: step}, drift: {max_overlap: 0.9}}
  ramp: {kind: infusion, scan: rest, denoising: motion, response: {model: ramp, end_min: 20}, drift: {max_overlap: 0.9}}
  gamma: {kind: infusion, scan: rest, denoising: motion, response: {model: gamma_variate, peak_min: 4, shape: 2}, drift: {max_overlap: 0.9}}
  family:
    kind: infusion
    scan: rest
    denoising: motion
    parcels: image
    response: {model: response_family, onset_min: [0, 2], delay_min: [1, 8], shape: [3, 3]}
    drift: {max_overlap: 0.9}
    noise: {kind: arma11}
  load:
    kind: task
    scan: nback
    denoising: slow
    contrast: {two_back: 1, zero_back: -1, "two_back:rt": 0}
    modulators: {two_back: [rt]}
    hrf: canonical_derivatives
  coupling: {kind: ppi, scan: nback, denoising: slow, seed: pgacc, contrast: {two_back: 1}}
  trials: {kind: beta_series, scan: nback, denoising: slow, seed: column, parcels: table, contrast: {two_back: 1}}
  alff: {kind: alff, scan: rest, denoising: motion, band_hz: [0.01, 0.1]}
  falff: {kind: falff, scan: rest, denoising: slow, band_hz: [0.01, 0.1]}
  reho: {kind: reho, scan: rest, denoising: motion, neighbours: 19}
  everywhere: {kind: global_connectivity, scan: rest, denoising: motion, sensitivity: [motion_gsr]}
  hubs: {kind: degree_centrality, scan: rest, denoising: motion, threshold_r: 0.25}
  network: {kind: dual_regression, scan: rest, denoising: motion, networks: n.nii.gz, network: 3, space: MNI152NLin2009cAsym}
  serotonin: {kind: receptor_maps, scan: rest, denoising: motion, maps: {ht2a: a.nii.gz, ht1a: b.nii.gz}, receptor: ht2a, space: MNI152NLin2009cAsym}
  follows: {kind: exposure_connectivity, scan: rest, denoising: motion, seed: pgacc, exposure: plasma, window_s: 120, step_s: 60}
questions:
  acute:
    text: Does it?
    role: primary
    measure: blocks
    contrast: [ketamine, placebo]
    session: infusion
    estimator: post
    map: bin05
    denoising: motion_gsr
  there:
    text: Does it there?
    role: secondary
    measure: family
    contrast: [ketamine, placebo]
    session: infusion
    estimator: post
    where: {at: A}
  coupled:
    text: Does it there?
    role: secondary
    measure: coupling
    contrast: [ketamine, placebo]
    session: day
    baseline: pre
    estimator: change
    where: {mean_of: dmpfc}
"""


_MEMBERS = get_args(get_args(Measure)[0])


@dataclass(frozen=True, kw_only=True)
class Case:
    """Replace `old` by `new`, in which ``#!`` marks the line of the one problem."""

    id: str
    old: str
    new: str
    field: str
    says: str


BLOCKS = "response: {model: pseudoblock, bin_s: 60, baseline_min: 5, window_min: [1, 15]}"
STEP = "response: {model: step}"
PLASMA = "plasma: {treatment: ketamine, drug: ketamine, model: domino}"
ALFF = "alff: {kind: alff, scan: rest, denoising: motion,"
COUPLED = (
    "    session: day\n    baseline: pre\n    estimator: change\n    where: {mean_of: dmpfc}\n"
)


def _moved(key, value):
    """Put another denoising into the pseudoblock measure."""
    return f"    {key}: {value} #!\n    sensitivity: [motion_gsr]\n    {BLOCKS}"


INFUSION = [
    Case(id="no time zero", old="    task: rest\n    start_min: {infusion: -5}\n", new="    task: rest\n", field="measures.blocks.scan",
         says="'scans.rest.start_min' does not say when the run begins; found nothing for infusion; expected minutes from time zero to the first volume, per session"),
    Case(id="begins with the infusion", old="{infusion: -5}", new="{infusion: 0} #!", field="scans.rest.start_min.infusion",
         says="the infusion starts before the scan: its response has no baseline; found 0 min; expected a run that begins before time zero (negative minutes)"),
    Case(id="begins after the infusion in a later session", old="{infusion: -5}", new="{infusion: -5, day: 3} #!", field="scans.rest.start_min.day",
         says="the infusion starts before the scan: its response has no baseline; found 3 min; expected a run that begins before time zero (negative minutes)"),
    Case(id="baseline before the run", old=BLOCKS, new=BLOCKS.replace("baseline_min: 5", "baseline_min: 6") + " #!", field="measures.blocks.response.baseline_min",
         says="the run of session infusion begins later than this baseline; found 6 min, 5 min before time zero; expected at most 5"),
    Case(id="bins longer than the time before", old=BLOCKS, new="response: {model: pseudoblock, bin_s: 301} #!", field="measures.blocks.response.bin_s",
         says="the bins are longer than the baseline in session infusion; found bins of 301 s, baseline of 300 s; expected at most 300"),
    Case(id="bins longer than the baseline asked for", old=BLOCKS, new="response: {model: pseudoblock, bin_s: 90, baseline_min: 1} #!", field="measures.blocks.response.bin_s",
         says="the bins are longer than the baseline in session infusion; found bins of 90 s, baseline of 60 s; expected at most 60"),
    Case(id="usual bins longer than the baseline", old=BLOCKS, new="response: {model: pseudoblock, baseline_min: 0.5} #!", field="measures.blocks.response.bin_s",
         says="the bins are longer than the baseline in session infusion; found bins of 60 s, baseline of 30 s; expected at most 30"),
    Case(id="window the wrong way round", old="window_min: [1, 15]", new="window_min: [15, 1]", field="measures.blocks.response.window_min",
         says="the first number must be below the second; found [15, 1]; expected [from, to]"),
    Case(id="empty window", old="window_min: [1, 15]", new="window_min: [2, 2]", field="measures.blocks.response.window_min",
         says="the first number must be below the second; found [2, 2]; expected [from, to]"),
    Case(id="window before the infusion", old="window_min: [1, 15]", new="window_min: [-1, 15]", field="measures.blocks.response.window_min[0]",
         says="out of range; found -1; expected a number of 0 or more"),
    Case(id="window of three numbers", old="window_min: [1, 15]", new="window_min: [1, 15, 30]", field="measures.blocks.response.window_min",
         says="too many entries; found [1, 15, 30]; expected at most 2 entries"),
    Case(id="onset before the infusion", old=STEP, new="response: {model: step, onset_min: -2}", field="measures.step.response.onset_min",
         says="out of range; found -2; expected a number of 0 or more"),
    Case(id="ramp of no length", old="end_min: 20", new="end_min: 3, onset_min: 3", field="measures.ramp.response.end_min",
         says="the response would be over before it starts; found onset_min 3, end_min 3; expected 'end_min' above 'onset_min'"),
    Case(id="peak before the onset", old="peak_min: 4", new="peak_min: 4, onset_min: 5", field="measures.gamma.response.peak_min",
         says="the response would be over before it starts; found onset_min 5, peak_min 4; expected 'peak_min' above 'onset_min'"),
    Case(id="range of onsets the wrong way round", old="onset_min: [0, 2]", new="onset_min: [2, 0]", field="measures.family.response.onset_min",
         says="the first number must be below the second; found [2, 0]; expected [from, to]"),
    Case(id="delay of nothing", old="delay_min: [1, 8]", new="delay_min: [0, 8]", field="measures.family.response.delay_min[0]",
         says="out of range; found 0; expected a number above 0"),
    Case(id="no model of the response", old=STEP, new="response: {onset_min: 1}", field="measures.step.response.model",
         says="the key 'model' is missing; expected one of pseudoblock, exposure, step, ramp, gamma_variate, response_family"),
    Case(id="unknown model of the response", old=STEP, new="response: {model: stepp}", field="measures.step.response.model",
         says="this value is not one of the choices; found stepp; expected one of pseudoblock, exposure, step, ramp, gamma_variate, response_family (did you mean step?)"),
    Case(id="key of another model", old=STEP, new="response: {model: step, bin_s: 60}", field="measures.step.response.bin_s",
         says="the key 'bin_s' is not known here; found bin_s; expected one of model, onset_min"),
    Case(id="drift without a limit", old="drift: {order: 0, max_overlap: 0.9}", new="drift: {order: 0}", field="measures.plasma.drift.max_overlap",
         says="the key 'max_overlap' is missing; expected a number"),
    Case(id="order of white noise", old="noise: {kind: arma11}", new="noise: {kind: white, order: 3} #!", field="measures.family.noise.order",
         says="noise of kind 'white' has no order; found 3; expected 'kind: ar', or no 'order'"),
    Case(id="unknown exposure", old="exposure: plasma}\n    drift", new="exposure: plasmaa}\n    drift", field="measures.plasma.response.exposure",
         says="this exposure is not declared; found plasmaa; expected one of plasma, brain, pill, own (did you mean plasma?)"),
    Case(id="connectivity of an unknown exposure", old="exposure: plasma, window_s", new="exposure: brian, window_s", field="measures.follows.exposure",
         says="this exposure is not declared; found brian; expected one of plasma, brain, pill, own (did you mean brain?)"),
]  # fmt: skip

DENOISING = [
    Case(id="high-pass of an infusion", old=f"    denoising: motion\n    sensitivity: [motion_gsr]\n    {BLOCKS}", new=_moved("denoising", "slow"), field="measures.blocks.denoising",
         says="'infusion' cannot use a denoising with this 'highpass_hz': the drug's signal is as slow as what this filter removes; found slow (highpass_hz: 0.008); expected a denoising without 'highpass_hz'"),
    Case(id="high-pass beside an infusion", old=f"sensitivity: [motion_gsr]\n    {BLOCKS}", new=f"sensitivity: [motion_gsr, slow] #!\n    {BLOCKS}", field="measures.blocks.sensitivity[1]",
         says="'infusion' cannot use a denoising with this 'highpass_hz': the drug's signal is as slow as what this filter removes; found slow (highpass_hz: 0.008); expected a denoising without 'highpass_hz'"),
    Case(id="task removed from a task", old="    scan: nback\n    denoising: slow", new="    scan: nback\n    denoising: without_task #!", field="measures.load.denoising",
         says="'task' models the conditions itself; found without_task (task: remove); expected 'task: keep'"),
    Case(id="task removed at rest", old="reho, scan: rest, denoising: motion", new="reho, scan: rest, denoising: without_task", field="measures.reho.denoising",
         says="it removes the task, and the scan 'rest' has no conditions; found without_task (task: remove); expected 'conditions' in the scan, or a denoising with 'task: keep'"),
    Case(id="butterworth for homogeneity", old="reho, scan: rest, denoising: motion", new="reho, scan: rest, denoising: butter", field="measures.reho.denoising",
         says="'reho' needs a filter that is a projection; found butter (filter: butterworth); expected 'filter: projection'"),
    Case(id="high-pass within the band", old=ALFF + " band_hz: [0.01, 0.1]", new=ALFF.replace("motion", "slow") + " band_hz: [0.005, 0.1]", field="measures.alff.denoising",
         says="'alff' cannot use a denoising with this 'highpass_hz': it cuts into the band, which begins at 0.005; found slow (highpass_hz: 0.008); expected a denoising without 'highpass_hz'"),
    Case(id="band the wrong way round", old=ALFF + " band_hz: [0.01, 0.1]", new=ALFF + " band_hz: [0.1, 0.01]", field="measures.alff.band_hz",
         says="the first number must be below the second; found [0.1, 0.01]; expected [from, to]"),
    Case(id="negative band", old=ALFF + " band_hz: [0.01, 0.1]", new=ALFF + " band_hz: [-0.01, 0.1]", field="measures.alff.band_hz[0]",
         says="out of range; found -0.01; expected a number above 0"),
    Case(id="own denoising beside it", old=f"sensitivity: [motion_gsr]\n    {BLOCKS}", new=f"sensitivity: [motion_gsr, motion] #!\n    {BLOCKS}", field="measures.blocks.sensitivity[1]",
         says="this is the measure's own denoising; found motion; expected others, to be shown beside it"),
    Case(id="denoising beside it twice", old=f"sensitivity: [motion_gsr]\n    {BLOCKS}", new=f"sensitivity: [motion_gsr, motion_gsr] #!\n    {BLOCKS}", field="measures.blocks.sensitivity[1]",
         says="this denoising is listed twice; found motion_gsr; expected once"),
    Case(id="unknown denoising beside it", old=f"sensitivity: [motion_gsr]\n    {BLOCKS}", new=f"sensitivity: [motion_gsr, motion_grs] #!\n    {BLOCKS}", field="measures.blocks.sensitivity[1]",
         says="this denoising is not declared; found motion_grs; expected one of motion, motion_gsr, slow, narrow, butter, without_task (did you mean motion_gsr?)"),
    Case(id="global signal never removed", old="motion, sensitivity: [motion_gsr]}\n  hubs", new="motion, sensitivity: [slow]} #!\n  hubs", field="measures.everywhere.sensitivity",
         says="global connectivity is shown with and without the global signal; found only denoisings without its removal; expected one of each among 'denoising' and 'sensitivity'"),
    Case(id="global signal always removed", old="motion, sensitivity: [motion_gsr]}\n  hubs", new="motion_gsr, sensitivity: [all]} #!\n  hubs", field="measures.everywhere.sensitivity",
         says="global connectivity is shown with and without the global signal; found only denoisings with its removal; expected one of each among 'denoising' and 'sensitivity'"),
    Case(id="global signal once", old="motion, sensitivity: [motion_gsr]}\n  hubs", new="motion}\n  hubs", field="measures.everywhere.sensitivity",
         says="the key 'sensitivity' is missing; expected a list"),
    Case(id="denoisings of one file name", old="  slow: {", new="  motiongsr: {strategy: 36p} #!\n  slow: {", field="denoising.motiongsr",
         says="this name and 'motion_gsr' become the same in file names; found motiongsr; expected names that differ in more than underscores and capitals"),
]  # fmt: skip

TASK = [
    Case(id="unknown condition", old="{two_back: 1, zero_back: -1,", new="{two_back: 1, zerback: -1,", field="measures.load.contrast.zerback",
         says="this condition is not declared; found zerback; expected one of zero_back, two_back, two_back:rt (did you mean zero_back?)"),
    Case(id="unknown condition of an interaction", old="seed: pgacc, contrast: {two_back: 1}", new="seed: pgacc, contrast: {tow_back: 1}", field="measures.coupling.contrast.tow_back",
         says="this condition is not declared; found tow_back; expected one of zero_back, two_back (did you mean two_back?)"),
    Case(id="unknown modulator", old='"two_back:rt": 0', new='"two_back:acc": 1', field="measures.load.contrast.two_back:acc",
         says="this condition is not declared; found two_back:acc; expected one of zero_back, two_back, two_back:rt (did you mean two_back?)"),
    Case(id="modulated by nobody", old="modulators: {two_back: [rt]}", new="modulators: {two_back: [rt], one_back: [rt]} #!", field="measures.load.modulators.one_back",
         says="this condition is not declared; found one_back; expected one of zero_back, two_back (did you mean two_back?)"),
    Case(id="modulated twice", old="modulators: {two_back: [rt]}", new="modulators: {two_back: [rt, rt]} #!", field="measures.load.modulators.two_back[1]",
         says="this column is listed twice; found rt; expected once"),
    Case(id="weights of nothing", old="seed: pgacc, contrast: {two_back: 1}", new="seed: pgacc, contrast: {two_back: 0, zero_back: 0.0}", field="measures.coupling.contrast",
         says="all weights are 0; found a mapping with the keys two_back, zero_back; expected at least one other"),
    Case(id="no weights", old="seed: pgacc, contrast: {two_back: 1}", new="seed: pgacc, contrast: {}", field="measures.coupling.contrast",
         says="too few entries; found {}; expected at least 1 entry"),
    Case(id="task at rest", old="kind: ppi, scan: nback", new="kind: ppi, scan: rest", field="measures.coupling.scan",
         says="'ppi' needs task conditions, and this scan has none; found rest; expected a scan with 'conditions'"),
    Case(id="blocks of an unknown condition", old="condition: two_back,", new="condition: tow_back,", field="measures.within.condition",
         says="this condition is not declared; found tow_back; expected one of zero_back, two_back (did you mean two_back?)"),
    Case(id="blocks of an unknown condition among several", old="condition: two_back,", new="condition: {two_back: 1, one_back: -1},", field="measures.within.condition.one_back",
         says="this condition is not declared; found one_back; expected one of zero_back, two_back (did you mean two_back?)"),
    Case(id="blocks of no weight", old="condition: two_back,", new="condition: {two_back: 0},", field="measures.within.condition",
         says="all weights are 0; found a mapping with the keys two_back; expected at least one other"),
    Case(id="blocks at rest", old="parcels: image, denoising: slow}", new="parcels: image, denoising: slow, condition: two_back}", field="measures.parcels.scan",
         says="'condition' needs task conditions, and this scan has none; found rest; expected a scan with 'conditions'"),
    Case(id="blocks after a filter that is no projection", old="denoising: without_task, condition: two_back", new="denoising: butter, condition: two_back", field="measures.within.condition",
         says="volumes can only be weighted after a filter that is a projection; found butter (filter: butterworth); expected 'filter: projection'"),
    Case(id="blocks beside such a filter", old="denoising: without_task, condition: two_back", new="denoising: without_task, sensitivity: [butter], condition: two_back", field="measures.within.condition",
         says="volumes can only be weighted after a filter that is a projection; found butter (filter: butterworth); expected 'filter: projection'"),
    Case(id="least of no blocks", old=" condition: two_back,", new="", field="measures.within.min_effective_volumes",
         says="this has no effect without a condition; found 20; expected 'condition' beside it"),
    Case(id="blocks of a number", old="condition: two_back,", new="condition: 2,", field="measures.within.condition",
         says="a value of another kind; found the number 2; expected a mapping: lines of 'key: value' below it"),
    Case(id="seed of an image, parcels of a table", old="seed: column, parcels: table", new="seed: pgacc, parcels: table", field="measures.trials",
         says="images and tabular time series cannot be correlated with each other; found from images: pgacc; from tables: table; expected one kind"),
    Case(id="seed of a table, voxels", old="seed: column, parcels: table", new="seed: column", field="measures.trials.seed",
         says="a region of tabular time series has no voxels around it; found column (kind: series); expected a region of an image, or 'parcels' ('seed_to_parcel' for a seed's map)"),
    Case(id="networks elsewhere", old="network: 3, space: MNI152NLin2009cAsym", new="network: 3, space: MNI152NLin6Asym", field="measures.network.space",
         says="this lies in another space than the data; templates differ by millimetres; found MNI152NLin6Asym; expected MNI152NLin2009cAsym, the protocol's 'space'"),
    Case(id="network before the first", old="network: 3,", new="network: 0,", field="measures.network.network",
         says="out of range; found 0; expected a number of 1 or more"),
    Case(id="unknown receptor", old="receptor: ht2a", new="receptor: ht2", field="measures.serotonin.receptor",
         says="this receptor is not declared; found ht2; expected one of ht2a, ht1a (did you mean ht2a?)"),
    Case(id="unknown kind of measure", old="kind: reho", new="kind: rehoo", field="measures.reho.kind",
         says="this value is not one of the choices; found rehoo; expected one of seed_to_voxel, seed_to_parcel, roi_to_roi, infusion, task, ppi, beta_series, alff, falff, reho, global_connectivity, degree_centrality, dual_regression, receptor_maps, exposure_connectivity (did you mean reho?)"),
]  # fmt: skip

EXPOSURE = [
    Case(id="treatment without the drug", old=PLASMA, new="plasma: {treatment: ketamine, drug: lamotrigine, model: hussein}", field="exposures.plasma.drug",
         says="the treatment 'ketamine' has no dose of this drug; found lamotrigine; expected ketamine"),
    Case(id="treatment without doses", old=PLASMA, new="plasma: {treatment: placebo, drug: ketamine, model: domino}", field="exposures.plasma.drug",
         says="the treatment 'placebo' has no dose of this drug; found ketamine; expected a treatment with doses"),
    Case(id="unknown treatment of a curve", old=PLASMA, new=PLASMA.replace("treatment: ketamine", "treatment: ketamin"), field="exposures.plasma.treatment",
         says="this treatment is not declared; found ketamin; expected one of placebo, ketamine, both (did you mean ketamine?)"),
    Case(id="unknown drug of a curve", old=PLASMA, new=PLASMA.replace("drug: ketamine", "drug: ketamin"), field="exposures.plasma.drug",
         says="this drug is not declared; found ketamin; expected one of ketamine, lamotrigine (did you mean ketamine?)"),
    Case(id="unknown drug model", old=PLASMA, new=PLASMA.replace("domino", "dominoe"), field="exposures.plasma.model",
         says="this drug model is not declared; found dominoe; expected one of domino, clements, kamp, simons, fanta_otto, perez_ruixo, hussein, mine (did you mean domino?)"),
    Case(id="oral dose in an intravenous model", old="drug: lamotrigine, model: hussein", new="drug: lamotrigine, model: domino", field="exposures.pill.model",
         says="'domino' knows no oral dose, and the treatment 'both' has one; found domino; expected a model with the route oral; this one has intravenous"),
    Case(id="infusion in an oral model", old=PLASMA, new=PLASMA.replace("domino", "hussein"), field="exposures.plasma.model",
         says="'hussein' knows no intravenous dose, and the treatment 'ketamine' has one; found hussein; expected a model with the route intravenous; this one has oral"),
    Case(id="oral dose without absorption", old=", absorption_per_h: 2}", new="}", field="exposures.own.model",
         says="'mine' knows no oral dose, and the treatment 'both' has one; found mine; expected a model with the route oral; this one has intravenous"),
    Case(id="unknown analyte", old="analyte: norketamine", new="analyte: norketamin", field="exposures.brain.analyte",
         says="this analyte is not declared; found norketamin; expected one of ketamine, norketamine, hydroxynorketamine (did you mean norketamine?)"),
    Case(id="negative ke0", old="ke0_per_min: 0.35", new="ke0_per_min: -1", field="exposures.brain.ke0_per_min",
         says="out of range; found -1; expected a number above 0"),
    Case(id="clearance without volume", old="clearances_l_per_h: [84, 161]", new="clearances_l_per_h: [84, 161, 3]", field="compartments.mine.clearances_l_per_h",
         says="every volume has one clearance: elimination, then one exchange each; found 3 clearances, 2 volumes; expected 2"),
    Case(id="name of a built-in model", old="  mine: {volumes", new="  kamp: {volumes_l: [1], clearances_l_per_h: [1], site: venous} #!\n  mine: {volumes", field="compartments.kamp",
         says="a built-in model has this name; found kamp; expected another"),
]  # fmt: skip

QUESTIONS = [
    Case(id="denoising that the measure lacks", old="    denoising: motion_gsr\n  there", new="    denoising: slow #!\n  there", field="questions.acute.denoising",
         says="this denoising of the measure is not declared; found slow; expected one of motion, motion_gsr"),
    Case(id="map that the measure lacks", old="map: bin05", new="map: bins #!", field="questions.acute.map",
         says="the measure has no such further map; found bins; expected one of bin01, F, timetopeak, onset, duration, driftslope (did you mean bin01?)"),
    Case(id="map of a measure of one map", old="measure: coupling\n", new="measure: map\n    map: t #!\n", field="questions.coupled.map",
         says="the measure has no such further map; found t; expected no key 'map'"),
    Case(id="map that is no label", old="map: bin05", new="map: bin_05 #!", field="questions.acute.map",
         says="a character that a name cannot hold; found bin_05; expected letters and digits only"),
    Case(id="mean over voxels of parcels", old="where: {at: A}", new="where: {mean_of: dmpfc} #!", field="questions.there.where.mean_of",
         says="'mean_of' needs a map of voxels, and the measure is infusion; found dmpfc; expected 'at' with the name of a parcel, node or edge"),
    Case(id="parcel of a map", old="where: {mean_of: dmpfc}", new="where: {at: A} #!", field="questions.coupled.where.at",
         says="this measure has no parcel, node or edge to look at; found A; expected 'mean_of' or 'within' for maps; nothing for a global mean"),
    Case(id="the seed of an interaction", old="where: {mean_of: dmpfc}", new="where: {mean_of: pgacc} #!", field="questions.coupled.where.mean_of",
         says="this is the seed itself: its coupling with itself answers nothing; found pgacc; expected another region"),
    Case(id="enhancement of parcels", old="where: {at: A}", new="inference: {method: tfce} #!", field="questions.there.inference.method",
         says="the method 'tfce' needs outcomes with neighbours, and the question asks of parcels; found tfce; expected one of voxel, fdr, holm"),
    Case(id="response a day later", old="measure: coupling\n", new="measure: step\n", field="questions.coupled.session",
         says="'infusion' is measured from time zero, and this session has none; found day; expected infusion"),
]  # fmt: skip

# What has to change elsewhere for the one mistake to stand alone.
ALSO = {
    "global signal always removed": [("  slow: {", "  all: {strategy: 36p}\n  slow: {")],
}
# Mistakes that several measures or questions tell of: each of them says so.
ALONG = {
    "no time zero": 7,
    "response a day later": 2,
}
ALL = INFUSION + DENOISING + TASK + EXPOSURE + QUESTIONS


def _problems(tmp_path, text):
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    return caught.value.problems


def _broken(case):
    text = FULL
    for old, new in [*ALSO.get(case.id, ()), (case.old, case.new)]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_one_mistake_is_told_in_these_words(tmp_path, case):
    text = _broken(case)
    lines = text.splitlines()

    problems = _problems(tmp_path, text)

    problem = next(item for item in problems if item.field == case.field)
    said = "; ".join(
        f"{word}{item}"
        for word, item in (("", problem.what), ("found ", problem.found), ("expected ", problem.expected))
        if item is not None
    )  # fmt: skip
    assert said == case.says
    assert problem.file == str(tmp_path / "trial.yaml")
    marked = [number for number, line in enumerate(lines, 1) if "#!" in line]
    if marked:
        assert [problem.line] == marked
    else:
        assert problem.line is not None
        keys = re.sub(r"\[\d+\]", "", case.field).split(".")[1:]
        assert any(f"{key}:" in lines[problem.line - 1] for key in keys)
    assert len(problems) == ALONG.get(case.id, 1), "\n".join(map(str, problems))


def test_all_mistakes_are_told_at_once(tmp_path):
    text = FULL
    cases = [item for item in ALL if item.id in {
        "baseline before the run", "window before the infusion", "unknown condition", "unknown drug model",
        "networks elsewhere", "denoising that the measure lacks", "mean over voxels of parcels",
    }]  # fmt: skip
    for case in cases:
        if case.id == "window before the infusion":
            continue
        text = text.replace(case.old, case.new)
    text = text.replace("window_min: [1, 15]", "window_min: [-1, 15]")

    problems = _problems(tmp_path, text)

    assert {problem.field for problem in problems} == {case.field for case in cases}
    assert [item.line for item in problems] == sorted(item.line for item in problems)


def test_every_kind_survives_the_way_through_python(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(FULL, encoding="utf-8")

    protocol = read_protocol(path)
    again = Protocol.model_validate(protocol.model_dump())
    path.write_text(yaml.safe_dump(protocol.model_dump(mode="json"), sort_keys=True))

    assert again == protocol
    assert (
        protocol_sha256(again) == protocol_sha256(protocol) == protocol_sha256(read_protocol(path))
    )
    kinds = {measure.kind for measure in protocol.measures.values()}
    models = {
        item.response.model for item in protocol.measures.values() if item.kind == "infusion"
    }
    assert kinds == {member.model_fields["kind"].annotation.__args__[0] for member in _MEMBERS}
    assert models == {
        "pseudoblock", "exposure", "step", "ramp", "gamma_variate", "response_family",
    }  # fmt: skip


def test_the_checks_and_the_records_agree_on_what_is_a_map(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(FULL, encoding="utf-8")

    for measure in read_protocol(path).measures.values():
        assert gives_map(measure.model_dump(mode="json")) == measure.is_map
        assert measure.denoisings[0] == measure.denoising


def test_every_value_of_a_measure_counts_in_the_hash(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(FULL, encoding="utf-8")
    first = protocol_sha256(read_protocol(path))

    for old, new in (
        ("bin_s: 60", "bin_s: 30"), ("order: 1", "order: 2"), ("neighbours: 19", "neighbours: 27"),
        ("ke0_per_min: 0.35", "ke0_per_min: 0.3"), ("samples: levels", "samples: plasma"),
    ):  # fmt: skip
        assert old in FULL
        path.write_text(FULL.replace(old, new), encoding="utf-8")
        assert protocol_sha256(read_protocol(path)) != first


@pytest.mark.parametrize(
    ("kind", "setting", "refused"),
    [
        ("alff", {"lowpass_hz": 0.08}, True),
        ("alff", {"lowpass_hz": 0.1}, False),
        ("alff", {"highpass_hz": 0.01}, False),
        ("falff", {"lowpass_hz": 0.2}, True),
        ("falff", {"highpass_hz": 0.02}, True),
        ("task", {"lowpass_hz": 0.2}, True),
        ("ppi", {"lowpass_hz": 0.2}, True),
        ("beta_series", {"lowpass_hz": 0.2}, True),
        ("infusion", {"lowpass_hz": 0.2}, True),
        ("task", {"highpass_hz": 0.01}, False),
        ("reho", {"lowpass_hz": 0.1, "highpass_hz": 0.01}, False),
        ("exposure_connectivity", {"lowpass_hz": 0.1, "filter": "butterworth"}, True),
    ],
)
def test_filters_that_a_measure_can_bear(kind, setting, refused):
    value = yaml.safe_load(FULL)
    value["denoising"]["tried"] = {"strategy": "6motion", **setting}
    name = next(name for name, item in value["measures"].items() if item["kind"] == kind)
    value["measures"][name] |= {"denoising": "tried", "sensitivity": []}
    value["questions"] = {"acute": value["questions"]["there"]}
    value["questions"]["acute"] |= {"role": "primary"}

    if refused:
        with pytest.raises(ValueError, match=f"measures.{name}.denoising: '{kind}' "):
            Protocol.model_validate(value)
    else:
        assert Protocol.model_validate(value).measures[name].denoising == "tried"


def test_what_may_be_left_out(tmp_path):
    value = yaml.safe_load(FULL)
    assert "ke0_per_min" not in value["exposures"]["plasma"]
    step = copy.deepcopy(value["measures"]["step"])

    protocol = Protocol.model_validate(value)

    assert protocol.exposures["plasma"].ke0_per_min is None
    assert protocol.exposures["own"].weight_column == "weight_kg"
    assert protocol.measures["step"].noise.kind == "arma11"
    assert protocol.measures["load"].noise.kind == "ar"
    assert protocol.measures["step"].drift.max_overlap == step["drift"]["max_overlap"]


def test_built_in_models_are_those_of_the_room():
    assert tuple(BUILT_IN_MODELS) == tuple(model_names())
    for name, (route, analytes) in BUILT_IN_MODELS.items():
        model = find_model(name)
        assert [item.name for item in model.routes] == [route]
        assert tuple(item.name for item in model.analytes) == analytes


@pytest.mark.parametrize("junk", [None, 3, "text", [], [["a"]], {}, {"kind": ["ar"], "order": []}])
@pytest.mark.parametrize("key", ["response", "noise", "contrast", "modulators", "band_hz", "maps", "sensitivity", "scan", "kind"])  # fmt: skip
def test_malformed_parts_do_not_stop_the_others(tmp_path, key, junk):
    value = yaml.safe_load(FULL)
    for measure in value["measures"].values():
        measure[key] = copy.deepcopy(junk)
    value["exposures"]["plasma"]["model"] = "dominoe"

    problems = _problems(tmp_path, yaml.dump(value))

    assert "exposures.plasma.model" in {problem.field for problem in problems}


def test_one_condition_is_a_sum_of_one(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(FULL, encoding="utf-8")
    first = read_protocol(path)
    path.write_text(
        FULL.replace("condition: two_back", "condition: {two_back: 1}"), encoding="utf-8"
    )

    assert first.measures["within"].blocks_of == {"two_back": 1.0}
    assert first.measures["parcels"].blocks_of is None
    assert protocol_sha256(read_protocol(path)) == protocol_sha256(first)
