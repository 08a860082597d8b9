"""What the command says of specs: list, show, check, diff, copy, schema, and a folder of one's own."""

from __future__ import annotations

import ast
import json
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import keras
import numpy as np
import pytest

import zoo
from zoo import cli, measuring, selection
from zoo.errors import ZooError
from zoo.language import unfolding
from zoo.language.schema import schema

SMALL = (
    "spec: 1\nname: mine\nfamily: cnn\ntask: classification\nsummary: Mine.\nclasses: 3\ninput: {shape: [8, 8, 1]}\n"
)
LAYERS = "layers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n  - Flatten\n"


@pytest.fixture
def say(capsys):
    """Run the command in this process; its exit code, what it answered, and what it complained of."""

    def run(*words):
        code = 0
        try:
            cli.main(list(map(str, words)))
        except SystemExit as stopped:
            code = stopped.code
        told = capsys.readouterr()
        return code or 0, told.out, told.err

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "_FOLDERS", [])
    (tmp_path / "mine.yaml").write_text(SMALL + LAYERS, encoding="utf-8")
    yield tmp_path
    selection._FOLDERS.clear()
    selection.files.cache_clear()
    selection.names.cache_clear()


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ((), {"lenet5", "resnet50", "vae", "digits"}, set()),
        (("--family", "rnn"), {"lstm", "gru"}, {"lenet5", "digits"}),
        (("--max-params", "100k"), {"lenet5", "lstm"}, {"resnet50"}),
        (("*net*", "--max-params", "5M", "--task", "classification"), {"lenet5", "mobilenetv2"}, {"resnet50", "unet"}),
        (("--task", "segmentation"), {"unet"}, {"lenet5", "lstm"}),
        (("ResNet-50",), {"resnet50"}, {"resnet101", "lenet5"}),
    ],
    ids=["all", "family", "size", "pattern", "task", "case"],
)
def test_a_list_holds_what_was_asked_for(words, inside, outside, say):
    code, told, _ = say("list", *words)
    first = {line.split()[0] for line in told.split("\n") if line.strip()}

    assert code == 0
    assert inside <= first
    assert not outside & first


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "--family", "cn"), "no family `cn`; expected one of cnn, rnn, ae, vae, mlp; did you mean `cnn`?"),
        (("list", "--task", "segment"), "did you mean `segmentation`?"),
        (("list", "--max-params", "many"), "--max-params is `many`; expected a number such as 500k or 5M"),
        (("list", "resnet5"), "no spec is like that"),
        (("list", "resnet"), "did you mean `'*resnet*'`?"),
        (("show", "resnet5", "--layers"), "did you mean `resnet"),
        (("show", "resnet", "--layers"), "`resnet` is a file of 6 specs; expected one of them: resnet50, "),
        (("list", "--specs", "nowhere"), "nowhere is no folder"),
    ],
    ids=["family", "task", "size", "pattern", "part", "name", "file", "folder"],
)
def test_what_is_not_there_is_said_in_a_sentence(words, says, say):
    code, told, wrong = say(*words)

    assert (code, told) == (1, "")
    assert says in wrong
    assert len(wrong.strip().split("\n")) == 1


def test_a_spec_is_written_out_and_the_text_is_a_spec_again(say, tmp_path):
    code, told, _ = say("show", "efficientnetb0", "--yaml")
    file = tmp_path / "flat.yaml"
    file.write_text(told, encoding="utf-8")

    assert code == 0
    assert "$" not in told.split("layers:")[1]
    nodes = [unfolding.unfold(selection.load(one).fill())[0].nodes for one in ("efficientnetb0", file)]
    assert [(n.name, n.layer, n.arguments, n.inputs) for n in nodes[0]] == [
        (n.name, n.layer, n.arguments, n.inputs) for n in nodes[1]
    ]


def test_the_table_of_layers_adds_up_and_names_the_three_parts(say):
    code, told, _ = say("show", "lenet5", "--layers", "--json")
    found = json.loads(told)

    assert code == 0
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"]) == 61706
    assert found["flops"] == 2 * (28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10)
    parts = [measuring.part(node) for node in unfolding.unfold(selection.load("lenet5").fill())[0].walk()]
    assert list(dict.fromkeys(parts)) == ["middle", "feed-forward", "output"]


