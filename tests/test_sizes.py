# SPDX-License-Identifier: MIT
"""Sizes that no machine holds are refused before anything is computed, in one line with figure and limit."""

import pytest

import edgphys as ep
import lattices
from edgphys import _sizes
from edgphys.cli import main

HUGE = 10**15


def ising():
    return ep.Ising(lattices.build("chain", (6,)), temperature=2.0)


def edg(**options):
    return ep.EDG(ising(), **options)


CALLS = {
    "chains": lambda: ep.mcmc.run(ising(), "metropolis", n_chains=HUGE, seed=0),
    "draws": lambda: ep.mcmc.run(ising(), "metropolis", n_sweeps=HUGE, seed=0),
    "sweeps": lambda: ep.mcmc.run(ising(), "metropolis", n_sweeps=10**18, thin=10**18, seed=0),
    "warm-up": lambda: ep.mcmc.run(ising(), "metropolis", n_warmup=10**18, seed=0),
    "rungs": lambda: ep.free_energy(ising(), seed=0, n_rungs=HUGE),
    "annealed": lambda: ep.mcmc.anneal(ising(), HUGE, seed=0, n_rungs=2),
    "weighted": lambda: edg().sample(HUGE, seed=0),
    "proposals": lambda: edg().chain(4 * HUGE, seed=0),
    "batch": lambda: edg().fit(seed=0, batch_size=HUGE),
    "steps": lambda: edg().fit(seed=0, n_steps=10**18),
    "views": lambda: edg().sample(100, seed=0, n_views=HUGE),
    "path": lambda: ep.EDG(ep.Harmonic(), n_path_steps=HUGE),
    "width": lambda: ep.EDG(ep.Harmonic(), decoder_size=(10**7, 2)),
    "hidden": lambda: ep.EDG(ep.Harmonic(), encoder_size=(10**7, 2)),
    "components": lambda: ep.EDG(ep.Harmonic(), n_components=HUGE),
    "particles": lambda: ep.LennardJones(10**7, pair_count="once"),
    "points": lambda: ep.scan(
        ep.DoubleWell, methods=["exact"], seed=0, temperature=range(1, 1002), tilt=range(100)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_size_that_nobody_holds_is_refused(name):
    with pytest.raises(
        ValueError, match=r"must (be smaller: .* at (least|most) |be at most|give at most) ?\S+"
    ):
        CALLS[name]()


def at_two_points(method, **options):
    begun = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgphys.scans.job.Job.run", lambda *arguments: begun.append(1))
        message = r"must be smaller: .* at (least|most) |be an integer from"
        with pytest.raises(ValueError, match=message):
            ep.scan(
                lambda t: ising().replace(temperature=t),
                methods=["exact", method],
                seed=0,
                temperature=[2.0, 3.0],
                **options,
            )
    assert not begun


@pytest.mark.parametrize("method", ["wolff", "mcmc", "mbar", "ti", "bridge"])
@pytest.mark.parametrize("name", ["n_chains", "n_sweeps"])
def test_a_scan_refuses_chains_before_any_cell_is_begun(method, name):
    at_two_points(method, mcmc={name: HUGE})


def test_a_scan_refuses_draws_before_any_cell_is_begun():
    at_two_points("edg", n_samples=HUGE)


@pytest.mark.parametrize("make", [ep.Harmonic, ep.ManyWell, lambda n_dims: ep.Potential(abs, n_dims)])
def test_continuous_systems_have_a_largest_number_of_variables(make):
    with pytest.raises(ValueError, match=r"^n_dims must be an integer from [12] to 1000000, got 1000000000$"):
        make(n_dims=10**9)
    assert ep.Harmonic(n_dims=1000).n_variables == 1000


def test_lattices_have_a_largest_size():
    with pytest.raises(ValueError, match=r"extent must give at most 4194304 sites, got 9000000 of extent"):
        lattices.build("square", (3000, 3000))


def test_the_limit_is_the_memory(monkeypatch):
    """The control: the same call with more memory is begun."""
    small = {"n_chains": 2, "n_sweeps": 200, "seed": 0}
    assert ep.mcmc.run(ising(), "metropolis", **small).sizes["draw"] == 200
    monkeypatch.setattr(_sizes, "memory_limit", lambda: 1000.0)
    with pytest.raises(
        ValueError, match=r"n_sweeps must be smaller: 2 chains of 200 draws need at least .* GiB"
    ):
        ep.mcmc.run(ising(), "metropolis", **small)


def test_a_range_of_values_has_a_largest_count(capsys):
    words = ["scan", "ising", "--temperature", "1:2:1000000000", "--method", "exact", "--out", "a.nc"]
    assert main(words) == 2
    assert "(the count must be at most 100000)" in capsys.readouterr().err
