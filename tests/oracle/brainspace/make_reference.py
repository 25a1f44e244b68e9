"""Make ``reference.json`` with BrainSpace 0.3.0, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1.

Usage: ``python tests/oracle/brainspace/make_reference.py`` in an environment that has them.
"""

import json
from pathlib import Path

import numpy as np
from brainspace.null_models.moran import compute_mem, moran_randomization
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr

N_PLACES, N_SURROGATES = 60, 20000


def main() -> None:
    rng = np.random.default_rng(2015)
    direction = rng.standard_normal((N_PLACES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    positions = np.round(direction * [65, 85, 60], 2)
    distance = cdist(positions, positions)
    root = np.linalg.cholesky(np.exp(-distance / 50))
    smooth = rng.standard_normal((4, N_PLACES)) @ root.T
    smooth[1] += 0.8 * smooth[0]
    maps = np.round(smooth, 4)
    weights = 1 / np.where(distance == 0, np.inf, distance)
    vectors, values = compute_mem(weights, spectrum="all", tol=1e-5)
    surrogates = moran_randomization(maps[0], vectors, n_rep=N_SURROGATES, random_state=1)
    found = {}
    for name, test in (("pearson", pearsonr), ("spearman", spearmanr)):
        drawn = np.array([[test(row, other)[0] for other in maps[1:]] for row in surrogates])
        observed = np.array([test(maps[0], other)[0] for other in maps[1:]])
        reached = np.abs(drawn) >= np.abs(observed) - 1e-6
        most = np.abs(drawn).max(axis=1)[:, None] >= np.abs(observed) - 1e-6
        found[name] = {
            "correlation": observed.tolist(),
            "null_sd": drawn.std(axis=0).tolist(),
            "p": ((1 + reached.sum(axis=0)) / (1 + N_SURROGATES)).tolist(),
            "p_corrected": ((1 + most.sum(axis=0)) / (1 + N_SURROGATES)).tolist(),
            "p_naive": [float(test(maps[0], other)[1]) for other in maps[1:]],
        }
    reference = {
        "positions_mm": positions.tolist(),
        "maps": maps.tolist(),
        "eigenvalues": values.astype(float).tolist(),
        "amounts": np.abs(vectors.T.astype(float) @ maps[0]).tolist(),
        "n_surrogates": N_SURROGATES,
        **found,
    }
    Path(__file__).with_name("reference.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
