# SPDX-License-Identifier: MIT
"""Markov-chain Monte Carlo: local, cluster and Hamiltonian updates in numba, several chains in threads."""

from edgphys.mcmc.algorithms import algorithms_for
from edgphys.mcmc.run import run

__all__ = ["algorithms_for", "run"]
