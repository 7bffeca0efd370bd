# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Out-of-distribution detection
#
# A network that knows the digits 0 to 7 is shown a photograph of a flower. It has eight answers, and "none of these" is not among them. Can we tell from its outputs that the question was wrong? You write five ways to tell, three to measure how well, and one to train for it.

# %% [markdown]
# **After this notebook you can**
#
# 1. compute AUROC, AUPR and FPR95 exactly, ties included, and say which question each answers,
# 2. turn logits and features into anomaly scores: maximum softmax probability, maximum logit, energy, Mahalanobis distance, ODIN,
# 3. train with outlier exposure, and state what makes such a result honest,
# 4. show with your own numbers that no score wins on every kind of outlier.
#
# **Cost:** about four hours. 100 points: 80 by tests, 20 for one written question. Ten seconds of one CPU core; no GPU.

# %% [markdown]
# ## 0 Setup
#
# Run these cells and go on. Later cells are graded one by one. Below each exercise stand checks that you can run; each has a hidden part that tries other models, shapes and edge cases. The hidden part asks for nothing that the docstring does not say.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"  # where your experiments run; grading uses the CPU
SEED = 0  # which of the three trained networks the experiments look at: 0, 1 or 2

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import Tensor, nn

from courselib import plots
from courselib.data import load_digits_split
from courselib.models import BNDropNet, LinearNet, SmallCNN
from courselib.training import accuracy, fingerprint, load_checkpoint

torch.set_num_threads(1)
plots.use_course_style()


def visible_passed(what: str) -> None:
    """Say that the visible checks of one test cell hold."""
    print(f"Exercise {what}: visible checks passed. Hidden checks run at grading.")


def load_cnn(seed: int = 0) -> nn.Module:
    """Return a fresh copy of one of three CNNs (seed 0, 1 or 2) trained on the digits 0 to 7, in eval mode."""
    return load_checkpoint(SmallCNN(k=8), f"checkpoints/cnn_0to7_{seed}.npz").to(DEVICE)

# %% [markdown]
# ## 1 Images that do not belong
#
# The **in-distribution** (ID) images are the test digits 0 to 7, the classes the network was trained on. Anything else is **out of distribution** (OOD), and there are degrees:
#
# * *near*: the digits 8 and 9, drawn by the same people with the same pen,
# * *natural*: patches of a photograph, made coarse,
# * *texture*: sine waves (gratings) of any direction and phase,
# * *noise*: each pixel uniform in $[0, 1]$,
# * *pixperm*: test digits with their pixels shuffled, so that the amount of ink is right and the shape is gone.

# %% nbgrader={"grade": false, "grade_id": "data", "locked": true, "schema_version": 3, "solution": false, "task": false}
def patches(photo: str, n: int, seed: int) -> Tensor:
    """Return n random 8 x 8 grey patches float32 (n, 1, 8, 8) of a photograph shrunk to half its size."""
    grey = load_sample_image(photo).mean(axis=2)[:426, :640] / 255
    grey = grey.reshape(213, 2, 320, 2).mean(axis=(1, 3))
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, 213 - 7, n), rng.integers(0, 320 - 7, n)
    return torch.from_numpy(np.stack([grey[r : r + 8, c : c + 8] for r, c in zip(rows, columns)])).float()[:, None]


def gratings(n: int, seed: int) -> Tensor:
    """Return n sine waves float32 (n, 1, 8, 8): random direction and phase, 0.1 to 0.3 cycles for each pixel."""
    rng, (down, right) = np.random.default_rng(seed), np.mgrid[:8, :8]
    angle, cycles, phase = (rng.uniform(a, b, (n, 1, 1)) for a, b in ((0, np.pi), (0.1, 0.3), (0, 2 * np.pi)))
    waves = np.sin(2 * np.pi * cycles * (right * np.cos(angle) + down * np.sin(angle)) + phase)
    return torch.from_numpy(0.5 + 0.5 * waves).float()[:, None]


def shuffled_pixels(x: Tensor, seed: int) -> Tensor:
    """Return images (N, 1, 8, 8) in which the pixels of each have been put into an order of its own."""
    rng = np.random.default_rng(seed)
    orders = torch.from_numpy(np.stack([rng.permutation(64) for _ in range(len(x))]))
    return x.flatten(1).gather(1, orders).reshape(x.shape)


parts = load_digits_split()
x_train, y_train = (t[parts["train"][1] < 8].to(DEVICE) for t in parts["train"])
x_id, y_id = (t[parts["test"][1] < 8].to(DEVICE) for t in parts["test"])
outliers = {
    "near": torch.cat([parts[name][0][parts[name][1] >= 8] for name in ("test", "val")]),
    "natural": patches("china.jpg", 300, seed=1),
    "texture": gratings(300, seed=2),
    "noise": torch.from_numpy(np.random.default_rng(7).random((300, 1, 8, 8))).float(),
    "pixperm": shuffled_pixels(x_id[:300].cpu(), seed=3),
}
outliers = {name: images.to(DEVICE) for name, images in outliers.items()}
auxiliary = torch.cat([patches("flower.jpg", 600, seed=11), shuffled_pixels(x_train.cpu(), seed=12)]).to(DEVICE)
print("training digits 0-7:", len(x_train), "  ID test:", len(x_id), "  OOD:", {name: len(x) for name, x in outliers.items()})

# %% nbgrader={"grade": false, "grade_id": "gallery", "locked": true, "schema_version": 3, "solution": false, "task": false}
figure, axes = plt.subplots(3, 6, figsize=(8.4, 4.6), layout="constrained")
for column, (name, images) in zip(axes.T, [("digits 0 to 7 (ID)", x_id), *outliers.items()]):
    column[0].set_title(name, fontsize=11)
    for panel, image in zip(column, images):
        panel.imshow(image[0].cpu(), cmap="gray", vmin=0, vmax=1)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(False)
figure.suptitle("Three images of each set")
plots.show(
    "Grey pictures of 8 by 8 pixels in six columns of three: digits 0 to 7, digits 8 and 9 (near), patches of a photograph (natural), "
    "sine waves (texture), uniform noise, and digits with their pixels shuffled (pixperm)."
)

# %% [markdown]
# *Predict before you run:* the network gives more than 0.9 probability to its answer on 96 % of the digits that it knows. On what share of each set of strangers will it be as sure?

# %% nbgrader={"grade": false, "grade_id": "how_sure", "locked": true, "schema_version": 3, "solution": false, "task": false}
for name, images in [("ID", x_id), *outliers.items()]:
    with torch.no_grad():
        highest = load_cnn(SEED)(images).softmax(dim=1).max(dim=1).values
    print(f"{name:8s} share with more than 0.9 probability: {(highest > 0.9).float().mean():.2f}")

# %% [markdown]
# Half of the gratings and a quarter or more of the other strangers get a confident answer. Still, that is less than 0.96: there is a signal.
#
# **One convention, from here to the end: a score is an *anomaly* score. Higher means more anomalous. OOD is the positive class.** The other sign turns an AUROC of 0.95 into 0.05.

# %% [markdown]
# ## 2 How good is a detector?
#
# A detector raises the **alarm** when the score is at least a threshold, tau ($\tau$). The **true positive rate** (TPR, also *recall*) is the share of OOD images with an alarm, the **false positive rate** (FPR) the share of ID images with one, and **precision** the share of alarms that are right. Each $\tau$ trades them against each other.
#
# **Worked example,** used by the next three exercises. ID scores $0.1, 0.4, 0.6$; OOD scores $0.5, 0.6$.
#
# | alarm at | OOD found | ID alarmed | TPR | FPR | precision |
# |---|---|---|---|---|---|
# | $\ge 0.6$ | 1 of 2 | 1 of 3 | 1/2 | 1/3 | 1/2 |
# | $\ge 0.5$ | 2 of 2 | 1 of 3 | 1 | 1/3 | 2/3 |
# | $\ge 0.4$ | 2 of 2 | 2 of 3 | 1 | 2/3 | 2/4 |
# | $\ge 0.1$ | 2 of 2 | 3 of 3 | 1 | 1 | 2/5 |

# %% [markdown]
# ### Exercise 2.1 `auroc` (10 points)
#
# *Easy. Importance: very high. About 15 minutes.* AUROC, the area under the curve of TPR against FPR (the ROC curve), is the probability that a random OOD image outscores a random ID one, ties counting half.
#
# In the example $0.5$ beats two of three; $0.6$ beats two, ties one: $(2 + 2.5)/6 = 0.75$.

# %% nbgrader={"grade": false, "grade_id": "auroc", "locked": false, "schema_version": 3, "solution": true, "task": false}
def auroc(id_scores: np.ndarray, ood_scores: np.ndarray) -> float:
    """Return P(o > i) + P(o = i) / 2 for o drawn from ood_scores and i from id_scores: the area under the ROC curve, OOD positive.

    id_scores (N,) and ood_scores (M,): float32 or float64 arrays in any order, N and M from 1 to a few thousand; any finite values,
    negative ones and ties included. Every tied pair counts exactly half. Returns a Python (or NumPy float64) float in [0, 1].
    The arrays are left as they were (not sorted in place).
    Hidden checks: counting pairs by a loop, many ties, one score, negative, huge and very close scores, strictly increasing
    transformations, the two sets exchanged, the arrays afterwards.
    """
    ### BEGIN SOLUTION
    above = ood_scores[:, None] > id_scores[None, :]
    tied = ood_scores[:, None] == id_scores[None, :]
    return float(above.mean() + 0.5 * tied.mean())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_auroc", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: values without ties
