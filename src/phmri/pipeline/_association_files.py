"""What an association leaves beside its record: statistics, and the pairs of one number."""

from pathlib import Path

import numpy as np
import pandas as pd

from phmri.dataset import write_image, write_table
from phmri.inference import InferenceResult
from phmri.pipeline._answers import fill
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import AssociationData
from phmri.pipeline._association_parts import AssociationPart
from phmri.protocol import Association, protocol_sha256

__all__ = ["write_pairs", "write_statistics"]

PAIRS = {
    "participant_id": "Participant.",
    "group": "Arm or sequence; n/a where the order of a crossover is unknown.",
    "visit": "Session or treatment of the pair; n/a where a participant has one row.",
    "outcome": "The outcome, its change, or its difference between treatments.",
    "score": "The same of the score, in points.",
}


def write_statistics(
    inputs: GroupInputs,
    folder: Path,
    data: AssociationData,
    part: AssociationPart,
    result: InferenceResult,
) -> None:
    """Write correlations and p-values of all outcomes, as maps or a table.

    Parameters
    ----------
    inputs : GroupInputs
    folder : Path
    data : AssociationData
    part : AssociationPart
        Names the files, if there are several.
    result : InferenceResult
        Of the part.
    """
    t = np.where(result.tested, result.statistic, 0.0)
    corrected = f"p{result.method.replace('_', '')}"
    maps = {
        "r": t / np.sqrt(t**2 + result.df),
        "t": result.statistic,
        "puncorrected": result.pvalue_uncorrected,
        "qfdr" if result.method == "fdr" else corrected: result.pvalue_corrected,
    }
    over = f"{part.name} participants" if part.name else "over participants"
    sidecar = {
        "Description": f"Correlation with the score {over}; r of places that were "
        "selected for their height is too large.",
        "Method": result.method,
        "NumberOfPermutations": result.n_permutations,
        "Participants": [f"sub-{subject}" for subject in dict.fromkeys(part.subjects)],
        "ProtocolSHA256": protocol_sha256(inputs.protocol),
    }
    outcomes = data.outcomes
    which = f"_desc-{part.name}" if part.name else ""
    if outcomes.kind == "map" and outcomes.affine is not None:
        for name, values in maps.items():
            path = folder / f"{folder.name}_stat-{name}{which}_statmap.nii.gz"
            write_image(path, fill(outcomes, values), outcomes.affine, sidecar)
        return
    table = pd.DataFrame({"name": outcomes.names, **maps})
    write_table(folder / f"{folder.name}{which}_stats.tsv", table, sidecar)


def write_pairs(
    inputs: GroupInputs, folder: Path, item: Association, data: AssociationData
) -> None:
    """Write every pair of outcome and score, where the outcome is one number.

    Parameters
    ----------
    inputs : GroupInputs
    folder : Path
    item : Association
    data : AssociationData
    """
    if data.Y.shape[1] != 1:
        return
    rows = data.rows
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{subject}" for subject in rows.subjects],
            "group": [group or None for group in rows.groups],
            "visit": [visit or None for visit in rows.visits],
            "outcome": data.Y[:, 0],
            "score": rows.score,
        }
    )
    adjusted = {} if data.nuisance is None else dict(enumerate(data.nuisance.T, 1))
    for k, column in adjusted.items():
        table[f"adjusted_for_{k}"] = column
    described: dict[str, object] = {name: {"Description": words} for name, words in PAIRS.items()}
    for k in adjusted:
        words = f"Taken out of both: a column of {', '.join(item.partial) or 'session means'}."
        described[f"adjusted_for_{k}"] = {"Description": words}
    described["ProtocolSHA256"] = protocol_sha256(inputs.protocol)
    write_table(folder / f"{folder.name}_pairs.tsv", table, described)
