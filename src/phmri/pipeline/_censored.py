"""Of what censoring leaves too little in a run."""

from phmri.exceptions import FirstLevelError
from phmri.firstlevel import find_short_conditions
from phmri.pipeline._blocks import make_block_weights
from phmri.pipeline._infusion_measure import make_infusion_design
from phmri.pipeline._run_data import RunData
from phmri.protocol import Infusion

__all__ = ["censored_reason"]


def censored_reason(data: RunData) -> str:
    """Say of what censoring leaves too little; empty where it leaves enough.

    Parameters
    ----------
    data : RunData
        Whose cleanings can be made.

    Returns
    -------
    str
        Why the run is left out.
    """
    return _short_blocks(data) or _short_infusion(data)


def _short_blocks(data: RunData) -> str:
    for name, measure in data.job.measures.items():
        blocks = make_block_weights(data, measure)
        if blocks is None:
            continue
        for denoising in measure.denoisings:
            for problem in find_short_conditions(blocks, data.cleaning(denoising).sample_mask):
                return (
                    f"'{name}': condition {problem.field} is left with {problem.found} under "
                    f"'{denoising}', {problem.expected} asked for"
                )
    return ""


def _short_infusion(data: RunData) -> str:
    for name, measure in data.job.measures.items():
        if not isinstance(measure, Infusion):
            continue
        make_infusion_design(data, measure)  # what is wrong with all volumes is no matter of these
        for denoising in measure.denoisings:
            try:
                make_infusion_design(data, measure, denoising)
            except FirstLevelError as error:
                found = error.problems[0]
                return (
                    f"'{name}' under '{denoising}': {found.what} ({found.field}): found "
                    f"{found.found}, {found.expected} asked for"
                )
    return ""
