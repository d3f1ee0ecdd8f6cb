# SPDX-License-Identifier: MIT
r"""One round of swaps between neighbouring rungs of a ladder, and the counting of round trips.

Rung k has the weight exp(-a_k . X). A pair (i, j) of rungs proposes to exchange its configurations and does
so with probability

    min(1, exp((a_i - a_j) . (X_i - X_j))),

the Metropolis rule for the joint weight prod_k exp(-a_k . X_k). Round r tries the pairs (i, i + 1) with i of
the parity of r: even, odd, even, ... A configuration that has just moved up is offered the next step up in
the next round, so that it crosses a ladder with few rejections in a straight line, not in a random walk.

The joint weight is invariant. Each pair update is in detailed balance with it. The pairs of one round share
no rung, so a round is a product of commuting updates that leave it invariant; so does one round after the
other, in whatever fixed order, and so do the updates of each rung in between, which leave the weight of their
own rung invariant and touch no other. Only the sequence, not each step, is irreversible.

References
----------
Geyer, Computing Science and Statistics 23, 156 (1991). Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604
(1996), doi:10.1143/JPSJ.65.1604. Okabe, Kawata, Okamoto and Mikami, Chem. Phys. Lett. 335, 435 (2001).
Syed, Bouchard-Cote, Deligiannidis and Doucet, J. R. Stat. Soc. B 84, 321 (2022), arXiv:1905.02939.
"""

from __future__ import annotations

from numba import njit

from edgphys.mcmc.core.acceptance import acceptance
from edgphys.mcmc.random.xoshiro import uniform

__all__ = ["count_trips", "swap_round"]


@njit(nogil=True, cache=True)
def swap_round(replica, terms, coefficients, rng, first, attempted, probability):
    """Try to swap the pairs (first, first + 1), (first + 2, first + 3), ...; how many were swapped.

    Parameters
    ----------
    replica : int64, shape (n_rungs,)
        Which replica sits at each rung; permuted in place.
    terms, coefficients : float64, shape (n_rungs, n_terms)
        X of the configuration at each rung, and a of each rung.
    rng : uint64, shape (4,)
        Generator of the ladder.
    first : int
        0 or 1.
    attempted, probability : int64 and float64, shape (n_rungs - 1,)
        Number of attempts and sum of acceptance probabilities of each pair, added to.
    """
    swapped = 0
    for i in range(first, replica.size - 1, 2):
        exponent = 0.0
        for t in range(terms.shape[1]):
            exponent += (coefficients[i, t] - coefficients[i + 1, t]) * (terms[i, t] - terms[i + 1, t])
        accept = acceptance(exponent)
        attempted[i] += 1
        probability[i] += accept
        if uniform(rng) < accept:
            replica[i], replica[i + 1] = replica[i + 1], replica[i]
            swapped += 1
    return swapped


@njit(nogil=True, cache=True)
def count_trips(replica, stage, since, now, trips):
    """Follow the replicas at both ends of the ladder after round `now`.

    A round trip begins when a replica comes to the bottom, passes the top and ends with the next arrival at
    the bottom. ``stage`` is 0 for a replica that was not at the bottom yet, 1 on its way up, 2 on its way
    down; ``since`` is when it last came to the bottom; ``trips`` holds the number and the total duration of
    round trips.
    """
    bottom, top = replica[0], replica[-1]
    if bottom == top:
        return
    if stage[bottom] == 2:
        trips[0] += 1
        trips[1] += now - since[bottom]
    if stage[bottom] != 1:
        stage[bottom] = 1
        since[bottom] = now
    if stage[top] == 1:
        stage[top] = 2
