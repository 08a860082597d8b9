"""Specs over specs: variants, `extends` and changes; what merges, what replaces, and where the result was written."""

from __future__ import annotations

import copy
import re
from textwrap import dedent

import numpy as np
import pytest

import zoo
from zoo import selection
from zoo.errors import Mark, ZooError
from zoo.language import merging, reading, unfolding

BASE = """\
spec: 1
name: base
family: mlp
classes: 3
input: {shape: [4], kind: table}
l2: {min_value: 1.0e-6, max_value: 1.0e-2, sampling: log, default: 1.0e-3}
let: {width: 8, depths: [1, 2], normal: {RandomNormal: {mean: 0.5, stddev: 0.25}}}
defaults:
  Dense: {activation: relu, kernel_initializer: $normal}
blocks:
  wide:
    parameters: {units, twice: false}
    layers: [Dense: "2 * $units if $twice else $units"]
layers:
  - wide: $width
  - Dense: $depths.0
train: {optimizer: {Adam: {learning_rate: 0.001, beta_1: 0.5}}, epochs: 20}
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write files into an empty folder, which is the current one: a function of name and text."""
    monkeypatch.chdir(tmp_path)

    def write(name, text, base=""):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(base + dedent(text))
        return path

    write("base.yaml", BASE)
    return write


def child(written, text, name="child.yaml"):
    written(name, text, base=f"spec: 1\nname: {name.split('.')[0]}\nextends: base.yaml\n")
    return selection.load(name)


def variants_of(base, variants) -> str:
    """A text with variants, which stand before the body."""
    return base.replace("defaults:\n", f"variants: {variants}\ndefaults:\n")


def refusal(source, changes=None) -> list[str]:
    with pytest.raises(ZooError) as caught:
        selection.load(source, changes)
    return str(caught.value).split("\n")


def units(spec) -> list:
    return [node.arguments["units"] for node in unfolding.unfold(spec.fill())[0].nodes]


# What merges, and what replaces


@pytest.mark.parametrize(
    ("over", "key", "value"),
    [
        ("dropout: 0.2\nlayers: [Dense: $width, Dropout, wide: $depths.0]", "dropout", 0.2),
        ("l2: 0.5", "l2", 0.5),
        ("l2: {min_value: 0.0, max_value: 1.0, default: 0.5}", "l2", {
            "min_value": 0.0, "max_value": 1.0, "default": 0.5}),
        ("l2: {values: [0.1, 0.2], default: 0.1}", "l2", {"values": [0.1, 0.2], "default": 0.1}),
        ("l2: null", "l2", None),
        ("input: {shape: [6]}", "input", {"shape": [6], "kind": "table"}),
        ("input: {kind: null}", "input", {"shape": [4]}),
        ("let: {width: 16}", "let", {
            "width": 16, "depths": [1, 2], "normal": {"RandomNormal": {"mean": 0.5, "stddev": 0.25}}}),
        ("let: {depths: [5]}", "let", {
            "width": 8, "depths": [5], "normal": {"RandomNormal": {"mean": 0.5, "stddev": 0.25}}}),
        ("let: {normal: {RandomNormal: {stddev: 1.0}}}", "let", {
            "width": 8, "depths": [1, 2], "normal": {"RandomNormal": {"mean": 0.5, "stddev": 1.0}}}),
        ("let: {normal: {HeNormal: {seed: 1}}}", "let", {
            "width": 8, "depths": [1, 2], "normal": {"HeNormal": {"seed": 1}}}),
        ("let: {width: {values: [8, 16], default: 8}}", "let", {
            "width": {"values": [8, 16], "default": 8}, "depths": [1, 2],
            "normal": {"RandomNormal": {"mean": 0.5, "stddev": 0.25}}}),
        ("defaults: {Dense: {use_bias: false, activation: null}}", "defaults", {
            "Dense": {"kernel_initializer": "$normal", "use_bias": False}}),
        ("blocks: {wide: {parameters: {units}, layers: [Dense: $units, ReLU]}}", "blocks", {
            "wide": {"parameters": {"units": None}, "layers": [{"Dense": "$units"}, "ReLU"]}}),
        ("layers: [Dense: $width, wide: $depths.0]", "layers", [{"Dense": "$width"}, {"wide": "$depths.0"}]),
        ("train: {epochs: 5}", "train", {
            "optimizer": {"Adam": {"learning_rate": 0.001, "beta_1": 0.5}}, "epochs": 5}),
        ("train: {optimizer: {Adam: {beta_1: 0.9}}}", "train", {
            "optimizer": {"Adam": {"learning_rate": 0.001, "beta_1": 0.9}}, "epochs": 20}),
        ("train: {optimizer: {SGD: {momentum: 0.9}}}", "train", {
            "optimizer": {"SGD": {"momentum": 0.9}}, "epochs": 20}),
        ("train: {optimizer: SGD}", "train", {"optimizer": "SGD", "epochs": 20}),
        ("train: null", "train", None),
    ],
)  # fmt: skip
def test_mappings_merge_everything_else_replaces_and_null_removes(written, over, key, value):
    found = child(written, over + "\n")
    kept = selection.load("base.yaml").written()

    assert found.written().get(key) == value
    for other in {*kept} - {key, "name", "layers", *(over.split(":")[0] for over in over.split("\n"))}:
        assert found.written()[other] == kept[other]


