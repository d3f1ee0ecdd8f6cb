# SPDX-License-Identifier: MIT
"""Critical temperature and exponents of the square Ising model from chains of L = 8 to 64.

python -m studies.finite_size_scaling.run            # scans -> L*.nc; table and picture into README.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import edgphys as ep
import lattices
from studies.finite_size_scaling.results import picture, put_tables

HERE = Path(__file__).parent
TEMPERATURES = np.linspace(2.22, 2.32, 11)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n-sweeps", type=int, default=20_000, help="of each of 4 chains")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    scans = [_scan(length, arguments.n_sweeps, arguments.seed) for length in (8, 16, 32, 64)]
    crossings = ep.scaling.crossings(scans, "binder_cumulant")
    cumulant = {n: ep.scaling.collapse(scans[n:], "binder_cumulant", exponent=0.0) for n in (0, 1, 2)}
    susceptibility = {n: ep.scaling.collapse(scans[n:], "susceptibility") for n in (0, 1, 2)}
    magnetization = {n: ep.scaling.collapse(scans[n:], "abs_magnetization") for n in (0, 1, 2)}
    put_tables(HERE, crossings, cumulant, susceptibility, magnetization)
    picture(HERE / "collapse.png", scans, cumulant[1])


def _scan(length: int, n_sweeps: int, seed: int) -> xr.Dataset:
    path = HERE / f"L{length}.nc"
    if path.exists():
        return ep.dataset.read(path)
    lattice = lattices.build("square", (length, length))
    return ep.scan(
        lambda temperature: ep.Ising(lattice, temperature),
        temperature=TEMPERATURES,
        methods=["wolff"],
        seed=seed,
        mcmc={"n_chains": 4, "n_sweeps": n_sweeps},
        out=path,
    )


if __name__ == "__main__":
    main()
