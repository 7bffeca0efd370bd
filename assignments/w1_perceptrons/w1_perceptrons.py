# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The perceptron: learning from mistakes
#
# Can a machine find a rule it was never told, only by being corrected? Frank Rosenblatt's procedure of 1958 looks at one example at a time and changes nothing unless it is wrong. You will write it, count its mistakes against a theorem, repair it by averaging, and measure it on real data.

# %% [markdown]
# **After this notebook you can**
#
# 1. compute signed distances, predictions, accuracies and margins by hand and with NumPy, ties included;
# 2. trace the perceptron on paper, and write a version whose trace agrees with yours;
# 3. state the mistake bound, test it (the slope of a log-log plot should be about -2), and name what it does not promise;
# 4. average hypotheses, and estimate accuracy on unseen data by cross-validation.
#
# **What it costs**: eight to ten hours with the reading; ten exercises (85 points, graded automatically) and one written question (15 points, graded by hand). One CPU core is enough, and the finished notebook runs in about ten seconds.

# %% [markdown]
# **Checks.** Replace `raise NotImplementedError()` and run the cells below. Visible checks answer at once; hidden ones run at grading and demand only what the docstring says.
#
# **Convention.** Rows are examples: `X` is `(N, D)`, N examples of D features (MIT 6.036 uses columns, `(d, n)`). Labels `y`, `(N,)`, are -1 or +1. No function may change its arrays.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"  # nothing here needs more than one CPU core
SEED = 0  # the numbers quoted in the text were measured with 0

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np
from courselib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, finish, show, use_course_style
from sklearn.datasets import load_breast_cancer, load_digits

use_course_style()


def visible_passed(what: str) -> None:
    """Say that the visible checks of one test cell hold."""
    print(f"Exercise {what}: visible checks passed. Hidden checks run at grading.")


# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def make_separable(n: int, d: int, gamma: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X (n, d), y (n,) and u (d,): unit vectors, all exactly gamma from the plane u·x = 0, on the side y says."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal(d)
    u /= np.linalg.norm(u)
    v = rng.standard_normal((n, d))
    v -= np.outer(v @ u, u)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    y = rng.choice([-1, 1], size=n)
    return np.sqrt(1 - gamma**2) * v + gamma * y[:, None] * u, y, u


def make_gap(n: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X (n, 2), y (n,): uniform in a square, none nearer than gap to the line 0.6 x1 - 0.8 x2 + 0.5 = 0."""
    X = np.random.default_rng(seed).uniform(-3, 3, size=(50 * n, 2))
    d = X @ np.array([0.6, -0.8]) + 0.5
    keep = np.flatnonzero(np.abs(d) >= gap)[:n]
    return X[keep], np.where(d[keep] > 0, 1, -1)


def make_overlap(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X (n, 2), y (n,): two round clouds, centres 2 standard deviations apart, so no plane errs on fewer than 15.9 %."""
    rng = np.random.default_rng(seed)
    y = rng.choice([-1, 1], size=n)
    return rng.standard_normal((n, 2)) + y[:, None] * np.array([1.0, 1.0]) / np.sqrt(2), y


def plot_points(axes: plt.Axes, X: np.ndarray, y: np.ndarray) -> None:
    """Draw 2-D examples: +1 as blue circles, -1 as orange squares."""
    axes.scatter(*X[y == 1].T, s=24, color=BLUE, marker="o", label="y = +1")
    axes.scatter(*X[y == -1].T, s=24, color=ORANGE, marker="s", label="y = -1")


def plot_boundary(axes: plt.Axes, th: np.ndarray, th0: float, **style) -> None:
    """Draw the line th·x + th0 = 0 across the panel without changing its range."""
    limits = axes.get_xlim(), axes.get_ylim()
    norm = np.linalg.norm(th)
    foot, along = -th0 * th / norm**2, np.array([-th[1], th[0]]) / norm
    ends = foot + np.array([[-50.0], [50.0]]) * along
    axes.plot(*ends.T, **style)
    axes.set(xlim=limits[0], ylim=limits[1])


# %% [markdown]
# ## 1. Planes that decide
#
# A **hypothesis** is a plane: a normal vector $\theta$ (`th`, D numbers) and an offset $\theta_0$ (`th0`). There $\theta\cdot x+\theta_0=0$; on the side $\theta$ points to, the sum is positive. Divided by the length $\|\theta\|$ it is a distance:
#
# $$d(x)=\frac{\theta\cdot x+\theta_0}{\|\theta\|}.$$
#
# Worked example: $\theta=(3,4)$, $\theta_0=-5$, $\|\theta\|=5$. The point $(3,4)$ gives $(9+16-5)/5=4$, the origin $-5/5=-1$.

# %% [markdown]
# ### Exercise 1.1: signed distance (6 points)
#
# *Easy. Importance: high. About 10 minutes.* Before you write it: which of these change the answer: doubling $\theta$ alone, doubling $\theta$ and $\theta_0$ together, changing the sign of both?

# %% nbgrader={"grade": false, "grade_id": "signed_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def signed_distance(X: np.ndarray, th: np.ndarray, th0: float) -> np.ndarray:
    """Signed distance of each row of X to the plane th·x + th0 = 0.

    X: (N, D) float or integer. th: (D,) float or integer, not all zero. th0: a number.
    Returns (N,) float64: (th·x_i + th0) / |th| with the Euclidean length |th| of th alone.
    Hidden checks: random values, integer input, points on the plane, scaling and sign changes of (th, th0).
    """
    ### BEGIN SOLUTION
    return (X @ th + th0) / np.linalg.norm(th)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_signed_distance", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_d = signed_distance(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([3.0, 4.0]), -5.0)
assert isinstance(_d, np.ndarray), "Exercise 1.1: return a NumPy array"
assert _d.shape == (2,), "Exercise 1.1: one distance for each row, shape (N,)"
assert _d.dtype == np.float64, "Exercise 1.1: distances are float64"
assert np.allclose(_d, [4, -1]), "Exercise 1.1: the worked example does not come out"
visible_passed("1.1, values")
### BEGIN HIDDEN TESTS
_X, _th = np.array([[1, 2, 2], [0, -3, 1], [4, 0, -7]]), np.array([2, -1, 2])  # integers, |th| = 3
_d = signed_distance(_X, _th, 4)
assert _d.shape == (3,) and _d.dtype == np.float64, "Exercise 1.1: integer input must give float64 distances"
assert np.allclose(_d, [8 / 3, 3, -2 / 3]), "Exercise 1.1: wrong distances on integer input"
_rng = np.random.default_rng(11)
_X, _th, _th0 = _rng.standard_normal((7, 4)), _rng.standard_normal(4), 1.7
_expected = [(sum(a * b for a, b in zip(_x, _th)) + _th0) / sum(a * a for a in _th) ** 0.5 for _x in _X]
assert np.allclose(signed_distance(_X, _th, _th0), _expected), "Exercise 1.1: wrong distances on random data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_signed_distance_geometry", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_X, _th = np.array([[1.0, 1.0], [-2.0, 0.5]]), np.array([2.0, -1.0])
_d = signed_distance(_X, _th, 0.5)
assert np.allclose(signed_distance(_X, 10 * _th, 5.0), _d), "Exercise 1.1: (10 th, 10 th0) is the same plane"
visible_passed("1.1, geometry")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(12)
_X, _th, _th0 = _rng.standard_normal((9, 5)), 3 * _rng.standard_normal(5), -2.2
_d = signed_distance(_X, _th, _th0)
for _c in (0.01, 0.5, 300.0):
    assert np.allclose(signed_distance(_X, _c * _th, _c * _th0), _d), "Exercise 1.1: distance depends on the scale of (th, th0)"
assert np.allclose(signed_distance(_X, -_th, -_th0), -_d), "Exercise 1.1: (-th, -th0) must change the sign"
_foot = _X - np.outer(_d, _th / np.sqrt(np.sum(_th**2)))  # walk back by the distance
assert np.allclose(signed_distance(_foot, _th, _th0), 0, atol=1e-9), "Exercise 1.1: walking back by the distance must end on the plane"
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "plot_distance", "locked": true, "schema_version": 3, "solution": false, "task": false}
X, y = make_gap(60, 0.3, SEED)
th, th0 = np.array([0.6, -0.8]), 0.5
grid = np.stack(np.meshgrid(np.linspace(-3.2, 3.2, 60), np.linspace(-3.2, 3.2, 60)), axis=-1)
field = signed_distance(grid.reshape(-1, 2), th, th0).reshape(60, 60)

