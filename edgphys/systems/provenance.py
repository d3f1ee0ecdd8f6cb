# SPDX-License-Identifier: MIT
"""The attributes that every dataset of samples carries: what was sampled, how, with which seed, at what cost.

Built in one place, so that all methods write the same names. Values are plain str, int, float and lists of
int, or JSON text: what netCDF can hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from edgphys.systems.base import AbstractSystem
from lattices import Lattice

__all__ = ["SCHEMA_VERSION", "configuration_dims", "package_versions", "sample_attrs", "site_dims"]

SCHEMA_VERSION = 1

_PACKAGES = ("edgphys", "torch", "numpy", "scipy", "numba", "netket", "xarray")


def site_dims(lattice: Lattice) -> tuple[str, ...]:
    """Names of the dimensions of one configuration: x, y, z, t, and ``basis`` if a cell has several sites."""
    return ("x", "y", "z", "t")[: len(lattice.extent)] + ("basis",) * (
        len(lattice.shape) - len(lattice.extent)
    )


def configuration_dims(system: AbstractSystem) -> tuple[str, ...]:
    """Names of the dimensions of one configuration of `system`."""
    return site_dims(system.lattice)


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on; "not installed" for a source tree without metadata."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def sample_attrs(
    system: AbstractSystem,
    *,
    method: str,
    seed: int,
    wall_time: float,
    settings: Mapping[str, Any],
    n_energy_calls: int,
    n_gradient_calls: int,
) -> dict[str, str | int | float | list[int]]:
    """Attributes of a dataset of samples of `system`.

    Parameters
    ----------
    system : AbstractSystem
        What was sampled.
    method : str
        "edg", "edg_chain", "metropolis", "wolff", "hmc" or "embedded_wolff".
    seed : int
        The seed that the run was given.
    wall_time : float
        Seconds.
    settings : mapping
        Settings of the method, JSON-serialisable.
    n_energy_calls, n_gradient_calls : int
        Evaluations of the energy and its gradient, counted per configuration.

    Returns
    -------
    dict
        `schema_version`, `kind`, `method`, `system`, `lattice`, `extent`, `pbc`, `parameters` (JSON),
        `n_sites`, `temperature`, `beta`, `z2_symmetric` (0 or 1), `linear_size` (geometric mean of the
        extents), `definitions` (JSON), `seed`, `wall_time`, `n_energy_calls`, `n_gradient_calls`, `settings`
        (JSON), `versions` (JSON), `created` (ISO 8601, UTC).

    Raises
    ------
    TypeError
        If a setting cannot be written as JSON.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 9)), temperature=2.0)
    >>> attrs = sample_attrs(
    ...     system, method="wolff", seed=1, wall_time=0.5, settings={}, n_energy_calls=0, n_gradient_calls=0
    ... )
    >>> attrs["linear_size"], attrs["extent"], attrs["z2_symmetric"]
    (6.0, [4, 9], 1)
    """
    lattice = system.lattice
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "samples",
        "method": method,
        "system": system.name,
        "lattice": lattice.name,
        "extent": [int(length) for length in lattice.extent],
        "pbc": [int(periodic) for periodic in lattice.pbc],
        "parameters": json.dumps(system.parameters),
        "n_sites": int(system.n_sites),
        "temperature": float(system.temperature),
        "beta": float(system.beta),
        "z2_symmetric": int("z2" in system.symmetries),
        # Rounded: 216 ** (1/3) is not 6 in floating point.
        "linear_size": round(math.prod(lattice.extent) ** (1.0 / len(lattice.extent)), 12),
        "definitions": json.dumps(system.definitions),
        "seed": int(seed),
        "wall_time": float(wall_time),
        "n_energy_calls": int(n_energy_calls),
        "n_gradient_calls": int(n_gradient_calls),
        "settings": json.dumps(dict(settings)),
        "versions": json.dumps(package_versions()),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
