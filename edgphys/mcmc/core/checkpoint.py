# SPDX-License-Identifier: MIT
"""The file from which a killed run of Markov chains goes on to the same bits.

It holds, for each chain, the configuration, the state of the random numbers, the counters, the memory of the
warm-up, and everything drawn so far; all taken between two pieces, so that each chain is consistent in
itself. The file is replaced in one step: whenever the process dies, there is an old or a new one.
"""

from __future__ import annotations

import json
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgphys._files import beside, check_target, write_whole
from edgphys.dataset.json_text import parsed
from edgphys.errors import DatasetError
from edgphys.mcmc.core.kept_draws import InMemory, OnDisk

__all__ = ["Checkpoint", "Temporary", "kept_beside", "path_of", "read_arrays", "write_arrays"]

_VERSION = 1
_PERIOD = 30.0  # seconds between two writings; work lost at most, up to a piece
_STATE = ("configuration", "rng", "counts", "tuning")


@dataclass(frozen=True)
class Temporary:
    """A path for a checkpoint that nobody wants once the run is complete: it is not written at the end."""

    path: str | Path


def path_of(checkpoint: str | Path | Temporary) -> Path:
    """Where the checkpoint is, or is to be.

    Raises
    ------
    DatasetError
        If the folder does not exist.
    """
    path = checkpoint.path if isinstance(checkpoint, Temporary) else checkpoint
    return check_target(path, "checkpoint")


class Checkpoint:
    """Checkpoint of the chains of one run.

    Parameters
    ----------
    path : path or Temporary
        File name; its folder must exist.
    identity : dict
        What the run is, JSON-serialisable. A file of another run is refused.

    Attributes
    ----------
    path : Path
    keeps_result : bool
        Whether it is to be written at the end too.

    Raises
    ------
    DatasetError
        If the folder does not exist.
    """

    def __init__(self, path: str | Path | Temporary, identity: dict) -> None:
        self.keeps_result = not isinstance(path, Temporary)
        self.path = path_of(path)
        self._identity = json.loads(json.dumps(identity))
        self._lock = threading.Lock()
        self._parts: dict[int, dict[str, np.ndarray]] = {}
        self._last = self._begin = time.monotonic()

    def begin(self, work) -> None:
        """Put `work` where the file left it, if there is one; remember its start otherwise."""
        self._work = work
        if self.path.exists():
            self._restore(read_arrays(self.path, self._identity))
        for c in range(len(work.states)):
            self._parts[c] = self._part(c)

    def remember(self, c: int) -> None:
        """Take the state of chain `c` as it is now; write the file if the last time is long ago."""
        part = self._part(c)
        with self._lock:
            self._parts[c] = part
            due = time.monotonic() - self._last > _PERIOD
        if due:
            self.write()

    def write(self) -> None:
        """Replace the file by one with what is remembered."""
        with self._lock:
            arrays = {f"{name}_{c}": array for c, part in self._parts.items() for name, array in part.items()}
            for c, part in self._parts.items():
                members, n_draws = self._work.members[c], int(part["done"][1])
                arrays[f"rows_{c}"] = self._work.rows[members, :n_draws]
                arrays[f"own_{c}"] = self._work.own[members, :n_draws]
                kept = self._work.kept.saved(members, n_draws)
                arrays |= {} if kept is None else {f"kept_{c}": kept}
            arrays["time"] = np.array(self._work.time_before + time.monotonic() - self._begin)
            write_arrays(self.path, self._identity, arrays)
            self._last = time.monotonic()

    def _part(self, c: int) -> dict[str, np.ndarray]:
        state = self._work.states[c]
        return {name: getattr(state, name).copy() for name in _STATE} | {"done": np.array(self._work.done[c])}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        work = self._work
        for c, state in enumerate(work.states):
            for name in _STATE:
                setattr(state, name, arrays[f"{name}_{c}"])
            work.done[c] = [int(n) for n in arrays[f"done_{c}"]]
            n_draws = work.done[c][1]
            if n_draws > work.plan.n_draws:
                raise ValueError(
                    f"n_sweeps must be at least the {n_draws * work.plan.thin} in {self.path}, "
                    f"got {work.plan.n_sweeps}"
                )
            work.rows[work.members[c], :n_draws] = arrays[f"rows_{c}"]
            if work.own.size:
                work.own[work.members[c], :n_draws] = arrays[f"own_{c}"]
            if work.plan.keep:
                _restore_kept(work.kept, work.members[c], n_draws, arrays.get(f"kept_{c}"))
        work.time_before = float(arrays["time"])


def _restore_kept(kept: InMemory | OnDisk, members: slice, n_draws: int, arrays: np.ndarray | None) -> None:
    """What the checkpoint carries, or what is on disk beside it."""
    if arrays is not None:
        kept.put(members, slice(0, n_draws), arrays)
    else:
        kept.saved(members, n_draws)


def write_arrays(path: Path, identity: dict, arrays: dict[str, Any]) -> None:
    """Write arrays and the identity of their run; the file at `path` is old or new, never half.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    header = np.frombuffer(json.dumps({"version": _VERSION, **identity}).encode(), np.uint8)

    def write(partial: Path) -> None:
        with open(partial, "wb") as file:
            np.savez(file, header=header, **arrays)

    write_whole(path, write)


def read_arrays(path: Path, identity: dict) -> dict[str, np.ndarray]:
    """Arrays of a checkpoint of the run with this identity.

    Raises
    ------
    DatasetError
        If the file is damaged or belongs to another run; the message names the first difference.
    """
    try:
        with open(path, "rb") as raw, np.load(raw) as file:
            arrays = {name: file[name] for name in file.files}
        header = parsed(arrays.pop("header").tobytes(), {})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"checkpoint: {path} cannot be read ({type(error).__name__}); remove it", "checkpoint"
        ) from error
    wanted = {"version": _VERSION, **identity}
    for name in sorted(wanted.keys() | header.keys()):
        if header.get(name) != wanted.get(name):
            raise DatasetError(
                f"checkpoint: {path} belongs to a run with {name} = {header.get(name)!r}, "
                f"got {wanted.get(name)!r}; name another file or remove it",
                "checkpoint",
            )
    return arrays


def kept_beside(
    checkpoint: str | Path | Temporary, word: str, identity: dict, find: Callable[[], dict[str, Any]]
) -> tuple[dict[str, np.ndarray], float]:
    """What `find` gives, kept beside the checkpoint; from there, if a run that was stopped has kept it.

    Returns
    -------
    arrays : dict
    seconds : float
        That the run before took to find them; 0 if they are found here.

    Raises
    ------
    DatasetError
        As `read_arrays`.
    """
    path, begin = beside(path_of(checkpoint), word), time.perf_counter()
    identity = json.loads(json.dumps(identity))
    if path.exists():
        arrays = read_arrays(path, identity)
        return arrays, float(arrays["seconds"])
    if path_of(checkpoint).exists():  # without what is kept before it: the state of something else
        read_arrays(path_of(checkpoint), identity)
    arrays = find()
    write_arrays(path, identity, arrays | {"seconds": np.array(time.perf_counter() - begin)})
    return arrays, 0.0