def test_a_variant_and_a_change_merge_in_the_same_way(written):
    over = {"let": {"normal": {"HeNormal": {}}}, "l2": {"values": [0, 0.1], "default": 0.1}, "train": {"epochs": None}}
    text = "let: {normal: {HeNormal: {}}}\nl2: {values: [0, 0.1], default: 0.1}\ntrain: {epochs: null}\n"
    entry = "".join(f"    {line}\n" for line in text.splitlines())
    written("v.yaml", "", base=variants_of(BASE, f"\n  one:\n{entry}"))
    by_change = selection.load("base.yaml", copy.deepcopy(over)).written()
    by_variant = selection.load("v.yaml").written()

    assert {**by_change, "name": "one"} == by_variant
    assert child(written, text).written() == {**by_change, "name": "child"}


def test_expressions_see_the_merged_values(written):
    assert units(selection.load("base.yaml")) == [8, 1, 3]
    assert units(child(written, "let: {width: 32, depths: [7]}\n")) == [32, 7, 3]
    assert units(selection.load("base.yaml", {"let.width": 5})) == [5, 1, 3]


# Variants

VARIANTS = """
  small: {}
  large: {let: {width: 64}, dropout: 0.25}
  larger: {extends: large, let: {depths: [9, 9]}}
  wide: {extends: larger, let: {width: 128}, dropout: null}"""


def varied(written):
    base = BASE.replace("  - Dense: $depths.0\n", "  - Dense: $depths.0\n  - Dropout\n")
    written("v.yaml", "", base=variants_of(base, VARIANTS))


def test_a_variant_is_the_file_with_its_entry_merged_over_it_and_may_extend_a_sibling(written):
    varied(written)
    found = {name: selection.load(f"v.yaml:{name}") for name in ("small", "large", "larger", "wide")}

    assert [spec.name for spec in found.values()] == list(found)
    assert [spec.data["let"]["width"] for spec in found.values()] == [8, 64, 64, 128]
    assert [spec.data["let"]["depths"] for spec in found.values()] == [[1, 2], [1, 2], [9, 9], [9, 9]]
    assert [spec.data.get("dropout") for spec in found.values()] == [None, 0.25, 0.25, None]
    assert all("variants" not in spec.data and "extends" not in spec.data for spec in found.values())


def test_a_file_of_several_variants_is_no_spec_by_itself(written):
    varied(written)

    which = "v.yaml:small, v.yaml:large, v.yaml:larger, v.yaml:wide"
    assert refusal("v.yaml") == [f"v.yaml holds 4 specs; expected one of them: {which}"]
    assert [spec.name for spec in selection.all_in("v.yaml")[0]] == ["small", "large", "larger", "wide"]
    assert selection.all_in("v.yaml")[1] == []
    assert [spec.name for spec in selection.all_in("v.yaml:wide")[0]] == ["wide"]


