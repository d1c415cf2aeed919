"""Flash files of integers, of every raw type, activation and task, against numpy and ONNX Runtime. Called by
`check.py`.

numpy evaluates the arrays of the npz as the format's specification says (`integers`), and must give the answers of `predict`;
the graph of integer operators must give numpy's integers. The graph of QuantizeLinear and DequantizeLinear rounds in floats: an
activation now and then is a unit away, which moves the answers of that row, by much where the next activation is steep.
Those of at least 99 % of the rows are within a bound. The TensorFlow Lite file of each goes to `tensorflow_lite_integers.py`."""

import csv
import json

import numpy as np
import onnx

import tensorflow_lite_integers as lite
from activations import infer

# The largest difference of a row's answers, as a part of the largest answer of all rows; that of a score, whose errors the
# graph does not round before it squares them.
BOUND, SCORES = 1e-5, 2e-3

COLOURS = ["red", "green", "blue"]
TASKS = {
    "classify": ["--target", "kind", "--drop", "value,high,warm"],
    "regress": ["--target", "value", "--drop", "kind,high,warm"],
    "multilabel": ["--target", "high,warm", "--drop", "value,kind"],
    "reconstruct": ["--drop", "value,kind,high,warm"],
}


def table(path, rows=600):
    """Columns of bytes, so that every raw type holds them; the features by the names of the network's inputs."""
    rng = np.random.default_rng(9)
    level, part = rng.integers(0, 200, rows), rng.integers(20, 256, rows)
    colour = rng.integers(0, 3, rows)
    value = 2.5 * level - 0.7 * part + 40 * (colour == 1) + rng.normal(size=rows) * 3
    lines = ["level,part,colour,value,kind,high,warm"]
    for a, b, k, v in zip(level, part, colour, value):
        kind = "low" if v < 50 else "middle" if v < 250 else "top"
        lines.append(f"{a},{b},{COLOURS[k]},{v:.3f},{kind},{int(v > 100)},{int(a > 90)}")
    path.write_text("\n".join(lines) + "\n")
    features = {"level": level, "part": part}
    return features | {f"colour={name}": (colour == k).astype(int) for k, name in enumerate(COLOURS)}


def integers(a, x):
    """Codes, and the outputs of the last layer, of the arrays of an npz, for rows of raw values."""
    fine = int(a["input.bits"]) == 14
    largest = 16383 if fine else 127
    if "input.lo" not in a and "input.offset" not in a:
        codes = a["table"][x].astype(np.int64) if "table" in a else x.astype(np.int64) >> 1
    elif "input.offset" in a:
        t = (x.astype(np.float32) - a["input.offset"]) * a["input.scale"]
        codes = (np.clip(t, 0, 2 * largest).astype(np.int64) + 1) >> 1
    else:
        shift = 18 if fine else 25
        d = np.clip(x.astype(np.int64) - a["input.lo"], 0, a["input.span"])
        codes = (d * a["input.m"].astype(np.int64) + (1 << (shift - 1))) >> shift
    y, low = (codes >> 7, codes & 127) if fine else (codes, None)
    count = len(a["activations"])
    for n in range(1, count + 1):
        w = a[f"fc{n}.weight"].astype(np.int64).T
        sums = y @ w + a[f"fc{n}.bias"]
        if low is not None:
            sums, low = sums + ((low @ w + 64) >> 7), None
        if n == count:
            return codes, sums
        steps = (sums * a[f"fc{n}.multiplier"].astype(np.int64) + 2**23) >> 24
        table = a.get(f"fc{n}.table")
        y = np.clip(steps, 0, 127) if table is None else table[np.clip(steps, -128, 127) + 128].astype(np.int64)


def score(a, codes, z):
    error = z + a["score.add"] - ((codes * a["score.mul"].astype(np.int64) + 128) >> 8)
    shift = int(a["score.shift"])
    error = np.clip((error + ((1 << shift) >> 1)) >> shift, -32767, 32767)
    return (error**2).sum(1).astype(np.float32) * a["score.unit"]


def answers(path):
    """The columns that `predict` writes beside a table's."""
    with open(path) as file:
        return list(csv.DictReader(file))


