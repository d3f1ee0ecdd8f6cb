# SPDX-License-Identifier: MIT
"""Make one tiny dataset of the current schema, kept so that later versions can be tested on it.

Run ``python tests/data/make.py`` from the root of the repository when the schema number goes up; files of
older schemas stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from edgphys import dataset

__all__ = ["make"]


def make() -> xr.Dataset:
    """Sixteen weighted draws of four free spins at temperature 2: every weight is Z = 16."""
    spins = np.random.default_rng(0).choice([-1, 1], size=(16, 4)).astype(np.int8)
    m = spins.mean(axis=1, dtype=np.float64)
    draws = {
        "energy": np.zeros(16),
        "magnetization": m,
        "abs_magnetization": np.abs(m),
        "magnetization_2": m**2,
        "magnetization_4": m**4,
        "correlator_zero": 4 * m**2,
        "reduced_energy": np.zeros(16),
        "log_weight_joint": np.full(16, np.log(16.0)),
    }
    attrs = dict(
        schema_version=dataset.SCHEMA_VERSION,
        kind="samples",
        method="edg",
        system="ising",
        lattice="chain",
        extent=[4],
        pbc=[1],
        parameters=json.dumps({"temperature": 2.0, "coupling": 0.0, "field": 0.0}),
        n_sites=4,
        temperature=2.0,
        beta=0.5,
        z2_symmetric=1,
        linear_size=4.0,
        definitions=json.dumps({"energy": "H = -J sum s s - h sum s, total"}),
        seed=0,
        wall_time=0.25,
        n_energy_calls=16,
        n_gradient_calls=0,
        settings=json.dumps({"n_path_steps": 8}),
        versions=json.dumps({"edgphys": "0.1.0"}),
        created="2026-01-01T00:00:00+00:00",
    )
    data = {name: ("draw", values) for name, values in draws.items()}
    return xr.Dataset(data | {"configurations": (("draw", "x"), spins)}, attrs=attrs)


if __name__ == "__main__":
    folder = Path(__file__).parent
    print(dataset.write(make(), folder / f"samples_schema_{dataset.SCHEMA_VERSION}.nc", overwrite=True))
