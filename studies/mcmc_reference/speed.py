# SPDX-License-Identifier: MIT
"""Speed of the Markov-chain kernels against a plain numba loop, peapods and blackjax, in one process.

    python studies/mcmc_reference/speed.py            writes speed.json here

Each rate is the best of several repeats: what disturbs a timing only ever makes it slower. A rate is taken
from the difference of a long and a short run, so that what happens once (building tables, starting threads,
compiling) drops out. peapods and blackjax are used where they are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from numba import njit

import edgphys as ep
import lattices

FOLDER = Path(__file__).parent
T_C = 2 / np.log(1 + np.sqrt(2))
REPEATS = 9


def rate(work, short: int, long: int, repeats: int = REPEATS) -> float:
    """Units of `work` (n) per second, from the best times of a short and a long run."""
    work(short)
    times = {n: min(_seconds(work, n) for _ in range(repeats)) for n in (short, long)}
    return (long - short) / (times[long] - times[short])


def _seconds(work, n: int) -> float:
    begin = time.perf_counter()
    work(n)
    return time.perf_counter() - begin


# --------------------------------------------------------------------------------------------- local updates


@njit
def naive_sweeps(spins, beta, n_sweeps):
    """The loop that everybody writes first: checkerboard order, exp in the loop, numba's own generator."""
    length = spins.shape[0]
    for _ in range(n_sweeps):
        for colour in range(2):
            for i in range(length):
                for j in range((i + colour) % 2, length, 2):
                    total = (
                        spins[(i + 1) % length, j]
                        + spins[i - 1, j]
                        + spins[i, (j + 1) % length]
                        + spins[i, j - 1]
                    )
                    change = 2 * spins[i, j] * total
                    if change <= 0 or np.random.random() < np.exp(-beta * change):  # noqa: NPY002
                        spins[i, j] = -spins[i, j]


def chain_work(system, algorithm, n_chains=1, n_threads=1, options=None):
    """``work(n)``: n sweeps of each chain, measured once at the end."""

    def work(n: int) -> None:
        ep.mcmc.run(
            system,
            algorithm,
            n_chains,
            n,
            seed=1,
            n_warmup=0,
            thin=n,
            n_threads=n_threads,
            options=options,
        )

    return work


