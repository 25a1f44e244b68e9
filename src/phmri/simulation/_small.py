"""A trial of tiny images, written by the same code as the demos: for tests of whole trees."""

from pathlib import Path

from phmri.dataset import write_text
from phmri.exceptions import SimulationError
from phmri.protocol import read_protocol
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._demo import demo_text
from phmri.simulation._plan import make_plan
from phmri.simulation._simulate import SimulatedTrial, read_truth, simulate_trial

__all__ = ["make_small_tree"]

_ARMS = ("placebo", "ketamine", "lamotrigine_ketamine")


def make_small_tree(
    directory: Path,
    *,
    n_subjects: int = 9,
    shape: tuple[int, int, int] = (8, 9, 8),
    n_volumes: int = 40,
    seed: int = 1,
    n_workers: int = 1,
) -> SimulatedTrial:
    """Write a parallel trial of tiny images with one planted effect.

    The grid is a box of 8 mm voxels around the medial prefrontal cortex and the left insula,
    called ``MNI152NLin2009cAsym``.

    Parameters
    ----------
    directory : Path
        Made when absent.
    n_subjects : int
        Spread over the three arms as evenly as can be.
    shape : tuple of int
        Voxels along x, y, z.
    n_volumes : int
        Volumes per run.
    seed : int
        Not negative.
    n_workers : int
        Threads.

    Returns
    -------
    SimulatedTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        There are fewer participants than arms, or the box is too small.
    """
    if n_subjects < len(_ARMS):
        raise SimulationError(f"three arms need at least 3 participants; found {n_subjects}")
    anatomy = box_anatomy(shape)
    counts = {
        f"n_{arm}": (n_subjects + len(_ARMS) - 1 - index) // len(_ARMS)
        for index, arm in enumerate(_ARMS)
    }
    settings: dict[str, object] = {
        **counts,
        "seed": seed,
        "n_per_arm": counts["n_ketamine"],
        "min_volumes": n_volumes,
        "space": anatomy.space,
        "strategy": "6motion_wmcsf",
        "n_permutations": 1000,
    }
    directory = Path(directory)
    protocol_path, truth_path = directory / "trial.yaml", directory / "truth.yaml"
    write_text(protocol_path, demo_text("small", settings))
    write_text(truth_path, demo_text("small_truth", settings))
    protocol = read_protocol(protocol_path)
    plan = make_plan(protocol, read_truth(truth_path, protocol), seed)
    return simulate_trial(protocol_path, truth_path, directory, plan, anatomy, n_workers=n_workers)
