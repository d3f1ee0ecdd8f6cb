# SPDX-License-Identifier: MIT
"""Configurations of a Monte Carlo dataset, if they are those of the system: what is learned or judged by."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys.dataset.padding import drawn
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems.base import AbstractSystem

__all__ = ["reference_configurations"]

# Lattices of one shape may differ in the first and the last of these.
_GEOMETRY = ("lattice", "extent", "pbc")


def reference_configurations(reference: Any, system: AbstractSystem) -> NDArray:
    """Those of the reference, shape (n_chains, n_draws, *event_shape), if they are of the system."""
    if not isinstance(reference, xr.Dataset):
        raise ArgumentTypeError(
            f"reference must be an xarray.Dataset of samples, got {type(reference).__name__}", "reference"
        )

    def refused(what: str) -> ArgumentValueError:
        return ArgumentValueError(f"reference must {what}", "reference")

    if "configurations" not in reference:
        raise refused("have the variable configurations (run with keep=True), got none")
    found = reference["configurations"]
    if not {"chain", "draw"} <= set(found.dims):
        raise refused(f"have the dims (chain, draw, ...) of Markov chains, got {found.dims}")
    there = drawn(reference, ("chain", "draw"))
    if not there.all():
        n_draws = there.sum(axis=1)
        raise refused(f"have chains of equal length, got {min(n_draws)} to {max(n_draws)} draws")
    values = found.transpose("chain", "draw", ...).to_numpy()
    if not np.isfinite(values).all():
        n_bad = int((~np.isfinite(values)).sum())
        raise refused(f"have finite configurations, got {n_bad} numbers that are not")
    if values.shape[2:] != system.event_shape:
        raise refused(f"have configurations of shape {system.event_shape}, got {values.shape[2:]}")
    of = [reference.attrs.get(name) for name in ("system", "parameters")]
    if of != [system.name, json.dumps(system.parameters)]:
        raise refused(f"be of {system!r}, got samples of {of[0]} with parameters {of[1]}")
    shape = system.attrs()
    for name in _GEOMETRY:
        if name in shape and not np.array_equal(reference.attrs.get(name, shape[name]), shape[name]):
            raise refused(f"be on a lattice with {name} {shape[name]}, got {reference.attrs[name]}")
    return values
