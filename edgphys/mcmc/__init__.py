# SPDX-License-Identifier: MIT
"""Markov chains: local, cluster and Hamiltonian updates in numba, chains in threads, parallel tempering."""

import edgphys.systems.kernel_cache  # noqa: F401 -- before the first kernel is defined
from edgphys.mcmc.algorithms import algorithms_for, best_algorithm
from edgphys.mcmc.annealing.anneal import anneal
from edgphys.mcmc.ising.bits.multispin import MultispinReplicas
from edgphys.mcmc.run import run
from edgphys.mcmc.tempering.spacing import space_ladder
from edgphys.mcmc.tempering.temper import rung, temper

__all__ = [
    "MultispinReplicas",
    "algorithms_for",
    "anneal",
    "best_algorithm",
    "run",
    "rung",
    "space_ladder",
    "temper",
]