_value = auroc(np.array([0.1, 0.4, 0.7]), np.array([0.5, 0.6]))
assert isinstance(_value, float), "Exercise 2.1: return a float"
assert 0 <= _value <= 1, "Exercise 2.1: the area lies in [0, 1]"
assert abs(_value - 2 / 3) < 1e-9, "Exercise 2.1: four of six pairs are in order"
assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1, "Exercise 2.1: separated scores should give 1; higher means more anomalous"
visible_passed("2.1, values without ties")
### BEGIN HIDDEN TESTS
for _seed, _n, _m in ((1, 30, 40), (2, 1, 9), (3, 25, 1), (4, 1, 1)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = _rng.normal(-5, 3, _n), _rng.normal(-3, 2, _m)
    _pairs = sum(_o > _i for _o in _ood for _i in _id) / (_n * _m)
    _value = auroc(_id.copy(), _ood.copy())
    assert abs(_value - _pairs) < 1e-9, "Exercise 2.1: the value should agree with counting pairs, for any sizes and negative scores"
    assert abs(auroc(_ood.copy(), _id.copy()) - (1 - _value)) < 1e-9, "Exercise 2.1: exchanging the two sets should give one minus the value"
    for _transform in (np.exp, np.arctan, lambda s: 1e6 * s - 7, lambda s: 1e-8 * s - 1):  # the last: as close together as scores of a sure network
        assert abs(auroc(_transform(_id), _transform(_ood)) - _value) < 1e-9, "Exercise 2.1: an increasing transformation should change nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_auroc_ties", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: ties
assert abs(auroc(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.6])) - 0.75) < 1e-9, "Exercise 2.1: the worked example has one tied pair"
assert abs(auroc(np.full(7, 2.0), np.full(3, 2.0)) - 0.5) < 1e-9, "Exercise 2.1: scores that are all equal tell nothing"
visible_passed("2.1, ties")
### BEGIN HIDDEN TESTS
for _seed, _n, _m, _top in ((5, 60, 45, 4), (6, 20, 70, 2), (7, 33, 33, 9), (8, 1, 12, 3)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = (_rng.integers(-2, _top, _size).astype(np.float32) for _size in (_n, _m))
    _pairs = sum((_o > _i) + 0.5 * (_o == _i) for _o in _ood for _i in _id) / (_n * _m)
    assert abs(auroc(_id.copy(), _ood.copy()) - _pairs) < 1e-6, "Exercise 2.1: with many ties each tied pair should count half"
    _order = _rng.permutation(_m)
    assert abs(auroc(_id[::-1].copy(), _ood[_order]) - _pairs) < 1e-6, "Exercise 2.1: the order of the scores should not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_auroc_hygiene", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.1, aspect: the arrays stay as they were
_id, _ood = np.array([0.7, 0.1, 0.4]), np.array([0.6, 0.5])
auroc(_id, _ood)
assert _id.tolist() == [0.7, 0.1, 0.4] and _ood.tolist() == [0.6, 0.5], "Exercise 2.1: both arrays should keep their order"
visible_passed("2.1, the arrays stay as they were")
### BEGIN HIDDEN TESTS
_id, _ood = (np.random.default_rng(_seed).normal(size=50) for _seed in (9, 10))
_before = _id.copy(), _ood.copy()
_value = auroc(_id, _ood)
assert np.array_equal(_id, _before[0]) and np.array_equal(_ood, _before[1]), "Exercise 2.1: both arrays should keep their values and their order"
_pairs = (_before[1][:, None] > _before[0]).mean()
assert min(abs(_value - _pairs), abs(_value - (1 - _pairs))) < 1e-9, "Exercise 2.1: unsorted scores should give the right value"  # the sign is judged above
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.2 `aupr` (8 points)
#
# *Medium. Importance: medium. About 20 minutes.* AUROC does not see how rare outliers are; precision does. AUPR is the area under the curve of precision against recall. It is computed as the **average precision** (AP), which goes through the thresholds from strict to lax and adds up precision times the recall gained:
# $$\mathrm{AP} = \sum_{j} (R_j - R_{j-1})\, P_j, \qquad R_0 = 0,$$
# where $R_j$ and $P_j$ are recall and precision when all scores $\ge \tau_j$ raise the alarm, and $\tau_1 > \tau_2 > \dots$ are the *distinct* scores. In the example: $\tfrac12\cdot\tfrac12 + \tfrac12\cdot\tfrac23 + 0 + 0 = 0.583$.

# %% nbgrader={"grade": false, "grade_id": "aupr", "locked": false, "schema_version": 3, "solution": true, "task": false}
def aupr(id_scores: np.ndarray, ood_scores: np.ndarray) -> float:
    """Return the average precision with OOD as the positive class: the sum over j of (R_j - R_{j-1}) * P_j.

    tau_1 > tau_2 > ... are the distinct values among all scores; at tau_j every score >= tau_j is an alarm, R_j is the recall (share of
    ood_scores alarmed), P_j the precision (share of alarms that are OOD), R_0 = 0. So equal scores become alarms together, whatever their
    order, and constant scores give M / (N + M). No interpolation between thresholds.
    id_scores (N,), ood_scores (M,): float arrays in any order, N, M >= 1, any finite values. Returns a Python (or NumPy float64) float in
    [0, 1]. The arrays are left as they were.
    Hidden checks: a recomputation without and with many ties, very close scores, constant scores, perfect and worst order, one score,
    the arrays afterwards.
    """
    ### BEGIN SOLUTION
    area, recall_before = 0.0, 0.0
    for tau in np.unique(np.concatenate([id_scores, ood_scores]))[::-1]:
        found = np.sum(ood_scores >= tau)
        alarms = found + np.sum(id_scores >= tau)
        recall = found / len(ood_scores)
        area += (recall - recall_before) * found / alarms
        recall_before = recall
    return float(area)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_aupr", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: values without ties
_value = aupr(np.array([0.1, 0.4, 0.7]), np.array([0.5, 0.6]))
assert isinstance(_value, float), "Exercise 2.2: return a float"
assert 0 <= _value <= 1, "Exercise 2.2: average precision lies in [0, 1]"
assert abs(_value - (0.5 * 1 / 2 + 0.5 * 2 / 3)) < 1e-9, "Exercise 2.2: at the first two alarms that are OOD, precision is 1/2 and 2/3"
assert abs(aupr(np.array([1.0, 2.0]), np.array([3.0, 4.0])) - 1) < 1e-9, "Exercise 2.2: separated scores should give 1; OOD is the positive class"
visible_passed("2.2, values without ties")
### BEGIN HIDDEN TESTS
for _seed, _n, _m in ((11, 50, 30), (12, 1, 8), (13, 40, 1), (14, 10, 90)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = _rng.normal(-1, 1, _n), _rng.normal(0, 2, _m)
    _before = _id.copy(), _ood.copy()
    # without ties: the mean, over the OOD scores, of the precision when exactly the scores from that one on are alarms
    _expected = np.mean([(_ood >= _o).sum() / ((_ood >= _o).sum() + (_id >= _o).sum()) for _o in _ood])
    assert abs(aupr(_id, _ood) - _expected) < 1e-9, "Exercise 2.2: the value should agree with a recomputation, for other sizes and negative scores"
    assert np.array_equal(_id, _before[0]) and np.array_equal(_ood, _before[1]), "Exercise 2.2: the arrays should stay as they were"
    assert abs(aupr(1e-8 * _id - 1, 1e-8 * _ood - 1) - _expected) < 1e-9, "Exercise 2.2: scores that are close together are still different thresholds"
_worst = aupr(np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0]))
assert abs(_worst - (0.5 * 1 / 4 + 0.5 * 2 / 5)) < 1e-9, "Exercise 2.2: scores in the wrong order should give the precision that is left"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_aupr_ties", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.2, aspect: ties
assert abs(aupr(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.6])) - 7 / 12) < 1e-9, "Exercise 2.2: the worked example has a tie at 0.6: both scores become alarms together"
assert abs(aupr(np.full(7, 2.0), np.full(3, 2.0)) - 0.3) < 1e-9, "Exercise 2.2: constant scores should give the share of OOD images"
visible_passed("2.2, ties")
### BEGIN HIDDEN TESTS
for _seed, _n, _m, _top in ((15, 40, 30, 3), (16, 15, 60, 2), (17, 60, 5, 5), (18, 3, 4, 1)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = (_rng.integers(-2, _top, _size).astype(np.float64) for _size in (_n, _m))
    _expected, _seen = 0.0, 0
    for _t in range(_top, -3, -1):  # integer scores: every threshold there is
        _found, _false = int((_ood >= _t).sum()), int((_id >= _t).sum())
        if _found > _seen:
            _expected += (_found - _seen) / _m * _found / (_found + _false)
        _seen = _found
    assert abs(aupr(_id.copy(), _ood.copy()) - _expected) < 1e-9, "Exercise 2.2: equal scores should become alarms together"
    _order = _rng.permutation(_n)
    assert abs(aupr(_id[_order], _ood[::-1].copy()) - _expected) < 1e-9, "Exercise 2.2: the order of the scores should not matter"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.3 `fpr_at_tpr` (7 points)
#
# *Easy. Importance: high. About 15 minutes.* "If we insist on catching 95 % of the outliers, how many good images do we refuse?" The threshold is set *by the OOD scores*: the $k$-th largest, where $k = \lceil 0.95\, M \rceil$ is the smallest number of the $M$ OOD scores that makes at least 95 %. With $M = 2$: $k = 2$, $\tau = 0.5$, FPR $= 1/3$.
#
# Beware: many papers take ID for the positive class, put the threshold where 95 % of the *ID* images pass, and report the share of OOD images that pass too. That is another number under the same name, FPR95.

# %% nbgrader={"grade": false, "grade_id": "fpr_at_tpr", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fpr_at_tpr(id_scores: np.ndarray, ood_scores: np.ndarray, tpr: float = 0.95) -> float:
    """Return the share of id_scores that are >= tau, where tau is the k-th largest OOD score and k = ceil(tpr * M).

    So tau is the largest threshold at which at least tpr of the OOD scores are >= tau; it is one of the OOD scores, not interpolated.
    id_scores (N,), ood_scores (M,): float arrays in any order, N, M >= 1, any finite values, ties included; 0 < tpr <= 1.
    Returns a Python (or NumPy float64) float in [0, 1]. The arrays are left as they were.
    Hidden checks: separated, reversed and constant scores, ties, few and many OOD scores, several tpr, the arrays afterwards.
    """
    ### BEGIN SOLUTION
    k = int(np.ceil(tpr * len(ood_scores)))
    tau = np.sort(ood_scores)[-k]
    return float(np.mean(id_scores >= tau))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_fpr_at_tpr", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.3, aspect: which threshold, which share
_value = fpr_at_tpr(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.6]))
assert isinstance(_value, float), "Exercise 2.3: return a float"
assert abs(_value - 1 / 3) < 1e-9, "Exercise 2.3: in the worked example one of three ID images is refused"
assert fpr_at_tpr(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 0, "Exercise 2.3: separated scores should give 0"
assert fpr_at_tpr(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1, "Exercise 2.3: scores in the wrong order should give 1"
visible_passed("2.3, which threshold, which share")
### BEGIN HIDDEN TESTS
assert abs(fpr_at_tpr(np.arange(100.0), np.arange(100.0) + 0.5) - 0.94) < 1e-9, "Exercise 2.3: 95 of 100 OOD scores should set the threshold"
for _seed, _n, _m in ((21, 80, 60), (22, 1, 31), (23, 50, 1), (24, 200, 7), (25, 30, 300)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = _rng.normal(-4, 1, _n), _rng.normal(-3, 1, _m)
    _before = _id.copy(), _ood.copy()
    _tau = max(_t for _t in _ood if 20 * int((_ood >= _t).sum()) >= 19 * _m)  # at least 95 %, in whole numbers
    assert abs(fpr_at_tpr(_id, _ood) - (_id >= _tau).mean()) < 1e-9, "Exercise 2.3: the largest threshold that catches at least 95 % of the OOD scores counts"
    assert np.array_equal(_id, _before[0]) and np.array_equal(_ood, _before[1]), "Exercise 2.3: the arrays should stay as they were"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fpr_at_tpr_edges", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 2.3, aspect: ties, few scores, other rates
assert fpr_at_tpr(np.full(7, 2.0), np.full(3, 2.0)) == 1, "Exercise 2.3: constant scores: whoever catches OOD refuses everything"
assert abs(fpr_at_tpr(np.array([0.1, 0.4, 0.6]), np.array([0.5, 0.7]), tpr=0.5)) < 1e-9, "Exercise 2.3: tpr = 0.5 needs one of two OOD scores"
visible_passed("2.3, ties, few scores, other rates")
### BEGIN HIDDEN TESTS
assert fpr_at_tpr(np.array([0.1]), np.arange(7.0)) == 1, "Exercise 2.3: 95 % of seven scores is all seven; no interpolation"
assert abs(fpr_at_tpr(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 2.0, 5.0, 9.0])) - 0.75) < 1e-9, "Exercise 2.3: an ID score equal to the threshold is an alarm"
_id, _ood = np.arange(20.0), np.arange(12.0) + 5.5  # with 12 scores, rounding of tpr * M decides at none of these rates
for _rate, _alarms in ((0.8, 12), (0.5, 8), (0.05, 3), (1.0, 14), (0.84, 13)):  # the k-th largest of 5.5 .. 16.5 is 17.5 - k
    assert abs(fpr_at_tpr(_id[::-1].copy(), _ood.copy(), _rate) - _alarms / 20) < 1e-9, "Exercise 2.3: the rate asked for should set the threshold"
for _seed, _m in ((26, 40), (27, 13)):
    _rng = np.random.default_rng(_seed)
    _id, _ood = (_rng.integers(0, 6, _size).astype(np.float32) for _size in (50, _m))
    _tau = max(_t for _t in _ood if 4 * int((_ood >= _t).sum()) >= 3 * _m)
    assert abs(fpr_at_tpr(_id.copy(), _ood.copy(), 0.75) - (_id >= _tau).mean()) < 1e-9, "Exercise 2.3: with many ties the largest threshold that reaches the rate counts"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Two invented detectors, A and B, score 2000 ID and 2000 OOD images each. For A the two bell curves are equally wide; for B a fifth of the OOD images look perfectly normal and the rest are easy.
#
# *Predict:* both have an AUROC of about 0.90. Which has the smaller FPR95?

# %% nbgrader={"grade": false, "grade_id": "plot_two_detectors", "locked": true, "schema_version": 3, "solution": false, "task": false}
rng = np.random.default_rng(4)
hidden = rng.random(2000) < 0.2
detectors = {
    "A: all OOD images a little unusual": (rng.normal(0, 1, 2000), rng.normal(1.81, 1, 2000), plots.BLUE, "-"),
    "B: a fifth of them look normal": (rng.normal(0, 1, 2000), np.where(hidden, rng.normal(0, 1, 2000), rng.normal(4, 1, 2000)), plots.RED, "--"),
}
for name, (a, b, colour, style) in detectors.items():
    taus = np.sort(np.concatenate([a, b]))[::-1]
    plt.plot([(a >= t).mean() for t in taus], [(b >= t).mean() for t in taus], style, color=colour, label=name)
    print(f"{name:36s} AUROC {auroc(a, b):.3f}   AUPR {aupr(a, b):.3f}   FPR95 {fpr_at_tpr(a, b):.3f}")
plt.axhline(0.95, color="grey", linestyle=":", label="TPR 0.95")
plots.finish(plt.gca(), title="Two detectors of nearly equal AUROC\n(2000 + 2000 invented scores each)", xlabel="false positive rate (share of ID refused)", ylabel="true positive rate (share of OOD caught)")
plots.show(
    "True positive rate against false positive rate, both from 0 to 1, for two invented detectors: A as a solid line, B as a dashed "
    "one. A dotted line marks a true positive rate of 0.95; compare where the two curves reach it."
)

# %% [markdown]
# **Reading.** B catches its easy 80 % almost free, then refuses three quarters of the good images to reach 95 %; A less than half. At an FPR of 0.05 B is far better. AUROC averages over all thresholds; a deployer uses one.
#
# *What would change if* ID images were ten times as many? Only AUPR: it would fall.

# %% [markdown]
# ## 3 Three scores from the logits
#
# A trained network maps an image to $K$ **logits**, $l = (l_1, \dots, l_K)$; softmax turns them into probabilities $p_k = e^{l_k} / \sum_j e^{l_j}$.
#
# | score (higher = more anomalous) | formula | says "strange" if |
# |---|---|---|
# | maximum softmax probability, MSP | $-\max_k p_k$ | the best class hardly beats the others |
# | maximum logit | $-\max_k l_k$ | no class is strongly supported |
# | energy at temperature $T$ | $-T \log \sum_k e^{l_k / T}$ | all classes together are weakly supported |
#
# **Worked example.** Image A has the logits $\log 6, \log 3, \log 1$, so $p = (0.6, 0.3, 0.1)$. Image B has the same logits plus 3.
#
# *Predict:* which of the three scores tell A from B?

# %% nbgrader={"grade": false, "grade_id": "two_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
logits_a = torch.tensor([[6.0, 3.0, 1.0]]).log()
for name, logits in (("A", logits_a), ("B", logits_a + 3)):
    print(name, "logits", [round(v, 2) for v in logits[0].tolist()], " softmax", [round(v, 2) for v in logits.softmax(dim=1)[0].tolist()],
          f" sum of exponentials {logits.exp().sum():.1f}")  # fmt: skip

# %% [markdown]
# MSP does not: softmax forgets what is added to all logits. For A: MSP $-0.6$, maximum logit $-\log 6 = -1.79$, energy $-\log 10 = -2.30$; for B the last two are 3 lower.
#
# ### Exercises 3.1 `msp_score` (5 points) and 3.2 `max_logit_score` (3 points)
#
# *Easy. Importance: high. About 10 minutes.* Mind the axis and the sign.

# %% nbgrader={"grade": false, "grade_id": "msp_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def msp_score(logits: Tensor) -> Tensor:
    """Return minus the largest softmax probability of each row: the maximum-softmax-probability anomaly score.

    logits: float32 or float64 (N, K), N >= 1, K >= 2, finite, of any size (1e4 must not give nan or inf, and the score holds to 0.001). Returns (N,) of the
    same dtype, in [-1, -1/K]: -1 where the network is certain, -1/K where all classes are equal. Row i depends on row i alone. logits stay unchanged.
    Hidden checks: a recomputation, other N and K, one row, adding a constant to a row, extreme logits.
    """
    ### BEGIN SOLUTION
    probabilities = logits.softmax(dim=1)
    return -probabilities.max(dim=1).values
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_msp_score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.1, aspect: values, shift, extremes
_score = msp_score(torch.tensor([[6.0, 3.0, 1.0], [1.0, 1.0, 1.0]]).log())
assert isinstance(_score, Tensor) and _score.shape == (2,), "Exercise 3.1: return one score for each row, a tensor (N,)"
assert _score.dtype == torch.float32, "Exercise 3.1: the scores should have the dtype of the logits"
assert _score.max() <= 0, "Exercise 3.1: an anomaly score falls as confidence rises: minus the probability"
assert torch.allclose(_score, torch.tensor([-0.6, -1 / 3]), atol=1e-5), "Exercise 3.1: image A should score -0.6, three equal classes -1/3"
visible_passed("3.1, values, shift, extremes")
### BEGIN HIDDEN TESTS
for _seed, _n, _k in ((31, 9, 4), (32, 1, 7), (33, 200, 2), (34, 3, 60)):
    _l = 3 * torch.randn(_n, _k, generator=torch.Generator().manual_seed(_seed), dtype=torch.float64)
    _before, _score = _l.clone(), msp_score(_l)
    assert torch.equal(_l, _before), "Exercise 3.1: the logits should stay as they were"
    _expected = -1 / (_l - _l.max(1, keepdim=True).values).exp().sum(1)
    assert _score.shape == (_n,) and _score.dtype == torch.float64, "Exercise 3.1: shape (N,) and the dtype of the logits, for any N and K"
    assert torch.allclose(_score, _expected, rtol=0, atol=1e-9), "Exercise 3.1: the scores should agree with a recomputation"
    _shift = torch.linspace(-20, 30, _n, dtype=torch.float64)[:, None]
    assert torch.allclose(msp_score(_l + _shift), _expected, rtol=0, atol=1e-9), "Exercise 3.1: adding a constant to all logits of a row should change nothing"
_score = msp_score(torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]]))
assert torch.allclose(_score, torch.tensor([-1.0, -1 / 3, -0.5]), rtol=0, atol=1e-3), "Exercise 3.1: extreme logits should give finite, right scores"
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "max_logit_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_logit_score(logits: Tensor) -> Tensor:
    """Return minus the largest logit of each row.

    logits: float32 or float64 (N, K), N >= 1, K >= 2, finite, of any sign. Returns (N,) of the same dtype. logits stay unchanged.
    Hidden checks: a recomputation, other N and K, one row, rows of negative logits, adding a constant.
    """
    ### BEGIN SOLUTION
    largest = logits.max(dim=1).values
    return -largest
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_max_logit_score", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.2, aspect: values
_score = max_logit_score(torch.tensor([[2.0, -1.0, 0.5], [-3.0, -4.0, -2.5]]))
assert isinstance(_score, Tensor) and _score.shape == (2,), "Exercise 3.2: return one score for each row, a tensor (N,)"
assert _score.dtype == torch.float32, "Exercise 3.2: the scores should have the dtype of the logits"
assert _score.tolist() == [-2.0, 2.5], "Exercise 3.2: minus the largest logit, also where all are negative"
visible_passed("3.2, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _k in ((36, 8, 5), (37, 1, 3), (38, 50, 2)):
    _l = 5 * torch.randn(_n, _k, generator=torch.Generator().manual_seed(_seed), dtype=torch.float64) - 4
    _before, _score = _l.clone(), max_logit_score(_l)
    assert torch.equal(_l, _before), "Exercise 3.2: the logits should stay as they were"
    assert _score.tolist() == [-max(_row) for _row in _l.tolist()], "Exercise 3.2: the scores should agree with a loop, for any N and K"
    assert torch.allclose(max_logit_score(_l + 2.5), _score - 2.5, rtol=0, atol=1e-9), "Exercise 3.2: adding a constant to all logits should lower the score by it"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3.3 `energy_score` (7 points)
#
# *Medium. Importance: high. About 15 minutes.* Minus the energy is a soft maximum: the energy lies between $-\max_k l_k - T \log K$ and $-\max_k l_k$. The temperature $T > 0$ says how soft: near 0 only the largest logit counts, the larger $T$, the more the others do. It stands in *two* places. And $e^{l_k}$ overflows in float32 above 88: let `torch.logsumexp` do it, or subtract the maximum first.

# %% nbgrader={"grade": false, "grade_id": "energy_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def energy_score(logits: Tensor, T: float = 1.0) -> Tensor:
    """Return the energy -T * log(sum over k of exp(l_k / T)) of each row.

    logits: float32 or float64 (N, K), N >= 1, K >= 2, finite, of any size (1e4 must not give nan or inf); T > 0, from 0.01 to 1000.
    Returns (N,) of the same dtype, between -max - T * log(K) and -max of the row. logits stay unchanged.
    Hidden checks: a recomputation at several T, other N and K, one row, the two bounds, adding a constant, extreme logits of both signs.
    """
    ### BEGIN SOLUTION
    tempered = logits / T
    return -T * torch.logsumexp(tempered, dim=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_energy_score", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.3, aspect: values
_l = torch.tensor([[6.0, 3.0, 1.0]]).log()
_score = energy_score(_l)
assert isinstance(_score, Tensor) and _score.shape == (1,), "Exercise 3.3: return one score for each row, a tensor (N,)"
assert _score.dtype == torch.float32, "Exercise 3.3: the scores should have the dtype of the logits"
assert abs(_score[0] + np.log(10)) < 1e-5, "Exercise 3.3: image A should have the energy -log 10"
assert abs(energy_score(_l + 3)[0] + np.log(10) + 3) < 1e-5, "Exercise 3.3: image B should lie 3 lower"
visible_passed("3.3, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _k, _t in ((41, 9, 4, 1.0), (42, 1, 7, 0.5), (43, 100, 2, 3.0), (44, 3, 60, 10.0)):
    _l = 3 * torch.randn(_n, _k, generator=torch.Generator().manual_seed(_seed), dtype=torch.float64)
    _before, _score = _l.clone(), energy_score(_l, _t)
    assert torch.equal(_l, _before), "Exercise 3.3: the logits should stay as they were"
    _expected = torch.tensor([-_t * np.log(sum(np.exp(_v / _t) for _v in _row)) for _row in _l.tolist()], dtype=torch.float64)
    assert _score.shape == (_n,) and torch.allclose(_score, _expected, rtol=0, atol=1e-9), "Exercise 3.3: the energies should agree with a recomputation, at several temperatures"
    assert torch.allclose(energy_score(_l + 7, _t), _expected - 7, rtol=0, atol=1e-9), "Exercise 3.3: adding a constant to all logits should lower the energy by it"
assert torch.allclose(energy_score(_l), -_l.exp().sum(1).log(), rtol=0, atol=1e-9), "Exercise 3.3: the temperature should be 1 unless given"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_energy_score_extremes", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 3.3, aspect: large logits, bounds
assert torch.allclose(energy_score(torch.tensor([[100.0, 100.0]])), torch.tensor([-100.6931]), atol=1e-3), "Exercise 3.3: logits of 100 should not overflow"
visible_passed("3.3, large logits, bounds")
### BEGIN HIDDEN TESTS
_l = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]])
assert torch.allclose(energy_score(_l), torch.tensor([-1e4, 1e4 - np.log(3), -1e4 - np.log(2)]).float(), rtol=1e-6), "Exercise 3.3: extreme logits of both signs should give finite, right energies"
_l = 4 * torch.randn(40, 6, generator=torch.Generator().manual_seed(45), dtype=torch.float64) - 2
_top = _l.max(1).values
for _t in (0.01, 0.3, 1.0, 20.0, 1000.0):
    _score = energy_score(_l, _t)
    assert torch.isfinite(_score).all(), "Exercise 3.3: the energy should be finite, also at a very low temperature"
    assert (_score <= -_top + 1e-9).all() and (_score >= -_top - _t * np.log(6) - 1e-9).all(), "Exercise 3.3: the energy should lie between its two bounds"