def sweeps_for(n_updates: float, n_sites: int) -> tuple[int, int]:
    """Short and long run of about so many updates."""
    long = max(20, int(n_updates / n_sites))
    return max(2, long // 10), long


def local_updates() -> list[dict]:
    rows = []
    for length in (64, 256, 1024):
        n_sites = length * length
        system = ep.Ising(lattices.build("square", (length, length)), temperature=T_C)
        spins = np.where(np.random.default_rng(0).random((length, length)) < 0.5, 1, -1).astype(np.int8)
        row = {"extent": length}
        row["naive_numba"] = (
            n_sites * 1e-9 * rate(lambda n, s=spins: naive_sweeps(s, 1 / T_C, n), *sweeps_for(1e7, n_sites))
        )
        for name, algorithm, n_chains, n_updates in (
            ("metropolis", "metropolis", 1, 1e9),
            ("heat_bath", "heat_bath", 1, 5e8),
            ("multispin", "multispin", 256, 4e10),
        ):
            work = chain_work(system, algorithm, n_chains)
            n = sweeps_for(n_updates / n_chains, n_sites)
            row[name] = n_chains * n_sites * 1e-9 * rate(work, *n)
        row["peapods_metropolis"] = n_sites * 1e-9 * (peapods_rate(length, 4e7) or np.nan)
        rows.append(row)
        print(row, flush=True)
    return rows


def two_threads() -> list[dict]:
    """Twice the chains in two threads against half of them in one: the ideal is 2."""
    rows = []
    for algorithm, n_chains, n_updates in (
        ("metropolis", 4, 2e10),
        ("multispin", 512, 6e10),
        ("wolff", 4, 4e8),
    ):
        system = ep.Ising(lattices.build("square", (256, 256)), temperature=T_C)
        n = sweeps_for(n_updates / n_chains, system.n_sites)
        one = rate(chain_work(system, algorithm, n_chains, 1), *n)
        two = rate(chain_work(system, algorithm, n_chains, 2), *n)
        rows.append({"algorithm": algorithm, "n_chains": n_chains, "ratio": two / one})
        print(rows[-1], flush=True)
    return rows


# -------------------------------------------------------------------------------------------------- clusters


def peapods_work(length: int, cluster_mode: str | None):
    """``work(n)``: n sweeps of peapods in one thread, with a cluster update after each if asked for; or None.

    All sweeps but one count as its warm-up, in which it measures nothing.
    """
    try:
        from peapods import Ising
    except ImportError:
        return None
    model = Ising((length, length), temperatures=np.array([T_C]))
    options = {} if cluster_mode is None else {"cluster_update_interval": 1, "cluster_mode": cluster_mode}

    def work(n: int) -> None:
        model.sample(n, warmup_ratio=1 - 1 / n, sequential=True, **options)

    work(200)  # to equilibrium: clusters of a disordered lattice would be small
    return work


def peapods_rate(length: int, n_updates: float) -> float | None:
    """Lattice sweeps per second of peapods."""
    work = peapods_work(length, None)
    return None if work is None else rate(work, *sweeps_for(n_updates, length * length))


def paired_seconds(works: dict, n: dict, repeats: int = REPEATS) -> dict[str, np.ndarray]:
    """CPU seconds per unit of each work, shape (repeats,), by turns: what disturbs one disturbs all."""
    seconds = {name: np.empty(repeats) for name in works}
    for name, work in works.items():
        work(n[name][0])
    for repeat in range(repeats):
        for name, work in works.items():
            short, long = n[name]
            begin = time.process_time()
            work(long)
            between = time.process_time()
            work(short)
            seconds[name][repeat] = (2 * between - begin - time.process_time()) / (long - short)
    return seconds


def clusters() -> list[dict]:
    """Nanoseconds per spin: visited (Wolff), or of the lattice (Swendsen-Wang); peapods by difference.

    Times are lower quartiles of the repeats, ratios the medians of the ratios of each.
    """
    rows = []
    for length in (64, 256):
        n_sites = length * length
        system = ep.Ising(lattices.build("square", (length, length)), temperature=T_C)
        warm = ep.mcmc.run(system, "wolff", 1, 2000, seed=1, thin=2000)
        mean_size = json.loads(warm.attrs["settings"])["measured"]["mean_cluster_size"]
        works = {name: warmed_work(system, name) for name in ("wolff", "swendsen_wang")}
        theirs = {"local": None, "peapods wolff": "wolff", "peapods swendsen_wang": "sw"}
        works |= {name: peapods_work(length, mode) for name, mode in theirs.items()}
        works = {name: work for name, work in works.items() if work is not None}
        n = {name: sweeps_for(4e6 if name in theirs else 2e7, n_sites) for name in works}
        seconds = {name: 1e9 * values for name, values in paired_seconds(works, n).items()}
        for algorithm in ("wolff", "swendsen_wang"):
            ours, row = seconds[algorithm] / n_sites, {"extent": length, "algorithm": algorithm}
            row["ns_per_spin"] = float(np.quantile(ours, 0.25))
            if "local" in seconds:
                # One Wolff cluster per update: its mean size is <m^2> N.
                visited = mean_size if algorithm == "wolff" else n_sites
                others = (seconds[f"peapods {algorithm}"] - seconds["local"]) / visited
                row |= {"peapods": float(np.quantile(others, 0.25)), "ratio": float(np.median(others / ours))}
            rows.append(row)
            print(rows[-1], flush=True)
    return rows


def warmed_work(system, algorithm):
    """``work(n)``: a warm-up of 300 sweeps, then n; the rate by difference is that of equilibrium."""

    def work(n: int) -> None:
        ep.mcmc.run(system, algorithm, 1, n, seed=1, n_warmup=300, thin=n, n_threads=1)

    return work


# ------------------------------------------------------------------------------------------------------- HMC


def hmc() -> list[dict]:
    """Trajectories per second on phi^4 16x16 in float64, same step size and number of leapfrog steps."""
    try:
        import blackjax
        import jax
        import jax.numpy as jnp
    except ImportError:
        return []
    jax.config.update("jax_enable_x64", True)
    step, n_steps = 0.1, 20
    system = ep.Phi4(lattices.build("square", (16, 16)), kappa=0.25, lam=0.022)

    def log_density(x):
        phi = x.reshape(16, 16)
        square = phi * phi
        hops = phi * (jnp.roll(phi, 1, -1) + jnp.roll(phi, 1, -2))
        return 2 * system.hop * hops.sum() - (square * (system.quadratic + system.quartic * square)).sum()

    flat = blackjax.hmc(log_density, step, jnp.ones(256), n_steps)

    def chain(key, n):
        def one(carry, _):
            state, key = carry
            key, here = jax.random.split(key)
            state, info = flat.step(here, state)
            return (state, key), info.acceptance_rate

        (state, _), accepted = jax.lax.scan(one, (flat.init(jnp.zeros(256)), key), None, n)
        return state.position, accepted.mean()

    rows = []
    for n_chains in (1, 8):
        keys = jax.random.split(jax.random.PRNGKey(0), n_chains)
        run = jax.jit(lambda keys, n: jax.vmap(lambda key: chain(key, n))(keys), static_argnums=1)

        def theirs(n, run=run, keys=keys):
            jax.block_until_ready(run(keys, n))

        fixed = {"step_size": step, "trajectory_length": step * n_steps}  # n_steps on average

        def ours(n, n_chains=n_chains, fixed=fixed):
            ep.mcmc.run(system, "hmc", n_chains, n, seed=1, n_warmup=0, thin=n, options=fixed)

        for n in (200, 2000):
            theirs(n)  # compiled once for each length
        rows.append({"n_chains": n_chains, "edgphys": n_chains * rate(ours, 2000, 20_000)})
        rows[-1]["blackjax"] = n_chains * rate(theirs, 200, 2000)
        rows[-1]["ratio"] = rows[-1]["edgphys"] / rows[-1]["blackjax"]
        print(rows[-1], flush=True)
    return rows


PARTS = {"local_updates": local_updates, "two_threads": two_threads, "clusters": clusters, "hmc": hmc}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS)
    chosen = parser.parse_args().part or list(PARTS)
    path = FOLDER / "speed.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name in chosen:
        results[name] = PARTS[name]()
    results["machine"] = {"cpu": _cpu(), "cores": os.cpu_count(), "python": platform.python_version()}
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"wrote {path}")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
