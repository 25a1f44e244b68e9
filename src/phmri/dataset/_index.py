"""Index of a BIDS root and its derivative folders, by file names and headers alone."""

from collections.abc import Sequence
from pathlib import Path

from phmri.dataset._people import (
    read_participants,
    read_phenotype,
    read_sessions,
    row_meant,
)
from phmri.dataset._records import DatasetIndex, Run
from phmri.dataset._runs import find_runs
from phmri.dataset._tree import Tree, find_derivatives, scan_tree
from phmri.exceptions import DatasetError, Problem

__all__ = ["index_dataset"]


def index_dataset(root: Path, derivatives: Sequence[Path] = ()) -> DatasetIndex:
    """List all preprocessed runs and tables of a trial, with all that is wrong with them.

    Parameters
    ----------
    root : Path
        The BIDS root: ``participants.tsv``, ``sub-*``, ``phenotype``.
    derivatives : sequence of Path, optional
        Derivative folders of fMRIPrep, XCP-D, HALFpipe or any program with BIDS names. Empty:
        all folders of ``root/derivatives``, and the root itself if it is a derivative.

    Returns
    -------
    DatasetIndex
        Broken files make problems, not errors.

    Raises
    ------
    DatasetError
        The root or a given derivative folder does not exist, or holds no participant.

    Notes
    -----
    Of an image only the first bytes are decompressed, and the length that gzip stores at the end
    is compared with the one the header promises. A general BIDS index, which reads every file
    of the tree into a database, takes minutes on such a trial; this takes about a second.

    The repetition time is that of the derivative's sidecar, else of the raw run's sidecars (with
    inheritance), else of the header where it states its unit of time.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(Problem(what="no such folder", file=str(root), expected="a BIDS root"))
    folders = find_derivatives(root, tuple(Path(folder) for folder in derivatives))
    raw = scan_tree(root)
    trees = tuple(raw if folder == root else scan_tree(folder) for folder in folders)
    runs: list[Run] = []
    for tree in trees:
        runs += find_runs(tree, raw, tuple(other for other in trees if other is not tree))
    participants, people_problems, contradicted = read_participants(root)
    sessions, session_problems = read_sessions(raw)
    phenotype, phenotype_problems = read_phenotype(root)
    problems = [
        problem for tree in {id(t): t for t in (raw, *trees)}.values() for problem in tree.problems
    ]
    problems += people_problems + session_problems + phenotype_problems
    if not participants.empty or len(participants.index):
        problems += _strangers(root, set(participants.index), (raw, *trees))
    if not runs:
        problems.append(_no_runs(root, folders))
    return DatasetIndex(
        root=root,
        derivatives=folders,
        runs=tuple(sorted(runs, key=_order)),
        participants=participants,
        sessions=sessions,
        phenotype=phenotype,
        problems=tuple(problems),
        contradicted=contradicted,
    )


def _order(run: Run) -> tuple[str, str, str, str, str]:
    return run.subject, run.session or "", run.task, run.run or "", str(run.path)


def _strangers(root: Path, known: set[str], trees: tuple[Tree, ...]) -> list[Problem]:
    found = {subject: tree.root for tree in reversed(trees) for subject in tree.subjects}
    return [
        Problem(
            what="the participant has a folder but no row in the table",
            file=str(root / "participants.tsv"),
            subject=subject,
            found=str(folder / f"sub-{subject}"),
            expected=row_meant(subject, known),
        )
        for subject, folder in sorted(found.items())
        if subject not in known
    ]


def _no_runs(root: Path, folders: tuple[Path, ...]) -> Problem:
    return Problem(
        what="no preprocessed run was found",
        file=str(root),
        found=", ".join(map(str, folders)) or "no derivative folder",
        expected="images ..._desc-preproc_bold.nii.gz or tables ..._timeseries.tsv",
    )
