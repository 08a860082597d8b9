"""Specs: every file of the zoo keeps the contract; what a spec says, its ranges, its changes, its text."""

from __future__ import annotations

import copy
import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zoo import selection
from zoo.errors import ZooError
from zoo.language import parsing, unfolding
from zoo.language.families import FACTS, FAMILIES, KINDS, LIKELIHOODS, head
from zoo.language.fields import FIELDS, INPUT, LATER, TRAINING
from zoo.language.ranges import Filled
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, FIGURES, TRAIN

SPECS = sorted((Path(__file__).parents[1] / "specs").rglob("*.yaml"))

MLP = {
    "spec": 1, "name": "small", "family": "mlp", "classes": 3, "input": {"shape": [4]},
    "layers": [{"Dense": {"name": "fc1", "units": 8}}, "Dropout"],
}  # fmt: skip

NAMES = sorted(selection.names())
every_spec = pytest.mark.parametrize("name", NAMES)


def refusal(source, changes=None) -> list[str]:
    with pytest.raises(ZooError) as caught:
        selection.load(source, changes)
    return str(caught.value).split("\n")


def test_there_are_specs_and_each_is_listed_by_its_name():
    assert len(SPECS) > 0
    assert sorted(selection.files().values()) == SPECS
    assert {path for path, _ in selection.names().values()} == set(SPECS)


@every_spec
def test_a_spec_of_the_zoo_loads_and_unfolds(name):
    found = selection.load(name)
    unfolded, problems = unfolding.unfold(found.fill())

    assert (found.name, found.family) == (name, selection.names()[name][0].parent.name)
    assert problems == []
    assert unfolded.nodes


@every_spec
def test_a_spec_of_the_zoo_says_what_it_is(name):
    data = selection.load(name).data

    assert {"summary", "reference", "parameters"} <= set(data)
    assert data["summary"][0].isupper() or data["summary"][0].isdigit()
    assert data["summary"].endswith(".")


@every_spec
def test_a_spec_of_the_zoo_searches_lambda_or_states_it_and_the_default_lies_in_each_range(name):
    found = selection.load(name)
    searched = found.ranges()

    assert "l2" in found.data
    for one in searched.values():
        assert one.holds(one.default)
        assert one.from_unit(one.to_unit(one.default)) == pytest.approx(one.default)


@every_spec
def test_filled_at_the_defaults_a_spec_of_the_zoo_has_no_ranges_and_is_only_that_filled(name):
    found = selection.load(name)
    filled = found.fill()

    assert filled.ranges() == {}
    assert filled.written() == found.fill({key: one.default for key, one in found.ranges().items()}).written()
    if not found.ranges():
        assert filled.written() == found.written()


@every_spec
def test_the_text_of_a_spec_of_the_zoo_parses_back_to_the_same(name, tmp_path):
    found, file = selection.load(name), tmp_path / "dumped.yaml"
    file.write_text(found.dump(), encoding="utf-8")

    again = selection.load(file)

    assert again.identity() == found.identity()
    assert again.written() == found.written()
    assert selection.load(json.loads(json.dumps(found.written()))).identity() == found.identity()
    assert selection.load(pickle.loads(pickle.dumps(found))).identity() == found.identity()


@every_spec
def test_comments_and_the_order_of_keys_do_not_change_the_identity(name, tmp_path):
    found, file = selection.load(name), tmp_path / "turned.yaml"
    shuffled = list(found.written().items())
    random.Random(0).shuffle(shuffled)
    text = "# A comment.\n" + yaml.safe_dump(dict(shuffled), sort_keys=False) + "# And another.\n"
    file.write_text(text, encoding="utf-8")

    assert selection.load(file).identity() == found.identity()
    assert list(selection.load(file).data) != list(found.data)


@every_spec
def test_prose_does_not_change_the_identity_and_everything_else_does(name):
    found = selection.load(name)

    prose = {"summary": "Another sentence.", "reference": "Nobody, 1900", "parameters": 1}
    assert selection.load(found, prose).identity() == found.identity()
    changes = {"name": "other", "l2": 0.123, "train.epochs": 3}
    if "input" in found.data:
        changes["input.shape"] = [96] * len(found.shape)
    for key, value in changes.items():
        assert selection.load(found, {key: value}).identity() != found.identity()


