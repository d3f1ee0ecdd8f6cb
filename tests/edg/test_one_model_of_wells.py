# SPDX-License-Identifier: MIT
"""One model for a range of couplings of wells and particles, from the outside.

Small networks, a few training steps or none: exactness may not depend on them. Oracles are quadratures, and
samplers of one coupling. Controls: a model that does not know where it is asked; another temperature.
"""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch
from helpers.edg import perturb
from helpers.samplers import TINY_MIXTURE, short_search
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg import EDG
from edgphys.edg.core.family import ModelFamily
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.estimators import estimate
from edgphys.systems import DoubleWell, DoubleWellParticles, LennardJones, ManyWell, MuellerBrown, Phi4

__all__ = ["short_search"]  # a fixture for all tests here

TINY_PARTICLES = {"n_path_steps": 2, "decoder_size": (4, 1), "encoder_size": (4, 1)}
TWO = {"temperature": (0.5, 2.0), "barrier": (2.0, 4.0)}

# Name -> system, ranges, options, and the couplings at which it is asked.
CASES = {
    "double well": (DoubleWell(tilt=0.4), {"temperature": (0.5, 2.0)}, {}, [(0.5,), (1.3,), (2.0,)]),
    "two conditions": (DoubleWell(n_dims=2, tilt=0.4), TWO, {}, [(0.5, 4.0), (2.0, 2.0), (1.1, 3.3)]),
    "mueller brown": (MuellerBrown(), {"temperature": (10.0, 20.0)}, {}, [(10.0,), (12.5,), (20.0,)]),
    "many well": (ManyWell(n_dims=4), {"temperature": (0.8, 2.0)}, {}, [(0.8,), (2.0,)]),
    "hamiltonian": (
        DoubleWell(tilt=0.4),
        {"temperature": (0.5, 2.0)},
        {"decoder": "hamiltonian", "n_leapfrog": 1},
        [(0.5,), (2.0,)],
    ),
}
N_TESTS = 2 * sum(len(one[3]) for one in CASES.values())


@functools.cache
def sampler(name, scale=0.0):
    """Untrained; `scale` is of noise on all weights."""
    system, ranges, options, _ = CASES[name]
    edg = EDG(system, conditions=ranges, **TINY_MIXTURE | options)
    perturb(edg.model, scale, 1)
    return edg


def asked(name):
    ranges = CASES[name][1]
    return [dict(zip(ranges, values, strict=True)) for values in CASES[name][3]]


def log_z(edg, n=4000, **couplings):
    found = estimate(edg.sample(n, seed=1, n_views=1, progress=False, **couplings))
    return float(found["log_z"]), float(found["log_z_err"])


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("scale", [0.0, 0.05])
@pytest.mark.parametrize("name", CASES)
def test_weights_average_to_z_at_every_coupling(name, scale):
    edg = sampler(name, scale)
    for couplings in asked(name):
        exact = edg.at(**couplings).system.exact_results()["log_z"]
        assert_z(*log_z(edg, **couplings), exact, n_tests=N_TESTS, max_err=0.05)


@functools.cache
def trained(seed=0):
    return EDG(DoubleWell(tilt=0.4), conditions={"temperature": (0.5, 2.0)}, **TINY_MIXTURE).fit(
        seed, 30, batch_size=32, device="cpu", progress=False
    )


@pytest.mark.slow
@pytest.mark.statistical
def test_answer_moves_with_the_coupling(monkeypatch):
    """log Z, energy and basins at both ends; a model that stays at one temperature fails."""
    edg, ends = trained(), (0.5, 2.0)
    exact = [edg.at(temperature=t).system.exact_results() for t in ends]

    def difference(key):
        found = [estimate(edg.sample(4000, seed=2, progress=False, temperature=t)) for t in ends]
        (a, a_err), (b, b_err) = ((float(one[key]), float(one[f"{key}_err"])) for one in found)
        return b - a, math.hypot(a_err, b_err)

    for key in ("log_z", "energy", "free_energy_difference"):
        assert_z(*difference(key), exact[1][key] - exact[0][key], n_tests=3, max_err=0.1)
    true = ModelFamily.at_couplings
    monkeypatch.setattr(ModelFamily, "at_couplings", lambda self, couplings: true(self, {"temperature": 1.0}))
    assert_off(*difference("log_z"), exact[1]["log_z"] - exact[0]["log_z"], least=20.0, max_err=0.1)


