"""Where the members of a tree come to lie: by the rank of the arrangement, or by random keys."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int

from phmri.inference.shuffling._row_tree import Member, count_arrangements

__all__ = ["draw_places", "enumerate_places", "rearrange"]


def enumerate_places(
    nodes: Sequence[Member], n_flips: int, numbers: range
) -> tuple[list[Int[np.ndarray, "n_shufflings n_members"]], Bool[np.ndarray, "n_shufflings f"]]:
    """Take the digits of each number: an arrangement for every node, then the signs.

    Parameters
    ----------
    nodes : sequence of Member
        Nodes whose members change places.
    n_flips : int
        Members that change sign.
    numbers : range
        Of the shufflings; 0 is the identity.

    Returns
    -------
    places : list of ndarray of shape (n_shufflings, n_members)
        Per node, which of its moving members comes to each place.
    up : ndarray of shape (n_shufflings, n_flips)
        Whether a member keeps its sign.
    """
    left = np.arange(numbers.start, numbers.stop)
    places = []
    for node in nodes:
        left, rank = np.divmod(left, count_arrangements(node))
        places.append(_arrange(rank, node))
    down = (left[:, None] >> np.arange(n_flips)) & 1
    return places, down == 0


def draw_places(
    nodes: Sequence[Member], n_flips: int, numbers: range, *, seed: int
) -> tuple[list[Int[np.ndarray, "n_shufflings n_members"]], Bool[np.ndarray, "n_shufflings f"]]:
    """Sort random keys: members come to their places in the order of theirs.

    Parameters
    ----------
    nodes : sequence of Member
        Nodes whose members change places.
    n_flips : int
        Members that change sign.
    numbers : range
        Of the shufflings; 0 is the identity.
    seed : int
        Shuffling k draws from its own stream, spawned from the seed under key k.

    Returns
    -------
    places : list of ndarray of shape (n_shufflings, n_members)
        Per node, which of its moving members comes to each place.
    up : ndarray of shape (n_shufflings, n_flips)
        Whether a member keeps its sign.
    """
    widths = [len(node.move) for node in nodes]
    keys = np.empty((len(numbers), sum(widths) + n_flips))
    for row, number in zip(keys, numbers, strict=True):
        stream = np.random.SeedSequence(seed, spawn_key=(number,))
        np.random.Generator(np.random.PCG64(stream)).random(out=row)
    if numbers and numbers[0] == 0:
        keys[0] = np.linspace(0.5, 0.9, keys.shape[1])  # ascending and in the upper half
    *parts, signs = np.split(keys, np.cumsum(widths), axis=1)
    return [np.argsort(part, axis=1, kind="stable") for part in parts], signs >= 0.5  # noqa: PLR2004 - a coin


def _arrange(
    rank: Int[np.ndarray, " n_shufflings"], node: Member
) -> Int[np.ndarray, "n_shufflings n_members"]:
    """Give arrangements by rank: which member comes to each place; as they are at rank 0.

    Kinds are chosen place by place, that of the member which is there already first. The k-th
    member of a kind then comes to the k-th place that asks for it.
    """
    own = np.unique([member.pattern for member in node.move], return_inverse=True)[1]
    n_kinds, n_members = int(own.max()) + 1, own.size
    shuffling = np.arange(rank.size)
    left = np.tile(np.bincount(own), (rank.size, 1))
    ways = np.full(rank.size, count_arrangements(node))
    chosen = np.empty((rank.size, n_members), dtype=np.int64)
    for place, first in enumerate(own):
        preference = np.roll(np.arange(n_kinds), -first)
        share = (ways[:, None] * left // (n_members - place))[:, preference]
        upper = np.cumsum(share, axis=1)
        pick = (rank[:, None] >= upper).sum(axis=1)
        ways = share[shuffling, pick]
        rank = rank - (upper[shuffling, pick] - ways)
        chosen[:, place] = preference[pick]
        left[shuffling, chosen[:, place]] -= 1
    places = np.empty_like(chosen)
    asking = np.argsort(chosen, axis=1, kind="stable")
    np.put_along_axis(places, asking, np.argsort(own, kind="stable")[None, :], axis=1)
    return places


def rearrange(
    member: Member, places: Iterator[Int[np.ndarray, "n_shufflings n_members"]], n: int
) -> Int[np.ndarray, "n_shufflings n_rows_below"]:
    """Give, for each row below a member, the row that comes to its place in n shufflings.

    Parameters
    ----------
    member : Member
        Root to start from.
    places : iterator of ndarray of shape (n, n_members)
        Per node of `exchangers`, in their order.
    n : int
        Shufflings.

    Returns
    -------
    ndarray of shape (n, n_rows_below)
        Rows of the design, in the order of ``member.rows``.
    """
    below = (*member.stay, *member.move)
    if not below:
        return np.tile(member.rows, (n, 1))
    place = next(places) if len(member.move) > 1 else None
    parts = [rearrange(child, places, n) for child in below]
    if place is not None:
        first = len(member.stay)
        moved = np.take_along_axis(np.stack(parts[first:], axis=1), place[:, :, None], axis=1)
        parts[first:] = [moved.reshape(n, moved.shape[1] * moved.shape[2])]
    return np.concatenate(parts, axis=1)
