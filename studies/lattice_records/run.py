# SPDX-License-Identifier: MIT
"""Learned partial sums on lattices of all sizes: effective sample sizes with 1, 8 and 32 views, log Z, cost.

    python -m studies.lattice_records.run --case ising-16 phi4-12 --seed 0 1 2
    python -m studies.lattice_records.table

Every line of ``results.jsonl`` is one training, drawn from once: the K views of a draw are the first K of
32, so that one set of draws gives all K. A case and seed that are there already are not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import edgphys as ep
import lattices
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.weights.label_shares import best_shares
from edgphys.edg.weights.views import ViewSpread, harmonic_mean
from studies.common import hardware, weighed_draws
from studies.lattice_records.tables import figures, measured

T_C = {
    "square": 2.0 / math.log(1.0 + math.sqrt(2.0)),
    "triangular": 4.0 / math.log(3.0),
    "honeycomb": 2.0 / math.log(2.0 + math.sqrt(3.0)),
    "kagome": 4.0 / math.log(3.0 + 2.0 * math.sqrt(3.0)),
    "cubic": 4.511523,
}
RESULTS = Path(__file__).with_name("results.jsonl")


@dataclass(frozen=True)
class Case:
    """One row: a system, how it is trained, and how many draws and views.

    Attributes
    ----------
    system : callable
        Makes it.
    options, fit : dict
        Of `EDG` and of `EDG.fit`.
    n_draws, batch_size : int
        In all, and at a time.
    views : tuple of int
        Each of them at most the last.
    reference : str
        Where the true log Z comes from: "exact", "mbar" or "" for nowhere.
    start : str
        Case of a smaller lattice from whose trained sampler the training starts; its time is counted.
    """

    system: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    n_draws: int = 10_000
    batch_size: int = 500
    views: tuple[int, ...] = (1, 8, 32)
    reference: str = "exact"
    start: str = ""


def ising(name: str = "square", extent: tuple[int, ...] = (16, 16), pbc: bool = True, **more) -> Callable:
    parameters = {"temperature": T_C[name]} | more
    return lambda: ep.Ising(lattices.build(name, extent, pbc), **parameters)


def phi4(length: int, lam: float) -> Callable:
    lattice = (length, length)
    return lambda: ep.Phi4.from_mass(lattices.build("square", lattice), m2=-4.0, lam=lam, convention="flow")


def hopping(kappa: float) -> Callable:
    return lambda: ep.Phi4(lattices.build("square", (16, 16)), kappa=kappa, lam=0.022)


FREE = {"training": "energy", "n_steps": 2000}
EDG_ROOT = {"root": "edg"}
LARGE: dict[str, Any] = {"batch_size": 100}
CASES: dict[str, Case] = {
    "ising-8": Case(ising(extent=(8, 8))),
    "ising-16": Case(ising()),
    "ising-32": Case(ising(extent=(32, 32)), batch_size=250),
    "ising-64": Case(ising(extent=(64, 64)), **LARGE),
    "ising-128": Case(
        ising(extent=(128, 128)), fit={"n_steps": 300}, batch_size=40, views=(1, 8), start="ising-32"
    ),
    "ising-8-edg": Case(ising(extent=(8, 8)), EDG_ROOT),
    "ising-16-edg": Case(ising(), EDG_ROOT),
    "ising-32-edg": Case(ising(extent=(32, 32)), EDG_ROOT, batch_size=250),
    "ising-64-edg": Case(ising(extent=(64, 64)), EDG_ROOT, **LARGE),
    "phi4-6": Case(phi4(6, 6.975), reference="mbar"),
    "phi4-12": Case(phi4(12, 5.276), reference="mbar"),
    "phi4-20": Case(phi4(20, 4.807), reference="mbar", batch_size=250),
    "phi4-32": Case(phi4(32, 4.572), reference="", batch_size=100),
    "phi4-64": Case(phi4(64, 4.398), reference="", batch_size=40, views=(1, 8)),
    "triangular": Case(ising("triangular", (12, 12)), fit=FREE, reference="mbar"),
    "triangular-frustrated": Case(
        ising("triangular", (12, 12), coupling=-1.0, temperature=1.0), fit=FREE, reference="mbar"
    ),
    "triangular-frustrated-chains": Case(
        ising("triangular", (12, 12), coupling=-1.0, temperature=1.0),
        fit={"n_steps": 2000},
        reference="mbar",
    ),
    "honeycomb": Case(ising("honeycomb", (12, 12)), fit=FREE, reference="mbar"),
    "kagome": Case(ising("kagome", (12, 12)), fit=FREE, reference="mbar"),
    "cubic": Case(ising("cubic", (8, 8, 8)), fit=FREE, reference="mbar", batch_size=250),
    "cubic-chains": Case(ising("cubic", (8, 8, 8)), reference="mbar", batch_size=250),
    "open": Case(ising(pbc=False), fit=FREE, reference="mbar"),
    "field": Case(ising(field=0.1), fit=FREE, reference="mbar"),
    "ising-16-energy": Case(ising(), fit={"training": "energy"}),
    "ising-16-both": Case(ising(), fit={"training": "both"}),
    "phi4-12-energy": Case(phi4(12, 5.276), fit={"training": "energy"}, reference="mbar"),
    "phi4-12-both": Case(phi4(12, 5.276), fit={"training": "both"}, reference="mbar"),
    **{f"kappa-{k}": Case(hopping(k), reference="mbar") for k in (0.2, 0.25, 0.27, 0.3)},
}


def log_weights_of(model: AbstractEDGModel, case: Case, seed: int, spread: ViewSpread) -> Tensor:
    """log w of single views, float64, shape (n_views, n_draws): the view that made the draw first.

    Labels are drawn as often as a pilot finds best, as in `EDG.sample` where it is free to choose.
    """
    n_steps = model.n_path_steps
    generator = torch.Generator(device=model.device).manual_seed(seed)
    if model.n_labels > 1:
        model = model.with_label_shares(best_shares(model, n_steps, generator))
    parts = [
        weighed_draws(model, case.batch_size, max(case.views), generator, spread)[0]
        for _ in range(case.n_draws // case.batch_size)
    ]
    return torch.cat(parts, dim=1)


def trained(case: Case, seed: int, **fit: Any) -> ep.EDG:
    """The sampler of a case, and before it that of the case it starts from."""
    start = trained(CASES[case.start], seed) if case.start else None
    edg = ep.EDG(case.system(), target="refinement", start=start, **case.options)
    return edg.fit(seed, progress=False, **case.fit, **fit)


def run(name: str, seed: int, **fit: Any) -> dict[str, Any]:
    """One training and its draws."""
    case = CASES[name]
    begin = time.process_time()
    edg = trained(case, seed, **fit)
    middle, spread = time.process_time(), ViewSpread()
    log_w = log_weights_of(edg.model, case, 1000 + seed, spread)
    end = time.process_time()
    told = json.loads(edg.sample(2, 0, n_views=1).attrs["settings"])["training"]
    n_sites = edg.system.n_variables
    record = {
        "case": name,
        "seed": seed,
        "n_sites": n_sites,
        "training": told.get("training"),
        "n_steps": told["n_steps"],
        "batch_size": told["batch_size"],
        "training_cpu_s": middle - begin,
        "drawing_cpu_s": end - middle,
        "n_energy_calls_training": told.get("n_energy_calls", 0) + told["n_gradient_calls"],
        "n_draws": log_w.shape[1],
        "n_views": log_w.shape[0],
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "hardware": hardware(),
    }
    if case.reference == "exact":
        record["log_z_true"], record["log_z_true_err"] = edg.system.exact_results()["log_z"], 0.0
    record |= spread.attrs()
    for k in case.views:
        record |= {f"{key}_{k}": value for key, value in figures(harmonic_mean(log_w[:k])).items()}
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2], help="of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured(RESULTS, arguments.case, arguments.seed, run)


if __name__ == "__main__":
    main()
