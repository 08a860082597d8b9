"""Every spec goes the whole road: trains, exports, and is served by plain TensorFlow with the same answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import runs, selection
from zoo.building import build
from zoo.exporting import verify
from zoo.language.families import FAMILIES
from zoo.meeting import meet
from zoo.tasks import TASKS
from zoo.tasks.labelling import LABELLING

ROADS = {
    "lenet5 digits": ["serve"],
    "lenet5 fashion_mnist_2k": ["serve"],
    "lstm digits": ["serve"],
    "lstm co2": ["serve"],
    "mlp breast_cancer": ["serve"],
    "mlp diabetes": ["serve"],
    "autoencoder digits": ["serve", "encode", "decode", "reconstruct", "score"],
    "autoencoder breast_cancer": ["serve", "encode", "decode", "reconstruct", "score"],
    "vae digits": ["serve", "encode", "decode", "reconstruct", "score", "sample"],
}

SERVE = """
import json, sys
for blocked in ("zoo", "keras", "keras_tuner"):
    sys.modules[blocked] = None
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
rows = np.load(sys.argv[2])
told = {}
for name, function in loaded.signatures.items():
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    graph = function.graph.as_graph_def()
    ops = {node.op for node in list(graph.node) + [node for inner in graph.library.function for node in inner.node_def]}
    told[name] = {
        "inputs": {key: [one.dtype.name, one.shape.as_list()] for key, one in inputs.items()},
        "outputs": {key: [one.dtype.name, one.shape.as_list()] for key, one in outputs.items()},
        "ops": sorted(ops),
    }
key = next(iter(told["serve"]["inputs"]))
for size in (1, 2, 7):
    for name in ("serve", "serving_default"):
        answers = loaded.signatures[name](**{key: tf.constant(rows[:size])})
        for output, value in answers.items():
            value = value.numpy()
            value = value.astype("U") if value.dtype == object else value
            told.setdefault("answers", {})[f"{name}/{size}/{output}"] = value.tolist()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module", params=sorted(ROADS))
