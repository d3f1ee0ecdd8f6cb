# SPDX-License-Identifier: MIT
"""Markov-chain Monte Carlo for a system by the name of an algorithm: several chains in threads, one labelled
dataset.

Each chain has its own child of the seed and its own generator state, so the numbers do not depend on how
many threads run or how they are scheduled, nor on the pieces into which a run is cut by interruptions.
"""

from __future__ import annotations

import json
import numbers
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.checkpoint import Checkpoint
from edgphys.mcmc.sampler import AbstractSampler
from edgphys.systems.provenance import configuration_dims, sample_attrs

__all__ = ["run"]

# Variable updates between two looks at the progress bar and the stop flag: a fraction of a second.
_UPDATES_PER_PIECE = 20_000_000


@dataclass(frozen=True)
class _Plan:
    n_chains: int
    n_sweeps: int
    n_warmup: int
    thin: int
    keep: bool

    @property
    def n_draws(self) -> int:
        return self.n_sweeps // self.thin


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
    checkpoint: str | Path | None = None,
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
    plan = _check_plan(n_chains, n_sweeps, n_warmup, thin, keep)
    seed = _check_integer("seed", seed, 0)
    n_threads = _check_integer("n_threads", os.cpu_count() or 1 if n_threads is None else n_threads, 1)
    sampler = make_sampler(system, algorithm, options)
    store = None if checkpoint is None else Checkpoint(checkpoint, _identity(sampler, plan, seed))
    begin = time.perf_counter()
    work = _Work(sampler, plan, seed, store)
    tuned = work.finish(n_threads, progress)
    settings = asdict(plan) | {"sweep": sampler.sweep, "options": sampler.options}
    settings |= {"tuned": tuned, "measured": sampler.report(work.states)}
    if sampler.improved_columns:
        settings["improved"] = list(sampler.improved_columns)
    n_energy_calls, n_gradient_calls = sampler.calls(work.states)
    attrs = sample_attrs(
        system,
        method=algorithm,
        seed=seed,
        wall_time=time.perf_counter() - begin + work.time_before,
        settings=settings,
        n_energy_calls=n_energy_calls,
        n_gradient_calls=n_gradient_calls,
    )
    return _dataset(sampler, work.rows, work.kept, attrs)


def _check_integer(name: str, value, lowest: int) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer >= {lowest}, got {value!r}")
    if value < lowest:
        raise ValueError(f"{name} must be an integer >= {lowest}, got {value}")
    return int(value)


