"""Train the three small networks of this assignment on the digits 0 to 7 and write them beside this script.

The files are float16 .npz without pickle.

Run once, by hand: ``python make_checkpoints.py`` (a few seconds). Seeded and single-threaded, so the same versions of torch and
numpy write the same weights; the manifest lists the sha256 of each file. Prints the clean test accuracy of what was written,
read back.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "shared"))

from courselib.data import load_digits_split  # noqa: E402
from courselib.models import SmallCNN  # noqa: E402
from courselib.training import accuracy, load_checkpoint, save_checkpoint, train_classifier  # noqa: E402

CLASSES = 8
"""Digits below this are known; the others are kept as outliers."""


def main() -> None:
    """Train cnn_0to7_0, cnn_0to7_1 and cnn_0to7_2: three seeds of one recipe."""
    torch.set_num_threads(1)
    known = {name: (x[y < CLASSES], y[y < CLASSES]) for name, (x, y) in load_digits_split().items()}
    for seed in range(3):
        torch.manual_seed(seed)
        model = train_classifier(SmallCNN(k=CLASSES), *known["train"], epochs=15, seed=seed)
        path = HERE / f"cnn_0to7_{seed}.npz"
        save_checkpoint(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        clean = accuracy(load_checkpoint(SmallCNN(k=CLASSES), path), *known["test"])
        print(f'"checkpoints/{path.name}" = "{digest}"  # test accuracy {clean:.3f}')


if __name__ == "__main__":
    main()
