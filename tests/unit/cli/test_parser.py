"""What can be typed."""

from pathlib import Path

import pytest

from phmri.cli._parser import make_parser
from phmri.protocol import list_templates


def test_run_takes_the_form_of_a_bids_app() -> None:
    words = "run bids out all --protocol trial.yaml --derivatives a --derivatives b"
    arguments = make_parser().parse_args(
        [*words.split(), "--participant-label", "01", "sub-02", "--n-workers", "3"]
    )
    assert arguments.level == "all"
    assert arguments.derivatives == [Path("a"), Path("b")]
    assert arguments.participant_label == ["01", "sub-02"]
    assert arguments.n_workers == 3


def test_design_needs_a_protocol_alone() -> None:
    plan = make_parser().parse_args(["design", "trial.yaml"])
    assert (plan.protocol, plan.bids_dir, plan.derivatives) == (Path("trial.yaml"), None, [])
    data = make_parser().parse_args(["design", "trial.yaml", "bids", "--derivatives", "a"])
    assert (data.bids_dir, data.derivatives) == (Path("bids"), [Path("a")])


def test_check_takes_what_run_needs_to_look_ahead() -> None:
    words = "check trial.yaml bids --derivatives a --atlas-dir b --atlas-dir c"
    arguments = make_parser().parse_args(words.split())
    assert arguments.atlas_dir == [Path("b"), Path("c")]
    assert arguments.derivatives == [Path("a")]


@pytest.mark.parametrize(
    "words",
    [
        "design",
        "run bids out all",
        "run bids out sideways --protocol t",
        "run bids out all --protocol t --n-workers 0",
        "run bids out all --protocol t --memory-gb -1",
        "new nothing here",
        "",
    ],
)
def test_misuse(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(words.split())
    assert caught.value.code == 2
    assert "usage: phmri" in capsys.readouterr().err


def test_help_describes_every_template(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["new", "--help"])
    described = capsys.readouterr().out.split("templates:")[1]
    assert all(f"  {name} " in described for name in list_templates())


@pytest.mark.parametrize("command", ["new", "check", "design", "run", "demo"])
def test_every_command_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args([command, "--help"])
    assert caught.value.code == 0
    assert len(capsys.readouterr().out) > 300
