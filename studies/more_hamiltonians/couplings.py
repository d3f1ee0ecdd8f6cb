# SPDX-License-Identifier: MIT
"""Couplings by bond and by kind: +-J glasses by EDG, tempering and MBAR, J1-J2 by EDG and MBAR.

    python -m studies.more_hamiltonians.couplings glass --extent 6
    python -m studies.more_hamiltonians.couplings glass --extent 10 --n-sweeps 4000
    python -m studies.more_hamiltonians.couplings j1j2 --n-sweeps 5000
    python -m studies.more_hamiltonians.couplings table

Adds to `couplings.json` beside this file; what is there already is not run again. Ten CPU minutes for ten
glasses of 6 x 6, six for J1-J2.
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


def j1j2(second: float, seed: int, n_sweeps: int, extent: int = 8) -> dict:
    """J1 = 1, frustrating J2 = -second at T = 1: log Z by EDG with default settings, by MBAR and exactly."""
    lattice = lattices.build("square-j1j2", (extent, extent))
    system = ep.Ising(lattice, temperature=1.0, coupling={"first": 1.0, "second": -second})
    begin = time.process_time()
    edg = ep.EDG(system).fit(seed=seed, progress=False)
    middle = time.process_time()
    by_edg = ep.estimate(edg.sample(10_000, seed=seed + 1, progress=False))
    plain = ep.estimate(edg.sample(10_000, seed=seed + 1, n_views=1, progress=False))
    row = {"what": "j1j2", "second": second, "extent": extent, "seed": seed, "cpu_s": middle - begin}
    row |= {name: float(by_edg[name]) for name in ("log_z", "log_z_err", "ess")}
    row |= {"plain_ess": float(plain["ess"]), "warning": by_edg.attrs.get("warning", "")}
    if seed == 0:
        by_mbar = ep.free_energy(system, method="mbar", seed=seed, n_sweeps=n_sweeps)
        row |= {"mbar": float(by_mbar["log_z"]), "mbar_err": float(by_mbar["log_z_err"])}
    return row | {"exact": system.exact_results().get("log_z")}


def j1j2_table(rows: list[dict]) -> str:
    """All seeds of every J2, and MBAR of one."""
    cells = []
    for row in (row for row in rows if row["what"] == "j1j2"):
        edg, exact = (row["log_z"], row["log_z_err"]), row["exact"]
        mbar = (row["mbar"], row["mbar_err"]) if "mbar" in row else None
        cells.append(
            [
                f"{-row['second']:g}",
                str(row["seed"]),
                f"{row['cpu_s']:.0f}",
                f"{row['plain_ess']:.3f}",
                f"{row['ess']:.3f}",
                pm(*edg),
                f"{z_score(*edg, exact):+.1f}",
                "" if mbar is None else pm(*mbar),
                "" if mbar is None else f"{z_score(*mbar, exact):+.1f}",
                f"{exact:.4f}",
                f"no: {row['warning']}" if row["warning"] else "yes",
            ]
        )
    header = ["J2", "seed", "training, CPU s", "ESS, 1 view", "default", "EDG", "z", "MBAR", "z", "exact"]
    return table([*header, "trusted"], cells)


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
    parser.add_argument("--samples", type=int, default=10)
    given = parser.parse_args()
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    if given.what == "table":
        print(glass_table(rows), j1j2_table(rows), sep="\n")
        return
    if given.what == "glass":
        extent = given.extent or 6
        there = {row["seed"] for row in rows if row["what"] == "glass" and row["extent"] == extent}
        made = (glass(extent, seed, given.n_sweeps) for seed in range(given.samples) if seed not in there)
    else:
        cases = [(second, seed) for second in (0.5, 1.0) for seed in range(3)]
        there = {(row["second"], row["seed"]) for row in rows if row["what"] == "j1j2"}
        made = (j1j2(*case, given.n_sweeps) for case in cases if case not in there)
    for row in made:
        print(row, flush=True)
        rows.append(row)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
