# SPDX-License-Identifier: MIT
"""Stand-ins for tests of what surrounds the sampler: one with the calls of `EDG`, and a made-up scan."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

import edgphys.edg
from edgphys.errors import ArgumentValueError, DatasetError

__all__ = ["StubEDG", "install_stub_edg", "stub_scan"]


class StubEDG:
    """Same calls as `EDG`; draws that depend on the seeds only, in microseconds.

    Attributes
    ----------
    log : list of (temperature or kappa, fit seed, sample seed)
        Every call of `sample`, over all instances.
    trained : list of (temperature or kappa, fit seed)
        Every call of `fit`.
    conditional : bool
        Whether a model takes conditions.
    earlier_time : float
        Seconds of runs that were stopped.
    fail_at : int or None
        Number of the call of `sample` that raises `failure`.
    """

    log: ClassVar[list[tuple[float, int, int]]] = []
    trained: ClassVar[list[tuple[float, int]]] = []
    conditional: ClassVar[bool] = False
    fail_at: int | None = None
    earlier_time: ClassVar[float] = 0.0
    failure: BaseException = KeyboardInterrupt()

    def __init__(self, system, *, n_path_steps=8, conditions=None, n_threads=None):
        if conditions and not self.conditional:
            raise ArgumentValueError(f"conditions must be left out here, got {conditions}", "conditions")
        self.system, self.conditions = system, conditions or {}

    def fit(self, seed, n_steps=None, batch_size=None, *, device=None, progress=None, checkpoint=None):
        type(self).trained.append((next(iter(self.system.parameters.values())), seed))
        self.fit_seed = seed
        return self

    def at(self, **couplings):
        other = copy.copy(self)
        other.system = self.system.replace(**couplings)
        return other

    def save(self, path, *, overwrite):
        Path(path).write_text(json.dumps([self.conditions, self.fit_seed, self.system.parameters]))

    @classmethod
    def load(cls, path, *, system, device, n_threads=None):
        try:
            conditions, seed, parameters = json.loads(Path(path).read_text())
        except ValueError as error:
            raise DatasetError(f"{path} is no sampler") from error
        assert parameters == system.parameters
        edg = cls(system, conditions=conditions)
        edg.fit_seed = seed
        return edg

    def sample(
        self, n_samples, seed, *, n_path_steps=None, keep=False, progress=None, checkpoint=None, **more
    ):
        cls = type(self)
        if cls.fail_at is not None and len(cls.log) >= cls.fail_at:
            raise cls.failure
        cls.log.append((next(iter(self.system.parameters.values())), self.fit_seed, seed))
        rng = np.random.default_rng([self.fit_seed, seed])
        spins = rng.choice([-1.0, 1.0], (n_samples, self.system.n_variables))
        variables = {name: ("draw", values) for name, values in self.system.measure(spins).items()}
        variables["log_weight_joint"] = ("draw", 5.0 + 0.3 * rng.standard_normal(n_samples))
        from edgphys.systems import sample_attrs

        attrs = sample_attrs(
            self.system, method="edg", seed=seed, wall_time=0.0, settings={"training": {}},
            n_energy_calls=n_samples, n_gradient_calls=0,
        )  # fmt: skip
        return xr.Dataset(variables, attrs=json.loads(json.dumps(attrs)))


def install_stub_edg(monkeypatch, *, conditional=False) -> type[StubEDG]:
    """Put a fresh `StubEDG` where ``from edgphys.edg import EDG`` finds it."""
    stub = type("EDG", (StubEDG,), {"log": [], "trained": [], "fail_at": None, "conditional": conditional})
    monkeypatch.setattr(edgphys.edg, "EDG", stub)
    return stub


def stub_scan(methods=("edg", "wolff", "exact"), z=1.0, **couplings) -> xr.Dataset:
    """A scan with smooth values; each sampled method is off by `z` of its errors at every point.

    ``exact`` has no abs_magnetization and Markov chains have no log_z, as in life.
    """
    couplings = couplings or {"temperature": np.linspace(2.0, 2.6, 4)}
    dims = ("method", *couplings)
    grid = np.meshgrid(*couplings.values(), indexing="ij")[0]
    truth = {"log_z": 60.0 / grid, "free_energy": -60.0 + 0 * grid, "energy": -60.0 * grid}
    truth |= {"specific_heat": grid**2, "abs_magnetization": 1.0 / grid}
    table = xr.Dataset(coords={"method": list(methods), **couplings})
    for name, values in truth.items():
        err = 0.01 * np.abs(values)
        missing = {"exact": name == "abs_magnetization", "wolff": name in ("log_z", "free_energy")}
        table[name] = dims, np.full((len(methods), *grid.shape), np.nan)
        table[f"{name}_err"] = table[name].copy()
        for i, method in enumerate(methods):
            if not missing.get(method):
                table[name][i] = values + (0.0 if method == "exact" else z * err)
                table[f"{name}_err"][i] = 0.0 if method == "exact" else err
    for name, by_method in _DIAGNOSTICS.items():
        table[name] = dims, np.stack([np.full(grid.shape, by_method.get(m, np.nan)) for m in methods])
    table.attrs = {"kind": "scan", "schema_version": 1, "system": "ising", "lattice": "square"}
    table.attrs |= {"extent": [8, 8], "pbc": [1, 1], "n_sites": 64, "z2_symmetric": 1, "seed": 0}
    table.attrs |= {"parameters": json.dumps({"coupling": 1.0, "field": 0.0}), "definitions": "{}"}
    table.attrs |= {"couplings": json.dumps(list(couplings)), "settings": "{}"}
    return table


_DIAGNOSTICS = {
    "elbo": {"edg": 20.0},
    "elbo_err": {"edg": 0.02},
    "ess": {"edg": 0.71},
    "max_weight": {"edg": 0.003},
    "tau_int": {"wolff": 2.1},
    "r_hat": {"wolff": 1.002},
    "converged": {"wolff": 1.0},
    "reliable": {"edg": 1.0},
    "wall_time": {"edg": 31.0, "wolff": 2.0, "exact": 0.1},
}
