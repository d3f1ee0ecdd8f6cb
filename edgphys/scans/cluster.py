# SPDX-License-Identifier: MIT
"""Cells of a scan on the workers of a dask cluster, which need nothing of the disk of the client.

    preparing of a method (a training)  -->  its cells, one task each        what depends on what
    the model, once, small results  -->  the client, which keeps both        what comes back

A worker that dies takes nothing along: dask gives its tasks to another, a training that is lost is repeated,
and all numbers follow from seeds. No more tasks wait than keep the workers busy, and a result that has come
back is forgotten there, so that the memory of a worker does not grow with the scan.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgphys._files import write_whole
from edgphys.errors import ArgumentValueError, ClusterError, EdgphysError
from edgphys.methods.base import AbstractMethod
from edgphys.scans.cell import Cell, Result, run_cell

__all__ = ["Shared", "cluster_client", "run_on_cluster"]

_PATIENCE = 5.0  # seconds until a scheduler must have answered
_AHEAD = 2  # tasks for each thread of the workers that are sent at a time
_ADDRESS = re.compile(r"\w+://.+:\d+")


@dataclass(frozen=True)
class Shared:
    """What the cells of a method share, to be prepared.

    Attributes
    ----------
    method : AbstractMethod
    systems : tuple of AbstractSystem
        Of all points.
    seed : numpy.random.SeedSequence
    checkpoint : str or None
        Where the client keeps the state of it; workers have none.
    """

    method: AbstractMethod
    systems: tuple[Any, ...]
    seed: Any
    checkpoint: str | None

    def prepare(self) -> Any:
        """The artefact, from what is kept if there is something."""
        return self.method.prepare(list(self.systems), self.seed, self.checkpoint)

    @property
    def kept(self) -> Path | None:
        """Where the finished artefact is kept, or is going to be."""
        return None if self.checkpoint is None else self.method.kept_at(self.checkpoint)


@contextmanager
def cluster_client(address: str | None, file: Path | None) -> Iterator[Any]:
    """A client of the scheduler that is named, None where none is.

    Parameters
    ----------
    address : str or None
        As ``tcp://host:8786``.
    file : Path or None
        That ``dask scheduler --scheduler-file`` has written, in place of the address.

    Raises
    ------
    ArgumentValueError
        If both are given, either is none, or the scheduler does not answer within five seconds.
    """
    if address is None and file is None:
        yield None
        return
    if address is not None and file is not None:
        words = f"scheduler must be left out with --scheduler-file, got {address!r}"
        raise ArgumentValueError(words, "scheduler")
    client = _connected(_address_in(file) if address is None else address)
    try:
        yield client
    finally:
        client.close(timeout=2)


def _address_in(file: Any) -> str:
    try:
        return str(json.loads(Path(file).read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        words = f"scheduler_file must be a file that dask scheduler --scheduler-file has written, got {file}"
        raise ArgumentValueError(f"{words} ({type(error).__name__})", "scheduler_file") from error


def _connected(address: str) -> Any:
    allowed = "scheduler must be the address of a dask scheduler, as tcp://host:8786"
    if not _ADDRESS.fullmatch(address):
        raise ArgumentValueError(f"{allowed}, got {address!r}", "scheduler")
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says comes as one line from here
    try:
        return Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:  # of the net; of memory too, if what another kind of server says is a size
        came = f"{address!r}, where none answers within {_PATIENCE:.0f} s"
        raise ArgumentValueError(f"{allowed}, got {came}", "scheduler") from error


def run_on_cluster(
    client: Any, shared: Mapping[Any, Shared], cells: Sequence[tuple[Any, Cell]]
) -> Generator[tuple[Any, Result], None, None]:
    """Results of cells as they come.

    Parameters
    ----------
    client : distributed.Client
    shared : mapping
        What is to be prepared, by `Cell.shared`.
    cells : sequence of (key, Cell)

    Yields
    ------
    (key, result)

    Raises
    ------
    ClusterError
        If the cluster is lost, a task has killed several workers, or a worker has no or another edgphys.
    EdgphysError, ValueError, TypeError
        What a cell raises.
    """
    tasks = _Tasks(client, dict(shared), cells)
    try:
        yield from tasks.results()
    finally:
        client.cancel([*tasks.running, *tasks.artefacts.values()])


class _Tasks:
    """Tasks on the cluster, and what is to be sent when there is room."""

    def __init__(self, client: Any, shared: dict[Any, Shared], cells: Sequence[tuple[Any, Cell]]) -> None:
        self.client, self.shared = client, shared
        self.waiting: dict[Any, list[tuple[Any, Cell]]] = {name: [] for name in shared}
        for key, cell in cells:
            self.waiting[cell.shared].append((key, cell))
        self.ready: deque[tuple[Any, Cell]] = deque()
        self.artefacts: dict[Any, Any] = {}  # futures, which dask follows through its workers
        self.running: dict[Any, tuple[str, Callable[[Any], tuple[Any, Result] | None]]] = {}

    def results(self) -> Generator[tuple[Any, Result], None, None]:
        from distributed import as_completed

        self.coming = as_completed(loop=self.client.loop)
        for name, one in self.shared.items():
            self._begin(name, one)
        self._fill()
        for future in self.coming:
            about, take = self.running.pop(future)
            found = take(_value(future, about))
            future.release()
            self._fill()
            if found is not None:
                yield found

    def _begin(self, name: Any, one: Shared) -> None:
        """Prepare what cells share, by a task, or take what was kept of an earlier run."""
        is_kept = one.kept is not None and one.kept.exists()
        work = (
            (_given, one.prepare()) if is_kept else (_prepared, _version(), one.method, one.systems, one.seed)
        )
        future = self.artefacts[name] = self.client.submit(*work, pure=False)
        packed = self.client.submit(_packed, one.method, future, not is_kept, pure=False)

        def take(content: bytes | None) -> None:
            if content is not None and one.kept is not None:
                write_whole(one.kept, lambda path: path.write_bytes(content))
            self.ready.extend(self.waiting.pop(name))

        self._follow(packed, f"preparing {one.method.name}", take)

    def _fill(self) -> None:
        """Send cells as long as there is room."""
        room = max(4, _AHEAD * sum(self.client.nthreads().values())) - len(self.running)
        for _ in range(min(max(room, 0), len(self.ready))):
            key, cell = self.ready.popleft()
            # Impure: a result that dask remembers from an earlier call must not stand in for this one.
            future = self.client.submit(_computed, _version(), cell, self.artefacts[cell.shared], pure=False)
            self._follow(future, f"{cell.method.name} at {key[-1]}", lambda result, key=key: (key, result))

    def _follow(self, future: Any, about: str, take: Callable[[Any], Any]) -> None:
        self.running[future] = about, take
        self.coming.add(future)


def _value(future: Any, about: str) -> Any:
    """The result of a task; one line where there is none."""
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise ClusterError(f"the cluster was lost while computing {about}; what is finished is kept")
    try:
        return future.result()
    except EdgphysError:
        raise
    except KilledWorker as error:
        words = f"computing {about} has killed its worker several times, for lack of memory perhaps"
        raise ClusterError(f"{words}; what is finished is kept") from error
    except (ImportError, OSError) as error:
        raise ClusterError(f"a worker cannot compute {about}: {type(error).__name__}: {error}") from error


def _version() -> str:
    import edgphys

    return edgphys.__version__


def _check_version(version: str) -> None:
    if version != _version():
        raise ClusterError(f"workers must have edgphys {version}, as the client has, got {_version()}")


# ----------------------------------------------------------------------------------------- on the workers


def _given(artefact: Any) -> Any:
    return artefact


def _prepared(version: str, method: AbstractMethod, systems: Sequence[Any], seed: Any) -> Any:
    _check_version(version)
    return method.prepare(list(systems), seed, None)


def _packed(method: AbstractMethod, artefact: Any, is_wanted: bool) -> bytes | None:
    """The finished artefact as the content of the file in which the client keeps it."""
    return method.packed(artefact) if is_wanted else None


def _computed(version: str, cell: Cell, artefact: Any) -> Result:
    _check_version(version)
    return run_cell(cell, artefact, None)
