# SPDX-License-Identifier: MIT
"""``edgphys sample``: Markov chains at one point, or weighted draws of a trained generator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgphys.cli.chain_options import Algorithm, Keep, Options, WarmUp
from edgphys.cli.own_observables import Observables, read_observables
from edgphys.cli.run_arguments import Device, RunArguments
from edgphys.cli.signature import MayLack
from edgphys.cli.system_arguments import CouplingArguments, SystemArguments, typed
from edgphys.cli.values import parse_options

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["sample"]

_GENERATOR = "edg"


def sample(
    system: Annotated[SystemArguments, MayLack("system")],
    *,
    algorithm: Algorithm = None,
    model: Annotated[
        Path | None,
        typer.Option(help="In place of a system, for --algorithm edg: a generator that EDG.save wrote."),
    ] = None,
    option: Options = None,
    n_samples: Annotated[
        int | None, typer.Option(help="Weighted draws of the generator; 10000 by default.")
    ] = None,
    n_chains: Annotated[int | None, typer.Option(help="Independent chains; 8 by default.")] = None,
    n_sweeps: Annotated[
        int | None, typer.Option(help="Sweeps of each chain after the warm-up; 20000 by default.")
    ] = None,
    n_warmup: WarmUp = None,
    thin: Annotated[int | None, typer.Option(help="Sweeps from one draw to the next; 1 by default.")] = None,
    observable: Observables = None,
    keep: Keep = False,
    device: Device = None,
    run: RunArguments,
) -> None:
    """Sample one system by Markov chains or a trained generator, write the draws, print the estimates."""
    start = time.perf_counter()
    chains = _given(n_chains=n_chains, n_sweeps=n_sweeps, n_warmup=n_warmup, thin=thin)
    draws = _given(n_samples=n_samples, device=device)
    options: dict[str, Any] = {"keep": keep, "progress": not run.quiet}
    options |= {"observables": read_observables(observable)}
    is_generator = model is not None or algorithm == _GENERATOR
    _check(system.system, algorithm, model, is_generator, chains if is_generator else draws)
    with run.unfinished() as store:
        if model is not None:
            options |= parse_options(option)
            given = {"n_samples": 10_000, "checkpoint": store} | draws | options
            samples = _draws(model, system.parameters, run.seed, given)
        else:
            options |= {"options": parse_options(option), "checkpoint": store}
            samples = _chains(system, algorithm, run.seed, chains | options)
        run.finish(samples, store, start)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check(
    system: str | None, algorithm: str | None, model: Path | None, is_generator: bool, foreign: dict[str, Any]
) -> None:
    """Refuse what is missing, and what belongs to the other way of sampling."""
    if is_generator and model is None:
        raise ValueError(
            f"--model must be given for --algorithm {algorithm}: a generator that EDG.save wrote"
        )
    if not is_generator and system is None:
        raise ValueError("SYSTEM must be given (edgphys systems lists them), or --model, a trained generator")
    if is_generator and system is not None:
        raise ValueError(f"SYSTEM must be left out with --model, which is of one, got {system!r}")
    if is_generator and algorithm not in (None, _GENERATOR):
        raise ValueError(f"--algorithm must be {_GENERATOR} with --model, got {algorithm!r}")
    for name, value in foreign.items():
        words = "belongs to Markov chains, not to --model" if is_generator else "belongs to --model"
        raise ValueError(f"--{name.replace('_', '-')} {words}, got {value}")


def _chains(system: SystemArguments, algorithm: str | None, seed: int, options: dict[str, Any]) -> xr.Dataset:
    from edgphys import mcmc

    subject = system.build()
    return mcmc.run(subject, algorithm or mcmc.best_algorithm(subject), seed=seed, **options)


def _draws(model: Path, parameters: CouplingArguments, seed: int, options: dict[str, Any]) -> xr.Dataset:
    couplings = {}
    for name, values in parameters.values().items():
        if len(values) > 1:
            raise ValueError(
                f"{typed(name)} must be one value here, got {len(values)}; a curve takes several"
            )
        couplings[name] = values[0]
    from edgphys import EDG

    device = options.pop("device", None)
    return EDG.load(model, device=device).at(**couplings).sample(seed=seed, **options)