def near(found, expected, what, bound=BOUND):
    """The largest difference of an answer, as a part of the largest answer; that of all rows but 1 %."""
    off = np.abs(found - expected).reshape(len(found), -1).max(1) / np.abs(expected).max()
    most, usual = off.max(), np.quantile(off, 0.99)
    assert usual <= bound, (what, usual, most)
    return most, usual


def exported(work, selvedge, file, rows):
    """The arrays of a file, their codes and outputs, and what the two graphs give, all for rows of raw values."""
    selvedge("export", file, "--format", "npz", "-o", work / "q.npz")
    a = dict(np.load(work / "q.npz"))
    selvedge("export", file, "--format", "onnx-integer", "-o", work / "e.onnx")
    selvedge("export", file, "--format", "onnx", "-o", work / "q.onnx")
    exact, found = infer(work / "e.onnx", rows), infer(work / "q.onnx", rows)
    about = {p.key: p.value for p in onnx.load(work / "q.onnx").metadata_props}
    return a, *integers(a, rows), exact, found, about


def compared(work, selvedge, task, file, rows):
    a, codes, z, exact, found, about = exported(work, selvedge, file, rows)
    selvedge("predict", file, "--schema", work / "net", "--data", work / "t.csv", "-o", work / "answers.csv")
    said = answers(work / "answers.csv")
    if task == "regress":
        fixed = z + a["values.add"]
        assert np.array_equal(exact["fixed"], fixed)
        expected = fixed.astype(np.float32) * a["values.scale"]
        ours = np.array([[float(row["predicted_value"])] for row in said], np.float32)
        assert np.array_equal(ours, expected)
        return near(found["values"], expected, file)
    assert np.array_equal(exact["logits"], z)
    real = z * float(a["scales"][-1])
    if task == "reconstruct":
        expected = score(a, codes, z)
        ours = np.array([float(row["score"]) for row in said], np.float32)
        assert np.allclose(ours, expected, rtol=1e-5), (ours, expected)
        assert np.allclose(exact["score"][:, 0], expected, rtol=1e-6)
        near(found["logits"], real, file)
        return near(found["score"][:, 0], expected, file, SCORES)
    if task == "multilabel":
        set_ = z >= a["labels.threshold"]
        assert all([row[f"predicted_{n}"] for row in said][k] == str(int(set_[k, o])) for o, n in enumerate(["high", "warm"]) for k in range(len(said)))
        there = found["logits"] >= np.float32(about["threshold"])
        assert (there != set_).any(1).mean() <= 0.01
    else:
        names = json.loads(about["classes"])
        margin = int(a.get("class.margin", 0))
        top = np.sort(z, 1)
        unknown = top[:, -1] - top[:, -2] < margin
        assert [row["prediction"] for row in said] == ["unknown" if u else names[k] for u, k in zip(unknown, z.argmax(1))]
        assert ("margin" in about) == (margin > 0)
        assert (found["logits"].argmax(1) != z.argmax(1)).mean() <= 0.01
    return near(found["logits"], real, file)


def tables(work, selvedge, said):
    features = table(work / "t.csv")
    types = {"f32": np.float32, "i16": np.int16, "u16": np.uint16, "u8": np.uint8}
    activations = ["tanh,relu", "sigmoid,leaky-relu", "relu6,hard-swish", "relu,tanh"]
    for number, (task, flags) in enumerate(TASKS.items()):
        for way, (raw, dtype) in enumerate(types.items()):
            activation = activations[(number + way) % 4]
            words = ["--activation", activation, "--hidden", "16,12", "--epochs", "6"]
            selvedge("train", "--data", work / "t.csv", "--task", task, *flags, *words, "--out", work / "net", "--overwrite", "-q")
            selvedge("export", work / "net", "--format", "onnx", "-o", work / "f.onnx")
            names = json.loads({p.key: p.value for p in onnx.load(work / "f.onnx").metadata_props}["inputs"])
            rows = np.stack([features[name] for name in names], 1).astype(dtype)
            worst, told = [], []
            for bits in ["7", "14"]:
                reject = ["--reject", "0.9"] if task == "classify" and bits == "14" else []
                weights = "i4" if raw == "u16" and bits == "7" else "i8"
                file = work / f"{task}-{raw}-{bits}.selv"
                selvedge("quantize", work / "net", "--dtype", weights, "--input", raw, "--input-bits", bits, *reject, "-o", file)
                worst.append(compared(work, selvedge, task, file, rows))
                a = dict(np.load(work / "q.npz"))
                told.append(lite.table(work, selvedge, task, file, rows, a, *integers(a, rows)))
            most, usual = map(max, zip(*worst))
            said(
                f"{task} of {raw}, {activation}, 7 and 14 bits: numpy and integer operators equal; QDQ off by {usual:.1e} of the"
                f" largest answer in 99 % of {len(rows)} rows, at most {most:.1e}"
            )
            for bits, (found, back) in zip([7, 14], told):
                said(f"{task} of {raw}, {activation}, {bits} bits, LiteRT: {lite.text(found)}; imported again within {back:.1e}")