fig, axes = plt.subplots(figsize=(5.4, 4.6))
levels = axes.contour(grid[..., 0], grid[..., 1], field, levels=[-3, -2, -1, 1, 2, 3], colors="0.5", linewidths=1, linestyles="solid")
axes.clabel(levels, fmt="%+d", fontsize=9, manual=[(-2.4, 2.6), (-2.8, 1.0), (-2.5, 0.0), (-0.3, -0.9), (0.3, -1.7), (0.9, -2.5)])
plot_points(axes, X, y)
plot_boundary(axes, th, th0, color=BLACK)
axes.annotate("", xy=(-0.3 + 0.6, 0.4 - 0.8), xytext=(-0.3, 0.4), arrowprops={"arrowstyle": "->", "lw": 2})
axes.set_aspect("equal")
finish(axes, title="Signed distance to a plane (60 examples)", xlabel="feature $x_1$", ylabel="feature $x_2$", legend=False)
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
show(
    "Scatter plot of 60 examples, feature x1 against feature x2: circles (+1) and squares (-1) on the two sides of a black line. Grey "
    "lines numbered -3 to +3 join points of equal signed distance to it, and an arrow shows theta."
)


# %% [markdown]
# **Reading.** Grey lines join points of equal distance to the black plane: parallel and evenly spaced, because distance is linear in $x$. The arrow is $\theta/\|\theta\|$, one unit long. What would change if $\theta_0$ went from 0.5 to 2.5? All lines would keep their direction and move by 2 against the arrow.

# %% [markdown]
# ### Exercise 1.2: predict (5 points)
#
# *Easy. Importance: high. About 10 minutes.* A hypothesis answers +1 where $\theta\cdot x+\theta_0>0$ and -1 elsewhere. A point exactly on the plane needs a rule too; ours says -1. Ties are not rare: the perceptron starts with $\theta=0$, where every point ties.

# %% nbgrader={"grade": false, "grade_id": "predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predict(X: np.ndarray, th: np.ndarray, th0: float) -> np.ndarray:
    """Labels that the plane (th, th0) gives to the rows of X.

    X: (N, D), N may be 0. th: (D,), may be all zero. th0: a number.
    Returns (N,) of an integer dtype: +1 where th·x_i + th0 > 0, otherwise -1 (so -1 on the plane itself).
    Hidden checks: points on the plane, th = 0, no examples (shape (0,)), the dtype, the offset.
    """
    ### BEGIN SOLUTION
    return np.where(X @ th + th0 > 0, 1, -1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_predict", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_p = predict(np.array([[2.0, 0.0], [0.0, 2.0], [3.0, 1.0], [-1.0, -4.0]]), np.array([1.0, -1.0]), -2.5)
assert isinstance(_p, np.ndarray) and _p.shape == (4,), "Exercise 1.2: return an array of shape (N,)"
assert np.issubdtype(_p.dtype, np.integer), "Exercise 1.2: labels are integers"
assert np.array_equal(_p, [-1, -1, -1, 1]), "Exercise 1.2: wrong labels for four points"
visible_passed("1.2, labels")
### BEGIN HIDDEN TESTS
_X, _th = np.random.default_rng(21).standard_normal((40, 3)), np.array([1.0, -2.0, 0.5])
for _th0 in (-2.0, 0.0, 1.5):
    _expected = [1 if sum(a * b for a, b in zip(_x, _th)) + _th0 > 0 else -1 for _x in _X]
    assert np.array_equal(predict(_X, _th, _th0), _expected), "Exercise 1.2: wrong labels on random data"
assert np.issubdtype(predict(_X, _th, 0.0).dtype, np.integer), "Exercise 1.2: labels are integers"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_predict_edges", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
_p = predict(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([1.0, -1.0]), 0.0)
assert np.array_equal(_p, [-1, -1]), "Exercise 1.2: points on the plane have a rule, see the docstring"
visible_passed("1.2, edges")
### BEGIN HIDDEN TESTS
_X = np.array([[2, 1], [1, 3], [4, 0], [0, -3]])
assert np.array_equal(predict(_X, np.array([1, 1]), -3), [-1, 1, 1, -1]), "Exercise 1.2: a point on a plane with offset is labelled wrongly"
assert np.array_equal(predict(_X, np.zeros(2), 0.0), [-1, -1, -1, -1]), "Exercise 1.2: th = 0, th0 = 0 puts every point on the plane"
assert np.array_equal(predict(_X, np.zeros(2), 1.0), [1, 1, 1, 1]), "Exercise 1.2: with th = 0 the offset decides"
assert predict(np.zeros((0, 2)), np.ones(2), 1.0).shape == (0,), "Exercise 1.2: no examples must give shape (0,)"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 1.3: accuracy (5 points)
#
# *Easy. Importance: medium. About 10 minutes.* The **accuracy** is the fraction of examples that get their own label; the **error** is 1 minus that. Three of four right is 0.75. With no examples the fraction is not defined, and a silent `nan` would travel far, so raise a `ValueError`.

# %% nbgrader={"grade": false, "grade_id": "accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accuracy(X: np.ndarray, y: np.ndarray, th: np.ndarray, th0: float) -> float:
    """Fraction of rows of X whose predicted label (the rule of predict) equals y.

    X: (N, D). y: (N,) of -1 and +1. Returns a float in [0, 1]. Raises ValueError if N = 0.
    A point on the plane counts as predicted -1: right if its label is -1, wrong if it is +1.
    Hidden checks: flipped labels, points on the plane, the type, no examples.
    """
    ### BEGIN SOLUTION
    if len(y) == 0:
        raise ValueError("accuracy of no examples is not defined")
    return float(np.mean(predict(X, th, th0) == y))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_accuracy", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[2.0], [1.0], [-1.0], [-3.0]]), np.array([1, 1, -1, 1])
_a = accuracy(_X, _y, np.array([1.0]), 0.0)
assert isinstance(_a, float), "Exercise 1.3: return a float"
assert abs(_a - 0.75) < 1e-12, "Exercise 1.3: three of four right"
visible_passed("1.3, values")
### BEGIN HIDDEN TESTS
assert abs(accuracy(_X, -_y, np.array([1.0]), 0.0) - 0.25) < 1e-12, "Exercise 1.3: wrong value for flipped labels"
_X, _y = np.arange(10.0)[:, None], np.array([-1, -1, 1, -1, -1, 1, 1, -1, 1, 1])
assert abs(accuracy(_X, _y, np.array([2.0]), -9.0) - 0.8) < 1e-12, "Exercise 1.3: wrong value with an offset"
assert isinstance(accuracy(_X, _y, np.array([-2.0]), 9.0), float), "Exercise 1.3: return a float"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_accuracy_edges", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
_a = accuracy(np.array([[0.0], [1.0], [2.0], [0.0], [3.0]]), np.array([1, 1, 1, 1, 1]), np.array([1.0]), 0.0)
assert abs(_a - 0.6) < 1e-12, "Exercise 1.3: a +1 example on the plane is wrong"
visible_passed("1.3, edges")
### BEGIN HIDDEN TESTS
_a = accuracy(np.array([[1.0], [1.0], [4.0]]), np.array([-1, -1, -1]), np.array([1.0]), -1.0)
assert abs(_a - 2 / 3) < 1e-12, "Exercise 1.3: a -1 example on the plane is right"
try:
    accuracy(np.zeros((0, 2)), np.zeros(0, dtype=int), np.ones(2), 0.0)
    _raised = False
except ValueError:
    _raised = True
assert _raised, "Exercise 1.3: no examples must raise ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Learning by luck
#
# The simplest learner draws k random planes and keeps the one with the lowest **training error**, the error on the examples it saw. What we want is a low **test error**, the error on fresh examples of the same kind. That the second follows from the first is **generalisation**, and it is not automatic.
#
# ### Exercise 2.1: random linear classifier (8 points)
#
# *Medium. Importance: medium. About 20 minutes.* Randomness comes only through `rng`, so two people with the same seed get the same planes. That needs a fixed order of draws; the docstring gives it. Worked example: errors 0.4, 0.1, 0.3, 0.1 for k = 4 candidates; the second is returned, since the first of equals wins.

# %% nbgrader={"grade": false, "grade_id": "random_linear_classifier", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_linear_classifier(
    X: np.ndarray, y: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, float]:
    """Best of k random planes.

    X: (N, D), N >= 1. y: (N,). k >= 1. For each candidate, in this order: th = rng.standard_normal(D),
    then th0 = rng.standard_normal(); nothing else is drawn.
    Returns (th, th0, err) of the candidate with the lowest training error, the FIRST such candidate on ties;
    err (float) = 1 - accuracy of the returned plane on (X, y).
    Hidden checks: the draws, that err belongs to the plane, the choice, ties.
    """
    ### BEGIN SOLUTION
    best = None
    for _ in range(k):
        th = rng.standard_normal(X.shape[1])
        th0 = rng.standard_normal()
        err = 1.0 - accuracy(X, y, th, th0)
        if best is None or err < best[2]:
            best = (th, th0, err)
    return best
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_random_linear_classifier", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5], [2.0, -2.0]]), np.array([1, -1, -1, 1])
_th, _th0, _err = random_linear_classifier(_X, _y, 1, np.random.default_rng(3))
_draw = np.random.default_rng(3)
assert np.shape(_th) == (2,), "Exercise 2.1: th has shape (D,)"
assert np.allclose(_th, _draw.standard_normal(2)), "Exercise 2.1: with k = 1, th is the first draw of rng"
assert np.allclose(_th0, _draw.standard_normal()), "Exercise 2.1: with k = 1, th0 is the draw after th"
assert abs(_err - np.mean(np.where(_X @ _th + _th0 > 0, 1, -1) != _y)) < 1e-12, "Exercise 2.1: err is the training error of the plane"
visible_passed("2.1, draws")
### BEGIN HIDDEN TESTS
for _seed in (4, 5, 6):
    _rng, _draw = np.random.default_rng(_seed), np.random.default_rng(_seed)
    _X, _y = make_overlap(31, _seed)
    _th, _th0, _err = random_linear_classifier(_X, _y, 12, _rng)
    _planes = [(_draw.standard_normal(2), _draw.standard_normal()) for _ in range(12)]
    assert any(np.allclose(_th, a) and np.isclose(_th0, b) for a, b in _planes), "Exercise 2.1: the returned plane is none of the k candidates"
    assert abs(_err - np.mean(np.where(_X @ _th + _th0 > 0, 1, -1) != _y)) < 1e-9, "Exercise 2.1: err does not belong to the returned plane"
    assert np.isclose(_rng.standard_normal(), _draw.standard_normal()), "Exercise 2.1: rng was used for more or fewer draws than the docstring says"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_random_linear_classifier_choice", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = make_overlap(50, 7)
