"""Every check of the statistical reference set is reproduced by a test, or a reason is written.

An oracle module names the checks it reproduces in ``CHECKS = ("file:check", ...)``.
"""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ORACLE = Path(__file__).parents[1]
INDEX = ORACLE / "stats_reference" / "INDEX.md"
FILES = "ABCDEFGHIJKLMQ"
"""The files of trial statistics. N, O and S, on shuffling and random fields, have tests in
tests/oracle/stats and tests/oracle/spm; R is about drawing randomisation lists."""

OLDER = {"G_williams:williams3_rerandomisation": "stats/test_blocks.py"}
"""Checks reproduced by modules that have no ``CHECKS``."""

NOT_COVERED: dict[str, str] = {}
"""Checks without a test, each with the reason."""


def reference_checks() -> set[str]:
    checks, file = set(), ""
    for line in INDEX.read_text().splitlines():
        if heading := re.match(r"## expected/(\w+)\.json", line):
            file = heading[1]
        elif line.startswith("## "):
            file = ""
        elif file and file[0] in FILES and (item := re.match(r"- `(\w+)`", line)):
            checks.add(f"{file}:{item[1]}")
    return checks


def claimed_checks() -> set[str]:
    """Give the checks that oracle modules name."""
    claimed: set[str] = set()
    for path in sorted(ORACLE.rglob("test_*.py")):
        if re.search(r"^CHECKS\b", path.read_text(), re.MULTILINE):
            name = "coverage_of_" + "_".join(path.relative_to(ORACLE).with_suffix("").parts)
            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            claimed.update(module.CHECKS)
    return claimed


CLAIMED = claimed_checks() | set(OLDER)


def test_the_index_is_read():
    checks = reference_checks()
    assert len(checks) == 82
    assert {check[0] for check in checks} == set(FILES)
    assert "Q_missing_balance:rubin_pooling" in checks


def test_no_check_is_claimed_that_does_not_exist():
    assert {check for check in CLAIMED if check[0] in FILES} - reference_checks() == set()


def test_every_check_has_a_test_or_a_reason(capsys: pytest.CaptureFixture[str]):
    checks = reference_checks()
    covered = checks & CLAIMED
    with capsys.disabled():
        sys.stdout.write(f"\n{len(covered)} of {len(checks)} reference checks are reproduced\n")
    missing = sorted(checks - covered - set(NOT_COVERED))
    assert not missing, "no test for\n" + "\n".join(missing)


def test_reasons_are_given_only_for_what_has_no_test():
    assert set(NOT_COVERED) <= reference_checks()
    assert not set(NOT_COVERED) & CLAIMED
    assert all(len(reason.split()) > 3 for reason in NOT_COVERED.values())


@pytest.mark.parametrize("check", OLDER)
def test_older_modules_still_read_their_checks(check):
    file, name = check.split(":")
    assert f'"{file}", "{name}"' in (ORACLE / OLDER[check]).read_text()
