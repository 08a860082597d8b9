"""The language as JSON Schema: every spec of the zoo passes, every mistake that a schema can say is refused."""

from __future__ import annotations

import configparser
import copy
import json
import re
from pathlib import Path

import documenting
import pytest
from jsonschema import Draft202012Validator

from zoo import selection
from zoo.errors import ZooError
from zoo.language import catalogue, fields, objects, parsing, ranges, reading
from zoo.language.families import FAMILIES
from zoo.language.schema import argument, schema, text

FOLDER = Path(__file__).with_name("bad_specs")
FILES = sorted(selection.files().items())
BAD = {path.stem: parsing.parse(path.read_bytes(), path.name) for path in FOLDER.glob("*.yaml")}
READABLE = {stem: value for stem, (value, _, problems) in sorted(BAD.items()) if not problems}
"""The mistakes whose YAML can be read."""

BEYOND = {
    **dict.fromkeys((
        "absent_at_the_end_of_a_range", "absent_tensor", "axis_of_the_rows", "backward_half_lost", "block_inputs",
        "block_that_sees_a_tensor_outside", "else_of_nobody",
        "else_to_nothing", "from_unknown_tensor", "input_that_no_task_trains",
        "input_where_there_are_several", "loose_end", "loose_ends",
        "names_inside_a_block", "one_tensor_for_several", "output_that_is_none",
        "lambda_of_frozen_kernels", "lambda_of_one_frozen_kernel", "outputs", "outputs_that_leave_one_out",
        "outputs_twice", "calls_of_calls", "take_of_rows", "whole_numbers_given_back",
        "two_heads", "unread_input", "sparsity_of_a_sum",
        "name_of_calls_in_a_loop", "attention_on_one_tensor", "block_called_on_too_few",
        "weights_of_too_few_classes", "wrong_values_of_several_calls",
        "operation_by_another_name", "operation_lacks_a_tensor",
        "operation_on_one_of_many", "operation_on_too_many", "operation_once_more", "operation_that_prepares",
        "block_that_answers_what_is_not_there", "block_that_answers_no_third", "nested_block_that_answers_no_third",
        "block_that_leaves_one_out", "contraction_of_ids", "contraction_under_noise",
        "contraction_under_wrapped_noise", "contraction_under_a_mask", "queries_in_a_list",
    ), "graph"),
    **dict.fromkeys((
        "name_in_a_loop", "name_of_the_head", "name_of_the_latent", "name_taken_twice", "block_with_one_name_twice",
    ), "names"),
    **dict.fromkeys((
        "bare_word_as_condition", "bare_word_as_loop", "bare_word_in_comparison", "braces_without_a_dollar",
        "expression", "expression_in_another_language", "expression_that_is_code", "expression_with_brackets",
        "unknown_function",
    ), "grammar"),
    **dict.fromkeys((
        "block_default_of_a_later_parameter", "block_given_what_does_not_fit", "block_that_sees_too_much",
        "defaults_that_are_computed", "expression_divided_by_zero", "expression_of_another_kind", "expression_of_text",
        "expression_of_unequal_lists", "expression_out_of_reach", "expression_too_far", "function_of_numbers",
        "gaussian_that_is_computed", "let_in_a_circle", "let_of_itself", "let_without_a_value", "loop_over_rows",
        "name_that_is_a_subtraction", "nothing_left_of_a_list",
        "range_too_low_for_a_block", "repeat_that_is_computed", "several_in_graph",
        "contraction_that_is_computed", "sparsity_that_is_computed", "loss_that_cannot_be_computed",
        "optimizer_that_is_computed_out_of_its_bounds",
        "training_that_cannot_be_computed", "unknown_name", "words_that_are_computed",
    ), "values"),
    **dict.fromkeys((
        "block_alone", "block_parameters", "block_that_calls_itself", "block_without_blocks", "unknown_block",
    ), "blocks"),
    **dict.fromkeys((
        "block_with_an_unread_input", "block_with_unread_names", "defaults_of_no_layer", "horizon_without_a_task",
        "lambda_on_a_group_without_kernels", "let_that_only_counts", "unread_dropout", "unread_l2", "unread_let",
        "unread_let_of_an_item",
        "targets_without_a_task", "unread_range_of_let", "unread_ranges", "weight_of_no_divergence",
    ), "unread"),
    **dict.fromkeys((
        "extends_a_file_of_many", "extends_itself", "extends_nothing", "extends_with_unknown_let",
        "variant_that_extends_itself", "variant_that_extends_nothing", "variant_with_unknown_let",
    ), "merging"),
    **dict.fromkeys(("lone_value", "missing_argument", "missing_arguments"), "defaults may help"),
    "prepare_that_learns": "kernels",
    "prepare_without_statistics": "which layers prepare",
    **dict.fromkeys(("range_upside_down", "range_with_default_outside", "default_out_of_range_read_often"),
                    "two numbers compared"),
}  # fmt: skip
"""The mistakes that no schema can say, and what it would have to know."""


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(schema())