assert torch.allclose(energy_score(_l, 0.01), -_top, atol=0.01), "Exercise 3.3: at a low temperature the energy should approach minus the largest logit"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** Energies of the digits, of a near and of a far set.
#
# *Predict:* where will the gratings lie: to the left of the digits, between the digits and the 8s and 9s, or further to the right?

# %% nbgrader={"grade": false, "grade_id": "plot_energy", "locked": true, "schema_version": 3, "solution": false, "task": false}
sets = (("digits 0-7 (ID)", x_id, "lightgrey", "-", True), ("near: 8 and 9", outliers["near"], plots.BLUE, "--", False), ("texture: gratings", outliers["texture"], plots.RED, "-", False))
for label, images, colour, style, filled in sets:
    with torch.no_grad():
        logits = load_cnn(SEED)(images)
        size = load_cnn(SEED).features(images).norm(dim=1)
    energy = energy_score(logits).cpu().numpy()
    kind = {"histtype": "stepfilled"} if filled else {"histtype": "step", "linestyle": style, "linewidth": 2}
    plt.hist(energy, np.arange(-26, 2, 1.0), weights=np.full(len(energy), 1 / len(energy)), color=colour, label=label, **kind)
    first, second = logits.topk(2, dim=1).values.T
    print(f"{label:18s} median: energy {np.median(energy):6.1f}   largest logit {first.median():5.1f}   second {second.median():5.1f}   lead {(first - second).median():4.1f}   feature length {size.median():5.1f}")
    print(f"{'':18s} 5 % lie below: energy {np.quantile(energy, 0.05):6.1f}   MSP score {np.quantile(msp_score(logits).cpu().numpy(), 0.05):.4f}")
