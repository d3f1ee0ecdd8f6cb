# SPDX-License-Identifier: MIT
"""Small samplers that several test files share: of the 4x4 Ising torus, and of continuous systems."""

from __future__ import annotations

import functools
import json

import pytest

import lattices
from edgphys.edg import EDG
from edgphys.edg.mixture import gaussian_mixture as mixture
from edgphys.systems import DoubleWell, Harmonic, Ising, ManyWell, MuellerBrown, Phi4, Planar
from helpers.edg import boltzmann

SMALL_FIELD = {"decoder": "field", "n_path_steps": 4, "decoder_size": (8, 2), "encoder_size": (8, 2)}


TINY_FIELD = {"decoder": "field", "n_path_steps": 2, "decoder_size": (2, 1), "encoder_size": (2, 1)}


def square(**parameters):
    return Ising(lattices.build("square", (4, 4)), **{"temperature": 2.3, **parameters})


def quick_field(system, seed=0, n_steps=2, **options):
    return EDG(system, **{**TINY_FIELD, **options}).fit(
        seed, n_steps, batch_size=4, device="cpu", progress=False
    )


@functools.cache
def trained_square():
    return EDG(square(), **SMALL_FIELD).fit(0, 60, learning_rate=6e-3, device="cpu", progress=False)


@functools.cache
def exact_square():
    """<energy>, <|m|>, <m^2> and ln Z by enumeration."""
    spins, probabilities, log_z = boltzmann(square())
    m = spins.mean(1)
    values = {
        "energy": square().energy(spins),
        "abs_magnetization": m.abs(),
        "magnetization_2": m**2,
    }
    return {name: float(probabilities @ value) for name, value in values.items()} | {"log_z": log_z}


LATTICES = {
    "square": lambda: square(),
    "field": lambda: square(field=0.3),
    "honeycomb": lambda: Ising(lattices.build("honeycomb", (3, 3)), 1.8),
    "triangular": lambda: Ising(lattices.build("triangular", (3, 3)), 4.0),
    "open chain": lambda: Ising(lattices.build("chain", (5,), False), 2.0),
    "phi4": lambda: Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.1),
}


TINY_MIXTURE = {"n_path_steps": 2, "decoder_size": (6, 1), "encoder_size": (6, 1), "n_components": 4}


@pytest.fixture(autouse=True, scope="module")
def short_search():
    """Fewer rounds and draws: what they give, test_mixture looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "_N_ROUNDS", 4)
        patch.setattr(mixture, "_N_DRAWS", 2000)
        yield


def quick_mixture(system, seed=0, n_steps=4, **options):
    return EDG(system, **TINY_MIXTURE | options).fit(
        seed, n_steps, batch_size=16, device="cpu", progress=False
    )


CONTINUOUS = {
    "double well 1": lambda: EDG(DoubleWell(n_dims=1, tilt=0.4), **TINY_MIXTURE),
    "double well 2": lambda: quick_mixture(DoubleWell(n_dims=2, barrier=3.0)),
    "mueller brown": lambda: quick_mixture(MuellerBrown(temperature=20.0), n_components=8),
    "many well": lambda: quick_mixture(ManyWell(n_dims=4)),
    "mog2_i": lambda: EDG(Planar("mog2_i"), **TINY_MIXTURE),
    "ring": lambda: quick_mixture(Planar("ring"), n_components=16),
    "hamiltonian": lambda: quick_mixture(DoubleWell(n_dims=2, tilt=0.4), decoder="hamiltonian", n_leapfrog=1),
    "gaussian": lambda: EDG(Planar("mog2"), **TINY_MIXTURE | {"encoder": "gaussian", "n_path_steps": None}),
    "one component": lambda: EDG(Harmonic(n_dims=3, ratio=4.0), **TINY_MIXTURE | {"n_components": 1}),
}


@functools.cache
def case(name):
    return CONTINUOUS[name]()


@functools.cache
def exact(name):
    return case(name).system.exact_results()


SAME = ("created", "wall_time", "settings", "provenance")  # settings hold the training time


def decoded(samples):
    """The attributes that hold JSON text."""
    return {
        name: json.loads(samples.attrs[name])
        for name in ("parameters", "definitions", "settings", "versions")
    }
