"""Operations of `keras.ops` as items of a body: every one of the catalogue, and the rules of the form."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from jsonschema import Draft202012Validator

import zoo
from zoo import columns, ejecting, importing, measuring
from zoo.apart import mixed
from zoo.errors import ZooError
from zoo.language import catalogue, unfolding, writing
from zoo.language.schema import schema
from zoo.lowering import Plain, lower
from zoo.measuring import counted

OPERATIONS = catalogue.catalogue()["ops"]

VALUES = {
    "axis": -1, "axes": -1, "axis1": 1, "dtype": "int32", "key": ":, 1:3", "newshape": [-1, 16], "k": 2, "num": 4,
    "indices_or_sections": 2, "num_classes": 4, "repeats": 2, "shift": 1, "pool_size": 2, "subscripts": "bij,bjk->bik",
    "threshold": 0.5, "default_value": 0.0, "pad_width": [[0, 0], [1, 1], [0, 0]], "sequence_length": 2,
    "sequence_stride": 1, "fft_length": 4, "block_size": 2, "kth": 1, "max_val": 1.0, "x_min": 0.2, "x_max": 0.8,
}  # fmt: skip
"""A value of each argument that an operation must be given."""

TWO = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]

CORNERS = [[[0.0, 0.0], [0.0, 5.0], [5.0, 0.0], [5.0, far]] for far in (5.0, 4.0)]

OTHERS = {
    "transpose": {"axes": [0, 2, 1]}, "expand_dims": {"axis": 1}, "tile": {"repeats": [1, 1, 2]},
    "rot90": {"axes": [1, 2]}, "swapaxes": {"axis1": 1, "axis2": 2}, "diagonal": {"axis1": 1, "axis2": 2},
    "trace": {"axis1": 1, "axis2": 2}, "take": {"indices": [0, 2], "axis": 1}, "digitize": {"bins": [0.2, 0.5]},
    "ldexp": {"x2": 2}, "tensordot": {"x2": TWO, "axes": 1}, "dot": {"x2": TWO},
    **{key: {"q": 0.5, "axis": 1} for key in ("percentile", "quantile", "nanpercentile", "nanquantile")},
    "image.crop_images": {"top_cropping": 1, "left_cropping": 2, "target_height": 4, "target_width": 3},
    "image.pad_images": {"top_padding": 1, "left_padding": 2, "bottom_padding": 3, "right_padding": 4},
    "image.resize": {"size": [5, 5]}, "image.extract_patches": {"size": [2, 2]}, "image.ssim": {"filter_size": 3},
    "image.affine_transform": {"transform": [1.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0]},
    "image.perspective_transform": {"start_points": CORNERS[0], "end_points": CORNERS[1]},
    "array_split": {"indices_or_sections": 3, "axis": 1}, "dsplit": {"indices_or_sections": 2},
    "hsplit": {"indices_or_sections": 2}, "moveaxis": {"source": 1, "destination": 2}, "unfold": {"kernel_size": 2},
    "fold": {"output_size": [3, 3], "kernel_size": [2, 2]}, "unravel_index": {"shape": [9, 9]},
    "batch_normalization": {"axis": -1, "mean": [0.0, 1.0, 2.0, 3.0], "variance": [1.0, 2.0, 3.0, 4.0]},
    "conv": {"kernel": [TWO, TWO], "padding": "same"}, "searchsorted": {"sorted_sequence": [0.2, 0.5]},
    "depthwise_conv": {"kernel": [TWO, TWO, TWO], "strides": 1}, "view": {"dtype": "int32"},
    "separable_conv": {"depthwise_kernel": [TWO, TWO], "pointwise_kernel": [[[0.5, 1.0]] * 8]},
    "image.map_coordinates": {"order": 1, "coordinates": [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]]},
    "slice_update": {"start_indices": [0, 1, 1], "updates": [[[9.0]]]},
    "scatter_update": {"indices": [[0, 1]], "updates": [[1.0, 2.0, 3.0, 4.0]]},
    "broadcast_to": {"shape": [3, 4, 4]}, "vsplit": {"indices_or_sections": [1]}, "vander": {"N": 3},
    "slice": {"start_indices": [0, 1, 0], "shape": [3, 2, 4]}, "vdot": {"x2": [[[1.0] * 4] * 4] * 3},
    "correlate": {"x2": [0.0, 1.0, 0.5], "mode": "same"}, "full": {"shape": [2, 3, 4, 4]}, "kron": {"x2": TWO},
    "image.elastic_transform": {"seed": 3},
    "image.scale_and_translate": {
        "output_shape": [3, 5, 5, 3], "scale": [1.0, 1.5], "translation": [0.5, 0.0], "spatial_dims": [1, 2],
        "method": "cubic",
    },
    "in_top_k": {"targets": [0, 1, 3], "k": 2}, "sparse_categorical_crossentropy": {"target": [0, 1, 3]},
    "scatter": {"indices": [[0], [2], [3]], "shape": [4, 4, 4]}, "lstsq": {"b": TWO[:3]},
    "ctc_decode": {"sequence_lengths": [4, 2, 3], "strategy": "greedy"},
    "ctc_loss": {"target": [[1, 2], [3, 1], [2, 2]], "target_length": [2, 2, 1], "output_length": [4, 4, 3]},
    **{f"segment_{kind}": {"segment_ids": [0, 0, 1], "num_segments": 2} for kind in ("max", "min", "prod", "sum")},
    **{key: {"stop": 2.0, "num": 3, "axis": -1} for key in ("linspace", "logspace")},
    "geomspace": {"num": 3, "axis": 0},
    "select": {"from": {"condlist": ["isfinite", "isnan"], "choicelist": ["input", "input"]}},
    "view_as_real": {"from": "cast"}, "meshgrid": {"indexing": "ij"}, "unique": {"return_counts": True, "axis": None},
}  # fmt: skip
"""Arguments of operations that take other values than most."""

SHAPES = {
    "squeeze": (4, 1), "depth_to_space": (2, 2, 4), "space_to_depth": (4, 4, 2), "dot_product_attention": (4, 2, 4),
    "cross": (4, 3), "diag": (4,), "bincount": (), "searchsorted": (), "unfold": (4, 4, 2), "fold": (8, 4),
    "argpartition": (4,), "corrcoef": (4,), "correlate": (), "in_top_k": (4,), "lstsq": (4,), "lu_factor": (3,),
    "sparse_categorical_crossentropy": (4,), "kron": (4,), "meshgrid": (), "vander": (),
    **{name: (6, 8, 3) for name in OPERATIONS if name.startswith("image.")},
}  # fmt: skip

BEFORE = {"select": ("ops.isfinite", {"ops.isnan": {"from": "input"}}), "view_as_real": ({"ops.cast": "complex64"},)}
"""What stands before operations that take other tensors than the input."""

SIZED = ("correlate", "ctc_loss", "lstsq", "lu_factor", "sparse_categorical_crossentropy")
"""Operations that want to know how many rows there are."""

WHOLE = (
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "gcd", "lcm", "left_shift", "right_shift", "multi_hot", "bincount", "unravel_index",
)  # fmt: skip
"""Operations on whole numbers."""

SYMMETRIC = ("cholesky", "cholesky_inverse", "eigh", "inv", "logdet", "slogdet", "det", "solve", "solve_triangular")
"""Operations on matrices that can be inverted."""


def spec_of(*items, shape=(4, 4), dtype="float32", batch=None, **more):
    """A spec of these items."""
    sized = {"batch_size": batch} if batch else {}
    tokens = {"kind": "tokens", "vocabulary": 9} if dtype != "float32" else {}
    usual = {"spec": 1, "name": "one", "family": "mlp", "task": "regression", "targets": 1, "summary": "Operations."}
    return zoo.load(
        {**usual, "input": {"shape": list(shape), "dtype": dtype, **tokens, **sized}, "layers": list(items), **more}
    )


def flat(spec):
    found, problems = unfolding.unfold(spec.fill())
    assert not problems, [str(one) for one in problems]
    return found


def rows(shape, dtype, symmetric=False):
    dice = np.random.default_rng(0)
    if dtype != "float32":
        return dice.integers(1, 4, (3, *shape)).astype(dtype)
    found = dice.random((3, *shape), "float32")
    return found @ found.swapaxes(1, 2) + np.eye(4, dtype="float32") if symmetric else found


def answers(model, x):
    return [np.asarray(one) for one in keras.tree.flatten(model(x, training=False))]


def assert_equal(model, other, x):
    for one, two in zip(answers(model, x), answers(other, x), strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def kinds(model):
    return [type(one).__name__ for one in model.operations]


def test_there_are_operations():
    assert len(OPERATIONS) > 200


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_built_saved_ejected_and_imported_again(name, tmp_path):
    keras.backend.clear_session()
    entry = OPERATIONS[name]
    given = OTHERS.get(name) or {key: VALUES[key] for key in entry["required"]}
    free = [key for key in entry["needed"] if key not in given]
    many = len(free) if not entry.get("listed") and not entry["tensors"][0].startswith("*") else 2
    shape, dtype = SHAPES.get(name, (4, 4)), "int32" if name in WHOLE else "float32"
    item = {f"ops.{name}": {"name": "made", "from": ["input"] * many, **given}}
    before = BEFORE.get(name, ())
    batch = 3 if name in SIZED else None
    made = flat(spec_of(*before, item, shape=shape, dtype=dtype, outputs=["made"], batch=batch))
    model, x = lower(made, Plain()), rows(shape, dtype, name in SYMMETRIC)

    outputs = keras.tree.flatten(next(one for one in model.operations if one.name == "made").output)
    assert len(outputs) == made.nodes[-1].outputs
    assert kinds(model)[1 + len(before) :] == [entry["kind"]]
    model.save(tmp_path / "model.keras")
    assert_equal(model, keras.saving.load_model(tmp_path / "model.keras"), x)

    space: dict = {"__name__": "ejected"}
    exec(compile(ejecting.eject(made), "ejected.py", "exec"), space)
    assert kinds(space["build"]()) == kinds(model)
    assert_equal(model, space["build"](), x)

    again = lower(flat(zoo.load(importing.spec_of(model))), Plain())
    assert kinds(again) == kinds(model)
    assert_equal(model, again, x)


def test_an_operation_takes_tensors_where_it_has_no_constants():
    items = [
        {"ops.subtract": {"name": "rest", "x1": 1.0}},
        {"ops.greater": {"name": "large", "from": {"x1": "input"}, "x2": "1 / 2"}},
        {"ops.where": {"name": "chosen", "from": {"condition": "large", "x2": "rest"}, "x1": 9}},
        {"ops.where": {"from": ["large", "chosen", "input"]}},
        {"ops.where": {"name": "same", "from": {"x1": "chosen", "x2": "input", "condition": "large"}}},
        {"ops.stack": {"axis": 1, "from": ["where", "same"]}},
    ]
    made = flat(spec_of(*items, outputs=["stack"]))
    model, x = lower(made, Plain()), rows((4, 4), "float32")
    chosen = np.where(x > 0.5, np.float32(9), np.float32(1) - x)
    wanted = np.where(x > 0.5, chosen, x)

    (found,) = answers(model, x)
    np.testing.assert_array_equal(found, np.stack([wanted, wanted], axis=1))


def test_the_spec_written_out_says_the_same_operations():
    items = [
        "ops.relu",
        {"ops.where": {"from": {"condition": "input", "x2": "relu"}, "x1": 2.0}},
        {
            "ops.dot_product_attention": {
                "from": {"query": "previous", "value": "relu", "key": "input", "mask": "input"}
            }
        },
        {"ops.split": {"indices_or_sections": [1, 3], "axis": -1, "name": "parts"}},
        {"ops.concatenate": {"axis": -1, "from": ["parts.2", "parts.0"]}},
    ]
    spec = spec_of(*items, outputs=["concatenate"], shape=(4, 1, 4))
    made = flat(spec)
    again = flat(zoo.load(writing.written_out(spec.fill(), made, unfolding.names(spec.fill()))))

    assert again.without_values() == made.without_values()


TOGETHER = {
    "a mean over the rows": ("mean", {"axis": -2, "keepdims": True}),
    "a sum that goes on": ("cumsum", {"axis": -2}),
    "rows turned around": ("flip", {"axis": -2}),
    "rows moved on": ("roll", {"shift": 1, "axis": -2}),
    "rows of another size": ("reshape", {"newshape": [-1, 2, 2]}),
    "a fixed number of rows": ("reshape", {"newshape": [2, 4]}),
    "rows twice": ("tile", {"repeats": [2, 1]}),
    "room around the rows": ("pad", {"pad_width": 1}),
    "a triangle": ("tril", {}),
    "one of the rows": ("get_item", {"key": "..., 0, :"}),
    "numbers for two rows": ("multiply", {"x2": [[2.0], [3.0]]}),
    "numbers for three rows": ("multiply", {"x2": [[2.0], [3.0], [4.0]]}),
    "rows and rows": ("matmul", {"from": ["input", "input"]}),
    "rows moved on by far": ("roll", {"shift": 1000, "axis": 0}),
    "rows as a matrix": ("pinv", {}),
    "the rank of the rows": ("matrix_rank", {}),
    "what is not there": ("take", {"indices": [99], "axis": 1}),
    "more than there are": ("top_k", {"k": 99}),
}


@pytest.mark.parametrize("what", TOGETHER)
def test_an_operation_that_takes_rows_together_or_cannot_run_is_refused_where_it_is_built(what):
    name, given = TOGETHER[what]
    made = flat(spec_of({f"ops.{name}": {"name": "made", **given}}, shape=(8,), outputs=["made"]))

    how, problems = Plain(), list[object]()
    try:
        assert mixed(lower(made, how))
    except ZooError as error:
        problems += error.problems
    assert (problems or how.together)[0].path.startswith("layers[0].ops.")


def test_three_channels_and_sizes_that_are_not_known_before_are_no_rows():
    for item, shape in (
        ({"ops.multiply": {"x2": [1.0, 2.0, 3.0]}}, (3,)),
        ({"ops.add": {"x2": [[1.0], [2.0], [3.0]]}}, (3, 3)),
        ({"ops.get_item": {"key": ":, 2:"}}, (None, 4)),
        ({"ops.cholesky": {}}, (4, 4)),
        ({"ops.pinv": {}}, (4, 3)),
    ):
        lower(
            flat(spec_of({**item}, {"Flatten": {}} if None not in shape else "GlobalMaxPooling1D", shape=shape)),
            Plain(),
        )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda x: keras.ops.take(x, [99], axis=1),
            r"the layer `take\w*` cannot be computed: indices\[0\] = 99 is not in \[0, 8\)",
        ),
        (lambda x: keras.ops.cast(x, "float16") * np.uint32(3), "holds uint32 under x2"),
        (lambda x: keras.ops.cast(x, "int32") * np.int64(2654435761), "holds int64 under x2"),
        (lambda x: keras.ops.cast(x, "uint8") - np.array([10] * 8, "uint8"), "holds uint8 under x2"),
    ],
)
def test_what_would_come_back_otherwise_is_not_imported(call, says):
    source = keras.Input((8,))
    with pytest.raises(ZooError, match=says):
        importing.spec_of(keras.Model(source, keras.layers.Dense(2)(keras.ops.cast(call(source), "float32"))))


MIXING = {
    "the largest of all": lambda x: x / keras.ops.max(x),
    "a mean over the rows": lambda x: x - keras.ops.mean(x, axis=0, keepdims=True),
    "the same from behind": lambda x: x - keras.ops.mean(x, axis=-2, keepdims=True),
    "other rows": lambda x: keras.ops.reshape(x, (-1, 4)),
    "one row": lambda x: x * x[0],
    "all rows but one": lambda x: x[1:, :],
    "rows by rows": lambda x: keras.ops.matmul(x, keras.ops.transpose(x)) @ x,
    "the place, from the tenth row on": lambda x: (
        x + keras.ops.relu(keras.ops.cumsum(keras.ops.ones_like(x), axis=0) - 9)
    ),
    "one that is large enough": lambda x: keras.ops.where(keras.ops.any(x > 200.0), x, x + 1),
    "how many there are, by little": lambda x: x * (1 + 1e-4 * keras.ops.cast(keras.ops.size(x), "float32")),
    "whether it is in any row": lambda x: keras.ops.isin(*keras.ops.split(keras.ops.cast(x, "int32"), 2, axis=1)),
}


@pytest.mark.parametrize("what", MIXING)
def test_a_network_whose_rows_meet_is_imported_and_built_and_not_trained(what):
    keras.backend.clear_session()
    source = keras.Input((8,))
    model = keras.Model(source, keras.layers.Dense(2)(keras.ops.cast(MIXING[what](source), "float32")))
    spec = importing.spec_of(model)
    rows = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")

    assert "outputs" in spec and "head" not in spec
    made = zoo.build(spec)
    made.set_weights(model.get_weights())
    np.testing.assert_array_equal(made(rows), model(rows))
    head = {**{key: one for key, one in spec.items() if key != "outputs"}, "task": "regression", "targets": 3}
    with pytest.raises(ZooError, match="takes rows together, which know nothing of one another: "):
        zoo.build(head)


@pytest.mark.parametrize("least", [100, 1000])
def test_ids_of_one_row_that_change_what_others_get_are_seen(least):
    keras.backend.clear_session()
    source = keras.Input((8,), dtype="int32")
    largest = keras.ops.cast(keras.ops.max(source) > least, "float32")
    found = keras.layers.Flatten()(keras.layers.Embedding(5000, 3)(source)) + largest
    spec = importing.spec_of(keras.Model(source, keras.layers.Dense(2)(found)))

    assert "outputs" in spec and "head" not in spec


@pytest.mark.parametrize("many", [2, 3])
def test_rows_that_must_come_in_pairs_or_threes_are_imported_as_they_are(many):
    keras.backend.clear_session()
    source = keras.Input((6,))
    pairs = keras.ops.reshape(source, (-1, 6 * many))
    model = keras.Model(source, keras.layers.Dense(2)(keras.ops.reshape(pairs, (-1, 6))))
    spec, rows = importing.spec_of(model), np.random.default_rng(0).normal(size=(12, 6)).astype("float32")

    assert "outputs" in spec and "head" not in spec
    made = zoo.build(spec)
    made.set_weights(model.get_weights())
    np.testing.assert_array_equal(made(rows), model(rows))


COUNTED = {
    "so many rows": lambda x: keras.ops.reshape(x, (4, 2, 4)),
    "the first rows": lambda x: keras.ops.slice(x, (0, 0), (4, 3)),
    "constants beside rows": lambda x: keras.ops.concatenate([x, np.arange(12.0).reshape(4, 3).astype("float32")], 1),
    "groups of rows": lambda x: keras.ops.segment_sum(x, np.array([0, 0, 1, 2]), 3),
    "how many there are": lambda x: x * keras.ops.cast(keras.ops.size(x), "float32"),
    "how many there are, counted": lambda x: x * keras.ops.sum(keras.ops.ones_like(x)),
}


@pytest.mark.parametrize("sized", [4, None], ids=["sized", "open"])
@pytest.mark.parametrize("what", COUNTED)
def test_a_network_for_so_many_rows_alone_is_given_as_it_is(what, sized):
    keras.backend.clear_session()
    source = keras.Input((8,), batch_size=sized)
    model = keras.Model(source, keras.layers.Dense(2)(COUNTED[what](source)))
    spec, rows = importing.spec_of(model), np.random.default_rng(0).normal(size=(4, 8)).astype("float32")

    assert "outputs" in spec
    made = zoo.build(spec)
    made.set_weights(model.get_weights())
    assert_equal(model, made, rows)


def test_what_is_chosen_among_tensors_and_constants_is_a_function_of_each_row():
    keras.backend.clear_session()
    source, ops = keras.Input((8,)), keras.ops
    chosen = ops.select(
        [source > 1, source < -1], [source, np.linspace(0, 1, 8, dtype="float32")[None]], ops.abs(source)
    )
    chosen = ops.select([chosen > 0.5], [2.0 * chosen], ops.select([source > 0], [np.ones((1, 8), "float32")], chosen))
    model = keras.Model(source, keras.layers.Dense(2)(chosen))
    spec = importing.spec_of(model)
    made = zoo.build(spec)
    made.set_weights(model.get_weights())

    assert "outputs" not in spec
    assert_equal(model, made, np.random.default_rng(0).normal(size=(4, 8)).astype("float32") * 2)


def test_an_image_of_open_size_that_is_used_up_when_it_is_small_is_apart():
    source, ops = keras.Input((None, None, 3)), keras.ops
    running = ops.transpose(ops.transpose(source, (1, 0, 2, 3)), (1, 0, 2, 3))
    for _ in range(6):
        running = keras.layers.Conv2D(4, 3, strides=2)(running)
    model = keras.Model(source, keras.layers.GlobalAveragePooling2D()(running))

    assert mixed(model) == ""


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_whole_numbers_beside_tensors_are_never_rounded(dtype):
    keras.backend.clear_session()
    numbers = np.array([[1, 0, 1]]) if dtype == "uint8" else np.array([[16777217, 33554433, 5]])
    source = keras.Input((3,), dtype=dtype)
    model = keras.Model(source, keras.layers.Add()([source, numbers.astype(dtype)]))

    assert_equal(
        model, lower(flat(zoo.load(importing.spec_of(model))), Plain()), np.array([[1, 1, 0]] * 4).astype(dtype)
    )


STEPS = np.array([[1, 1, 1, 0, 0]], "bool")


@pytest.mark.parametrize("layer", ["LSTM", "GlobalAveragePooling1D", "BatchNormalization"])
def test_a_mask_of_numbers_has_the_axes_that_its_layer_takes(layer):
    keras.backend.clear_session()
    source = keras.Input((5, 5))
    made = getattr(keras.layers, layer)(**({"units": 3} if layer == "LSTM" else {}))
    model = keras.Model(source, made(source, mask=STEPS))
    again = lower(flat(zoo.load(importing.spec_of(model))), Plain())
    again.set_weights(model.get_weights())

    assert_equal(model, again, rows((5, 5), "float32"))


@pytest.mark.parametrize("odd", [{"optional": True}, {"sparse": True}, {}], ids=["optional", "sparse", "unused"])
def test_a_constant_is_made_for_the_rows_of_a_usual_input_that_is_used(odd):
    keras.backend.clear_session()
    first, source = keras.Input((4,), name="first", **odd), keras.Input((4,), name="rows")
    moved = keras.layers.Add()([source, np.arange(4.0)[None]])
    model = keras.Model([first, source], keras.layers.Add()([moved, keras.layers.Dense(4)(first)]) if odd else moved)
    spec = importing.spec_of(model)

    made = next(item["ops.zeros_like"] for item in spec["layers"] if "ops.zeros_like" in item)
    assert made.get("from") == "rows"
    assert spec["inputs"]["first"].get("unused", False) == (not odd)


def test_a_layer_along_the_rows_whatever_comes_of_it_is_given_as_it_is():
    keras.backend.clear_session()
    source = keras.Input((4, 5))
    turned = keras.layers.Softmax(axis=0)(keras.ops.transpose(source, (1, 0, 2)))
    model = keras.Model(source, keras.layers.Flatten()(keras.ops.transpose(turned, (1, 0, 2))))
    spec = importing.spec_of(model)

    assert "outputs" in spec
    assert_equal(model, zoo.build(spec), rows((4, 5), "float32"))


@pytest.mark.parametrize("subscripts", ["...d,de->...e", "...id,de->...ie", "bid,de->bie", "bid,de->ibe"])
def test_an_einsum_with_a_constant_is_what_it_was(subscripts):
    keras.backend.clear_session()
    source, table = keras.Input((5, 8)), np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model = keras.Model(source, keras.ops.einsum(subscripts, source, table))
    made, x = lower(flat(zoo.load(importing.spec_of(model))), Plain()), rows((5, 8), "float32")

    assert_equal(model, made, x)


@pytest.mark.parametrize("call", [
    lambda x: keras.ops.nan_to_num(keras.ops.where(x > 0, x, float("nan")), nan=3.0),
    lambda x: keras.ops.nanmean(x * np.array([[1.0, np.nan, np.inf, 2.0]], "float32"), axis=1, keepdims=True),
])  # fmt: skip
def test_numbers_that_are_none_come_back(call):
    keras.backend.clear_session()
    source = keras.Input((4,))
    model = keras.Model(source, keras.layers.Dense(2)(call(source)))
    spec, space = zoo.load(importing.spec_of(model)), {"__name__": "ejected"}
    exec(compile(ejecting.eject(flat(spec)), "ejected.py", "exec"), space)

    for made in (lower(flat(spec), Plain()), space["build"]()):
        made.set_weights(model.get_weights())
        assert_equal(model, made, rows((4,), "float32") - np.float32(0.5))


def test_a_constant_that_stands_in_several_calls_is_made_once():
    keras.backend.clear_session()
    source = running = keras.Input((6, 8))
    mask = np.tril(np.ones((6, 6), "bool"))
    for number in range(4):
        attend = keras.layers.MultiHeadAttention(2, 4, name=f"attend_{number}")
        running = keras.layers.LayerNormalization(name=f"norm_{number}")(attend(running, running, attention_mask=mask))
    model = keras.Model(source, keras.layers.Softmax()(running, mask=np.arange(8) < 6))
    spec = importing.spec_of(model)
    made = lower(flat(zoo.load(spec)), Plain())
    made.set_weights(model.get_weights())

    assert kinds(made).count("Cast") == 2 and any("for" in one for one in spec["layers"])
    assert_equal(model, made, np.random.default_rng(0).normal(size=(5, 6, 8)).astype("float32"))


def windows(rows, size, heads, name):
    """Attention within windows of an image, as in Liu et al. 2021: windows and heads go into the rows, and back."""
    ops, (height, width, channels) = keras.ops, rows.shape[1:]
    parts = ops.reshape(rows, (-1, height // size, size, width // size, size, channels))
    parts = ops.reshape(ops.transpose(parts, (0, 1, 3, 2, 4, 5)), (-1, size * size, channels))
    three = keras.layers.Dense(3 * channels, name=f"{name}_in")(parts)
    three = ops.reshape(three, (-1, size * size, 3, heads, channels // heads))
    three = ops.transpose(three, (2, 0, 3, 1, 4))
    shares = ops.softmax(ops.matmul(three[0], ops.transpose(three[1], (0, 1, 3, 2))))
    found = ops.reshape(ops.transpose(ops.matmul(shares, three[2]), (0, 2, 1, 3)), (-1, size * size, channels))
    found = keras.layers.Dense(channels, name=f"{name}_out")(found)
    found = ops.reshape(found, (-1, height // size, width // size, size, size, channels))
    return ops.reshape(ops.transpose(found, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


def test_rows_that_operations_fold_and_unfold_are_apart(tmp_path):
    keras.backend.clear_session()
    image = keras.Input((4, 4, 6), name="image")
    running = keras.layers.GlobalAveragePooling2D()(windows(image, 2, 3, "window"))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="last")(running))
    model.save(tmp_path / "windows.keras")
    spec = importing.spec_of(model)
    rows = np.random.default_rng(0).normal(size=(40, 4, 4, 6)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 3, 40)

    assert spec["task"] == "classification" and spec["head"]
    assert_equal(model, zoo.build(spec, weights=tmp_path / "windows.keras"), rows)
    costs = {one.name: one.flops for one in measuring.measure(flat(zoo.load(spec)))}
    assert costs["window_in"] == 2 * 16 * 6 * 18 and costs["window_out"] == 2 * 16 * 6 * 6
    assert costs["matmul"] == costs["matmul_1"] == 2 * 4 * 3 * 4 * 4 * 2  # windows, heads, queries, keys, numbers
    space: dict[str, object] = {}
    exec(compile(ejecting.eject(flat(zoo.load(spec))), "ejected.py", "exec"), space)
    ejected = space["build"]()
    ejected.set_weights(model.get_weights())
    assert_equal(model, ejected, rows)
    study = zoo.train(spec, {"x_train": rows, "y_train": labels}, epochs=1, run=tmp_path / "run")
    assert np.isfinite(study.score)


def computing(body, computed_in="float32", **more):
    """A spec of this body whose layers compute in a type."""
    return {**spec_of(*body, {"Dense": 8}, **{"shape": (8,), **more}).data, "dtype": computed_in}


def meeting(scale=1.0, **more):
    """Layers in which the mean over the rows is added to each, through a layer with these arguments."""
    return [
        {"Dense": {"units": 8, "name": "each"}},
        {"ops.mean": {"axis": 0, "keepdims": True}},
        {"Dense": {"units": 8, "name": "mean_of", **more}},
        {"ops.multiply": {"x2": scale, "name": "scaled"}},
        {"ops.add": {"from": ["each", "scaled"]}},
    ]


FOLDED = [{"ops.reshape": {"newshape": [-1, 2]}}, {"Dense": 4}, {"ops.reshape": {"newshape": [-1, 16]}}]
NORMAL = {"BatchNormalization": {"gamma_initializer": "zeros", "name": "normal"}}
LATE = [{"ops.get_item": {"key": "8:"}}, {"ops.sum": {"axis": 0, "keepdims": True}}]
HIDDEN = {
    "behind zeros": (meeting(kernel_initializer="zeros"), {}),
    "behind next to nothing": (meeting(kernel_initializer={"RandomNormal": {"stddev": 1e-6}}), {}),
    "behind a gamma of zero": ([*meeting()[:3], NORMAL, {"ops.add": {"from": ["each", "normal"]}}], {}),
    "a little": (meeting(1e-4), {}),
    "a little in half precision": (meeting(0.03), {"computed_in": "mixed_float16"}),
    "of small numbers in half precision": ([{"Rescaling": 0.0039}, *meeting()], {"computed_in": "mixed_float16"}),
    "a norm": ([{"ops.norm": {"axis": 0, "keepdims": True}}], {}),
    "a shift by so many as are tried": ([{"ops.roll": {"shift": 5, "axis": 0}}], {}),
    "more rows than are tried": ([{"ops.get_item": {"key": ":8"}}], {}),
    "rows behind those that are tried": ([{"Dense": {"units": 8, "name": "each"}}, *LATE,
                                          {"ops.add": {"from": ["each", "sum"]}}], {}),
    "large whole numbers": ([{"ops.greater": {"x2": 50}}, {"ops.cast": {"dtype": "float32"}}, *meeting()],
                            {"input": {"shape": [8], "dtype": "int32", "kind": "table"}}),
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN)
def test_no_effect_of_other_rows_is_too_small_or_too_far_away(what):
    body, more = HIDDEN[what]
    with pytest.raises(ZooError, match="takes rows together"):
        zoo.build(computing(body, **more))


HARMLESS = {
    "roots": ([{"ops.sqrt": {}}, *FOLDED], {}),
    "logarithms": ([{"ops.log": {}}, *FOLDED], {}),
    "beyond half precision": ([{"ops.multiply": {"x2": 2e4}}, *FOLDED], {"computed_in": "mixed_float16"}),
    "few ids": ([{"ops.reshape": {"newshape": [-1, 2]}}, {"Embedding": {"input_dim": 3, "output_dim": 2}},
                 {"ops.reshape": {"newshape": [-1, 16]}}], {}),
    "a size with a minimum": ([{"Conv1D": {"filters": 8, "kernel_size": 9}}, "GlobalAveragePooling1D", *FOLDED],
                              {"input": {"shape": [None, 4]}}),
    "noise": ([{"GaussianNoise": 0.1}, *FOLDED, {"Dropout": 0.5}], {}),
    "rows turned twice": ([{"ops.transpose": {"axes": [1, 0]}}, {"ops.transpose": {"axes": [1, 0]}}], {}),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMLESS)
def test_rows_that_come_back_are_apart_whatever_the_numbers_are(what):
    body, more = HARMLESS[what]

    assert zoo.build(computing(body, **more)).output_shape == (None, 1)


def test_what_a_variational_autoencoder_draws_does_not_hide_that_its_rows_are_apart():
    spec = {"spec": 1, "name": "one", "family": "vae", "input": {"shape": [8]}, "latent": {"Gaussian": {"units": 2}},
            "decoder": [{"Dense": 4}]}  # fmt: skip

    zoo.build({**spec, "encoder": [*FOLDED, {"Dense": 8}]})
    with pytest.raises(ZooError, match=r"takes rows together.*; and in the whole, what a row gets depends on the rows"):
        zoo.build({**spec, "encoder": meeting()})


def test_weights_are_what_they_were_after_the_trial_of_rows():
    spec = spec_of(*FOLDED, {"Dense": {"units": 8, "kernel_initializer": "zeros"}}, shape=(8,))
    one, other = zoo.build(spec, seed=3), zoo.build(spec, seed=3)

    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))
    assert not one.get_weights()[2].any()


@pytest.mark.parametrize("nested", [False, True])
def test_what_is_folded_in_a_block_costs_so_often_as_there_are_rows_of_it(nested):
    part = [{"ops.reshape": {"newshape": [-1, 4, 8]}}, {"Dense": 16}, {"Dense": 8},
            {"ops.reshape": {"newshape": [-1, 4, 4, 8]}}]  # fmt: skip
    more = {"blocks": {"part": {"layers": part, **({"nested": True} if nested else {})}}}

    def costs(*body, shape=(4, 4, 8)):
        return measuring.measure(flat(spec_of(*body, "Flatten", shape=shape, **more)))

    assert [one.flops for one in costs("part") if one.node.layer == "Dense"][:2] == [4096, 4096]
    if nested:
        again = {one.name: one.flops for one in costs("part", {"reuse": {"layer": "part", "name": "again"}})}
        steps = costs({"TimeDistributed": {"layer": "part"}}, shape=(3, 4, 4, 8))
        assert again["again"] == 8192
        assert [one.flops for one in steps if one.node.layer == "Dense"][:2] == [3 * 4096] * 2


@pytest.mark.parametrize("between", [[], [{"Reshape": [1, 2]}], [{"Reshape": [1, 2]}, {"ops.squeeze": {"axis": None}}],
                                     [{"Reshape": [2, 1]}, "Flatten"], [{"ops.fliplr": {}}],
                                     [{"ops.einsum": {"subscripts": "bi->ib"}}, {"ops.transpose": {"axes": [1, 0]}}],
                                     [{"Reshape": [2, 1]}, {"ZeroPadding1D": {"padding": 1}},
                                      {"Cropping1D": {"cropping": 1}}, "Flatten"]])  # fmt: skip
def test_ids_behind_rows_that_are_folded_are_read_as_they_are(between):
    body = [{"ops.reshape": {"newshape": [-1, 2]}}, *between, {"Embedding": {"input_dim": 9, "output_dim": 2}},
            {"ops.reshape": {"newshape": [-1, 12]}}]  # fmt: skip
    ((node, ids, places),) = columns.read_as_ids(flat(spec_of(*body, shape=(6,))), 6)

    assert (node.layer, ids, places) == ("Embedding", 9, [0, 1, 2, 3, 4, 5])


def test_what_refuses_the_numbers_of_a_row_moves_none_of_them():
    body = [{"Reshape": [2, 2]}, "ops.cholesky", "Flatten", {"Embedding": {"input_dim": 9, "output_dim": 2}}, "Flatten"]

    assert [*columns.read_as_ids(flat(spec_of(*body, shape=(4,))), 4)] == []


def test_infinite_and_very_large_numbers_beside_tensors_come_back_and_are_ejected(tmp_path):
    keras.backend.clear_session()
    source = keras.Input((4, 4))
    scores = source + np.triu(np.full((4, 4), -np.inf, "float32"), 1)
    answer = keras.ops.where(keras.ops.softmax(scores) > 0.3, source, float("-inf"))
    lowest = keras.ops.maximum(answer, np.finfo("float32").min)
    bounded = keras.ops.clip(answer, 0.0, float("inf"))
    model = keras.Model(
        source, [scores, keras.ops.minimum(answer, np.inf), lowest * np.full((4, 1), -1e20, "float32"), bounded]
    )
    spec = importing.spec_of(model)
    rows = np.random.default_rng(0).normal(size=(5, 4, 4)).astype("float32")

    assert {"ops.maximum": {"from": "where", "x2": -3.4028235e38}} in spec["layers"]
    assert_equal(model, lower(flat(zoo.load(spec)), Plain()), rows)
    text, held = ejecting.eject(flat(zoo.load(spec))), dict[str, object]()
    assert {"ops.clip": {"from": "where", "x_min": 0.0, "x_max": "inf"}} in spec["layers"]
    assert "[0.0, -np.inf, -np.inf, -np.inf]" in text and 'float("-inf")' in text
    exec(compile(text, "ejected", "exec"), held)
    assert_equal(model, held["build"](), rows)


def test_operations_in_a_block_at_each_step_are_ejected():
    keras.backend.clear_session()
    block = {"nested": True, "layers": [{"ops.multiply": {"x2": 0.5}}, {"Dense": 3}]}
    body = {"layers": [{"TimeDistributed": {"layer": "part"}}, "Flatten"], "blocks": {"part": block}}
    head = {
        "spec": 1,
        "name": "it",
        "family": "rnn",
        "task": "classification",
        "classes": 2,
        "input": {"shape": [4, 3]},
    }
    network, held = flat(zoo.load(head | body)), dict[str, object]()
    ours = lower(network, Plain())
    exec(compile(ejecting.eject(network), "ejected", "exec"), held)
    theirs = held["build"]()
    theirs.set_weights(ours.get_weights())
    assert_equal(ours, theirs, np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32"))


def test_numbers_of_other_types_beside_floats_are_what_they_become():
    keras.backend.clear_session()
    source = keras.Input((5,))
    found = source * np.arange(5) + np.float16(0.1)
    found = keras.ops.where(
        found > np.uint8(3), found / np.int64(2**40), keras.ops.matmul(found, np.eye(5, dtype="int8"))
    )
    model = keras.Model(source, keras.ops.take(found, np.array([4, 0, 1]), axis=1))
    rows = np.random.default_rng(0).normal(size=(6, 5)).astype("float32") * 9

    assert_equal(model, lower(flat(zoo.load(importing.spec_of(model))), Plain()), rows)


def test_infinite_numbers_stand_nowhere_else(tmp_path):
    body = "layers: [ops.add: {x2: inf}, Dense: {units: 3, kernel_regularizer: {L1: {l1: inf}}}]\n"
    (tmp_path / "it.yaml").write_text(f"spec: 1\nname: it\nfamily: mlp\nclasses: 2\ninput: {{shape: [4]}}\n{body}")
    with pytest.raises(ZooError, match=r"L1\.l1: `\"inf\"` is not accepted; expected") as caught:
        zoo.load(tmp_path / "it.yaml")
    assert len(caught.value.problems) == 1


def test_true_and_false_and_large_numbers_beside_their_like_come_back():
    source = keras.Input((4,))
    chosen = keras.ops.where(source > 0, np.array([True, False, True, True]), False)
    large = keras.ops.cast(source, "int64") * np.array([3, 5, 7, 9]) + 10
    first, second = keras.ops.unstack(keras.ops.reshape(source, (-1, 2, 2)), axis=1)
    model = keras.Model(source, [chosen, large, first, second])
    again = lower(flat(zoo.load(importing.spec_of(model))), Plain())
    assert_equal(model, again, np.random.default_rng(0).normal(size=(5, 4)).astype("float32"))


def test_a_layer_that_two_models_share_is_imported_once():
    dense = keras.layers.Dense(8, name="both")
    inner = keras.Input((8,))
    inside = keras.Model(inner, keras.ops.relu(dense(inner)), name="inside")
    source = keras.Input((8,))

    model = keras.Model(source, dense(inside(source)))
    again = lower(flat(zoo.load(importing.spec_of(model))), Plain())
    assert [one.name for one in again.layers][1:] == ["both"]
    again.set_weights(model.get_weights())
    assert_equal(model, again, np.random.default_rng(0).normal(size=(5, 8)).astype("float32"))


def test_weights_are_loaded_into_a_network_that_begins_with_an_operation(tmp_path):
    source = keras.Input((8,))
    model = keras.Model(source, keras.layers.Dense(3, activation="softmax", name="last")(source * 2.0 + 1.0))
    model.save(tmp_path / "model.keras")
    again = zoo.build(importing.spec_of(model), weights=str(tmp_path / "model.keras"))

    assert_equal(model, again, rows((8,), "float32"))


def test_an_ejected_text_with_masks_has_no_name_twice():
    items = [
        {"Embedding": {"input_dim": 9, "output_dim": 8, "mask_zero": True, "name": "e"}},
        "ops.tanh",
        {"Concatenate": {"from": ["e", "previous"]}},
        {"LSTM": 4},
    ]
    made = flat(spec_of(*items, shape=(6,), dtype="int32", family="rnn", outputs=["lstm"]))
    space: dict = {"__name__": "ejected"}
    exec(compile(ejecting.eject(made), "ejected.py", "exec"), space)

    assert kinds(space["build"]()) == kinds(lower(made, Plain()))


def test_an_operation_has_the_name_that_the_spec_gives_it():
    model = lower(flat(spec_of("ops.relu", {"ops.relu": {"name": "last"}}, "ops.relu", outputs=["relu_1"])), Plain())

    assert [one.name for one in model.operations][1:] == ["relu", "last", "relu_1"]


def test_a_nested_block_of_operations_is_no_chain_of_layers():
    blocks = {"norm": {"nested": True, "layers": [{"ops.normalize": {}}, {"Dense": 2}]}}
    model = lower(flat(spec_of("norm", blocks=blocks, outputs=["norm"])), Plain())

    assert isinstance(model.get_layer("norm"), keras.Model) and not isinstance(
        model.get_layer("norm"), keras.Sequential
    )


def test_values_of_an_operation_are_searched_as_any_others():
    slope = {"values": [0.1, 0.3], "default": 0.1}
    spec = spec_of({"Dense": {"units": 4}}, {"ops.leaky_relu": {"negative_slope": slope}}, l2=0.0)

    assert set(spec.ranges()) == {"layers[1].ops.leaky_relu.negative_slope"}


FLOPS = {
    "a product": ({"ops.matmul": {"from": ["input", "input"]}}, 2 * 4**3),
    "a product by its letters": ({"ops.einsum": {"subscripts": "bij,bjk->bik", "from": ["input", "input"]}}, 2 * 4**3),
    "a constant before it": ({"ops.matmul": {"x1": [[1.0] * 4] * 2}}, 2 * 2 * 4 * 4),
    "a convolution": ({"ops.conv": {"kernel": [TWO], "padding": "same"}}, 2 * (4 * 2) * 4),
    "one of each channel": ({"ops.depthwise_conv": {"kernel": [TWO, TWO]}}, 2 * (3 * 4 * 2) * 2),
    "a transposition": ({"ops.einsum": {"subscripts": "bij->bji"}}, 0),
    "a sum": ({"ops.add": {"from": ["input", "input"]}}, 0),
    "distances": ({"ops.cdist": {"from": ["input", "input"]}}, None),
}


@pytest.mark.parametrize("what", FLOPS)
def test_flops_of_products_are_counted(what):
    item, flops = FLOPS[what]
    ((target, body),) = item.items()

    assert counted(spec_of({target: {**body, "name": "made"}}, outputs=["made"]).fill()) == (0, 0, flops)


def test_the_parts_of_an_index_may_be_computed():
    part = {"ops.get_item": {"name": "step$i", "from": "input", "key": [":", "$i - 1"]}}
    body = [{"for": "i", "in": 3, "layers": [part]},
            {"ops.stack": {"axis": 1, "from": ["step0", "step1", "step2"], "name": "made"}}]  # fmt: skip
    made = flat(spec_of(*body, shape=(3, 2), outputs=["made"]))
    rows = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")

    assert [node.arguments["key"] for node in made.nodes[:3]] == [":, -1", ":, 0", ":, 1"]
    np.testing.assert_array_equal(lower(made, Plain()).predict(rows, verbose=0), rows[:, [-1, 0, 1]])
    whole = {"spec": 1, "name": "one", "family": "mlp", "input": {"shape": [3, 2]}, "layers": body, "outputs": ["made"]}
    assert Draft202012Validator(schema()).is_valid(whole)
    part["ops.get_item"]["key"] = [":", "$i / 2"]
    with pytest.raises(ZooError, match=r"ops\.get_item\.key.*is no index"):
        flat(spec_of(*body, shape=(3, 2), outputs=["made"]))
