# SPDX-License-Identifier: MIT
"""Markov-chain Monte Carlo: local, cluster and Hamiltonian updates in numba, several chains in threads."""

from edgphys.mcmc.run import algorithms_for, run

__all__ = ["algorithms_for", "run"]
