# SPDX-License-Identifier: MIT
"""Parallel tempering (replica exchange) along any coupling, for every system and algorithm.

A ladder is a list of values of one coupling, or of several that change together; rung k is the system with
its k-th values. Each rung runs the same algorithm, and neighbouring rungs exchange configurations by the rule
of `edgphys.mcmc.tempering.swaps`, which also proves that the joint law of all rungs stays what it is: the
draws of rung k are draws of its own system. Several independent ladders run in threads and are the
chains of the result.

The result is a dataset of kind "ladder", with the dims (rung, chain, draw). The first dim is named after the
coupling if there is one only. `rung` takes out one rung as a dataset of samples.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks
from edgphys._files import state_held
from edgphys._sizes import at_most
from edgphys._threads import cpu_count
from edgphys.errors import ArgumentValueError, NotExactError, UnknownNameError
from edgphys.mcmc.algorithms import best_algorithm
from edgphys.mcmc.core.checkpoint import Checkpoint, Temporary
from edgphys.mcmc.core.driver import Work, check_plan, identity_of, samples_dataset
from edgphys.mcmc.tempering.ladder import LadderSampler
from edgphys.recording.record import recorded
from edgphys.systems.base import check_energies, check_system

__all__ = ["rung", "temper"]

# Variable updates between two swaps below which the interpreter, which runs one thread at a time, takes as
# long as the kernels.
_WORTH_A_THREAD = 10_000
# What a rung has for itself among the attrs of a dataset of samples.
_OWN_ATTRS = ("parameters", "temperature", "beta", "z2_symmetric")
# Numbers for each draw that are not observables of one rung.
_JOINT = ("action_terms", "replica")


@recorded("mcmc.temper")
def temper(
    system,
    ladder: Mapping[str, Sequence[float] | np.ndarray],
    algorithm: str | None = None,
    n_chains: int = 4,
    n_sweeps: int = 10_000,
    seed: int | None = None,
    *,
    swap: bool = True,
    swap_every: int = 1,
    houdayer: bool = False,
    n_warmup: int | None = None,
    thin: int = 1,
    keep: bool = False,
    n_threads: int | None = None,
    options: Mapping | None = None,
    observables: Any = None,
    checkpoint: str | Path | Temporary | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Sample a system at all rungs of a ladder, with swaps between neighbours.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        Any system of this package.
    ladder : mapping of str to sequence of float
        Values of a coupling, such as ``{"temperature": [2.0, 2.3, 2.7]}``, or of several of equal length.
        Rung k is ``system.replace(temperature=...)`` with the k-th values.
    algorithm : str, optional
        One of `algorithms_for` (system) that serves all rungs; `best_algorithm` by default.
    n_chains : int
        Independent ladders.
    n_sweeps : int
        Sweeps of each rung after the warm-up.
    seed : int
        Required, non-negative.
    swap : bool
        False: independent rungs, each as `edgphys.mcmc.run` would sample it.
    swap_every : int
        Sweeps between two rounds of swaps; it must divide `thin` or be a multiple of it.
    houdayer : bool
        Two replicas at every rung, which exchange a cluster after every round of swaps
        (`edgphys.mcmc.tempering.houdayer`): for glasses in two dimensions, by ``heat_bath`` or
        ``metropolis``. Draws of the two follow each other along ``draw``, which is twice as long, and there
        is their ``overlap``, see `edgphys.overlap`.
    n_warmup : int, optional
        Sweeps discarded, in which every rung is tuned, with swaps; ``n_sweeps // 5`` by default.
    thin : int
        Sweeps from one draw to the next.
    keep : bool
        Also return the configurations.
    n_threads : int, optional
        Ladders run at a time; does not change any number. By default one if a lattice is so small that
        threads would only wait for each other, else as many as there are CPUs.
    options : mapping, optional
        Settings of the algorithm.
    observables : observable of one's own, function, or sequence of them, optional
        Measured on every draw of every rung too, see `edgphys.observable`.
    checkpoint : path, optional
        As for `edgphys.mcmc.run`: an interrupted run goes on to the same bits.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        Dims (rung, chain, draw), the first named after the coupling if it is one: the observables per draw,
        ``action_terms`` (.., term), and ``replica``, the replica at each rung. ``action_coefficients``
        (rung, term): the weight of a draw of rung k is exp(-coefficients . terms).
        ``swap_rate`` (pair, chain): mean acceptance probability of the pair (k, k + 1). ``round_trip_time``
        (chain): mean number of rounds from the bottom to the top and back, NaN if there was none;
        ``n_round_trips`` (chain) their number. attrs as for `run`, and ``ladder`` and ``rungs`` (JSON).

    Raises
    ------
    TypeError, ValueError
        If a count, the seed or a value of the ladder is not what it must be, or if a coupling changes more
        than the coefficients of the action.
    UnknownNameError
        If the system has no such coupling or algorithm.
    NotExactError
        If the algorithm does not apply to all rungs, or holds several chains in one state.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> samples = temper(system, {"temperature": [2.0, 2.5, 3.0]}, n_chains=2, n_sweeps=100, seed=3)
    >>> dict(samples["energy"].sizes)
    {'temperature': 3, 'chain': 2, 'draw': 100}
    """
    plan = check_plan(n_chains, n_sweeps, n_warmup, thin, keep)
    seed = _checks.seed(seed)
    swap_every = _check_swaps(swap, swap_every, plan.thin)
    system = check_system(system).observing(observables)
    n_threads = _default_threads(system, swap_every) if n_threads is None else n_threads
    n_threads = _checks.count(n_threads, "n_threads", 1)
    values, systems = _check_ladder(system, ladder)
    algorithm = best_algorithm(*systems) if algorithm is None else algorithm
    rungs = systems
    if _checks.flag(houdayer, "houdayer"):
        rungs = [one for one in systems for _ in range(2)]
    sampler = _make_ladder(system, rungs, algorithm, dict(options or {}), swap_every, houdayer)
    store = None if checkpoint is None else Checkpoint(checkpoint, identity_of(sampler, plan, seed))
    begin = time.perf_counter()
    with state_held(None if store is None else store.path):
        work = Work(sampler, plan, seed, store)
        tuned = work.finish(n_threads, progress)
    settings = asdict(plan) | {"swap": bool(swap), "swap_every": swap_every, "algorithm": algorithm}
    settings |= {"sweep": sampler.samplers[0].sweep, "options": sampler.samplers[0].options}
    settings |= {"tuned": tuned, "measured": sampler.report(work.states)} | (
        {"houdayer": True} if houdayer else {}
    )
    attrs = work.attrs(algorithm, seed, time.perf_counter() - begin, settings)
    return _ladder_dataset(sampler, work, values, systems, attrs)


