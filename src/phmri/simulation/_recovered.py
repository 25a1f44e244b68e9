"""What was planted beside what an analysis found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np

from phmri.inference import Claim, format_interval, format_p
from phmri.protocol import Protocol, SphereRegion, read_protocol
from phmri.simulation._files import write_columns
from phmri.simulation._simulate import SimulatedTrial, read_truth
from phmri.simulation._truth import Activation, Coupling, Response, Truth

__all__ = ["Recovered", "compare", "write_recovered"]

_NEAR_MM = 12.0  # of a region's border: smoothing moves and widens what was planted


@runtime_checkable
class _Association(Interface):
    """What is needed of the answer to an association."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def r(self) -> float | None: ...
    @property
    def ci_low(self) -> float | None: ...
    @property
    def ci_high(self) -> float | None: ...
    @property
    def pvalue(self) -> float | None: ...
    @property
    def pvalue_corrected(self) -> float | None: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A question of a simulated trial: what was planted, what was found.

    Parameters
    ----------
    question, text, role : str
        From the protocol.
    planted : tuple of str
        Effects that it asks of; empty where nothing was planted.
    published : str
        What the trial's authors reported; may be empty.
    verdict : str
        ``found``, ``not found``, ``refused`` or ``not tested``.
    missed : tuple of str
        Of a map: planted effects without a significant peak near them.
    astray : int
        Of a map: significant peaks far from every effect of the truth; all of them where the
        question asks of none.
    estimate, low, high : float or None
        At the strongest outcome, with its interval.
    unit : str
        Of the estimate.
    confidence : float
        Coverage of the interval.
    pvalue : float or None
        Corrected.
    blockade, blockade_planted : str
        Verdict on blockade and what it should be; empty where none was asked or planted.
    """

    question: str
    text: str
    role: str
    planted: tuple[str, ...]
    published: str
    verdict: str
    missed: tuple[str, ...]
    astray: int
    estimate: float | None
    low: float | None
    high: float | None
    unit: str
    confidence: float
    pvalue: float | None
    blockade: str
    blockade_planted: str

    @property
    def estimate_text(self) -> str:
        """Give the estimate with its interval and unit.

        Returns
        -------
        str
            Empty where there is none.
        """
        if self.estimate is None:
            return ""
        if self.low is None or self.high is None:
            return f"{self.estimate:.3g} {self.unit}"
        interval = format_interval(self.estimate, self.low, self.high, self.confidence)
        return f"{interval} {self.unit}"

    @property
    def pvalue_text(self) -> str:
        """Give the corrected p.

        Returns
        -------
        str
            Empty where there is none.
        """
        return "" if self.pvalue is None else format_p(self.pvalue).removeprefix("= ")

    @property
    def right(self) -> bool:
        """Say whether the answer is what was planted.

        Returns
        -------
        bool
            Found where something was planted, and everywhere there; not found where nothing was.
        """
        if self.blockade_planted and self.blockade != self.blockade_planted:
            return False
        if not self.planted:
            return self.verdict != "found"
        return self.verdict == "found" and not self.missed


def compare(
    trial: SimulatedTrial,
    claims: Sequence[Claim],
    associations: Sequence[_Association],
    blockades: dict[str, str],
) -> tuple[Recovered, ...]:
    """Hold the claims of an analysis against what was planted.

    Parameters
    ----------
    trial : SimulatedTrial
        Its protocol and truth are read again.
    claims : sequence of Claim
        Answers to the questions.
    associations : sequence
        Answers to the associations.
    blockades : dict of str to str
        Question -> verdict on its blockade.

    Returns
    -------
    tuple of Recovered
        In the order of the claims.
    """
    protocol = read_protocol(trial.protocol)
    truth = read_truth(trial.truth, protocol)
    rows = [_of_claim(claim, protocol, truth, blockades) for claim in claims]
    for item in associations:
        expected = truth.expected.get(item.name)
        corrected = item.pvalue if item.pvalue_corrected is None else item.pvalue_corrected
        rows.append(
            Recovered(
                question=item.name,
                text=item.text,
                role=item.role,
                planted=expected.planted if expected else (),
                published=(expected.published or "") if expected else "",
                verdict=item.verdict,
                missed=(),
                astray=0,
                estimate=item.r,
                low=item.ci_low,
                high=item.ci_high,
                unit="r",
                confidence=item.confidence,
                pvalue=corrected,
                blockade="",
                blockade_planted="",
            )
        )
    return tuple(rows)


def write_recovered(rows: Sequence[Recovered], path: Path) -> Path:
    """Write the comparison as a table.

    Parameters
    ----------
    rows : sequence of Recovered
        From `compare`.
    path : Path
        ``.tsv``.

    Returns
    -------
    Path
        The file.
    """
    columns: dict[str, list[str]] = {
        "question": [row.question for row in rows],
        "role": [row.role for row in rows],
        "planted": [", ".join(row.planted) or "nothing" for row in rows],
        "found": [row.verdict for row in rows],
        "missed": [", ".join(row.missed) or "n/a" for row in rows],
        "peaks_elsewhere": [str(row.astray) for row in rows],
        "estimate": [row.estimate_text or "n/a" for row in rows],
        "p_corrected": [row.pvalue_text or "n/a" for row in rows],
        "blockade": [row.blockade or "n/a" for row in rows],
        "blockade_planted": [row.blockade_planted or "n/a" for row in rows],
        "right": ["yes" if row.right else "no" for row in rows],
        "published": [row.published or "n/a" for row in rows],
    }
    write_columns(path, columns)
    return path


def _of_claim(
    claim: Claim, protocol: Protocol, truth: Truth, blockades: dict[str, str]
) -> Recovered:
    expected = truth.expected.get(claim.question)
    planted = expected.planted if expected else ()
    missed, astray = _places(claim, planted, protocol, truth)
    peak = claim.peaks[0] if claim.peaks else None
    return Recovered(
        question=claim.question,
        text=claim.text,
        role=claim.role,
        planted=planted,
        published=(expected.published or "") if expected else "",
        verdict=claim.verdict,
        missed=missed,
        astray=astray,
        estimate=peak.effect if peak else None,
        low=peak.ci_low if peak else None,
        high=peak.ci_high if peak else None,
        unit=claim.unit,
        confidence=claim.confidence,
        pvalue=peak.pvalue_corrected if peak else None,
        blockade=blockades.get(claim.question, ""),
        blockade_planted=(expected.verdict or "") if expected else "",
    )


def _places(
    claim: Claim, planted: tuple[str, ...], protocol: Protocol, truth: Truth
) -> tuple[tuple[str, ...], int]:
    """Say which planted effects have no significant peak near, and how many are near nothing."""
    if claim.outcome != "map" or claim.verdict != "found":
        return (), 0
    spots = {}
    for name, effect in truth.effects.items() if planted else ():
        if not isinstance(effect, Coupling | Response | Activation):
            continue
        region = effect.target if isinstance(effect, Coupling) else effect.region
        sphere = protocol.regions[region]
        if isinstance(sphere, SphereRegion):
            spots[name] = (np.array(sphere.center_mm), sphere.radius_mm + _NEAR_MM)
    peaks = [
        np.array(peak.position_mm)
        for peak in claim.peaks
        if peak.position_mm is not None and peak.pvalue_corrected <= claim.alpha
    ]
    near = {
        name: [float(np.linalg.norm(peak - center)) <= reach for peak in peaks]
        for name, (center, reach) in spots.items()
    }
    missed = tuple(name for name in planted if name in near and not any(near[name]))
    astray = sum(not any(hits[k] for hits in near.values()) for k in range(len(peaks)))
    return missed, astray
