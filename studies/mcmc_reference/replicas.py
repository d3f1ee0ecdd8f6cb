# SPDX-License-Identifier: MIT
"""Are the 64 systems of a word independent? Cross-correlation of the energies of multi-spin replicas.

    python studies/mcmc_reference/replicas.py         writes replicas.json here

For every pair of replicas the correlation coefficient r of their energy series (L = 32, T = 2.0 and 2.27,
draws 10 sweeps apart) is compared with its error sqrt((1 + 2 sum rho(t)^2) / n), rho the autocorrelation of
one replica. z of the mean over pairs and the variance of z over pairs should be 0 and 1. As a control the
same series are given one hundredth of common variance, which must be seen.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import edgphys as ep
import lattices
from edgphys.estimators.chains.autocorrelation import autocovariance

FOLDER = Path(__file__).parent


def scores(energies: np.ndarray) -> dict[str, float]:
    """z of all pairs of series, shape (n_chains, n_draws)."""
    deviations = energies - energies.mean(axis=1, keepdims=True)
    n_chains, n_draws = energies.shape
    correlation = np.corrcoef(deviations)
    gamma = autocovariance(deviations, n_lags=min(500, n_draws // 4))
    rho = gamma / gamma[0]
    closed = np.flatnonzero(rho < 0.02)
    rho = rho[: closed[0] if closed.size else len(rho)]
    err = np.sqrt((1 + 2 * (rho[1:] ** 2).sum()) / n_draws)
    z = correlation[np.triu_indices(n_chains, 1)] / err
    return {
        "n_pairs": int(z.size),
        # Correlation coefficients of different pairs are uncorrelated for independent series.
        "z_of_mean": float(z.mean() * np.sqrt(z.size)),
        "variance_of_z": float(z.var()),
        "largest_z": float(np.abs(z).max()),
        "err": float(err),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-sweeps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lattice, rows = lattices.build("square", (32, 32)), []
    for temperature in (2.0, 2.27):
        begin = time.perf_counter()
        system = ep.Ising(lattice, temperature=temperature)
        samples = ep.mcmc.run(
            system,
            "multispin",
            64,
            arguments.n_sweeps,
            arguments.seed,
            n_warmup=arguments.n_sweeps // 5,
            thin=10,
            options={"words": 1},
        )
        energies = samples["energy"].to_numpy()
        shared = energies.copy()
        # Control: series that share a hundredth part of their noise.
        common = np.random.default_rng(1).standard_normal(energies.shape[1]) * energies.std()
        shared = np.sqrt(0.99) * shared + np.sqrt(0.01) * common
        exact = system.exact_results()
        err = energies.mean(axis=1).std(ddof=1) / np.sqrt(len(energies))
        rows.append(
            {
                "temperature": temperature,
                **scores(energies),
                "control": scores(shared),
                "z_energy": float((energies.mean() - exact["energy"]) / err),
                "seconds": time.perf_counter() - begin,
            }
        )
        print(rows[-1], flush=True)
    result = {"seed": arguments.seed, "n_sweeps": arguments.n_sweeps, "rows": rows}
    (FOLDER / "replicas.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