@pytest.fixture(scope="module")
def definitions():
    return schema()["$defs"]


def test_there_are_specs_and_mistakes_to_try():
    assert len(FILES) >= 50 and len(READABLE) >= 150
    assert {*BEYOND} <= {*READABLE}


def test_the_schema_is_one_and_can_be_written_as_json():
    made = schema()

    Draft202012Validator.check_schema(made)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(made)) == made
    assert schema() == made


def test_the_schema_beside_the_specs_is_fresh_and_goes_with_them():
    setup = configparser.ConfigParser()
    setup.read(documenting.ROOT / "setup.cfg")

    assert documenting.SCHEMA.read_text(encoding="utf-8") == text(), "it is stale; `make documents` writes it anew"
    assert json.loads(text()) == schema()
    assert documenting.SCHEMA.name in setup["options.package_data"]["zoo.specs"]


def test_the_schema_is_small_enough_for_an_editor():
    assert len(text()) < 500_000


@pytest.mark.parametrize("path", [path for _, path in FILES], ids=[name for name, _ in FILES])
def test_every_spec_names_the_schema_in_its_first_line(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)

    assert named, f"{path.name} begins with `{first}`"
    assert (path.parent / named[1]).resolve() == documenting.SCHEMA
    assert parsing.head(path.read_bytes(), selection.BODY_KEYS)["name"] == path.stem


def test_every_reference_leads_somewhere():
    made = schema()
    asked = set()

    def look(value):
        for key, inner in value.items() if isinstance(value, dict) else ():
            asked.update({inner} if key == "$ref" else ())
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            look(inner)

    look(made)
    for one in asked:
        at = made
        for key in one.removeprefix("#/").split("/"):
            at = at[key]
    assert len(asked) > 100


@pytest.mark.parametrize(("name", "path"), FILES, ids=[name for name, _ in FILES])
def test_every_spec_of_the_zoo_fits(name, path, validator):
    value, _, problems = parsing.parse(path.read_bytes(), path.name)

    assert problems == []
    assert [f"{list(one.absolute_path)}: {one.message[:200]}" for one in validator.iter_errors(value)] == []


@pytest.mark.parametrize("stem", READABLE)
def test_every_mistake_that_yaml_can_read_does_not_fit(stem, validator):
    assert validator.is_valid(READABLE[stem]) == (stem in BEYOND)


def test_the_schema_knows_the_keys_that_the_checks_know():
    made = schema()
    definitions = made["$defs"]

    assert set(made["properties"]) == set(fields.FIELDS)
    assert set(definitions["input"]["properties"]) == set(fields.INPUT)
    assert set(definitions["train"]["properties"]) == set(fields.TRAINING)
    assert set(definitions["penalties"]["properties"]) == set(fields.PENALTIES)
    assert set(definitions["of an item"]["properties"]) == set(objects.OURS)
    assert {one["if"]["properties"]["family"]["const"] for one in made["allOf"][: len(FAMILIES)]} == set(FAMILIES)
    assert set(catalogue.catalogue()["layers"]) <= set(definitions)


BASE = {"spec": 1, "name": "a", "family": "mlp", "classes": 3, "input": {"shape": [8, 4]}}
LOOP = {"for": "k", "in": [3, 4], "layers": [{"Dense": "$k"}]}


