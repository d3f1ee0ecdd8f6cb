# SPDX-License-Identifier: MIT
"""Scan of a system over a grid of couplings, with several methods side by side.

The result is one `xarray.Dataset` with dims ``(method, <scanned couplings>)``: the estimates of
`edgphys.estimate` (``<name>``, standard error ``<name>_err``), the diagnostics ``ess``, ``max_weight``,
``tau_int``, ``r_hat``, ``converged``, ``reliable``, ``elbo``, ``elbo_err``, the counts ``n_energy_calls`` and
``n_gradient_calls``, and ``wall_time`` in seconds; NaN where a method does not give one. Exact results have
``_err`` zero. Energies are total, ``k_B = 1``; the definition of each variable is in its attrs.

Each cell (method, point) depends on the seed, the method, the point and the method's settings only, see
`edgphys.scans.cell`; so a scan may be killed and resumed, extended by points or methods, or computed in
parallel, with the same numbers to the last bit on one kind of machine.
"""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys import observables
from edgphys.errors import DatasetError, NotExactError
from edgphys.scans.cell import (
    build_system,
    check_method,
    check_settings,
    method_settings,
    point_label,
    point_words,
    run_cell,
    uses_cuda,
)
from edgphys.scans.grid import Cell, Grid, assemble, cells_of, header_of
from edgphys.scans.partial_results import PartialScan, disagreement
from edgphys.scans.progress import ScanProgress
from edgphys.scans.workers import cpu_count, run_in_threads

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["scan"]

_OVERWRITE = "name another file, or overwrite it (overwrite=True, --overwrite)"


def scan(
    make_system: Callable[..., Any],
    *,
    methods: Sequence[str],
    seed: int,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = True,
    n_samples: int = 10_000,
    edg: dict[str, Any] | None = None,
    mcmc: dict[str, Any] | None = None,
    progress: bool | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    **couplings: Iterable[float] | float,
) -> xr.Dataset:
    """Estimates of several methods over a grid of couplings.

    Parameters
    ----------
    make_system : callable
        Gives the system at one point. Called with the scanned couplings as keywords; if it has none of these
        names (``lambda t: ...``), with their values in the order given here.
    methods : sequence of str
        Any of ``"edg"``, the algorithms of `edgphys.mcmc.algorithms_for`, ``"mcmc"`` (the best of these for
        the system) and ``"exact"``.
    seed : int
        Non-negative. The seeds of the cells are derived from it, the method and the point.
    out : path, optional
        netCDF file to write. Finished cells are kept beside it in ``<out>.partial`` until it is complete.
    overwrite : bool
        Replace an existing file.
    resume : bool
        Go on from finished cells of the same scan, in ``<out>.partial`` or in an existing file to which
        points or methods are added. If False, such cells are an error unless `overwrite` drops them.
    n_samples : int
        Weighted samples of ``edg`` at each point, at least 2.
    edg : dict, optional
        Options of `EDG`, of its ``fit`` and of its ``sample`` (``n_steps``, ``batch_size``, ``device``, ...),
        and ``n_threads``, torch threads of a cell on the CPU, 1 by default; see `edgphys.scans.cell`.
    mcmc : dict, optional
        Options of `edgphys.mcmc.run` (``n_chains``, ``n_sweeps``, ``n_warmup``, ``thin``, ``n_threads``).
    progress : bool, optional
        Show a bar on stderr, and a line for each finished cell. None: only if stderr is a terminal.
    workers : int, optional
        Cells computed at a time, each in its own thread. Default: as many as there are CPUs for their
        threads; 1 if ``edg`` computes on a GPU. Results do not depend on it.
    scheduler : dask.distributed.Client, optional
        Compute the cells on its workers instead. Results do not depend on it.
    **couplings : float or sequence of float
        The values to scan; several couplings give their outer grid.

    Returns
    -------
    xarray.Dataset
        Dims ``(method, <couplings>)``, float64; see the module docstring. Select a method with
        ``table.sel({"method": "edg"})``: in ``table.sel(method="edg")`` xarray takes the word for its own
        argument.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong. Everything is checked before the first cell is computed.
    UnknownNameError
        If the system has no such method.
    NotExactError
        If ``"exact"`` is asked for and nothing is known exactly at any point.
    DatasetError
        If `out` cannot be written, is complete already, or holds another scan.

    Examples
    --------
    >>> import edgphys as ep, lattices                                                  # doctest: +SKIP
    >>> lattice = lattices.build("square", (8, 8))                                      # doctest: +SKIP
    >>> table = ep.scan(lambda t: ep.Ising(lattice, temperature=t), temperature=[2.0, 2.5, 3.0],
    ...                 methods=["wolff", "exact"], seed=0)                             # doctest: +SKIP
    >>> table["log_z"].sel({"method": "exact"})                                         # doctest: +SKIP
    """
    from edgphys import dataset

    start = time.perf_counter()
    grid = Grid(couplings)
    methods = _check_methods(methods)
    _check_seed(seed)
    _check_workers(workers, scheduler)
    path = None if out is None else _check_path(Path(out))
    make = _Maker(make_system, grid.names)
    settings = {name: method_settings(name, n_samples, dict(edg or {}), dict(mcmc or {})) for name in methods}
    check_settings("exact", {"n_samples": n_samples})
    for name in methods:
        check_settings(name, settings[name])
    attrs = _describe(make, grid, methods, seed, settings)
    wanted = {(method, point_words(point)): point for method in methods for point in grid.points}
    job = _Job(make, wanted, int(seed), settings, ScanProgress(progress), workers, scheduler)
    if path is None:
        table = assemble(methods, grid, job.run({}), attrs)
        table.attrs["wall_time"] = time.perf_counter() - start
        return table
    partial = PartialScan(path)
    header = header_of(attrs)
    done = _finished_in_file(path, header, wanted, overwrite, resume)
    drop = _must_drop(partial, header, overwrite, resume)
    with partial.locked():
        if drop:
            partial.remove_cells()
        partial.open(header)
        done |= {cell: result for cell, result in partial.cells().items() if cell in wanted}
        table = assemble(methods, grid, job.run(done, partial), attrs)
        table.attrs["wall_time"] = time.perf_counter() - start
        dataset.write(table, path, overwrite=path.exists())
        partial.remove()
    return table


