"""Networks as TensorFlow Lite files against LiteRT, both ways: exported models with every activation and task, the files of
LiteRT's own quantizer imported, and the autoencoder of MLPerf Tiny where its folder is. Called by `check.py`."""

import json
import os
import pathlib

import flatbuffers
import numpy as np
import safetensors.numpy
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

from activations import FORMULAS, answers, relative

BOUND = 1e-5


def infer(path, x):
    """The outputs for rows `x`, as real numbers."""
    net = Interpreter(model_path=str(path), num_threads=1)
    net.allocate_tensors()
    (i,), (o,) = net.get_input_details(), net.get_output_details()
    outputs = []
    for row in x:
        if i["dtype"] != np.float32:
            scale, zero = i["quantization"]
            limits = np.iinfo(i["dtype"])
            row = np.clip(np.rint(row / scale) + zero, limits.min, limits.max)
        net.set_tensor(i["index"], row.astype(i["dtype"]).reshape(i["shape"]))
        net.invoke()
        out = net.get_tensor(o["index"]).reshape(-1).astype(float)
        if o["dtype"] != np.float32:
            scale, zero = o["quantization"]
            out = (out - zero) * scale
        outputs.append(out)
    return np.array(outputs)


def about(path):
    """The metadata of a model of ours."""
    return json.loads(safetensors.safe_open(path, "np").metadata()["selvedge"])


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def outputs(path, x):
    """What the file of a model answers to rows `x` of its data, as its TensorFlow Lite file does, in f64."""
    z, _, about = answers(path, x.astype(float))
    task = about.get("task")
    if task == "reconstruct" and isinstance(about["normalisation"], dict):
        scale, mean = (np.array(about["normalisation"][key]) for key in ["scale", "mean"])
        # A constant column has the scale 0, and its mean is all that it can be.
        return np.where(scale == 0, mean, z / np.where(scale == 0, 1, scale) + mean)
    tempered = lambda z: softmax(z / about.get("temperature", 1))
    return {None: tempered, "classify": tempered, "multilabel": FORMULAS["sigmoid"]}.get(task, lambda z: z)(z)


def state(rng, widths):
    """A state dict with weights drawn by chance."""
    state = {}
    for n, (i, o) in enumerate(zip(widths, widths[1:])):
        state |= {f"{n}.weight": rng.normal(size=(o, i)) / np.sqrt(i), f"{n}.bias": rng.normal(size=o)}
    return {name: values.astype(np.float32) for name, values in state.items()}


def every_task(work, selvedge, said):
    rng = np.random.default_rng(15)
    x = rng.normal(size=(200, 8)).astype(np.float32) * 3
    for first, second in zip(FORMULAS, [*list(FORMULAS)[1:], "relu"]):
        worst = 0
        for count, task in [(1, "regress"), (3, "regress"), (3, "multilabel"), (8, "reconstruct"), (4, "classify")]:
            safetensors.numpy.save_file(state(rng, [8, 16, 12, count]), work / "s.safetensors")
            flags = ["--inputs", "table", "--task", task, "--activation", f"{first},{second}"]
            selvedge("import", work / "s.safetensors", "-o", work / "net", *flags)
            selvedge("export", work / "net", "--format", "tflite", "-o", work / "a.tflite")
            found = infer(work / "a.tflite", x)
            off = relative(found, outputs(work / "net", x))
            assert off < BOUND, (first, second, task, off)
            # And in again. A softmax or a sigmoid says its task, and refuses another.
            flags = ["--task", task] if task in ["regress", "reconstruct"] else []
            selvedge("import", work / "a.tflite", "-o", work / "back", "--inputs", "table", *flags)
            again = relative(found, outputs(work / "back", x))
            assert again < BOUND, (first, second, task, again)
            worst = max(worst, off, again)
        said(f"tflite of {first} and {second}, every task, out and in: within {worst:.1e} of LiteRT")


def trained(work, selvedge, said, model, images, logits):
    """Models of pictures and of a table, as our program trains them."""
    some = slice(0, 200)
    selvedge("export", model, "--format", "tflite", "-o", work / "a.tflite")
    found = infer(work / "a.tflite", images[some].astype(np.float32) / np.float32(255))
    off = relative(found, softmax(logits[some].astype(float) / about(model / "model.safetensors").get("temperature", 1)))
    assert off < BOUND, off
    said(f"tflite of pictures: LiteRT's probabilities within {off:.1e}")
    # The tables that `activations.py` trains on.
    for task in ["regress", "classify", "reconstruct"]:
        selvedge("export", work / task, "--format", "tflite", "-o", work / "a.tflite")
        mean = about(work / task / "model.safetensors")["normalisation"]["mean"]
        x = (np.array(mean) + np.random.default_rng(4).normal(size=(200, len(mean)))).astype(np.float32)
        off = relative(infer(work / "a.tflite", x), outputs(work / task / "model.safetensors", x))
        assert off < BOUND, (task, off)
        said(f"tflite of a table, {task}: LiteRT takes its numbers; within {off:.1e}")


