"""What holds of every spec of the zoo: its counts, those that others have published, and the whole road in small."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import keras
import pytest

from zoo import measuring, selection
from zoo.language import unfolding

LARGE = 30_000_000
"""Networks of more parameters are built by `make test-all`."""

NAMES = sorted(selection.names())
PUBLISHED = Path(__file__).with_name("parameter_counts.csv")


def slow_if_large(names):
    known = {one.name: one.parameters or 0 for one in selection.cards()}
    return [pytest.param(name, marks=pytest.mark.slow if known[name] > LARGE else ()) for name in names]


def published() -> dict[str, tuple[int, int]]:
    """Total and trainable parameters by the name in the table."""
    with PUBLISHED.open(encoding="utf-8") as file:
        return {row["model"]: (int(row["total"]), int(row["trainable"])) for row in csv.DictReader(file)}


ROWS = {
    "lenet5": "LeNet-5 (28x28 pad2 / 32x32x1, full C3, softmax10)",
    "mnist_cnn": "mnist_cnn (keras 2.2.4 example)",
    "mnist_convnet": "mnist_convnet (keras.io simple)",
    "cifar10_cnn": "cifar10_cnn (keras 2.2.4 example)",
    "alexnet": "AlexNet ungrouped (227, 2012 paper widths)",
    "alexnet_grouped": "AlexNet grouped (2012 paper)",
    "nin": "NIN CIFAR-10",
    "all_cnn_c": "All-CNN-C CIFAR-10",
    "vgg11": "VGG11 ImageNet",
    "vgg13": "VGG13 ImageNet",
    "vgg16_bn_cifar": "VGG16-BN CIFAR (no FC hidden)",
    "vgg16_bn_cifar512": "VGG16-BN CIFAR (FC512, Zagoruyko/Liu&Deng)",
    **{f"resnet{depth}": f"ResNet-{depth} CIFAR paper option A (no bias)" for depth in (20, 32, 44, 56, 110)},
    **{
        f"resnet{depth}b": f"ResNet-{depth} CIFAR v1 keras-example (conv bias, 1x1 proj)"
        for depth in (20, 32, 44, 56, 110)
    },
    "resnet18": "ResNet-18 ImageNet",
    "resnet34": "ResNet-34 ImageNet",
    "resnet18cifar": "ResNet-18 CIFAR stem",
    "wrn16_4": "WRN-16-4 CIFAR-10",
    "wrn16_8": "WRN-16-8 CIFAR-10",
    "wrn28_10": "WRN-28-10 CIFAR-10",
    "wrn40_4": "WRN-40-4 CIFAR-10",
    "densenet40_12": "DenseNet-40-12 CIFAR-10",
    "densenetbc100_12": "DenseNet-BC-100-12 CIFAR-10",
    "squeezenet1_0": "SqueezeNet 1.0",
    "squeezenet1_1": "SqueezeNet 1.1",
    "unet": "U-Net (same pad, Conv2DTranspose, 1ch in, 2ch out)",
    "mnist_mlp": "mnist_mlp (784-512-512-10, keras 2.2.4 example)",
    "reuters_mlp": "reuters_mlp (1000-512-46)",
    "imdb_lstm": "imdb_lstm (keras 2.2.4: emb20000x128, LSTM128)",
    "imdb_bidirectional_lstm": "imdb_bidirectional_lstm (2.2.4: emb20000x128, BiLSTM64)",
    "bidirectional_lstm_imdb": "bidirectional_lstm_imdb (keras.io: 2x BiLSTM64)",
    "imdb_cnn_lstm": "imdb_cnn_lstm (2.2.4)",
    "imdb_cnn": "imdb_cnn (2.2.4: emb5000x50, conv250x3, dense250)",
    "imdb_fasttext": "imdb_fasttext unigram (emb20000x50)",
    "textcnn": "TextCNN Kim (emb20000x300, 100x{3,4,5}, 2 cls)",
    "irnn": "mnist_irnn (SimpleRNN100 on 784x1)",
    "rowlstm": "row-LSTM MNIST (28x28, LSTM128)",
    "seqmnist_lstm": "seqMNIST LSTM 130 (approx 70K)",
    "lstm_fcn": "LSTM-FCN (T=100, 8 cells, 2 cls)",
    "fcn": "FCN time series (Wang 2017, T=100, 2 cls)",
    "tcn": "TCN seqMNIST (8x25, k=7; without weight-norm g)",
    "ae_simple": "AE simple (784-32-784, keras blog)",
    "ae_deep": "AE deep (784-128-64-32-64-128-784, keras blog)",
    "ae_hinton": "AE Hinton&Salakhutdinov 784-1000-500-250-30",
    "ae_conv": "conv AE (keras blog 16-8-8)",
    "ae_denoising": "conv denoising AE (keras.io autoencoder example 32/32)",
    "ae_lstm": "LSTM-AE (T=30,F=1, 128-64)",
    "ae_anomaly": "timeseries anomaly conv AE (keras.io, 288x1)",
    "vae": "VAE MLP Kingma (784-500-z20)",
    "vae_keras": "VAE MLP keras 2.2.4 (784-512-z2)",
    "vae_pytorch": "VAE MLP (784-400-z20, pytorch example)",
    "iwae": "VAE/IWAE Burda 1-stochastic-layer (784-200-200-z50)",
    "conv_vae": "conv VAE (keras.io vae example, z2)",
    "beta_vae": "beta-VAE conv (Locatello/disentanglement_lib, 64x64x1, z10)",
}
"""Which row of the published counts a spec is, the forty of keras.applications apart."""

APPLICATIONS = sorted(name for name, thing in vars(keras.applications).items() if name[0].isupper() and callable(thing))
COUNTED = {**ROWS, **{name.lower(): f"keras.applications.{name}" for name in APPLICATIONS}}
"""The same with the forty, whose counts Keras gave with its own constructors."""


def test_there_are_enough_specs_and_each_published_count_belongs_to_one():
    assert len(NAMES) > 110
    assert set(ROWS) <= set(NAMES)
    theirs = {name for name in published() if not name.startswith("keras.applications.")}
    assert theirs - set(ROWS.values()) == {"beta-VAE conv 64x64x3"}  # the same spec with three channels, below
    assert len(APPLICATIONS) == 40


@functools.cache
def counted(name):
    """Total, trainable and FLOPs, built once."""
    found = measuring.counted(selection.load(name).fill())
    keras.backend.clear_session()
    return found


@pytest.mark.parametrize("name", slow_if_large(NAMES))
def test_a_card_says_what_is_counted_and_what_it_costs(name):
    found = selection.load(name)
    total, _, flops = counted(name)

    assert found.data["parameters"] == total
    assert found.data.get("flops") == flops


@pytest.mark.parametrize("name", slow_if_large(COUNTED))
def test_a_published_count_is_met_in_all_and_in_what_is_trained(name):
    assert counted(name)[:2] == published()[COUNTED[name]]


def test_a_beta_vae_of_three_channels_is_counted_as_published():
    found = selection.load("beta_vae", {"input.shape": [64, 64, 3]})

    assert measuring.counted(found.fill())[:2] == published()["beta-VAE conv 64x64x3"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_forty_are_here_and_their_counts_are_those_of_keras(name):
    """On the card, whatever the size; what is built, trainable parameters included, is the test's above."""
    total, _ = published()[f"keras.applications.{name}"]

    assert selection.load(name).data["parameters"] == total


def test_every_file_ends_its_card_before_its_body_and_is_short():
    for path in selection.files().values():
        lines = [
            line for line in path.read_text(encoding="utf-8").split("\n") if line.strip() and line.strip()[0] != "#"
        ]
        assert len(lines) <= 135, path.name
    assert len([line for line in selection.files()["resnet"].read_text().split("\n") if line.strip()]) < 80


@pytest.mark.parametrize("name", NAMES)
def test_the_layers_that_dropout_and_lambda_act_on_are_where_the_card_says(name):
    found = selection.load(name)
    flat, problems = unfolding.unfold(found.fill())

    assert problems == []
    if "dropout" in found.data:
        assert any(node.dropout is not None for node in flat.walk()) or "$dropout" in str(found.written())
