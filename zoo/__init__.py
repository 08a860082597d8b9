"""A declarative model zoo for Keras: YAML specs to models, lambda and p tuned on your data, a SavedModel out."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

from zoo.version import VERSION as __version__

if TYPE_CHECKING:
    from zoo.api import Study, build, data, export, load, predict, race, train, tune
    from zoo.errors import ZooError

__all__ = ["Study", "ZooError", "__version__", "build", "data", "export", "load", "predict", "race", "train", "tune"]


def __getattr__(name: str) -> Any:
    """Resolve the functions when they are first used: `import zoo` alone costs nothing."""
    if name == "ZooError":
        from zoo.errors import ZooError

        return ZooError
    if name in __all__:
        from zoo import api

        return getattr(api, name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


class _Registering(MetaPathFinder):
    """Registers our layers as soon as Keras is imported, so that Keras reloads a file that holds them.

    Importing them here would import Keras and TensorFlow, which takes seconds that `zoo list` does not have.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Keras as the other finders find it, with a loader that registers our layers after it."""
        if name != "keras":
            return None
        others = (one.find_spec(name, path, target) for one in sys.meta_path if one is not self)
        found = next((one for one in others if one is not None), None)
        if found is not None and found.loader is not None:
            load = found.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                _register()

            found.loader.exec_module = exec_module  # type: ignore[method-assign]
        return found


def _register() -> None:
    from zoo import layers

    layers.register()


if sys.modules.get("keras") is not None:
    _register()
else:
    sys.meta_path.insert(0, _Registering())
