# SPDX-License-Identifier: MIT
"""What all tests share: the device of torch tests, one torch thread, and derandomised hypothesis.

``pytest --device cuda`` runs every test that takes the `device` fixture on a GPU; the default is cpu.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("edgphys", derandomize=True, deadline=None, max_examples=30, database=None)
settings.load_profile("edgphys")


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cpu", help="device of the torch tests: cpu (default), cuda, cuda:1, ..."
    )


def pytest_collection_modifyitems(items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(
                pytest.mark.skip(reason="needs a CUDA device, torch.cuda.is_available() is False")
            )


@pytest.fixture(scope="session")
def device(request):
    """torch.device given by ``--device``."""
    import torch

    name = request.config.getoption("--device")
    if torch.device(name).type == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"--device {name}, but torch.cuda.is_available() is False")
    return torch.device(name)


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Tests are small and run side by side: more threads than one only slow them down."""
    import sys

    torch = sys.modules.get("torch")  # tests without torch are not to wait for its import
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
