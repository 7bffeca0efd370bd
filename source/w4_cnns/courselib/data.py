"""The course's image data: scikit-learn's 8 x 8 digits, split once and for all. Nothing is downloaded."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

#: Images in each part, in the order in which the fixed permutation hands them out.
SPLIT_SIZES = {"train": 1100, "val": 300, "test": 397}


def load_digits_split() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return ``{"train": (x, y), "val": (x, y), "test": (x, y)}``, the same split on every machine.

    ``x`` is float32 ``(N, 1, 8, 8)`` with grey values in [0, 1] (the raw values 0..16 divided by 16), ``y`` is int64
    ``(N,)`` with digits 0..9. Sizes are 1100 / 300 / 397; the permutation is that of ``np.random.default_rng(0)``.
    """
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    split, start = {}, 0
    for name, size in SPLIT_SIZES.items():
        rows = order[start : start + size]
        split[name] = (torch.from_numpy(images[rows]), torch.from_numpy(labels[rows]))
        start += size
    return split
