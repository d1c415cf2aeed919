"""scikit-learn's networks and pipelines on its own tables, exported by `skl2onnx` and imported: our answers against
scikit-learn's. Called by `check.py`."""

import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn import datasets
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from activations import FORMULAS, answers, relative
from tensorflow_lite import softmax

BOUND = 1e-5

SCALERS = [None, StandardScaler(), StandardScaler(with_mean=False), MinMaxScaler(), MaxAbsScaler(), RobustScaler()]


def imported(work, selvedge, model, x, flags=(), options=None):
    """The answers of the imported graph of a fitted model, in f64, and what it says of itself."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    graph = to_onnx(model, x[:1], options={id(last): options} if options else None)
    (work / "sk.onnx").write_bytes(graph.SerializeToString())
    selvedge("import", work / "sk.onnx", "-o", work / "net", "--inputs", "table", *flags)
    z, _, about = answers(work / "net", x.astype(float))
    return z, about


def classifier(**settings):
    return MLPClassifier((12,), max_iter=15, random_state=1, **settings)


def regressor():
    return MLPRegressor(hidden_layer_sizes=(12, 6), max_iter=30, random_state=1)


def tables(work, selvedge, said):
    """Classifiers of every table behind every scaler, with a map of probabilities and with an array."""
    for name in ["iris", "wine", "digits", "breast_cancer"]:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        x, worst = x.astype(np.float32), 0
        for scaler in SCALERS:
            model = make_pipeline(scaler, classifier()) if scaler else classifier()
            model.fit(x, y)
            for zipmap in [True, False]:
                z, _ = imported(work, selvedge, model, x, options={"zipmap": zipmap})
                worst = max(worst, np.abs(softmax(z) - model.predict_proba(x)).max())
                assert worst < BOUND, (name, scaler, worst)
        said(f"import of scikit-learn's MLPClassifier of {name}, {len(SCALERS)} pipelines: probabilities of {len(x)} rows within {worst:.1e}")


def outputs(work, selvedge, said):
    """Names, labels, numbers, and every activation."""
    x, y = datasets.load_iris(return_X_y=True)
    x = x.astype(np.float32)
    names = datasets.load_iris().target_names
    for activation in ["relu", "tanh", "logistic"]:
        model = classifier(activation=activation).fit(x, names[y])
        z, about = imported(work, selvedge, model, x)
        off = np.abs(softmax(z) - model.predict_proba(x)).max()
        assert off < BOUND and about["classes"] == list(names), (activation, off, about)
        said(f"import of scikit-learn's MLPClassifier of names, {activation}: within {off:.1e}")
    labels = np.stack([y == 1, x[:, 0] > 5.5, x[:, 3] > 1], 1).astype(int)
    model = classifier().fit(x, labels)
    for zipmap in [True, False]:
        z, about = imported(work, selvedge, model, x, options={"zipmap": zipmap})
        off = np.abs(FORMULAS["sigmoid"](z) - model.predict_proba(x)).max()
        assert off < BOUND and about["task"] == "multilabel", (off, about)
        assert np.array_equal(z > 0, model.predict(x))
    said(f"import of scikit-learn's MLPClassifier of three labels: within {off:.1e}")
    for name in ["diabetes", "linnerud"]:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        x, worst = x.astype(np.float32), 0
        for scaler in SCALERS:
            model = make_pipeline(scaler, regressor()) if scaler else regressor()
            model.fit(x, y)
            z, _ = imported(work, selvedge, model, x, ["--task", "regress"])
            worst = max(worst, relative(z, model.predict(x).reshape(z.shape)))
            assert worst < BOUND, (name, scaler, worst)
        said(f"import of scikit-learn's MLPRegressor of {name}, {z.shape[1]} numbers, {len(SCALERS)} pipelines: within {worst:.1e}")


def refused(work, selvedge, said):
    x, y = datasets.load_iris(return_X_y=True)
    x = x.astype(np.float32)
    for step, name in [(Normalizer(), "ai.onnx.ml.Normalizer"), (MinMaxScaler(clip=True), "Clip")]:
        model = make_pipeline(step, classifier()).fit(x, y)
        (work / "sk.onnx").write_bytes(to_onnx(model, x[:1]).SerializeToString())
        line = selvedge("import", work / "sk.onnx", "-o", work / "none", "--inputs", "table", code=4)
        assert name in line, line
        said(f"refused: {line.replace(str(work), '...')}")


def run(work, selvedge, said):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables(work, selvedge, said)
        outputs(work, selvedge, said)
        refused(work, selvedge, said)
