from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.dataset import (
    DatasetCheck,
    check_dataset,
    index_dataset,
    needed_cells,
    unit_groups,
    write_image,
    write_json,
    write_table,
)
from phmri.exceptions import DatasetError
from phmri.protocol import Protocol, Scan


def _check(trial, protocol) -> DatasetCheck:
    if isinstance(protocol, dict):
        protocol = Protocol.model_validate(protocol)
    return check_dataset(protocol, index_dataset(trial.root))


def _cell(check: DatasetCheck, subject: str = "01", session: str = "infusion"):
    (cell,) = (c for c in check.cells if c.subject == subject and c.session == session)
    return cell


def _copy(trial, name: str) -> None:
    image = nib.load(trial.bold())
    path = trial.func("01", "infusion") / f"sub-01_ses-infusion_{name}.nii.gz"
    write_image(path, np.asarray(image.dataobj), image.affine, {"RepetitionTime": 2.0}, t_r=2.0)
    mask = path.with_name(path.name.replace("desc-preproc_bold", "desc-brain_mask"))
    write_image(mask, np.ones(image.shape[:3], dtype=bool), image.affine)


def _drop(trial, subject: str, session: str) -> None:
    for path in trial.func(subject, session).iterdir():
        path.unlink()


def test_whole_trial(trial, protocol) -> None:
    check = _check(trial, protocol)
    assert Counter(cell.status for cell in check.cells) == {"ok": 8}
    assert check.problems == ()
    cell = _cell(check)
    assert cell.group == cell.treatment == "ketamine"
    assert cell.run is not None
    assert cell.run.path == trial.bold()
    assert _cell(check, session="baseline").treatment is None
    (question,) = check.questions
    assert question.answerable
    assert question.reason == ""
    assert question.n_per_group == {"ketamine": 2, "placebo": 2}


def test_missing_run_makes_the_question_unanswerable(trial, protocol) -> None:
    _drop(trial, "01", "baseline")
    check = _check(trial, protocol)
    assert _cell(check, session="baseline").status == "missing"
    (question,) = check.questions
    assert not question.answerable
    assert question.n_per_group == {"ketamine": 1, "placebo": 2}
    assert "ketamine: 1 of at least 2" in question.reason
    assert "1 with memory in ses-baseline missing" in question.reason
    assert check.problems == ()


def test_post_needs_no_baseline(trial, parallel) -> None:
    _drop(trial, "01", "baseline")
    question = dict(parallel["questions"]["acute"])
    question.update(estimator="post", baseline=None)
    parallel["questions"] = {"acute": question}
    assert _check(trial, parallel).questions[0].answerable


def test_participant_without_data_is_missing(trial, protocol) -> None:
    arms = dict.fromkeys(("01", "02"), "ketamine")
    trial.add_participants(arms | dict.fromkeys(("03", "04", "05"), "placebo"))
    check = _check(trial, protocol)
    assert _cell(check, "05").status == "missing"
    assert check.problems == ()
    assert check.questions[0].answerable


def test_space_and_resolution(trial, parallel, protocol) -> None:
    other = _cell(_check(trial, protocol.model_copy(update={"space": "MNI152NLin6Asym"})))
    assert other.status == "space"
    assert other.reason == "in MNI152NLin2009cAsym; the protocol asks MNI152NLin6Asym"
    assert _cell(_check(trial, {**parallel, "resolution": "02"})).status == "ok"
    finer = _cell(_check(trial, {**parallel, "resolution": "1"}))
    assert (finer.status, finer.reason) == ("space", "res-2; the protocol asks res-1")


def test_native_space_has_no_entity(trial, protocol) -> None:
    _copy(trial, "task-nback_desc-preproc_bold")
    check = _check(trial, protocol.model_copy(update={"space": "native"}))
    assert _cell(check).status == "ok"
    assert _cell(check, "02").status == "space"


