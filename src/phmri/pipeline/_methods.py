"""Methods text of what was done to the runs; questions bring their own sentences."""

from collections.abc import Mapping, Sequence

import numpy as np

from phmri.pipeline._infusion_words import describe_curve, describe_settings
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._manifest import CleaningManifest
from phmri.pipeline._measure_words import describe_measure
from phmri.pipeline._versions import software_versions
from phmri.protocol import Denoising, Protocol

__all__ = ["write_methods"]


def write_methods(protocol: Protocol, runs: Mapping[RunKey, MeasuredRun]) -> tuple[str, ...]:
    """Write what was done to the runs, each sentence once, in the order it was done.

    Parameters
    ----------
    protocol : Protocol
    runs : mapping of RunKey to MeasuredRun

    Returns
    -------
    tuple of str
        Citations as ``[doi:...]``.
    """
    # What has to be measured again says nothing of this analysis.
    runs = {key: run for key, run in runs.items() if not run.is_outdated}
    pipelines = sorted({run.job.run.pipeline for run in runs.values()})
    n_participants = len({subject for subject, _, _ in runs})
    sentences = [
        (
            f"{len(runs)} runs of {n_participants} participants, preprocessed by "
            f"{' and '.join(pipelines) or 'unknown software'}, were analysed with phmri "
            f"{software_versions()['phmri']} as declared in the protocol '{protocol.name}'."
        ),
        *_exclusions(protocol, runs),
    ]
    for name, setting in protocol.denoising.items():
        used = [
            run.manifest.cleaning[name] for run in runs.values() if name in run.manifest.cleaning
        ]
        if used:
            sentences += _denoising(name, setting, used)
    measured = {name for run in runs.values() for name in run.job.measures}
    sentences += [
        " ".join(
            filter(None, (f"Measure '{name}':", describe_measure(item), describe_settings(item)))
        )
        for name, item in protocol.measures.items()
        if name in measured
    ]
    for name in protocol.exposures:
        curves = [run.job.exposures[name] for run in runs.values() if name in run.job.exposures]
        if curves:
            sentences.append(describe_curve(protocol, name, curves))
    return tuple(sentences)


def _exclusions(protocol: Protocol, runs: Mapping[RunKey, MeasuredRun]) -> list[str]:
    rules = protocol.exclusions
    limits = [
        f"{what} {limit}"
        for what, limit, is_set in (
            (
                "mean framewise displacement above",
                f"{rules.max_mean_fd_mm} mm",
                rules.max_mean_fd_mm,
            ),
            (
                "a fraction of censored volumes above",
                f"{rules.max_censored_fraction}",
                rules.max_censored_fraction,
            ),
        )
        if is_set is not None
    ]
    limits.append("fewer degrees of freedom than the denoising asks for")
    measures = (measure for run in runs.values() for measure in run.job.measures.values())
    if any(measure.blocks_of is not None for measure in measures):
        limits.append("fewer effective volumes of a condition than a measure asks for")
    if any(run.job.run.kind == "volume" for run in runs.values()):
        limits.append(f"signal in less than {rules.min_region_coverage:.0%} of a seed")
    n_excluded = sum(bool(run.manifest.excluded) for run in runs.values())
    left_out = f"{n_excluded} {'was' if n_excluded == 1 else 'were'}"
    return [f"Runs were to be left out for {', '.join(limits)}; {left_out}."]


def _denoising(name: str, setting: Denoising, used: Sequence[CleaningManifest]) -> list[str]:
    seen = dict.fromkeys(sentence for item in used for sentence in item.sentences)
    steps = ". ".join(sentence.rstrip(".") for sentence in seen)
    dfs = [item.df for item in used]
    sentences = [
        f"Denoising '{name}': {steps}.",
        (
            f"This left {np.median(dfs):.0f} degrees of freedom per run (median; range "
            f"{min(dfs):.0f} to {max(dfs):.0f})."
        ),
    ]
    if setting.smoothing_fwhm_mm > 0:
        sentences.append(
            f"Voxelwise series were smoothed with a Gaussian kernel of "
            f"{setting.smoothing_fwhm_mm:g} mm FWHM; region series were not."
        )
    return sentences
