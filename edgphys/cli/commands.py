# SPDX-License-Identifier: MIT
"""Commands at one point: ``sample`` (Markov chains), ``temper`` (a ladder of them), ``free-energy``.

While they run, the state of all chains is in a file beside the output, ``<out>.chains``: the same command
again goes on from there, to the same numbers. It is removed when the output is written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgphys.cli.options import (
    Convention,
    Coupling,
    DoubleBonds,
    Extent,
    LatticeName,
    Out,
    Overwrite,
    Parameters,
    Periodic,
    Quiet,
    Seed,
    SystemName,
    Traceback,
)
from edgphys.cli.parsing import Geometry, check_ranges, parse_options, read_system, typed
from edgphys.errors import DatasetError, TrainingError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_out", "duration", "free_energy", "given_only", "register", "sample", "temper"]

_Algorithm = Annotated[
    str | None, typer.Option(help="Algorithm of the chains; the best for the system by default.")
]
_Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Setting of the algorithm, or of edg, such as decoder_size=32,2 or "
        "'train_at={\"temperature\":2}'; repeat.",
    ),
]
_Sweeps = Annotated[int, typer.Option(help="Sweeps of each chain after the warm-up.")]
_WarmUp = Annotated[int | None, typer.Option(help="Sweeps discarded; a fifth of --n-sweeps by default.")]
_Thin = Annotated[int, typer.Option(help="Sweeps from one draw to the next.")]
_Keep = Annotated[bool, typer.Option("--keep", help="Write the configurations too.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(sample)
    app.command()(temper)
    app.command("free-energy")(free_energy)


def sample(
    system: SystemName,
    lattice: LatticeName = None,
    extent: Extent = None,
    pbc: Periodic = None,
    allow_double_bonds: DoubleBonds = False,
    temperature: Coupling = None,
    coupling: Coupling = None,
    field: Coupling = None,
    kappa: Coupling = None,
    lam: Coupling = None,
    m2: Coupling = None,
    parameter: Parameters = None,
    convention: Convention = None,
    algorithm: _Algorithm = None,
    option: _Options = None,
    n_chains: Annotated[int, typer.Option(help="Independent chains.")] = 8,
    n_sweeps: _Sweeps = 20_000,
    n_warmup: _WarmUp = None,
    thin: _Thin = 1,
    keep: _Keep = False,
    out: Out = ...,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Sample one system by Markov chains, write the draws, print the estimates."""
    start = time.perf_counter()
    given = {"temperature": temperature, "coupling": coupling, "field": field}
    given |= {"kappa": kappa, "lam": lam, "m2": m2}
    geometry = Geometry(lattice, extent, pbc, allow_double_bonds)
    subject = _one_system(system, geometry, given, parameter, convention)
    store = _prepare(out, overwrite)
    from edgphys import mcmc

    with _going_on(store):
        samples = mcmc.run(
            subject,
            algorithm or mcmc.best_algorithm(subject),
            n_chains,
            n_sweeps,
            seed,
            n_warmup=n_warmup,
            thin=thin,
            keep=keep,
            options=parse_options(option),
            checkpoint=store,
            progress=not quiet,
        )
    _finish(samples, out, overwrite, store, start)


