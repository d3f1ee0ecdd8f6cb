# SPDX-License-Identifier: MIT
"""Draws of a sampler that was trained on an easier system, annealed to the system itself."""

import numpy as np
import pytest
import torch
from helpers.stats import assert_z

import edgphys as ep


@pytest.mark.slow
def test_sampler_trained_hot_gives_the_cold_partition_function():
    system = ep.DoubleWell(temperature=0.4)
    edg = ep.EDG(system, train_at={"temperature": 2.0}, n_components=4).fit(0, 20, progress=False)
    plain, annealed = (edg.sample(4000, seed=1, n_anneal=n, progress=False) for n in (0, 25))
    exact = system.exact_results()
    shares = []
    for samples in (plain, annealed):
        table = ep.estimate(samples)
        for name in ("log_z", "energy"):
            error = float(table[name + "_err"])
            assert_z(float(table[name]), error, exact[name], n_tests=4, max_err=0.05)
        shares.append(float(table.ess))
    assert shares[1] > shares[0]
    assert annealed.attrs["n_energy_calls"] > plain.attrs["n_energy_calls"] + 4000 * 25 * 10


def test_chain_of_annealed_proposals():
    system = ep.DoubleWell(temperature=0.4)
    edg = ep.EDG(system, train_at={"temperature": 2.0}, n_components=4)
    chain = edg.chain(2000, seed=1, n_anneal=20, progress=False)
    table = ep.estimate(chain)
    exact = system.exact_results()["energy"]
    assert_z(float(table.energy), float(table.energy_err), exact, max_err=0.05)


def test_same_seed_same_draws():
    edg = ep.EDG(ep.DoubleWell(), train_at={"temperature": 2.0}, n_components=2)
    one, two = (edg.sample(50, seed=3, n_anneal=2, progress=False) for _ in range(2))
    np.testing.assert_array_equal(one["log_weight_joint"], two["log_weight_joint"])


@pytest.mark.parametrize("given", [{"temperature": "hot"}, {"heat": 2.0}, 3.0])
def test_train_at_must_name_parameters(given):
    with pytest.raises((TypeError, ValueError), match=r"train_at|temperature"):
        ep.EDG(ep.DoubleWell(), train_at=given)


def test_lattices_are_not_annealed():
    import lattices

    edg = ep.EDG(ep.Ising(lattices.build("chain", (4,)), temperature=2.0))
    with pytest.raises(ValueError, match="n_anneal must be 0"):
        edg.sample(10, 0, n_anneal=5)


def test_torch_global_seed_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    ep.EDG(ep.DoubleWell(), train_at={"temperature": 2.0}, n_components=2).sample(
        10, 0, n_anneal=1, progress=False
    )
    assert torch.equal(before, torch.get_rng_state())
