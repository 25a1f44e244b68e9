"""Problems as lines: what many runs have in common is told once."""

from collections.abc import Iterable

from phmri.exceptions import Problem

__all__ = ["problem_lines"]

_EACH = 3
"""So many alike are told one by one."""


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """Word problems, those that many runs share once.

    Parameters
    ----------
    problems : iterable of Problem

    Returns
    -------
    list of str
        In the order in which each kind comes first. The first of many alike is told whole, with
        all other participants and sessions that have it, or the like with another value found.
    """
    alike: dict[Problem, list[Problem]] = {}
    for problem in problems:
        common = problem
        if problem.subject is not None:  # else nothing would say which others have it
            common = Problem(
                what=problem.what, field=problem.field, expected=problem.expected, subject=""
            )
        alike.setdefault(common, []).append(problem)
    lines: list[str] = []
    for members in alike.values():
        if len(members) <= _EACH:
            lines += map(str, members)
        else:
            same = "same" if len({member.found for member in members}) == 1 else "like"
            lines.append(f"{members[0]}; the {same} in {_others(members[1:])}")
    return lines


def _others(members: list[Problem]) -> str:
    sessions: dict[str, list[str]] = {}
    for problem in members:
        names = sessions.setdefault(f"sub-{problem.subject}", [])
        if problem.session is not None and f"ses-{problem.session}" not in names:
            names.append(f"ses-{problem.session}")
    places = "; ".join(" ".join([subject, *names]) for subject, names in sessions.items())
    kind = "runs" if any(sessions.values()) else "participants"
    return f"{len(members)} further {kind}: {places}"
