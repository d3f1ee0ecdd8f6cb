# SPDX-License-Identifier: MIT
"""Bars of all estimates of the enumerated 4 x 4 Ising model in its ordered phase hold 68 % over seeds.

There energy and |m| are skewed, and ratios of few wide fluctuations might have bars too short: 400 runs of 8
chains of wolff, 2000 sweeps each, gave shares of |z| < 1 of 0.66 to 0.68 for all six estimates, with
variances of z from 0.98 to 1.06. The limits here are 4 standard errors of 200 runs; the control is the error
of independent draws, which forgets the autocorrelation of metropolis.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import edgphys as ep
import lattices

NAMES = (
    "energy",
    "specific_heat",
    "abs_magnetization",
    "susceptibility",
    "binder_cumulant",
    "correlation_length",
)
N_RUNS = 200


def is_calibrated(z):
    share, square = np.mean(np.abs(z) < 1.0), np.mean(np.square(z))
    return abs(share - 0.683) < 4.0 * math.sqrt(0.683 * 0.317 / len(z)) and abs(
        square - 1.0
    ) < 4.0 * math.sqrt(2.0 / len(z))


@pytest.mark.slow
@pytest.mark.statistical
def test_bars_of_a_lattice_hold():
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=1.5)
    exact, z, naive = system.exact_results(), {name: [] for name in NAMES}, []
    for seed in range(N_RUNS):
        table = ep.estimate(ep.mcmc.run(system, "wolff", 8, 500, seed))
        for name in NAMES:
            z[name].append((float(table[name]) - exact[name]) / float(table[f"{name}_err"]))
        energy = ep.mcmc.run(system, "metropolis", 4, 200, seed)["energy"].values
        naive.append((energy.mean() - exact["energy"]) / (energy.std() / math.sqrt(energy.size)))
    assert [name for name in NAMES if not is_calibrated(z[name])] == []
    assert not is_calibrated(naive)
