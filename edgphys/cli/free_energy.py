# SPDX-License-Identifier: MIT
"""``edgphys free-energy``: log Z of one system, by chains on a ladder, a generator, or both together."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from edgphys.cli.chain_options import Algorithm, Options, WarmUp
from edgphys.cli.own_observables import Observables, read_observables
from edgphys.cli.run_arguments import Device, RunArguments
from edgphys.cli.system_arguments import SystemArguments
from edgphys.cli.values import parse_options

__all__ = ["free_energy"]


def free_energy(
    system: SystemArguments,
    *,
    method: Annotated[
        str,
        typer.Option(
            help="mbar or ti: from chains on a ladder of couplings; edg: a generator; bridge: a generator "
            "and chains together."
        ),
    ] = "mbar",
    algorithm: Algorithm = None,
    option: Options = None,
    n_rungs: Annotated[int | None, typer.Option(help="Rungs of the ladder; chosen by default.")] = None,
    n_samples: Annotated[int | None, typer.Option(help="Draws of edg or bridge; 10000 by default.")] = None,
    n_chains: Annotated[
        int | None, typer.Option(help="Independent ladders; 4 by default, 8 chains of bridge.")
    ] = None,
    n_sweeps: Annotated[
        int | None,
        typer.Option(help="Sweeps of each chain after the warm-up; 5000 by default, 20000 of bridge."),
    ] = None,
    n_warmup: WarmUp = None,
    observable: Observables = None,
    device: Device = None,
    run: RunArguments,
) -> None:
    """Absolute free energy of one system by chains or EDG, beside the exact value where there is one."""
    start = time.perf_counter()
    measured, subject = read_observables(observable), system.build()
    with run.unfinished() as store:
        import edgphys

        estimates = edgphys.free_energy(
            subject,
            method,
            seed=run.seed,
            algorithm=algorithm,
            n_rungs=n_rungs,
            n_samples=n_samples,
            n_chains=n_chains,
            n_sweeps=n_sweeps,
            n_warmup=n_warmup,
            device=device,
            options=parse_options(option),
            observables=measured,
            checkpoint=store,
            progress=not run.quiet,
        )
        run.finish(estimates, store, start)
