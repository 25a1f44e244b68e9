"""A run's cleaning with noise confounds, a filter and censored volumes."""

import numpy as np
import pytest

from phmri.dataset import Confounds
from phmri.protocol import Censor, Denoising
from phmri.signals import make_cleaning


@pytest.fixture
def clean_of():
    def build(n, *, n_confounds=0, censored=(), n_leading=0, t_r=2.0, **setting):
        rng = np.random.default_rng(5)
        displacement = np.zeros(n)
        displacement[list(censored)] = 1.0
        table = Confounds(
            names=("framewise_displacement",),
            values=displacement[:, None],
            metadata={},
            path="confounds.tsv",
        )
        return make_cleaning(
            Denoising(
                strategy="none",
                censor=Censor(fd_mm=0.5 if len(censored) else None),
                discard_volumes=n_leading,
                min_df=5,
                **setting,
            ),
            table,
            n_volumes=n,
            t_r=t_r,
            extra=rng.standard_normal((n, n_confounds)),
            extra_names=[f"confound_{i}" for i in range(n_confounds)],
        )

    return build
