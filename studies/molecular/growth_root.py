# SPDX-License-Identifier: MIT
"""Growth: what another law of the innermost particles, a root of its own, could gain.

    python -m studies.molecular.growth_root [--case NAME ...] [--n-configurations 2000]

Over configurations of chains that no training saw, seen from a centre, the first m particles around it have a
mean log-density of the laws that growth learns; what better laws could add is bounded by nothing but their
entropy, which is not known, and is estimated by what four times the training adds. Beside it the mean
log-density of the cluster of m + 1 particles at the system itself, which is the law that a generator of that
cluster has at best: exact up to log Z of the small cluster, itself by growth. The variance is that of the
laws' sum over m particles when trials are drawn anew. Writes growth_root.json here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

import edgphys as ep
from edgphys.systems.particles.base import AbstractParticleSystem
from studies.common import hardware, pm, table
from studies.molecular.growth import CASES

FILE = Path(__file__).parent / "growth_root.json"
# Particles around the centre, of a root; trainings, as multiples of N_STEPS; trials drawn anew.
SIZES, LENGTHS, N_AGAIN = (1, 2, 3, 4), (1, 4), 4
N_STEPS = 3000


def log_terms(edg: ep.EDG, configurations: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Positions around centres, and log q of every particle, (N_AGAIN, n, n_particles - 1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        x, _ = edg.model.target.lower(configurations, generator)
        terms = torch.stack([edg.model.log_terms(x, generator) for _ in range(N_AGAIN)])
    return x.unflatten(1, (-1, edg.system.n_axes)), terms


def log_density_alone(system: AbstractParticleSystem, grown: Tensor, seed: int) -> Tensor:
    """Of the particles around a centre, as if there were no others: the same pair law between them."""
    small = system.replace(n_particles=grown.shape[1] + 1)
    edg = ep.EDG(small, target="growth").fit(seed, n_steps=500, progress=False)
    log_z = float(ep.estimate(edg.sample(10_000, seed, n_views=8, progress=False))["log_z"])
    return -edg.model.target.energy(grown.flatten(1)) - log_z


def mean_of(values: Tensor) -> tuple[float, float]:
    """With its error, of independent values."""
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def measure(name: str, n: int, seed: int) -> list[dict]:
    """One row per size of the root."""
    system, begin = CASES[name].system(), time.process_time()
    chains = ep.mcmc.run(
        system, "hmc", n_chains=20, n_sweeps=n // 5, thin=4, n_warmup=2000, seed=seed + 90, keep=True
    )
    kept = torch.from_numpy(chains["configurations"].to_numpy()).reshape(-1, *system.event_shape)
    configurations = system.to_configurations(kept).flatten(1)
    found = []
    for length in LENGTHS:
        edg = ep.EDG(system, target="growth")
        edg.fit(seed, n_steps=length * N_STEPS, progress=False)
        grown, terms = log_terms(edg, configurations, seed)
        found.append(terms)
    rows = []
    for m in SIZES:
        sums = [terms[..., :m].sum(2) for terms in found]
        alone = log_density_alone(system, grown[:, :m], seed)
        by_laws = sums[0].mean(0)
        rows.append(
            {
                "case": name,
                "seed": seed,
                "m": m,
                "gain_of_training": mean_of(sums[1].mean(0) - by_laws),
                "gain_of_training_all": mean_of((found[1] - found[0]).sum(2).mean(0)),
                "gain_of_small_cluster": mean_of(alone - by_laws),
                "noise": float(sums[0].var(0).mean()),
                "noise_all": float(found[0].sum(2).var(0).mean()),
                "cpu_s": time.process_time() - begin,
            }
        )
    return rows


HEADER = (
    "case",
    "particles of the root",
    "noise of trials: theirs",
    "of all",
    "four times the training adds to theirs",
    "to all",
    "a cluster of them and the centre adds",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", default=["LJ13 once", "LJ13 twice"], choices=list(CASES))
    parser.add_argument("--n-configurations", type=int, default=2000, help="of chains; default: 2000")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row for name in arguments.case for row in measure(name, arguments.n_configurations, arguments.seed)
    ]
    FILE.write_text(json.dumps({"hardware": hardware(), "rows": rows}, indent=1) + "\n")
    print(
        table(
            HEADER,
            [
                [
                    row["case"],
                    str(row["m"]),
                    f"{row['noise']:.3f}",
                    f"{row['noise_all']:.2f}",
                    *(
                        pm(*row[key])
                        for key in ("gain_of_training", "gain_of_training_all", "gain_of_small_cluster")
                    ),
                ]
                for row in rows
            ],
        )
    )


if __name__ == "__main__":
    main()