@recorded("mcmc.rung")
def rung(ladder: xr.Dataset, index: int | None = None, **couplings: float) -> xr.Dataset:
    """One rung of a ladder as a dataset of samples, for `edgphys.estimate`.

    Parameters
    ----------
    ladder : Dataset
        Of kind "ladder".
    index : int, optional
        Number of the rung, negative from the end; or
    **couplings : float
        its values, as far as they tell it from the others: ``temperature=2.0``.

    Returns
    -------
    Dataset
        Of kind "samples", dims (chain, draw). wall_time and calls are those of the whole ladder.

    Raises
    ------
    IndexError
        If there is no such rung.
    ValueError
        If neither or both of `index` and couplings are given, or the values are at no rung or at several.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> samples = temper(system, {"temperature": [2.0, 2.5]}, n_chains=2, n_sweeps=100, seed=3)
    >>> rung(samples, temperature=2.5).attrs["beta"]
    0.4
    """
    dim = str(ladder["action_coefficients"].dims[0])
    k = _find(ladder, index, couplings)
    drawn = [name for name, v in ladder.data_vars.items() if v.dims[:3] == (dim, "chain", "draw")]
    samples = ladder[[name for name in drawn if name not in _JOINT]].isel({dim: k})
    samples = samples.drop_vars([name for name in samples.coords if name not in samples.dims])
    attrs = {name: value for name, value in ladder.attrs.items() if name not in ("ladder", "rungs")}
    own = json.loads(ladder.attrs["rungs"])[k]
    own["parameters"] = json.dumps(own["parameters"])
    accepted = json.loads(attrs.get("settings", "{}")).get("measured", {}).get("rungs", [])
    if accepted and "acceptance" in accepted[k]:
        own["acceptance"] = accepted[k]["acceptance"]
    samples.attrs = attrs | own | {"kind": "samples"}
    return samples