# ---------------------------------------------------------------------------------------------- the arguments


def _check_methods(methods: Sequence[str]) -> tuple[str, ...]:
    named = (methods,) if isinstance(methods, str) else tuple(methods)
    if not named or not all(isinstance(name, str) for name in named):
        raise ValueError(f"methods must be a non-empty sequence of names, got {methods!r}")
    if len(set(named)) < len(named):
        raise ValueError(f"methods must not name a method twice, got {list(named)}")
    return named


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be an integer in 0 .. 2**63 - 1, got {seed!r}")


def _check_workers(workers: Any, scheduler: Any) -> None:
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, (int, np.integer)) or workers < 1
    ):
        raise ValueError(f"workers must be an integer of at least 1, got {workers!r}")
    if scheduler is None:
        return
    if workers is not None:
        raise ValueError(f"workers must be left out where a scheduler is given, got {workers!r}")
    from distributed import Client

    if not isinstance(scheduler, Client):
        raise TypeError(
            f"scheduler must be a dask.distributed.Client or None, got {type(scheduler).__name__}"
        )


def _check_path(path: Path) -> Path:
    if not path.parent.is_dir():
        raise DatasetError(f"out: the folder {path.parent} does not exist")
    if path.is_dir():
        raise DatasetError(f"out: {path} is a folder; name a file, as in {path / 'scan.nc'}")
    return path


class _Maker:
    """`make_system` called with a point, by keyword or, if it knows none of the names, by position."""

    def __init__(self, make_system: Callable[..., Any], names: tuple[str, ...]) -> None:
        if not callable(make_system):
            raise TypeError(f"make_system must be callable, got {type(make_system).__name__}")
        self.make_system = make_system
        parameters = inspect.signature(make_system).parameters
        accepts_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        known = [name for name in names if name in parameters]
        self.by_keyword = accepts_any or len(known) == len(names)
        if known and not self.by_keyword:
            missing = ", ".join(name for name in names if name not in known)
            raise TypeError(f"make_system must take all scanned couplings; it has no parameter {missing}")

    def __call__(self, point: dict[str, float]) -> Any:
        return self.make_system(**point) if self.by_keyword else self.make_system(*point.values())


