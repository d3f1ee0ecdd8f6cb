# SPDX-License-Identifier: MIT
"""CPU seconds and memory per 1,000 draws, views and steps of training, for growing lattices.

    python -m studies.lattice_records.scaling [--extent 8 16 32 64 128] [--table] [--readme]

Ising model at its critical temperature, square tori and one cubic torus of 16^3 sites, networks of the
default size, untrained: the time does not depend on their weights. Draws come in batches of at most 2^18
sites. Each lattice has a process of its own, one torch thread: CPU time is the median of the repeats,
memory is the peak of the process, less what it holds before its first draw. Results: ``scaling.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import edgphys as ep
from edgphys.edg.core.path import log_weights, reverse_log_weights
from edgphys.edg.refinement.law_stages import batch_size_for
from edgphys.edg.refinement.reference_bound import ReferenceBound
from studies.common import hardware, table
from studies.lattice_records.run import ising
from studies.lattice_records.tables import FOLDER, put

FILE = FOLDER / "scaling.json"
EXTENTS = (8, 16, 32, 64, 128)
CUBIC = 16
_MOST_SITES, _MOST_DRAWS = 2**18, 1000
_SECONDS, _MOST_REPEATS = 6.0, 9
QUANTITIES = {
    "draw_s": "1,000 draws, CPU s",
    "view_s": "1,000 views, CPU s",
    "train_s": "step of training per 1,000 configurations, CPU s",
}


def seconds_of(work: Callable[[], Any], repeats: int) -> float:
    """Median CPU time, after one call that is not counted; fewer repeats where they take long."""
    work()
    times: list[float] = []
    while len(times) < repeats and (not times or sum(times) < _SECONDS):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def peak_mib() -> float:
    """Of this process, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, extent: tuple[int, ...], repeats: int = _MOST_REPEATS) -> dict[str, Any]:
    """One lattice, in this process."""
    torch.set_num_threads(1)
    edg = ep.EDG(ising(name, extent)(), target="refinement")
    model, system = edg.model, edg.system
    size = max(1, min(_MOST_DRAWS, _MOST_SITES // system.n_variables))
    generator = torch.Generator().manual_seed(0)
    before = peak_mib()

    @torch.no_grad()
    def draw() -> torch.Tensor:
        made = model.draw(size, generator)
        log_density, configurations = model.target.lift(made.x, generator)
        log_weights(model, made, log_density, model.n_path_steps, generator)
        return system.random_symmetry(configurations, generator)

    configurations = draw()

    @torch.no_grad()
    def view() -> None:
        moved = system.random_symmetry(configurations, generator)
        lowered = model.target.lower(moved, generator)
        reverse_log_weights(model, *lowered, model.n_path_steps, generator)

    found = {"n_sites": system.n_variables, "batch": size}
    found |= {"draw_s": 1000 * seconds_of(draw, repeats) / size}
    found |= {"draw_mib": peak_mib() - before}
    found |= {"view_s": 1000 * seconds_of(view, repeats) / size}
    found |= {"view_mib": peak_mib() - before}
    n_batch = batch_size_for(system.n_variables, "chains")
    bound = ReferenceBound(model.target.laws, configurations.to(torch.int8))

    def step() -> None:
        bound(model, n_batch, generator).total.backward()

    found |= {"n_batch": n_batch, "train_s": 1000 * seconds_of(step, repeats) / n_batch}
    return found | {"train_mib": peak_mib() - before}


def apart(name: str, extent: tuple[int, ...]) -> dict[str, Any]:
    """`measure` in a process of its own."""
    words = [sys.executable, "-m", __spec__.name, "--one", name, *map(str, extent)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def exponent(found: list[dict[str, Any]], quantity: str, least: int = 0) -> float | None:
    """Slope of the logarithms in the number of sites, over lattices of at least so many sites."""
    chosen = [one for one in found if one["n_sites"] >= least]
    if len(chosen) < 2:
        return None
    sites, values = ([one[name] for one in chosen] for name in ("n_sites", quantity))
    return float(np.polyfit(np.log(sites), np.log(values), 1)[0])


def scaling_table(results: dict[str, Any]) -> str:
    """Times, memory, and the exponents."""
    rows = []
    for label, one in results["lattices"].items():
        memory = f"{one['draw_mib']:.0f}, {one['view_mib']:.0f}, {one['train_mib']:.0f}"
        times = [f"{one[quantity]:.3g}" for quantity in QUANTITIES]
        sizes = f"{one['batch']}, {one['n_batch']}"
        rows.append([label, f"{one['n_sites']:,}", *times, memory, sizes])
    for words, which in (("exponent, all", "exponents"), ("exponent, from 32 x 32 on", "exponents_large")):
        found = results[which]
        values = ["" if found[quantity] is None else f"{found[quantity]:.2f}" for quantity in QUANTITIES]
        rows.append([words, "", *values, "", ""])
    header = ["lattice", "sites", *QUANTITIES.values(), "MiB: draws, views, training"]
    return table([*header, "batch: draws, training"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--extent", nargs="+", type=int, default=list(EXTENTS), help="of the square tori")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--table", action="store_true", help="no runs, only the table")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    arguments = parser.parse_args()
    if arguments.one:
        name, *extent = arguments.one
        print(json.dumps(measure(name, tuple(int(n) for n in extent))))
        return
    if not arguments.table:
        squares = {f"{n} x {n}": apart("square", (n, n)) for n in arguments.extent}
        cubic = {f"cubic {CUBIC}^3": apart("cubic", (CUBIC,) * 3)}
        found = list(squares.values())
        results = {
            "hardware": hardware(),
            "lattices": squares | cubic,
            "exponents": {name: exponent(found, name) for name in QUANTITIES},
            "exponents_large": {name: exponent(found, name, 32**2) for name in QUANTITIES},
        }
        FILE.write_text(json.dumps(results, indent=1) + "\n")
    put("scaling", scaling_table(json.loads(FILE.read_text())), arguments.readme)


if __name__ == "__main__":
    main()
