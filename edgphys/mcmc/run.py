# SPDX-License-Identifier: MIT
"""Markov chains of a system by the name of an algorithm: several in threads, one labelled dataset.

Each chain has its own child of the seed and its own generator state, so the numbers do not depend on how
many threads run or how they are scheduled, nor on the pieces into which a run is cut by interruptions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xarray as xr

from edgphys import _checks
from edgphys._files import state_held
from edgphys._threads import cpu_count
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.checkpoint import Checkpoint, Temporary
from edgphys.mcmc.core.driver import Work, check_plan, identity_of, samples_dataset
from edgphys.recording.record import current, recorded
from edgphys.systems.base import check_system

__all__ = ["run"]


@recorded("mcmc.run")
def run(
    system,
    algorithm: str,
    n_chains: int = 8,
    n_sweeps: int = 20_000,
    seed: int | None = None,
    *,
    n_warmup: int | None = None,
    thin: int = 1,
    keep: bool = False,
    n_threads: int | None = None,
    options: Mapping | None = None,
    observables: Any = None,
    checkpoint: str | Path | Temporary | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Sample a system by Markov-chain Monte Carlo.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        Any system of this package.
    algorithm : str
        One of `algorithms_for` (system).
    n_chains : int
        Independent chains.
    n_sweeps : int
        Sweeps of each chain after the warm-up. A sweep is n_sites attempted local updates; for clusters a
        number of them that visits n_sites spins on average; for HMC one trajectory.
    seed : int
        Required, non-negative. Chain c uses child c of ``numpy.random.SeedSequence(seed)``.
    n_warmup : int, optional
        Sweeps discarded, in which the algorithm is tuned; ``n_sweeps // 5`` by default.
    thin : int
        Sweeps from one draw to the next; there are ``n_sweeps // thin`` draws.
    keep : bool
        Also return the configurations (int8 spins or float64 fields).
    n_threads : int, optional
        Chains run at a time; the number of CPUs by default. Does not change any number.
    options : mapping, optional
        Settings of the algorithm, by name; the docstring of its sampler lists them with their defaults.
    observables : observable of one's own, function, or sequence of them, optional
        Measured on every draw too, see `edgphys.observable`; ``system.observing(...)`` does the same.
    checkpoint : path, optional
        File that holds the state of all chains, the random numbers included. It is renewed about twice a
        minute, on Ctrl-C and at the end. If it exists the run goes on from there, to the very numbers that
        an undisturbed run gives; with a larger `n_sweeps` (and `n_warmup` given) a finished run is extended.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        Dimensions (chain, draw), variables as `system.measure` names them, and ``configurations`` with the
        site dimensions x, y, z, t (as many as the lattice has axes) and ``basis`` (if the unit cell has
        several sites). Attributes by `edgphys.systems.sample_attrs`; ``settings`` holds the options, what
        was tuned, acceptance or mean cluster size, and the definition of a sweep. Energy calls count whole
        lattices, n_sites local differences as one, warm-up included.

    Raises
    ------
    TypeError
        If a count or the seed is not an integer.
    ValueError
        If a count is out of range.
    UnknownNameError
        If there is no such algorithm or option for the system; the message lists what there is.
    NotExactError
        If the algorithm does not apply to this instance; the message says why.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> samples = run(system, "wolff", n_chains=2, n_sweeps=100, seed=3)
    >>> dict(samples.sizes)
    {'chain': 2, 'draw': 100}
    """
    plan = check_plan(n_chains, n_sweeps, n_warmup, thin, keep)
    seed = _checks.seed(seed)
    system = check_system(system).observing(observables)
    n_threads = _checks.count(cpu_count() if n_threads is None else n_threads, "n_threads", 1)
    current().note({"n_threads": n_threads})
    sampler = make_sampler(system, algorithm, options)
    store = None if checkpoint is None else Checkpoint(checkpoint, identity_of(sampler, plan, seed))
    begin = time.perf_counter()
    with state_held(None if store is None else store.path):
        work = Work(sampler, plan, seed, store)
        tuned = work.finish(n_threads, progress)
    settings = asdict(plan) | {"sweep": sampler.sweep, "options": sampler.options}
    settings |= {"tuned": tuned, "measured": sampler.report(work.states)}
    if sampler.improved_columns:
        settings["improved"] = list(sampler.improved_columns)
    attrs = work.attrs(algorithm, seed, time.perf_counter() - begin, settings)
    return samples_dataset(sampler, work.rows, work.own, work.kept, attrs)
