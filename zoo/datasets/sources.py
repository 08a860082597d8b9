"""Where rows come from: names that come with the installation, Keras's downloads, .npz files, folders of .npy files."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError, is_close, listed, nearest, plainly
from zoo.files import map_npy, open_npz

if TYPE_CHECKING:
    import numpy as np

    from zoo.datasets.mapped import Array

VENDORED = Path(__file__).with_name("vendored")
ARRAYS = ("x_train", "y_train", "x_test", "y_test", "classes")
"""What a mapping of arrays, a file or a folder may hold; other names in it are left alone."""

CO2_WINDOW, CO2_HORIZON = 52, 4


@dataclass(frozen=True)
class Rows:
    """What a source gives: `x` and `y` to learn from, a test part if the source has one, labels, and the order.

    `y` is None where there are no targets. `series` is a raw series of shape (steps, features) that is cut into
    windows of `window` steps, each followed by `horizon` steps to forecast; then `x` and `y` are empty.
    """

    x: Array
    y: Array | None = None
    x_test: Array | None = None
    y_test: Array | None = None
    classes: tuple[str, ...] = ()
    series: np.ndarray | None = None
    window: int = 0
    horizon: int = 0


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Rows(found.images[..., None].astype("uint8"), found.target)


def _table(loader: str) -> Callable[[], Rows]:
    def load() -> Rows:
        import sklearn.datasets

        found = getattr(sklearn.datasets, loader)()
        classes = tuple(map(str, getattr(found, "target_names", ())))
        target = found.target if classes else found.target.astype("float32")
        return Rows(found.data.astype("float32"), target, classes=classes)

    return load


def _fashion() -> Rows:
    path = VENDORED / "fashion_mnist_2k.npz"
    return arranged(open_npz(path), str(path))


def _co2() -> Rows:
    import numpy as np

    series = open_npz(VENDORED / "co2.npz")["series"].astype("float32")
    empty = np.zeros((0, CO2_WINDOW, 1), "float32")
    return Rows(empty, series=series[:, None], window=CO2_WINDOW, horizon=CO2_HORIZON)


PARTS = ("x_train", "y_train", "x_test", "y_test", "classes")
"""What named arrays are called."""

CALLED = {"classnames": "classes", "targetnames": "classes", "labelnames": "classes"}
"""What they are called elsewhere."""


def arranged(arrays: Mapping[str, Any], where: str) -> Rows:
    """The rows in named arrays: x_train, and y_train, x_test, y_test and classes if there are any.

    Raises `ZooError` for half of a test part, which judges nothing, for a validation part, which nothing reads, and for
    what is called almost as a part.
    """
    held = [key for key in arrays if re.fullmatch(r"[xy]_val(id|idation)?", str(key))]
    if held:
        raise ZooError(
            f"{where} holds `{held[0]}`, which nothing reads: the validation part is split off the training rows; "
            "expected its rows among those of x_train and y_train, or another name"
        )
    if "x_train" not in arrays:
        close = nearest("x_train", [one for one in map(str, arrays) if one[:1].lower() != "y"])
        raise ZooError(
            f"{where} holds {listed(arrays) or 'nothing'}, no `x_train`; expected x_train and y_train, and x_test and "
            f"y_test if there is a test part" + (f"; did you mean to call `{close}` x_train?" if close else "")
        )
    for key in map(str, arrays):
        close = CALLED.get(plainly(key)) or next((one for one in PARTS if is_close(key, one)), "")
        if key not in PARTS and close and close not in arrays:
            raise ZooError(f"{where} holds `{key}`, which nothing reads; expected `{close}`, or another name")
    classes = arrays.get("classes")
    labels = tuple(map(str, as_text(classes))) if classes is not None and classes.ndim == 1 else ()
    test = (arrays.get("x_test"), arrays.get("y_test"))
    if (test[0] is None) != (test[1] is None) and (test[0] is None or "y_train" in arrays):
        has, lacks = ("y_test", "x_test") if test[0] is None else ("x_test", "y_test")
        raise ZooError(f"{where} holds `{has}` without `{lacks}`; expected both, or `{has}` under another name")
    return Rows(arrays["x_train"], arrays.get("y_train"), *test, classes=labels)


def as_text(array: Array) -> Array:
    """Bytes as the text that they are (UTF-8), anything else as it is."""
    import numpy as np

    return np.char.decode(np.asarray(array), "utf-8", "replace") if array.dtype.kind == "S" else array


def _keras(name: str) -> Rows:
    """A data set of `keras.datasets`; downloads it into Keras's cache the first time."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras prints that it downloads, and how far it is
            import keras

            (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise ZooError(f"keras:{name} could not be loaded: {error}; Keras downloads it the first time") from None
    return Rows(x, y.squeeze(), x_test, y_test.squeeze())


SOURCES: dict[str, tuple[str, Callable[[], Rows]]] = {
    "digits": ("1,797 handwritten digits, 8 x 8, 10 classes (scikit-learn)", _digits),
    "fashion_mnist_2k": ("2,500 pieces of clothing, 28 x 28, 10 classes (Zalando, MIT)", _fashion),
    "co2": ("weekly CO2 at Mauna Loa 1958-2001, 52 weeks to forecast 4 (public domain)", _co2),
    "breast_cancer": ("569 rows of 30 numbers, 2 classes (scikit-learn)", _table("load_breast_cancer")),
    "diabetes": ("442 rows of 10 numbers, a number to predict (scikit-learn)", _table("load_diabetes")),
    "keras:mnist": ("70,000 handwritten digits, 28 x 28, 10 classes (downloads)", lambda: _keras("mnist")),
    "keras:fashion_mnist": (
        "70,000 pieces of clothing, 28 x 28, 10 classes (downloads)",
        lambda: _keras("fashion_mnist"),
    ),
    "keras:cifar10": ("60,000 colour pictures, 32 x 32 x 3, 10 classes (downloads)", lambda: _keras("cifar10")),
    "keras:cifar100": ("60,000 colour pictures, 32 x 32 x 3, 100 classes (downloads)", lambda: _keras("cifar100")),
    "keras:california_housing": (
        "20,640 rows of 8 numbers, a number to predict (downloads)",
        lambda: _keras("california_housing"),
    ),
}
"""The data sets that have a name: what each is, and how it is loaded. One row adds a source."""


def named(name: str) -> str | None:
    """The source that a name means, whatever its case, `-` and `_`; None if there is none."""
    return next((known for known in SOURCES if plainly(known) == plainly(name)), None)


def folder(path: Path, wanted: Collection[str]) -> dict[str, Array | None]:
    """The arrays of a folder's .npy files by the names of the files, those that are wanted; rows stay in their files.

    Others are None: they are there, and nobody looks at them.
    """
    from zoo.datasets.mapped import mapped

    files = {one.stem: one for one in sorted(path.glob("*.npy"))}
    return {name: mapped(map_npy(one)) if name in wanted else None for name, one in files.items()}


TABLES = {
    ".csv": "pandas.read_csv", ".tsv": "pandas.read_csv", ".parquet": "pandas.read_parquet",
    ".xlsx": "pandas.read_excel",
}  # fmt: skip
"""Files of tables, by their suffix, and what reads them."""

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
"""The files that Keras reads as pictures."""


def _no_arrays(path: Path) -> str:
    """What a folder holds that has no .npy files, and what is expected instead."""
    inside = [f"{one.name}/" if one.is_dir() else one.name for one in sorted(path.iterdir())]
    pictures = any(one.suffix.lower() in PICTURES for pattern in ("*", "*/*") for one in path.glob(pattern))
    what = f"holds {listed(inside, 5)} and no .npy files" if inside else "is empty"
    reads = f'keras.utils.image_dataset_from_directory("{path}", shuffle=False)'
    python = f"; pictures are data in Python: {reads}" if pictures else ""
    return f"{path} {what}; expected a folder with x_train.npy and y_train.npy{python}"


def load(name: str) -> Rows:
    """The rows of a named source, an .npz file or a folder of .npy files.

    Raises `ZooError` with the nearest name for an unknown one.
    """
    known = named(name)
    if known:
        return SOURCES[known][1]()
    if name.endswith(".npz"):
        return arranged(open_npz(Path(name)), name)
    if os.path.isdir(name):
        held = folder(Path(name), ARRAYS)
        if not held:
            raise ZooError(_no_arrays(Path(name)))
        return arranged(held, f"{name} (as a folder of .npy files)")
    if os.path.isfile(name):
        reads = TABLES.get(Path(name).suffix.lower())
        raise ZooError(
            f"{name} is no .npz file; expected one that numpy.savez wrote, with x_train and y_train"
            + (f"; {reads} reads this one, and numpy.savez writes what it gives as an .npz file" if reads else "")
        )
    hint = nearest(name, SOURCES)
    raise ZooError(
        f"no data set `{name}`; expected one of {listed(SOURCES, 20)}, the path of an .npz file, or of a folder "
        "of .npy files" + (f"; did you mean `{hint}`?" if hint else "")
    )
