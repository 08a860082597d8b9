"""Operations of `keras.ops` as items of a body: every one of the catalogue, and the rules of the form."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo import ejecting, importing
from zoo.language import catalogue, network, writing
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

OTHERS = {
    "transpose": {"axes": [0, 2, 1]}, "expand_dims": {"axis": 1}, "tile": {"repeats": [1, 1, 2]},
    "rot90": {"axes": [1, 2]}, "swapaxes": {"axis1": 1, "axis2": 2}, "diagonal": {"axis1": 1, "axis2": 2},
    "trace": {"axis1": 1, "axis2": 2}, "take": {"indices": [0, 2], "axis": 1}, "digitize": {"bins": [0.2, 0.5]},
    "ldexp": {"x2": 2}, "tensordot": {"x2": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], "axes": 1},
}  # fmt: skip
"""Arguments of operations that take other values than most."""

SHAPES = {
    "squeeze": (4, 1), "depth_to_space": (2, 2, 4), "space_to_depth": (4, 4, 2), "dot_product_attention": (4, 2, 4),
    "cross": (4, 3),
}  # fmt: skip

WHOLE = (
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "gcd", "lcm", "left_shift", "right_shift", "multi_hot",
)  # fmt: skip
"""Operations on whole numbers."""

SYMMETRIC = ("cholesky", "cholesky_inverse", "eigh", "inv", "logdet", "slogdet", "det", "solve", "solve_triangular")
"""Operations on matrices that can be inverted."""


def spec_of(*items, shape=(4, 4), dtype="float32", **more):
    """A spec of these items."""
    tokens = {"kind": "tokens", "vocabulary": 9} if dtype != "float32" else {}
    usual = {"spec": 1, "name": "one", "family": "mlp", "task": "regression", "targets": 1, "summary": "Operations."}
    return zoo.load({**usual, "input": {"shape": list(shape), "dtype": dtype, **tokens}, "layers": list(items), **more})


def flat(spec):
    found, problems = network.unfold(spec.fill())
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
    many = len(free) if not entry.get("listed") and "*operands" not in entry["tensors"] else 2
    shape, dtype = SHAPES.get(name, (4, 4)), "int32" if name in WHOLE else "float32"
    item = {f"ops.{name}": {"name": "made", "from": ["input"] * many, **given}}
    made = flat(spec_of(item, shape=shape, dtype=dtype, outputs=["made"]))
    model, x = lower(made, Plain()), rows(shape, dtype, name in SYMMETRIC)

    outputs = keras.tree.flatten(next(one for one in model.operations if one.name == "made").output)
    assert len(outputs) == made.nodes[-1].outputs
    assert kinds(model)[1:] == [entry["kind"]]
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
    again = flat(zoo.load(writing.written_out(spec.fill(), made, network.names(spec.fill()))))

    assert again.without_values() == made.without_values()


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


def test_flops_of_products_are_counted():
    square = spec_of({"ops.matmul": {"from": ["input", "input"]}}, outputs=["matmul"])
    einsum = spec_of({"ops.einsum": {"subscripts": "bij,bjk->bik", "from": ["input", "input"]}}, outputs=["einsum"])
    unknown = spec_of({"ops.cdist": {"from": ["input", "input"]}}, outputs=["cdist"])

    assert counted(square.fill()) == counted(einsum.fill()) == (0, 0, 2 * 4**3)
    assert counted(unknown.fill())[2] is None