def test_doubled(trial, parallel) -> None:
    _copy(trial, "task-nback_space-MNI152NLin2009cAsym_res-1_desc-preproc_bold")
    check = _check(trial, parallel)
    cell = _cell(check)
    assert cell.status == "doubled"
    assert "resolution" in cell.reason
    assert [problem.what for problem in check.problems] == ["more than one file for one run"]
    assert _cell(_check(trial, {**parallel, "resolution": "2"})).status == "ok"


def test_several_runs_of_a_task(trial, parallel) -> None:
    _drop(trial, "01", "infusion")
    trial.add_run("01", "infusion", "nback")
    for path in list(trial.func("01", "infusion").iterdir()):
        for number in ("01", "02"):
            name = path.name.replace("task-nback", f"task-nback_run-{number}")
            path.with_name(name).write_bytes(path.read_bytes())
        path.unlink()
    cell = _cell(_check(trial, parallel))
    assert cell.status == "doubled"
    assert "`run`" in cell.reason
    parallel["scans"] = {"memory": {"task": "nback", "run": 2}}
    chosen = _cell(_check(trial, parallel))
    assert chosen.run is not None
    assert chosen.run.run == "02"
    assert _cell(_check(trial, parallel), "02").status == "missing"


def test_short_broken_and_not_planned(trial, parallel, protocol) -> None:
    parallel["scans"] = {"memory": {"task": "nback", "min_volumes": 13}}
    cell = _cell(_check(trial, parallel))
    assert (cell.status, cell.reason, cell.run) == ("short", "12 volumes, fewer than 13", None)
    scans = {"memory": Scan(task="nback", sessions=("infusion",))}
    only = protocol.model_copy(update={"scans": scans})
    assert _cell(_check(trial, only), session="baseline").status == "not planned"
    trial.bold().write_bytes(b"")
    broken = _check(trial, parallel)
    assert (_cell(broken).status, _cell(broken).reason) == ("broken", "the file is empty")
    assert [problem.subject for problem in broken.problems] == ["01"]


def test_conditions_need_events(trial, protocol) -> None:
    trial.events().unlink()
    cell = _cell(_check(trial, protocol))
    assert cell.status == "broken"
    assert "no events" in cell.reason


def test_durations_in_milliseconds_are_told(trial, protocol) -> None:
    rows = "0\t4000\tinfusion\n0\t4000\ttwo\n8\t4000\ttwo\n"
    trial.events().write_text("onset\tduration\ttrial_type\n" + rows)
    check = _check(trial, protocol)
    (problem,) = check.problems
    assert "is its duration in milliseconds?" in problem.what
    assert (problem.file, problem.line) == (str(trial.events()), 3)
    assert (problem.subject, problem.session, problem.field) == ("01", "infusion", "duration")
    assert problem.found == "4000 s from 0 s on, and 1 more"
    assert problem.expected == "seconds; the run lasts 24 s (12 volumes of 2 s)"
    assert _cell(check).status == "broken"


@pytest.mark.parametrize("row", ["20\t15\ttwo", "20\tn/a\ttwo", "0\t4000\tinfusion"])
def test_a_last_block_may_outlast_the_run(trial, protocol, row) -> None:
    trial.events().write_text(f"onset\tduration\ttrial_type\n{row}\n")
    check = _check(trial, protocol)
    assert (check.problems, check.remarks) == ((), ())


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("placebo\t20", "arm ketamine in line 2; arm placebo in line 6"),
        ("n/a\t20", "arm ketamine in line 2; arm n/a in line 6"),
        ("ketamine\t31", "age 20 in line 2; age 31 in line 6"),
    ],
)
def test_participant_of_two_rows_that_differ_is_not_analysed(trial, parallel, row, found) -> None:
    path = trial.root / "participants.tsv"
    path.write_text(path.read_text() + f"sub-01\t{row}\n")
    parallel["exclusions"] = {"broken_run": "exclude"}
    check = _check(trial, parallel)
    (problem,) = check.problems
    assert (problem.subject, problem.line, problem.found) == ("01", 6, found)
    assert (_cell(check).status, _cell(check).run) == ("excluded", None)
    assert _cell(check).reason == "the rows in participants.tsv differ"
    assert check.questions[0].n_per_group == {"ketamine": 1, "placebo": 2}


