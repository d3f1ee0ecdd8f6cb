# SPDX-License-Identifier: MIT
"""The cells of a scan, computed one after the other, in threads, or on the workers of a cluster."""

from __future__ import annotations

import filecmp
import functools
import shutil
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgphys._files import write_whole
from edgphys._progress import foreseen_by, reporting_to
from edgphys._threads import cpu_count, kept_torch_threads
from edgphys.dataset.cell_names import point_words
from edgphys.methods.base import AbstractMethod
from edgphys.scans.cell import Cell, Result, run_cell
from edgphys.scans.cluster import Shared, run_on_cluster
from edgphys.scans.grid import Key
from edgphys.scans.partial_results import PartialScan
from edgphys.scans.points import point_label, seed_sequence
from edgphys.scans.progress import ScanProgress
from edgphys.scans.sizes import Label, group_of
from edgphys.scans.workers import run_in_threads

__all__ = ["Job", "cells_wanted", "keys_of"]

_Results = Generator[tuple[Key, Result], None, None]
_Task = tuple[Key, Cell, Any, str | None]  # key, and the arguments of `run_cell`


def keys_of(methods: Sequence[str], points: Sequence[dict[str, Label]]) -> list[Key]:
    """Keys of all cells of a scan, the points of the first method first."""
    return [(method, point_words(point)) for method in methods for point in points]


def cells_wanted(
    methods: Sequence[tuple[AbstractMethod, ...]],
    points: Sequence[dict[str, Label]],
    systems: Sequence[Any],
    seed: int,
) -> dict[Key, Cell]:
    """All cells of a scan by key, the points of the first method first; `methods` are those of each point."""
    return {
        (method.name, point_words(point)): Cell(method, system, point, seed)
        for of_method in zip(*methods, strict=True)
        for method, point, system in zip(of_method, points, systems, strict=True)
    }


def _copy_model(own: Path, kept: Path) -> None:
    """A model that an earlier scan has kept stands where a training looks for its own; a new one is kept."""
    if kept.exists() and not own.exists():
        shutil.copyfile(kept, own)
    elif own.exists() and not (kept.exists() and filecmp.cmp(own, kept, shallow=False)):
        kept.parent.mkdir(exist_ok=True)
        write_whole(kept, lambda path: shutil.copyfile(own, path))


def _draws_of(cell: Cell, partial: PartialScan) -> Path:
    about = {"point": point_words(cell.point), "seed": cell.seed, "settings": cell.method.settings()}
    return partial.draws_of(cell.method.name, point_label(cell.point), about)


