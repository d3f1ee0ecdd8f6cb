# SPDX-License-Identifier: MIT
"""Couplings by bond and by kind: +-J glasses by tempering and MBAR, J1-J2 by EDG and MBAR, all exactly too.

    python -m studies.more_hamiltonians.couplings glass --extent 6
    python -m studies.more_hamiltonians.couplings j1j2

Appends to `couplings.json` beside this file. Five CPU minutes for ten glasses of 6 x 6, ten for each J2.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import edgphys as ep
import lattices

OUT = Path(__file__).with_name("couplings.json")
TEMPERATURES = np.geomspace(0.5, 3.0, 10)


def glass(extent: int, seed: int, n_sweeps: int) -> dict:
    """One +-J glass: log Z at T = 1 by MBAR, lowest energy seen by tempering, and both exactly."""
    lattice = lattices.build("square", (extent, extent))
    system = ep.Ising(lattice, temperature=1.0, coupling=lattices.random_bonds(lattice, seed=seed))
    by_mbar = ep.free_energy(system, method="mbar", seed=seed, n_sweeps=n_sweeps)
    ladder = ep.mcmc.temper(
        system, {"temperature": TEMPERATURES}, "heat_bath", n_chains=4, n_sweeps=n_sweeps, seed=seed
    )
    # The energy at T = 0.02 is that of the ground state to a rounding error: the gap is 4 J.
    ground = system.replace(temperature=0.02).exact_results().get("energy", float("nan"))
    exact = system.exact_results()
    row = {"what": "glass", "extent": extent, "seed": seed, "n_sweeps": n_sweeps}
    row |= {"log_z": float(by_mbar["log_z"]), "log_z_err": float(by_mbar["log_z_err"])}
    row |= {"exact": exact.get("log_z"), "lowest": float(ladder["energy"].min()), "ground": ground}
    return row


def j1j2(second: float, extent: int, n_steps: int, seed: int) -> dict:
    """J1 = 1, frustrating J2 = -second at T = 1: log Z by EDG, by MBAR and exactly."""
    lattice = lattices.build("square-j1j2", (extent, extent))
    system = ep.Ising(lattice, temperature=1.0, coupling={"first": 1.0, "second": -second})
    draws = (
        ep.EDG(system)
        .fit(seed=seed, n_steps=n_steps, progress=False)
        .sample(10_000, seed=seed + 1, progress=False)
    )
    by_edg = ep.estimate(draws)
    by_mbar = ep.free_energy(system, method="mbar", seed=seed, n_sweeps=5000)
    row = {"what": "j1j2", "second": second, "extent": extent, "n_steps": n_steps, "seed": seed}
    row |= {
        "log_z": float(by_edg["log_z"]),
        "log_z_err": float(by_edg["log_z_err"]),
        "ess": float(by_edg["ess"]),
    }
    row |= {"warning": by_edg.attrs.get("warning", "")}
    row |= {"mbar": float(by_mbar["log_z"]), "mbar_err": float(by_mbar["log_z_err"])}
    return row | {"exact": system.exact_results().get("log_z")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("glass", "j1j2"))
    parser.add_argument("--extent", type=int)
    parser.add_argument("--n-sweeps", type=int, default=2000)
    parser.add_argument("--n-steps", type=int, default=400)
    parser.add_argument("--samples", type=int, default=10)
    given = parser.parse_args()
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    if given.what == "glass":
        made = (glass(given.extent or 6, seed, given.n_sweeps) for seed in range(given.samples))
    else:
        made = (j1j2(second, given.extent or 8, given.n_steps, seed=0) for second in (0.5, 1.0))
    for row in made:
        print(row, flush=True)
        rows.append(row)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