plots.finish(plt.gca(), title="Energy of digits, near and far outliers (one CNN)", xlabel="energy (higher = more anomalous)", ylabel="share of the set in a bin of width 1")
plots.show(
    "Histograms of the energy, higher meaning more anomalous: grey bars for the digits 0 to 7, a dashed outline for the 8s and 9s, a "
    "solid outline for the gratings. The height is the share of the set in a bin of width 1."
)

# %% [markdown]
# **Reading.** On both sides. One grating in five has a lower energy than the median digit, a few lie below *every* digit. Gratings drive the filters hard (feature length 57 against 50): largest *and* second logit are high, and energy takes height for familiarity. MSP sees only the lead, 2.7 against 8.2.
#
# *What would change if* all digits were drawn half as bright? The network still reads 98 % of them, but energy would take these good digits for strangers (median $-6.1$; 8s and 9s: $-6.2$). MSP is misled less (median $-0.96$; 8s and 9s: $-0.77$).

# %% [markdown]
# ## 4 A score from the features: Mahalanobis distance
#
# Before the last layer the network describes an image by 64 **features**. Each class fills a cloud there. Fit one Gaussian to each class: means $\mu_c$ of their own, but one shared ("tied") covariance
# $$\Sigma = \frac1N \sum_{i} (f_i - \mu_{y_i})(f_i - \mu_{y_i})^\top .$$
# The score of a feature vector $f$ is the squared **Mahalanobis distance** to the nearest class, $\min_c\, (f - \mu_c)^\top P (f - \mu_c)$, where $P = (\Sigma + \rho I)^{-1}$ is the **precision** matrix; the small **ridge** $\rho$ (rho) keeps the inverse finite when a feature never varies.
#
# **Worked example.** Class 0: $(0,0), (2,0)$. Class 1: $(5,1), (5,3)$. The means are $(1,0)$ and $(5,2)$. The centred points $(\mp1, 0), (0, \mp1)$ give $\Sigma = \tfrac12 I$; with $\rho = \tfrac12$, $P = I$. The point $(3,2)$ has squared distances $8$ and $4$: its score is 4.

# %% [markdown]
# ### Exercise 4.1 `fit_mahalanobis` (9 points)
#
# *Medium. Importance: high. About 25 minutes.* Centre each row at the mean *of its own class*, then one matrix product. Inverting a covariance in float32 loses most digits: convert first.

# %% nbgrader={"grade": false, "grade_id": "fit_mahalanobis", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_mahalanobis(feats: Tensor, y: Tensor, k: int, ridge: float) -> dict[str, Tensor]:
    """Return {"means": (k, d), "precision": (d, d)}, both float64: one Gaussian for each class, with a tied covariance.

    feats: float32 or float64 (N, d); y: int64 (N,) with labels 0..k-1, each at least once; ridge >= 0.
    means[c] is the mean of the rows with y == c. precision = inverse(S + ridge * I), S = (1/N) * sum over all rows i of the outer product of
    feats[i] - means[y[i]] with itself: divided by N, not by N - 1 or N - k. Everything is computed in float64, so that results hold to 1e-6
    relative also for float32 feats far from 0. precision is symmetric. feats and y stay unchanged.
    Hidden checks: a recomputation on other N, d and k (classes of unequal size, one row for a class), ridge, symmetry, float32 features far
    from 0, affine maps of the features.
    """
    ### BEGIN SOLUTION
    feats = feats.double()
    means = torch.stack([feats[y == c].mean(dim=0) for c in range(k)])
    centred = feats - means[y]
    covariance = centred.T @ centred / len(feats)
    precision = torch.linalg.inv(covariance + ridge * torch.eye(feats.shape[1], dtype=feats.dtype, device=feats.device))
    return {"means": means, "precision": (precision + precision.T) / 2}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_fit_mahalanobis", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: means and precision
_feats, _y = torch.tensor([[0.0, 0.0], [5.0, 1.0], [2.0, 0.0], [5.0, 3.0]]), torch.tensor([0, 1, 0, 1])
_fit = fit_mahalanobis(_feats, _y, 2, 0.5)
assert isinstance(_fit, dict) and set(_fit) == {"means", "precision"}, "Exercise 4.1: return a dict with means and precision"
assert _fit["means"].shape == (2, 2) and _fit["precision"].shape == (2, 2), "Exercise 4.1: means are (k, d), the precision is (d, d)"
assert _fit["means"].dtype == _fit["precision"].dtype == torch.float64, "Exercise 4.1: both should be float64"
assert torch.allclose(_fit["means"], torch.tensor([[1.0, 0.0], [5.0, 2.0]]).double()), "Exercise 4.1: the means of the worked example"
assert torch.allclose(_fit["precision"], torch.eye(2).double()), "Exercise 4.1: the precision of the worked example, ridge 1/2, is the identity"
visible_passed("4.1, means and precision")
### BEGIN HIDDEN TESTS
for _seed, _n, _d, _k, _ridge in ((51, 40, 3, 2, 0.0), (52, 60, 5, 4, 0.1), (53, 9, 2, 3, 1e-3), (54, 30, 1, 1, 0.0)):
    _rng = np.random.default_rng(_seed)
    _y = np.concatenate([np.arange(_k), _rng.integers(0, max(_k - 1, 1), _n - _k)])  # the last class has one row only
    _f = _rng.normal(size=(_n, _d)) @ _rng.normal(size=(_d, _d)) + 4 * _rng.normal(size=(_k, _d))[_y]
    _before, _labels = torch.tensor(_f), torch.tensor(_y)
    _fit = fit_mahalanobis(_before, _labels, _k, _ridge)
    assert np.array_equal(_before.numpy(), _f) and np.array_equal(_labels.numpy(), _y), "Exercise 4.1: feats and y should stay as they were"
    _means = np.array([_f[_y == _c].mean(0) for _c in range(_k)])
    _s = sum(np.outer(_row - _means[_c], _row - _means[_c]) for _row, _c in zip(_f, _y)) / _n
    assert np.allclose(_fit["means"].numpy(), _means, rtol=1e-9, atol=1e-9), "Exercise 4.1: each class should have its own mean, also a class with one row"
    assert np.allclose(_fit["precision"].numpy() @ (_s + _ridge * np.eye(_d)), np.eye(_d), rtol=0, atol=1e-7), "Exercise 4.1: the precision should be the inverse of the tied covariance (divided by N) plus the ridge"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_fit_mahalanobis_properties", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.1, aspect: symmetry, ridge, float64 arithmetic
