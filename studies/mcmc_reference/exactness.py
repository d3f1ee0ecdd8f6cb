# SPDX-License-Identifier: MIT
"""Every Markov-chain algorithm on every lattice that it supports, against exact results.

    python studies/mcmc_reference/exactness.py        writes exactness.json here

Energy, specific heat, Binder cumulant, susceptibility, correlation length and <phi^2> of each chain are
compared with enumeration (small lattices), Kaufman's solution (square 16x16 and 32x32: energy and specific
heat), the transfer operator (phi^4 chains) and the Gaussian field. z is the deviation in standard errors; the
limit is the two-sided normal quantile at 1e-4 over the number of comparisons. As a control the same chains
are run with acceptance rules for a coupling 3 % too weak (phi^4: 10 %): they must exceed the limit.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import scipy.stats

import edgphys as ep
import lattices

FOLDER = Path(__file__).parent
NAMES = ("energy", "specific_heat", "binder_cumulant", "susceptibility", "phi2", "correlation_length")


def ising_cases() -> dict[str, ep.Ising]:
    """Lattices of at most 20 sites, and tori with Kaufman's solution, near their critical temperatures."""
    build = lattices.build
    return {
        "square 4x4": ep.Ising(build("square", (4, 4)), 2.4),
        "square 4x4 h=0.1": ep.Ising(build("square", (4, 4)), 2.4, field=0.1),
        "square 4x4 J=-1": ep.Ising(build("square", (4, 4)), 2.4, coupling=-1.0),
        "chain 12": ep.Ising(build("chain", (12,)), 1.0),
        "triangular 4x4": ep.Ising(build("triangular", (4, 4)), 3.8),
        "triangular 4x4 J=-1": ep.Ising(build("triangular", (4, 4)), 2.0, coupling=-1.0),
        "honeycomb 3x3": ep.Ising(build("honeycomb", (3, 3)), 1.6),
        "kagome 2x3 open": ep.Ising(build("kagome", (2, 3), False), 2.0),
        "cubic 3x3x2 open": ep.Ising(build("cubic", (3, 3, 2), False), 4.0),
        "square 16x16": ep.Ising(build("square", (16, 16)), 2.3),
        "square 32x32": ep.Ising(build("square", (32, 32)), 2.3),
    }


def phi4_cases() -> dict[str, ep.Phi4]:
    build = lattices.build
    return {
        "chain 16": ep.Phi4(build("chain", (16,)), 0.25, 0.022),
        "chain 16 kappa=0.4": ep.Phi4(build("chain", (16,)), 0.4, 0.2),
        "free 8x8": ep.Phi4(build("square", (8, 8)), 0.2, 0.0),
        "free 4x4x4": ep.Phi4(build("cubic", (4, 4, 4)), 0.12, 0.0),
        "free 3x3x3x3": ep.Phi4(build("hypercubic", (3, 3, 3, 3)), 0.1, 0.0),
    }


def weaker(system):
    """The same system with an interaction too weak: what a wrong acceptance rule samples."""
    if isinstance(system, ep.Ising):
        return system.replace(coupling=0.97 * system.coupling)
    return system.replace(kappa=0.9 * system.hop)


def z_scores(samples, system) -> dict[str, float]:
    estimates, exact = ep.estimate(samples), system.exact_results()
    scores = {}
    for name in NAMES:
        if name in exact and float(estimates[f"{name}_err"]) > 0 and not np.isnan(estimates[name]):
            scores[name] = (float(estimates[name]) - exact[name]) / float(estimates[f"{name}_err"])
    return scores


def row(system, algorithm: str, n_sweeps: int, seed: int) -> dict:
    begin = time.perf_counter()
    n_chains = 64 if algorithm == "multispin" else 8
    arguments = dict(n_chains=n_chains, n_sweeps=n_sweeps, seed=seed)
    samples = ep.mcmc.run(system, algorithm, **arguments)
    # The control: chains of the weaker system, read as if they were of the right one.
    wrong = ep.mcmc.run(weaker(system), algorithm, **arguments)
    control = z_scores(_reread(wrong, samples, system), system)
    return {
        "z": z_scores(samples, system),
        "z_control": control,
        "n_chains": n_chains,
        "n_sweeps": n_sweeps,
        "seconds": time.perf_counter() - begin,
    }


def _reread(wrong, samples, system):
    """Chains of the weaker system with the energies and constants of the right one."""
    if isinstance(system, ep.Ising):
        reread, magnetic = wrong.copy(), -system.field * system.n_sites * wrong["magnetization"]
        reread["energy"] = (wrong["energy"] - magnetic) / 0.97 + magnetic
    else:
        reread = wrong.drop_vars("energy")  # not a multiple of the right one
    reread.attrs = samples.attrs
    return reread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-sweeps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for family, cases in (("ising", ising_cases()), ("phi4", phi4_cases())):
        for label, system in cases.items():
            for algorithm in ep.mcmc.algorithms_for(system):
                result = row(system, algorithm, arguments.n_sweeps, arguments.seed)
                rows.append({"system": family, "case": label, "algorithm": algorithm, **result})
                worst = {k: max(map(abs, rows[-1][k].values()), default=np.nan) for k in ("z", "z_control")}
                print(f"{family:6}{label:22}{algorithm:16}", worst, flush=True)
    n = sum(len(r["z"]) for r in rows)
    limit = float(scipy.stats.norm.isf(0.5e-4 / n))
    every = np.array([z for r in rows for z in r["z"].values()])
    blind = [f"{r['case']} {r['algorithm']}" for r in rows if max(map(abs, r["z_control"].values())) < limit]
    summary = {
        "n_comparisons": n,
        "limit": limit,
        "largest": float(np.abs(every).max()),
        "rms": float(np.sqrt((every**2).mean())),
        "controls_not_caught": blind,
        "seed": arguments.seed,
    }
    print(summary)
    (FOLDER / "exactness.json").write_text(json.dumps({"summary": summary, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