def _describe(
    make: _Maker, grid: Grid, methods: tuple[str, ...], seed: int, settings: dict[str, dict]
) -> dict[str, Any]:
    """Build the system at every point, check the methods on it, and give the attrs of the scan."""
    from edgphys.systems.provenance import sample_attrs

    plain = json.loads(json.dumps(settings, default=str))
    every, has_exact = [], False
    for point in grid.points:
        system = make(point)
        for method in methods:
            check_method(method, system)
        has_exact |= bool(system.exact)
        every.append(
            sample_attrs(
                system,
                method="scan",
                seed=int(seed),
                wall_time=0.0,
                settings=plain,
                n_energy_calls=0,
                n_gradient_calls=0,
            )
        )
    if "exact" in methods and not has_exact:
        raise NotExactError(f"methods: nothing is known exactly for {_words(every[0])}; leave out 'exact'")
    return _common_attrs(every, grid)


def _words(attrs: dict[str, Any]) -> str:
    if "lattice" not in attrs:
        return f"{attrs['system']} with {attrs['parameters']}"
    extent = "x".join(str(length) for length in np.atleast_1d(attrs["extent"]))
    return f"{attrs['system']} on {attrs['lattice']} {extent} with {attrs['parameters']}"


def _common_attrs(every: list[dict[str, Any]], grid: Grid) -> dict[str, Any]:
    """Attrs of the scan: those of the first point, with only what holds at all points."""
    attrs = dict(every[0])
    for name in ("system", "lattice", "extent", "pbc", "n_variables"):
        if any(not np.array_equal(other.get(name), attrs.get(name)) for other in every):
            raise ValueError(f"make_system must give the same {name} at every point; scan couplings only")
    parameters = [json.loads(other["parameters"]) for other in every]
    fixed = {
        name: value
        for name, value in parameters[0].items()
        if name not in grid.names and all(other.get(name) == value for other in parameters)
    }
    definitions = observables.definitions(observables.ESTIMATES) | json.loads(attrs["definitions"])
    definitions |= observables.definitions((*observables.DIAGNOSTICS, *observables.COSTS))
    for name, text in json.loads(attrs["definitions"]).items():
        if any(json.loads(other["definitions"]).get(name) != text for other in every):
            raise ValueError(
                f"make_system must give one definition of {name} at all points, with symbols for couplings, "
                f"got {text!r} at {point_label(grid.points[0])} and another elsewhere"
            )
    for name in grid.names:
        if name in definitions:
            raise ValueError(f"couplings: {name!r} is the name of a result and cannot be scanned")
    for name in ("method", "wall_time", "n_energy_calls", "n_gradient_calls", "temperature", "beta"):
        attrs.pop(name, None)
    temperatures = {other["temperature"] for other in every}
    if "temperature" not in grid.names and len(temperatures) == 1:
        attrs |= {"temperature": every[0]["temperature"], "beta": every[0]["beta"]}
    attrs |= {
        "kind": "scan",
        "parameters": json.dumps(fixed),
        "couplings": json.dumps(grid.names),
        "definitions": json.dumps(definitions),
    }
    if "z2_symmetric" in attrs:
        attrs["z2_symmetric"] = min(int(other["z2_symmetric"]) for other in every)
    return attrs


# ------------------------------------------------------------------------------------------- what is finished


def _finished_in_file(
    path: Path, header: dict, wanted: dict[Cell, dict], overwrite: bool, resume: bool
) -> dict[Cell, dict]:
    """Cells of an existing file to which this scan adds; an error if the file must not be replaced."""
    if overwrite or not path.exists():
        return {}
    if not resume:
        raise DatasetError(f"{path} exists; {_OVERWRITE}")
    from edgphys import dataset

    table = dataset.read(path)
    if table.attrs.get("kind") != "scan":
        raise DatasetError(f"{path} exists and holds {table.attrs.get('kind')}, not a scan; {_OVERWRITE}")
    difference = disagreement(header_of(table.attrs), header)
    if difference:
        raise DatasetError(f"{path} exists and holds another scan ({difference}); {_OVERWRITE}")
    done = cells_of(table)
    if set(wanted) <= set(done):
        raise DatasetError(f"{path} exists and is complete; {_OVERWRITE}")
    lost = sorted(set(done) - set(wanted))
    if lost:
        method, point = lost[0]
        raise DatasetError(
            f"{path} exists and has {method} at {point}, which this scan leaves out; add it, or {_OVERWRITE}"
        )
    return done


