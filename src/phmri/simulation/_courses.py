"""Time courses of one run: networks, regions, effects, the task, motion, drift."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.simulation._plan import PlannedRun
from phmri.simulation._scene import NETWORKS
from phmri.simulation._truth import (
    Activation,
    Coupling,
    Movement,
    Physiology,
    ScanTruth,
    Truth,
)

__all__ = ["Block", "RunCourses", "blocks_of", "make_courses"]

_TASK_EFFECT = {"frontoparietal": 1.8, "default": -1.0}
_MICROTIME_S = 0.1
_RADIAN_MM = 50.0
_ROUNDING = 1e-9
_CARDIAC_HZ, _RESPIRATORY_HZ = (1.1, 0.1), (0.27, 0.03)  # mean and SD between runs
_RHYTHMS = 7  # of the spawn key: a stream of its own, so that rhythms change nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of the task.

    Parameters
    ----------
    onset, duration : float
        Seconds from the first volume.
    trial_type : str
        Condition, as in the events file.
    """

    onset: float
    duration: float
    trial_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCourses:
    """What drives one run.

    Parameters
    ----------
    sources : dict of str to ndarray of shape (n_volumes,)
        By the names of the scene's maps; ``effect <name>`` for effects, ``own <name>`` for what
        is a person's own of them.
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm, rotations in radian.
    """

    sources: dict[str, Float[np.ndarray, " n_volumes"]]
    motion: Float[np.ndarray, "n_volumes 6"]


def blocks_of(scan: ScanTruth, rng: np.random.Generator) -> tuple[Block, ...]:
    """Fill a run with blocks; conditions take turns, the first one is drawn.

    Parameters
    ----------
    scan : ScanTruth
        Conditions and lengths.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of Block
        Of every condition at least one, shortened in a very short run, all inside it.
    """
    conditions = list(scan.conditions)
    if not conditions:
        return ()
    total = scan.n_volumes * scan.t_r
    needed = scan.first_s + len(conditions) * (scan.block_s + scan.gap_s)
    scale = min(1.0, total / needed)
    first = int(rng.integers(len(conditions)))
    if first:
        conditions = conditions[first:] + conditions[:first]
    blocks: list[Block] = []
    onset = scan.first_s * scale
    while onset + scan.block_s * scale <= total * (1 + _ROUNDING):
        name = conditions[len(blocks) % len(conditions)]
        duration = round(scan.block_s * scale, 3)
        blocks.append(Block(onset=round(onset, 3), duration=duration, trial_type=name))
        onset += (scan.block_s + scan.gap_s) * scale
    return tuple(blocks)


def make_courses(
    run: PlannedRun, truth: Truth, blocks: tuple[Block, ...], seed: int, rng: np.random.Generator
) -> RunCourses:
    """Draw the time courses of one run.

    Parameters
    ----------
    run : PlannedRun
        Its length and the effects it carries.
    truth : Truth
        What these effects are.
    blocks : tuple of Block
        Empty at rest.
    seed : int
        Of the trial, for what has a stream of its own.
    rng : numpy.random.Generator
        Source of everything else.

    Returns
    -------
    RunCourses
        Sources and the motion among them.
    """
    n = run.n_volumes
    columns = {name: _slow(n, 0.5, rng) for name in NETWORKS}
    columns |= {f"region {name}": _slow(n, 0.5, rng) for name in truth.regions}
    columns |= {name: _slow(n, 0.5, rng) for name in ("global", "white", "csf")}
    if truth.background.from_runs is not None:  # real noise brings its own networks
        columns |= {name: np.zeros(n) for name in (*NETWORKS, "global", "white", "csf")}
    loads = truth.scans[run.scan].conditions
    _add_effects(columns, run, truth, blocks)
    task = _response(blocks, loads, n, run.t_r)
    task -= task.mean()
    moved = _TASK_EFFECT | {f"region {name}": r.task for name, r in truth.regions.items()}
    for name, effect in moved.items():
        columns[name] = columns[name] + effect * task
    phase = np.linspace(0.0, np.pi, n)
    for axis in "xyz":
        columns[f"drift_{axis}"] = rng.normal() * np.cos(phase) + rng.normal() * np.cos(2 * phase)
    motion, spikes = _motion(n, run.nods, rng)
    motion += _slides(run, truth)
    names = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    columns |= dict(zip(names, (motion - motion.mean(axis=0)).T, strict=True))
    columns["spike"] = spikes
    columns["saturation"] = (np.arange(n) == 0).astype(np.float64)
    columns |= _rhythms(run, truth, seed)
    return RunCourses(sources=columns, motion=motion)


