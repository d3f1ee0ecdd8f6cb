# SPDX-License-Identifier: MIT
"""Energies that it takes to know log Z of the critical 16 x 16 Ising torus to 0.01, by method.

    python -m studies.one_model_per_scan.cost --seed 0 1 2

What has to be paid once (the training) and what falls with the square of the error (draws, chains) are told
apart: n(0.01) = once + rest (error / 0.01)^2. Energies are those that datasets count, of whole lattices, a
sweep of a chain one; those of the views and of the reference included.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

import edgphys as ep
import lattices
from studies.common import hardware, table
from studies.lattice_records.tables import describe, measure_and_put

RESULTS = Path(__file__).with_name("cost.jsonl")
T_C = 2.0 / math.log(1.0 + math.sqrt(2.0))
ERROR = 0.01


def system() -> ep.Ising:
    return ep.Ising(lattices.build("square", (16, 16)), temperature=T_C)


def weighted(seed: int, **fit: Any) -> xr.Dataset:
    """Estimates of 10,000 draws of a generator of its own training."""
    edg = ep.EDG(system()).fit(seed, progress=False, **fit)
    return ep.estimate(edg.sample(10_000, 1000 + seed, progress=False))


METHODS: dict[str, Callable[[int], xr.Dataset]] = {
    "EDG, data-free": lambda seed: weighted(seed, training="energy"),
    "EDG, from chains": weighted,
    "bridge": lambda seed: ep.free_energy(system(), "bridge", seed=seed),
    "annealing from J = 0": lambda seed: ep.estimate(
        ep.mcmc.anneal(system(), 2000, seed=seed, progress=False)
    ),
    "MBAR": lambda seed: ep.free_energy(system(), "mbar", seed=seed),
    "TI": lambda seed: ep.free_energy(system(), "ti", seed=seed),
}


def run(name: str, seed: int) -> dict[str, Any]:
    """One method, with the counts of its dataset."""
    begin = time.process_time()
    found = METHODS[name](seed)
    told = json.loads(found.attrs["settings"]).get("training") or {}
    once = told.get("n_energy_calls", 0) + told.get("n_gradient_calls", 0)
    n_calls = int(found.attrs["n_energy_calls"])
    log_z, error = float(found["log_z"]), float(found["log_z_err"])
    return {
        "case": name,
        "seed": seed,
        "log_z": log_z,
        "log_z_err": error,
        "log_z_true": system().exact_results()["log_z"],
        "once": once,
        "rest": n_calls - once,
        "cpu_s": time.process_time() - begin,
        "hardware": hardware(),
    }


def needed(record: dict[str, Any]) -> float:
    """Energies for the error that is wanted."""
    return record["once"] + record["rest"] * (record["log_z_err"] / ERROR) ** 2


def cost_table(records: list[dict[str, Any]]) -> str:
    rows = []
    for name in METHODS:
        group = [one for one in records if one["case"] == name]
        if not group:
            continue
        pulls = [(one["log_z"] - one["log_z_true"]) / one["log_z_err"] for one in group]
        rows.append(
            [
                name,
                ", ".join(f"{pull:+.1f}" for pull in pulls),
                describe([one["log_z_err"] for one in group], 4),
                describe([one["once"] / 1e3 for one in group], 0),
                describe([one["rest"] / 1e3 for one in group], 0),
                describe([needed(one) / 1e3 for one in group], 0),
                describe([one["cpu_s"] for one in group], 0),
            ]
        )
    header = ["method", "pulls", "error as run", "10^3 energies, once", "10^3 for this error"]
    return table([*header, f"10^3 for an error of {ERROR}", "CPU s as run"], rows)


def main() -> None:
    measure_and_put(__doc__ or "", list(METHODS), RESULTS, run, cost_table)


if __name__ == "__main__":
    main()