@pytest.mark.parametrize(
    "more",
    [
        {"layers": ["Flatten", {"Dense": 8}, {"Dense": {"units": "2 ** 3"}}, {"Dropout": {"rate": 1 / 4}}]},
        {"layers": ["Flatten", {"Dense": "ceil(2.5) * 2"}, {"Dropout": "sqrt(0.04)"}], "l2": "max(0, 1 / 8)"},
        {"layers": [{"for": ["a", "b"], "in": "zip([1], [2])", "layers": [{"Dense": "$a"}, {"Dense": "$b"}]}]},
        {"layers": [{"for": "i", "in": 3, "layers": [{"Dense": {"name": "d$i", "units": "$i + 1"}}], "l2": 0.5}]},
        {"layers": [{"if": "$classes > 2", "from": "input", "repeat": 2, "frozen": True, "layers": [{"Dense": 4}]}]},
        {"layers": [{"Add": {"from": [[{"Dense": 4}], "previous", [], [LOOP, {"Dense": 4}]]}}]},
        {"layers": [{"Concatenate": {"name": 0, "from": [LOOP, "input"]}}, {"ReLU": {"from": 0}}]},
        {"layers": [{"Dense": {"units": 4, "if": 0, "else": "input"}}, {"Dense": {"units": 4, "repeat": "$classes"}}]},
        {"layers": [{"LSTM": {"name": "a", "units": 4, "return_state": True}}, {"RepeatVector": {"from": "a", "n": 2}},
                    {"LSTM": {"units": 4, "from": {"initial_state": ["a.1", "a.2"]}}}]},
        {"layers": [{"MultiHeadAttention": {"num_heads": 1, "key_dim": 2, "from": {"value": "input",
                                                                                 "use_causal_mask": True}}}]},
        {"layers": ["b", {"b": None}, {"b": {"name": "x", "l2": 0}}], "blocks": {"b": {"layers": [{"Dense": 4}]}}},
        {"layers": [{"b": 4}], "blocks": {"b": {
            "parameters": {"n": None}, "let": {"m": "$n"}, "nested": True, "layers": [{"Dense": "$m"}]}}},
        {"layers": [{"Dense": {"name": "t", "units": 4}}, {"reuse": {"layer": "t", "from": "previous", "name": "u"}}]},
        {"layers": [{"let": {"n": 4}}, {"Dense": "$n"}]},
        {"layers": [{"Dense": "$n"}], "let": {"n": {"min_value": 1, "max_value": 8, "default": 4}}},
        {"layers": [{"Dense": {"units": 4, "repeat": {"values": [1, 2], "default": 1}}}]},
        {"layers": ["Dense"], "defaults": {"Dense": {"units": 4, "use_bias": False}}},
        {"layers": [{"Dense": {"name": "x", "units": 1}}], "outputs": ["x"]},
        {"layers": [{"Dense": 4}], "frozen": True, "prepare": [{"Rescaling": "1 / 255"}]},
        {"layers": [{"Dense": 4}], "train": {
            "epochs": "2 * 5", "optimizer": {"values": ["Adam", "SGD"], "default": "SGD"}}},
        {"layers": [{"Flatten": None}, {"Dense": {
            "units": 4, "activation": {"values": ["relu", "tanh"], "default": "relu"},
            "kernel_initializer": {"values": ["he_normal", "zeros"], "default": "he_normal"},
            "bias_regularizer": {"values": ["l1", "l2"], "default": "l2"},
            "kernel_constraint": {"values": ["unit_norm", "non_neg"], "default": "non_neg"}}}]},
        {"layers": [{"Dropout": 0}, {"Dense": "$classes"}, {"Conv1D": {"filters": 2, "kernel_size": 2}}]},
        {"layers": ["Flatten", {"Dense": {"name": "2 * 3", "units": 4}}, {"Dense": {"name": 7, "units": 4}}],
         "input": {"shape": ["2 * 3", None]}, "classes": "max(1, 2)", "flops": "2 * 3", "year": "2000 + 24"},
        {"layers": ["Flatten", {"Activation": None}, "Dense"],
         "defaults": {"Activation": {"activation": "relu"}, "Dense": {"units": 3}}},
        {"layers": [{"Bidirectional": {"layer": "$one"}}, {"RNN": {"cell": "$cell"}}],
         "let": {"one": {"LSTM": {"units": 3, "return_sequences": True}}, "cell": {"GRUCell": {"units": 3}}}},
        {"layers": [{"RNN": {"cell": [{"LSTMCell": {"units": 3}}, {"GRUCell": {"units": 3}}]}}]},
        {"layers": ["Flatten", {"Dense": {"units": {"values": ["2 * 2", 8], "default": 8}, "dtype": "$kind",
                                          "activation": {"values": ["relu", None], "default": "relu"}}}],
         "let": {"kind": "float32"}},
        {"layers": [{"Dense": 4}], "train": {"optimizer": {"AdamW": {
            "learning_rate": {"min_value": 1e-4, "max_value": 0.1, "sampling": "log", "default": 1e-3},
            "weight_decay": {"values": [0, 0.01], "default": 0}, "clipnorm": {"values": [None, 1.0], "default": 1.0},
            "beta_1": "1 - 0.1", "global_clipnorm": None, "gradient_accumulation_steps": 3}}}},
        {"layers": [{"Dense": 4}], "let": {"rate": 0.1}, "train": {"optimizer": {"SGD": {
            "learning_rate": {"CosineDecay": {"initial_learning_rate": 0, "decay_steps": "$epochs * $steps",
                                              "warmup_target": "$rate", "warmup_steps": 100}}}}}},
        {"layers": [{"Dense": 4}], "train": {"optimizer": {"SGD": {"learning_rate": {"PiecewiseConstantDecay": {
            "boundaries": [10, 20], "values": [0.1, 0.01, 0.001]}}}}}},
        {"layers": ["b"], "blocks": {"b": {"let": None, "parameters": None, "layers": [{"Dense": 3}]}}},
        {"layers": []}, {"layers": ["Flatten"], "input": {"shape": [2], "columns": ["a", "b"]}},
        {"layers": [{"Dense": 4}], "l2": "$classes / 10", "variants": {"one": {"l2": None}, "two": {"extends": "one"}}},
    ],
    ids=lambda more: str(more["layers"][:1])[:50],
)  # fmt: skip
def test_what_the_checks_accept_the_schema_accepts_too(more, validator):
    spec = {**copy.deepcopy(BASE), **copy.deepcopy(more)}

    selection.load({key: value for key, value in spec.items() if key != "variants"})
    assert [one.message[:200] for one in validator.iter_errors(spec)] == []