FLOPS = [
    ([6, 4], {"LSTM": {"units": 3}}, 2 * 6 * 4 * 3 * (4 + 3)),
    ([6, 4], {"Bidirectional": {"layer": {"GRU": {"units": 3}}}}, 2 * 2 * 6 * 3 * (4 * 3 + 3 * 3)),
    ([6, 4], {"TimeDistributed": {"layer": {"Dense": {"units": 5}}}}, 2 * 6 * 4 * 5),
    ([6, 4], {"Conv1D": {"filters": 5, "kernel_size": 3}}, 2 * 4 * 3 * 4 * 5),
    ([8, 8, 4], {"Conv2D": {"filters": 6, "kernel_size": 3, "groups": 2}}, 2 * 36 * 9 * 2 * 6),
    ([8, 8, 4], {"DepthwiseConv2D": {"kernel_size": 3, "padding": "same"}}, 2 * 64 * 9 * 4),
    ([8, 8, 4], {"SeparableConv2D": {"filters": 6, "kernel_size": 3, "padding": "same"}}, 2 * 64 * (36 + 24)),
    ([4, 4, 4], {"Conv2DTranspose": {"filters": 6, "kernel_size": 2, "strides": 2}}, 2 * 16 * 4 * 4 * 6),
    ([8, 8, 4], "BatchNormalization", 0),
    ([4, 4], {"MelSpectrogram": {"fft_length": 4, "sequence_stride": 2, "num_mel_bins": 3}}, None),
    ([5, 8], {"EinsumDense": {"equation": "abc,bd->adc", "output_shape": [4, 8]}}, 2 * 5 * 8 * 4),
    ([8], {"SpectralNormalization": {"layer": {"Dense": {"units": 5}}}}, 2 * 8 * 5),
    ([3, 8, 8], {"Conv2D": {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}}, 2 * 36 * 9 * 3 * 4),
    ([3, 8, 8], {"Conv2DTranspose": {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}},
     2 * 64 * 9 * 3 * 4),
    ([2, 6, 6, 3], {"ConvLSTM2D": {"filters": 4, "kernel_size": 3}}, 2 * 2 * 16 * 9 * (3 + 4) * 16),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "layer", "flops"), FLOPS, ids=[str(one) for _, one, _ in FLOPS])
def test_the_operations_of_a_layer_are_two_for_each_multiply_add(shape, layer, flops):
    body = {"spec": 1, "name": "one", "family": "cnn", "input": {"shape": shape}, "classes": 2}
    found = selection.load({**body, "layers": ["ReLU"], "head": [layer]})

    assert measuring.counted(found.fill())[2] == flops


