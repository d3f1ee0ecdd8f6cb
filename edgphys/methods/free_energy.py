# SPDX-License-Identifier: MIT
"""Absolute free energy of a system: from Markov chains, an opponent for every other log Z, or from EDG.

By chains:

1. The path from a system of known log Z (`edgphys.systems.reference`) is cut into rungs between which
   configurations swap equally often (`edgphys.mcmc.space_ladder`). On a lattice that system has free sites;
   for continuous coordinates it is a Gaussian that covers a short run
   (`edgphys.mcmc.continuous.gaussian_pilot`).
2. Parallel tempering samples all rungs (`edgphys.mcmc.temper`).
3. log Z of the last rung, the system itself, follows from the first by MBAR or by thermodynamic integration
   (`edgphys.estimators`); all other estimates are those of the chains at the last rung.

Both methods use the same draws. They differ in what they assume: MBAR that neighbours overlap, which a
spaced ladder has by construction; thermodynamic integration that averages vary smoothly between the rungs,
whose failure ``log_z_quadrature`` shows.
"""

from __future__ import annotations

import inspect
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys.errors import NotExactError, UnknownNameError
from edgphys.observables import LADDER, TABLE

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["METHODS", "check_draws", "free_energy", "split_edg_options"]

# Chains on a ladder, and their settings unless told.
METHODS = ("mbar", "ti")
_CHAINS = {"n_chains": 4, "n_sweeps": 5000, "thin": 1, "swap": True, "swap_rate": 0.6}


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
    options: Mapping | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """log Z and all other estimates of a system by Markov chains on a ladder from a known reference.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        A lattice system, or a continuous one with a numba kernel: all that ship, and a
        `edgphys.systems.Potential` that is given one or is a compiled function.
    method : {"mbar", "ti", "edg"}
        Multistate Bennett acceptance ratio or thermodynamic integration from chains, or an energy-based
        diffusion generator, trained and sampled with its defaults (`edgphys.EDG`).
    seed : int
        Non-negative; seeds of the pilot runs and of the ladder are derived from it.
    algorithm : str, optional
        One of `edgphys.mcmc.algorithms_for` that serves all rungs; the best by default.
    n_rungs : int, optional
        Rungs of the ladder; by default as many as `swap_rate` takes.
    n_chains, n_sweeps, n_warmup, thin, n_threads, options, checkpoint, progress
        As for `edgphys.mcmc.temper`; by default 4 chains of 5000 sweeps, and ``thin=1``.
    swap : bool, optional
        False: independent rungs, for a check that needs no swaps. Default: True.
    swap_rate : float, optional
        Wanted acceptance between neighbouring rungs. Default: 0.6.
    n_samples : int, optional
        Weighted draws of "edg", at least 2, by default 10_000. Its other settings are `options` (of `EDG`,
        `EDG.fit` and `EDG.sample`), `checkpoint` and `progress`; the rest is for chains, and refused.

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
    import numpy as np

    from edgphys import mcmc
    from edgphys.systems.base import check_system
    from edgphys.systems.reference import reference_path

    check_system(system)
    if method not in (*METHODS, "edg"):
        raise UnknownNameError(f"method must be one of {', '.join((*METHODS, 'edg'))}, got {method!r}")
    chains = {"n_chains": n_chains, "n_sweeps": n_sweeps, "thin": thin, "swap": swap, "swap_rate": swap_rate}
    others = {"algorithm": algorithm, "n_rungs": n_rungs, "n_warmup": n_warmup, "n_threads": n_threads}
    for name, value in (chains | others if method == "edg" else {"n_samples": n_samples}).items():
        if value is not None:
            raise ValueError(f"{name} must be left out for method={method!r}, got {value!r}")
    if method == "edg":
        n_samples = 10_000 if n_samples is None else n_samples
        return _by_edg(system, seed, n_samples, options, checkpoint, progress)
    n_chains, n_sweeps, thin, swap, swap_rate = (
        default if chains[name] is None else chains[name] for name, default in _CHAINS.items()
    )
    begin = time.perf_counter()
    gaussian_seed, pilot_seed, seed_of_ladder = _seeds(seed)
    subject, calls, options = _with_reference(system, gaussian_seed, algorithm, n_threads, options)
    path = reference_path(subject)
    common = {"n_chains": n_chains, "n_threads": n_threads, "options": options}
    if path.first == path.last:
        return _at_reference(system, path, method, seed, algorithm, common | {"n_sweeps": n_sweeps})
    n_pilot = int(np.clip(n_sweeps // 5, 100, 1000))
    settings = common | {"algorithm": algorithm, "n_sweeps": n_pilot}
    # The last is where averages begin to exist; MBAR starts its iteration from averages.
    knots = path.knots if method == "ti" else path.knots[-1:]
    rungs, more_calls = _rungs(subject, path, knots, n_rungs, swap_rate, pilot_seed, settings)
    ladder = mcmc.temper(
        subject,
        {path.coupling: rungs},
        algorithm,
        n_sweeps=n_sweeps,
        seed=seed_of_ladder,
        swap=swap,
        n_warmup=n_warmup,
        thin=thin,
        checkpoint=checkpoint,
        progress=progress,
        **common,
    )
    ladder.attrs["n_energy_calls"] += calls[0] + more_calls[0]
    ladder.attrs["n_gradient_calls"] += calls[1] + more_calls[1]
    values, warning = _log_z(ladder, method, path.log_z)
    samples = mcmc.rung(ladder, -1)
    samples.attrs |= {"system": system.name, "parameters": json.dumps(system.parameters)}
    table = _with_log_z(samples, values, warning, method)
    table.attrs |= {"seed": int(seed), "wall_time": time.perf_counter() - begin}
    return table


# What a caller of `split_edg_options` gives by itself.
_OWN = {"self", "system", "seed", "n_samples", "progress", "checkpoint", "keep"}


def split_edg_options(options: Mapping[str, Any], others: tuple[str, ...] = ()) -> tuple[dict, dict, dict]:
    """Options of `EDG(...)`, of `EDG.fit` and of `EDG.sample`, told apart by their signatures.

    A name that two of them have belongs to the first: ``n_path_steps`` is the path that is trained, and its
    weights are those of the samples; ``batch_size`` is that of the training. `others` are what the caller
    takes besides; the message about an unknown name lists them too.

    Raises
    ------
    TypeError
        If there is no such option.

    Examples
    --------
    >>> split_edg_options({"n_steps": 100, "decoder": "hamiltonian", "n_anneal": 20})
    ({'decoder': 'hamiltonian'}, {'n_steps': 100}, {'n_anneal': 20})
    """
    from edgphys.edg import EDG

    names = [set(inspect.signature(call).parameters) - _OWN for call in (EDG.__init__, EDG.fit, EDG.sample)]
    parts: tuple[dict, dict, dict] = ({}, {}, {})
    for name, value in options.items():
        index = next((i for i, known in enumerate(names) if name in known), None)
        if index is None:
            words = ", ".join(sorted(set.union(set(others), *names)))
            raise TypeError(f"edg: unknown option {name!r}; there are {words}")
        parts[index][name] = value
    return parts


def check_draws(n_samples: Any, model: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
    """Refuse settings of weighted draws that `EDG.sample` or `estimate` would refuse, before the training.

    Parameters
    ----------
    n_samples : int
        Draws, at least 2: one has no error.
    model, sample : dict
        Options of `EDG` and of `EDG.sample`, as `split_edg_options` gives them.

    Raises
    ------
    TypeError, ValueError
        If a count is none.
    UnknownNameError
        If there are no such weights or divergence.
    NotExactError
        If the weights would be too noisy for a free energy.
    """
    from edgphys.edg.checks import count
    from edgphys.edg.weights.draws import ode_options

    count(n_samples, "n_samples", 2)
    if sample.get("n_anneal") is not None:
        count(sample["n_anneal"], "n_anneal", 0)
    names = ("weights", "divergence", "n_probes", "n_ode_steps")
    ode = ode_options(model.get("encoder"), **{name: sample[name] for name in names if name in sample})
    if ode is not None and ode["divergence"] == "hutchinson":
        raise NotExactError("divergence must be 'exact' for weights='ode' to give log_z, got 'hutchinson'")


def _by_edg(system, seed: int, n_samples: int, options: Mapping | None, checkpoint, progress: bool):
    """Estimates of weighted draws of a generator trained here."""
    from edgphys.edg import EDG
    from edgphys.estimators import estimate

    begin = time.perf_counter()
    model, fit, sample = split_edg_options(options or {})
    check_draws(n_samples, model, sample)
    if sample.get("n_anneal") and system.family != "continuous":
        raise ValueError(f"n_anneal must be 0 for the system {system.name}, got {sample['n_anneal']}")
    seed_of_fit, seed_of_draws, _ = _seeds(seed)
    show = None if progress else False
    edg = EDG(system, **model).fit(seed_of_fit, checkpoint=checkpoint, progress=show, **fit)
    table = estimate(edg.sample(n_samples, seed_of_draws, progress=show, **sample))
    table.attrs |= {"seed": int(seed), "wall_time": time.perf_counter() - begin}
    return table


def _seeds(seed: int) -> tuple[int, int, int]:
    import numpy as np

    from edgphys.mcmc.core.driver import check_integer

    words = np.random.SeedSequence(check_integer("seed", seed, 0)).generate_state(3, np.uint64)
    pilot, ladder, gaussian = (int(word) >> 1 for word in words)
    return gaussian, pilot, ladder


def _with_reference(
    system, seed: int, algorithm: str | None, n_threads: int | None, options: Mapping | None
) -> tuple[Any, tuple[int, int], Mapping | None]:
    """The system as the end of a path from its reference, the calls this took, and options of the chains."""
    import numpy as np

    if system.family != "continuous":
        return system, (0, 0), options
    from edgphys.mcmc.continuous.gaussian_pilot import find_gaussian_path

    path, calls = find_gaussian_path(system, seed, algorithm, n_threads=n_threads, options=options)
    # Near the Gaussian coordinates differ in scale, as they do in the system.
    unlike = bool(np.ptp(np.log(path.spread)) > math.log(2.0))
    return path, calls, {"precondition": unlike} | dict(options or {})


def _rungs(
    subject, path, knots, n_rungs: int | None, swap_rate: float, seed: int, settings: dict
) -> tuple[Sequence[float], tuple[int, int]]:
    """Rungs that swap equally often, and all knots; the calls of the pilot runs."""
    import numpy as np

    from edgphys.mcmc.core.driver import check_integer
    from edgphys.mcmc.tempering.spacing import find_rungs

    if n_rungs is not None:
        n_rungs = max(check_integer("n_rungs", n_rungs, 2) - len(knots), 2)
    ends = {path.coupling: (path.first, path.last)}
    rungs, calls = find_rungs(subject, n_rungs, swap_rate, seed, ends, **settings)
    return (np.union1d(rungs, knots) if knots else rungs), calls


def _log_z(ladder: xr.Dataset, method: str, log_z_reference: float) -> tuple[dict[str, float], str]:
    """log Z of the last rung, its error, and diagnostics."""
    from edgphys import estimators

    if method == "mbar":
        result = estimators.mbar(ladder, log_z_reference)
        more, quadrature = {"overlap": float(result["overlap"].min())}, 0.0
    else:
        result = estimators.thermodynamic_integration(ladder, log_z_reference)
        quadrature = float(result["log_z_quadrature"][-1])
        more = {"log_z_quadrature": quadrature}
    values = {"log_z": float(result["log_z"][-1]), "n_rungs": float(result["log_z"].size)}
    values["log_z_err"] = math.hypot(float(result["log_z_err"][-1]), quadrature)
    if "swap_rate" in ladder:
        values["swap_rate"] = float(ladder["swap_rate"].mean("chain").min())
    return values | more, result.attrs["warning"]


def _with_log_z(samples: xr.Dataset, values: dict[str, float], warning: str, method: str) -> xr.Dataset:
    """Estimates of the samples with log Z put in."""
    from edgphys.estimators import estimate

    table = estimate(samples)
    temperature = float(samples.attrs["temperature"])
    values = values | {
        "free_energy": -temperature * values["log_z"],
        "free_energy_err": temperature * values["log_z_err"],
    }
    for name, value in values.items():
        attrs = dict(table[name].attrs) if name in table else {"definition": TABLE[name].definition}
        table[name] = ((), float(value), attrs)
    definitions = json.loads(table.attrs["definitions"])
    definitions |= {name: TABLE[name].definition for name in LADDER if name in values}
    settings = json.loads(table.attrs["settings"]) | {"chains": samples.attrs["method"]}
    reasons = [text for text in (warning, table.attrs["warning"]) if text]
    table.attrs |= {
        "method": method,
        "warning": "; ".join(reasons),
        "definitions": json.dumps(definitions),
        "settings": json.dumps(settings),
    }
    return table


def _at_reference(system, path, method: str, seed: int, algorithm: str | None, common: dict) -> xr.Dataset:
    """The system is the reference itself: log Z is known, and chains give the rest."""
    from edgphys import mcmc

    algorithm = mcmc.best_algorithm(system) if algorithm is None else algorithm
    samples = mcmc.run(system, algorithm, seed=seed, **common)
    return _with_log_z(samples, {"log_z": path.log_z, "log_z_err": 0.0, "n_rungs": 1.0}, "", method)
