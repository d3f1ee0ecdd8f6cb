# SPDX-License-Identifier: MIT
"""Markov-chain Monte Carlo for a system by the name of an algorithm: several chains in threads, one labelled
dataset.

Each chain has its own child of the seed and its own generator state, so the numbers do not depend on how
many threads run or how they are scheduled. Even chains start disordered, odd ones ordered with alternating
sign: starts wider than the target, without which R-hat means little.
"""

from __future__ import annotations

import numbers
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc.embedded_wolff import Phi4EmbeddedWolff
from edgphys.mcmc.hmc import Phi4HMC
from edgphys.mcmc.metropolis import IsingMetropolis
from edgphys.mcmc.phi4_metropolis import Phi4Metropolis
from edgphys.mcmc.sampler import AbstractSampler, ChainState
from edgphys.mcmc.wolff import IsingWolff, why_not_wolff
from edgphys.systems.provenance import sample_attrs, site_dims

__all__ = ["algorithms_for", "make_sampler", "run"]

_SAMPLERS: dict[str, dict[str, type[AbstractSampler]]] = {
    "ising": {c.name: c for c in (IsingMetropolis, IsingWolff)},
    "phi4": {c.name: c for c in (Phi4Metropolis, Phi4HMC, Phi4EmbeddedWolff)},
}
# Reasons for which a listed algorithm does not apply to an instance of the system.
_REFUSALS = {("ising", "wolff"): why_not_wolff}
# Site updates between two looks at the progress bar and the stop flag: a fraction of a second.
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


def algorithms_for(system) -> tuple[str, ...]:
    """Names of the algorithms that `run` accepts for this system, the generally applicable one first.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> algorithms_for(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    ('metropolis', 'wolff')
    >>> algorithms_for(Ising(lattices.build("square", (4, 4)), temperature=2.0, field=0.1))
    ('metropolis',)
    """
    return tuple(name for name in _SAMPLERS.get(system.name, {}) if _refusal(system, name) is None)


def make_sampler(system, algorithm: str, options: Mapping | None = None) -> AbstractSampler:
    """The sampler of that name for the system, with its tables built and its options checked.

    Raises
    ------
    UnknownNameError
        If there is no such algorithm, or no such option.
    NotExactError
        If the algorithm exists but does not apply to this instance; the message says why.
    ValueError
        If an option is out of range.
    """
    table = _SAMPLERS.get(system.name, {})
    if algorithm not in table:
        names = ", ".join(algorithms_for(system)) or "none"
        raise UnknownNameError(f"algorithm must be one of {names} for {system.name}, got {algorithm!r}")
    reason = _refusal(system, algorithm)
    if reason is not None:
        raise NotExactError(reason)
    return table[algorithm](system, dict(options or {}))


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
    progress: bool = False,
) -> xr.Dataset:
    """Sample a system by Markov-chain Monte Carlo.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        Ising or Phi4.
    algorithm : str
        One of `algorithms_for` (system): "metropolis", "wolff" (Ising), "hmc", "embedded_wolff" (phi^4).
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
        Settings of the algorithm. metropolis for Ising: ``order`` ("checkerboard" or "random"); hmc:
        ``trajectory_length`` (2.0), ``target_acceptance`` (0.8); embedded_wolff: ``n_local`` (1).
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
    begin = time.perf_counter()
    children = np.random.SeedSequence(seed).spawn(plan.n_chains)
    states = [sampler.start(c, child) for c, child in enumerate(children)]
    rows, kept, tuned = _run_chains(sampler, states, plan, n_threads, progress)
    settings = asdict(plan) | {"sweep": sampler.sweep, "options": sampler.options}
    settings |= {"tuned": tuned, "measured": sampler.report(states)}
    n_energy_calls, n_gradient_calls = sampler.calls(states)
    attrs = sample_attrs(
        system,
        method=algorithm,
        seed=seed,
        wall_time=time.perf_counter() - begin,
        settings=settings,
        n_energy_calls=n_energy_calls,
        n_gradient_calls=n_gradient_calls,
    )
    return _dataset(sampler, rows, kept, attrs)


def _refusal(system, algorithm: str) -> str | None:
    check = _REFUSALS.get((system.name, algorithm))
    return check(system) if check else None


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


def _run_chains(
    sampler: AbstractSampler, states: list[ChainState], plan: _Plan, n_threads: int, progress: bool
):
    """Warm-up, freezing, draws: ``rows`` (chain, draw, column), ``kept`` and the frozen parameters."""
    n_columns = len(sampler.columns) - (len(sampler.layout.cosines) == 0)
    rows = np.empty((plan.n_chains, plan.n_draws, n_columns))
    kept_draws = plan.n_draws if plan.keep else 0
    kept = np.empty((plan.n_chains, kept_draws, sampler.layout.n_sites), states[0].configuration.dtype)
    piece = max(1, _UPDATES_PER_PIECE // sampler.layout.n_sites)

    def warm_up(c: int) -> Iterator[int]:
        for first in range(0, plan.n_warmup, piece):
            n = min(piece, plan.n_warmup - first)
            sampler.warm_up(states[c], first, n, plan.n_warmup)
            yield n

    def sample(c: int) -> Iterator[int]:
        step = max(1, piece // plan.thin)
        for first in range(0, plan.n_draws, step):
            part = slice(first, first + step)
            sampler.advance(states[c], tuned, plan.thin, rows[c, part], kept[c, part])
            yield len(rows[c, part]) * plan.thin

    total = plan.n_chains * (plan.n_warmup + plan.n_draws * plan.thin)
    with _reporter(sampler.name, total, progress) as report, ThreadPoolExecutor(n_threads) as pool:
        _in_threads(pool, warm_up, plan.n_chains, report)
        tuned = sampler.freeze(states)
        _in_threads(pool, sample, plan.n_chains, report)
    return rows, kept, tuned


def _in_threads(pool: ThreadPoolExecutor, task: Callable, n_chains: int, report: Callable) -> None:
    """Run ``task(c)`` for each chain; an exception in one, or Ctrl-C, stops all after their piece."""
    stop = threading.Event()

    def work(c: int) -> None:
        if stop.is_set():
            return
        for done in task(c):
            report(done)
            if stop.is_set():
                return

    try:
        for future in [pool.submit(work, c) for c in range(n_chains)]:
            # Not one long wait: a thread that is told to stop hears it only between two instructions.
            while not wait([future], timeout=0.2).done:
                pass
            future.result()
    except BaseException:
        stop.set()
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
    measured = dict(zip(sampler.columns, np.moveaxis(rows, -1, 0), strict=False))
    m = measured["magnetization"]
    observables = {
        "energy": measured.pop("energy"),
        "magnetization": measured.pop("magnetization"),
        "abs_magnetization": np.abs(m),
        "magnetization_2": m**2,
        "magnetization_4": m**4,
        "correlator_zero": sampler.layout.n_sites * m**2,
    } | measured
    variables = {
        name: (("chain", "draw"), np.ascontiguousarray(values)) for name, values in observables.items()
    }
    if kept.shape[1]:
        lattice = sampler.system.lattice
        dims = site_dims(lattice)
        shape = (*kept.shape[:2], *lattice.shape)
        variables["configurations"] = (("chain", "draw", *dims), kept.reshape(shape))
    return xr.Dataset(variables, attrs=attrs)
