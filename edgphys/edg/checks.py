# SPDX-License-Identifier: MIT
"""Checks of what a caller hands to `EDG`: one line that names the argument, what is allowed and what came."""

from __future__ import annotations

import numbers
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgphys.errors import TrainingError, UnknownNameError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["check_energy", "choice", "count", "device_of", "folder_of", "positive", "share", "size"]


def count(value: Any, name: str, least: int) -> int:
    """`value` as an int, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value}")
    if value >= 2**63:
        raise ValueError(f"{name} must be an integer below 2^63, got {value}")
    return int(value)


def size(value: Any, name: str) -> tuple[int, int]:
    """`value` as two positive ints."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be two integers (channels, blocks), got {value!r}")
    return count(value[0], name, 1), count(value[1], name, 1)


def positive(value: Any, name: str) -> float:
    """`value` as a float above zero."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def share(value: Any, name: str) -> float:
    """`value` as a float from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return float(value)


def choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """`value` if it is one of `allowed`."""
    if value not in allowed:
        raise UnknownNameError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def device_of(device: str | torch.device | None) -> torch.device:
    """The device of that name; of None a GPU when there is one."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be one that torch has here, got {device!r}") from error
    return chosen


def folder_of(path: Path, name: str) -> Path:
    """`path` if the folder it is to lie in exists."""
    if not path.parent.is_dir():
        raise ValueError(f"{name}: the folder {path.parent} does not exist")
    return path


def check_energy(system: AbstractSystem) -> None:
    """What the system hands back, checked once: shape and finiteness of the energy."""
    if isinstance(system, AbstractLatticeSystem):
        x = torch.zeros(2, system.n_sites)
        x[1] = 0.5
        x = x.reshape(2, *system.event_shape)
    else:
        x = torch.from_numpy(system.random_configurations(2, np.random.default_rng(0)))
    energy = system.reduced_energy(x)
    if not isinstance(energy, Tensor) or energy.shape != (2,):
        shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise TrainingError(f"reduced_energy of {system.name} must give shape (n_batch,) = (2,), got {shape}")
    if not bool(torch.isfinite(energy).all()):
        raise TrainingError(f"reduced_energy of {system.name} must be finite, got {energy.tolist()}")
