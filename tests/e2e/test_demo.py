"""`phmri demo --scenario`: what was planted is named where it is held against what was found."""

from pathlib import Path

import pytest

from phmri.cli import main
from phmri.simulation import SimulatedTrial, make_small_tree


def test_terminal_and_page_name_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def tiny_demo(
        name: str, directory: Path, *, scenario: str, full: bool, seed: int | None,
        n_workers: int, atlas_dirs: tuple[Path, ...], on_run: object,
    ) -> SimulatedTrial:  # fmt: skip
        asked.extend([name, scenario, full, seed, atlas_dirs])
        trial = make_small_tree(directory, n_subjects=6, n_volumes=40)
        with trial.truth.open("a", encoding="utf-8") as file:
            file.write("scenario: half_blocked\nnotes: Half of it is <left>.\n")
        return trial

    monkeypatch.setattr("phmri.cli._demo.simulate_demo", tiny_demo)
    words = ["demo", "weigner2025", str(tmp_path / "demo"), "--scenario", "half_blocked"]
    assert main([*words, "--n-workers", "1"]) in {0, 1}
    assert asked == ["weigner2025", "half_blocked", False, None, ()]
    printed = capsys.readouterr().out
    assert "Scenario half_blocked: Half of it is <left>." in printed
    page = (tmp_path / "demo" / "recovered.html").read_text(encoding="utf-8")
    assert "Scenario half_blocked: Half of it is &lt;left&gt;." in page
    assert "What was planted is in truth.yaml" in page


def test_a_scenario_that_is_not_there_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "deakin2008", str(tmp_path / "demo"), "--scenario", "lamotrigine_alone"]
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert "no such scenario" in printed
    assert "subgenual_rises" in printed
    assert not (tmp_path / "demo").exists()
