"""The bounds that variational autoencoders minimise and tell: what is summed over which axes, and weighed by what."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import zoo
from zoo import meeting, selection
from zoo.building import build
from zoo.datasets import dataset
from zoo.datasets.dataset import Part
from zoo.layers import latent
from zoo.layers.latent import EvidenceLowerBound, Sampling, VectorQuantizer
from zoo.tasks.generation import DRAWS

rng = np.random.default_rng(0)
ROWS, DRAWN = 7, 5
SHAPES = {"vector": (3,), "sequence": (4, 2), "map": (4, 4, 2)}

SEQUENCE = {
    "input": {"shape": [32, 3]}, "encoder": [{"LSTM": {"units": 8, "return_sequences": True}}],
    "decoder": [{"LSTM": {"units": 8, "return_sequences": True}}],
}  # fmt: skip
MAP = {
    "input": {"shape": [8, 8, 1]},
    "encoder": [{"Conv2D": {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}}],
    "decoder": [{"Conv2DTranspose": {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}}],
}
BODIES = {"sequence": (SEQUENCE, (32, 2)), "map": (MAP, (4, 4, 2))}


def spec(body, samples=1, **more):
    code = {"Gaussian": {"units": 2, "samples": samples}}
    named = {"spec": 1, "name": "coded", "family": "vae", "likelihood": "gaussian", "l2": 0}
    return {**named, **body, "latent": code, **more}


def rows(body, count=ROWS):
    return rng.uniform(size=(count, *body["input"]["shape"])).astype("float32")


def divergence(mean, log_var):
    """Of each row, in closed form: Kingma & Welling 2014, appendix B."""
    each = (mean**2 + np.exp(log_var) - 1 - log_var) / 2
    return each.reshape(len(each), -1).sum(axis=1)


def weights(x, rebuilt, mean, log_var, code):
    """log p(x|z) p(z) / q(z|x) for each row and its draws, by scipy's densities: (rows, draws); unit variances."""
    found = [
        stats.norm.logpdf(x[row], rebuilt[row, draw]).sum()
        + stats.norm.logpdf(code[row, draw]).sum()
        - stats.norm.logpdf(code[row, draw], mean[row], np.exp(log_var[row] / 2)).sum()
        for row in range(len(x))
        for draw in range(code.shape[1])
    ]
    return np.reshape(found, (len(x), -1))


def importance_weighted(log_weights):
    return special.logsumexp(log_weights, axis=1) - np.log(log_weights.shape[1])


# The layers


@pytest.fixture(params=SHAPES)
def drawn(request):
    """x, several reconstructions of it, the mean and the log of the variance, several codes: no two alike."""
    shape = SHAPES[request.param]
    x, rebuilt = rng.normal(size=(ROWS, 6)), rng.normal(size=(ROWS, DRAWN, 6))
    mean, log_var = rng.normal(size=(2, ROWS, *shape))
    return [one.astype("float32") for one in (x, rebuilt, mean, log_var, rng.normal(size=(ROWS, DRAWN, *shape)))]


def flat(many):
    return many.reshape(-1, *many.shape[2:])


def test_the_loss_of_several_draws_is_the_importance_weighted_bound_of_each_row(drawn):
    x, rebuilt, mean, log_var, code = drawn
    layer = EvidenceLowerBound("gaussian", samples=DRAWN)
    answered = layer([x, flat(rebuilt), mean, log_var, flat(code)])
    told = {one.name: float(one.result()) for one in layer.trackers}
    errors = -stats.norm.logpdf(x[:, None], rebuilt).sum(axis=2)
    bound = importance_weighted(weights(*drawn)).mean()

    assert float(layer.losses[0]) == pytest.approx(-bound, rel=1e-5)
    assert told["negative_elbo"] == pytest.approx(-bound, rel=1e-5)
    assert told["reconstruction_error"] == pytest.approx(errors.mean(), rel=1e-5)
    assert told["kl"] == pytest.approx(divergence(mean, log_var).mean(), rel=1e-5)
    assert -bound < (errors.mean(axis=1) + divergence(mean, log_var)).mean()  # which is another loss
    np.testing.assert_array_equal(answered, rebuilt[:, 0])


