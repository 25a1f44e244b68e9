"""Everything that is wrong is told at once, by check and by run, before anything is measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.rated_trial import SERIES, rated_document, run_rated, write_ratings, write_series
from tests.e2e.trees import call

ARMS, N_EACH = ("placebo", "drug"), 4
LABELS = [f"{k:02d}" for k in range(1, 2 * N_EACH + 1)]
ON_DRUG = LABELS[1::2]
EDGES = {"kind": "roi_to_roi", "scan": "rest", "parcels": "all", "denoising": "plain"}


def asked(estimator: str, measure: str = "edge", role: str = "secondary") -> dict[str, Any]:
    return {
        "text": "Does it?",
        "role": role,
        "measure": measure,
        "contrast": ["drug", "placebo"],
        "session": "day",
        "estimator": estimator,
        "inference": {"method": "holm"},
        **({} if estimator == "post" else {"baseline": "before"}),
    }


def document(questions: Mapping[str, object], **sections: object) -> dict[str, Any]:
    return rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": arm} for arm in ARMS}},
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}},
        {arm: {} for arm in ARMS},
        **{
            "scales": {"score": {"columns": ["score"], "minimum": 0, "maximum": 60}},
            "questions": questions,
            **sections,
        },
    )


def write_trial(root: Path, *, lost: tuple[str, ...] = (), same: bool = False) -> None:
    """Write courses of ``a`` and ``b`` and scores; lost baselines; days that are all the same."""
    rng = np.random.default_rng(8)
    people = pd.DataFrame({"participant_id": LABELS, "arm": list(ARMS) * N_EACH})
    table = people.merge(pd.DataFrame({"session_id": ["before", "day"]}), how="cross")
    table = table[~((table["session_id"] == "before") & table["participant_id"].isin(lost))]
    table["score"] = rng.normal(20, 3, len(table)).round(1)
    write_ratings(root / "bids", people, {"score": table.drop(columns="arm")})
    one = rng.normal(size=(30, 2))
    for row in table.itertuples():
        courses = one if same and row.session_id == "day" else rng.normal(size=(30, 2))
        write_series(root / "bids", row.participant_id, row.session_id, courses)


def table_of(root: Path, subject: str, session: str) -> Path:
    (path,) = (root / "bids" / f"sub-{subject}" / f"ses-{session}").rglob("*_timeseries.tsv")
    return path


def rewrite(path: Path, change: Mapping[str, object]) -> None:
    table = pd.read_csv(path, sep="\t").assign(**change)
    table.to_csv(path, sep="\t", index=False)


def spoil(root: Path) -> None:
    """Make four tables wrong, the first in two ways."""
    first = table_of(root, "01", "day")
    rewrite(first, {"b": 100.0})
    lines = first.read_text().splitlines()
    lines[5] = "abc\t100.0"
    first.write_text("\n".join(lines))
    copied = table_of(root, "02", "before")
    rewrite(copied, {"b": 3 - 2 * pd.read_csv(copied, sep="\t")["a"]})
    lacking = table_of(root, "03", "day")
    pd.read_csv(lacking, sep="\t")[["a"]].to_csv(lacking, sep="\t", index=False)
    rewrite(table_of(root, "04", "day"), {"c": np.arange(30.0) % 7})


TOLD = (
    "sub-01, ses-day, a: not a number; found 'abc'",
    "sub-01, ses-day, b: a parcel does not change in time",
    "sub-02, ses-before, a, b: two parcels have one time course: a copy is no measurement",
)
OF_REGIONS = (*TOLD, "sub-03, ses-day, b: the time series have no such column; found a; expected")
ODD = "parcellations.all: the table has other columns than most of its scan; found"
OF_PARCELS = (
    *TOLD,
    f"sub-03, ses-day, {ODD} no column b; expected the 2 columns of 14 of 16 tables",
    f"sub-04, ses-day, {ODD} further c; expected",
)


@pytest.mark.parametrize(("measure", "expected"), [("edge", OF_REGIONS), ("edges", OF_PARCELS)])
def test_tables_are_judged_before_the_first_levels(
    tmp_path: Path, measure: str, expected: tuple[str, ...]
) -> None:
    write_trial(tmp_path)
    spoil(tmp_path)
    if measure == "edges":
        measures = {"measures": {"edges": EDGES}, "parcellations": {"all": {}}, "regions": {}}
    else:
        measures = {"measures": SERIES["measures"]}
    trial = document({"q": asked("ancova", measure, "primary")}, **measures)
    code, printed = run_rated(tmp_path, trial)
    assert code != 0
    assert "First levels" not in printed
    assert f"({len(expected)} problems)" in printed
    checked = call("check", tmp_path / "trial.yaml", tmp_path / "bids")
    assert checked[0] == 1
    for words in expected:
        assert words in printed
        assert words in checked[1]


def test_wrong_tables_are_left_out_where_the_protocol_says_so(tmp_path: Path) -> None:
    write_trial(tmp_path)
    spoil(tmp_path)
    rule = {"exclusions": {"broken_run": "exclude", "min_participants_per_group": 2}}
    code, printed = run_rated(tmp_path, document({"q": asked("post", role="primary")}, **rule))
    assert code == 0, printed
    assert "3 runs broken" in printed
    assert all(words in printed for words in OF_REGIONS)


QUESTIONS = {
    "first": asked("mmrm", role="primary"),
    "second": asked("ancova"),
    "third": asked("mmrm", "score"),
    "fine": asked("post", "score"),
}


def test_run_stops_with_all_that_check_lists(tmp_path: Path) -> None:
    write_trial(tmp_path, lost=tuple(ON_DRUG))
    code, printed = run_rated(tmp_path, document(QUESTIONS))
    assert code == 1
    assert "(3 problems)" in printed
    lost = "left out: 4 without the baseline in ses-before"
    assert printed.count(lost) == 2
    for name in ("first", "second", "third"):
        assert printed.count(f"questions.{name}: ") == 1
    checked = call("check", tmp_path / "trial.yaml", tmp_path / "bids")[1]
    assert "Will not be answered: first, second, third." in checked


def test_an_exclusion_is_told_in_the_same_words_by_every_estimator(tmp_path: Path) -> None:
    write_trial(tmp_path)
    excluded = {"exclusions": {"participants": dict.fromkeys(ON_DRUG, "moved away")}}
    code, printed = run_rated(tmp_path, document(QUESTIONS, **excluded))
    assert code == 1
    assert "4 without the baseline in ses-before (excluded: moved away)" in printed
    assert "4 with rest in ses-day excluded: moved away" in printed
    assert "4 with score in ses-day excluded: moved away" in printed


def test_what_only_the_runs_refuse_is_listed_at_the_end(tmp_path: Path) -> None:
    write_trial(tmp_path, lost=tuple(ON_DRUG), same=True)
    questions = {"lost": asked("ancova"), "still": asked("post")}
    questions["fine"] = asked("post", "score", "primary")
    code, printed = run_rated(tmp_path, document(questions))
    assert code == 0, printed
    end = printed[printed.rindex("Claims") :]
    assert end.count("questions.lost: ") == 1
    assert end.count("questions.still: the outcome is the same in every participant") == 1
    assert "questions.fine" not in end
