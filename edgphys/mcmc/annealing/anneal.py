# SPDX-License-Identifier: MIT
"""Weighted draws of a lattice system by annealing from its reference: free spins, independent sites.

The ladder is that of `edgphys.mcmc.annealing.ladder`, along the path that the system declares
(`AbstractSystem.reference`): J from 0 for the Ising model, which is infinite temperature where there is no
field, kappa from 0 for phi^4. Draws of the reference are independent, so that all weights begin with its Z.
What a trained generator saves is seen against this: `EDG.sample` anneals its own draws by the same moves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks
from edgphys._progress import ProgressBar
from edgphys._sizes import MOST_VALUES, at_most, check_memory
from edgphys.errors import NotExactError
from edgphys.mcmc.algorithms import best_algorithm
from edgphys.mcmc.annealing.ladder import Annealing
from edgphys.mcmc.annealing.walkers_of import chain_walkers
from edgphys.recording.record import recorded
from edgphys.systems.base import AbstractSystem, check_energies, check_system
from edgphys.systems.provenance import sample_attrs
from edgphys.systems.reference_path import ReferencePath

__all__ = ["anneal"]

_N_PILOT = 512


@recorded("mcmc.anneal")
def anneal(
    system: AbstractSystem,
    n_samples: int,
    seed: int,
    *,
    n_rungs: int | None = None,
    algorithm: str | None = None,
    options: Mapping[str, Any] | None = None,
    observables: Any = None,
    keep: bool = False,
    batch_size: int = 1000,
    progress: bool | None = None,
) -> xr.Dataset:
    """Independent weighted draws by annealed importance sampling from the reference of a lattice system.

    Parameters
    ----------
    system : AbstractSystem
        Of the Ising or the phi^4 family: with a reference that can be drawn from.
    n_samples : int
        At least 1.
    seed : int
    n_rungs : int, optional
        Rungs, a sweep each. Default: as many as bring the variance of log w to 0.25, at most 4000.
    algorithm : str, optional
        Of the sweeps, one of `algorithms_for` (system) that serves the reference too; `best_algorithm` by
        default.
    options : mapping, optional
        Settings of the algorithm.
    observables : observable of one's own, function, or sequence of them, optional
        Measured on every draw too, see `edgphys.observable`.
    keep : bool
        Keep the configurations.
    batch_size : int
        Draws at a time; part of what the seed means.
    progress : bool, optional
        Bar on stderr. Default: when stderr is a terminal.

    Returns
    -------
    Dataset
        Dim ``draw``, as `EDG.sample` gives it: observables, ``reduced_energy`` and ``log_weight_joint`` with
        E[w] = Z for any number of rungs; ``configurations`` with `keep`. Calls count whole lattices, those of
        the pilot, which spaces the rungs and tunes the sweeps, included.

    Raises
    ------
    NotExactError
        If the system has no reference to draw from, or no algorithm serves it.
    TypeError, ValueError, UnknownNameError
        If an argument is not what it must be.

    References
    ----------
    Neal, Annealed importance sampling, Statistics and Computing 11, 125 (2001), eq. 11; Jarzynski, Phys. Rev.
    Lett. 78, 2690 (1997), eq. 2.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> samples = anneal(system, 100, seed=1, n_rungs=5, progress=False)
    >>> dict(samples.sizes), "log_weight_joint" in samples
    ({'draw': 100}, True)
    """
    n_samples, batch_size = (
        _checks.count(n_samples, "n_samples", 1),
        _checks.count(batch_size, "batch_size", 1),
    )
    n_rungs = None if n_rungs is None else _checks.count(n_rungs, "n_rungs", 1)
    at_most(n_rungs, "n_rungs", 10 * MOST_VALUES)
    system = check_system(system).observing(observables)
    numbers = float(n_samples) * (system.n_variables + 1)
    check_memory(8.0 * numbers, "n_samples", f"{n_samples} draws")
    path, begin = _drawn_path(system), time.perf_counter()
    check_energies(system)
    start = system.replace(**{path.coupling: path.first})
    algorithm = best_algorithm(start, system) if algorithm is None else algorithm
    make = chain_walkers(start, system, algorithm, options)
    pilot, *rngs = map(np.random.default_rng, np.random.SeedSequence(_checks.seed(seed)).spawn(3))
    ladder = Annealing(make, start, system, n_rungs, *_start(path, _N_PILOT, pilot), pilot, rngs[1])
    parts = []
    with ProgressBar("draws", n_samples, progress) as bar:
        for first in range(0, n_samples, batch_size):
            size = min(batch_size, n_samples - first)
            parts.append(ladder(*_start(path, size, rngs[0])))
            bar.advance(size)
    configurations, log_weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    attrs = sample_attrs(
        system,
        method="anneal",
        seed=seed,
        wall_time=time.perf_counter() - begin,
        settings={
            "n_samples": n_samples,
            "n_rungs": ladder.n_rungs,
            "algorithm": algorithm,
            "options": dict(options or {}),
            "reference": {path.coupling: path.first},
            "batch_size": batch_size,
        },
        n_energy_calls=ladder.n_energy_calls,
        n_gradient_calls=ladder.n_gradient_calls,
    )
    return _dataset(system, configurations, log_weights, keep, attrs)


def _drawn_path(system: AbstractSystem) -> ReferencePath:
    path = system.reference()
    if path.draw is None:
        raise NotExactError(
            f"system must have a reference to draw from, got {system.name}, which has none", "system"
        )
    return path


def _start(path: ReferencePath, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the reference and their log weights, all of them its log Z."""
    assert path.draw is not None
    return path.draw(n, rng), np.full(n, path.log_z)


def _dataset(
    system: AbstractSystem, configurations: np.ndarray, log_weights: np.ndarray, keep: bool, attrs: dict
) -> xr.Dataset:
    columns = system.measure_with_action(configurations) | {"log_weight_joint": log_weights}
    variables: dict[str, Any] = {name: ("draw", values) for name, values in columns.items()}
    if keep:
        shape = (len(configurations), *system.event_shape)
        variables["configurations"] = (("draw", *system.configuration_dims()), configurations.reshape(shape))
    return xr.Dataset(variables, attrs=attrs)