def test_excluded_by_the_protocol(trial, parallel) -> None:
    parallel["exclusions"] = {"participants": {"01": "claustrophobia", "77": "typing slip"}}
    check = _check(trial, parallel)
    assert (_cell(check).status, _cell(check).reason) == ("excluded", "claustrophobia")
    (problem,) = check.problems
    assert problem.field == "exclusions.participants.77"
    assert problem.expected == "one of 4 participants"


def test_exclusion_that_lost_its_zeros_names_who_is_meant(trial, parallel) -> None:
    parallel["exclusions"] = {"participants": {"1": "claustrophobia"}}
    (problem,) = _check(trial, parallel).problems
    assert problem.field == "exclusions.participants.1"
    assert problem.expected == "sub-01, whose leading zeros differ"


def test_a_question_names_what_left_participants_out(trial, parallel) -> None:
    gone = {"participants": {"01": "claustrophobia", "02": "claustrophobia"}}
    check = _check(trial, Protocol.model_validate({**parallel, "exclusions": gone}))
    (question,) = check.questions
    assert "2 with memory in ses-infusion excluded: claustrophobia" in question.reason
    mixed = {
        **parallel["questions"]["acute"],
        "estimator": "mixed",
        "inference": {"method": "fdr"},
    }
    document = {**parallel, "exclusions": gone, "questions": {"acute": mixed}}
    (question,) = _check(trial, Protocol.model_validate(document)).questions
    assert "2 without any session (excluded: claustrophobia)" in question.reason


def test_no_arm_is_written_as_the_table_writes_it(trial, protocol) -> None:
    table = pd.read_csv(trial.root / "participants.tsv", sep="\t")
    table.loc[0, "arm"] = np.nan
    write_table(trial.root / "participants.tsv", table)
    check = _check(trial, protocol)
    assert _cell(check).reason == "arm n/a is not in the protocol"
    assert "n/a" in {problem.found for problem in check.problems}


def test_unknown_arm(trial, protocol) -> None:
    trial.add_participants({"01": "ketmine", "02": "ketamine", "03": "placebo", "04": "placebo"})
    check = _check(trial, protocol)
    (problem,) = check.problems
    assert (problem.subject, problem.field, problem.found) == ("01", "arm", "ketmine")
    assert problem.expected == "ketamine, placebo"
    assert _cell(check).status == "excluded"
    assert _cell(check).group is None


def test_no_column_of_arms(trial, protocol) -> None:
    table = pd.DataFrame({"participant_id": [f"sub-0{i}" for i in (1, 2, 3, 4)], "age": 3})
    write_table(trial.root / "participants.tsv", table)
    check = _check(trial, protocol)
    assert [problem.field for problem in check.problems] == ["arm"]
    assert {cell.status for cell in check.cells} == {"excluded"}
    assert not check.questions[0].answerable
    # Another problem of the table does not hide that it has no such column.
    people = ("participant_id", *(f"sub-0{i}" for i in (1, 2, 3, 4, 4)))
    (trial.root / "participants.tsv").write_text("\n".join(people) + "\n")
    told = [problem.what for problem in _check(trial, protocol).problems]
    assert told == [
        "the participant stands in the table twice",
        "the table has no column for the arm",
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"participant_id\tarm\nsub-01\tket\xe4mine\n", "not UTF-8 text"),
        (b"", "the table is empty"),
        (b"participant_id\tarm\nsub-01\n", "another number of fields than names"),
        (b"id\tarm\nsub-01\tketamine\n", "the table lacks a column"),
        (None, "the table of participants is missing"),
    ],
)
def test_table_that_cannot_be_read_is_told_once(trial, protocol, content, what) -> None:
    path = trial.root / "participants.tsv"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    check = _check(trial, protocol)
    assert [problem.what for problem in check.problems] == [what]
    assert {cell.status for cell in check.cells} == {"excluded"}