def test_what_the_variants_give_need_not_be_given_in_the_base(written):
    base = BASE.replace("let: {width: 8, depths: [1, 2]", "let: {width, depths")
    written("v.yaml", "", base=variants_of(base, "{one: {let: {width: 3, depths: [4]}}, two: {let: {width: 3}}}"))

    assert units(selection.load("v.yaml:one")) == [3, 4, 3]
    assert refusal("v.yaml:two") == [
        "v.yaml:17:5: layers[1].Dense.units: `$depths` has no value here; expected a value given before it is used"
    ]


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ("{a: {let: {widht: 3}}}",
         "v.yaml:8:22: variants.a.let.widht: the base has no `let` of this name; expected one of width, depths, "
         "normal; did you mean `width`?"),
        ("{a: {name: b}}", "v.yaml:8:16: variants.a.name: `name` cannot be changed; expected a key of the network"),
        ("{a: {family: cnn}}",
         "v.yaml:8:16: variants.a.family: `family` cannot be changed; expected a key of the network"),
        ("{a: {drop: 0.5}}",
         "v.yaml:8:16: variants.a.drop: no such key; expected a key of a spec; did you mean `dropout`?"),
        ("{a: 3}", "v.yaml:8:12: variants.a: `3` is not accepted; expected a mapping of what is different"),
        ("{a: {extends: a}}", "v.yaml:8:16: variants.a.extends: `a` extends itself; expected another variant"),
        ("{a: {extends: b}, b: {extends: a}}",
         "v.yaml:8:16: variants.a.extends: `a` extends itself; expected another variant"),
        ("{a: {extends: c}, bc: {}}",
         "v.yaml:8:16: variants.a.extends: no variant `c`; expected one of bc; did you mean `bc`?"),
        ("{a: {extends: 3}}", "v.yaml:8:16: variants.a.extends: `3` is not accepted; expected the name of a variant"),
        ("{}", "v.yaml:8:1: variants: `{}` is not accepted; expected {name: {key: value}}"),
        ("{a: {l2: -1}}", "v.yaml:8:16: l2: `-1` is not accepted; expected a number of 0 or above, or a range"),
        ("{a: {let: {width: -1}}}",
         "v.yaml:14:14: blocks.wide.layers[0].Dense.units: `2 * $units if $twice else $units` is `-1` when called in "
         "line 16; expected a whole number above 0"),
    ],
    ids=str,
)  # fmt: skip
def test_a_variant_that_does_not_fit_is_refused_at_its_place(written, variants, said):
    written("v.yaml", "", base=variants_of(BASE, variants))

    assert str(selection.all_in("v.yaml")[1][0]) == said


@pytest.mark.parametrize("name", ["true", "{x: 1}", "'${i}'", "null"])
def test_a_name_beside_variants_is_one_if_there_is_any(written, name):
    text = variants_of(BASE, "{a: {l2: 0}}")
    written("v.yaml", "", base=re.sub(r"(?m)^name: .*$", f"name: {name}", text))

    [problem, *_] = selection.all_in("v.yaml")[1]
    assert problem.path == "name" and "is not accepted; expected a name of letters" in str(problem)
    written("v.yaml", "", base=re.sub(r"(?m)^name: .*\n", "", text))
    assert selection.load("v.yaml:a").name == "a"


def test_a_variant_that_is_not_there_is_refused_with_the_nearest(written):
    varied(written)

    assert refusal("v.yaml:lrge") == [
        "v.yaml:1:1: no variant `lrge`; expected one of small, large, larger, wide; did you mean `large`?"
    ]
    assert refusal("base.yaml:small") == [
        "base.yaml:1:1: no variant `small`; expected no variant, as this file has none"
    ]


# extends


def test_a_name_of_the_zoo_is_extended_and_a_variant_among_them(written):
    written("mine.yaml", "spec: 1\nname: mine\nextends: lenet5\nclasses: 5\ndropout: 0.25\n")
    written("deep.yaml", "spec: 1\nname: deep\nextends: resnet50\nlet: {depths: [1, 1, 1, 1]}\n")
    found = selection.load("mine.yaml")

    assert (found.name, found.data["classes"], found.data["dropout"]) == ("mine", 5, 0.25)
    assert found.data["layers"] == selection.load("lenet5").data["layers"]
    assert len(unfolding.unfold(selection.load("deep.yaml").fill())[0].nodes) < 80


def test_a_path_is_meant_beside_the_file_that_says_it(written):
    written("inner/mine.yaml", "spec: 1\nname: mine\nextends: ../base.yaml\nclasses: 5\n")
    written("inner/own.yaml", "spec: 1\nname: own\nextends: mine.yaml\nl2: 0.5\n")
    varied(written)
    written("inner/wide.yaml", "spec: 1\nname: mine\nextends: ../v.yaml:wide\nclasses: 5\n")

    assert (selection.load("inner/own.yaml").data["classes"], selection.load("inner/own.yaml").data["l2"]) == (5, 0.5)
    assert selection.load("inner/wide.yaml").data["let"]["width"] == 128
    assert selection.load("inner/wide.yaml").name == "mine"


def test_a_variant_of_the_file_below_must_be_there_and_be_said(written):
    varied(written)
    written("nowhere.yaml", "spec: 1\nname: nowhere\nextends: v.yaml:lrge\n")
    written("unsaid.yaml", "spec: 1\nname: unsaid\nextends: v.yaml\n")
    written("without.yaml", "spec: 1\nname: without\nextends: base.yaml:small\n")

    assert refusal("nowhere.yaml") == [
        "nowhere.yaml:3:1: extends: v.yaml has no variant `lrge`; expected one of small, large, larger, wide; "
        "did you mean `large`?"
    ]
    assert refusal("unsaid.yaml")[0].startswith("unsaid.yaml:3:1: extends: v.yaml holds 4 specs; expected one of them")
    assert refusal("without.yaml") == [
        "without.yaml:3:1: extends: base.yaml has no variant `small`; expected no variant, as that file has none"
    ]


