"""The bounds, divergences and quantisers of autoencoders: each formula against one written down another way."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import stats

import zoo
from zoo.errors import ZooError
from zoo.layers.latent import (
    EvidenceLowerBound,
    Sampling,
    VectorQuantizer,
    importance_weighted,
    kl_divergence,
    log_ratio,
    mean_discrepancy,
    negative_log_likelihood,
)
from zoo.layers.published import LayerScale, Take

rng = np.random.default_rng(0)
X = rng.uniform(0.05, 0.95, (6, 5)).astype("float32")
P = rng.uniform(0.05, 0.95, (6, 5)).astype("float32")
MEAN, LOG_VAR = rng.normal(size=(2, 6, 3)).astype("float32")


def test_a_likelihood_is_the_density_that_scipy_knows():
    ones = (X > 0.5).astype("float32")
    bernoulli = -stats.bernoulli.logpmf(ones, P).sum(axis=1)
    gaussian = -stats.norm.logpdf(X, loc=P).sum(axis=1)
    chosen = np.eye(5, dtype="float32")[rng.integers(0, 5, 6)]
    shares = P / P.sum(axis=1, keepdims=True)
    categorical = -np.log((chosen * shares).sum(axis=1))

    np.testing.assert_allclose(negative_log_likelihood("bernoulli", ones, P), bernoulli, rtol=1e-5)
    np.testing.assert_allclose(negative_log_likelihood("gaussian", X, P), gaussian, rtol=1e-5)
    np.testing.assert_allclose(negative_log_likelihood("categorical", chosen, shares), categorical, rtol=1e-5)


def test_a_divergence_is_the_mean_of_the_ratio_of_densities():
    draws = rng.normal(size=(200_000, 3)) * np.exp(LOG_VAR[0] / 2) + MEAN[0]
    ratio = stats.norm.logpdf(draws, MEAN[0], np.exp(LOG_VAR[0] / 2)) - stats.norm.logpdf(draws)

    assert float(kl_divergence(MEAN, LOG_VAR)[0]) == pytest.approx(ratio.sum(axis=1).mean(), rel=0.02)


def test_a_ratio_is_that_of_scipys_densities():
    code = rng.normal(size=(6, 3)).astype("float32")
    wanted = stats.norm.logpdf(code) - stats.norm.logpdf(code, MEAN, np.exp(LOG_VAR / 2))

    np.testing.assert_allclose(log_ratio(code, MEAN, LOG_VAR), wanted.sum(axis=1), rtol=1e-4, atol=1e-4)


def test_the_importance_weighted_bound_is_the_log_of_a_mean():
    weights = rng.uniform(0.1, 3.0, (6, 4))

    np.testing.assert_allclose(importance_weighted(np.log(weights)), np.log(weights.mean(axis=1)), rtol=1e-5)


def test_the_mean_discrepancy_is_what_many_draws_of_the_prior_give():
    code = rng.normal(1.0, 0.5, (64, 2)).astype("float32")
    prior = rng.normal(size=(4000, 2))

    def kernel(one, other):
        return np.exp(-((one[:, None] - other[None]) ** 2).sum(axis=2) / 2**2).mean()

    wanted = kernel(code, code) - 2 * kernel(code, prior) + kernel(prior, prior)
    assert float(mean_discrepancy(code)) == pytest.approx(wanted, abs=0.01)
    assert float(mean_discrepancy(rng.normal(size=(500, 2)).astype("float32"))) < 0.01


def bound(training=False, **weights):
    samples = weights.get("samples", 1)
    layer = EvidenceLowerBound("bernoulli", **weights)
    code = np.repeat(MEAN, samples, axis=0) + 0.1
    layer([X, np.repeat(P, samples, axis=0), MEAN, LOG_VAR, code], training=training)
    return float(layer.losses[0]), {one.name: float(one.result()) for one in layer.trackers}, layer


def test_the_loss_is_the_bound_and_beta_weighs_the_divergence_alone():
    plain, told, _ = bound()
    heavy, same, _ = bound(kl=4.0)

    assert plain == pytest.approx(told["negative_elbo"])
    assert told["negative_elbo"] == pytest.approx(told["reconstruction_error"] + told["kl"], rel=1e-5)
    assert heavy == pytest.approx(told["reconstruction_error"] + 4 * told["kl"], rel=1e-5)
    assert same == told  # what is told holds no weight


def test_the_weight_of_the_divergence_rises_with_the_steps_of_training():
    _, told, layer = bound(warm_up=4)
    losses = []
    for _ in range(6):
        layer([X, P, MEAN, LOG_VAR, MEAN], training=True)
        losses.append(float(layer.losses[-1]))
    shares = [(one - told["reconstruction_error"]) / told["kl"] for one in losses]

    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0], rel=1e-4)
    assert [one.path.split("/")[-1] for one in layer.non_trainable_weights] == ["step"]


def test_more_draws_make_the_bound_tighter_on_the_same_model():
    one, many = (
        zoo.build(zoo.load("iwae", {"latent": {"Gaussian": {"units": 50, "samples": k}}}), seed=3) for k in (1, 64)
    )
    x = (rng.uniform(size=(32, 784)) > 0.7).astype("float32")
    for model in (one, many):
        model.evaluate(x, batch_size=32, verbose=0)
    found = [model.get_layer("evidence").trackers[0] for model in (one, many)]

    assert float(found[1].result()) < float(found[0].result())


def test_mmd_is_added_with_its_weight():
    plain, _, layer = bound()
    more, _, _ = bound(mmd=10.0)

    assert more - plain == pytest.approx(10 * float(mean_discrepancy(MEAN + 0.1)), rel=1e-4)
    assert layer.get_config()["mmd"] == 0.0


def test_draws_have_the_mean_and_the_deviation_that_they_are_told():
    mean, log_var = np.full((2, 50_000, 1), [[1.5]], "float32")
    drawn = np.asarray(Sampling(samples=2, seed=1)([mean, log_var]))

    assert drawn.shape == (100_000, 1)
    assert drawn.mean() == pytest.approx(1.5, abs=0.03)
    assert drawn.std() == pytest.approx(np.exp(0.75), rel=0.02)


def test_a_vector_becomes_the_nearest_code_and_gradients_pass():
    import tensorflow as tf

    layer = VectorQuantizer(codes=7, seed=1)
    x = tf.Variable(rng.normal(0, 0.1, (4, 3, 5)).astype("float32"))
    with tf.GradientTape() as tape:
        out = layer(x)
        total = tf.reduce_sum(out * 3.0)
    codes = layer.embeddings.numpy().T
    nearest = ((x.numpy()[..., None, :] - codes) ** 2).sum(axis=-1).argmin(axis=-1)

    np.testing.assert_allclose(out, codes[nearest], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, x), 3.0)
    gap = ((x.numpy() - codes[nearest]) ** 2).mean()
    assert float(layer.losses[0]) == pytest.approx(1.25 * gap, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "x", "wanted"),
    [
        (Take([2, 1, 0]), X[:, None, :3], X[:, None, [2, 1, 0]]),
        (Take(-1, axis=1), P[:, :, None], P[:, -1, None]),
        (LayerScale(0.5), X, X * np.float32(0.5)),
    ],
)
def test_a_layer_of_ours_computes_what_it_says_and_reloads(layer, x, wanted, tmp_path):
    assert (np.asarray(layer(x)) == wanted).all()
    source = keras.Input(x.shape[1:])
    model = keras.Model(source, layer(source))
    model.save(tmp_path / "model.keras")

    again = keras.models.load_model(tmp_path / "model.keras")

    assert tuple(model.output_shape[1:]) == wanted.shape[1:]
    assert (np.asarray(again(x)) == wanted).all()


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Take([5, 6]), "index 6 is beyond the 6 parts along axis -1, 0 to 5"),
        (Take(-7), "index -7 is beyond the 6 parts along axis -1"),
        (Take(0, axis=2), "axis 2 is beyond the 2 axes of the input"),
        (Take(0, axis=-3), "axis -3 is beyond the 2 axes of the input"),
        (Take([]), "indices is an empty list, which takes nothing"),
    ],
)
def test_what_is_not_there_cannot_be_taken(layer, says):
    with pytest.raises(ValueError, match=says):
        layer(keras.Input((6,)))


def test_the_codes_learn_from_the_codebooks_loss_alone():
    import tensorflow as tf

    x = tf.constant(rng.normal(0, 0.1, (4, 3, 5)).astype("float32"))

    def gradients(commitment):
        layer, given = VectorQuantizer(codes=7, commitment=commitment, seed=1), tf.Variable(x)
        layer.build(x.shape)
        with tf.GradientTape(persistent=True) as tape:
            layer(given)
            loss = layer.losses[0]
        return np.asarray(tape.gradient(loss, layer.embeddings.value)), np.asarray(tape.gradient(loss, given))

    (codes, inputs), (same, four_times) = gradients(0.25), gradients(1.0)

    assert np.abs(codes).max() > 0
    np.testing.assert_allclose(same, codes, rtol=1e-5)  # of ||sg[z] - e||^2, which commitment does not weigh
    np.testing.assert_allclose(four_times, 4 * inputs, rtol=1e-5)


def test_a_frozen_autoencoder_trains_its_decoder_and_leaves_its_encoder():
    from zoo.language import unfolding

    spec = zoo.load({
        "spec": 1, "name": "still", "family": "ae", "input": {"shape": [5]}, "l2": 0, "frozen": True,
        "encoder": [{"Dense": {"units": 4, "name": "in"}}], "latent": {"Dense": 3},
        "decoder": [{"Dense": {"units": 4, "name": "out"}}],
    })  # fmt: skip
    flat, _ = unfolding.unfold(spec.fill())
    marked = {node.name: node.frozen for node in flat.walk() if node.layer == "Dense"}
    model = zoo.build(spec, seed=1)
    before = {one.path: one.numpy() for one in model.get_layer("encoder").weights}
    decoder = model.get_layer("decoder").get_layer("out").kernel
    began = decoder.numpy()

    model.fit(X, X, epochs=2, verbose=0)

    assert marked["in"] and not marked["out"]
    assert before and all((one.numpy() == before[one.path]).all() for one in model.get_layer("encoder").weights)
    assert (decoder.numpy() != began).any()


@pytest.mark.parametrize("name", ["iwae", "vqvae", "beta_vae", "cvae", "conv_vae"])
def test_a_trained_autoencoder_reloads_and_goes_on(name, tmp_path):
    model = zoo.build(zoo.load(name), seed=1)
    shapes = [one.shape[1:] for one in model.inputs]
    x = [rng.uniform(size=(8, *shape)).astype("float32") if shape else rng.integers(0, 9, 8) for shape in shapes]
    x = x if len(x) > 1 else x[0]
    targets = x if name == "vqvae" else None
    model.fit(x, targets, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")

    again = keras.models.load_model(tmp_path / "model.keras")

    for one, other in zip(model.weights, again.weights, strict=True):
        assert (one.numpy() == other.numpy()).all()
    assert again.fit(x, targets, epochs=1, verbose=0).history["loss"][0] > -np.inf
    assert again.get_layer("decoder") is not None


# Contraction

CONTRACTED = {
    "spec": 1,
    "name": "contracted",
    "family": "ae",
    "input": {"shape": [5]},
    "l2": 0,
    "penalties": {"contractive": 0.3},
    "encoder": [],
    "latent": {"Dense": {"units": 3, "activation": "sigmoid"}},
    "decoder": [],
}


def jacobian(kernel, bias, x):
    """The squared norm of the Jacobian of one sigmoid layer at each row, in closed form."""
    code = 1 / (1 + np.exp(-(x.astype("float64") @ kernel + bias)))
    return ((code * (1 - code)) ** 2 @ (kernel.astype("float64") ** 2).sum(axis=0)), code


def test_a_contraction_is_the_norm_of_the_jacobian_in_the_loss():
    model = zoo.build(CONTRACTED, seed=1)
    model.set_weights([rng.normal(size=one.shape) for one in model.get_weights()])
    kernel, bias = model.get_layer("encoder").get_weights()
    x = np.repeat(X, 4000, axis=0)
    meant = jacobian(kernel, bias, X)[0].mean()
    loss, mse, contraction = (
        model.evaluate(x, x, batch_size=len(x), verbose=0, return_dict=True)[key]
        for key in ("loss", "mse", "contraction")
    )

    assert contraction == pytest.approx(meant, rel=0.02)
    assert mse == pytest.approx(float(np.mean((model.predict(X, verbose=0) - X) ** 2)), rel=1e-4)
    assert loss == pytest.approx(mse + 0.3 * contraction, rel=1e-2)


def test_a_contraction_is_learnt_from_and_no_answer_knows_it(tmp_path):
    plain = {key: value for key, value in CONTRACTED.items() if key != "penalties"}
    found = {}
    for weight in (0.0, 1.0):
        fast = {"optimizer": {"Adam": {"learning_rate": 0.03}}}
        model = zoo.build({**CONTRACTED, "penalties": {"contractive": weight}, "train": fast}, seed=1)
        assert [one.shape for one in model.get_weights()] == [one.shape for one in zoo.build(plain).get_weights()]
        model.fit(X, X, epochs=150, verbose=0)
        found[weight] = jacobian(*model.get_layer("encoder").get_weights(), X)[0].mean()
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
        again.fit(X, X, epochs=1, verbose=0)

    assert found[1.0] < 0.7 * found[0.0]


def test_the_weight_of_a_contraction_is_searched_and_the_export_has_none_of_it(tmp_path):
    weight = {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log", "default": 1e-3}
    rows = rng.normal(size=(80, 5)).astype("float32")
    spec = {**CONTRACTED, "penalties": {"contractive": weight}}
    study = zoo.tune(spec, {"x_train": rows}, trials=3, epochs=2, oracle="random", run=tmp_path / "run", workers=1)
    folder = study.export(tmp_path / "out")

    assert set(study.values) == {"penalties.contractive"}
    assert len({one["score"] for one in study.trials}) == 3
    assert zoo.predict(folder, rows[:4], endpoint="encode")["code"].shape == (4, 3)
    assert len(study.run.plan.spec.written()["penalties"]) == 1


# Sparsity

SPARSE = {**CONTRACTED, "name": "sparse", "penalties": {"sparsity": {"weight": 0.3, "target": 0.1}}}


def divergences(model, x, target):
    """The sum over the units of KL(target || mean answer), written down another way: as differences of entropies."""
    q = model.get_layer("encoder").predict(x, verbose=0).astype("float64").mean(axis=0)
    p = np.full_like(q, target)
    cross, own = -p * np.log(q) - (1 - p) * np.log1p(-q), -p * np.log(p) - (1 - p) * np.log1p(-p)
    return float((cross - own).sum())


def test_sparsity_is_the_divergence_of_the_mean_answers_in_the_loss():
    model = zoo.build(SPARSE, seed=1)
    model.set_weights([rng.normal(size=one.shape) for one in model.get_weights()])
    found = model.evaluate(X, X, batch_size=len(X), verbose=0, return_dict=True)

    assert found["sparsity"] == pytest.approx(divergences(model, X, 0.1), rel=1e-4)
    assert found["loss"] == pytest.approx(found["mse"] + 0.3 * found["sparsity"], rel=1e-4)


def test_sparsity_is_learnt_from_beside_a_contraction_and_no_answer_knows_it(tmp_path):
    plain = {key: value for key, value in SPARSE.items() if key != "penalties"}
    rows = rng.normal(size=(64, 5)).astype("float32")
    found = {}
    for weight in (0.0, 1.0):
        fast = {"optimizer": {"Adam": {"learning_rate": 0.03}}}
        penalties = {"contractive": 0.001, "sparsity": {"weight": weight, "target": 0.1}}
        model = zoo.build({**SPARSE, "penalties": penalties, "train": fast}, seed=1)
        assert [one.shape for one in model.get_weights()] == [one.shape for one in zoo.build(plain).get_weights()]
        model.fit(rows, rows, epochs=60, batch_size=64, verbose=0)
        found[weight] = divergences(model, rows, 0.1)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again.predict(rows, verbose=0), model.predict(rows, verbose=0))

    assert found[1.0] < 0.5 * found[0.0]


@pytest.mark.parametrize(
    ("latent", "fits"),
    [
        ({"Dense": {"units": 3, "activation": "sigmoid"}}, True),
        ({"Dense": {"units": 3, "activation": "softmax"}}, True),
        ({"Activation": {"activation": "sigmoid"}}, True),
        ({"GRU": {"units": 3, "activation": "sigmoid"}}, True),
        ({"Bidirectional": {"layer": {"GRU": {"units": 3, "activation": "sigmoid"}}}}, True),
        ({"GRU": {"units": 3, "activation": "sigmoid", "recurrent_activation": "relu"}}, False),
        ({"Dense": {"units": 3, "activation": {"LeakyReLU": {"negative_slope": 0.1}}}}, False),
        ({"Dense": {"units": 3}}, False),
        ({"Dense": {"units": 3, "activation": "tanh"}}, False),
    ],
)
def test_sparsity_is_of_answers_between_0_and_1(latent, fits):
    shape = [5, 2] if "GRU" in str(latent) else [5]
    spec = {**SPARSE, "latent": latent, "input": {"shape": shape}}
    spec |= {"decoder": [{"RepeatVector": 5}]} if len(shape) == 2 else {}
    if fits:
        assert zoo.build(spec).layers[-1].name == "sparsity"
    else:
        with pytest.raises(ZooError, match="nothing says that the code's units answer numbers between 0 and 1"):
            zoo.build(spec)


def test_the_weight_and_the_target_of_sparsity_are_searched(tmp_path):
    weight = {"min_value": 1e-3, "max_value": 1e-1, "sampling": "log", "default": 1e-2}
    target = {"values": [0.05, 0.2], "default": 0.05}
    spec = {**SPARSE, "penalties": {"sparsity": {"weight": weight, "target": target}}}
    rows = {"x_train": rng.normal(size=(80, 5)).astype("float32")}
    study = zoo.tune(spec, rows, trials=3, epochs=2, oracle="random", run=tmp_path / "run", workers=1)

    assert set(study.values) == {"penalties.sparsity.weight", "penalties.sparsity.target"}
    assert len({one["score"] for one in study.trials}) == 3


def test_a_conditional_autoencoder_is_contracted_in_its_rows_alone():
    spec = {
        **{key: value for key, value in CONTRACTED.items() if key != "input"},
        "inputs": {"x": {"shape": [5]}, "label": {"shape": [], "dtype": "int32", "classes": 4}},
        "encoder": [{"CategoryEncoding": {"num_tokens": 4, "output_mode": "one_hot", "from": "label", "name": "hot"}},
                    {"Concatenate": {"from": ["x", "hot"]}}],
    }  # fmt: skip
    model = zoo.build(spec, seed=1)
    label = np.arange(6, dtype="int32") % 4
    kernel, bias = model.get_layer("encoder").get_weights()
    many = [np.repeat(X, 4000, axis=0), np.repeat(label, 4000)]
    meant = jacobian(kernel[:5], np.eye(4)[label] @ kernel[5:] + bias, X)[0].mean()
    found = model.evaluate(many, many[0], batch_size=24_000, verbose=0, return_dict=True)["contraction"]

    assert found == pytest.approx(meant, rel=0.02)


@pytest.mark.parametrize(
    "encoder",
    [
        [{"Bidirectional": {"layer": {"LSTM": {"units": 4, "dropout": 0.5}}}}],
        [{"Bidirectional": {"layer": {"LSTM": 4}, "backward_layer": {"LSTM": {
            "units": 4, "dropout": 0.5, "go_backwards": True}}}}],
        [{"TimeDistributed": {"layer": {"Dropout": {"rate": 0.5}}}}, "Flatten"],
        [{"RNN": {"cell": {"LSTMCell": {"units": 4, "recurrent_dropout": 0.5}}}}],
        [{"RNN": {"cell": [{"GRUCell": 4}, {"LSTMCell": {"units": 4, "dropout": 0.5}}]}}],
        [{"GaussianNoise": 0.1}, "Flatten"],
        [{"Dropout": 0.2}, "Flatten"],
        ["Masking", {"LSTM": 4}],
        ["Flatten", "BatchNormalization"],
        [{"TimeDistributed": {"layer": "BatchNormalization"}}, "Flatten"],
        ["Flatten", {"Dense": {"units": 4, "activity_regularizer": "L1"}}],
        ["Flatten", {"ActivityRegularization": {"l1": 0.1}}],
    ],
)  # fmt: skip
def test_no_encoder_is_contracted_whose_second_call_differs_by_more_than_its_rows(encoder):
    spec = {**CONTRACTED, "input": {"shape": [6, 2]}, "encoder": encoder, "decoder": [{"RepeatVector": 6}]}
    with pytest.raises(
        ZooError, match=r"penalties\.contractive: .* (in the encoder (draws|would take)|no steps that `Masking` knows)"
    ):
        zoo.load(spec)


def test_layers_that_draw_nothing_may_be_contracted():
    quiet = [
        {"Bidirectional": {"layer": {"LSTM": {"units": 4, "dropout": 0.0}}}},
        {"Dropout": 0.0},
        {"GaussianNoise": 0},
    ]
    spec = {**CONTRACTED, "input": {"shape": [6, 2]}, "encoder": quiet, "decoder": [{"RepeatVector": 6}]}

    assert [one.name for one in zoo.build(spec).layers][-1] == "contraction"


def test_a_contraction_finds_names_beside_those_of_the_spec():
    inputs = {"nearby": {"shape": [5]}, "contraction": {"shape": [], "dtype": "int32", "classes": 3}}
    told = {"CategoryEncoding": {"num_tokens": 3, "output_mode": "one_hot", "from": "contraction"}}
    encoder = [told, {"Concatenate": {"from": ["nearby", "previous"]}}]
    spec = {**{key: one for key, one in CONTRACTED.items() if key != "input"}, "inputs": inputs, "encoder": encoder}

    assert [one.name for one in zoo.build(spec).layers][-1] == "contraction_1"


@pytest.mark.parametrize(
    ("likelihood", "units"),
    [("gaussian", 8), ("bernoulli", 4), ("bernoulli", "$w")],
    ids=["another end", "another width", "one width of some"],
)
def test_a_decoder_that_ends_otherwise_than_its_end_is_taken_as_it_is(likelihood, units):
    body = {"encoder": [{"Dense": "$w"}], "latent": {"Dense": 2}}
    body["decoder"] = [{"Dense": {"units": units, "activation": "sigmoid"}}]
    head = {"spec": 1, "name": "it", "family": "ae", "input": {"shape": [8]}, "likelihood": likelihood}
    found = zoo.load(head | body | {"let": {"w": {"values": [4, 8, 16], "default": 8}}})

    assert zoo.build(found).get_layer("decoder").layers[-1].name == "reconstruction"