def _check_swaps(swap: bool, swap_every: int, thin: int) -> int:
    swap_every = _checks.count(swap_every, "swap_every", 1)
    if swap_every % thin and thin % swap_every:
        raise ValueError(f"swap_every must divide thin = {thin} or be a multiple of it, got {swap_every}")
    return swap_every if swap else 0


def _default_threads(system, swap_every: int) -> int:
    small = 0 < swap_every * system.n_variables < _WORTH_A_THREAD
    return 1 if small else cpu_count()


def _check_ladder(system, ladder: Mapping) -> tuple[dict[str, list[float]], list]:
    """Values of the couplings and the systems at the rungs."""
    if not isinstance(ladder, Mapping) or not ladder:
        raise TypeError(f"ladder must be a dict of coupling to values, got {ladder!r}")
    for name in ladder:
        if name not in system.parameters:
            known = ", ".join(system.parameters)
            raise UnknownNameError(f"ladder must be over {known} for {system.name}, got {name!r}")
    values = {name: [_checks.finite(v, f"ladder[{name!r}]") for v in every] for name, every in ladder.items()}
    lengths = {len(every) for every in values.values()}
    at_most(max(lengths), "ladder")
    if len(lengths) > 1 or min(lengths) < 2:
        raise ValueError(
            f"ladder must have two values or more, as many for all couplings, got {sorted(lengths)}"
        )
    points = [dict(zip(values, point, strict=True)) for point in zip(*values.values(), strict=True)]
    if len({tuple(point.values()) for point in points}) < len(points):
        raise ArgumentValueError(f"ladder must not name a rung twice, got {values}", "ladder")
    systems = [system.replace(**point).observing(system.own_observables) for point in points]
    check_energies(system, math.inf)
    probe = system.random_configurations(2, np.random.default_rng(0))
    try:
        terms = [each.action_terms(probe) for each in (systems[0], systems[-1])]
        same = np.allclose(*terms, rtol=1e-9, equal_nan=True)
    except ValueError:  # what is a configuration of one is none of the other
        same = False
    if not same:
        raise ValueError(
            f"ladder must change coefficients of the action only, got {', '.join(values)}, which changes "
            f"the terms themselves for {system.name}"
        )
    return values, systems


def _make_ladder(
    system, systems, algorithm: str, options: dict, swap_every: int, houdayer: bool
) -> LadderSampler:
    sampler = LadderSampler(system, systems, algorithm, options, swap_every, houdayer)
    if houdayer and (not swap_every or sampler.samplers[0].cluster_neighbours is None):
        words = "an Ising system with couplings by bond or by kind, by heat_bath or metropolis, with swaps"
        raise NotExactError(f"houdayer must be for {words}, got {system!r} by {algorithm!r}", "houdayer")
    if sampler.samplers[0].chains_per_state > 1:
        raise NotExactError(
            system.why_no_ladder()
            or f"algorithm must hold one chain in a state to be tempered, got {algorithm!r}, which holds "
            f"{sampler.samplers[0].chains_per_state}"
        )
    return sampler