def temper(
    system: SystemName,
    lattice: LatticeName = None,
    extent: Extent = None,
    pbc: Periodic = None,
    allow_double_bonds: DoubleBonds = False,
    temperature: Coupling = None,
    coupling: Coupling = None,
    field: Coupling = None,
    kappa: Coupling = None,
    lam: Coupling = None,
    parameter: Parameters = None,
    spaced: Annotated[
        int | None,
        typer.Option(help="Use only the two ends of the range, with so many rungs that swap equally often."),
    ] = None,
    algorithm: _Algorithm = None,
    option: _Options = None,
    n_chains: Annotated[int, typer.Option(help="Independent ladders.")] = 4,
    n_sweeps: _Sweeps = 10_000,
    n_warmup: _WarmUp = None,
    thin: _Thin = 1,
    swap_every: Annotated[int, typer.Option(help="Sweeps between two rounds of swaps.")] = 1,
    keep: _Keep = False,
    out: Out = ...,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Parallel tempering along the couplings with several VALUES (of equal number, if more than one has)."""
    start = time.perf_counter()
    given = {"temperature": temperature, "coupling": coupling, "field": field, "kappa": kappa, "lam": lam}
    geometry = Geometry(lattice, extent, pbc, allow_double_bonds)
    maker, values = read_system(system, geometry, given, parameter)
    ladder = {name: listed for name, listed in values.items() if len(listed) > 1}
    if not ladder:
        raise ValueError("temper needs a coupling with several VALUES, such as --temperature 2.0:3.0:8")
    check_ranges(maker, values, "tempered")
    subject = maker(**{name: listed[0] for name, listed in values.items()})
    store = _prepare(out, overwrite)
    from edgphys import mcmc

    if spaced is not None:
        if len(ladder) > 1:
            raise ValueError(f"--spaced must go with one coupling of several VALUES, got {', '.join(ladder)}")
        ends = {name: (listed[0], listed[-1]) for name, listed in ladder.items()}
        rungs = mcmc.space_ladder(subject, n_rungs=spaced, algorithm=algorithm, seed=seed, **ends)
        ladder = dict.fromkeys(ladder, rungs)
    with _going_on(store):
        samples = mcmc.temper(
            subject,
            ladder,
            algorithm,
            n_chains,
            n_sweeps,
            seed,
            swap_every=swap_every,
            n_warmup=n_warmup,
            thin=thin,
            keep=keep,
            options=parse_options(option),
            checkpoint=store,
            progress=not quiet,
        )
    _finish(samples, out, overwrite, store, start)


def free_energy(
    system: SystemName,
    lattice: LatticeName = None,
    extent: Extent = None,
    pbc: Periodic = None,
    allow_double_bonds: DoubleBonds = False,
    temperature: Coupling = None,
    coupling: Coupling = None,
    field: Coupling = None,
    kappa: Coupling = None,
    lam: Coupling = None,
    m2: Coupling = None,
    parameter: Parameters = None,
    convention: Convention = None,
    method: Annotated[
        str, typer.Option(help="mbar or ti: from chains on a ladder of couplings; edg: a generator.")
    ] = "mbar",
    algorithm: _Algorithm = None,
    option: _Options = None,
    n_rungs: Annotated[int | None, typer.Option(help="Rungs of the ladder; chosen by default.")] = None,
    n_samples: Annotated[int | None, typer.Option(help="Weighted draws of edg; 10000 by default.")] = None,
    n_chains: Annotated[int | None, typer.Option(help="Independent ladders; 4 by default.")] = None,
    n_sweeps: Annotated[
        int | None, typer.Option(help="Sweeps of each chain after the warm-up; 5000 by default.")
    ] = None,
    n_warmup: _WarmUp = None,
    out: Out = ...,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Absolute free energy of one system by chains or EDG, beside the exact value where there is one."""
    start = time.perf_counter()
    given = {"temperature": temperature, "coupling": coupling, "field": field}
    given |= {"kappa": kappa, "lam": lam, "m2": m2}
    geometry = Geometry(lattice, extent, pbc, allow_double_bonds)
    subject = _one_system(system, geometry, given, parameter, convention)
    store = _prepare(out, overwrite)
    import edgphys

    with _going_on(store):
        estimates = edgphys.free_energy(
            subject,
            method,
            seed=seed,
            algorithm=algorithm,
            n_rungs=n_rungs,
            n_samples=n_samples,
            n_chains=n_chains,
            n_sweeps=n_sweeps,
            n_warmup=n_warmup,
            options=parse_options(option),
            checkpoint=store,
            progress=not quiet,
        )
    _finish(estimates, out, overwrite, store, start, exact=subject.exact_results())


def _one_system(system: str, geometry: Geometry, given: dict, more: Any, convention: str | None) -> Any:
    maker, values = read_system(system, geometry, given, more, convention)
    for name, listed in values.items():
        if len(listed) > 1:
            raise ValueError(f"{typed(name)} must be one value here, got {len(listed)}; a scan takes several")
    return maker(**{name: listed[0] for name, listed in values.items()})


def _prepare(out: Path, overwrite: bool) -> Path:
    """Check the output before anything is computed; the file for the state of the chains."""
    check_out(out, ".nc")
    if out.exists() and not overwrite:
        raise FileExistsError(f"--out: {out} exists; name another file or pass --overwrite")
    return out.with_name(out.name + ".chains")


@contextmanager
def _going_on(store: Path) -> Iterator[None]:
    """Errors about the file of an unfinished command name the option that it follows from."""
    try:
        yield
    except (DatasetError, TrainingError) as error:
        about, _, _ = str(error).rpartition(";")  # what follows is advice
        about_store = f"checkpoint: {store} "
        if not about.startswith(about_store):
            raise
        raise type(error)(
            f"--out: {store}, left by an unfinished command, {about.removeprefix(about_store)}; "
            "name another --out or remove that file"
        ) from error


def _finish(
    result: xr.Dataset,
    out: Path,
    overwrite: bool,
    store: Path,
    start: float,
    exact: dict[str, float] | None = None,
) -> None:
    from edgphys import dataset
    from edgphys.report.text import print_dataset

    dataset.write(result, out, overwrite=overwrite)
    store.unlink(missing_ok=True)
    print_dataset(result, exact=exact)
    print(f"wrote {out} in {duration(time.perf_counter() - start)}")


def check_out(path: Path, suffix: str) -> None:
    """What is wrong with the path alone, before torch is loaded.

    Raises
    ------
    ValueError
        If the folder does not exist, or the name does not end in `suffix`.
    """
    if not path.parent.is_dir():
        raise ValueError(f"--out: the folder {path.parent} does not exist")
    if path.suffix != suffix:
        raise ValueError(f"--out must end in {suffix}, got {str(path)!r}")


def given_only(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def duration(seconds: float) -> str:
    """Words for a time.

    Examples
    --------
    >>> duration(3.14159), duration(75.2)
    ('3.1 s', '1 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
