"""Shuffling: tiles of maps over threads, and what is kept of them."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import InferenceError, Problem
from phmri.group import UnitDesign
from phmri.inference._count import count_exceeding, largest_values
from phmri.inference._enhance import Enhancer, EnhancerWorkspace, make_enhancer
from phmri.inference._pvalues import Alternative, least_reaching, orient
from phmri.inference._records import UNSHUFFLED, InferenceResult, Method, PermutationState
from phmri.inference._result import Shuffled, make_result
from phmri.inference._space import Graph, Space, Volume
from phmri.inference._untested import refuse_untested
from phmri.inference.shuffling._attainable import smallest_pvalue
from phmri.inference.shuffling._source import ShufflingSource, make_source
from phmri.inference.statistics._statistics import TILE, StatisticModel, make_statistic
from phmri.inference.tails._sequential import stop_index
from phmri.protocol import Inference
from phmri.threads import one_blas_thread

__all__ = ["permute"]

BATCH = 256
"""Shufflings between two reports of progress."""
CHECK = 16
"""Tiles between two looks at whether to stop early: fixed, so that batches do not matter."""
MANY = 1e6
"""Distinct shufflings above which ties among random ones do not occur, so that maps may be
float32; with fewer, maps are float64."""
SINGLE_MARGIN = 4e-6
"""Twice the largest relative error of a float32 statistic (benchmarks, property tests)."""


def permute(  # noqa: PLR0913 - what is asked, and four about how the work is cut
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    *,
    alternative: Alternative = "two-sided",
    space: Space | None = None,
    n_threads: int = 1,
    batch: int = BATCH,
    on_batch: Callable[[PermutationState], None] | None = None,
    resume: PermutationState | None = None,
) -> InferenceResult:
    r"""Test a contrast in every outcome by shuffling what the design says is exchangeable.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcome of every row, as `make_outcome` gives it; NaN where a participant has no data,
        if ``settings.min_coverage`` is below 1.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one.
    settings : Inference
        As the protocol declares it; ``method`` must be one that shuffles.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        Side of the null hypothesis that counts as evidence; F and G have only one.
    space : Volume, Graph or None
        Where the outcomes lie beside each other, for TFCE and clusters.
    n_threads : int, default 1
        Tiles of shufflings worked on at once. Changes no bit of the result.
    batch : int, default 256
        Shufflings between two calls of ``on_batch``; rounded up to whole tiles of 16.
    on_batch : callable, optional
        Called with where shuffling stands; what it gets can be given back as ``resume``.
    resume : PermutationState, optional
        Where an interrupted call with the same arguments stood.

    Returns
    -------
    InferenceResult
        p-values of every outcome under every correction asked for.

    Notes
    -----
    An `InferenceError` says that there are fewer distinct shufflings than any p at alpha needs,
    that the space has another number of outcomes, that nothing varies, that values are not
    finite, or that arguments contradict each other.

    The statistic of the data shuffled by :math:`P` is computed as if the regressors had been
    shuffled the other way: one matrix product per tile of shufflings and block of outcomes [1]_.
    All distinct shufflings are enumerated when there are no more than asked for; otherwise
    shuffling k draws from its own stream of the seed. The identity is always the first, so no
    p-value is 0 [2]_. Of every shuffled map only its maxima are kept and, per outcome, whether
    it reached the observed statistic; the family-wise p compares with the maximum over outcomes
    [3]_. Statistics within 1e-9 of each other, relative, are ties and count; maps of float32,
    used where random shufflings come from more than a million, count within 4e-6.

    References
    ----------
    .. [1] Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354; Winkler et al. (2014),
       doi:10.1016/j.neuroimage.2014.01.060.
    .. [2] Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.
    .. [3] Nichols and Holmes (2002), doi:10.1002/hbm.1058.
    """
    _refuse_arguments(Y, settings, space, n_threads=n_threads, batch=batch)
    source = make_source(design, settings)
    _refuse_too_few(smallest_pvalue(design, source, alternative), source, settings)
    single = source.n_distinct > MANY and not source.exhaustive
    model = make_statistic(design, Y, baseline, settings, single=single)
    refuse_untested(model.tested)
    if model.name in {"F", "G"}:
        alternative = "greater"
    n_fitted = len(Y) if design.present is None else int(design.present.sum())
    df = float(n_fitted - design.X.shape[1] - design.voxelwise_baseline)
    enhancer = make_enhancer(
        model.name, model.df1, df, settings, alternative=alternative, space=space
    )
    key = _state_key(design, Y, baseline, settings, alternative, space)
    run = _Run(source=source, model=model, enhancer=enhancer, alternative=alternative, key=key)
    with one_blas_thread():
        state = run.go(resume, settings, n_threads=n_threads, batch=batch, on_batch=on_batch)
    return make_result(
        design,
        model,
        settings,
        Shuffled(
            state=state,
            observed=run.observed_values,
            methods=run.methods,
            margin=SINGLE_MARGIN if single else 0.0,
            n_distinct=source.n_distinct,
            exhaustive=source.exhaustive and state.n_done == source.n_used,
            key=source.key,
        ),
        alternative=alternative,
        neighbours=_neighbours(space),
    )


def _neighbours(space: Space | None) -> str:
    """Say what makes two outcomes neighbours."""
    if isinstance(space, Volume):
        return f"{space.connectivity} neighbours"
    return "neighbours in a graph" if space is not None else ""


@dataclass(slots=True)
class _Thread:
    """What one thread works with."""

    maps: Float[np.ndarray, "n_tile n_outcomes"]
    exceeded: Int[np.ndarray, " n_outcomes"]
    workspace: EnhancerWorkspace


class _Run:  # numpydoc ignore=PR01
    """One test on its way through its shufflings."""

    def __init__(
        self,
        *,
        source: ShufflingSource,
        model: StatisticModel,
        enhancer: Enhancer,
        alternative: Alternative,
        key: str,
    ) -> None:
        self.source, self.model, self.enhancer = source, model, enhancer
        self.key = key
        self.methods: tuple[Method, ...] = ("voxel", *enhancer.methods)
        observed = orient(model.observed, alternative)
        margin = SINGLE_MARGIN if model.dtype == np.float32 else 0.0
        least = least_reaching(observed, margin=margin, df=model.df)
        self.least = np.where(model.tested, least, np.inf).astype(model.dtype)
        self.alternative = alternative
        self.tested = None if model.tested.all() else model.tested
        self.direction = {"two-sided": 0, "greater": 1, "less": -1}[alternative]
        enhanced = enhancer.values(model.observed.astype(model.dtype))
        self.observed_values = {"voxel": model.observed, **enhanced}
        self.identity_maxima = [
            float(orient(self.observed_values[method], alternative)[model.tested].max())
            for method in self.methods
        ]
        self._local = threading.local()
        self._threads: list[_Thread] = []
        self._lock = threading.Lock()

    def go(  # numpydoc ignore=PR01,RT01
        self,
        resume: PermutationState | None,
        settings: Inference,
        *,
        n_threads: int,
        batch: int,
        on_batch: Callable[[PermutationState], None] | None,
    ) -> PermutationState:
        """Shuffle from where the state stands to the end, or to where it may stop."""
        n_outcomes = self.model.observed.size
        state = resume
        if state is None or state.key != self.key:
            state = PermutationState(
                key=self.key,
                n_done=0,
                exceeded=np.zeros(n_outcomes, dtype=np.int64),
                maxima=np.empty((0, len(self.methods))),
            )
        n_tiles = -(-self.source.n_used // TILE)
        # An enumeration is no sequence of independent draws: it is counted to its end.
        stop_after = None if self.source.exhaustive else settings.stop_after
        primary = self.methods.index(settings.method)
        before = state.exceeded
        parts = [state.maxima]
        tile = -(-state.n_done // TILE)
        with ThreadPoolExecutor(n_threads) as pool:
            while tile < n_tiles and not _may_stop(state, stop_after, primary):
                end = min(tile + -(-batch // TILE), n_tiles)
                if stop_after is not None:
                    end = min(end, (tile // CHECK + 1) * CHECK)
                parts.extend(pool.map(self._tile, range(tile, end)))
                tile = end
                state = self._state(before, parts)
                parts = [state.maxima]
                if on_batch is not None:
                    on_batch(state)
        return state

    def _state(
        self, before: Int[np.ndarray, " n_outcomes"], parts: list[Float[np.ndarray, "_ n_tests"]]
    ) -> PermutationState:
        maxima = np.concatenate(parts)
        exceeded = before + sum(thread.exceeded for thread in self._threads)
        return PermutationState(
            key=self.key, n_done=len(maxima), exceeded=np.asarray(exceeded), maxima=maxima
        )

    def _thread(self) -> _Thread:
        found: _Thread | None = getattr(self._local, "thread", None)
        if found is None:
            n_outcomes, dtype = self.model.observed.size, self.model.dtype
            found = _Thread(
                maps=np.empty((TILE, n_outcomes), dtype=dtype),
                exceeded=np.zeros(n_outcomes, dtype=np.int32),
                workspace=self.enhancer.workspace(n_outcomes, dtype),
            )
            self._local.thread = found
            with self._lock:
                self._threads.append(found)
        return found

    def _tile(self, tile: int) -> Float[np.ndarray, "n_shufflings n_tests"]:
        """Give the maxima of one tile of shufflings and count its maps."""
        thread = self._thread()
        shufflings = self.source.take(
            range(tile * TILE, min((tile + 1) * TILE, self.source.n_used))
        )
        maps = thread.maps[: len(shufflings.order)]
        self.model.fill(shufflings, maps)
        maxima = np.empty((len(maps), len(self.methods)))
        first = int(tile == 0)
        if first:  # the identity is counted as what was observed, free of rounding
            thread.exceeded += self.model.tested
            maxima[0] = self.identity_maxima
        count_exceeding(maps[first:], self.least, self.direction, thread.exceeded)
        maxima[first:, 0] = largest_values(maps[first:], self.alternative, self.tested)
        if self.enhancer.methods:
            for row in range(first, len(maps)):
                maxima[row, 1:] = self.enhancer.maxima(maps[row], thread.workspace)
        return maxima


def _may_stop(state: PermutationState, stop_after: int | None, primary: int) -> bool:
    """Tell whether the strongest outcome has been reached often enough."""
    if stop_after is None or not state.n_done or state.n_done % (CHECK * TILE):
        return False
    column = state.maxima[:, primary]
    return stop_index(column, float(column[0]), stop_after) is not None


def _state_key(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    alternative: Alternative,
    space: Space | None,
) -> str:
    """Hash everything that shuffling depends on."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    tree = design.exchangeability
    words = (alternative, tree.kind, tree.exchanged, design.subjects, design.groups)
    neighbours = space.connectivity if isinstance(space, Volume) else None
    digest.update(repr((*words, neighbours)).encode())
    where: tuple[np.ndarray | None, ...] = ()
    if isinstance(space, Volume):
        where = (space.mask,)
    if isinstance(space, Graph):
        where = (space.starts, space.neighbours, space.sizes)
    of_design = (design.X, design.contrast, design.variance_groups, design.dealt, design.present)
    for values in (*of_design, tree.levels, tree.fixed, Y, baseline, *where):
        described = None if values is None else (values.shape, values.dtype.str)
        digest.update(repr(described).encode())
        if values is not None:
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _refuse_arguments(
    Y: Float[np.ndarray, "n_units n_outcomes"],
    settings: Inference,
    space: Space | None,
    *,
    n_threads: int,
    batch: int,
) -> None:
    problems = [
        Problem(what=f"too few {name}", field=name, found=str(value), expected="1 or more")
        for name, value in (("n_threads", n_threads), ("batch", batch))
        if value < 1
    ]
    if settings.method in UNSHUFFLED:
        problems.append(
            Problem(
                what="this method does not shuffle",
                field="method",
                found=settings.method,
                expected="voxel, tfce, cluster_mass, cluster_extent; or `infer`, which takes all",
            )
        )
    if space is not None:
        size = int(space.mask.sum()) if isinstance(space, Volume) else space.starts.size - 1
        if size != Y.shape[1]:
            grid = f" (mask of shape {space.mask.shape})" if isinstance(space, Volume) else ""
            problems.append(
                Problem(
                    what="the space holds another number of outcomes than the data: a mask of "
                    "another grid?",
                    field="space",
                    found=f"{size}{grid}",
                    expected=str(Y.shape[1]),
                )
            )
    if problems:
        raise InferenceError(*problems)


def _refuse_too_few(least: float, source: ShufflingSource, settings: Inference) -> None:
    if least > settings.alpha * (1 + 1e-9):
        raise InferenceError(
            Problem(
                what="too few distinct shufflings for any p-value to reach alpha",
                field="alpha",
                found=f"{source.n_used} shufflings: the smallest attainable p is {least:.3g}",
                expected=f"a smallest p of at most {settings.alpha:g}: more participants, or an "
                f"alpha of {least:.3g} or more",
            )
        )