def _find(ladder: xr.Dataset, index: int | None, couplings: dict[str, float]) -> int:
    values = json.loads(ladder.attrs["ladder"])
    n_rungs = len(next(iter(values.values())))
    if (index is None) == (not couplings):
        raise ValueError(f"index or values of {', '.join(values)} must be given, and not both")
    if index is not None:
        if not -n_rungs <= index < n_rungs:
            raise IndexError(f"index must be in {-n_rungs} .. {n_rungs - 1}, got {index}")
        return index % n_rungs
    at = np.ones(n_rungs, bool)
    for name, value in couplings.items():
        if name not in values:
            raise ValueError(f"couplings must be among {', '.join(values)}, got {name!r}")
        at &= np.isclose(values[name], value, rtol=1e-9, atol=1e-12)
    if at.sum() != 1:
        raise ValueError(f"couplings must tell one rung of {values} from the others, got {couplings}")
    return int(at.argmax())


def _ladder_dataset(sampler: LadderSampler, work: Work, values: dict, systems: list, attrs: dict):
    dim = next(iter(values)) if len(values) == 1 else "rung"
    one, n_replicas = sampler.samplers[0], 1 + sampler.pairs
    rows, measured, kept = (
        _by_rung(values, sampler.n_rungs, n_replicas) for values in (work.rows, work.own, work.kept.array())
    )
    every = [
        samples_dataset(s, rows[:, :, k, : one.n_columns], measured[:, :, k], kept[:, :, k], dict(attrs))
        for k, s in enumerate(sampler.samplers[::n_replicas])
    ]
    terms = slice(one.n_columns, one.n_columns + sampler.n_terms)
    observables = {
        name: ((dim, *variable.dims), np.stack([each[name].values for each in every]))
        for name, variable in every[0].data_vars.items()
    }
    statistics = [sampler.swap_statistics(state) for state in work.states]
    draws = (dim, "chain", "draw")
    joint = {
        "action_terms": ((*draws, "term"), rows[..., terms].transpose(2, 0, 1, 3).copy()),
        "action_coefficients": ((dim, "term"), sampler.coefficients[::n_replicas]),
        "replica": (draws, rows[..., terms.stop].transpose(2, 0, 1).astype(np.int32)),
    }
    if sampler.pairs:
        joint["overlap"] = (draws, rows[..., -1].transpose(2, 0, 1).copy())
    if sampler.swap_every:
        rates = [np.asarray(each["swap_rate"])[n_replicas - 1 :: n_replicas] for each in statistics]
        joint["swap_rate"] = (("pair", "chain"), np.stack(rates, axis=1))
        for name in ("round_trip_time", "n_round_trips"):
            joint[name] = ("chain", np.array([each[name] for each in statistics]))
    coordinates = {name: (dim, every) for name, every in values.items()}
    own = [_own_attrs(each, every[0].attrs) for each in systems]
    attrs = every[0].attrs | {"kind": "ladder", "ladder": json.dumps(values), "rungs": json.dumps(own)}
    return xr.Dataset(observables | joint, coords=coordinates, attrs=attrs)


def _by_rung(values: np.ndarray, n_rungs: int, n_replicas: int) -> np.ndarray:
    """(chain, draw, ...) as (chain, draw, rung, column), the draws of the replicas of a rung in turn."""
    (n_chains, n_draws), n_columns = values.shape[:2], values.shape[2] // n_rungs
    n_rungs //= n_replicas
    parts = values.reshape(n_chains, n_draws, n_rungs, n_replicas, n_columns).swapaxes(2, 3)
    return parts.reshape(n_chains, n_draws * n_replicas, n_rungs, n_columns)


def _own_attrs(system, common: Mapping) -> dict:
    attrs = system.attrs()
    own = {name: attrs[name] for name in _OWN_ATTRS if name in attrs} | {"parameters": system.parameters}
    constants = {"constants": attrs.get("constants", "[]")}
    return own | (constants if constants["constants"] != common.get("constants", "[]") else {})
