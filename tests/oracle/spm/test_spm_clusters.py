from pathlib import Path

import numpy as np

from phmri.inference._space import Volume
from phmri.inference.clusters._clusters import make_clusters
from phmri.inference.clusters._peaks import find_extrema
from phmri.inference.clusters._table import ClusterPvalues, Places, describe_clusters


def test_clusters_of_18_neighbours_and_their_peaks():
    with np.load(Path(__file__).parent / "random_field.npz") as spm:
        mask, affine, t = spm["mask"], spm["in_affine"], spm["out_T"]
        wanted, table, peaks = spm["cluster_labels"], spm["table"], spm["table_ijk"]
        finder = make_clusters(
            Volume(mask=mask, connectivity=18), float(spm["height_threshold"]), mass="excess"
        )
    up = np.where(t > 0, t, 0)
    found = finder.label(up)
    pairs = {(a, b) for a, b in zip(found.labels.tolist(), wanted.tolist(), strict=True)}
    assert len(pairs) == len(np.unique(wanted)) == found.mass.size + 1
    assert (0, 0) in pairs

    voxels = np.argwhere(mask)
    positions = voxels @ affine[:3, :3].T + affine[:3, 3]
    clusters = describe_clusters(
        found,
        up,
        ClusterPvalues(uncorrected=np.ones(t.size)),
        Places(positions_mm=positions, maxima=find_extrema(up, mask, affine)),
        alpha=0.05,
        min_distance_mm=0.0,
    )
    extents = table[:, 4]  # NaN in rows of further peaks
    assert sorted(c.extent for c in clusters) == sorted(extents[np.isfinite(extents)].tolist())
    # The table lists every local maximum, also the two that are 7.35 mm apart.
    listed = voxels[np.concatenate([c.peaks for c in clusters])]
    assert {tuple(v) for v in listed.tolist()} == {tuple(v) for v in peaks.tolist()}