_errors = [random_linear_classifier(_X, _y, _k, np.random.default_rng(8))[2] for _k in (1, 5, 25, 125)]
assert _errors == sorted(_errors, reverse=True), "Exercise 2.1: with the same seed, more candidates cannot raise the training error"
assert _errors[-1] < _errors[0], "Exercise 2.1: 125 candidates should beat the first one here"
visible_passed("2.1, choice")
### BEGIN HIDDEN TESTS
for _seed in (14, 15, 16, 17):
    _X, _y = make_overlap(12, _seed)  # few examples: many ties
    _draw = np.random.default_rng(_seed + 50)
    _planes = [(_draw.standard_normal(2), _draw.standard_normal()) for _ in range(60)]
    _errs = [np.sum(np.where(_X @ a + b > 0, 1, -1) != _y) for a, b in _planes]
    _th, _th0, _err = random_linear_classifier(_X, _y, 60, np.random.default_rng(_seed + 50))
    assert abs(_err - min(_errs) / 12) < 1e-9, "Exercise 2.1: the error is not the lowest of the candidates"
    assert np.allclose(_th, _planes[int(np.argmin(_errs))][0]), "Exercise 2.1: on ties the first candidate wins"
_th, _th0, _err = random_linear_classifier(np.zeros((4, 3)), np.array([1, 1, -1, -1]), 9, np.random.default_rng(2))
assert np.allclose(_th, np.random.default_rng(2).standard_normal(3)) and abs(_err - 0.5) < 1e-12, "Exercise 2.1: when all tie, candidate 0 wins"
### END HIDDEN TESTS

# %% [markdown]
# **Before you run the next cell.** It keeps the best of k random planes on 40 training examples with 10 features and tests it on 2000 fresh ones. Write down: where will the two curves be at k = 1, and which falls faster?

# %% nbgrader={"grade": false, "grade_id": "plot_luck", "locked": true, "schema_version": 3, "solution": false, "task": false}
ks, repeats = [1, 3, 10, 30, 100, 300, 1000], 20
errors = np.zeros((repeats, len(ks), 2))
for r in range(repeats):
    X, y, _ = make_separable(2040, 10, 0.3, SEED + r)
    for j, k in enumerate(ks):
        planes = np.random.default_rng([SEED, r])  # not the stream that made the data
        th, th0, errors[r, j, 0] = random_linear_classifier(X[:40], y[:40], k, planes)
        errors[r, j, 1] = np.mean((X[40:] @ th + th0 > 0) != (y[40:] > 0))

fig, axes = plt.subplots()
axes.semilogx(ks, errors[:, :, 0].mean(axis=0), "o-", color=BLUE, label="training error (40 examples)")
axes.semilogx(ks, errors[:, :, 1].mean(axis=0), "s--", color=ORANGE, label="test error (2000 examples)")
axes.axhline(0.5, color=BLACK, linewidth=1, linestyle=":", label="chance")
axes.set_ylim(0, 0.6)
finish(axes, title="Best of k random planes (mean of 20 data sets)", xlabel="number of candidate planes, k", ylabel="error (fraction)", legend=False)
axes.legend(loc="lower left", frameon=False)
show(
    "Error, from 0 to 0.6, against the number of random planes, 1 to 1000 on a logarithmic axis. A solid line is the training error, "
    "a dashed one the test error, a dotted one chance; compare where the two curves begin and how far apart they end."
)


# %% [markdown]
# **Reading.** Both curves start near chance. A thousand candidates bring the training error to 0.08, the test error only to 0.15: part of the gain is luck with these 40 examples. A plane without error exists. What would change with 4000 training examples? The gap would all but close; finding a good plane would be no easier.

# %% [markdown]
# ## 3. The perceptron
#
# Luck ignores what went wrong. The perceptron starts with $\theta=0$, $\theta_0=0$ and visits the rows in order. On a **mistake**, meaning $y_i(\theta\cdot x_i+\theta_0)\le 0$, it moves the plane towards the example:
#
# $$\theta\leftarrow\theta+y_i x_i,\qquad \theta_0\leftarrow\theta_0+y_i.$$
#
# Otherwise it changes nothing. One run over all rows is a **pass**; it stops after a pass without mistakes, or after T passes. Note that a point on the plane is a mistake for either label: that is what gets it moving from zero.

# %% [markdown]
# ### Exercise 3.1: perceptron (18 points)
#
# *Medium. Importance: very high. About 40 minutes.*
#
# **Worked example.** Rows $a=(0,1)$, label +1; $b=(1,2)$, label +1; $c=(2,0)$, label -1.
#
# | pass | row | $\theta,\ \theta_0$ before | $y(\theta\cdot x+\theta_0)$ | after |
# |---|---|---|---|---|
# | 1 | a | (0, 0), 0 | 0, mistake | (0, 1), 1 |
# | 1 | b | (0, 1), 1 | 3 | same |
# | 1 | c | (0, 1), 1 | -1, mistake | (-2, 1), 0 |
# | 2 | a | (-2, 1), 0 | 1 | same |
# | 2 | b | (-2, 1), 0 | 0, mistake | (-1, 3), 1 |
# | 2 | c | (-1, 3), 1 | 1 | same |
#
# Pass 3 makes no mistake: $\theta=(-1,3)$, $\theta_0=1$, mistakes `[2, 1, 0]`.
#
# Each row is judged by the plane as it is at that moment, so a loop over rows is the right tool here; a matrix product over the whole pass would be a different algorithm.

# %% nbgrader={"grade": false, "grade_id": "perceptron", "locked": false, "schema_version": 3, "solution": true, "task": false}
def perceptron(X: np.ndarray, y: np.ndarray, T: int = 100) -> tuple[np.ndarray, float, list[int]]:
    """Perceptron with offset.

    X: (N, D) float or integer, N >= 1. y: (N,) of -1 and +1. T >= 0: the largest number of passes.
    Starts at th = 0, th0 = 0. Each pass visits rows 0 .. N-1 in order; if y_i (th·x_i + th0) <= 0, then at once
    th += y_i x_i and th0 += y_i. Stops after the first pass without mistakes (its 0 is recorded) or after T passes.
    Returns (th (D,) float64, th0 float, mistakes): mistakes is a list of ints, one for each pass made.
    T = 0 gives zeros and an empty list. X and y stay unchanged and may be strided views.
    Hidden checks: traces for several T, stopping, relabelling y -> -y, whole-number th0, the mistake bound, untouched data.
    """
    ### BEGIN SOLUTION
    th, th0, mistakes = np.zeros(X.shape[1]), 0.0, []
    for _ in range(T):
        wrong = 0
        for x, label in zip(X, y):
            if label * (th @ x + th0) <= 0:
                th = th + label * x
                th0 += label
                wrong += 1
        mistakes.append(wrong)
        if wrong == 0:
            break
    return th, float(th0), mistakes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_perceptron_trace", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), np.array([1, 1, -1])