# Queries of 3 steps, keys and values of 6, 8 numbers a step.
KEYS = 6 * 8 * 2 * 3
ATTENTIONS = [
    ({"MultiHeadAttention": {"num_heads": 2, "key_dim": 3}}, 2 * (2 * 3 * 8 * 6 + 2 * KEYS + 3 * 6 * 2 * (3 + 3))),
    (
        {"MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "value_dim": 7}},
        2 * (3 * 8 * 6 + KEYS + 6 * 8 * 14 + 3 * 14 * 8 + 3 * 6 * 2 * (3 + 7)),
    ),
    (
        {"GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}},
        2 * (2 * 3 * 8 * 12 + 2 * 6 * 8 * 6 + 3 * 6 * 4 * (3 + 3)),
    ),
    (
        {"GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, "use_gate": True}},
        2 * (3 * 3 * 8 * 12 + 2 * 6 * 8 * 6 + 3 * 6 * 4 * (3 + 3)),
    ),
    ("Attention", 2 * 3 * 6 * (8 + 8)),
    ({"Attention": {"score_mode": "concat"}}, 2 * 3 * 6 * 8),
    ("AdditiveAttention", 2 * 3 * 6 * (8 + 8)),
    ({"Dot": {"axes": 2}}, 2 * 3 * 6 * 8),
    ({"Dot": {"axes": [-1, -1]}}, 2 * 3 * 6 * 8),
]


@pytest.mark.parametrize(("layer", "flops"), ATTENTIONS, ids=[str(one) for one, _ in ATTENTIONS])
def test_attention_costs_its_kernels_and_every_query_on_every_key_and_value(layer, flops):
    name, given = next(iter(layer.items())) if isinstance(layer, dict) else (layer, {})
    tensors = ["previous", "input"]
    called = dict(zip(("query", "value"), tensors, strict=True)) if "Query" in name or "MultiHead" in name else tensors
    body = {"spec": 1, "name": "one", "family": "rnn", "input": {"shape": [6, 8]}, "classes": 2}
    layers = [{"Cropping1D": {"cropping": [0, 3]}}, {name: {**given, "from": called}}]
    found = selection.load({**body, "layers": layers, "head": ["Flatten"]})

    assert measuring.counted(found.fill())[2] == flops


def test_attention_of_a_sequence_to_itself_counts_each_of_its_values():
    layer = {"MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "value_dim": 7, "from": {"value": "input"}}}
    body = {"spec": 1, "name": "one", "family": "rnn", "input": {"shape": [5, 8]}, "classes": 2}
    found = selection.load({**body, "layers": [layer], "head": ["Flatten"]})

    assert measuring.counted(found.fill())[2] == 2 * (5 * 8 * (6 + 6 + 14 + 14) + 5 * 5 * 2 * (3 + 7)) == 4200


def test_what_is_drawn_several_times_is_decoded_as_often():
    encoded, decoded = 784 * 200 + 200 * 200 + 200 * 100, 50 * 200 + 200 * 200 + 200 * 784

    assert measuring.counted(selection.load("iwae").fill())[2] == 2 * (encoded + 5 * decoded)
    assert measuring.counted(selection.load("iwae", {"latent.Gaussian.samples": 1}).fill())[2] == 2 * (
        encoded + decoded
    )


def test_a_nested_block_costs_as_much_again_when_it_is_reused():
    found = selection.load({
        "spec": 1, "name": "twins", "family": "mlp", "classes": 2,
        "inputs": {"left": {"shape": [8]}, "right": {"shape": [8]}},
        "blocks": {"tower": {"nested": True, "layers": [{"Dense": 5}, {"Dense": 4}]}},
        "layers": [
            {"tower": {"name": "one", "from": "left"}}, {"reuse": {"layer": "one", "name": "two", "from": "right"}},
            {"Subtract": {"from": ["one", "two"]}},
        ],
        "head": [{"Dense": 2}],
    })  # fmt: skip

    total, _, flops = measuring.counted(found.fill())

    assert total == 8 * 5 + 5 + 5 * 4 + 4 + 4 * 2 + 2
    assert flops == 2 * (2 * (8 * 5 + 5 * 4) + 4 * 2)


def test_a_diagram_is_text_in_the_terminal_and_a_picture_in_a_file(say, tmp_path):
    _, told, _ = say("show", "unet", "--diagram")
    code, _, _ = say("show", "unet", "--diagram", "--to", tmp_path / "unet.svg")
    picture = ElementTree.parse(tmp_path / "unet.svg").getroot()
    boxes = picture.findall("{http://www.w3.org/2000/svg}rect")

    nodes = unfolding.unfold(selection.load("unet").fill())[0].nodes
    assert code == 0
    assert len(boxes) == len(nodes) + 1
    assert len([line for line in told.split("\n") if line.startswith("|")]) == len(nodes)
    assert any("<-" in line and "concatenate" in line for line in told.split("\n"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--to", "x.svg"), "--to x.svg has nothing to write; expected --yaml or --diagram with it"),
        (("--layers", "--to", "x.txt"), "--to x.txt has nothing to write"),
        (("--layers", "--yaml"), "--yaml and --layers are 2 ways to show a spec; expected one of them"),
        (("--yaml", "--json"), "--yaml is no JSON; expected --json alone, or with --layers"),
    ],
    ids=" ".join,
)
def test_no_option_of_show_is_ignored_in_silence(options, says, say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told, wrong = say("show", "lenet5", *options)

    assert (code, told) == (1, "")
    assert says in wrong
    assert not list(tmp_path.iterdir())


def test_a_card_names_every_input(say, tmp_path):
    inputs = "inputs: {left: {shape: [8]}, right: {shape: [8]}, label: {shape: [], classes: 3}}"
    layers = (
        "blocks: {tower: {nested: true, layers: [Dense: {name: fc, units: 5}]}}\nlayers:\n"
        "  - tower: {name: one, from: left}\n  - reuse: {layer: one, name: two, from: right}\n"
        "  - CategoryEncoding: {name: coded, num_tokens: 3, output_mode: one_hot, from: label}\n"
        "  - Concatenate: {from: [one, two, coded]}\n"
    )
    text = SMALL.replace("input: {shape: [8, 8, 1]}", inputs).replace("cnn", "mlp") + layers
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")

    _, told, _ = say("show", tmp_path / "mine.yaml")
    rows = {line.split()[0]: " ".join(line.split()) for line in told.splitlines() if line}

    assert rows["input"] == "input left table 8, right table 8, label"
    assert selection.card(selection.load("cvae")).input == "table 784, label"
    assert rows["one"] == "one Sequential left - -"
    assert rows["one/fc"].startswith("one/fc Dense units=5 one/")
    assert rows["two"] == "two Sequential reuses one right - -"
    assert "two/fc" not in rows and told.count("units=5") == 1
    assert rows["concatenate"] == "concatenate Concatenate one, two, coded - -"


def test_nothing_that_is_there_is_overwritten(say, tmp_path):
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")

    code, _, wrong = say("copy", "lenet5", tmp_path / "mine.yaml")

    assert code == 1
    assert "is there already" in wrong
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("My Lenet.yaml", "`My Lenet` is no name of a spec; expected letters a to z or A to Z, digits"),
        ("-x.yaml", "`-x` is no name of a spec"),
        ("mine.txt", "mine.txt is no name of a spec's file; expected one that ends in .yaml"),
        (".", ". is no name of a spec's file"),
    ],
)
def test_a_copy_is_a_file_that_can_be_found_and_read(file, says, say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told, wrong = say("copy", "lenet5", "--", file)

    assert (code, told) == (1, "")
    assert says in wrong
    assert not list(tmp_path.iterdir())


def test_a_copy_without_a_suffix_is_a_yaml_file(say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert say("copy", "lenet5", "foo")[:2] == (0, "foo.yaml is written\n")
    assert selection.load("foo.yaml").name == "foo"


def test_a_stated_size_that_is_not_so_is_told_at_its_line(say, tmp_path):
    file = tmp_path / "mine.yaml"
    say("copy", "lenet5", file)
    text = file.read_text(encoding="utf-8")
    lines = [line.partition(":")[0] for line in text.splitlines()]

    assert say("check", file, "--build")[0] == 0
    assert say("check", file, "--build", "--set", "classes=11")[0] == 0
    file.write_text(text.replace("classes: 10", "classes: 11"), encoding="utf-8")
    assert say("check", file)[0] == 0
    code, told, wrong = say("check", file, "--build")

    assert (code, told) == (1, "")
    assert (
        f"{file}:{lines.index('parameters') + 1}:1: parameters: 61,706 is stated, and `mine` has 61,791 param" in wrong
    )
    assert f"{file}:{lines.index('flops') + 1}:1: flops: " in wrong
    assert "; expected parameters: 61791\n" in wrong
    (tmp_path / "over.yaml").write_text("spec: 1\nname: over\nextends: lenet5\nclasses: 7\n", encoding="utf-8")
    assert say("check", tmp_path / "over.yaml", "--build")[0] == 0


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "cvae"])
def test_a_copy_keeps_its_comments_and_is_the_same_network(name, say, tmp_path):
    code, _, _ = say("copy", name, tmp_path / "mine.yaml")
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    path, variant = selection.names()[name]

    assert code == 0
    assert "name: mine\n" in text
    assert text.replace("name: mine\n", f"name: {path.stem}\n").splitlines()[1:] == path.read_text().splitlines()[1:]
    again = selection.load(f"{tmp_path / 'mine.yaml'}:{variant}" if variant else tmp_path / "mine.yaml")
    assert [n.name for n in unfolding.unfold(again.fill())[0].walk()] == [
        n.name for n in unfolding.unfold(selection.load(name).fill())[0].walk()
    ]


def test_a_copy_names_the_schema_where_it_is_from_every_folder(say, tmp_path):
    (tmp_path / "away").mkdir()
    for source, copy in (("lenet5", "one.yaml"), (tmp_path / "one.yaml", "away/two.yaml")):
        assert say("copy", source, tmp_path / copy)[0] == 0
        named = (tmp_path / copy).read_text(encoding="utf-8").splitlines()[0].partition("$schema=")[2]

        assert named.startswith("file:///")
        assert json.loads(Path(url2pathname(urlsplit(named).path)).read_text(encoding="utf-8")) == schema()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# yaml-language-server: $schema=my.schema.json", "# yaml-language-server: $schema=file://{}/my.schema.json"),
        ("# yaml-language-server: $schema=https://a.org/b", "# yaml-language-server: $schema=https://a.org/b"),
        ("# a note", "# a note"),
    ],
    ids=["a path", "an address", "another comment"],
)
def test_a_copy_of_ones_own_file_keeps_what_its_first_line_means(before, after, say, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"{before}\n{SMALL}{LAYERS}", encoding="utf-8")

    assert say("copy", tmp_path / "mine.yaml", tmp_path / "other.yaml")[0] == 0
    assert (tmp_path / "other.yaml").read_text(encoding="utf-8").splitlines()[0] == after.format(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{spec: 1, extends: base.yaml, name: h}\n", "spec: 1\nextends: base.yaml\n",
        '"spec": 1\n"name": "old"\nextends: base.yaml\n', "spec: 1\nname:\n  old\nextends: base.yaml\n",
        "spec: 1\nname: # what it is called\n  old\nextends: base.yaml\n", "spec: 1\nextends:\n  base.yaml # e\n",
    ],
    ids=["braces", "no name", "quotes", "two lines", "a comment between", "a base on its line"],
)  # fmt: skip
def test_a_copy_of_any_style_is_called_as_its_file_and_extends_the_same(text, say, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "base.yaml").write_text(f"{SMALL}{LAYERS}", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")

    assert say("copy", tmp_path / "mine.yaml", tmp_path / "inner" / "other.yaml")[0] == 0
    found = selection.load(str(tmp_path / "inner" / "other.yaml"))
    assert found.name == "other"
    assert found.data["layers"] == selection.load(str(tmp_path / "base.yaml")).data["layers"]


def test_two_specs_are_compared_as_a_table(say):
    code, told, _ = say("diff", "resnet20", "resnet32", "--json")
    rows = json.loads(told)

    assert code == 0
    assert rows
    assert say("diff", "lenet5", "LeNet-5")[1] == "lenet5 and LeNet-5 are the same network\n"
    changed = json.loads(say("diff", "efficientnetb0", "efficientnetb1", "--json")[1])
    assert {"what": "input", "one": '{"shape": [224, 224, 3]}', "other": '{"shape": [240, 240, 3]}'} in changed


def test_a_value_that_is_wider_than_the_terminal_is_wrapped_and_not_cut(say, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, told, _ = say("diff", "lenet5", "alexnet")
    lines = told.rstrip("\n").split("\n")
    rows = json.loads(say("diff", "lenet5", "alexnet", "--json")[1])
    train = next(row for row in rows if row["what"] == "train.optimizer")

    assert code == 0
    assert lines[0].split() == ["lenet5", "alexnet"]
    assert max(map(len, lines)) <= 80
    assert "..." not in told
    assert json.loads(train["one"]) == selection.load("lenet5").data["train"]["optimizer"]
    letters = "".join(told.split())
    assert all("".join(row["what"].split()) in letters for row in rows if len(row["what"]) < 20)
    assert told.count("learning_rate") >= 2


def test_brackets_in_a_compared_value_are_no_markup(say):
    told = say("diff", "efficientnetb0", "efficientnetb1")[1]

    assert '{"shape": [224, 224, 3]}' in told and '{"shape": [240, 240, 3]}' in told


def test_a_spec_without_a_summary_is_shown_under_its_name_alone(say, tmp_path):
    (tmp_path / "mine.yaml").write_text(SMALL.replace("summary: Mine.\n", "") + LAYERS, encoding="utf-8")

    assert say("show", tmp_path / "mine.yaml")[1].startswith("mine\n\n")
    assert say("show", "lenet5")[1].startswith("lenet5: The convolutional network")


def test_an_ejected_file_says_the_whole_command(folder, say):
    words = ["eject", "mine", "--specs", folder, "--set", "input.shape=[9, 9, 1]", "--set", "l2=0"]
    code, told, _ = say(*words)
    command = ast.get_docstring(ast.parse(told)).splitlines()[-1].strip()

    assert code == 0
    assert shlex.split(command)[:3] == ["zoo", "eject", "mine"]
    assert sorted(shlex.split(command)) == sorted(["zoo", *map(str, words)])
    assert say(*shlex.split(command)[1:])[1] == told
    assert "\n    zoo eject lenet5\n" in say("eject", "lenet5")[1]


def test_a_folder_of_ones_own_is_listed_beside_ours(folder, say, monkeypatch):
    assert "mine" not in say("list")[1]
    assert "mine" in say("list", "--specs", folder)[1]
    assert zoo.load("mine").name == "mine"
    selection._FOLDERS.clear()
    selection.files.cache_clear()
    selection.names.cache_clear()
    monkeypatch.setenv("ZOO_SPECS", str(folder))
    assert say("show", "mine")[0] == 0


def test_a_list_says_what_it_cannot_read_and_what_is_there_twice(folder, say):
    (folder / "broken.yaml").write_text("spec: 1\nfamily: [\n", encoding="utf-8")
    (folder / "deep").mkdir()
    (folder / "deep" / "mine.yaml").write_text(SMALL + LAYERS, encoding="utf-8")

    code, told, wrong = say("list", "--specs", folder)

    assert code == 0
    assert f"\nbroken  cannot be read: zoo check {folder / 'broken.yaml'}\n" in told
    assert wrong.startswith("`mine` is the name of ") and len(wrong.splitlines()) == 1


def test_all_variants_of_a_file_are_checked_and_one_by_its_name(say, tmp_path):
    text = SMALL.replace("name: mine\n", "name: mine\n").replace(
        "classes", "let: {wide: 4}\nvariants: {a: {}, b: {let: {wide: -1}}}\nclasses"
    )
    file = tmp_path / "mine.yaml"
    file.write_text(text + LAYERS.replace("filters: 4", "filters: $wide"), encoding="utf-8")

    code, _, wrong = say("check", file)

    assert code == 1
    assert wrong.startswith(f"{file}:") and "-1" in wrong
    assert say("check", f"{file}:a")[:2] == (0, f"{file}:a: fine\n")
    with pytest.raises(ZooError, match="holds 2 specs; expected one of them"):
        zoo.load(file)


@pytest.mark.parametrize(
    ("layers", "line", "says"),
    [
        (
            "layers:\n  - Conv2D: {filters: 4, kernel_size: 9}\n  - Flatten\n",
            9,
            "Keras refuses Conv2D on (None, 8, 8, 1)",
        ),
        (
            "layers:\n  - MaxPooling2D: {pool_size: 2}\n  - Add: {from: [previous, image]}\n  - Flatten\n",
            10,
            "Keras refuses Add",
        ),
        (
            "layers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n",
            9,
            "the network answers (6, 6, 3) a row; expected (3,)",
        ),
    ],
    ids=["a kernel larger than its input", "shapes that do not meet", "a map where a class is asked for"],
)
def test_what_only_building_can_know_is_told_at_its_line(layers, line, says, say, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(SMALL + layers, encoding="utf-8")

    assert say("check", file)[0] == 0
    code, told, wrong = say("check", file, "--build")

    assert (code, told) == (1, "")
    if says.startswith("Keras"):
        assert wrong.startswith(f"{file}:{line}:")
    assert says in wrong


def test_augmentation_at_the_head_of_a_network_is_active_in_training_alone():
    layers = [
        {"RandomFlip": {"mode": "horizontal"}},
        {"RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3}},
    ]
    spec = {"spec": 1, "name": "flipped", "family": "cnn", "input": {"shape": [8, 8, 1]}, "classes": 2, "l2": 0}
    model = zoo.build({**spec, "layers": [*layers, "Flatten"]}, seed=1)
    body = keras.Model(model.input, model.get_layer("flatten").output)
    x = np.random.default_rng(0).random((16, 8, 8, 1)).astype("float32")

    assert (np.asarray(body(x, training=False)) == x.reshape(16, -1)).all()
    assert (np.asarray(body(x, training=True)) != x.reshape(16, -1)).any()


@pytest.mark.parametrize("layer", ["Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"])
def test_what_could_run_code_is_refused_by_name_with_the_reason(layer):
    with pytest.raises(ZooError, match=rf"`{layer}` is refused: it (holds|wraps|loads).*; expected another layer"):
        zoo.load(
            {"spec": 1, "name": "x", "family": "mlp", "classes": 2, "input": {"shape": [2]}, "layers": [{layer: {}}]}
        )


def test_the_schema_is_printed_as_json(say):
    code, told, _ = say("schema")

    assert code == 0
    assert json.loads(told)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_what_does_not_meet_at_the_end_of_a_range_is_told_by_check_build(tmp_path, say):
    path = tmp_path / "ends.yaml"
    path.write_text(
        "spec: 1\nname: ends\nfamily: cnn\ntask: classification\nclasses: 3\ninput: {shape: [16, 16, 1]}\n"
        "let: {k: {values: [3, 17], default: 3}}\nlayers: [Conv2D: {filters: 4, kernel_size: $k}, Flatten]\n"
    )

    assert say("check", path) == (0, f"{path}: fine\n", "")
    code, _, told = say("check", path, "--build")
    assert code == 1
    assert told.startswith(f"{path}:8:10: layers[0].Conv2D: Keras refuses Conv2D on (None, 16, 16, 1): ")
    assert told.endswith(", where `k` is 17\n")


def test_lambda_is_not_shown_where_a_frozen_layer_keeps_it_from_acting(say):
    code, told, _ = say("show", "mlp", "--set", "frozen=true")
    lines = [line.split() for line in told.splitlines() if " Dense " in line]

    assert code == 0
    assert [line[-2] for line in lines[:-1]] == ["-"] * (len(lines) - 1) and lines[-1][-2] != "-"
    assert "frozen" in told


def test_a_picture_is_written_under_a_name_of_its_kind(say, tmp_path):
    code, _, told = say("show", "mlp", "--diagram", "--to", tmp_path / "mlp.png")

    assert code == 1 and "is no name of an SVG picture; expected one that ends in .svg" in told
    assert not (tmp_path / "mlp.png").exists()


def test_a_spec_and_the_same_written_out_do_not_differ(say, tmp_path):
    code, _, _ = say("show", "mlp", "--yaml", "--to", tmp_path / "mlp.yaml")
    _, told, _ = say("diff", "mlp", tmp_path / "mlp.yaml")

    assert code == 0
    assert not [line for line in told.splitlines() if line.startswith("train")]


@pytest.mark.parametrize(("columns", "fits"), [(None, "whole"), (160, "cut"), (80, "none")])
def test_summaries_are_listed_as_far_as_the_terminal_has_room(columns, fits, say, monkeypatch):
    summary = next(card.summary for card in selection.cards(family="rnn") if card.name == "fcn")
    if columns:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
    lines = say("list", "--family", "rnn")[1].splitlines()
    fcn = next(line for line in lines if line.startswith("fcn "))

    assert (summary in fcn) is (fits == "whole")
    assert (summary[:20] in fcn, lines[0].endswith("summary")) == (fits != "none", fits != "none")
    assert fits != "cut" or max(map(len, lines)) <= columns
