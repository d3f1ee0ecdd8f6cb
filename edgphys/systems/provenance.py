# SPDX-License-Identifier: MIT
"""The attributes that every dataset of samples carries: what was sampled, how, with which seed, at what cost.

Built in one place, so that all methods write the same names. Values are plain str, int, float and lists of
int, or JSON text: what netCDF can hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from edgphys.recording.machine import package_versions
from edgphys.systems.base import AbstractSystem

__all__ = ["sample_attrs"]


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
        "edg", "edg_chain", or the name of an algorithm of `edgphys.mcmc`.
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
        `schema_version`, `kind`, `method`, `system`, `parameters` (JSON), `temperature`, `beta`,
        `definitions` (JSON), `seed`, `wall_time`, `n_energy_calls`, `n_gradient_calls`, `settings` (JSON),
        `versions` (JSON), `created` (ISO 8601, UTC). On a lattice also `lattice`, `extent`, `pbc`, `n_sites`,
        `z2_symmetric` (0 or 1), `linear_size` (geometric mean of the extents), unless an axis is open
        `lattice_momenta` (`lattices.momenta.lattice_momenta`), and of an antiferromagnet
        `sublattices_alike` (0 or 1: whether the staggered magnetization averages to 0); otherwise
        `n_variables` and, in JSON, the system's `observables` and `basins`.

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
    from edgphys.dataset.schema import SCHEMA_VERSION  # with xarray, which no list of systems needs

    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "samples",
        "method": method,
        **system.attrs(),
        "seed": int(seed),
        "wall_time": float(wall_time),
        "n_energy_calls": int(n_energy_calls),
        "n_gradient_calls": int(n_gradient_calls),
        "settings": json.dumps(dict(settings)),
        "versions": json.dumps(package_versions()),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
