"""Keras's layers with their arithmetic in fewer operations, for training; an export never holds them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class FusedLSTM(keras.layers.LSTM):
    """An LSTM whose steps are one operation of TensorFlow's on a CPU, where Keras runs a loop of some twenty.

    It computes what `keras.layers.LSTM` does, to float precision, gradients included (Hochreiter & Schmidhuber 1997;
    the forget gate of Gers, Schmidhuber & Cummins 2000), and falls back to it under a mask, with other activations,
    without biases, with dropout between steps, and where there is a GPU, for which Keras has a kernel of its own.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run all steps: the last output, all outputs (the last alone unless they are asked for), both states."""
        masks = [one for one in tf.nest.flatten(mask) if one is not None]
        if masks or not self._is_usual() or tf.config.list_physical_devices("GPU"):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        cell = self.cell
        if training and self.dropout:  # one draw for all steps, as in Keras's loop
            sequences *= tf.expand_dims(cell.get_dropout_mask(sequences[:, 0, :]), 1)
        steps = tf.transpose(sequences, (1, 0, 2))
        steps = tf.reverse(steps, [0]) if self.go_backwards else steps
        # `BlockLSTM` has the gates in another order. That of `BlockLSTMV2` is Keras's, but not in its gradient.
        kernel = _reordered(tf.concat([cell.kernel, cell.recurrent_kernel], 0))
        peephole = tf.zeros((self.units,), sequences.dtype)
        found = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(steps, out_type=tf.int64)[0], x=steps, h_prev=initial_state[0],
            cs_prev=initial_state[1], w=kernel, b=_reordered(tf.convert_to_tensor(cell.bias)), wci=peephole,
            wcf=peephole, wco=peephole, forget_bias=0.0, cell_clip=-1.0, use_peephole=False,
        )  # fmt: skip
        last = found.h[-1]
        outputs = found.h if self.return_sequences else found.h[-1:]
        return last, tf.transpose(outputs, (1, 0, 2)), [last, found.cs[-1]]

    def _is_usual(self) -> bool:
        """Whether the operation computes this layer: it knows one activation for each place, and biases."""
        activations = self.activation, self.recurrent_activation
        plain = activations == (keras.activations.tanh, keras.activations.sigmoid)
        plain = plain and self.compute_dtype == "float32"
        return plain and self.use_bias and not self.recurrent_dropout and self.cell.implementation == 2


def _reordered(gates: Any) -> Any:
    """Columns in the order input, forget, candidate, output as input, candidate, forget, output."""
    first, forget, candidate, output = tf.split(gates, 4, axis=-1)
    return tf.concat([first, candidate, forget, output], -1)


FUSED = {"LSTM": FusedLSTM}
"""Which class stands for a layer of Keras's in a model that is trained here."""