def served(request, folder):
    """The study, the exported folder, and what a process without zoo and Keras says of it."""
    spec, data = request.param.split()
    study = zoo.train(spec, data, epochs=1, run=folder / "runs" / f"{spec}-{data}")
    target = study.export(folder / "served" / f"{spec}-{data}")
    rows = zoo.data(data).test().x[:64]
    np.save(folder / "rows.npy", rows)
    command = [sys.executable, "-I", "-c", SERVE, str(target), str(folder / "rows.npy")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return request.param, study, target, rows, json.loads(ended.stdout.splitlines()[-1])


HALF = """\
spec: 1
name: half
family: cnn
input: {shape: [8, 8, 1]}
dropout: 0.1
dtype: KIND
layers: [Conv2D: {filters: 8, kernel_size: 3}, BatchNormalization, ReLU, Dropout, Flatten]
train: {optimizer: {Adam: {learning_rate: 0.01}}, batch_size: 64, epochs: 3}
"""


@pytest.mark.parametrize("kind", ["mixed_float16", "mixed_bfloat16"])
def test_layers_in_half_precision_are_searched_trained_and_exported(kind, folder):
    import keras

    path = folder / f"{kind}.yaml"
    path.write_text(HALF.replace("half", kind).replace("KIND", kind))
    study = zoo.tune(path, "digits", trials=2, run=folder / "runs" / kind)
    built = build(meet(selection.load(path), zoo.data("digits").description), {}, 1)

    assert study.run.best.score > 0.6
    assert {one.compute_dtype for one in built.network.layers[1:]} == {"float32", kind.removeprefix("mixed_")}
    scaled = isinstance(built.network.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (kind == "mixed_float16")  # the other has the exponents of float32
    assert json.loads((study.export(folder / "served" / kind) / "artifact.json").read_text())["format"] == "saved_model"


@pytest.mark.parametrize("road", sorted(ROADS))
def test_a_model_is_three_models_prepare_network_and_answer(road):
    import keras

    spec, data = road.split()
    rows = zoo.data(data)
    built = build(meet(selection.load(spec), rows.description), {}, 1)
    pieces, works = built.pieces, built.plan.works
    x = keras.ops.convert_to_tensor(rows.validation.x[:5])
    answer = works.answer(pieces)
    found = pieces.network(pieces.prepare(x), training=False)
    told = answer([found, x[:, -1:]] if len(answer.inputs) > 1 else found)

    assert all(isinstance(one, keras.Model) for one in (pieces.prepare, pieces.network, answer))
    assert not answer.weights
    served = works.endpoints(pieces)["serve"].function(**{built.plan.spec.kind: x})
    for name in [name for name in told if spec != "vae"]:  # whose network draws its code, and whose server does not
        assert (np.asarray(told[name]) == np.asarray(served[name])).all()


def test_every_spec_and_every_task_goes_the_road():
    assert {selection.load(road.split()[0]).family for road in ROADS} == set(FAMILIES)
    plans = [meet(selection.load(spec), zoo.data(data).description) for spec, data in map(str.split, ROADS)]
    assert {plan.task for plan in plans} == set(TASKS) - set(LABELLING)  # those go it in test_labelling.py


def test_the_endpoints_have_names_that_tell_and_a_free_batch(served):
    road, study, _, rows, told = served
    kind = study.run.plan.spec.kind

    assert set(told) - {"answers"} == {*ROADS[road], "serving_default"}
    assert told["serve"]["inputs"] == {kind: [rows.dtype.name, [None, *rows.shape[1:]]]}
    assert told["serving_default"]["outputs"] == told["serve"]["outputs"]
    for one in (told[name] for name in ROADS[road]):
        for name, (_, shape) in {**one["inputs"], **one["outputs"]}.items():
            assert not name.startswith(("keras_tensor", "output_", "args_", "inputs_"))
            assert shape == [] or shape[0] is None


def test_a_plain_cpu_can_run_every_op(served):
    for name, one in served[4].items():
        if name != "answers":
            assert not [op for op in one["ops"] if any(word in op for word in ("Cudnn", "PyFunc", "Flex"))]


def test_predict_gives_what_the_served_model_gives_and_a_row_does_not_depend_on_its_neighbours(served):
    _, _, target, rows, told = served
    answers = zoo.predict(target, rows)

    for call, value in told["answers"].items():
        _, size, output = call.split("/")
        mine = answers[output][: int(size)]
        if mine.dtype.kind == "U":
            assert mine.tolist() == value
        else:
            np.testing.assert_allclose(np.asarray(value, mine.dtype), mine, rtol=1e-4, atol=1e-5)


def test_answers_are_in_the_words_and_units_of_the_data(served):
    road, study, target, rows, _ = served
    answers = zoo.predict(target, rows)
    description = study.run.plan.description

    if description.classes and road.split()[0] in ("lenet5", "lstm", "mlp"):
        assert set(answers) == {"label", "predictions"}
        assert set(answers["label"].tolist()) <= set(description.classes)
        np.testing.assert_allclose(answers["predictions"].sum(axis=1), 1, rtol=1e-5)
        chosen = [description.classes[index] for index in answers["predictions"].argmax(axis=1)]
        assert answers["label"].tolist() == chosen
    if road == "lstm co2":
        assert answers["predictions"].shape == (64, 4, 1)
        assert np.abs(answers["predictions"][:, 0, 0] - rows[:, -1, 0]).max() < 10  # ppm, next to the last week read
    if road == "mlp diabetes":
        assert 25 < answers["predictions"].mean() < 346
    if road.startswith(("autoencoder", "vae")):
        assert answers["reconstruction"].shape == rows.shape
        assert answers["score"].shape == (64,)


def test_the_artifact_says_what_it_is(served):
    road, study, target, _, _ = served
    artifact = json.loads((target / "artifact.json").read_text())

    assert list(artifact["endpoints"]) == ROADS[road]
    assert artifact["values"] == study.values
    assert artifact["verified"]["short"] == [] and artifact["verified"]["rows"] > 64
    assert artifact["labels"] == list(study.run.plan.description.classes)


@pytest.mark.parametrize("served", [road for road in sorted(ROADS) if not road.startswith("vae")], indirect=True)
def test_the_figures_of_a_study_follow_from_the_exports_answers(served):
    road, study, target, _, _ = served
    metric = study.run.plan.metric
    rows = zoo.data(road.split()[1]).test()
    answers = zoo.predict(target, rows.x)
    if metric == "accuracy":
        mine = float((answers["predictions"].argmax(axis=1) == rows.y).mean())
    elif metric == "mae":
        mine = float(np.abs(answers["predictions"].reshape(rows.y.shape) - rows.y).mean())
    else:
        mine = float(answers["score"].mean())

    assert study.test["tuned"][metric] == pytest.approx(mine, rel=1e-4)


@pytest.mark.parametrize("served", [road for road in sorted(ROADS) if "encode" in ROADS[road]], indirect=True)
def test_encode_then_decode_is_reconstruct(served):
    _, _, target, rows, _ = served
    code = zoo.predict(target, rows, "encode")["code"]

    decoded = zoo.predict(target, code, "decode")["reconstruction"]
    np.testing.assert_allclose(
        decoded, zoo.predict(target, rows, "reconstruct")["reconstruction"], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        zoo.predict(target, rows, "score")["score"], zoo.predict(target, rows)["score"], rtol=1e-4
    )


@pytest.mark.parametrize("served", ["vae digits"], indirect=True)
def test_samples_are_rows_and_follow_from_their_seed(served):
    import tensorflow as tf

    sample = tf.saved_model.load(str(served[2])).signatures["sample"]
    first, again, other = (sample(count=tf.constant(5), seed=tf.constant(seed))["sample"].numpy() for seed in (1, 1, 2))

    assert first.shape == (5, 8, 8, 1)
    assert (first == again).all() and (first != other).any()
    assert first.min() >= 0 and first.max() <= 16


def test_an_export_is_verified_row_by_row_and_a_wrong_answer_is_found(served, tmp_path):
    _, _, target, _, _ = served
    with np.load(target / "probes.npz") as archive:
        probes = {name: archive[name] for name in archive.files}
    victim = next(name for name in probes if "/out/" in name and probes[name].dtype.kind == "f")
    probes[victim] = probes[victim] + np.float32(0.01) * (1 + np.abs(probes[victim]))
    np.savez(tmp_path / "wrong.npz", **probes)
    command = [sys.executable, "-I", verify.__file__, str(target), str(tmp_path / "wrong.npz")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "differs by" in ended.stdout


@pytest.mark.parametrize("served", ["mlp breast_cancer"], indirect=True)
def test_a_strangers_folder_is_refused_an_earlier_export_is_replaced_and_nothing_is_left_behind(served, tmp_path):
    run = served[1].folder
    stranger = tmp_path / "mine"
    stranger.mkdir()
    (stranger / "letter.txt").write_text("keep me")

    with pytest.raises(zoo.ZooError, match="was not made by zoo"):
        zoo.export(run, stranger)
    assert os.listdir(tmp_path) == ["mine"] and os.listdir(stranger) == ["letter.txt"]
    for _ in range(2):
        assert zoo.export(run, tmp_path / "served") == tmp_path / "served"
    assert sorted(os.listdir(tmp_path)) == ["mine", "served"]
    (tmp_path / "served" / "README.txt").write_text("keep me too")
    with pytest.raises(
        zoo.ZooError, match=r"README.txt was not made by zoo, and .* would be replaced; expected it to be"
    ):
        zoo.export(run, tmp_path / "served")
    assert (tmp_path / "served" / "README.txt").read_text() == "keep me too"


def test_an_unfinished_run_is_not_exported(tmp_path):
    plan = meet(selection.load("mlp"), zoo.data("breast_cancer").description)
    with runs.opened(tmp_path / "run", plan):
        pass

    with pytest.raises(zoo.ZooError, match="is not finished; expected a study to its end"):
        zoo.export(tmp_path / "run")
