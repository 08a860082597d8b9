"""A caller's Keras callbacks: called at epochs as `model.fit` does, refused where they want batches."""

from __future__ import annotations

import keras
import pytest

import zoo
from zoo.errors import ZooError

SMALL = {
    "spec": 1, "name": "small", "family": "mlp", "input": {"shape": [30]},
    "layers": [{"Dense": {"units": 8}}, "Dropout"],
    "train": {"optimizer": {"Adam": {"learning_rate": 0.01}}, "epochs": 6},
}  # fmt: skip


class Noted(keras.callbacks.Callback):
    """Writes down every call of a hook of epochs and trainings."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train begin", self.params["epochs"]))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("begin", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("end", epoch, dict(logs)))

    def on_train_end(self, logs=None):
        self.calls.append(("train end", len(self.model.layers)))


def test_hooks_are_called_in_the_order_and_with_the_logs_of_fit(tmp_path):
    noted, theirs = Noted(), Noted()
    study = zoo.train(SMALL, "breast_cancer", callbacks=[noted], run=tmp_path / "run")
    model = zoo.build({**SMALL, "classes": 2})
    rows = zoo.data("breast_cancer")
    model.fit(
        rows.train.x, rows.train.y, epochs=6, verbose=0, validation_data=(rows.validation.x, rows.validation.y),
        callbacks=[theirs],
    )  # fmt: skip

    assert [call[:2] for call in noted.calls] == [call[:2] for call in theirs.calls]
    ours, fits = ([call[2] for call in one.calls if call[0] == "end"] for one in (noted, theirs))
    assert [set(logs) for logs in ours] == [set(logs) for logs in fits]
    assert [dict(logs) for logs in ours] == [dict(logs) for logs in study.run.told[0].epochs]


def test_callbacks_of_keras_that_stop_a_training_or_turn_the_rate_do_so(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_accuracy", min_delta=1.0, patience=1)
    stopped = zoo.train(SMALL, "breast_cancer", callbacks=stop, run=tmp_path / "stopped")
    still = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    kept = zoo.train(SMALL, "breast_cancer", callbacks=[still], run=tmp_path / "kept")

    assert len(stopped.run.told[0].epochs) == 2
    assert len({epoch["val_accuracy"] for epoch in kept.run.told[0].epochs}) == 1


def test_of_several_trainings_none_finds_what_a_callback_left_in_another(tmp_path):
    options = {"trials": 3, "oracle": "random", "repeats": 2}
    stop = keras.callbacks.EarlyStopping("val_accuracy", min_delta=1.0, patience=1)
    noted = Noted()
    study = zoo.tune(SMALL, "breast_cancer", callbacks=[stop, noted], run=tmp_path / "run", **options)

    assert {len(one.epochs) for one in study.run.told} == {2}
    assert noted.calls == []
    with pytest.raises(ZooError, match="another callbacks"):
        zoo.tune(SMALL, "breast_cancer", run=tmp_path / "run", **options)


class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize(
    ("callbacks", "says"),
    [
        (Batches(), "Batches wants to be called at each batch .on_train_batch_end.* or model.fit"),
        ([keras.callbacks.ModelCheckpoint("x.keras")], "ModelCheckpoint wants to be called at each batch .* model.fit"),
        ([keras.callbacks.TerminateOnNaN()], "TerminateOnNaN wants to be called at each batch"),
        ("early", "str is no callback; expected a keras.callbacks.Callback"),
    ],
)
def test_what_cannot_be_called_is_refused(callbacks, says, tmp_path):
    with pytest.raises(ZooError, match=says):
        zoo.train(SMALL, "breast_cancer", callbacks=callbacks, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_callbacks_and_workers_are_refused_together(tmp_path):
    with pytest.raises(ZooError, match="callbacks are called in this process, and workers is 2"):
        zoo.tune(SMALL, "breast_cancer", trials=2, callbacks=[Noted()], workers=2, run=tmp_path / "run")