_th, _th0, _ = perceptron(_X.copy(), _y, T=1)
assert isinstance(_th, np.ndarray) and _th.shape == (2,), "Exercise 3.1: th is an array of shape (D,)"
assert np.array_equal(_th, [-2, 1]) and _th0 == 0, "Exercise 3.1: wrong plane after pass 1 of the worked example"
_th, _th0, _ = perceptron(_X.copy(), _y)
assert np.array_equal(_th, [-1, 3]) and _th0 == 1, "Exercise 3.1: wrong final plane in the worked example"
visible_passed("3.1, trace")
### BEGIN HIDDEN TESTS
_X = np.random.default_rng(31).integers(-4, 5, size=(15, 3)).astype(float)
_y = np.random.default_rng(32).choice([-1, 1], size=15)
_Z = np.column_stack([_X, np.ones(15)]) * _y[:, None]
for _T in (0, 1, 3, 10):
    _w = np.zeros(4)
    for _z in list(_Z) * _T:  # exact: integers; these labels never become separable
        _w = _w + _z if _w @ _z <= 0 else _w
    _th, _th0, _ = perceptron(_X.copy(), _y, T=_T)
    assert np.shape(_th) == (3,), "Exercise 3.1: th has shape (D,)"
    assert np.allclose(_th, _w[:3]), "Exercise 3.1: wrong th after several passes on integer data"
    assert np.allclose(_th0, _w[3]), "Exercise 3.1: wrong th0 after several passes on integer data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_perceptron_stopping", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_, _, _mistakes = perceptron(np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), np.array([1, 1, -1]))
assert isinstance(_mistakes, list), "Exercise 3.1: mistakes is a list"
assert _mistakes == [2, 1, 0], "Exercise 3.1: one entry for each pass made, in the worked example"
visible_passed("3.1, stopping")
### BEGIN HIDDEN TESTS
_X, _y = make_gap(80, 0.2, 33)
_th, _th0, _mistakes = perceptron(_X.copy(), _y, T=500)
assert len(_mistakes) < 500 and _mistakes[-1] == 0, "Exercise 3.1: on separable data the last entry is 0"
assert all(m > 0 for m in _mistakes[:-1]), "Exercise 3.1: only the last pass may be without mistakes"
assert np.all(np.where(_X @ _th + _th0 > 0, 1, -1) == _y), "Exercise 3.1: on separable data every training example ends on its side"
_xor, _labels = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([1, 1, -1, -1])
_mistakes = perceptron(_xor.copy(), _labels, T=7)[2]
assert len(_mistakes) == 7 and all(0 < m <= 4 for m in _mistakes), "Exercise 3.1: on data that no plane separates, all T passes are made"
assert perceptron(_xor, _labels, T=0)[2] == [], "Exercise 3.1: T = 0 makes no pass"
assert all(isinstance(m, (int, np.integer)) for m in _mistakes), "Exercise 3.1: mistakes are counts, integers"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_perceptron_properties", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), np.array([1, 1, -1])
_plus, _minus = perceptron(_X.copy(), _y), perceptron(_X.copy(), -_y)
assert np.allclose(_plus[0], -_minus[0]) and np.allclose(_plus[1], -_minus[1]), "Exercise 3.1: relabelling y -> -y must negate (th, th0)"
visible_passed("3.1, properties")
### BEGIN HIDDEN TESTS
for _seed, _gamma in ((34, 0.3), (35, 0.1), (36, 0.05)):
    _X, _y, _u = make_separable(90, 4, _gamma, _seed)
    _th, _th0, _mistakes = perceptron(_X.copy(), _y, T=3000)
    _th2, _th02, _mistakes2 = perceptron(_X.copy(), -_y, T=3000)
    assert np.allclose(_th, -_th2) and np.allclose(_th0, -_th02), "Exercise 3.1: relabelling must negate (th, th0)"
    assert list(_mistakes) == list(_mistakes2), "Exercise 3.1: relabelling must not change the mistakes"
    assert (_th0 - sum(_mistakes)) % 2 == 0, "Exercise 3.1: th0 is the sum of the labels of all mistakes, a whole number"
    assert 0 < sum(_mistakes) <= 2 / _gamma**2 + 1e-6, "Exercise 3.1: the number of mistakes is zero or above what theory allows"
_th, _th0, _ = perceptron(np.array([[3.0, -2.0]]), np.array([-1]))
assert _th0 == -1 and np.array_equal(_th, [-3, 2]), "Exercise 3.1: on a single example the plane is the example times its label"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_perceptron_data", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), np.array([1, 1, -1])
perceptron(_X, _y)
assert _X.tolist() == [[0, 1], [1, 2], [2, 0]] and _y.tolist() == [1, 1, -1], "Exercise 3.1: X and y must stay unchanged"
visible_passed("3.1, data")
### BEGIN HIDDEN TESTS
_big = np.random.default_rng(37).integers(-3, 4, size=(40, 6))
_view, _copy, _y = _big[::2, ::-2], _big[::2, ::-2].astype(float), np.random.default_rng(38).choice([-1, 1], size=20)
_before, _labels = _big.copy(), _y.copy()
_a, _b = perceptron(_view, _y, T=5), perceptron(_copy, _y, T=5)
assert np.array_equal(_big, _before) and np.array_equal(_y, _labels), "Exercise 3.1: integer, strided data must stay unchanged"
assert np.array_equal(_copy, _before[::2, ::-2]), "Exercise 3.1: float data must stay unchanged"
assert _a[0].dtype == np.float64 and np.allclose(_a[0], _b[0]) and _a[1] == _b[1], "Exercise 3.1: integer strided input must give the float result"
### END HIDDEN TESTS

# %% [markdown]
# **Before you run the next cell.** It stops the perceptron after 1, 2, 3, ... passes on the same 80 examples. Will the number of mistakes fall from pass to pass? Will the later planes be close to each other?

# %% nbgrader={"grade": false, "grade_id": "plot_passes", "locked": true, "schema_version": 3, "solution": false, "task": false}
X, y = make_gap(80, 0.25, SEED + 5)
mistakes = perceptron(X, y)[2]
shown = np.unique(np.linspace(1, len(mistakes), 4).astype(int))
fig, panels = plt.subplots(1, len(shown), figsize=(12, 4.1), sharex=True, sharey=True, squeeze=False, layout="constrained")
panels = panels[0]
for axes, T in zip(panels, shown):
    plot_points(axes, X, y)
    axes.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), box_aspect=1)
    th, th0, _ = perceptron(X, y, T)
    plot_boundary(axes, th, th0, color=BLACK)
    finish(axes, title=f"after pass {T}: {mistakes[T - 1]} mistakes in it", xlabel="feature $x_1$", ylabel="", legend=False)
    axes.title.set_size(11)
panels[0].set_ylabel("feature $x_2$")
fig.suptitle("Perceptron boundary after each pass (one data set, 80 examples)")
fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
show(
    "Scatter plots of the same 80 examples side by side, each with the perceptron's line after a later pass; the title counts the "
    "mistakes of that pass. Follow the line from panel to panel."
)
print("mistakes in each pass:", mistakes)


# %% [markdown]
# **Reading.** The passes make 7, 2, 4 and 0 mistakes. The count need not fall: an update helps the example that caused it and may push others over. Pass 4 changes nothing, so panels 3 and 4 show the same plane. It runs close to some examples, because learning stops as soon as none is wrong.
#
# What would change on the data of section 2? The perceptron reaches a training error of 0 there, and a test error of about 0.02 (mean of the same 20 data sets) where 1000 random planes reached 0.15.

# %% [markdown]
# ## 4. How many mistakes?
#
# The **margin** of a plane on a data set is the signed distance, counted positive on the right side, of the worst example:
#
# $$\gamma=\min_i\ \frac{y_i(\theta\cdot x_i+\theta_0)}{\|\theta\|}.$$
#
# It is positive exactly when the plane separates the data. Worked example: distances 2, -3, 0.5 with labels +1, -1, +1 give 2, 3, 0.5, so the margin is 0.5. If the last label were -1 it would be -0.5.
#
# ### Exercise 4.1: margin (8 points)
#
# *Easy. Importance: high. About 10 minutes.* You have the distances already. What is left is the side each example should be on, and which example counts.