def test_the_loss_of_one_draw_is_the_error_and_the_divergence_of_the_whole_code(drawn):
    x, rebuilt, mean, log_var, code = drawn
    layer = EvidenceLowerBound("gaussian", kl=3.0)
    answered = layer([x, rebuilt[:, 0], mean, log_var, code[:, 0]])
    errors, kl = -stats.norm.logpdf(x, rebuilt[:, 0]).sum(axis=1), divergence(mean, log_var)

    assert float(layer.losses[0]) == pytest.approx((errors + 3 * kl).mean(), rel=1e-5)
    assert float(layer.trackers[0].result()) == pytest.approx((errors + kl).mean(), rel=1e-5)
    np.testing.assert_array_equal(answered, rebuilt[:, 0])


def test_the_draws_of_a_row_are_next_to_each_other_and_its_own(drawn):
    _, _, mean, log_var, _ = drawn
    found = np.asarray(Sampling(samples=DRAWN, seed=1)([mean, log_var - 40])).reshape(ROWS, DRAWN, *mean.shape[1:])

    np.testing.assert_allclose(found, np.repeat(mean[:, None], DRAWN, axis=1), atol=1e-6)


def test_the_discrepancy_takes_a_sequence_or_a_map_as_one_vector(drawn):
    code = drawn[4]
    found = float(latent.mean_discrepancy(code[:, 0]))
    vectors = code[:, 0].reshape(ROWS, -1)
    prior = rng.normal(size=(2000, vectors.shape[1]))

    def kernel(one, other):
        return np.exp(-((one[:, None] - other[None]) ** 2).sum(axis=2) / vectors.shape[1] ** 2).mean()

    assert found == pytest.approx(float(latent.mean_discrepancy(vectors)), rel=1e-5)
    wanted = kernel(vectors, vectors) - 2 * kernel(vectors, prior) + kernel(prior, prior)
    assert found == pytest.approx(wanted, abs=0.005)


def test_a_bound_needs_no_number_of_steps_before_it_sees_rows():
    import tensorflow as tf

    layer = EvidenceLowerBound("gaussian", samples=2, mmd=3.0)
    given = [rng.normal(size=(rows, 6, 2)).astype("float32") for rows in (4, 8, 4, 4, 8)]
    open_ended = [tf.TensorSpec((None, None, 2))] * 5
    traced = tf.function(lambda *tensors: (layer(list(tensors)), layer.losses[0]), input_signature=open_ended)

    answered, loss = traced(*given)
    same = EvidenceLowerBound("gaussian", samples=2, mmd=3.0)
    np.testing.assert_array_equal(answered, same(given))
    assert float(loss) == pytest.approx(float(same.losses[0]), rel=1e-5)


def test_quantised_vectors_cost_the_same_however_many_rows_and_places_there_are():
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    layer = VectorQuantizer(codes=5, seed=1)
    layer(x)
    once = float(layer.losses[0])
    for other in (np.tile(x, (3, 1, 1)), np.tile(x, (1, 5, 1)), x[:, :, None]):
        layer(other)
        assert float(layer.losses[-1]) == pytest.approx(once, rel=1e-5)


def test_a_sparse_code_pays_for_every_step_of_a_row_and_rows_are_averaged():
    sparse = {"Dense": {"units": 2, "activity_regularizer": {"L1": {"l1": 0.5}}}}
    body = {"spec": 1, "name": "sparse", "family": "ae", "likelihood": "gaussian", "l2": 0, **SEQUENCE}
    model = zoo.build(zoo.load({**body, "latent": sparse}), seed=1)
    x = rows(SEQUENCE)
    model(x)
    code = np.asarray(model.get_layer("encoder")(x))

    assert float(model.losses[0]) == pytest.approx(0.5 * np.abs(code).reshape(ROWS, -1).sum(axis=1).mean(), rel=1e-5)


