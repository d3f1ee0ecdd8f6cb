# SPDX-License-Identifier: MIT
"""Growth: what a cluster costs in training and in drawing, against the number of particles.

    python -m studies.molecular.growth_cost

Lennard-Jones clusters, default options, CPU time of one thread: a step of the training over the number of its
clusters, and a draw weighed from 8 sides over their number. Writes growth_cost.json here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import edgphys as ep
from edgphys.edg.growth.reference_bound import ReferenceBound
from edgphys.edg.weights.views import ViewSpread
from studies.common import hardware, table, weighed_draws

FILE = Path(__file__).parent / "growth_cost.json"
N_PARTICLES = (4, 7, 13, 22, 38, 55)
N_ROUNDS, N_VIEWS = 2, 8


def seconds(work: Callable[[], object]) -> float:
    """Least CPU time of several rounds, after one that compiles."""
    times = []
    for _ in range(N_ROUNDS + 1):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times[1:])


def measure(n_particles: int) -> dict[str, float]:
    """CPU milliseconds per cluster."""
    system = ep.LennardJones(n_particles)
    edg = ep.EDG(system, target="growth")
    chains = ep.mcmc.run(system, "hmc", n_chains=4, n_sweeps=64, n_warmup=200, seed=1, keep=True)
    reference = torch.from_numpy(chains["configurations"].to_numpy().reshape(256, -1))
    edg.fit(0, n_steps=2, reference=chains, progress=False)
    model, generator = edg.model, torch.Generator().manual_seed(0)
    bound, n = ReferenceBound(lambda: reference), 16

    return {
        "n_particles": n_particles,
        "training_ms": 1e3 / n * seconds(lambda: bound(model, n, generator).total.backward()),
        "drawing_ms": 1e3
        / (n * N_VIEWS)
        * seconds(lambda: weighed_draws(model, n, N_VIEWS, generator, ViewSpread())),
    }


def exponent(rows: list[dict[str, float]], key: str) -> tuple[float, float]:
    """Of n_particles, by least squares of the logarithms; with its error."""
    x, y = (np.log([row[name] for row in rows]) for name in ("n_particles", key))
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), float(covariance[0, 0] ** 0.5)


def main() -> None:
    torch.set_num_threads(1)
    rows = [measure(n) for n in N_PARTICLES]
    fits = {key: exponent(rows, key) for key in ("training_ms", "drawing_ms")}
    FILE.write_text(json.dumps({"hardware": hardware(), "rows": rows, "exponents": fits}, indent=1) + "\n")
    print(table(list(rows[0]), [[f"{value:.3g}" for value in row.values()] for row in rows]))
    print({key: f"{slope:.2f}({err:.2f})" for key, (slope, err) in fits.items()})


if __name__ == "__main__":
    main()