# %% nbgrader={"grade": false, "grade_id": "margin", "locked": false, "schema_version": 3, "solution": true, "task": false}
def margin(X: np.ndarray, y: np.ndarray, th: np.ndarray, th0: float) -> float:
    """Margin of the plane (th, th0) on the data: the smallest y_i (th·x_i + th0) / |th|.

    X: (N, D), N >= 1. y: (N,) of -1 and +1. th: (D,), not all zero. Returns a float, negative if some example is on the wrong side.
    Hidden checks: negative margins, the scale of (th, th0), flipping labels with and without the plane.
    """
    ### BEGIN SOLUTION
    return float(np.min(y * signed_distance(X, th, th0)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_margin", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[3.0, 4.0], [0.0, 0.0], [3.0, 0.0]]), np.array([1, -1, 1])
_m = margin(_X, _y, np.array([3.0, 4.0]), -5.0)
assert isinstance(_m, float), "Exercise 4.1: return a float"
assert abs(_m - 0.8) < 1e-12, "Exercise 4.1: distances 4, -1, 0.8 with labels +1, -1, +1 have margin 0.8"
visible_passed("4.1, values")
### BEGIN HIDDEN TESTS
assert abs(margin(_X, np.array([1, -1, -1]), np.array([3.0, 4.0]), -5.0) + 0.8) < 1e-12, "Exercise 4.1: one example on the wrong side makes it negative"
_X, _y, _u = make_separable(50, 6, 0.125, 41)
assert abs(margin(_X, _y, 7 * _u, 0.0) - 0.125) < 1e-9, "Exercise 4.1: wrong margin on data whose margin is known"
_rng = np.random.default_rng(42)
_X, _y, _th, _th0 = _rng.standard_normal((20, 3)), _rng.choice([-1, 1], size=20), _rng.standard_normal(3), 0.9
_expected = min(l * (x[0] * _th[0] + x[1] * _th[1] + x[2] * _th[2] + _th0) for x, l in zip(_X, _y)) / sum(_th**2) ** 0.5
assert abs(margin(_X, _y, _th, _th0) - _expected) < 1e-9, "Exercise 4.1: wrong margin on random data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_margin_symmetry", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y, _th = np.array([[2.0, 0.0], [0.0, 1.0], [-4.0, 1.0]]), np.array([1, 1, -1]), np.array([1.0, 2.0])
_m = margin(_X, _y, _th, 0.5)
assert abs(margin(_X, _y, 2 * _th, 1.0) - _m) < 1e-12, "Exercise 4.1: (2 th, 2 th0) is the same plane"
visible_passed("4.1, symmetry")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(43)
_X, _y, _th, _th0 = _rng.standard_normal((25, 4)), _rng.choice([-1, 1], size=25), _rng.standard_normal(4), -0.4
_m, _d = margin(_X, _y, _th, _th0), _y * (_X @ _th + _th0) / np.sqrt(_th @ _th)
assert abs(margin(_X, _y, 0.03 * _th, 0.03 * _th0) - _m) < 1e-9, "Exercise 4.1: the margin depends on the scale of (th, th0)"
assert abs(margin(_X, -_y, -_th, -_th0) - _m) < 1e-9, "Exercise 4.1: flipping labels and plane together changes nothing"
assert abs(margin(_X, -_y, _th, _th0) + np.max(_d)) < 1e-9, "Exercise 4.1: wrong margin after flipping the labels only"
assert abs(margin(_X[:1], _y[:1], _th, _th0) - _d[0]) < 1e-9, "Exercise 4.1: wrong margin of a single example"
### END HIDDEN TESTS

# %% [markdown]
# **Before you run the next cell.** The same examples, once in order and once reversed: will the perceptron end with the same plane? Will its margin be near that of the line used to make the data?

# %% nbgrader={"grade": false, "grade_id": "plot_orders", "locked": true, "schema_version": 3, "solution": false, "task": false}
X, y = make_gap(80, 0.25, SEED + 5)
planes = {
    "line that made the data": (np.array([0.6, -0.8]), 0.5),
    "perceptron, rows in order": perceptron(X, y)[:2],
    "perceptron, rows reversed": perceptron(X[::-1], y[::-1])[:2],
}
fig, axes = plt.subplots(figsize=(7.4, 4.2), layout="constrained")
plot_points(axes, X, y)
axes.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
styles = [{"color": BLACK, "linestyle": ":"}, {"color": GREEN}, {"color": PURPLE, "linestyle": "--"}]
for (name, (th, th0)), style in zip(planes.items(), styles):
    plot_boundary(axes, th, th0, label=f"{name}:\nmargin {margin(X, y, th, th0):.3f}", **style)
finish(axes, title="Two orders, two separators (80 examples)", xlabel="feature $x_1$", ylabel="feature $x_2$", legend=False)
axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
show(
    "Scatter plot of 80 examples with three lines: the one that made the data (dotted), the perceptron's with the rows in order "
    "(solid) and reversed (dashed). The legend gives the margin of each."
)


# %% [markdown]
# **Reading.** Neither plane makes a mistake, yet their margins are 0.150 and 0.057; the line that made the data has 0.272. The perceptron keeps the first separator it meets; nothing in the rule looks for a large margin. What would change with more examples near the line? Fewer planes would separate, so the two would lie closer together.

# %% [markdown]
# **The mistake bound** (Novikoff, 1962). Take a perceptron without offset, a **radius** R with $\|x_i\|\le R$ for all i, and a direction $\theta^*$ with margin $\gamma>0$ through the origin. Then all passes together make at most $(R/\gamma)^2$ mistakes.
#
# Why: let $u=\theta^*/\|\theta^*\|$. Each mistake adds at least $\gamma$ to $\theta\cdot u$, because $y_i x_i\cdot u\ge\gamma$. It adds at most $R^2$ to $\|\theta\|^2$, because the cross term $2y_i\theta\cdot x_i$ is not positive on a mistake. After m mistakes $m\gamma\le\theta\cdot u\le\|\theta\|\le\sqrt{m}\,R$, hence $m\le (R/\gamma)^2$.

# %% [markdown]
# ### Exercise 4.2: mistake bound (8 points)
#
# *Medium. Importance: high. About 15 minutes.* Worked example: rows $(3,4)$, label +1, and $(-2,0)$, label -1, with $\theta^*=(2,0)$. The radius is 5, the projections on $\theta^*/2$ times labels are 3 and 2, so $\gamma=2$ and the bound is $(5/2)^2=6.25$. A direction that does not separate promises nothing: the bound is infinite.

# %% nbgrader={"grade": false, "grade_id": "mistake_bound", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mistake_bound(X: np.ndarray, y: np.ndarray, th_star: np.ndarray) -> float:
    """Novikoff's bound (R / gamma)^2 for a plane through the origin (no offset).

    X: (N, D), N >= 1. y: (N,) of -1 and +1. th_star: (D,), not all zero, of any length.
    R = the largest |x_i|; gamma = the smallest y_i (th_star·x_i) / |th_star|. Returns a float: inf if gamma <= 0.
    Hidden checks: known values, gamma negative and exactly 0, scaling X or th_star by a positive number, flipped labels.
    """
    ### BEGIN SOLUTION
    gamma = margin(X, y, th_star, 0.0)
    if gamma <= 0:
        return float("inf")
    return float((np.linalg.norm(X, axis=1).max() / gamma) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_mistake_bound", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_b = mistake_bound(np.array([[3.0, 4.0], [-2.0, 0.0]]), np.array([1, -1]), np.array([2.0, 0.0]))
assert isinstance(_b, float), "Exercise 4.2: return a float"
assert abs(_b - 6.25) < 1e-9, "Exercise 4.2: the worked example does not come out"
visible_passed("4.2, values")
### BEGIN HIDDEN TESTS
_X, _y, _u = make_separable(40, 5, 0.25, 44)
assert np.isclose(mistake_bound(_X, _y, _u), 16), "Exercise 4.2: wrong bound for unit vectors with a known margin"
_lengths = np.linspace(1, 3, 40)[:, None]  # now the nearest example has length 1, the farthest 3
assert np.isclose(mistake_bound(_X * _lengths, _y, 0.1 * _u), 144), "Exercise 4.2: wrong bound for vectors of different lengths"
_b = mistake_bound(np.array([[1, 0], [2, 5], [-1, 3]]), np.array([1, 1, -1]), np.array([4, 0]))
assert np.isclose(_b, 29), "Exercise 4.2: wrong bound on integer data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_mistake_bound_edges", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_X, _y, _th = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([1, -1]), np.array([1.0, 1.0])
assert mistake_bound(_X, _y, _th) == float("inf"), "Exercise 4.2: a direction that does not separate gives inf"
visible_passed("4.2, edges")
### BEGIN HIDDEN TESTS
assert mistake_bound(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1, 1]), np.array([3.0, 0.0])) == float("inf"), "Exercise 4.2: gamma = 0 gives inf"
assert mistake_bound(np.zeros((2, 3)), np.array([1, -1]), np.array([1.0, 0.0, 0.0])) == float("inf"), "Exercise 4.2: gamma = 0 gives inf, also when all examples are 0"
_X, _y, _u = make_separable(30, 3, 0.2, 45)
_X = _X * np.linspace(0.5, 2, 30)[:, None]
_b = mistake_bound(_X, _y, _u)
assert np.isfinite(_b) and np.isclose(mistake_bound(100 * _X, _y, _u), _b), "Exercise 4.2: scaling X must not change the bound"
assert np.isclose(mistake_bound(_X, _y, 0.01 * _u), _b), "Exercise 4.2: scaling th_star must not change the bound"
assert mistake_bound(_X, -_y, _u) == float("inf"), "Exercise 4.2: flipped labels give inf"
assert np.isclose(mistake_bound(_X, -_y, -_u), _b), "Exercise 4.2: flipping labels and direction together changes nothing"
### END HIDDEN TESTS

# %% [markdown]
# **The offset, for free.** Give every example one more feature that is always 1, with weight $\theta_0$: a plane with offset becomes one through the origin. Your perceptron does this, so the bound holds for the augmented examples.
#
# **Before you run the next cell.** The margin shrinks from 0.5 to 0.01. By what factor may the mistakes grow?

# %% nbgrader={"grade": false, "grade_id": "plot_bound", "locked": true, "schema_version": 3, "solution": false, "task": false}
def augment(X: np.ndarray) -> np.ndarray:
    """Append a feature that is always 1: (N, D) -> (N, D + 1)."""
    return np.column_stack([X, np.ones(len(X))])


gammas, scale = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01]), 1.0
made, bound = np.zeros((3, len(gammas))), np.zeros(len(gammas))
for j, gamma in enumerate(gammas):
    for r in range(3):
        X, y, u = make_separable(200, 10, gamma, SEED + r)
        made[r, j] = sum(perceptron(scale * X, y, T=2000)[2])
        bound[j] = mistake_bound(augment(scale * X), y, np.append(u, 0.0))

