# SPDX-License-Identifier: MIT
"""Leapfrog trajectories: reversible, of second order; one that runs away is refused."""

from __future__ import annotations

import numpy as np
import pytest

import edgphys as ep
from edgphys.mcmc.continuous import hmc as generic_hmc
from edgphys.mcmc.core.acceptance import acceptance, acceptances


def harmonic_path(size, n_steps, sign=1.0):
    from edgphys.systems.continuous.kernel_pointer import KernelPointer

    system = ep.MuellerBrown()
    kernel, potential = KernelPointer(system.kernel), (np.array(system.kernel_parameters), system.beta)
    x, momentum, gradient = np.array([-0.5, 1.3]), np.array([0.7, -1.1]), np.empty(2)

    def energy():
        return kernel_energy(system, x, gradient) * system.beta + 0.5 * momentum @ momentum

    start = x.copy(), momentum.copy(), energy()
    sizes = np.array([size, 0.5 * size])
    generic_hmc._leapfrog(kernel, potential, x, momentum, gradient, sizes, n_steps)
    error = energy() - start[2]
    moved = np.abs(x - start[0]).max()
    momentum *= -1
    generic_hmc._leapfrog(kernel, potential, x, momentum, gradient, sizes, n_steps)
    return error, moved, x - start[0], momentum + start[1]


def kernel_energy(system, x, gradient):
    return system.kernel(x, gradient, system.kernel_parameters)


def test_leapfrog_is_reversible():
    _, moved, position, momentum = harmonic_path(0.05, 20)
    assert moved > 0.1 and np.abs(position).max() < 1e-12 and np.abs(momentum).max() < 1e-12


def test_leapfrog_energy_error_is_second_order():
    sizes = np.array([0.04, 0.02, 0.01, 0.005])
    errors = [abs(harmonic_path(size, round(0.4 / size))[0]) for size in sizes]
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.15)


def test_acceptance_of_a_runaway_is_zero():
    ratios = np.array([np.nan, -np.inf, -1.0, 0.0, 2.0, np.inf])
    expected = [0.0, 0.0, np.exp(-1.0), 1.0, 1.0, 1.0]
    np.testing.assert_allclose([acceptance(r) for r in ratios], expected)
    np.testing.assert_allclose(acceptances(ratios), expected)