def _add_effects(
    columns: dict[str, Float[np.ndarray, " n"]],
    run: PlannedRun,
    truth: Truth,
    blocks: tuple[Block, ...],
) -> None:
    signals = {name: columns[f"region {name}"].copy() for name in truth.regions}
    for planned in run.effects:
        effect = truth.effects[planned.name]
        if isinstance(effect, Movement):
            continue
        if isinstance(effect, Coupling):
            course = signals[effect.seed]
            if effect.conditions:
                during = dict.fromkeys(effect.conditions, 1.0)
                course = course * _response(blocks, during, run.n_volumes, run.t_r)
            columns[f"region {effect.target}"] += planned.size * course
        elif isinstance(effect, Activation):
            course = _response(blocks, effect.conditions, run.n_volumes, run.t_r)
            columns[f"effect {planned.name}"] = planned.size * course
        else:
            course = np.zeros(run.n_volumes) if planned.curve is None else planned.curve
            columns[f"effect {planned.name}"] = planned.size * course
        if not isinstance(effect, Physiology) and effect.own_map:
            columns[f"own {planned.name}"] = abs(planned.size) * effect.own_map * course


def _slides(run: PlannedRun, truth: Truth) -> Float[np.ndarray, "n_volumes 6"]:
    slides = np.zeros((run.n_volumes, 6))
    for planned in run.effects:
        effect = truth.effects[planned.name]
        if isinstance(effect, Movement) and planned.curve is not None:
            slides[:, "xyz".index(effect.direction)] += planned.size * planned.curve
    return slides


def _rhythms(
    run: PlannedRun, truth: Truth, seed: int
) -> dict[str, Float[np.ndarray, " n_volumes"]]:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*run.key, _RHYTHMS)))
    times = np.arange(run.n_volumes) * run.t_r
    found = {}
    for name, (mean, spread), percent in (
        ("cardiac", _CARDIAC_HZ, truth.background.cardiac_percent),
        ("respiratory", _RESPIRATORY_HZ, truth.background.respiratory_percent),
    ):
        rate = mean + spread * rng.standard_normal()
        wander = np.cumsum(0.02 * rng.standard_normal(run.n_volumes))
        wave = np.sqrt(2.0) * np.sin(2 * np.pi * rate * times + wander + rng.uniform(0, 2 * np.pi))
        if percent:
            found[name] = wave
    return found


def _slow(n_volumes: int, ar: float, rng: np.random.Generator) -> Float[np.ndarray, " n_volumes"]:
    """Draw a stationary first-order autoregressive series of unit variance."""
    white = rng.standard_normal(n_volumes)
    series = np.empty(n_volumes)
    series[0] = white[0]
    for t in range(1, n_volumes):
        series[t] = ar * series[t - 1] + np.sqrt(1 - ar**2) * white[t]
    return series


def _response(
    blocks: tuple[Block, ...], heights: dict[str, float], n_volumes: int, t_r: float
) -> Float[np.ndarray, " n_volumes"]:
    """Convolve the blocks, each at its height, with a difference of two gamma densities."""
    time = np.arange(0.0, 32.0, _MICROTIME_S)
    shape = time**5 * np.exp(-time) / 120 - time**15 * np.exp(-time) / 1.307674368e12 / 6
    kernel = shape / shape.sum()
    fine = np.zeros(int(np.ceil(n_volumes * t_r / _MICROTIME_S)) + 1)
    for block in blocks:
        start = round(block.onset / _MICROTIME_S)
        stop = round((block.onset + block.duration) / _MICROTIME_S)
        fine[start:stop] = heights.get(block.trial_type, 0.0)
    smooth = np.convolve(fine, kernel)[: fine.size]
    return np.asarray(smooth[np.rint(np.arange(n_volumes) * t_r / _MICROTIME_S).astype(np.intp)])


def _motion(
    n_volumes: int, nods_expected: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "n_volumes 6"], Float[np.ndarray, " n_volumes"]]:
    """Draw a slow wander with a few sudden nods, and the size of those nods per volume."""
    scale = np.array(
        [0.012, 0.012, 0.02, 0.02 / _RADIAN_MM, 0.012 / _RADIAN_MM, 0.012 / _RADIAN_MM]
    )
    steps = rng.standard_normal((n_volumes, 6)) * scale
    spikes = np.zeros(n_volumes)
    if n_volumes > 2:  # noqa: PLR2004 - the first volume has nothing before it
        nods = rng.choice(
            np.arange(2, n_volumes),
            size=min(rng.poisson(nods_expected), n_volumes - 2),
            replace=False,
        )
        size = 0.3 + rng.exponential(0.3, size=nods.size)
        for nod, millimetres in zip(nods, size, strict=True):
            direction = rng.standard_normal(6)
            jump = millimetres * direction / np.abs(direction).sum()
            jump[3:] /= _RADIAN_MM
            steps[nod] += jump
            if nod + 1 < n_volumes:
                steps[nod + 1] -= 0.8 * jump
            spikes[nod] = millimetres
    wander = np.cumsum(steps, axis=0)
    return wander - wander[0], spikes
