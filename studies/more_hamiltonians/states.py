# SPDX-License-Identifier: MIT
"""Finitely many states per site: every algorithm against exact results, and the speed of the kernels.

    python -m studies.more_hamiltonians.states exactness        # about 10 CPU minutes
    python -m studies.more_hamiltonians.states speed            # about 3

Both write into `states.json`. Exactness: energy, specific heat, order and correlation length of each chain
against enumeration, or sums site after site; z is the deviation in standard errors, its limit the two-sided
normal quantile at 1e-4 over the number of comparisons. As a control the same chains are run at a temperature
5 % too high: they must exceed the limit. Speed: heat bath and Metropolis against the loop that one writes
first, and Swendsen-Wang of the Potts model against that of Ising, the best of several repeats in one run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
from numba import njit

import edgphys as ep
import lattices
from studies.common import hardware

RESULTS = Path(__file__).with_name("states.json")
ORDER = ("abs_magnetization", "susceptibility", "binder_cumulant", "correlation_length", "order_parameter")
NAMES = ("energy", "specific_heat", *ORDER, "staggered_abs_magnetization", "staggered_susceptibility")
HOTTER = 1.05


def cases() -> dict[str, ep.systems.AbstractSystem]:
    """Small lattices, near what would be their critical temperatures."""
    build, bonds = lattices.build, lattices.random_bonds
    square, open_, j1j2 = (
        build("square", (3, 3)),
        build("square", (3, 4), False),
        build("square-j1j2", (3, 3)),
    )
    wide = build("square", (4, 5))

    def blume_capel(lattice, splitting: float, temperature: float):
        return ep.LatticePotential(
            lattice,
            site=lambda s, splitting: splitting * s**2,
            bond=lambda a, b: -a * b,
            states=(-1, 0, 1),
            temperature=temperature,
            splitting=splitting,
        )

    return {
        "Potts 3, 3x3": ep.Potts(square, 1.0, 3),
        "Potts 3, 4x5": ep.Potts(wide, 1.0, 3),
        "Potts 3, 3x4 open, J=-1": ep.Potts(open_, 0.6, 3, -1.0),
        "Potts 4, 3x3, h=0.2": ep.Potts(square, 0.9, 4, 1.0, 0.2),
        "Potts 10, 2x3 honeycomb open": ep.Potts(build("honeycomb", (1, 3), False), 0.5, 10),
        "Potts 3, J1=1 J2=0.5": ep.Potts(j1j2, 1.4, 3, {"first": 1.0, "second": 0.5}),
        "Potts 3, J1=1 J2=-0.5": ep.Potts(j1j2, 0.8, 3, {"first": 1.0, "second": -0.5}),
        "Potts 3, random fields": ep.Potts(square, 1.0, 3, 1.0, np.linspace(-1.0, 1.0, 9)),
        "Potts 3, glass": ep.Potts(square, 0.8, 3, bonds(square, "gaussian", seed=3)),
        "clock 5, 2x4": ep.Clock(build("square", (2, 4), (False, True)), 0.8, 5),
        "clock 6, 2x3 honeycomb open": ep.Clock(build("honeycomb", (1, 3), False), 0.6, 6, 1.0, 0.2),
        "clock 4, 3x3 triangular, J=-1": ep.Clock(build("triangular", (3, 3)), 0.8, 4, -1.0),
        "clock 4, 3x4 open, J=-1": ep.Clock(build("square", (2, 4), False), 0.7, 4, -1.0),
        "Blume-Capel, 3x4 open, D=0.5": blume_capel(open_, 0.5, 1.2),
        "Blume-Capel, 3x3, D=1.9": blume_capel(square, 1.9, 0.7),
    }


def scores(estimates, exact: dict[str, float]) -> dict[str, float]:
    """z of everything known that fluctuates."""
    known = [name for name in NAMES if name in exact and float(estimates[f"{name}_err"]) > 0.0]
    known = [name for name in known if np.isfinite(float(estimates[name]) - exact[name])]
    return {name: (float(estimates[name]) - exact[name]) / float(estimates[f"{name}_err"]) for name in known}


def exactness(n_sweeps: int, seed: int) -> dict:
    rows = []
    for label, system in cases().items():
        exact, hotter = system.exact_results(), system.replace(temperature=HOTTER * system.temperature)
        for algorithm in ep.mcmc.algorithms_for(system):
            z, control = (
                scores(ep.estimate(ep.mcmc.run(one, algorithm, 8, n_sweeps, seed=seed)), exact)
                for one in (system, hotter)
            )
            rows.append({"case": label, "algorithm": algorithm, "z": z, "z_control": control})
            worst = [round(max(map(abs, one.values())), 1) for one in (z, control)]
            print(f"{label:34}{algorithm:16}{worst[0]:6.1f}{worst[1]:8.1f}", flush=True)
    every = np.array([z for row in rows for z in row["z"].values()])
    limit = float(scipy.stats.norm.isf(0.5e-4 / len(every)))
    blind = [row for row in rows if max(map(abs, row["z_control"].values())) < limit]
    summary = {
        "n_runs": len(rows),
        "n_comparisons": len(every),
        "limit": limit,
        "largest": float(np.abs(every).max()),
        "rms": float(np.sqrt((every**2).mean())),
        "controls_not_caught": [f"{row['case']} {row['algorithm']}" for row in blind],
        "n_sweeps": n_sweeps,
        "seed": seed,
    }
    print(summary)
    return {"summary": summary, "rows": rows}


# ---------------------------------------------------------------------------------------------------- speed


@njit
def plain_metropolis(states, q, beta, n_sweeps):
    """The loop that everybody writes first: exp in the loop, numba's own generator."""
    length = states.shape[0]
    for _ in range(n_sweeps):
        for i in range(length):
            for j in range(length):
                old, new, change = states[i, j], np.random.randint(q), 0  # noqa: NPY002
                for other in (
                    states[(i + 1) % length, j],
                    states[i - 1, j],
                    states[i, (j + 1) % length],
                    states[i, j - 1],
                ):
                    change += (other == old) - (other == new)
                if change <= 0 or np.random.random() < np.exp(-beta * change):  # noqa: NPY002
                    states[i, j] = new


