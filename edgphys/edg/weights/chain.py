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

import json
import time

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.edg.call_options import SampleOptions
from edgphys.edg.targets.base import Calls
from edgphys.edg.trained import Run, TrainedModel
from edgphys.edg.weights.weighted_draws import draw_samples
from edgphys.errors import ArgumentValueError

__all__ = ["accepted_indices", "independence_chain"]

_WARM_UP, _LEAST_WARM_UP = 0.1, 10


def independence_chain(
    trained: TrainedModel,
    n_samples: int,
    seed: int,
    options: SampleOptions,
    *,
    n_chains: int,
    keep: bool,
    progress: bool | None,
) -> xr.Dataset:
    """Chains whose proposals are weighted draws, see `EDG.chain`."""
    n_samples, n_chains = (
        _checks.count(n, name, 1) for n, name in ((n_samples, "n_samples"), (n_chains, "n_chains"))
    )
    if n_samples % n_chains:
        raise ArgumentValueError(
            f"n_samples must be a multiple of n_chains = {n_chains}, got {n_samples}", "n_samples"
        )
    run = Run("edg_chain", _checks.seed(seed), keep, time.perf_counter())
    n_draws = n_samples // n_chains
    n_warmup = max(_LEAST_WARM_UP, int(_WARM_UP * n_draws))
    shape = (n_chains, n_warmup + n_draws)
    of_draws = {"keep": keep, "progress": progress, "with_chains": False}
    proposals = draw_samples(trained, shape[0] * shape[1], seed, options, **of_draws)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    states = accepted_indices(proposals["log_weight_joint"].to_numpy().reshape(shape), rng)
    kept = states[:, n_warmup:] + shape[1] * np.arange(n_chains)[:, None]
    accepted = np.diff(states[:, n_warmup - 1 :], axis=1) != 0
    chosen = {str(name): values.to_numpy()[kept.ravel()] for name, values in proposals.items()}
    configurations = chosen.pop("configurations", None)
    del chosen["log_weight_joint"]
    settings = json.loads(proposals.attrs["settings"]) | {"n_samples": n_samples, "n_chains": n_chains}
    settings |= {"n_warmup": n_warmup, "acceptance": float(accepted.mean())}
    chain = run.dataset(trained, chosen, configurations, settings, Calls(), (n_chains, n_draws))
    for name in ("n_energy_calls", "n_gradient_calls"):
        chain.attrs[name] = proposals.attrs[name]  # with the warm-up
    return chain


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
