"""Scikit-learn's digits in heavy noise: hard enough that a network cannot know every answer."""

from __future__ import annotations

import numpy as np
import torch
from courselib.data import load_digits_split

#: Images that train the networks, that choose a temperature, and that judge the result. No image is in two parts.
PARTS = {"train": 600, "val": 400, "test": 797}
#: The noise that the networks were trained for, in grey values (black 0, white 1).
TRAINING_NOISE = 0.5


def noisy_digits(noise: float = TRAINING_NOISE) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return ``{"train": (x, y), "val": (x, y), "test": (x, y)}`` with Gaussian noise of that standard deviation on each pixel.

    ``x`` is float32 ``(N, 1, 8, 8)``, clipped to [0, 1]; ``y`` is int64 ``(N,)``. The same on every machine: images, order and
    noise are fixed, and a louder noise is the same noise scaled up.
    """
    split = load_digits_split()
    x, y = (torch.cat([split[name][k] for name in ("train", "val", "test")]) for k in (0, 1))
    static = torch.from_numpy(np.random.default_rng(7).standard_normal(x.shape).astype(np.float32))
    x = (x + noise * static).clamp(0.0, 1.0)
    sizes = list(PARTS.values())
    return dict(zip(PARTS, zip(x.split(sizes), y.split(sizes), strict=True), strict=True))
