"""Flash files of integers as TensorFlow Lite files, run by LiteRT: every activation behind a hidden layer against numpy's integers,
answers against the device's, and the file imported again. Called by `quantized.py`.

LiteRT multiplies sums in two ways. Its delegate XNNPACK, which it uses where it can, does so in f32, and a code differs
where the product is within its last digits of a half. Its own kernels round twice, to a power of two first, and a few codes in
a thousand are a unit off; so does what it computes of int16, the first layer of inputs of 14 bits. A code that is off moves the
sums of the next layer, and two units are possible behind a steep activation."""

import json

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import tensorflow_lite
from activations import relative

KERNELS = {"XNNPACK": OpResolverType.AUTO, "built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}

# Of exact products: parts of the codes that may differ, and by how much; the largest difference of an answer, as a part of the
# largest answer, in 99 % of the rows and in all. Then of products that are rounded twice.
EXACT = dict(codes=1e-4, units=2, usual=1e-5, most=2e-2)
TWICE = dict(codes=2e-2, units=3, usual=1e-2, most=3e-2)


def infer(path, rows, kernels, names):
    """The outputs for rows, and the values of tensors by their names, with their zero points."""
    net = Interpreter(
        model_path=str(path), num_threads=1, experimental_op_resolver_type=KERNELS[kernels], experimental_preserve_all_tensors=True
    )
    net.allocate_tensors()
    (i,), (o,) = net.get_input_details(), net.get_output_details()
    found = {d["name"]: d for d in net.get_tensor_details()}
    outputs, values = [], {name: [] for name in names}
    for row in rows:
        net.set_tensor(i["index"], row.astype(i["dtype"]).reshape(i["shape"]))
        net.invoke()
        outputs.append(net.get_tensor(o["index"]).reshape(-1).copy())
        for name in names:
            values[name].append(net.get_tensor(found[name]["index"]).reshape(-1).astype(int))
    zero = {name: found[name]["quantization"][1] for name in names}
    return np.array(outputs), {name: np.array(values[name]) - zero[name] for name in names}, found


def codes_of(a, codes):
    """The codes of every hidden layer, of the arrays of an npz."""
    fine = int(a.get("input.bits", 7)) == 14
    y, low, hidden = codes >> 7 if fine else codes, codes & 127 if fine else None, []
    for n in range(1, sum(name.endswith(".multiplier") for name in a) + 1):
        w = a[f"fc{n}.weight"].astype(np.int64).T
        sums = y @ w + a[f"fc{n}.bias"]
        if low is not None:
            sums, low = sums + ((low @ w + 64) >> 7), None
        steps = (sums * a[f"fc{n}.multiplier"].astype(np.int64) + 2**23) >> 24
        table = a.get(f"fc{n}.table")
        y = np.clip(steps, 0, 127) if table is None else table[np.clip(steps, -128, 127) + 128].astype(np.int64)
        hidden.append(y)
    return hidden


def device(a, task, z):
    """The answers that the outputs of a device stand for, in the units of the file's output."""
    real = z * float(a["scales"][-1])
    if task == "regress":
        return (z + a["values.add"]) * a["values.scale"].astype(float)
    if task == "multilabel":
        return 1 / (1 + np.exp(-real))
    if task == "reconstruct":
        # A code is half a unit of the map.
        codes = (z + a["score.add"]) * 256 / np.maximum(a["score.mul"].astype(float), 1)
        shift = 18 if int(a["input.bits"]) == 14 else 25
        whole = "input.lo" in a
        scale = a["input.m"] * 2.0 / 2.0**shift if whole else a["input.scale"].astype(float)
        return (a["input.lo"] if whole else a["input.offset"]) + 2 * codes / scale
    return tensorflow_lite.softmax(real)


def compared(path, a, task, rows, codes, z):
    """How far LiteRT's codes and answers for some rows are from a device's."""
    hidden, expected, told = codes_of(a, codes), device(a, task, z), []
    names = [f"x{n}" for n in range(len(hidden) + 1)]
    for kernels in KERNELS:
        bound = TWICE if kernels == "built-in" or int(a.get("input.bits", 7)) == 14 else EXACT
        outputs, found, tensors = infer(path, rows, kernels, names)
        # Raw values of integers are mapped in f32, so that one next to the edge of a code of 14 bits may get its neighbour.
        inputs = np.abs(found["x0"] - codes)
        assert inputs.max() <= 1 and (inputs > 0).mean() <= (1e-3 if "input.lo" in a else 0), (path, inputs.sum())
        differ, units = 0, 0
        for n, y in enumerate(hidden, 1):
            # What stands for 0 has the zero point.
            zero = int(a[f"fc{n}.table"][128]) if f"steps{n}_real" in tensors else 0
            off = np.abs(found[f"x{n}"] + zero - y)
            differ, units = differ + (off > 0).sum(), max(units, off.max())
        all_ = sum(y.size for y in hidden)
        off = np.abs(outputs - expected).max(1) / np.abs(expected).max()
        usual, most = np.quantile(off, 0.99), off.max()
        assert differ <= bound["codes"] * all_ and units <= bound["units"], (path, kernels, differ, all_, units)
        assert usual <= bound["usual"] and most <= bound["most"], (path, kernels, usual, most)
        others = (outputs.argmax(1) != z.argmax(1)).sum() if task == "classify" else 0
        assert others <= len(rows) / (1000 if bound is EXACT else 100), (path, kernels, others)
        told.append((kernels, differ, all_, units, most, others))
    return told


def text(told):
    return "; ".join(
        f"{kernels} {differ} of {count} codes off, by {units} at most, answers by {most:.1e}, {others} other classes"
        for kernels, differ, count, units, most, others in told
    )


def table(work, selvedge, task, file, rows, a, codes, z):
    """The file of a table: the answers of LiteRT, and the file imported again."""
    selvedge("export", file, "--format", "tflite", "--schema", work / "net", "-o", work / "q.tflite")
    told = compared(work / "q.tflite", a, task, rows.astype(np.float32), codes, z)
    flags = ["--task", task] if task in ["regress", "reconstruct"] else []
    said = json.loads(selvedge("import", work / "q.tflite", "-o", work / "back", "--inputs", "table", *flags, "--json"))
    assert sum("rounds it to whole numbers" in text or "its weights are integers" in text for text in said["warnings"]) == 2
    ours, theirs = tensorflow_lite.outputs(work / "back", rows), tensorflow_lite.infer(work / "q.tflite", rows)
    # Without the rounding between the layers.
    mean, most = np.abs(ours - theirs).mean() / np.abs(theirs).max(), relative(ours, theirs)
    assert mean < 1e-2 and most < 5e-2, (file, mean, most)
    return told, most


def pictures(work, selvedge, file, rows, a, codes, z):
    """The file of pictures, which takes bytes."""
    selvedge("export", file, "--format", "tflite", "-o", work / "q.tflite")
    told = compared(work / "q.tflite", a, "classify", rows, codes, z)
    if "table" in a:
        line = selvedge("import", work / "q.tflite", "-o", work / "none", code=4)
        assert "a table of 256 bytes that no gamma gives" in line, line
    else:
        selvedge("import", work / "q.tflite", "-o", work / "back")
    return told
