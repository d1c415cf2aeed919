"""Networks with every activation and task against ONNX Runtime, both ways: graphs as PyTorch's exporters write them and
scikit-learn's own exporter's, imported; and our models of tables, exported. Called by `check.py`.

What our program computes is said by its files alone: weights, and in the metadata the activations, the standardisation and
the targets' units; numpy evaluates them in f64 (`answers`)."""

import json

import numpy as np
import onnx
import onnxruntime
import safetensors
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

BOUND = 1e-5

FORMULAS = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "relu6": lambda z: np.clip(z, 0, 6),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "hard-swish": lambda z: z * np.clip(z + 3, 0, 6) / 6,
}


def answers(path, x):
    """Outputs, and the inputs of the first layer, of a model file for rows `x` of its data, in f64."""
    net = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "np") as file:
        about = json.loads(file.metadata()["selvedge"])
    if isinstance(about["normalisation"], dict):
        x = (x - np.array(about["normalisation"]["mean"])) * np.array(about["normalisation"]["scale"])
    first, count = x, len(net) // 2
    names = about["activation"].split(",")
    for n in range(1, count + 1):
        x = x @ net[f"fc{n}.weight"].astype(float).T + net[f"fc{n}.bias"]
        if n < count:
            x = FORMULAS[names[n - 1 if len(names) > 1 else 0]](x)
    if about.get("target_scale"):
        x = x * np.array(about["target_scale"]["deviation"]) + np.array(about["target_scale"]["mean"])
    return x, first, about


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def infer(path, x):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # Without warnings of constants that a graph does not use.
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: x})))


def written(activation, last, n):
    """The ways in which PyTorch's exporters write an activation, each as nodes from `last` to `a{n}`."""
    node, out = helper.make_node, f"a{n}"
    gate = [node("Add", [last, "three"], [f"s{n}"]), node("Clip", [f"s{n}", "zero", "six"], [f"c{n}"])]
    return {
        "relu": [[node("Relu", [last], [out])]],
        "leaky-relu": [[node("LeakyRelu", [last], [out], alpha=0.01)]],
        "relu6": [[node("Clip", [last, "zero", "six"], [out])]],
        "tanh": [[node("Tanh", [last], [out])]],
        "sigmoid": [[node("Sigmoid", [last], [out])]],
        "hard-swish": [
            [node("HardSwish", [last], [out])],
            [node("HardSigmoid", [last], [f"g{n}"], alpha=1 / 6, beta=0.5), node("Mul", [last, f"g{n}"], [out])],
            [*gate, node("Div", [f"c{n}", "six"], [f"g{n}"]), node("Mul", [last, f"g{n}"], [out])],
            [*gate, node("Mul", [last, f"c{n}"], [f"m{n}"]), node("Div", [f"m{n}", "six"], [out])],
        ],
    }[activation]


def imported(work, selvedge, said):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 8)).astype(np.float32) * 3
    for first, second in zip(FORMULAS, [*list(FORMULAS)[1:], "relu"]):
        for way in range(len(written(first, "z0", 0))):
            for outputs, task in [(1, "regress"), (3, "regress"), (3, "multilabel"), (8, "reconstruct"), (4, None)]:
                widths, nodes, tensors, last = [8, 16, 12, outputs], [], [], "x"
                for name in ["zero", "three", "six"]:
                    tensors.append(numpy_helper.from_array(np.float32({"zero": 0, "three": 3, "six": 6}[name]), name))
                for n in range(3):
                    w, b = rng.normal(size=(widths[n + 1], widths[n])) / np.sqrt(widths[n]), rng.normal(size=widths[n + 1])
                    tensors += [numpy_helper.from_array(w.astype(np.float32), f"w{n}"), numpy_helper.from_array(b.astype(np.float32), f"b{n}")]
                    nodes.append(helper.make_node("Gemm", [last, f"w{n}", f"b{n}"], [f"z{n}"], transB=1))
                    if n < 2:
                        ways = written([first, second][n], f"z{n}", n)
                        nodes += ways[way if n == 0 else 0]
                        last = f"a{n}"
                value = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
                graph = helper.make_graph(nodes, "main_graph", [value("x", 8)], [value("z2", outputs)], tensors)
                onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), work / "a.onnx")
                flags = ["--task", task] if task else []
                selvedge("import", work / "a.onnx", "-o", work / "net", "--inputs", "table", *flags)
                found, _, about = answers(work / "net", x.astype(float))
                off = relative(infer(work / "a.onnx", x)["z2"], found)
                assert about.get("task") == (task or None) and off < BOUND, (first, second, task, off, about)
                # And out again.
                selvedge("export", work / "net", "--format", "onnx", "-o", work / "b.onnx")
                name = {"regress": "values", "reconstruct": "reconstruction"}.get(task, "logits")
                out = infer(work / "b.onnx", x)
                off = max(off, relative(out[name], found))
                if task == "reconstruct":
                    off = max(off, relative(out["score"][:, 0], ((found - x) ** 2).mean(1)))
                if task == "multilabel":
                    off = max(off, relative(out["probabilities"], FORMULAS["sigmoid"](found)))
                assert off < BOUND, (first, second, task, off)
        said(f"import and export of {first} and {second}, every task: within {BOUND} of ONNX Runtime, the last {off:.1e}")
    # One sigmoid is two classes.
    graph.node.append(helper.make_node("Sigmoid", ["q"], ["y"]))
    graph.node[-2].input[1], graph.node[-2].input[2], graph.node[-2].output[0] = "v", "c", "q"
    v, c = rng.normal(size=(1, 12)).astype(np.float32), rng.normal(size=1).astype(np.float32)
    graph.initializer.extend([numpy_helper.from_array(v, "v"), numpy_helper.from_array(c, "c")])
    graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1]))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), work / "a.onnx")
    told = json.loads(selvedge("import", work / "a.onnx", "-o", work / "net", "--inputs", "table", "--json"))
    found = answers(work / "net", x.astype(float))[0]
    assert np.all(found[:, 0] == 0) and any("softmax equals the sigmoid" in text for text in told["warnings"])
    off = relative(infer(work / "a.onnx", x)["y"][:, 0], FORMULAS["sigmoid"](found[:, 1]))
    assert off < BOUND, off
    said(f"import of one sigmoid: two classes, probabilities within {off:.1e}")