def test_the_tables_of_the_language_fit_each_other():
    assert all(set(family.body) <= set(FIELDS) for family in FAMILIES.values())
    assert {task for family in FAMILIES.values() for task in family.tasks} == set(FACTS)
    assert {key for facts in FACTS.values() for key in facts} <= set(FIELDS)
    assert set(TRAIN) == set(TRAINING) - {"loss", "class_weight"}  # which are said where they are wanted
    assert not set(LATER) & set(FIELDS)
    assert all(accepts(TRAIN[key]) for key, (accepts, _) in TRAINING.items() if key in TRAIN)
    assert sorted(KINDS) == [*range(8)]


@pytest.mark.parametrize("task", FACTS)
def test_each_task_has_the_head_that_its_facts_are_for(task):
    items = head(task, {"classes": 3, "targets": 2, "horizon": 4, "features": 5, "vocabulary": 6})
    names = [next(iter(item.values()))["name"] for item in items]

    ends = {"forecasting": ["steps", "predictions"], "reconstruction": [], "generation": []}
    assert names == ends.get(task, ["predictions"])


@pytest.mark.parametrize("key", [*FIELDS, *(f"input.{key}" for key in INPUT), *(f"train.{key}" for key in TRAINING)])
@pytest.mark.parametrize("value", [[], {"a": [{}]}, 1.5, "", True, -1, [None], "\n"], ids=repr)
def test_no_key_accepts_what_it_cannot_mean(key, value):
    """Each value is refused at the key itself; 1.5 may be lambda, a size may be open, a head may be all."""
    if (key, value) not in (
        ("l2", 1.5), ("input.shape", [None]), ("input.shape", []), ("frozen", True), ("layers", []),
    ):  # fmt: skip
        assert [one for one in refusal(MLP, {key: value}) if one.startswith(f"--set: {key}")]


def test_a_spec_that_states_neither_has_the_projects_lambda_p_and_training():
    found = selection.load(MLP)
    nodes = {node.name: node for node in unfolding.unfold(found)[0].nodes}

    assert (nodes["fc1"].l2, nodes["dropout"].dropout) == (DEFAULT_L2, DEFAULT_DROPOUT) == (0.001, 0.5)
    assert found.train == TRAIN
    assert (found.task, found.kind, found.shape, found.coded) == ("classification", "table", (4,), False)
    assert found.facts == {"classes": 3, "targets": 1, "features": 1}
    assert found.likelihood in LIKELIHOODS


def test_a_fact_that_only_data_know_may_be_missing_until_they_are_met():
    found = selection.load({key: value for key, value in MLP.items() if key != "classes"})

    assert [str(one) for one in unfolding.unfold(found)[1]] == [
        "the mapping: `classes` is missing; expected a whole number above 0, for classification without `head`"
    ]
    assert unfolding.unfold(found.adapted(classes=7))[0].nodes[-1].arguments["units"] == 7


def test_a_spec_is_adapted_to_what_data_know_and_else_stays():
    found = selection.load(MLP)
    adapted = found.adapted(shape=(9,), task="regression", targets=2)

    assert (adapted.shape, adapted.task, adapted.facts["targets"]) == ((9,), "regression", 2)
    assert (found.shape, found.task) == ((4,), "classification")


# Ranges

UNITS = {"values": [8, 16], "default": 8}
RATE = {"min_value": 0.125, "max_value": 0.5, "default": 0.25}


def ranged(**more):
    layers = [
        {"Dense": {"name": "fc1", "units": UNITS}},
        {"Dense": {"units": UNITS, "kernel_initializer": {"RandomNormal": {"stddev": RATE}}, "l2": RATE}},
        {"Dropout": {"rate": RATE}},
    ]
    train = {"optimizer": {"SGD": {"learning_rate": RATE, "momentum": RATE}}, "batch_size": UNITS}
    return selection.load({**MLP, "l2": RATE, "layers": layers, "train": train, **more})


