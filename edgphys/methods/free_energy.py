# SPDX-License-Identifier: MIT
"""Absolute free energy of one system in one call.

From Markov chains (`edgphys.methods.ladders`), an opponent for every other log Z, from a generator
(`edgphys.methods.edg`), or from a generator and a chain together (`edgphys.methods.bridge`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys import _checks
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.methods.base import seed_words
from edgphys.methods.bridge import BridgeMethod, ReferenceOptions
from edgphys.methods.edg import EDGMethod
from edgphys.methods.ladders import MBAR, TI, LadderMethod, LadderOptions
from edgphys.recording.record import current, recorded

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["free_energy"]


@recorded("free_energy")
def free_energy(
    system,
    method: str = "mbar",
    *,
    seed: int,
    algorithm: str | None = None,
    n_rungs: int | None = None,
    n_chains: int | None = None,
    n_sweeps: int | None = None,
    n_warmup: int | None = None,
    thin: int | None = None,
    swap: bool | None = None,
    swap_rate: float | None = None,
    n_samples: int | None = None,
    n_threads: int | None = None,
    device: str | None = None,
    options: Mapping | None = None,
    observables: Any = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """log Z and all other estimates of a system by Markov chains on a ladder from a known reference.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        A lattice system, or a continuous one with a numba kernel: all that ship, and a
        `edgphys.systems.Potential` that is given one or is a compiled function.
    method : {"mbar", "ti", "edg", "bridge"}
        Multistate Bennett acceptance ratio or thermodynamic integration from chains; an energy-based
        diffusion generator, trained and sampled with its defaults (`edgphys.EDG`); or "bridge", Bennett's
        acceptance ratio between such a generator and a chain at the system itself (`edgphys.EDG.bridge`).
    seed : int
        Non-negative; seeds of the pilot runs and of the ladder are derived from it.
    algorithm : str, optional
        One of `edgphys.mcmc.algorithms_for` that serves all rungs, or the system; the best by default.
    n_rungs : int, optional
        Rungs of the ladder; by default as many as `swap_rate` takes.
    n_chains, n_sweeps, n_warmup, thin, n_threads, options, checkpoint, progress
        As for `edgphys.mcmc.temper`; by default 4 chains of 5000 sweeps, and ``thin=1``. For "bridge" as for
        `edgphys.mcmc.run`, by default 8 chains of 20_000 sweeps, of which about `n_samples` draws are kept.
    swap : bool, optional
        False: independent rungs, for a check that needs no swaps. Default: True.
    swap_rate : float, optional
        Wanted acceptance between neighbouring rungs. Default: 0.6.
    n_samples : int, optional
        Draws of "edg" and "bridge", at least 2, by default 10_000. Other settings of the generator are
        `options` (of `EDG`, `EDG.fit` and `EDG.sample`), `checkpoint` and `progress`; for "edg" the rest is
        for chains, and refused, but for `n_threads`, those of torch, by default 1.
    device : str, optional
        Of torch, for "edg" and "bridge"; by default a GPU when there is one.
    observables : observable of one's own, function, or sequence of them, optional
        Measured on the draws too, see `edgphys.observable`.

    Returns
    -------
    Dataset
        Of kind "estimates", as `edgphys.estimate` gives them, with ``log_z``, ``log_z_err``, ``free_energy``
        and ``free_energy_err``, and ``n_rungs``, ``swap_rate``, ``overlap`` or ``log_z_quadrature``. With
        "ti" the error holds the quadrature error too. n_energy_calls and n_gradient_calls count the pilot
        runs.

    Raises
    ------
    TypeError, ValueError
        If `system` is no system, or a setting is not what it must be or belongs to another method.
    UnknownNameError
        If there is no such method.
    NotExactError
        If the system has no reference of known log Z, or it is continuous and has no kernel.
    ShortChainError
        If chains are too short for their autocorrelation.

    Examples
    --------
    >>> import edgphys as ep, lattices                                                  # doctest: +SKIP
    >>> system = ep.Ising(lattices.build("square", (8, 8)), temperature=2.5)            # doctest: +SKIP
    >>> float(ep.free_energy(system, seed=1).log_z)                                     # doctest: +SKIP
    >>> from edgphys.systems import DoubleWell
    >>> table = free_energy(DoubleWell(), seed=1, n_sweeps=500)
    >>> bool(abs(table.log_z - DoubleWell().exact_results()["log_z"]) < 4 * table.log_z_err)
    True
    """
    from edgphys.systems.base import check_system

    system = check_system(system).observing(observables)
    way = _WAYS[_checks.choice(method, "method", _WAYS)]
    given = {"algorithm": algorithm, "n_rungs": n_rungs, "n_chains": n_chains, "n_sweeps": n_sweeps}
    given |= {"n_warmup": n_warmup, "thin": thin, "swap": swap, "swap_rate": swap_rate}
    given |= {"n_samples": n_samples, "n_threads": n_threads, "device": device}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if name not in way.takes:
            raise ArgumentValueError(f"{name} must be left out for method={method!r}, got {value!r}", name)
    seed = _checks.seed(seed)
    table = way.estimates(system, seed, given, options, checkpoint, progress)
    table.attrs["seed"] = seed
    return table


def _by_ladder(estimator, system, seed: int, given: dict, options, checkpoint, progress: bool) -> xr.Dataset:
    algorithm = given.pop("algorithm", None)
    ladder = LadderMethod(estimator, given | {"options": options}, algorithm=algorithm)
    reason = ladder.applies_to(system)
    if reason is not None:
        raise NotExactError(reason, "system")
    current().note(ladder.all_settings())
    return ladder.estimates(system, seed, checkpoint, progress)


def _by_edg(system, seed: int, given: dict, options, checkpoint, progress: bool) -> xr.Dataset:
    import numpy as np

    generator = EDGMethod(_with_device(options, given), **given)
    generator.check([system])
    draw_seed, _, fit_seed = seed_words(np.random.SeedSequence(seed), 3)
    current().note(generator.all_settings())
    return generator.estimates(system, fit_seed, draw_seed, 0, checkpoint=checkpoint, progress=bool(progress))


def _by_bridge(system, seed: int, given: dict, options, checkpoint, progress: bool) -> xr.Dataset:
    import numpy as np

    settings = _with_device(options, given)
    of_edg = {name: given.pop(name) for name in _OF_EDG if name in given}
    bridge = BridgeMethod(settings, given, **of_edg)
    reason = bridge.applies_to(system)
    if reason is not None:
        raise NotExactError(reason, "system")
    bridge.check([system])
    current().note(bridge.all_settings())
    return bridge.estimates(system, np.random.SeedSequence(seed), None, checkpoint, progress=bool(progress))


def _with_device(options: Mapping | None, given: dict) -> dict[str, Any]:
    """Options of the generator, with the device that is given apart from them."""
    device = given.pop("device", None)
    return dict(options or {}) | ({} if device is None else {"device": device})


@dataclass(frozen=True)
class _Way:
    """How a method is computed, and which of the arguments above are its own."""

    estimates: Callable[..., Any]
    takes: frozenset[str]


_OF_LADDERS = frozenset(field.name for field in dataclasses.fields(LadderOptions)) | {"algorithm"}
_OF_EDG = frozenset({"n_samples", "device"})
_OF_REFERENCE = frozenset(field.name for field in dataclasses.fields(ReferenceOptions)) - {"options"}
_WAYS = {
    "mbar": _Way(functools.partial(_by_ladder, MBAR), _OF_LADDERS),
    "ti": _Way(functools.partial(_by_ladder, TI), _OF_LADDERS),
    "edg": _Way(_by_edg, _OF_EDG | {"n_threads"}),
    "bridge": _Way(_by_bridge, _OF_EDG | _OF_REFERENCE),
}
