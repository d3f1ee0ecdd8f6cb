# SPDX-License-Identifier: MIT
"""One model for a range of couplings: effective sample sizes, bounds and log Z at points of the range.

    python -m studies.one_model_per_scan.run --case ising-16 --seed 0 1 2
    python -m studies.one_model_per_scan.table

Every line of ``results.jsonl`` is one training, asked at all points of its case: the K views of a draw are
the first K of 32, so that one set of draws gives all K. A case and seed that are there already are not run
again. With ``--models FOLDER`` the trained samplers are kept there, and taken from there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import edgphys as ep
import lattices
from edgphys.edg.weights.views import ViewSpread, harmonic_mean
from studies.common import hardware
from studies.lattice_records.run import Case, log_weights_of
from studies.lattice_records.tables import figures, measured

RESULTS = Path(__file__).with_name("results.jsonl")
T_C = 2.0 / math.log(1.0 + math.sqrt(2.0))
SQUARE = lattices.build("square", (16, 16))


@dataclass(frozen=True)
class Family:
    """One model and where it is asked.

    Attributes
    ----------
    system : callable
        Makes the system.
    name : str
        The coupling.
    ends : tuple of float
        Its range.
    points : tuple of float
    """

    system: Callable[[], Any]
    name: str
    ends: tuple[float, float]
    points: tuple[float, ...]


def flow(length: int) -> Callable:
    lattice = (length, length)
    return lambda: ep.Phi4.from_mass(lattices.build("square", lattice), m2=-4.0, lam=5.0, convention="flow")


FAMILIES = {
    "ising-16": Family(
        lambda: ep.Ising(SQUARE, temperature=T_C),
        "temperature",
        (1.8, 3.2),
        (1.8, 2.0, 2.1, 2.2, T_C, 2.3, 2.4, 2.5, 2.6, 2.7, 2.9, 3.2),
    ),
    "phi4-12": Family(flow(12), "lam", (4.0, 6.0), (4.0, 4.5, 5.0, 5.276, 5.5, 6.0)),
    "kappa-16": Family(
        lambda: ep.Phi4(SQUARE, kappa=0.25, lam=0.022), "kappa", (0.2, 0.3), (0.2, 0.25, 0.27, 0.3)
    ),
}


def trained(name: str, seed: int, models: Path | None) -> ep.EDG:
    """The sampler of a family; from its file if there is one."""
    path = None if models is None else models / f"{name}-{seed}.pt"
    if path is not None and path.exists():
        return ep.EDG.load(path)
    family = FAMILIES[name]
    edg = ep.EDG(family.system(), conditions={family.name: family.ends}).fit(seed, progress=False)
    if path is not None:
        edg.save(path)
    return edg


def run(name: str, seed: int, models: Path | None = None) -> dict[str, Any]:
    """One training and its draws at all points."""
    family, begin = FAMILIES[name], time.process_time()
    edg = trained(name, seed, models)
    middle = time.process_time()
    told = json.loads(edg.sample(2, 0, n_views=1).attrs["settings"])["training"]
    case = Case(family.system, batch_size=500)
    return {
        "case": name,
        "seed": seed,
        "n_sites": edg.system.n_variables,
        "n_steps": told["n_steps"],
        "training_cpu_s": middle - begin,
        "n_energy_calls_training": told["n_energy_calls"] + told["n_gradient_calls"],
        "n_draws": case.n_draws,
        "points": [asked(edg, family, value, case, 1000 + seed) for value in family.points],
        "hardware": hardware(),
    }


def asked(edg: ep.EDG, family: Family, value: float, case: Case, seed: int) -> dict[str, Any]:
    """The model at one point."""
    begin, spread = time.process_time(), ViewSpread()
    edg = edg.at(**{family.name: value})
    log_w = log_weights_of(edg.model.at_couplings({family.name: value}), case, seed, spread)
    point: dict[str, Any] = {family.name: value, "drawing_cpu_s": time.process_time() - begin}
    if "log_z" in edg.system.exact:
        point["log_z_true"] = edg.system.exact_results()["log_z"]
    for k in case.views:
        point |= {f"{key}_{k}": number for key, number in figures(harmonic_mean(log_w[:k])).items()}
    return point


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2], help="of the training")
    parser.add_argument("--models", type=Path, help="folder that keeps the trained samplers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.models is not None:
        arguments.models.mkdir(parents=True, exist_ok=True)
    measured(RESULTS, arguments.case, arguments.seed, lambda name, seed: run(name, seed, arguments.models))


if __name__ == "__main__":
    main()
