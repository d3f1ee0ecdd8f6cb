# SPDX-License-Identifier: MIT
"""Clusters grown particle by particle at their own temperature: DW4, LJ13, LJ55, without annealing.

    python -m studies.molecular.growth [--case NAME ...] [--seed 0 1 2] [--n-views 8]
    python -m studies.molecular.growth --table

Every line of ``growth.jsonl`` is one training, drawn from once: the K views of a draw are the first K of all,
so that one set of draws gives all K. A case and seed that are there already are not run again. Averages are
those of draws weighed from 8 sides. "energies" are evaluations of the energy of a whole cluster, or as many
pairs, chains of the training and trials included.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

import edgphys as ep
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.weights.views import ViewSpread, harmonic_mean
from studies.common import hardware, pm, table, weighed_draws, z_score
from studies.lattice_records.tables import describe, figures, measured

VIEWS = (1, 8, 32)
# Errors that costs are stated for.
WANTED = {"log_z_err_8": 0.005, "energy_err": 0.02}
RESULTS = Path(__file__).with_name("growth.jsonl")


@dataclass(frozen=True)
class Case:
    """A system, how it is trained, and how many draws and views.

    Attributes
    ----------
    system : callable
    log_z : (float, float)
        Of a reference, with its error.
    options, fit : dict
    n_draws, batch_size : int
    """

    system: Callable[[], Any]
    log_z: tuple[float, float]
    options: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    n_draws: int = 10_000
    batch_size: int = 500


CASES = {
    "DW4": Case(lambda: ep.DoubleWellParticles(), (29.667232, 0.0)),
    "LJ13 once": Case(lambda: ep.LennardJones(pair_count="once"), (39.240, 0.010)),
    "LJ13 twice": Case(lambda: ep.LennardJones(pair_count="twice"), (59.854, 0.018)),
    "LJ55 once": Case(lambda: ep.LennardJones(55), (203.880, 0.086), n_draws=1000, batch_size=100),
}


def draw(edg: ep.EDG, case: Case, n_views: int, seed: int, spread: ViewSpread) -> tuple[Tensor, Tensor]:
    """log w of single views, float64, (n_views, n_draws), and the positions."""
    model = cast(AbstractEDGModel, edg.model)
    generator = torch.Generator(device=model.device).manual_seed(seed)
    parts = [
        weighed_draws(model, case.batch_size, n_views, generator, spread)
        for _ in range(case.n_draws // case.batch_size)
    ]
    return torch.cat([log_w for log_w, _ in parts], 1), torch.cat([flat for _, flat in parts])


def weighted(values: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Self-normalised mean and its error."""
    share = w / w.sum()
    mean = float(share @ values)
    return mean, float(np.sqrt((share**2 * (values - mean) ** 2).sum()))


def run(name: str, seed: int, n_views: int) -> dict[str, Any]:
    """One training and its draws."""
    case = CASES[name]
    begin = time.process_time()
    edg = ep.EDG(case.system(), target="growth", **case.options).fit(seed, progress=False, **case.fit)
    middle, spread = time.process_time(), ViewSpread()
    log_w, positions = draw(edg, case, n_views, 1000 + seed, spread)
    end = time.process_time()
    told, system = edg._training, edg.system
    n_clusters = log_w.numel()
    record = {
        "case": name,
        "seed": seed,
        "training": told["training"],
        "n_steps": told["n_steps"],
        "batch_size": told["batch_size"],
        "n_trials": edg.options["n_trials"],
        "n_picks": edg.options["n_picks"],
        "training_cpu_s": middle - begin,
        "drawing_cpu_s": end - middle,
        "n_energy_calls_training": told["n_energy_calls"] + told["n_gradient_calls"],
        "n_energy_calls_drawing": round(n_clusters * (1.0 + edg.model.laws.n_pairs / system.n_pairs)),
        "n_draws": log_w.shape[1],
        "n_views": log_w.shape[0],
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "hardware": hardware(),
        **spread.attrs(),
    }
    for k in (k for k in VIEWS if k <= n_views):
        record |= {f"{key}_{k}": value for key, value in figures(harmonic_mean(log_w[:k])).items()}
    weights = harmonic_mean(log_w[:8])
    w = torch.exp(weights - weights.max()).numpy()
    for key, values in system.measure(positions.reshape(-1, *system.event_shape)).items():
        record[key], record[f"{key}_err"] = weighted(np.asarray(values), w)
    return record


def cost_of(record: dict[str, Any], key: str, err: float) -> float:
    """Energies of the training, and of as many draws from 8 sides as bring an error down to `err`."""
    n_energies = record["n_energy_calls_drawing"] * 8 / record["n_views"]
    return record["n_energy_calls_training"] + n_energies * (record[key] / err) ** 2


def rows_of(records: list[dict[str, Any]]) -> list[list[str]]:
    """One row per case, means of the seeds with the spread."""
    rows = []
    for name, case in CASES.items():
        found = [one for one in records if one["case"] == name]
        if not found:
            continue
        pulls = [z_score(r["log_z_8"], r["log_z_err_8"], *case.log_z) for r in found]
        ess = [describe([r[f"ess_{k}"] for r in found if f"ess_{k}" in r], 3) for k in VIEWS]
        seconds = [
            f"{min(r[k] for r in found):.0f} to {max(r[k] for r in found):.0f}"
            for k in ("training_cpu_s", "drawing_cpu_s")
        ]
        costs = [np.mean([cost_of(r, key, err) for r in found]) for key, err in WANTED.items()]
        log_z = ", ".join(pm(r["log_z_8"], r["log_z_err_8"]) for r in found)
        rows.append(
            [
                name,
                str(len(found)),
                *ess,
                log_z,
                ", ".join(f"{z:+.1f}" for z in pulls),
                *seconds,
                *(f"{cost / 1e6:.0f}" for cost in costs),
            ]
        )
    return rows


HEADER = (
    "case",
    "seeds",
    "ESS, K = 1",
    "8",
    "32",
    "log_z, K = 8",
    "z",
    "training (CPU s)",
    "drawing (CPU s)",
    "10^6 energies for .005 in log_z",
    "for .02 in the energy",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2], help="of the training")
    parser.add_argument("--n-views", type=int, default=32, choices=VIEWS, help="from which draws are weighed")
    parser.add_argument("--table", action="store_true", help="of what is there")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(HEADER, rows_of([json.loads(line) for line in RESULTS.read_text().splitlines()])))
        return
    torch.set_num_threads(1)
    run_all = functools.partial(run, n_views=arguments.n_views)
    measured(RESULTS, arguments.case, arguments.seed, run_all)


if __name__ == "__main__":
    main()
