# SPDX-License-Identifier: MIT
"""One phase out of many: a law over a group that is normalised and turns with y, and draws of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import mean_err
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.refinement.coarse_relaxation import CoarseRelaxation
from edgphys.edg.refinement.laws_of import law_of
from edgphys.edg.refinement.phase_frame import frame_of
from edgphys.edg.refinement.von_mises_fisher import sphere
from edgphys.systems import XY, Clock, Heisenberg, Ising, LatticePotential, Potts

N = 3
RING = lattices.build("chain", (N,))
SYSTEMS = {
    "potts": Potts(RING, 1.0, q=4),
    "clock": Clock(RING, 1.0, q=5),
    "xy": XY(RING, 1.0),
    "heisenberg": Heisenberg(RING, 1.0),
}


def frame_and_fields(name, n=6):
    law = law_of(SYSTEMS[name])
    couplings = 0.4 * (np.ones((N, N)) - np.eye(N))
    relaxation = CoarseRelaxation(law, couplings, np.zeros(law.n_components), width=4)
    frame = frame_of(relaxation, SYSTEMS[name].symmetries)
    frame.sharpness.fill_(0.7)
    y = torch.randn(n, N * law.n_components, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return relaxation, frame, y


def turns(name):
    """Matrices of elements of the group, from the vectors alone: shifts, rotations, reflections."""
    law = law_of(SYSTEMS[name])
    if name == "xy":
        angles = 2 * math.pi / 64 * torch.arange(64, dtype=torch.float64)
        cos, sin = torch.cos(angles), torch.sin(angles)
        return torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])]).permute(2, 0, 1)
    if name == "heisenberg":  # reflections that take the first axis to points all over the sphere
        normal = sphere(2000) - torch.eye(3, dtype=torch.float64)[0]
        normal = normal / normal.norm(dim=1, keepdim=True)
        return torch.eye(3, dtype=torch.float64) - 2.0 * normal[:, :, None] * normal[:, None]
    vectors = law.vectors.T
    shifted = [torch.roll(vectors, -k, 0) for k in range(len(vectors))]
    return torch.stack([torch.linalg.lstsq(vectors, one).solution.T for one in shifted])


def moved(relaxation, matrix, y):
    return torch.einsum("cd,dbi->bci", matrix, relaxation.components(y)).flatten(1)


@pytest.mark.parametrize("name", SYSTEMS)
def test_law_of_the_group_is_normalised(name):
    relaxation, frame, y = frame_and_fields(name)
    orbit = torch.stack([frame.log_prob(moved(relaxation, one, y)).exp() for one in turns(name)])
    np.testing.assert_allclose(orbit.mean(0), 1.0, atol=1e-3 if name == "heisenberg" else 1e-10)
    assert float(orbit.std()) > 0.1


@pytest.mark.statistical
@pytest.mark.parametrize("name", SYSTEMS)
def test_fields_are_turned_by_the_law(name):
    """Mean of the order along the first phase, and of its square, over 20,000 draws; sums over the orbit."""
    relaxation, frame, y = frame_and_fields(name, 1)
    orbit = torch.cat([moved(relaxation, one, y) for one in turns(name)])
    p = torch.softmax(frame.log_prob(orbit), 0)
    found = frame.turn(y.expand(20000, -1), torch.Generator().manual_seed(2))
    for power in (1, 2):
        expected = float(p @ frame.order(orbit)[0] ** power)
        wrong = float((frame.order(orbit)[0] ** power).mean())
        assert_z(*mean_err(frame.order(found)[0] ** power), expected, n_tests=8, max_err=0.05)
        if power == 1:
            assert_off(*mean_err(frame.order(found)[0]), wrong, least=10.0, max_err=0.05)
    np.testing.assert_allclose(frame.order(found).square().sum(0), float(frame.order(y).square().sum()))


def test_systems_without_phases_alike_have_no_frame():
    own = LatticePotential(RING, site=None, bond=lambda s, t: -s * t, states=(-1.0, 1.0), temperature=1.0)
    for system in (Ising(RING, 1.0), Potts(RING, 1.0, q=3, field=0.1), XY(RING, 1.0, field=0.1), own):
        law = law_of(system)
        relaxation = CoarseRelaxation(law, np.zeros((N, N)) + 0.1, np.zeros(law.n_components), width=4)
        assert frame_of(relaxation, system.symmetries) is None
