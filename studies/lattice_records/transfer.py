# SPDX-License-Identifier: MIT
"""Laws trained at 16 x 16 used on larger lattices: with a new root only, and as a start of training.

    python -m studies.lattice_records.transfer [--extent 32 64] [--seed 0 1 2] [--table] [--readme]

Ising model at its critical temperature. "root": the laws stay as they are and only the root learns, from
chains of the larger lattice; "start": ``EDG(system, start=...)`` trains all of it, in a quarter of the
default steps. Beside them stand the trainings from nothing, `ising-32` and `ising-64` of ``results.jsonl``.
Results: ``transfer.jsonl``, one line for each way and extent. What is there already is not run again.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

import edgphys as ep
from edgphys.edg.core.bounds import Loss, path_bound
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.training import TrainingSettings, train
from edgphys.edg.refinement import LatticeGenerator
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.weights.views import ViewSpread, harmonic_mean
from edgphys.systems.lattice.space_group import SpaceGroup
from studies.common import hardware, table, z_score
from studies.lattice_records.run import RESULTS, Case, ising, log_weights_of
from studies.lattice_records.tables import FOLDER, add_line, describe, figures, options_of, put, read_lines

FILE = FOLDER / "transfer.jsonl"
VIEWS = (1, 8)
BATCHES = {32: 250, 64: 100}
WAYS = ("root", "start")
# Of the training of the root: as the defaults, but that a step needs no configurations for the laws.
_N_STEPS, _BATCH, _RATE = 1000, 256, 0.02
_N_CHAINS, _THIN, _N_WARMUP = 8, 2, 500
_MOST_DRAWS, _MOST_SITES = 4096, 2**22


def system_of(extent: int) -> ep.Ising:
    """The critical torus."""
    return ising(extent=(extent, extent))()


class _RootLikelihood:
    """The term of the root in `ReferenceBound`, from which the laws learn too."""

    def __init__(self, laws: LatticeGenerator, configurations: Tensor) -> None:
        self._laws, self._reference = laws, configurations
        self._group = SpaceGroup(laws.system.lattice)

    def __call__(self, model: object, n_batch: int, generator: torch.Generator) -> Loss:
        refinement = self._laws.refinement
        chosen = torch.randint(len(self._reference), (n_batch,), generator=generator)
        x = self._group.move(self._reference[chosen].float(), generator)
        loss = -self._laws.root.mean_log_prob(refinement.restrict(x), refinement.root_moments(x)).mean()
        return Loss(torch.zeros_like(loss), loss)


def with_new_root(
    edg: ep.EDG, extent: int, seed: int, n_steps: int = _N_STEPS
) -> tuple[AbstractEDGModel, int]:
    """The laws of a trained sampler on a larger lattice, its root learned from chains; their energy calls."""
    system = system_of(extent)
    width, root_width = edg.options["decoder_size"]
    laws = LatticeGenerator(
        system, radius=edg.options["radius"], width=width, root_width=root_width, seed=seed
    )
    kept = laws.refinement.start_from(edg.model.target.refinement)
    if kept:
        raise ValueError(f"the laws of all classes must fit, got none for {kept}")
    laws.refinement.requires_grad_(False)
    n_draws = min(_MOST_DRAWS, _MOST_SITES // system.n_sites)
    chains = ep.mcmc.run(
        system,
        ep.mcmc.best_algorithm(system),
        n_chains=_N_CHAINS,
        n_sweeps=n_draws // _N_CHAINS * _THIN,
        thin=_THIN,
        n_warmup=_N_WARMUP,
        seed=seed + 500,
        keep=True,
    )
    values = chains["configurations"].to_numpy().reshape(-1, system.n_sites)
    model, bound = RefinementModel(laws), _RootLikelihood(laws, torch.from_numpy(values))
    settings = TrainingSettings(
        n_steps=n_steps,
        batch_size=_BATCH,
        learning_rate=_RATE,
        path_share=0.0,
        max_gradient=20.0,
        averaging=0.99,
        patience=n_steps + 1,
        seed=seed,
    )
    train(model, settings, bound, path_bound)
    return model.eval(), int(chains.attrs["n_energy_calls"])


def started(edg: ep.EDG, extent: int, seed: int) -> tuple[AbstractEDGModel, int]:
    """A sampler of a larger lattice that starts from the laws of `edg`; the energy calls of its chains."""
    larger = ep.EDG(system_of(extent), target="refinement", start=edg)
    larger.fit(seed, n_steps=larger.default_steps() // 4, progress=False)
    return larger.model, int(larger.sample(2, 0, n_views=1).attrs["n_energy_calls"])


def weighed(model: AbstractEDGModel, extent: int, seed: int, n_draws: int = 10_000) -> dict[str, float]:
    """Effective sample sizes and log Z of the draws."""
    case = Case(lambda: None, n_draws=n_draws, batch_size=min(BATCHES[extent], n_draws), views=VIEWS)
    log_w = log_weights_of(model, case, 1000 + seed, ViewSpread())
    found = {k: figures(harmonic_mean(log_w[:k])) for k in VIEWS}
    return {f"{name}_{k}": value for k in VIEWS for name, value in found[k].items()}


def run(seed: int, extents: list[int]) -> None:
    """All ways and extents of a seed that are not there yet."""
    there = {(one["way"], one["extent"]) for one in read_lines(FILE) if one["seed"] == seed}
    wanted = [(way, extent) for extent in extents for way in WAYS if (way, extent) not in there]
    if not wanted:
        return
    begin = time.process_time()
    edg = ep.EDG(system_of(16), target="refinement").fit(seed, progress=False)
    first = time.process_time() - begin
    for way, extent in wanted:
        begin = time.process_time()
        model, n_calls = {"root": with_new_root, "start": started}[way](edg, extent, seed)
        record = {
            "way": way,
            "extent": extent,
            "seed": seed,
            "training_cpu_s_at_16": first,
            "training_cpu_s": time.process_time() - begin,
            "n_energy_calls": n_calls,
            "log_z_true": model.target.system.exact_results()["log_z"],
            "hardware": hardware(),
        }
        record |= weighed(model, extent, seed)
        add_line(FILE, record)
        print({key: value for key, value in record.items() if key != "hardware"}, flush=True)


def transfer_table(records: list[dict[str, Any]], trained: list[dict[str, Any]]) -> str:
    """Beside the trainings from nothing."""
    rows = []
    for extent in BATCHES:
        whole = [one for one in trained if one["case"] == f"ising-{extent}"]
        for way in WAYS:
            group = [one for one in records if (one["way"], one["extent"]) == (way, extent)]
            if group:
                rows.append([f"{extent} x {extent}", _WORDS[way], *_cells(group), *_ratios(group, whole)])
        if whole:
            rows.append([f"{extent} x {extent}", "trained from nothing", *_cells(whole), "", ""])
    header = ["lattice", "laws of 16 x 16", "seeds", "training, CPU s", "ESS, K = 1", "K = 8"]
    header += ["pulls of log Z, K = 1", "K = 8", "ESS / from nothing, K = 1", "K = 8"]
    return table(header, rows)


_WORDS = {"root": "as they are, a new root", "start": "as a start, a quarter of the steps"}


def _cells(group: list[dict[str, Any]]) -> list[str]:
    pulls = [
        ", ".join(
            f"{z_score(one[f'log_z_{k}'], one[f'log_z_err_{k}'], one['log_z_true']):+.1f}" for one in group
        )
        for k in VIEWS
    ]
    ess = [describe([one[f"ess_{k}"] for one in group], 3) for k in VIEWS]
    return [str(len(group)), describe([one["training_cpu_s"] for one in group], 0), *ess, *pulls]


def _ratios(group: list[dict[str, Any]], whole: list[dict[str, Any]]) -> list[str]:
    """Of the means over the seeds."""
    if not whole:
        return ["", ""]

    def mean(records: list[dict[str, Any]], k: int) -> float:
        return sum(one[f"ess_{k}"] for one in records) / len(records)

    return [f"{mean(group, k) / mean(whole, k):.2f}" for k in VIEWS]


def main() -> None:
    parser = options_of(__doc__ or "")
    parser.add_argument("--extent", nargs="+", type=int, choices=list(BATCHES), default=list(BATCHES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in () if arguments.table else arguments.seed:
        run(seed, arguments.extent)
    put("transfer", transfer_table(read_lines(FILE), read_lines(RESULTS)), arguments.readme)


if __name__ == "__main__":
    main()