def test_a_range_goes_by_its_path_shortened_where_an_item_has_a_name():
    assert list(ranged().ranges()) == [
        "fc1.units", "layers[1].Dense.units", "layers[1].Dense.kernel_initializer.RandomNormal.stddev",
        "layers[1].Dense.l2", "layers[2].Dropout.rate", "l2", "learning_rate", "momentum", "batch_size",
    ]  # fmt: skip


def test_in_training_a_range_goes_by_its_last_word_and_as_many_before_it_as_tell_it_from_the_others():
    schedule = {"PiecewiseConstantDecay": {"boundaries": [10, 20], "values": [RATE, 0.1, RATE]}}
    cosine = {"CosineDecay": {"initial_learning_rate": RATE, "decay_steps": 100, "alpha": RATE}}
    of = {"optimizer": {"SGD": {"learning_rate": schedule, "momentum": RATE}}, "epochs": UNITS}

    assert list(selection.load({**MLP, "train": of}).ranges()) == ["values[0]", "values[2]", "momentum", "epochs"]
    both = {"optimizer": {"SGD": {"learning_rate": cosine}}, "loss": {"CategoricalFocalCrossentropy": {"alpha": RATE}}}
    assert list(selection.load({**MLP, "train": both}).ranges()) == [
        "initial_learning_rate", "CosineDecay.alpha", "CategoricalFocalCrossentropy.alpha",
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["train", "let"])
def test_a_name_in_let_is_its_own_and_a_range_in_training_that_ends_in_it_gives_way(first):
    of = {
        "train": {"optimizer": {"SGD": {"learning_rate": 0.1, "momentum": RATE}}},
        "let": {"momentum": RATE},
    }
    found = selection.load(
        {first: of[first], **of, **MLP, "layers": [{"BatchNormalization": {"momentum": "$momentum"}}]}
    )

    assert set(found.ranges()) == {"momentum", "SGD.momentum"}
    assert found.fill({"momentum": 0.5}).data["let"] == {"momentum": 0.5}
    assert found.fill({"SGD.momentum": 0.5}).train["optimizer"]["SGD"]["momentum"] == 0.5


def test_filling_puts_a_value_in_the_place_of_each_range_and_defaults_elsewhere():
    filled = ranged().fill({"fc1.units": 16, "l2": 0.125, "learning_rate": 0.5})

    assert filled.data["layers"][0]["Dense"]["units"] == 16
    assert filled.data["layers"][1]["Dense"]["units"] == 8
    assert (filled.data["l2"], filled.data["layers"][2]["Dropout"]["rate"]) == (0.125, 0.25)
    assert filled.train["optimizer"] == {"SGD": {"learning_rate": 0.5, "momentum": 0.25}}
    assert ranged().fill().ranges() == {}


def test_a_measured_value_remembers_its_range_and_a_counted_one_is_a_plain_number():
    filled = ranged().fill({"l2": 0})
    rate = filled.train["optimizer"]["SGD"]["learning_rate"]

    assert (type(filled.data["l2"]), filled.data["l2"].name) == (Filled, "l2")
    assert (type(rate), rate.name) == (Filled, "learning_rate")
    assert type(filled.data["layers"][0]["Dense"]["units"]) is int
    assert type(filled.train["batch_size"]) is int


def test_0_among_measured_values_remembers_its_range_too():
    found = selection.load({**MLP, "l2": {"values": [0, 0.001], "default": 0}})

    assert [type(found.fill({"l2": value}).data["l2"]) for value in (0, 0.001)] == [Filled, Filled]


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_a_filled_spec_survives_being_sent_to_another_process(copied):
    filled = copied(ranged().fill({"l2": 0.125}))

    assert (filled.data["l2"], filled.data["l2"].name) == (0.125, "l2")
    assert unfolding.unfold(filled)[0].knobs() == {"l2", "layers[1].Dense.l2", "layers[2].Dropout.rate"}
    assert json.loads(json.dumps(filled.written()))["l2"] == 0.125
    assert type(filled.written()["l2"]) is float


