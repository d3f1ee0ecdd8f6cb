# SPDX-License-Identifier: MIT
"""Absolute free energies with symmetric energy-based diffusion generators.

The names below are the public face; each loads what it needs at first use, so that ``import edgphys`` and the
command line's ``--help`` start neither torch nor netket.

>>> import edgphys as ep
>>> {"EDG", "Ising", "Phi4", "estimate", "scan"} <= set(ep.__all__)
True
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "EDG",
    "XY",
    "Clock",
    "DoubleWell",
    "DoubleWellParticles",
    "Harmonic",
    "Heisenberg",
    "Ising",
    "LatticePotential",
    "LennardJones",
    "LogisticRegression",
    "ManyWell",
    "MuellerBrown",
    "PairPotential",
    "Phi4",
    "Planar",
    "Potential",
    "Potts",
    "TransverseIsing",
    "__version__",
    "at",
    "average",
    "basins",
    "correlations",
    "dataset",
    "density_of_states",
    "edg",
    "energy_histogram",
    "errors",
    "estimate",
    "estimators",
    "exact",
    "extrapolate_time_step",
    "forward_ess",
    "free_energy",
    "free_energy_profile",
    "mcmc",
    "merge",
    "mmd",
    "observable",
    "open",
    "overlap",
    "pair_distances",
    "plot",
    "provenance",
    "rerun",
    "reweight",
    "scaling",
    "scan",
    "structure_factor",
    "systems",
    "to_arviz",
    "to_inference_data",
    "wasserstein",
    "write_report",
]

__version__ = "0.1.0"

_MEMBERS = {
    "Clock": "edgphys.systems",
    "DoubleWell": "edgphys.systems",
    "DoubleWellParticles": "edgphys.systems",
    "LatticePotential": "edgphys.systems",
    "LennardJones": "edgphys.systems",
    "LogisticRegression": "edgphys.systems",
    "Planar": "edgphys.systems",
    "EDG": "edgphys.edg",
    "XY": "edgphys.systems",
    "Harmonic": "edgphys.systems",
    "Heisenberg": "edgphys.systems",
    "Ising": "edgphys.systems",
    "ManyWell": "edgphys.systems",
    "MuellerBrown": "edgphys.systems",
    "PairPotential": "edgphys.systems",
    "Phi4": "edgphys.systems",
    "Potential": "edgphys.systems",
    "TransverseIsing": "edgphys.systems",
    "Potts": "edgphys.systems",
    "at": "edgphys.dataset.selection",
    "average": "edgphys.estimators",
    "basins": "edgphys.estimators",
    "correlations": "edgphys.estimators",
    "density_of_states": "edgphys.estimators",
    "energy_histogram": "edgphys.estimators",
    "estimate": "edgphys.estimators",
    "extrapolate_time_step": "edgphys.scaling.time_step",
    "forward_ess": "edgphys.estimators",
    "free_energy": "edgphys.methods.free_energy",
    "free_energy_profile": "edgphys.estimators",
    "merge": "edgphys.dataset.merging",
    "mmd": "edgphys.estimators",
    "observable": "edgphys.systems.own_observables",
    "open": "edgphys.dataset.files",
    "overlap": "edgphys.estimators",
    "pair_distances": "edgphys.estimators",
    "plot": "edgphys.report.figure",
    "provenance": "edgphys.dataset.provenance",
    "rerun": "edgphys.reruns.rerun",
    "reweight": "edgphys.estimators",
    "scan": "edgphys.scans.scan",
    "structure_factor": "edgphys.estimators",
    "to_arviz": "edgphys.estimators",
    "to_inference_data": "edgphys.dataset.inference_data",
    "wasserstein": "edgphys.estimators",
    "write_report": "edgphys.report.page",
}
_SUBMODULES = {"dataset", "edg", "errors", "estimators", "exact", "mcmc", "scaling", "systems"}


def __getattr__(name: str) -> Any:
    if name in _MEMBERS:
        value = getattr(importlib.import_module(_MEMBERS[name]), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"edgphys.{name}")
    raise AttributeError(f"module 'edgphys' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