# Whole networks


@pytest.mark.parametrize("samples", [1, DRAWN])
@pytest.mark.parametrize("kind", BODIES)
def test_a_code_may_be_a_sequence_or_a_map(kind, samples):
    body, shape = BODIES[kind]
    model, x = zoo.build(zoo.load(spec(body, samples)), seed=1), rows(body)
    for size in (1, 3, ROWS):
        assert np.isfinite(model.fit(x, batch_size=size, verbose=0).history["loss"]).all()
    mean, log_var = (np.asarray(one) for one in model.get_layer("encoder")(x))
    told = model.evaluate(x, batch_size=3, verbose=0, return_dict=True)

    assert mean.shape == (ROWS, *shape)
    assert told["kl"] == pytest.approx(divergence(mean, log_var).mean(), rel=1e-4)
    if samples == 1:
        assert told["negative_elbo"] == pytest.approx(told["reconstruction_error"] + told["kl"], rel=1e-5)


PENALTIES = [
    ({}, 1.0, 0, 0.0),
    ({"kl": 4.0}, 4.0, 0, 0.0),
    ({"kl": {"weight": 4.0}}, 4.0, 0, 0.0),
    ({"kl": {"warm_up": 8}}, 1.0, 8, 0.0),
    ({"kl": {"weight": 4.0, "warm_up": 8}}, 4.0, 8, 0.0),
    ({"kl": {"weight": {"min_value": 1.0, "max_value": 16.0, "default": 6.0}}}, 6.0, 0, 0.0),
    ({"mmd": 20_000.0}, 1.0, 0, 20_000.0),
    ({"kl": "$beta", "mmd": "8000 * $beta"}, 2.5, 0, 20_000.0),
]


@pytest.mark.parametrize(("penalties", "kl", "warm_up", "mmd"), PENALTIES, ids=[str(one) for one, *_ in PENALTIES])
def test_a_penalty_of_a_spec_is_the_weight_of_its_part_in_the_loss(penalties, kl, warm_up, mmd):
    given = {"penalties": penalties} if penalties else {}
    given |= {"let": {"beta": 2.5}} if "$beta" in str(penalties) else {}
    model, x = zoo.build(zoo.load(spec(SEQUENCE, **given)), seed=1), rows(SEQUENCE)
    evidence = model.get_layer("evidence")
    kernel, bias = model.get_layer("encoder").get_layer("z_log_var").weights
    kernel.assign(kernel * 0)
    bias.assign(bias - 40)  # so that each draw is the mean
    if warm_up:
        evidence.step.assign(6)
    told = model.evaluate(x, batch_size=ROWS, verbose=0, return_dict=True)
    mean, _ = model.get_layer("encoder")(x)
    discrepancy = float(latent.mean_discrepancy(mean))
    wanted = told["reconstruction_error"] + kl * (6 / warm_up if warm_up else 1) * told["kl"] + mmd * discrepancy

    assert (evidence.kl, evidence.warm_up, evidence.mmd) == (kl, warm_up, mmd)
    assert told["loss"] == pytest.approx(wanted, rel=1e-5)
    assert told["negative_elbo"] == pytest.approx(told["reconstruction_error"] + told["kl"], rel=1e-5)
    assert mmd * discrepancy > 0.001 * wanted or not mmd


def test_the_beta_of_beta_vae_weighs_the_divergence_four_times():
    model = zoo.build(zoo.load("beta_vae"), seed=1)
    told = model.evaluate(rng.uniform(size=(4, 64, 64, 1)), verbose=0, return_dict=True)

    assert model.get_layer("evidence").kl == 4.0
    assert told["loss"] == pytest.approx(told["reconstruction_error"] + 4 * told["kl"], rel=1e-5)


