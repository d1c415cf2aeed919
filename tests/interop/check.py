"""Exported and imported models against the programs that they are for. Called by `run` beside this file."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

import activations
import keras_models
import quantized
import scikit_learn_models
import tensorflow_lite
from exporters import Checks

program, work, data = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
checks = 0


def selvedge(*words, code=0):
    """Runs the program; returns stdout, or the last line of stderr where it is to fail."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, f"{words}: {done.returncode}, expected {code}: {done.stderr}"
    return done.stdout if code == 0 else done.stderr.strip().splitlines()[-1]


def said(text):
    global checks
    checks += 1
    print(text, flush=True)


def logits(model):
    """Our own: images, their classes, logits."""
    selvedge("eval", model, "--data", data, "--logits", work / "logits.npz")
    with np.load(work / "logits.npz") as file:
        return file["images"].reshape(len(file["labels"]), -1), file["labels"], file["logits"]


def infer(path, inputs, name):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probabilities"], {name: inputs})


def relative(a, b):
    """The largest difference, in units of the largest logit of the image."""
    return (np.abs(a - b).max(1) / np.abs(b).max(1)).max()


def forward(layers, x):
    for n, (w, b) in enumerate(layers):
        x = x @ w.T + b
        if n + 1 < len(layers):
            x = np.maximum(x, 0)
    return x


