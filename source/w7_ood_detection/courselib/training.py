"""Training, evaluation and storage of the small classifiers, and a probe that shows what a call did to a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def train_classifier(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int = 15, lr: float = 2e-3, batch: int = 64, seed: int = 0
) -> nn.Module:
    """Train ``model`` in place with Adam on the cross-entropy and return it in eval mode.

    ``x`` float32 (N, ...), ``y`` int64 (N,). ``seed`` fixes the order of the batches and, through torch's global generator,
    dropout; the initial weights are those the model arrives with.
    """
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(batch):
            optimiser.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    optimiser.zero_grad()
    return model.eval()


@torch.no_grad()
def predict(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the predicted classes int64 (N,) of ``x`` float32 (N, ...), computed in eval mode; the model's mode is restored."""
    was_training = model.training
    model.eval()
    labels = model(x).argmax(dim=1)
    model.train(was_training)
    return labels


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the fraction of ``x`` float32 (N, ...) that ``model`` assigns to its label ``y`` int64 (N,), in eval mode."""
    return (predict(model, x) == y).float().mean().item()


def save_checkpoint(model: nn.Module, path: str | Path) -> None:
    """Write parameters and buffers to ``path`` (.npz): floats as float16, integers as they are. No pickle."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    small = {name: a.astype(np.float16) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **small)


def load_checkpoint(model: nn.Module, path: str | Path) -> nn.Module:
    """Fill ``model`` from a file of `save_checkpoint` and return it in eval mode. Names and shapes must match exactly."""
    with np.load(path, allow_pickle=False) as stored:
        state = {name: torch.from_numpy(stored[name]) for name in stored.files}
    model.load_state_dict(state)  # copies into the model's own float32 tensors
    return model.eval()


def fingerprint(model: nn.Module) -> dict[str, bytes]:
    """Return everything a well-behaved function leaves alone, by name; two fingerprints of an untouched model are equal.

    Covers the mode of every submodule, the values of parameters and buffers, each ``p.requires_grad`` and each ``p.grad``.
    """
    marks = {f"mode of {name or 'the model'}": bytes([module.training]) for name, module in model.named_modules()}
    for name, tensor in model.state_dict().items():
        marks[f"value of {name}"] = tensor.detach().cpu().numpy().tobytes()
    for name, p in model.named_parameters():
        marks[f"requires_grad of {name}"] = bytes([p.requires_grad])
        marks[f"gradient of {name}"] = b"none" if p.grad is None else p.grad.cpu().numpy().tobytes()
    return marks
