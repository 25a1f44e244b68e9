r"""Was a drug's effect blocked? Drug, pretreated drug and reference judged together.

Three contrasts of one model, with their full covariance: the drug's effect :math:`e_1`, what
remains of it after the pretreatment :math:`e_3`, what was removed :math:`e_1 - e_3`. The verdict
follows from tests of these (`judge_blockade`); the percentage removed, :math:`100(1 - e_3/e_1)`,
has Fieller's confidence set (`attenuation`).
"""

from phmri.group.blockade._hypotheses import conjunction_pvalue, contrast_test, equivalence_test
from phmri.group.blockade._ratio import attenuation, fieller_interval, persistence
from phmri.group.blockade._records import (
    KINDS,
    VERDICTS,
    Alternative,
    Blockade,
    BootstrapInterval,
    ContrastTest,
    Equivalence,
    Persistence,
    RatioInterval,
)
from phmri.group.blockade._resampling import bootstrap_interval, resample_units
from phmri.group.blockade._verdict import judge_blockade
from phmri.group.blockade._words import explain

__all__ = [
    "KINDS",
    "VERDICTS",
    "Alternative",
    "Blockade",
    "BootstrapInterval",
    "ContrastTest",
    "Equivalence",
    "Persistence",
    "RatioInterval",
    "attenuation",
    "bootstrap_interval",
    "conjunction_pvalue",
    "contrast_test",
    "equivalence_test",
    "explain",
    "fieller_interval",
    "judge_blockade",
    "persistence",
    "resample_units",
]