_feats, _y = torch.tensor([[0.0, 0.0], [5.0, 0.0], [2.0, 0.0], [7.0, 0.0]]), torch.tensor([0, 1, 0, 1])
_fit = fit_mahalanobis(_feats, _y, 2, 0.25)  # the second feature never varies
assert torch.allclose(_fit["precision"], torch.tensor([[0.8, 0.0], [0.0, 4.0]]).double()), "Exercise 4.1: the ridge should be added on the diagonal, before inverting"
visible_passed("4.1, symmetry, ridge, float64 arithmetic")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(55)
_y = torch.tensor(np.arange(90) % 3)
_f = torch.tensor((_rng.normal(size=(90, 4)) @ _rng.normal(size=(4, 4)) + _rng.normal(size=(3, 4))[np.arange(90) % 3] + 1000.0).astype(np.float32))
_fit = fit_mahalanobis(_f, _y, 3, 0.0)
assert torch.allclose(_fit["precision"], _fit["precision"].T, rtol=1e-8, atol=1e-8), "Exercise 4.1: the precision should be symmetric"
assert torch.linalg.eigvalsh(_fit["precision"]).min() > 0, "Exercise 4.1: the precision should be positive definite"
_x = _f.double()
_m = torch.stack([_x[_y == _c].mean(0) for _c in range(3)])
_expected = torch.linalg.inv((_x - _m[_y]).T @ (_x - _m[_y]) / 90)
assert torch.allclose(_fit["precision"], _expected, rtol=1e-5, atol=1e-6), "Exercise 4.1: float32 features far from 0 should be converted before anything is computed"
_map = torch.tensor(_rng.normal(size=(4, 4)))
_moved = fit_mahalanobis(_x @ _map + 3.0, _y, 3, 0.0)
_d1, _d2 = _x[:5] - _m[0], (_x[:5] @ _map + 3.0) - _moved["means"][0]
assert torch.allclose(((_d2 @ _moved["precision"]) * _d2).sum(1), ((_d1 @ _expected) * _d1).sum(1), rtol=1e-5), "Exercise 4.1: without ridge, distances should survive an affine map of the features"
with torch.no_grad():
    _f = load_cnn(1).cpu().features(x_train.cpu())
_fit = fit_mahalanobis(_f, y_train.cpu(), 8, 1e-3)
_m = torch.stack([_f.double()[y_train.cpu() == _c].mean(0) for _c in range(8)])
_s = (_f.double() - _m[y_train.cpu()]).T @ (_f.double() - _m[y_train.cpu()]) / len(_f) + 1e-3 * torch.eye(64).double()
assert torch.allclose(_fit["precision"] @ _s, torch.eye(64).double(), atol=1e-6), "Exercise 4.1: the fit should work on the features of a CNN"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4.2 `mahalanobis_score` (6 points)
#
# *Easy. Importance: high. About 15 minutes.* $N$ feature vectors, $k$ means: all differences at once have the shape $(N, k, d)$; a loop over the classes does as well.

