# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Adversarial attacks
#
# A network reads 98 % of handwritten digits correctly. How many does it still read correctly when someone who knows the network may change every pixel by a little? You write the attacks that answer this: one gradient step, many projected steps, two ways to measure "a little", and the curve that reports the result.
#
# **After this notebook you can**
#
# 1. compute the gradient of a loss with respect to the input without leaving traces in the model,
# 2. write FGSM and projected gradient descent (PGD) for the $L_\infty$ and the $L_2$ ball, untargeted and targeted, and check that a result obeys its constraints,
# 3. draw and read a robustness curve, and state what it does and does not promise.
#
# **Cost:** about three hours. 100 points: 80 by tests, 20 for one written question. Ten seconds of one CPU core; no GPU.

# %% [markdown]
# ## 0 Setup
#
# Run these cells and go on. Later cells are graded one by one. Below each exercise stand checks that you can run; each has a hidden part that tries other models, shapes and edge cases. The hidden part asks for nothing that the docstring does not say.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"  # where your experiments run; grading uses the CPU
SEED = 0  # seed of the random noise in the experiments

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from courselib import plots
from courselib.data import load_digits_split
from courselib.models import BNDropNet, LinearNet, SmallCNN
from courselib.training import accuracy, fingerprint, load_checkpoint, predict

torch.set_num_threads(1)
plots.use_course_style()
x_test, y_test = (tensor.to(DEVICE) for tensor in load_digits_split()["test"])
print("test images", tuple(x_test.shape), x_test.dtype, "grey values from", x_test.min().item(), "to", x_test.max().item())


# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def visible_passed(what: str) -> None:
    """Say that the visible checks of one test cell hold."""
    print(f"Exercise {what}: visible checks passed. Hidden checks run at grading.")


def load_cnn(seed: int = 0) -> nn.Module:
    """Return a fresh copy of one of three trained CNNs (seed 0, 1 or 2), in eval mode."""
    return load_checkpoint(SmallCNN(), f"checkpoints/cnn_std_{seed}.npz").to(DEVICE)


def load_bndrop() -> nn.Module:
    """Return a fresh copy of a trained net with BatchNorm and Dropout, in eval mode."""
    return load_checkpoint(BNDropNet(), "checkpoints/bndrop.npz").to(DEVICE)


def some_digits(n: int, skip: int = 0) -> tuple[Tensor, Tensor]:
    """Return fresh copies of n test images float32 (n, 1, 8, 8) and their labels int64 (n,)."""
    return x_test[skip : skip + n].clone(), y_test[skip : skip + n].clone()


