# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Calibration: when 80 % sure should mean 80 % right
#
# A classifier says "a 7, and I am 94 % sure". Is that number worth anything? Over all answers given with 94 %, about 94 in 100 should be right. You will measure how far a network is from this, repair it with a single number, break the repair with a little more noise, and use confidence to decide when to say nothing.
#
# **After this notebook you can**
#
# 1. sort predictions into bins and compute two calibration errors without losing an example at an edge,
# 2. score probabilities with the Brier score and the log loss, and say what a calibration error cannot see,
# 3. fit a temperature on the right split, and average an ensemble in the right place,
# 4. draw a risk-coverage curve, and quote numbers on what survives a shift of the data.
#
# **Cost:** about four hours. 100 points: 80 by tests, 20 for one written question. Five seconds of one CPU core; no GPU.

# %% [markdown]
# ## 0 Setup
#
# Run these cells and go on. Below each exercise stand checks that you can run; each has a hidden part that tries other numbers of examples, classes and bins. The hidden part asks for nothing that the docstring does not say.
#
# Five small CNNs have been trained on 600 scikit-learn digits under heavy pixel noise, by one recipe from five seeds. Of the other images, 400 (`"val"`) are for choosing settings and 797 (`"test"`) for judging.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"  # nothing here needs more than one CPU core
SEED = 0  # seed of the simulated forecasters

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from courselib import plots
from courselib.models import SmallCNN
from courselib.training import load_checkpoint
from noisy_digits import TRAINING_NOISE, noisy_digits

torch.set_num_threads(1)
plots.use_course_style()


def visible_passed(what: str) -> None:
    """Say that the visible checks of one test cell hold."""
    print(f"Exercise {what}: visible checks passed. Hidden checks run at grading.")


# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def network_logits(part: str, noise: float = TRAINING_NOISE) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of the five networks, float64 (5, N, 10), and the labels, int64 (N,), of "train", "val" or "test"."""
    x, y = noisy_digits(noise)[part]
    nets = [load_checkpoint(SmallCNN(w=8), f"checkpoints/net_{k}.npz").to(DEVICE) for k in range(5)]
    with torch.no_grad():
        return np.stack([net(x.to(DEVICE)).cpu().double().numpy() for net in nets]), y.numpy()


