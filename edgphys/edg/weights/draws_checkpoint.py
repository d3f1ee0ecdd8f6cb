# SPDX-License-Identifier: MIT
"""The file from which draws of a generator go on after a kill, to the same bits.

It holds what was drawn so far, in columns (configurations only where they are kept), and all that the next
batch depends on: random numbers, the draws chosen to be sent back, the spread of the views, the ladder of the
annealing; besides counts and seconds. It is taken between two batches and replaced in one step.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgphys._files import check_target, state_held
from edgphys.edg.call_options import SampleOptions
from edgphys.edg.core.archive import write_archive
from edgphys.edg.trained import TrainedModel
from edgphys.errors import DatasetError

__all__ = ["DrawsCheckpoint", "identity_of", "kept_draws"]

_VERSION = 1
_PERIOD = 30.0  # seconds between two writings; work lost at most, up to a batch
_LARGEST_SHARE = 0.05  # of the time, for writing


def identity_of(
    trained: TrainedModel, options: SampleOptions, n_samples: int, seed: int, keep: bool
) -> dict[str, Any]:
    """What a checkpoint of draws belongs to, as JSON types; of the weights of the model their digest."""
    about = {"draws": "edg", "n_samples": n_samples, "seed": seed, "keep": keep, **asdict(options)}
    about |= {"model": _digest(trained.model.state_dict()), "device": trained.model.device.type}
    own = [[one.name, one.definition, one.unit] for one in trained.system.own_observables]
    about |= ({"observables": own} if own else {}) | trained.system.identity()
    return json.loads(json.dumps(about))


def _digest(weights: Mapping[str, Any]) -> str:
    total = hashlib.sha256()
    for name, value in weights.items():
        if not name.endswith("_extra_state"):  # counters
            total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]


@contextmanager
def kept_draws(
    path: str | Path | None, trained: TrainedModel, options: SampleOptions, *of_call: Any
) -> Iterator[DrawsCheckpoint | None]:
    """The checkpoint at `path` of a call with `n_samples`, `seed`, `keep`, written if that is stopped.

    None without a path.
    """
    if path is None:
        yield None
        return
    path = check_target(path, "checkpoint")
    with state_held(path):
        store = DrawsCheckpoint(path, identity_of(trained, options, *of_call))
        try:
            yield store
        except BaseException:
            store.stopped()
            raise


class DrawsCheckpoint:
    """Checkpoint of one call of `EDG.sample`.

    Parameters
    ----------
    path : Path
    identity : dict
        See `identity_of`. A file of other draws is refused.

    Attributes
    ----------
    found : dict or None
        What the file held when this call began.
    earlier_time : float
        Seconds of the calls that were stopped before, up to their last writing.

    Raises
    ------
    DatasetError
        If the file is damaged or of other draws.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self._path, self._identity = path, identity
        self.found = self._read() if self._path.exists() else None
        self.earlier_time = 0.0 if self.found is None else float(self.found["seconds"])
        self._state: dict[str, Any] | None = None
        self._begin = self._last = time.monotonic()
        self._cost = 0.0

    def remember(self, state: dict[str, Any]) -> None:
        """Take the state after a batch; write the file if the last time is long ago."""
        self._state = state | {"seconds": self.earlier_time + time.monotonic() - self._begin}
        if time.monotonic() - self._last > max(_PERIOD, self._cost / _LARGEST_SHARE):
            self._write()

    def stopped(self) -> None:
        """Write what is not written yet."""
        if self._state is not None:
            self._write()

    def _write(self) -> None:
        begin = time.monotonic()
        write_archive(
            self._path, {"version": _VERSION, "identity": self._identity, "state": _packed(self._state)}
        )
        self._last = time.monotonic()
        self._cost, self._state = self._last - begin, None

    def _read(self) -> dict[str, Any]:
        try:
            content = torch.load(self._path, map_location="cpu", weights_only=True)
            there, state = {"version": content["version"], **content["identity"]}, content["state"]
        except Exception as error:  # torch has many
            raise DatasetError(
                f"checkpoint: {self._path} cannot be read ({type(error).__name__}); remove it", "checkpoint"
            ) from error
        here = {"version": _VERSION, **self._identity}
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                raise DatasetError(
                    f"checkpoint: {self._path} belongs to draws with {name} = {there.get(name)!r}, "
                    f"got {here.get(name)!r}; name another file or remove it",
                    "checkpoint",
                )
        return state


def _packed(value: Any) -> Any:
    """As torch reads it without running code: arrays as tensors, a list of them as one."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {name: _packed(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        parts = [_packed(one) for one in value]
        if isinstance(value, list) and parts and all(isinstance(one, Tensor) for one in parts):
            return [torch.cat(parts)]
        return type(value)(parts)
    return value
