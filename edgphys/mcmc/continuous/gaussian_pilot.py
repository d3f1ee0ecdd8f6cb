# SPDX-License-Identifier: MIT
"""The Gaussian from which a ladder reaches a continuous system: from a short run of the system itself.

Mean and standard deviation of every coordinate over all chains, which start in all basins known; for a
system that rotations leave alone, a Gaussian around the origin with one width. The ceiling of the path lies
eight standard deviations of the energy above its mean. None of this needs to be right for log Z to be: a poor
Gaussian costs more rungs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgphys.mcmc.algorithms import best_algorithm
from edgphys.mcmc.run import run
from edgphys.systems.continuous.gaussian_path import GaussianPath

__all__ = ["find_gaussian_path"]

_N_CHAINS = 8
_CEILING = 8.0  # standard deviations of U


def find_gaussian_path(
    system,
    seed: int,
    algorithm: str | None = None,
    *,
    n_sweeps: int = 500,
    n_threads: int | None = None,
    options: Mapping | None = None,
) -> tuple[GaussianPath, tuple[int, int]]:
    """A path to `system` from a Gaussian that covers it, and the energy and gradient calls it took.

    Parameters
    ----------
    system : edgphys.systems.AbstractContinuousSystem
        With a numba kernel.
    seed : int
    algorithm, n_sweeps, n_threads, options
        Of the run, as for `edgphys.mcmc.run`; as many sweeps are discarded before.

    Raises
    ------
    NotExactError
        If the system has no kernel.

    Examples
    --------
    >>> from edgphys.systems import Harmonic
    >>> path, _ = find_gaussian_path(Harmonic(n_dims=2, stiffness=1.0, ratio=100.0), seed=1)
    >>> bool((abs(path.spread - [1.0, 0.1]) < [0.1, 0.01]).all())
    True
    """
    d = system.n_variables
    GaussianPath(system, np.zeros(d), np.ones(d), 0.0)  # refuses what cannot be tempered, before the run
    algorithm = best_algorithm(system) if algorithm is None else algorithm
    samples = run(
        system,
        algorithm,
        n_chains=_N_CHAINS,
        n_sweeps=n_sweeps,
        seed=seed,
        n_warmup=n_sweeps,
        keep=True,
        n_threads=n_threads,
        options=options,
    )
    positions = samples["configurations"].values
    x = system._flat_array(positions.reshape(-1, *positions.shape[2:]))
    centre, spread = x.mean(axis=0), x.std(axis=0)
    if "rotation" in system.symmetries:
        centre, spread = np.zeros(d), np.full(d, np.sqrt(np.mean(x * x)))
    if system.domain is not None:  # half a Gaussian begins at the end
        half, ends = system.domain.is_half, system.domain.one_ends
        spread[half] = np.sqrt(np.mean((x - ends) ** 2, axis=0))[half]
    spread = np.maximum(spread, 1e-3 * system.width)
    reduced = samples["energy"].values / system.temperature
    ceiling = reduced.mean() + _CEILING * max(reduced.std(), np.sqrt(0.5 * d))
    calls = samples.attrs["n_energy_calls"], samples.attrs["n_gradient_calls"]
    return GaussianPath(system, centre, spread, float(ceiling)), calls