@pytest.mark.slow
@pytest.mark.statistical
def test_chain_is_exact_and_the_upper_bound_is_one_everywhere():
    for temperature in (0.5, 2.0):
        edg = trained().at(temperature=temperature)
        exact = edg.system.exact_results()
        chain = edg.chain(4000, seed=3, keep=True, progress=False)
        found = estimate(chain)
        assert_z(float(found["energy"]), float(found["energy_err"]), exact["energy"], n_tests=4, max_err=0.1)
        bound = edg.upper_bound(chain, seed=4)["log_weight_reverse"]
        # Error of 4000 draws of a chain, whose autocorrelation of under 2 draws is counted in full.
        err = float(bound.std()) * math.sqrt(4.0 / bound.size)
        assert exact["log_z"] - 4.0 * err < float(bound.mean()) < exact["log_z"] + 0.5


@pytest.mark.slow
@pytest.mark.statistical
def test_training_raises_the_bound_in_all_of_the_range():
    """From one Gaussian over both wells, in 120 steps; errors of the gaps are a tenth of them."""
    well = DoubleWell(barrier=1.0)
    edg = EDG(well, conditions={"temperature": (0.5, 2.0)}, **TINY_MIXTURE | {"n_components": 1})
    gaps = {}
    for n_steps in (0, 120):
        edg.fit(0, n_steps, batch_size=64, learning_rate=0.02, device="cpu", progress=False)
        for t in (0.5, 1.0, 2.0):
            found = estimate(edg.sample(1000, seed=5, n_views=1, progress=False, temperature=t))
            gaps[n_steps, t] = well.replace(temperature=t).exact_results()["log_z"] - float(found["elbo"])
    for t in (0.5, 1.0, 2.0):
        assert 0.0 < gaps[120, t] < 0.75 * gaps[0, t], (t, gaps)


def test_files_keep_the_range(tmp_path):
    edg, path = trained(), tmp_path / "edg.pt"
    edg.save(path)
    again = EDG.load(path, device="cpu")
    assert again.conditions == edg.conditions == {"temperature": (0.5, 2.0)}
    for temperature in (0.5, 1.7):
        draws = {"progress": False, "temperature": temperature}
        assert again.sample(20, seed=6, **draws).equals(edg.sample(20, seed=6, **draws))
        assert json.loads(edg.sample(2, seed=6, **draws).attrs["parameters"])["temperature"] == temperature


class Stopped(Exception):
    """In place of a kill."""


@pytest.mark.slow
def test_training_resumes_to_the_same_bits(tmp_path, monkeypatch):
    from edgphys.edg.core import training

    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 3)
    path, whole = tmp_path / "state.pt", trained()

    def stop(self, loss, true=training._Run.advance):
        if self.step == 20:
            raise Stopped
        true(self, loss)

    edg = EDG(whole.system, conditions=whole.conditions, **TINY_MIXTURE)
    options = {"batch_size": 32, "device": "cpu", "progress": False, "checkpoint": path}
    with monkeypatch.context() as patch:
        patch.setattr(training._Run, "advance", stop)
        with pytest.raises(Stopped):
            edg.fit(0, 30, **options)
    edg.fit(0, 30, **options)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, edg.model.state_dict()[name]), name
    assert edg.history.equals(whole.history)


# Particles: one system is trained on, from which draws are annealed.


def particles(system, **options):
    edg = EDG(system, **TINY_PARTICLES | options)
    return edg.fit(0, 3, batch_size=8, device="cpu", progress=False)


@pytest.mark.parametrize("n_leapfrog", [0, 1])
def test_particles_give_what_a_sampler_of_one_temperature_gives(n_leapfrog):
    """DW4 trains at T = 16 wherever it is to be sampled: bit for bit the same draws."""
    options = {"n_leapfrog": n_leapfrog}
    one = particles(DoubleWellParticles(temperature=1.0), conditions={"temperature": (1.0, 4.0)}, **options)
    assert one.options["train_at"] == {"temperature": 16.0}
    for temperature in (1.0, 3.0):
        own = particles(DoubleWellParticles(temperature=temperature), **options)
        draws = {"n_anneal": 3, "keep": True, "progress": False}
        found, expected = one.sample(8, 1, temperature=temperature, **draws), own.sample(8, 1, **draws)
        assert found.equals(expected)
        for name in ("parameters", "n_energy_calls", "n_gradient_calls"):
            assert found.attrs[name] == expected.attrs[name], name
    assert not one.sample(8, 1, temperature=2.0, **draws).equals(found)


