"""A declarative model zoo for Keras: YAML specs to models, lambda and p tuned on your data, a SavedModel out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.version import VERSION as __version__

if TYPE_CHECKING:
    from zoo.api import Study, build, data, export, load, predict, train, tune
    from zoo.errors import ZooError

__all__ = ["Study", "ZooError", "__version__", "build", "data", "export", "load", "predict", "train", "tune"]


def __getattr__(name: str) -> Any:
    """Resolve the functions when they are first used: `import zoo` alone costs nothing."""
    if name == "ZooError":
        from zoo.errors import ZooError

        return ZooError
    if name in __all__:
        from zoo import api

        return getattr(api, name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
