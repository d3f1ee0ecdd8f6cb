# SPDX-License-Identifier: MIT
"""Mixtures along a range: the same components at all couplings, as wide and as heavy as they must be.

Oracles: a Gaussian, whose variance is the temperature; shares of two wells by quadrature. Control: the share
at another temperature.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgphys.edg.core.conditions import Conditions
from edgphys.edg.mixture.mixture_range import MixtureRange, explore_range
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.systems import DoubleWell, Harmonic, ManyWell


def search(system, ranges, n_components=2, n_blocks=1):
    conditions = Conditions(ranges)
    target = ContinuousTarget(system)
    rng = np.random.default_rng(0)
    found, n_wide = explore_range(target, conditions, n_blocks, n_components, rng, with_wide=False)
    assert n_wide == 0
    return found, conditions, target


def test_width_of_a_gaussian_follows_the_temperature():
    found, conditions, target = search(Harmonic(n_dims=2), {"temperature": (0.5, 2.0)}, 1)
    assert target.n_energy_calls > 9 * 6000
    for temperature in (0.5, 0.7, 1.0, 2.0):
        u = torch.tensor(conditions.encoded({"temperature": temperature}))
        covariance = found.mixture(u).factors[0] @ found.mixture(u).factors[0].T
        # 6000 draws give it to 3 per cent; linear interpolation of the root costs less than one.
        np.testing.assert_allclose(np.diag(covariance), temperature * np.ones(2), rtol=0.08)


def test_shares_of_two_wells_follow_the_temperature():
    system = DoubleWell(barrier=4.0, tilt=0.4)
    found, conditions, _ = search(system, {"temperature": (0.4, 1.6)})
    at = {}
    for temperature in (0.4, 0.8, 1.6):
        mixture = found.mixture(torch.tensor(conditions.encoded({"temperature": temperature})))
        at[temperature] = float(mixture.weights[np.argmin(mixture.means[:, 0])])
    for temperature, share in at.items():
        there = system.replace(temperature=temperature)
        exact = 1.0 / (1.0 + np.exp(-abs(there.free_energy_difference()) / temperature))
        assert share == pytest.approx(exact, abs=0.04), temperature
    assert at[0.4] - at[1.6] > 0.15


def test_two_conditions_span_a_grid():
    found, conditions, _ = search(DoubleWell(), {"temperature": (0.5, 1.0), "barrier": (2.0, 4.0)})
    assert found.means.shape[:2] == (3, 3)
    # Narrower at the higher barrier, wider at the higher temperature.
    widths = {
        (t, b): float(
            found.mixture(torch.tensor(conditions.encoded({"temperature": t, "barrier": b}))).factors.max()
        )
        for t in (0.5, 1.0)
        for b in (2.0, 4.0)
    }
    assert widths[0.5, 4.0] < widths[0.5, 2.0] < widths[1.0, 2.0] and widths[0.5, 4.0] < widths[1.0, 4.0]


def test_one_block_of_many_is_described():
    found, conditions, _ = search(ManyWell(n_dims=6), {"temperature": (0.8, 2.0)}, n_blocks=3)
    mixture = found.mixture(torch.tensor(conditions.encoded({"temperature": 0.8})))
    assert mixture.means.shape == (2, 2)
    np.testing.assert_allclose(np.sort(mixture.means[:, 0]), [-1.69, 1.73], atol=0.06)


def test_interpolation_is_linear_and_gives_what_a_model_stands_on():
    generator = torch.Generator().manual_seed(1)
    shares, means = torch.rand(3, 2, 2, generator=generator), torch.randn(3, 2, 2, 1, generator=generator)
    roots = 0.5 + torch.rand(3, 2, 2, 1, 1, generator=generator)
    found = MixtureRange(torch.log(shares), means, roots)
    u = torch.tensor([0.5, -0.5])
    expected = 0.5 * (0.75 * means[1, 0] + 0.25 * means[1, 1]) + 0.5 * (
        0.75 * means[2, 0] + 0.25 * means[2, 1]
    )
    values = found(u)
    torch.testing.assert_close(values["decoder.frames.means"], expected)
    root = values["decoder.frames.roots"]
    torch.testing.assert_close(values["decoder.frames.inverses"], 1.0 / root)
    torch.testing.assert_close(values["decoder.frames.log_dets"], torch.log(root.flatten()))
    assert float(torch.exp(values["label_logits"]).sum()) == pytest.approx(1.0)
    corner = found(torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(corner["decoder.frames.means"], means[2, 1])
