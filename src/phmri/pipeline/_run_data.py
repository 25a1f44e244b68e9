"""What the measures of one run share: each thing is read, or computed, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from phmri.dataset import (
    Confounds,
    Events,
    Physio,
    read_events,
    read_mask,
    read_physio,
    read_series,
)
from phmri.exceptions import PhmriError, Problem
from phmri.firstlevel import task_regressors
from phmri.pipeline._job import RunJob, grid_of, parcel_name
from phmri.pipeline._located import located
from phmri.pipeline._outcomes import Outcomes
from phmri.pipeline._regressors import Extra, join
from phmri.protocol import Measure
from phmri.signals import (
    Cleaning,
    Nuisance,
    PhysiologySettings,
    RunSignals,
    extract_series,
    extract_signals,
    make_cleaning,
    make_nuisance,
    physiology_regressors,
    place_maps,
)

__all__ = ["RunData"]


@dataclass(slots=True)
class RunData:
    """One run, read as its measures ask for it.

    Parameters
    ----------
    job : RunJob
    confounds : Confounds or None
    """

    job: RunJob
    confounds: Confounds | None
    _signals: dict[float, RunSignals] = field(default_factory=dict)
    _cleanings: dict[str, Cleaning] = field(default_factory=dict)
    _nuisance: dict[str, Nuisance] = field(default_factory=dict)
    _events: Events | None = None

    @property
    def n_volumes(self) -> int:  # numpydoc ignore=RT01
        """Volumes in the file."""
        return self._size()[0]

    @property
    def t_r(self) -> float:  # numpydoc ignore=RT01
        """Repetition time in seconds."""
        return self._size()[1]

    def _size(self) -> tuple[int, float]:
        n_volumes, t_r = self.job.run.n_volumes, self.job.run.t_r
        if n_volumes is None or t_r is None:
            raise PhmriError(
                Problem(
                    what="neither the number of volumes nor the repetition time may be unknown",
                    file=str(self.job.run.path),
                    found=f"{n_volumes} volumes, repetition time {t_r} s",
                )
            )
        return n_volumes, t_r

    @property
    def events(self) -> Events:  # numpydoc ignore=RT01
        """The task events of the run."""  # noqa: DOC501 - a property
        if self._events is None:
            if self.job.run.events is None:
                raise PhmriError(
                    Problem(
                        what="this needs the events of the run, and it has none",
                        file=str(self.job.run.path),
                        field=f"scans.{self.job.scan_name}",
                        expected="an events.tsv of this run",
                    )
                )
            self._events = read_events(self.job.run.events)
        return self._events

    def cleaning(self, denoising: str) -> Cleaning:
        """Give a denoising as an operator.

        Parameters
        ----------
        denoising : str

        Returns
        -------
        Cleaning
        """
        if denoising not in self._cleanings:
            extra = join(
                [self.task_columns(denoising), self._physiology(denoising)], self.n_volumes
            )
            self._cleanings[denoising] = make_cleaning(
                self.job.denoising[denoising],
                self.confounds,
                n_volumes=self.n_volumes,
                t_r=self.t_r,
                extra=extra.X,
                extra_names=extra.names,
                extra_sentence=extra.sentence,
            )
        return self._cleanings[denoising]

    def nuisance(self, denoising: str) -> Nuisance:
        """Give a denoising as columns of a linear model.

        Parameters
        ----------
        denoising : str

        Returns
        -------
        Nuisance
        """
        if denoising not in self._nuisance:
            extra = join([self._physiology(denoising)], self.n_volumes)
            self._nuisance[denoising] = make_nuisance(
                self.job.denoising[denoising],
                self.confounds,
                n_volumes=self.n_volumes,
                t_r=self.t_r,
                extra=extra.X,
                extra_names=extra.names,
                extra_sentence=extra.sentence,
            )
        return self._nuisance[denoising]

    def design_nuisance(self, denoising: str) -> Float[np.ndarray, "n_volumes k"]:
        """Give the nuisance columns for all volumes of the file.

        Parameters
        ----------
        denoising : str

        Returns
        -------
        ndarray of shape (n_volumes, k)
            Leading volumes have a column each, as censored ones do, so that events and exposure
            keep the clock of the file.
        """
        nuisance = self.nuisance(denoising)
        first = nuisance.first_volume
        X = np.zeros((self.n_volumes, first + nuisance.X.shape[1]))
        X[:first, :first] = np.eye(first)
        X[first:, first:] = nuisance.X
        return X

    def task_columns(self, denoising: str) -> Extra | None:
        """Give the task regressors that a denoising takes out.

        Parameters
        ----------
        denoising : str

        Returns
        -------
        Extra or None
            None where the task stays.
        """
        if self.job.denoising[denoising].task != "remove":
            return None
        events, scan = self.events, self.job.scan
        place = f"scans.{self.job.scan_name}.conditions"
        with located(file=str(self.job.run.events), field=place):
            X, names = task_regressors(
                events.onset,
                events.duration,
                events.trial_type,
                conditions=scan.conditions,
                t_r=self.t_r,
                n_volumes=self.n_volumes,
            )
        sentence = (
            f"{len(names)} task regressors, convolved with the haemodynamic response, were "
            "removed in the same step"
        )
        return Extra(X=X, names=names, sentence=sentence)

    def _physiology(self, denoising: str) -> Extra | None:
        asked = self.job.denoising[denoising].physiology
        if asked == "none":
            return None
        self.refuse_without_recording(denoising)
        with located(file=str(self.job.run.physio[0]), field=f"denoising.{denoising}.physiology"):
            found = physiology_regressors(
                self.physio,
                t_r=self.t_r,
                n_volumes=self.n_volumes,
                settings=PhysiologySettings(rates=asked == "retroicor_rates"),
            )
        sentence = ". ".join(item.rstrip(".") for item in found.sentences)
        return Extra(X=found.X, names=found.names, sentence=sentence)

    def refuse_without_recording(self, denoising: str) -> None:
        """See that the run has the recordings that a denoising asks for.

        Parameters
        ----------
        denoising : str

        Raises
        ------
        PhmriError
            It has none.
        """
        asked = self.job.denoising[denoising].physiology
        if asked != "none" and not self.job.run.physio:
            raise PhmriError(
                Problem(
                    what="the denoising asks for physiology, and the run has no recording",
                    file=str(self.job.run.path),
                    field=f"denoising.{denoising}.physiology",
                    found=asked,
                    expected="a _physio.tsv.gz of this run",
                )
            )

    @property
    def physio(self) -> tuple[Physio, ...]:  # numpydoc ignore=RT01
        """Recordings of pulse and breathing; none where the run has none."""
        return tuple(map(read_physio, self.job.run.physio))

    def signals(self, measure: Measure, denoising: str) -> RunSignals:
        """Give the series of a measure, smoothed as its denoising says.

        Parameters
        ----------
        measure : Measure
        denoising : str

        Returns
        -------
        RunSignals
            Regions are not smoothed: any pass over the run gives those.
        """
        if measure.is_map:
            fwhm = self.job.denoising[denoising].smoothing_fwhm_mm
        else:
            fwhm = next(iter(self._signals), self._fwhm_of_first_map())
        if fwhm not in self._signals:
            self._signals[fwhm] = self._extract(fwhm)
        return self._signals[fwhm]

    def _fwhm_of_first_map(self) -> float:
        job = self.job
        maps = (measure.denoising for measure in job.measures.values() if measure.is_map)
        return next((job.denoising[name].smoothing_fwhm_mm for name in maps), 0.0)

    def _extract(self, fwhm: float) -> RunSignals:
        job = self.job
        if job.run.kind == "series":
            return extract_series(read_series(job.run.path), job.series, self.confounds)
        if job.run.mask is None:
            raise PhmriError(Problem(what="the run has no brain mask", file=str(job.run.path)))
        return extract_signals(
            job.run,
            read_mask(job.run.mask),
            job.regions,
            smoothing_fwhm_mm=fwhm,
            voxels=any(measure.is_map for measure in job.measures.values()),
            dropout_threshold=job.exclusions.dropout_threshold,
            confounds=self.confounds,
        )

    def region(self, measure: Measure, denoising: str, name: str) -> Float[np.ndarray, " n"]:
        """Give the mean series of a region or parcel.

        Parameters
        ----------
        measure : Measure
        denoising : str
        name : str

        Returns
        -------
        ndarray of shape (n_volumes,)
        """
        signals = self.signals(measure, denoising)
        return np.asarray(signals.regions[:, signals.region_names.index(name)])

    def seeds(
        self, members: Mapping[str, Measure], denoising: str
    ) -> Float[np.ndarray, "n_volumes n_members"]:
        """Give the seed of every one of some measures.

        Parameters
        ----------
        members : mapping of str to Measure
        denoising : str

        Returns
        -------
        ndarray of shape (n_volumes, n_members)
        """
        return np.column_stack(
            [self.region(member, denoising, member.used_regions[0]) for member in members.values()]
        )

    def percent_outcomes(self, measure: Measure, denoising: str) -> Outcomes:
        """Give the voxels or parcels of a measure that is told in % of their mean.

        Parameters
        ----------
        measure : Measure
        denoising : str

        Returns
        -------
        Outcomes
        """
        found = self.outcomes(measure, denoising)
        found.refuse_without_mean()
        return found

    @property
    def mask(self) -> Bool[np.ndarray, "x y z"]:  # numpydoc ignore=RT01
        """The run's brain mask."""  # noqa: DOC501 - a property
        if self.job.run.mask is None:
            raise PhmriError(
                Problem(what="the run has no brain mask", file=str(self.job.run.path))
            )
        return read_mask(self.job.run.mask).data

    def maps(self, measure: Measure) -> Float[np.ndarray, "n_maps n_voxels"]:
        """Give the network or receptor maps of a measure in the voxels of the mask.

        Parameters
        ----------
        measure : Measure

        Returns
        -------
        ndarray of shape (n_maps, n_voxels)
        """
        grid, inside = grid_of(self.job.run), self.mask
        files = (self.job.maps[name].path for name in measure.map_files)
        return np.vstack([place_maps(Path(file), grid)[:, inside] for file in files])

    def outcomes(self, measure: Measure, denoising: str) -> Outcomes:
        """Give the voxels or parcels that a measure is computed for.

        Parameters
        ----------
        measure : Measure
        denoising : str

        Returns
        -------
        Outcomes

        Raises
        ------
        PhmriError
            If voxels are asked of a table.
        """
        signals = self.signals(measure, denoising)
        if measure.is_map:
            if signals.voxels is None or signals.voxel_mean is None:
                raise PhmriError(
                    Problem(what="voxelwise maps need images", file=str(self.job.run.path))
                )
            return Outcomes(series=signals.voxels, mean=signals.voxel_mean, names=())
        keys = self.job.parcels[measure.parcellation or ""]
        columns = [signals.region_names.index(key) for key in keys]
        series = signals.regions[:, columns]
        return Outcomes(
            series=series, mean=series.mean(axis=0), names=tuple(map(parcel_name, keys))
        )
