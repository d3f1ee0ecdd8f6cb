# SPDX-License-Identifier: MIT
"""XY at T = 0.9: energy and stiffness by Wolff and by overrelaxation, log Z by MBAR; speed of the kernels.

    python -m studies.more_hamiltonians.rotors averages
    python -m studies.more_hamiltonians.rotors log_z
    python -m studies.more_hamiltonians.rotors speed

Each replaces its rows in `rotors.json` beside this file. Two CPU minutes each.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from numba import njit

import edgphys as ep
import lattices
from edgphys.mcmc.algorithms import make_sampler

OUT = Path(__file__).with_name("rotors.json")
NAMES = ("energy", "helicity_modulus", "vorticity", "susceptibility", "specific_heat")


def xy(extent: int) -> ep.XY:
    """On a square torus at T = 0.9."""
    return ep.XY(lattices.build("square", (extent, extent)), temperature=0.9)


def averages(n_sweeps: int) -> list[dict]:
    """Estimates of two algorithms with nothing in common, and how far apart they are in errors."""
    rows = []
    for algorithm, seed in (("wolff", 1), ("overrelaxation", 2)):
        begin = time.process_time()
        table = ep.estimate(ep.mcmc.run(xy(16), algorithm, n_sweeps=n_sweeps, seed=seed, n_threads=1))
        row = {"what": "averages", "algorithm": algorithm, "extent": 16, "n_sweeps": n_sweeps, "seed": seed}
        row |= {name: [float(table[name]), float(table[f"{name}_err"])] for name in NAMES}
        row |= {"tau_int": float(table["tau_int"]), "cpu_seconds": time.process_time() - begin}
        rows.append(row)
    z = {}
    for name in NAMES:
        (a, a_err), (b, b_err) = (row[name] for row in rows)
        z[name] = (a - b) / math.hypot(a_err, b_err)
    return [*rows, {"what": "averages", "algorithm": "difference in errors", **z}]


def log_z(n_sweeps: int) -> list[dict]:
    """By MBAR from free spins on 16 x 16, and on 3 x 8 beside the exact value."""
    rows = []
    for system in (xy(16), ep.XY(lattices.build("square", (3, 8)), temperature=0.9)):
        table = ep.free_energy(system, method="mbar", seed=3, n_sweeps=n_sweeps)
        row = {"what": "log_z", "extent": list(system.lattice.extent), "n_sweeps": n_sweeps, "seed": 3}
        row |= {"log_z": float(table["log_z"]), "log_z_err": float(table["log_z_err"])}
        rows.append(row | {"exact": system.exact_results().get("log_z")})
    return rows


@njit
def plain_sweep(theta, beta, width, rng):
    """Metropolis as one writes it first: angles, cosines, numpy's random numbers, a test for the edges."""
    n = theta.shape[0]
    for i in range(n):
        for j in range(n):
            new = theta[i, j] + width * (2.0 * rng.random() - 1.0)
            change = 0.0
            for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                other = theta[(i + di) % n, (j + dj) % n]
                change += math.cos(theta[i, j] - other) - math.cos(new - other)
            if rng.random() < math.exp(-beta * change):
                theta[i, j] = new


@njit
def plain_cluster(theta, beta, stack, inside, rng):
    """One Wolff cluster with angles and cosines; its size."""
    n = theta.shape[0]
    inside[:] = False
    axis = 2.0 * math.pi * rng.random()
    stack[0, 0], stack[0, 1] = rng.integers(0, n), rng.integers(0, n)
    inside[stack[0, 0], stack[0, 1]] = True
    size, left = 0, 1
    while left:
        left -= 1
        i, j = stack[left]
        size += 1
        mine = math.cos(theta[i, j] - axis)
        theta[i, j] = 2.0 * axis + math.pi - theta[i, j]
        for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            k, m = (i + di) % n, (j + dj) % n
            if not inside[k, m]:
                bond = 2.0 * beta * mine * math.cos(theta[k, m] - axis)
                if bond > 0.0 and rng.random() < 1.0 - math.exp(-bond):
                    inside[k, m] = True
                    stack[left, 0], stack[left, 1] = k, m
                    left += 1
    return size


def speed(extent: int) -> list[dict]:
    """Nanoseconds of CPU time for each update of a spin, the fastest of five runs; each in equilibrium."""
    system, n, rows = xy(extent), extent * extent, []
    n_sweeps = max(10, 400_000 // n)
    theta = np.zeros((extent, extent))
    rng = np.random.default_rng(1)

    def metropolis() -> int:
        for _ in range(n_sweeps):
            plain_sweep(theta, system.beta, 1.5, rng)
        return n * n_sweeps

    stack, inside = np.empty((n, 2), np.int64), np.zeros((extent, extent), np.bool_)

    def clusters() -> int:
        visited = 0
        while visited < n * n_sweeps:
            visited += plain_cluster(theta, system.beta, stack, inside, rng)
        return visited

    for name, work in (("plain metropolis", metropolis), ("plain wolff", clusters)):
        rows.append({"name": name, "ns": fastest(work)})
    for algorithm in ("heat_bath", "overrelaxation", "wolff"):
        sampler = make_sampler(system, algorithm)
        state = sampler.start(1, np.random.SeedSequence(1))

        def updates(sampler=sampler, state=state) -> int:
            before = state.counts.sum() - state.counts[[1, 3]].sum()
            sampler.warm_up(state, 0, n_sweeps, n_sweeps)
            return int(state.counts.sum() - state.counts[[1, 3]].sum() - before)

        rows.append({"name": algorithm, "ns": fastest(updates)})
    return [{"what": "speed", "extent": extent, **row} for row in rows]


def fastest(work) -> float:
    """Nanoseconds an update, of five runs after one that compiles and equilibrates."""
    work()
    times = []
    for _ in range(5):
        begin = time.process_time()
        n = work()
        times.append((time.process_time() - begin) / n)
    return round(1e9 * min(times), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("averages", "log_z", "speed"))
    parser.add_argument("--n-sweeps", type=int, default=20_000)
    given = parser.parse_args()
    made = {
        "averages": lambda: averages(given.n_sweeps),
        "log_z": lambda: log_z(min(given.n_sweeps, 5000)),
        "speed": lambda: [row for extent in (16, 64) for row in speed(extent)],
    }[given.what]()
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    rows = [row for row in rows if row["what"] != given.what] + made
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    for row in made:
        print(row)


if __name__ == "__main__":
    main()
