# SPDX-License-Identifier: MIT
"""Weighted draws at several couplings with exact answers and without training, and a sampler made of them.

`EnumeratedIsing` draws from its enumerated states by the Boltzmann law at an inverse temperature that is off
by `wrong`, with weights that undo it and carry noise of mean 1, as latents do. `StandIn` is a sampler with
conditions as far as curves need one, of any such draws.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
from scipy.special import logsumexp

import edgphys as ep
import lattices
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.targets.base import Calls
from edgphys.systems import sample_attrs

__all__ = ["EnumeratedIsing", "GaussianPhi4", "StandIn", "exact_curve"]


class EnumeratedIsing:
    """All states of the 4 x 4 model: laws, draws."""

    def __init__(self, **options) -> None:
        self.options = {"noise": 0.0, "wrong": 0.0} | options
        self.spins = 1.0 - 2.0 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)

    def __call__(self, system, n, rng):
        """Configurations and log weights; `ignores` is a system whose weights are given in place of its."""
        energy, noise = self.energies(system.field), self.options["noise"]
        beta = system.beta + self.options["wrong"]
        exponents = -beta * energy
        log_z = logsumexp(exponents)
        states = rng.choice(len(energy), n, p=np.exp(exponents - log_z))
        target = self.options.get("ignores", system)
        own = self.energies(target.field)[states]
        log_weights = log_z + beta * energy[states] - target.beta * own
        return self.spins[states], log_weights + noise * rng.standard_normal(n) - noise**2 / 2

    @functools.cache  # noqa: B019
    def energies(self, field):
        return square(2.0, field).energy(self.spins)


class GaussianPhi4:
    """The free field on a chain of four sites, from its modes: mass and hopping as they come."""

    def __call__(self, system, n, rng):
        adjacency = system.lattice.adjacency
        precision = 2.0 * (system.quadratic * np.eye(4) - system.hop * adjacency)
        root = np.linalg.cholesky(np.linalg.inv(precision))
        noise = rng.standard_normal((n, 4))
        log_q = -0.5 * (noise**2).sum(1) - np.linalg.slogdet(root)[1] - 2.0 * np.log(2.0 * np.pi)
        fields = noise @ root.T
        return fields, -system.energy(fields) - log_q


def square(temperature, field=0.0):
    return ep.Ising(lattices.build("square", (4, 4)), temperature=temperature, field=field)


class StandIn:
    """A sampler with conditions."""

    def __init__(self, system, conditions, law) -> None:
        self.system, self.conditions, self._law = system, conditions, law
        self._trained = SimpleNamespace(calls=Calls(), reason="")

    def at(self, **couplings):
        ranges = Conditions.of(self.system, self.conditions)
        return StandIn(
            self.system.replace(**ranges.couplings(self.system, couplings)), self.conditions, self._law
        )

    def sample(self, n_samples, seed, *, keep, progress, **options):
        configurations, log_weights = self._law(self.system, n_samples, np.random.default_rng(seed))
        settings = {"n_samples": n_samples, "n_views": 1, **options}
        attrs = sample_attrs(
            self.system,
            method="edg",
            seed=seed,
            wall_time=0.0,
            settings=settings,
            n_energy_calls=n_samples,
            n_gradient_calls=0,
        )
        import xarray as xr

        data = {name: ("draw", column) for name, column in self.system.measure(configurations).items()}
        data["log_weight_joint"] = ("draw", log_weights)
        if keep:
            data["configurations"] = (("draw", "variable"), configurations)
        return xr.Dataset(data, attrs=attrs)


@functools.cache
def exact_curve(name, temperatures):
    """Exact values of the 4 x 4 model without field."""
    return np.array([square(temperature).exact_results()[name] for temperature in temperatures])
