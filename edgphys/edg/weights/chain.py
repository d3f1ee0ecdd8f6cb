# SPDX-License-Identifier: MIT
"""Independence Metropolis on the joint space: exact expectations from any network.

Proposals are fresh joint draws (x, g, z_0, ..., z_K) with weight w; from a state of weight w a proposal of
weight w' is accepted with probability ``min(1, w' / w)``. The marginal of x (and of the configurations it
carries) is the Boltzmann distribution whatever the network; a poor network only makes the chain slow, which
tau_int reports.

References
----------
Tierney, Annals of Statistics 22, 1701 (1994), section 2.3.3; Andrieu, Doucet, Holenstein, J. R. Stat. Soc. B
72, 269 (2010) (exactness on the extended space).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["accepted_indices"]


def accepted_indices(log_weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Which proposal each chain holds after each step.

    Parameters
    ----------
    log_weights : float64 array, shape (n_chains, n_draws)
        log w of the proposals; the first of each chain is its start.
    rng : numpy.random.Generator

    Returns
    -------
    int64 array, shape (n_chains, n_draws)
        Column of the proposal that is the state.

    Examples
    --------
    >>> log_weights = np.array([[0.0, -1e9, 5.0, -1e9]])
    >>> accepted_indices(log_weights, np.random.default_rng(0))
    array([[0, 0, 2, 2]])
    """
    n_chains, n_draws = log_weights.shape
    thresholds = np.log(rng.random((n_chains, n_draws)))
    states = np.zeros((n_chains, n_draws), dtype=np.int64)
    chains = np.arange(n_chains)
    for step in range(1, n_draws):
        held = states[:, step - 1]
        accept = thresholds[:, step] < log_weights[:, step] - log_weights[chains, held]
        states[:, step] = np.where(accept, step, held)
    return states
