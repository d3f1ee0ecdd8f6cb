# SPDX-License-Identifier: MIT
"""What the documents point to is there, and they agree on the licence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("studies/**/*.md")])


def links(text: str) -> list[str]:
    """Targets of the relative links of a markdown text, without what follows a #."""
    targets = re.findall(r"\]\(([^)\s#]+)", text)
    return [target for target in targets if not target.startswith(("http:", "https:"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    missing = [link for link in links(path.read_text()) if not (path.parent / link).exists()]
    assert not missing


def test_a_dead_link_is_found():
    assert links("[a](b.py), [c](https://d) and ![e](f.png#g)") == ["b.py", "f.png"]


def test_the_license_stands_in_one_name_everywhere():
    """In the licence, the citation and the metadata of the package."""
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "\nlicense: MIT\n" in (ROOT / "CITATION.cff").read_text()
    assert '\nlicense = "MIT"\n' in (ROOT / "pyproject.toml").read_text()