def test_in_the_place_of_arguments_nothing_is_a_range():
    constraint = {"MinMaxNorm": {"min_value": 0.0, "max_value": 1.0}}
    layers = [{"Dense": {"units": 8, "kernel_constraint": constraint}}, {"ReLU": {"max_value": 6.0}}]

    assert selection.load({**MLP, "layers": layers}).ranges() == {}


# Changes: `--set`


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"train.epochs": 3}, "train", {"optimizer": {"Adam": {"learning_rate": 1e-3}}, "batch_size": 32, "epochs": 3}),
        ({"train": {"epochs": 3}}, "train", {"optimizer": {"Adam": {"learning_rate": 1e-3}},
                                             "batch_size": 32, "epochs": 3}),
        ({"train.optimizer.Adam.learning_rate": 0.5}, "train", {"optimizer": {"Adam": {"learning_rate": 0.5}},
                                                                "batch_size": 32, "epochs": 20}),
        ({"train.optimizer": {"Adam": {"beta_1": 0.5}}}, "train", {
            "optimizer": {"Adam": {"learning_rate": 1e-3, "beta_1": 0.5}}, "batch_size": 32, "epochs": 20}),
        ({"train.optimizer": {"SGD": {"momentum": 0.9}}}, "train", {"optimizer": {"SGD": {"momentum": 0.9}},
                                                                    "batch_size": 32, "epochs": 20}),
        ({"train.optimizer.SGD.momentum": 0.9}, "train", {"optimizer": {"SGD": {"momentum": 0.9}},
                                                          "batch_size": 32, "epochs": 20}),
        ({"train.optimizer": "SGD"}, "train", {"optimizer": "SGD", "batch_size": 32, "epochs": 20}),
        ({"train.epochs": None}, "train", {"optimizer": {"Adam": {"learning_rate": 1e-3}}, "batch_size": 32}),
        ({"train": {"epochs": None, "batch_size": 8}}, "train", {"optimizer": {"Adam": {"learning_rate": 1e-3}},
                                                                 "batch_size": 8}),
        ({"train": None}, "train", None),
        ({"l2": 0.25}, "l2", 0.25),
        ({"l2": None}, "l2", None),
        ({"dropout": {"values": [0.1, 0.2], "default": 0.1}}, "dropout", {"values": [0.1, 0.2], "default": 0.1}),
        ({"input.shape": [28, 28, 3]}, "input", {"shape": [28, 28, 3]}),
        ({"input": {"kind": "image"}}, "input", {"shape": [32, 32, 1], "kind": "image"}),
        ({"classes": 5, "name": "five"}, "classes", 5),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_merges_into_the_spec(changes, key, value):
    found = selection.load("lenet5", changes)

    assert found.written().get(key) == value
    gone = {*FIGURES} if key in ("input", "classes") else set()  # figures are those of the network before
    untouched = {*selection.load("lenet5").data} - {path.split(".")[0] for path in changes} - gone
    assert {one: found.data[one] for one in untouched} == {one: selection.load("lenet5").data[one] for one in untouched}


def test_a_change_of_a_likelihood_changes_the_reconstruction():
    found = selection.load("vae", {"likelihood": "gaussian"})
    nodes = {node.name: node for node in unfolding.unfold(found.fill())[0].walk()}

    assert found.likelihood == "gaussian"
    assert nodes["reconstruction"].arguments["activation"] == "linear"
    assert nodes["evidence"].arguments == {"likelihood": "gaussian"}


def test_a_change_of_training_begins_at_the_defaults_of_a_spec_that_states_none():
    assert selection.load(MLP, {"train.optimizer.Adam.learning_rate": 0.5}).train == {
        **TRAIN,
        "optimizer": {"Adam": {"learning_rate": 0.5}},
    }