def _check_plan(n_chains, n_sweeps, n_warmup, thin, keep) -> _Plan:
    n_sweeps = _check_integer("n_sweeps", n_sweeps, 1)
    thin = _check_integer("thin", thin, 1)
    if thin > n_sweeps:
        raise ValueError(f"thin must be at most n_sweeps = {n_sweeps}, got {thin}")
    return _Plan(
        n_chains=_check_integer("n_chains", n_chains, 1),
        n_sweeps=n_sweeps,
        n_warmup=_check_integer("n_warmup", n_sweeps // 5 if n_warmup is None else n_warmup, 0),
        thin=thin,
        keep=bool(keep),
    )


def _identity(sampler: AbstractSampler, plan: _Plan, seed: int) -> dict:
    """What a checkpoint belongs to; `n_sweeps` is left out, so that a run may be extended."""
    settings = asdict(plan) | {"seed": seed, "algorithm": sampler.name, "options": sampler.options}
    del settings["n_sweeps"]
    return settings | sampler.system.identity()


class _Work:
    """All chains of a run: their states, what is drawn so far, and where each of them stands.

    Attributes
    ----------
    states : list of ChainState
        One a chain, or one a group of chains.
    rows, kept : float64 (chain, draw, column) and (chain, draw or 0, variable)
        Filled up to ``done`` of each state.
    done : list of [int, int]
        Sweeps of the warm-up and draws finished, for each state.
    time_before : float
        Seconds spent before the interruptions.
    """

    def __init__(self, sampler: AbstractSampler, plan: _Plan, seed: int, store: Checkpoint | None) -> None:
        self.sampler, self.plan, self.store = sampler, plan, store
        size = sampler.chains_per_state
        children = np.random.SeedSequence(seed).spawn(-(-plan.n_chains // size))
        self.states = [sampler.start(c, child) for c, child in enumerate(children)]
        self.members = [slice(c * size, min((c + 1) * size, plan.n_chains)) for c in range(len(children))]
        self.done = [[0, 0] for _ in self.states]
        self.time_before = 0.0
        self.rows = np.empty((plan.n_chains, plan.n_draws, sampler.n_columns))
        kept_draws = plan.n_draws if plan.keep else 0
        self.kept = np.empty((plan.n_chains, kept_draws, sampler.n_variables), sampler.kept_dtype())
        self._piece = max(1, _UPDATES_PER_PIECE // sampler.n_variables)
        if store is not None:
            store.begin(self)

    def finish(self, n_threads: int, progress: bool) -> dict[str, float]:
        """Warm-up, freezing, draws; the frozen parameters."""
        total = len(self.states) * (self.plan.n_warmup + self.plan.n_draws * self.plan.thin)
        with _reporter(self.sampler.name, total, progress) as report, ThreadPoolExecutor(n_threads) as pool:
            try:
                self._in_threads(pool, self._warm_up, report)
                # What the warm-up learned stays in the states: a run that goes on freezes the same again.
                tuned = self.sampler.freeze(self.states)
                self._in_threads(pool, lambda c: self._sample(c, tuned), report)
            finally:
                if self.store is not None:
                    self.store.write()
        return tuned

    def _warm_up(self, c: int) -> Iterator[int]:
        done, total = self.done[c], self.plan.n_warmup
        if done[0]:
            yield done[0]
        while done[0] < total:
            n = min(self._piece, total - done[0])
            self.sampler.warm_up(self.states[c], done[0], n, total)
            done[0] += n
            self._keep(c)
            yield n

    def _sample(self, c: int, tuned: dict[str, float]) -> Iterator[int]:
        done, plan = self.done[c], self.plan
        step = max(1, self._piece // plan.thin)
        if done[1]:
            yield done[1] * plan.thin
        while done[1] < plan.n_draws:
            part = slice(done[1], min(done[1] + step, plan.n_draws))
            index = (self.members[c], part) if self.sampler.chains_per_state > 1 else (c, part)
            self.sampler.advance(self.states[c], tuned, plan.thin, self.rows[index], self.kept[index])
            done[1] = part.stop
            self._keep(c)
            yield (part.stop - part.start) * plan.thin

    def _keep(self, c: int) -> None:
        if self.store is not None:
            self.store.remember(c)

    def _in_threads(self, pool: ThreadPoolExecutor, task: Callable, report: Callable) -> None:
        """Run ``task(c)`` for each state; an exception in one, or Ctrl-C, stops all after their piece."""
        stop = threading.Event()

        def work(c: int) -> None:
            if stop.is_set():
                return
            for done in task(c):
                report(done)
                if stop.is_set():
                    return

        futures = [pool.submit(work, c) for c in range(len(self.states))]
        try:
            for future in futures:
                # Not one long wait: a thread that is told to stop hears it only between two instructions.
                while not wait([future], timeout=0.2).done:
                    pass
                future.result()
        except BaseException:
            stop.set()
            wait(futures)
            raise


@contextmanager
def _reporter(name: str, total: int, progress: bool) -> Iterator[Callable[[int], None]]:
    if not progress:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task(name, total=total)
        yield lambda done: bar.advance(job, done)


def _dataset(sampler: AbstractSampler, rows: np.ndarray, kept: np.ndarray, attrs: dict) -> xr.Dataset:
    n_plain = rows.shape[-1] - sum(sampler.extra_columns.values())
    columns = np.moveaxis(rows, -1, 0)
    measured = dict(zip(sampler.columns, columns[:n_plain], strict=False))
    observables = _with_powers(measured, sampler.n_variables) if "magnetization" in measured else measured
    variables = {
        name: (("chain", "draw"), np.ascontiguousarray(values)) for name, values in observables.items()
    }
    first = n_plain
    for name, count in sampler.extra_columns.items():
        variables[name] = (("chain", "draw", "distance"), rows[..., first : first + count].copy())
        first += count
    if kept.shape[1]:
        shape = (*kept.shape[:2], *sampler.system.event_shape)
        dims = ("chain", "draw", *configuration_dims(sampler.system))
        variables["configurations"] = (dims, kept.reshape(shape))
    if sampler.improved_columns:
        definitions = json.loads(attrs["definitions"])
        for name in sampler.improved_columns:
            definitions[name] = (
                f"{definitions.get(name, name)}; improved estimator, averaged over cluster signs"
            )
        attrs["definitions"] = json.dumps(definitions)
    return xr.Dataset(variables, attrs=attrs)


def _with_powers(measured: dict[str, np.ndarray], n_sites: int) -> dict[str, np.ndarray]:
    """What follows from the magnetization, unless the sampler has measured it itself."""
    m = measured["magnetization"]
    derived = {
        "energy": measured["energy"],
        "magnetization": m,
        "abs_magnetization": np.abs(m),
        "magnetization_2": m**2,
        "magnetization_4": m**4,
        "correlator_zero": n_sites * m**2,
    }
    return derived | measured