@pytest.mark.statistical
def test_particles_are_annealed_to_every_temperature():
    edg = EDG(
        DoubleWellParticles(2, 1, temperature=3.0), conditions={"temperature": (2.0, 6.0)}, **TINY_PARTICLES
    )
    for temperature in (2.0, 6.0):
        system = edg.at(temperature=temperature).system
        draws = edg.sample(4000, 1, temperature=temperature, n_anneal=10, n_views=1, progress=False)
        found = estimate(draws)
        exact = system.exact_results()["log_z"]
        assert_z(float(found["log_z"]), float(found["log_z_err"]), exact, n_tests=2, max_err=0.05)
        wrong = system.replace(temperature=1.2 * temperature).exact_results()["log_z"]
        assert_off(float(found["log_z"]), float(found["log_z_err"]), wrong, least=4.75, max_err=0.05)


def test_what_particles_train_at():
    """Easy parameters at the highest temperature, and the middle of what is not easy."""
    cluster = EDG(LennardJones(3), conditions={"temperature": (0.5, 1.5), "oscillator": (0.5, 1.0)})
    easy = LennardJones(3, temperature=1.5).easy_parameters
    assert cluster.options["train_at"] == {"temperature": 1.5, "oscillator": 0.75} | easy
    # As high as the range goes, where that is easy enough.
    hot = EDG(DoubleWellParticles(), conditions={"temperature": (1.0, 30.0)})
    assert hot.options["train_at"] == {"temperature": 30.0}
    own = EDG(DoubleWellParticles(), conditions={"temperature": (1.0, 4.0)}, train_at={"temperature": 9.0})
    assert own.options["train_at"] == {"temperature": 9.0}


def test_mixture_that_trains_at_one_temperature_needs_no_family():
    edg = EDG(
        DoubleWell(), conditions={"temperature": (0.5, 1.0)}, train_at={"temperature": 2.0}, **TINY_MIXTURE
    )
    assert not isinstance(edg.model, ModelFamily)
    for temperature in (0.5, 1.0):
        found = estimate(edg.sample(1000, 1, temperature=temperature, n_anneal=20, progress=False))
        exact = edg.at(temperature=temperature).system.exact_results()["log_z"]
        assert_z(float(found["log_z"]), float(found["log_z_err"]), exact, n_tests=2, max_err=0.05)


REFUSED = {
    "outside": (lambda: trained().sample(2, 0, temperature=2.5), "temperature must be in [0.5, 2]"),
    "unknown": (lambda: trained().sample(2, 0, barrier=2.5), "barrier must be left out"),
    "lattice": (
        lambda: EDG(
            Phi4(lattices.build("chain", (4,)), kappa=0.2, lam=0.1),
            decoder="mixture",
            conditions={"kappa": (0.1, 0.2)},
        ),
        "conditions must be left out for decoder='mixture' on a lattice",
    ),
    "particles": (
        lambda: EDG(DoubleWellParticles(), conditions={"temperature": (1, 4)}, train_at={}),
        "train_at must name temperature",
    ),
    "partly": (
        lambda: EDG(
            DoubleWellParticles(), conditions={"temperature": (1, 4), "b": (-4, -3)}, train_at={"b": -3.0}
        ),
        "train_at must name temperature, b",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_line(name):
    call, words = REFUSED[name]
    with pytest.raises((ArgumentTypeError, ArgumentValueError)) as caught:
        call()
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


def test_search_and_training_are_counted():
    edg = trained()
    settings = json.loads(edg.sample(2, seed=0, progress=False).attrs["settings"])["training"]
    # Nine nodes of 4 + 1 rounds of 2000 draws, and 30 steps.
    assert settings["n_energy_calls"] > 9 * 5 * 2000
    assert settings["n_gradient_calls"] >= 30 * 32 and np.isfinite(edg.history["bound"]).all()
