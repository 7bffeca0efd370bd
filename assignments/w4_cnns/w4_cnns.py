# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Convolutional networks
#
# A small network without any idea of "image" reads 97 % of handwritten digits. Move each digit by one pixel, which no reader would notice, and it reads fewer than half. You build what repairs this, from the sum inside a convolution to the training loop, and measure which part repairs how much.

# %% [markdown]
# **After this notebook you can**
#
# 1. compute a convolution, its three gradients, its output size and its cost, by hand and with PyTorch, and check them;
# 2. write BatchNorm, dropout, max pooling and Kaiming initialisation, and say what each does in training and in evaluation;
# 3. build a residual block and a small CNN from a description, so that weights saved elsewhere fit into yours;
# 4. write a training loop with augmentation and measure what a network does on images that are moved.
#
# **What it costs:** about ten hours with the reading; 13 exercises (85 points, graded automatically) and one written question (15 points). One CPU core; the finished notebook runs in about ten seconds.

# %% [markdown]
# **How to work.** Run the next four cells. Replace `raise NotImplementedError()` and run the checks below it. Hidden ones run at grading and ask only what the docstring says.
#
# **Convention.** Images are `(N, C, H, W)`: N images of C channels, H rows, W columns. Labels are int64 `(N,)`. Functions do not change their arguments. Random numbers come from `generator`.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"  # where your experiments run; grading uses the CPU
SEED = 0  # the numbers in the text were measured with 0

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from courselib import listening, plots
from courselib.data import load_digits_split

torch.set_num_threads(1)
torch.optim.AdamW([torch.zeros(1)])  # the first optimiser of a process loads much of torch: a second or two, spent here
plots.use_course_style()
digits = {name: (x.to(DEVICE), y.to(DEVICE)) for name, (x, y) in load_digits_split().items()}
for name, (x, _) in digits.items():
    print(f"{name:5s} images {tuple(x.shape)} {x.dtype}, grey values {x.min().item():.0f} to {x.max().item():.0f}")

# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def visible_passed(what: str) -> None:
    """Say that the visible checks of one test cell hold."""
    print(f"Exercise {what}: visible checks passed. Hidden checks run at grading.")


