# SPDX-License-Identifier: MIT
"""Odd and even outputs under a change of sign, stacked networks one by one, edges and conditions."""

from __future__ import annotations

import numpy as np
import torch
from helpers.edg import perturb

from edgphys.edg.refinement.network import OddEvenNetwork, bumps


def network(n_edges=0, n_stacked=None, n_bumps=0):
    made = OddEvenNetwork(
        5, n_edges, 2, 1, 7, torch.Generator().manual_seed(0), n_stacked=n_stacked, n_bumps=n_bumps
    )
    return perturb(made, 0.3, seed=1).double().requires_grad_(False)


def window(*shape):
    return torch.randn(*shape, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_odd_and_even():
    net, c = network(n_edges=3), window(4, 6)
    edges = torch.randint(2, (6, 3), generator=torch.Generator().manual_seed(3)).double()
    bump = None
    odd, even = net(c, edges, bump)
    minus_odd, same_even = net(-c, edges, bump)
    assert odd.shape == (4, 6, 2) and even.shape == (4, 6, 1)
    np.testing.assert_allclose(minus_odd, -odd, atol=1e-12)
    np.testing.assert_allclose(same_even, even, atol=1e-12)
    assert odd.abs().min() > 1e-6 and (net(2 * c, edges)[1] - even).abs().min() > 1e-6
    assert (net(c, 1.0 - edges)[0] - odd).abs().min() > 1e-9


def test_zero_at_the_start():
    net = OddEvenNetwork(5, 0, 2, 1, 7, torch.Generator().manual_seed(0))
    odd, even = net(torch.ones(3, 5))
    assert not odd.any() and not even.any()


def test_stacked_networks_are_separate():
    net, c = network(n_stacked=4), window(4, 3)
    odd, even = net(c)
    for k in range(4):
        alone = net.one(k, c[k])
        np.testing.assert_allclose(alone[0], odd[k], atol=1e-12)
        np.testing.assert_allclose(alone[1], even[k], atol=1e-12)
        # What lies behind the given inputs counts as zero.
        short = net.one(k, c[k][:, :2])
        masked = net(c * torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64))
        np.testing.assert_allclose(short[0], masked[0][k], atol=1e-12)


def test_answer_moves_with_the_condition():
    net, c = network(n_bumps=8), window(6, 4)
    low, high = (
        net(c, None, bumps(torch.full((6,), v, dtype=torch.float64), 8)[:, None]) for v in (-0.9, 0.8)
    )
    assert all((a - b).abs().min() > 1e-6 for a, b in zip(low, high, strict=True))
    flipped = net(-c, None, bumps(torch.full((6,), -0.9, dtype=torch.float64), 8)[:, None])
    np.testing.assert_allclose(flipped[0], -low[0], atol=1e-12)


def test_each_sample_has_its_own_condition():
    net, c = network(n_bumps=8), window(2, 4)
    condition = torch.tensor([-0.5, 0.5], dtype=torch.float64)
    both = net(c, None, bumps(condition, 8)[:, None])
    for k in range(2):
        alone = net(c[k : k + 1], None, bumps(condition[k : k + 1], 8)[:, None])
        np.testing.assert_allclose(alone[0], both[0][k : k + 1], atol=1e-12)
    stacked = network(n_stacked=4, n_bumps=8)
    c = window(4, 2)
    both = stacked(c, bump=bumps(condition, 8))
    for k in range(4):
        np.testing.assert_allclose(stacked.one(k, c[k], bumps(condition, 8))[0], both[0][k], atol=1e-12)


def test_odd_to_rounding_with_edges_and_bumps():
    """In float32 too, as laws use it: both parts at a condition, with missing sites."""
    net, c = network(n_edges=3, n_bumps=8).float(), window(4, 6).float()
    edges = torch.randint(2, (6, 3), generator=torch.Generator().manual_seed(3)).float()
    bump = bumps(torch.linspace(-0.9, 0.9, 4), 8)[:, None]
    odd, even = net(c, edges, bump)
    minus_odd, same_even = net(-c, edges, bump)
    np.testing.assert_allclose(minus_odd, -odd, atol=2e-6)
    np.testing.assert_allclose(same_even, even, atol=2e-6)
    for other in (net(c, 1.0 - edges, bump), net(c, edges, bump.flip(0))):
        assert all((a - b).abs().max() > 1e-4 for a, b in zip(other, (odd, even), strict=True))
