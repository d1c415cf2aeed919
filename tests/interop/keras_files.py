"""Networks of Keras, as its own exporters write them: `.onnx` by `model.export`, `.tflite` by TensorFlow's converter, of floats and
quantized to int8. Run by `keras_models.py` in a process of its own, since TensorFlow and LiteRT do not share one.

    python tests/interop/keras_files.py FOLDER

writes the files, and NAME.npz with inputs `x` and Keras' own answers `y` to them."""

import os
import pathlib
import sys

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(3)
keras.utils.set_random_seed(3)
Dense = layers.Dense
table = (rng.normal(size=(200, 6)) * [1, 2, 1, 2, 1, 1] + [0, 1, 0, -1, 0, 0]).astype(np.float32)
far = (table * [1, 3, 0.5, 1, 2, 1] + [4, 0, 2, 0, -3, 0]).astype(np.float32)
images = rng.integers(0, 256, size=(100, 12, 12)).astype(np.float32)
normalised = layers.Normalization()
normalised.adapt(far)


def chain(*parts, shape=(6,)):
    return keras.Sequential([keras.Input(shape), *parts])


def functional():
    x = keras.Input((6,))
    hidden = Dense(8, activation="relu")(x)
    return keras.Model(x, layers.Activation("softmax")(Dense(3)(hidden)))


MODELS = {
    "softmax": (chain(Dense(16, activation="relu"), Dense(4, activation="softmax")), table),
    "logits": (chain(Dense(16, activation="relu"), Dense(8, activation="tanh"), Dense(4)), table),
    "one-sigmoid": (chain(Dense(16, activation="sigmoid"), Dense(1, activation="sigmoid")), table),
    "labels": (chain(Dense(16, activation="relu6"), Dense(3, activation="sigmoid")), table),
    "hard-swish": (chain(Dense(16, activation="hard_swish"), Dense(2, activation="softmax")), table),
    "leaky-relu": (chain(Dense(16), layers.LeakyReLU(negative_slope=0.01), Dense(2, activation="softmax")), table),
    "batch-norm": (
        chain(Dense(16), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.2), Dense(3, activation="softmax")),
        table,
    ),
    "batch-norm-after": (chain(Dense(16, activation="relu"), layers.BatchNormalization(), Dense(3, activation="softmax")), table),
    "functional": (functional(), table),
    "normalization": (chain(normalised, Dense(16, activation="relu"), Dense(1)), far),
    "image": (
        chain(layers.Rescaling(1 / 255), layers.Flatten(), Dense(16, activation="relu"), Dense(4, activation="softmax"), shape=(12, 12)),
        images,
    ),
    "signed-image": (
        chain(
            layers.Rescaling(1 / 127.5, offset=-1), layers.Flatten(), Dense(16, activation="relu"), Dense(4, activation="softmax"),
            shape=(12, 12, 1),
        ),
        images[..., None],
    ),
}

for name, (model, x) in MODELS.items():
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, values.shape) for values in layer.get_weights()])
        if isinstance(layer, Dense):
            layer.bias.assign(rng.normal(size=layer.bias.shape))
    y = np.asarray(model(x, training=False))
    np.savez(folder / f"{name}.npz", x=x.reshape(len(x), -1), y=y.reshape(len(y), -1))
    model.export(str(folder / f"{name}.onnx"), format="onnx", verbose=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / f"{name}.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (folder / f"{name}-int8.tflite").write_bytes(converter.convert())
model.save(folder / "whole.keras")
model.save(folder / "whole.h5")
print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}")
