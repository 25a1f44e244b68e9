"""What exposures need of treatments, drugs and drug models."""

from collections.abc import Iterator

from phmri.protocol._finding import Finding, Path, one_of
from phmri.protocol._raw import Raw, entries, mapping, text, unknown

__all__ = ["BUILT_IN_MODELS", "check_exposures"]

_KETAMINE = ("ketamine", "norketamine")
BUILT_IN_MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "domino": ("intravenous", _KETAMINE[:1]),
    "clements": ("intravenous", _KETAMINE[:1]),
    "kamp": ("intravenous", _KETAMINE[:1]),
    "simons": ("intravenous", (*_KETAMINE, "hydroxynorketamine")),
    "fanta_otto": ("intravenous", _KETAMINE),
    "perez_ruixo": ("intravenous", _KETAMINE),
    "hussein": ("oral", ("lamotrigine",)),
}
"""Route and analytes of the models of the room `phmri.pharmacokinetics`, which the checks do not
import; a test holds the two together."""


def check_exposures(raw: Raw) -> Iterator[Finding]:
    """Check that exposures name a treatment that holds their drug, and a model.

    Parameters
    ----------
    raw : dict
        The document as written.

    Yields
    ------
    Finding
        Each contradiction.
    """
    for name, model in entries(raw, "compartments").items():
        path = ("compartments", name)
        volumes, clearances = (
            value if isinstance(value := model.get(key), list | tuple) else []
            for key in ("volumes_l", "clearances_l_per_h")
        )
        if volumes and clearances and len(volumes) != len(clearances):
            yield Finding(
                path=(*path, "clearances_l_per_h"),
                what="every volume has one clearance: elimination, then one exchange each",
                found=f"{len(clearances)} clearances, {len(volumes)} volumes",
                expected=f"{len(volumes)}",
            )
        if name in BUILT_IN_MODELS:
            yield Finding(
                path=path, what="a built-in model has this name", found=name, expected="another"
            )
    for name, exposure in entries(raw, "exposures").items():
        yield from _check_exposure(raw, ("exposures", name), exposure)


def _check_exposure(raw: Raw, path: Path, exposure: Raw) -> Iterator[Finding]:
    treatments, drugs = entries(raw, "treatments"), mapping(raw.get("drugs"))
    own = entries(raw, "compartments")
    treatment, drug = text(exposure.get("treatment")), text(exposure.get("drug"))
    model = text(exposure.get("model"))
    yield from unknown((*path, "treatment"), "treatment", treatment, treatments)
    yield from unknown((*path, "drug"), "drug", drug, drugs)
    yield from unknown((*path, "model"), "drug model", model, (*BUILT_IN_MODELS, *own))
    doses = treatments.get(treatment or "", {}).get("doses")
    given = [mapping(dose) for dose in doses] if isinstance(doses, list | tuple) else []
    names = [name for dose in given if (name := text(dose.get("drug"))) is not None]
    if treatment in treatments and drug in drugs and drug not in names:
        yield Finding(
            path=(*path, "drug"),
            what=f"the treatment '{treatment}' has no dose of this drug",
            found=drug,
            expected=one_of(dict.fromkeys(names)) if names else "a treatment with doses",
        )
    if model in BUILT_IN_MODELS:
        route, analytes = BUILT_IN_MODELS[model]
        routes: tuple[str, ...] = (route,)
    elif model in own:
        oral = own[model].get("absorption_per_h") is not None
        routes, analytes = ("intravenous", "oral") if oral else ("intravenous",), (drug or "",)
    else:
        return
    yield from unknown((*path, "analyte"), "analyte", exposure.get("analyte"), analytes)
    other = [text(dose.get("route")) for dose in given if drug and dose.get("drug") == drug]
    for route in dict.fromkeys(route for route in other if route and route not in routes):
        yield Finding(
            path=(*path, "model"),
            what=f"'{model}' knows no {route} dose, and the treatment '{treatment}' has one",
            found=model,
            expected=f"a model with the route {route}; this one has {' and '.join(routes)}",
        )
