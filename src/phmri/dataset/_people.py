"""Who takes part and when they came: ``participants.tsv``, ``sessions.tsv``, ``phenotype``."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from phmri.dataset._names import same_number
from phmri.dataset._read_tables import MISSING, make_frame, table_rows
from phmri.dataset._records import DatasetIndex
from phmri.dataset._tree import Tree
from phmri.exceptions import DatasetError, Problem

__all__ = [
    "find_strangers",
    "label_meant",
    "read_participants",
    "read_phenotype",
    "read_sessions",
    "row_meant",
]


def read_participants(root: Path) -> tuple[pd.DataFrame, list[Problem], frozenset[str]]:
    """Read ``participants.tsv``.

    Parameters
    ----------
    root : Path
        Folder.

    Returns
    -------
    table : DataFrame
        Index ``participant_id`` without ``sub-``; empty when the file cannot be used. Of a
        participant who stands there twice, ``n/a`` stands where the rows differ.
    problems : list of Problem
    contradicted : frozenset of str
        Participants whose rows differ.
    """
    path = root / "participants.tsv"
    empty = pd.DataFrame(index=pd.Index([], dtype="str", name="participant_id"))
    if not path.is_file():
        what = "the table of participants is missing"
        return empty, [Problem(what=what, file=str(path))], frozenset()
    try:
        names, rows = table_rows(path)
    except DatasetError as error:
        return empty, list(error.problems), frozenset()
    if "participant_id" not in names:
        return empty, [_no_column(path, "participant_id", names)], frozenset()
    column = names.index("participant_id")
    first: dict[str, tuple[int, list[str]]] = {}
    problems = []
    unlike: dict[str, set[int]] = {}
    for line, row in enumerate(rows, start=2):
        subject = row[column] = row[column].removeprefix("sub-")
        if subject in MISSING:
            what = "a row without participant"
            problems.append(Problem(what=what, file=str(path), line=line))
        elif subject in first:
            problem, columns = _twice(path, subject, names, first[subject], (line, row))
            problems.append(problem)
            unlike.setdefault(subject, set()).update(columns)
        else:
            first[subject] = (line, row)
    kept = [
        ["n/a" if i in unlike.get(subject, ()) else entry for i, entry in enumerate(row)]
        for subject, (_, row) in first.items()
    ]
    table = make_frame(names, kept, ("participant_id",)).set_index("participant_id")
    return table, problems, frozenset(subject for subject, columns in unlike.items() if columns)


def _twice(
    path: Path,
    subject: str,
    names: tuple[str, ...],
    first: tuple[int, list[str]],
    again: tuple[int, list[str]],
) -> tuple[Problem, list[int]]:
    """Tell of a second row, and of the columns in which it is not like the first."""
    (line, row), (here, other) = first, again
    columns = [
        i
        for i, (one, two) in enumerate(zip(row, other, strict=True))
        if one != two and not MISSING.issuperset({one, two})
    ]
    what, found = "the participant stands in the table twice", f"a row in line {line} already"
    if columns:
        what += ", and the rows differ"
        values = ", ".join(f"{names[i]} {row[i] or 'n/a'}" for i in columns)
        others = ", ".join(f"{names[i]} {other[i] or 'n/a'}" for i in columns)
        found = f"{values} in line {line}; {others} in line {here}"
    return (
        Problem(
            what=what,
            file=str(path),
            line=here,
            subject=subject,
            field=", ".join(names[i] for i in columns) or None,
            found=found,
            expected="one row per participant",
        ),
        columns,
    )


def read_sessions(tree: Tree) -> tuple[pd.DataFrame, list[Problem]]:
    """Stack the ``sessions.tsv`` of all participants.

    Parameters
    ----------
    tree : Tree
        The BIDS root.

    Returns
    -------
    table : DataFrame
        Columns ``subject``, ``session`` and the rest.
    problems : list of Problem
        Among them a session without date where the table has a column ``acq_time``.
    """
    records: list[dict[str, str]] = []
    problems: list[Problem] = []
    for subject in tree.subjects:
        for file in tree.of(subject, "sessions", ".tsv"):
            found = _session_rows(file.path, subject, problems)
            records += found
    return _stack(records, ("subject", "session"), ("subject", "session", "acq_time")), problems


def _session_rows(path: Path, subject: str, problems: list[Problem]) -> list[dict[str, str]]:
    try:
        names, rows = table_rows(path)
    except DatasetError as error:
        problems.extend(replace(problem, subject=subject) for problem in error.problems)
        return []
    if "session_id" not in names:
        problems.append(replace(_no_column(path, "session_id", names), subject=subject))
        return []
    records = []
    for line, row in enumerate(rows, start=2):
        record = dict(zip(names, row, strict=True))
        session = record.pop("session_id").removeprefix("ses-")
        if record.get("acq_time", "given") in MISSING:
            problems.append(
                Problem(
                    what="the session has no date",
                    file=str(path),
                    line=line,
                    subject=subject,
                    session=session,
                    field="acq_time",
                    found="n/a",
                    expected="a date such as 2024-03-01T09:30:00",
                )
            )
        records.append({"subject": subject, "session": session, **record})
    return records


def read_phenotype(root: Path) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """Read the tables in ``phenotype``.

    Parameters
    ----------
    root : Path
        Folder.

    Returns
    -------
    tables : dict of str to DataFrame
        By stem; columns ``subject``, ``session`` (if there) and the rest.
    problems : list of Problem
    """
    tables: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for path in sorted((root / "phenotype").glob("*.tsv")):
        try:
            names, rows = table_rows(path)
        except DatasetError as error:
            problems.extend(error.problems)
            continue
        if "participant_id" not in names:
            problems.append(_no_column(path, "participant_id", names))
            continue
        labels = {"participant_id": ("subject", "sub-"), "session_id": ("session", "ses-")}
        for column, name in enumerate(names):
            if name in labels:
                for row in rows:
                    row[column] = row[column].removeprefix(labels[name][1])
        new_names = tuple(labels[name][0] if name in labels else name for name in names)
        tables[path.stem] = make_frame(new_names, rows, ("subject", "session"))
    return tables, problems


def find_strangers(index: DatasetIndex, stems: Iterable[str]) -> list[Problem]:
    """Find who stands in a table of ``phenotype`` and not in the trial.

    Parameters
    ----------
    index : DatasetIndex
    stems : iterable of str
        Of the tables.

    Returns
    -------
    list of Problem
        One per participant and table, with the first line; empty where ``participants.tsv``
        cannot be used, which is told elsewhere.
    """
    known = set(map(str, index.participants.index))
    if not known:
        return []
    known |= {run.subject for run in index.runs}
    problems: dict[tuple[str, str], Problem] = {}
    for stem in stems:
        table = index.phenotype.get(stem, pd.DataFrame({"subject": []}))
        for line, subject in enumerate(table["subject"], start=2):
            if isinstance(subject, str) and subject not in known:
                problem = Problem(
                    what="the participant has no row in participants.tsv",
                    file=str(index.root / "phenotype" / f"{stem}.tsv"),
                    line=line,
                    subject=subject,
                    field="participant_id",
                    found=f"sub-{subject}",
                    expected=label_meant(subject, known) or f"one of {len(known)} participants",
                )
                problems.setdefault((stem, subject), problem)
    return list(problems.values())


def row_meant(subject: str, known: Iterable[str]) -> str | None:
    """Name the row that a spreadsheet program may have taken the leading zeros from.

    Parameters
    ----------
    subject : str
        Without a row.
    known : iterable of str
        Participants that have one.

    Returns
    -------
    str or None
    """
    meant = _same(subject, known)
    if meant is None:
        return None
    return f"a row sub-{subject}; there is one for sub-{meant}, whose leading zeros differ"


def label_meant(subject: str, known: Iterable[str]) -> str | None:
    """Name the participant whose leading zeros a spreadsheet program may have taken.

    Parameters
    ----------
    subject : str
        Not a participant.
    known : iterable of str
        Participants.

    Returns
    -------
    str or None
        What should be written.
    """
    meant = _same(subject, known)
    return None if meant is None else f"sub-{meant}, whose leading zeros differ"


def _same(subject: str, known: Iterable[str]) -> str | None:
    return next((label for label in sorted(known) if same_number(label, subject)), None)


def _stack(
    records: list[dict[str, str]], first: tuple[str, ...], text_columns: tuple[str, ...]
) -> pd.DataFrame:
    names = tuple(dict.fromkeys((*first, *(name for record in records for name in record))))
    rows = [[record.get(name, "n/a") for name in names] for record in records]
    return make_frame(names, rows, text_columns)


def _no_column(path: Path, column: str, names: tuple[str, ...]) -> Problem:
    return Problem(
        what="the table lacks a column",
        file=str(path),
        line=1,
        field=column,
        found=", ".join(names),
        expected=column,
    )