def scikit_learn(work, selvedge, said):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    import warnings

    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(6)
    x = (rng.normal(size=(300, 5)) * [1, 10, 0.1, 3, 1] + [2000, 0, 1, -5, 0]).astype(np.float32)
    y = np.stack([x[:, 1] * 3 + 100, np.sin(x[:, 4])], 1)
    for activation in ["tanh", "logistic", "relu"]:
        # Of several targets it writes a graph that joins them in one column.
        for target in [y[:, 0], y[:, 1]]:
            model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(12, 6), activation=activation, max_iter=20, random_state=1))
            model.fit(x, target)
            (work / "sk.onnx").write_bytes(to_onnx(model, x[:1]).SerializeToString())
            words = ["import", work / "sk.onnx", "-o", work / "net", "--inputs", "table", "--task", "regress"]
            selvedge(*words)
            found = answers(work / "net", x.astype(float))[0]
            # The graph subtracts the means of columns that are far from 0, in f32 as we do.
            off = relative(np.reshape(infer(work / "sk.onnx", x)["variable"], found.shape), found)
            assert off < BOUND, (activation, off)
            selvedge("export", work / "net", "--format", "onnx", "-o", work / "b.onnx")
            off = max(off, relative(infer(work / "b.onnx", x)["values"], found))
            assert off < BOUND, (activation, off)
        said(f"import of scikit-learn's MLPRegressor, {activation}, and out again: within {off:.1e}")


def trained(work, selvedge, said):
    """Models that our program trains on a table, exported: ONNX Runtime takes the table's numbers."""
    rng = np.random.default_rng(8)
    x = (rng.normal(size=(400, 3)) * [20, 1, 0.01] + [2000, 0, 5]).astype(np.float32)
    colour = rng.integers(0, 3, 400)
    y = 50 + 4 * x[:, 1] + 10 * colour + rng.normal(size=400)
    rows = [f"{a},{b},{c},{'red green blue'.split()[k]},{t:.4f},{'yes' if t > 60 else 'no'}" for (a, b, c), k, t in zip(x.tolist(), colour, y)]
    (work / "t.csv").write_text("\n".join(["year,level,part,colour,value,high", *rows]) + "\n")
    for task, target, dropped, name in [
        ("regress", "value", "high", "values"),
        ("classify", "high", "value", "logits"),
        ("reconstruct", "high", "value", "reconstruction"),
    ]:
        flags = ["--task", task, "--target", target, "--drop", dropped, "--activation", "tanh", "--hidden", "12,8", "--epochs", "3"]
        selvedge("train", "--data", work / "t.csv", *flags, "--out", work / task, "-q")
        selvedge("export", work / task, "--format", "onnx", "-o", work / "b.onnx")
        names = json.loads({p.key: p.value for p in onnx.load(work / "b.onnx").metadata_props}["inputs"])
        value = {"year": x[:, 0], "level": x[:, 1], "part": x[:, 2]}
        for k, text in enumerate("red green blue".split()):
            value[f"colour={text}"] = (colour == k).astype(np.float32)
        inputs = np.stack([value[name] for name in names], 1).astype(np.float32)
        found, first, _ = answers(work / task / "model.safetensors", inputs.astype(float))
        out = infer(work / "b.onnx", inputs)
        if task == "reconstruct":
            off = relative(out["score"][:, 0], ((found - first) ** 2).mean(1))
        else:
            off = relative(out[name], found)
        assert off < BOUND, (task, off)
        said(f"onnx of a table, {task}: ONNX Runtime takes {', '.join(names)}; within {off:.1e}")


def run(work, selvedge, said):
    imported(work, selvedge, said)
    scikit_learn(work, selvedge, said)
    trained(work, selvedge, said)