def test_specs_of_other_folders_that_extend_one_another_are_a_circle(written):
    written("inner/one.yaml", "spec: 1\nname: one\nextends: ./two.yaml\n")
    written("inner/two.yaml", "spec: 1\nname: two\nextends: ../inner/one.yaml\n")

    (told,) = refusal("inner/one.yaml")
    assert told == "inner/two.yaml:3:1: extends: `../inner/one.yaml` extends this spec in turn; expected another spec"


def test_specs_extend_specs_in_a_chain_but_not_without_end(written):
    written("c0.yaml", BASE)
    for index in range(1, 13):
        written(f"c{index}.yaml", f"spec: 1\nname: c{index}\nextends: c{index - 1}.yaml\nclasses: {index + 3}\n")

    assert selection.load(f"c{merging.DEEPEST}.yaml").data["classes"] == merging.DEEPEST + 3
    assert "extends: more than 10 specs one over the other; expected fewer" in refusal("c11.yaml")[0]
    assert refusal("c11.yaml")[0].startswith("c1.yaml:3:1: ")


def test_a_circle_of_specs_is_told_where_it_closes(written):
    written("a.yaml", "spec: 1\nname: a\nextends: b.yaml\n")
    written("b.yaml", "spec: 1\nname: b\nextends: c.yaml\n")
    written("c.yaml", "spec: 1\nname: c\nextends: a.yaml\n")
    written("self.yaml", "spec: 1\nname: self\nextends: self.yaml\n")

    assert refusal("a.yaml") == ["c.yaml:3:1: extends: `a.yaml` extends this spec in turn; expected another spec"]
    assert refusal("self.yaml") == ["self.yaml:3:1: extends: `self.yaml` is this spec itself; expected another spec"]


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("lenet", "no spec `lenet`; expected one of the "),
        ("nowhere.yaml",
         "nowhere.yaml is not there; expected the path of a spec file, or a name that `zoo list` shows"),
        (".", "no spec `.`; expected one of the "),
        ("''", '`""` is not accepted; expected the name of a spec, or the path of a file'),
        ("null", "`null` is not accepted; expected the name of a spec, or the path of a file"),
        ("[lenet5]", '`["lenet5"]` is not accepted; expected the name of a spec, or the path of a file'),
        ("3", "`3` is not accepted; expected the name of a spec, or the path of a file"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_extended_is_one_problem(written, extends, said):
    written("mine.yaml", f"spec: 1\nname: mine\nextends: {extends}\ndropout: 0.5\n")

    (told,) = refusal("mine.yaml")
    assert told.startswith(f"mine.yaml:3:1: extends: {said}")


def test_a_child_changes_only_a_let_that_the_base_has_and_nothing_else_is_said(written):
    written("mine.yaml", "spec: 1\nname: mine\nextends: base.yaml\nlet: {widht: 3, width: 4}\n")

    assert refusal("mine.yaml") == [
        "mine.yaml:4:7: let.widht: the base has no `let` of this name; expected one of width, depths, normal; "
        "did you mean `width`?"
    ]


def test_what_is_wrong_in_the_base_is_said_at_its_place_there(written):
    written("bad.yaml", BASE.replace("wide: $width", "wide: $widht"))
    written("mine.yaml", "spec: 1\nname: mine\nextends: bad.yaml\nepochs: 3\n")

    said = refusal("mine.yaml")

    assert said[0].startswith("bad.yaml:15:5: layers[0].wide.units: no name `$widht`; expected one of classes, depths")
    assert said[1].startswith("mine.yaml:4:1: epochs: no such key")


def test_what_a_child_spoils_in_a_base_that_is_fine_by_itself_says_whose_it_is(written):
    written("fine.yaml", BASE)
    written("mine.yaml", "spec: 1\nname: mine\nextends: fine.yaml\nlet: {width: 0}\n")
    said = refusal("mine.yaml")

    assert said and all(one.startswith("fine.yaml:") and ", as mine.yaml extends it;" in one for one in said)


def test_the_variants_of_a_base_are_not_the_childs_and_the_child_may_have_its_own(written):
    varied(written)
    written("mine.yaml", "spec: 1\nname: mine\nextends: v.yaml:large\nvariants: {one: {let: {width: 1}}, two: {}}\n")

    assert [(spec.name, spec.data["let"]["width"]) for spec in selection.all_in("mine.yaml")[0]] == [
        ("one", 1), ("two", 64),
    ]  # fmt: skip


# Where the result was written


def test_each_merged_value_is_placed_where_it_was_written(written):
    found = child(written, """\
        classes: 5
        let:
          width: 16
          normal: {RandomNormal: {stddev: 1.0}}
        train: {optimizer: {SGD: {momentum: 0.9}}}
        blocks:
          wide:
            parameters: {units}
            layers: [Dense: $units]
    """)  # fmt: skip
    placed = {
        ("classes",): "child.yaml:4:1", ("input", "shape"): "base.yaml:5:9", ("l2", "default"): "base.yaml:6:59",
        ("let", "width"): "child.yaml:6:3", ("let", "depths"): "base.yaml:7:17",
        ("let", "normal", "RandomNormal", "stddev"): "child.yaml:7:27",
        ("let", "normal", "RandomNormal", "mean"): "base.yaml:7:57",
        ("train", "epochs"): "base.yaml:17:65", ("train", "optimizer", "SGD", "momentum"): "child.yaml:8:27",
        ("blocks", "wide", "parameters", "units"): "child.yaml:11:18",
        ("blocks", "wide", "layers", 0, "Dense"): "child.yaml:12:14", ("layers", 0, "wide"): "base.yaml:15:5",
        ("name",): "child.yaml:2:1", ("family",): "base.yaml:3:1",
    }  # fmt: skip

    assert {path: str(found.place(path)) for path in placed} == placed
    assert ("blocks", "wide", "parameters", "twice") not in found.marks
    assert found.place(("train", "optimizer", "Adam", "beta_1")) == found.place(("train", "optimizer"))


def test_a_change_is_placed_at_set_and_a_variant_at_its_entry(written):
    varied(written)
    found = selection.load("v.yaml:wide", {"let.depths": [2, 2], "train": {"epochs": 2}})

    assert found.place(("let", "depths", 0)) == found.place(("train", "epochs")) == Mark("--set", 0, 0)
    assert str(found.place(("let", "width"))) == "v.yaml:12:33"
    assert str(found.place(("let", "normal"))) == "v.yaml:7:33"
    assert str(found.place(("input",))) == "v.yaml:5:1"


def test_a_problem_of_a_merged_value_is_told_where_it_was_written(written):
    written(
        "mine.yaml",
        "spec: 1\nname: mine\nextends: base.yaml\nlet: {width: -4}\ndefaults: {Dense: {activation: rleu}}\n",
    )

    assert [one.split(": ")[0] for one in refusal("mine.yaml")] == ["base.yaml:13:14", "mine.yaml:5:20"]
    assert refusal("base.yaml", {"train.epochs": 0, "let.width": 4}) == [
        "--set: train.epochs: `0` is not accepted; expected a whole number above 0"
    ]


# Changes of let


@pytest.mark.parametrize(
    ("changes", "let"),
    [
        ({"let.width": 16}, {"width": 16}),
        ({"let": {"width": 16}}, {"width": 16}),
        ({"let.depths": [7, 7]}, {"depths": [7, 7]}),
        ({"let.width": "$depths.1"}, {"width": "$depths.1"}),
        ({"let.normal": {"RandomNormal": {"mean": 1.0}}}, {"normal": {"RandomNormal": {"mean": 1.0, "stddev": 0.25}}}),
        ({"let.normal.RandomNormal.mean": 1.0}, {"normal": {"RandomNormal": {"mean": 1.0, "stddev": 0.25}}}),
        ({"let.width": {"values": [8, 16], "default": 16}}, {"width": {"values": [8, 16], "default": 16}}),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_reaches_a_let_that_is_there(written, changes, let):
    before = selection.load("base.yaml").written()["let"]

    assert selection.load("base.yaml", changes).written()["let"] == {**before, **let}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"let.widht": 3},
         "--set: let.widht: this spec has no `let` of this name; expected one of width, depths, normal; "
         "did you mean `width`?"),
        ({"let": {"widht": 3}},
         "--set: let: this spec has no `let` of this name; expected one of width, depths, normal; "
         "did you mean `width`?"),
        ({"let.width.more": 3}, "--set: let.width.more: `let.width` is no mapping; expected let.width=VALUE"),
        ({"let.depths.0": 3}, "--set: let.depths.0: `let.depths` is no mapping; expected let.depths=VALUE"),
        ({"let": 3}, "--set: let: `3` is not accepted; expected {name: value}"),
        ({"variants.a": {}}, "--set: variants: `variants` cannot be changed; "
         "expected another spec, or a file of your own"),
        ({"extends": "lenet5"},
         "--set: extends: `extends` cannot be changed; expected another spec, or a file of your own"),
        ({"let.width": "$n"},
         "--set: let.width: no name `$n`; expected one of classes, depths, dropout, features, horizon, input, l2, "
         "name, normal, targets, width"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_of_what_is_not_there_is_refused(written, changes, said):
    given = refusal("base.yaml", changes)[0]

    assert given.replace("variants.a: ", "variants: ") == said


def test_merging_touches_neither_side(written):
    over = {"train": {"optimizer": {"Adam": {"beta_1": 0.9}}}, "let": {"normal": {"RandomNormal": {"mean": 1.0}}}}
    before = copy.deepcopy(over)
    base = selection.load("base.yaml").written()
    source = copy.deepcopy(base)

    selection.load(source, over)

    assert (over, source) == (before, base)


def test_a_change_inside_a_block_leaves_the_rest_of_it_and_a_change_of_a_block_replaces_it():
    block = {"parameters": {"units": 4}, "layers": [{"Dense": "$units"}]}
    spec = {
        "spec": 1, "name": "t", "family": "mlp", "classes": 2, "input": {"shape": [3]},
        "blocks": {"b": {"nested": True, **block}}, "layers": ["b"],
    }  # fmt: skip

    inside = selection.load(spec, {"blocks.b.parameters.units": 7}).data["blocks"]["b"]
    whole = selection.load(spec, {"blocks.b": {"layers": [{"Dense": 5}]}}).data["blocks"]["b"]

    assert inside == {"nested": True, **block, "parameters": {"units": 7}}
    assert whole == {"layers": [{"Dense": 5}]}


@pytest.mark.parametrize("path", ["dropuot", "train.epchs", "train.optimizer.Adam.lr"])
def test_a_change_to_null_of_what_is_not_there_is_refused(path):
    with pytest.raises(ZooError, match=r"null removes it, and the base has none|no such key"):
        selection.load("mlp", {path: None})


REPLACED = """
spec: 1
name: base
family: mlp
classes: 3
input: {shape: [8]}
l2: $decay / 2
let: {decay: 0.001, half: $units // 2, units: 8, bn: false}
blocks:
  fc: {parameters: {n}, layers: [Dense: $n]}
variants:
  a: {let: {bn: true}}
  b: {layers: [Dense: 4]}
  c: {l2: 0}
layers: [Dense: $half, fc: {n: 4}, BatchNormalization: {if: $bn}]
"""


@pytest.mark.parametrize(
    ("variant", "changes", "let"),
    [
        ("a", {}, {"decay", "half", "units", "bn"}),
        ("b", {}, {"decay"}),
        ("c", {}, {"half", "units", "bn"}),
        ("a", {"l2": 0.5}, {"half", "units", "bn"}),
        ("a", {"let.half": 3}, {"decay", "half", "bn"}),
        ("b", {"l2": 0.5}, set()),
    ],
)
def test_nobody_is_to_blame_for_names_that_only_what_was_replaced_has_read(variant, changes, let, tmp_path):
    (tmp_path / "base.yaml").write_text(REPLACED)
    found = selection.load(f"{tmp_path}/base.yaml:{variant}", changes)

    assert set(found.data.get("let", {})) == let
    assert ("blocks" in found.data) == (variant != "b")
    assert selection.load(found.written()).identity() == found.identity()


def test_a_lambda_that_is_computed_is_searched_like_any_other(tmp_path):
    (tmp_path / "base.yaml").write_text(REPLACED)
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype("float32"), np.arange(60) % 3
    study = zoo.tune(f"{tmp_path}/base.yaml:b", rows, trials=2, epochs=1, run=tmp_path / "run")

    assert study.run.plan.spec.ranges()["l2"].default == 0.0005
    assert selection.load(str(tmp_path / "run" / "best.yaml")).data["l2"] == study.values["l2"]


def test_a_name_that_is_read_again_above_is_there():
    files = {
        "low": "spec: 1\nname: low\nfamily: mlp\nclasses: 3\ninput: {shape: [8]}\nl2: 0\nlet: {a: 4, b: $a * 2}\n"
        "layers: [Dense: $b]\n",
        "middle": "spec: 1\nextends: low.yaml\nname: middle\nlayers: [Dense: 4]\n",
        "high": "spec: 1\nextends: middle.yaml\nname: high\nlet: {a: 5}\nlayers: [Dense: $b]\n",
    }

    def find(name, _):
        return files[name.removesuffix(".yaml")].encode(), name, ""

    def let(of):
        found, problems = reading.read(files[of].encode(), f"{of}.yaml", {}, find=find)
        assert problems == []
        return found.data.get("let")

    assert (let("low"), let("middle"), let("high")) == ({"a": 4, "b": "$a * 2"}, None, {"a": 5, "b": "$a * 2"})


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": ["Flatten"], "let.half": None},
        {"layers": ["Flatten"]},
        {"layers": ["Flatten"], "head": [{"Dense": "$half"}, {"Dense": "$classes"}]},
    ],
)
def test_changes_are_one_step_whatever_their_order(changes, tmp_path):
    (tmp_path / "base.yaml").write_text(REPLACED)
    several = [dict(items) for items in (changes.items(), reversed(changes.items()))]

    assert len({selection.load(f"{tmp_path}/base.yaml:c", one).identity() for one in several}) == 1