def float_formats(model):
    images, _, ours = logits(model)
    x = images.astype(np.float32) / np.float32(255)
    selvedge("export", model, "--format", "onnx", "-o", work / "f.onnx")
    found, probabilities = infer(work / "f.onnx", x, "input")
    off = relative(found, ours)
    assert off < 1e-5 and np.array_equal(found.argmax(1), ours.argmax(1)), off
    assert np.abs(probabilities.sum(1) - 1).max() < 1e-5
    said(f"onnx: checked; ONNX Runtime's logits of {len(x)} images within {off:.1e}, same classes")

    selvedge("export", model, "--format", "npz", "-o", work / "f.npz")
    selvedge("export", model, "--format", "safetensors", "-o", work / "f.safetensors")
    arrays, tensors = dict(np.load(work / "f.npz")), safetensors.numpy.load_file(work / "f.safetensors")
    assert arrays.keys() == tensors.keys()
    assert all(arrays[k].dtype == np.float32 and np.array_equal(arrays[k], tensors[k]) for k in arrays)
    layers = [(arrays[f"fc{n}.weight"], arrays[f"fc{n}.bias"]) for n in range(1, len(arrays) // 2 + 1)]
    off = relative(forward([(w.astype(float), b.astype(float)) for w, b in layers], images / 255.0), ours)
    assert off < 1e-5, off
    said(f"npz, safetensors: read by numpy and safetensors; numpy's logits within {off:.1e}")
    return layers, images, ours


def state_dicts(layers, ours):
    """What PyTorch's modules are saved as, written by the real package."""
    for style, names in {
        "nn.Sequential": [str(2 * n) for n in range(len(layers))],
        "named": [f"fc{n + 1}" for n in range(len(layers))],
        "nested": [f"module.net.{2 * n + 1}" for n in range(len(layers))],
    }.items():
        state = {}
        for name, (w, b) in reversed(list(zip(names, layers))):
            state |= {f"{name}.bias": b, f"{name}.weight": w}
        safetensors.numpy.save_file(state, work / "s.safetensors", metadata={"format": "pt"})
        selvedge("import", work / "s.safetensors", "-o", work / "back.safetensors")
        off = relative(logits(work / "back.safetensors")[2], ours)
        assert off <= 1e-6, off
        said(f"import of a state dict, {style}: logits within {off:.1e}")
    half = {f"{2 * n}.{part}": a.astype(np.float16) for n, pair in enumerate(layers) for part, a in zip(["weight", "bias"], pair)}
    safetensors.numpy.save_file(half, work / "s.safetensors")
    selvedge("import", work / "s.safetensors", "-o", work / "back.safetensors")
    off = relative(logits(work / "back.safetensors")[2], ours)
    assert 0 < off < 1e-2, off
    said(f"import of f16: logits within {off:.1e} of f32's")


def graphs(layers, ours):
    """ONNX as other exporters write it, by the real package; and what is none of ours."""

    def save(nodes, initializers, shape):
        value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        graph = helper.make_graph(nodes, "g", [value("x", ["n", *shape])], [value(nodes[-1].output[0], ["n", len(layers[-1][1])])], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, work / "g.onnx")

    def chain(kind, activation="Relu"):
        nodes, tensors, last = [helper.make_node("Flatten", ["x"], ["flat"])], [], "flat"
        for n, (w, b) in enumerate(layers):
            tensors += [numpy_helper.from_array(w if kind == "Gemm" else np.ascontiguousarray(w.T), f"w{n}"), numpy_helper.from_array(b, f"b{n}")]
            if kind == "Gemm":
                nodes.append(helper.make_node("Gemm", [last, f"w{n}", f"b{n}"], [f"z{n}"], transB=1, alpha=1.0, beta=1.0))
            else:
                nodes += [helper.make_node("MatMul", [last, f"w{n}"], [f"p{n}"]), helper.make_node("Add", [f"p{n}", f"b{n}"], [f"z{n}"])]
            last = f"z{n}"
            if n + 1 < len(layers):
                nodes.append(helper.make_node(activation, [last], [f"a{n}"]))
                last = f"a{n}"
        return nodes + [helper.make_node("Softmax", [last], ["y"], axis=1)], tensors

    for kind in ["Gemm", "MatMul"]:
        save(*chain(kind), [1, 28, 28])
        selvedge("import", work / "g.onnx", "-o", work / "back.safetensors")
        off = relative(logits(work / "back.safetensors")[2], ours)
        assert off <= 1e-6, off
        said(f"import of ONNX, {kind}: logits within {off:.1e}")
    save(*chain("Gemm", "Elu"), [1, 28, 28])
    line = selvedge("import", work / "g.onnx", "-o", work / "none.safetensors", code=4)
    assert "is not supported: the activations here are" in line and not (work / "none.safetensors").exists(), line
    said(f"refused: {line}")
    whole = (work / "g.onnx").read_bytes()
    (work / "g.onnx").write_bytes(whole[: len(whole) // 2])
    said(f"refused: {selvedge('import', work / 'g.onnx', '-o', work / 'none.safetensors', code=4)}")


def integers(model, dtype):
    file = work / f"{dtype}.selv"
    quantized = json.loads(selvedge("quantize", model, "--data", data, "--dtype", dtype, "-o", file, "--json"))
    images, _, ours = logits(file)
    assert ours.dtype == np.int32
    selvedge("export", file, "--format", "npz", "-o", work / "q.npz")
    a = dict(np.load(work / "q.npz"))
    x = a["table"][images].astype(np.int64) if "table" in a else (images >> 1).astype(np.int64)
    count = sum(k.endswith(".weight") for k in a)
    for n in range(1, count + 1):
        sums = x @ a[f"fc{n}.weight"].astype(np.int64).T + a[f"fc{n}.bias"]
        if n < count:
            x = np.clip((sums * a[f"fc{n}.multiplier"] + 2**23) >> 24, 0, 127)
    assert np.array_equal(sums, ours)
    said(f"{dtype}: numpy's integers are ours, {ours.size} logits of {len(images)} images, 0 differing")

    selvedge("export", file, "--format", "onnx", "-o", work / "q.onnx")
    found, _ = infer(work / "q.onnx", images, "pixels")
    off = np.abs(np.rint(found / a["scales"][-1]).astype(np.int64) - ours)
    # A runtime rounds in floats and half to even: now and then one activation is one unit away, and no more than a few.
    most, classes = 127 * 4, (found.argmax(1) != ours.argmax(1)).sum()
    # A difference of less than a unit's rounding error is a float's last digits.
    images_off = (off.max(1) > 1).sum()
    assert off.max() <= most and images_off <= len(images) / 100 and classes <= len(images) / 1000, (off.max(), images_off, classes)
    said(
        f"{dtype}: QDQ checked; of {len(images)} images ONNX Runtime classifies {classes} otherwise; logits differ by more"
        f" than a unit in {images_off}, by {off.max()} at most, where they reach {np.abs(ours).max()}"
    )

    selvedge("export", file, "--format", "onnx-integer", "-o", work / "e.onnx")
    found, probabilities = infer(work / "e.onnx", images, "pixels")
    assert found.dtype == np.int32 and np.array_equal(found, ours)
    assert np.abs(probabilities.sum(1) - 1).max() < 1e-5
    said(f"{dtype}: integer operators in ONNX Runtime, {found.size} logits of {len(images)} images, 0 differing")
    return quantized


def foreign(layers, images, labels, ours):
    """Networks that other programs export, and cases that users brought where SELVEDGE_CASES or a folder beside says."""
    checks = Checks(work, selvedge, said, logits)
    checks.scikit_learn(images, labels)
    checks.graphs(layers, images)
    checks.state_dicts(layers, ours)
    activations.run(work, selvedge, said)
    tensorflow_lite.run(work, selvedge, said, work / "run-48,24", images, ours)
    cases = pathlib.Path(os.environ.get("SELVEDGE_CASES", "../shared/cases"))
    if (cases / "onnxruntime.json").exists():
        checks.cases(cases)


def main():
    for hidden in ["128", "48,24"]:
        model = work / f"run-{hidden}"
        selvedge("train", "--data", data, "--hidden", hidden, "--epochs", "2", "--out", model, "-q")
        layers, images, ours = float_formats(model)
        state_dicts(layers, ours)
        graphs(layers, ours)
        if hidden == "48,24":
            foreign(layers, images, logits(model)[1], ours)
        for dtype in ["i8", "i4"]:
            integers(model, dtype)
        line = selvedge("export", model, "--format", "onnx-integer", "-o", work / "none.onnx", code=2)
        assert "takes a flash file of integers" in line, line
    quantized.run(work, selvedge, said)
    scikit_learn_models.run(work, selvedge, said)
    keras_models.run(work, selvedge, said)
    print(f"{checks} passed, 0 failed")


main()
