"""Networks that Keras itself exports, through ONNX and TensorFlow Lite, imported: their answers against Keras' own. Called by
`check.py`."""

import json
import pathlib
import subprocess
import sys

import numpy as np

from activations import answers, relative
from tensorflow_lite import outputs

BOUND = 1e-5

# Of int8 files, in which the converter has rounded weights and what is between the layers: the largest difference of an answer,
# as a part of the largest answer.
ROUNDED = 3e-2


def run(work, selvedge, said):
    folder = work / "keras"
    folder.mkdir()
    script = pathlib.Path(__file__).with_name("keras_files.py")
    made = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]
    versions = made.stdout.strip().splitlines()[-1]
    for path in sorted(folder.glob("*.npz")):
        name, worst = path.stem, []
        with np.load(path) as file:
            x, y = file["x"], file["y"]
        image = "image" in name
        flags = [] if image else ["--inputs", "table"]
        flags += ["--task", "regress"] if name == "normalization" else []
        for kind in [".onnx", ".tflite", "-int8.tflite"]:
            words = ["import", folder / f"{name}{kind}", "-o", work / "net", *flags]
            if name == "normalization" and kind == ".onnx":
                # The exporter makes inputs of its constants.
                line = selvedge(*words, code=4)
                assert "leaves the mean of a Normalization layer out" in line, line
                continue
            told = json.loads(selvedge(*words, "--json"))
            rows = x / 255 if image else x
            found = answers(work / "net", rows.astype(float))[0] if name == "logits" else outputs(work / "net", rows)
            # One sigmoid is two classes.
            off = relative(found[:, 1:] if name == "one-sigmoid" else found, y)
            bound = ROUNDED if "int8" in kind else BOUND
            assert off < bound, (name, kind, off)
            worst.append(f"{kind.strip('.-')} within {off:.1e}, {len(told['warnings'])} warnings")
        said(f"import of {versions}, {name}, {len(x)} rows: {'; '.join(worst)}")
    for name, what in [("whole.keras", "a .keras archive"), ("whole.h5", "an HDF5 file")]:
        line = selvedge("import", folder / name, "-o", work / "none", code=4)
        assert what in line and "model.export" in line, line
        said(f"refused: {line.replace(str(folder), '...')}")
