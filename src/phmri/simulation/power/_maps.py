r"""Power of whole-brain questions, by small simulated images with one planted blob.

The image is a cube of smooth Gaussian noise, of whatever smoothness and number of resolution
elements is asked for; the blob a Gaussian that is highest at its middle, where the standardised
effect is the one asked for. It counts as found where any voxel of its upper half passes the
correction over the whole image. A brain has more resolution elements than the cube: thresholds
grow with the logarithm of their number, so that power in a brain is a little less.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from phmri.exceptions import Problem, SimulationError
from phmri.inference import Space, Volume
from phmri.protocol import Inference
from phmri.simulation.power._layout import Layout, make_layout
from phmri.simulation.power._scalar import Case, complete, settings_for
from phmri.simulation.power._tested import analyse_cells, draw_cells
from phmri.simulation.power._trials import Effort, OnBlock, SimulatedPower, count_findings

__all__ = ["Independent", "SmoothImage", "simulate_map"]

BLOCK = 5
FWHM_PER_SD = float(np.sqrt(8 * np.log(2)))
HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothImage:
    """A cube of smooth noise with a blob in its middle.

    Parameters
    ----------
    side : int, default 16
        Voxels along an edge; 5 or more.
    fwhm : float, default 2.0
        Smoothness of the noise, in voxels; above 0.
    blob_fwhm : float, default 4.0
        Width of the blob at half its height, in voxels; above 0.

    Raises
    ------
    SimulationError
        When a number is out of range; all at once.
    """

    side: int = 16
    fwhm: float = 2.0
    blob_fwhm: float = 4.0

    def __post_init__(self) -> None:
        least = {"side": 5.0, "fwhm": 0.0, "blob_fwhm": 0.0}
        problems = [
            Problem(
                what="too small a number",
                field=name,
                found=str(getattr(self, name)),
                expected="5 or more" if name == "side" else "above 0",
            )
            for name, low in least.items()
            if getattr(self, name) < low or not getattr(self, name) > 0
        ]
        if problems:
            raise SimulationError(*problems)

    @property
    def n_resels(self) -> float:  # numpydoc ignore=RT01
        """Resolution elements: volume over the cube of the smoothness."""
        return (self.side / self.fwhm) ** 3

    @property
    def words(self) -> str:  # numpydoc ignore=RT01
        """What is searched."""
        return (
            f"an image of {self.side}³ voxels, smooth to {self.fwhm:g} voxels "
            f"({self.n_resels:,.0f} resolution elements), with a blob of {self.blob_fwhm:g} voxels"
        )

    def space(self, settings: Inference) -> Space | None:
        """Say where the voxels lie.

        Parameters
        ----------
        settings : Inference

        Returns
        -------
        Volume
        """
        mask = np.ones((self.side,) * 3, dtype=bool)
        return Volume(mask=mask, connectivity=settings.connectivity)

    def profile(self) -> Float[np.ndarray, " n_outcomes"]:
        """Give the blob, 1 at its middle.

        Returns
        -------
        ndarray of shape (n_outcomes,)
        """
        at = np.arange(self.side) - self.side // 2
        axis = np.exp(-0.5 * (at * FWHM_PER_SD / self.blob_fwhm) ** 2)
        return np.asarray(np.einsum("i,j,k->ijk", axis, axis, axis).ravel())

    def draw(
        self, rng: np.random.Generator, n_rows: int
    ) -> Float[np.ndarray, "n_rows n_outcomes"]:
        """Draw noise, standard normal in every voxel.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_rows : int

        Returns
        -------
        ndarray of shape (n_rows, n_outcomes)
        """
        # Cut from a larger image, so that its edges are as smooth as its middle.
        sigma = self.fwhm / FWHM_PER_SD
        reach = int(np.ceil(4 * sigma))
        sides = (self.side + 2 * reach,) * 3
        white = rng.standard_normal((n_rows, *sides), dtype=np.float32)
        smooth = ndimage.gaussian_filter(white, (0, sigma, sigma, sigma))
        inner = (slice(None), *(slice(reach, reach + self.side),) * 3)
        kernel = ndimage.gaussian_filter1d(np.eye(1, 4 * reach + 1, 2 * reach)[0], sigma)
        height = float(kernel @ kernel) ** 1.5
        return np.asarray((smooth[inner] / height).reshape(n_rows, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """Outcomes that have nothing to do with each other, the first of which is planted.

    Parameters
    ----------
    n_outcomes : int
        Parcels, edges, or effective independent tests; 1 or more.

    Raises
    ------
    SimulationError
        When there is no outcome.
    """

    n_outcomes: int

    def __post_init__(self) -> None:
        if self.n_outcomes < 1:
            raise SimulationError(
                Problem(what="no outcome", field="n_outcomes", found=str(self.n_outcomes))
            )

    @property
    def n_resels(self) -> float:  # numpydoc ignore=RT01
        """Resolution elements: every outcome is one."""
        return float(self.n_outcomes)

    @property
    def words(self) -> str:  # numpydoc ignore=RT01
        """What is searched."""
        return f"{self.n_outcomes:,} independent outcomes, one of which is planted"

    def space(self, settings: Inference) -> Space | None:
        """Say that outcomes have no neighbours.

        Parameters
        ----------
        settings : Inference

        Returns
        -------
        None
        """
        return None

    def profile(self) -> Float[np.ndarray, " n_outcomes"]:
        """Give 1 for the planted outcome, 0 for the others.

        Returns
        -------
        ndarray of shape (n_outcomes,)
        """
        return np.asarray(np.eye(1, self.n_outcomes)[0])

    def draw(
        self, rng: np.random.Generator, n_rows: int
    ) -> Float[np.ndarray, "n_rows n_outcomes"]:
        """Draw noise, standard normal.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_rows : int

        Returns
        -------
        ndarray of shape (n_rows, n_outcomes)
        """
        return rng.standard_normal((n_rows, self.n_outcomes))


def simulate_map(
    case: Case,
    effect: float,
    settings: Inference,
    searched: SmoothImage | Independent,
    effort: Effort,
    *,
    alpha: float = 0.05,
    key: tuple[int, ...] = (),
    on_block: OnBlock | None = None,
) -> SimulatedPower:
    """Simulate how often a planted effect is found among many outcomes.

    Parameters
    ----------
    case : Case
        Question, trial, size and variation.
    effect : float
        True contrast where the blob is highest, in the measure's unit.
    settings : Inference
        As the protocol declares them for this question.
    searched : SmoothImage or Independent
        What the effect is looked for in.
    effort : Effort
        Trials, seed, threads, shufflings.
    alpha : float, default 0.05
        Error rate over all outcomes.
    key : tuple of int, default ()
        Tells cases that share a seed apart.
    on_block : callable, optional
        Called as ``on_block(trials done, trials in all)``.

    Returns
    -------
    SimulatedPower
        Share of trials in which any outcome with at least half of the effect passes the
        question's correction.
    """
    layout = make_layout(case.question, case.design, complete(case))
    profile, space = searched.profile(), searched.space(settings)
    inside: Bool[np.ndarray, " n_outcomes"] = profile >= HALF
    planted = effect * np.outer(layout.drug, profile)

    def one(rng: np.random.Generator) -> bool:
        cells = planted + _draw(case, layout, searched, rng)
        own = settings_for(settings, effort, alpha, int(rng.integers(2**31)))
        result = analyse_cells(case.question, layout, cells.astype(np.float32), own, space)
        return bool((result.pvalue_corrected[inside] <= alpha).any())

    def count(rng: np.random.Generator, n: int) -> Int[np.ndarray, " n_findings"]:
        return np.array([sum(one(rng) for _ in range(n))])

    return count_findings(count, effort, key=key, block=BLOCK, on_block=on_block)[0]


def _draw(
    case: Case, layout: Layout, searched: SmoothImage | Independent, rng: np.random.Generator
) -> Float[np.ndarray, "n_cells n_outcomes"]:
    return draw_cells(
        layout,
        case.noise,
        searched.draw(rng, layout.n_participants),
        searched.draw(rng, layout.subject.size),
    )