OVER = {"spec": 1, "name": "a", "extends": "lenet5"}


@pytest.mark.parametrize(
    "more",
    [
        {"l2": None}, {"train": None}, {"train": {"optimizer": None, "epochs": 3}}, {"summary": None},
        {"train": {"optimizer": {"Adam": {"learning_rate": None}}}},
        {"task": "regression", "classes": None, "targets": 2},
        {"input": {"kind": "image"}}, {"input": None, "inputs": {"a": {"shape": [32, 32, 1]}}},
        {"extends": "resnet50", "defaults": {"Conv2D": None}},
        {"extends": "resnet50", "defaults": {"BatchNormalization": {"epsilon": None, "momentum": 0.5}}},
        {"extends": "resnet50", "blocks": {"other": {"layers": ["ReLU"]}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_spec_over_another_may_remove_and_give_parts(more, validator):
    spec = {**OVER, **more}

    _, problems = reading.read(copy.deepcopy(spec), "the mapping", {}, find=selection._extended)
    assert [one.wrong for one in problems] == []
    assert [one.message[:200] for one in validator.iter_errors(spec)] == []


@pytest.mark.parametrize(
    "more", [{"l2": None}, {"train": {"epochs": None}}, {"classes": None}, {"input": {"kind": "table"}}], ids=str
)
def test_a_spec_alone_has_nothing_to_remove(more, validator):
    spec = {**BASE, "layers": ["Flatten"], **more}

    assert not validator.is_valid(spec)
    with pytest.raises(ZooError):
        selection.load(spec)


@pytest.mark.parametrize(
    "body", [{"train": {"epoch": 3}}, {"l2": -1}, {"input": {"shap": [3]}}, {"let": None}], ids=str
)
def test_a_variant_and_a_spec_over_another_are_looked_into_all_the_same(body, validator):
    fine = {"let": {"n": 2}, "layers": ["Flatten", {"Dense": "$n"}]}

    assert validator.is_valid({**BASE, **fine, "variants": {"a": body}}) == (body == {"let": None})
    assert validator.is_valid({**OVER, **body}) == (body == {"let": None})


@pytest.mark.parametrize(("task", "fits"), [("multilabel", True), ("classification", False), (None, False)])
def test_one_class_is_enough_where_each_label_is_there_or_not(task, fits, validator):
    spec = {**BASE, "classes": 1, "layers": ["Flatten"], **({"task": task} if task else {})}

    assert validator.is_valid(spec) == fits
    if fits:
        selection.load(spec)
    else:
        with pytest.raises(ZooError, match="one class is nothing to tell apart"):
            selection.load(spec)


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "seq2seq", "cvae", "vqvae", "beta_vae"])
def test_a_spec_that_is_written_out_fits(name, validator):
    from zoo.language import dumping, unfolding, writing

    spec = selection.load(name).fill()
    text = dumping.dump(writing.written_out(spec, unfolding.unfold(spec)[0], unfolding.names(spec)))

    assert validator.is_valid(parsing.parse(text.encode(), "f")[0])


@pytest.mark.parametrize(
    "more",
    [
        {"layers": ["Add"]}, {"layers": [{"Add": {"name": "a"}}]},
        {"layers": [{"Dense": {"units": 4, "else": "input"}}]},
        {"layers": [{"Dense": 4}], "task": "binary"}, {"layers": [{"for": "i", "layers": ["Flatten"]}]},
        {"layers": [{"for": "if", "in": 2, "layers": ["Flatten"]}]},
        {"layers": [{"Dense": {"name": "a b", "units": 4}}]},
        {"layers": [{"Dropout": 1}]}, {"layers": [{"Dropout": -1}]}, {"layers": [{"Dense": 3.5}]},
        {"layers": [{"Dense": 0}]}, {"layers": [{"Dense": "relu"}]},
        {"layers": [{"Dense": {"units": 4, "activation": {"values": ["relu", "tahn"], "default": "relu"}}}]},
        {"layers": [{"Dense": 4}], "classes": "3.5"}, {"layers": [{"Dense": 4}], "input": {"shape": ["a * b"]}},
        {"layers": [{"Dense": {"name": 1.5, "units": 4}}]},
        {"layers": [{"Bidirectional": {"layer": {"Dense": {"units": 4}}}}]},
        {"layers": [{"Dense": {"units": 4, "use_bias": {"values": [True, 1.5], "default": True}}}]},
        {"layers": [{"Dense": {"name": "previous", "units": 4, "repeat": 2}}]},
        {"layers": [{"Dense": {"units": 4, "activation": {"ReLU": {"name": {"a": 1}}}}}]},
        {"layers": [{"TimeDistributed": {"layer": {"Dense": {"units": 4, "name": {"a": 1}}}}}]},
        {"layers": ["Flatten"], "input": {"shape": [2], "columns": [1, 2]}},
        {"layers": ["b"], "blocks": {"b": {"inputs": [1], "layers": [{"Dense": 3}]}}},
        {"layers": [{"Dense": 4}], "weights": "imagnet"},
        {"layers": [{"Dense": 4}], "let": {"classes": 3}}, {"layers": [{"Dense": {"units": 4, "repeat": 20001}}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_checks_refuse_the_schema_refuses_too(more, validator):
    spec = {**BASE, **more}

    assert not validator.is_valid(spec)
    with pytest.raises(ZooError):
        selection.load(spec)


def test_a_variant_is_called_what_a_spec_may_be_called(validator):
    spec = {**BASE, "layers": [{"Dense": 4}]}

    assert validator.is_valid({**spec, "variants": {"a-b": {}}})
    assert not validator.is_valid({**spec, "variants": {"a b": {}}})


@pytest.mark.parametrize(
    "more",
    [
        {"layers": ["Flatten"], "variants": {"one": {}, "two": {"classes": 4}}},
        {"variants": {"one": {"layers": ["Flatten"]}, "two": {"layers": ["Flatten", {"Dense": 4}]}}},
        {"layers": ["Flatten"], "input": None, "variants": {"one": {"input": {"shape": [4]}}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_file_of_variants_needs_no_name_and_may_have_the_rest_in_them(more, validator):
    spec = {key: value for key, value in {**BASE, **more}.items() if value is not None and key != "name"}

    assert [one.message[:200] for one in validator.iter_errors(spec)] == []
    for variant in spec["variants"]:
        assert reading.read(copy.deepcopy(spec), "the mapping", {}, variant)[1] == []


@pytest.mark.parametrize("name", [True, {"a": 1}, "${i}", [1], None, 1000, -1])
def test_the_name_of_a_file_is_a_name_beside_variants_too(name, validator):
    spec = {**BASE, "name": name, "layers": ["Flatten"]}

    assert not validator.is_valid({**spec, "variants": {"one": {}}})
    assert not validator.is_valid(spec)


MODULES = ("layers", "ops", "optimizers", "losses", "schedules", "initializers", "regularizers", "constraints")
ENTRIES = [
    (f"{catalogue.OPERATIONS}{name}" if module == "ops" else name, entry)
    for module in MODULES
    for name, entry in catalogue.catalogue()[module].items()
]
TRIED = [
    "steep", "same", "relu", "zeros", "float32", "$n", None, True, 0, 1, 3, -3, 0.5, -0.5, 7.5, [], [0], [3], [1, 2],
    ["a"], {}, {"a": 1}, {"L2": {"l2": 0.1}}, {"L2": 3}, {"LSTM": {"units": 3}}, {"LSTMCell": {"units": 3}},
    [{"LSTM": {"units": 3}}], [{"LSTMCell": {"units": 3}}], {"LeakyReLU": {"negative_slope": "steep"}},
    {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 9}}, {"CosineDecay": 0.1},
    {"CosineDecay": {"initial_learning_rate": "fast", "decay_steps": 9}},
    *({"values": values, "default": values[-1]} for values in (
        [1, 2], ["x", 0.5], ["a", "b"], [True, False], [None, 1], [0.0, 0.5], [8, 8], ["$n", 2],
    )),
    {"values": [], "default": 1},
    *({"min_value": low, "max_value": high, "default": high} for low, high in ((0.1, 0.5), (1, 5), (-1, 5), (1, 5.5))),
    {"min_value": 0.1, "max_value": 0.5, "sampling": "log", "zero": True, "default": 0.5},
]  # fmt: skip
"""What every argument of everything in the catalogue is given."""


def refused(name, key, value, entry) -> list[str]:
    """What the checks say of a lone argument."""
    given, wrong = ranges.read(value) if ranges.looks_like(value) else (value, [])
    found = wrong or objects.arguments(name, {key: given}, entry, (), part=True)
    return [f"{name}.{key}: {value}" for _ in found]


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_the_schema_and_the_checks_agree_on_every_argument_of_everything(name, entry, definitions):
    for key in entry["arguments"]:
        looked = Draft202012Validator({"$defs": definitions, **argument(name, key, entry)})
        for value in TRIED:
            if (name, key) == ("TimeDistributed", "layer") and objects.held_block({"layer": value}):
                continue  # the name of a block, which no schema knows
            assert looked.is_valid(value) == (not refused(name, key, value, entry)), (key, value)


@pytest.mark.parametrize("module", ["optimizers", "losses", "schedules"])
def test_no_number_of_training_may_be_a_word(module, validator):
    tried = 0
    for name, entry in catalogue.catalogue()[module].items():
        for key, default in entry["arguments"].items():
            if (isinstance(default, (int, float)) and not isinstance(default, bool)) or key in entry["required"]:
                given = {name: {**dict.fromkeys(entry["required"], 3), key: "steep"}}
                train = {"loss": given} if module == "losses" else {"optimizer": given}
                train = {"optimizer": {"SGD": {"learning_rate": given}}} if module == "schedules" else train
                spec = {**BASE, "layers": ["Flatten"], "train": train}
                tried += 1
                assert not validator.is_valid(spec)
                with pytest.raises(
                    ZooError, match=rf"{name}\.{key}: `\"steep\"` is not accepted|no learning-rate schedule"
                ):
                    selection.load(spec)
    assert tried >= 8


def test_every_rule_of_the_catalogue_is_of_an_argument_that_there_is():
    known = catalogue.catalogue()
    arguments = {key for module in MODULES for entry in known[module].values() for key in entry["arguments"]}

    assert set(catalogue.TEXTS) <= arguments
    for owner, rules in catalogue.BOUNDS.items():
        entries = known[owner].values() if owner in known else [dict(ENTRIES)[owner]]
        assert set(rules) <= {key for entry in entries for key in entry["arguments"]}
    for target, key in objects.HELD:
        assert key in dict(ENTRIES)[target]["arguments"]
