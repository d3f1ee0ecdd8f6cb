# SPDX-License-Identifier: MIT
"""Small datasets of schema 1: weighted draws, chains, exact results."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from edgphys.estimators import estimates_from_exact

__all__ = ["ATTRS", "bare", "chains", "exact", "scan_of", "weighted"]

ATTRS = dict(
    schema_version=1,
    kind="samples",
    method="edg",
    system="ising",
    lattice="chain",
    extent=[4],
    pbc=[1],
    parameters=json.dumps({"temperature": 2.0, "field": 0.0}),
    n_sites=4,
    temperature=2.0,
    beta=0.5,
    z2_symmetric=1,
    linear_size=4.0,
    definitions=json.dumps({"energy": "total"}),
    seed=1,
    wall_time=0.5,
)


def weighted(n=40, seed=1, temperature=2.0, **attrs):
    rng = np.random.default_rng(seed)
    own = {"temperature": temperature, "beta": 1 / temperature, "seed": seed}
    own["parameters"] = json.dumps({"temperature": temperature, "field": 0.0})
    data = {"energy": ("draw", rng.standard_normal(n)), "log_weight_joint": ("draw", rng.standard_normal(n))}
    return xr.Dataset(data, attrs=ATTRS | own | attrs)


def chains(n_chains=2, n=64, seed=1, **attrs):
    energy = np.random.default_rng(seed).standard_normal((n_chains, n))
    return xr.Dataset(
        {"energy": (("chain", "draw"), energy)}, attrs=ATTRS | {"seed": seed, "method": "wolff"} | attrs
    )


def exact(temperature=2.0, **values):
    attrs = weighted(temperature=temperature).attrs
    return estimates_from_exact(values or {"log_z": 3.0}, attrs | {"method": "exact"})


def scan_of(seed=0, methods=("wolff",), temperature=(2.0, 3.0), shift=0.0, n_draws=100.0, extent=4, **attrs):
    """A scan of made-up results, off the truth by `shift` of their errors of 0.1; "exact" has none."""
    shape = (len(methods), len(temperature))
    sampled = np.array([method != "exact" for method in methods])[:, None] & np.ones(shape, bool)
    values = -1.0 / np.array(temperature) * np.ones(shape) + np.where(sampled, 0.1 * shift, 0.0)
    data = {"energy": values, "energy_err": np.where(sampled, 0.1, 0.0)}
    data |= {"n_draws": np.where(sampled, n_draws, np.nan), "converged": np.where(sampled, 1.0, np.nan)}
    data["wall_time"] = np.full(shape, 0.5)
    coords = {"method": list(methods), "temperature": list(temperature)}
    table = xr.Dataset({name: (tuple(coords), array) for name, array in data.items()}, coords=coords)
    dropped = ("temperature", "beta", "method")
    table.attrs = {name: value for name, value in ATTRS.items() if name not in dropped} | {"kind": "scan"}
    table.attrs |= {"parameters": json.dumps({"field": 0.0}), "couplings": json.dumps(["temperature"])}
    table.attrs |= {"extent": [extent], "n_sites": extent, "linear_size": float(extent), "seed": seed}
    settings = {method: {} for method in methods}
    return table.assign_attrs({"settings": json.dumps(settings), "warnings": "{}"} | attrs)


def bare(ds: xr.Dataset) -> xr.Dataset:
    """The dataset without the record of its call, which tells the arguments and the time."""
    ds = ds.copy()
    ds.attrs.pop("provenance", None)
    return ds
