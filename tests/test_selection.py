"""A folder of one's own specs is known by name, in whatever order its files say things, finished or not."""

from __future__ import annotations

import pytest

from zoo import selection
from zoo.errors import ZooError
from zoo.language import unfolding, writing

HEAD = "spec: 1\nname: {name}\nfamily: mlp\ntask: classification\nclasses: 3\ninput: {{shape: [8]}}\n"
BODY = "layers: [Dense: {units: $wide}]\n"
LET = "let: {wide: 4}\n"
VARIANTS = "variants: {narrow: {}, wide: {let: {wide: 64}}, broken: {let: {wide: 0}}}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that is known for one test."""
    monkeypatch.setattr(selection, "_FOLDERS", [])
    for cached in (selection.files, selection.names):
        cached.cache_clear()
    selection.add(tmp_path)
    yield tmp_path
    for cached in (selection.files, selection.names):
        cached.cache_clear()


def test_variants_below_the_body_are_variants_all_the_same(folder):
    (folder / "sizes.yaml").write_text(HEAD.format(name="sizes") + LET + BODY + VARIANTS)

    found, problems = selection.all_in(str(folder / "sizes.yaml"))

    assert [one.name for one in found] == ["narrow", "wide", "broken"]
    assert [one.wrong for one in problems] == ["`$wide` is `0`, in the variant `broken`"]
    assert {"narrow", "wide"} <= set(selection.names())
    which = ", ".join(f"{folder}/sizes.yaml:{one}" for one in ("narrow", "wide", "broken"))
    with pytest.raises(ZooError, match=f"sizes.yaml holds 3 specs; expected one of them: {which}$"):
        selection.load(folder / "sizes.yaml")


def test_what_is_wrong_with_some_variants_says_with_which(folder):
    """What all of them have, and what stands in a variant itself, needs no such word."""
    (folder / "some.yaml").write_text(
        HEAD.format(name="some") + "let: {deep, odd: 3}\n"
        "variants: {a: {let: {deep: 2}}, b: {classes: 5}, c: {extends: b, let: {nine: 9}}, d: {let: {deep: 1}}}\n"
        "layers: [Dense: $deep, Dense: {units: 8, rat: 2}]\n"
    )
    _, problems = selection.all_in(str(folder / "some.yaml"))

    assert [(one.path, one.wrong) for one in sorted(problems, key=lambda one: one.place)] == [
        ("let.odd", "nothing reads it"),
        ("variants.c.let.nine", "the base has no `let` of this name"),
        ("layers[0].Dense.units", "`$deep` has no value here, in the variants `b` and `c`"),
        ("layers[1].Dense.rat", "no such argument"),
    ]
    (folder / "some.yaml").write_text(
        HEAD.format(name="some") + "let: {deep}\n"
        "variants: {a: {let: {deep: 2}}, b: {classes: 5}, c: {extends: b, targets: 2}, d: {let: {deep: 1}}}\n"
        "layers: [Dense: $deep]\n"
    )
    _, problems = selection.all_in(str(folder / "some.yaml"))

    assert [one.wrong for one in sorted(problems, key=lambda one: one.place)] == [
        "nothing reads it in classification, in the variant `c`",
        "`$deep` has no value here, in the variants `b` and `c`",
    ]
    assert [one.wrong for one in selection.all_in(f"{folder}/some.yaml:b")[1]] == ["`$deep` has no value here"]


def test_what_a_card_needs_may_stand_below_the_body_or_in_another_file(folder):
    (folder / "coded.yaml").write_text(
        "spec: 1\nname: coded\nfamily: vae\ninput: {shape: [8]}\n"
        "encoder: [Dense: 4]\nlatent: {Gaussian: {units: 2}}\ndecoder: [Dense: 4]\n"
    )
    (folder / "base.yaml").write_text(HEAD.format(name="base") + LET + BODY)
    (folder / "child.yaml").write_text("spec: 1\nname: child\nextends: base.yaml\nparameters: 55\n")

    cards = {card.name: card for card in selection.cards()}

    assert cards["coded"].task == "generation"
    assert (cards["child"].family, cards["child"].input, cards["child"].parameters) == ("mlp", "table 8", 55)