def test_what_changes_write_and_nothing_reads_is_told(tmp_path):
    (tmp_path / "base.yaml").write_text(REPLACED)
    with pytest.raises(ZooError, match=r"let\.units: nothing reads it"):
        selection.load(f"{tmp_path}/base.yaml:c", {"layers": ["Flatten"], "let.units": 100})


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ("summary: A net of $width units.\nlet: {width: 16}\nlayers: [Dense: $width]", {"layers": [{"Dense": 4}]}),
        ("let: {width: 16}\nblocks: {b: {parameters: {width}, layers: [Dense: $width]}}\nlayers: [b: {width: $width}]",
         {"layers": [{"b": {"width": 8}}]}),
        ("blocks: {conv: {layers: [Dense: 4]}}\nlayers: [conv]", {"layers": [{"Dense": {"name": "conv", "units": 4}}]}),
        ("let: {i: 3}\nblocks: {b: {layers: [{for: i, in: 2, layers: [Dense: $i + 4]}]}}\nlayers: [b, Dense: $i]",
         {"layers": ["b"]}),
        ("let: {rate: 1.0e-3}\nlayers: [Dense: 4]\ntrain: {optimizer: {Adam: {learning_rate: $rate}}}",
         {"train.optimizer.SGD.learning_rate": 0.1}),
    ],
)  # fmt: skip
def test_a_word_that_stands_elsewhere_with_another_meaning_reads_nothing(base, changes, tmp_path):
    (tmp_path / "base.yaml").write_text(
        f"spec: 1\nname: base\nfamily: mlp\nclasses: 3\ninput: {{shape: [8]}}\n{base}\n"
    )
    found = selection.load(str(tmp_path / "base.yaml"), changes)

    assert "let" not in found.data
    assert ("blocks" in found.data) == ("b" in str(changes["layers"]) if "layers" in changes else False)


