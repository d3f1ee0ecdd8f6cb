# SPDX-License-Identifier: MIT
"""Wells and particles: one model for a range of temperatures against a model for each of them.

    python -m studies.one_model_per_scan.wells --case mueller-brown double-well dw4 --seed 0 1 2

Every line of ``wells.jsonl`` is one training: of the one model, asked at all temperatures, or of a model of
one temperature, with as many steps. A training that is there already is not run again. The table is printed
from all lines. One training takes 15 to 80 CPU seconds, 10,000 draws of dw4 at one temperature 100.

Particles train at one temperature wherever they are sampled (dw4 at T = 16), from which their draws are
annealed: one model and separate ones are the same, bit for bit, and only the one is run.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import edgphys as ep
from studies.common import hardware, table, z_score
from studies.lattice_records.tables import options_of, put

RESULTS = Path(__file__).with_name("wells.jsonl")
VIEWS = (1, 8)
N_DRAWS = 10_000


@dataclass(frozen=True)
class Case:
    """A system, its range, and where it is asked.

    Attributes
    ----------
    system : callable
        Temperature to system.
    temperatures : tuple of float
        From end to end of the range.
    n_steps : int
        Of every training.
    separate : bool
        Whether models of one temperature are another training.
    draws : dict
        Options of `EDG.sample`.
    """

    system: Callable[[float], Any]
    temperatures: tuple[float, ...]
    n_steps: int
    separate: bool = True
    draws: dict[str, Any] = field(default_factory=dict)


CASES = {
    "mueller-brown": Case(lambda t: ep.MuellerBrown(t), (10.0, 12.5, 15.0, 20.0), 2000),
    "double-well": Case(lambda t: ep.DoubleWell(temperature=t, tilt=0.4), (0.3, 0.6, 1.0, 2.0), 1000),
    "dw4": Case(
        lambda t: ep.DoubleWellParticles(temperature=t), (1.0, 2.0, 4.0), 600, False, {"n_anneal": 200}
    ),
}


def trained(name: str, seed: int, temperature: float | None) -> tuple[ep.EDG, dict[str, Any]]:
    """A sampler for one temperature, or for all where it is None; what it is and what it took."""
    case = CASES[name]
    ends = case.temperatures[0], case.temperatures[-1]
    start = time.process_time()
    if temperature is None:
        edg = ep.EDG(case.system(ends[0]), conditions={"temperature": ends})
    else:
        edg = ep.EDG(case.system(temperature))
    edg.fit(seed, case.n_steps, device="cpu", progress=False)
    told = {"case": name, "seed": seed, "model": "one" if temperature is None else "separate"}
    return edg, told | {"n_steps": case.n_steps, "training_cpu_s": time.process_time() - start}


def points(name: str, seed: int, edg: ep.EDG, temperatures: tuple[float, ...]) -> list[dict[str, float]]:
    """Effective sample size, bound and log Z at each temperature, for every number of views."""
    case, found = CASES[name], []
    for t in temperatures:
        asked = {"temperature": t} if edg.conditions else {}
        exact = case.system(t).exact_results()["log_z"]
        row = {"temperature": t, "exact_log_z": exact}
        for k in VIEWS:
            start = time.process_time()
            draws = edg.sample(N_DRAWS, seed + 1, n_views=k, progress=False, **case.draws, **asked)
            estimates = ep.estimate(draws)
            row |= {f"{one}_{k}": float(estimates[one]) for one in ("log_z", "log_z_err", "ess", "elbo")}
            row |= {f"z_{k}": z_score(row[f"log_z_{k}"], row[f"log_z_err_{k}"], exact)}
            row |= {f"drawing_cpu_s_{k}": time.process_time() - start}
        found.append(row)
    return found


def tables(lines: list[dict[str, Any]]) -> str:
    """Markdown: means over the seeds, and every deviation of log Z in its errors."""
    ess: dict[tuple, dict[tuple, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for row in line["points"]:
            key = line["case"], row["temperature"]
            for k in VIEWS:
                ess[key][line["model"], k].append(row[f"ess_{k}"])
            if line["model"] == "one":
                ess[key]["z", 0].append(row[f"z_{VIEWS[-1]}"])
                ess[key]["gap", 0].append(row["exact_log_z"] - row[f"elbo_{VIEWS[-1]}"])
    header = ["case", "T"] + [f"ESS {who}, K = {k}" for k in VIEWS for who in ("one", "separate")]
    rows = []
    for (name, t), values in ess.items():
        means = [values.get((who, k), []) for k in VIEWS for who in ("one", "separate")]
        cells = [f"{np.mean(one):.3f}" if one else "the same" for one in means]
        pulls = ", ".join(f"{z:+.1f}" for z in values["z", 0])
        rows.append([name, f"{t:g}", *cells, f"{np.mean(values['gap', 0]):.4f}", pulls])
    return table([*header, f"gap, K = {VIEWS[-1]}", "log_z, errors from exact"], rows)


def main() -> None:
    """Run what is not there yet."""
    parser = options_of(__doc__ or "")
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file of the results")
    arguments = parser.parse_args()
    out, lines = arguments.out, []
    if out.exists():
        lines = [json.loads(line) for line in out.read_text().splitlines()]
    known = {
        (line["case"], line["seed"], line["model"], len(line["points"]), line["first"]) for line in lines
    }
    for name in [] if arguments.table else arguments.case:
        case = CASES[name]
        asked = [(None, case.temperatures)] + [(t, (t,)) for t in case.temperatures if case.separate]
        for seed in arguments.seed:
            for temperature, where in asked:
                model = "one" if temperature is None else "separate"
                if (name, seed, model, len(where), where[0]) in known:
                    continue
                edg, line = trained(name, seed, temperature)
                line |= {"first": where[0], "hardware": hardware(), "points": points(name, seed, edg, where)}
                lines.append(line)
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    put("wells", tables(lines), arguments.readme, Path(__file__).with_name("README.md"))


if __name__ == "__main__":
    main()