@pytest.mark.parametrize("kind", BODIES)
def test_what_an_iwae_minimises_is_the_figure_that_it_tells(kind):
    body, _ = BODIES[kind]
    model = zoo.build(zoo.load(spec(body, DRAWN)), seed=1)
    told = model.evaluate(rows(body), batch_size=ROWS, verbose=0, return_dict=True)

    assert told["loss"] == pytest.approx(told["negative_elbo"], rel=1e-5)
    assert told["loss"] < told["reconstruction_error"] + told["kl"]


# The figures and the endpoints


def met(body, samples, x):
    """The models of a spec that has met data, and the task that they work at."""
    built = build(meeting.meet(selection.load(spec(body, samples)), dataset.load((x, None)).description), {}, 1)
    return built.pieces, built.plan.works


@pytest.mark.parametrize("samples", [1, DRAWN])
@pytest.mark.parametrize("kind", BODIES)
def test_the_figures_of_the_bound_are_those_of_draws_from_fixed_seeds(kind, samples):
    import tensorflow as tf

    body, _ = BODIES[kind]
    x = rows(body, 40)
    pieces, works = met(body, samples, x)
    x = x[:ROWS]
    found = works.evidence(pieces, Part(x, None))
    features = np.asarray(pieces.prepare(x))
    mean, log_var = (np.asarray(one) for one in pieces.network.get_layer("encoder")(features))
    seeds = range(DRAWN if samples > 1 else DRAWS)
    noise = np.stack([tf.random.stateless_normal(mean.shape, (seed, 1)).numpy() for seed in seeds], axis=1)
    code = mean[:, None] + np.exp(log_var / 2)[:, None] * noise
    rebuilt = np.asarray(pieces.network.get_layer("decoder")(flat(code)))
    rebuilt = rebuilt.reshape(*code.shape[:2], *features.shape[1:])
    errors = -stats.norm.logpdf(features[:, None], rebuilt).reshape(*code.shape[:2], -1).sum(axis=2).mean(axis=1)
    kl = divergence(mean, log_var)
    bound = errors + kl if samples == 1 else -importance_weighted(weights(features, rebuilt, mean, log_var, code))

    np.testing.assert_allclose(found["reconstruction_error"], errors, rtol=1e-4)
    np.testing.assert_allclose(found["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(found["negative_elbo"], bound, rtol=1e-4)
    assert samples == 1 or np.abs(bound - errors).min() > 0.01  # the ratio counts
    assert {value.shape for value in found.values()} == {(ROWS,)}


@pytest.mark.parametrize("kind", BODIES)
def test_rows_are_drawn_from_codes_of_any_rank(kind):
    body, shape = BODIES[kind]
    x = rows(body, 40)
    pieces, works = met(body, 1, x)
    found = works.endpoints(pieces)
    first, again, other = (np.asarray(found["sample"].function(count=3, seed=one)["sample"]) for one in (1, 1, 2))

    assert first.shape == (3, *x.shape[1:])
    assert (first == again).all() and (first != other).any() and (first[0] != first[1]).any()
    assert found["encode"].function(**{works.entry: x})["code"].shape == (40, *shape)
    assert found["serve"].function(**{works.entry: x})["score"].shape == (40,)


def test_a_code_of_as_many_steps_as_a_row_has_cannot_be_drawn_without_one():
    x = rows(SEQUENCE, 40)
    pieces, works = met({**SEQUENCE, "input": {"shape": [None, 3]}}, 1, x)
    found = works.endpoints(pieces)

    assert set(found) == {"serve", "encode", "decode", "reconstruct", "score"}
    assert found["serve"].function(**{works.entry: x})["reconstruction"].shape == x.shape


@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES)
def test_a_code_of_any_rank_goes_the_whole_road(kind, tmp_path):
    body, _ = BODIES[kind]
    x = rows(body, 60)
    study = zoo.train(spec(body, DRAWN), (x, None), epochs=1, run=tmp_path / "run")
    folder = study.export(tmp_path / "served")

    assert np.isfinite(study.test["tuned"]["negative_elbo"])
    assert zoo.predict(folder, x[:4])["reconstruction"].shape == (4, *x.shape[1:])