def show_row(pictures: list[Tensor], titles: list[str], signed: list[bool], suptitle: str, alt: str) -> None:
    """Draw 8 x 8 pictures side by side: grey values in [0, 1], or signed values from blue (minus) to red (plus). alt: in words."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(2.6 * len(pictures), 3.1), layout="constrained")
    for panel, picture, title, is_signed in zip(axes, pictures, titles, signed):
        values = picture.detach().cpu().reshape(8, 8)
        if is_signed:
            limit = values.abs().max().item() or 1.0
            panel.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            panel.imshow(values, cmap="gray", vmin=0, vmax=1)
        panel.set_title(title, fontsize=10)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(False)
    figure.suptitle(suptitle, fontsize=12)
    plots.show(alt)


# %% [markdown]
# ## 1 What the attacker may do
#
# A **threat model** states what the attacker knows, wants and may change. Ours: the attacker knows the whole network (*white box*), wants a wrong label, and may replace the image $x$ by any $x'$ that is
#
# * in the **box**: every grey value stays in $[0, 1]$,
# * in the **epsilon ball** around $x$: $\|x' - x\|_\infty = \max_i |x'_i - x_i| \le \varepsilon$. The radius epsilon, $\varepsilon$, is the **budget**.
#
# So $\varepsilon = 0.2$ means that each pixel may change by a fifth of the way from black to white.

# %% [markdown]
# **Worked example: a clumsy attacker.** Random sign noise adds $+\varepsilon$ or $-\varepsilon$ to each pixel by the toss of a coin. It uses the whole budget and knows nothing about the network.
#
# *Predict before you run:* the CNN reads about 98 % of the clean images. What will be left at $\varepsilon = 0.2$?

# %% nbgrader={"grade": false, "grade_id": "random_sign_noise", "locked": true, "schema_version": 3, "solution": false, "task": false}
def random_sign_noise(x: Tensor, eps: float, seed: int) -> Tensor:
    """Return x (N, ...) with +eps or -eps added to each pixel at random, clipped to [0, 1]."""
    coins = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(seed)).to(x)
    return (x + eps * (2 * coins - 1)).clamp(0.0, 1.0)


for eps in (0.0, 0.1, 0.2, 0.3):
    print(f"eps {eps:.1f}   accuracy {accuracy(load_cnn(), random_sign_noise(x_test, eps, SEED), y_test):.3f}")

# %% [markdown]
# The network shrugs off noise that you can see clearly: at 0.2 more than nine images in ten are still right. The rest of this notebook spends **the same budget** with knowledge of the network. Keep this number; it is the first curve of the final figure.

# %% [markdown]
# ## 2 The gradient with respect to the input
#
# Training asks: which way should the *weights* move so that the loss falls? An attacker asks: which way should the *pixels* move so that the loss rises? The loss is the cross-entropy $\ell(x, y) = -\log p_y(x)$, where $p_y(x)$ is the softmax probability of the label $y$. The attacker needs $g = \nabla_x \ell(x, y)$.
#
# **Worked example.** Two pixels, two classes, logits $z = W x$. The chain rule gives
# $$g = \sum_k p_k w_k - w_y = p_{\text{other}}\,(w_{\text{other}} - w_y),$$
# where $w_k$ is row $k$ of $W$. The next cell computes it both ways.

# %% nbgrader={"grade": false, "grade_id": "two_pixels", "locked": true, "schema_version": 3, "solution": false, "task": false}
two_pixels = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
point = torch.tensor([[0.5, 0.5]], requires_grad=True)
loss = F.cross_entropy(two_pixels(point), torch.tensor([0]))
(by_autograd,) = torch.autograd.grad(loss, point)
p = two_pixels(point).softmax(dim=1)[0]
by_hand = p[1] * (two_pixels.linear.weight[1] - two_pixels.linear.weight[0])
print("autograd", by_autograd[0].tolist(), "  by hand", by_hand.tolist())


# %% [markdown]
# To raise the loss of class 0, lower the first pixel and raise the second. Three traps wait when this becomes a function for real models:
#
# * **Batches.** The loss of image $i$ must not depend on how many other images stand beside it. The default of `F.cross_entropy` averages over the batch; `reduction="sum"` does not.
# * **Mode.** BatchNorm and Dropout behave differently while training. An attack on a deployed network needs eval mode, and must give the model back as it was.
# * **Traces.** `loss.backward()` also fills `p.grad` of every parameter. `torch.autograd.grad(loss, leaf)` returns the gradient and writes nowhere.

# %% [markdown]
# ### Exercise 2.1 `input_gradient` (10 points)
#
# *Medium. Importance: very high. About 30 minutes.* Write the function on which every attack below rests. Work on a copy of `x`, so that the caller's tensor does not start to record gradients.

# %% nbgrader={"grade": false, "grade_id": "input_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def input_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of each image's own cross-entropy with respect to its pixels.

    model maps x to logits float32 (N, k); x is float32 (N, ...) of any image shape, y is int64 (N,) with labels 0..k-1.
    Returns a detached float32 tensor of x's shape. Row i is the gradient of -log softmax(model(x)[i])[y[i]] with respect to x[i],
    the same whether image i comes alone or in a batch, and right (not nan, not 0) also where the model gives y[i] a probability that
    rounds to 0: compute the loss from the logits, as F.cross_entropy does.
    The gradient is that of the model in eval mode, whatever mode it arrives in. Afterwards all is as before: the mode, the parameters and
    buffers, each p.requires_grad and p.grad (None stays None, numbers stay the same numbers), x (values and requires_grad) and y.
    Hidden checks: finite differences, labels that the model does not predict, other shapes and class counts, a probability that rounds to 0,
    large batches, a train-mode model with gradients and frozen parameters.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    leaf = x.detach().clone().requires_grad_(True)
    loss = F.cross_entropy(model(leaf), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, leaf)
    model.train(was_training)
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_input_gradient", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: values, one image at a time
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_g = input_gradient(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
assert isinstance(_g, Tensor) and _g.shape == (1, 2), "Exercise 2.1: return a tensor of the shape of x"
assert _g.dtype == torch.float32, "Exercise 2.1: the gradient should be float32, like x"
assert torch.allclose(_g, torch.tensor([[-1.0, 1.0]]), atol=1e-5), "Exercise 2.1: the worked example should give the gradient found by hand"
visible_passed("2.1, values, one image at a time")
### BEGIN HIDDEN TESTS
_cnn, _exact = load_cnn(1), load_cnn(1).double()
_rng = torch.Generator().manual_seed(5)
for _i, _shift in ((0, 0), (3, 0), (7, 4)):  # a shift makes the label differ from the prediction
    _x, _y = some_digits(1, _i)
    _y = (_y + _shift) % 10
    _g = input_gradient(_cnn, _x.clone(), _y).double()
    for _ in range(4):
        _d = 1e-5 * torch.randn(_x.shape, generator=_rng, dtype=torch.float64)
        _rise = F.cross_entropy(_exact(_x.double() + _d), _y) - F.cross_entropy(_exact(_x.double() - _d), _y)
        assert abs((2 * _g * _d).sum() - _rise) <= 1e-3 * abs(_rise) + 2e-9, "Exercise 2.1: the gradient should agree with finite differences"
_w = torch.randn(4, 105, generator=_rng)
_x, _y = torch.rand(1, 3, 5, 7, generator=_rng), torch.tensor([2])
_p = (_w.double() @ _x.double().flatten()).softmax(0)
_g = input_gradient(LinearNet.from_weights(_w), _x, _y)
assert _g.shape == _x.shape and torch.allclose(_g.double().flatten(), _p @ _w.double() - _w[2].double(), atol=1e-5), "Exercise 2.1: other image shapes and class counts should work"
_w = torch.tensor([[300.0, 0.0, 1.0], [0.0, 200.0, 5.0]])
_g = input_gradient(LinearNet.from_weights(_w), torch.tensor([[0.9, 0.2, 0.5]]), torch.tensor([1]))
assert torch.allclose(_g[0], _w[0] - _w[1], rtol=1e-4), "Exercise 2.1: the gradient should be right where the label's probability rounds to 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_input_gradient_batch", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: an image's gradient does not depend on its neighbours
_x, _y = some_digits(2)
_alone, _together = input_gradient(load_cnn(), _x[:1].clone(), _y[:1].clone()), input_gradient(load_cnn(), _x, _y)
assert _together.shape == _x.shape, "Exercise 2.1: one gradient for each image of the batch"
assert torch.allclose(_alone[0], _together[0], rtol=1e-3, atol=1e-6), "Exercise 2.1: the gradient of an image should be the same alone and in a batch of two"
visible_passed("2.1, an image's gradient does not depend on its neighbours")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(100, 40)
_together = input_gradient(load_cnn(2), _x.clone(), _y.clone())
for _i in (0, 37, 99):
    _alone = input_gradient(load_cnn(2), _x[_i : _i + 1].clone(), _y[_i : _i + 1].clone())
    assert torch.allclose(_alone[0], _together[_i], rtol=1e-3, atol=1e-6), "Exercise 2.1: the gradient of an image should be the same alone and in a large batch"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_input_gradient_hygiene", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: nothing is left behind
_net, (_x, _y) = load_bndrop(), some_digits(8)
_before = fingerprint(_net)
_g = input_gradient(_net, _x, _y)
assert not _g.requires_grad, "Exercise 2.1: the result should be detached"
assert torch.equal(_x, x_test[:8]) and not _x.requires_grad, "Exercise 2.1: the caller's x should stay as it was"
assert fingerprint(_net) == _before, "Exercise 2.1: an eval-mode model should stay exactly as it was (mode, values, buffers, gradients)"
visible_passed("2.1, nothing is left behind")
### BEGIN HIDDEN TESTS
_expected, _net = input_gradient(load_bndrop(), _x.clone(), _y.clone()), load_bndrop().train()
for _k, _parameter in enumerate(_net.parameters()):
    _parameter.grad = torch.full_like(_parameter, 0.5 + _k)
    _parameter.requires_grad_(_k != 1)
_before = fingerprint(_net)
_g = input_gradient(_net, _x, _y)
assert _net.training, "Exercise 2.1: a model that arrives in train mode should come back in train mode"
assert _g.any() and torch.allclose(_g, _expected, rtol=1e-3, atol=1e-6), "Exercise 2.1: a train-mode model should give its eval-mode gradient"
assert fingerprint(_net) == _before, "Exercise 2.1: a train-mode model with gradients should keep its buffers, gradients and flags"
assert torch.equal(_y, y_test[:8]) and torch.equal(_x, x_test[:8]), "Exercise 2.1: x and y should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** The gradient of one digit as an image: red pixels raise the loss when they get brighter, blue ones when they get darker.
#
# *Predict:* will the large values lie on the pen stroke, on the background, or on both?

# %% nbgrader={"grade": false, "grade_id": "plot_gradient", "locked": true, "schema_version": 3, "solution": false, "task": false}
image, label = some_digits(1, 10)
gradient = input_gradient(load_cnn(), image, label)
show_row(
    [image, gradient, gradient.sign()],
    [f"image, label {label.item()}", f"gradient (largest {gradient.abs().max():.2g})", "its sign"],
    [False, True, True],
    "Gradient of the loss with respect to the pixels (one test image)",
    alt="Three pictures of 8 by 8 pixels side by side: a digit in grey; the gradient of the loss with respect to its pixels, red where "
    "positive and blue where negative; the gradient's sign in the same colours.",
)

# %% [markdown]
# **Reading.** Both. Three of the four strongest red pixels lie in the gaps at the left, whose filling would close the 3 to an 8; the strong blue ones lie on the stroke, or beside it at the lower right. The sign panel keeps each pixel's direction and forgets its size; the first attack uses exactly that.
#
# *What would change if* the network were even surer of the image? The gradient would shrink (over the test set its length spans six orders of magnitude), its signs would still inform.

# %% [markdown]
# ## 3 One step: the fast gradient sign method
#
# For a small change $\delta$ the loss is almost linear: $\ell(x + \delta) \approx \ell(x) + g \cdot \delta$. Which $\delta$ with $|\delta_i| \le \varepsilon$ makes $g \cdot \delta$ largest? Each pixel can be chosen on its own, so each moves as far as it may, in the direction of its gradient:
# $$\delta = \varepsilon \,\mathrm{sign}(g), \qquad g \cdot \delta = \varepsilon \sum_i |g_i|.$$
# Every pixel contributes, which is why many changes too small to matter alone matter together. Then the result is clipped to the box.
#
# **Worked example.** The square $|\delta_i| \le 0.1$ around the two-pixel point has four corners. Which has the largest loss? Section 2 found $g = (-1, 1)$.

# %% nbgrader={"grade": false, "grade_id": "four_corners", "locked": true, "schema_version": 3, "solution": false, "task": false}
corner_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
for corner in ([-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]):
    moved = torch.tensor([[0.5, 0.5]]) + 0.1 * torch.tensor([corner])
    print("signs", corner, f"  loss {F.cross_entropy(corner_net(moved), torch.tensor([0])).item():.3f}")


# %% [markdown]
# The corner with the signs of the gradient wins, as it must for a linear model. For a **targeted** attack the label $y$ is what the attacker *wants*, and the step goes down the loss: $\delta = -\varepsilon\,\mathrm{sign}(g)$.
#
# ### Exercise 3.1 `fgsm` (15 points)
#
# *Easy. Importance: high. About 15 minutes.* Use your `input_gradient`: one direction, one step, one clip.

# %% nbgrader={"grade": false, "grade_id": "fgsm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fgsm(model: nn.Module, x: Tensor, y: Tensor, eps: float, targeted: bool = False) -> Tensor:
    """Return clip(x + eps * sign(g), 0, 1), where g is the input gradient of the cross-entropy at x with the labels y.

    x is float32 (N, ...) in [0, 1]; y is int64 (N,), the true labels, or with targeted=True the labels the attacker wants: then the step
    is -eps * sign(g). eps >= 0; eps = 0 returns the values of x. sign(0) = 0: a pixel without influence stays where it is.
    Returns a detached float32 tensor of x's shape, in [0, 1] and within eps of x. Like input_gradient it attacks the model in eval mode,
    works for confident models, and leaves the model (mode, values, buffers, gradients), x and y as they were.
    Hidden checks: linear models of other shapes, pixels without influence, box and ball for several eps, eps = 0, targeted steps, strength,
    a probability that rounds to 0, a train-mode model.
    """
    ### BEGIN SOLUTION
    direction = -1.0 if targeted else 1.0
    step = direction * eps * input_gradient(model, x, y).sign()
    return (x + step).clamp(0.0, 1.0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_fgsm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: the step, on linear models whose best attack is known
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_adv = fgsm(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), 0.1)
assert isinstance(_adv, Tensor) and _adv.shape == (1, 2) and _adv.dtype == torch.float32, "Exercise 3.1: return a float32 tensor of the shape of x"
assert torch.allclose(_adv, torch.tensor([[0.4, 0.6]]), atol=1e-6), "Exercise 3.1: on the two-pixel model the attack should reach the best corner"
visible_passed("3.1, the step, on linear models whose best attack is known")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(11)
for _shape, _k in (((1, 1, 8, 8), 2), ((3, 2, 5, 7), 5)):
    _x = 0.4 + 0.2 * torch.rand(_shape, generator=_rng)
    _w = 0.3 * torch.randn(_k, _x[0].numel(), generator=_rng)
    _net, _y = LinearNet.from_weights(_w), torch.randint(0, _k, (len(_x),), generator=_rng)
    _p = (_x.flatten(1).double() @ _w.double().T).softmax(1)
    _sign = (_p @ _w.double() - _w[_y].double()).sign().float().reshape(_x.shape)
    _adv = fgsm(_net, _x.clone(), _y, 0.1)
    assert torch.allclose(_adv, _x + 0.1 * _sign, atol=1e-6), "Exercise 3.1: each pixel should move by exactly eps, so as to raise the loss of the given label"
_x = torch.rand(2, 1, 8, 8, generator=_rng)
_flat_net = LinearNet.from_weights(torch.zeros(3, 64), torch.tensor([0.0, 1.0, 2.0]))
assert torch.equal(fgsm(_flat_net, _x.clone(), torch.tensor([0, 2]), 0.1), _x), "Exercise 3.1: pixels without influence should stay where they are"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fgsm_box", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: box and ball
_x, _y = some_digits(50)
_adv = fgsm(load_cnn(), _x, _y, 0.2)
assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 3.1: grey values should stay in [0, 1]"
assert (_adv - x_test[:50]).abs().max() <= 0.2 + 1e-6, "Exercise 3.1: no pixel should move by more than eps"
visible_passed("3.1, box and ball")
### BEGIN HIDDEN TESTS
for _eps, _n, _seed in ((0.6, 20, 1), (0.05, 1, 2), (1.0, 3, 0)):
    _x, _y = some_digits(_n, 60)
    _adv = fgsm(load_cnn(_seed), _x.clone(), _y, _eps)
    assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 3.1: grey values should stay in [0, 1] for every eps"
    assert (_adv - _x).abs().max() <= _eps + 1e-6, "Exercise 3.1: no pixel should move by more than eps, for every eps"
    assert torch.equal(fgsm(load_cnn(_seed), _x.clone(), _y, 0.0), _x), "Exercise 3.1: eps = 0 should give x back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fgsm_targeted", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: targeted
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_adv = fgsm(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([1]), 0.1, targeted=True)
assert torch.allclose(_adv, torch.tensor([[0.4, 0.6]]), atol=1e-6), "Exercise 3.1: with targeted=True the image should move towards class y"
visible_passed("3.1, targeted")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(12)
_w, _x, _y = torch.randn(2, 64, generator=_rng), 0.4 + 0.2 * torch.rand(6, 1, 8, 8, generator=_rng), torch.tensor([0, 1, 0, 1, 1, 0])
_towards = (_w[_y] - _w[1 - _y]).sign().reshape(_x.shape)
_adv = fgsm(LinearNet.from_weights(0.3 * _w), _x.clone(), _y, 0.07, targeted=True)
assert torch.allclose(_adv, _x + 0.07 * _towards, atol=1e-6), "Exercise 3.1: on a linear model a targeted step should be exactly eps towards the wanted class"
_x, _y = some_digits(60, 100)
_cnn, _wanted = load_cnn(1), (_y + 3) % 10
_adv = fgsm(load_cnn(1), _x.clone(), _wanted, 0.1, targeted=True)
_loss = [F.cross_entropy(_cnn(_z), _wanted).item() for _z in (_x, _adv)]
assert _loss[1] < 0.8 * _loss[0], "Exercise 3.1: a targeted attack should lower the loss of the wanted labels"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fgsm_strength", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: strength
_x, _y = some_digits(100)
assert accuracy(load_cnn(), fgsm(load_cnn(), _x, _y, 0.2), y_test[:100]) <= 0.3, "Exercise 3.1: at eps = 0.2 the accuracy should collapse"
visible_passed("3.1, strength")
### BEGIN HIDDEN TESTS
for _seed in (0, 1):
    _x, _y = some_digits(397)
    assert accuracy(load_cnn(_seed), fgsm(load_cnn(_seed), _x, _y, 0.15), y_test) <= 0.40, "Exercise 3.1: at eps = 0.15 the attack should break most images"
_w = 300 * torch.tensor([[1.0, -1.0, 0.5, 2.0], [-1.0, 1.0, -0.5, -2.0]])
_adv = fgsm(LinearNet.from_weights(_w), torch.tensor([[0.6, 0.4, 0.5, 0.6]]), torch.tensor([1]), 0.1)
assert torch.allclose(_adv, torch.tensor([[0.7, 0.3, 0.6, 0.7]]), atol=1e-6), "Exercise 3.1: the attack should move every pixel also where the label's probability rounds to 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fgsm_hygiene", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: nothing is left behind
_net, (_x, _y) = load_bndrop(), some_digits(8)
_before = fingerprint(_net)
assert not fgsm(_net, _x, _y, 0.1).requires_grad, "Exercise 3.1: the result should be detached"
assert torch.equal(_x, x_test[:8]) and not _x.requires_grad, "Exercise 3.1: the caller's x should stay as it was"
assert fingerprint(_net) == _before, "Exercise 3.1: the model should stay exactly as it was"
visible_passed("3.1, nothing is left behind")
### BEGIN HIDDEN TESTS
_expected, _net = fgsm(load_bndrop(), x_test[:8].clone(), _y.clone(), 0.1), load_bndrop().train()
_before = fingerprint(_net)
_adv = fgsm(_net, _x, _y, 0.1)
assert fingerprint(_net) == _before, "Exercise 3.1: a train-mode model should come back in train mode, with its buffers"
assert not torch.equal(_adv, x_test[:8]) and ((_adv - _expected).abs() < 1e-5).float().mean() >= 0.97, "Exercise 3.1: a train-mode model should be attacked in eval mode"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** One digit, its FGSM perturbation at $\varepsilon = 0.15$ (stretched to the full colour range, so that you can see it), and the result.
#
# *Predict:* which wrong digit will the network see?

# %% nbgrader={"grade": false, "grade_id": "plot_fgsm", "locked": true, "schema_version": 3, "solution": false, "task": false}
image, label = some_digits(1, 10)
adversarial = fgsm(load_cnn(), image, label, 0.15)
seen = [predict(load_cnn(), picture).item() for picture in (image, adversarial)]
sure = [load_cnn()(picture).softmax(dim=1).max().item() for picture in (image, adversarial)]
show_row(
    [image, adversarial - image, adversarial],
    [f"clean: read as {seen[0]} ({sure[0]:.0%})", "perturbation, scaled to full range", f"adversarial: read as {seen[1]} ({sure[1]:.0%})"],
    [False, True, False],
    f"FGSM with eps = 0.15 on a test image of a {label.item()} (probability in brackets)",
    alt="Three pictures of 8 by 8 pixels side by side: a clean digit in grey, the FGSM perturbation in red (brighter), blue (darker) and "
    "white (unchanged), and their sum, the adversarial image. The titles say what the network reads, and how sure it is.",
)

# %% [markdown]
# **Reading.** The picture is dirtier but plainly a 3; the network is as sure of another digit as it was of the right one. Where the middle panel is white, clipping undid the step: black cannot get darker.
#
# *What would change if* the same $\pm 0.15$ sat in random places? Section 1 answered that: almost nothing.

# %% [markdown]
# ## 4 Many steps: projected gradient descent
#
# FGSM trusts the gradient at $x$ over the whole ball. When the loss bends, several smaller steps do better: take a step of size alpha, $\alpha$, recompute the gradient *at the new point*, and repeat. After each step **project** back: return to the nearest point that the threat model allows.
#
# For the $L_\infty$ ball the projection treats each pixel alone: clip the change to $[-\varepsilon, \varepsilon]$, then the value to $[0, 1]$. The centre of the ball is always the *clean* image.
#
# **Worked example.** One bright pixel, clean value 0.80, with $\varepsilon = 0.25$ and $\alpha = 0.20$, pushed up three times.

# %% nbgrader={"grade": false, "grade_id": "one_pixel", "locked": true, "schema_version": 3, "solution": false, "task": false}
clean_value, value = 0.80, 0.80
for step in (1, 2, 3):
    stepped = value + 0.20
    in_ball = clean_value + np.clip(stepped - clean_value, -0.25, 0.25)
    value = np.clip(in_ball, 0.0, 1.0)
    print(f"step {step}: after the step {stepped:.2f}, in the ball {in_ball:.2f}, in the box {value:.2f}")


# %% [markdown]
# **Picture.** The same rule for two pixels, and for the round $L_2$ ball of section 5. The grey area is what the attacker may use: ball and box together.
#
# *Predict:* where on the boundary will each attack end, if the gradient (black arrow) points the same way everywhere?

# %% nbgrader={"grade": false, "grade_id": "plot_geometry", "locked": true, "schema_version": 3, "solution": false, "task": false}
def draw_walk(panel: plt.Axes, square: bool, clean: np.ndarray, uphill: np.ndarray, radius: float, length: float) -> None:
    """Draw four steps of a two-pixel attack with a constant gradient `uphill`, each projected onto ball and box."""
    ball = {True: plt.Rectangle(clean - radius, 2 * radius, 2 * radius), False: plt.Circle(clean, radius)}[square]
    ball.set(facecolor="0.85", edgecolor="black", linewidth=1.5)
    panel.add_patch(ball)
    panel.axhspan(1.0, 1.4, color="white", alpha=0.75)
    panel.axhline(1.0, color="black", linestyle="--", linewidth=1.2, label="edge of the box")
    panel.plot(*clean, "o", color="black", markersize=8, label="clean image")
    here = clean
    for k in range(4):
        stepped = here + length * (np.sign(uphill) if square else uphill / np.linalg.norm(uphill))
        change = stepped - clean
        change = np.clip(change, -radius, radius) if square else change * min(1.0, radius / np.linalg.norm(change))
        back = np.clip(clean + change, 0.0, 1.0)
        panel.plot(*np.stack([here, stepped]).T, "-", color=plots.ORANGE, label="step" if k == 0 else None)
        panel.plot(*np.stack([stepped, clean + change, back]).T, ":", color=plots.BLUE, linewidth=2.5, label="projection" if k == 0 else None)
        here = back
    panel.plot(*here, "*", color=plots.RED, markersize=16, zorder=5, label="after 4 steps")
    panel.annotate("", clean + 0.15 * uphill, clean, arrowprops={"arrowstyle": "->", "lw": 1.8})
    panel.set(xlim=(0.0, 0.85), ylim=(0.4, 1.2), aspect="equal")


figure, axes = plt.subplots(1, 2, figsize=(10, 5.8), layout="constrained", sharey=True)
for panel, square, title in zip(axes, (True, False), ("$L_\\infty$ ball, sign step", "$L_2$ ball, normalised step")):
    draw_walk(panel, square, np.array([0.35, 0.78]), np.array([0.45, 0.7]), radius=0.3, length=0.12)
    plots.finish(panel, title=title, xlabel="pixel 1 (grey value)", ylabel="pixel 2 (grey value)", legend=False)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
figure.suptitle("Steps and projections in two pixels (budget 0.3, step 0.12, arrow: gradient)")
plots.show(
    "Two panels with pixel 1 and pixel 2 as axes and the ball around a clean image in grey: a square on the left, a disc on the "
    "right, both crossing the dashed edge of the box. Orange steps and dotted blue projections lead from the clean image to a star, "
    "where four steps end."
)


# %% [markdown]
# **Reading.** The sign step walks along the diagonal whatever the gradient's angle and ends in a corner of the square, cut off by the box. The normalised step follows the gradient; the way back to the ball points to the centre, and clipping to the box then goes straight down.
#
# *What would change if* the ball's centre moved along? After four steps the left walk would be 0.48 away from the clean image in pixel 1.

# %% [markdown]
# ### Exercise 4.1 `pgd_linf` (25 points)
#
# *Hard. Importance: very high. About 45 minutes.* Now the full attack. Two more options belong to it: `random_start` begins at a random point of the ball, which helps where the gradient at `x` itself is useless; `targeted` is as before. Reproducible randomness comes from `torch.Generator().manual_seed(seed)`.

# %% nbgrader={"grade": false, "grade_id": "pgd_linf", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pgd_linf(
    model: nn.Module, x: Tensor, y: Tensor, eps: float, alpha: float, steps: int,
    random_start: bool = False, targeted: bool = False, seed: int = 0,
) -> Tensor:
    """Return the last iterate x_steps of projected sign-gradient steps in the L-infinity ball of radius eps around x.

    Start: x_0 = x; with random_start, x_0 = clip(x + u, 0, 1), u uniform in [-eps, eps] for each pixel of each image, drawn with `seed`
    (the same seed gives the same result, another seed another one). Step, with g_t the input gradient at x_t for the labels y:
        x_{t+1} = clip(x + clip(x_t + alpha * sign(g_t) - x, -eps, eps), 0, 1),   minus instead of plus if targeted (y = wanted labels).
    x is float32 (N, ...) in [0, 1], y int64 (N,), eps and alpha >= 0 (alpha may exceed eps), steps >= 0; steps = 0 returns x_0.
    Returns a detached float32 tensor of x's shape, in [0, 1] and within eps of x. The model is attacked in eval mode and left as it was
    (mode, values, buffers, gradients), as are x and y.
    Hidden checks: the total move on linear models, pixels without influence (sign(0) = 0), three steps on a CNN, alpha = 0, alpha > eps,
    eps = 0, box and ball, strength, labels that the model does not predict, targeted, the random start (uniform, in the box, its seed,
    steps = 0), a train-mode model with gradients.
    """
    ### BEGIN SOLUTION
    x_adv = x.clone()
    if random_start:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(x.shape, generator=generator).to(x)
        x_adv = (x + eps * (2 * noise - 1)).clamp(0.0, 1.0)
    direction = -1.0 if targeted else 1.0
    for _ in range(steps):
        stepped = x_adv + direction * alpha * input_gradient(model, x_adv, y).sign()
        x_adv = (x + (stepped - x).clamp(-eps, eps)).clamp(0.0, 1.0)
    return x_adv
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: exact steps where the answer is known
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_x, _y = torch.tensor([[0.5, 0.5]]), torch.tensor([0])
_one = pgd_linf(_net, _x.clone(), _y, 0.1, 0.03, 1)
assert isinstance(_one, Tensor) and _one.shape == _x.shape and _one.dtype == torch.float32, "Exercise 4.1: return a float32 tensor of the shape of x"
assert torch.allclose(_one, torch.tensor([[0.47, 0.53]]), atol=1e-6), "Exercise 4.1: one step should move each pixel by alpha"
assert torch.allclose(pgd_linf(_net, _x.clone(), _y, 0.1, 0.03, 8), torch.tensor([[0.4, 0.6]]), atol=1e-6), "Exercise 4.1: eight steps of 0.03 should end eps away from x"
visible_passed("4.1, exact steps where the answer is known")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(21)
_w, _x = 0.3 * torch.randn(2, 70, generator=_rng), 0.4 + 0.2 * torch.rand(3, 2, 5, 7, generator=_rng)
_y = torch.tensor([1, 0, 1])
_away, _net = (_w[1 - _y] - _w[_y]).sign().reshape(_x.shape), LinearNet.from_weights(_w)
for _alpha, _steps, _moved in ((0.03, 1, 0.03), (0.03, 2, 0.06), (0.03, 8, 0.1), (0.5, 1, 0.1), (0.0, 3, 0.0)):
    _adv = pgd_linf(_net, _x.clone(), _y, 0.1, _alpha, _steps)
    assert torch.allclose(_adv, _x + _moved * _away, atol=1e-6), "Exercise 4.1: the total move should follow from eps, alpha and steps"
_net = LinearNet.from_weights(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))  # the second pixel has no influence
_adv = pgd_linf(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), 0.1, 0.03, 2)
assert torch.allclose(_adv, torch.tensor([[0.44, 0.5]]), atol=1e-6), "Exercise 4.1: a pixel with gradient 0 should stay where it is"
_x, _y = some_digits(10, 30)
assert torch.equal(pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.0, 3), _x), "Exercise 4.1: alpha = 0 without random start should give x back"
_cnn, _point = load_cnn(2), _x.clone()
for _ in range(3):
    _leaf = _point.clone().requires_grad_(True)
    (_g,) = torch.autograd.grad(F.cross_entropy(_cnn(_leaf), _y, reduction="sum"), _leaf)
    _point = torch.minimum(torch.maximum(_point + 0.08 * _g.sign(), _x - 0.15), _x + 0.15).clamp(0, 1)
_adv = pgd_linf(load_cnn(2), _x.clone(), _y, 0.15, 0.08, 3)
assert ((_adv - _point).abs() < 1e-5).float().mean() >= 0.97, "Exercise 4.1: three steps on a CNN should follow the formula, with a new gradient at each point"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_constraints", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: box and ball
_x, _y = some_digits(20)
_adv = pgd_linf(load_cnn(), _x, _y, 0.15, 0.05, 6)
assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 4.1: grey values should stay in [0, 1]"
assert (_adv - x_test[:20]).abs().max() <= 0.15 + 1e-6, "Exercise 4.1: no pixel should end more than eps from the clean image"
visible_passed("4.1, box and ball")
### BEGIN HIDDEN TESTS
for _eps, _alpha, _steps, _start, _n in ((0.05, 0.02, 9, False, 1), (0.3, 0.4, 3, False, 10), (0.1, 0.05, 5, True, 10), (0.0, 0.1, 2, True, 4)):
    _x, _y = some_digits(_n, 120)
    _adv = pgd_linf(load_cnn(1), _x.clone(), _y, _eps, _alpha, _steps, random_start=_start, seed=4)
    assert _adv.shape == _x.shape, "Exercise 4.1: the result should have the shape of x"
    assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 4.1: grey values should stay in [0, 1], also with a step longer than eps or a random start"
    assert (_adv - _x).abs().max() <= _eps + 1e-6, "Exercise 4.1: no pixel should end more than eps from the clean image, for any step size"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_strength", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: strength
_x, _y = some_digits(60)
_adv = pgd_linf(load_cnn(), _x, _y, 0.15, 0.04, 20)
assert accuracy(load_cnn(), _adv, y_test[:60]) <= 0.45, "Exercise 4.1: at eps = 0.15 twenty steps should break most images"
visible_passed("4.1, strength")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(120, 150)
_adv = pgd_linf(load_cnn(1), _x.clone(), _y.clone(), 0.15, 0.04, 20)
assert accuracy(load_cnn(1), _adv, _y) <= 0.35, "Exercise 4.1: at eps = 0.15 twenty steps should break about four images in five"
_x, _wrong = _x[:30], (_y[:30] + 2) % 10
_cnn, _adv = load_cnn(1), pgd_linf(load_cnn(1), _x.clone(), _wrong.clone(), 0.1, 0.03, 10)
_loss = [F.cross_entropy(_cnn(_z), _wrong).item() for _z in (_x, _adv)]
assert _loss[1] > 1.2 * _loss[0], "Exercise 4.1: the loss of the labels passed as y should rise, also where the model does not predict them"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_targeted", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: targeted
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_adv = pgd_linf(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([1]), 0.1, 0.04, 5, targeted=True)
assert torch.allclose(_adv, torch.tensor([[0.4, 0.6]]), atol=1e-6), "Exercise 4.1: with targeted=True the image should move towards class y"
visible_passed("4.1, targeted")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(100, 40)
_wanted = (_y + 1) % 10
_adv = pgd_linf(load_cnn(), _x.clone(), _wanted.clone(), 0.3, 0.06, 20, targeted=True)
assert (predict(load_cnn(), _adv) == _wanted).float().mean() >= 0.70, "Exercise 4.1: at eps = 0.3 most images should be read as the wanted class"
assert (_adv - _x).abs().max() <= 0.3 + 1e-6 and _adv.min() >= 0 and _adv.max() <= 1, "Exercise 4.1: a targeted result should obey ball and box too"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_start", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: the random start
_x, _y = some_digits(6)
_start = pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 0, random_start=True, seed=2)
assert _start.shape == _x.shape and not torch.equal(_start, _x), "Exercise 4.1: with random_start, steps = 0 should return the random start, of the shape of x"
assert (_start - _x).abs().max() <= 0.1 + 1e-6, "Exercise 4.1: the random start itself should lie in the ball"
visible_passed("4.1, the random start")
### BEGIN HIDDEN TESTS
for _seed in (3, 8):
    _start = pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 0, random_start=True, seed=_seed)
    assert _start.min() >= 0 and _start.max() <= 1, "Exercise 4.1: the random start itself (steps = 0) should lie in the box"
    assert (_start - _x).abs().max() <= 0.1 + 1e-6, "Exercise 4.1: the random start itself should lie in the ball"
    assert (_start - _x).abs().max() > 0.1 / 3, "Exercise 4.1: the random start should fill the ball"
_grey = pgd_linf(LinearNet(3), torch.full((40, 1, 8, 8), 0.5), torch.zeros(40, dtype=torch.int64), 0.1, 0.0, 0, random_start=True, seed=1) - 0.5
assert abs(_grey.mean()) < 0.01 and abs(_grey.std() - 0.0577) < 0.005, "Exercise 4.1: the start should be uniform over the whole ball, up and down alike"
assert _grey.flatten(1).std(dim=0).min() > 0.01 and _grey.flatten(1).std(dim=1).min() > 0.01, "Exercise 4.1: each pixel of each image should have its own noise"
assert torch.equal(pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 0), _x), "Exercise 4.1: without random start, steps = 0 should give x back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_seed", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: the seed
_x, _y = some_digits(6)
_a, _b = (pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 2, random_start=True, seed=_seed) for _seed in (3, 3))
assert torch.equal(_a, _b), "Exercise 4.1: the same seed should give the same result"
visible_passed("4.1, the seed")
### BEGIN HIDDEN TESTS
_s = [pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 0, random_start=True, seed=_seed) for _seed in (3, 8)]
assert not torch.equal(_s[0], _s[1]), "Exercise 4.1: another seed should give another start"
assert not torch.equal(_a, pgd_linf(load_cnn(), _x.clone(), _y, 0.1, 0.02, 2, random_start=True, seed=8)), "Exercise 4.1: the random start should be used by the steps that follow"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_linf_hygiene", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: nothing is left behind
_net, (_x, _y) = load_bndrop(), some_digits(8)
_before = fingerprint(_net)
assert not pgd_linf(_net, _x, _y, 0.1, 0.03, 3).requires_grad, "Exercise 4.1: the result should be detached"
assert torch.equal(_x, x_test[:8]) and not _x.requires_grad, "Exercise 4.1: the caller's x should stay as it was"
assert fingerprint(_net) == _before, "Exercise 4.1: an eval-mode model should stay exactly as it was"
visible_passed("4.1, nothing is left behind")
### BEGIN HIDDEN TESTS
_start, _net = x_test[:8], load_bndrop().train()
_expected = pgd_linf(load_bndrop(), _start.clone(), _y.clone(), 0.07, 0.03, 3)
for _parameter in _net.parameters():
    _parameter.grad = torch.ones_like(_parameter)
_before = fingerprint(_net)
_adv = pgd_linf(_net, _x, _y, 0.07, 0.03, 3)
assert _net.training, "Exercise 4.1: a model that arrives in train mode should come back in train mode"
assert fingerprint(_net) == _before, "Exercise 4.1: a train-mode model should keep its buffers and gradients"
assert not torch.equal(_adv, _start) and ((_adv - _expected).abs() < 1e-5).float().mean() >= 0.97, "Exercise 4.1: a train-mode model should be attacked in eval mode"
assert torch.equal(_x, _start) and torch.equal(_y, y_test[:8]), "Exercise 4.1: x and y should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# **Experiment.** How many steps are enough? The budget is $\varepsilon = 0.15$ throughout; only the number of steps and their size change.
#
# *Predict:* will 32 steps of 0.01 beat 8 steps of 0.0375, and will either beat the one step of FGSM?

# %% nbgrader={"grade": false, "grade_id": "plot_steps", "locked": true, "schema_version": 3, "solution": false, "task": false}
plt.figure(layout="constrained")
for alpha, colour, marker in ((0.0375, plots.ORANGE, "o"), (0.01, plots.GREEN, "s")):
    x, y = some_digits(200)
    counts = [1, 2, 4, 8, 16, 32]
    values = [accuracy(load_cnn(), pgd_linf(load_cnn(), x, y, 0.15, alpha, n), y) for n in counts]
    plt.plot(counts, values, marker=marker, color=colour, label=f"PGD, alpha = {alpha}")
plt.axhline(accuracy(load_cnn(), fgsm(load_cnn(), x, y, 0.15), y), color=plots.BLUE, linestyle="--", label="FGSM (one step of 0.15)")
plt.xscale("log", base=2)
plt.xticks(counts, [str(n) for n in counts])
plt.ylim(0, 1)
plots.finish(plt.gca(), title="Accuracy under PGD, by number of steps\n(eps = 0.15, 200 test images, one CNN)", xlabel="steps", ylabel="accuracy (fraction of images)", legend=False)
plt.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, frameon=False, fontsize=9)
plots.show(
    "Accuracy, from 0 to 1, against the number of PGD steps, 1 to 32 on a logarithmic axis: circles for steps of 0.0375, squares for "
    "steps of 0.01. A dashed line is FGSM, one step of 0.15."
)

# %% [markdown]
# **Reading.** With fewer than $\varepsilon/\alpha$ steps PGD cannot reach the edge of the ball and loses to FGSM. Beyond, it wins and soon stops improving: it has converged. An attack that has not converged flatters the model.
#
# *What would change if* $\varepsilon$ were 0.05? More steps would gain almost nothing: in so small a ball the loss is nearly linear.

# %% [markdown]
# ## 5 Another ruler: the $L_2$ ball
#
# The $L_\infty$ ball lets every pixel move and limits each alone. The $L_2$ ball limits the length of the whole change, $\|\delta\|_2 = \sqrt{\sum_i \delta_i^2} \le \varepsilon$: one pixel may move far if the others stay. The two radii cannot be compared: $\pm 0.15$ on all 64 pixels has the length $0.15\sqrt{64} = 1.2$.
#
# **Projection.** A change that is too long is shortened to length $\varepsilon$ and keeps its direction; one that fits is left alone.
#
# **Worked example.** $\delta = (3, 4)$ has length 5. Onto radius 1 it becomes $(0.6, 0.8)$; for radius 10 it stays.

# %% nbgrader={"grade": false, "grade_id": "three_four", "locked": true, "schema_version": 3, "solution": false, "task": false}
change = np.array([3.0, 4.0])
for radius in (1.0, 5.0, 10.0):
    factor = min(1.0, radius / np.linalg.norm(change))
    print(f"radius {radius:4.1f}   factor {factor:.1f}   projected {factor * change}")


# %% [markdown]
# ### Exercise 5.1 `project_l2` (8 points)
#
# *Easy. Importance: medium. About 15 minutes.* Each example of a batch has its own length. `delta.flatten(1).norm(dim=1)` gives the N lengths; bring them into a shape that multiplies `delta`. Mind the example that did not change at all.

# %% nbgrader={"grade": false, "grade_id": "project_l2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def project_l2(delta: Tensor, eps: float) -> Tensor:
    """Return delta with each example projected onto the L2 ball of radius eps around 0.

    delta is float32 (N, ...) with any number of further axes; its example i has length n_i, the root of the sum of squares over all of
    them. Example i becomes delta[i] * min(1, eps / n_i): unchanged if n_i <= eps, otherwise of length eps in the same direction.
    eps >= 0. An all-zero example stays all zero (never nan, also for eps = 0), and eps = 0 gives zeros. delta itself is not modified.
    Lengths to 1 part in 10 000 for eps >= 0.01.
    Hidden checks: lengths inside and outside the ball, the direction, projecting twice, batches with two to four axes, all-zero examples,
    eps = 0, delta afterwards.
    """
    ### BEGIN SOLUTION
    lengths = delta.flatten(1).norm(dim=1).clamp_min(1e-12)
    factors = (eps / lengths).clamp(max=1.0)
    return delta * factors.reshape(-1, *[1] * (delta.dim() - 1))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_project_l2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: one example
_delta = torch.tensor([[3.0, 4.0]])
_p = project_l2(_delta.clone(), 1.0)
assert isinstance(_p, Tensor) and _p.shape == (1, 2) and _p.dtype == torch.float32, "Exercise 5.1: return a float32 tensor of the shape of delta"
assert torch.allclose(_p, torch.tensor([[0.6, 0.8]]), atol=1e-6), "Exercise 5.1: too long a change should be shortened to length eps"
assert torch.allclose(project_l2(_delta.clone(), 10.0), _delta), "Exercise 5.1: a change inside the ball should stay as it is"
visible_passed("5.1, one example")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(31)
for _length, _eps in ((0.3, 0.5), (0.8, 0.7), (1.5, 2.0), (2.0, 1.5), (30.0, 0.1), (0.05, 0.01)):
    _delta = torch.randn(1, 64, generator=_rng)
    _delta = _delta * _length / _delta.norm()
    _p, _kept = project_l2(_delta.clone(), _eps), min(1.0, _eps / _length)
    assert torch.allclose(_p, _kept * _delta, rtol=1e-4, atol=1e-9), "Exercise 5.1: length should be min(n, eps), direction unchanged, for lengths inside and outside the ball"
    assert torch.allclose(project_l2(_p.clone(), _eps), _p, rtol=1e-4, atol=1e-9), "Exercise 5.1: projecting twice should change nothing more"
_delta = torch.tensor([[6.0, -8.0]])
project_l2(_delta, 1.0)
assert torch.equal(_delta, torch.tensor([[6.0, -8.0]])), "Exercise 5.1: delta itself should not be modified"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_project_l2_batch", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: batches, shapes and zeros
_delta = torch.tensor([[3000.0, 4000.0], [0.3, 0.4], [0.0, 0.0]])
_p = project_l2(_delta.clone(), 1.0)
assert _p.shape == _delta.shape, "Exercise 5.1: the result should have the shape of delta"
assert torch.isfinite(_p).all() and _p[2].abs().sum() == 0, "Exercise 5.1: an all-zero example should stay all zero"
assert torch.allclose(_p[1], _delta[1]), "Exercise 5.1: each example has its own length; the second one fits and should stay as it is"
visible_passed("5.1, batches, shapes and zeros")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(32)
for _shape in ((3, 2, 5, 7), (5, 1, 8, 8), (4, 1, 1, 3), (7, 6)):
    _delta = torch.randn(_shape, generator=_rng) * torch.logspace(-2, 2, _shape[0]).reshape(-1, *[1] * (len(_shape) - 1))
    _p = project_l2(_delta.clone(), 0.9)
    assert _p.shape == _delta.shape, "Exercise 5.1: the result should have the shape of delta, for any number of axes"
    for _row, _out in zip(_delta.double(), _p.double()):
        assert torch.allclose(_out, _row * min(1.0, 0.9 / _row.square().sum().sqrt().item()), rtol=1e-4, atol=1e-7), "Exercise 5.1: an example's length runs over all its own axes"
_delta = torch.randn(3, 1, 4, 4, generator=_rng)
_delta[1] = 0
assert torch.equal(project_l2(_delta.clone(), 0.0), torch.zeros_like(_delta)), "Exercise 5.1: eps = 0 should give zeros, also for an all-zero example"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5.2 `pgd_l2` (12 points)
#
# *Medium. Importance: high. About 30 minutes.* The steepest step of length $\alpha$ in $L_2$ is $\alpha\, g / \|g\|_2$, for each example its own. A very sure network has $\|g\|$ near $10^{-8}$, and the direction still counts: a safeguard against division by zero must be far smaller. Then project, and clip to the box, which only brings pixels nearer to $x$. (The result is allowed, though not always the *nearest* allowed point.)

# %% nbgrader={"grade": false, "grade_id": "pgd_l2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pgd_l2(
    model: nn.Module, x: Tensor, y: Tensor, eps: float, alpha: float, steps: int,
    random_start: bool = False, targeted: bool = False, seed: int = 0,
) -> Tensor:
    """Return the last iterate x_steps of projected normalised-gradient steps in the L2 ball of radius eps around x.

    Start: x_0 = x; with random_start, x_0 = clip(x + u, 0, 1), u of each example in a random direction with a length drawn uniformly from
    [0, eps], with `seed` (same seed, same result; another seed, another one). Step, g_t the input gradient at x_t for the labels y:
        x_{t+1} = clip(x + project_l2(x_t + alpha * g_t / |g_t| - x, eps), 0, 1),   minus instead of plus if targeted (y = wanted labels),
    |g_t| the L2 length of each example's own gradient. An example with gradient 0 takes no step (never nan); a gradient of length 1e-9
    still takes a full step of length alpha (to 1 %), so a safeguard in the division must be about 1e-12.
    x float32 (N, ...) in [0, 1], y int64 (N,), eps, alpha and steps >= 0. Returns a detached float32 tensor of x's shape, in [0, 1] and,
    for each example, at an L2 distance of at most eps (to 1e-5) from x. Model (attacked in eval mode), x and y are left as they were.
    Hidden checks: the total move on linear models, two steps on a CNN, box and ball, strength, gradients of length 0 and 1e-9, targeted, the
    random start (lengths, directions, box, seed, steps = 0), a train-mode model.
    """
    ### BEGIN SOLUTION
    per_example = (-1, *[1] * (x.dim() - 1))
    x_adv = x.clone()
    if random_start:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(x.shape, generator=generator).to(x)
        length = eps * torch.rand(len(x), generator=generator).to(x) / noise.flatten(1).norm(dim=1)
        x_adv = (x + noise * length.reshape(per_example)).clamp(0.0, 1.0)
    direction = -1.0 if targeted else 1.0
    for _ in range(steps):
        gradient = input_gradient(model, x_adv, y)
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).reshape(per_example)
        stepped = x_adv + direction * alpha * gradient / length
        x_adv = (x + project_l2(stepped - x, eps)).clamp(0.0, 1.0)
    return x_adv
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: exact steps where the answer is known
_net = LinearNet.from_weights(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
_x, _y = torch.tensor([[0.5, 0.5]]), torch.tensor([0])
_one = pgd_l2(_net, _x.clone(), _y, 0.2, 0.05, 1)
assert isinstance(_one, Tensor) and _one.shape == _x.shape and _one.dtype == torch.float32, "Exercise 5.2: return a float32 tensor of the shape of x"
assert torch.allclose(_one, torch.tensor([[0.47, 0.54]]), atol=1e-5), "Exercise 5.2: one step should have length alpha and follow the gradient"
assert torch.allclose(pgd_l2(_net, _x.clone(), _y, 0.2, 0.05, 9), torch.tensor([[0.38, 0.66]]), atol=1e-5), "Exercise 5.2: many steps should end eps away from x"
visible_passed("5.2, exact steps where the answer is known")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(41)
_w, _x = 0.3 * torch.randn(2, 70, generator=_rng), 0.4 + 0.2 * torch.rand(3, 2, 5, 7, generator=_rng)
_y, _net = torch.tensor([1, 0, 0]), LinearNet.from_weights(_w)
_away = (_w[1 - _y] - _w[_y]).reshape(_x.shape) / (_w[0] - _w[1]).norm()
for _alpha, _steps, _moved in ((0.1, 1, 0.1), (0.1, 3, 0.3), (0.1, 8, 0.5), (0.7, 1, 0.5), (0.0, 2, 0.0)):
    _adv = pgd_l2(_net, _x.clone(), _y, 0.5, _alpha, _steps)
    assert torch.allclose(_adv, _x + _moved * _away, atol=2e-5), "Exercise 5.2: the total move should follow from eps, alpha and steps"
_x, _y = some_digits(10, 30)
_cnn, _point, _x = load_cnn(2), 0.2 + 0.6 * _x, 0.2 + 0.6 * _x  # away from the edges of the box
for _ in range(2):
    _leaf = _point.clone().requires_grad_(True)
    (_g,) = torch.autograd.grad(F.cross_entropy(_cnn(_leaf), _y, reduction="sum"), _leaf)
    _point = _point + 0.3 * _g / _g.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
_adv = pgd_l2(load_cnn(2), _x.clone(), _y, 0.7, 0.3, 2)
assert torch.allclose(_adv, _point.clamp(0, 1), atol=1e-3), "Exercise 5.2: two steps on a CNN should follow the formula, with a new gradient at each point"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_constraints", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: box and ball
_x, _y = some_digits(20)
_adv = pgd_l2(load_cnn(), _x, _y, 1.0, 0.3, 6)
assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 5.2: grey values should stay in [0, 1]"
assert (_adv - x_test[:20]).flatten(1).norm(dim=1).max() <= 1.0 + 1e-5, "Exercise 5.2: each example should stay within eps of its clean image"
visible_passed("5.2, box and ball")
### BEGIN HIDDEN TESTS
for _eps, _alpha, _steps, _start, _n in ((0.5, 0.1, 12, False, 1), (2.0, 3.0, 3, False, 10), (1.0, 0.5, 4, True, 10), (0.0, 0.1, 2, True, 4)):
    _x, _y = some_digits(_n, 120)
    _adv = pgd_l2(load_cnn(1), _x.clone(), _y, _eps, _alpha, _steps, random_start=_start, seed=4)
    assert _adv.min() >= 0 and _adv.max() <= 1, "Exercise 5.2: grey values should stay in [0, 1], also with a long step or a random start"
    assert (_adv - _x).flatten(1).norm(dim=1).max() <= _eps + 1e-5, "Exercise 5.2: each example should stay within eps of its clean image, for any step size"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_strength", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: strength
_x, _y = some_digits(60)
assert accuracy(load_cnn(), pgd_l2(load_cnn(), _x, _y, 1.0, 0.25, 20), y_test[:60]) <= 0.2, "Exercise 5.2: at eps = 1 almost no image should survive"
visible_passed("5.2, strength")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(120, 150)
assert accuracy(load_cnn(1), pgd_l2(load_cnn(1), _x.clone(), _y, 1.0, 0.25, 20), _y) <= 0.08, "Exercise 5.2: at eps = 1 almost no image should survive, on another model"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_gradients", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: gradients of length zero and nearly zero
_flat, (_x, _y) = LinearNet.from_weights(torch.zeros(10, 64)), some_digits(3)
_adv = pgd_l2(_flat, _x.clone(), _y, 1.0, 0.25, 3)
assert torch.isfinite(_adv).all(), "Exercise 5.2: a model with gradient 0 should give finite images"
assert torch.allclose(_adv, _x), "Exercise 5.2: an example with gradient 0 should not move"
visible_passed("5.2, gradients of length zero and nearly zero")
### BEGIN HIDDEN TESTS
_w, _x, _y = torch.tensor([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]), torch.full((3, 3), 0.5), torch.tensor([0, 1, 0])
_up, _down, _still = [0.53, 0.54, 0.5], [0.47, 0.46, 0.5], [0.5, 0.5, 0.5]
_adv = pgd_l2(LinearNet.from_weights(_w, torch.tensor([25.5, 0.0])), _x.clone(), _y, 0.2, 0.05, 1)  # gradient lengths 1.4e-9, 5, 1.4e-9
assert torch.allclose(_adv, torch.tensor([_up, _down, _up]), atol=5e-4), "Exercise 5.2: tiny and large gradients should all give a step of length alpha"
_adv = pgd_l2(LinearNet.from_weights(_w, torch.tensor([300.0, 0.0])), _x.clone(), _y, 0.2, 0.05, 1)  # gradient lengths 0, 5, 0
assert torch.allclose(_adv, torch.tensor([_still, _down, _still]), atol=1e-5), "Exercise 5.2: examples with gradient 0 should not move nor disturb the others"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_targeted", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: targeted
_net = LinearNet.from_weights(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
_adv = pgd_l2(_net, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), 0.2, 0.05, 9, targeted=True)
assert torch.allclose(_adv, torch.tensor([[0.62, 0.34]]), atol=1e-5), "Exercise 5.2: with targeted=True the image should move towards class y"
visible_passed("5.2, targeted")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(60, 40)
_wanted = (_y + 1) % 10
_adv = pgd_l2(load_cnn(), _x.clone(), _wanted, 2.5, 0.5, 20, targeted=True)
assert (predict(load_cnn(), _adv) == _wanted).float().mean() >= 0.70, "Exercise 5.2: with a large budget most images should be read as the wanted class"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_start", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: random start
_x, _y = some_digits(60, 40)
_s = [pgd_l2(load_cnn(), _x.clone(), _y, 0.8, 0.1, 0, random_start=True, seed=_seed) for _seed in (5, 5, 6)]
assert torch.equal(_s[0], _s[1]), "Exercise 5.2: the same seed should give the same start"
visible_passed("5.2, random start")
### BEGIN HIDDEN TESTS
assert not torch.equal(_s[0], _s[2]), "Exercise 5.2: another seed should give another start"
assert _s[0].min() >= 0 and _s[0].max() <= 1, "Exercise 5.2: the random start itself (steps = 0) should lie in the box"
_grey = pgd_l2(LinearNet(3), torch.full((200, 1, 8, 8), 0.5), torch.zeros(200, dtype=torch.int64), 0.8, 0.0, 0, random_start=True, seed=1) - 0.5
_lengths = _grey.flatten(1).norm(dim=1)
assert _lengths.max() <= 0.8 + 1e-5 and abs(_lengths.mean() - 0.4) < 0.1 and _lengths.std() > 0.1, "Exercise 5.2: the lengths of the random start should be spread over [0, eps]"
assert _grey.mean(dim=0).norm() < 0.12, "Exercise 5.2: each example should start in its own direction"
assert torch.equal(pgd_l2(load_cnn(), _x.clone(), _y, 0.8, 0.1, 0), _x), "Exercise 5.2: without random start, steps = 0 should give x back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_pgd_l2_hygiene", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.2, aspect: nothing is left behind
_net, (_x, _y) = load_bndrop(), some_digits(8)
_before = fingerprint(_net)
assert not pgd_l2(_net, _x, _y, 0.5, 0.2, 3).requires_grad, "Exercise 5.2: the result should be detached"
assert torch.equal(_x, x_test[:8]) and not _x.requires_grad, "Exercise 5.2: the caller's x should stay as it was"
assert fingerprint(_net) == _before, "Exercise 5.2: an eval-mode model should stay exactly as it was"
visible_passed("5.2, nothing is left behind")
### BEGIN HIDDEN TESTS
_expected, _net = pgd_l2(load_bndrop(), x_test[:8].clone(), _y.clone(), 0.5, 0.2, 1), load_bndrop().train()
_before = fingerprint(_net)
_adv = pgd_l2(_net, _x, _y, 0.5, 0.2, 1)
assert fingerprint(_net) == _before, "Exercise 5.2: a train-mode model should come back in train mode, with its buffers"
assert not torch.equal(_adv, x_test[:8]) and torch.allclose(_adv, _expected, atol=1e-4), "Exercise 5.2: a train-mode model should be attacked in eval mode"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** The two balls spend their budgets differently. Both attacks below start from the same digit; the radii are chosen so that both perturbations have about the same $L_2$ length.
#
# *Predict:* which of the two looks more like dust over the whole image, and which like a few strokes of a pen?

# %% nbgrader={"grade": false, "grade_id": "plot_two_norms", "locked": true, "schema_version": 3, "solution": false, "task": false}
image, label = some_digits(1, 10)
linf_change = pgd_linf(load_cnn(), image, label, 0.15, 0.03, 20) - image
l2_change = pgd_l2(load_cnn(), image, label, linf_change.norm().item(), 0.2, 20) - image
titles = [f"{name}\nlength {d.norm():.2f}, largest pixel {d.abs().max():.2f}" for name, d in (("$L_\\infty$ ball", linf_change), ("$L_2$ ball", l2_change))]
show_row(
    [image, linf_change, l2_change], [f"clean image\nlabel {label.item()}", *titles], [False, True, True],
    "Perturbations by PGD-20 (one test image, colours scaled for each panel)",
    alt="Three pictures of 8 by 8 pixels side by side: a clean digit in grey, then the perturbations found in the L-infinity ball and in "
    "the L2 ball, red where pixels get brighter and blue where darker. The titles give the length and the largest pixel of each.",
)


# %% [markdown]
# **Reading.** The $L_\infty$ attack moves 46 of the 64 pixels by the full 0.15 (the 12 white ones are black pixels that cannot get darker); the $L_2$ attack puts 70 % of its squared length into ten pixels, where the gradient is large. Each ball is only a stand-in for "you would not notice".
#
# *What would change if* images had 224 × 224 pixels? The same $L_\infty$ radius would allow an $L_2$ length 28 times larger.

# %% [markdown]
# ## 6 Robustness curves
#
# **Robust accuracy** at $\varepsilon$ is the fraction of images for which the attacker has no winning move that we found. An image already misread needs no attack: it counts as *not robust*, even if the attack happens to repair it.
#
# **Worked example.** Five images:
#
# | | 1 | 2 | 3 | 4 | 5 | fraction |
# |---|---|---|---|---|---|---|
# | read correctly when clean | yes | yes | yes | no | no | 0.6 |
# | read correctly when attacked | yes | no | yes | yes | no | 0.6 |
# | both: robust | yes | no | yes | no | no | **0.4** |
#
# The attack repaired image 4. Counting it would report 0.6 where two images in five withstand the attack.
#
# ### Exercise 6.1 `robust_curve` (10 points)
#
# *Medium. Importance: high. About 20 minutes.* Put the attacks together. Start each epsilon afresh from the clean images. `predict(model, x)` from the setup cell returns labels in eval mode and restores the mode.

# %% nbgrader={"grade": false, "grade_id": "robust_curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def robust_curve(model: nn.Module, x: Tensor, y: Tensor, eps_list: list[float], attack: str, steps: int = 20) -> list[float]:
    """Return the robust accuracy of model for each eps of eps_list, in that order, as Python floats.

    attack is "fgsm", "pgd" (pgd_linf) or "pgd_l2", untargeted and without random start; the last two run `steps` steps (steps >= 4) of
    size alpha = eps / 4. Any other name raises ValueError. An image counts as robust if it is read correctly clean AND attacked; the
    fraction is over all N images. So eps = 0 gives the clean accuracy. eps_list may be unsorted or repeat values.
    x float32 (N, ...) in [0, 1], y int64 (N,). Labels are predicted in eval mode; model, x, y and eps_list are left as they were.
    Hidden checks: a recomputation for each attack, images misread when clean, the order of eps_list, a train-mode model, unknown names.
    """
    ### BEGIN SOLUTION
    if attack not in ("fgsm", "pgd", "pgd_l2"):
        raise ValueError(f"unknown attack {attack!r}")
    correct_clean = predict(model, x) == y
    fractions = []
    for eps in eps_list:
        if attack == "fgsm":
            x_adv = fgsm(model, x, y, eps)
        else:
            run = pgd_linf if attack == "pgd" else pgd_l2
            x_adv = run(model, x, y, eps, eps / 4, steps)
        robust = correct_clean & (predict(model, x_adv) == y)
        fractions.append(robust.float().mean().item())
    return fractions
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_robust_curve", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.1, aspect: values
_x, _y = some_digits(40)
_curve = robust_curve(load_cnn(), _x, _y, [0.2, 0.0], "fgsm")
assert isinstance(_curve, list) and len(_curve) == 2 and all(type(_v) is float for _v in _curve), "Exercise 6.1: return a list of Python floats, one for each eps"
assert abs(_curve[1] - accuracy(load_cnn(), _x, _y)) < 1e-6, "Exercise 6.1: the entry for eps = 0 should be the clean accuracy, wherever 0 stands in eps_list: each eps starts from the clean images"
assert _curve[0] < _curve[1], "Exercise 6.1: the order should be that of eps_list"
visible_passed("6.1, values")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(50, 200)
_list, _cnn = [0.1, 0.05, 0.15], load_cnn(1)
_clean = _cnn(_x).argmax(1) == _y
for _attack, _scale, _steps in (("pgd", 1.0, 6), ("fgsm", 1.0, 1), ("pgd_l2", 6.0, 4)):
    _expected = []
    for _eps in _list:
        _point, _eps = _x.clone(), _scale * _eps
        for _ in range(_steps):
            _leaf = _point.clone().requires_grad_(True)
            (_g,) = torch.autograd.grad(F.cross_entropy(_cnn(_leaf), _y, reduction="sum"), _leaf)
            _unit = _g.sign() if _scale == 1 else F.normalize(_g.flatten(1)).reshape(_g.shape)
            _d = _point + _unit * _eps / (1 if _attack == "fgsm" else 4) - _x
            _long = _d.flatten(1).norm(dim=1).clamp_min(1e-12).reshape(-1, 1, 1, 1)
            _d = _d.clamp(-_eps, _eps) if _scale == 1 else _d * (_eps / _long).clamp(max=1)
            _point = (_x + _d).clamp(0, 1)
        _expected.append((_clean & (_cnn(_point).argmax(1) == _y)).float().mean().item())
    _curve = robust_curve(load_cnn(1), _x.clone(), _y.clone(), [_scale * _e for _e in _list], _attack, max(_steps, 4))
    assert len(_curve) == 3 and max(abs(_a - _b) for _a, _b in zip(_curve, _expected)) <= 0.02, "Exercise 6.1: each curve should agree with a recomputation"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_robust_curve_definition", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.1, aspect: what counts as robust
_x, _y = some_digits(20)
assert robust_curve(load_cnn(), _x, (_y + 1) % 10, [0.0], "pgd")[0] <= 0.1, "Exercise 6.1: wrongly read images are not robust"
visible_passed("6.1, what counts as robust")
### BEGIN HIDDEN TESTS
# One pixel matters. Class 1 beats class 0 by a hair; going up, class 0 overtakes class 1, while classes 2-9 raise the loss most.
_w, _b = torch.zeros(10, 4), torch.tensor([0.0, 0.52] + [-8.7] * 8)
_w[1, 0], _w[2:, 0] = -1.0, 10.0
_net = LinearNet.from_weights(_w, _b)
_x = torch.full((4, 4), 0.5)
_x[3, 0] = 0.6  # read as class 0 clean and attacked: the one robust image of four
_repaired = _x[:1] + torch.tensor([[0.1, 0.0, 0.0, 0.0]])
assert _net(_x[:1]).argmax() == 1 and _net(_repaired).argmax() == 0, "Exercise 6.1: not your doing: this check's own example does not hold; please tell the staff"
for _attack in ("fgsm", "pgd", "pgd_l2"):
    _curve = robust_curve(_net, _x.clone(), torch.zeros(4, dtype=torch.int64), [0.0, 0.1, 0.08], _attack, 4)
    assert _curve == [0.25, 0.25, 0.25], "Exercise 6.1: misread when clean is not robust, even if repaired; the fraction is over all images"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_robust_curve_hygiene", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.1, aspect: nothing is left behind
_net, (_x, _y) = load_bndrop(), some_digits(20)
_before = fingerprint(_net)
robust_curve(_net, _x, _y, [0.0, 0.1], "fgsm")
assert fingerprint(_net) == _before and torch.equal(_x, x_test[:20]), "Exercise 6.1: model and images should stay as they were"
visible_passed("6.1, nothing is left behind")
### BEGIN HIDDEN TESTS
_x, _y = some_digits(150, 100)
_net = load_bndrop().train()
_before, _list = fingerprint(_net), [0.1, 0.0]
_curve, _expected = robust_curve(_net, _x, _y, _list, "fgsm"), robust_curve(load_bndrop(), _x.clone(), _y, [0.1, 0.0], "fgsm")
assert fingerprint(_net) == _before and _list == [0.1, 0.0], "Exercise 6.1: a train-mode model and eps_list should come back as they were"
assert abs(_curve[1] - accuracy(load_bndrop(), _x, _y)) < 1e-6, "Exercise 6.1: a train-mode model should be evaluated in eval mode, clean"
assert abs(_curve[0] - _expected[0]) <= 0.02, "Exercise 6.1: a train-mode model should be evaluated in eval mode, attacked"
try:
    _refused = robust_curve(load_bndrop(), _x[:2].clone(), _y[:2], [0.1], "pgd_linf") and False
except ValueError:
    _refused = True
assert _refused, "Exercise 6.1: an unknown attack name should raise ValueError"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** The result of the notebook: one curve for each attacker, same network, same 200 images.
#
# *Predict* and write down: at $\varepsilon = 0.1$, what will FGSM and PGD-20 leave? And PGD at $L_2$ radius 1.0? Where will the two $L_\infty$ curves differ most?

# %% nbgrader={"grade": false, "grade_id": "plot_curves", "locked": true, "schema_version": 3, "solution": false, "task": false}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for panel, attack, style, colour, label, budgets in (
    (left, "noise", "^-", plots.BLACK, "random sign noise", [0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25]),
    (left, "fgsm", "s-", plots.BLUE, "FGSM", [0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25]),
    (left, "pgd", "o-", plots.ORANGE, "PGD-20", [0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25]),
    (right, "pgd_l2", "D-", plots.GREEN, "PGD-20, $L_2$", [0.0, 0.25, 0.5, 0.75, 1.0, 1.5]),
):
    x, y = some_digits(200)
    if attack == "noise":
        read = predict(load_cnn(), x) == y
        curve = [(read & (predict(load_cnn(), random_sign_noise(x, eps, SEED)) == y)).float().mean().item() for eps in budgets]
    else:
        curve = robust_curve(load_cnn(), x, y, budgets, attack)
    panel.plot(budgets, curve, style, color=colour, label=label)
    print(f"{label:18s}", "  ".join(f"{eps}: {value:.3f}" for eps, value in zip(budgets, curve)))
for panel, name in ((left, r"L_\infty"), (right, "L_2")):
    panel.axhline(0.1, color="grey", linestyle=":", label="guessing among 10 digits")
    panel.set_ylim(-0.02, 1.02)
    plots.finish(panel, title=f"Budget in ${name}$", xlabel=f"epsilon, ${name}$ radius (white = 1)", ylabel="robust accuracy (fraction)", legend=False)
    panel.legend(frameon=False, fontsize=9, loc=(0.01, 0.16) if panel is left else "upper right")
figure.suptitle("Robust accuracy of one CNN by attack and budget (200 test images)")
plots.show(
    "Robust accuracy, from 0 to 1, against the budget epsilon in two panels. Left, L-infinity: random sign noise (triangles), FGSM "
    "(squares) and PGD-20 (circles); right, L2: PGD-20 (diamonds). A dotted line marks guessing."
)

# %% [markdown]
# **Reading.** Knowing the gradient turns a harmless budget into a fatal one: at 0.2 noise leaves more than nine images in ten, PGD almost none. FGSM and PGD part in the middle of the range. Both fall *below guessing*: the network is not unsure but wrong.
#
# *What would change if* a "defence" lifted only the FGSM curve? It would have broken one attack, not gained robustness.

# %% [markdown] nbgrader={"grade": false, "grade_id": "question_curves", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 7 Question (20 points)
#
# Write at most 250 words; only the first 250 are marked. Use numbers from your own runs; the cell above prints those of the figure.
#
# 1. Why does PGD beat FGSM clearly at $\varepsilon = 0.15$, but hardly at $\varepsilon = 0.05$?
# 2. Why must a reported $\varepsilon$ come with the norm and the pixel scale?
# 3. Name one threat model for which robustness in an $L_\infty$ ball says nothing useful, and say why.
#
# === BEGIN MARK SCHEME ===
# Each criterion on a scale of 0-4 (0 absent, 1 wrong or generic, 2 partly right, 3 right, 4 right with evidence from the student's own numbers), scaled to 5 points.
#
# * (i) 5 points. FGSM assumes that the loss is linear in the whole ball. At 0.05 it nearly is, so the one linear step is close to the best; at 0.15 the gradient changes inside the ball, and PGD follows it by recomputing and projecting. Saying only "PGD takes more steps" is worth at most half.
# * (ii) 5 points. The same number is another set in another norm (0.15 on 64 pixels has an L2 length up to 1.2; L2 radius 1 already leaves almost nothing) and in another scale (0.15 of [0, 1] is 38 of 255). Both norm and scale are needed; the dependence of the ratio on the number of pixels earns full marks.
# * (iii) 5 points. A concrete attacker whose changes are not small in each pixel, or who does not start from a clean image: rotation, shift or a change of light, a sticker, an unusual but natural input, poisoned training data, a query-only attacker who steals the model. The reason must connect to the definition of the ball. For (iii), 4 needs a right reason tied to the definition of the ball, no numbers.
# * Own numbers, 5 points. At least two numbers from the student's runs, quoted with attack and budget, and used in the argument.
# More than 250 words: mark the first 250.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade": true, "grade_id": "answer_curves", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# (i) FGSM moves once along the sign of the gradient at x, which is optimal if the loss is linear over the ball. At ε = 0.05 it nearly is: on my 200 images FGSM leaves 0.895 and PGD-20 the same 0.895. At ε = 0.15 FGSM leaves 0.295 and PGD only 0.195, because on the way to the corner ReLUs switch and the gradient changes its sign in many pixels; PGD recomputes it after each step and projects back, FGSM keeps the stale one.
#
# (ii) ε is the radius of a set, and the norm decides which set. L2 with ε = 1.0 leaves 0.035, while an L∞ ball of radius 1 is the whole box. A change of 0.15 in each of 64 pixels has the L2 length 1.2, in 150 528 pixels it has 58, so radii cannot be converted without the number of pixels. The scale matters as much: 0.15 of [0, 1] is 38 grey levels of 255; read on a 0-255 scale it would be invisible and harmless.
#
# (iii) A sticker on a traffic sign: it changes a few pixels by up to 1 and leaves the others alone. The picture lies outside every L∞ ball of interesting radius, so a guarantee at 0.15 neither covers nor excludes it. The same holds for a rotation by ten degrees, which moves many pixels by a large amount although no person would call the sign changed.

# %% [markdown]
# ## Summary
#
# * The gradient of the loss with respect to the pixels, summed and not averaged over the batch, in eval mode and without traces, is all that a white-box attack needs.
# * FGSM solves the linear problem over the $L_\infty$ ball exactly: $\varepsilon\,\mathrm{sign}(g)$. PGD repeats small steps and projects onto ball and box around the *clean* image.
# * In $L_2$ the step is the normalised gradient and the projection rescales; each example has its own length.
# * Robust accuracy counts images read correctly clean *and* attacked, and is an upper bound: a better attack can only lower it. Quote the norm, the pixel scale, the attack and its steps.
#
# ## References
#
# * Goodfellow, Shlens, Szegedy: *Explaining and Harnessing Adversarial Examples*, ICLR 2015, sections 3-4 (linear view, FGSM).
# * Madry, Makelov, Schmidt, Tsipras, Vladu: *Towards Deep Learning Models Resistant to Adversarial Attacks*, ICLR 2018, section 2 (PGD and the saddle-point view).
# * Carlini, Athalye, Papernot et al.: *On Evaluating Adversarial Robustness*, 2019, sections 2 and 3 (threat models, checklist).
# * Data: the optical digits of scikit-learn's `load_digits` (UCI repository).

# %% [markdown]
# ## Bonus: does the attack need *this* network?
#
# The attack used the weights of one CNN. Two others were trained by the same recipe from other seeds.
#
# *Predict:* how many images made against network 0 fool the networks that the attacker never saw? Then run, and ask what your numbers say about hiding the weights as a defence.

# %% nbgrader={"grade": false, "grade_id": "bonus_transfer", "locked": true, "schema_version": 3, "solution": false, "task": false}
for eps in (0.1, 0.2):
    x, y = some_digits(200)
    adv = pgd_linf(load_cnn(0), x, y, eps, eps / 4, 20)
    print(f"eps {eps}: accuracy of networks 0, 1, 2:", [round(accuracy(load_cnn(k), adv, y), 2) for k in range(3)])
