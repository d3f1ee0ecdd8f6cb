# SPDX-License-Identifier: MIT
"""Scan of a system over a grid of couplings, with several methods side by side.

The result is one `xarray.Dataset` with dims ``(method, <scanned couplings>)``: the estimates of
`edgphys.estimate` (``<name>``, standard error ``<name>_err``), the diagnostics ``ess``, ``max_weight``,
``tau_int``, ``r_hat``, ``converged``, ``reliable``, ``elbo``, ``elbo_err``, the counts ``n_energy_calls`` and
``n_gradient_calls``, and ``wall_time`` in seconds; NaN where a method does not give one. Exact results have
``_err`` zero. Energies are total, ``k_B = 1``; the definition of each variable is in its attrs.

Each cell (method, point) depends on the seed, the method, the point and the method's settings only, see
`edgphys.scans.points`; the settings tell the ranges of a model that all points share. So a scan may be killed
and resumed, extended by points or methods, or computed in parallel, with the same numbers to the last bit on
one kind of machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys import _checks
from edgphys._files import check_target, stamp
from edgphys.errors import FileTakenError
from edgphys.methods.base import AbstractMethod
from edgphys.recording.record import ATTR, current, recorded
from edgphys.scans.arguments import Maker, check_keep, check_methods, check_sent, check_workers, make_methods
from edgphys.scans.cell import Result
from edgphys.scans.description import describe
from edgphys.scans.extending import Extension, extension, plan_beside
from edgphys.scans.grid import Grid, Key, assemble, header_of, plain_json
from edgphys.scans.job import Job, cells_wanted
from edgphys.scans.partial_results import PartialScan
from edgphys.scans.progress import ScanProgress
from edgphys.scans.resolved_settings import settings_of
from edgphys.scans.resuming import finished_in_file, must_drop, study_in
from edgphys.scans.sizes import planned
from edgphys.systems.plain_systems import SystemTable

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["scan"]


@recorded("scan")
def scan(
    make_system: Callable[..., Any],
    *,
    methods: Sequence[str | AbstractMethod],
    seed: int,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = True,
    n_samples: int = 10_000,
    edg: dict[str, Any] | None = None,
    mcmc: dict[str, Any] | None = None,
    observables: Any = None,
    keep: bool = False,
    progress: bool | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    **couplings: Any,
) -> xr.Dataset:
    """Estimates of several methods over a grid of couplings.

    Parameters
    ----------
    make_system : callable
        Gives the system at one point. Called with the scanned couplings as keywords; if it has none of these
        names (``lambda t: ...``), with their values in the order given here.
    methods : sequence of str or AbstractMethod
        Names: ``"edg"`` (train an energy-based diffusion generator, then weighted draws), the algorithms of
        `edgphys.mcmc.algorithms_for`, ``"mcmc"`` (the best of these for the system), ``"mbar"`` and ``"ti"``
        (chains on a ladder of couplings, which give log Z too, see `edgphys.free_energy`), ``"exact"``; or
        objects, of the same classes or of one's own, see `edgphys.methods.base`.
    seed : int
        Non-negative. The seeds of the cells are derived from it, the method and the point.
    out : path, optional
        netCDF file to write. Finished cells are kept beside it in ``<out>.partial`` until it is complete,
        models that points share in ``<out>.models`` for good, and draws with `keep`.
    overwrite : bool
        Replace an existing file.
    resume : bool
        Go on from finished cells of the same scan, in ``<out>.partial`` or in an existing file, to which
        points, sizes, methods, draws or another seed are added, see `edgphys.scans.extending`. If False, such
        cells are an error unless `overwrite` drops them.
    n_samples : int
        Weighted samples of ``edg`` at each point, at least 2.
    edg : dict, optional
        Options of `EDG`, of its ``fit`` and of its ``sample`` (``n_steps``, ``batch_size``, ``device``, ...),
        and ``n_threads``, torch threads of a cell on the CPU, 1 by default; see `edgphys.methods.edg`. One
        model is trained for the range that the points cover, where they differ in nothing else; with
        ``per_point=True`` one for each point, with ``conditions={"temperature": (1.5, 3.5)}`` one for a
        range of your own, to which points may be added later.
    mcmc : dict, optional
        Options of `edgphys.mcmc.run` (``n_chains``, ``n_sweeps``, ``n_warmup``, ``thin``, ``n_threads``,
        ``options``), for ladders of `edgphys.free_energy`. Like `edg`, only with a method that takes them.
    observables : observable of one's own, function, or sequence of them, optional
        Measured on the draws of every method that has draws, see `edgphys.observable`; with `scheduler` they
        must reach its workers: functions of an installed module, or such as cloudpickle takes.
    keep : bool
        Keep the draws, with configurations and weights (of a ladder those of the system itself, of a bridge
        those of its chains): a file for each cell in the folder ``<out>.draws``; the attribute ``draws``
        names them by cell. Cells that are finished are not drawn again for it. Not with `scheduler`, whose
        workers need no disk of yours.
    progress : bool, optional
        Show a bar on stderr, and a line for each finished cell. None: only if stderr is a terminal.
    workers : int, optional
        Cells computed at a time, each in its own thread. Default: as many as there are CPUs for their
        threads; 1 if ``edg`` computes on a GPU. Results do not depend on it.
    scheduler : dask.distributed.Client, optional
        Compute the cells on its workers instead. Results do not depend on it.
    **couplings : float or sequence of float
        The values to scan; several couplings give their outer grid. Evenly spaced ones are taken without the
        rounding of ``numpy.linspace``; integers stay integers. Sizes of a lattice are the coupling
        ``extent``: integers, or one number for each axis, ``(16, 8)`` or ``"16x8"``, which `make_system` gets
        as a tuple, and whose label is the text. ``edg`` trains one model for each size.

    Returns
    -------
    xarray.Dataset
        Dims ``(method, <couplings>)``, float64; see the module docstring. Select a method with `edgphys.at`
        or ``table.sel({"method": "edg"})``: in ``table.sel(method="edg")`` xarray takes the word for its own
        argument, and selects nothing.

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
    FileTakenError
        If something else made or changed `out` meanwhile, and not `overwrite`: the table is beside it.

    Examples
    --------
    >>> import edgphys as ep, lattices                                                  # doctest: +SKIP
    >>> lattice = lattices.build("square", (8, 8))                                      # doctest: +SKIP
    >>> table = ep.scan(lambda t: ep.Ising(lattice, temperature=t), temperature=[2.0, 2.5, 3.0],
    ...                 methods=["wolff", "exact"], seed=0)                             # doctest: +SKIP
    >>> table["log_z"].sel({"method": "exact"})                                         # doctest: +SKIP
    """
    start = time.perf_counter()
    grid = Grid(couplings)
    made = make_methods(methods, n_samples, edg, mcmc)
    seed = _checks.seed(seed)
    check_workers(workers, scheduler)
    check_keep(keep, made, out, scheduler)
    path = None if out is None else check_target(out, "out")
    make = Maker(make_system, grid.names)
    systems = [make(point).observing(observables) for point in grid.points]
    check_methods(made, systems)
    check_sent(systems, scheduler)
    record = current()
    record.argument("make_system", SystemTable(grid.points, systems))
    there = study_in(path, overwrite, resume)
    at_points = planned(made, systems, grid.points, plan_beside(there, seed))
    attrs = describe(systems, grid, at_points, seed)
    cells = cells_wanted(at_points, grid.points, systems, seed)
    job = Job(cells, ScanProgress(progress), workers, scheduler, keep)

    def table_of(results: dict[Key, Result], attrs: dict[str, Any] = attrs) -> xr.Dataset:
        table = assemble(tuple(method.name for method in made), grid, results, attrs)
        record.settings = settings_of(results)
        table.attrs[ATTR] = record.text
        table.attrs["wall_time"] = time.perf_counter() - start
        return table

    if path is None:
        return table_of(job.run({}))
    plan = {
        "attrs": attrs | {ATTR: record.text},
        "methods": [method.name for method in made],
        "grid": grid.values,
    }
    return _into_file(path, there, job, plain_json(plan), table_of, overwrite, resume)


def _into_file(
    path: Path,
    there: xr.Dataset | None,
    job: Job,
    plan: dict[str, Any],
    table_of: Callable[..., xr.Dataset],
    overwrite: bool,
    resume: bool,
) -> xr.Dataset:
    """Go on from what is finished, keep what becomes so, write the table at the end."""
    from edgphys.dataset.files import write_or_keep

    partial, before, header = PartialScan(path), stamp(path), header_of(plan["attrs"])
    seed, done = plan["attrs"]["seed"], {}
    new = None if there is None else extension(there, job.wanted, seed, path)
    if there is not None and new is not None:
        found = finished_in_file(path, there, plan["attrs"], job.wanted, new.cells)
        new, done = (new, {}) if found is None else (None, found)
    if new is not None:
        job = replace(job, wanted=job.wanted | new.cells)
        done = {key: {} for key in job.wanted if key not in new.cells}
    drop = must_drop(partial, header, overwrite, resume)
    with partial.locked():
        if drop:
            partial.remove_cells()
        with partial.kept_if_begun():
            partial.open(header, plan)
            done |= {key: result for key, result in partial.cells().items() if key in job.wanted}
            results = job.run(done, partial)
            table = table_of(results) if new is None else _beside(there, new, results, plan, table_of)
        try:
            # A file that this scan has added to may be replaced, one that was made meanwhile may not.
            write_or_keep(table, path, overwrite or (before is not None and stamp(path) == before))
        except FileTakenError:
            partial.remove()
            raise
        partial.remove()
    return table


def _beside(
    there: Any, new: Extension, results: dict[Key, Result], plan: dict[str, Any], table_of: Callable
) -> xr.Dataset:
    """What is there, with what is new merged into it."""
    from edgphys.dataset.scan_merging import overlay

    tables = [
        table_of({key: results[key] for key, cell in new.cells.items() if cell.seed == seed}, attrs)
        for seed, attrs in new.attrs_by_seed(plan["attrs"]).items()
    ]
    merged = overlay([there, *tables])
    merged.attrs[ATTR] = tables[-1].attrs[ATTR]  # what was done last
    return merged
