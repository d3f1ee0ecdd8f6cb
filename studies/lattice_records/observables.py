# SPDX-License-Identifier: MIT
"""Observables of phi^4 on 16 x 16 by EDG and by Markov chains, which should agree within 3 errors.

    python -m studies.lattice_records.observables [--case kappa-0.25 ...] [--seed 0] [--table] [--readme]

Default training, 10,000 draws from 8 sides each; eight chains of 20,000 sweeps of the best algorithm.
Results: ``observables.jsonl``. What is there already is not run again.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch
import xarray as xr

import edgphys as ep
from studies.common import hardware, pm, table, z_score
from studies.lattice_records.run import CASES
from studies.lattice_records.tables import FOLDER, measured, options_of, put, read_lines

FILE = FOLDER / "observables.jsonl"
NAMES = [name for name in CASES if name.startswith("kappa-")]
N_VIEWS = 8


def estimates_of(samples: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Scalars that have an error bar."""
    found = ep.estimate(samples)
    names = [str(name) for name in found if f"{name}_err" in found and found[name].ndim == 0]
    return {name: (float(found[name]), float(found[f"{name}_err"])) for name in names}


def run(name: str, seed: int, n_draws: int = 10_000, n_sweeps: int = 20_000, **fit: Any) -> dict[str, Any]:
    """One training, its draws, and the chains."""
    system, begin = CASES[name].system(), time.process_time()
    edg = ep.EDG(system, target="refinement").fit(seed, progress=False, **fit)
    draws = edg.sample(n_draws, seed + 1, n_views=N_VIEWS, progress=False)
    of_edg = {"edg": estimates_of(draws), "edg_cpu_s": time.process_time() - begin}
    return {"case": name, "seed": seed, **of_edg, **of_chains(system, seed + 2, n_sweeps)}


def of_chains(system: ep.Phi4, seed: int, n_sweeps: int = 20_000) -> dict[str, Any]:
    """What a record holds of eight chains of the best algorithm."""
    begin, algorithm = time.process_time(), ep.mcmc.best_algorithm(system)
    chains = ep.mcmc.run(system, algorithm, n_chains=8, n_sweeps=n_sweeps, seed=seed)
    return {
        "chains": estimates_of(chains),
        "algorithm": algorithm,
        "chains_cpu_s": time.process_time() - begin,
        "hardware": hardware(),
    }


def observable_table(records: list[dict[str, Any]]) -> str:
    """Both, and their difference in errors."""
    rows = []
    for one in sorted(records, key=lambda one: (NAMES.index(one["case"]), one["seed"])):
        for name, (value, err) in one["edg"].items():
            other = one["chains"].get(name, (math.nan, math.nan))
            z = z_score(value, err, *other)
            if math.isfinite(z):
                rows.append([one["case"], str(one["seed"]), name, pm(value, err), pm(*other), f"{z:+.1f}"])
    return table(["case", "seed", "observable", "EDG", "chains", "z"], rows)


def main() -> None:
    parser = options_of(__doc__ or "", seeds=[0])
    parser.add_argument("--case", nargs="+", choices=NAMES, default=NAMES, help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        measured(FILE, arguments.case, arguments.seed, run)
    put("observables", observable_table(read_lines(FILE)), arguments.readme)


if __name__ == "__main__":
    main()
