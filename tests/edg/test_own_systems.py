# SPDX-License-Identifier: MIT
"""Systems of one's own: a field on a lattice and a chain of beads, trained, drawn and saved.

Both are Gaussian, so that log Z = (n log 2 pi T - log det A) / 2 of the matrix A of E = x A x / 2 is exact.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg import EDG, target_names
from edgphys.errors import DatasetError, UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem


class FreeField(AbstractLatticeSystem):
    """E = sum over bonds (phi_i - phi_j)^2 / 2 + mass sum_i phi_i^2 / 2."""

    name: ClassVar[str] = "my_field"

    def __init__(self, lattice, temperature=1.0, mass=1.0):
        self.lattice, self.temperature, self.mass = lattice, temperature, mass
        self.parameters = {"temperature": temperature, "mass": mass}

    def matrix(self):
        degrees = np.diag(self.lattice.coordination + self.mass)
        return torch.tensor(degrees - self.lattice.adjacency)

    def _energy(self, flat):
        return 0.5 * ((flat @ self.matrix().to(flat)) * flat).sum(1)

    def reduced_energy(self, x):
        return self.beta * self._energy(self._field(x))


class Beads(AbstractContinuousSystem):
    """E = stiffness / 2 sum_i (x_i - x_{i-1})^2 with x_0 = 0: beads on springs, the first one pinned."""

    name: ClassVar[str] = "my_beads"
    formula = "stiffness/2 sum_i (x_i - x_(i-1))^2"
    exact = ()

    def __init__(self, n_beads=3, stiffness=1.0, temperature=1.0):
        self.temperature, self.stiffness, self.event_shape = temperature, stiffness, (n_beads,)
        self.parameters = {"n_beads": n_beads, "stiffness": stiffness, "temperature": temperature}

    def matrix(self):
        step = torch.eye(*2 * self.event_shape, dtype=torch.float64)
        step[1:, :-1] -= torch.eye(self.n_variables - 1, dtype=torch.float64)
        return self.stiffness * step.T @ step

    def _energy(self, flat):
        return 0.5 * ((flat @ self.matrix().to(flat)) * flat).sum(1)

    def reduced_energy(self, x):
        return self.beta * self._energy(self._field(x))


SIZES = {"n_path_steps": 2, "decoder_size": (4, 1), "encoder_size": (4, 1)}
CASES = {
    "lattice": (lambda **more: FreeField(lattices.build("chain", (4,)), **more), {}),
    "lattice, mixture": (
        lambda **more: FreeField(lattices.build("chain", (4,)), **more),
        {"decoder": "mixture", "n_components": 1},
    ),
    "continuous": (lambda **more: Beads(**more), {"n_components": 1}),
    "continuous, hamiltonian": (
        lambda **more: Beads(**more),
        {"decoder": "hamiltonian", "n_components": 1, "n_leapfrog": 1},
    ),
}


def log_z(system):
    n = system.n_variables
    return 0.5 * (n * math.log(2.0 * math.pi * system.temperature) - float(torch.logdet(system.matrix())))


@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
def test_a_system_of_ones_own_is_trained_drawn_and_saved(case, tmp_path):
    make, options = CASES[case]
    system, path = make(temperature=0.8), tmp_path / "edg.pt"
    edg = EDG(system, **SIZES, **options).fit(0, 3, batch_size=8, device="cpu", progress=False)
    draws = edg.sample(4000, seed=1, progress=False)
    found = estimate(draws)
    pair = float(found["log_z"]), float(found["log_z_err"])
    assert_z(*pair, log_z(system), n_tests=len(CASES), max_err=0.1)
    # Control: of a temperature a quarter higher, with the same number of draws.
    assert_off(*pair, log_z(make(temperature=1.0)), least=6.0, max_err=0.1)
    edg.save(path)
    with pytest.raises(DatasetError, match=r"system must be given to load .* got none"):
        EDG.load(path)
    with pytest.raises(DatasetError, match=r"system must be the one that .* was saved with, got"):
        EDG.load(path, system=make(temperature=0.9))
    again = EDG.load(path, system=make(temperature=0.8), device="cpu")
    assert again.sample(9, seed=2, progress=False).equals(edg.sample(9, seed=2, progress=False))


def test_no_partial_sum_is_taken_of_a_system_that_declares_none():
    system = CASES["lattice"][0]()
    assert target_names(system) == ("field",)
    with pytest.raises(UnknownNameError, match="target must be auto, field for FreeField"):
        EDG(system, target="decimation")
