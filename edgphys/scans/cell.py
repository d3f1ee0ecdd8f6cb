# SPDX-License-Identifier: MIT
"""One cell of a scan: one method applied to one system at one point of the grid of couplings.

A cell is computed from (system, method, seed of the scan, settings) alone. Its random seed is derived from
the seed of the scan, the name of the method and the values of the couplings, so a cell has the same result
whichever other cells are computed with it, in whichever order, and by however many workers. For that, torch
computes a cell of ``edg`` on the CPU with a fixed number of threads (option ``n_threads``, default 1, the
fastest for small lattices): another number sums in another order, which changes the last digits and, through
training, the samples.

Methods: ``edg`` (train an energy-based diffusion generator, then weighted samples), any algorithm of
`edgphys.mcmc.algorithms_for`, ``mcmc`` (the best of these for the system), ``mbar`` and ``ti`` (chains on a
ladder of couplings, which give log Z too, see `edgphys.free_energy`), and ``exact``.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edgphys.errors import EdgphysError, UnknownNameError
from edgphys.methods.free_energy import METHODS as LADDER_METHODS
from edgphys.methods.free_energy import check_draws, free_energy, split_edg_options

__all__ = [
    "CHAIN_METHODS",
    "build_system",
    "check_method",
    "check_settings",
    "method_settings",
    "point_label",
    "point_words",
    "run_cell",
    "seed_sequence",
    "uses_cuda",
]

# What `edgphys.mcmc.algorithms` lists, here without importing its kernels.
CHAIN_METHODS = (
    "wolff",
    "swendsen_wang",
    "embedded_wolff",
    "hmc",
    "overrelaxation",
    "metropolis",
    "heat_bath",
    "multispin",
    "mala",
    "random_walk",
)

# What is not safe in two threads: a user's own function, and changes of Python's warning filters, which
# building a lattice and judging a chain bring.
_SERIAL = threading.Lock()

# Names that scan() gives itself, so a user's option dictionary must not.
_OWN = {"self", "system", "seed", "n_samples", "progress", "checkpoint", "keep", "algorithm", "method"}


# -------------------------------------------------------------------------------------------- names and seeds


def point_words(point: dict[str, float]) -> str:
    """The point as a key, the same for values that agree to 12 digits.

    Ranges with different ends give the same coupling up to the last bits (``2.0:2.7:8``, ``2.0:2.8:9``);
    the key must not tell them apart.

    >>> point_words({"temperature": 2.1 + 1e-15, "field": 0.0})
    'field=0,temperature=2.1'
    """
    return ",".join(f"{name}={float(point[name]) + 0.0:.12g}" for name in sorted(point))


def point_label(point: dict[str, float]) -> str:
    """The point for human readers, couplings in the order scanned.

    >>> point_label({"temperature": 2.1 + 1e-15, "field": 0.0})
    'temperature=2.1 field=0'
    """
    return " ".join(f"{name}={value:.8g}" for name, value in point.items())


def seed_sequence(seed: int, method: str, point: dict[str, float]) -> np.random.SeedSequence:
    """Seed of one cell: child of the scan's `seed` under a key made of the method and the point.

    >>> a = seed_sequence(0, "wolff", {"temperature": 2.0}).generate_state(1)
    >>> b = seed_sequence(0, "edg", {"temperature": 2.0}).generate_state(1)
    >>> bool(a == b)
    False
    """
    digest = hashlib.sha256(f"{method}|{point_words(point)}".encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=tuple(np.frombuffer(digest[:16], np.uint32).tolist()))


def _integer_seeds(sequence: np.random.SeedSequence, count: int) -> list[int]:
    """Seeds below 2**63, which torch, numba and netCDF attributes all take."""
    return [int(word) >> 1 for word in sequence.generate_state(count, np.uint64)]


# ------------------------------------------------------------------------------------------------- validation


def check_method(method: str, system: Any) -> None:
    """Refuse a method that `system` does not have.

    Raises
    ------
    UnknownNameError
        If `method` is not a method of this system; the message lists what there is.
    """
    from edgphys import mcmc
    from edgphys.systems import AbstractLatticeSystem

    algorithms = tuple(mcmc.algorithms_for(system))
    on_lattice = isinstance(system, AbstractLatticeSystem)
    ladders = LADDER_METHODS if on_lattice or system.kernel is not None else ()
    known = ("edg", *algorithms, "mcmc", *ladders, "exact")
    if method not in known:
        raise UnknownNameError(
            f"method must be one of {', '.join(known)} for the system {system.name}, got {method!r}"
        )


def check_settings(method: str, settings: dict[str, Any]) -> None:
    """Refuse settings that `method` cannot run with, before anything is computed.

    Parameters
    ----------
    method : str
        ``edg``, ``exact`` or an algorithm of `edgphys.mcmc`.
    settings : dict
        Options of the method, as `method_settings` gives them.

    Raises
    ------
    TypeError
        If an option is not one that the method has.
    ValueError
        If a count is not a whole number large enough.
    """
    for name, least in (("n_samples", 2), ("n_steps", 0), ("batch_size", 3), ("n_path_steps", 1)):
        _check_count(name, settings, least)
    for name, least in (("n_chains", 1), ("n_sweeps", 16), ("n_warmup", 0), ("thin", 1), ("n_threads", 1)):
        _check_count(name, settings, least)
    if method == "edg":
        model, _, sample = _split_edg_options(settings)
        check_draws(settings["n_samples"], model, sample)
        _check_device(settings.get("device"))
    elif method in LADDER_METHODS:
        _refuse_unknown("mcmc", settings, set(inspect.signature(free_energy).parameters) - _OWN)
    elif method != "exact":
        from edgphys import mcmc

        _refuse_unknown("mcmc", settings, set(inspect.signature(mcmc.run).parameters) - _OWN)


def _check_count(name: str, settings: dict[str, Any], least: int) -> None:
    value = settings.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def _check_device(device: Any) -> None:
    if device is None:
        return
    import torch

    try:
        torch.empty(0, device=device)
    except (
        Exception
    ) as error:  # torch raises RuntimeError, AssertionError or its own, by kind of device and build
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be one that torch can use here, got {device!r} ({reason})") from error


def _refuse_unknown(argument: str, options: dict[str, Any], known: set[str]) -> None:
    for name in options:
        if name not in known:
            raise TypeError(f"{argument}: unknown option {name!r}; there are {', '.join(sorted(known))}")


def _split_edg_options(settings: dict[str, Any]) -> tuple[dict, dict, dict]:
    """Options of `EDG(...)`, of `.fit(...)` and of `.sample(...)`."""
    own = {"n_samples", "n_threads"}
    options = {name: value for name, value in settings.items() if name not in own}
    return split_edg_options(options, others=("n_threads",))


def method_settings(method: str, n_samples: int, edg: dict[str, Any], mcmc: dict[str, Any]) -> dict[str, Any]:
    """The settings that `method` runs with, as they are recorded."""
    if method == "exact":
        return {}
    return {"n_samples": n_samples, **edg} if method == "edg" else dict(mcmc)


# ------------------------------------------------------------------------------------------------ computation


def run_cell(
    system: Any,
    method: str,
    point: dict[str, float],
    seed: int,
    settings: dict[str, Any],
    checkpoint: str | None,
) -> dict[str, Any]:
    """Compute one cell.

    Parameters
    ----------
    system : AbstractSystem
        The system at this point.
    method : str
        One of the methods named in the module docstring.
    point : dict of str to float
        The couplings; they enter the seed only.
    seed : int
        Seed of the whole scan.
    settings : dict
        Options of the method, as `method_settings` gives them.
    checkpoint : str or None
        File in which the training may keep its state, so that a killed one goes on.

    Returns
    -------
    dict
        ``values``: name to float (estimates, ``_err``, diagnostics, ``wall_time`` in s), ``algorithm`` and
        ``warning``: str.
    """
    start = time.perf_counter()
    sequence = seed_sequence(seed, method, point)
    try:
        if method == "exact":
            cell = _exact_cell(system)
        elif method in LADDER_METHODS:
            cell = _ladder_cell(system, method, sequence, settings)
        else:
            samples = (
                _sample_edg(system, sequence, settings, checkpoint)
                if method == "edg"
                else _sample_chain(system, method, sequence, settings)
            )
            cell = _estimate_cell(samples, sequence)
    except (EdgphysError, ValueError, TypeError, RuntimeError) as error:
        error.add_note(f"computing {method} at {point_label(point)}")
        raise
    cell["values"]["wall_time"] = time.perf_counter() - start
    return cell


def build_system(make: Callable[[dict[str, float]], Any], point: dict[str, float]) -> Any:
    """``make(point)``, in one thread at a time."""
    with _SERIAL:
        return make(point)


def uses_cuda(settings: dict[str, Any]) -> bool:
    """Whether `edg` with these settings computes on a GPU."""
    import torch

    device = settings.get("device")
    return torch.cuda.is_available() and (device is None or torch.device(device).type == "cuda")


def _sample_edg(system: Any, sequence: np.random.SeedSequence, settings: dict, checkpoint: str | None) -> Any:
    from edgphys.edg import EDG

    model, fit, sample = _split_edg_options(settings)
    fit_seed, sample_seed = _integer_seeds(sequence, 2)
    with _torch_threads(settings.get("n_threads") or 1):
        sampler = EDG(system, **model).fit(seed=fit_seed, progress=False, checkpoint=checkpoint, **fit)
        return sampler.sample(settings["n_samples"], seed=sample_seed, progress=False, **sample)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Threads within an operation of torch called from this thread; other threads keep theirs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _sample_chain(system: Any, method: str, sequence: np.random.SeedSequence, settings: dict) -> Any:
    from edgphys import mcmc

    algorithm = mcmc.best_algorithm(system) if method == "mcmc" else method
    (seed,) = _integer_seeds(sequence, 1)
    return mcmc.run(system, algorithm=algorithm, seed=seed, progress=False, **settings)


def _estimate_cell(samples: Any, sequence: np.random.SeedSequence) -> dict[str, Any]:
    from edgphys.estimators import estimate

    # The third word: the first two seed the sampler, and one seed must not serve two draws.
    with _SERIAL:
        estimates = estimate(samples, seed=_integer_seeds(sequence, 3)[2])
    return _cell_of(estimates, str(samples.attrs.get("method", "")))


def _ladder_cell(
    system: Any, method: str, sequence: np.random.SeedSequence, settings: dict
) -> dict[str, Any]:
    (seed,) = _integer_seeds(sequence, 1)
    # One at a time: it judges chains, and pymbar is imported.
    with _SERIAL:
        estimates = free_energy(system, method, seed=seed, **settings)
    return _cell_of(estimates, json.loads(estimates.attrs["settings"])["chains"])


def _cell_of(estimates: Any, algorithm: str) -> dict[str, Any]:
    values = {
        str(name): float(variable) for name, variable in estimates.data_vars.items() if variable.size == 1
    }
    for name in ("n_energy_calls", "n_gradient_calls"):
        if name in estimates.attrs:
            values[name] = float(estimates.attrs[name])
    warning = str(estimates.attrs.get("warning", ""))
    return {"values": _finite(values), "algorithm": algorithm, "warning": warning}


def _exact_cell(system: Any) -> dict[str, Any]:
    from edgphys.estimators.estimate import estimates_from_exact

    values: dict[str, float] = {}
    if system.exact:
        about = {"temperature": system.temperature, "observables": json.dumps(list(system.exact))}
        estimates = estimates_from_exact(system.exact_results(), about)
        values = {str(name): float(variable) for name, variable in estimates.data_vars.items()}
    return {"values": _finite(values), "algorithm": "exact", "warning": ""}


def _finite(values: dict[str, float]) -> dict[str, float]:
    """Without what is NaN: absent and NaN are the same in a scan."""
    return {name: value for name, value in values.items() if not math.isnan(value)}