def test_one_participant_in_an_arm(trial, protocol) -> None:
    trial.add_participants({"01": "ketamine", "02": "placebo", "03": "placebo", "04": "placebo"})
    (question,) = _check(trial, protocol).questions
    assert not question.answerable
    assert (
        question.reason
        == "ketamine: 1 of at least 2 participants have all that the question needs"
    )


def test_restricted_to_participants(trial, protocol) -> None:
    index = index_dataset(trial.root)
    check = check_dataset(protocol, index, ["sub-02", "88"])
    assert {cell.subject for cell in check.cells} == {"02"}
    assert [(problem.what, problem.subject) for problem in check.problems] == [
        ("no such participant", "88")
    ]
    (problem,) = check_dataset(protocol, index, ["2"]).problems
    assert problem.expected == "sub-02, whose leading zeros differ"


def test_another_grid_is_broken(trial, protocol) -> None:
    image, mask = nib.load(trial.bold()), nib.load(trial.mask())
    affine = image.affine[:, [1, 0, 2, 3]]  # axes swapped in image and mask alike
    write_image(trial.bold(), np.asarray(image.dataobj), affine, t_r=2.0)
    write_image(trial.mask(), np.asarray(mask.dataobj), affine)
    check = _check(trial, protocol)
    assert _cell(check).status == "broken"
    assert _cell(check).reason == "its voxel grid is not that of 7 other runs"
    assert [problem.file for problem in check.problems] == [str(trial.bold())]


def test_covariate_without_column_or_value(trial, parallel) -> None:
    question = dict(parallel["questions"]["acute"])
    question["covariates"] = ["age", "weight"]
    parallel["questions"] = {"acute": question}
    lines = ["participant_id\tarm\tage", "sub-01\tketamine\tn/a", "sub-02\tketamine\t30"]
    lines += ["sub-03\tplacebo\t30", "sub-04\tplacebo\t30"]
    (trial.root / "participants.tsv").write_text("\n".join(lines))
    check = _check(trial, parallel)
    assert not check.questions[0].answerable
    assert "no column weight" in check.questions[0].reason
    assert "1 without age" in check.questions[0].reason
    assert check.questions[0].n_per_group == {"ketamine": 1, "placebo": 2}


def test_needed_cells_of_a_parallel_question(trial, protocol) -> None:
    index = index_dataset(trial.root)
    check = check_dataset(protocol, index)
    cells = needed_cells(protocol, "acute", check, index.participants)
    assert list(cells) == ["01", "02", "03", "04"]
    assert {role: cell.session for role, cell in cells["01"].items()} == {
        "outcome": "infusion",
        "baseline": "baseline",
    }
    groups = unit_groups(protocol, "acute", check)
    assert groups == {"01": "ketamine", "02": "ketamine", "03": "placebo", "04": "placebo"}
    with pytest.raises(DatasetError, match="no such question"):
        needed_cells(protocol, "other", check)


def test_crossover(crossover_trial, crossover) -> None:
    protocol = Protocol.model_validate(crossover)
    check = _check(crossover_trial, protocol)
    assert check.problems == ()
    (question,) = check.questions
    assert question.answerable
    assert question.n_per_group == {"KP": 2, "PK": 2}
    cells = needed_cells(protocol, "acute", check)
    sessions = {s: (c["first"].session, c["second"].session) for s, c in cells.items()}
    assert sessions == {
        "01": ("first", "second"),
        "02": ("first", "second"),
        "03": ("second", "first"),
        "04": ("second", "first"),
    }
    assert {c["first"].treatment for c in cells.values()} == {"ketamine"}


