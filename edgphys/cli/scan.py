# SPDX-License-Identifier: MIT
"""``edgphys scan``: several methods over a grid of couplings."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgphys._progress import foreseen_by
from edgphys.cli.chain_options import WarmUp
from edgphys.cli.own_observables import Observables, read_observables
from edgphys.cli.run_arguments import Device, RunArguments, duration
from edgphys.cli.system_arguments import SystemArguments
from edgphys.cli.values import parse_options

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["scan"]


def scan(
    system: SystemArguments,
    *,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="edg, any algorithm of Markov chains, mcmc (the best of them), bridge (edg and mcmc "
            "together), mbar, ti, exact; repeat. By default edg and mcmc on a lattice, else mcmc and exact."
        ),
    ] = None,
    n_samples: Annotated[int, typer.Option(help="Weighted samples of edg at each point.")] = 10_000,
    n_steps: Annotated[
        int | None, typer.Option(help="Training steps of edg; by default by the system, 1000 or more.")
    ] = None,
    n_sweeps: Annotated[
        int | None,
        typer.Option(
            help="Sweeps of each Markov chain after the warm-up; 20000 by default, 5000 on ladders."
        ),
    ] = None,
    n_chains: Annotated[
        int | None, typer.Option(help="Markov chains; 8 by default, 4 ladders of mbar and ti.")
    ] = None,
    n_warmup: WarmUp = None,
    thin: Annotated[
        int | None,
        typer.Option(help="Sweeps from one draw to the next; 1 by default, of bridge as --n-samples needs."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Cells computed at a time; one for each CPU by default.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Compute on the workers of this dask scheduler, as tcp://host:8786, instead."),
    ] = None,
    scheduler_file: Annotated[
        Path | None, typer.Option(help="The same by the file that dask scheduler --scheduler-file writes.")
    ] = None,
    per_point: Annotated[
        bool,
        typer.Option("--per-point", help="Train edg at each point; by default once for all, where it can."),
    ] = False,
    device: Device = None,
    observable: Observables = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep draws too, in the folder OUT.draws.")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Setting of edg, such as training=energy, root=edg, n_views=8 or decoder=field, or one "
            "that edg does not have, of the algorithm of the chains, such as improved=false; repeat.",
        ),
    ] = None,
    run: RunArguments,
) -> None:
    """Estimate free energies and observables over a grid of couplings, by several methods.

    VALUES are 2.3, or 2.0,2.3, or start:stop:count. Run again on the same --out, an unfinished scan goes on.
    """
    import edgphys
    from edgphys.scans.cluster import cluster_client

    start = time.perf_counter()
    run.check_path()
    maker, values = system.read_several("scanned")
    scanned, fixed = _scanned_and_fixed(values)
    methods = method or (["mcmc", "exact"] if maker.lattice is None else ["edg", "mcmc"])
    of_edg, of_chains = _parted(parse_options(option), methods)
    with foreseen_by(run.foresee), cluster_client(scheduler, scheduler_file) as client:
        table = edgphys.scan(
            replace(maker, fixed=fixed),
            methods=methods,
            seed=run.seed,
            out=run.out,
            overwrite=run.overwrite,
            n_samples=n_samples,
            edg=of_edg | _given_only(n_steps=n_steps, per_point=per_point or None, device=device),
            mcmc=of_chains | _given_only(n_sweeps=n_sweeps, n_chains=n_chains, n_warmup=n_warmup, thin=thin),
            observables=read_observables(observable),
            keep=keep,
            progress=not run.quiet,
            workers=workers,
            scheduler=client,
            **scanned,
        )
    print(f"wrote {run.out} ({_size(table)}) in {duration(time.perf_counter() - start)}")


def _scanned_and_fixed(values: dict[str, list]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters with several values, or the first that is a number if none has; and the others."""
    several = {name: listed for name, listed in values.items() if len(listed) > 1}
    numbers = [name for name, listed in values.items() if isinstance(listed[0], int | float)]
    scanned = several or {name: values[name] for name in numbers[:1]}
    return scanned, {name: listed[0] for name, listed in values.items() if name not in scanned}


def _parted(options: dict[str, Any], methods: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of edg, and of the chains; with both, one belongs to edg if that has one of its name."""
    from edgphys.methods import registry

    takers = {taker for name in methods for taker in registry.arguments_of(name)}
    if takers != {"edg", "mcmc"}:
        return ({}, {"options": options} if options else {}) if takers == {"mcmc"} else (options, {})
    from edgphys.edg.call_options import names

    of_edg = {name: value for name, value in options.items() if name in {*names(), *registry.OF_EDG}}
    of_chains = {name: value for name, value in options.items() if name not in of_edg}
    return of_edg, {"options": of_chains} if of_chains else {}


def _given_only(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _size(table: xr.Dataset) -> str:
    n_methods, n_cells = table.sizes["method"], table["wall_time"].size
    return f"{_counted(n_methods, 'method')} at {_counted(n_cells // n_methods, 'point')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count != 1 else "")