def _must_drop(partial: PartialScan, header: dict, overwrite: bool, resume: bool) -> bool:
    """Whether unfinished work of an earlier scan is to be dropped; an error if it must not be."""
    if not partial.exists():
        return False
    if not resume:
        if overwrite:
            return True
        raise DatasetError(f"{partial.folder} holds an unfinished scan; resume it, or {_OVERWRITE}")
    if overwrite:
        try:
            return bool(disagreement(partial.header(), header))
        except DatasetError:
            return True
    difference = disagreement(partial.header(), header)
    if difference:
        raise DatasetError(f"{partial.folder} holds another unfinished scan ({difference}); {_OVERWRITE}")
    return False


# ------------------------------------------------------------------------------------------------ computation

_Results = Generator[tuple[Cell, dict[str, Any]], None, None]


@dataclass(frozen=True)
class _Job:
    """The cells of a scan and how to compute them."""

    make: _Maker
    wanted: dict[Cell, dict[str, float]]
    seed: int
    settings: dict[str, dict[str, Any]]
    report: ScanProgress
    workers: int | None
    scheduler: Any

    def run(self, done: dict[Cell, dict], partial: PartialScan | None = None) -> dict[Cell, dict]:
        """`done` with the cells that it lacks, each kept in `partial` as soon as it is finished."""
        todo = {cell: point for cell, point in self.wanted.items() if cell not in done}
        done = dict(done)
        with self.report, closing(self._results(todo, partial)) as results:
            self.report.begin(len(self.wanted), len(self.wanted) - len(todo))
            for cell, result in results:
                done[cell] = result
                if partial is not None:
                    partial.add(*cell, result)
                self.report.finish(cell[0], point_label(todo[cell]), result["values"]["wall_time"])
        return done

    def _results(self, todo: dict[Cell, dict], partial: PartialScan | None) -> _Results:
        """Results of the cells of `todo` in the order in which they are finished."""
        n_workers = self._n_workers(len(todo))
        tasks = [
            (
                self.make,
                cell,
                point,
                self.seed,
                self._settings(cell[0], n_workers),
                _checkpoint(partial, cell),
            )
            for cell, point in todo.items()
        ]
        if self.scheduler is not None:
            # No checkpoints: a worker on another machine may not see the folder.
            return self._on_cluster([(*task[:-1], None) for task in tasks])
        return self._in_turn(tasks) if n_workers == 1 else self._at_once(tasks, n_workers)

    def _n_workers(self, n_cells: int) -> int:
        if self.workers is not None:
            return max(1, min(self.workers, n_cells))
        edg = self.settings.get("edg")
        if edg is not None and uses_cuda(edg):
            return 1
        n_threads = 1 if edg is None else edg.get("n_threads") or 1
        return max(1, min(cpu_count() // n_threads, n_cells))

    def _settings(self, method: str, n_workers: int) -> dict[str, Any]:
        """With one thread for all chains of a cell where other cells use the other CPUs."""
        settings = self.settings[method]
        alone = n_workers == 1 or method in {"edg", "exact"}
        return settings if alone else {"n_threads": 1, **settings}

    def _in_turn(self, tasks: list[tuple]) -> _Results:
        for task in tasks:
            self._started(task)
            yield task[1], _run_task(*task)

    def _at_once(self, tasks: list[tuple], n_workers: int) -> _Results:
        calls = [(task, functools.partial(_run_task, *task)) for task in tasks]
        # closing: whoever leaves this generator waits until the workers have stopped
        with _kept_torch_threads(), closing(run_in_threads(calls, n_workers, self._started)) as results:
            for task, result in results:
                yield task[1], result

    def _on_cluster(self, tasks: list[tuple]) -> _Results:
        from distributed import as_completed

        self.report.start("dask", f"{len(tasks)} cells")
        # Impure: a result that dask remembers from an earlier call must not stand in for this one.
        futures = {self.scheduler.submit(_run_task, *task, pure=False): task[1] for task in tasks}
        try:
            for future in as_completed(list(futures)):
                yield futures[future], future.result()
        finally:
            self.scheduler.cancel(list(futures))

    def _started(self, task: tuple) -> None:
        self.report.start(task[1][0], point_label(task[2]))


def _checkpoint(partial: PartialScan | None, cell: Cell) -> str | None:
    return None if partial is None else partial.checkpoint(*cell)


def _run_task(
    make: _Maker, cell: Cell, point: dict, seed: int, settings: dict, checkpoint: str | None
) -> dict:
    return run_cell(build_system(make, point), cell[0], point, seed, settings, checkpoint)


@contextmanager
def _kept_torch_threads() -> Iterator[None]:
    """Workers set torch's threads for themselves, and by the way what threads begun later start with."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
