"""What all tests share: a quiet TensorFlow, and folders of specs beside the zoo's."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def listing(monkeypatch):
    """Have the specs of a folder listed beside the zoo's, in one test alone."""
    from zoo import selection

    monkeypatch.setattr(selection, "_FOLDERS", [])
    yield selection.add
    selection._FOLDERS.clear()
    selection.files.cache_clear()
    selection.names.cache_clear()
