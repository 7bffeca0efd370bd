"""Train the five small networks of this assignment and write them beside this script, as float16 .npz without pickle.

Run once, by hand: ``python make_checkpoints.py`` (about five seconds). Seeded and single-threaded, so the same versions of
torch and numpy write the same weights; the manifest lists the sha256 of each file. Prints the test accuracy of what was
written, read back.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "shared"), str(HERE.parent)]

from courselib.models import SmallCNN  # noqa: E402
from courselib.training import accuracy, load_checkpoint, save_checkpoint, train_classifier  # noqa: E402
from noisy_digits import noisy_digits  # noqa: E402


def main() -> None:
    """Train net_0 to net_4: one recipe, five seeds, and more epochs than are good for them."""
    torch.set_num_threads(1)
    parts = noisy_digits()
    for seed in range(5):
        torch.manual_seed(seed)
        model = train_classifier(SmallCNN(w=8), *parts["train"], epochs=35, seed=seed)
        path = HERE / f"net_{seed}.npz"
        save_checkpoint(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        right = accuracy(load_checkpoint(SmallCNN(w=8), path), *parts["test"])
        print(f'"checkpoints/{path.name}" = "{digest}"  # test accuracy {right:.3f}')


if __name__ == "__main__":
    main()
