"""The two founding studies, simulated: protocols and truths that come with phmri."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Literal

import yaml

from phmri.dataset import AtlasStore, write_text
from phmri.exceptions import Problem, SimulationError
from phmri.protocol import read_protocol
from phmri.simulation._anatomy import template_anatomy
from phmri.simulation._earlier import folder_problems, is_foreign_tree, is_our_truth
from phmri.simulation._plan import make_plan
from phmri.simulation._scene import Scene
from phmri.simulation._simulate import (
    SimulatedTrial,
    number_problems,
    read_truth,
    refuse_small_disk,
    simulate,
)
from phmri.simulation._tree import OnRun

__all__ = [
    "DEMOS",
    "PUBLISHED",
    "demo_settings",
    "demo_text",
    "is_earlier_demo",
    "list_scenarios",
    "simulate_demo",
    "truth_text",
]

_HEAD = "# What is planted in this SIMULATED study. The analysis never reads this file.\n"
DEMOS = ("weigner2025", "deakin2008")
PUBLISHED = "published"
_Settings = dict[str, int | float | str]
_SEEDS = {"weigner2025": 20250, "deakin2008": 2008}
# `full`: the real numbers of people, and effects of the size that studies report.
_SETTINGS: dict[tuple[str, bool], _Settings] = {
    ("weigner2025", False): {
        "n": 10, "n_volumes": 100, "n_permutations": 1000,
        "gain": 1.2, "gain_sd": 0.2, "half": 0.3, "margin": 0.25,
    },
    ("weigner2025", True): {
        "n": 25, "n_volumes": 300, "n_permutations": 5000,
        "gain": 0.5, "gain_sd": 0.4, "half": 0.45, "margin": 0.15,
    },
    ("deakin2008", False): {
        "n_first": 8, "n_second": 9, "n_third": 8, "n_volumes": 360, "t_r": 2.5, "voxel_mm": 3,
        "window_end": 9, "n_permutations": 1000,
        "percent": 4.0, "percent_sd": 1.2, "sgacc": 6.0, "vmpfc_sd": 2.5, "margin": 1.2,
        "sgacc_margin": 1.8,
    },
    ("deakin2008", True): {
        "n_first": 8, "n_second": 9, "n_third": 8, "n_volumes": 900, "t_r": 2.0, "voxel_mm": 2,
        "window_end": 10, "n_permutations": 5000,
        "percent": 1.5, "percent_sd": 0.8, "sgacc": 1.5, "vmpfc_sd": 0.8, "margin": 0.4,
        "sgacc_margin": 0.4,
    },
}  # fmt: skip

# The seed of weigner2025. The Julich-Brain atlas is not ours to ship (CC BY-NC-SA 4.0).
_AREAS = ("p24ab", "p24c", "p32")
_ATLAS: _Settings = {
    "space": "MNI152NLin2009cAsym",
    "pgacc": f"{{kind: julich, areas: [{', '.join(_AREAS)}], hemisphere: both, weighting: mask, "
    'version: "3.1", space: MNI152NLin2009cAsym}',
    "pgacc_words": "made of p24ab, p24c and p32 of the Julich-Brain atlas 3.1",
}
_SPHERE: _Settings = {
    "space": "MNI152NLin2009aSym",
    "pgacc": "{kind: sphere, center_mm: [0.0, 46.8, 9.5], radius_mm: 10, "
    "space: MNI152NLin2009aSym}",
    "pgacc_words": "a sphere midway between the left and right centroid of p24ab, p24c and p32: "
    "the Julich-Brain atlas was not at hand",
}

# A margin as wide as half of the effect would call half of it nothing.
_MARGIN_OF_HALF = {False: 0.08, True: 0.05}


def demo_settings(
    name: str, *, full: bool, seed: int, scenario: str = PUBLISHED, with_atlas: bool = False
) -> _Settings:
    """Say what the placeholders of a demo stand for.

    Parameters
    ----------
    name : str
        Of the demo.
    full : bool
        As large as the real study.
    seed : int
        Not negative.
    scenario : str
        One of `list_scenarios`.
    with_atlas : bool
        The seed of weigner2025 is made of areas of an atlas, else a sphere.

    Returns
    -------
    dict of str to number or str
        Of protocol and truth alike.
    """
    settings = _SETTINGS[name, full] | {"seed": seed} | (_ATLAS if with_atlas else _SPHERE)
    if scenario == "half_blocked":
        settings["margin"] = _MARGIN_OF_HALF[full]
    return settings


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


def is_earlier_demo(directory: Path) -> bool:
    """Tell whether all that a demo would write over was written by a demo.

    Parameters
    ----------
    directory : Path
        Where the demo would go.

    Returns
    -------
    bool
        True for a folder in which nothing is.
    """
    trial, truth, bids_dir = (directory / name for name in ("trial.yaml", "truth.yaml", "bids"))
    if trial.exists():
        titles = {_title_line(name) for name in DEMOS}
        try:
            lines = set(trial.read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError):
            return False
        if not titles & lines:
            return False
    if truth.exists() and not is_our_truth(truth):
        return False
    # A tree is written after what was drawn: without it, somebody has put the tree there.
    made = (directory / "drawn.json").is_file() and not is_foreign_tree(bids_dir)
    return made or not bids_dir.exists()


def _title_line(name: str) -> str:
    """Give the line of a demo's protocol that no other protocol has."""
    text = (files("phmri.simulation") / "demos" / f"{name}.yaml").read_text(encoding="utf-8")
    return next(line for line in text.splitlines() if line.startswith("title:"))


