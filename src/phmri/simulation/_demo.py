"""The demo: a small parallel trial at full size, with one effect planted and the rest null."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import yaml

from phmri.dataset import write_text
from phmri.exceptions import SimulationError
from phmri.simulation._anatomy import template_anatomy
from phmri.simulation._scene import DMPFC_MM, PGACC_MM, Scene, make_scene
from phmri.simulation._tree import OnRun, TrialPlan, coupling_of, make_plan, write_tree

__all__ = ["ARMS", "DemoTrial", "simulate_demo", "write_trial"]

ARMS = ("placebo", "ketamine", "lamotrigine_ketamine")
_SESSIONS = ("baseline", "infusion", "followup")
_TASKS = ("rest", "nback")
_T_R = 2.0
_FEWEST_VOLUMES = 60
_N_PERMUTATIONS = 1000
_SEED = 20250
_TRUTH_HEAD = """\
# What was planted in this SIMULATED trial. The analysis never reads this file.
#
# The effect is deliberately far larger than real ones: connectivity effects of drugs are about
# dz 0.15 to 0.5 within a person; this one is several between-person standard deviations, so that
# a demo of few participants can find it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTrial:
    """Where the parts of a simulated trial are.

    Parameters
    ----------
    bids_dir : Path
        The BIDS root.
    derivatives : Path
        The fMRIPrep-like folder in it.
    protocol : Path
        ``trial.yaml``.
    truth : Path
        ``truth.yaml``: what was planted.
    """

    bids_dir: Path
    derivatives: Path
    protocol: Path
    truth: Path


def simulate_demo(
    directory: Path,
    *,
    seed: int | None = None,
    n_per_arm: int = 10,
    n_volumes: int = 80,
    n_workers: int = 2,
    on_run: OnRun | None = None,
) -> DemoTrial:
    """Write a SIMULATED three-arm trial at 2 mm with a known truth.

    During the working-memory task of the infusion session, and only in the ketamine arm, the
    dorsomedial prefrontal cortex carries the own signal of the pgACC. The same seed gives the
    same bytes whatever the number of workers; runs that are there already are kept.

    Parameters
    ----------
    directory : Path
        Made when absent; holds ``bids/``, ``trial.yaml`` and ``truth.yaml`` afterwards.
    seed : int, optional
        Not negative; 20250, the seed of the documented demo, when left out.
    n_per_arm : int
        Participants in each of the three arms, at least 2.
    n_volumes : int
        Per run, at 2 s; at least 60.
    n_workers : int
        Threads; each holds one run (about 0.3 GB).
    on_run : callable, optional
        Called after each run with the number done, the number planned, and the run's name.

    Returns
    -------
    DemoTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        A number is out of its range.

    Notes
    -----
    One run is :math:`Y = m + S A + E`: the mean image :math:`m`; time courses :math:`S` of
    networks, regions, task, global signal, drift, motion and the first volume's saturation;
    their maps :math:`A`; noise :math:`E`, smooth in space and first-order autoregressive in time.
    The planted effect replaces the dorsomedial course :math:`s_d` by :math:`s_d + g_i s_p`, with
    the pgACC's own course :math:`s_p` and a gain :math:`g_i` of participant *i*.
    """
    seed = _SEED if seed is None else seed
    limits = {"seed": (seed, 0), "n_per_arm": (n_per_arm, 2), "n_workers": (n_workers, 1)}
    limits["n_volumes"] = (n_volumes, _FEWEST_VOLUMES)
    wrong = [f"{k} must be at least {low}; found {v}" for k, (v, low) in limits.items() if v < low]
    if wrong:
        raise SimulationError(*wrong)
    plan = make_plan(
        "ketamine, lamotrigine and placebo, parallel arms",
        subjects_per_arm=dict.fromkeys(ARMS, n_per_arm),
        sessions=_SESSIONS,
        tasks=_TASKS,
        n_volumes=n_volumes,
        t_r=_T_R,
        seed=seed,
    )
    scene = make_scene(template_anatomy())
    return write_trial(Path(directory), scene, plan, n_workers=n_workers, on_run=on_run)


def write_trial(
    directory: Path,
    scene: Scene,
    plan: TrialPlan,
    *,
    strategy: str = "24motion_wmcsf",
    n_workers: int = 1,
    on_run: OnRun | None = None,
) -> DemoTrial:
    """Write the tree, its protocol and its truth.

    Parameters
    ----------
    directory : Path
        Where the trial goes.
    scene : Scene
        What the runs share.
    plan : TrialPlan
        Who is scanned when.
    strategy : str
        Denoising strategy of the protocol.
    n_workers : int
        Threads; each holds one run.
    on_run : callable, optional
        Progress.

    Returns
    -------
    DemoTrial
        Where its parts are.
    """
    protocol, truth = directory / "trial.yaml", directory / "truth.yaml"
    counts = {f"n_{arm}": list(plan.arms.values()).count(arm) for arm in ARMS}
    text = (files("phmri.simulation") / "demo_trial.yaml").read_text(encoding="utf-8")
    settings = {
        "seed": plan.seed,
        "n_per_arm": counts["n_ketamine"],
        "min_volumes": plan.n_volumes,
        "space": scene.anatomy.space,
        "strategy": strategy,
        "n_permutations": _N_PERMUTATIONS,
    }
    write_text(protocol, Template(text).substitute(settings | counts))
    write_text(truth, _TRUTH_HEAD + yaml.safe_dump(_truth(plan), sort_keys=False))
    bids_dir = directory / "bids"
    derivatives = write_tree(bids_dir, scene, plan, n_workers=n_workers, on_run=on_run)
    return DemoTrial(bids_dir=bids_dir, derivatives=derivatives, protocol=protocol, truth=truth)


def _truth(plan: TrialPlan) -> dict[str, object]:
    arm, session, task = plan.planted
    return {
        "simulated": True,
        "seed": plan.seed,
        "planted": {
            "what": "the own signal of pgACC is added to dmPFC",
            "arm": arm,
            "session": session,
            "task": task,
            "from_mm": list(PGACC_MM),
            "to_mm": list(DMPFC_MM),
            "direction": "increase",
            "full_within_mm": 6.0,
            "none_beyond_mm": 16.0,
            "gain_mean": plan.coupling_mean,
            "gain_sd_between_people": plan.coupling_sd,
            "gain": {
                f"sub-{subject}": round(coupling_of(plan, subject), 4)
                for subject, of in plan.arms.items()
                if of == arm
            },
        },
        "nothing_else": (
            "No effect of any arm at rest, at baseline, 24 h later, on the task response, on "
            "motion or on noise; none of lamotrigine_ketamine anywhere."
        ),
        "questions": {
            "nback_acute": "planted",
            "dmpfc_acute": "planted",
            "rest_acute": "nothing planted",
            "lamotrigine_acute": "nothing planted",
            "nback_day_after": "nothing planted",
            "insula_rest_acute": "nothing planted",
        },
    }
