# SPDX-License-Identifier: MIT
"""One sampler for a range of couplings: asked anywhere in it, saved, resumed, and what is refused."""

from __future__ import annotations

import pytest
import torch
from helpers.edg import boltzmann
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.core import training
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError

LATTICE = lattices.build("square", (4, 4))
RANGE = {"temperature": (2.0, 4.0)}
SMALL = {"conditions": RANGE, "decoder_size": (6, 6)}


def ising(temperature=3.0):
    return ep.Ising(LATTICE, temperature=temperature)


@pytest.fixture(scope="module")
def family():
    return ep.EDG(ising(), **SMALL).fit(0, n_steps=40, progress=False)


@pytest.mark.statistical
def test_the_answer_moves_with_the_temperature(family):
    low, high = (ep.estimate(family.sample(8000, 1, temperature=t)) for t in (2.2, 3.4))
    difference = float(low.log_z - high.log_z), float((low.log_z_err**2 + high.log_z_err**2) ** 0.5)
    exact = [boltzmann(ising(t))[2] for t in (2.2, 3.4)]
    assert_z(*difference, exact[0] - exact[1], max_err=0.05)
    # Where the condition is ignored both are at the temperature of the system.
    same = [ep.estimate(family.sample(8000, seed)) for seed in (1, 2)]
    error = float((same[0].log_z_err ** 2 + same[1].log_z_err ** 2) ** 0.5)
    assert_off(float(same[0].log_z - same[1].log_z), error, exact[0] - exact[1], least=20.0, max_err=0.05)
    assert min(float(low.ess), float(high.ess)) > 0.5


def test_the_same_draws_by_any_of_the_ways(family, tmp_path):
    assert family.conditions == {"temperature": (2.0, 4.0)}
    first = family.sample(50, 3, temperature=2.5, keep=True)
    other = family.at(temperature=2.5)
    assert other.system.temperature == 2.5 and family.system.temperature == 3.0
    assert first.equals(other.sample(50, 3, keep=True)) and not first.equals(family.sample(50, 3, keep=True))
    family.save(tmp_path / "family.pt")
    loaded = ep.EDG.load(tmp_path / "family.pt")
    assert loaded.conditions == family.conditions
    assert first.equals(loaded.sample(50, 3, temperature=2.5, keep=True))
    assert first.attrs["temperature"] == 2.5


def test_chain_and_bound_at_a_temperature(family):
    chain = family.chain(400, 1, temperature=2.5)
    assert chain.attrs["temperature"] == 2.5
    reference = ep.mcmc.run(ising(2.5), "wolff", n_chains=4, n_sweeps=50, seed=1, keep=True)
    bound = family.upper_bound(reference, 1, temperature=2.5)
    assert float(bound.log_weight_reverse.mean()) > boltzmann(ising(2.5))[2] - 0.1
    bridged = family.bridge(reference, 200, 1, temperature=2.5)
    assert float(bridged.log_z_err) < 0.1
    assert_z(float(bridged.log_z), float(bridged.log_z_err), boltzmann(ising(2.5))[2], max_err=0.1)
    with pytest.raises(ValueError, match="reference"):
        family.upper_bound(reference, 1, temperature=3.5)


def test_a_killed_training_resumes(family, tmp_path, monkeypatch):
    checkpoint, original, steps = tmp_path / "training.pt", training._Run.advance, []

    def advance(run, loss):
        steps.append(loss)
        if len(steps) == 25:
            raise KeyboardInterrupt
        original(run, loss)

    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 10)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training._Run, "advance", advance)
        ep.EDG(ising(), **SMALL).fit(0, n_steps=40, checkpoint=checkpoint, progress=False)
    again = ep.EDG(ising(), **SMALL).fit(0, n_steps=40, checkpoint=checkpoint, progress=False)
    for mine, theirs in zip(again.model.parameters(), family.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.statistical
def test_training_from_the_energy_alone():
    edg = ep.EDG(ising(), **SMALL).fit(0, n_steps=60, batch_size=64, training="energy", progress=False)
    for temperature in (2.4, 3.8):
        found = ep.estimate(edg.sample(4000, 2, temperature=temperature))
        assert_z(
            float(found.log_z),
            float(found.log_z_err),
            boltzmann(ising(temperature))[2],
            n_tests=2,
            max_err=0.1,
        )


def test_couplings_of_phi4_from_the_mass():
    system = ep.Phi4.from_mass(LATTICE, m2=-4.0, lam=5.0, convention="flow")
    edg = ep.EDG(system, conditions={"lam": (4.0, 6.0)}, decoder_size=(6, 6)).fit(
        0, n_steps=3, progress=False
    )
    samples = edg.sample(20, 1, lam=4.5)
    assert '"quartic": 4.5' in samples.attrs["parameters"]


def test_refused_in_one_line(family):
    for call, error, words in (
        (
            lambda: family.sample(10, 0, temperature=4.5),
            ArgumentValueError,
            r"temperature must be in \[2, 4\]",
        ),
        (lambda: family.sample(10, 0, field=0.5), ArgumentTypeError, "field must be left out"),
        (lambda: ep.EDG(ising()).sample(10, 0, temperature=2.5), ArgumentTypeError, "must be left out"),
        (lambda: ep.EDG(ising(5.0), **SMALL).sample(10, 0), ArgumentValueError, "that of the system"),
        (lambda: ep.EDG(ising(), conditions=RANGE, root="edg"), ArgumentValueError, "root must be 'autoreg"),
        (
            lambda: ep.EDG(ising(), conditions=RANGE, decoder="field"),
            ArgumentValueError,
            "conditions must be left",
        ),
        (lambda: ep.EDG(ising(), conditions={"temperature": (3, 2)}), ArgumentValueError, "low < high"),
    ):
        with pytest.raises(error, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    reference = ep.mcmc.run(ising(), "wolff", n_chains=2, n_sweeps=50, seed=1, keep=True)
    with pytest.raises(ArgumentValueError, match="reference must be None"):
        ep.EDG(ising(), **SMALL).fit(0, reference=reference, n_steps=1)


def test_weights_of_another_version_are_refused(family, tmp_path):
    family.save(tmp_path / "family.pt")
    content = torch.load(tmp_path / "family.pt", weights_only=True)
    content["weights"] = {name + "_old": weight for name, weight in content["weights"].items()}
    torch.save(content, tmp_path / "old.pt")
    with pytest.raises(DatasetError, match=r"path: .*old\.pt holds the weights of another version"):
        ep.EDG.load(tmp_path / "old.pt")