def test_a_block_whose_parameter_is_called_as_a_name_around_it_reads_that_name(tmp_path):
    block = "blocks: {b: {parameters: {width: $width}, layers: [Dense: $width]}}"
    base = f"let: {{width: 16}}\n{block}\nlayers: [b, Dense: $width]"
    text = f"spec: 1\nname: base\nfamily: mlp\nclasses: 3\ninput: {{shape: [8]}}\n{base}\n"
    (tmp_path / "base.yaml").write_text(text)

    assert selection.load(str(tmp_path / "base.yaml"), {"layers": ["b"]}).data["let"] == {"width": 16}


def test_what_went_with_a_replaced_value_is_still_a_hint(tmp_path):
    (tmp_path / "base.yaml").write_text(REPLACED)
    with pytest.raises(ZooError) as caught:
        selection.load(f"{tmp_path}/base.yaml:a", {"layers": [{"fcc": 3}, {"Dense": "$units // 2 + $hlf"}]})

    assert "did you mean `fc`?" in str(caught.value) and "did you mean `$half`?" in str(caught.value)


REPLACED_BLOCK = """
spec: 1
name: v
family: mlp
classes: 3
input: {shape: [8]}
l2: 0
blocks:
  b: {parameters: {units}, layers: [Dense: $units]}
variants:
  e: {extends: a, layers: [b: {unit: 5}]}
  a: {blocks: {b: {parameters: {unit}, layers: [Dense: $unit, ReLU]}}, layers: [b: {unit: 4}]}
  d: {l2: 0.1}
layers:
  - b: {units: 8}
"""


