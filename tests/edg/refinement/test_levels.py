# SPDX-License-Identifier: MIT
"""Where bonds of several kinds compete all sites are of one level; weights are right on one or several."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import all_spins, perturb

import edgphys as ep
import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.levels import compete
from edgphys.edg.refinement.recipe import _take_over

SMALL = {"decoder_size": (4, 4)}


def second_neighbours(extent=(4, 4), second=-0.5, temperature=1.0):
    lattice = lattices.build("square-j1j2", extent)
    return ep.Ising(lattice, temperature, coupling={"first": 1.0, "second": second})


def ising(name, extent, coupling):
    return ep.Ising(lattices.build(name, extent), 1.0, coupling=coupling)


COMPETE = {
    "competing": (second_neighbours, True),
    "both_against": (lambda: ising("square-j1j2", (4, 4), -1.0), True),
    "agreeing": (lambda: second_neighbours(second=0.5), False),
    "one_kind_frustrated": (lambda: ising("triangular", (4, 4), -1.0), False),
    "odd_torus": (lambda: ising("square", (5, 5), -1.0), False),
    "no_spins": (lambda: ep.Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.1), False),
}


@pytest.mark.parametrize("name", COMPETE)
def test_where_kinds_of_bonds_compete(name):
    make, expected = COMPETE[name]
    assert compete(make()) == expected


def test_what_is_chosen():
    def levels(system, **options):
        return ep.EDG(system, **options).options.get("levels")

    assert levels(second_neighbours()) == "one"
    assert levels(second_neighbours(), levels="halved") == "halved"
    assert levels(second_neighbours((18, 18))) is None
    assert levels(second_neighbours(), root="edg") is None
    assert levels(ising("square", (4, 4), 1.0)) is None
    edg = ep.EDG(ising("square", (8, 8), 1.0), levels="one", **SMALL)
    assert len(edg.model.generator.refinement.restrict(torch.zeros(1, 64))[0]) == 32
    assert edg.model.generator.root.order.tolist() == list(range(32))
    reason = ep.EDG(second_neighbours(), **SMALL).sample(2, 0, n_views=1, progress=False).attrs
    assert "levels='one'" in reason["decoder_reason"]


def test_frustrated_spins_have_larger_batches():
    recipe = ep.EDG(second_neighbours())._recipe
    found = {j: recipe.default_batch_size(ising("triangular", (12, 12), j), "chains") for j in (1.0, -1.0)}
    assert found == {1.0: 85, -1.0: 256}
    glass = ep.Ising(square := lattices.build("square", (12, 12)), 1.0, lattices.random_bonds(square, seed=0))
    assert recipe.default_batch_size(glass, "chains") == 85


def test_what_does_not_serve_is_refused():
    lattice = lattices.build("square", (4, 4))
    glass = ep.Ising(lattice, 1.0, coupling=lattices.random_bonds(lattice, seed=0))
    with pytest.raises(ValueError, match=r"levels must be 'one' for couplings .*, got 'halved'"):
        ep.EDG(glass, levels="halved")
    with pytest.raises(ValueError, match="levels must be 'halved' above 256 sites, got 'one' for 324"):
        ep.EDG(second_neighbours((18, 18)), levels="one")
    with pytest.raises(ValueError, match="levels must be 'halved' for root='edg', got 'one'"):
        ep.EDG(second_neighbours(), levels="one", root="edg")
    with pytest.raises(ValueError, match="levels must be one of halved, one, got 'two'"):
        ep.EDG(second_neighbours(), levels="two")
    small, large = (LatticeGenerator(second_neighbours(extent), halved=False) for extent in ((4, 4), (6, 6)))
    with pytest.raises(ValueError, match="start must have laws of the shapes of this EDG"):
        _take_over(large, small)


@pytest.mark.parametrize("halved", [True, False])
def test_density_is_normalised_and_weights_are_those_of_the_energy(halved):
    system = second_neighbours()
    laws, spins = LatticeGenerator(system, width=8, root_width=8, halved=halved), all_spins(16)
    perturb(laws, 0.3, 0)
    with torch.no_grad():
        log_prob = laws.log_prob(spins)
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-5)
    log_z = float(torch.logsumexp(log_prob + laws.log_weight(spins, log_prob), 0))
    assert log_z == pytest.approx(system.exact_results()["log_z"], abs=1e-9)


def test_a_saved_sampler_keeps_its_levels(tmp_path):
    for levels in ("halved", "one"):
        edg = ep.EDG(second_neighbours(), levels=levels, **SMALL)
        edg.fit(0, 1, batch_size=4, training="energy", progress=False)
        edg.save(tmp_path / f"{levels}.pt")
        again = ep.EDG.load(tmp_path / f"{levels}.pt")
        draws = [one.sample(5, seed=1, n_views=2, progress=False) for one in (edg, again)]
        np.testing.assert_array_equal(*(one["log_weight_joint"].values for one in draws))
        assert again.options["levels"] == levels
