"""Measures that fit a model of a task to a run: task, PPI, beta series."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel import (
    Modulator,
    Noise,
    RunEstimate,
    TaskDesign,
    TaskSettings,
    TrialDesign,
    fit_beta_series,
    fit_glm,
    fit_ppi,
    ppi_design,
    task_contrast,
    task_design,
    trial_design,
    trial_estimator,
)
from phmri.pipeline._by_tissue import by_tissue, tissues_of
from phmri.pipeline._events import events_in_baseline, modelled_events
from phmri.pipeline._located import located
from phmri.pipeline._outcomes import Outcomes
from phmri.pipeline._run_data import RunData
from phmri.protocol import BetaSeries, Infusion, Ppi, Task

__all__ = [
    "beta_series",
    "make_task_design",
    "make_trial_design",
    "noise_of",
    "ppi",
    "task",
]


def noise_of(measure: Infusion | Task | Ppi) -> Noise:
    """Give the protocol's noise as the first level's record.

    Parameters
    ----------
    measure : Infusion, Task or Ppi

    Returns
    -------
    Noise
    """
    asked = measure.noise
    kinds = {"ar"} if isinstance(measure, Ppi) else {"ar", "arma11"}
    can_shrink = asked.kind in kinds and asked.scope == "voxel"
    return Noise(
        kind=asked.kind,
        order=asked.order,
        scope="group" if asked.scope == "tissue" else asked.scope,
        shrink=asked.shrink and can_shrink,
    )


def _settings(measure: Task) -> TaskSettings:
    return TaskSettings(
        strict=True,
        hrf=measure.hrf,
        fir_duration_s=measure.fir_duration_s,
        modulators={
            condition: tuple(Modulator(name=column) for column in columns)
            for condition, columns in measure.modulators.items()
        },
    )


def make_task_design(data: RunData, measure: Task | Ppi) -> TaskDesign:
    """Make the task columns of a run.

    Parameters
    ----------
    data : RunData
    measure : Task or Ppi
        An interaction has the canonical response, and no modulators.

    Returns
    -------
    TaskDesign

    Raises
    ------
    FirstLevelError
        The events lack the column of a modulator.
    """
    settings = _settings(measure) if isinstance(measure, Task) else TaskSettings(strict=True)
    events, scan = modelled_events(data), data.job.scan
    wanted = {item.name for items in settings.modulators.values() for item in items}
    missing = sorted(wanted - set(events.columns))
    file, field = str(data.job.run.events), f"scans.{data.job.scan_name}.conditions"
    if missing:
        raise FirstLevelError(
            *(
                Problem(
                    what="the events have no such numeric column",
                    file=file,
                    field=field,
                    found=name,
                    expected=", ".join(events.columns) or "a table with numeric columns",
                )
                for name in missing
            )
        )
    with located(file=file, field=field):
        return task_design(
            events.onset,
            events.duration,
            events.trial_type,
            {name: events.columns[name] for name in sorted(wanted)},
            settings=settings,
            conditions=scan.conditions,
            t_r=data.t_r,
            n_volumes=data.n_volumes,
        )


def task(data: RunData, members: Mapping[str, Task], denoising: str) -> dict[str, RunEstimate]:
    """Fit one task model and take a contrast per measure.

    Parameters
    ----------
    data : RunData
    members : mapping of str to Task
        That differ in nothing but the contrast.
    denoising : str

    Returns
    -------
    dict of str to RunEstimate
    """
    measure = next(iter(members.values()))
    design = make_task_design(data, measure)
    X = np.hstack([design.X, data.design_nuisance(denoising)])
    contrasts = [
        task_contrast(design, member.contrast, name=name, n_columns=X.shape[1])
        for name, member in members.items()
    ]
    found = data.percent_outcomes(measure, denoising)
    others = (f"nuisance {k + 1}" for k in range(X.shape[1] - len(design.columns)))
    fit = fit_glm(
        found.series,
        X,
        contrasts,
        noise=noise_of(measure),
        groups=tissues_of(data, measure),
        column_names=(*design.columns, *others),
    )
    percent = _percent(found)
    return {
        name: found.named(
            RunEstimate(
                values=percent * result.effect[0],
                names=(),
                variance=percent**2 * result.variance[0],
                df=result.df,
                unit="% signal change",
                variance_assumes=f"{_noise_words(measure)} and the model",
                extras={"t": result.statistic},
                facts={
                    "hrf": measure.hrf,
                    "columns": list(design.columns),
                    "events_not_modelled": events_in_baseline(data),
                },
                n_undefined=int(np.isnan(percent * result.effect[0]).sum()),
            )
        )
        for name, result in fit.contrasts.items()
    }


def _noise_words(measure: Task) -> str:
    noise = measure.noise
    name = {"white": "white", "ar": f"AR({noise.order})", "arma11": "ARMA(1,1)"}[noise.kind]
    return f"{name} noise" + (" of each tissue" if by_tissue(measure) else "")


def _percent(found: Outcomes) -> Float[np.ndarray, " n_outcomes"]:
    positive = found.mean > 0.0
    return np.where(positive, 100.0 / np.where(positive, found.mean, 1.0), np.nan)


def ppi(data: RunData, members: Mapping[str, Ppi], denoising: str) -> dict[str, RunEstimate]:
    """Fit the interactions of all seeds in one pass.

    Parameters
    ----------
    data : RunData
    members : mapping of str to Ppi
        That differ in nothing but seed and contrast.
    denoising : str

    Returns
    -------
    dict of str to RunEstimate
        Slopes in % of the voxel's mean per % of the seed's.
    """
    measure = next(iter(members.values()))
    names = tuple(dict.fromkeys(member.seed for member in members.values()))
    seeds = np.column_stack([data.region(measure, denoising, name) for name in names])
    design = ppi_design(
        seeds,
        make_task_design(data, measure),
        names=names,
        nuisance=data.design_nuisance(denoising),
        method=measure.deconvolution,
    )
    contrasts = {name: member.contrast for name, member in members.items()}
    found = data.percent_outcomes(measure, denoising)
    noise, groups = noise_of(measure), tissues_of(data, measure)
    fits = dict(
        zip(
            names,
            fit_ppi(found.series, design, contrasts, noise=noise, groups=groups),
            strict=True,
        )
    )
    means = dict(zip(names, seeds.mean(axis=0), strict=True))
    percent = _percent(found) / 100.0
    results = {}
    for name, member in members.items():
        estimate = fits[member.seed][name]
        scale = percent * means[member.seed]
        results[name] = found.named(
            replace(
                estimate,
                values=scale * estimate.values,
                variance=scale**2 * estimate.variance,
                unit="% per % of the seed",
                variance_assumes=estimate.variance_assumes
                + (", shared by each tissue" if groups is not None else ""),
                n_undefined=int(np.isnan(scale * estimate.values).sum()),
            )
        )
    return results


def make_trial_design(data: RunData) -> TrialDesign:
    """Make one regressor per trial, and see that every condition has enough of them.

    Parameters
    ----------
    data : RunData

    Returns
    -------
    TrialDesign
    """
    events = modelled_events(data)
    with located(file=str(data.job.run.events), field=f"scans.{data.job.scan_name}.conditions"):
        trials = trial_design(
            events.onset,
            events.duration,
            events.trial_type,
            settings=TaskSettings(strict=True),
            conditions=data.job.scan.conditions,
            t_r=data.t_r,
            n_volumes=data.n_volumes,
        )
        trial_estimator(trials, np.ones((data.n_volumes, 1)))
    return trials


def beta_series(
    data: RunData, members: Mapping[str, BetaSeries], denoising: str
) -> dict[str, RunEstimate]:
    """Correlate responses to single trials, for all seeds in one pass.

    Parameters
    ----------
    data : RunData
    members : mapping of str to BetaSeries
        That differ in nothing but seed and contrast.
    denoising : str

    Returns
    -------
    dict of str to RunEstimate
    """
    measure = next(iter(members.values()))
    names = tuple(dict.fromkeys(member.seed for member in members.values()))
    trials = make_trial_design(data)
    found = data.outcomes(measure, denoising)
    fits = fit_beta_series(
        found.series,
        np.column_stack([data.region(measure, denoising, name) for name in names]),
        trials,
        {name: member.contrast for name, member in members.items()},
        names=names,
        nuisance=data.design_nuisance(denoising),
    )
    by_seed = dict(zip(names, fits, strict=True))
    return {name: found.named(by_seed[member.seed][name]) for name, member in members.items()}
