# SPDX-License-Identifier: MIT
r"""The sweep of multi-spin coding: one bit per replica, 64 replicas per word, several words per vector.

**One decision.** A replica decides with probability p = 0.b_1 b_2 b_3 ... in binary: it draws fair bits until
the first that is 1, say the J-th, and the decision is b_J; this has probability sum_J 2^-J b_J = p. All
replicas do so at once with one random word per step. With u_j the replicas that have drawn only zeros so far,

    decision = b_1 + u_1 (b_1 + b_2) + u_2 (b_2 + b_3) + ...  modulo 2,      u_j = u_{j-1} and random word,

so a step costs three operations besides the random word. In what class a replica is, and so which p, enters
by the words b_j + b_{j+1}: unions of classes, looked up in a small table, when all replicas have the same
temperature; selected from one plane of bits per class otherwise.

**Few random words.** After `ALONE` steps one replica in 64 is undecided, and further words would mostly be
wasted on the others. So the undecided replicas of `GROUP` sites of one colour share the next `SHARED` words:
at each bit place they go to the first of these sites that is undecided there. Sites that come late at a place
share, in the same way, words with all other latecomers of a batch of `BATCH` groups. Which site a bit goes to
depends on the configuration and on bits drawn before it, not on the bit itself, and no bit serves twice: so
the decisions are independent. What is left over, two latecomers at one place and what is undecided after
all, once in two hundred site updates of 256 replicas, is settled with a 64-bit random number against the rest
of p. Resolution of p: 2^-70, more than a double holds.

**Laziness.** Moves with dE <= 0 are accepted with probability 15/16, that is unless u_4, at no cost: with a
fixed order of sites each visit must be able to end either way (see `edgphys.mcmc.ising.metropolis`).

**Random numbers.** One SFC64 generator of Doty-Humphrey for each of the words of a vector, each with its own
seed: nine instructions per step, against fourteen of xoshiro256++; numpy has the same generator. Each bit
place of its output serves one replica. Single draws come from xoshiro256++.

References
----------
Block, Virnau and Preis, Comput. Phys. Commun. 181, 1549 (2010), doi:10.1016/j.cpc.2010.05.005 (multi-spin
coding). Doty-Humphrey, PractRand (SFC64), http://pracrand.sourceforge.net.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numba.extending import overload

from edgphys.mcmc.ising.bits.logic import (
    HEAT_BATH,
    IN_FIELD,
    METROPOLIS,
    base,
    blank,
    classify,
    complete,
    difference,
    gather,
    merge,
    tabulate,
)
from edgphys.mcmc.ising.bits.simd import (
    any_set,
    load,
    rotate_left_24,
    shift_left,
    shift_right,
    splat,
    static,
    store,
    trailing_zeros,
)
from edgphys.mcmc.ising.flip_probabilities import LAZY_STEPS
from edgphys.mcmc.random.xoshiro import next_word

__all__ = ["ALONE", "LARGEST_TABLE", "SCRATCH", "SHARED", "new_generators", "sfc64", "sweep", "update_blocks"]

ALONE, GROUP, SHARED, BATCH = 6, 8, 10, 8
# Classes up to which all unions are tabulated at each site.
LARGEST_TABLE = 4

_S3, _S11 = static(3), static(11)
_ZERO, _ONE, _ONES = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)
# Vectors in the scratch array: unions of classes; of a batch, replicas undecided after its shared words and
# the decisions of the others; of a group, replicas left over, undecided ones, decisions; of a site, new spins
# so far, replicas undecided when alone, those of them that share words of the group, and of the batch.
_BATCH, _GROUPS, _GROUP_SIZE = 2**LARGEST_TABLE, 2**LARGEST_TABLE + 2, 3 + 4 * GROUP
SCRATCH = _GROUPS + BATCH * _GROUP_SIZE


def new_generators(seeds: Sequence[np.random.SeedSequence]) -> np.ndarray:
    """State of one SFC64 generator a seed, flat uint64: the words a, b, c and the counter of each."""
    states = [np.random.SFC64(seed).state["state"]["state"] for seed in seeds]
    return np.stack(states, axis=1).reshape(-1)


@njit(nogil=True, cache=True)
def sfc64(a, b, c, counter, one):
    """One step of SFC64 on vectors: ``(random words, a, b, c, counter)``."""
    words = a + b + counter
    return words, b ^ shift_right(b, _S11), c + shift_left(c, _S3), rotate_left_24(c) + words, counter + one


@njit(nogil=True, cache=True, inline="always")
def _update(block, colour, shared):
    """Update the sites of one colour and coordination, `BATCH` groups at a time."""
    ranges, degree, digits, rest = block
    words, rng, generator, scratch, neighbours, rule, lanes, flips, temperature = shared
    stop = ranges[colour, 1]
    for first in range(ranges[colour, 0], stop, BATCH * GROUP):
        end = min(first + BATCH * GROUP, stop)
        if _decide(first, end, degree, digits, words, rng, scratch, neighbours, rule, lanes, flips):
            _settle(
                first,
                end,
                len(degree) - 1,
                len(rule),
                len(lanes),
                rest,
                words,
                generator,
                scratch,
                neighbours,
                flips,
                temperature,
            )
        _write(first, end, words, scratch, lanes)


@njit(nogil=True, cache=True)
def _decide(first, end, degree, digits, words, rng, scratch, neighbours, rule, lanes, flips):
    """Decisions of the sites ``first .. end - 1``, at most a batch, into `scratch`; whether any is left."""
    n = np.uint64(len(lanes))
    a, b, c = load(rng, _ZERO, lanes), load(rng, n, lanes), load(rng, np.uint64(2) * n, lanes)
    counter = load(rng, np.uint64(3) * n, lanes)
    one, ones, flip = splat(_ONE, lanes), splat(_ONES, lanes), splat(flips, lanes)
    zero = ones ^ ones
    store(scratch, _ZERO, zero)
    place = np.uint64(_GROUPS) * n
    nothing = blank(classify(gather(words, neighbours, _ZERO, zero, flip, rule, degree), zero, rule)[0])
    full, second, any_left = zero, nothing, zero
    for start in range(first, end, GROUP):
        occupied, left, merged = zero, zero, nothing
        at = place + n + n + n
        for i in range(start, min(start + GROUP, end)):
            site = np.uint64(i)
            spin = load(words, site * n, lanes)
            bits = gather(words, neighbours, site, spin, flip, rule, degree)
            classes, active = classify(bits, spin, rule)
            tabulate(digits, scratch, classes)
            u, a, b, c, counter = sfc64(a, b, c, counter, one)
            decision = difference(digits, 0, scratch, classes)
            decision ^= u & difference(digits, 1, scratch, classes)
            for j in range(2, LAZY_STEPS + 1):
                random, a, b, c, counter = sfc64(a, b, c, counter, one)
                u &= random
                decision ^= u & difference(digits, j, scratch, classes)
            result = base(spin, active, u, rule)
            for j in range(LAZY_STEPS + 1, ALONE + 1):
                random, a, b, c, counter = sfc64(a, b, c, counter, one)
                u &= random
                decision ^= u & difference(digits, j, scratch, classes)
            u &= active
            late = u & occupied
            in_group, in_batch = u & ~occupied, late & ~full
            left |= late & full
            occupied |= u
            full |= late
            merged = merge(merged, classes, in_group)
            second = merge(second, classes, in_batch)
            store(scratch, at, result ^ decision)
            store(scratch, at + n, u)
            store(scratch, at + n + n, in_group)
            store(scratch, at + n + n + n, in_batch)
            at += np.uint64(4) * n
        merged = complete(merged, occupied)
        tabulate(digits, scratch, merged)
        u, decision = occupied, zero
        for j in range(ALONE + 1, ALONE + SHARED + 1):
            random, a, b, c, counter = sfc64(a, b, c, counter, one)
            u &= random
            decision ^= u & difference(digits, j, scratch, merged)
        left |= u
        any_left |= left
        store(scratch, place, left)
        store(scratch, place + n, u)
        store(scratch, place + n + n, decision)
        place += np.uint64(_GROUP_SIZE) * n
    second = complete(second, full)
    tabulate(digits, scratch, second)
    u, decision = full, zero
    for j in range(ALONE + 1, ALONE + SHARED + 1):
        random, a, b, c, counter = sfc64(a, b, c, counter, one)
        u &= random
        decision ^= u & difference(digits, j, scratch, second)
    store(scratch, np.uint64(_BATCH) * n, u)
    store(scratch, np.uint64(_BATCH + 1) * n, decision)
    store(rng, _ZERO, a)
    store(rng, n, b)
    store(rng, np.uint64(2) * n, c)
    store(rng, np.uint64(3) * n, counter)
    return any_set(any_left | u)


@njit(nogil=True, cache=True)
def _write(first, end, words, scratch, lanes):
    """New spins of the sites ``first .. end - 1`` from what `_decide` and `_settle` left in `scratch`."""
    n = np.uint64(len(lanes))
    place = np.uint64(_GROUPS) * n
    in_batch = load(scratch, np.uint64(_BATCH + 1) * n, lanes)
    for start in range(first, end, GROUP):
        in_group = load(scratch, place + n + n, lanes)
        at = place + n + n + n
        for i in range(start, min(start + GROUP, end)):
            spin = load(scratch, at, lanes) ^ (in_group & load(scratch, at + n + n, lanes))
            spin ^= in_batch & load(scratch, at + n + n + n, lanes)
            store(words, np.uint64(i) * n, spin)
            at += np.uint64(4) * n
        place += np.uint64(_GROUP_SIZE) * n


@njit(nogil=True, cache=True)
def _settle(first, end, q, rule, n, rest, words, generator, scratch, neighbours, flips, temperature):
    """Decide what is left over, one replica after the other."""
    group = _GROUPS * n
    for start in range(first, end, GROUP):
        for lane in range(n):
            short = scratch[_BATCH * n + lane]
            left = scratch[group + lane] | short
            while left != _ZERO:
                bit = left & (~left + _ONE)
                left ^= bit
                unsettled = scratch[group + n + lane]
                at = group + 3 * n + lane
                for i in range(start, min(start + GROUP, end)):
                    in_group, in_batch = scratch[at + 2 * n], scratch[at + 3 * n]
                    shares = ((in_group | in_batch) & bit) != _ZERO
                    ends = (((in_group & unsettled) | (in_batch & short)) & bit) != _ZERO
                    if (scratch[at + n] & bit) != _ZERO and (ends or not shares):
                        up = (words[i * n + lane] & bit) != _ZERO
                        unlike = rule == METROPOLIS and up != (flips != _ZERO)
                        count = 0
                        for k in range(q):
                            count += unlike != ((words[neighbours[i, k] * n + lane] & bit) != _ZERO)
                        if rule == METROPOLIS:
                            count -= q // 2 + 1
                        elif rule == IN_FIELD and up:
                            count += q + 1
                        member = 64 * lane + np.int64(trailing_zeros(bit))
                        accepted = next_word(generator) < rest[np.int64(shares), count, temperature[member]]
                        scratch[at + 2 * n] &= ~bit
                        scratch[at + 3 * n] &= ~bit
                        scratch[at] &= ~bit
                        if accepted if rule == HEAT_BATH else accepted != up:
                            scratch[at] |= bit
                    at += 4 * n
        group += _GROUP_SIZE * n


def update_blocks(blocks, colour, shared):
    """`_update` for each of a tuple of blocks; compiled, an unrolled loop over blocks of different types."""
    for block in blocks:
        _update(block, colour, shared)


@overload(update_blocks, inline="always")
def _typed_update_blocks(blocks, colour, shared):
    if len(blocks) == 1:
        return lambda blocks, colour, shared: _update(blocks[0], colour, shared)

    def update(blocks, colour, shared):
        _update(blocks[0], colour, shared)
        update_blocks(blocks[1:], colour, shared)

    return update


@njit(nogil=True, cache=True, inline="always")
def sweep(blocks, shared, n_sweeps):
    """`n_sweeps` sweeps, colour after colour.

    Parameters
    ----------
    blocks : tuple of tuples
        For each coordination of the lattice: ``(ranges, static(coordination + 1), digits, rest)``, where
        ``ranges``, int64 (n_colours, 2), are the first site of each colour and the one after the last, and
        ``digits, rest`` come from `edgphys.mcmc.ising.bits.digits`.
    shared : tuple
        ``(words, rng, generator, scratch, neighbours, static(rule), static(n_lanes), flips, temperature)``.
        words: uint64, flat (n_sites + 1, n_lanes); rng: the states of SFC64, uint64, flat (4, n_lanes);
        generator: that of single draws, uint64 (4,); scratch: uint64 (SCRATCH n_lanes,); neighbours as in the
        layout; flips: uint64, all bits set if J > 0, else 0; temperature: int64 (64 n_lanes,), the number of
        each replica's temperature in ``rest``.
    n_sweeps : int
    """
    for _ in range(n_sweeps):
        for colour in range(blocks[0][0].shape[0]):
            update_blocks(blocks, colour, shared)