@pytest.mark.parametrize("variant", "ead")
def test_a_block_that_a_variant_replaces_has_its_own_parameters(variant, tmp_path):
    (tmp_path / "v.yaml").write_text(REPLACED_BLOCK)

    assert selection.load(f"{tmp_path}/v.yaml:{variant}").data["name"] == variant


@pytest.mark.parametrize(
    "table",
    ["{default: 8, scales: [4, 2]}", "{stop: 8, min: 16}", "{minval: 3, default: 2}", "{tables: 8, zero: 4}"],
)
def test_a_table_that_a_block_is_given_stays_what_it_is(table):
    text = f"""spec: 1
name: t
family: mlp
classes: 3
input: {{shape: [8]}}
blocks: {{b: {{parameters: {{sizes}}, layers: [Dense: $sizes.{table[1:].partition(":")[0]}]}}}}
layers: [b: {{sizes: {table}}}]
"""
    found, problems = reading.read(text.encode(), "t.yaml", {})

    assert problems == []
    assert list(found.data["layers"][0]["b"]["sizes"]) == re.findall(r"(\w+):", table)


def test_a_table_with_a_default_whose_other_key_is_read_is_no_range():
    text = "spec: 1\nname: t\nfamily: mlp\nclasses: 3\ninput: {shape: [8]}\nlet: {t: {default: 8, vals: [4, 2]}}\n"
    found, problems = reading.read(f"{text}layers: [Dense: $t.default, Dense: $t.vals.0]\n".encode(), "t.yaml", {})

    assert problems == [] and found.data["let"] == {"t": {"default": 8, "vals": [4, 2]}}