def test_a_child_found_by_name_finds_its_base_beside_it(folder, monkeypatch, tmp_path_factory):
    (folder / "base.yaml").write_text(HEAD.format(name="base") + LET + BODY)
    (folder / "child.yaml").write_text("spec: 1\nname: child\nextends: base.yaml\nlet: {wide: 16}\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert selection.load("child").data["let"] == {"wide": 16}


@pytest.mark.parametrize("text", ["spec: 1\n", "spec: 1\nfamily: [\n", "- a list\n", "spec: 1\nextends: nobody\n"])
def test_a_file_that_is_not_done_yet_is_listed_and_hides_no_other(folder, text):
    (folder / "unfinished.yaml").write_text(text)

    cards = {card.name: card for card in selection.cards()}

    assert cards["unfinished"].summary == f"cannot be read: zoo check {folder / 'unfinished.yaml'}"
    assert "lenet5" in cards


def test_the_name_of_a_file_of_many_specs_says_which_there_are():
    with pytest.raises(ZooError, match="`resnet` is a file of 6 specs; expected one of them: resnet50, "):
        selection.load("resnet")


def test_a_spec_of_unknown_size_is_under_no_limit(folder):
    (folder / "unsized.yaml").write_text(HEAD.format(name="unsized") + LET + BODY)
    (folder / "sized.yaml").write_text(HEAD.format(name="sized") + "parameters: 51\n" + LET + BODY)

    under = {card.name for card in selection.cards(parameters=100)}

    assert "sized" in under
    assert "unsized" not in under
    assert "unsized" in {card.name for card in selection.cards()}


def test_a_limit_below_all_says_who_is_the_smallest():
    says = "no spec like that has 1,000,000 parameters at most: `unet` has 31,030,658; expected a larger limit"
    with pytest.raises(ZooError, match=says):
        selection.cards("unet", parameters=1_000_000)
    with pytest.raises(ZooError, match="no spec like that has 9 parameters at most: `mnist_convnet` has 34,826; "):
        selection.cards("*", "cnn", "", 9)


def test_a_spec_without_a_task_is_for_all_that_come_once_a_row():
    for task in ("classification", "multilabel", "regression", "forecasting"):
        assert "mlp" in {card.name for card in selection.cards(task=task)}
    for task, only in (("segmentation", {"unet"}), ("language", {"charlm"})):
        assert {card.name for card in selection.cards(task=task)} == only


def test_the_figures_of_a_spec_below_are_not_those_of_a_card(folder):
    (folder / "over.yaml").write_text("spec: 1\nname: over\nextends: lenet5\nclasses: 7\n")

    for card in (selection.card(selection.load("over")), *selection.cards("over")):
        assert (card.parameters, card.flops) == (None, None)
    for name in ("lenet5", "resnet50"):
        assert selection.card(selection.load(name)) == selection.cards(name)[0]
        assert selection.cards(name)[0].parameters


def test_figures_of_before_a_change_are_no_figures_of_the_network(folder):
    changed = selection.load("lenet5", {"classes": 3})
    trained = selection.load("lenet5", {"train.epochs": 3, "l2": 0.1})

    assert not {"parameters", "flops", "metric"} & {*changed.held()}
    assert trained.held()["parameters"] == selection.load("lenet5").data["parameters"]
    assert selection.load("lenet5", {"classes": 3, "parameters": 7}).held()["parameters"] == 7
    for spec in (changed, selection.load("vae", {"latent.Gaussian.units": 3})):
        flat = unfolding.unfold(spec.fill())[0]
        assert "parameters" not in writing.written_out(spec.fill(), flat, unfolding.names(spec.fill()))


def test_a_card_whose_figures_are_none_hides_no_other(folder):
    (folder / "odd.yaml").write_text(HEAD.format(name="odd") + "parameters: many\n" + LET + BODY)

    assert {card.name: card for card in selection.cards()}["odd"].summary.startswith("cannot be read")
    assert selection.cards(parameters=10**9)


def test_the_specs_of_runs_are_not_listed(folder):
    (folder / "runs" / "mine-digits" / "exports").mkdir(parents=True)
    (folder / "runs" / "mine-digits" / "plan.json").write_text("{}")
    for place in (".", "runs/mine-digits", "runs/mine-digits/exports"):
        (folder / place / f"best{len(place)}.yaml").write_text(HEAD.format(name="best") + LET + BODY)

    assert [name for name in selection.names() if name.startswith("best")] == ["best1"]


def test_two_files_of_one_name_are_told(folder):
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / "same.yaml").write_text(HEAD.format(name="same") + LET + BODY)
    (folder / "lenet5.yaml").write_text(HEAD.format(name="lenet5") + LET + BODY)
    selection.add(folder / "b")

    found = [folder / place / "same.yaml" for place in ("a", "b")]
    assert selection.twice() == [f"`same` is the name of {found[0]} and of {found[1]}; the last of them is meant"]
    assert selection.find("same")[0] == folder / "b" / "same.yaml"


