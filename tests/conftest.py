"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the checkout; tests that need it are skipped where it is absent."""
    folder = (ROOT.parent / "shared" / "data").resolve()
    if not (folder / "README.md").is_file():
        pytest.skip("real data not found: expected ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The rendered sample archive of this repository."""
    return ROOT / "data_samples"
