"""The two founding studies, simulated: protocols and truths that come with phmri."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from phmri.dataset import write_text
from phmri.exceptions import Problem, SimulationError
from phmri.simulation._simulate import SimulatedTrial, simulate
from phmri.simulation._tree import OnRun

__all__ = ["DEMOS", "demo_text", "simulate_demo"]

DEMOS = ("weigner2025", "deakin2008")
_Settings = dict[str, int | float]
_SEEDS = {"weigner2025": 20250, "deakin2008": 2008}
# `full`: the real numbers of people, and effects of the size that studies report.
_SETTINGS: dict[tuple[str, bool], _Settings] = {
    ("weigner2025", False): {
        "n": 10, "n_volumes": 100, "n_permutations": 1000,
        "gain": 1.2, "gain_sd": 0.2, "margin": 0.25,
    },
    ("weigner2025", True): {
        "n": 25, "n_volumes": 300, "n_permutations": 5000,
        "gain": 0.5, "gain_sd": 0.4, "margin": 0.15,
    },
    ("deakin2008", False): {
        "n_first": 6, "n_second": 6, "n_third": 6, "n_volumes": 360, "t_r": 2.5, "voxel_mm": 3,
        "window_end": 9, "n_permutations": 1000,
        "percent": 2.0, "percent_sd": 0.4, "margin": 0.8,
    },
    ("deakin2008", True): {
        "n_first": 8, "n_second": 9, "n_third": 8, "n_volumes": 900, "t_r": 2.0, "voxel_mm": 2,
        "window_end": 10, "n_permutations": 5000,
        "percent": 1.5, "percent_sd": 0.8, "margin": 0.4,
    },
}  # fmt: skip


def demo_text(name: str, settings: Mapping[str, object]) -> str:
    """Fill in a file that comes with the simulator.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    settings : mapping
        What its placeholders stand for.

    Returns
    -------
    str
        YAML.
    """
    text = (files("phmri.simulation") / "demos" / f"{name}.yaml").read_text(encoding="utf-8")
    return Template(text).substitute(settings)


def simulate_demo(
    name: Literal["weigner2025", "deakin2008"],
    directory: Path,
    *,
    full: bool = False,
    seed: int | None = None,
    n_workers: int = 2,
    on_run: OnRun | None = None,
) -> SimulatedTrial:
    """Write a founding study with SIMULATED data, and its protocol.

    Parameters
    ----------
    name : {"weigner2025", "deakin2008"}
        Which.
    directory : Path
        Made when absent; holds ``bids/``, ``trial.yaml`` and ``truth.yaml`` afterwards.
    full : bool
        As many people and volumes as the real study, and effects of a real size; few people and
        large effects otherwise.
    seed : int, optional
        Not negative; that of the documented demo when left out.
    n_workers : int
        Threads; each holds one run.
    on_run : callable, optional
        Called after each run with the number done, the number planned, and the run's name.

    Returns
    -------
    SimulatedTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        There is no such demo, a number is out of its range, or the disk is too small.
    """
    if name not in DEMOS:
        raise SimulationError(
            Problem(what="there is no such demo", found=name, expected=" or ".join(DEMOS))
        )
    seed = _SEEDS[name] if seed is None else seed
    settings = _SETTINGS[name, full] | {"seed": seed}
    directory = Path(directory)
    protocol, planned = directory / "trial.yaml", directory / "truth.yaml"
    write_text(protocol, demo_text(name, settings))
    write_text(planned, demo_text(f"{name}_truth", settings))
    return simulate(
        protocol,
        directory,
        truth_path=planned,
        seed=seed,
        n_workers=n_workers,
        on_run=on_run,
    )