fig, axes = plt.subplots()
axes.loglog(gammas, bound, "--", color=BLACK, label="bound $(R/\\gamma)^2$")
axes.loglog(np.tile(gammas, 3), made.ravel(), "o", color=BLUE, alpha=0.7, label="perceptron, 3 data sets each")
axes.set_xticks(gammas, [f"{g:g}" for g in gammas])
axes.minorticks_off()
finish(axes, title="Mistakes against the bound (200 examples, D = 10)", xlabel="margin of the data, $\\gamma$", ylabel="mistakes in all passes")
show(
    "Mistakes in all passes against the margin of the data, 0.01 to 0.5, both axes logarithmic. A dashed line is the bound, R squared "
    "over gamma squared; dots are the perceptron's mistakes on three data sets for each margin."
)
slope = np.polyfit(np.log(gammas), np.log(made.mean(axis=0)), 1)[0]
print("bound   ", np.round(bound).astype(int).tolist())
print("mistakes", np.round(made.mean(axis=0)).astype(int).tolist(), f"(means), slope {slope:.2f}")


# %% [markdown]
# **Reading.** The mistakes stay below the bound, at 29 to 49 % of it, and grow almost as fast: the fitted slope is -1.87, that of the bound -2. A margin 50 times smaller costs about 1700 times the mistakes (5725 against 3.3, before rounding); the bound allows 2500 times. Here $R^2=2$: unit vectors and the constant feature.
#
# What would change with `scale = 10`? The constant feature then hardly counts beside vectors of length 10; the bound falls to about $1/\gamma^2$ (4, 25, 101, 404, 2525, 10100) and the mistakes to about 3, 14, 51, 184, 1036, 3686.

# %% [markdown]
# ## 5. When no plane separates
#
# Real classes overlap. Then every pass makes mistakes and the perceptron never settles: its last plane is whatever the last few mistakes left. The **averaged perceptron** keeps learning in the same way but returns the mean of the planes it held, one entry for each of the N·T steps, taken *after* the step. A plane that survived 50 examples counts 50 times.
#
# Worked example, T = 1: row $(2,0)$, label +1, is a mistake: plane $(2,0),1$. Row $(1,0)$, label -1, is a mistake: plane $(1,0),0$. The mean of the two is $(1.5,0),\ 0.5$.

# %% [markdown]
# ### Exercise 5.1: averaged perceptron (12 points)
#
# *Medium. Importance: high. About 25 minutes.* Add to the running sums at every step, mistake or not. Do not stop early: a plane that has stopped changing is a good one, and it should collect its weight.

# %% nbgrader={"grade": false, "grade_id": "averaged_perceptron", "locked": false, "schema_version": 3, "solution": true, "task": false}
def averaged_perceptron(X: np.ndarray, y: np.ndarray, T: int = 100) -> tuple[np.ndarray, float]:
    """Averaged perceptron with offset.

    X: (N, D) float or integer, N >= 1. y: (N,) of -1 and +1. T >= 1 passes, all of them made (no early stop).
    The steps are those of perceptron (same start, same rule, same order). After EACH of the N*T steps the current
    (th, th0) is added to a sum; returns the sums divided by N*T: (th (D,) float64, th0 float). X and y stay unchanged.
    Hidden checks: traces for several T, many passes over separable data, relabelling y -> -y, untouched data.
    """
    ### BEGIN SOLUTION
    th, th0 = np.zeros(X.shape[1]), 0.0
    sum_th, sum_th0 = np.zeros(X.shape[1]), 0.0
    for _ in range(T):
        for x, label in zip(X, y):
            if label * (th @ x + th0) <= 0:
                th = th + label * x
                th0 += label
            sum_th += th
            sum_th0 += th0
    steps = len(X) * T
    return sum_th / steps, float(sum_th0 / steps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_averaged_perceptron", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
_th, _th0 = averaged_perceptron(np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([1, -1]), T=1)
assert isinstance(_th, np.ndarray) and _th.shape == (2,), "Exercise 5.1: th is an array of shape (D,)"
assert np.allclose(_th, [1.5, 0]) and np.isclose(_th0, 0.5), "Exercise 5.1: the worked example does not come out"
visible_passed("5.1, trace")
### BEGIN HIDDEN TESTS
_X = np.random.default_rng(51).integers(-4, 5, size=(14, 3)).astype(float)
_y = np.random.default_rng(52).choice([-1, 1], size=14)
_Z = np.column_stack([_X, np.ones(14)]) * _y[:, None]
for _T in (1, 2, 5):
    _planes = [np.zeros(4)]
    for _z in list(_Z) * _T:
        _planes.append(_planes[-1] + _z if _planes[-1] @ _z <= 0 else _planes[-1])
    _expected = np.mean(_planes[1:], axis=0)
    _th, _th0 = averaged_perceptron(_X.copy(), _y, T=_T)
    assert np.allclose(_th, _expected[:3]), "Exercise 5.1: wrong mean th on integer data"
    assert np.isclose(_th0, _expected[3]), "Exercise 5.1: wrong mean th0 on integer data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_averaged_perceptron_all_passes", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), np.array([1, 1, -1])
_th, _th0 = averaged_perceptron(_X, _y, T=1000)
assert np.allclose(_th, [-1, 3], atol=0.01) and np.isclose(_th0, 1, atol=0.01), "Exercise 5.1: after many passes the plane that stopped changing dominates the mean"
visible_passed("5.1, all passes")
### BEGIN HIDDEN TESTS
_X = np.random.default_rng(59).integers(-5, 6, size=(25, 2)).astype(float)
_y = np.where(_X @ np.array([2.0, -3.0]) + 0.5 > 0, 1, -1)  # separable
_Z = np.column_stack([_X, np.ones(25)]) * _y[:, None]
for _T in (50, 200):
    _w, _sum = np.zeros(3), np.zeros(3)
    for _z in list(_Z) * _T:
        _w = _w + _z if _w @ _z <= 0 else _w
        _sum = _sum + _w
    _th, _th0 = averaged_perceptron(_X.copy(), _y, T=_T)
    assert np.allclose([*_th, _th0], _sum / (25 * _T)), "Exercise 5.1: the mean over all N*T steps on separable data"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_averaged_perceptron_data", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[2, 0], [1, 0], [0, 3]]), np.array([1, -1, 1])
_th, _th0 = averaged_perceptron(_X, _y, T=2)
assert _X.tolist() == [[2, 0], [1, 0], [0, 3]] and _y.tolist() == [1, -1, 1], "Exercise 5.1: X and y must stay unchanged"
visible_passed("5.1, data")
### BEGIN HIDDEN TESTS
_X, _y = make_overlap(30, 54)
_X = np.round(8 * _X) / 8  # few binary digits: sums are exact
_before, _labels = _X.copy(), _y.copy()
_plus, _minus = averaged_perceptron(_X, _y, T=4), averaged_perceptron(_X, -_y, T=4)
assert np.array_equal(_X, _before) and np.array_equal(_y, _labels), "Exercise 5.1: float data must stay unchanged"
assert np.allclose(_plus[0], -_minus[0]) and np.isclose(_plus[1], -_minus[1]), "Exercise 5.1: relabelling must negate (th, th0)"
assert np.any(_plus[0] != 0) and _plus[0].dtype == np.float64, "Exercise 5.1: th is a non-zero float64 array here"
### END HIDDEN TESTS

# %% [markdown]
# **Before you run the next cell.** Two overlapping clouds: no plane can have an *expected* test error below 0.159. Sketch the test error of the last plane after pass 1, 2, ..., 30, and that of the averaged plane. Which is smoother? Does either keep falling?

# %% nbgrader={"grade": false, "grade_id": "plot_averaging", "locked": true, "schema_version": 3, "solution": false, "task": false}
X, y = make_overlap(150, SEED + 1)
X_test, y_test = make_overlap(4000, SEED + 2)
passes, curves = range(1, 31), np.zeros((2, 2, 30))
for T in passes:
    for m, (th, th0) in enumerate((perceptron(X, y, T)[:2], averaged_perceptron(X, y, T))):
        curves[0, m, T - 1] = 1 - accuracy(X, y, th, th0)
        curves[1, m, T - 1] = 1 - accuracy(X_test, y_test, th, th0)

