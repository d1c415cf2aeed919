"""Networks as other programs export them: by scikit-learn's own exporter, as graphs in the ways of PyTorch and Keras, and
files that users brought, each against ONNX Runtime's answers to the same pictures. Called by `check.py`."""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from activations import answers

BOUND = 1e-5


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def relative(a, b):
    """The largest difference, in units of the largest value of the image."""
    return (np.abs(a - b).max(1) / np.abs(b).max(1)).max()


def softmax(z):
    e = np.exp(z.astype(float) - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def forward(net, x):
    """Logits of rows `x` of the model's inputs, in f64."""
    return answers(net, x)[0]


class Checks:
    def __init__(self, work, selvedge, said, logits):
        self.work, self.selvedge, self.said, self.logits = work, selvedge, said, logits

    def compare(self, path, what, x, output, of=lambda z: z, images=None):
        """Our logits of the data's images against an output of the graph at `path` for `x`. With `images`, numpy's of the
        imported weights, for networks that know fewer classes than the data has."""
        told = json.loads(self.selvedge("import", path, "-o", self.work / "net", "--json"))
        z = self.logits(self.work / "net")[2] if images is None else forward(self.work / "net", images / 255)
        ours = of(z)
        run = session(path)
        found = run.run([output] if output else None, {run.get_inputs()[0].name: x})[0]
        if isinstance(found, list):  # A ZipMap's.
            found = np.array([[row[key] for key in row] for row in found])
        off = relative(ours, np.asarray(found).reshape(len(x), -1))
        assert off < BOUND, f"{what}: {off}"
        self.said(f"import of {what}: outputs of {len(x)} images within {off:.1e}, {len(told['warnings'])} warnings")
        return told

    def scikit_learn(self, images, labels):
        from skl2onnx import to_onnx
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
        import warnings

        warnings.filterwarnings("ignore")
        unit, byte = images.astype(np.float32) / np.float32(255), images.astype(np.float32)
        names = np.array([f"class {n}" for n in labels])
        mlp = lambda: MLPClassifier((16,), max_iter=3, random_state=1)
        for what, model, x, y in [
            ("scikit-learn's MLPClassifier", mlp(), unit, labels),
            ("the same with names", mlp(), unit, names),
            ("the same of two classes", mlp(), unit, labels > 4),
            ("a StandardScaler in front of it", make_pipeline(StandardScaler(), mlp()), unit, labels),
            ("the same of pixels of 0 to 255", make_pipeline(StandardScaler(), mlp()), byte, labels),
            ("a MinMaxScaler of pixels of 0 to 255", make_pipeline(MinMaxScaler(), mlp()), byte, labels),
        ]:
            model.fit(x, y)
            for zipmap in [True, False]:
                options = {id(model): {"zipmap": zipmap}}
                path = self.work / "sk.onnx"
                path.write_bytes(to_onnx(model, x[:1], options=options).SerializeToString())
                output = "output_probability" if zipmap else "probabilities"
                few = images if "two classes" in what else None
                self.compare(path, f"{what}, {'a map' if zipmap else 'an array'}", x, output, softmax, few)
            net = json.loads(self.selvedge("inspect", self.work / "net", "--json"))
            assert net["classes"] == (sorted(set(names)) if y is names else [] if y is labels else net["classes"])

    def graphs(self, layers, images):
        """What PyTorch's and Keras' exporters write around the same layers."""
        unit = images.astype(np.float32) / np.float32(255)
        byte = images.astype(np.float32)
        square = lambda x: x.reshape(-1, 1, 28, 28)
        constant = lambda name, values: numpy_helper.from_array(np.asarray(values), name)
        f32 = np.float32

        def save(before, shape, kind=TensorProto.FLOAT, constants=(), norm=None, after=(), output="z"):
            nodes, tensors, last = list(before), list(constants), "flat"
            for n, (w, b) in enumerate(layers):
                tensors += [constant(f"w{n}", w), constant(f"b{n}", b)]
                here = "z" if n + 1 == len(layers) else f"z{n}"
                nodes.append(helper.make_node("Gemm", [last, f"w{n}", f"b{n}"], [here], transB=1))
                last = here
                if n == 0 and norm:
                    nodes += norm
                    last = norm[-1].output[0]
                if n + 1 < len(layers):
                    nodes.append(helper.make_node("Relu", [last], [f"a{n}"]))
                    last = f"a{n}"
            nodes += after
            value = lambda name, dims, of: helper.make_tensor_value_info(name, of, dims)
            graph = helper.make_graph(
                nodes, "g", [value("x", shape, kind)], [value(output, [None, len(layers[-1][1])], TensorProto.FLOAT)], tensors
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
            onnx.checker.check_model(model, full_check=True)
            onnx.save(model, self.work / "e.onnx")
            return self.work / "e.onnx"

        node = helper.make_node
        flatten = [node("Flatten", ["x"], ["flat"])]
        reshape = [node("Reshape", ["x", "to"], ["flat"])]
        to = [constant("to", [-1, 784])]
        sizes = [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["size"]),
            node("Unsqueeze", ["size", "axis"], ["sizes"]),
            node("Concat", ["sizes", "rest"], ["to"], axis=0),
        ]
        width = len(layers[0][1])
        rng = np.random.default_rng(1)
        bn = [constant(name, rng.uniform(0.5, 2, width).astype(f32)) for name in ["scale", "shift", "mean", "var"]]
        norm = [node("BatchNormalization", ["z0", "scale", "shift", "mean", "var"], ["n"], epsilon=1e-3)]
        minus = [node("Sub", ["x", "m"], ["s"]), node("Div", ["s", "d"], ["n"]), node("Flatten", ["n"], ["flat"])]
        rescaled = [node("Mul", ["x", "k"], ["m"]), node("Add", ["m", "o"], ["r"]), node("Reshape", ["r", "to"], ["flat"])]
        image = ["n", 1, 28, 28]
        for what, path, x, output in [
            ("a Reshape", lambda: save(reshape, image, constants=to), square(unit), "z"),
            (
                "a Reshape to computed sizes",
                lambda: save(
                    sizes + reshape, image, constants=[constant("zero", 0), constant("axis", [0]), constant("rest", [-1])]
                ),
                square(unit),
                "z",
            ),
            ("a BatchNormalization", lambda: save(flatten, image, constants=bn, norm=norm), square(unit), "z"),
            (
                "a mean and a deviation in the graph",
                lambda: save(minus, image, constants=[constant("m", f32(0.286)), constant("d", f32(0.353))]),
                square(unit),
                "z",
            ),
            (
                "Keras' Rescaling to -1..1",
                lambda: save(
                    rescaled, ["n", 28, 28], constants=[constant("k", f32(1 / 127.5)), constant("o", f32(-1)), *to]
                ),
                byte.reshape(-1, 28, 28),
                "z",
            ),
            (
                "a division by 255 of bytes",
                lambda: save(
                    [node("Cast", ["x"], ["c"], to=1), node("Div", ["c", "k"], ["flat"])],
                    ["n", 784],
                    TensorProto.UINT8,
                    [constant("k", f32(255))],
                ),
                images,
                "z",
            ),
            ("bytes as they are", lambda: save([node("Cast", ["x"], ["flat"], to=1)], ["n", 784], TensorProto.UINT8), images, "z"),
            (
                "a LogSoftmax",
                lambda: save(flatten, image, after=[node("LogSoftmax", ["z"], ["y"], axis=1)], output="y"),
                square(unit),
                "y",
            ),
        ]:
            of = (lambda z: np.log(softmax(z))) if output == "y" else (lambda z: z)
            self.compare(path(), what, x, output, of)

    def state_dicts(self, layers, ours):
        """State dicts without biases, of f64, as Keras' kernels, and in shards."""

        def check(what, path):
            self.selvedge("import", path, "-o", self.work / "net")
            off = relative(self.logits(self.work / "net")[2], ours)
            assert off <= 1e-6, f"{what}: {off}"
            self.said(f"import of a state dict, {what}: logits within {off:.1e}")

        save, path = safetensors.numpy.save_file, self.work / "s.safetensors"
        save({f"{2 * n}.{part}": a.astype(float) for n, pair in enumerate(layers) for part, a in zip(["weight", "bias"], pair)}, path)
        check("f64", path)
        name = lambda n: "dense" if n == 0 else f"dense_{n}"
        kernels = {f"{name(n)}/kernel": np.ascontiguousarray(w.T) for n, (w, _) in enumerate(layers)}
        save(kernels | {f"{name(n)}/bias": b for n, (_, b) in enumerate(layers)}, path)
        check("Keras' kernels", path)
        where = {}
        for n, (w, b) in enumerate(layers):
            shard = f"m-{n + 1:05}-of-{len(layers):05}.safetensors"
            save({f"net.{n}.weight": w, f"net.{n}.bias": b}, self.work / shard)
            where |= {f"net.{n}.weight": shard, f"net.{n}.bias": shard}
        (self.work / "m.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
        check("in shards", self.work / "m.safetensors.index.json")

    def cases(self, folder):
        """Files that users brought, with what ONNX Runtime answers to a fixed input."""
        taken = 0
        for name, case in json.loads((folder / "onnxruntime.json").read_text()).items():
            told = json.loads(self.selvedge("import", folder / name, "-o", self.work / "net", "--json"))
            x = np.random.default_rng(7).random(case["input_shape"], dtype=np.float32).reshape(-1).astype(float)
            whole = onnx.load(folder / name, load_external_data=False).graph.input[0].type.tensor_type.elem_type == 2
            if whole:
                x = np.floor(256 * x)
            # What the graph was taken to expect is what the model has divided by 255.
            if whole or any("of 0 to 255;" in text for text in told["warnings"]):
                x /= 255
            z = forward(self.work / "net", x[None])
            expected = np.array(case["outputs"][-1])
            forms = [z, softmax(z), np.log(softmax(z)), 1 / (1 + np.exp(-z))]
            if expected.size == 1:  # A sigmoid, whose model has two classes; a small one is a float's last digits.
                off = np.abs(softmax(z)[0, 1] - expected).max()
                assert off < BOUND, f"{name}: {off}"
                taken += 1
                continue
            off = min(relative(form[:, : expected.size], expected[None]) for form in forms)
            assert off < BOUND, f"{name}: {off}"
            taken += 1
        self.said(f"{folder.name}: {taken} files imported, ONNX Runtime's outputs within {BOUND}")
