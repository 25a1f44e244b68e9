"""Weights of a run's volumes, for correlations within the blocks of a condition."""

from phmri.firstlevel import BlockWeights, block_weights
from phmri.pipeline._located import located
from phmri.pipeline._run_data import RunData
from phmri.protocol import Measure, RoiToRoi, SeedToParcel, SeedToVoxel

__all__ = ["make_block_weights"]


def make_block_weights(data: RunData, measure: Measure) -> BlockWeights | None:
    """Weigh the volumes of a run as a measure asks.

    Parameters
    ----------
    data : RunData
    measure : Measure

    Returns
    -------
    BlockWeights or None
        None where all volumes weigh the same.
    """
    if not isinstance(measure, SeedToVoxel | SeedToParcel | RoiToRoi) or not measure.condition:
        return None
    events, place = data.events, f"scans.{data.job.scan_name}.conditions"
    with located(file=str(data.job.run.events), field=place):
        return block_weights(
            events.onset,
            events.duration,
            events.trial_type,
            contrast=measure.condition,
            t_r=data.t_r,
            n_volumes=data.n_volumes,
            min_volumes=measure.min_effective_volumes,
        )