def test_crossover_needs_both_orders(crossover_trial, crossover) -> None:
    crossover_trial.add_participants(dict.fromkeys(("01", "02", "03", "04"), "KP"))
    (question,) = _check(crossover_trial, crossover).questions
    assert not question.answerable
    assert "placebo before ketamine: 0 of at least 2" in question.reason


def test_dates_against_periods(crossover_trial, crossover) -> None:
    path = crossover_trial.root / "sub-01" / "sub-01_sessions.tsv"
    path.write_text("session_id\tacq_time\nses-first\t2024-03-01\nses-second\t2024-02-01\n")
    other = crossover_trial.root / "sub-02" / "sub-02_sessions.tsv"
    other.write_text("session_id\tacq_time\nses-first\tMonday\nses-second\t2024-02-01\n")
    check = _check(crossover_trial, crossover)
    assert {(problem.what, problem.subject) for problem in check.problems} == {
        ("the dates contradict the periods of the protocol", "01"),
        ("the date of the session cannot be read", "02"),
    }


def test_crossover_of_unknown_order(crossover_trial, crossover) -> None:
    crossover["design"] = {**crossover["design"], "order": "unknown"}
    crossover["sessions"] = {
        "first": {"phase": "acute", "treatment": "placebo"},
        "second": {"phase": "acute", "treatment": "ketamine"},
    }
    protocol = Protocol.model_validate(crossover)
    _drop(crossover_trial, "04", "first")
    check = _check(crossover_trial, protocol)
    (question,) = check.questions
    assert question.answerable
    assert question.n_per_group == {"unknown": 3}
    cells = needed_cells(protocol, "acute", check)
    assert {c["first"].session for c in cells.values()} == {"second"}
    assert set(unit_groups(protocol, "acute", check).values()) == {"unknown"}


def test_tables_and_images_of_one_run_are_told_apart(tmp_path: Path, parallel) -> None:
    func = tmp_path / "derivatives" / "x" / "sub-01" / "func"
    write_table(
        tmp_path / "participants.tsv",
        pd.DataFrame({"participant_id": ["sub-01"], "arm": ["ketamine"]}),
    )
    write_json(tmp_path / "task-nback_bold.json", {"RepetitionTime": 2.0})
    table = pd.DataFrame({"a": np.arange(9.0), "b": np.ones(9)})
    write_table(func / "sub-01_task-nback_seg-A_timeseries.tsv", table)
    write_table(func / "sub-01_task-nback_seg-B_timeseries.tsv", table)
    parallel["sessions"] = {"infusion": {"phase": "acute"}}
    parallel["scans"] = {"memory": {"task": "nback"}}
    parallel["parcellations"] = {"parcels": {"seg": "B"}}
    parallel["questions"] = {
        "acute": {
            **parallel["questions"]["acute"],
            "measure": "mean",
            "estimator": "post",
            "baseline": None,
        }
    }
    maps = _check_at(tmp_path, parallel)
    assert maps.cells[0].status == "missing"
    assert "an image" in maps.cells[0].reason
    parallel["measures"] = {
        "mean": {
            "kind": "roi_to_roi",
            "scan": "memory",
            "denoising": "plain",
            "parcels": "parcels",
            "summary": "global",
        }
    }
    cell = _check_at(tmp_path, parallel).cells[0]
    assert cell.status == "ok"
    assert cell.run is not None
    assert cell.run.seg == "B"
    assert cell.session == "infusion"


def _check_at(root: Path, protocol: dict[str, object]) -> DatasetCheck:
    if "mean" not in protocol["measures"]:
        protocol = {**protocol, "measures": {"mean": protocol["measures"]["seedmap"]}}
    return check_dataset(Protocol.model_validate(protocol), index_dataset(root))