@njit
def plain_heat_bath(states, q, beta, n_sweeps):
    """The same for the heat bath."""
    length, p = states.shape[0], np.empty(q)
    for _ in range(n_sweeps):
        for i in range(length):
            for j in range(length):
                total = 0.0
                for a in range(q):
                    equal = (states[(i + 1) % length, j] == a) + (states[i - 1, j] == a)
                    equal += (states[i, (j + 1) % length] == a) + (states[i, j - 1] == a)
                    total += np.exp(beta * equal)
                    p[a] = total
                u, a = np.random.random() * total, 0  # noqa: NPY002
                while p[a] < u:
                    a += 1
                states[i, j] = a


def rate(work: Callable[[int], None], n: int, repeats: int) -> float:
    """Sweeps per second of CPU time, from the best times of n and of 5 n sweeps."""
    work(n)
    times = {}
    for count in (n, 5 * n):
        taken = []
        for _ in range(repeats):
            begin = time.process_time()
            work(count)
            taken.append(time.process_time() - begin)
        times[count] = min(taken)
    return 4 * n / (times[5 * n] - times[n])


def chain(system, algorithm: str) -> Callable[[int], None]:
    """n sweeps of one chain, measured once at the end."""
    return lambda n: ep.mcmc.run(system, algorithm, 1, n, seed=1, n_warmup=0, thin=n, n_threads=1) and None


def speed(repeats: int) -> dict:
    critical, rows = ep.exact.potts.critical_temperature(3), []
    for length, n in ((64, 100), (256, 10)):
        lattice = lattices.build("square", (length, length))
        potts = ep.Potts(lattice, critical, 3)
        ising = ep.Ising(lattice, ep.exact.onsager.critical_temperature())
        start = np.random.default_rng(0).integers(3, size=(length, length))
        works = {
            "plain metropolis": lambda n, start=start: plain_metropolis(start.copy(), 3, 1 / critical, n),
            "plain heat bath": lambda n, start=start: plain_heat_bath(start.copy(), 3, 1 / critical, n),
            **{f"Potts {name}": chain(potts, name) for name in ("metropolis", "heat_bath", "swendsen_wang")},
            "Ising swendsen_wang": chain(ising, "swendsen_wang"),
        }
        # Fast kernels for longer, so that what happens once for each run drops out.
        longer = {
            "Potts metropolis": 40,
            "Potts heat_bath": 40,
            "Potts swendsen_wang": 5,
            "Ising swendsen_wang": 5,
        }
        rates = {
            name: length**2 * rate(work, n * longer.get(name, 1), repeats) for name, work in works.items()
        }
        rows.append({"length": length, "updates_per_second": rates})
        print(length, {name: f"{value:.3g}" for name, value in rates.items()}, flush=True)
    return {"rows": rows, "repeats": repeats}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("exactness", "speed"))
    parser.add_argument("--n-sweeps", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if arguments.part == "exactness":
        result = exactness(arguments.n_sweeps, arguments.seed)
    else:
        result = speed(arguments.repeats)
    content = before | {arguments.part: result, "hardware": hardware()}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
