"""Times training against scikit-learn's MLPClassifier and MLPRegressor, in turn, on one thread, with the same settings.

    python tests/interop/scikit_learn.py PROGRAM [--digits digits.csv]

PROGRAM is the release build of `selvedge`. Both train on the same rows from memory: reading files does not count on either
side, and neither does evaluation. It prints the median and the worst ratio of several pairs, and ends with 1 where a bound
is missed: fifty SGD epochs of digits 8 times as fast, one Adam epoch of 1,000,000 x 30 numbers 4 times as fast.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"
# Some machines pin an old kernel for old builds of OpenBLAS; the baseline is to be as fast as it can be.
for pinned in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(pinned, None)

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore", ConvergenceWarning)


def selvedge(program, data, folder, flags):
    """The seconds of the training steps of all epochs."""
    out = folder / "run"
    command = [program, "train", "--data", data, "--threads", "1", "--train-on", "all", "--patience", "0", "--schedule",
               "constant", "--warmup", "0", "--weight-decay", "0", "--out", out, "--overwrite", "--json", "--quiet", *flags]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    epochs = [json.loads(line) for line in run.stdout.splitlines()]
    return sum(epoch["seconds"] for epoch in epochs if "epoch" in epoch), epochs[0]["images_per_second"]


def train_rows(program, data, folder, flags):
    """The rows that `selvedge` trains on: all but the test rows."""
    seconds, speed = selvedge(program, data, folder, [*flags, "--epochs", "1"])
    return round(seconds * speed)


def scikit_learn(network, x, y):
    start = time.perf_counter()
    network.fit(x, y)
    return time.perf_counter() - start


def compare(name, bound, pairs, ours, theirs):
    ratios = []
    for _ in range(pairs):
        mine, other = ours(), theirs()
        ratios.append(other / mine)
        print(f"  selvedge {mine:.4f} s, scikit-learn {other:.4f} s: {other / mine:.1f} x", flush=True)
    median = statistics.median(ratios)
    print(f"{name}: median {median:.1f} x, worst {min(ratios):.1f} x, wanted {bound} x")
    return median >= bound


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    met = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        digits = load_digits()
        table = folder / "digits.csv"
        header = ",".join(f"p{n}" for n in range(64)) + ",class"
        np.savetxt(table, np.column_stack([digits.data, digits.target]), "%g", ",", header=header, comments="")
        flags = ["--task", "classify", "--hidden", "64", "--optimizer", "sgd", "--lr", "0.01", "--batch", "64"]
        rows = train_rows(args.program, table, folder, flags)
        x = digits.data[:rows].astype(np.float32)
        x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
        sgd = MLPClassifier(hidden_layer_sizes=64, solver="sgd", learning_rate_init=0.01, momentum=0.0, alpha=0.0, batch_size=64, max_iter=50,
                            tol=0, n_iter_no_change=50)
        met.append(compare(
            "digits, 64-64-10, 50 epochs of SGD", 8, 7,
            lambda: selvedge(args.program, table, folder, [*flags, "--epochs", "50"])[0],
            lambda: scikit_learn(sgd, x, digits.target[:rows]),
        ))

        random = np.random.default_rng(1)
        x = random.standard_normal((args.rows, 30), dtype=np.float32)
        y = (x[:, :3].sum(1) + 0.1 * random.standard_normal(args.rows)).astype(np.float32)
        arrays = folder / "rows.npz"
        np.savez(arrays, X=x, y=y)
        flags = ["--task", "regress", "--hidden", "64", "--optimizer", "adamw", "--lr", "0.001", "--batch", "256"]
        rows = train_rows(args.program, arrays, folder, flags)
        x, y = x[:rows], y[:rows]
        adam = MLPRegressor(hidden_layer_sizes=64, solver="adam", learning_rate_init=0.001, alpha=0.0, batch_size=256, max_iter=1, tol=0)
        met.append(compare(
            f"{args.rows:,} x 30, 30-64-1, an epoch of Adam", 4, 5,
            lambda: selvedge(args.program, arrays, folder, [*flags, "--epochs", "1"])[0],
            lambda: scikit_learn(adam, x, y),
        ))
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
