"""Our own Keras layers, registered, so that a `.keras` file that holds them reloads."""

from __future__ import annotations

import importlib
from typing import Any

ROOMS = {
    "Take": "published",
    "LayerScale": "published",
    "VectorQuantizer": "latent",
    "Sampling": "latent",
    "EvidenceLowerBound": "latent",
    "Nearby": "latent",
    "Contraction": "latent",
    "Sparsity": "latent",
    "SinceLast": "preparation",
    "Function": "functions",
}
"""Where each layer stands that a network may hold."""

PUBLIC = ("Take", "LayerScale", "VectorQuantizer", "Function")
"""Those that a spec may name, beside Keras's own."""


def find(name: str) -> Any:
    """The class of one of our layers."""
    return getattr(importlib.import_module(f"zoo.layers.{ROOMS[name]}"), name)


def register() -> None:
    """Import all that a saved model may hold: to be imported is to be registered with Keras."""
    for room in {*ROOMS.values(), "units", "answering"}:
        importlib.import_module(f"zoo.layers.{room}")
