# SPDX-License-Identifier: MIT
"""Absolute free energy of a system from Markov chains: an opponent for every other log Z.

1. The path from a system of known log Z (`edgphys.systems.reference`) is cut into rungs between which
   configurations swap equally often (`edgphys.mcmc.space_ladder`).
2. Parallel tempering samples all rungs (`edgphys.mcmc.temper`).
3. log Z of the last rung, the system itself, follows from the first by MBAR or by thermodynamic integration
   (`edgphys.estimators`); all other estimates are those of the chains at the last rung.

Both methods use the same draws. They differ in what they assume: MBAR that neighbours overlap, which a
spaced ladder has by construction; thermodynamic integration that averages vary smoothly between the rungs,
whose failure ``log_z_quadrature`` shows.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgphys.errors import UnknownNameError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["METHODS", "free_energy"]

METHODS = ("mbar", "ti")

_DIAGNOSTICS = {
    "n_rungs": "rungs of the ladder from the reference",
    "swap_rate": "lowest acceptance of swaps between neighbouring rungs",
    "overlap": "lowest overlap of neighbouring rungs (MBAR)",
    "log_z_quadrature": "difference of two quadrature rules in log_z, part of log_z_err",
}


def free_energy(
    system,
    method: str = "mbar",
    *,
    seed: int,
    algorithm: str | None = None,
    n_rungs: int | None = None,
    n_chains: int = 4,
    n_sweeps: int = 5000,
    n_warmup: int | None = None,
    thin: int = 1,
    swap: bool = True,
    swap_rate: float = 0.6,
    n_threads: int | None = None,
    options: Mapping | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """log Z and all other estimates of a system by Markov chains on a ladder from a known reference.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        A lattice system.
    method : {"mbar", "ti"}
        Multistate Bennett acceptance ratio or thermodynamic integration.
    seed : int
        Non-negative; seeds of the pilot runs and of the ladder are derived from it.
    algorithm : str, optional
        One of `edgphys.mcmc.algorithms_for` that serves all rungs; the best by default.
    n_rungs : int, optional
        Rungs of the ladder; by default as many as `swap_rate` takes.
    n_chains, n_sweeps, n_warmup, thin, n_threads, options, checkpoint, progress
        As for `edgphys.mcmc.temper`.
    swap : bool
        False: independent rungs, for a check that needs no swaps.
    swap_rate : float
        Wanted acceptance between neighbouring rungs.

    Returns
    -------
    Dataset
        Of kind "estimates", as `edgphys.estimate` gives them, with ``log_z``, ``log_z_err``, ``free_energy``
        and ``free_energy_err``, and ``n_rungs``, ``swap_rate``, ``overlap`` or ``log_z_quadrature``. With
        "ti" the error holds the quadrature error too. n_energy_calls and n_gradient_calls count the pilot
        runs.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    NotExactError
        If the system has no reference of known log Z.
    ShortChainError
        If chains are too short for their autocorrelation.

    Examples
    --------
    >>> import edgphys as ep, lattices                                                  # doctest: +SKIP
    >>> system = ep.Ising(lattices.build("square", (8, 8)), temperature=2.5)            # doctest: +SKIP
    >>> float(ep.free_energy(system, seed=1).log_z)                                     # doctest: +SKIP
    """
    import numpy as np

    from edgphys import mcmc
    from edgphys.mcmc.spacing import find_rungs
    from edgphys.systems.reference import reference_path

    if method not in METHODS:
        raise UnknownNameError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    begin = time.perf_counter()
    path = reference_path(system)
    common = {"n_chains": n_chains, "n_threads": n_threads, "options": options}
    pilot_seed, seed_of_ladder = _two_seeds(seed)
    if path.first == path.last:
        return _at_reference(system, path, method, seed, algorithm, common | {"n_sweeps": n_sweeps})
    rungs, calls = find_rungs(
        system,
        n_rungs,
        swap_rate,
        pilot_seed,
        {path.coupling: (path.first, path.last)},
        algorithm=algorithm,
        n_sweeps=int(np.clip(n_sweeps // 5, 100, 1000)),
        **common,
    )
    ladder = mcmc.temper(
        system,
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
    ladder.attrs["n_energy_calls"] += calls[0]
    ladder.attrs["n_gradient_calls"] += calls[1]
    values, warning = _log_z(ladder, method, path.log_z)
    table = _with_log_z(mcmc.rung(ladder, -1), values, warning, method)
    table.attrs |= {"seed": int(seed), "wall_time": time.perf_counter() - begin}
    return table


def _two_seeds(seed: int) -> tuple[int, int]:
    import numpy as np

    from edgphys.mcmc.driver import check_integer

    words = np.random.SeedSequence(check_integer("seed", seed, 0)).generate_state(2, np.uint64)
    return int(words[0]) >> 1, int(words[1]) >> 1


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
        attrs = dict(table[name].attrs) if name in table else {"definition": _DIAGNOSTICS[name]}
        table[name] = ((), float(value), attrs)
    definitions = json.loads(table.attrs["definitions"])
    definitions |= {name: text for name, text in _DIAGNOSTICS.items() if name in values}
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
    from edgphys.mcmc.tempering import default_algorithm

    algorithm = default_algorithm([system]) if algorithm is None else algorithm
    samples = mcmc.run(system, algorithm, seed=seed, **common)
    return _with_log_z(samples, {"log_z": path.log_z, "log_z_err": 0.0, "n_rungs": 1.0}, "", method)
