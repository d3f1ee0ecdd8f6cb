# SPDX-License-Identifier: MIT
"""Layers commute with every element of the space group and are odd, to 1e-10 in float64, with random weights.

Negative control: one entry of the kernel off its orbit. Lattices are drawn by hypothesis, open and periodic.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import perturb
from hypothesis import given
from hypothesis import strategies as st

import lattices
from edgphys.edg.field.layers import OddBlock, OddNetwork, OrbitConvolution

BOXES = [
    ("square", (4, 4), True),
    ("square", (3, 5), True),
    ("square", (3, 4), False),
    ("square", (4, 3), (True, False)),
    ("honeycomb", (3, 3), True),
    ("honeycomb", (2, 3), False),
    ("triangular", (3, 4), True),
    ("kagome", (3, 3), True),
    ("cubic", (3, 3, 3), True),
]
N_CONDITIONS = 5


def randomised(module, device):
    return perturb(module, 0.5, seed=1).double().to(device)


def make_layer(kind, orbits, device):
    generator = torch.Generator().manual_seed(0)
    if kind == "convolution":
        return randomised(OrbitConvolution(3, orbits, generator), device), ()
    condition = torch.randn(2, N_CONDITIONS, dtype=torch.float64, generator=generator).to(device)
    if kind == "block":
        return randomised(OddBlock(3, orbits, N_CONDITIONS, generator), device), (condition,)
    return randomised(OddNetwork(3, 2, 4, 2, orbits, generator, N_CONDITIONS), device), (condition,)


def features(n_sites, device):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, 2, n_sites, dtype=torch.float64, generator=generator).to(device)


def largest_violation(layer, arguments, x, group):
    """max |layer(T x) - T layer(x)| over the group; (T x)[i] = x[p[i]]."""
    with torch.no_grad():
        y = layer(x, *arguments)
        return max(float((layer(x[..., p], *arguments) - y[..., p]).abs().max()) for p in group)


def some(group, n=60):
    """All of a small group; every k-th element, the identity and the last included, of a large one."""
    return torch.tensor(group[:: max(1, len(group) // n)].astype(np.int64))


@pytest.mark.parametrize("kind", ["convolution", "block", "network"])
@pytest.mark.parametrize(("name", "extent", "pbc"), BOXES)
def test_equivariant_and_odd(kind, name, extent, pbc, device):
    lattice = lattices.build(name, extent, pbc)
    layer, arguments = make_layer(kind, lattice.pair_orbits(), device)
    x = features(lattice.n_sites, device)
    y = layer(x, *arguments).detach()
    assert y.shape == (2 if kind == "network" else 3, 2, lattice.n_sites)
    assert float(y.std()) > 0.1  # not the zero map
    assert largest_violation(layer, arguments, x, some(lattice.space_group())) < 1e-10
    assert float((layer(-x, *arguments) + y).detach().abs().max()) < 1e-10
    # A permutation that is no symmetry is noticed.
    shuffled = torch.randperm(lattice.n_sites, generator=torch.Generator().manual_seed(3))
    assert largest_violation(layer, arguments, x, [shuffled]) > 1e-3


def test_kernel_off_its_orbit_is_found(device):
    lattice = lattices.build("square", (4, 4))
    orbits = lattice.pair_orbits().copy()
    orbits[0, 5] = (orbits[0, 5] + 1) % (orbits.max() + 1)
    layer, arguments = make_layer("convolution", orbits, device)
    assert largest_violation(layer, arguments, features(16, device), some(lattice.space_group())) > 1e-3


@st.composite
def boxes(draw):
    name = draw(st.sampled_from(["chain", "square", "honeycomb", "triangular"]))
    n_axes = 1 if name == "chain" else 2
    pbc = tuple(draw(st.booleans()) for _ in range(n_axes))
    return lattices.build(name, tuple(draw(st.integers(3 if p else 2, 5)) for p in pbc), pbc)


@given(boxes())
def test_network_on_random_lattices(lattice):
    network, arguments = make_layer("network", lattice.pair_orbits(), "cpu")
    x = features(lattice.n_sites, "cpu")
    assert largest_violation(network, arguments, x, some(lattice.space_group(), 12)) < 1e-10
    assert float((network(-x, *arguments) + network(x, *arguments)).detach().abs().max()) < 1e-10


def test_network_starts_as_zero_and_learns_from_there(device):
    lattice = lattices.build("honeycomb", (3, 3))
    network = OddNetwork(3, 2, 4, 2, lattice.pair_orbits(), torch.Generator().manual_seed(0)).to(device)
    x = features(18, device).float()
    y = network(x)
    assert not y.any()
    (y - 1.0).square().sum().backward()
    assert float(network.head.grad.abs().max()) > 0.0


def test_modulation_starts_without_effect(device):
    """The condition has no say at first, and one afterwards; every sample has its own."""
    lattice = lattices.build("square", (4, 4))
    block = (
        OddBlock(3, lattice.pair_orbits(), N_CONDITIONS, torch.Generator().manual_seed(0)).double().to(device)
    )
    x, condition = features(16, device), torch.eye(2, N_CONDITIONS, dtype=torch.float64, device=device)
    with torch.no_grad():
        assert torch.equal(block(x, condition), block(x, 7.0 * condition))
        block.modulation += 1.0
        block.modulation[:, 1] += 1.0
        both = block(x, condition)
        assert not torch.allclose(both, block(x, 2.0 * condition))
        for k in range(2):
            alone = block(x[:, k : k + 1], condition[k : k + 1])
            torch.testing.assert_close(alone[:, 0], both[:, k], rtol=1e-10, atol=1e-10)


def test_convolution_reaches_all_sites_with_variance_near_one():
    lattice = lattices.build("square", (8, 8))
    orbits = lattice.pair_orbits()
    layer = OrbitConvolution(200, orbits, torch.Generator().manual_seed(0)).double()
    x = torch.randn(200, 50, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert float(layer(x).detach().var()) == pytest.approx(1.0, abs=0.1)
    delta = torch.zeros(200, 1, 64, dtype=torch.float64)
    delta[:, 0, 0] = 1.0
    response = layer(delta).detach()[:, 0]
    assert float(response.abs().amin(0).min()) > 0.0
    for label in range(orbits.max() + 1):
        of_orbit = response[:, torch.tensor(orbits[0] == label)]
        assert torch.all(of_orbit == of_orbit[:, :1])


def test_same_seed_same_weights():
    orbits = lattices.build("square", (4, 4)).pair_orbits()
    first, second, other = (
        OddNetwork(1, 1, 2, 1, orbits, torch.Generator().manual_seed(s)) for s in (3, 3, 4)
    )
    weights = [
        torch.cat([p.detach().ravel() for p in network.parameters()]) for network in (first, second, other)
    ]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