def list_scenarios(name: str) -> tuple[str, ...]:
    """List the truths that a demo can plant.

    Parameters
    ----------
    name : str
        Of the demo.

    Returns
    -------
    tuple of str
        What its authors published comes first.
    """
    text = (files("phmri.simulation") / "demos" / f"{name}_scenarios.yaml").read_text("utf-8")
    return (PUBLISHED, *yaml.safe_load(text))


def truth_text(name: str, settings: Mapping[str, object], scenario: str = PUBLISHED) -> str:
    """Write what a scenario of a demo plants.

    Parameters
    ----------
    name : str
        Of the demo.
    settings : mapping
        What the placeholders stand for.
    scenario : str
        One of `list_scenarios`.

    Returns
    -------
    str
        YAML. A scenario other than the published one is laid over it as a JSON merge patch
        (RFC 7396).
    """
    text = demo_text(f"{name}_truth", settings)
    if scenario == PUBLISHED:
        return text
    patch = yaml.safe_load(demo_text(f"{name}_scenarios", settings))[scenario]
    merged = _merge(yaml.safe_load(text), {"scenario": scenario, **patch})
    plain = json.loads(json.dumps(merged))  # anchors are for the scenarios, not for what is read
    return _HEAD + str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))


def _merge(value: object, patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), item)
    return merged


def simulate_demo(
    name: Literal["weigner2025", "deakin2008"],
    directory: Path,
    *,
    scenario: str = PUBLISHED,
    full: bool = False,
    seed: int | None = None,
    n_workers: int = 2,
    atlas_dirs: tuple[Path, ...] = (),
    on_run: OnRun | None = None,
) -> SimulatedTrial:
    """Write a founding study with SIMULATED data, and its protocol.

    Parameters
    ----------
    name : {"weigner2025", "deakin2008"}
        Which.
    directory : Path
        Made when absent; holds ``bids/``, ``trial.yaml`` and ``truth.yaml`` afterwards.
    scenario : str
        What is planted: one of `list_scenarios`.
    full : bool
        As many people and volumes as the real study, and effects of a real size; few people and
        large effects otherwise.
    seed : int, optional
        Not negative; that of the documented demo when left out.
    n_workers : int
        Threads; each holds one run.
    atlas_dirs : tuple of Path
        Folders with files of the Julich-Brain atlas. With them, or those in the folder that
        ``PHMRI_ATLAS_DIR`` names, the seed of weigner2025 is made of its areas; none is fetched.
    on_run : callable, optional
        Called after each run with the number done, the number planned, and the run's name.

    Returns
    -------
    SimulatedTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        There is no such demo or scenario, a number is out of its range, the folder is a file or
        holds other data, the folders given do not hold the atlas, or the disk is too small.
    """
    if name not in DEMOS:
        raise SimulationError(
            Problem(what="there is no such demo", found=name, expected=" or ".join(DEMOS))
        )
    seed = _SEEDS[name] if seed is None else seed
    directory = Path(directory)
    problems = number_problems(seed, n_workers)
    problems += folder_problems(directory, directory / "truth.yaml")
    known = list_scenarios(name)
    if scenario not in known:
        what = f"{name} has no such scenario"
        problems.append(Problem(what=what, found=scenario, expected=", ".join(known)))
    with_atlas = AtlasStore(atlas_dirs).has_julich(_AREAS, str(_ATLAS["space"]))
    if atlas_dirs and not with_atlas:
        problems.append(
            Problem(
                what=f"the folder has no Julich-Brain 3.1 masks in {_ATLAS['space']}",
                file=", ".join(map(str, atlas_dirs)),
                expected=", ".join(_AREAS),
            )
        )
    if problems:
        raise SimulationError(*problems)
    settings = demo_settings(name, full=full, seed=seed, scenario=scenario, with_atlas=with_atlas)
    texts = {
        "trial.yaml": demo_text(name, settings),
        "truth.yaml": truth_text(name, settings, scenario),
    }
    _refuse_small_disk(directory, texts, seed)
    for file, text in texts.items():
        write_text(directory / file, text)
    protocol, planned = (directory / file for file in texts)
    return simulate(
        protocol,
        directory,
        truth_path=planned,
        seed=seed,
        n_workers=n_workers,
        atlas_dirs=atlas_dirs,
        on_run=on_run,
    )


def _refuse_small_disk(directory: Path, texts: Mapping[str, str], seed: int) -> None:
    """Refuse before anything is written, the protocol included."""
    with TemporaryDirectory() as folder:
        protocol_path, truth_path = (Path(folder) / file for file in texts)
        for path in (protocol_path, truth_path):
            path.write_text(texts[path.name], encoding="utf-8")
        protocol = read_protocol(protocol_path)
        truth = read_truth(truth_path, protocol)
    n_voxels = template_anatomy(truth.voxel_mm, protocol.space).grey.size
    refuse_small_disk(directory, make_plan(protocol, truth, seed), Scene, n_voxels)
