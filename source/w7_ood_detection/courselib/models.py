"""Small classifiers for 8 x 8 grey images. Every forward pass maps ``x`` float32 (N, ...) to logits float32 (N, k)."""

from __future__ import annotations

import math

import torch
from torch import nn


class SmallCNN(nn.Module):
    """Two 3 x 3 convolutions and two linear layers: 38 282 parameters for ``k=10`` classes and width ``w=16``."""

    def __init__(self, k: int = 10, w: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, w, 3, padding=1)
        self.conv2 = nn.Conv2d(w, 2 * w, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(2 * w * 16, 64)
        self.head = nn.Linear(64, k)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activations after the last ReLU, float32 (N, 64), for images ``x`` (N, 1, 8, 8)."""
        x = torch.relu(self.conv1(x))
        x = self.pool(torch.relu(self.conv2(x)))
        return torch.relu(self.hidden(x.flatten(1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits float32 (N, k)."""
        return self.head(self.features(x))


class LinearNet(nn.Module):
    """Flatten, then one linear layer: logits ``W x + b``. Its input gradient is known in closed form."""

    def __init__(self, k: int = 10, shape: tuple[int, ...] = (1, 8, 8)) -> None:
        super().__init__()
        self.linear = nn.Linear(math.prod(shape), k)

    @classmethod
    def from_weights(cls, weight: torch.Tensor, bias: torch.Tensor | None = None) -> LinearNet:
        """Return a net in eval mode with ``weight`` float (k, pixels) and ``bias`` float (k,), zero if left out."""
        net = cls(weight.shape[0], (weight.shape[1],))
        with torch.no_grad():
            net.linear.weight.copy_(weight)
            net.linear.bias.copy_(torch.zeros(weight.shape[0]) if bias is None else bias)
        return net.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits float32 (N, k) for ``x`` of any shape (N, ...) with the right number of pixels."""
        return self.linear(x.flatten(1))


class BNDropNet(nn.Module):
    """A small net with BatchNorm and Dropout: in train mode its output is random and each forward pass moves its buffers."""

    def __init__(self, k: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8 * 16, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits float32 (N, k) for images ``x`` (N, 1, 8, 8)."""
        x = self.pool(torch.relu(self.norm(self.conv(x))))
        return self.head(self.drop(x.flatten(1)))