# %% nbgrader={"grade": false, "grade_id": "mahalanobis_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mahalanobis_score(feats: Tensor, params: dict[str, Tensor]) -> Tensor:
    """Return for each row f of feats the smallest squared distance (f - m)^T P (f - m) over the rows m of params["means"], P = params["precision"].

    feats: float32 or float64 (N, d), N >= 1; params as from fit_mahalanobis: means float64 (k, d), k >= 1, precision float64 (d, d).
    Returns float64 (N,), >= 0 up to rounding: higher means more anomalous. No square root. Computed in float64. Nothing is modified.
    Hidden checks: a recomputation on other N, k and d, a class mean has score 0, correlated features, float32 features, the arguments afterwards.
    """
    ### BEGIN SOLUTION
    difference = feats.double()[:, None, :] - params["means"][None, :, :]
    squared = ((difference @ params["precision"]) * difference).sum(dim=2)
    return squared.min(dim=1).values
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_mahalanobis_score", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# Exercise 4.2, aspect: values
_means = torch.tensor([[1.0, 0.0], [5.0, 2.0]]).double()
_score = mahalanobis_score(torch.tensor([[3.0, 2.0], [1.0, 0.0]]), {"means": _means.clone(), "precision": torch.eye(2).double()})
assert isinstance(_score, Tensor) and _score.shape == (2,), "Exercise 4.2: return one score for each row, a tensor (N,)"
assert _score.dtype == torch.float64, "Exercise 4.2: the scores should be float64"
assert _score.min() >= 0, "Exercise 4.2: a squared distance is never negative"
assert torch.allclose(_score, torch.tensor([4.0, 0.0]).double()), "Exercise 4.2: in the worked example the scores are 4, and 0 at a class mean"
_score = mahalanobis_score(torch.tensor([[3.0, 2.0]]), {"means": _means.clone(), "precision": torch.diag(torch.tensor([4.0, 1.0])).double()})
assert torch.allclose(_score, torch.tensor([16.0]).double()), "Exercise 4.2: the precision should weigh the features"
visible_passed("4.2, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _k, _d in ((61, 7, 3, 4), (62, 1, 5, 2), (63, 50, 1, 6), (64, 4, 4, 4)):
    _rng = np.random.default_rng(_seed)
    _root = _rng.normal(size=(_d, _d))
    _p, _m, _f = _root @ _root.T + 0.1 * np.eye(_d), 3 * _rng.normal(size=(_k, _d)), 3 * _rng.normal(size=(_n, _d))
    _params, _rows = {"means": torch.tensor(_m), "precision": torch.tensor(_p)}, torch.tensor(_f)
    _score = mahalanobis_score(_rows, _params)
    assert np.array_equal(_params["means"].numpy(), _m) and np.array_equal(_params["precision"].numpy(), _p) and np.array_equal(_rows.numpy(), _f), "Exercise 4.2: the arguments should stay as they were"
    _expected = [min((_row - _c) @ _p @ (_row - _c) for _c in _m) for _row in _f]
    assert _score.shape == (_n,) and np.allclose(_score.numpy(), _expected, rtol=1e-9, atol=1e-9), "Exercise 4.2: the scores should agree with a loop over rows and classes, also for correlated features"
    assert abs(mahalanobis_score(torch.tensor(_m), _params)).max() < 1e-9, "Exercise 4.2: the class means should have score 0"
_far, _m = torch.tensor([[1000.25, 999.5]]), torch.tensor([[1000.0, 1000.0]]).double() + 1e-3
_score = mahalanobis_score(_far, {"means": _m, "precision": 100 * torch.eye(2).double()})
assert torch.allclose(_score, torch.tensor([100 * (0.249**2 + 0.501**2)]).double(), rtol=1e-7), "Exercise 4.2: float32 features should be converted before subtracting"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** ROC curves of three scores, on a near set and on a far one.
#
# *Predict:* the features were learned in order to tell 0 to 7 apart. Will distance in feature space see an 8, and will it see a grating?

# %% nbgrader={"grade": false, "grade_id": "plot_roc", "locked": true, "schema_version": 3, "solution": false, "task": false}
with torch.no_grad():
    network = load_cnn(SEED)
    gaussians = fit_mahalanobis(network.features(x_train), y_train, 8, 1e-3)
    distance = {name: mahalanobis_score(network.features(images), gaussians) for name, images in [("ID", x_id), *outliers.items()]}
print("median squared distance:", {name: round(values.median().item()) for name, values in distance.items()})
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for panel, name in zip(axes, ("near", "texture")):
    with torch.no_grad():
        l_id, l_ood = network(x_id), network(outliers[name])
    for label, a, b, colour, style in (
        ("MSP", msp_score(l_id), msp_score(l_ood), plots.BLUE, "-"),
        ("energy", energy_score(l_id), energy_score(l_ood), plots.ORANGE, "--"),
        ("Mahalanobis", distance["ID"], distance[name], plots.GREEN, "-."),
    ):
        a, b = a.cpu().numpy(), b.cpu().numpy()
        taus = np.concatenate([[np.inf], np.sort(np.concatenate([a, b]))[::-1]])
        panel.plot([(a >= t).mean() for t in taus], [(b >= t).mean() for t in taus], style, color=colour, label=label)
        print(f"{name:8s} {label:12s} AUROC {auroc(a, b):.3f}   AUPR {aupr(a, b):.3f}   FPR95 {fpr_at_tpr(a, b):.2f}")
    panel.axhline(0.95, color="grey", linestyle=":", label="TPR 0.95")
    plots.finish(panel, title=f"{name} ({len(l_ood)} images)", xlabel="false positive rate (share of digits refused)", ylabel="true positive rate (share of OOD caught)")
figure.suptitle("ROC of three scores on near and far outliers (one CNN)")
plots.show(
    "True positive rate against false positive rate in two panels, near on the left and texture on the right. Each has three curves, "
    "MSP (solid), energy (dashed) and Mahalanobis (dash-dotted), and a dotted line at a true positive rate of 0.95."
)

# %% [markdown]
# **Reading.** The score that loses on the 8s and 9s (FPR95 0.47) wins on the gratings (0.04), and energy does the opposite. An 8 is made of strokes that the features know and lands beside a known cloud: median squared distance 59, against 35 for the digits themselves. A grating lands at 230, however sure the classifier.
#
# *What would change if* each class had a covariance of its own? Eight $64 \times 64$ matrices, each from about 110 images: too many numbers.

# %% [markdown]
# ## 5 Ask the network twice: ODIN
#
# ODIN starts from two observations. At a high temperature $T$ the softmax of $l/T$ no longer saturates, so it keeps more of what the logits say. And a small step of the *input* that makes the network surer of its answer helps digits more than strangers, one hopes:
# $$x' = x + \varepsilon\,\mathrm{sign}\bigl(\nabla_x \log \max_k p_k(x; T)\bigr), \qquad \text{score} = -\max_k p_k(x'; T),$$
# where $p(x; T)$ is the softmax of the logits divided by $T$, and epsilon, $\varepsilon$, is the size of the step. Compare FGSM: same sign, opposite purpose. The result is *not* clipped to $[0, 1]$.

# %% [markdown]
# ### Exercise 5.1 `odin_score` (10 points)
#
# *Medium. Importance: medium. About 30 minutes.* Work on a copy of `x`, in eval mode, with `torch.autograd.grad`, which writes into no `p.grad`. The largest class is found anew at $x'$.

# %% nbgrader={"grade": false, "grade_id": "odin_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def odin_score(model: nn.Module, x: Tensor, T: float, eps: float) -> Tensor:
    """Return minus the largest softmax probability of model(x') / T, x' = x + eps * sign(g), not clipped.

    g is the gradient, with respect to each image's own pixels, of log(max over k of softmax(model(x) / T)[k]): the step raises the
    confidence. sign(0) = 0. T > 0 (checks use T for which no probability rounds to 1), eps >= 0; eps = 0 gives the MSP score of the logits divided by T.
    model maps x to logits float32 (N, K); x is float32 (N, ...) of any image shape, of any values. Returns a detached float32 tensor (N,)
    in [-1, -1/K]; row i is the same whether image i comes alone or in a batch. The model is used in eval mode; afterwards all is as before: its
    mode, parameters, buffers, each p.requires_grad and p.grad, and x.
    Hidden checks: closed forms on linear models at several T and eps, other shapes, images at the edge of [0, 1], a step on a CNN, batches, a
    train-mode model with gradients.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    leaf = x.clone().requires_grad_(True)
    confidence = (model(leaf) / T).log_softmax(dim=1).max(dim=1).values.sum()
    (gradient,) = torch.autograd.grad(confidence, leaf)
    with torch.no_grad():
        score = msp_score(model(x + eps * gradient.sign()) / T)
    model.train(was_training)
    return score
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_odin_score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: the step and the temperature, on linear models
_net = LinearNet.from_weights(torch.tensor([[2.0, -1.0], [0.0, 1.0]]))
_x = torch.tensor([[0.5, 0.25]])  # logits 0.75 and 0.25: class 0; the step is (+eps, -eps) and widens the lead by 4 eps
_score = odin_score(_net, _x.clone(), 1.0, 0.0)
assert isinstance(_score, Tensor) and _score.shape == (1,) and _score.dtype == torch.float32, "Exercise 5.1: return one float32 score for each image, a tensor (N,)"
assert -1 <= _score[0] <= -0.5, "Exercise 5.1: with two classes a score lies in [-1, -1/2]"
assert abs(_score[0] + 1 / (1 + np.exp(-0.5))) < 1e-5, "Exercise 5.1: without a step at T = 1 the score should be the MSP score"
assert abs(odin_score(_net, _x.clone(), 1.0, 0.1)[0] + 1 / (1 + np.exp(-0.9))) < 1e-5, "Exercise 5.1: the step should make the network surer"
assert abs(odin_score(_net, _x.clone(), 2.0, 0.1)[0] + 1 / (1 + np.exp(-0.45))) < 1e-5, "Exercise 5.1: the temperature should divide the logits of the second pass too"
visible_passed("5.1, the step and the temperature")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(71)
for _shape, _k, _t, _eps in (((3, 2, 5, 7), 4, 1.0, 0.05), ((1, 1, 8, 8), 2, 10.0, 0.02), ((6, 9), 5, 3.0, 0.3), ((2, 3, 4), 3, 0.7, 0.01), ((4, 6), 3, 2.0, 0.0)):
    _x = torch.rand(_shape, generator=_rng)
    _w, _b = 0.4 * torch.randn(_k, _x[0].numel(), generator=_rng), 0.2 * torch.randn(_k, generator=_rng)
    _rows = _x.flatten(1).double()
    _p = ((_rows @ _w.double().T + _b.double()) / _t).softmax(1)
    _g = _w.double()[_p.argmax(1)] - _p @ _w.double()
    _expected = -(((_rows + _eps * _g.sign()) @ _w.double().T + _b.double()) / _t).softmax(1).max(1).values
    _score = odin_score(LinearNet.from_weights(_w, _b), _x.clone(), _t, _eps)
    assert _score.shape == (len(_x),) and torch.allclose(_score.double(), _expected, rtol=0, atol=1e-5), "Exercise 5.1: the scores should follow the closed form on linear models, for other shapes, class counts, T and eps"
_still = LinearNet.from_weights(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))  # the second pixel has no influence
assert abs(odin_score(_still, torch.tensor([[1.0, 0.0]]), 1.0, 0.5)[0] + 1 / (1 + np.exp(-1.5))) < 1e-5, "Exercise 5.1: the step should not be clipped to [0, 1]"
_level = LinearNet.from_weights(torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))  # logits 0.5, 0, 0: the second pixel has gradient 0
assert abs(odin_score(_level, torch.tensor([[0.25, 0.0]]), 1.0, 0.5)[0] + np.exp(1.5) / (np.exp(1.5) + 2)) < 1e-5, "Exercise 5.1: a pixel whose gradient is 0 should not move"
_over = LinearNet.from_weights(torch.tensor([[0.0], [4.0], [-4.0]]), torch.tensor([1.0, 0.0, 0.0]))  # the step of 1 overshoots: class 1 overtakes class 0
_l = np.exp([1.0, 3.96, -3.96])
assert abs(odin_score(_over, torch.tensor([[-0.01]]), 1.0, 1.0)[0] + _l[1] / _l.sum()) < 1e-5, "Exercise 5.1: the largest class should be found anew after the step"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_odin_score_cnn", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: on a CNN
_x = x_id[:20].cpu().clone()
_plain, _stepped = (odin_score(load_cnn().cpu(), _x.clone(), 10.0, _eps) for _eps in (0.0, 0.02))
assert _plain.shape == (20,) and _stepped.mean() < _plain.mean(), "Exercise 5.1: the step should lower the scores of digits on average: the network gets surer"
visible_passed("5.1, on a CNN")
### BEGIN HIDDEN TESTS
_x, _cnn = torch.cat([x_id[100:140], outliers["texture"][:20]]).cpu(), load_cnn(1).cpu()
for _t, _eps in ((10.0, 0.02), (100.0, 0.005)):
    _leaf = _x.clone().requires_grad_(True)
    (_g,) = torch.autograd.grad((_cnn(_leaf) / _t).log_softmax(1).max(1).values.sum(), _leaf)
    with torch.no_grad():
        _expected = -(_cnn(_x + _eps * _g.sign()) / _t).softmax(1).max(1).values
    _score = odin_score(load_cnn(1).cpu(), _x.clone(), _t, _eps)
    assert ((_score - _expected).abs() < 1e-4).float().mean() >= 0.95, "Exercise 5.1: the scores on a CNN should follow the formula, at several T and eps"
    _alone = torch.cat([odin_score(load_cnn(1).cpu(), _x[_i : _i + 1].clone(), _t, _eps) for _i in (0, 30, 55)])
    assert torch.allclose(_alone, _score[[0, 30, 55]], rtol=0, atol=1e-4), "Exercise 5.1: an image should score the same alone and in a batch"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_odin_score_hygiene", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 5.1, aspect: nothing is left behind
torch.manual_seed(3)
_net, _x = BNDropNet(8).eval(), x_id[:6].cpu().clone()
_before = fingerprint(_net)
assert not odin_score(_net, _x, 10.0, 0.02).requires_grad, "Exercise 5.1: the result should be detached"
assert torch.equal(_x, x_id[:6].cpu()) and not _x.requires_grad, "Exercise 5.1: the caller's x should stay as it was"
assert fingerprint(_net) == _before, "Exercise 5.1: an eval-mode model should stay exactly as it was (mode, values, buffers, gradients)"
visible_passed("5.1, nothing is left behind")
### BEGIN HIDDEN TESTS
_expected = odin_score(_net, _x.clone(), 2.0, 0.05)
_net.train()
for _i, _parameter in enumerate(_net.parameters()):
    _parameter.grad = torch.full_like(_parameter, 0.5 + _i)
    _parameter.requires_grad_(_i != 1)
_before = fingerprint(_net)
_score = odin_score(_net, _x, 2.0, 0.05)
assert _net.training, "Exercise 5.1: a model that arrives in train mode should come back in train mode"
assert fingerprint(_net) == _before, "Exercise 5.1: a train-mode model should keep its buffers, gradients and flags"
assert _score.shape == (6,) and torch.allclose(_score, _expected, rtol=0, atol=1e-5), "Exercise 5.1: a train-mode model should give its eval-mode scores"
assert torch.equal(_x, x_id[:6].cpu()) and not _x.requires_grad, "Exercise 5.1: x should stay as it was"
### END HIDDEN TESTS

# %% [markdown]
# **Experiment.** Two settings have to be chosen: the temperature and the step.
#
# *Predict:* which of the two helps on these images? And on the gratings, of which the network is so sure?

# %% nbgrader={"grade": false, "grade_id": "plot_odin", "locked": true, "schema_version": 3, "solution": false, "task": false}
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
sizes = [0.0, 0.01, 0.02, 0.05, 0.1]
styles = dict(zip(outliers, ((plots.BLUE, "o-"), (plots.ORANGE, "s--"), (plots.RED, "^-"), (plots.BLACK, "D:"), (plots.GREEN, "v-."))))
for panel, temperature in zip(axes, (1.0, 10.0)):
    for name, (colour, style) in styles.items():
        curve = []
        for eps in sizes:
            a, b = (odin_score(load_cnn(SEED), images, temperature, eps).cpu().numpy() for images in (x_id, outliers[name]))
            curve.append(auroc(a, b))
        panel.plot(sizes, curve, style, color=colour, label=name)
        print(f"T {temperature:4.0f}   {name:8s}", "  ".join(f"eps {eps}: {value:.3f}" for eps, value in zip(sizes, curve)))
    plots.finish(panel, title=f"temperature {temperature:.0f}", xlabel="step eps (white = 1)", ylabel="AUROC of the ODIN score", legend=panel is axes[0])
axes[0].set_ylim(0.65, 1.0)
figure.suptitle("ODIN by temperature and step (one CNN)")
plots.show(
    "AUROC of the ODIN score, from 0.65 to 1, against the step, 0 to 0.1, in two panels: temperature 1 on the left, 10 on the right. "
    "Five curves with different markers stand for the five kinds of outliers."
)

# %% [markdown]
# **Reading.** Temperature 10 helps on natural patches, noise and shuffled pixels, and hurts on gratings: at a high temperature the score ranks images by the largest logit minus the mean of all logits, so height counts again. The step gains less than 0.01 on the near set at $T = 1$, about nothing at $T = 10$, and costs on most far sets.
#
# *What would change if* you chose $T$ and $\varepsilon$ by the best point of this figure? You would have tuned on the test outliers. The paper used outliers kept apart for that.

# %% [markdown]
# ## 6 Training for it: outlier exposure
#
# All scores so far take the network as it is. **Outlier exposure** (OE) shows it strangers during training and asks for an honest "I do not know": the uniform distribution over the $K$ classes. With the weight lambda, $\lambda$,
# $$\text{loss} = \underbrace{\text{mean over digits of } -\log p_{y}}_{\text{cross-entropy}} + \lambda \cdot \underbrace{\text{mean over outliers of } -\tfrac1K \textstyle\sum_k \log p_k}_{\text{cross-entropy to uniform}} .$$
#
# **Worked example.** One digit with the probabilities $(0.6, 0.3, 0.1)$ and label 0; one outlier with the same probabilities; $\lambda = 0.5$. First term: $-\log 0.6 = 0.511$. Second: $(0.511 + 1.204 + 2.303)/3 = 1.339$. Loss: $0.511 + 0.5 \cdot 1.339 = 1.180$. The second term is smallest, $\log 3 = 1.099$, where the outlier's probabilities are equal.

# %% [markdown]
# ### Exercise 6.1 `oe_loss` (7 points)
#
# *Easy. Importance: high. About 15 minutes.* Start from logits: `log_softmax` is exact where a probability rounds to 0.

# %% nbgrader={"grade": false, "grade_id": "oe_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def oe_loss(logits_in: Tensor, y: Tensor, logits_out: Tensor, lam: float) -> Tensor:
    """Return mean_i -log p_i[y_i] + lam * mean_j (-(1/K) * sum over k of log q_j[k]), a scalar tensor that can be differentiated.

    p_i = softmax(logits_in[i]), q_j = softmax(logits_out[j]). logits_in: float32 or float64 (N, K); y: int64 (N,); logits_out: (M, K) of the
    same dtype, M need not be N; lam >= 0. The result has the shape () and that dtype; gradients flow to both logits. Finite for
    logits of any size (1e4 too). Nothing is modified.
    Hidden checks: a recomputation for other N, M, K and lam, uniform logits, shifts of a row, lam = 0, both gradients, extreme logits.
    """
    ### BEGIN SOLUTION
    to_uniform = -logits_out.log_softmax(dim=1).mean()
    return F.cross_entropy(logits_in, y) + lam * to_uniform
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_oe_loss", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.1, aspect: values
_l = torch.tensor([[6.0, 3.0, 1.0]]).log()
_loss = oe_loss(_l, torch.tensor([0]), _l.clone(), 0.5)
assert isinstance(_loss, Tensor) and _loss.shape == (), "Exercise 6.1: return a scalar tensor, shape ()"
assert _loss.dtype == torch.float32, "Exercise 6.1: the loss should have the dtype of the logits"
assert abs(_loss - 1.1804) < 1e-3, "Exercise 6.1: the loss of the worked example"
assert abs(oe_loss(_l, torch.tensor([0]), _l.clone(), 0.0) - 0.5108) < 1e-3, "Exercise 6.1: lam = 0 leaves the cross-entropy of the digits"
visible_passed("6.1, values")
### BEGIN HIDDEN TESTS
for _seed, _n, _m, _k, _lam in ((81, 5, 9, 4, 0.5), (82, 1, 3, 2, 2.0), (83, 30, 1, 12, 0.1), (84, 8, 8, 3, 1.0)):
    _rng = torch.Generator().manual_seed(_seed)
    _in, _out = (2 * torch.randn(_size, _k, generator=_rng, dtype=torch.float64) for _size in (_n, _m))
    _y = torch.randint(0, _k, (_n,), generator=_rng)
    _p, _q = (_z.exp() / _z.exp().sum(1, keepdim=True) for _z in (_in, _out))
    _ce = -sum(np.log(_p[_i, _y[_i]].item()) for _i in range(_n)) / _n
    _expected = _ce + _lam * -sum(np.log(_v) for _row in _q.tolist() for _v in _row) / (_m * _k)
    _value = oe_loss(_in.clone(), _y.clone(), _out.clone(), _lam)
    assert _value.shape == () and abs(_value.item() - _expected) < 1e-9, "Exercise 6.1: the loss should agree with a recomputation, for any N, M, K and lam"
    assert abs(oe_loss(_in + 5, _y, _out - 3, _lam).item() - _expected) < 1e-9, "Exercise 6.1: adding a constant to all logits of a row should change nothing"
    _flat = oe_loss(torch.zeros(_n, _k).double(), _y, torch.ones(_m, _k).double(), _lam).item()
    assert abs(_flat - (1 + _lam) * np.log(_k)) < 1e-9, "Exercise 6.1: equal logits everywhere should give (1 + lam) log K"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_oe_loss_gradients", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.1, aspect: gradients and extreme logits
_out = torch.tensor([[2.0, 0.0, 0.0]], requires_grad=True)
oe_loss(torch.zeros(1, 3), torch.tensor([0]), _out, 1.0).backward()
assert _out.grad[0, 0] > 0 > _out.grad[0, 1], "Exercise 6.1: a descent step should make an outlier's probabilities more equal"
visible_passed("6.1, gradients and extreme logits")
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(85)
_in, _out = (torch.randn(_size, 4, generator=_rng, dtype=torch.float64).requires_grad_(True) for _size in (6, 3))
_y = torch.tensor([0, 3, 1, 1, 2, 0])
oe_loss(_in, _y, _out, 0.7).backward()
assert torch.allclose(_in.grad, (_in.softmax(1) - F.one_hot(_y, 4)).detach() / 6, rtol=0, atol=1e-9), "Exercise 6.1: the gradient of the digits' logits should be that of the mean cross-entropy"
assert torch.allclose(_out.grad, 0.7 * (_out.softmax(1) - 0.25).detach() / 3, rtol=0, atol=1e-9), "Exercise 6.1: the gradient should pull each outlier's probabilities towards 1/K"
_big = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
assert abs(oe_loss(_big, torch.tensor([0, 1]), _big.clone(), 0.5) - 2500) < 1, "Exercise 6.1: extreme logits should give a finite, right loss"
assert torch.equal(_big, torch.tensor([[1e4, 0.0], [0.0, 1e4]])), "Exercise 6.1: the logits should stay as they were"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.2 `train_outlier_exposure` (8 points)
#
# *Medium. Importance: high. About 25 minutes.* A training loop: for each batch of digits draw as many auxiliary images at random, take one step of Adam on your `oe_loss`. Two forward passes, or one on both batches joined. A trained network may come in: *fine-tuning*.

# %% nbgrader={"grade": false, "grade_id": "train_outlier_exposure", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_outlier_exposure(
    model: nn.Module, x: Tensor, y: Tensor, aux: Tensor, lam: float, epochs: int, lr: float, batch: int, seed: int
) -> list[float]:
    """Train model in place with outlier exposure; return, for each epoch, the mean of its batches' losses (each counts the same) as a Python float.

    Each epoch goes through all rows of x (N, ...) once, in a new order shuffled with `seed`, in batches of `batch` rows (the last may be
    smaller, and counts). For each batch of n rows it draws n rows of aux (A, ...) at random from all of them, repeats allowed, A of any size >= 1,
    and takes one step of torch.optim.Adam(model.parameters(), lr=lr) (one optimiser for all epochs) on oe_loss of the batch, its labels from
    y int64 (N,), and the drawn rows. The model trains in train mode, whatever mode it arrives in, and is left in eval mode. x, y and aux
    stay unchanged. Same seed, same result; another seed, another order. The initial weights are those the model arrives with; epochs >= 1.
    Hidden checks: training on data for which the order does not matter (every step, several batch sizes and lam), each row once per epoch,
    shuffling, draws from all of aux, the seed, modes, and what training does for images of a kind that was not in aux.
    """
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    losses = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(batch):
            drawn = torch.randint(len(aux), (len(rows),), generator=generator)
            loss = oe_loss(model(x[rows]), y[rows], model(aux[drawn]), lam)
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
    model.eval()
    return np.reshape(losses, (epochs, -1)).mean(axis=1).tolist()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test_train_outlier_exposure", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.2, aspect: the steps
_net, _x, _y, _aux = load_cnn().cpu(), x_train[:64].cpu().clone(), y_train[:64].cpu().clone(), auxiliary[::20].cpu().clone()
_losses = train_outlier_exposure(_net, _x, _y, _aux, 0.5, 4, 2e-3, 32, 0)
assert isinstance(_losses, list) and len(_losses) == 4 and all(isinstance(_v, float) for _v in _losses), "Exercise 6.2: return a list of one float for each epoch"
assert _losses[-1] < _losses[0], "Exercise 6.2: the loss should fall"
assert not torch.equal(_net.head.weight, load_cnn().cpu().head.weight), "Exercise 6.2: the model itself should be trained, not a copy"
visible_passed("6.2, the steps")
### BEGIN HIDDEN TESTS
for _seed, _batch, _lam, _epochs in ((91, 4, 0.5, 3), (92, 10, 2.0, 4), (93, 3, 0.0, 2)):  # ten equal digits, equal outliers: order does not matter
    _rng = torch.Generator().manual_seed(_seed)
    _w, _row, _out = torch.randn(3, 6, generator=_rng), torch.rand(1, 6, generator=_rng), torch.rand(1, 6, generator=_rng)
    _net, _twin = LinearNet.from_weights(_w), LinearNet.from_weights(_w)
    _losses = train_outlier_exposure(_net, _row.repeat(10, 1), torch.ones(10, dtype=torch.int64), _out.repeat(5, 1), _lam, _epochs, 0.05, _batch, _seed)
    _optimiser, _expected = torch.optim.Adam(_twin.parameters(), lr=0.05), []
    for _ in range(_epochs * -(-10 // _batch)):
        _loss = -_twin(_row).log_softmax(1)[0, 1] - _lam * _twin(_out).log_softmax(1).mean()
        _optimiser.zero_grad()
        _loss.backward()
        _optimiser.step()
        _expected.append(_loss.item())
    assert torch.allclose(_net.linear.weight, _twin.linear.weight, atol=1e-4), "Exercise 6.2: one Adam step on oe_loss for each batch, also the last and smaller one"
    assert len(_losses) == _epochs and np.allclose(_losses, np.reshape(_expected, (_epochs, -1)).mean(1), rtol=0.02), "Exercise 6.2: the losses returned should be the means over each epoch's batches"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_train_outlier_exposure_data", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.2, aspect: order, draws, modes
torch.manual_seed(3)
_net, _x, _y, _aux = BNDropNet(8).eval(), x_train[:24].cpu().clone(), y_train[:24].cpu().clone(), auxiliary[:7].cpu().clone()
train_outlier_exposure(_net, _x, _y, _aux, 0.5, 1, 1e-3, 8, 0)
assert not _net.training, "Exercise 6.2: the model should be left in eval mode"
assert torch.equal(_x, x_train[:24].cpu()) and torch.equal(_y, y_train[:24].cpu()) and torch.equal(_aux, auxiliary[:7].cpu()), "Exercise 6.2: x, y and aux should stay as they were"
visible_passed("6.2, order, draws, modes")
### BEGIN HIDDEN TESTS
assert _net.norm.running_mean.abs().sum() > 0, "Exercise 6.2: a model that arrives in eval mode should be trained in train mode"
_rng = torch.Generator().manual_seed(94)
_w, _x, _y = torch.randn(3, 6, generator=_rng), 2 * torch.randn(12, 6, generator=_rng), torch.arange(12) % 3
_one = torch.rand(1, 6, generator=_rng)
_ends = [LinearNet.from_weights(_w) for _ in range(6)]
for _seed, _net in enumerate(_ends[:5] + _ends[5:]):
    train_outlier_exposure(_net, _x.clone(), _y.clone(), _one.clone(), 0.5, 1, 0.1, 4, max(_seed, 1))
_same, _other = torch.equal(_ends[0].linear.weight, _ends[1].linear.weight), [torch.equal(_ends[1].linear.weight, _n.linear.weight) for _n in _ends[2:]]
assert _same, "Exercise 6.2: the same seed should give the same result"
assert not any(_other), "Exercise 6.2: the digits should come in an order shuffled by the seed"
for _seed in (4, 5, 6):  # a learning rate so small that nothing moves: the mean loss tells which rows were used
    _ce = F.cross_entropy(LinearNet.from_weights(_w)(_x), _y) - 0.5 * LinearNet.from_weights(_w)(_one).log_softmax(1).mean()
    _losses = train_outlier_exposure(LinearNet.from_weights(_w), _x.clone(), _y.clone(), _one.clone(), 0.5, 2, 1e-12, 4, _seed)
    assert np.allclose(_losses, _ce.item(), atol=1e-4), "Exercise 6.2: each epoch should use every row of x once"
_losses = train_outlier_exposure(LinearNet.from_weights(_w), _x[:5].clone(), _y[:5].clone(), _one.clone(), 0.5, 10, 1e-12, 4, 8)
_all = (F.cross_entropy(LinearNet.from_weights(_w)(_x[:5]), _y[:5]) - 0.5 * LinearNet.from_weights(_w)(_one).log_softmax(1).mean()).item()
# the row that is left for the last batch weighs most, so a new order shows in the mean; not where rows weigh alike, which is no matter of order
assert np.ptp(_losses) > 1e-3 or np.allclose(_losses, _all, atol=1e-4), "Exercise 6.2: each epoch should come in a new order"
_aux = torch.cat([_one.repeat(50, 1), -_one.repeat(50, 1)])
_low, _high = sorted(-LinearNet.from_weights(_w)(_v).log_softmax(1).mean().item() for _v in (_one, -_one))
_losses = train_outlier_exposure(LinearNet.from_weights(_w), _x[:1].repeat(200, 1), _y[:1].repeat(200), _aux, 1.0, 1, 1e-12, 1, 7)
_share = (_losses[0] - F.cross_entropy(LinearNet.from_weights(_w)(_x[:1]), _y[:1]).item() - _low) / (_high - _low)
assert 0.3 < _share < 0.7, "Exercise 6.2: for each batch the auxiliary images should be drawn at random from all of aux"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_train_outlier_exposure_result", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Exercise 6.2, aspect: what it achieves
_net = load_cnn().cpu()
train_outlier_exposure(_net, x_train.cpu().clone(), y_train.cpu().clone(), auxiliary.cpu().clone(), 0.5, 3, 2e-3, 64, 0)
assert accuracy(_net, x_id.cpu(), y_id.cpu()) >= 0.96, "Exercise 6.2: the digits should still be read correctly"
with torch.no_grad():
    _a, _b = (_net(_images.cpu()).softmax(1).max(1).values for _images in (x_id, outliers["natural"]))
assert (_b[:, None] < _a).float().mean() >= 0.98, "Exercise 6.2: the network should be less sure of outliers like those in aux than of digits"
visible_passed("6.2, what it achieves")
### BEGIN HIDDEN TESTS
_net = load_cnn(1).cpu()
train_outlier_exposure(_net, x_train.cpu().clone(), y_train.cpu().clone(), auxiliary.cpu().clone(), 0.5, 8, 2e-3, 64, 5)
assert accuracy(_net, x_id.cpu(), y_id.cpu()) >= 0.965, "Exercise 6.2: the digits should still be read correctly, on another network"
for _name, _least in (("texture", 0.96), ("near", 0.93)):
    with torch.no_grad():
        _a, _b = (_net(_images.cpu()).softmax(1).max(1).values for _images in (x_id, outliers[_name]))
    assert (_b[:, None] < _a).float().mean() >= _least, "Exercise 6.2: the network should also become less sure of outliers of a kind that is not in aux"
### END HIDDEN TESTS

# %% [markdown]
# **Picture.** The result of the notebook: six detectors, five kinds of outliers, three networks. The auxiliary images are patches of *another* photograph and shuffled *training* digits; gratings, noise, 8s and 9s were never shown.
#
# *Predict* and write down: on which sets will outlier exposure gain most? Is there a set on which it is not the best?

# %% nbgrader={"grade": false, "grade_id": "plot_all", "locked": true, "schema_version": 3, "solution": false, "task": false}
methods = ("MSP", "max logit", "energy", "Mahalanobis", "ODIN", "OE + MSP")
table = {}
for seed in range(3):
    network, exposed = load_cnn(seed), load_cnn(seed)
    train_outlier_exposure(exposed, x_train, y_train, auxiliary, 0.5, 8, 2e-3, 64, seed)
    with torch.no_grad():
        gaussians = fit_mahalanobis(network.features(x_train), y_train, 8, 1e-3)
    scores = {}
    for name, images in [("ID", x_id), *outliers.items()]:
        with torch.no_grad():
            logits, feats, exposed_logits = network(images), network.features(images), exposed(images)
        found = (msp_score(logits), max_logit_score(logits), energy_score(logits), mahalanobis_score(feats, gaussians), odin_score(network, images, 10.0, 0.02), msp_score(exposed_logits))
        scores[name] = [score.cpu().numpy() for score in found]
    for name in outliers:
        for method, a, b in zip(methods, scores["ID"], scores[name]):
            table.setdefault((method, name), []).append((auroc(a, b), fpr_at_tpr(a, b)))
    print(f"network {seed}: accuracy {accuracy(network, x_id, y_id):.3f}, after outlier exposure {accuracy(exposed, x_id, y_id):.3f}")
print("AUROC / FPR95, means of three networks\n" + " " * 12 + "".join(f"{name:>14s}" for name in outliers))
for method in methods:
    print(f"{method:12s}" + "".join("{:8.3f} /{:4.2f}".format(*np.mean(table[method, name], axis=0)) for name in outliers))
plt.figure(figsize=(8, 4.2), layout="constrained")
looks = zip(methods, "os^Dv*", (plots.BLUE, plots.SKY, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.RED))
for shift, (method, marker, colour) in enumerate(looks):
    for place, name in enumerate(outliers):
        values = [area for area, _ in table[method, name]]
        plt.plot([place + 0.12 * shift - 0.3] * 3, values, marker, color=colour, label=method if place == 0 else None)
plt.xticks(range(5), outliers)
plt.axhline(1.0, color="grey", linestyle=":", linewidth=1)
plots.finish(plt.gca(), title="AUROC by detector and kind of outlier (each mark one of three networks)", xlabel="kind of outlier", ylabel="AUROC", legend=False)
plt.legend(loc="lower right", ncols=2, frameon=False, fontsize=9)
plots.show(
    "AUROC of six detectors on five kinds of outliers, which stand along the horizontal axis. Each detector has its own marker and "
    "colour, and three marks for each kind, one for each network; a dotted line marks 1."
)

# %% [markdown]
# **Reading.** Outlier exposure lifts the gratings, which it never saw, from 0.87 to 0.99. Natural and pixperm come close to 1, but their relatives were in the auxiliary set. The near set gains least: there it leads the maximum logit by less than 0.01, and on the gratings Mahalanobis distance has as small an FPR95 (0.04 against 0.05). Of the five scores that take the network as it is, none wins everywhere: Mahalanobis is best on the gratings and worst on 8s and 9s.
#
# *Look at the spread:* energy on the gratings ranges from 0.78 to 0.87 between networks that differ in their seed only. A comparison with one network would prove little.

# %% [markdown] nbgrader={"grade": false, "grade_id": "question_scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 7 Question (20 points)
#
# Write at most 300 words; only the first 300 are marked. Use numbers from your own runs; the cells above print them.
#
# 1. Why does the Mahalanobis distance win on far outliers and lose on the near ones? Argue with what the features were trained for.
# 2. Why is energy worse than MSP on the gratings here, although it uses strictly more of the logits?
# 3. What would make the result of outlier exposure dishonest, and how does this notebook try to avoid it?
# 4. You deploy one of these detectors in front of a form reader. Which number would you ask for before signing, and why not AUROC?
#
# === BEGIN MARK SCHEME ===
# Each criterion on a scale of 0-4 (0 absent, 1 wrong or generic, 2 partly right, 3 right, 4 right with evidence from the student's own numbers), scaled to 5 points.
#
# * (1) 5 points. The features were trained to separate 0 to 7 and to ignore the rest: an 8 or 9 is made of the same strokes, so its features fall into or between the known clouds; far images excite combinations of features that no digit has, which a distance to all clouds sees even where the classifier is sure. Evidence: median distances or AUROC near against texture. "Far is easier than near" alone is worth at most 1.
# * (2) 5 points. Gratings drive many filters hard, so features and logits are large: largest and second logit rise together. Energy and maximum logit read the height as familiarity; MSP sees only the lead over the rest and cancels the common part. Evidence: medians or quantiles of energy, logits, lead or feature length, or the two AUROCs. Naming the shift invariance of softmax without gratings: 2.
# * (3) 5 points. Testing on kinds of outliers (or the very images, photographs or generators) that were in the auxiliary set, or choosing auxiliary data, lambda or epochs by the test sets. Here: texture, noise and near are unseen; natural and pixperm are related to the auxiliary data (another photograph, other digits), so their near-perfect values count less. 4 needs the distinction between the two groups of sets, with a number.
# * (4) 5 points. A number at the operating point: the FPR at the required TPR (or the TPR at the FPR that the reviewers can bear), or the precision at the expected share of outliers, on outliers of the kind expected in use or the worst of several kinds, with its spread over seeds. Why not AUROC: it averages over thresholds nobody will use and hides the base rate. Only "FPR95" without a reason: 2. 4 needs a comparison of two own numbers.
# More than 300 words: mark the first 300.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade": true, "grade_id": "answer_scores", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# (1) The features were trained to separate 0 to 7 and nothing else. 8s and 9s consist of the same strokes, so their features fall into or between the fitted Gaussians: AUROC 0.81, FPR95 0.47 (median distances: digits 35, near 59), where energy has 0.98 and 0.07. Gratings excite combinations that no digit has: median 230, AUROC 0.990, even where softmax is sure.
#
# (2) On gratings many filters respond at once: features are 57 long, 50 on digits, 45 on 8s and 9s. Largest and second logit rise together (8.2 and 4.8; near: 6.0 and 3.9). To energy, high means familiar, so the 5 % quantile of the gratings, −15.6, is as low as that of the digits: FPR95 0.94. MSP is blind to what is added to all logits and sees the lead (2.7 against 8.2): 0.65.
#
# (3) Testing on what was exposed. With other gratings as auxiliary data texture reaches 0.999, which only says that training worked. Choosing λ or the auxiliary set by the test sets would be the same mistake. Here texture, noise and near are unseen: 0.990, 1.000 and 0.979 are evidence. Natural (1.000) and pixperm (0.999) are related to the auxiliary set, if only by another photograph and other digits, and count less.
#
# (4) The share of good forms refused at the catch rate that the task requires, on the kinds of outliers I expect and on the worst of them, over several seeds. AUROC averages over thresholds that I will never use: on gratings MSP has a decent 0.86, yet at 95 % caught it refuses 65 % of the digits. And without the share of outliers in use I cannot know how many alarms will be right.

# %% [markdown]
# ## Summary
#
# * One convention prevents most mistakes: a score measures anomaly, OOD is positive. AUROC is the chance that an outlier outscores a digit, ties half; FPR95 fixes the threshold by the outliers; AUPR depends on how common they are.
# * MSP sees the lead of the best class, maximum logit and energy also see the height, Mahalanobis distance sees the features. None wins everywhere.
# * Outlier exposure teaches the network to be unsure. It counts as evidence for outliers whose kind was *not* in the auxiliary set.
# * Report each kind of outlier apart, at the operating point, with several networks.
#
# **References**
#
# * Hendrycks, Gimpel: *A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks*, ICLR 2017, sections 2 and 3 (MSP, AUROC, AUPR).
# * Liang, Li, Srikant: *Enhancing the Reliability of Out-of-Distribution Image Detection in Neural Networks*, ICLR 2018, section 3 (ODIN).
# * Lee, Lee, Lee, Shin: *A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks*, NeurIPS 2018, section 2 (Mahalanobis).
# * Hendrycks, Mazeika, Dietterich: *Deep Anomaly Detection with Outlier Exposure*, ICLR 2019, sections 3 and 4.
# * Liu, Wang, Owens, Li: *Energy-based Out-of-distribution Detection*, NeurIPS 2020, section 3.
# * Hendrycks, Basart, Mazeika et al.: *Scaling Out-of-Distribution Detection for Real-World Settings*, ICML 2022 (maximum logit).
# * Yang, Wang, Zou et al.: *OpenOOD: Benchmarking Generalized Out-of-Distribution Detection*, NeurIPS 2022, Datasets and Benchmarks (many detectors, near and far sets).
# * Data: the optical digits of scikit-learn's `load_digits` (UCI repository) and its two sample photographs.

# %% [markdown]
# **Bonus: which outliers to expose?** *Predict* the AUROC on the gratings when the auxiliary set is only patches, only shuffled digits, or other gratings. Which of the three numbers would you call a result?

# %% nbgrader={"grade": false, "grade_id": "bonus_auxiliary", "locked": true, "schema_version": 3, "solution": false, "task": false}
for name, aux in (("patches only", auxiliary[:600]), ("shuffled digits only", auxiliary[600:]), ("other gratings", gratings(600, seed=99).to(DEVICE))):
    exposed = load_cnn(SEED)
    train_outlier_exposure(exposed, x_train, y_train, aux, 0.5, 8, 2e-3, 64, 0)
    with torch.no_grad():
        sure = {kind: msp_score(exposed(images)).cpu().numpy() for kind, images in [("ID", x_id), *outliers.items()]}
    print(f"{name:21s}", "  ".join(f"{kind} {auroc(sure['ID'], sure[kind]):.3f}" for kind in outliers))