@pytest.mark.parametrize("name", ["lenet5", "resnet50"])
@pytest.mark.parametrize("by_path", [True, False])
def test_a_spec_of_ones_own_may_be_laid_over_the_zoos_of_its_name(folder, name, by_path, monkeypatch):
    (folder / f"{name}.yaml").write_text(f"spec: 1\nname: {name}\nextends: {name}\nclasses: 7\n")
    monkeypatch.chdir(folder)

    found = selection.load(f"{name}.yaml" if by_path else name)

    assert (found.name, found.data["classes"], found.family) == (name, 7, "cnn")


def test_a_file_of_ones_own_outside_every_folder_may_have_a_name_of_the_zoo(tmp_path, monkeypatch):
    (tmp_path / "lenet5.yaml").write_text("spec: 1\nname: lenet5\nextends: lenet5\nclasses: 7\n")
    monkeypatch.chdir(tmp_path)

    assert selection.load("lenet5.yaml").data["classes"] == 7


def test_a_spec_that_extends_its_own_name_which_the_zoo_has_not_extends_itself(folder):
    (folder / "mine.yaml").write_text("spec: 1\nname: mine\nextends: mine\nclasses: 7\n")

    with pytest.raises(ZooError, match="`mine` is this spec itself"):
        selection.load("mine")


def test_every_end_of_a_range_that_decides_a_shape_is_tried():
    spec = {
        "spec": 1, "name": "t", "family": "mlp", "task": "classification", "classes": 3, "input": {"shape": [8]},
        "let": {"wide": {"values": [4, 2, 8], "default": 4}}, "layers": [{"Dense": {"units": "$wide - 2"}}],
    }  # fmt: skip

    with pytest.raises(ZooError) as caught:
        selection.load(spec)

    assert [one.wrong for one in caught.value.problems] == ["`$wide - 2` is `0` where `wide` is 2"]


@pytest.mark.parametrize("name", ["123", "1e3", "no", "null", "0x1F", "a.b-c"])
def test_a_copy_is_called_by_its_file_whatever_yaml_makes_of_the_word(folder, name):
    (folder / f"{name}.yaml").write_text(selection.copied("lenet5", name, folder))

    assert selection.load(folder / f"{name}.yaml").name == name


