"""Published models, each with its own units, scaling, site and caution.

Numbers stand as their source prints them. Weight exponents are each model's own; where a source
gives none, the weight changes nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._make_model import (
    Absorption,
    exchange,
    make_model,
    make_model_from_rates,
)
from phmri.pharmacokinetics._records import (
    Analyte,
    CompartmentModel,
    Flow,
    Parameter,
    Route,
    Unit,
)

__all__ = ["find_model", "model_names"]

# Molar masses in g/mol, from standard atomic masses.
_KETAMINE = 237.73
_NORKETAMINE = 223.70
_HYDROXYNORKETAMINE = 239.70

_INTRAVENOUS = (Route(name="intravenous", compartment="central"),)


def find_model(name: str) -> CompartmentModel:
    """Find a published model by its name.

    Parameters
    ----------
    name : str
        One of `model_names`.

    Returns
    -------
    CompartmentModel
        With its citation and its caution.

    Raises
    ------
    PharmacokineticsError
        When there is no such model.

    Examples
    --------
    >>> find_model("simons").site
    'arterial'
    """
    if name not in _MODELS:
        close = get_close_matches(name, _MODELS, n=1, cutoff=0.4)
        raise PharmacokineticsError(
            Problem(
                what="no such model",
                field="model",
                found=name,
                expected=close[0] if close else " or ".join(_MODELS),
            )
        )
    return _MODELS[name]()


def model_names() -> tuple[str, ...]:
    """List the names of the published models.

    Returns
    -------
    tuple of str
    """
    return tuple(_MODELS)


def _scaled(unit: Unit, exponent: float, values: dict[str, float]) -> list[Parameter]:
    return [
        Parameter(name=name, value=value, unit=unit, weight_exponent=exponent)
        for name, value in values.items()
    ]


def _varying(parameters: list[Parameter], variances: dict[str, float]) -> tuple[Parameter, ...]:
    return tuple(replace(p, variance=variances.get(p.name, 0.0)) for p in parameters)


def _chain(source: str, target: str, time: str, fraction: float, exit_: Flow) -> list[Flow]:
    """Make two transit compartments, of which the second loses what forms nothing."""
    first, second = f"{source} to {target} 1", f"{source} to {target} 2"
    return [
        replace(exit_, target=first),
        Flow(source=first, target=second, denominator=time, factor=2.0),
        Flow(source=second, target=target, denominator=time, factor=2.0 * fraction),
        Flow(source=second, target=None, denominator=time, factor=2.0 * (1 - fraction)),
    ]


def _domino() -> CompartmentModel:
    model = make_model_from_rates(
        name="domino",
        drug="ketamine",
        site="mixed",
        volume_l=0.063 * 70,
        rates_per_min={"k10": 0.438, "k12": 0.592, "k21": 0.247, "k13": 0.590, "k31": 0.0146},
        weight_exponents={"V1": 1.0},
    )
    return replace(
        model,
        enantiomer="racemic",
        citation="Domino et al. (1982), PMID 7198883, as in STANPUMP and stanpumpR; stanpumpR "
        "cites Clinical Pharmacology & Therapeutics 36:645-653 (1984) for the same numbers.",
        caution="What infusion pumps used. After a bolus over 1 min its peak is 1.6 (Simons) to "
        "3.2 times (Kamp) that of the arterial models and sooner gone; its area after 10 mg is "
        "24 % below a measured one. Where its blood was drawn is not stated where the numbers "
        "were read.",
    )


def _clements() -> CompartmentModel:
    model = make_model_from_rates(
        name="clements",
        drug="ketamine",
        site="venous",
        volume_l=1.7522 * 70,
        rates_per_min={"k10": 0.0109, "k12": 0.0186, "k21": 0.0137},
        weight_exponents={"V1": 1.0},
    )
    return replace(
        model,
        enantiomer="racemic",
        citation="Clements and Nimmo (1981), Br J Anaesth 53:27, 250 ug/kg data.",
        doi="10.1093/bja/53.1.27",
        caution="Two compartments: it has no fast distribution, so a bolus has no early peak.",
    )


def _kamp() -> CompartmentModel:
    scaling = dict.fromkeys(("V1", "V2", "V3", "CL", "Q2", "Q3"), 1.0)
    model = make_model(
        name="kamp",
        drug="ketamine",
        site="arterial",
        volumes_l=[25.0, 56.0, 157.0],
        clearances_l_per_h=[84.0, 161.0, 79.0],
        weight_exponents=scaling,
    )
    return replace(
        model,
        citation="Kamp et al. (2020), Anesthesiology 133:1192-1213, model of 14 raw data sets.",
        doi="10.1097/ALN.0000000000003577",
        caution="The arterial core alone: the venous delay compartments and the differences "
        "between people were not found. Linear scaling with weight is that of opentiva, not "
        "checked against the paper. Enantiomers are not told apart.",
    )


def _simons() -> CompartmentModel:
    volumes = {"VK1": 11.6, "VK2": 39.0, "VK3": 174.0, "VN2": 221.0, "VH1": 4.4, "VH2": 87.5}
    clearances = {"CLK1": 1.48, "CLK2": 2.43, "CLK3": 1.21, "CLN1": 1.00, "CLN2": 2.63}
    clearances |= {"CLH1": 0.933, "CLH2": 1.70}
    parameters = [
        *_scaled("L", 1.0, volumes),
        *_scaled("L/min", 0.75, clearances),
        *_scaled("min", 0.0, {"MTT K-NK": 20.1, "MTT NK-HNK": 1.12}),
    ]
    variances = {"VK1": 0.057, "CLK1": 0.029, "CLK3": 0.026, "CLN1": 0.050, "MTT K-NK": 0.021}
    variances |= {"VH1": 1.22, "CLH1": 0.103, "CLH2": 0.287}
    eliminated = Flow(source="central", target=None, numerator="CLK1", denominator="VK1")
    flows = [
        *exchange("central", "peripheral 2", "CLK2", ("VK1", "VK2")),
        *exchange("central", "peripheral 3", "CLK3", ("VK1", "VK3")),
        *_chain("central", "NK central", "MTT K-NK", 0.8, eliminated),
        # The source sets VN1 = VK1.
        *exchange("NK central", "NK peripheral", "CLN2", ("VK1", "VN2")),
        *_chain(
            "NK central",
            "HNK central",
            "MTT NK-HNK",
            0.7,
            replace(eliminated, source="NK central", numerator="CLN1"),
        ),
        *exchange("HNK central", "HNK peripheral", "CLH2", ("VH1", "VH2")),
        Flow(source="HNK central", target=None, numerator="CLH1", denominator="VH1"),
    ]
    return CompartmentModel(
        name="simons",
        drug="S-ketamine",
        enantiomer="S",
        site="arterial",
        compartments=tuple(dict.fromkeys(flow.source for flow in flows)),
        parameters=_varying(parameters, variances),
        flows=tuple(flows),
        analytes=(
            # The source prints 0.012 for ketamine, read as a variance; 0.102 and 0.079 are SDs.
            Analyte(
                name="ketamine",
                compartment="central",
                volume="VK1",
                residual_sd_proportional=0.012**0.5,
            ),
            Analyte(
                name="norketamine",
                compartment="NK central",
                volume="VK1",
                mass_ratio=_NORKETAMINE / _KETAMINE,
                residual_sd_proportional=0.102,
                residual_sd_additive_ng_ml=0.058 * _NORKETAMINE,
            ),
            Analyte(
                name="hydroxynorketamine",
                compartment="HNK central",
                volume="VH1",
                mass_ratio=_HYDROXYNORKETAMINE / _KETAMINE,
                residual_sd_proportional=0.079,
                residual_sd_additive_ng_ml=0.020 * _HYDROXYNORKETAMINE,
            ),
        ),
        routes=_INTRAVENOUS,
        citation="Simons et al. (2022), Front Pain Res 3:946486, table 4.",
        doi="10.3389/fpain.2022.946486",
        caution="20 healthy people of 53 to 93 kg. The paper prints no weight exponents; "
        "1 (volumes) and 0.75 (clearances) are assumed. Differences between occasions are left "
        "out.",
    )


def _fanta_otto() -> CompartmentModel:
    parameters = [
        *_scaled("L", 1.0, {"V1": 133.0, "NK V1": 98.6}),
        *_scaled("L/h", 0.75, {"CL": 95.2, "NK CL": 57.7}),
        *_scaled("L", 0.0, {"V2": 187.0, "V3": 98.8, "NK V2": 160.0}),
        *_scaled("L/h", 0.0, {"Q2": 23.2, "Q3": 157.0, "NK Q2": 42.8}),
    ]
    variances = {"V1": 0.084, "CL": 0.026, "NK V1": 0.040, "NK CL": 0.103}
    flows = (
        *exchange("central", "peripheral 2", "Q2", ("V1", "V2")),
        *exchange("central", "peripheral 3", "Q3", ("V1", "V3")),
        Flow(source="central", target="NK central", numerator="CL", denominator="V1"),
        *exchange("NK central", "NK peripheral", "NK Q2", ("NK V1", "NK V2")),
        Flow(source="NK central", target=None, numerator="NK CL", denominator="NK V1"),
    )
    return CompartmentModel(
        name="fanta_otto",
        drug="S-ketamine",
        enantiomer="S",
        site="venous",
        compartments=tuple(dict.fromkeys(flow.source for flow in flows)),
        parameters=_varying(parameters, variances),
        flows=flows,
        analytes=(
            Analyte(
                name="ketamine",
                compartment="central",
                volume="V1",
                residual_sd_proportional=0.236,
            ),
            Analyte(
                name="norketamine",
                compartment="NK central",
                volume="NK V1",
                residual_sd_proportional=0.143,
            ),
        ),
        routes=_INTRAVENOUS,
        covariances=(("V1", "CL", 0.023), ("NK V1", "NK CL", 0.044)),
        citation="Otto et al. (2021), Eur J Clin Pharmacol 77:1181-1192; S-ketamine from Fanta et "
        "al. (2015), Eur J Clin Pharmacol 71:441-447, doi:10.1007/s00228-015-1826-y",
        doi="10.1007/s00228-021-03104-1",
        caution="Venous: the first minutes after a bolus are not those of the brain's blood. All "
        "S-ketamine is taken to become norketamine, mass for mass. Only central volumes and "
        "clearances scale with weight.",
    )


def _perez_ruixo() -> CompartmentModel:
    parameters = [
        *_scaled("L", 0.0, {"Vc": 192.0, "Vp1": 143.0, "Vp2": 417.0, "Vh": 101.0}),
        *_scaled("L/h", 0.0, {"Q1": 84.3, "Q2": 37.6, "Qh": 151.0}),
        *_scaled("1/h", 0.0, {"kel": 1.11, "kmet": 2.77}),
        *_scaled("L", 0.0, {"NK Vc": 70.0, "NK Vp": 115.0}),
        *_scaled("L/h", 0.0, {"NK CL": 38.0, "NK Q": 26.1}),
    ]
    # The paper's CVs as log(1 + CV^2); that of kmet is not printed.
    variances = {"Vc": 0.0730, "Vp1": 0.218, "Qh": 0.0524, "Vh": 0.113, "kel": 0.892}
    variances |= {"NK Vc": 0.0955, "NK CL": 0.0625}
    flows = (
        *exchange("central", "peripheral 1", "Q1", ("Vc", "Vp1")),
        *exchange("central", "peripheral 2", "Q2", ("Vc", "Vp2")),
        *exchange("central", "liver", "Qh", ("Vc", "Vh")),
        Flow(source="liver", target=None, numerator="kel"),
        Flow(source="liver", target="NK central", numerator="kmet"),
        *exchange("NK central", "NK peripheral", "NK Q", ("NK Vc", "NK Vp")),
        Flow(source="NK central", target=None, numerator="NK CL", denominator="NK Vc"),
    )
    return CompartmentModel(
        name="perez_ruixo",
        drug="S-ketamine",
        enantiomer="S",
        site="venous",
        compartments=tuple(dict.fromkeys(flow.source for flow in flows)),
        parameters=_varying(parameters, variances),
        flows=flows,
        analytes=(
            Analyte(
                name="ketamine",
                compartment="central",
                volume="Vc",
                residual_sd_proportional=0.276,
            ),
            Analyte(
                name="norketamine",
                compartment="NK central",
                volume="NK Vc",
                residual_sd_proportional=0.422,
            ),
        ),
        routes=_INTRAVENOUS,
        citation="Perez-Ruixo et al. (2021), Clin Pharmacokinet 60:501-516.",
        doi="10.1007/s40262-020-00953-4",
        caution="820 people, mostly after nasal spray; weight changes nothing. The samples are "
        "taken to be venous. Effects of age above 60 and of ancestry are left out, the variance "
        "of kmet is not printed, and the area of norketamine comes out about 1.4 times too "
        "large.",
    )


def _hussein() -> CompartmentModel:
    model = make_model(
        name="hussein",
        drug="lamotrigine",
        site="venous",
        volumes_l=[77.4],
        # At the first dose: 2.28 L/h once induction has come about, less 0.338.
        clearances_l_per_h=[2.28 - 0.338],
        absorption=Absorption(ka_per_h=3.18),
        variances={"CL": 0.0981, "V1": 0.107},
    )
    return replace(
        model,
        routes=model.routes[1:],
        analytes=(replace(model.analytes[0], residual_sd_proportional=0.208),),
        citation="Hussein and Posner (1997), Br J Clin Pharmacol 43:457-465, monotherapy.",
        doi="10.1046/j.1365-2125.1997.00594.x",
        caution="Apparent volume and clearance (over bioavailability), of patients, before "
        "induction: for a single dose. Absorption was hardly sampled. Oestrogen contraceptives "
        "lower and valproate raises the exposure; clearance was 29 % lower in Asian patients.",
    )


_MODELS: dict[str, Callable[[], CompartmentModel]] = {
    "domino": _domino,
    "clements": _clements,
    "kamp": _kamp,
    "simons": _simons,
    "fanta_otto": _fanta_otto,
    "perez_ruixo": _perez_ruixo,
    "hussein": _hussein,
}
