"""A trial of tiny images, written by the same code as the demo: for tests of whole trees."""

from collections.abc import Sequence
from pathlib import Path

from phmri.exceptions import SimulationError
from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._demo import ARMS, DemoTrial, write_trial
from phmri.simulation._scene import make_scene
from phmri.simulation._tree import make_plan

__all__ = ["make_small_tree"]


def make_small_tree(
    directory: Path,
    *,
    n_subjects: int = 9,
    sessions: Sequence[str] = ("baseline", "infusion", "followup"),
    tasks: Sequence[str] = ("rest", "nback"),
    shape: tuple[int, int, int] = (8, 9, 8),
    n_volumes: int = 40,
    seed: int = 1,
) -> DemoTrial:
    """Write a parallel trial of tiny images; the effect is planted where the demo's is.

    The grid is a box of 8 mm voxels around the medial prefrontal cortex and the left insula,
    called ``MNI152NLin2009cAsym``. The protocol is the demo's, with 6 motion parameters instead
    of 24; it fits the default sessions and tasks.

    Parameters
    ----------
    directory : Path
        Made when absent.
    n_subjects : int
        Spread over the three arms as evenly as can be.
    sessions, tasks : sequence of str
        BIDS labels; every task but ``rest`` has events.
    shape : tuple of int
        Voxels along x, y, z.
    n_volumes : int
        Volumes per run.
    seed : int
        Not negative.

    Returns
    -------
    DemoTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        There are fewer participants than arms.
    """
    if n_subjects < len(ARMS):
        raise SimulationError(f"three arms need at least 3 participants; found {n_subjects}")
    plan = make_plan(
        "small parallel trial for tests",
        subjects_per_arm={
            arm: (n_subjects + len(ARMS) - 1 - index) // len(ARMS)
            for index, arm in enumerate(ARMS)
        },
        sessions=tuple(sessions),
        tasks=tuple(tasks),
        n_volumes=n_volumes,
        t_r=2.0,
        seed=seed,
    )
    return write_trial(
        Path(directory), make_scene(box_anatomy(shape)), plan, strategy="6motion_wmcsf"
    )
