"""Time courses of one run: networks, the planted coupling, the task, motion, drift."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from phmri.simulation._scene import NETWORKS, SOURCES

__all__ = ["Block", "RunCourses", "blocks_of", "make_courses"]

_TASK_EFFECT = {"frontoparietal": 1.8, "default": -1.0, "dmpfc": 1.2, "pgacc": -0.8}
_LOADS = {"0back": 0.4, "2back": 1.0}
_BLOCK_S, _GAP_S, _FIRST_S = 24.0, 12.0, 8.0
_MICROTIME_S = 0.1
_RADIAN_MM = 50.0


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
    sources : ndarray of shape (n_volumes, n_sources)
        In the order of `phmri.simulation._scene.SOURCES`.
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm, rotations in radian.
    """

    sources: Float32[np.ndarray, "n_volumes n_sources"]
    motion: Float[np.ndarray, "n_volumes 6"]


def blocks_of(n_volumes: int, t_r: float, rng: np.random.Generator) -> tuple[Block, ...]:
    """Fill a run with n-back blocks; the two loads alternate, the first one is drawn.

    Parameters
    ----------
    n_volumes : int
        Volumes per run.
    t_r : float
        Seconds.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of Block
        At least two, shortened in a very short run, all inside it.
    """
    total = n_volumes * t_r
    scale = min(1.0, total / (_FIRST_S + 2 * (_BLOCK_S + _GAP_S)))
    conditions = list(_LOADS)
    if rng.integers(2):
        conditions.reverse()
    blocks: list[Block] = []
    onset = _FIRST_S * scale
    while onset + _BLOCK_S * scale <= total:
        name = conditions[len(blocks) % len(conditions)]
        blocks.append(
            Block(onset=round(onset, 3), duration=round(_BLOCK_S * scale, 3), trial_type=name)
        )
        onset += (_BLOCK_S + _GAP_S) * scale
    return tuple(blocks)


def make_courses(
    n_volumes: int,
    t_r: float,
    blocks: tuple[Block, ...],
    *,
    coupling: float,
    rng: np.random.Generator,
) -> RunCourses:
    """Draw the time courses of one run.

    Parameters
    ----------
    n_volumes : int
        Volumes per run.
    t_r : float
        Seconds.
    blocks : tuple of Block
        Empty at rest.
    coupling : float
        Amount of the pgACC's own signal in the dorsomedial prefrontal cortex, in units of the
        latter course's own standard deviation; 0 where nothing is planted.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    RunCourses
        Sources and the motion among them.
    """
    columns = {name: _slow(n_volumes, 0.5, rng) for name in (*NETWORKS, "pgacc", "dmpfc")}
    columns |= {name: _slow(n_volumes, 0.5, rng) for name in ("insula", "global", "white", "csf")}
    response = _task_response(blocks, n_volumes, t_r)
    columns["dmpfc"] += coupling * columns["pgacc"]
    for name, effect in _TASK_EFFECT.items():
        columns[name] = columns[name] + effect * response
    phase = np.linspace(0.0, np.pi, n_volumes)
    for axis in "xyz":
        columns[f"drift_{axis}"] = rng.normal() * np.cos(phase) + rng.normal() * np.cos(2 * phase)
    motion, spikes = _motion(n_volumes, rng)
    names = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    columns |= dict(zip(names, (motion - motion.mean(axis=0)).T, strict=True))
    columns["spike"] = spikes
    columns["saturation"] = (np.arange(n_volumes) == 0).astype(np.float64)
    sources = np.stack([columns[name] for name in SOURCES], axis=1)
    return RunCourses(sources=sources.astype(np.float32), motion=motion)


def _slow(n_volumes: int, ar: float, rng: np.random.Generator) -> Float[np.ndarray, " n_volumes"]:
    """Draw a stationary first-order autoregressive series of unit variance."""
    white = rng.standard_normal(n_volumes)
    series = np.empty(n_volumes)
    series[0] = white[0]
    for t in range(1, n_volumes):
        series[t] = ar * series[t - 1] + np.sqrt(1 - ar**2) * white[t]
    return series


def _task_response(
    blocks: tuple[Block, ...], n_volumes: int, t_r: float
) -> Float[np.ndarray, " n_volumes"]:
    """Convolve the blocks, weighted by load, with a difference of two gamma densities."""
    time = np.arange(0.0, 32.0, _MICROTIME_S)
    shape = time**5 * np.exp(-time) / 120 - time**15 * np.exp(-time) / 1.307674368e12 / 6
    kernel = shape / shape.sum()
    fine = np.zeros(int(np.ceil(n_volumes * t_r / _MICROTIME_S)) + 1)
    for block in blocks:
        start = round(block.onset / _MICROTIME_S)
        stop = round((block.onset + block.duration) / _MICROTIME_S)
        fine[start:stop] = _LOADS[block.trial_type]
    smooth = np.convolve(fine, kernel)[: fine.size]
    response = smooth[np.rint(np.arange(n_volumes) * t_r / _MICROTIME_S).astype(np.intp)]
    return np.asarray(response - response.mean())


def _motion(
    n_volumes: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "n_volumes 6"], Float[np.ndarray, " n_volumes"]]:
    """Draw a slow wander with a few sudden nods, and the size of those nods per volume."""
    scale = np.array(
        [0.012, 0.012, 0.02, 0.02 / _RADIAN_MM, 0.012 / _RADIAN_MM, 0.012 / _RADIAN_MM]
    )
    steps = rng.standard_normal((n_volumes, 6)) * scale
    spikes = np.zeros(n_volumes)
    if n_volumes > 2:  # noqa: PLR2004 - the first volume has nothing before it
        nods = rng.choice(
            np.arange(2, n_volumes), size=min(rng.poisson(2), n_volumes - 2), replace=False
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