@pytest.mark.parametrize("extends", ["base.yaml", '"base.yaml"', "./base.yaml   # ours", "base.yaml:wide"])
@pytest.mark.parametrize("to", ["a", "a/b", ".", "c"])
def test_a_copy_extends_what_it_extended(tmp_path, extends, to, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in {"a", to}:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
    variants = "variants: {wide: {}}\n" if ":" in extends else ""
    (tmp_path / "a" / "base.yaml").write_text(HEAD.format(name="base") + LET + variants + BODY)
    kid = f"spec: 1\nname: kid   # ours\nextends: {extends}\nclasses: 7\n"
    (tmp_path / "a" / "kid.yaml").write_text(kid)

    text = selection.copied("a/kid.yaml", "copy", tmp_path / to)
    (tmp_path / to / "copy.yaml").write_text(text)

    assert selection.load(f"{to}/copy.yaml").data == {**selection.load("a/kid.yaml").data, "name": "copy"}
    assert "name: copy   # ours\n" in text
    assert text.count("#") == kid.count("#")
    assert "base.yaml" in text and str(tmp_path) not in text


def test_a_copy_of_what_extends_a_name_still_does(folder):
    (folder / "over.yaml").write_text("spec: 1\nname: over\nextends: lenet5\nclasses: 7\n")

    assert selection.copied("over", "mine", folder / "x") == "spec: 1\nname: mine\nextends: lenet5\nclasses: 7\n"


def test_the_end_of_a_range_is_told_in_words_of_the_language():
    spec = {
        "spec": 1, "name": "t", "family": "mlp", "task": "classification", "classes": 3, "input": {"shape": [8]},
        "let": {"on": {"values": [True, False], "default": True}},
        "layers": [{"Dense": {"name": "a", "units": 8, "if": "$on"}}, {"Dense": {"units": 8, "from": "a"}}],
    }  # fmt: skip

    with pytest.raises(ZooError, match="its `if` is false where `on` is false; expected"):
        selection.load(spec)


def test_a_spec_that_is_changed_keeps_the_places_of_its_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("spec: 1\nname: mine\nfamily: mlp\nclasses: 3\ninput: {shape: [8]}\nlayers: [Dense: 4]\n")
    found = selection.load(selection.load(str(path)), {"classes": 5})

    assert found.source == selection.load(str(path)).source and found.facts["classes"] == 5
    assert found.place(("layers", 0, "Dense")).line == 6


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("LeNet-5", {"lenet5"}),
        ("lenet*", {"lenet5"}),
        ("ResNet[0-9]*V2", {"resnet50v2", "resnet101v2", "resnet152v2"}),
        ("EfficientNet[B][01]", {"efficientnetb0", "efficientnetb1"}),
        ("VGG1[!0-8]", {"vgg19"}),
    ],
)
def test_a_pattern_is_matched_without_case_and_hyphens_but_for_what_stands_in_brackets(pattern, found):
    assert {card.name for card in selection.cards(pattern)} == found


def test_links_to_nowhere_and_hidden_files_are_no_specs_and_both_ends_of_names_are_read(tmp_path, monkeypatch):
    text = "spec: 1\nname: {}\nfamily: mlp\nclasses: 3\ninput: {{shape: [8]}}\nlayers: [Dense: 4]\n"
    (tmp_path / "mynet.yaml").write_text(text.format("mynet"))
    (tmp_path / "other.yml").write_text(text.format("other"))
    (tmp_path / ".#mynet.yaml").symlink_to("me@host.1")
    (tmp_path / ".hidden.yaml").write_text("no spec")
    monkeypatch.setattr(selection, "_FOLDERS", [])
    selection.add(tmp_path)
    try:
        assert {"mynet", "other"} <= set(selection.names())
        assert selection.load("other").name == "other"
    finally:
        selection._FOLDERS.clear()
        selection.files.cache_clear()
        selection.names.cache_clear()


def test_the_keys_of_a_user_s_own_stand_in_any_order_and_a_torn_file_is_said(tmp_path):
    late = "layers: [Dense: 16]\nname: late\nparameters: 275\nfamily: mlp\nclasses: 3\ninput: {shape: [13]}\nspec: 1\n"
    (tmp_path / "late.yaml").write_text(late)
    (tmp_path / "torn.yaml").write_text(late.replace("]", "", 1))
    selection.add(tmp_path)
    try:
        [one], [torn] = selection.cards("late", parameters=300), selection.cards("torn")
    finally:
        selection._FOLDERS.remove(tmp_path)
        selection.files.cache_clear()
        selection.names.cache_clear()

    assert (one.family, one.input, one.parameters) == ("mlp", "table 13", 275)
    assert torn.summary == f"cannot be read: zoo check {tmp_path / 'torn.yaml'}"