@pytest.mark.parametrize(
    "table",
    ["{max: 3, steps: 2}", "{zero: 3, value: [1, 2]}", "{step: 4, value: [5, 6]}", "{default: 1, steps: 2}",
     "{defaults: 3, vals: 2}", "{layer: 2, form: 3}", "{min: 2, max: 3, defaults: 4}", "{low: 2, steps: 3}",
     "{default: 1, scales: [1, 2]}", "{default: 1, max_values: 3}"],
)  # fmt: skip
def test_a_table_whose_keys_are_like_words_of_the_language_stays_what_it_is(table):
    text = f"spec: 1\nname: t\nfamily: mlp\nclasses: 3\ninput: {{shape: [8]}}\nlet: {{t: {table}}}\n"
    key = table[1:].partition(":")[0]
    found, problems = reading.read(f"{text}layers: [Dense: $t.{key}]\n".encode(), "t.yaml", {})

    assert problems == []
    assert next(iter(found.data["let"]["t"])) == key


@pytest.mark.parametrize(
    "body",
    [
        "{for: w, in: [1, $w], layers: [Dense: $w]}", "{for: w, in: $w, layers: [Dense: 3]}",
        "{Dense: $w}, {let: {w: 5}}, {Dense: $w}", "{let: {w: $w}}, {Dense: $w}",
    ],
)  # fmt: skip
def test_a_name_that_is_read_before_a_loop_or_a_let_gives_it_anew_is_read(body, tmp_path):
    text = "spec: 1\nname: base\nfamily: mlp\nclasses: 3\ninput: {shape: [8]}\nlet: {w: 4}\n"
    (tmp_path / "base.yaml").write_text(f"{text}blocks: {{b: {{layers: [{body}]}}}}\nlayers: [b, Dense: $w]\n")

    assert selection.load(str(tmp_path / "base.yaml"), {"layers": ["b", {"Dense": 2}]}).data["let"] == {"w": 4}


@pytest.mark.parametrize("call", ["lets: {width: 8}", "reduce: {layer: 8}", "layer: {sizes: [8, 4]}"])
def test_a_block_of_the_base_may_be_called_nearly_as_a_word_of_items(call, tmp_path):
    (tmp_path / "base.yaml").write_text("""spec: 1
name: base
family: mlp
classes: 3
input: {shape: [8]}
blocks:
  lets: {parameters: {width}, layers: [Dense: $width]}
  reduce: {parameters: {layer}, layers: [Dense: $layer]}
  layer: {parameters: {sizes}, layers: [Dense: $sizes.0, Dense: $sizes.1]}
layers: [lets: 3, reduce: 4, layer: {sizes: [1, 2]}]
""")
    child = (
        f"spec: 1\nname: child\nextends: base.yaml\nlayers: [lets: 3, reduce: 4, layer: {{sizes: [1, 2]}}, {call}]\n"
    )
    (tmp_path / "child.yaml").write_text(child)

    assert len(selection.load(tmp_path / "child.yaml").data["layers"]) == 4


def test_a_part_of_a_range_is_told_where_it_stands(tmp_path):
    text = "spec: 1\nname: base\nfamily: mlp\nclasses: 3\ninput: {shape: [8]}\nlet: {w: {values: [1, 2], default: 1}}\n"
    (tmp_path / "base.yaml").write_text(f"{text}layers: [Dense: $w]\n")
    (tmp_path / "child.yaml").write_text("spec: 1\nname: child\nextends: base.yaml\nlet: {w: {default: 2}}\n")
    with pytest.raises(ZooError) as caught:
        selection.load(tmp_path / "child.yaml")

    (wrong,) = caught.value.problems
    assert (wrong.path, wrong.wrong, wrong.mark.line) == ("let.w", "a part of a range", 4)


def test_a_tensor_whose_name_is_like_a_layer_s_or_a_block_s_is_a_tensor():
    text = """spec: 1
name: t
family: mlp
classes: 3
input: {shape: [8]}
blocks: {gated: {layers: [Dense: 4]}}
layers:
  - Dense: {name: Dens, units: 4}
  - gated: {name: gate}
  - Add: {from: [gate, Dens]}
"""
    found, problems = reading.read(text.encode(), "t.yaml", {})

    assert problems == []
    assert found.data["layers"][2] == {"Add": {"from": ["gate", "Dens"]}}