@dataclass(frozen=True)
class Job:
    """The cells of a scan and how to compute them.

    Attributes
    ----------
    wanted : dict
        Cells by key.
    progress : ScanProgress
    workers : int or None
        Cells at a time; None: as many as there are CPUs for.
    scheduler : dask.distributed.Client or None
    keep : bool
        Whether draws are kept beside the file.
    """

    wanted: dict[Key, Cell]
    progress: ScanProgress
    workers: int | None
    scheduler: Any
    keep: bool = False

    def run(self, done: dict[Key, Result], partial: PartialScan | None = None) -> dict[Key, Result]:
        """`done` with the cells that it lacks, each kept in `partial` as soon as it is finished."""
        todo = {key: cell for key, cell in self.wanted.items() if key not in done}
        done = dict(done)
        with self.progress:
            self.progress.plan(self._plans())
            left = Counter(name for name, _ in todo)
            self.progress.begin(
                len(self.wanted), len(self.wanted) - len(todo), left, self._n_workers(len(todo))
            )
            if self.scheduler is None:
                found = self._results(todo, self._prepare(todo, partial), partial)
            else:
                found = self._on_cluster(todo, partial)
            with closing(found) as results:
                for key, result in results:
                    done[key] = result
                    if partial is not None:
                        partial.add(*key, result)
                    label, seconds = point_label(todo[key].point), result["values"]["wall_time"]
                    self.progress.finish(key[0], label, seconds)
        self._shared(todo, partial)  # keeps what was trained
        return done

    def _results(
        self, todo: dict[Key, Cell], artefacts: dict[Key, Any], partial: PartialScan | None
    ) -> _Results:
        """Results of the cells of `todo` in the order in which they are finished."""
        n_workers = self._n_workers(len(todo))
        if n_workers > 1:
            todo = {key: replace(cell, method=cell.method.beside_others()) for key, cell in todo.items()}
        if self.keep and partial is not None:
            todo = {key: replace(cell, draws=_draws_of(cell, partial)) for key, cell in todo.items()}
        tasks = [
            (key, cell, artefacts[cell.shared], None if partial is None else partial.checkpoint(*key))
            for key, cell in todo.items()
        ]
        return self._in_turn(tasks) if n_workers == 1 else self._at_once(tasks, n_workers)

    def _plans(self) -> dict[str, str]:
        """What methods are going to prepare, once for each size."""
        plans: dict[str, dict[str, set[Key]]] = {}
        for cell in self.wanted.values():
            of_method = plans.setdefault(cell.method.name, {})
            of_method.setdefault(cell.method.plan, set()).add(cell.shared)
        return {
            name: "; ".join(f"{words} for each of {len(keys)} sizes" if len(keys) > 1 else words
                            for words, keys in of_method.items() if words)
            for name, of_method in plans.items()
        }  # fmt: skip

    def _prepare(self, todo: dict[Key, Cell], partial: PartialScan | None) -> dict[Key, Any]:
        """What the points of each method share, those of one size."""
        artefacts = {}
        for (name, size), shared in self._shared(todo, partial).items():
            with self.progress.preparing(name, size):
                artefacts[name, size] = shared.prepare()
        return artefacts

    def _shared(self, todo: dict[Key, Cell], partial: PartialScan | None) -> dict[Key, Shared]:
        """What is to be prepared for cells, from all points of their methods and sizes, finished or not."""
        wanted = {cell.shared for cell in todo.values()}
        cells: dict[Key, list[Cell]] = {}
        for cell in self.wanted.values():
            if cell.shared in wanted:
                cells.setdefault(cell.shared, []).append(cell)
        shared = {}
        for (name, size), every in cells.items():
            first, about = every[0], f"all {size}" if size else ""
            of_scan = first.seed if first.trained_by is None else first.trained_by
            seed = seed_sequence(of_scan, f"{name} all" if size else name, group_of(first.point))
            checkpoint = None if partial is None else partial.checkpoint(name, about)
            systems = tuple(cell.system for cell in every)
            shared[name, size] = Shared(first.method, systems, seed, checkpoint)
            training = first.method.training()
            if partial is not None and checkpoint is not None and training is not None:
                own = Path(checkpoint).with_suffix(".model")
                _copy_model(own, partial.model(name, size, of_scan, training))
        return shared

    def _n_workers(self, n_cells: int) -> int:
        n_workers = self.workers
        if self.scheduler is not None:
            n_workers = sum(self.scheduler.nthreads().values())
        elif n_workers is None:
            methods = {key[0]: cell.method for key, cell in self.wanted.items()}
            n_workers = min(method.cells_at_once(cpu_count()) for method in methods.values())
        return max(1, min(n_workers, n_cells))

    def _in_turn(self, tasks: list[_Task]) -> _Results:
        for key, cell, *rest in tasks:
            self._started(cell)
            yield key, self._heard(cell, *rest)

    def _at_once(self, tasks: list[_Task], n_workers: int) -> _Results:
        calls = [((key, cell), functools.partial(self._heard, cell, *rest)) for key, cell, *rest in tasks]
        # closing: whoever leaves this generator waits until the workers have stopped
        started = lambda about: self._started(about[1])  # noqa: E731
        # Workers set torch's threads for themselves, and by the way what threads begun later start with. A
        # method that computes with torch has imported it by now.
        with kept_torch_threads(), closing(run_in_threads(calls, n_workers, started)) as results:
            for (key, _), result in results:
                yield key, result

    def _on_cluster(self, todo: dict[Key, Cell], partial: PartialScan | None) -> _Results:
        self.progress.start("dask", f"{len(todo)} cells")
        cells = [(key, replace(cell, method=cell.method.beside_others())) for key, cell in todo.items()]
        return run_on_cluster(self.scheduler, self._shared(todo, partial), cells)

    def _heard(self, cell: Cell, artefact: Any, checkpoint: str | None) -> Result:
        """The result of a cell, which tells the bar of the scan how far it is."""
        name = cell.method.name
        listener = self.progress.listener(name, point_label(cell.point))
        foresee = functools.partial(self.progress.foresee, name)
        with reporting_to(listener), foreseen_by(foresee):
            return run_cell(cell, artefact, checkpoint)

    def _started(self, cell: Cell) -> None:
        self.progress.start(cell.method.name, point_label(cell.point))
