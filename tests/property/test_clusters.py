import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from phmri.inference._space import STEPS, Graph, Volume
from phmri.inference.clusters._clusters import make_clusters
from phmri.inference.clusters._edges import make_edge_graph
from phmri.inference.clusters._true_discoveries import true_discoveries

QUICK = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
CONNECTIVITY = st.sampled_from([6, 18, 26])
DTYPES = st.sampled_from([np.float32, np.float64])
MASSES = st.sampled_from(["excess", "height"])


def make_map(seed, dtype):
    """Give a small mask of any form, a map in it with plateaus and ties, and a threshold."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 9, size=3)
    mask = rng.uniform(size=shape) < rng.choice([0.3, 0.8, 1.0])
    mask.flat[rng.integers(mask.size)] = True
    volume = ndimage.gaussian_filter(rng.normal(size=shape), rng.choice([0.0, 0.7]))
    values = (volume[mask] / (volume[mask].std() + 1e-9)).round(rng.choice([1, 9]))
    return mask, values.astype(dtype), float(rng.choice([0.0, 0.5, 1.0, 1.5]))


def label_with_scipy(mask, values, connectivity):
    """Give sets of voxels, one per positive component and one per negative one."""
    structure = ndimage.generate_binary_structure(3, STEPS[connectivity])
    found = []
    for beyond in values:
        volume = np.zeros(mask.shape, dtype=bool)
        volume[mask] = beyond
        labels, count = ndimage.label(volume, structure)
        found.append([np.flatnonzero(labels[mask] == k) for k in range(1, count + 1)])
    return found


@QUICK
@given(SEEDS, CONNECTIVITY, DTYPES, MASSES)
def test_components_are_those_of_scipy(seed, connectivity, dtype, mass):
    mask, values, threshold = make_map(seed, dtype)
    finder = make_clusters(Volume(mask=mask, connectivity=connectivity), threshold, mass=mass)
    up, down = label_with_scipy(mask, (values > threshold, -values > threshold), connectivity)
    base = threshold if mass == "excess" else 0.0
    extents = [[len(c) for c in side] for side in (up, down)]
    masses = [[(np.abs(values[c]).astype(float) - base).sum() for c in s] for s in (up, down)]

    labelling = finder.label(values)
    found = {tuple(np.flatnonzero(labelling.labels == k + 1)) for k in range(labelling.mass.size)}
    assert found == {tuple(c) for c in up + down}
    for sign, size, sums in zip((1, -1), extents, masses, strict=True):
        chosen = labelling.sign == sign
        assert_array_equal(np.sort(labelling.extent[chosen]), np.sort(size))
        assert_allclose(np.sort(labelling.mass[chosen]), np.sort(sums), rtol=1e-12, atol=1e-12)
    assert (np.diff(labelling.mass) <= 0).all()

    workspace = finder.workspace()
    wanted = [max(v, default=0) for side in zip(extents, masses, strict=True) for v in side]
    for _ in range(2):  # the second time in buffers that were used
        assert_allclose(finder.maxima(values, workspace), wanted, rtol=1e-12, atol=1e-12)


@QUICK
@given(SEEDS, CONNECTIVITY)
def test_axes_and_their_direction_do_not_matter(seed, connectivity):
    mask, values, threshold = make_map(seed, np.float64)
    volume = np.zeros(mask.shape)
    volume[mask] = values
    place = np.zeros((*mask.shape, 3))
    place[:] = np.moveaxis(np.indices(mask.shape), 0, -1) * 2.0
    turned = [np.flip(a, (0, 2)).swapaxes(0, 1) for a in (mask, volume, place)]
    one, other = (
        make_clusters(Volume(mask=m, connectivity=connectivity), threshold, mass="excess").label(
            v[m], p[m]
        )
        for m, v, p in ((mask, volume, place), turned)
    )
    assert_array_equal(one.mass, other.mass)
    assert_array_equal(one.extent, other.extent)
    assert_array_equal(one.sign, other.sign)
    labels = np.zeros(mask.shape, dtype=int)
    labels[mask] = one.labels
    assert_array_equal(np.flip(labels, (0, 2)).swapaxes(0, 1)[turned[0]], other.labels)


@QUICK
@given(SEEDS, DTYPES)
def test_other_sign_other_side(seed, dtype):
    mask, values, threshold = make_map(seed, dtype)
    finder = make_clusters(Volume(mask=mask), threshold, mass="excess")
    workspace = finder.workspace()
    up = finder.maxima(values, workspace)
    assert finder.maxima(-values, workspace) == (*up[2:], *up[:2])


@QUICK
@given(SEEDS, CONNECTIVITY)
def test_a_graph_of_voxels_gives_the_clusters_of_the_volume(seed, connectivity):
    mask, values, threshold = make_map(seed, np.float64)
    voxels = np.argwhere(mask)
    apart = np.abs(voxels[:, None] - voxels[None])
    linked = (apart.max(axis=2) == 1) & (np.count_nonzero(apart, axis=2) <= STEPS[connectivity])
    graph = Graph(
        starts=np.append(0, np.cumsum(linked.sum(axis=1))), neighbours=np.nonzero(linked)[1]
    )
    spaces = (Volume(mask=mask, connectivity=connectivity), graph)
    volume, nodes = (make_clusters(s, threshold, mass="height").label(values) for s in spaces)
    assert_array_equal(volume.labels, nodes.labels)
    assert_array_equal(volume.mass, nodes.mass)


@QUICK
@given(SEEDS)
def test_components_of_edges_are_those_of_regions(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 9))
    pairs = np.column_stack(np.triu_indices(n, 1))
    pairs = rng.permutation(pairs[rng.uniform(size=len(pairs)) < 0.7])
    if not len(pairs):
        return
    values = rng.normal(size=len(pairs))
    found = make_clusters(make_edge_graph(pairs), 0.8, mass="height").label(values)
    for sign in (1, -1):
        region = list(range(n))  # merged by hand: the component each region is in
        beyond = np.flatnonzero(sign * values > 0.8)
        for a, b in pairs[beyond]:
            region = [region[b] if r == region[a] else r for r in region]
        component = [region[a] for a, _ in pairs[beyond]]
        same = np.equal.outer(component, component)
        labels = found.labels[beyond]
        assert_array_equal(np.equal.outer(labels, labels), same)
        assert_array_equal(found.extent[labels - 1], same.sum(axis=0))


@QUICK
@given(SEEDS, st.sampled_from([0.01, 0.05, 0.2]))
def test_more_members_or_smaller_p_never_lower_the_bound(seed, alpha):
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=30) ** rng.integers(1, 5)
    members = rng.uniform(size=30) < 0.5
    bound = true_discoveries(p, members, alpha)
    k = int(rng.integers(30))
    one_more = members.copy()
    one_more[k] = True
    smaller = p.copy()
    smaller[k] /= 10
    assert bound <= true_discoveries(p, one_more, alpha) <= bound + 1
    assert true_discoveries(smaller, members, alpha) >= bound
    assert true_discoveries(p, members, 2 * alpha) >= bound
    assert true_discoveries(p, np.ones(30, dtype=bool), alpha) >= bound
    rest = true_discoveries(p, ~members, alpha)
    assert true_discoveries(p, np.ones(30, dtype=bool), alpha) >= bound + rest


def test_nilearn_gives_the_same_largest_clusters():
    permuted = pytest.importorskip("nilearn.mass_univariate._utils")
    rng = np.random.default_rng(3)
    t = ndimage.gaussian_filter(rng.normal(size=(14, 12, 10, 5)), (1, 1, 1, 0)) * 8
    wanted = permuted.calculate_cluster_measures(
        t, 1.5, ndimage.generate_binary_structure(3, 1), two_sided_test=True
    )
    finder = make_clusters(
        Volume(mask=np.ones(t.shape[:3], dtype=bool), connectivity=6), 1.5, mass="excess"
    )
    workspace = finder.workspace()
    found = [finder.maxima(t[..., k].ravel(), workspace) for k in range(5)]
    assert_array_equal([max(f[0], f[2]) for f in found], wanted[0])
    assert_allclose([max(f[1], f[3]) for f in found], wanted[1], rtol=1e-12)
    assert min(wanted[0]) > 3
