"""The linear model of one run, with coloured noise, for all voxels at once."""

from phmri.firstlevel.glm._estimate_noise import estimate_noise
from phmri.firstlevel.glm._fit import fit_glm
from phmri.firstlevel.glm._records import Contrast, ContrastEstimate, GivenNoise, GlmFit, Noise

__all__ = [
    "Contrast",
    "ContrastEstimate",
    "GivenNoise",
    "GlmFit",
    "Noise",
    "estimate_noise",
    "fit_glm",
]