fig, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for axes, (last, mean), name in zip(panels, curves, ("training error (150 examples)", "test error (4000 examples)")):
    axes.plot(passes, last, "o-", color=BLUE, linewidth=1, label="last plane")
    axes.plot(passes, mean, color=ORANGE, linewidth=3, label="averaged plane")
    axes.axhline(0.159, color=BLACK, linestyle=":", linewidth=1.5, label="best possible test error")
    axes.set_ylim(0, 1.1 * curves.max())
    finish(axes, title=name, xlabel="passes, T", ylabel="error (fraction)" if axes is panels[0] else "", legend=False)
panels[1].legend(loc="lower right", frameon=False)
fig.suptitle("Last against averaged plane on overlapping clouds (one data set)")
show(
    "Two panels, error against the number of passes, 1 to 30: training error on the left, test error on the right. A thin line with "
    "dots is the last plane, a thick one the averaged plane, a dotted one the best possible test error, 0.159."
)
for name, (last, mean) in zip(("training", "test"), curves):
    print(f"{name}: last plane {last.min():.3f} to {last.max():.3f}, averaged {mean.min():.3f} to {mean.max():.3f}")


# %% [markdown]
# **Reading.** The training error of the last plane jumps between 0.11 and 0.23, even after 30 passes; that of the averaged plane settles at 0.127. On the test set the last plane moves between 0.156 and 0.205, while the averaged one stays near 0.16, almost the best possible. (Values slightly below 0.159 are chance: 4000 examples fix an error only to about 0.006.) What would change if the clouds were far apart? The last plane would stop moving, and the mean would approach it.

# %% [markdown]
# ## 6. How good on data it has not seen?
#
# A single test set wastes examples, and a lucky split misleads. **k-fold cross-validation** cuts the rows into k blocks (folds); each fold is the test set once, while the other rows train. The mean of the k test accuracies is the estimate. Every row is tested exactly once, by a plane that did not see it.
#
# Worked example, n = 6 and k = 3: test rows [0, 1], [2, 3], [4, 5]; the first fold trains on [2, 3, 4, 5].

# %% [markdown]
# ### Exercise 6.1: folds (8 points)
#
# *Medium. Importance: high. About 20 minutes.* When k does not divide n, spread the remainder: 11 rows in 3 folds are blocks of 4, 4 and 3 rows (any order of sizes is accepted), never 3, 3 and 5.

