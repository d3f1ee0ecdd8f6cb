# SPDX-License-Identifier: MIT
"""Of a scan or a chain that never computed nothing is left; makers of systems that give none are refused."""

import pytest
import torch

import edgphys as ep
import lattices
from edgphys._checks import device
from edgphys.estimators.estimate import estimates_from_exact
from edgphys.methods.base import AbstractMethod


class Stops(AbstractMethod):
    """Fails at the n-th point."""

    name = "stops"

    def __init__(self, after):
        self.left = after

    def run(self, system, seed, artefact=None, checkpoint=None):
        self.left -= 1
        if self.left < 0:
            raise ArithmeticError("out of range")
        return estimates_from_exact({}, system.attrs())


@pytest.mark.parametrize("after", [0, 1])
def test_what_never_computed_leaves_nothing(after, tmp_path):
    settings = {"temperature": [1.0, 2.0], "seed": 0, "workers": 1, "out": tmp_path / "a.nc"}
    with pytest.raises(ArithmeticError, match="out of range") as error:
        ep.scan(ep.Harmonic, methods=[Stops(after)], **settings)
    assert error.value.__notes__ == [f"computing stops at temperature={1 + after}"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.nc.partial"][: bool(after)]


def test_a_chain_that_never_moved_leaves_no_checkpoint(tmp_path, monkeypatch):
    system = ep.Ising(lattices.build("chain", (4,)), temperature=2.0)
    sampler = type(ep.mcmc.algorithms.make_sampler(system, "metropolis"))

    def stop(*arguments):
        raise ArithmeticError("out of range")

    monkeypatch.setattr(sampler, "warm_up", stop)
    with pytest.raises(ArithmeticError, match="out of range"):
        ep.mcmc.run(system, "metropolis", n_sweeps=20, seed=0, checkpoint=tmp_path / "a.chains")
    assert not list(tmp_path.iterdir())


MAKERS = {
    "none": (
        lambda t: None,
        "make_system must be a function .* at temperature=1, got NoneType",
    ),
    "raises": (
        lambda t: 1 / 0,
        "make_system must give a system at temperature=1, got ZeroDivision",
    ),
    "wrong": (lambda t: ep.Harmonic(-t), "must be"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_maker_that_makes_no_system_is_refused(name):
    make, message = MAKERS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        ep.scan(make, methods=["exact"], seed=0, temperature=[1.0, 2.0])


@pytest.mark.parametrize("name", ["meta", object(), 3.5, "nonsense", "hpu"])
def test_a_device_that_holds_no_numbers_is_refused(name):
    with pytest.raises(ValueError, match="device must be one that torch has here, got"):
        device(name)
    assert device("cpu") == torch.device("cpu")
