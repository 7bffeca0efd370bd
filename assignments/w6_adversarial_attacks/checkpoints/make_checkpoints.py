"""Train the four small networks of this assignment and write them beside this script, as float16 .npz without pickle.

Run once, by hand: ``python make_checkpoints.py`` (about ten seconds). Seeded and single-threaded, so the same versions of
torch and numpy write the same weights; the manifest lists the sha256 of each file. Prints the clean test accuracy of what
was written, read back.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "shared"))

from courselib.data import load_digits_split  # noqa: E402
from courselib.models import BNDropNet, SmallCNN  # noqa: E402
from courselib.training import accuracy, load_checkpoint, save_checkpoint, train_classifier  # noqa: E402


def main() -> None:
    """Train cnn_std_0, cnn_std_1, cnn_std_2 (three seeds of one recipe) and bndrop."""
    torch.set_num_threads(1)
    split = load_digits_split()
    recipes = [(f"cnn_std_{seed}", SmallCNN, seed, 15) for seed in range(3)] + [("bndrop", BNDropNet, 0, 8)]
    for name, network, seed, epochs in recipes:
        torch.manual_seed(seed)
        model = train_classifier(network(), *split["train"], epochs=epochs, seed=seed)
        path = HERE / f"{name}.npz"
        save_checkpoint(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        clean = accuracy(load_checkpoint(network(), path), *split["test"])
        print(f'"checkpoints/{path.name}" = "{digest}"  # test accuracy {clean:.3f}')


if __name__ == "__main__":
    main()