# %% nbgrader={"grade": false, "grade_id": "kfold_indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kfold_indices(n: int, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the rows 0 .. n-1 into k contiguous folds.

    Returns a list of k pairs (train_idx, test_idx) of 1-D integer arrays, both ascending. The test parts are
    contiguous blocks in order: they cover 0 .. n-1 exactly once, and their sizes differ by at most 1.
    train_idx holds all other rows. Raises ValueError unless 2 <= k <= n.
    Hidden checks: k that does not divide n, k = n, coverage, balance, forbidden k.
    """
    ### BEGIN SOLUTION
    if not 2 <= k <= n:
        raise ValueError(f"k must be between 2 and n = {n}, not {k}")
    rows = np.arange(n)
    folds = np.array_split(rows, k)
    return [(np.setdiff1d(rows, test), test) for test in folds]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_kfold_indices", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
_folds = kfold_indices(6, 3)
assert isinstance(_folds, list) and len(_folds) == 3, "Exercise 6.1: a list of k pairs"
assert all(np.issubdtype(np.asarray(part).dtype, np.integer) for pair in _folds for part in pair), "Exercise 6.1: indices are integers"
assert [list(test) for _, test in _folds] == [[0, 1], [2, 3], [4, 5]], "Exercise 6.1: wrong test rows for n = 6, k = 3"
assert list(_folds[0][0]) == [2, 3, 4, 5], "Exercise 6.1: the first fold trains on the other rows"
visible_passed("6.1, partition")
### BEGIN HIDDEN TESTS
for _n, _k in ((6, 3), (12, 4), (7, 7), (9, 3)):
    _folds = kfold_indices(_n, _k)
    assert len(_folds) == _k, "Exercise 6.1: k folds"
    assert [int(i) for _, test in _folds for i in test] == list(range(_n)), "Exercise 6.1: the test parts must cover every row once, in order"
    assert all(len(test) == _n // _k for _, test in _folds), "Exercise 6.1: equal folds when k divides n"
    for _train, _test in _folds:
        assert [int(i) for i in _train] == [i for i in range(_n) if i not in _test], "Exercise 6.1: train_idx is all other rows, ascending"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_kfold_indices_uneven", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_sizes = sorted(len(test) for _, test in kfold_indices(11, 3))
assert _sizes == [3, 4, 4], "Exercise 6.1: the test parts of 11 rows in 3 folds should be blocks of 4, 4 and 3 rows, in any order"
visible_passed("6.1, uneven folds")
### BEGIN HIDDEN TESTS
for _n, _k in ((11, 3), (14, 5), (23, 2), (8, 7)):
    _tests = [test for _, test in kfold_indices(_n, _k)]
    assert max(map(len, _tests)) - min(map(len, _tests)) <= 1, "Exercise 6.1: sizes differ by at most 1"
    assert [int(i) for test in _tests for i in test] == list(range(_n)), "Exercise 6.1: every row is tested once, also when k does not divide n"
    assert all(len(train) + len(test) == _n for train, test in kfold_indices(_n, _k)), "Exercise 6.1: train and test make up all rows"
for _n, _k in ((5, 1), (5, 0), (5, 6), (1, 1)):
    try:
        kfold_indices(_n, _k)
        _raised = False
    except ValueError:
        _raised = True
    assert _raised, "Exercise 6.1: k outside 2 .. n must raise ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.2: cross-validation (7 points)
#
# *Medium. Importance: high. About 15 minutes.* Put the pieces together: for each fold train on one part, measure on the other. Average the fold accuracies, each with the same weight whatever its size.

# %% nbgrader={"grade": false, "grade_id": "cross_val_accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_val_accuracy(X: np.ndarray, y: np.ndarray, k: int, T: int, averaged: bool = False) -> float:
    """k-fold cross-validated accuracy of the perceptron.

    X: (N, D). y: (N,). The folds are those of kfold_indices(N, k), rows in the given order (no shuffling).
    For each fold: train perceptron(..., T), or averaged_perceptron(..., T) if averaged is True, on the training rows only,
    and take the accuracy on the test rows. Returns the plain mean of the k fold accuracies, a float.
    Hidden checks: equality with a separate implementation on overlapping data and uneven folds, for both values of averaged.
    """
    ### BEGIN SOLUTION
    learn = averaged_perceptron if averaged else perceptron
    scores = []
    for train, test in kfold_indices(len(y), k):
        th, th0 = learn(X[train], y[train], T)[:2]
        scores.append(accuracy(X[test], y[test], th, th0))
    return float(np.mean(scores))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_cross_val_accuracy", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[1.0], [-1.0], [2.0], [-2.0], [0.5], [0.5]]), np.array([1, -1, 1, -1, 1, -1])
_a = cross_val_accuracy(_X, _y, 3, 10)
assert isinstance(_a, float), "Exercise 6.2: return a float"
assert abs(_a - 2 / 3) < 1e-9, "Exercise 6.2: the last planes have fold accuracies 1/2, 1 and 1/2 on these six rows"
visible_passed("6.2, last plane")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(61)
_y = _rng.choice([-1, 1], size=53)
_X = _rng.integers(-6, 7, size=(53, 3)) + 2.0 * _y[:, None]  # overlapping, whole numbers: exact
for _k, _T in ((5, 1), (7, 20)):
    _scores = []
    for _test in np.array_split(np.arange(53), _k):
        _Z, _w = np.delete(np.column_stack([_X, np.ones(53)]) * _y[:, None], _test, axis=0), np.zeros(4)
        for _z in list(_Z) * _T:
            _w = _w + _z if _w @ _z <= 0 else _w
        _scores.append(np.mean(np.where(_X[_test] @ _w[:3] + _w[3] > 0, 1, -1) == _y[_test]))
    assert abs(cross_val_accuracy(_X, _y, _k, _T) - sum(_scores) / _k) < 1e-9, "Exercise 6.2: wrong estimate with the last plane, averaged=False"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_cross_val_accuracy_averaged", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_X, _y = np.array([[1.0], [-1.0], [2.0], [-2.0], [0.5], [0.5]]), np.array([1, -1, 1, -1, 1, -1])
_a = cross_val_accuracy(_X, _y, 3, 10, averaged=True)
assert isinstance(_a, float), "Exercise 6.2: return a float"
assert abs(_a - 5 / 6) < 1e-9, "Exercise 6.2: the averaged planes have fold accuracies 1, 1 and 1/2 on these six rows"
visible_passed("6.2, averaged plane")
### BEGIN HIDDEN TESTS
_rng = np.random.default_rng(62)
_y = _rng.choice([-1, 1], size=53)
_X = _rng.integers(-6, 7, size=(53, 3)) + 2.0 * _y[:, None]
for _k, _T in ((5, 2), (6, 20)):
    _scores = []
    for _test in np.array_split(np.arange(53), _k):
        _Z, _w, _s = np.delete(np.column_stack([_X, np.ones(53)]) * _y[:, None], _test, axis=0), np.zeros(4), np.zeros(4)
        for _z in list(_Z) * _T:
            _w = _w + _z if _w @ _z <= 0 else _w
            _s = _s + _w
        _scores.append(np.mean(np.where(_X[_test] @ _s[:3] + _s[3] > 0, 1, -1) == _y[_test]))
    assert abs(cross_val_accuracy(_X, _y, _k, _T, averaged=True) - sum(_scores) / _k) < 1e-9, "Exercise 6.2: wrong estimate with averaged=True"
### END HIDDEN TESTS

# %% [markdown]
# **The order of rows matters.** Contiguous folds assume that rows come in no particular order. **Before you run the next cell**, rank three estimates for handwritten digits, 1 against 8 (356 images of 8 x 8 pixels): rows as in the file, rows shuffled, rows sorted by label.

# %% nbgrader={"grade": false, "grade_id": "digits_order", "locked": true, "schema_version": 3, "solution": false, "task": false}
def load_pair() -> tuple[np.ndarray, np.ndarray]:
    """Digits 1 (label +1) and 8 (label -1): X (356, 64) in [0, 1], y (356,), in file order."""
    digits = load_digits()
    keep = np.isin(digits.target, (1, 8))
    return digits.data[keep] / 16, np.where(digits.target[keep] == 1, 1, -1)


X, y = load_pair()
orders = {"as in the file": np.arange(len(y)), "shuffled": np.random.default_rng(SEED).permutation(len(y)), "sorted by label": np.argsort(y, kind="stable")}
for name, rows in orders.items():
    print(f"{name:16s} 5-fold accuracy {cross_val_accuracy(X[rows], y[rows], 5, 20):.3f}")

# %% [markdown]
# **Reading.** Shuffled 0.966, file order 0.916, sorted 0.706. Sorted folds test mostly one digit; the first, all eights after training that ends with ones, reaches 0.42. The file appears to be grouped by writer, so contiguous folds test on new hands, shuffled ones on hands already seen. Both are valid estimates, of different things. Which one does your application need?
#
# **Real data.** The breast-cancer set has 569 tumours with 30 measurements, 63 % of them benign. Raw features range from below 0.01 to above 4000; **standardised** features have mean 0 and standard deviation 1. **Before you run the next cell**: for which of the two will averaging help more, and why?

# %% nbgrader={"grade": false, "grade_id": "plot_cross_validation", "locked": true, "schema_version": 3, "solution": false, "task": false}
cancer = load_breast_cancer()
labels = np.where(cancer.target == 1, 1, -1)
sets = {
    "digits\n1 against 8": load_pair(),
    "breast cancer\nstandardised": ((cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0), labels),
    "breast cancer\nraw": (cancer.data, labels),
}
fig, axes = plt.subplots(figsize=(7.4, 3.6), layout="constrained")
for row, (name, (X, y)) in enumerate(sets.items()):
    chance = max(np.mean(y == 1), np.mean(y == -1))
    axes.plot([chance, chance], [row - 0.35, row + 0.35], ":", color=BLACK, label="most frequent class" if row == 0 else None)
    shuffles = [np.random.default_rng(SEED + r).permutation(len(y)) for r in range(3)]
    for averaged, color, marker, lift in ((False, BLUE, "o", -0.13), (True, ORANGE, "s", 0.13)):
        scores = [cross_val_accuracy(X[p], y[p], 5, 20, averaged) for p in shuffles]
        axes.plot(scores, [row + lift] * 3, marker, color=color, alpha=0.8, label=("averaged plane" if averaged else "last plane") if row == 0 else None)
        print(name.replace("\n", " "), "averaged:" if averaged else "last:", np.round(scores, 3).tolist())
axes.set_yticks(range(3), list(sets))
axes.set(xlim=(0.5, 1.0), ylim=(-0.5, 2.5))
finish(axes, title="5-fold accuracy, T = 20 (3 shuffles of the rows)", xlabel="cross-validated accuracy (fraction)", ylabel="", legend=False)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
show(
    "Cross-validated accuracy, from 0.5 to 1, in three rows: digits, breast cancer standardised, breast cancer raw. Each has three "
    "circles for the last plane, three squares for the averaged one, and a dotted mark at the share of the most frequent class."
)

# %% [markdown]
# **Reading.** Standardised, both planes reach 0.96 to 0.97. Raw, the features in the thousands dominate every update, single mistakes swing the plane (0.88 to 0.90), and averaging recovers part (0.91 to 0.92). Three shuffles differ by about 0.01, so smaller gains seen on one shuffle mean little.
#
# What would change if mean and standard deviation came from the training rows only, as they should? With the first shuffle 0.965 instead of 0.970 (last plane), 0.972 instead of 0.968 (averaged): here within the spread.

# %% [markdown] nbgrader={"grade": false, "grade_id": "question_bound", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 7. Written question (15 points)
#
# Your log-log plot shows the mistakes against the margin, and in section 4 two orders of the same rows gave different separators. In at most 250 words (above 300: 1 point off):
#
# (a) State what the mistake bound promises and what it does not.
#
# (b) Why can the training error after the last pass on non-separable data be worse than after an earlier pass, and what does averaging change? Use numbers that your notebook printed.
#
# === BEGIN MARK SCHEME ===
# (a) 4 points: the bound limits the number of mistakes (updates) over any number of passes and in any order (1), for separable data only (1); it depends on R/gamma (1), not on the number of examples N or of features D as such (1).
# (a) 3 points: it says nothing about the test error (2) or about which separator is returned, e.g. nothing about its margin; two orders give two planes (1).
# (b) 4 points: on non-separable data every pass contains mistakes, so updates never stop (2); an update looks at one example only and may put others on the wrong side, so the last plane depends on the last few mistakes (2).
# (b) 4 points: averaging weights each plane by the number of steps it survives, so long-lived planes dominate and single updates change little (2); linked to own numbers, e.g. range of the last plane's error against that of the averaged plane, or raw breast cancer with and without averaging (2).
# Statements that are wrong (e.g. "the bound limits the test error", "averaging makes the data separable") cost 1 point each within their part. More than 300 words: 1 point off.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade": true, "grade_id": "answer_bound", "locked": false, "points": 15, "schema_version": 3, "solution": true, "task": false}
# (a) If some plane through the origin (of the augmented examples) separates the data with margin gamma, and no example is longer than R, the perceptron makes at most (R/gamma)^2 mistakes, in whatever order the rows come and however many passes are made. Neither N nor D appears, except through R and gamma. In my plot the mistakes were 29 to 49 % of the bound. The bound says nothing about data that no plane separates, nothing about errors on new examples, and nothing about which separator is found: rows in order gave margin 0.150, reversed 0.057, where 0.272 was possible.
#
# (b) On non-separable data every pass contains a mistake, so the updates never stop. An update serves one example and ignores the rest; if a late one goes badly, the plane that happens to be last is worse than an earlier one. My last plane had a training error between 0.113 and 0.233 over 30 passes. Averaging gives each plane the weight of the number of steps it survived. Planes that are right for many examples survive long and dominate; a bad plane is corrected after a few steps and hardly counts. The averaged plane stayed at 0.120 to 0.127 in training and 0.159 to 0.166 on the test set (last plane: up to 0.205). On the raw breast-cancer features averaging raised the cross-validated accuracy from 0.882 to 0.912.

# %% [markdown]
# ## 8. Summary
#
# * A plane is $(\theta,\theta_0)$ up to a positive factor; signed distance and margin do not depend on that factor.
# * The perceptron changes only on mistakes. On separable data all passes together make at most $(R/\gamma)^2$ of them, with R and $\gamma$ of the augmented examples; here it needed 30 to 50 % of that.
# * The bound promises neither a particular separator nor a low test error.
# * On overlapping classes the last plane jumps about; the mean of all planes is steadier.
# * Training error is not test error. Cross-validation estimates the latter, if the folds resemble the way new examples will arrive.

# %% [markdown]
# ## 9. References and bonus
#
# * F. Rosenblatt, *The perceptron*, Psychological Review 65 (1958): the procedure.
# * A. Novikoff, *On convergence proofs on perceptrons*, Symposium on the Mathematical Theory of Automata (1962): the bound.
# * Y. Freund and R. Schapire, *Large margin classification using the perceptron algorithm*, Machine Learning 37 (1999): voting and averaging, sections 2 and 3.
# * MIT 6.036, lecture notes, chapters 1 to 3: hypotheses, linear classifiers, the perceptron, evaluation.
# * W. Street, W. Wolberg, O. Mangasarian (1993), breast cancer; E. Alpaydin, C. Kaynak (1998), digits; both from scikit-learn.
#
# **Bonus, no points.** Show that $\theta=\sum_i\alpha_i y_i x_i$, where $\alpha_i$ counts the mistakes on row i. Rewrite the perceptron so that it needs only the products $x_i\cdot x_j$.