def with_signature(path):
    """Names the input and the output of a file, as LiteRT's quantizer needs for its calibration."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph, signature = model.subgraphs[0], schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    for name, index in [("inputs", graph.inputs[0]), ("outputs", graph.outputs[0])]:
        tensor = schema.TensorMapT()
        tensor.name, tensor.tensorIndex = name[:-1], index
        setattr(signature, name, [tensor])
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def quantized(work, selvedge, said):
    """What LiteRT's own quantizer makes of a file of floats, imported: it stands for the same numbers, except for what it
    rounds between the layers."""
    rng = np.random.default_rng(16)
    x = rng.uniform(0, 1, size=(200, 40)).astype(np.float32)
    safetensors.numpy.save_file(state(rng, [40, 32, 24, 5]), work / "s.safetensors")
    flags = ["--task", "regress", "--activation", "relu,relu6", "--inputs", "table"]
    selvedge("import", work / "s.safetensors", "-o", work / "net", *flags)
    selvedge("export", work / "net", "--format", "tflite", "-o", work / "a.tflite")
    with_signature(work / "a.tflite")
    for name, how, bound in [
        ("weights of 8 bits", recipe.weight_only_wi8_afp32(), BOUND),
        ("weights of 8 bits, inputs quantized as they come", recipe.dynamic_wi8_afp32(), 2e-2),
        ("all of 8 bits", recipe.static_wi8_ai8(), 2e-2),
        ("weights of 8 bits, the rest of 16", recipe.static_wi8_ai16(), 1e-2),
    ]:
        made = quantizer.Quantizer(str(work / "a.tflite"), how)
        data = {"serving_default": [{"input": row[None]} for row in x]}
        ranges = made.calibrate(data) if made.need_calibration else None
        made.quantize(ranges).export_model(str(work / "q.tflite"), overwrite=True)
        selvedge("import", work / "q.tflite", "-o", work / "q", "--task", "regress", "--inputs", "table")
        # In the mean: numbers outside the ranges of the calibration, which is of running means, are far off.
        found, theirs = outputs(work / "q", x), infer(work / "q.tflite", x)
        off = np.abs(theirs - found).mean() / np.abs(found).max() if ranges else relative(theirs, found)
        assert off < bound, (name, off)
        rounding = relative(found, outputs(work / "net", x))
        assert 0 < rounding < 2e-2, (name, rounding)
        said(f"import of LiteRT's quantizer, {name}: within {off:.1e} of LiteRT, {rounding:.1e} of the floats")


def autoencoder(selvedge, said, work, folder):
    """The official float and 8-bit models: the scores of all windows of a clip, as LiteRT gave them."""
    expected = json.loads((folder / "litert.json").read_text())
    clip = np.fromfile(folder / "normal_id_01_00000000_hist_librosa.bin", "<f4")
    x = np.stack([clip[n * expected["stride"] :][: expected["window"]] for n in range(expected["windows"])])
    for name, bound in [("ad01_fp32", 1e-4), ("ad01_int8", 6e-2)]:
        words = ["import", folder / f"{name}.tflite", "-o", work / "ad", "--task", "reconstruct", "--inputs", "table"]
        selvedge(*words)
        z = outputs(work / "ad", x)
        off = relative(infer(folder / f"{name}.tflite", x), z)
        # Ten layers in f32, against f64.
        assert name != "ad01_fp32" or off < 1e-4, (name, off)
        scores = ((z - x) ** 2).mean(1)
        worst = np.abs(scores / np.array(expected[name]["scores"]) - 1).max()
        assert abs(scores.mean() / expected[name]["score_mean"] - 1) < bound, (name, scores.mean())
        said(f"MLPerf Tiny's {name}: outputs within {off:.1e} of LiteRT, mean score {scores.mean():.4f}, LiteRT's {expected[name]['score_mean']:.4f}, a window's off by {worst:.1e}")


def run(work, selvedge, said, model, images, logits):
    every_task(work, selvedge, said)
    trained(work, selvedge, said, model, images, logits)
    quantized(work, selvedge, said)
    folder = pathlib.Path(os.environ.get("SELVEDGE_TEST_MLPERF", "../shared/mlperf-tiny"))
    if (folder / "litert.json").exists():
        autoencoder(selvedge, said, work, folder)
    else:
        print(f"no MLPerf Tiny files in {folder}: its autoencoder was not imported")
