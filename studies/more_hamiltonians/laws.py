# SPDX-License-Identifier: MIT
"""States, angles, vectors by learned laws: effective sample sizes, log Z by MBAR, averages by chains.

    python -m studies.more_hamiltonians.laws --case potts-16 xy-16 --seed 0 1 2
    python -m studies.more_hamiltonians.laws --case potts-16-edg xy-16-edg heisenberg-8
    python -m studies.more_hamiltonians.laws --references
    python -m studies.more_hamiltonians.laws --table --readme

Every line of `laws.jsonl` is one training, drawn from 10,000 times with 1 and with 8 views, or one reference:
log Z by MBAR and averages of one long chain. A line that is there already is not run again. About five CPU
minutes each.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import edgphys as ep
import lattices
from studies.common import hardware, pm, table, z_score
from studies.lattice_records.tables import describe, measured, put, read_lines

RESULTS = Path(__file__).with_name("laws.jsonl")
N_DRAWS, VIEWS = 10_000, (1, 8)
REFERENCE = "reference of "


def _potts(length: int) -> ep.Potts:
    """q = 3 at T_c of the infinite lattice."""
    return ep.Potts(lattices.build("square", (length, length)), 1.0 / math.log(1.0 + math.sqrt(3.0)), q=3)


def _clock(length: int) -> ep.Clock:
    """q = 5 between its two transitions."""
    return ep.Clock(lattices.build("square", (length, length)), temperature=0.92, q=5)


def _xy(length: int) -> ep.XY:
    return ep.XY(lattices.build("square", (length, length)), temperature=0.9)


def _heisenberg(length: int) -> ep.Heisenberg:
    return ep.Heisenberg(lattices.build("square", (length, length)), temperature=1.0)


def _blume_capel(length: int) -> ep.LatticePotential:
    """Close to the transition at this crystal field."""
    return ep.LatticePotential(
        lattices.build("square", (length, length)),
        site=lambda s: 0.5 * s**2,
        bond=lambda s, t: -s * t,
        states=(-1.0, 0.0, 1.0),
        temperature=1.567,
    )


CASES: dict[str, tuple[Callable[[int], Any], int, dict[str, Any]]] = {
    "potts-8": (_potts, 8, {}),
    "potts-16": (_potts, 16, {}),
    "xy-8": (_xy, 8, {}),
    "xy-16": (_xy, 16, {}),
    "clock-16": (_clock, 16, {}),
    "blume-capel-16": (_blume_capel, 16, {}),
    "potts-8-energy": (_potts, 8, {"training": "energy"}),
    "xy-8-energy": (_xy, 8, {"training": "energy"}),
    "heisenberg-8": (_heisenberg, 8, {}),
    "heisenberg-16": (_heisenberg, 16, {}),
    "heisenberg-8-edg": (_heisenberg, 8, {}),
    "potts-16-edg": (_potts, 16, {}),
    "xy-16-edg": (_xy, 16, {}),
}
# Cases with an EDG root in place of the autoregressive one.
EDG_ROOT = "-edg"
# Averages that are compared, where the system has them.
AVERAGES = ("energy", "abs_magnetization", "helicity_modulus")


def _averages(estimates: Any) -> dict[str, float]:
    names = [name for name in AVERAGES if name in estimates]
    return {f"{name}{end}": float(estimates[name + end]) for name in names for end in ("", "_err")}


def train(case: str, seed: int) -> dict:
    """One training and its draws."""
    make, length, fit = CASES[case]
    begin = time.process_time()
    root = "edg" if case.endswith(EDG_ROOT) else "autoregressive"
    edg = ep.EDG(make(length), root=root).fit(seed=seed, progress=False, **fit)
    record: dict[str, Any] = {"case": case, "seed": seed, "training_cpu_s": time.process_time() - begin}
    told = json.loads(edg.history.attrs["settings"])["training"]
    record |= {name: told[name] for name in ("training", "n_steps", "batch_size")}
    for k in VIEWS:
        begin = time.process_time()
        draws = edg.sample(N_DRAWS, seed=seed + 1, n_views=k, progress=False)
        found = ep.estimate(draws)
        record[f"drawing_cpu_s_{k}"] = time.process_time() - begin
        record |= {f"{name}_{k}": float(found[name]) for name in ("ess", "log_z", "log_z_err", "elbo")}
        record[f"reliable_{k}"] = bool(found["reliable"])
        record |= {f"{name}_{k}": value for name, value in _averages(found).items()}
    return record | {"hardware": hardware()}


def refer(case: str, seed: int) -> dict:
    """log Z by MBAR, averages by the best chain of the system."""
    make, length, _ = CASES[case]
    system = make(length)
    by_mbar = ep.free_energy(system, method="mbar", seed=seed, n_sweeps=4000)
    algorithm = ep.mcmc.best_algorithm(system)
    chain = ep.mcmc.run(system, algorithm, n_chains=8, n_sweeps=20_000, n_warmup=1000, seed=seed)
    record = {"case": REFERENCE + case, "seed": seed, "algorithm": algorithm}
    record |= {name: float(by_mbar[name]) for name in ("log_z", "log_z_err")}
    return record | _averages(ep.estimate(chain)) | {"hardware": hardware()}


def rows(records: list[dict]) -> str:
    """Means over the trainings, the spread in brackets; z of all comparisons with the reference."""
    lines = []
    for case in CASES:
        mine = [one for one in records if one["case"] == case]
        reference = REFERENCE + case.removesuffix(EDG_ROOT)
        truth = next((one for one in records if one["case"] == reference), {})
        if mine:
            lines.append(_row(case, mine, truth))
    head = ["case", "trainings", "training, CPU s", "ESS", "8 views", "log Z, MBAR", "z of log Z"]
    return table([*head, *(f"z of {name}" for name in AVERAGES)], lines)


def _row(case: str, mine: list[dict], truth: dict) -> list[str]:
    def z(name: str) -> str:
        if name not in truth or f"{name}_8" not in mine[0]:
            return ""
        pairs = [(one[f"{name}_8"], one[f"{name}_err_8"]) for one in mine]
        return ", ".join(f"{z_score(*pair, truth[name], truth[f'{name}_err']):.1f}" for pair in pairs)

    cost = f"{np.mean([one['training_cpu_s'] for one in mine]):.0f}"
    sizes = (describe([one[f"ess_{k}"] for one in mine], 3) for k in VIEWS)
    exact = pm(truth["log_z"], truth["log_z_err"]) if truth else ""
    return [case, str(len(mine)), cost, *sizes, exact, z("log_z"), *(z(name) for name in AVERAGES)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=["potts-16", "xy-16"])
    parser.add_argument("--seed", nargs="+", type=int, default=[0], help="of the training")
    parser.add_argument("--references", action="store_true", help="of the cases, in place of trainings")
    parser.add_argument("--table", action="store_true", help="no runs, only the table")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.references:
        measured(RESULTS, [REFERENCE + case for case in given.case], [0], _refer)
    elif not given.table:
        measured(RESULTS, given.case, given.seed, train)
    put("laws", rows(read_lines(RESULTS)), given.readme, RESULTS.with_name("README.md"))


def _refer(name: str, seed: int) -> dict:
    return refer(name.removeprefix(REFERENCE), seed)


if __name__ == "__main__":
    main()