def windows(work, selvedge, said):
    rng = np.random.default_rng(4)
    t = np.arange(3000)
    axes = rng.normal(size=(2, 3000)) * 300 + np.where(t // 150 % 2 == 1, 9000 * np.sin(0.9 * t), 0)
    lines = [f"{x:.0f},{y:.0f},{'shaken' if k // 150 % 2 else 'rest'}" for x, y, k in zip(*axes, t)]
    (work / "t.csv").write_text("\n".join(["ax,ay,state", *lines]) + "\n")
    flags = ["--target", "state", "--window", "8", "--stride", "4", "--activation", "tanh", "--hidden", "16", "--epochs", "4"]
    selvedge("train", "--data", work / "t.csv", *flags, "--out", work / "net", "--overwrite", "-q")
    selvedge("quantize", work / "net", "--dtype", "i8", "--input", "i16", "-o", work / "w.selv")
    rows = np.array([np.rint(axes[:, n : n + 8]).T.reshape(-1) for n in range(0, 2900, 4)], np.int16)
    a, _, z, exact, found, about = exported(work, selvedge, work / "w.selv", rows)
    assert a["window"].tolist() == [8, 4] and json.loads(about["window"]) == {"rows": 8, "stride": 4}
    assert np.array_equal(exact["logits"], z)
    told, _ = lite.table(work, selvedge, "classify", work / "w.selv", rows, a, *integers(a, rows))
    said(f"windows of i16, LiteRT: {lite.text(told)}")
    most, usual = near(found["logits"], z * float(a["scales"][-1]), "windows")
    said(f"windows of i16: integer operators equal; QDQ off by {usual:.1e} in 99 % of {len(rows)} windows, at most {most:.1e}")


def pictures(work, selvedge, said):
    for activation in ["tanh", "relu6", "relu", "relu of a gamma"]:
        # A gamma is a table of bytes.
        gamma = ["--gamma", "0.5"] if "gamma" in activation else []
        flags = ["--activation", activation.split()[0], "--hidden", "24", "--epochs", "2", *gamma]
        selvedge("train", "--data", "demo", *flags, "--out", work / "net", "--overwrite", "-q")
        reject = ["--reject", "0.8"] if activation.startswith("relu ") or activation == "relu" else []
        selvedge("quantize", work / "net", "--dtype", "i8", *reject, "-o", work / "p.selv")
        selvedge("eval", work / "p.selv", "--data", "demo", "--logits", work / "logits.npz")
        with np.load(work / "logits.npz") as file:
            rows, ours = file["images"].reshape(len(file["labels"]), -1), file["logits"]
        a, codes, z, exact, found, about = exported(work, selvedge, work / "p.selv", rows)
        assert ("table" in a) == bool(gamma)
        told = lite.pictures(work, selvedge, work / "p.selv", rows, a, codes, z)
        said(f"pictures, {activation}, LiteRT of {len(rows)} images: {lite.text(told)}")
        assert np.array_equal(z, ours) and np.array_equal(exact["logits"], ours)
        assert ("class.margin" in a) == ("margin" in about) == bool(reject)
        most, usual = near(found["logits"], z * float(a["scales"][-1]), activation)
        said(f"pictures, {activation}: numpy and integer operators equal; QDQ off by {usual:.1e} in 99 % of {len(rows)} images, at most {most:.1e}")


def run(work, selvedge, said):
    work = work / "quantized"
    work.mkdir()
    tables(work, selvedge, said)
    windows(work, selvedge, said)
    pictures(work, selvedge, said)
