# SPDX-License-Identifier: MIT
"""The work behind a run of chains: plan, threads, pieces, progress, checkpoints, the dataset at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks, _sizes
from edgphys._files import beside
from edgphys._progress import ProgressBar
from edgphys.errors import ArgumentValueError
from edgphys.mcmc.core.checkpoint import Checkpoint
from edgphys.mcmc.core.kept_draws import in_memory_or_on_disk
from edgphys.mcmc.core.sampler import AbstractSampler
from edgphys.systems.lattice.measurements import with_powers
from edgphys.systems.provenance import sample_attrs

__all__ = ["Plan", "Work", "check_plan", "check_size", "identity_of", "samples_dataset"]

# Variable updates between two looks at the progress bar and the stop flag: a fraction of a second.
_UPDATES_PER_PIECE = 20_000_000
# Numbers of configurations that wait for functions of one's own: 32 MiB of float64.
_OWN_BUFFER = 1 << 22
# What the interpreter holds of one chain, at least.
_STATE_BYTES = 2000
# Definitions of what only some samplers measure.
_EXTRA = {"correlation": "<s_x s_{x + r a}> averaged over sites x and axes a, r in unit cells; not connected"}


@dataclass(frozen=True)
class Plan:
    """Counts of a run, checked."""

    n_chains: int
    n_sweeps: int
    n_warmup: int
    thin: int
    keep: bool

    @property
    def n_draws(self) -> int:
        """Draws of each chain."""
        return self.n_sweeps // self.thin


def check_plan(n_chains, n_sweeps, n_warmup, thin, keep) -> Plan:
    """The plan of these arguments of `edgphys.mcmc.run`, which lists the errors."""
    n_sweeps = _checks.count(n_sweeps, "n_sweeps", 1)
    thin = _checks.count(thin, "thin", 1)
    if thin > n_sweeps:
        raise _checks.wrong(ArgumentValueError, "thin", f"at most n_sweeps = {n_sweeps}", thin)
    return Plan(
        n_chains=_checks.count(n_chains, "n_chains", 1),
        n_sweeps=n_sweeps,
        n_warmup=_checks.count(n_sweeps // 5 if n_warmup is None else n_warmup, "n_warmup", 0),
        thin=thin,
        keep=bool(keep),
    )


def identity_of(sampler: AbstractSampler, plan: Plan, seed: int) -> dict:
    """What a checkpoint belongs to; `n_sweeps` is left out, so that a run may be extended."""
    settings = asdict(plan) | {"seed": seed, "algorithm": sampler.name, "options": sampler.options}
    del settings["n_sweeps"]
    own = [[one.name, one.definition, one.unit] for one in sampler.system.own_observables]
    return settings | ({"observables": own} if own else {}) | sampler.system.identity()


def check_size(sampler: AbstractSampler, plan: Plan, on_disk: bool = False) -> None:
    """Refuse what the memory does not hold, or no machine finishes."""
    kept = 0 if on_disk or not plan.keep else sampler.n_variables * np.dtype(sampler.kept_dtype()).itemsize
    rows = plan.n_chains * plan.n_draws * (8.0 * (sampler.n_columns + sampler.n_own) + kept)
    states = plan.n_chains / sampler.chains_per_state * (_STATE_BYTES + sampler.n_variables)
    name = "n_chains" if plan.n_chains > plan.n_draws else "n_sweeps"
    words = f"{plan.n_chains} chains of {plan.n_draws} draws"
    _sizes.check_memory(rows + states, name, words)
    n_sweeps = float(plan.n_chains) * (plan.n_sweeps + plan.n_warmup)
    sweeps = n_sweeps * sampler.updates_per_sweep / sampler.chains_per_state
    name = "n_warmup" if plan.n_warmup > plan.n_sweeps else name
    _sizes.check_work(sweeps, name, f"{n_sweeps:.1e} sweeps")


class Work:
    """All chains of a run: their states, what is drawn so far, and where each of them stands.

    Attributes
    ----------
    states : list of ChainState
        One a chain, or one a group of chains.
    rows, own : float64 (chain, draw, column)
        Observables of the system, and those of one's own.
    kept : InMemory or OnDisk
        Of (chain, draw or 0, variable). All are filled up to ``done`` of each state.
    done : list of [int, int]
        Sweeps of the warm-up and draws finished, for each state.
    time_before : float
        Seconds spent before the interruptions.
    """

    def __init__(self, sampler: AbstractSampler, plan: Plan, seed: int, store: Checkpoint | None) -> None:
        self.sampler, self.plan, self.store = sampler, plan, store
        size = sampler.chains_per_state
        aside = beside(store.path, "kept") if store and plan.keep and sampler.keeps_configurations else None
        check_size(sampler, plan, aside is not None)
        children = np.random.SeedSequence(seed).spawn(-(-plan.n_chains // size))
        self.states = [sampler.start(c, child) for c, child in enumerate(children)]
        self.members = [slice(c * size, min((c + 1) * size, plan.n_chains)) for c in range(len(children))]
        self.done = [[0, 0] for _ in self.states]
        self.time_before = 0.0
        self.rows = np.empty((plan.n_chains, plan.n_draws, sampler.n_columns))
        self.own = np.empty((plan.n_chains, plan.n_draws, sampler.n_own))
        kept_draws = plan.n_draws if plan.keep else 0
        shape = (plan.n_chains, kept_draws, sampler.n_variables)
        self.kept = in_memory_or_on_disk(shape, sampler.kept_dtype(), aside)
        self._piece = max(1, _UPDATES_PER_PIECE // sampler.updates_per_sweep)
        if store is not None:
            store.begin(self)

    def finish(self, n_threads: int, progress: bool) -> dict[str, float]:
        """Warm-up, freezing, draws; the frozen parameters."""
        total = len(self.states) * (self.plan.n_warmup + self.plan.n_draws * self.plan.thin)
        bar = ProgressBar(self.sampler.name, total, progress, keep=True)
        with bar, ThreadPoolExecutor(n_threads) as pool:
            try:
                self._in_threads(pool, self._warm_up, bar.advance)
                # What the warm-up learned stays in the states: a run that goes on freezes the same again.
                tuned = self.sampler.freeze(self.states)
                self._in_threads(pool, lambda c: self._sample(c, tuned), bar.advance)
            except BaseException:
                self._write()
                raise
        if self.store is not None and self.store.keeps_result:
            self._write()
        return tuned

    def _write(self) -> None:
        if self.store is not None and any(map(any, self.done)):
            self.store.write()

    def attrs(self, method: str, seed: int, seconds: float, settings: dict[str, Any]) -> dict[str, Any]:
        """Attributes of the dataset of a finished run that took so many seconds since it was last begun."""
        n_energy_calls, n_gradient_calls = self.sampler.calls(self.states)
        earlier = {"earlier_time": self.time_before} if self.time_before else {}
        return earlier | sample_attrs(
            self.sampler.system,
            method=method,
            seed=seed,
            wall_time=seconds + self.time_before,
            settings=settings,
            n_energy_calls=n_energy_calls,
            n_gradient_calls=n_gradient_calls,
        )

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
            self._advance(c, part, tuned)
            done[1] = part.stop
            self._keep(c)
            yield (part.stop - part.start) * plan.thin

    def _advance(self, c: int, part: slice, tuned: dict[str, float]) -> None:
        """The draws `part` of a state, with observables of one's own a buffer at a time."""
        sampler, thin = self.sampler, self.plan.thin
        step = max(1, _OWN_BUFFER // (sampler.n_variables * sampler.chains_per_state))
        step = step if sampler.n_own else part.stop - part.start
        members, chains = self.members[c], slice(None) if sampler.chains_per_state > 1 else 0
        for first in range(part.start, part.stop, step):
            draws = slice(first, min(first + step, part.stop))
            rows, kept = self.rows[members, draws][chains], self.kept.room(members, draws)
            drawn = kept
            if sampler.n_own and not self.plan.keep:
                drawn = np.empty((len(kept), draws.stop - first, sampler.n_variables), sampler.kept_dtype())
            sampler.advance(self.states[c], tuned, thin, rows, drawn[chains])
            self.kept.put(members, draws, kept)
            if sampler.n_own:
                self.own[members, draws][chains] = sampler.own(drawn[chains])

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


def samples_dataset(
    sampler: AbstractSampler, rows: np.ndarray, own: np.ndarray, kept: np.ndarray, attrs: dict
) -> xr.Dataset:
    """Rows and `own` (chain, draw, column), kept variables (chain, draw or 0, variable), as a dataset.

    Raises
    ------
    ArgumentValueError
        If the energy of a draw is not finite.
    """
    n_plain = rows.shape[-1] - sum(sampler.extra_columns.values())
    columns = np.moveaxis(rows, -1, 0)
    measured = dict(zip(sampler.columns, columns[:n_plain], strict=False))
    _check_energy(measured["energy"], sampler)
    observables = {"energy": measured["energy"], **with_powers(measured, sampler.n_variables)}
    variables: dict[str, Any] = {
        name: (("chain", "draw"), np.ascontiguousarray(values)) for name, values in observables.items()
    }
    first, coords = n_plain, {}
    for name, count in sampler.extra_columns.items():
        variables[name] = (("chain", "draw", "distance"), rows[..., first : first + count].copy())
        coords["distance"] = np.arange(count)
        first += count
    for column, one in enumerate(sampler.system.measured_beside):
        variables[one.name] = (("chain", "draw"), own[..., column].copy())
    if kept.shape[1]:
        shape = (*kept.shape[:2], *sampler.system.event_shape)
        dims = ("chain", "draw", *sampler.system.configuration_dims())
        variables["configurations"] = (dims, sampler.configurations(kept).reshape(shape))
    attrs["definitions"] = _definitions(sampler, json.loads(attrs["definitions"]))
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _check_energy(energy: np.ndarray, sampler: AbstractSampler) -> None:
    """Refuse draws that no estimate takes, before anybody writes them."""
    n_bad = int(np.count_nonzero(~np.isfinite(energy)))
    if n_bad:
        raise ArgumentValueError(
            f"energy must be finite on every draw, got {n_bad} of {energy.size} that are not: "
            f"float64 does not hold {sampler.system!r}",
            "energy",
        )


def _definitions(sampler: AbstractSampler, of_system: dict[str, str]) -> str:
    definitions = {name: _EXTRA[name] for name in sampler.extra_columns} | of_system
    for name in sampler.improved_columns:
        definitions[name] += "; improved estimator: averaged over the signs of the clusters"
    return json.dumps(definitions)