def answers(probs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence float (N,), the largest probability of each row of probs (N, K), and bool (N,): was that class y?"""
    return probs.max(axis=1), probs.argmax(axis=1) == y


def simulated_forecaster(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return conf (n,) and correct (n,) of a forecaster who is perfectly calibrated: right with just the probability it states."""
    rng = np.random.default_rng(seed)
    conf = rng.uniform(0.25, 1.0, n)
    return conf, rng.random(n) < conf


def draw_reliability(upper: plt.Axes, lower: plt.Axes, bins: dict[str, np.ndarray], title: str) -> None:
    """Draw a reliability diagram (bars: accuracy; hatched: gap to the mean confidence) above a histogram of the confidences."""
    n_bins = len(bins["count"])
    centre, width = (np.arange(n_bins) + 0.5) / n_bins, 0.92 / n_bins
    low, high = np.minimum(bins["acc"], bins["conf"]), np.maximum(bins["acc"], bins["conf"])
    upper.bar(centre, bins["acc"], width, color=plots.SKY, label="accuracy in the bin")
    upper.bar(centre, high - low, width, bottom=low, facecolor="none", edgecolor=plots.RED, hatch="////", label="gap to mean confidence")
    upper.plot([0, 1], [0, 1], color=plots.BLACK, linestyle="--", linewidth=1.2, label="perfect calibration")
    lower.bar(centre, bins["count"], width, color="0.55")
    for panel in (upper, lower):
        panel.set_xlim(0, 1)
    upper.set_ylim(0, 1)
    plots.finish(upper, title=title, xlabel="", ylabel="accuracy (fraction)", legend=False)
    plots.finish(lower, title="", xlabel="confidence", ylabel="images", legend=False)


# %% [markdown]
# ## 1 What a confidence promises
#
# A network gives each of $K$ classes a number, its **logit**; the softmax turns the logits of an image into probabilities (formula in section 4). The network answers with the class of the largest, and that probability is its **confidence**. It is **calibrated** if, among all answers with confidence $c$, the fraction $c$ is right:
# $$P(\text{right} \mid \text{confidence} = c) = c \quad \text{for every } c.$$
#
# *Predict before you run:* the cell shows six test images, picked by us, and prints a mean confidence and an accuracy over all 797. Which of the two will be higher, and how sure will the wrong answers in the row be?

# %% nbgrader={"grade": false, "grade_id": "plot_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
logits, y = network_logits("test")
probs = softmax(logits[0], axis=1)
figure, axes = plt.subplots(1, 6, figsize=(11, 2.7), layout="constrained")
for panel, row in zip(axes, (1, 5, 6, 14, 24, 35)):
    panel.imshow(noisy_digits()["test"][0][row, 0], cmap="gray", vmin=0, vmax=1)
    panel.set_title(f"is a {y[row]}, read as {probs[row].argmax()}\nconfidence {probs[row].max():.0%}", fontsize=10)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(False)
figure.suptitle("Six noisy test images and what network 0 says", fontsize=12)
plots.show(
    "Six noisy pictures of digits side by side. The title of each says which digit it is, what network 0 reads, and with what "
    "confidence."
)
conf, correct = answers(probs, y)
print(f"all {len(y)} test images: mean confidence {conf.mean():.3f}, accuracy {correct.mean():.3f}")


# %% [markdown]
# Two of the six are wrong, with 97 and 100 %; on average the network claims more than it delivers. One average can hide much: a network that is too sure of some images and too unsure of others may look perfect. So we look **bin by bin**. With $B$ bins of equal width, bin $b = 0, \dots, B-1$ holds the confidences with $b/B < c \le (b+1)/B$; a confidence of exactly 0 joins bin 0.
#
# **Worked example.** Eight answers, $B = 4$:
#
# | confidence | .30 | .45 | .50 | .70 | .80 | .90 | .90 | 1.00 |
# |---|---|---|---|---|---|---|---|---|
# | right? | no | yes | no | yes | yes | no | yes | yes |
# | bin | 1 | 1 | 1 | 2 | 3 | 3 | 3 | 3 |
#
# Bin 1 has accuracy 1/3 at a mean confidence of .417: too sure. Bin 2: 1 at .7. Bin 3: 3/4 at .9. Bin 0 is empty and has neither.

# %% [markdown]
# ### Exercise 1.1 `reliability_bins` (12 points)
#
# *Easy. Importance: very high. About 25 minutes.* Before you write: what do `np.histogram` and `conf * n_bins` rounded down do with a confidence that lies exactly on an edge, and with 1.0?

# %% nbgrader={"grade": false, "grade_id": "reliability_bins", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reliability_bins(conf: np.ndarray, correct: np.ndarray, n_bins: int) -> dict[str, np.ndarray]:
    """Return count, accuracy and mean confidence of each of n_bins >= 1 bins of equal width.

    conf: (N,) float32 or float64 in [0, 1], N >= 1, in any order. correct: (N,) bool, or int or float of zeros and ones.
    Bin b holds b / n_bins < conf <= (b + 1) / n_bins; a confidence of exactly 0 belongs to bin 0.
    Returns {"count": int64 (n_bins,), "acc": float64 (n_bins,), "conf": float64 (n_bins,)}: how many, the fraction that is correct,
    and the mean of their confidences; the last two are nan in a bin without examples. conf and correct stay as they are.
    Hidden checks: random data against a loop, confidences 0, 1 and exactly on an edge (only edges that are exact in floating point,
    such as 0.25), empty bins, one bin, one example, every dtype of correct, the order of the examples.
    """
    ### BEGIN SOLUTION
    index = np.searchsorted(np.arange(1, n_bins) / n_bins, conf)  # edges below conf
    count = np.bincount(index, minlength=n_bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the nan we want
        acc = np.bincount(index, weights=correct, minlength=n_bins) / count
        mean = np.bincount(index, weights=conf, minlength=n_bins) / count
    return {"count": count, "acc": acc, "conf": mean}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_reliability_bins", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.1, aspect: values
_bins = reliability_bins(np.array([0.3, 0.95, 0.4, 0.8, 0.6]), np.array([False, False, True, True, True]), 2)
assert isinstance(_bins, dict) and set(_bins) == {"count", "acc", "conf"}, "Exercise 1.1: return a dict with the keys count, acc and conf"
assert {np.shape(_v) for _v in _bins.values()} == {(2,)}, "Exercise 1.1: each value is an array of shape (n_bins,)"
assert all(isinstance(_v, np.ndarray) for _v in _bins.values()), "Exercise 1.1: each value is a numpy array"
assert _bins["count"].dtype == np.int64 and _bins["acc"].dtype == _bins["conf"].dtype == np.float64, "Exercise 1.1: count is int64, acc and conf are float64"
assert _bins["count"].tolist() == [2, 3] and np.allclose(_bins["acc"], [1 / 2, 2 / 3]), "Exercise 1.1: count is the number of answers in the bin, acc the fraction of them that is correct"
assert np.allclose(_bins["conf"], [0.7 / 2, 2.35 / 3]), "Exercise 1.1: conf is the mean of the confidences in the bin, not its middle"
visible_passed("1.1, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _b in ((1, 50, 10), (2, 400, 15), (3, 7, 1), (4, 3, 6)):
    _rng = np.random.default_rng(_seed)
    _conf, _correct = _rng.random(_n), _rng.random(_n) < 0.6
    _bins = reliability_bins(_conf.copy(), _correct.copy(), _b)
    for _k in range(_b):
        _rows = [_i for _i in range(_n) if _k / _b < _conf[_i] <= (_k + 1) / _b]
        assert _bins["count"][_k] == len(_rows), "Exercise 1.1: wrong counts on random data"
        if _rows:
            assert abs(_bins["acc"][_k] - sum(_correct[_i] for _i in _rows) / len(_rows)) < 1e-9, "Exercise 1.1: wrong accuracies on random data"
            assert abs(_bins["conf"][_k] - sum(_conf[_i] for _i in _rows) / len(_rows)) < 1e-9, "Exercise 1.1: wrong mean confidences on random data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_reliability_bins_edges", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.1, aspect: edges and empty bins
_conf = np.array([0.30, 0.45, 0.50, 0.70, 0.80, 0.90, 0.90, 1.00])
_bins = reliability_bins(_conf, np.array([False, True, False, True, True, False, True, True]), 4)
assert _bins["count"].tolist() == [0, 3, 1, 4], "Exercise 1.1: the counts of the worked example do not come out"
assert np.allclose(_bins["acc"][1:], [1 / 3, 1, 3 / 4]) and np.allclose(_bins["conf"][1:], [1.25 / 3, 0.7, 0.9]), "Exercise 1.1: the means of the worked example do not come out"
_bins = reliability_bins(np.array([0.0, 1.0]), np.array([True, False]), 2)
assert _bins["count"].tolist() == [1, 1], "Exercise 1.1: confidences of exactly 0 and exactly 1 belong to the first and the last bin"
_bins = reliability_bins(np.array([0.75, 0.75]), np.array([True, False]), 4)
assert np.isnan(_bins["acc"][[0, 1, 3]]).all() and np.isnan(_bins["conf"][[0, 1, 3]]).all(), "Exercise 1.1: acc and conf of an empty bin are nan"
visible_passed("1.1, edges and empty bins")
### BEGIN HIDDEN TESTS
_bins = reliability_bins(np.array([0.5, 0.25, 1.0, 0.0, 0.75]), np.array([True, False, True, True, False]), 4)
assert _bins["count"].tolist() == [2, 1, 1, 1], "Exercise 1.1: a confidence on an edge belongs to the bin below it, 0 to the first"
assert np.allclose(_bins["acc"], [0.5, 1, 0, 1]) and np.allclose(_bins["conf"], [0.125, 0.5, 0.75, 1.0]), "Exercise 1.1: wrong means when confidences lie on edges"
_conf = np.arange(17) / 16
_bins = reliability_bins(_conf, np.ones(17, dtype=bool), 8)
assert _bins["count"].tolist() == [3] + [2] * 7, "Exercise 1.1: wrong counts when confidences lie on edges of eight bins"
_bins = reliability_bins(np.array([0.0]), np.array([True]), 3)
assert _bins["count"].tolist() == [1, 0, 0] and _bins["acc"][0] == 1 and _bins["conf"][0] == 0, "Exercise 1.1: one example with confidence 0 should be counted"
assert np.isnan(_bins["acc"][1:]).all() and np.isnan(_bins["conf"][1:]).all(), "Exercise 1.1: acc and conf of an empty bin are nan, not 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_reliability_bins_inputs", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 1.1, aspect: kinds of input
_conf, _right = np.array([0.9, 0.2, 0.6, 0.7]), np.array([True, False, False, True])
_expected = reliability_bins(_conf.copy(), _right, 2)
for _dtype in (np.int64, np.float64):
    assert np.array_equal(reliability_bins(_conf.copy(), _right.astype(_dtype), 2)["acc"], _expected["acc"]), "Exercise 1.1: correct may be bool, int or float"
visible_passed("1.1, kinds of input")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(8)
_conf, _right, _order = _rng.random(90), _rng.random(90) < 0.5, _rng.permutation(90)
_given, _flags = _conf.copy(), _right.copy()
_bins = reliability_bins(_given, _flags, 7)
assert np.array_equal(_given, _conf) and np.array_equal(_flags, _right), "Exercise 1.1: conf and correct should stay as they were"
assert _bins["count"].sum() == 90, "Exercise 1.1: every example is in exactly one bin"
_small = reliability_bins(_conf.astype(np.float32), _right.astype(np.float32), 7)
assert all(_v.dtype == (_bins[_k].dtype if _k == "count" else np.float64) for _k, _v in _small.items()), "Exercise 1.1: the dtypes of the result do not depend on those of the input"
for _other in (_small, reliability_bins(_conf[_order], _right[_order], 7), reliability_bins(_conf.copy(), _right.astype(np.int64), 7)):
    assert all(np.allclose(_bins[_k], _other[_k], atol=1e-6) for _k in _bins), "Exercise 1.1: the order of the examples and the dtypes should not matter"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** The reliability diagram of network 0, on the images that trained it and on fresh ones.
#
# *Predict:* on which side of the diagonal will the bars end, left and right?

# %% nbgrader={"grade": false, "grade_id": "plot_reliability", "locked": true, "schema_version": 3, "solution": false, "task": false}
figure, axes = plt.subplots(2, 2, figsize=(10, 5.2), layout="constrained", sharex=True, sharey="row", height_ratios=[3, 1])
for column, part, name in ((0, "train", "600 training images"), (1, "test", "797 test images")):
    logits, y = network_logits(part)
    conf, correct = answers(softmax(logits[0], axis=1), y)
    draw_reliability(axes[0, column], axes[1, column], reliability_bins(conf, correct, 10), f"{name}\naccuracy {correct.mean():.2f}, mean confidence {conf.mean():.2f}")
axes[0, 0].legend(frameon=False, fontsize=9, loc="upper left")
figure.suptitle("Reliability of network 0 on seen and on unseen images (10 bins)")
plots.show(
    "Reliability diagrams of network 0 for its training images, left, and test images, right: bars of accuracy in ten bins of "
    "confidence, hatched where accuracy and mean confidence differ, with a dashed diagonal. Below, how many images each bin holds."
)

# %% [markdown]
# **Reading.** On training images the network is right in .94 of cases and only .84 sure. On fresh ones nearly every bar ends below the diagonal: of the answers given with .6 to .7, only .42 are right. The leftmost test bin holds three images: ignore it. *What would change if* we trained twice as long? More confidence (.89 on test images), no more accuracy.

# %% [markdown]
# ## 2 One number for the gap
#
# The **expected calibration error** (ECE) is the mean gap, each bin weighted by its number of examples. The **RMS calibration error** squares the gaps, so that one bad bin counts more, and cuts differently: it *sorts* by confidence and forms $B$ groups of (nearly) *equal size*, so that no group rests on three examples:
# $$\text{ECE} = \sum_b \frac{n_b}{N}\,|\text{acc}_b - \text{conf}_b|, \qquad \text{RMS} = \sqrt{\sum_b \frac{n_b}{N}\,(\text{acc}_b - \text{conf}_b)^2}.$$
# Here $n_b$ of the $N$ examples lie in bin or group $b$, with the accuracy $\text{acc}_b$ and the mean confidence $\text{conf}_b$.
#
# **Worked example**, the eight answers again with $B = 4$. ECE: bins of 0, 3, 1 and 4 examples have the gaps –, .083, .3, .15; so $(3\cdot.0833 + 1\cdot.3 + 4\cdot.15)/8 = .144$. RMS: groups of two, in sorted order, have accuracies .5, .5, .5, 1 and confidences .375, .6, .85, .95; so $\sqrt{(.125^2 + .1^2 + .35^2 + .05^2)/4} = .194$.

# %% [markdown]
# ### Exercise 2.1 `ece` (11 points)
#
# *Easy. Importance: very high. About 15 minutes.* You may call `reliability_bins`: when this exercise is graded the reference stands in for yours, so a mistake there costs nothing here. What becomes of the nan in an empty bin?

# %% nbgrader={"grade": false, "grade_id": "ece", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ece(conf: np.ndarray, correct: np.ndarray, n_bins: int = 15) -> float:
    """Return the expected calibration error with the bins of reliability_bins.

    conf: (N,) float in [0, 1], N >= 1. correct: (N,) bool, or int or float of zeros and ones. n_bins >= 1.
    Returns a float in [0, 1]: the sum over bins of count / N * |accuracy - mean confidence|. Empty bins add nothing.
    Hidden checks: random data against a loop, several n_bins and the default, empty bins, confidences 0, 1 and exactly on an edge (as in 1.1),
    forecasters whose error is known, gaps of both signs, one example, float32.
    """
    ### BEGIN SOLUTION
    bins = reliability_bins(conf, correct, n_bins)
    gaps = np.abs(bins["acc"] - bins["conf"])
    return float(np.nansum(bins["count"] * gaps) / len(conf))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_ece", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: values
_value = ece(np.array([0.3, 0.4, 0.6, 0.8, 0.95]), np.array([False, True, True, True, False]), 2)  # gaps .15 and .1167
assert isinstance(_value, float), "Exercise 2.1: return a float"
assert 0 <= _value <= 1, "Exercise 2.1: a calibration error lies in [0, 1]"
assert abs(_value - (2 * 0.15 + 3 * (2.35 - 2) / 3) / 5) < 1e-9, "Exercise 2.1: wrong value for two bins of two and three answers"
visible_passed("2.1, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _b in ((21, 150, 10), (22, 300, 15), (23, 12, 1), (24, 30, 3)):  # no bin is empty
    _rng = np.random.default_rng(_seed)
    _conf, _correct, _expected = _rng.random(_n), _rng.random(_n) < 0.6, 0.0
    for _k in range(_b):
        _rows = (_conf > _k / _b) & (_conf <= (_k + 1) / _b)
        _expected += abs(np.sum(_correct[_rows]) - np.sum(_conf[_rows])) / _n
    assert abs(ece(_conf.copy(), _correct.copy(), _b) - _expected) < 1e-9, "Exercise 2.1: wrong value on random data"
    if _b == 15:
        assert abs(ece(_conf.copy(), _correct.copy()) - _expected) < 1e-9, "Exercise 2.1: n_bins is 15 when it is left out"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_ece_edges", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: edges and empty bins
_conf = np.array([0.30, 0.45, 0.50, 0.70, 0.80, 0.90, 0.90, 1.00])
_value = ece(_conf, np.array([False, True, False, True, True, False, True, True]), 4)
assert np.isfinite(_value), "Exercise 2.1: a bin without examples adds nothing"
assert abs(_value - 0.14375) < 1e-9, "Exercise 2.1: the worked example does not come out"
assert abs(ece(np.array([1.0, 1.0]), np.array([False, True]), 5) - 0.5) < 1e-9, "Exercise 2.1: answers with confidence 1 count too"
visible_passed("2.1, edges and empty bins")
### BEGIN HIDDEN TESTS
assert abs(ece(np.array([0.5, 0.75]), np.array([0, 1]), 2) - 0.375) < 1e-9, "Exercise 2.1: a confidence on an edge belongs to the bin below"
assert abs(ece(np.array([0.85, 0.15, 0.65]), np.array([1, 0, 0]), 40) - 0.95 / 3) < 1e-9, "Exercise 2.1: wrong value with many empty bins"
assert abs(ece(np.array([0.0]), np.array([1]), 10) - 1.0) < 1e-9, "Exercise 2.1: an answer with confidence 0 counts too"
assert abs(ece(np.array([0.0, 0.125]), np.array([1.0, 0.0]), 4) - 0.4375) < 1e-9, "Exercise 2.1: a confidence of 0 belongs to the first bin"
assert abs(ece(np.array([0.25, 0.5, 1.0, 1.0]), np.array([1, 0, 0, 1]), 4) - (0.75 + 0.5 + 1.0) / 4) < 1e-9, "Exercise 2.1: wrong value when confidences lie on edges"
_conf, _right = np.array([0.9, 0.3, 0.7], dtype=np.float32), np.array([True, False, True])
assert abs(ece(_conf, _right, 10) - 0.7 / 3) < 1e-6 and abs(ece(_conf[:1], _right[:1]) - 0.1) < 1e-6, "Exercise 2.1: float32 and single examples should work"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_ece_meaning", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: forecasters whose error is known
_value = ece(np.full(50, 0.9), np.arange(50) < 30, 1)
assert abs(_value - 0.3) < 1e-9, "Exercise 2.1: who is always 90 % sure and right in 60 % of cases has an ECE of 0.3"
visible_passed("2.1, forecasters whose error is known")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(25)
_conf = _rng.random(20000)
_right = _rng.random(20000) < _conf
assert ece(_conf.copy(), _right) < 0.02, "Exercise 2.1: a calibrated forecaster with 20 000 answers has an ECE near 0"
assert ece(_conf, ~_right) > 0.2, "Exercise 2.1: turning right into wrong must show"
_conf, _right = np.repeat([0.4, 0.8], 20), np.tile(np.arange(20) < 12, 2)  # unsure by .2, too sure by .2
assert abs(ece(_conf, _right, 2) - 0.2) < 1e-9, "Exercise 2.1: gaps of opposite sign must not cancel"
_conf, _right = np.repeat([0.3, 0.95], [1, 99]), np.repeat([True, True], [1, 99])
assert abs(ece(_conf, _right, 2) - (0.7 + 99 * 0.05) / 100) < 1e-9, "Exercise 2.1: a bin counts by its number of examples"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.2 `rms_calibration_error` (9 points)
#
# *Easy. Importance: high. About 15 minutes.* `np.argsort(..., kind="stable")` keeps equal confidences in their order; `np.array_split` cuts into groups whose sizes differ by at most one, and gives empty groups if there are more groups than examples.

# %% nbgrader={"grade": false, "grade_id": "rms_calibration_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rms_calibration_error(conf: np.ndarray, correct: np.ndarray, n_bins: int = 15) -> float:
    """Return the root-mean-square calibration error over n_bins groups of (nearly) equal size.

    conf: (N,) float in [0, 1], N >= 1. correct: (N,) bool, or int or float of zeros and ones. n_bins >= 1.
    Groups: the examples in ascending order of confidence, equal confidences in their given order, cut as np.array_split does: the
    first N % n_bins groups have one example more. Empty groups (n_bins > N) add nothing.
    Returns a float in [0, 1]: the root of the sum over groups of size / N * (accuracy - mean confidence)^2. The inputs stay as they are.
    Hidden checks: random data against a loop, ties, groups of unequal size, the default, one group, more groups than
    examples, float32, unchanged inputs.
    """
    ### BEGIN SOLUTION
    total = 0.0
    for rows in np.array_split(np.argsort(conf, kind="stable"), n_bins):
        if len(rows) > 0:
            total += len(rows) * (np.mean(correct[rows]) - np.mean(conf[rows])) ** 2
    return float(np.sqrt(total / len(conf)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_rms_calibration_error", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: values
_value = rms_calibration_error(np.array([0.8, 0.5, 0.95, 0.6]), np.array([True, False, False, True]), 2)  # groups (.5, .6) and (.8, .95)
assert isinstance(_value, float), "Exercise 2.2: return a float"
assert 0 <= _value <= 1, "Exercise 2.2: a calibration error lies in [0, 1]"
assert abs(_value - ((0.05**2 + 0.375**2) / 2) ** 0.5) < 1e-9, "Exercise 2.2: wrong value for two groups of two answers"
visible_passed("2.2, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _b in ((31, 45, 15), (32, 120, 7), (33, 8, 8), (34, 50, 4)):
    _rng = np.random.default_rng(_seed)
    _conf, _correct = _rng.random(_n), _rng.random(_n) < 0.6
    _rows, _start, _gaps = sorted(range(_n), key=lambda _i: _conf[_i]), 0, []
    for _k in range(_b):
        _size = _n // _b + (_k < _n % _b)
        _group = _rows[_start : _start + _size]
        _gaps.append((_size / _n, abs(sum(_correct[_i] - _conf[_i] for _i in _group)) / _size))
        _start += _size
    _given, _flags = _conf.copy(), _correct.copy()
    _value = rms_calibration_error(_given, _flags, _b)
    assert np.array_equal(_given, _conf) and np.array_equal(_flags, _correct), "Exercise 2.2: conf and correct should stay as they were"
    assert abs(_value - sum(_w * _g**2 for _w, _g in _gaps) ** 0.5) < 1e-9, "Exercise 2.2: wrong value on random data"
    assert _value >= sum(_w * _g for _w, _g in _gaps) - 1e-9, "Exercise 2.2: the root of a mean square is at least the mean"
    if _b == 15:
        assert abs(rms_calibration_error(_conf.copy(), _correct.copy()) - _value) < 1e-9, "Exercise 2.2: n_bins is 15 when it is left out"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_rms_calibration_error_groups", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: groups
_conf = np.array([0.30, 0.45, 0.50, 0.70, 0.80, 0.90, 0.90, 1.00])
_correct = np.array([False, True, False, True, True, False, True, True])
assert abs(rms_calibration_error(_conf, _correct, 4) - (0.150625 / 4) ** 0.5) < 1e-9, "Exercise 2.2: the worked example, with two equal confidences, does not come out"
assert abs(rms_calibration_error(np.array([0.9, 0.5, 0.7]), np.array([1, 0, 1]), 1) - abs(2 / 3 - 0.7)) < 1e-9, "Exercise 2.2: with one group the error is the gap of the means"
visible_passed("2.2, groups")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(35)
_conf, _right = np.tile([0.9, 0.7], 100), _rng.random(200) < 0.5
_levels, _sorted = np.repeat([0.7, 0.9], 100), np.concatenate([_right[1::2], _right[::2]])  # equal confidences keep their order
_expected = sum(np.sum(_sorted[_g] - _levels[_g]) ** 2 / len(_g) / 200 for _g in np.array_split(np.arange(200), 30)) ** 0.5
assert abs(rms_calibration_error(_conf.copy(), _right.copy(), 30) - _expected) < 1e-9, "Exercise 2.2: equal confidences should keep their order"
_conf, _right = np.array([0.6, 0.2, 0.9]), np.array([True, False, False])
assert abs(rms_calibration_error(_conf, _right, 15) - ((0.16 + 0.04 + 0.81) / 3) ** 0.5) < 1e-9, "Exercise 2.2: with more groups than examples each example is a group of its own"
_conf, _right = np.array([0.1, 0.2, 0.3, 0.8, 1.0]), np.array([1, 0, 0, 1, 0])  # groups of 3 and 2
assert abs(rms_calibration_error(_conf, _right, 2) - ((3 * (1 / 3 - 0.2) ** 2 + 2 * 0.4**2) / 5) ** 0.5) < 1e-9, "Exercise 2.2: a group counts by its number of examples"
_value = rms_calibration_error(np.array([0.9, 0.8], dtype=np.float32), np.array([1.0, 0.0]), 2)
assert isinstance(_value, float) and abs(_value - ((0.01 + 0.64) / 2) ** 0.5) < 1e-6, "Exercise 2.2: float32 should work"
### END HIDDEN TESTS

# %% [markdown]
# **Experiment.** How much does the answer depend on the number of bins? The second forecaster is simulated and *perfectly* calibrated; like the network it gives 797 answers.
#
# *Predict:* its true calibration error is 0. What will the two formulas say with 15 bins, and with 200?

# %% nbgrader={"grade": false, "grade_id": "plot_bins", "locked": true, "schema_version": 3, "solution": false, "task": false}
counts = [1, 2, 5, 10, 15, 30, 60, 100, 200]
logits, y = network_logits("test")
network = answers(softmax(logits[0], axis=1), y)
perfect = [simulated_forecaster(len(y), SEED + k) for k in range(20)]
plt.figure(layout="constrained")
for error, style, name in ((ece, "o-", "ECE"), (rms_calibration_error, "s--", "RMS")):
    plt.plot(counts, [error(*network, n) for n in counts], style, color=plots.BLUE, label=f"network 0, {name}")
    plt.plot(counts, [np.mean([error(*p, n) for p in perfect]) for n in counts], style, color=plots.ORANGE, label=f"perfectly calibrated, {name}")
plt.xscale("log")
plt.xticks(counts, [str(n) for n in counts])
plt.minorticks_off()
plt.ylim(0, None)
plots.finish(plt.gca(), title="Calibration error and number of bins\n(797 answers; perfect: mean of 20 simulations)", xlabel="number of bins", ylabel="calibration error", legend=False)
plt.legend(loc="upper left", frameon=False, fontsize=9)
plots.show(
    "Calibration error against the number of bins, 1 to 200 on a logarithmic axis: network 0 in blue, a perfectly calibrated "
    "forecaster in orange, each as ECE (circles, solid) and as RMS (squares, dashed)."
)

# %% [markdown]
# **Reading.** A perfect forecaster is charged .04 (ECE) or .06 (RMS) at 15 bins, .15 or .21 at 200: with four answers in a bin, chance alone makes gaps. So compare only at equal numbers of bins and answers. *What would change with* 100 times as many answers? At 15 bins, chance would be charged a tenth.

# %% [markdown]
# ## 3 Scores that cannot be flattered
#
# A forecaster who always answers "3" with confidence 0.1 has an ECE near 0 on balanced digits, and is useless. Calibration is half of the story; the other half is to be *sharp*. A **proper score** judges both: its mean is lowest for whoever states the true probabilities. Two of them, for one example with probabilities $p_1, \dots, p_K$ and label $y$:
# $$\text{Brier} = \sum_k (p_k - [k = y])^2, \qquad \text{log loss} = -\log p_y,$$
# where $[k = y]$ is 1 for the label and 0 otherwise, and log is the natural logarithm. The log loss is also called negative log-likelihood (NLL).
#
# **Worked example.** $p = (.7, .2, .1)$. Label 0: Brier $.3^2 + .2^2 + .1^2 = .14$, NLL $.357$. Label 2: Brier $.7^2 + .2^2 + .9^2 = 1.34$, NLL $2.303$.

# %% [markdown]
# ### Exercises 3.1 `brier_multiclass` and 3.2 `nll` (5 + 5 points)
#
# *Easy. Importance: high. About 20 minutes.* Both are means over the examples and sums over the classes. The log loss of an impossible event is infinite; like most libraries we limit how wrong one example can be.

# %% nbgrader={"grade": false, "grade_id": "brier_multiclass", "locked": false, "schema_version": 3, "solution": true, "task": false}
def brier_multiclass(probs: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over the examples of sum_k (probs[i, k] - [k = y[i]])^2, between 0 (perfect) and 2.

    probs: (N, K) float32 or float64, rows sum to 1, N >= 1, K >= 2. y: (N,) int64 in 0..K-1. Returns a float. The inputs stay as they are.
    Hidden checks: random values against a loop, other class counts, perfect, worst and uniform forecasts, one example, unchanged inputs.
    """
    ### BEGIN SOLUTION
    target = np.eye(probs.shape[1])[y]
    return float(np.mean(np.sum((probs - target) ** 2, axis=1)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_brier_multiclass", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1
_probs = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
_value = brier_multiclass(_probs, np.array([0, 2]))
assert isinstance(_value, float), "Exercise 3.1: return a float"
assert abs(_value - (0.14 + 1.34) / 2) < 1e-9, "Exercise 3.1: the worked examples do not come out"
assert abs(brier_multiclass(np.array([[1.0, 0.0]]), np.array([1])) - 2.0) < 1e-9, "Exercise 3.1: sure and wrong costs 2, whatever the number of classes"
visible_passed("3.1")
### BEGIN HIDDEN TESTS
for _seed, _n, _k in ((41, 30, 10), (42, 1, 4), (43, 9, 2)):
    _rng = np.random.default_rng(_seed)
    _probs, _y = _rng.dirichlet(np.ones(_k), _n), _rng.integers(0, _k, _n)
    _expected = sum((_probs[_i, _c] - (_y[_i] == _c)) ** 2 for _i in range(_n) for _c in range(_k)) / _n
    _given, _labels = _probs.copy(), _y.copy()
    assert abs(brier_multiclass(_given, _labels) - _expected) < 1e-9, "Exercise 3.1: wrong value on random forecasts"
    assert np.array_equal(_given, _probs) and np.array_equal(_labels, _y), "Exercise 3.1: probs and y should stay as they were"
    assert abs(brier_multiclass(np.full((_n, _k), 1 / _k), _y) - (_k - 1) / _k) < 1e-9, "Exercise 3.1: a uniform forecast scores (K - 1) / K"
    assert abs(brier_multiclass(np.eye(_k)[_y], _y)) < 1e-12, "Exercise 3.1: a perfect forecast scores 0"
_value = brier_multiclass(np.array([[0.5, 0.25, 0.25]], dtype=np.float32), np.array([1]))
assert isinstance(_value, float) and abs(_value - 0.875) < 1e-6, "Exercise 3.1: float32 should work"
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "nll", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nll(probs: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over the examples of -log(max(probs[i, y[i]], 1e-12)), natural logarithm.

    probs: (N, K) float32 or float64, rows sum to 1, N >= 1, K >= 2. y: (N,) int64 in 0..K-1. Returns a finite float. The inputs stay as they
    are. (-log(p + 1e-12) is as good: it differs by less than one.)
    Hidden checks: random values against a loop, other class counts, probabilities of 0, 1 and 1e-9, one example, unchanged inputs.
    """
    ### BEGIN SOLUTION
    of_label = probs[np.arange(len(y)), y]
    return float(np.mean(-np.log(np.maximum(of_label, 1e-12))))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_nll", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.2
_probs = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
_value = nll(_probs, np.array([0, 2]))
assert isinstance(_value, float), "Exercise 3.2: return a float"
assert abs(_value + (np.log(0.7) + np.log(0.1)) / 2) < 1e-6, "Exercise 3.2: the worked examples do not come out"
assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1]))), "Exercise 3.2: a probability of 0 for the label should give a finite value"
visible_passed("3.2")
### BEGIN HIDDEN TESTS
import math

for _seed, _n, _k in ((44, 30, 10), (45, 1, 4), (46, 9, 2)):
    _rng = np.random.default_rng(_seed)
    _probs, _y = 0.9 * _rng.dirichlet(np.ones(_k), _n) + 0.1 / _k, _rng.integers(0, _k, _n)
    _given, _labels = _probs.copy(), _y.copy()
    assert abs(nll(_given, _labels) + sum(math.log(_probs[_i, _y[_i]]) for _i in range(_n)) / _n) < 1e-8, "Exercise 3.2: wrong value on random forecasts"
    assert np.array_equal(_given, _probs) and np.array_equal(_labels, _y), "Exercise 3.2: probs and y should stay as they were"
    assert abs(nll(np.full((_n, _k), 1 / _k), _y) - math.log(_k)) < 1e-8, "Exercise 3.2: a uniform forecast costs log K"
    assert abs(nll(np.eye(_k)[_y], _y)) < 1e-9, "Exercise 3.2: a perfect forecast costs 0"
for _dtype in (np.float64, np.float32):
    _probs = np.array([[1.0, 0.0], [0.5, 0.5]], dtype=_dtype)
    _value = nll(_probs, np.array([1, 0]))
    assert isinstance(_value, float) and abs(_value - (math.log(1e12) + math.log(2)) / 2) < 0.01, "Exercise 3.2: a probability of 0 counts as 1e-12"
    assert _probs[0, 1] == 0, "Exercise 3.2: the limit must not be written into the caller's probs"
assert abs(nll(np.array([[1.0 - 1e-9, 1e-9]]), np.array([1])) - math.log(1e9)) < 0.01, "Exercise 3.2: a probability of 1e-9 is below no limit"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** It rains on 7 days of 10. You always forecast rain with the same probability $q$; the curves are your mean scores. The third is the naive score $1 - p_y$, which is *not* proper.
#
# *Predict:* which $q$ is best under each score?

# %% nbgrader={"grade": false, "grade_id": "plot_proper", "locked": true, "schema_version": 3, "solution": false, "task": false}
rain = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
stated = np.linspace(0.02, 0.98, 97)
forecasts = [np.tile([1 - q, q], (10, 1)) for q in stated]
plt.figure(layout="constrained")
for score, style, colour, name in (
    (brier_multiclass, "-", plots.BLUE, "Brier"),
    (nll, "--", plots.ORANGE, "log loss"),
    (lambda p, y: 1 - p[np.arange(10), y].mean(), ":", plots.PURPLE, "naive, $1 - p_y$"),
):
    values = np.array([score(p, rain) for p in forecasts])
    plt.plot(stated, values, style, color=colour, label=name)
    plt.plot(stated[values.argmin()], values.min(), "o", color=colour, markersize=9)
    print(f"{name:18s} is lowest at q = {stated[values.argmin()]:.2f}")
plt.axvline(0.7, color="0.5", linewidth=1, linestyle="-.", label="true frequency")
plt.ylim(0, 2)
plots.finish(plt.gca(), title="Always stating q when it rains on 7 of 10 days\n(dots: lowest mean score)", xlabel="stated probability of rain, q", ylabel="mean score (lower is better)")
plots.show(
    "Mean score against the stated probability of rain, 0 to 1: Brier (solid), log loss (dashed) and the naive score (dotted), each "
    "with a dot where it is lowest. A vertical line marks the true frequency, 0.7."
)

# %% [markdown]
# **Reading.** Brier and log loss are lowest at .7: the honest forecast is the best one. The naive score pays you to exaggerate. Brier never exceeds 2; for the sure and wrong the log loss has no limit but ours. *What would change if* it rained on 9 days of 10? Both minima would move to .9.

# %% [markdown]
# ## 4 One number that repairs
#
# From the logits $z_1, \dots, z_K$ of an image the softmax makes the probabilities $p_k = e^{z_k} / \sum_j e^{z_j}$. **Temperature scaling** first divides all logits of all images by one number, the temperature $T > 0$: $p = \text{softmax}(z / T)$. The order of the classes stays, so no answer changes and accuracy stays. $T > 1$ makes every answer less sure, $T < 1$ surer.
#
# **Worked example**, $z = (2, 1, 0)$: can you tell before running which row comes closest to (1/3, 1/3, 1/3)?

# %% nbgrader={"grade": false, "grade_id": "three_temperatures", "locked": true, "schema_version": 3, "solution": false, "task": false}
for temperature in (0.5, 1.0, 2.0, 10.0):
    print(f"T = {temperature:4.1f}   p =", softmax(np.array([2.0, 1.0, 0.0]) / temperature).round(3))

# %% [markdown]
# Which $T$? The one that gives held-out labels the highest likelihood: the lowest mean log loss, which as a proper score cannot be flattered. **Another example**, by hand: four images, all with logits $(2, 0)$, three of class 0. The best forecast is $p_0 = 3/4$, and $p_0 = 1/(1 + e^{-2/T})$; so $T = 2/\ln 3 = 1.82$.
#
# ### Exercise 4.1 `fit_temperature` (11 points)
#
# *Medium. Importance: very high. About 30 minutes.* As a function of $T$ the loss goes down, then up, so any one-dimensional search will do. Imported are `minimize_scalar(f, bounds=(a, b), method="bounded")`, whose result has the attribute `x`, and `log_softmax(z, axis=1)`, the logarithm of the softmax, safe for large logits.

# %% nbgrader={"grade": false, "grade_id": "fit_temperature", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_temperature(logits_val: np.ndarray, y_val: np.ndarray) -> float:
    """Return the T in [0.05, 20] that gives the labels the lowest mean log loss under softmax(logits_val / T).

    logits_val: (N, K) float32 or float64, any size and sign, N >= 1, K >= 2. y_val: (N,) int64 in 0..K-1.
    Returns a float in [0.05, 20], accurate to 0.2 %. Where the loss falls all the way to a limit (every answer is right, or none is),
    any T in [0.05, 20] whose mean log loss is within 0.001 of the lowest is right. The inputs stay as they are.
    Hidden checks: the temperature against another method on several data sets, recovery of a known temperature, scaled and shifted logits,
    the order of examples and classes, separable and hopeless data, large logits, one example, float32, unchanged inputs.
    """
    ### BEGIN SOLUTION
    def loss(temperature: float) -> float:
        return -log_softmax(logits_val / temperature, axis=1)[np.arange(len(y_val)), y_val].mean()

    return float(minimize_scalar(loss, bounds=(0.05, 20.0), method="bounded").x)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_fit_temperature", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: values
_t = fit_temperature(np.array([[2.0, 0.0]] * 4), np.array([0, 0, 0, 1]))
assert isinstance(_t, float), "Exercise 4.1: return a float"
assert 0.05 <= _t <= 20, "Exercise 4.1: the temperature lies in [0.05, 20]"
assert abs(_t - 2 / np.log(3)) < 0.006, "Exercise 4.1: the example with four images does not come out"
assert abs(fit_temperature(np.array([[0.1, 0.0]] * 4), np.array([0, 0, 0, 1])) * np.log(3) / 0.1 - 1) < 0.004, "Exercise 4.1: logits that are far too small need a temperature far below 1"
visible_passed("4.1, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _k, _scale in ((51, 300, 10, 2.0), (52, 80, 3, 0.6), (53, 150, 2, 4.0), (56, 200, 5, 0.12)):
    _rng = np.random.default_rng(_seed)
    _z = _rng.standard_normal((_n, _k)) * 1.5
    _y = (_z + _rng.gumbel(size=_z.shape)).argmax(axis=1)  # a draw from softmax(_z)
    _z = _scale * _z
    _low, _high = 1e-3, 50.0  # the inverse temperature at which the slope of the loss is 0, by bisection
    for _ in range(60):
        _beta = (_low + _high) / 2
        _slope = np.mean((softmax(_beta * _z, axis=1) * _z).sum(axis=1) - _z[np.arange(_n), _y])
        _low, _high = (_low, _beta) if _slope > 0 else (_beta, _high)
    assert abs(fit_temperature(_z.copy(), _y.copy()) * _beta - 1) < 0.003, "Exercise 4.1: the temperature is not the one with the lowest log loss"
_rng = np.random.default_rng(54)
_z = 2 * _rng.standard_normal((4000, 10))
_y = (_z + _rng.gumbel(size=_z.shape)).argmax(axis=1)
for _scale, _slack in ((3.0, 0.15), (0.5, 0.03)):
    assert abs(fit_temperature(_scale * _z, _y) - _scale) < _slack, "Exercise 4.1: logits that were scaled up or down should get that scale as temperature"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fit_temperature_invariance", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: scaled and shifted logits
_rng = np.random.default_rng(55)
_z = 3 * _rng.standard_normal((60, 4))
_y = (_z / 2 + _rng.gumbel(size=_z.shape)).argmax(axis=1)
_t = fit_temperature(_z.copy(), _y)
assert abs(fit_temperature(2 * _z, _y) / _t - 2) < 0.2, "Exercise 4.1: logits twice as large need a temperature twice as high"
visible_passed("4.1, scaled and shifted logits")
### BEGIN HIDDEN TESTS
assert abs(fit_temperature(3 * _z, _y) / _t - 3) < 0.3, "Exercise 4.1: logits three times as large need three times the temperature"
_shift = 20 * _rng.standard_normal((60, 1))
assert abs(fit_temperature(_z + _shift, _y) / _t - 1) < 0.005, "Exercise 4.1: a constant added to all logits of an image changes nothing"
_rows, _columns = _rng.permutation(60), np.array([2, 0, 3, 1])
_t_other = fit_temperature(_z[_rows][:, _columns], np.argsort(_columns)[_y[_rows]])
assert abs(_t_other / _t - 1) < 0.005, "Exercise 4.1: the order of examples and classes does not matter"
assert abs(fit_temperature(np.concatenate([_z, _z]), np.concatenate([_y, _y])) / _t - 1) < 0.005, "Exercise 4.1: the same data twice has the same best temperature"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fit_temperature_limits", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: data without a lowest point, large logits, dtypes
_z, _y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0, 1])
_t = fit_temperature(_z, _y)
assert np.isfinite(_t) and 0.05 <= _t <= 20, "Exercise 4.1: where every answer is right, T should stay within its limits"
visible_passed("4.1, data without a lowest point")
### BEGIN HIDDEN TESTS
assert np.logaddexp(0, -1 / _t) < 0.003, "Exercise 4.1: where every answer is right, the lowest loss is at small T"
assert np.array_equal(_z, [[1.0, 0.0], [0.0, 2.0]]) and np.array_equal(_y, [0, 1]), "Exercise 4.1: logits_val and y_val should stay as they were"
_t = fit_temperature(np.array([[30.0, 0.0, -10.0]]), np.array([2]))
assert 19.5 <= _t <= 20, "Exercise 4.1: where every answer is wrong, the lowest loss is at the largest T"
_t = fit_temperature(np.array([[900.0, 0.0], [0.0, -800.0], [5.0, -700.0], [0.0, 30.0]]), np.array([0, 0, 0, 0]))
assert abs(_t - 20) < 0.5, "Exercise 4.1: large and wrong logits should give the largest T"
_rng = np.random.default_rng(57)
_z = 25 * _rng.standard_normal((200, 5))
_y = (_z / 10 + _rng.gumbel(size=_z.shape)).argmax(axis=1)
_t = fit_temperature(_z.copy(), _y)
assert 8 < _t < 12.5, "Exercise 4.1: large logits that deserve a high temperature should get it"
assert abs(fit_temperature(_z + 20000.0, _y) / _t - 1) < 0.005, "Exercise 4.1: large logits should not overflow"
assert isinstance(fit_temperature(_z.astype(np.float32), _y), float), "Exercise 4.1: return a float for float32 too"
assert abs(fit_temperature(_z.astype(np.float32), _y) / _t - 1) < 0.005, "Exercise 4.1: float32 should work"
### END HIDDEN TESTS

# %% [markdown]
# **Experiment.** The mean log loss of network 0 as the temperature goes up, on each of the three parts.
#
# *Predict:* the network was trained to make the loss on the training images small. Where will the lowest point of that curve lie, compared with the other two?

# %% nbgrader={"grade": false, "grade_id": "plot_temperature", "locked": true, "schema_version": 3, "solution": false, "task": false}
temperatures = np.geomspace(0.3, 5, 60)
plt.figure(layout="constrained")
for part, style, colour in (("train", "--", plots.ORANGE), ("val", "-", plots.BLUE), ("test", ":", plots.BLACK)):
    logits, y = network_logits(part)
    best = fit_temperature(logits[0], y)
    plt.plot(temperatures, [nll(softmax(logits[0] / t, axis=1), y) for t in temperatures], style, color=colour, label=f'"{part}", lowest at T = {best:.2f}')
    plt.plot(best, nll(softmax(logits[0] / best, axis=1), y), "o", color=colour, markersize=8)
plt.axvline(1, color="0.5", linewidth=1, linestyle="-.", label="T = 1: the network as it is")
plt.xscale("log")
plt.xticks([0.3, 0.5, 1, 2, 5], ["0.3", "0.5", "1", "2", "5"])
plt.minorticks_off()
plt.ylim(0, 3)
plots.finish(plt.gca(), title="Log loss of network 0 by temperature\n(600, 400 and 797 images; dots: fitted temperature)", xlabel="temperature T", ylabel="mean log loss")
plots.show(
    "Mean log loss of network 0 against the temperature, 0.3 to 5 on a logarithmic axis: training images (dashed), validation images "
    "(solid) and test images (dotted), each with a dot at its fitted temperature. A vertical line marks T = 1."
)

# %% [markdown]
# **Reading.** On the training images the lowest point is at .51: it would make a network that is too sure still surer. Validation and test images agree on 1.7, although neither was seen in training. The valley is flat: between 1.4 and 2 the loss changes by less than .02, so a few hundred images are enough to fit one number. *What would change with* 20 images? Fit it a few times and see.
#
# ### Exercise 4.2 `calibrate` (4 points)
#
# *Easy. Importance: high. About 10 minutes.* Now use it. Three parts lie on the table: one trained the network, one is for choosing settings, one is what the result will be reported on. A number fitted on images that the network has seen, or on those that judge it, reports something else than you will meet.

# %% nbgrader={"grade": false, "grade_id": "calibrate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def calibrate(splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[float, np.ndarray]:
    """Return the temperature for a network and its calibrated test probabilities.

    splits: {"train": (logits (N, K), y (N,)), "val": (logits, y), "test": (logits, y)} of one network, each part with an N of its own; "train"
    are the examples that the network was trained on, "val" was held out to choose settings, "test" is only for the final report.
    Returns (T, probs): T as fit_temperature gives it for the part that may choose settings, probs float (N_test, K) = softmax(test logits / T).
    Hidden checks: that no other part moves T, the probabilities, other class counts, network 0 itself.
    """
    ### BEGIN SOLUTION
    temperature = fit_temperature(*splits["val"])
    return temperature, softmax(splits["test"][0] / temperature, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_calibrate", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.2
_splits = {_part: (_z[0], _y) for _part, (_z, _y) in {_p: network_logits(_p) for _p in ("train", "val", "test")}.items()}
_result = calibrate(_splits)
assert isinstance(_result, tuple) and len(_result) == 2, "Exercise 4.2: return two things, the temperature and the probabilities"
_t, _probs = _result
assert _probs.shape == _splits["test"][0].shape and np.allclose(_probs.sum(axis=1), 1), "Exercise 4.2: one row of probabilities, adding up to 1, for each test image"
assert _t > 1, "Exercise 4.2: this network is too sure, so T should be above 1"
visible_passed("4.2")
### BEGIN HIDDEN TESTS
_z, _y = _splits["val"]
_low, _high = 1e-3, 50.0
for _ in range(60):
    _beta = (_low + _high) / 2
    _slope = np.mean((softmax(_beta * _z, axis=1) * _z).sum(axis=1) - _z[np.arange(len(_y)), _y])
    _low, _high = (_low, _beta) if _slope > 0 else (_beta, _high)
assert abs(_t * _beta - 1) < 0.003, "Exercise 4.2: T should be fitted on the part that is there to choose settings"
assert np.allclose(_probs, softmax(_splits["test"][0] / _t, axis=1), atol=1e-5), "Exercise 4.2: probs should be the softmax of the test logits over T"
_rng = np.random.default_rng(58)
_made = {}
for _part, _n, _scale in (("train", 50, 0.4), ("val", 40, 2.5), ("test", 7, 6.0)):
    _z = _rng.standard_normal((_n, 4))
    _made[_part] = (_scale * _z, (_z + _rng.gumbel(size=_z.shape)).argmax(axis=1))
_t, _probs = calibrate(dict(_made))
for _part, _rows in (("train", 20), ("test", 5)):
    _other = dict(_made) | {_part: (3 * _made[_part][0][:_rows], _made[_part][1][:_rows][::-1].copy())}
    assert abs(calibrate(_other)[0] - _t) < 1e-6, "Exercise 4.2: only one of the three parts may move T"
assert np.allclose(_probs, softmax(_made["test"][0] / _t, axis=1), atol=1e-5), "Exercise 4.2: wrong probabilities with other class counts"
_swapped = {_part: _made[_part] for _part in ("val", "test", "train")}
assert abs(calibrate(_swapped)[0] - _t) < 1e-6, "Exercise 4.2: the parts go by their names, not by their order in the dict"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Network 0 before and after. Only $T$ was chosen, on the 400 validation images; the diagrams show test images.
#
# *Predict:* which bins will be emptier after the repair, and will any bar cross the diagonal?

# %% nbgrader={"grade": false, "grade_id": "plot_repair", "locked": true, "schema_version": 3, "solution": false, "task": false}
parts = {part: network_logits(part) for part in ("train", "val", "test")}
temperature, repaired = calibrate({part: (logits[0], y) for part, (logits, y) in parts.items()})
logits, y = parts["test"]
figure, axes = plt.subplots(2, 2, figsize=(10, 5.2), layout="constrained", sharex=True, sharey="row", height_ratios=[3, 1])
for column, probs, name in ((0, softmax(logits[0], axis=1), "before, T = 1"), (1, repaired, f"after, T = {temperature:.2f}")):
    conf, correct = answers(probs, y)
    draw_reliability(axes[0, column], axes[1, column], reliability_bins(conf, correct, 10), f"{name}: ECE {ece(conf, correct):.3f}")
    print(f"{name:17s} accuracy {correct.mean():.3f}  ECE {ece(conf, correct):.3f}  RMS {rms_calibration_error(conf, correct):.3f}  Brier {brier_multiclass(probs, y):.3f}  NLL {nll(probs, y):.3f}")
axes[0, 0].legend(frameon=False, fontsize=9, loc="upper left")
figure.suptitle("Temperature scaling of network 0 (797 test images; diagram 10 bins, ECE 15)")
plots.show(
    "Reliability diagrams of network 0 on test images, before temperature scaling on the left and after it on the right: bars of "
    "accuracy in ten bins of confidence, hatched where accuracy and mean confidence differ, with a dashed diagonal. Below, how many "
    "images each bin holds."
)

# %% [markdown]
# **Reading.** The tall bar at the right is spread over the middle. Gaps of up to .24 shrank to .07 or less, and the ECE from .146 to .028: section 2 could not tell that from 0. The accuracy is the same: no answer changed. *What would change if* validation images had less noise than test images? See section 6.

# %% [markdown]
# ## 5 Asking five networks
#
# Networks trained from different seeds err differently. An **ensemble** asks all of them and averages. Average *what*? Probabilities: the mean of the forecasts is the forecast of someone who picks one member at random. Averaging logits instead lets the loudest member shout the others down.
#
# **Worked example**, two classes. One member is all but sure of class 0, two prefer class 1:

# %% nbgrader={"grade": false, "grade_id": "loud_member", "locked": true, "schema_version": 3, "solution": false, "task": false}
members = np.array([[0.999, 0.001], [0.1, 0.9], [0.1, 0.9]])
print("mean of the probabilities        ", members.mean(axis=0).round(3))
print("softmax of the mean of the logits", softmax(np.log(members).mean(axis=0)).round(3))

# %% [markdown]
# ### Exercise 5.1 `ensemble_probs` (8 points)
#
# *Easy. Importance: high. About 10 minutes.* Three axes, two operations, each along its own axis.

# %% nbgrader={"grade": false, "grade_id": "ensemble_probs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ensemble_probs(logits: np.ndarray) -> np.ndarray:
    """Return the mean over the members of their softmax probabilities.

    logits: (M, N, K) float32 or float64, M >= 1 members, N examples, K classes; any size and sign.
    Returns (N, K) float, rows sum to 1. logits stays as it is.
    Hidden checks: random values against a loop, one member, one example, the order of the members, members that disagree, large logits.
    """
    ### BEGIN SOLUTION
    probs = softmax(logits, axis=2)
    return probs.mean(axis=0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_ensemble_probs", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: values
_members = np.array([[0.999, 0.001], [0.1, 0.9], [0.1, 0.9]])
_p = ensemble_probs(np.log(_members)[:, None, :])
assert isinstance(_p, np.ndarray) and _p.shape == (1, 2), "Exercise 5.1: return an array of shape (N, K)"
assert np.allclose(_p.sum(axis=1), 1), "Exercise 5.1: each row sums to 1"
assert np.allclose(_p, [[1.199 / 3, 1.801 / 3]]), "Exercise 5.1: the worked example does not come out"
visible_passed("5.1, values")
### BEGIN HIDDEN TESTS
for _seed, _shape in ((61, (4, 6, 5)), (62, (2, 3, 10)), (63, (3, 1, 2)), (64, (3, 3, 3))):
    _z = 3 * np.random.default_rng(_seed).standard_normal(_shape)
    _given, _expected = _z.copy(), np.zeros(_shape[1:])
    for _member in _z:
        for _i, _row in enumerate(_member):
            _expected[_i] += np.exp(_row) / np.exp(_row).sum() / _shape[0]
    _p = ensemble_probs(_given)
    assert _p.shape == _shape[1:] and np.allclose(_p, _expected, atol=1e-6), "Exercise 5.1: wrong probabilities on random logits"
    assert np.array_equal(_given, _z), "Exercise 5.1: logits should stay as they were"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_ensemble_probs_properties", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: members
_z = 2 * np.random.default_rng(65).standard_normal((5, 8, 4))
assert np.allclose(ensemble_probs(_z[:1].copy()), softmax(_z[0], axis=1), atol=1e-6), "Exercise 5.1: an ensemble of one member is that member"
visible_passed("5.1, members")
### BEGIN HIDDEN TESTS
_p = ensemble_probs(_z.copy())
assert np.allclose(ensemble_probs(_z[::-1].copy()), _p, atol=1e-6), "Exercise 5.1: the order of the members does not matter"
assert np.allclose(ensemble_probs(_z + np.arange(40.0).reshape(5, 8, 1)), _p, atol=1e-5), "Exercise 5.1: a constant added to all logits of one answer changes nothing"
assert np.allclose(ensemble_probs(_z[:, 3:4].copy()), _p[3:4], atol=1e-6), "Exercise 5.1: an example does not depend on those beside it"
_p = ensemble_probs(np.array([[[8.0, 0.0]], [[-1.0, 0.0]], [[-1.0, 0.0]]], dtype=np.float32))
assert np.allclose(_p[0, 0], (1 / (1 + np.exp(-8.0)) + 2 / (1 + np.e)) / 3, atol=1e-5), "Exercise 5.1: each member has one vote of weight 1 / M, however sure it is"
_p = ensemble_probs(np.array([[[2000.0, 0.0, 0.0]], [[0.0, -3000.0, 0.0]]]))
assert np.isfinite(_p).all() and np.allclose(_p, [[0.75, 0.0, 0.25]]), "Exercise 5.1: large logits should not overflow"
### END HIDDEN TESTS

# %% [markdown]
# **Experiment.** Five ways from the same logits to test probabilities. "Ensemble + T" fits a temperature to the logarithms of the averaged validation probabilities.
#
# *Predict:* which of the five will have the best ECE, and which the best Brier score? Must it be the same?

# %% nbgrader={"grade": false, "grade_id": "plot_table", "locked": true, "schema_version": 3, "solution": false, "task": false}
def five_ways(noise: float = TRAINING_NOISE) -> dict[str, np.ndarray]:
    """Return test probabilities (797, 10) by method; temperatures are fitted on validation images with the training noise."""
    (z_val, y_val), (z, _) = network_logits("val"), network_logits("test", noise)
    t_single = fit_temperature(z_val[0], y_val)
    t_ensemble = fit_temperature(np.log(ensemble_probs(z_val)), y_val)
    return {
        "network 0": softmax(z[0], axis=1),
        "network 0 + T": softmax(z[0] / t_single, axis=1),
        "mean of logits": softmax(z.mean(axis=0), axis=1),
        "ensemble of 5": ensemble_probs(z),
        "ensemble + T": softmax(np.log(ensemble_probs(z)) / t_ensemble, axis=1),
    }


_, y = network_logits("test")
print(f"{'':15s}  accuracy  confidence    ECE    RMS  Brier    NLL")
for name, probs in five_ways().items():
    conf, correct = answers(probs, y)
    errors = [ece(conf, correct), rms_calibration_error(conf, correct), brier_multiclass(probs, y), nll(probs, y)]
    print(f"{name:15s}  {correct.mean():8.3f}  {conf.mean():10.3f}  " + "  ".join(f"{value:.3f}" for value in errors))

# %% [markdown]
# **Reading.** Not the same: "network 0 + T" has the best ECE, the ensembles the best Brier score, since five networks also *answer* better (.69; network 0, the weakest, .64, the others up to .67). Averaging logits answers as well as averaging probabilities but is too sure: .103 to .063. Do not rank .028 and .049: the perfect forecaster of section 2 got .04.

# %% [markdown]
# ## 6 When the world changes
#
# $T$ was fitted at noise 0.5. Deployed, the camera may be better or worse, and nobody hands us labels there. The next figure changes only the noise of the test images; every temperature stays.
#
# *Predict:* (a) how fast will the error of "network 0 + T" grow with the noise? (b) what happens on *cleaner* images than those of training?

# %% nbgrader={"grade": false, "grade_id": "plot_shift", "locked": true, "schema_version": 3, "solution": false, "task": false}
noises = [0.0, 0.25, 0.5, 0.6, 0.8, 1.0, 1.3]
_, y = network_logits("test")
by_noise = [five_ways(noise) for noise in noises]
plt.figure(figsize=(7, 4.6), layout="constrained")
for name, style, colour in (("network 0", "o-", plots.BLUE), ("network 0 + T", "s-", plots.ORANGE), ("ensemble of 5", "^--", plots.GREEN), ("ensemble + T", "D--", plots.PURPLE)):
    errors = [rms_calibration_error(*answers(ways[name], y)) for ways in by_noise]
    plt.plot(noises, errors, style, color=colour, label=name)
    print(f"RMS, {name:15s}", "  ".join(f"{noise}: {value:.3f}" for noise, value in zip(noises, errors)))
for number, name in enumerate(("accuracy", "mean confidence")):
    print(f"network 0, {name:15s}", "  ".join(f"{noise}: {answers(ways['network 0'], y)[1 - number].mean():.3f}" for noise, ways in zip(noises, by_noise)))
plt.axvline(TRAINING_NOISE, color="0.5", linestyle="-.", linewidth=1, label="training noise")
plt.ylim(0, None)
plots.finish(plt.gca(), title="Calibration under shift\n(797 test images; temperatures fitted at noise 0.5)", xlabel="noise: standard deviation (white = 1)", ylabel="RMS calibration error")
plots.show(
    "RMS calibration error against the noise of the test images, 0 to 1.3: network 0 (circles), network 0 with its temperature "
    "(squares), an ensemble of five (triangles), the ensemble with a temperature (diamonds). A vertical line marks the training "
    "noise, 0.5."
)

# %% [markdown]
# **Reading.** (a) Louder: accuracy falls to .26, network 0 stays .74 sure. $T$ and the ensemble postpone the damage. (b) Cleaner: at .25 the repaired network errs by .107, the untouched one by .043; now it is not sure enough. *What would change if* $T$ were fitted at each noise? With labels from there, RMS would be .05 even at 1.3.

# %% [markdown]
# ## 7 Saying nothing
#
# A confidence is useful if it decides something: answer when sure, pass the rest to a person. Answer the $k$ most confident of $N$ examples; the **coverage** is $k/N$, the **risk** the fraction of those $k$ answers that is wrong. All $k = 1, \dots, N$ give a curve; the area under it, AURC, is one number (lower is better).
#
# **Worked example.** Five answers, already in descending order:
#
# | confidence | .9 | .8 | .8 | .6 | .5 |
# |---|---|---|---|---|---|
# | right? | yes | yes | no | yes | no |
# | coverage | .2 | .4 | .6 | .8 | 1 |
# | risk | 0 | 0 | 1/3 | 1/4 | 2/5 |
#
# The AURC is the mean of the five risks, .197.

# %% [markdown]
# ### Exercise 7.1 `risk_coverage` (10 points)
#
# *Medium. Importance: high. About 20 minutes.* Equal confidences keep their given order. Which way of sorting downwards keeps it, and which turns it round?

# %% nbgrader={"grade": false, "grade_id": "risk_coverage", "locked": false, "schema_version": 3, "solution": true, "task": false}
def risk_coverage(conf: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coverage and risk when the k most confident examples are answered, for k = 1, ..., N.

    conf: (N,) float, any numbers (only their order counts), N >= 1. correct: (N,) bool, or int or float of zeros and ones.
    Order: descending confidence, equal confidences in their given order. Returns (coverage, risk), both float64 (N,): coverage[k - 1] = k / N,
    risk[k - 1] = the fraction of the first k examples that is wrong. The inputs stay as they are.
    Hidden checks: random data against a loop, ties, every dtype of correct, one example, the last risk, confidences outside [0, 1], the best order.
    """
    ### BEGIN SOLUTION
    order = np.argsort(-conf, kind="stable")
    answered = np.arange(1, len(conf) + 1)
    return answered / len(conf), np.cumsum(1.0 - correct[order]) / answered
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_risk_coverage", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 7.1, aspect: values
_result = risk_coverage(np.array([0.6, 0.9, 0.5, 0.8, 0.7]), np.array([True, True, False, True, False]))
assert isinstance(_result, tuple) and len(_result) == 2, "Exercise 7.1: return two arrays, coverage and risk"
_coverage, _risk = _result
assert [(_a.shape, _a.dtype) for _a in _result] == [((5,), np.float64)] * 2, "Exercise 7.1: both arrays are float64 of shape (N,)"
assert np.allclose(_coverage, [0.2, 0.4, 0.6, 0.8, 1.0]), "Exercise 7.1: coverage is k / N"
assert np.allclose(_risk, [0, 0, 1 / 3, 1 / 4, 2 / 5]), "Exercise 7.1: risk is the fraction of wrong answers among the k most confident"
visible_passed("7.1, values")
### BEGIN HIDDEN TESTS
for _seed, _n in ((71, 40), (72, 1), (73, 200)):
    _rng = np.random.default_rng(_seed)
    _conf, _right = _rng.random(_n), _rng.random(_n) < 0.7
    _given, _flags = _conf.copy(), _right.copy()
    _coverage, _risk = risk_coverage(_given, _flags)
    assert np.array_equal(_given, _conf) and np.array_equal(_flags, _right), "Exercise 7.1: conf and correct should stay as they were"
    _best = sorted(range(_n), key=lambda _i: -_conf[_i])
    for _k in range(1, _n + 1):
        assert abs(_coverage[_k - 1] - _k / _n) < 1e-9, "Exercise 7.1: wrong coverage on random data"
        assert abs(_risk[_k - 1] - sum(not _right[_i] for _i in _best[:_k]) / _k) < 1e-9, "Exercise 7.1: wrong risk on random data"
    assert abs(_risk[-1] - np.mean(~_right)) < 1e-9, "Exercise 7.1: at coverage 1 the risk is the error"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_risk_coverage_ties", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 7.1, aspect: ties
_risk = risk_coverage(np.array([0.9, 0.8, 0.8, 0.6, 0.5]), np.array([True, True, False, True, False]))[1]
assert np.allclose(_risk, [0, 0, 1 / 3, 1 / 4, 2 / 5]), "Exercise 7.1: equal confidences keep their order"
visible_passed("7.1, ties")
### BEGIN HIDDEN TESTS
_right = np.random.default_rng(74).random(300) < 0.5
_risk = risk_coverage(np.full(300, 0.5), _right.copy())[1]
assert np.allclose(_risk, np.cumsum(~_right) / np.arange(1, 301)), "Exercise 7.1: if all confidences are equal, the given order stays"
_conf, _order = np.tile([0.2, 0.9, 0.4], 100), np.concatenate([np.arange(1, 300, 3), np.arange(2, 300, 3), np.arange(0, 300, 3)])
assert np.allclose(risk_coverage(_conf, _right.copy())[1], np.cumsum(~_right[_order]) / np.arange(1, 301)), "Exercise 7.1: equal confidences keep their order within each level"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_risk_coverage_inputs", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 7.1, aspect: kinds of input
for _dtype in (np.int64, np.float64):
    _risk = risk_coverage(np.array([0.3, 0.6]), np.array([0, 1], dtype=_dtype))[1]
    assert np.allclose(_risk, [0, 0.5]), "Exercise 7.1: correct may be bool, int or float"
visible_passed("7.1, kinds of input")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(75)
_conf, _right = _rng.random(60), _rng.random(60) < 0.8
_risk = risk_coverage(_conf.copy(), _right.copy())[1]
for _same in (10 * _conf - 3, np.exp(_conf), _conf.astype(np.float32)):
    _other = risk_coverage(_same, _right.astype(np.float32))
    assert all(_a.dtype == np.float64 for _a in _other), "Exercise 7.1: both arrays are float64 whatever the input"
    assert np.allclose(_other[1], _risk, atol=1e-6), "Exercise 7.1: only the order of the confidences counts"
_ideal = risk_coverage(_right.astype(np.float64), _right.copy())[1]
assert (_ideal <= _risk + 1e-9).all() and _ideal[: _right.sum()].max() == 0, "Exercise 7.1: whoever is surest of the right answers has the lowest risk everywhere"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 7.2 `aurc` (5 points)
#
# *Easy. Importance: medium. About 5 minutes.* You may call `risk_coverage`: at grading the reference stands in for yours.

# %% nbgrader={"grade": false, "grade_id": "aurc", "locked": false, "schema_version": 3, "solution": true, "task": false}
def aurc(conf: np.ndarray, correct: np.ndarray) -> float:
    """Return the area under the risk-coverage curve, as the mean of the N risks of risk_coverage.

    conf: (N,) float, any numbers, N >= 1. correct: (N,) bool, or int or float of zeros and ones. Returns a float in [0, 1].
    Hidden checks: random data against a loop, all right, all wrong, one example, the best and the worst order.
    """
    ### BEGIN SOLUTION
    _, risk = risk_coverage(conf, correct)
    return float(risk.mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_aurc", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 7.2
_value = aurc(np.array([0.9, 0.8, 0.8, 0.6, 0.5]), np.array([1, 1, 0, 1, 0]))
assert isinstance(_value, float), "Exercise 7.2: return a float"
assert abs(_value - (1 / 3 + 1 / 4 + 2 / 5) / 5) < 1e-9, "Exercise 7.2: the worked example does not come out"
visible_passed("7.2")
### BEGIN HIDDEN TESTS
for _seed, _n in ((81, 30), (82, 1), (83, 100)):
    _rng = np.random.default_rng(_seed)
    _conf, _right, _wrong, _total = _rng.random(_n), _rng.random(_n) < 0.7, 0, 0.0
    for _k, _i in enumerate(sorted(range(_n), key=lambda _i: -_conf[_i]), 1):
        _wrong += not _right[_i]
        _total += _wrong / _k / _n
    _value = aurc(_conf.copy(), _right.copy())
    assert abs(_value - _total) < 1e-9, "Exercise 7.2: wrong value on random data"
    assert aurc(_right * 1.0, _right) <= _value + 1e-9 <= aurc(-1.0 * _right, _right) + 2e-9, "Exercise 7.2: the best order has the lowest area, the worst the highest"
assert aurc(np.array([0.4, 0.3, 0.9]), np.ones(3, dtype=bool)) == 0, "Exercise 7.2: all right gives 0"
assert abs(aurc(np.array([0.4, 0.3]), np.zeros(2)) - 1) < 1e-12, "Exercise 7.2: all wrong gives 1"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Who should answer, and how often? The ideal curve has the network's accuracy and is surest of its right answers; the random one ignores confidence.
#
# *Predict:* temperature scaling cut the ECE to a fifth. What will it do to this curve?

# %% nbgrader={"grade": false, "grade_id": "plot_risk", "locked": true, "schema_version": 3, "solution": false, "task": false}
(_, y), ways = network_logits("test"), five_ways()
plt.figure(figsize=(7, 4.4), layout="constrained")
for name, style, colour in (("network 0", "-", plots.BLUE), ("network 0 + T", "--", plots.ORANGE), ("ensemble of 5", "-.", plots.GREEN)):
    conf, correct = answers(ways[name], y)
    coverage, risk = risk_coverage(conf, correct)
    plt.plot(coverage, risk, style, color=colour, label=f"{name}: AURC {aurc(conf, correct):.3f}")
    print(f"{name:15s} AURC {aurc(conf, correct):.4f}   risk at coverage 0.25: {risk[len(y) // 4 - 1]:.3f}, 0.5: {risk[len(y) // 2 - 1]:.3f}, 1: {risk[-1]:.3f}")
right = answers(ways["network 0"], y)[1]
plt.plot(*risk_coverage(right * 1.0, right), ":", color=plots.BLACK, label=f"ideal order for network 0: AURC {aurc(right * 1.0, right):.3f}")
plt.axhline(1 - right.mean(), color="0.5", linewidth=1, label="random order for network 0")
plt.ylim(0, 0.56)
plots.finish(plt.gca(), title="Risk and coverage (797 test images, noise 0.5)", xlabel="coverage (fraction of images answered)", ylabel="risk (fraction of answers wrong)", legend=False)
plt.legend(loc="upper left", frameon=False, fontsize=9)
plots.show(
    "Risk, the fraction of answers that are wrong, against coverage, the fraction of images answered: network 0 (solid), with its "
    "temperature (dashed), an ensemble of five (dash-dotted). A dotted curve is the ideal order, a grey line a random one."
)

# %% [markdown]
# **Reading.** Almost nothing: AURC .186 and .183. All confidences went down together, so nearly the same images come first. The ensemble errs less and also orders better. The left end wiggles because it rests on few images; even the surest quarter holds 10 % mistakes. *What would change if* all confidences were squared? Nothing: the order stays.

# %% [markdown] nbgrader={"grade": false, "grade_id": "question_calibration", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 8 Question (20 points)
#
# Write at most 250 words; only the first 250 are marked. Use numbers from your own runs; the cells above print those of the figures.
#
# 1. Why does a temperature repair calibration and hardly change which answers are ranked as the surest? Use the AURC before and after.
# 2. What happened under shift, to louder *and* to cleaner images? What must therefore stand beside the claim "this model is calibrated"?
# 3. Describe one use in which a low Brier score with a bad ECE would do harm, or one in which a good ECE with a bad Brier score would. Say which of the two you mean, and why.
#
# === BEGIN MARK SCHEME ===
# Each part on a scale of 0-4 (0 absent, 1 wrong or generic, 2 partly right, 3 right, 4 right with evidence from the student's own numbers), scaled to the points of the part. Grade each part alone: a mistake in one costs nothing in another.
#
# * Part 1, 7 points. One number divides all logits: the classes of an image keep their order, and large margins stay larger than small ones for most pairs of images, while all confidences move down together to meet the accuracy. AURC needs only the order, ECE the numbers. Full marks for AURC before and after (nearly the same, about .186 and .183) beside an ECE that fell several times. "Accuracy does not change" alone, without the ranking between images: at most 2. Whoever notes that with more than two classes the order of images may change a little is right.
# * Part 2, 7 points. Errors grow with the noise for all methods (RMS at 1.3 is three to six times that at 0.5), because accuracy falls much faster than confidence; T and ensembles start lower and do not stop it. On cleaner images the fitted T makes the network too unsure, worse than no T. The claim needs the data distribution (noise, population) on which it was measured, and on which T was fitted; number of bins or sample size may be added. Only one direction of shift: at most 2.
# * Part 3, 6 points. A concrete use in which either the number itself is consumed (expected cost, a threshold on risk, a forecast passed on) so bad ECE harms although ranking and accuracy are good; or discrimination is needed (triage, abstaining) so that a calibrated but unsharp forecast (base rate for everyone) is useless. 3 needs the right reason; 4 a right reason and a number from the runs, or a small worked one.
# More than 250 words: mark the first 250.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade": true, "grade_id": "answer_calibration", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# (1) Dividing all logits of all images by 1.68 lowers every confidence, so that the mean (.786) meets the accuracy (.641); ECE falls from .146 to .028. Within an image the classes keep their order, so no answer changes. Between images a large margin stays larger than a small one, apart from a few pairs, since the other classes count too. AURC looks only at that order: .186 before, .183 after.
#
# (2) With louder noise all got worse: network 0 from RMS .159 at noise .5 to .500 at 1.3, with T from .054 to .346, the ensemble from .067 to .360, because accuracy fell to .265 and confidence stayed at .74. On cleaner images T does harm: at noise .25 it has .107, without T .043, because the network is right more often than it now claims. "Calibrated" is a statement about a model on a distribution: the noise at which T was fitted and the error measured must be named, and the number of images and bins.
#
# (3) Good ECE, bad Brier: a screening programme in which the model tells each patient the base rate, 2 %. It is calibrated, but sends the ill home exactly as often as the healthy; nobody can be picked for further tests. Only sharpness would save them, and Brier (or AURC) shows that it is missing: with all confidences equal, the risk at half coverage would stay at .36 for network 0 instead of .17.

# %% [markdown]
# ## Summary
#
# * Calibrated means: of the answers given with confidence $c$, the fraction $c$ is right. The average hides it; bins show it, and every example, also at 0, 1 and the edges, belongs to exactly one.
# * ECE and RMS depend on the bins and are above 0 even for a perfect forecaster; quote the number of bins and of examples. Proper scores (Brier, log loss) punish dull and wrong forecasts alike.
# * A temperature, fitted on held-out data by log loss, repairs the level of confidence; it changes no answer and hardly the ranking. Ensembles average probabilities, and also answer better.
# * Calibration is a property of a model *and* a distribution. Under shift it goes, in both directions.
#
# **References**
#
# * Guo, Pleiss, Sun, Weinberger: *On Calibration of Modern Neural Networks*, ICML 2017, section 2 (ECE), section 4.2 (temperature scaling), figure 1.
# * Hendrycks, Mazeika, Dietterich: *Deep Anomaly Detection with Outlier Exposure*, ICLR 2019, appendix on calibration (RMS error, bins of equal size).
# * Lakshminarayanan, Pritzel, Blundell: *Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles*, NeurIPS 2017, sections 2.2 (proper scores) and 2.4.
# * Ovadia et al.: *Can You Trust Your Model's Uncertainty?*, NeurIPS 2019, figures 1 and 2 (calibration under shift).
# * Minderer et al.: *Revisiting the Calibration of Modern Neural Networks*, NeurIPS 2021, figure 1 (which networks are calibrated today).
# * Geifman, El-Yaniv: *Selective Classification for Deep Neural Networks*, NeurIPS 2017, section 2 (risk and coverage).
# * Geifman, Uziel, El-Yaniv: *Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers*, ICLR 2019 (the area under the risk-coverage curve).
# * Brier: *Verification of Forecasts Expressed in Terms of Probability*, Monthly Weather Review 78, 1950.
# * Data: the optical digits of scikit-learn's `load_digits` (UCI repository).
