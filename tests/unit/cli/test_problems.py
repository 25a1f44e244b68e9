"""Problems as lines."""

from phmri.cli._problems import problem_lines
from phmri.exceptions import Problem


def of(subject: str, session: str | None = "drug", found: str = "3") -> Problem:
    return Problem(
        what="too few trials",
        file=f"sub-{subject}_events.tsv",
        subject=subject,
        session=session,
        field="two_back",
        found=found,
        expected="5 or more",
    )


def test_few_are_told_one_by_one() -> None:
    problems = [of("01"), of("02"), of("03")]
    assert problem_lines(problems) == [str(problem) for problem in problems]


def test_many_alike_are_told_once_with_all_their_places() -> None:
    problems = [of(f"{i:02d}", session) for i in range(1, 4) for session in ("one", "two")]
    other = Problem(what="no such file", file="x.nii.gz")
    lines = problem_lines([problems[0], other, *problems[1:]])
    others = "sub-01 ses-two; sub-02 ses-one ses-two; sub-03 ses-one ses-two"
    assert lines == [f"{problems[0]}; the same in 5 further runs: {others}", str(other)]


def test_alike_with_another_value_is_not_the_same() -> None:
    problems = [of(f"{i:02d}", found=str(i)) for i in range(1, 6)]
    (line,) = problem_lines(problems)
    assert "found 1; expected 5 or more; the like in 4 further runs: sub-02 ses-drug" in line


def test_participants_have_no_session() -> None:
    (line,) = problem_lines([of(f"{i:02d}", None) for i in range(1, 6)])
    assert line.endswith("the same in 4 further participants: sub-02; sub-03; sub-04; sub-05")


def test_what_names_no_participant_is_never_joined() -> None:
    problems = [Problem(what="no such drug", file="dosing.tsv", line=i) for i in range(9)]
    assert len(problem_lines(problems)) == 9
