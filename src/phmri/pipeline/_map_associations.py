"""How the effect of a question goes with other maps of the brain: asked, described, kept."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import read_image, read_table, write_json, write_table
from phmri.exceptions import DesignError, PhmriError, Problem
from phmri.inference import MapCorrelations, associate_maps, format_p
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs, contrast_labels, measure_words, question_folder
from phmri.pipeline._map_files import parcel_means, parcellation_of, read_map, read_positions
from phmri.pipeline._measure_words import question_unit
from phmri.pipeline._sound import few
from phmri.protocol import MapAssociation, inference_of, protocol_sha256
from phmri.report import MapAssociationContent, MapAssociationResult, MapAssociationRow

__all__ = ["associate_question"]

SYMBOLS = {"spearman": "rho", "pearson": "r"}
CITED = (
    "Chance is a map with the mean, variance and spatial autocorrelation of the effect: the "
    "amount of every spatial pattern is kept and its sign drawn anew, by Moran spectral "
    "randomisation with reciprocal distances as weights [doi:10.1111/2041-210x.12407]. The "
    "corrected p-value compares with the largest correlation of each such map with any of the "
    "maps [doi:10.1002/hbm.1058]."
)
OF_PLACES = (
    "These p-values are of places, not of participants: they say whether other maps as smooth as "
    "this one would go with a map as closely, not whether other participants would show the same."
)
TABLE = {
    "Description": "Correlations of the effect with every map, over parcels.",
    "p": "Two-sided, against surrogates with the spatial autocorrelation of the effect.",
    "p_corrected": "The same for all maps together, by the largest correlation of each surrogate.",
    "p_naive": "As if parcels were independent, which they are not: not to be reported.",
    "moran_i": "Spatial autocorrelation of the map, Moran's I with reciprocal distances.",
}


def associate_question(
    inputs: GroupInputs, name: str, answers: dict[str, QuestionAnswer], protocol_dir: Path
) -> MapAssociationContent:
    """Compare the effect of a question with maps, or say why the data cannot.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.map_associations``.
    answers : dict of str to QuestionAnswer
        Of all questions, by name.
    protocol_dir : Path
        Files named in the protocol are relative to it.

    Returns
    -------
    MapAssociationContent
    """
    item = inputs.protocol.map_associations[name]
    folder = inputs.out_dir / "group" / f"map_association-{name.replace('_', '')}"
    try:
        table, positions = _gather(inputs, item, answers, protocol_dir)
        places = table["name"].tolist()
        lost = tuple(place for place in positions if place not in places)
        found = associate_maps(
            table["effect"].to_numpy(np.float64),
            np.array([table[f"map_{key}"].to_numpy(np.float64) for key in item.maps]),
            np.array([positions[place] for place in places]),
            statistic=item.statistic,
            n_surrogates=item.n_surrogates,
            rng=np.random.default_rng(item.seed),
        )
    except PhmriError as error:
        result = _refusal(name, item, str(error))
        _write(inputs, folder, result, None)
        return MapAssociationContent(result=result)
    result = _describe(inputs, name, found, n_places=len(places), lost=lost)
    _write(inputs, folder, result, table)
    return MapAssociationContent(
        result=result,
        effect=tuple(table["effect"].tolist()),
        maps={key: tuple(table[f"map_{key}"].tolist()) for key in item.maps},
    )


def _gather(
    inputs: GroupInputs,
    item: MapAssociation,
    answers: dict[str, QuestionAnswer],
    protocol_dir: Path,
) -> tuple[pd.DataFrame, dict[str, Float[np.ndarray, " 3"]]]:
    """Put effect and maps side by side, and say where the parcels lie.

    Raises
    ------
    DesignError
        The question has no answer, or maps or positions lack some of its parcels.
    """
    if answers[item.question].claim.verdict == "refused":
        raise DesignError(
            Problem(what="its question was refused", field=f"questions.{item.question}")
        )
    effect = _effects(inputs, item, protocol_dir)
    maps = {
        key: read_map(inputs.protocol, item, key, protocol_dir=protocol_dir) for key in item.maps
    }
    positions = read_positions(inputs.protocol, item, protocol_dir=protocol_dir)
    problems = []
    known_of = {
        **{f"maps.{key}": set(own) for key, own in maps.items()},
        "positions": set(positions),
    }
    for key, known in known_of.items():
        missing = [place for place in effect if place not in known]
        strange = sorted(known - set(effect))
        if missing:
            problems.append(
                Problem(
                    what=f"{len(missing)} of {len(effect)} parcels of the effect are missing",
                    field=key,
                    found=f"without {few(missing)}"
                    + (f"; parcels that the effect lacks: {few(strange)}" if strange else ""),
                    expected="every parcel under the name that the measure gives it",
                )
            )
    if problems:
        raise DesignError(*problems)
    table = pd.DataFrame({"name": list(effect), "effect": list(effect.values())})
    for key, own in maps.items():
        table[f"map_{key}"] = [own[place] for place in effect]
    return table, positions


def _effects(inputs: GroupInputs, item: MapAssociation, protocol_dir: Path) -> dict[str, float]:
    """Read the effect of a question in every parcel that has one."""
    folder, protocol = question_folder(inputs, item.question), inputs.protocol
    measure = protocol.measures[protocol.questions[item.question].measure]
    parcellation = parcellation_of(protocol, item)
    if measure.is_map and parcellation is not None:
        path = folder / f"{folder.name}_stat-effect_statmap.nii.gz"
        least = protocol.exclusions.min_region_coverage
        image = read_image(path, allow_nan=True)
        return parcel_means(
            image, protocol.space, parcellation, protocol_dir=protocol_dir, least=least
        )
    table = read_table(folder / f"{folder.name}_stats.tsv", text_columns=("name",))
    effects = dict(zip(table["name"].tolist(), table["effect"].tolist(), strict=True))
    return {place: value for place, value in effects.items() if np.isfinite(value)}


def _describe(
    inputs: GroupInputs,
    name: str,
    found: MapCorrelations,
    *,
    n_places: int,
    lost: tuple[str, ...],
) -> MapAssociationResult:
    protocol = inputs.protocol
    item = protocol.map_associations[name]
    question, alpha = (
        protocol.questions[item.question],
        inference_of(protocol, item.question).alpha,
    )
    rows = tuple(
        MapAssociationRow(
            name=key,
            correlation=float(found.correlation[k]),
            pvalue=float(found.pvalue[k]),
            pvalue_corrected=float(found.pvalue_corrected[k]),
            pvalue_naive=float(found.pvalue_naive[k]),
            index=float(found.indices[k]),
            found=bool(found.pvalue_corrected[k] <= alpha),
        )
        for k, key in enumerate(item.maps)
    )
    first, second = contrast_labels(protocol, question)
    label = f"{first} − {second}, {measure_words(protocol, question)}"
    left = f"{len(lost)} parcels have no effect and were left out: {few(lost)}." if lost else ""
    return MapAssociationResult(
        name=name,
        text=item.text,
        verdict="found" if any(row.found for row in rows) else "not found",
        sentence=_sentence(rows, item.statistic, n_places),
        statistic=item.statistic,
        question=item.question,
        label=label,
        unit=question_unit(protocol, question),
        n_places=n_places,
        n_surrogates=found.n_surrogates,
        alpha=alpha,
        index=found.index,
        rows=rows,
        notes=(CITED, OF_PLACES, *((left,) if left else ())),
    )


def _sentence(rows: tuple[MapAssociationRow, ...], statistic: str, n_places: int) -> str:
    def numbers(row: MapAssociationRow) -> str:
        correlation = f"{row.correlation:+.2f}".replace("-", "−")
        return (
            f"{SYMBOLS[statistic]} = {correlation}, corrected p {format_p(row.pvalue_corrected)}"
        )

    among = f"over {n_places} parcels"
    found = sorted((row for row in rows if row.found), key=lambda row: row.pvalue_corrected)
    if found:
        listed = "; ".join(f"{row.name} ({numbers(row)})" for row in found)
        return (
            f"The effect went with {listed} {among}, more closely than maps of the same spatial "
            "autocorrelation do."
        )
    closest = max(rows, key=lambda row: abs(row.correlation))
    return (
        f"The effect was not shown to go with any of {len(rows)} maps {among}; the closest was "
        f"{closest.name} ({numbers(closest)})."
        if len(rows) > 1
        else f"The effect was not shown to go with {closest.name} {among} ({numbers(closest)})."
    )


def _write(
    inputs: GroupInputs, folder: Path, result: MapAssociationResult, table: pd.DataFrame | None
) -> None:
    sha256 = protocol_sha256(inputs.protocol)
    write_json(
        folder / "map_association.json", {"protocol_sha256": sha256, "result": asdict(result)}
    )
    for stem in ("table", "parcels"):
        for suffix in (".tsv", ".json"):
            (folder / f"{stem}{suffix}").unlink(missing_ok=True)
    if table is None:
        return
    rows = pd.DataFrame(
        [
            {
                "map": row.name,
                "correlation": row.correlation,
                "p": row.pvalue,
                "p_corrected": row.pvalue_corrected,
                "p_naive": row.pvalue_naive,
                "moran_i": row.index,
            }
            for row in result.rows
        ]
    )
    shared = {
        "Question": result.question,
        "Statistic": result.statistic,
        "NumberOfSurrogates": result.n_surrogates,
        "MoranIOfEffect": result.index,
        "ProtocolSHA256": sha256,
    }
    write_table(folder / "table.tsv", rows, {**TABLE, **shared})
    described = f"Effect ({result.unit}) and every map, in the unit of its file, per parcel."
    write_table(folder / "parcels.tsv", table, {"Description": described, **shared})


def _refusal(name: str, item: MapAssociation, reason: str) -> MapAssociationResult:
    return MapAssociationResult(
        name=name,
        text=item.text,
        verdict="refused",
        sentence=f"This was not answered: {'; '.join(reason.splitlines()).rstrip('.')}.",
        statistic=item.statistic,
        question=item.question,
    )
