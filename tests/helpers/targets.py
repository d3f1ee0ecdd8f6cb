# SPDX-License-Identifier: MIT
"""Small lattice targets of every kind, with their exact log Z."""

from __future__ import annotations

import torch

import lattices
from edgphys.edg.targets.ising import IsingDecimationTarget, IsingRelaxationTarget
from edgphys.edg.targets.phi4 import Phi4FieldTarget, Phi4SublatticeTarget
from edgphys.systems import Ising, Phi4
from helpers.edg import boltzmann
from helpers.oracles import phi4_action, sum_over_grid

__all__ = ["TARGETS", "ess", "exact_log_z", "ising"]


def ising(kind, name, extent, temperature, pbc=True, **parameters):
    """A target of that kind on a lattice of that name."""
    return kind(Ising(lattices.build(name, extent, pbc), temperature, **parameters))


def _phi4(kind, kappa, lam):
    return kind(Phi4(lattices.build("chain", (4,)), kappa=kappa, lam=lam))


TARGETS = {
    "square": lambda: ising(IsingDecimationTarget, "square", (4, 4), 3.5),
    "square in a field": lambda: ising(IsingDecimationTarget, "square", (4, 4), 3.5, field=0.5),
    "antiferromagnet": lambda: ising(
        IsingDecimationTarget, "square", (3, 3), 3.0, False, coupling=-1.0, field=0.5
    ),
    "triangular": lambda: ising(IsingRelaxationTarget, "triangular", (3, 3), 6.0),
    "phi4": lambda: _phi4(Phi4SublatticeTarget, 0.25, 0.022),
    "phi4 broken": lambda: _phi4(Phi4SublatticeTarget, 0.5, 0.3),
    "phi4 field": lambda: _phi4(Phi4FieldTarget, -0.25, 0.1),
}


def exact_log_z(target):
    """By enumeration, or by a sum over a grid."""
    system = target.system
    if isinstance(system, Ising):
        return boltzmann(system)[2]
    bonds = system.lattice.bonds.tolist()
    return sum_over_grid(
        4, lambda f: phi4_action(f, bonds, system.hop, system.quadratic, system.quartic), [], 5.5, 41
    )[0]


def ess(log_w):
    """Kish share of equal weights."""
    return float(torch.exp(2 * torch.logsumexp(log_w, 0) - torch.logsumexp(2 * log_w, 0))) / len(log_w)