def noise(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return random normal numbers of this shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of each parameter and buffer."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Return module as float64, its parameters and buffers filled with random numbers (variances between 0.5 and 1.5)."""
    for k, (name, tensor) in enumerate(module.double().state_dict().items()):
        values = noise(*tensor.shape, seed=100 * seed + k)
        tensor.copy_(0.5 + values.sigmoid() if name.endswith("running_var") else values)
    return module


class Probe(nn.Module):
    """A linear classifier that notes, for each batch, its mode, whether gradients are recorded, and the batch."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.calls: list[tuple[bool, bool, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, k) for x (N, ...)."""
        self.calls.append((self.training, torch.is_grad_enabled(), x.detach().clone()))
        return x.flatten(1) @ self.weight.T


# %% nbgrader={"grade": false, "grade_id": "listening", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["candidate"]
def torch_calls(function: Callable[..., object], *arguments: object) -> list[str]:
    """Name the functions of torch that function(*arguments) calls."""
    return listening.torch_calls(function, *arguments)


print("torch.relu(x) + 1 calls", torch_calls(lambda x: torch.relu(x) + 1, torch.zeros(2)))

# %% [markdown]
# ## 1 Convolution
#
# A **convolution** slides a small window of weights, the **kernel**, over the image and writes down, at each place, the sum of products. The **stride** $s$ is how far it moves each time; **padding** $p$ adds a frame of zeros first; **dilation** $d$ leaves gaps of $d-1$ pixels between the kernel's taps.
#
# **Worked example.** Image row $x = (1, 2, 4)$, kernel $w = (3, -1)$, stride 1, no padding:
#
# | place | products | sum |
# |---|---|---|
# | 0 | $3\cdot 1 - 1\cdot 2$ | 1 |
# | 1 | $3\cdot 2 - 1\cdot 4$ | 2 |
#
# Deep learning does not flip the kernel; strictly speaking this is a *cross-correlation*.

# %% [markdown]
# ### Exercise 1.1 `conv_output_size` (4 points)
#
# *Easy. Importance: high. About 15 minutes.* A kernel of size $k$ with dilation $d$ covers $d(k-1)+1$ pixels. How many places does it find on a row of $n$ pixels with $p$ zeros at each end? Draw $n=7$, $k=3$, $s=2$ first. What remains at the right end is not used.

# %% nbgrader={"grade": false, "grade_id": "conv_output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_output_size(n: int, k: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return the number of places of a kernel on a row: floor((n + 2 padding - dilation (k - 1) - 1) / stride) + 1.

    n >= 1 pixels, kernel size k >= 1, stride >= 1, padding >= 0 zeros at each end, dilation >= 1. Returns a Python int.
    Raises ValueError if the kernel, which covers dilation (k - 1) + 1 pixels, is longer than the padded row.
    Hidden checks: many combinations, the type, kernels that just fit and that just do not.
    """
    ### BEGIN SOLUTION
    covered = dilation * (k - 1) + 1
    free = n + 2 * padding - covered
    if free < 0:
        raise ValueError(f"a kernel that covers {covered} pixels does not fit on {n} pixels with padding {padding}")
    return free // stride + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_conv_output_size", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_size = conv_output_size(7, 3)
assert type(_size) is int, "Exercise 1.1: return a Python int"
assert _size == 5, "Exercise 1.1: a kernel of 3 has five places on seven pixels"
assert conv_output_size(8, 3, stride=2, padding=1) == 4, "Exercise 1.1: stride 2 and padding 1 on 8 pixels: centres at 0, 2, 4, 6"
visible_passed("1.1")
### BEGIN HIDDEN TESTS
for _n in (5, 8, 11):
    for _k in (1, 2, 3, 5):
        for _s in (1, 2, 3):
            for _p in (0, 1, 2):
                for _d in (1, 2):
                    _row = [_i for _i in range(-_p, _n + _p) if _i + _d * (_k - 1) < _n + _p][::_s]
                    try:
                        _size = conv_output_size(_n, _k, _s, _p, _d)
                    except ValueError:
                        _size = "does not fit"
                    assert type(_size) is int or not _row, "Exercise 1.1: return a Python int wherever the kernel fits"
                    assert _size == (len(_row) or "does not fit"), "Exercise 1.1: count the places for every stride, padding and dilation; ValueError if there is none"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 1.2 `conv2d` (10 points)
#
# *Medium. Importance: very high. About 40 minutes.* For images, kernel number $f$ has weights for each input channel $c$ and each tap, row $u$ and column $v$:
#
# $$\text{out}[n,f,i,j] = b[f] + \sum_{c,u,v} \hat x[n,c,\; i s+u,\; j s+v]\; w[f,c,u,v],$$
#
# where $\hat x$ is $x$ with its frame of zeros. Seven loops would do, slowly. The trick: loop only over the taps $(u, v)$. For one tap, the pixels that it meets are a strided slice of $\hat x$, and one `torch.einsum` adds its share to all outputs at once. (In `torch.einsum("nk,km->nm", a, b)` each letter names a dimension, and letters missing on the right are summed over: here, a matrix product.)
#
# In exercises 1.2 to 2.3 the library's own version of what you write (its convolutions, pooling, BatchNorm, dropout) is not allowed; `F.pad`, `F.unfold` and `einsum` are.

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d(x: Tensor, w: Tensor, b: Tensor | None = None, stride: int = 1, padding: int = 0) -> Tensor:
    """Return the cross-correlation of the images x with the kernels w, by the formula above.

    x (N, C, H, W), w (F, C, KH, KW), b (F,) or None for no bias; all float32 or all float64. The kernel fits on the padded image.
    stride >= 1 and padding >= 0 are the same for rows and columns. Images and kernels need not be square, nor x contiguous.
    Returns (N, F, OH, OW) in x's dtype, OH = conv_output_size(H, KH, stride, padding), OW likewise. x, w and b stay as they were.
    Hidden checks: several shapes, strides and paddings, both dtypes, a permuted x, untouched arguments.
    """
    ### BEGIN SOLUTION
    rows = conv_output_size(x.shape[2], w.shape[2], stride, padding)
    columns = conv_output_size(x.shape[3], w.shape[3], stride, padding)
    padded = F.pad(x, (padding, padding, padding, padding))
    out = x.new_zeros(x.shape[0], w.shape[0], rows, columns)
    for u in range(w.shape[2]):
        for v in range(w.shape[3]):
            met = padded[:, :, u : u + stride * rows : stride, v : v + stride * columns : stride]
            out += torch.einsum("nchw,fc->nfhw", met, w[:, :, u, v])
    return out if b is None else out + b[:, None, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_conv2d", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.2, aspect: values
_x, _w = torch.tensor([[[[1.0, 2.0, 4.0], [0.0, 1.0, 3.0], [5.0, 0.0, 2.0]]]]), torch.tensor([[[[3.0, -1.0]]], [[[0.0, 1.0]]]])
_out = conv2d(_x.clone(), _w.clone())
assert isinstance(_out, Tensor) and _out.shape == (1, 2, 3, 2), "Exercise 1.2: return a tensor (N, F, OH, OW)"
_out = _out.float()
assert torch.allclose(_out[0, 0, 0], torch.tensor([1.0, 2.0])), "Exercise 1.2: the first row is the worked example"
assert torch.allclose(_out[0, 1], _x[0, 0, :, 1:]), "Exercise 1.2: the kernel (0, 1) picks the right neighbour; a flipped kernel picks the left one"
_out = conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3) / 9, torch.tensor([2.0]), padding=1)
assert torch.allclose(9 * (_out[0, 0].float() - 2), torch.tensor([[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]])), "Exercise 1.2: a 3 x 3 blur of ones, with its frame of zeros and bias 2"
assert not any("conv" in _name for _name in torch_calls(conv2d, _x, _w)), "Exercise 1.2: the library's convolution is not allowed here"
visible_passed("1.2, values")
### BEGIN HIDDEN TESTS
for _k, (_shape, _kernel, _s, _p) in enumerate((((2, 3, 7, 6), (4, 3, 3, 3), 1, 1), ((1, 1, 5, 9), (2, 1, 2, 4), 1, 0), ((3, 2, 8, 8), (3, 2, 3, 3), 2, 1), ((2, 2, 9, 7), (1, 2, 4, 2), 3, 2), ((2, 4, 4, 5), (5, 4, 1, 1), 2, 0))):
    _x, _w, _b = noise(*_shape, seed=_k), noise(*_kernel, seed=10 + _k), noise(_kernel[0], seed=20 + _k)
    for _bias in (_b, None):
        _expected = F.conv2d(_x, _w, _bias, _s, _p)
        _out = conv2d(_x.clone(), _w.clone(), None if _bias is None else _b.clone(), _s, _p)
        assert _out.shape == _expected.shape, "Exercise 1.2: the output size should be right for every shape, stride and padding"
        assert torch.allclose(_out.double(), _expected, rtol=1e-4, atol=1e-5), "Exercise 1.2: the values should follow the formula for every shape, stride and padding, with and without bias"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_tensors", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.2, aspect: dtypes, memory layout, untouched arguments (kernels 1 x 1 will do)
_x, _w = torch.tensor([[[[1.0, 2.0]], [[10.0, 20.0]]]]), torch.tensor([[[[3.0]], [[-1.0]]]])
_out = conv2d(_x, _w, torch.zeros(1))
assert _out.dtype == torch.float32, "Exercise 1.2: float32 in, float32 out"
assert torch.allclose(_out, torch.tensor([[[[-7.0, -14.0]]]])), "Exercise 1.2: a kernel 1 x 1 mixes the channels of each pixel, here 3 and -1"
assert _x[0, 1, 0, 1] == 20 and _w[0, 0, 0, 0] == 3, "Exercise 1.2: x and w should stay as they were"
visible_passed("1.2, dtypes, memory layout, untouched arguments")
### BEGIN HIDDEN TESTS
_x, _w, _b = noise(6, 2, 7, 3, seed=3).permute(1, 3, 0, 2), noise(3, 4, 1, 1, seed=4).transpose(0, 1), noise(4, seed=5)
_given = (_x.clone(), _w.clone(), _b.clone())
_expected = torch.einsum("nchw,fc->nfhw", _x, _w[:, :, 0, 0])
for _dtype, _tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
    _out = conv2d(_x.to(_dtype), _w.to(_dtype), torch.zeros(4, dtype=_dtype))
    assert _out.dtype == _dtype, "Exercise 1.2: the result has the dtype of x, float32 or float64"
    assert torch.allclose(_out.double(), _expected, rtol=_tolerance, atol=_tolerance), "Exercise 1.2: x and w need not be contiguous, and float64 is computed in float64"
conv2d(_x, _w, _b)
assert all(torch.equal(_a, _c) for _a, _c in zip((_x, _w, _b), _given)), "Exercise 1.2: x, w and b should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Three kernels written by hand, applied to one digit by your function: the mean of nine pixels, left minus right, above minus below. Black is the smallest value of each panel, white the largest.
#
# *Predict:* which strokes of a 3 will be bright in the third panel, which in the fourth?

# %% nbgrader={"grade": false, "grade_id": "plot_filters", "locked": true, "schema_version": 3, "solution": false, "task": false}
kernels = torch.tensor([
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
    [[1.0, 0.0, -1.0], [1.0, 0.0, -1.0], [1.0, 0.0, -1.0]],
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]],
])[:, None].to(DEVICE)
image = digits["test"][0][10:11]
maps = conv2d(image, kernels, padding=1)[0].cpu()
figure, axes = plt.subplots(1, 4, figsize=(10, 3.0), layout="constrained")
for panel, picture, title in zip(axes, [image[0, 0].cpu(), *maps], ["image", "mean of nine", "left minus right", "above minus below"]):
    panel.imshow(picture, cmap="gray")
    panel.set_title(title)
    panel.axis("off")
figure.suptitle("One digit and three feature maps (kernels 3 x 3, padding 1)")
plots.show(
    "Four grey pictures side by side: a handwritten 3, then its feature maps under three kernels, mean of nine, left minus right, "
    "above minus below. In each, black is the smallest value and white the largest."
)

# %% [markdown]
# **Reading.** The mean blurs. *Left minus right* is bright just right of the upright strokes and dark just left of them; *above minus below* marks the lower edges of the lying ones. One kernel asks one question everywhere. *What would change if* a kernel's sign were turned? Its map would be the negative.
#
# **Picture.** What does the trick with the taps buy? The next cell times one convolution (4 images of 8 channels, 16 × 16; 16 kernels 3 × 3) three ways: one Python loop for each product (measured on 20 outputs and scaled up), your function, the library.
#
# *Predict* the two factors before you run.

# %% nbgrader={"grade": false, "grade_id": "plot_timing", "locked": true, "schema_version": 3, "solution": false, "task": false}
x, w = noise(4, 8, 16, 16, seed=SEED, dtype=torch.float32), noise(16, 8, 3, 3, seed=SEED + 1, dtype=torch.float32)


def seconds(act: Callable[[], object], repeats: int) -> float:
    """Return the shortest of some runs: others on the machine only make runs longer."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        found.append(time.perf_counter() - start)
    return min(found)


def twenty_outputs(image: list, kernel: list) -> None:
    """Compute 20 of the 4 * 16 * 14 * 14 outputs, product by product."""
    for i in range(20):
        sum(image[c][i % 14 + u][v] * kernel[c][u][v] for c in range(8) for u in range(3) for v in range(3))


slow = seconds(lambda: twenty_outputs(x[0].tolist(), w[0].tolist()), 5) * 4 * 16 * 14 * 14 / 20
times = [slow, seconds(lambda: conv2d(x, w), 10), seconds(lambda: F.conv2d(x, w), 10)]
figure, panel = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
bars = panel.barh(["Python loops (scaled up)", "yours, loop over taps", "library"], times, color=[plots.ORANGE, plots.BLUE, plots.GREEN])
panel.bar_label(bars, [f" {1e3 * t:.3g} ms" for t in times])
panel.set(xscale="log", xlim=(min(times) / 3, max(times) * 12))
panel.invert_yaxis()
plots.finish(panel, title="One convolution, three ways", xlabel="seconds (logarithmic)", ylabel="", legend=False)
plots.show(
    "Three horizontal bars on a logarithmic axis of seconds: Python loops, your loop over taps, the library. Each bar is labelled "
    "with its time."
)

# %% [markdown]
# **Reading.** Where this was written: 130 ms, 0.3 ms, 0.06 ms. Your nine einsums compute the same sums as 900,000 products in Python; the interpreter, not the arithmetic, was the cost. *What would change if* kernels were 11 × 11? Yours would take 121 einsums: about 13 times as long.

# %% [markdown]
# ### Exercise 1.3 `conv2d_backward` (10 points)
#
# *Hard. Importance: high. About 45 minutes.* Training needs gradients. Let $L$ be a loss that depends on out, and `dout` its gradient $\partial L/\partial\text{out}$. Each product $\hat x\,w$ of the formula passes `dout` to both its factors:
#
# * $dw[f,c,u,v]$ adds up $\text{dout}[n,f,i,j]\;\hat x[n,c,is+u,js+v]$ over $n,i,j$;
# * $d\hat x[n,c,is+u,js+v]$ receives $\text{dout}[n,f,i,j]\;w[f,c,u,v]$ from every output that used it; then the frame is cut off;
# * $db[f]$ adds up $\text{dout}[n,f,i,j]$ over $n,i,j$.
#
# **Worked example.** The row from above with $\text{dout} = (1, 10)$: $dw = (1\cdot1+10\cdot2,\; 1\cdot2+10\cdot4) = (21, 42)$. The pixel in the middle was used twice: $dx = (3,\; -1+30,\; -10)$. And $db = 11$.

# %% nbgrader={"grade": false, "grade_id": "conv2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_backward(dout: Tensor, x: Tensor, w: Tensor, stride: int = 1, padding: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return (dx, dw, db), the gradients of a loss with respect to x, w and the bias of out = conv2d(x, w, b, stride, padding).

    dout (N, F, OH, OW) is the loss's gradient with respect to out; x (N, C, H, W), w (F, C, KH, KW); all float32 or all float64.
    dx has x's shape (0 where no place of the kernel reaches), dw has w's shape, db is (F,), all in x's dtype; sums over the batch, not means.
    Write the sums yourself: neither autograd nor the library's convolutions. dout, x and w stay as they were.
    Hidden checks: the shapes, strides and paddings of 1.2, pixels used several times or never, several images, both dtypes, untouched arguments.
    """
    ### BEGIN SOLUTION
    padded = F.pad(x, (padding, padding, padding, padding))
    dpadded, dw = torch.zeros_like(padded), torch.zeros_like(w)
    for u in range(w.shape[2]):
        for v in range(w.shape[3]):
            rows = slice(u, u + stride * dout.shape[2], stride)
            columns = slice(v, v + stride * dout.shape[3], stride)
            dw[:, :, u, v] = torch.einsum("nfhw,nchw->fc", dout, padded[:, :, rows, columns])
            dpadded[:, :, rows, columns] += torch.einsum("nfhw,fc->nchw", dout, w[:, :, u, v])
    dx = dpadded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
    return dx, dw, dout.sum(dim=(0, 2, 3))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_conv2d_backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.3, aspect: dx
_dout, _x, _w = torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 4.0]]]]), torch.tensor([[[[3.0, -1.0]]]])
_grads = conv2d_backward(_dout, _x, _w)
assert isinstance(_grads, tuple) and len(_grads) == 3, "Exercise 1.3: return the three gradients (dx, dw, db)"
assert _grads[0].shape == _x.shape and _grads[0].dtype == torch.float32, "Exercise 1.3: dx has the shape and dtype of x"
assert torch.allclose(_grads[0], torch.tensor([[[[3.0, 29.0, -10.0]]]])), "Exercise 1.3: dx of the worked example"
assert not any("conv" in _name or _name in ("grad", "backward") for _name in torch_calls(conv2d_backward, _dout, _x, _w)), "Exercise 1.3: neither autograd nor the library's convolutions are allowed here"
visible_passed("1.3, dx")
### BEGIN HIDDEN TESTS
for _k, (_shape, _kernel, _s, _p) in enumerate((((2, 3, 7, 6), (4, 3, 3, 3), 1, 1), ((1, 1, 5, 9), (2, 1, 2, 4), 1, 0), ((3, 2, 8, 8), (3, 2, 3, 3), 2, 1), ((2, 2, 9, 7), (1, 2, 4, 2), 3, 2), ((2, 4, 4, 5), (5, 4, 1, 1), 2, 0))):
    _x, _w = noise(*_shape, seed=30 + _k).requires_grad_(True), noise(*_kernel, seed=40 + _k)
    _out = F.conv2d(_x, _w, None, _s, _p)
    _dout = noise(*_out.shape, seed=50 + _k)
    (_expected,) = torch.autograd.grad(_out, _x, _dout)
    _dx = conv2d_backward(_dout, _x.detach().clone(), _w, _s, _p)[0]
    assert _dx.shape == _x.shape, "Exercise 1.3: dx has x's shape for every stride and padding"
    assert _dx.dtype == torch.float64, "Exercise 1.3: dx has x's dtype, float32 or float64"
    assert torch.allclose(_dx, _expected, rtol=1e-6, atol=1e-8), "Exercise 1.3: dx should collect what every output passes back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_conv2d_backward_weights", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.3, aspect: dw, db and untouched arguments
_dout, _x, _w = torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 4.0]]]]), torch.tensor([[[[3.0, -1.0]]]])
_grads = conv2d_backward(_dout, _x, _w)
assert _grads[1].shape == _w.shape and _grads[2].shape == (1,), "Exercise 1.3: dw has the shape of w, db is (F,)"
assert torch.allclose(_grads[1], torch.tensor([[[[21.0, 42.0]]]])), "Exercise 1.3: dw of the worked example"
assert torch.allclose(_grads[2], torch.tensor([11.0])), "Exercise 1.3: db of the worked example"
visible_passed("1.3, dw, db and untouched arguments")
### BEGIN HIDDEN TESTS
for _k, (_shape, _kernel, _s, _p) in enumerate((((2, 3, 7, 6), (4, 3, 3, 3), 1, 1), ((1, 1, 5, 9), (2, 1, 2, 4), 1, 0), ((3, 2, 8, 8), (3, 2, 3, 3), 2, 1), ((2, 2, 9, 7), (1, 2, 4, 2), 3, 2), ((2, 4, 4, 5), (5, 4, 1, 1), 2, 0))):
    _x, _w = noise(*_shape, seed=60 + _k), noise(*_kernel, seed=70 + _k).requires_grad_(True)
    _out = F.conv2d(_x, _w, None, _s, _p)
    _dout = noise(*_out.shape, seed=80 + _k)
    (_expected,) = torch.autograd.grad(_out, _w, _dout)
    _given = (_dout.clone(), _x.clone(), _w.detach().clone())
    _, _dw, _db = conv2d_backward(*_given, _s, _p)
    assert _dw.dtype == _db.dtype == torch.float64, "Exercise 1.3: dw and db have x's dtype, float32 or float64"
    assert _dw.shape == _w.shape and torch.allclose(_dw, _expected, rtol=1e-6, atol=1e-8), "Exercise 1.3: dw adds over all images and all places"
    assert torch.allclose(_db, _dout.sum(dim=(0, 2, 3))), "Exercise 1.3: db adds over all images and all places"
    assert all(torch.equal(_a, _b) for _a, _b in zip(_given, (_dout, _x, _w))), "Exercise 1.3: dout, x and w should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 1.4 `max_pool2d` (6 points)
#
# *Easy. Importance: medium. About 20 minutes.* **Max pooling** keeps the largest value of each window, so that a feature counts wherever in the window it was found.
#
# **Worked example.** Windows of 2 with stride 2:
#
# $$\begin{pmatrix}1&5&0&-2\\3&2&-1&-4\\-7&-5&8&6\\-6&-9&7&9\end{pmatrix}\;\to\;\begin{pmatrix}5&0\\-5&9\end{pmatrix}$$
#
# The gradient goes to the winner alone. `x.unfold(dim, size, step)` gives all windows along one dimension, as a new last dimension; autograd does the rest if you let it.

# %% nbgrader={"grade": false, "grade_id": "max_pool2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_pool2d(x: Tensor, k: int, stride: int | None = None) -> Tensor:
    """Return the largest value of each k x k window of each channel.

    x (N, C, H, W) float32 or float64, any sign; k <= H and k <= W. stride None means k; windows may overlap (stride < k) or leave gaps.
    Returns (N, C, OH, OW) in x's dtype, OH = floor((H - k) / stride) + 1, OW likewise; no padding; what remains at the end is not used.
    Differentiable: the gradient of an output goes to the pixel that won (one of them, or shared, where several are equal).
    Hidden checks: several shapes, overlap, gaps, remainders, negative images, the gradient, untouched x.
    """
    ### BEGIN SOLUTION
    step = k if stride is None else stride
    windows = x.unfold(2, k, step).unfold(3, k, step)
    return windows.amax(dim=(4, 5))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_max_pool2d", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.4, aspect: values
_x = torch.tensor([[[[1.0, 5.0, 0.0, -2.0], [3.0, 2.0, -1.0, -4.0], [-7.0, -5.0, 8.0, 6.0], [-6.0, -9.0, 7.0, 9.0]]]])
_out = max_pool2d(_x, 2)
assert isinstance(_out, Tensor) and _out.shape == (1, 1, 2, 2) and _out.dtype == torch.float32, "Exercise 1.4: return a tensor (N, C, OH, OW) in x's dtype"
assert torch.equal(_out, torch.tensor([[[[5.0, 0.0], [-5.0, 9.0]]]])), "Exercise 1.4: the worked example"
assert max_pool2d(_x, 3, 1).shape == (1, 1, 2, 2), "Exercise 1.4: windows may overlap"
assert not any("pool" in _name for _name in torch_calls(max_pool2d, _x, 2)), "Exercise 1.4: the library's pooling is not allowed here"
visible_passed("1.4, values")
### BEGIN HIDDEN TESTS
for _k, (_shape, _size, _s) in enumerate((((2, 3, 6, 6), 2, None), ((1, 2, 7, 9), 3, 2), ((2, 1, 8, 5), 2, 3), ((1, 4, 7, 8), 3, None), ((3, 2, 5, 4), 4, 1))):
    _x = noise(*_shape, seed=90 + _k) - 4 * (_k % 2)
    _copy, _out, _expected = _x.clone(), max_pool2d(_x, _size, _s), F.max_pool2d(_x, _size, _s)
    assert _out.shape == _expected.shape, "Exercise 1.4: windows that do not fit at the end are left out"
    assert torch.equal(_out, _expected), "Exercise 1.4: the largest value of each window, in float64 for float64, also where all are negative"
    assert torch.equal(_x, _copy), "Exercise 1.4: x should stay as it was"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_max_pool2d_gradient", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.4, aspect: the gradient
_x = torch.tensor([[[[1.0, 5.0], [3.0, 2.0]]]], requires_grad=True)
_out = max_pool2d(_x, 2)
assert _out.requires_grad, "Exercise 1.4: the result should be differentiable"
_out.sum().backward()
assert torch.equal(_x.grad, torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])), "Exercise 1.4: the gradient goes to the largest pixel alone"
visible_passed("1.4, the gradient")
### BEGIN HIDDEN TESTS
for _k, (_shape, _size, _s) in enumerate((((2, 3, 6, 6), 2, None), ((1, 2, 7, 9), 3, 1), ((2, 1, 8, 5), 2, 3))):
    _order = torch.randperm(math.prod(_shape), generator=torch.Generator().manual_seed(95 + _k))
    _x = (_order.double() - 200.5).reshape(_shape).requires_grad_(True)  # all at least 1 apart: steps below 1/2 keep the winners
    _out = max_pool2d(_x, _size, _s)
    _dout = noise(*_out.shape, seed=98 + _k)
    (_found,) = torch.autograd.grad(_out, _x, _dout)
    for _direction in noise(4, *_shape, seed=88 + _k).tanh() / 4:
        _change = max_pool2d(_x.detach() + _direction, _size, _s) - max_pool2d(_x.detach() - _direction, _size, _s)
        assert abs((_change * _dout).sum() - 2 * (_found * _direction).sum()) < 1e-3, "Exercise 1.4: each output's gradient goes to its winner; a pixel that wins twice receives both"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 1.5 `count_conv` (5 points)
#
# *Easy. Importance: medium. About 15 minutes.* What does a layer cost? **Parameters** must be stored, **MACs** (multiply-accumulates, one product added to a sum) computed, **activations** (output values) kept for the backward pass.
#
# **Worked example.** One channel in, two out, kernel 3, padding 1, on a 4 × 4 image: $2\cdot 9 + 2 = 20$ parameters; $2\cdot 16 = 32$ activations, each of which takes 9 MACs: 288.

# %% nbgrader={"grade": false, "grade_id": "count_conv", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_conv(
    cin: int, cout: int, k: int, h: int, w: int, stride: int = 1, padding: int = 0, bias: bool = True
) -> dict[str, int]:
    """Return {"params", "macs", "activations"} of a convolution with k x k kernels on ONE image (cin, h, w).

    params: weights, and one number for each output channel if bias. activations: output values, cout * OH * OW.
    macs: products of the whole image; products with the frame of zeros count, adding the bias does not. All Python ints.
    Hidden checks: other channels, strides, paddings, images that are not square, with and without bias.
    """
    ### BEGIN SOLUTION
    activations = cout * conv_output_size(h, k, stride, padding) * conv_output_size(w, k, stride, padding)
    per_output = cin * k * k
    return {"params": cout * (per_output + bias), "macs": activations * per_output, "activations": activations}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_count_conv", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_cost = count_conv(1, 2, 3, 4, 4, padding=1)
assert isinstance(_cost, dict) and set(_cost) == {"params", "macs", "activations"}, "Exercise 1.5: return a dict with the three counts"
assert all(type(_v) is int for _v in _cost.values()), "Exercise 1.5: counts are Python ints"
assert _cost == {"params": 20, "macs": 288, "activations": 32}, "Exercise 1.5: the worked example"
visible_passed("1.5")
### BEGIN HIDDEN TESTS
for _cin, _cout, _k, _h, _w, _s, _p, _bias in ((3, 5, 3, 9, 6, 2, 1, True), (4, 2, 1, 5, 7, 1, 0, False), (2, 6, 4, 11, 8, 3, 2, False), (7, 3, 2, 6, 10, 1, 1, True)):
    _layer = nn.Conv2d(_cin, _cout, _k, _s, _p, bias=_bias)
    _out = _layer(torch.zeros(1, _cin, _h, _w))
    _params = sum(_q.numel() for _q in _layer.parameters())
    _cost = count_conv(_cin, _cout, _k, _h, _w, stride=_s, padding=_p, bias=_bias)
    assert _cost["params"] == _params, "Exercise 1.5: params of weights and, if asked for, biases"
    assert _cost["activations"] == _out.numel(), "Exercise 1.5: activations are the output values of one image"
    assert _cost["macs"] == _out[0, 0].numel() * _layer.weight.numel(), "Exercise 1.5: macs of all output values; the bias adds none"
    assert all(type(_v) is int for _v in _cost.values()), "Exercise 1.5: counts are Python ints"
### END HIDDEN TESTS

# %% [markdown]
# ## 2 Keeping signals in range
#
# A unit adds up *fan-in* products: $z=\sum_i w_i x_i$, where fan-in, $m$, counts its weights. With independent weights of mean 0 and standard deviation $\sigma$, the mean of $z^2$ is $m\sigma^2$ times the mean of $x^2$. ReLU then removes half of it. So one layer multiplies the mean square by $m\sigma^2/2$, and $\ell$ layers by its $\ell$-th power.
#
# **Worked example.** $m = 512$, $\sigma = 0.01$: the factor is 0.0256 per layer, after 20 layers $10^{-32}$. Only $\sigma=\sqrt{2/m}$ gives the factor 1: **Kaiming initialisation**.

# %% [markdown]
# ### Exercise 2.1 `kaiming_normal` (4 points)
#
# *Easy. Importance: high. About 10 minutes.* For a linear layer's weights (out, in) fan-in is the number of inputs; for a convolution's (F, C, KH, KW) it is the number of products in one output value.

# %% nbgrader={"grade": false, "grade_id": "kaiming_normal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kaiming_normal(shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
    """Return new weights: independent normal numbers with mean 0 and standard deviation sqrt(2 / fan_in), float32, of this shape.

    shape is (out, in) or (F, C, KH, KW); fan_in is in, or C * KH * KW. All numbers come from `generator` (None: torch's global one);
    the same generator state gives the same weights.
    Hidden checks: standard deviation, mean and shape of the distribution for several shapes, the generator.
    """
    ### BEGIN SOLUTION
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_kaiming_normal", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_w = kaiming_normal((400, 50), torch.Generator().manual_seed(1))
assert isinstance(_w, Tensor) and _w.shape == (400, 50) and _w.dtype == torch.float32, "Exercise 2.1: return a float32 tensor of the given shape"
assert abs(_w.std().item() / 0.2 - 1) < 0.03, "Exercise 2.1: 50 inputs need the standard deviation 0.2"
visible_passed("2.1")
### BEGIN HIDDEN TESTS
for _shape, _fan_in in (((30, 700), 700), ((64, 32, 3, 3), 288), ((16, 90, 5, 4), 1800)):
    torch.manual_seed(7)
    _w = kaiming_normal(_shape, torch.Generator().manual_seed(2)).double()
    assert _w.shape == _shape, "Exercise 2.1: the shape is the given one"
    assert abs(_w.std().item() / (2 / _fan_in) ** 0.5 - 1) < 0.03, "Exercise 2.1: the standard deviation follows from fan-in, kernel size included"
    assert abs(_w.mean() / _w.std()) < 0.03, "Exercise 2.1: the mean is 0"
    assert 2.7 < ((_w - _w.mean()) / _w.std()).pow(4).mean() < 3.3, "Exercise 2.1: the numbers are normally distributed"
    torch.manual_seed(8)
    assert torch.equal(kaiming_normal(_shape, torch.Generator().manual_seed(2)).double(), _w), "Exercise 2.1: all randomness comes from the generator"
_generator = torch.Generator().manual_seed(3)
assert not torch.equal(kaiming_normal((4, 5), _generator), kaiming_normal((4, 5), _generator)), "Exercise 2.1: a generator that moved on gives new weights"
assert not torch.equal(kaiming_normal((4, 5)), kaiming_normal((4, 5))), "Exercise 2.1: without a generator each call draws from torch's global one"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Twenty layers of 512 units with ReLU, fed with random numbers; three ways to draw the weights. (Xavier initialisation, for a layer with as many outputs as inputs, is $\sigma=\sqrt{1/m}$; it does not count the half that ReLU removes.)
#
# *Predict* the size of the activations after 20 layers from the formula above, for each.

# %% nbgrader={"grade": false, "grade_id": "plot_signal", "locked": true, "schema_version": 3, "solution": false, "task": false}
figure, panel = plt.subplots(figsize=(6.6, 4.0), layout="constrained")
for name, colour, style in (("0.01", plots.ORANGE, "s-"), ("Xavier", plots.PURPLE, "^-"), ("Kaiming", plots.BLUE, "o-")):
    h = noise(64, 512, seed=SEED, dtype=torch.float32)
    sizes = [h.std().item()]
    for layer in range(20):
        w = kaiming_normal((512, 512), torch.Generator().manual_seed(SEED + layer))
        w = w * {"0.01": 0.01 / (2 / 512) ** 0.5, "Xavier": 0.5**0.5, "Kaiming": 1.0}[name]
        h = torch.relu(h @ w.T)
        sizes.append(h.std().item())
    panel.semilogy(range(21), sizes, style, color=colour, label={"0.01": "fixed, 0.01"}.get(name, name))
    print(f"{name:8s} after layer 20: {sizes[-1]:.1e}")
plots.finish(panel, title="Activations in a deep ReLU network, by initialisation", xlabel="layer (512 units each)", ylabel="standard deviation")
panel.set_xticks(range(0, 21, 4))
plots.show(
    "Standard deviation of the activations, on a logarithmic axis, against the layer, 0 to 20, for three ways to draw the weights: "
    "fixed 0.01 (squares), Xavier (triangles), Kaiming (circles)."
)

# %% [markdown]
# **Reading.** Straight lines on a logarithmic axis: each layer multiplies by the same factor. With 0.01 nothing is left after 20 layers ($10^{-16}$), Xavier loses a factor $\sqrt{2}$ per layer, Kaiming keeps about 1. *What would change if* the layers had no ReLU? Then Xavier would be the flat one, and Kaiming would grow.

# %% [markdown]
# **BatchNorm** does not trust the initialisation; it measures. In *training*, each channel of a batch is shifted and scaled to mean 0 and variance 1, with mean $\mu$ and variance $v$ over all images and all places, then given a learned scale $\gamma$ (`weight`) and shift $\beta$ (`bias`):
#
# $$y = \gamma\,\frac{x-\mu}{\sqrt{v+\epsilon}} + \beta .$$
#
# In *evaluation* an image must not depend on its neighbours, so $\mu$ and $v$ are replaced by running averages kept during training.
#
# **Worked example.** One channel, 1, 3, 5, 7: $\mu=4$, $v=(9+1+1+9)/4=5$, result $-1.34, -0.45, 0.45, 1.34$. With momentum 0.1 the running mean goes from 0 to 0.4, the running variance from 1 to $0.9\cdot1+0.1\cdot\tfrac{20}{3}=1.567$.

# %% [markdown]
# ### Exercise 2.2 `BatchNorm2d` (15 points)
#
# *Hard. Importance: very high. About 60 minutes.* Two variances: the *biased* one (divide by $M$, the count) normalises the batch; the *unbiased* one (divide by $M-1$) goes into the running average, since it estimates that of all images. Two kinds of state: what the optimiser changes is an `nn.Parameter`; what is only kept and saved is a buffer, `self.register_buffer(name, tensor)`.
#
# Gradients must flow through $\mu$ and $v$ too: they depend on $x$. They must not flow into the running averages: move those under `torch.no_grad()`, or by `mean.detach()`. Write the rest of `__init__`, then, at the same indentation as `__init__`, the method `forward(self, x)`; the base class keeps `self.training`.

# %% nbgrader={"grade": false, "grade_id": "BatchNorm2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
class BatchNorm2d(nn.Module):
    """Normalise each channel of x (N, C, H, W), float32 or float64, and return a tensor of the same shape and dtype.

    Parameters `weight` (C,), ones, and `bias` (C,), zeros. Buffers `running_mean` (C,), zeros, and `running_var` (C,), ones. No others.
    Train mode: mean and biased variance over N, H, W of this batch, M = N * H * W >= 2 values per channel. The running averages,
    which carry no gradient, move:
        running_mean <- (1 - momentum) * running_mean + momentum * mean
        running_var  <- (1 - momentum) * running_var  + momentum * variance * M / (M - 1)
    Eval mode: running_mean and running_var in place of the batch's; nothing moves. Both: weight * (x - mean) / sqrt(var + eps) + bias.
    Hidden checks: random weights and running averages, several steps, other eps and momentum, batches of one image in eval mode, names,
    gradients of x, weight and bias in both modes, running averages without a graph.
    """

    def __init__(self, c: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))
        self.register_buffer("running_mean", torch.zeros(c))
        self.register_buffer("running_var", torch.ones(c))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised x."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
            with torch.no_grad():
                count = x.numel() / x.shape[1]
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * count / (count - 1), self.momentum)
        scale = self.weight / torch.sqrt(var + self.eps)
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_BatchNorm2d", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: train mode
_x = torch.tensor([[[[1.0, 3.0]], [[10.0, 10.0]]], [[[5.0, 7.0]], [[10.0, 14.0]]]])
_norm = BatchNorm2d(2)
_out = _norm(_x)
assert isinstance(_out, Tensor) and _out.shape == _x.shape and _out.dtype == torch.float32, "Exercise 2.2: return a tensor of x's shape and dtype"
assert torch.allclose(_out[:, 0].flatten(), torch.tensor([-1.3416, -0.4472, 0.4472, 1.3416]), atol=1e-3), "Exercise 2.2: the worked example; each channel has its own mean and variance"
assert not any("_norm" in _name for _name in torch_calls(_norm, _x)), "Exercise 2.2: the library's normalisation is not allowed here"
visible_passed("2.2, train mode")
### BEGIN HIDDEN TESTS
for _k, (_shape, _eps) in enumerate((((5, 3, 4, 6), 1e-5), ((2, 1, 3, 3), 0.1), ((1, 4, 5, 2), 2.0), ((7, 2, 1, 1), 1e-5))):
    _x, _w, _b = (_t.float() for _t in (3 * noise(*_shape, seed=110 + _k) + 5, noise(_shape[1], seed=120 + _k), noise(_shape[1], seed=130 + _k)))
    _norm, _copy = BatchNorm2d(_shape[1], eps=_eps), _x.clone()
    _norm.load_state_dict({"weight": _w, "bias": _b}, strict=False)
    _expected = F.batch_norm(_x, None, None, _w, _b, True, 0.1, _eps)
    assert torch.allclose(_norm(_x), _expected, rtol=1e-4, atol=1e-4), "Exercise 2.2: train mode should follow the formula for random weights, shapes and eps"
    assert torch.equal(_x, _copy), "Exercise 2.2: x should stay as it was"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_BatchNorm2d_running", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: what is kept
_norm = BatchNorm2d(1)
assert set(_norm.state_dict()) == {"weight", "bias", "running_mean", "running_var"}, "Exercise 2.2: the state has four tensors, with these names"
assert {_name for _name, _ in _norm.named_parameters()} == {"weight", "bias"}, "Exercise 2.2: the optimiser may change weight and bias only"
_norm(torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]]))
assert torch.allclose(_norm.running_mean, torch.tensor([0.4])), "Exercise 2.2: the running mean of the worked example"
assert torch.allclose(_norm.running_var, torch.tensor([1.5667]), atol=1e-3), "Exercise 2.2: the running variance of the worked example uses the unbiased variance"
visible_passed("2.2, what is kept")
### BEGIN HIDDEN TESTS
for _m in (0.1, 0.3, 1.0):
    _norm, _mean, _var = BatchNorm2d(3, momentum=_m).double(), noise(3, seed=140), 1 + noise(3, seed=141).abs()
    _norm.load_state_dict({"running_mean": _mean, "running_var": _var}, strict=False)
    for _step in range(3):
        _x = (1 + _step) * noise(2, 3, 2 + _step, 3, seed=142 + _step) + _step
        _values = _x.transpose(0, 1).flatten(1)
        _mean, _var = (1 - _m) * _mean + _m * _values.mean(1), (1 - _m) * _var + _m * _values.var(1)
        _norm(_x)
    assert torch.allclose(_norm.running_mean, _mean), "Exercise 2.2: the running mean after three batches, for every momentum"
    assert torch.allclose(_norm.running_var, _var), "Exercise 2.2: the running variance after three batches, for every momentum"
assert all(torch.equal(_norm.state_dict()[_name], _start) for _name, _start in (("weight", torch.ones(3).double()), ("bias", torch.zeros(3).double()))), "Exercise 2.2: a forward pass does not change weight and bias"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_BatchNorm2d_eval", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: eval mode
_norm = BatchNorm2d(1).eval()
assert torch.allclose(_norm(torch.tensor([[[[3.0]]]])), torch.tensor(3.0), atol=1e-3), "Exercise 2.2: a new layer in eval mode uses running mean 0 and variance 1"
assert torch.equal(_norm.running_mean, torch.zeros(1)), "Exercise 2.2: eval mode keeps the running averages as they are"
visible_passed("2.2, eval mode")
### BEGIN HIDDEN TESTS
for _eps in (1e-5, 0.1):
    _twin = randomise(nn.BatchNorm2d(4, eps=_eps), 15).eval()
    _norm = BatchNorm2d(4, eps=_eps).double()
    _norm.load_state_dict(_twin.state_dict(), strict=False)
    _norm.eval()
    _x, _before = noise(5, 4, 3, 2, seed=151), {_name: _value.clone() for _name, _value in _norm.state_dict().items()}
    _out = _norm(_x)
    assert torch.allclose(_out, _twin(_x), rtol=1e-6, atol=1e-8), "Exercise 2.2: eval mode should use the running averages, weight, bias and eps"
    assert torch.allclose(_norm(_x[2:3]), _out[2:3]), "Exercise 2.2: in eval mode an image should not depend on its neighbours"
    assert all(torch.equal(_norm.state_dict()[_name], _value) for _name, _value in _before.items()), "Exercise 2.2: eval mode should change nothing"
_new = BatchNorm2d(4, eps=_eps).double()
_new.load_state_dict(_before, strict=False)
assert torch.allclose(_norm.train()(_x), _new(_x)), "Exercise 2.2: back in train mode the layer should do what one does that never was in eval mode"
assert _out.dtype == torch.float64, "Exercise 2.2: float64 in, float64 out"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_BatchNorm2d_gradients", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: gradients
_x = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]], requires_grad=True)
_norm = BatchNorm2d(1)
(_norm(_x) * torch.tensor([1.0, 1.0])).sum().backward()
assert _norm.weight.grad is not None and _norm.bias.grad is not None, "Exercise 2.2: weight and bias should receive gradients"
assert torch.allclose(_norm.bias.grad, torch.tensor([4.0])), "Exercise 2.2: the bias is added four times, so its gradient here is 4"
assert torch.allclose(_x.grad, torch.zeros(1, 1, 2, 2), atol=1e-5), "Exercise 2.2: the sum of a normalised batch is always 0, so nothing in x can change it"
visible_passed("2.2, gradients")
### BEGIN HIDDEN TESTS
_state = randomise(nn.BatchNorm2d(3), 16).state_dict()
for _training in (True, False):
    _norm = BatchNorm2d(3, eps=0.01).double().train(_training)
    _norm.load_state_dict(_state, strict=False)
    _x, _cotangent = noise(4, 3, 2, 3, seed=160).requires_grad_(True), noise(4, 3, 2, 3, seed=165)
    _product = _norm(_x) * _cotangent
    _product.sum().backward()
    assert not _norm.running_mean.requires_grad and not _norm.running_var.requires_grad, "Exercise 2.2: the running averages carry no gradient, also if x does"
    assert _x.grad is not None, "Exercise 2.2: x should receive a gradient in both modes"
    for _direction in noise(4, 4, 3, 2, 3, seed=166):
        _ends = []
        for _step in (1e-5, -1e-5):
            _norm.load_state_dict(_state, strict=False)
            _ends.append((_norm(_x.detach() + _step * _direction).detach() * _cotangent).sum())
        _slope = (_ends[0] - _ends[1]) / 2e-5
        assert abs(_slope - (_x.grad * _direction).sum()) < 1e-6 * (1 + abs(_slope)), "Exercise 2.2: the gradient of x should be the slope of the output; in train mode it passes through mean and variance too"
    assert _norm.weight.grad is not None and _norm.bias.grad is not None, "Exercise 2.2: weight and bias should receive gradients in both modes"
    _parts = _norm.weight.grad * _state["weight"] + _norm.bias.grad * _state["bias"]
    assert torch.allclose(_parts, _product.detach().sum(dim=(0, 2, 3))), "Exercise 2.2: gradients of weight and bias; the output is linear in both"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** A plain stack of eight convolutions with PyTorch's default initialisation (smaller than Kaiming's), trained with gradient steps of size 0.1, without BatchNorm and with yours after each convolution.
#
# *Predict:* guessing among ten digits costs $\ln 10 = 2.30$. Where will each curve be after 70 steps?

# %% nbgrader={"grade": false, "grade_id": "plot_depth", "locked": true, "schema_version": 3, "solution": false, "task": false}
x, y = digits["train"]
figure, panel = plt.subplots(figsize=(6.6, 4.0), layout="constrained")
for with_norm, colour, style, name in ((False, plots.ORANGE, "--", "without BatchNorm"), (True, plots.BLUE, "-", "with BatchNorm")):
    torch.manual_seed(SEED)
    layers: list[nn.Module] = []
    for k in range(8):
        layers += [nn.Conv2d(12 if k else 1, 12, 3, padding=1), *([BatchNorm2d(12)] if with_norm else []), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(12 * 64, 10)).to(DEVICE)
    losses = []
    for _ in range(70):
        rows = torch.randint(0, len(x), (64,))
        loss = F.cross_entropy(net(x[rows]), y[rows])
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.1 * p.grad
        losses.append(loss.item())
    panel.plot(losses, style, color=colour, label=name)
    print(f"{name:18s} mean loss of the last ten steps {sum(losses[-10:]) / 10:.2f}")
panel.axhline(2.303, color=plots.BLACK, linestyle=":", linewidth=1, label="guessing, ln 10")
panel.set_ylim(0, 3)
plots.finish(panel, title="Training eight convolutions, with and without BatchNorm", xlabel="step (64 images each)", ylabel="cross-entropy (nats)")
plots.show(
    "Cross-entropy, from 0 to 3 nats, against 70 training steps of a stack of eight convolutions: dashed without BatchNorm, solid "
    "with it. A dotted line marks guessing, 2.30."
)

# %% [markdown]
# **Reading.** Without BatchNorm the loss stays at guessing: the signal has died out on its way through eight layers, the gradient on its way back. With it the same stack learns most digits in 20 steps. *What would change if* the weights were drawn by Kaiming's rule? The plain stack would start to learn as well; try it.

# %% [markdown]
# ### Exercise 2.3 `dropout` (5 points)
#
# *Easy. Importance: medium. About 15 minutes.* **Dropout** sets each number to 0 with probability $p$ during training, so that no unit can rely on one other. To keep the expected value, the survivors are scaled up during training; evaluation then needs no change. **Worked example:** $p = 0.75$ turns ones into zeros and fours.

# %% nbgrader={"grade": false, "grade_id": "dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dropout(x: Tensor, p: float, training: bool, generator: torch.Generator | None = None) -> Tensor:
    """Return x with each element set to 0 with probability p, independently, and the others divided by 1 - p.

    x: float of any shape, not changed; 0 <= p < 1 is the probability of DROPPING. Returns x's shape and dtype.
    training=False or p=0: the values of x. All randomness comes from `generator` (None: torch's global one).
    Hidden checks: the values that occur, how often, independence within rows and columns, the generator, eval mode, untouched x.
    """
    ### BEGIN SOLUTION
    if not training:
        return x
    keep = torch.rand(x.shape, generator=generator).to(x.device) >= p
    return x * keep / (1 - p)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_dropout", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_x = torch.ones(4, 50)
_out = dropout(_x, 0.75, True, torch.Generator().manual_seed(1))
assert isinstance(_out, Tensor) and _out.shape == _x.shape and _out.dtype == torch.float32, "Exercise 2.3: return a tensor of x's shape and dtype"
assert set(_out.flatten().tolist()) == {0.0, 4.0}, "Exercise 2.3: p = 0.75 turns ones into zeros and fours"
assert torch.equal(dropout(_x, 0.75, False), _x), "Exercise 2.3: nothing happens outside training"
assert torch.equal(dropout(_x, 0.0, True), _x), "Exercise 2.3: p = 0 drops nothing"
assert not any("dropout" in _name for _name in torch_calls(dropout, _x, 0.5, True)), "Exercise 2.3: the library's dropout is not allowed here"
visible_passed("2.3")
### BEGIN HIDDEN TESTS
for _p, _shape in ((0.3, (150, 200)), (0.8, (100, 3, 10, 10))):
    _x = noise(*_shape, seed=170) + 3
    _copy, _outs = _x.clone(), []
    for _global in (1, 2):
        torch.manual_seed(_global)
        _outs.append(dropout(_x, _p, True, torch.Generator().manual_seed(6)))
    _kept = _outs[0] != 0
    assert _outs[0].dtype == torch.float64 and torch.allclose(_outs[0], torch.where(_kept, _x / (1 - _p), 0.0)), "Exercise 2.3: each element is dropped or divided by 1 - p"
    assert abs(_kept.double().mean() - (1 - _p)) < 0.02, "Exercise 2.3: p is the probability of dropping"
    _rate = _kept.double().flatten(1)
    assert _rate.mean(1).std() < 0.07 and _rate.mean(0).std() < 0.07, "Exercise 2.3: elements are dropped independently, not whole rows or columns"
    assert torch.equal(_outs[0], _outs[1]), "Exercise 2.3: all randomness comes from the generator"
    assert torch.equal(_x, _copy), "Exercise 2.3: x should stay as it was"
    assert torch.equal(dropout(_x, _p, False, torch.Generator().manual_seed(6)), _x), "Exercise 2.3: outside training x keeps its values for every p"
_generator = torch.Generator().manual_seed(9)
assert not torch.equal(dropout(_x, 0.5, True, _generator), dropout(_x, 0.5, True, _generator)), "Exercise 2.3: each call drops other elements"
assert not torch.equal(dropout(_x, 0.5, True), dropout(_x, 0.5, True)), "Exercise 2.3: without a generator each call draws from torch's global one"
### END HIDDEN TESTS

# %% [markdown]
# ## 3 Networks from the parts
#
# A deeper network contains every shallower one: its extra layers would only have to pass their input on. In practice plain layers find that hard to learn. A **residual block** makes it the easy case: it computes $\mathrm{relu}(x + r(x))$, and if the residual $r$ is 0 the block passes $x \ge 0$ on.
#
# Where the block changes the number of channels or the size, $x$ cannot be added as it is; a 1 × 1 convolution with the same stride brings it into shape. **Worked example:** 16 channels on 8 × 8 to 32 on 4 × 4: stride 2, and $16\cdot32=512$ weights in the shortcut.

# %% [markdown]
# ### Exercise 3.1 `ResidualBlock` (7 points)
#
# *Medium. Importance: high. About 30 minutes.* From here on use the library's layers, `nn.Conv2d` and `nn.BatchNorm2d`, so that a slip above costs nothing here. The names of the parts matter: saved weights are found by name. A convolution before BatchNorm needs no bias. (Why not? See the formula in section 2.)

# %% nbgrader={"grade": false, "grade_id": "ResidualBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ResidualBlock(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)) for x (N, cin, H, W); returns (N, cout, H', W').

    conv1: cin to cout channels, 3 x 3, padding 1, the given stride. conv2: cout to cout, 3 x 3, padding 1, stride 1. Neither has a bias.
    bn1, bn2: nn.BatchNorm2d(cout).
    shortcut: nn.Identity() if stride is 1 and cin equals cout; otherwise nn.Sequential(convolution, BatchNorm) with a 1 x 1 convolution of
    the given stride, no padding, no bias. Attributes have exactly these names; no other layers with weights.
    Hidden checks: loaded random weights with and without shortcut, train and eval mode, names and shapes, the identity as a special case.
    """

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride=stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_ResidualBlock", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: parts and values
_same, _changed = ResidualBlock(4, 4), ResidualBlock(16, 32, stride=2)
assert isinstance(_same, nn.Module), "Exercise 3.1: a block is an nn.Module"
assert {_name.split(".")[0] for _name in _same.state_dict()} == {"conv1", "bn1", "conv2", "bn2"}, "Exercise 3.1: if the shape stays, the parts with weights are conv1, bn1, conv2, bn2"
assert {_name.split(".")[0] for _name in _changed.state_dict()} == {"conv1", "bn1", "conv2", "bn2", "shortcut"}, "Exercise 3.1: if the shape changes, shortcut has weights too"
assert _changed(torch.zeros(2, 16, 8, 8)).shape == (2, 32, 4, 4), "Exercise 3.1: stride 2 halves rows and columns once"
visible_passed("3.1, parts and values")
### BEGIN HIDDEN TESTS
for _k, (_cin, _cout, _s) in enumerate(((3, 3, 1), (3, 5, 1), (4, 4, 2), (2, 6, 2))):
    _parts = {"conv1": nn.Conv2d(_cin, _cout, 3, _s, 1, bias=False), "bn1": nn.BatchNorm2d(_cout), "conv2": nn.Conv2d(_cout, _cout, 3, 1, 1, bias=False), "bn2": nn.BatchNorm2d(_cout), "shortcut": nn.Identity()}
    if _k:
        _parts["shortcut"] = nn.Sequential(nn.Conv2d(_cin, _cout, 1, _s, bias=False), nn.BatchNorm2d(_cout))
    _twin, _block = randomise(nn.ModuleDict(_parts), 20 + _k), ResidualBlock(_cin, _cout, _s).double()
    assert shapes_of(_block) == shapes_of(_twin), "Exercise 3.1: names and shapes of the weights, for every cin, cout and stride"
    _block.load_state_dict(_twin.state_dict())
    for _training in (False, True):
        _twin.train(_training)
        _block.train(_training)
        _x = noise(3, _cin, 6, 5, seed=180 + _k)
        _inner = torch.relu(_twin["bn1"](_twin["conv1"](_x)))
        _expected = torch.relu(_twin["bn2"](_twin["conv2"](_inner)) + _twin["shortcut"](_x))
        assert torch.allclose(_block(_x), _expected, rtol=1e-6, atol=1e-8), "Exercise 3.1: with loaded weights the block should give the formula's values, in both modes"
    _moved = _block.state_dict()
    assert all(torch.allclose(_moved[_name], _value.double()) for _name, _value in _twin.state_dict().items() if "running" in _name), "Exercise 3.1: each BatchNorm should see its own convolution, once"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_ResidualBlock_identity", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: the identity is easy
_block, _x = ResidualBlock(3, 3), noise(2, 3, 4, 4, seed=190, dtype=torch.float32)
nn.init.zeros_(_block.bn2.weight)
assert torch.allclose(_block(_x), torch.relu(_x), atol=1e-5), "Exercise 3.1: if bn2 multiplies by 0, what remains is relu(x)"
visible_passed("3.1, the identity is easy")
### BEGIN HIDDEN TESTS
_block = ResidualBlock(2, 2).double()
nn.init.zeros_(_block.conv2.weight)
nn.init.constant_(_block.bn2.bias, -0.3)
_x = noise(3, 2, 5, 4, seed=191)
assert torch.allclose(_block(_x), torch.relu(_x - 0.3)), "Exercise 3.1: x is added after bn2 and before the last relu"
_leaf = _x.clone().requires_grad_(True)
_block(_leaf).sum().backward()
assert torch.allclose(_leaf.grad, (_x > 0.3).double()), "Exercise 3.1: gradients pass through the shortcut undamped"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3.2 `SmallCNN` (4 points)
#
# *Easy. Importance: high. About 20 minutes.* The network of this notebook: three convolutions with BatchNorm and ReLU, one pooling, then the **mean over all places** of each channel, so that the last layer asks *whether* a feature is there, not where. It has 24,058 parameters with the defaults, and takes images of any size.

# %% nbgrader={"grade": false, "grade_id": "SmallCNN", "locked": false, "schema_version": 3, "solution": true, "task": false}
class SmallCNN(nn.Module):
    """Logits (N, n_classes) for images x (N, 1, H, W), H and W at least 2.

    conv1 bn1 relu, conv2 bn2 relu, max-pool 2 x 2, conv3 bn3 relu, mean over rows and columns, fc. The convolutions are 3 x 3 with
    padding 1, stride 1, no bias, from 1 to channels, 2 * channels, 4 * channels; fc is linear with bias. Attributes have these names:
    conv1, bn1, conv2, bn2, conv3, bn3, fc; no other layers with weights. Returns logits, not probabilities.
    Hidden checks: loaded random weights, other channels, classes and image sizes, names and shapes, both modes.
    """

    def __init__(self, channels: int = 16, n_classes: int = 10) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * channels)
        self.conv3 = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.fc = nn.Linear(4 * channels, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(torch.relu(self.bn2(self.conv2(x))), 2)
        x = torch.relu(self.bn3(self.conv3(x)))
        return self.fc(x.mean(dim=(2, 3)))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_SmallCNN", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_net = SmallCNN()
assert isinstance(_net, nn.Module), "Exercise 3.2: a network is an nn.Module"
assert {_name.split(".")[0] for _name in _net.state_dict()} == {"conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc"}, "Exercise 3.2: the parts have the names of the docstring"
assert sum(_p.numel() for _p in _net.parameters()) == 24058, "Exercise 3.2: the number of parameters is not 24,058"
assert _net(torch.zeros(5, 1, 8, 8)).shape == (5, 10), "Exercise 3.2: return logits (N, n_classes)"
visible_passed("3.2")
### BEGIN HIDDEN TESTS
for _k, (_c, _classes, _size) in enumerate(((3, 10, (8, 8)), (2, 4, (12, 10)), (5, 7, (7, 9)))):
    _twin = nn.ModuleDict({f"conv{_i + 1}": nn.Conv2d(_a, _b, 3, padding=1, bias=False) for _i, (_a, _b) in enumerate(((1, _c), (_c, 2 * _c), (2 * _c, 4 * _c)))})
    _twin.update({f"bn{_i + 1}": nn.BatchNorm2d(_c * 2**_i) for _i in range(3)})
    _twin["fc"] = nn.Linear(4 * _c, _classes)
    _net = SmallCNN(_c, _classes).double()
    assert shapes_of(_net) == shapes_of(randomise(_twin, 30 + _k)), "Exercise 3.2: names and shapes of the weights, for every number of channels and classes"
    _net.load_state_dict(_twin.state_dict())
    for _training in (False, True):
        _twin.train(_training)
        _net.train(_training)
        _h = _x = noise(4, 1, *_size, seed=200 + _k)
        for _i in (1, 2, 3):
            _h = torch.relu(_twin[f"bn{_i}"](_twin[f"conv{_i}"](_h)))
            _h = F.max_pool2d(_h, 2) if _i == 2 else _h
        assert torch.allclose(_net(_x), _twin["fc"](_h.mean((2, 3))), rtol=1e-6, atol=1e-8), "Exercise 3.2: with loaded weights the network should give the description's logits, for any image size, in both modes"
### END HIDDEN TESTS

# %% [markdown]
# ## 4 Training and measuring
#
# A convolution moves with its input: shift the image, and the feature map shifts (**equivariance**). What stands at the border, the pooling grid and the last layer may still notice. **Augmentation** shows the network shifted images during training, so that it learns from examples what the architecture does not give it.
#
# **Worked example.** The row (5, 6, 7) moved by +1 is (0, 5, 6), by −1 it is (6, 7, 0): what leaves the picture is lost, zeros come in.

# %% [markdown]
# ### Exercise 4.1 `random_shift` (5 points)
#
# *Medium. Importance: medium. About 25 minutes.* Each image gets its own shift, drawn anew. Padding first and then cutting out a window of the old size avoids special cases.

# %% nbgrader={"grade": false, "grade_id": "random_shift", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_shift(x: Tensor, max_shift: int, generator: torch.Generator | None = None) -> Tensor:
    """Return the images, each moved by its own random number of rows and of columns; zeros come in at the border.

    x (N, C, H, W), N >= 1; 0 <= max_shift < min(H, W). For each image dy and dx are drawn independently, each of the whole numbers
    -max_shift ... max_shift equally likely, and out[n, c, i, j] = x[n, c, i - dy, j - dx], or 0 where that lies outside; all channels
    of an image move together. Returns a new tensor of x's shape and dtype; x stays as it was.
    All randomness comes from `generator` (None: torch's global one); the same state gives the same result.
    Hidden checks: only and all of the allowed shifts occur, about equally often, rows and columns independently, several channels,
    max_shift = 0, the generator.
    """
    ### BEGIN SOLUTION
    m, (height, width) = max_shift, x.shape[2:]
    padded = F.pad(x, (m, m, m, m))
    shifts = torch.randint(-m, m + 1, (len(x), 2), generator=generator).tolist()
    moved = [image[:, m - dy : m - dy + height, m - dx : m - dx + width] for image, (dy, dx) in zip(padded, shifts)]
    return torch.stack(moved)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_random_shift", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_x = torch.tensor([5.0, 6.0, 7.0]).expand(40, 1, 3, 3).clone()
_out = random_shift(_x, 1, torch.Generator().manual_seed(1))
assert isinstance(_out, Tensor) and _out.shape == _x.shape and _out.dtype == torch.float32, "Exercise 4.1: return a tensor of x's shape and dtype"
assert {tuple(_row) for _row in _out[:, 0, 1].tolist()} == {(5.0, 6.0, 7.0), (0.0, 5.0, 6.0), (6.0, 7.0, 0.0)}, "Exercise 4.1: the rows of the worked example, and no others, should occur"
assert torch.equal(random_shift(_x, 0), _x), "Exercise 4.1: max_shift = 0 moves nothing"
visible_passed("4.1")
### BEGIN HIDDEN TESTS
for _m, _n in ((1, 900), (2, 2500)):  # each of the 9 or 25 shifts about 100 times; half as often or 1.6 times as often is more than 5 standard deviations away
    _image = 1 + noise(2, 5, 4, seed=210).abs()
    _frame = torch.zeros(2, 5 + 2 * _m, 4 + 2 * _m, dtype=torch.float64)
    _frame[:, _m : _m + 5, _m : _m + 4] = _image
    _allowed = {(_dy, _dx): _frame[:, _m - _dy : _m - _dy + 5, _m - _dx : _m - _dx + 4] for _dy in range(-_m, _m + 1) for _dx in range(-_m, _m + 1)}
    _x = _image.expand(_n, 2, 5, 4).clone()
    torch.manual_seed(1)
    _out, _counts = random_shift(_x, _m, torch.Generator().manual_seed(2)), dict.fromkeys(_allowed, 0)
    assert _out.dtype == torch.float64, "Exercise 4.1: float64 in, float64 out"
    for _moved in _out:
        _which = [_shift for _shift, _picture in _allowed.items() if torch.equal(_moved, _picture)]
        assert _which, "Exercise 4.1: each image is moved as a whole by at most max_shift rows and columns, zeros coming in"
        _counts[_which[0]] += 1
    _mean = _n / len(_allowed)
    assert _mean / 2 < min(_counts.values()) and max(_counts.values()) < 1.6 * _mean, "Exercise 4.1: all pairs of shifts should occur about equally often, each image having its own"
    torch.manual_seed(3)
    assert torch.equal(random_shift(_x, _m, torch.Generator().manual_seed(2)), _out), "Exercise 4.1: all randomness comes from the generator"
    assert torch.equal(_x, _image.expand_as(_x)), "Exercise 4.1: x should stay as it was"
_x = noise(6, 1, 4, 3, seed=211)
assert torch.equal(random_shift(_x, 0, torch.Generator()), _x), "Exercise 4.1: max_shift = 0 keeps each image in its place"
_out = random_shift(_x, 1, torch.Generator().manual_seed(4))
_fits = [any(torch.equal(F.pad(_x[_k], (_dx, -_dx, _dy, -_dy)), _out[_k]) for _dx in (-1, 0, 1) for _dy in (-1, 0, 1)) for _k in range(6)]
assert all(_fits), "Exercise 4.1: image n of the result is image n of x, moved"
_x = noise(40, 1, 4, 3, seed=212)
assert not torch.equal(random_shift(_x, 1), random_shift(_x, 1)), "Exercise 4.1: without a generator each call draws from torch's global one"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4.2 `evaluate` (4 points)
#
# *Easy. Importance: very high. About 15 minutes.* What can go wrong while counting right answers: the mode, the mode afterwards, recorded gradients, the last batch, the type. **Worked example:** 10 images, 7 right, batches of 4, 4, 2 with 3, 3, 1 right: averaging the batches gives 0.667; the answer is 0.7.

# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def evaluate(model: nn.Module, X: Tensor, y: Tensor, batch_size: int = 256) -> float:
    """Return the fraction of images whose largest logit is at their label, a Python float.

    model maps (B, ...) to logits (B, k); X (N, ...), y int64 (N,), N >= 1. The images go through the model once, in order, batch_size
    at a time (the last batch may be smaller), in eval mode and without recording gradients.
    Afterwards the model is as it was: in the mode in which it came (train or eval), with the same parameters and buffers.
    Hidden checks: the batches, mode and gradients during the calls, both modes afterwards, BatchNorm's running averages, the value.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(dim=1) == labels).sum().item() for x, labels in zip(X.split(batch_size), y.split(batch_size)))
    model.train(was_training)
    return right / len(X)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_evaluate", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_x = torch.eye(3)[[0, 1, 2, 2, 0, 0, 1, 1, 0, 2]]
_y, _model = torch.tensor([0, 1, 2, 1, 0, 0, 1, 2, 1, 2]), Probe(torch.eye(3))
_fraction = evaluate(_model, _x, _y, batch_size=4)
assert type(_fraction) is float, "Exercise 4.2: return a Python float"
assert abs(_fraction - 0.7) < 1e-6, "Exercise 4.2: seven of ten are right, in batches of 4, 4 and 2"
assert _model.training, "Exercise 4.2: a model that came in train mode should be in train mode afterwards"
visible_passed("4.2")
### BEGIN HIDDEN TESTS
for _training, _size in ((True, 4), (False, 3), (True, 50)):
    _model = Probe(torch.eye(3)).train(_training)
    _fraction = evaluate(_model, _x.clone(), (_y + 1) % 3, _size)
    assert abs(_fraction - (_x.argmax(1) == (_y + 1) % 3).double().mean().item()) < 1e-6, "Exercise 4.2: the fraction for other labels"
    assert [len(_c[2]) for _c in _model.calls] == [len(_part) for _part in _x.split(_size)], "Exercise 4.2: batches of batch_size, the last one smaller"
    assert torch.equal(torch.cat([_c[2] for _c in _model.calls]), _x), "Exercise 4.2: each image goes through the model once"
    assert not any(_c[0] for _c in _model.calls), "Exercise 4.2: the model should be in eval mode while it is evaluated"
    assert not any(_c[1] for _c in _model.calls), "Exercise 4.2: no gradients should be recorded"
    assert _model.training == _training, "Exercise 4.2: the mode should be as it was"
_net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 10))
_before = {_name: _value.clone() for _name, _value in _net.state_dict().items()}
evaluate(_net, *(_t[:30].cpu() for _t in digits["val"]), 7)
assert all(torch.equal(_net.state_dict()[_name], _value) for _name, _value in _before.items()), "Exercise 4.2: parameters and running averages should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4.3 `fit` (6 points)
#
# *Medium. Importance: very high. About 40 minutes.* The loop that the rest of the course takes for granted. Each **epoch** visits every example once, in a new random order. AdamW takes the weight decay apart from the gradient: $\theta \leftarrow (1-\eta\lambda)\,\theta$ with learning rate $\eta$ and decay $\lambda$, beside Adam's own step.

# %% nbgrader={"grade": false, "grade_id": "fit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit(
    model: nn.Module, X: Tensor, y: Tensor, epochs: int, lr: float, batch_size: int = 64, weight_decay: float = 1e-4,
    max_shift: int = 0, generator: torch.Generator | None = None,
) -> list[float]:
    """Train model in place, in train mode, with one torch.optim.AdamW(lr, weight_decay) on the mean cross-entropy of each batch.

    X (N, ...), y int64 (N,). Each epoch takes a new random order of all N examples in batches of batch_size; the last batch may be smaller
    and counts. If max_shift > 0 (then X is (N, C, H, W)), each batch goes through random_shift anew; otherwise images stay as they are.
    Returns one Python float for each epoch: the mean over its N examples of the loss that each had when its batch was seen.
    All randomness of its own comes from `generator` (None: torch's global one). X and y stay as they were.
    Hidden checks: parameters after steps with the whole data as one batch, also with large weight_decay; the losses; sizes and order of
    the batches, labels going along; the mode; the generator; augmentation only if asked; accuracy of a trained network.
    """
    ### BEGIN SOLUTION
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    model.train()
    history = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(X), generator=generator).to(X.device).split(batch_size):
            images = random_shift(X[rows], max_shift, generator) if max_shift > 0 else X[rows]
            loss = F.cross_entropy(model(images), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        history.append(total / len(X))
    return history
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_fit", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.3, aspect: steps and losses
_x, _y = noise(12, 4, seed=220, dtype=torch.float32), torch.arange(12) % 3
_losses = fit(Probe(torch.zeros(3, 4)), _x.clone(), _y.clone(), 5, 0.05)
assert isinstance(_losses, list) and len(_losses) == 5 and all(type(_v) is float for _v in _losses), "Exercise 4.3: return a list of Python floats, one for each epoch"
assert abs(_losses[0] - math.log(3)) < 1e-5, "Exercise 4.3: with weights 0 the first loss is that of guessing, ln 3"
assert _losses[-1] < _losses[0], "Exercise 4.3: the loss should fall"
visible_passed("4.3, steps and losses")
### BEGIN HIDDEN TESTS
_x, _start = _x.double(), noise(3, 4, seed=221)
for _lr, _decay in ((0.05, 1e-4), (0.1, 5.0)):
    _model, _twin = Probe(_start), Probe(_start)
    _losses, _expected = fit(_model, _x.clone(), _y.clone(), 4, _lr, batch_size=50, weight_decay=_decay), []
    _optimizer = torch.optim.AdamW(_twin.parameters(), lr=_lr, weight_decay=_decay)
    for _ in range(4):
        _loss = F.cross_entropy(_twin(_x), _y)
        _expected.append(_loss.item())
        _optimizer.zero_grad()
        _loss.backward()
        _optimizer.step()
    assert torch.allclose(_model.weight, _twin.weight, rtol=1e-6, atol=1e-8), "Exercise 4.3: with the whole data as one batch, each epoch should be one step of AdamW with these settings"
    assert max(abs(_a - _b) for _a, _b in zip(_losses, _expected)) < 1e-6, "Exercise 4.3: each loss should be the mean cross-entropy when the batch was seen"
_losses = fit(Probe(_start), _x.clone(), _y.clone(), 3, 0.0, batch_size=5, weight_decay=0.0)
assert max(abs(_v - F.cross_entropy(_x @ _start.T, _y).item()) for _v in _losses) < 1e-6, "Exercise 4.3: the mean is over examples: a small last batch counts less"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fit_batches", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.3, aspect: batches, order, mode, augmentation
_x, _model = torch.arange(10.0)[:, None], Probe(torch.zeros(10, 1)).eval()
fit(_model, _x, torch.arange(10), 2, 0.01, batch_size=4)
assert [len(_c[2]) for _c in _model.calls] == [4, 4, 2, 4, 4, 2], "Exercise 4.3: two epochs of ten examples in batches of 4, 4 and 2"
assert all(_c[0] for _c in _model.calls), "Exercise 4.3: the model should be in train mode"
visible_passed("4.3, batches, order, mode, augmentation")
### BEGIN HIDDEN TESTS
_x, _y = torch.eye(10).reshape(10, 1, 2, 5) + 1, torch.arange(10)
_orders, _weights = [], []
for _global in (1, 2):
    torch.manual_seed(_global)
    _model, _given = Probe(torch.zeros(10, 10)), (_x.clone(), _y.clone())
    fit(_model, *_given, 3, 0.05, batch_size=4, generator=torch.Generator().manual_seed(5))
    _seen = torch.cat([_c[2] for _c in _model.calls]).flatten(1).argmax(1).reshape(3, 10).tolist()
    assert all(sorted(_epoch) == list(range(10)) for _epoch in _seen), "Exercise 4.3: each epoch visits every example once"
    assert list(range(10)) not in _seen and len({tuple(_epoch) for _epoch in _seen}) == 3, "Exercise 4.3: each epoch has a new random order"
    assert all((_c[2].flatten(1).sort(1).values == torch.tensor([1.0] * 9 + [2.0])).all() for _c in _model.calls), "Exercise 4.3: without max_shift the images stay as they are"
    assert torch.equal(_given[0], _x) and torch.equal(_given[1], _y), "Exercise 4.3: X and y should stay as they were"
    _orders.append(_seen)
    _weights.append(_model.weight.detach().clone())
assert _orders[0] == _orders[1] and torch.equal(*_weights), "Exercise 4.3: all randomness comes from the generator"
assert (_weights[0].argmax(1) == _y).all(), "Exercise 4.3: each label should go with its own image"
_x = torch.zeros(8, 1, 5, 5)
_x[:, 0, 2, 2] = 1 + torch.arange(8.0)
_places = []
for _global in (1, 2):
    torch.manual_seed(_global)
    _model = Probe(torch.zeros(8, 25))
    fit(_model, _x, torch.arange(8), 6, 0.01, batch_size=8, max_shift=1, generator=torch.Generator().manual_seed(6))
    assert all(sorted(_c[2].flatten(1).amax(1).tolist()) == list(range(1, 9)) for _c in _model.calls), "Exercise 4.3: augmented images are the images, moved"
    _places.append([tuple(_c[2].flatten(1).argmax(1).tolist()) for _c in _model.calls])
assert len({_place for _call in _places[0] for _place in _call}) == 9, "Exercise 4.3: with max_shift = 1 all nine shifts should occur"
assert _places[0] == _places[1], "Exercise 4.3: the shifts come from the generator too"
_spots = [dict(zip(_c[2].flatten(1).amax(1).tolist(), _c[2].flatten(1).argmax(1).tolist())) for _c in _model.calls]
assert len({tuple(sorted(_spot.items())) for _spot in _spots}) == 6, "Exercise 4.3: each epoch draws new shifts"
_orders = []
for _ in range(2):
    _model = Probe(torch.zeros(30, 1))
    fit(_model, torch.arange(30.0)[:, None], torch.arange(30), 1, 0.01)
    _orders.append(_model.calls[0][2].flatten().tolist())
assert _orders[0] != _orders[1], "Exercise 4.3: without a generator each training draws its order from torch's global one"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fit_trained", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.3, aspect: a trained network
_x, _y = (_t.cpu() for _t in digits["train"])
torch.manual_seed(1)
_net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
fit(_net, _x.clone(), _y.clone(), 6, 3e-3, generator=torch.Generator().manual_seed(1))
assert (_net.eval()(_x).argmax(1) == _y).double().mean() > 0.8, "Exercise 4.3: a small network should learn most of the training images in six epochs"
visible_passed("4.3, a trained network")
### BEGIN HIDDEN TESTS
_right = []
for _shift in (0, 1):
    torch.manual_seed(2)
    _net = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Flatten(), nn.Linear(384, 10))
    fit(_net, _x.clone(), _y.clone(), 6, 2e-3, max_shift=_shift, generator=torch.Generator().manual_seed(2))
    _net.eval()
    _images, _labels = (_t.cpu() for _t in digits["val"])
    for _frame in ((0, 0, 0, 0), (1, -1, 0, 0), (0, 0, -1, 1)):
        _right.append((_net(F.pad(_images, _frame)).argmax(1) == _labels).double().mean().item())
assert _right[0] > 0.9, "Exercise 4.3: a CNN trained without augmentation should read the validation images"
assert min(_right[3:]) > 0.82, "Exercise 4.3: a CNN trained with augmentation should read moved images"
assert min(_right[1:3]) < min(_right[4:]), "Exercise 4.3: augmentation should help on moved images"
### END HIDDEN TESTS

# %% [markdown]
# **Picture: the question from the top.** Four trainings: a network without convolutions (MLP, one hidden layer of 128 units) and your CNN, each with and without your augmentation by one pixel. Each is tested on the test images as they are, and on copies moved by one pixel to the left, right, up and down.
#
# *Predict and write down* eight numbers, or at least their order. Keep what the cell prints; the question below asks for it.

# %% nbgrader={"grade": false, "grade_id": "plot_moved", "locked": true, "schema_version": 3, "solution": false, "task": false}
x, y = digits["test"]
moved = torch.cat([F.pad(x, frame) for frame in ((-1, 1, 0, 0), (1, -1, 0, 0), (0, 0, -1, 1), (0, 0, 1, -1))])
scores = {}
for name, epochs, rate, shift in (("MLP", 15, 3e-3, 0), ("MLP, augmented", 40, 3e-3, 1), ("CNN", 15, 1e-3, 0), ("CNN, augmented", 20, 1e-3, 1)):
    torch.manual_seed(SEED)
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    net = (SmallCNN() if "CNN" in name else mlp).to(DEVICE)
    losses = fit(net, *digits["train"], epochs, rate, max_shift=shift, generator=torch.Generator().manual_seed(SEED))
    scores[name] = evaluate(net, x, y), evaluate(net, moved, y.repeat(4))
    print(f"{name:15s} training loss {losses[-1]:.3f}   test images {scores[name][0]:.3f}   moved by one pixel {scores[name][1]:.3f}")
figure, panel = plt.subplots(figsize=(7.6, 4.0), layout="constrained")
for k, (label, colour, hatch) in enumerate((("test images as they are", plots.BLUE, ""), ("moved by one pixel", plots.ORANGE, "//"))):
    bars = panel.bar([i + 0.4 * k for i in range(4)], [pair[k] for pair in scores.values()], 0.38, color=colour, hatch=hatch, edgecolor="white", label=label)
    panel.bar_label(bars, fmt="%.2f", padding=2)
panel.axhline(0.1, color=plots.BLACK, linestyle=":", linewidth=1, label="guessing")
panel.set_xticks([i + 0.2 for i in range(4)], scores)
panel.set_ylim(0, 1.3)
plots.finish(panel, title="Accuracy on test images and on the same images moved (one seed)", xlabel="network", ylabel="accuracy (fraction)", legend=False)
panel.legend(frameon=False, ncols=3, fontsize=9, loc="upper left")
plots.show(
    "Bar chart of the accuracy of four networks, MLP and CNN, each without and with augmentation. Each has a plain bar for the test "
    "images as they are and a hatched one for those moved by one pixel, both labelled with their values; a dotted line marks "
    "guessing."
)

# %% [markdown]
# **Reading.** All four read the test images as they are about equally well; 397 images leave an uncertainty of about one point. One pixel takes half of them from the MLP and one in ten from the CNN. *What would change if* the images moved by two pixels? Write your guess, then change the frames and look.

# %% [markdown] nbgrader={"grade": false, "grade_id": "question_moved", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5 Question (15 points)
#
# Write at most 250 words; only the first 250 are marked. Use the numbers that the cell above printed for you.
#
# The MLP and the CNN read nearly the same fraction of the test images, but on images moved by one pixel they part.
#
# 1. Explain the difference from the two architectures. Why is the CNN not perfect either?
# 2. Two remedies were tried on the MLP: another architecture (the CNN), and augmentation. What was each worth on the moved images, alone and both together? What did augmentation cost?
# 3. What does this say about the meaning of a test accuracy?
#
# === BEGIN MARK SCHEME ===
# * (i) 5 points. The MLP has its own weight for each pixel, so what it learned at one place does not hold at the next (2). Convolutions share weights over places: the feature map moves along (equivariance), and pooling and the mean over places forget where (2). Not exact: zero padding at the border, the pooling grid of stride 2, pixels pushed out of the picture, or features that only look alike; one of these is enough (1).
# * (ii) 4 points. Alone, on the moved images: the architecture and augmentation each lift the MLP by tens of points, MLP to CNN and MLP to MLP augmented (1). Together: the augmented CNN is best of the four (1). Cost of augmentation, one is enough: more epochs; or unmoved images are read a few points worse by the MLP, and equally well within the noise of 397 images, about one point, by the CNN (2).
# * (iii) 4 points. A test accuracy is a statement about images drawn like the test images, here centred ones (2); it does not rank networks on any other distribution, so measure on what will be met in use (2).
# * Own numbers, 2 points. At least three numbers from the student's run, used in the argument and not only listed.
# More than 250 words: mark the first 250.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade": true, "grade_id": "answer_moved", "locked": false, "points": 15, "schema_version": 3, "solution": true, "task": false}
# (i) The MLP has one weight for each pixel and unit. What it learned about a stroke in column 3 says nothing about column 4, so a shift by one pixel gives it an input it never saw: 0.967 falls to 0.462. A convolution uses the same weights at every place, so its feature maps move along with the digit, and the pooling and the mean over places forget most of where. The CNN keeps 0.899 of 0.982. It is not perfect: zero padding at the border differs from the inside, the pooling grid has steps of two pixels, and a moved digit can lose a row of pixels.
#
# (ii) Augmentation lifts the MLP by 46 points (0.462 to 0.919), more than anything else, at the cost of three points on unmoved images (0.967 to 0.937) and 40 epochs instead of 15. For the CNN it adds eight points (0.899 to 0.975) and costs one (0.982 to 0.972), which on 397 images is noise. The architecture alone was worth 44 points; the two together are best.
#
# (iii) Both networks had about 97 % on the test set, so the test set could not tell them apart. It answers for centred digits like its own. For any other use, moved or darker or tilted ones, one must measure on such images.

# %% [markdown]
# ## Summary
#
# * A convolution is one small linear map applied at every place; its gradients are the same sum read from the other two factors. Loop over taps, not over pixels.
# * Kaiming initialisation keeps the size of activations through ReLU layers. BatchNorm measures instead: batch statistics in training, running averages in evaluation, gradients through both mean and variance.
# * A residual block starts from the identity. Names and shapes of parts are an interface: they let weights travel.
# * Evaluation changes nothing: eval mode, no gradients, mode restored. Training visits everything once per epoch, in a new order.
# * A test accuracy holds for images drawn like the test images.
#
# **References**
#
# * Goodfellow, Bengio, Courville: *Deep Learning*, 2016, chapter 9 (convolution and pooling).
# * He, Zhang, Ren, Sun: *Delving Deep into Rectifiers*, ICCV 2015, section 2.2 (initialisation).
# * Ioffe, Szegedy: *Batch Normalization*, ICML 2015, section 3 and algorithms 1 and 2.
# * Srivastava and others: *Dropout*, JMLR 2014, sections 1 and 4.
# * He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*, CVPR 2016, section 3, figure 2.
# * Loshchilov, Hutter: *Decoupled Weight Decay Regularization*, ICLR 2019, algorithm 2.
# * Data: the optical digits of scikit-learn's `load_digits` (UCI repository).

# %% [markdown]
# **Bonus: what did the first layer learn?** The sixteen kernels of your network after eight epochs.
#
# *Predict:* will you find some of the kernels that section 1 wrote by hand?

# %% nbgrader={"grade": false, "grade_id": "bonus_kernels", "locked": true, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(SEED)
net = SmallCNN().to(DEVICE)
fit(net, *digits["train"], 8, 1e-3, generator=torch.Generator().manual_seed(SEED))
kernels = net.conv1.weight.detach().cpu()[:, 0]
figure, axes = plt.subplots(2, 8, figsize=(10, 3.2), layout="constrained")
for panel, kernel in zip(axes.flat, kernels):
    picture = panel.imshow(kernel, cmap="RdBu_r", vmin=-kernels.abs().max(), vmax=kernels.abs().max())
    panel.axis("off")
figure.colorbar(picture, ax=axes, label="weight")
figure.suptitle("The first layer's 16 kernels after training (3 x 3 weights each)")
plots.show(
    "The first layer's sixteen kernels after training, in two rows: pictures of 3 by 3 weights, from blue (negative) over white to "
    "red (positive), with a colour scale beside them."
)

# %% [markdown]
# **Reading.** With the seed 0 some are edges again, tilted and uneven: the first of the second row is upper left minus lower right, its last is below minus above. Most are mixtures. Nothing asked for kernels that people can read; the loss asked for kernels that together tell digits apart. *What would change if* another seed drew the start? Other kernels, at nearly the same accuracy.