def test_a_change_touches_neither_its_source_nor_its_value():
    source, value = copy.deepcopy(MLP), {"SGD": {"momentum": 0.5}}

    selection.load(source, {"train.optimizer": value, "train.optimizer.SGD.momentum": 0.9, "layers": ["Flatten"]})

    assert (source, value) == (MLP, {"SGD": {"momentum": 0.5}})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train.epoch": 3}, "train.epoch: no such key; expected a key of `train`: optimizer, loss, batch_size, "
                             "epochs, class_weight; did you mean `epochs`?"),
        ({"train.epochs": 0}, "train.epochs: `0` is not accepted; expected a whole number above 0"),
        ({"trian.epochs": 3}, "trian: no such key; expected a key of a spec; did you mean `train`?"),
        ({"epochs": 3}, "epochs: no such key; expected a key of a spec; did you mean `train.epochs`?"),
        ({"train.epochs.last": 3}, "train.epochs.last: `train.epochs` is no mapping; expected train.epochs=VALUE"),
        ({"encoder.0.Dense.units": 3}, "encoder.0.Dense.units: `encoder` is no mapping; expected encoder=VALUE"),
        ({"layers.0.Dense.units": 3}, "layers.0.Dense.units: this spec has no `layers`; expected layers=VALUE"),
        ({"l2.max_value": 3}, "l2.max_value: `l2` is a range, which is changed as a whole; expected l2=VALUE"),
        ({"train.optimizer": "Adm"}, "train.optimizer: no optimizer `Adm`; expected the name of a Keras optimizer; "
                                     "did you mean `Adam`?"),
        ({"likelihood": "poisson"}, "likelihood: `\"poisson\"` is not accepted; "
                                    "expected one of bernoulli, gaussian, categorical"),
        ({"l2": {"min_value": 1, "max_value": 0, "default": 0}},
         "l2: 1 is not below the `max_value` 0; expected the smaller number"),
        ({"dropout": 1.0}, "dropout: `1.0` is not accepted; expected a number of at least 0 and below 1, or a range"),
        ({"encoder": None}, None),
        ({"dropout": float("nan")}, "dropout: a number that is not finite, or too far from 0; "
                                    "expected a number between -3.4028235e+38 and 3.4028235e+38"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_that_does_not_fit_is_refused_at_its_path(changes, problem):
    said = refusal("autoencoder", changes)

    if problem is None:
        expected = "the body of an autoencoder: `encoder`, `latent` and `decoder`"
        assert said == [f"autoencoder.yaml:2:1: `encoder` is missing; expected {expected}"]
    else:
        assert [one.replace("l2.min_value: ", "l2: ") for one in said] == [f"--set: {problem}"]


def test_what_a_change_spoils_is_said_beside_what_was_wrong_before(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "spec: 1\nname: w\nfamily: mlp\nclasses: 2\ninput: {shape: [4]}\nlayers: [Dens: 3]\ntrain: {epoch: 1}\n"
    )

    assert refusal(file, {"train.epochs": -1}) == [
        "--set: train.epochs: `-1` is not accepted; expected a whole number above 0",
        f"{file}:6:10: layers[0].Dens: no layer `Dens`; expected the name of a Keras layer; did you mean `Dense`?",
        f"{file}:7:9: train.epoch: no such key; expected a key of `train`: optimizer, loss, batch_size, epochs, "
        "class_weight; did you mean `epochs`?",
    ]


# Mappings and texts


def test_a_mapping_is_a_spec_like_any_other():
    assert selection.load({**MLP, "input": {"shape": (4,)}}).identity() == selection.load(MLP).identity()
    assert refusal({**MLP, "layers": [{"Dense": {"units": -3}}], "l2": -1}) == [
        "the mapping: l2: `-1` is not accepted; expected a number of 0 or above, or a range",
        "the mapping: layers[0].Dense.units: `-3` is not accepted; expected a whole number above 0",
    ]
    assert refusal({**MLP, 2.5: 4}) == [
        "the mapping: `dict` cannot be written in a spec; expected plain values under keys of text"
    ]


def test_no_mapping_raises_anything_but_a_zoo_error():
    chance = random.Random(2)
    words = [
        *FIELDS,
        *INPUT,
        *TRAINING,
        "Dense",
        "units",
        "Adam",
        "Gaussian",
        "name",
        "from",
        "values",
        "default",
        "min_value",
    ]
    plain = [None, True, -1, 0, 3, 0.5, 1e300, float("nan"), "", "Dense", "mlp", "vae", "input", (), b"x", object()]

    def anything(depth: int):
        kind = chance.random()
        if depth == 0 or kind < 0.4:
            return chance.choice(plain)
        if kind < 0.6:
            return [anything(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(words): anything(depth - 1) for _ in range(chance.randrange(3))}

    for _ in range(1500):
        source = {
            **copy.deepcopy(MLP),
            **{chance.choice(list(FIELDS)): anything(4) for _ in range(chance.randrange(1, 4))},
        }
        path = ".".join(chance.choice(words) for _ in range(chance.randrange(1, 4)))
        try:
            selection.load(source, {path: anything(3)})
        except ZooError as error:
            assert all(one.wrong for one in error.problems)


@pytest.mark.parametrize(
    "text",
    ["no", "1_000", "0x1F", "null", "~", "1e-3", "# no comment", "a: b", "- a", "[a]", "{a}", "a, b", " both ",
     "&a", "*a", "!tag", "'", '"', "%", "@", "`", "|", ">", "?", ":", "-", "=", "<<", "2020-01-01", "(1, 2)",
     "a\nb", "a\n\n b\n", "\t", "größe 😀", "\u2028", "\x85", "\ufeff", "\0", "x" * 300, "word " * 60],
    ids=ascii,
)  # fmt: skip
def test_any_text_is_dumped_so_that_it_parses_back(text):
    layers = [{"EinsumDense": {"equation": text, "output_shape": 3}}]
    found = selection.load({**MLP, "summary": f"A {text}", "layers": layers})

    assert parsing.parse(found.dump().encode(), "f")[::2] == (found.written(), [])


@pytest.mark.parametrize("number", [0, 1, -3, 0.0, 1.0, 1e-7, 1e15, 1e-300, 0.1 + 0.2, 123456789.125, 10**15])
def test_any_number_is_dumped_so_that_it_parses_back(number):
    found = selection.load({**MLP, "layers": [{"Rescaling": {"scale": number}}, {"Dense": 3}]})

    again = parsing.parse(found.dump().encode(), "f")[0]["layers"][0]["Rescaling"]["scale"]
    assert (again, type(again)) == (number, type(number))


def test_a_dumped_spec_is_read_as_easily_as_a_written_one():
    assert selection.load("autoencoder").dump() == (
        "spec: 1\n"
        "name: autoencoder\n"
        "family: ae\n"
        "summary: A dense autoencoder with a code of 32; compresses, reconstructs, and scores how unusual a row is.\n"
        "reference: Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006 "
        "(without pretraining)\n"
        "year: 2006\n"
        "parameters: 209968\n"
        "flops: 417792\n"
        "input: {shape: [784]}\n"
        "likelihood: gaussian\n"
        "l2: {min_value: 1.0e-08, max_value: 0.001, sampling: log, zero: true, default: 1.0e-05}\n"
        "dropout: {min_value: 0.0, max_value: 0.5, default: 0.1}\n"
        "encoder:\n"
        "- Dense: {units: 128, activation: relu}\n"
        "- Dropout\n"
        "latent:\n"
        "  Dense: {units: 32}\n"
        "decoder:\n"
        "- Dense: {units: 128, activation: relu}\n"
        "- Dropout\n"
        "train: {optimizer: {Adam: {learning_rate: 0.001}}, batch_size: 32, epochs: 30}\n"
    )


def test_reading_specs_needs_neither_keras_nor_numpy():
    code = (
        "import sys\nfrom zoo import selection\nfrom zoo.language import network, unfolding\n"
        "for name in selection.names(): unfolding.unfold(selection.load(name).fill())\n"
        "print(sorted({'keras', 'tensorflow', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"
