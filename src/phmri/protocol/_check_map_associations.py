"""What an association with maps needs of its question, parcellation and files."""

from collections.abc import Iterator

from phmri.protocol._check_inference import asked_of
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._map_associations import is_image
from phmri.protocol._raw import Raw, entries, mapping, measure_of, text, unknown

__all__ = ["check_map_associations"]

_SUFFIXES = (".tsv", ".nii", ".nii.gz")


def check_map_associations(raw: Raw) -> Iterator[Finding]:
    """Check every association with maps against questions, parcellations and space.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for name, item in entries(raw, "map_associations").items():
        path = ("map_associations", name)
        questions = entries(raw, "questions")
        yield from unknown((*path, "question"), "question", item.get("question"), questions)
        parcellations = mapping(raw.get("parcellations"))
        yield from unknown((*path, "parcels"), "parcellation", item.get("parcels"), parcellations)
        yield from _check_files(raw, path, item)
        question = questions.get(text(item.get("question")) or "")
        if question is not None:
            yield from _check_question(raw, path, item, question)


def _check_files(raw: Raw, path: Path, item: Raw) -> Iterator[Finding]:
    files = {key: text(file) for key, file in mapping(item.get("maps")).items()}
    for key, file in files.items():
        if file is not None and not file.endswith(_SUFFIXES):
            yield Finding(
                path=(*path, "maps", key),
                what="this is neither a table nor an image",
                found=file,
                expected=f"a file that ends in {one_of(_SUFFIXES)}",
            )
    images = [key for key, file in files.items() if file is not None and is_image(file)]
    space = item.get("space")
    if images and space is None:
        yield Finding(
            path=path,
            what="images need the space that they lie in",
            found=f"images: {', '.join(images)}",
            expected="'space', e.g. MNI152NLin6Asym",
        )
    elif images and text(raw.get("space")) not in {None, space}:
        yield Finding(
            path=(*path, "space"),
            what="the images lie in another space than the data; templates differ by millimetres",
            found=shown(space),
            expected=f"{raw['space']}, the protocol's 'space'",
        )
    elif space is not None and not images:
        yield Finding(
            path=(*path, "space"),
            what="'space' belongs to images, and all maps are tables",
            found=shown(space),
            expected="no key 'space'",
        )


def _check_question(raw: Raw, path: Path, item: Raw, question: Raw) -> Iterator[Finding]:
    asked = asked_of(raw, question)
    if asked in {"one number", "edges"}:
        yield Finding(
            path=(*path, "question"),
            what=f"maps go with an effect per parcel or voxel, and this question asks of {asked}",
            found=shown(item.get("question")),
            expected="a question of parcels, nodes or voxels",
        )
        return
    own, given = text(measure_of(raw, question).get("parcels")), text(item.get("parcels"))
    of_own = entries(raw, "parcellations").get(own or "", {})
    if of_own.get("file") is not None and given not in {None, own}:
        yield Finding(
            path=(*path, "parcels"),
            what="the question asks of the parcels of another label image",
            found=given,
            expected=f"{own}, or no key 'parcels'",
        )
    if given is None or given in mapping(raw.get("parcellations")):
        yield from _check_parcels(raw, path, item, given or own, asked)


def _check_parcels(
    raw: Raw, path: Path, item: Raw, parcels: str | None, asked: str | None
) -> Iterator[Finding]:
    """Check that means within parcels, and their positions, can be known."""
    parcellation = entries(raw, "parcellations").get(parcels or "", {})
    labelled = parcellation.get("file") is not None
    of_images = any(is_image(text(file) or "") for file in mapping(item.get("maps")).values())
    if not labelled and (asked == "voxels" or of_images):
        what = "a question of voxels" if asked == "voxels" else "an image among the maps"
        yield Finding(
            path=(*path, "parcels") if item.get("parcels") is not None else path,
            what=f"{what} needs a label image, within whose parcels means are taken",
            found=f"parcellation {parcels}, without 'file'" if parcels else "no parcellation",
            expected="'parcels' with a parcellation that has a 'file'",
        )
    elif labelled and item.get("positions") is not None:
        yield Finding(
            path=(*path, "positions"),
            what="the positions of parcels are known from the label image",
            found=f"parcellations.{parcels}.file",
            expected="no key 'positions'",
        )
    elif not labelled and item.get("positions") is None:
        yield Finding(
            path=path,
            what="surrogate maps need the positions of the parcels",
            found=f"parcellation {parcels}, without 'file'" if parcels else "no parcellation",
            expected="'positions', a table with the columns name, x, y, z (mm), or a parcellation "
            "that has a 'file'",
        )
