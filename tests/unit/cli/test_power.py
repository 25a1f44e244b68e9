"""``phmri power`` from the shell."""

import json

import pandas as pd
import pytest

from phmri.cli import main
from phmri.protocol import write_template


@pytest.fixture
def protocol(tmp_path):
    return write_template("timeseries_crossover", tmp_path)


def test_closed_forms_and_every_file(protocol, tmp_path, capsys):
    out = tmp_path / "planning"
    words = ["power", str(protocol), "--trials", "0", "--effect", "0.5", "--n", "20", "34"]
    assert main([*words, "--out", str(out)]) == 0
    assert "for 80%" in capsys.readouterr().out
    names = {"power.tsv", "power.json", "power.html", "power.png", "power.svg", "grant.txt"}
    assert {path.name for path in out.iterdir()} == names
    table = pd.read_csv(out / "power.tsv", sep="\t", na_values="n/a")
    needed = table[(table["row"] == "needed") & (table["about"] == "difference")]
    # Paired t, dz 0.5, 80 %: 34 people.
    assert needed["n"].tolist()[0] == 34
    assert json.loads((out / "power.json").read_text())["simulated"] is True
    grant = " ".join((out / "grant.txt").read_text().split())
    assert "34 in all for dz = 0.50" in grant
    assert "(assumed, not measured)" in grant
    page = (out / "power.html").read_text()
    assert "data:image/png;base64," in page
    assert "<script" not in page


def test_what_only_simulation_tells_is_not_told_without(protocol, tmp_path, capsys):
    out = tmp_path / "planning"
    words = ["power", str(protocol), "--trials", "0", "--out", str(out)]
    assert main(words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "nodes: no power: there is no closed form, and nothing was to be simulated" in told
    assert "no trial would do" not in (out / "grant.txt").read_text()
    assert "nodes" not in set(pd.read_csv(out / "power.tsv", sep="\t")["questions"])
    assert "nothing was to be simulated" in (out / "power.html").read_text()
    text = protocol.read_text()
    maps_alone = text[: text.index("  mean:\n")] + text[text.index("  nodes:\n") :]
    protocol.write_text(maps_alone.replace("role: exploratory", "role: primary"))
    assert main(words) == 2
    assert "nothing was to be simulated" in capsys.readouterr().err


def test_the_same_twice(protocol, tmp_path):
    words = ["power", str(protocol), "--trials", "20", "--tests", "10", "--effect", "0.9"]
    words += ["--n", "10", "14"]
    written = []
    for name, workers in (("one", "1"), ("two", "2")):
        out = tmp_path / name
        assert main([*words, "--n-workers", workers, "--out", str(out)]) == 0
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]


def test_all_mistakes_at_once(protocol, tmp_path, capsys):
    words = ["power", str(protocol), "--power", "1.5", "--n-workers", "0", "--trials", "-1"]
    assert main([*words, "--pilot", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err
    for part in ("power", "n_workers", "n_trials", "nowhere"):
        assert part in told


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["power", "--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert "examples:" in told
    assert "dz * sqrt(2 (1 - R))" in told
