# SPDX-License-Identifier: MIT
"""Couplings by bond and by kind: +-J glasses by EDG, tempering and MBAR, J1-J2 by EDG and MBAR.

    python -m studies.more_hamiltonians.couplings glass --extent 6
    python -m studies.more_hamiltonians.couplings glass --extent 10 --n-sweeps 4000
    python -m studies.more_hamiltonians.couplings j1j2
    python -m studies.more_hamiltonians.couplings table

Adds to `couplings.json` beside this file; a glass that is there already is not run again. Ten CPU minutes for
ten glasses of 6 x 6, ten for each J2.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np

import edgphys as ep
import lattices
from edgphys.systems.known import known_exactly
from studies.common import pm, table, z_score

OUT = Path(__file__).with_name("couplings.json")
TEMPERATURES = np.geomspace(0.5, 3.0, 10)


def glass(extent: int, seed: int, n_sweeps: int) -> dict:
    """One +-J glass at T = 1: log Z by EDG and by MBAR, lowest energy seen by tempering, and both exactly."""
    lattice = lattices.build("square", (extent, extent))
    system = ep.Ising(lattice, temperature=1.0, coupling=lattices.random_bonds(lattice, seed=seed))
    by_mbar = ep.free_energy(system, method="mbar", seed=seed, n_sweeps=n_sweeps)
    ladder = ep.mcmc.temper(
        system, {"temperature": TEMPERATURES}, "heat_bath", n_chains=4, n_sweeps=n_sweeps, seed=seed
    )
    # At T = 0.02 the energy is that of the ground state to a rounding error; known up to 8 x 8.
    ground = known_exactly(system.replace(temperature=0.02))[0].get("energy", float("nan"))
    exact = system.exact_results()
    row = {"what": "glass", "extent": extent, "seed": seed, "n_sweeps": n_sweeps}
    row |= {"log_z": float(by_mbar["log_z"]), "log_z_err": float(by_mbar["log_z_err"])}
    row |= {"exact": exact.get("log_z"), "lowest": float(ladder["energy"].min()), "ground": ground}
    return row | glass_by_edg(system, seed)


def glass_by_edg(system: ep.Ising, seed: int) -> dict:
    """Default settings; the lowest energy is that of draws at T = 0.5, from a sampler of a range."""
    begin = time.process_time()
    edg = ep.EDG(system).fit(seed=seed, progress=False)
    draws = edg.sample(10_000, seed=seed + 1, progress=False)
    found = ep.estimate(draws)
    row = {f"edg_{name}": float(found[name]) for name in ("log_z", "log_z_err", "ess")}
    row |= {"edg_cpu_s": time.process_time() - begin, "edg_warning": found.attrs.get("warning", "")}
    begin, ranges = time.process_time(), {"temperature": (0.5, 2.0)}
    cold = (
        ep.EDG(system, conditions=ranges)
        .fit(seed=seed, progress=False)
        .sample(10_000, seed=seed + 1, temperature=0.5, progress=False)
    )
    row |= {"range_ess": float(ep.estimate(cold)["ess"]), "range_lowest": float(cold["energy"].min())}
    return row | {"range_cpu_s": time.process_time() - begin}


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


def glass_table(rows: list[dict]) -> str:
    """All glasses; where log Z is not known, EDG and MBAR are compared with one another."""
    cells = []
    for row in sorted((row for row in rows if row["what"] == "glass"), key=lambda row: row["extent"]):
        mbar, edg = ((row[f"{by}log_z"], row[f"{by}log_z_err"]) for by in ("", "edg_"))
        exact = row["exact"]
        true = (exact, 0.0) if exact is not None else mbar
        cells.append(
            [
                f"{row['extent']} x {row['extent']}",
                str(row["seed"]),
                pm(*edg),
                f"{z_score(*edg, *true):+.2f}",
                f"{row['edg_ess']:.3f}",
                f"{row['edg_cpu_s']:.0f}",
                pm(*mbar),
                "" if exact is None else f"{z_score(*mbar, exact):+.2f}",
                "" if exact is None else f"{exact:.3f}",
                *(f"{row[name]:.0f}" for name in ("range_lowest", "lowest")),
                "" if math.isnan(row["ground"]) else f"{row['ground']:.0f}",
            ]
        )
    header = ["lattice", "seed", "EDG", "z", "ESS", "CPU s", "MBAR", "z", "exact"]
    return table([*header, "lowest energy, EDG at T = 0.5", "tempering", "ground state"], cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("glass", "j1j2", "table"))
    parser.add_argument("--extent", type=int)
    parser.add_argument("--n-sweeps", type=int, default=2000)
    parser.add_argument("--n-steps", type=int, default=400)
    parser.add_argument("--samples", type=int, default=10)
    given = parser.parse_args()
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    if given.what == "table":
        print(glass_table(rows))
        return
    if given.what == "glass":
        extent = given.extent or 6
        there = {row["seed"] for row in rows if row["what"] == "glass" and row["extent"] == extent}
        made = (glass(extent, seed, given.n_sweeps) for seed in range(given.samples) if seed not in there)
    else:
        made = (j1j2(second, given.extent or 8, given.n_steps, seed=0) for second in (0.5, 1.0))
    for row in made:
        print(row, flush=True)
        rows.append(row)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
