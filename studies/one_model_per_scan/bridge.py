# SPDX-License-Identifier: MIT
"""Bridges from a generator to Markov chains on large critical Ising tori, and from a bad generator.

    python -m studies.one_model_per_scan.bridge --seed 0 1 2

``64`` and ``128`` are trained with default settings, the larger from the laws of the smaller; ``64-bad`` for
50 steps only, so that its draws alone are of no use.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgphys as ep
import lattices
from studies.common import hardware, pm, table
from studies.lattice_records.tables import measure_and_put

RESULTS = Path(__file__).with_name("bridge.jsonl")
T_C = 2.0 / math.log(1.0 + math.sqrt(2.0))


@dataclass(frozen=True)
class Case:
    """A torus, its training, and the draws of both sides.

    Attributes
    ----------
    length, n_samples, n_sweeps : int
        Of the torus; draws of the generator; sweeps of each of 8 chains, every tenth kept.
    n_steps : int or None
        Of the training; None: the default.
    start : str
        Case from whose laws the training starts.
    """

    length: int
    n_samples: int
    n_sweeps: int
    n_steps: int | None = None
    start: str = ""


CASES = {
    "64": Case(64, 4000, 5000),
    "64-bad": Case(64, 4000, 5000, n_steps=50),
    "128": Case(128, 1000, 2500, n_steps=300, start="32"),
    "32": Case(32, 4000, 5000),
}


def trained(name: str, seed: int) -> ep.EDG:
    case = CASES[name]
    start = trained(case.start, seed) if case.start else None
    system = ep.Ising(lattices.build("square", (case.length, case.length)), temperature=T_C)
    return ep.EDG(system, start=start).fit(seed, n_steps=case.n_steps, progress=False)


def run(name: str, seed: int) -> dict[str, Any]:
    """One training, plain weights of its draws, and the bridge, both with one view."""
    case, begin = CASES[name], time.process_time()
    edg = trained(name, seed)
    middle = time.process_time()
    batch = max(20, 400_000 // edg.system.n_variables)
    draws = {"n_views": 1, "batch_size": batch, "progress": False}
    plain = ep.estimate(edg.sample(case.n_samples, 1000 + seed, **draws))
    sampled = time.process_time()
    reference = ep.mcmc.run(
        edg.system,
        "swendsen_wang",
        n_chains=8,
        n_sweeps=case.n_sweeps,
        thin=10,
        seed=2000 + seed,
        keep=True,
        progress=False,
    )
    found = edg.bridge(reference, case.n_samples, 1000 + seed, **draws)
    record = {
        "case": name,
        "seed": seed,
        "n_samples": case.n_samples,
        "n_reference": int(reference["energy"].size),
        "log_z_true": edg.system.exact_results()["log_z"],
        "training_cpu_s": middle - begin,
        "plain_cpu_s": sampled - middle,
        "bridge_cpu_s": time.process_time() - sampled,
        "plain": float(plain["log_z"]),
        "plain_err": float(plain["log_z_err"]),
        "ess": float(plain["ess"]),
        "hardware": hardware(),
    }
    for key in ("log_z", "log_z_err", "elbo", "elbo_err", "log_z_upper", "log_z_upper_err", "reliable"):
        record[key] = float(found[key])
    return record


def bridge_table(records: list[dict[str, Any]]) -> str:
    rows = []
    for one in sorted(records, key=lambda one: (list(CASES).index(one["case"]), one["seed"])):
        pull = (one["log_z"] - one["log_z_true"]) / one["log_z_err"]
        rows.append(
            [
                one["case"],
                str(one["seed"]),
                f"{one['ess']:.2g}",
                pm(one["plain"], one["plain_err"]),
                pm(one["log_z"], one["log_z_err"]),
                f"{one['log_z_true']:.4f}",
                f"{pull:+.1f}",
                f"{one['elbo'] - one['log_z_true']:+.2f}, {one['log_z_upper'] - one['log_z_true']:+.2f}",
                f"{one['training_cpu_s']:.0f}, {one['plain_cpu_s']:.0f}, {one['bridge_cpu_s']:.0f}",
            ]
        )
    header = ["case", "seed", "ESS of the draws", "log Z, draws alone", "log Z, bridge", "exact", "pull"]
    return table([*header, "bounds minus exact", "CPU s: training, draws, bridge"], rows)


def main() -> None:
    measure_and_put(__doc__ or "", ["64", "64-bad", "128"], RESULTS, run, bridge_table)


if __name__ == "__main__":
    main()
