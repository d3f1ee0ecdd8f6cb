# SPDX-License-Identifier: MIT
"""How close the field decoder with its default settings comes to known free energies on 8 x 8 lattices.

Question, command, run time and conclusion are in README.md. Output: results.json here, and a table.

    python studies/free_energy_8x8/run.py [--case NAME ...] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

import edgphys as ep
import lattices

FOLDER = Path(__file__).parent
N_SAMPLES = 10_000
# Monte Carlo references for phi^4: value and standard error.
PHI4 = {0.25: (42.9033, 0.0011), 0.27: (46.007, 0.002)}
ISING = (1.8, 2.27, 2.6, 3.4)
N_ODE = 200


def systems() -> dict[str, tuple[object, float, float]]:
    """Name -> (system, reference log_z, its standard error)."""
    lattice = lattices.build("square", (8, 8))
    cases = {
        f"phi4 kappa={kappa}": (ep.Phi4(lattice, kappa=kappa, lam=0.022), *PHI4[kappa]) for kappa in PHI4
    }
    for temperature in ISING:
        system = ep.Ising(lattice, temperature=temperature)
        cases[f"ising T={temperature}"] = (system, system.exact_results()["log_z"], 0.0)
    return cases


def trained(name: str, seed: int) -> dict:
    """Default fit and 10,000 samples."""
    system, exact, exact_err = systems()[name]
    edg = ep.EDG(system, decoder="field").fit(seed=seed, progress=False)
    start = time.perf_counter()
    samples = edg.sample(N_SAMPLES, seed=seed + 1, n_views=1, keep=True, progress=False)
    sampling = time.perf_counter() - start
    result = row(ep.estimate(samples), exact, exact_err)
    spins = samples["magnetization"].to_numpy()
    result |= {
        "n_steps": edg.history.sizes["step"],
        "n_parameters": sum(p.numel() for p in edg.model.parameters()),
        "training_s": json.loads(samples.attrs["settings"])["training"]["training_time"],
        "sampling_s": sampling,
        "positive_share": float((spins > 0).sum() / (spins != 0).sum()),
    }
    if name in ("phi4 kappa=0.25", "ising T=2.27"):
        start = time.perf_counter()
        ode = edg.sample(N_ODE, seed=seed + 2, weights="ode", n_ode_steps=8, batch_size=100, progress=False)
        result["ode"] = row(ep.estimate(ode), exact, exact_err) | {"sampling_s": time.perf_counter() - start}
    return result


def untrained(seed: int) -> dict:
    """E[w] = Z with the initial network, on a system small enough to enumerate."""
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=3.0)
    exact, edg = system.exact_results()["log_z"], ep.EDG(system, decoder="field").fit(seed=seed, n_steps=0)
    results = {}
    for n_path_steps in (1, 4, 16):
        options = {"n_path_steps": n_path_steps, "n_views": 1}
        samples = edg.sample(20_000, seed=seed + n_path_steps, progress=False, **options)
        results[f"untrained ising 4x4 T=3, K={n_path_steps}"] = row(ep.estimate(samples), exact, 0.0)
    return results


def row(estimates, exact: float, exact_err: float) -> dict:
    """The numbers of one line of the table."""
    log_z, err = float(estimates["log_z"]), float(estimates["log_z_err"])
    elbo, elbo_err = float(estimates["elbo"]), float(estimates["elbo_err"])
    return {
        "exact": exact,
        "log_z": log_z,
        "log_z_err": err,
        "z": (log_z - exact) / float(np.hypot(err, exact_err)),
        "gap": exact - elbo,
        "gap_err": elbo_err,
        "ess": float(estimates["ess"]),
        "max_weight": float(estimates["max_weight"]),
        "pareto_k": float(estimates["pareto_k"]),
        "reliable": float(estimates["reliable"]),
        "n_draws": float(estimates["n_draws"]),
    }


def table(results: dict[str, dict]) -> str:
    """Markdown; ESS is that of the joint space of x and latents, as a share of the draws."""
    lines = [
        "| case | log_z | exact | z | gap (nats) | joint ESS | Pareto k | training, sampling (s) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, entry in results.items():
        for label, r in ((name, entry), (f"{name}, ODE weights", entry.get("ode"))):
            if r is None:
                continue
            times = f"{r['training_s']:.0f}, {r['sampling_s']:.0f}" if "training_s" in r else ""
            times = times or (f"-, {r['sampling_s']:.0f}" if "sampling_s" in r else "")
            lines.append(
                f"| {label} | {r['log_z']:.4f} +- {r['log_z_err']:.4f} | {r['exact']:.4f} | {r['z']:+.1f} "
                f"| {r['gap']:.3f} +- {r['gap_err']:.3f} | {r['ess']:.2f} | {r['pareto_k']:.2f} | {times} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="*", help="names of cases; default all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    path = FOLDER / "results.json"
    results = json.loads(path.read_text())["results"] if path.exists() else {}
    for name in arguments.case if arguments.case is not None else systems():
        results[name] = trained(name, arguments.seed)
        print(name, json.dumps(results[name]), flush=True)
    results |= untrained(arguments.seed)
    hardware = (
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, seed {arguments.seed}"
    )
    path.write_text(json.dumps({"hardware": hardware, "results": results}, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
