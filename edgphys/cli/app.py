# SPDX-License-Identifier: MIT
"""Command line: ``edgphys scan | sample | temper | free-energy | show | plot | systems``.

Values of a coupling are a number (``2.3``), numbers with commas (``2.0,2.3``) or a range ``start:stop:count``
with both ends; a coupling with one value is held fixed, the others are scanned. Anything wrong ends with exit
code 2 and one line on stderr, before anything is computed or written. Heavy imports wait for the command that
needs them.
"""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import edgphys
from edgphys.cli import commands
from edgphys.cli.commands import check_out, duration, given_only
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
from edgphys.cli.parsing import COUPLINGS, Geometry, check_ranges, read_system
from edgphys.errors import DatasetError, EdgphysError

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name="edgphys",
    help="Absolute free energies by energy-based diffusion generators, "
    "beside Markov chains and exact results.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Usage errors of typer, or of the click beneath it, by the one name that all versions of typer export.
_UsageError = typer.BadParameter.__base__


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : list of str, optional
        Words after ``edgphys``; those of the process by default.

    Returns
    -------
    int
        Exit code: 0, or 2 for anything wrong with the input, or 130 after Ctrl-C.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        code = app(words, prog_name="edgphys", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except typer.Exit as stop:
        code = stop.exit_code
    except _UsageError as error:
        return _fail(f"{error.format_message()} (edgphys --help lists what there is)")
    except (EdgphysError, ValueError, TypeError, OSError) as error:
        if "--traceback" in words:
            raise
        notes = [f"({note})" for note in getattr(error, "__notes__", [])]
        return _fail(" ".join([_as_typed(str(error), words), *notes]))
    if code == 130:
        again = words[:1] in (["scan"], ["sample"], ["temper"], ["free-energy"])
        resumes = "; running the same command again resumes" if again else ""
        print(f"edgphys: interrupted{resumes}", file=sys.stderr)
    return int(code or 0)


def run() -> NoReturn:
    """Run the command of this process, and end it.

    After Ctrl-C at once: a worker that is still in compiled code would hold up a regular exit. What a scan
    has finished is on disk by then.
    """
    code = main()
    if code == 130:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _fail(message: str) -> int:
    print(f"edgphys: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _as_typed(message: str, words: list[str]) -> str:
    """The message with the argument that it begins with as one types it: ``--n-samples must be ...``."""
    about = re.match(r"(\w+)(?= must |: )", message)
    if about is None:
        return message
    name, option = about[1], "--" + about[1].replace("_", "-")
    for before, word in pairwise(words):
        if before in ("-p", "--parameter", "--option") and word.startswith(f"{name}="):
            return f"{before} {message}"
    parameters = typer.main.get_command(app).commands[words[0]].params
    return message.replace(name, option, 1) if any(option in one.opts for one in parameters) else message


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edgphys {edgphys.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# ----------------------------------------------------------------------------------------------- the commands


@app.command()
def scan(
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
        list[str] | None,
        typer.Option(
            help="edg, any algorithm of Markov chains, mcmc (the best of them), mbar, ti, exact; repeat."
        ),
    ] = None,
    out: Out = ...,
    seed: Seed = 0,
    n_samples: Annotated[int, typer.Option(help="Weighted samples of edg at each point.")] = 10_000,
    n_steps: Annotated[int | None, typer.Option(help="Training steps of edg.")] = None,
    n_sweeps: Annotated[int | None, typer.Option(help="Sweeps of each Markov chain.")] = None,
    n_chains: Annotated[int | None, typer.Option(help="Markov chains.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Cells computed at a time; one for each CPU by default.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Torch device of edg: cpu, cuda.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Estimate free energies and observables over a grid of couplings, by several methods.

    VALUES are 2.3, or 2.0,2.3, or start:stop:count. Run again on the same --out, an unfinished scan goes on.
    """
    start = time.perf_counter()
    given = {"temperature": temperature, "coupling": coupling, "field": field}
    given |= {"kappa": kappa, "lam": lam, "m2": m2}
    check_out(out, ".nc")
    geometry = Geometry(lattice, extent, pbc, allow_double_bonds)
    maker, values = read_system(system, geometry, given, parameter, convention)
    check_ranges(maker, values, "scanned")
    scanned = {name: listed for name, listed in values.items() if len(listed) > 1}
    numbers = [name for name, listed in values.items() if not isinstance(listed[0], str)]
    if not scanned and numbers:
        scanned = {numbers[0]: values[numbers[0]]}
    fixed = {name: listed[0] for name, listed in values.items() if name not in scanned}
    table = edgphys.scan(
        replace(maker, fixed=fixed),
        methods=method or (["mcmc", "exact"] if maker.lattice is None else ["edg", "mcmc"]),
        seed=seed,
        out=out,
        overwrite=overwrite,
        n_samples=n_samples,
        edg=given_only(n_steps=n_steps, device=device),
        mcmc=given_only(n_sweeps=n_sweeps, n_chains=n_chains),
        progress=not quiet,
        workers=workers,
        **scanned,
    )
    n_methods, n_cells = table.sizes["method"], table["wall_time"].size
    words = f"{_counted(n_methods, 'method')} at {_counted(n_cells // n_methods, 'point')}"
    print(f"wrote {out} ({words}) in {duration(time.perf_counter() - start)}")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A scan, samples, a ladder or estimates.")],
    variable: Annotated[
        list[str] | None, typer.Option("--variable", "-v", help="Result of a scan to show; repeat.")
    ] = None,
    traceback: Traceback = False,
) -> None:
    """Print a scan as a table, with standard errors and z-scores; or the estimates from samples."""
    from edgphys import dataset
    from edgphys.report.text import print_dataset

    print_dataset(dataset.read(file), variable or None)


@app.command()
def plot(
    file: Annotated[Path, typer.Argument(help="A scan.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: png, pdf or svg.")] = ...,
    variable: Annotated[
        list[str] | None, typer.Option("--variable", "-v", help="Result to draw; repeat.")
    ] = None,
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Draw a scan: results with error bars, residuals beneath."""
    start = time.perf_counter()
    from edgphys import dataset
    from edgphys.report import figure as plotting

    table = dataset.read(file)
    if table.attrs["kind"] != "scan":
        raise DatasetError(
            f"file must be a scan to be drawn, got {file} of kind {table.attrs['kind']!r}; "
            f"edgphys show {file} prints it"
        )
    plotting.plot(table, variable or None, path=output, overwrite=overwrite)
    print(f"wrote {output} in {duration(time.perf_counter() - start)}")


@app.command()
def systems() -> None:
    """List the systems that ship, with their parameters and what is exactly known."""
    from edgphys.report.text import print_systems

    print_systems(COUPLINGS)


commands.register(app)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count != 1 else "")


if __name__ == "__main__":
    run()
