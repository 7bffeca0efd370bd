"""The assignment that the cheats are tried on; `reading` says how the file becomes a notebook.

Every hidden part holds tokens that occur nowhere else, `zq...` and long numbers, so that whatever escapes can be recognised.
Tests named `careless_...` are written as no test should be: docs/cheating.md says what each of them lets through.
"""
# ruff: noqa
# mypy: ignore-errors

# %% given setup
import numpy as np
import torch
from pytest import raises

import gearbox

# %% given settings parameters
SEED = 3
LIMIT = 4


# %% given net
def fresh_net(seed):
    """A classifier of points in the plane, the same each time."""
    net = torch.nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 0.5], [-1.0, seed]]))
        net.bias.zero_()
    return net


# %% exercise double
def double(xs):
    """A new list with twice each number of the list xs."""
    ### BEGIN SOLUTION
    return [2 * x for x in xs]  # zqsolution
    ### END SOLUTION


# %% test test_double 2
assert double([1, 2]) == [2, 4], "twice each number"
### BEGIN HIDDEN TESTS
# zqdoublenote
assert double([4827159, LIMIT]) == [9654318, 8], "zqdoublesay"
xs = [5]
assert double(xs) == [10] and xs == [5]
### END HIDDEN TESTS


# %% exercise mean
def mean(xs):
    """The mean of the list xs of numbers, a float."""
    ### BEGIN SOLUTION
    return sum(xs) / len(xs)
    ### END SOLUTION


# %% test test_mean 2
assert abs(mean([1, 2, 6]) - 3) < 1e-9, "the mean of three numbers"
### BEGIN HIDDEN TESTS
assert abs(mean([5181731.0, 5181740.0]) - 5181735.5) < 1e-6, "zqmeansay"
### END HIDDEN TESTS


# %% exercise running_sum
def running_sum(x):
    """The running sum of the one-dimensional array x, an array of the same shape; x stays as it is."""
    ### BEGIN SOLUTION
    return np.cumsum(x)
    ### END SOLUTION


# %% test test_running_sum 2
np.testing.assert_allclose(running_sum(np.array([1.0, 2.0])), [1.0, 3.0])
### BEGIN HIDDEN TESTS
np.testing.assert_allclose(running_sum(np.array([7315251.0, 1.5])), [7315251.0, 7315252.5], err_msg="zqsumsay")
### END HIDDEN TESTS

# %% test careless_shape 1
assert np.allclose(running_sum(np.array([2.0, 5.0, 1.0])), [2.0, 7.0, 8.0])

# %% test careless_order 1
x = np.array([3.0, 1.0, 4.0])
assert np.allclose(running_sum(x), np.cumsum(x))


# %% exercise centre
def centre(x):
    """x (n,) moved so that its mean is 0, an array of the same shape."""
    ### BEGIN SOLUTION
    return x - x.mean()
    ### END SOLUTION


# %% test test_centre 2
x = np.array([1.0, 2.0, 6.0])
assert abs(centre(x).mean()) < 1e-9 and abs(centre(x).std() - x.std()) < 1e-9, "moved, and nothing else"
### BEGIN HIDDEN TESTS
x = np.array([2718281.5, 2718283.5, 1.0])
assert abs(centre(x).mean()) < 1e-6 and abs(centre(x).std() - x.std()) < 1e-6, "zqcentresay"
### END HIDDEN TESTS


# %% exercise solve
def solve(A, b):
    """The solution x of A x = b, an array of the shape of b."""
    ### BEGIN SOLUTION
    return np.linalg.solve(A, b)
    ### END SOLUTION


# %% test test_solve 2
A, b = np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 8.0])
x = solve(A.copy(), b.copy())
assert x.shape == (2,) and np.allclose(A @ x, b), "A x should be b"
### BEGIN HIDDEN TESTS
A, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([6428013.0, 1.0])
x = solve(A.copy(), b.copy())
assert x.shape == (2,) and np.allclose(A @ x, b), "zqsolvesay"
### END HIDDEN TESTS


# %% exercise clip
def clip(xs, low, high):
    """Let every number of the list xs lie between low and high, in place; returns nothing."""
    ### BEGIN SOLUTION
    xs[:] = [min(max(x, low), high) for x in xs]
    ### END SOLUTION


# %% test test_clip 2
xs = [1, 5, 9]
assert clip(xs, 2, 6) is None and xs == [2, 5, 6], "clipped in place"
### BEGIN HIDDEN TESTS
xs = [3917464, -3917464]
clip(xs, 0, 3917460)
assert xs == [3917460, 0], "zqclipsay"
### END HIDDEN TESTS


# %% exercise account
class Account:
    """Money: deposit(amount), withdraw(amount), balance. ValueError for a withdrawal of more than there is."""

    ### BEGIN SOLUTION
    def __init__(self, balance):
        self.balance = balance

    def deposit(self, amount):
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError("not enough")
        self.balance -= amount

    ### END SOLUTION


# %% test test_account 2
account = Account(10)
account.deposit(5)
assert account.balance == 15, "after a deposit"
with raises(ValueError):
    account.withdraw(16)
### BEGIN HIDDEN TESTS
account = Account(2650431)
account.deposit(9)
account.withdraw(2650430)
assert account.balance == 10, "zqaccountsay"
with raises(ValueError):
    account.withdraw(11)
assert account.balance == 10
### END HIDDEN TESTS


# %% exercise twice
def twice(f, x):
    """f applied to x, and again to what came out."""
    ### BEGIN SOLUTION
    return f(f(x))
    ### END SOLUTION


# %% test test_twice 2
assert twice(lambda x: x + 3, 1) == 7, "applied twice"
### BEGIN HIDDEN TESTS
assert twice(lambda x: 3 * x - 8150623, 8150627) == 40753151, "zqtwicesay"
### END HIDDEN TESTS


# %% given checker
def is_twice(f, x):
    """Whether twice does what it should."""
    return twice(f, x) == f(f(x))


# %% test test_checker 1
assert is_twice(abs, -3), "applied twice"
### BEGIN HIDDEN TESTS
assert is_twice(lambda x: x + 6091823, 1), "zqcheckersay"
### END HIDDEN TESTS


# %% exercise parse_age
def parse_age(text):
    """The whole number that text holds; ValueError if it holds none, or one below 0."""
    ### BEGIN SOLUTION
    age = int(text)
    if age < 0:
        raise ValueError("negative")
    return age
    ### END SOLUTION


# %% test test_parse_age 2
assert parse_age("31") == 31
with raises(ValueError):
    parse_age("-4")
### BEGIN HIDDEN TESTS
assert parse_age(" 57 ") == 57, "zqagesay"
with raises(ValueError):
    parse_age("zqageinput")
### END HIDDEN TESTS


# %% exercise loss
def loss(w, X, y):
    """The mean squared error of the linear model w (d,) on X (n, d) and y (n,): a tensor that can be differentiated."""
    ### BEGIN SOLUTION
    return ((X @ w - y) ** 2).mean()
    ### END SOLUTION


# %% test test_loss 2
w = torch.tensor([1.0, 1.0], requires_grad=True)
loss(w, torch.eye(2), torch.zeros(2)).backward()
assert torch.allclose(w.grad, torch.tensor([1.0, 1.0])), "the gradient"
### BEGIN HIDDEN TESTS
w = torch.tensor([2.0], requires_grad=True)
value = loss(w, torch.tensor([[1948.625]]), torch.tensor([0.5]))
assert abs(value.item() - 15184660.5) < 10, "zqlosssay"
value.backward()
assert torch.allclose(w.grad, torch.tensor([15186608.9375])), "zqgradsay"
### END HIDDEN TESTS


# %% exercise attack
def attack(net, x, y, step):
    """x (n, 2) with every coordinate moved by at most step, so that net reads the points of the classes y (n,) wrongly."""
    ### BEGIN SOLUTION
    leaf = x.clone().requires_grad_(True)
    torch.nn.functional.cross_entropy(net(leaf), y).backward()
    return (x + step * leaf.grad.sign()).detach()
    ### END SOLUTION


# %% test test_attack 2
x, y = torch.tensor([[0.2, 0.0], [-0.1, 0.1]]), torch.tensor([0, 1])
moved = attack(fresh_net(-0.5), x.clone(), y.clone(), 0.5)
assert (moved - x).abs().max() <= 0.5 + 1e-6, "no coordinate should move by more than step"
assert (fresh_net(-0.5)(moved).argmax(1) != y).all(), "the attack should succeed"
### BEGIN HIDDEN TESTS
x = torch.tensor([[0.3, 0.2578125], [0.25, -0.125]])
moved = attack(fresh_net(0.75), x.clone(), torch.tensor([0, 0]), 0.6)
assert (moved - x).abs().max() <= 0.6 + 1e-6, "zqnearsay"
assert (fresh_net(0.75)(moved).argmax(1) == 1).all(), "zqattacksay"
### END HIDDEN TESTS

# %% test careless_model 1
net = fresh_net(-0.25)
x, y = torch.tensor([[0.4, 0.1], [-0.4, 0.1]]), torch.tensor([0, 1])
assert (net(attack(net, x, y, 0.75)).argmax(1) != y).all(), "the attack should succeed"


# %% exercise centroids
class Centroids:
    """Classifies points by the nearest mean of a class: fit(X, y), predict(X) for X (n, 2) and y (n,) in 0, 1, 2."""

    ### BEGIN SOLUTION
    def fit(self, X, y):
        self.means = np.array([X[y == label].mean(axis=0) for label in range(3)])

    def predict(self, X):
        return ((X[:, None] - self.means) ** 2).sum(axis=2).argmin(axis=1)

    ### END SOLUTION


# %% test test_centroids 4
model = Centroids()
model.fit(*gearbox.blobs(1, 30))
X, y = gearbox.blobs(2, 60)
### BEGIN HIDDEN TESTS
X, y = gearbox.blobs(8820417, 60)
### END HIDDEN TESTS
4 * float((np.asarray(model.predict(X)) == y).mean())

# %% test careless_cap 1
model = Centroids()
model.fit(*gearbox.blobs(3, 30))
X, y = gearbox.blobs(4, 60)
min(1.0, float((model.predict(X) == y).mean()))

# %% given training
model = Centroids()
model.fit(*gearbox.blobs(5, 30))
X, y = gearbox.blobs(6, 60)
reached = float((model.predict(X) == y).mean())

# %% test careless_word 1
assert reached > 0.9, "the model should be right nine times in ten"


# %% test test_again 1
assert double([3]) == [6]
### BEGIN HIDDEN TESTS
assert double([1273946]) == [2547892], "zqagainsay"
### END HIDDEN TESTS


# %% exercise total
def total(xs):
    """The sum of what double makes of xs."""
    ### BEGIN SOLUTION
    return sum(double(xs))
    ### END SOLUTION


# %% test test_total 2
assert total([1, 2]) == 6
### BEGIN HIDDEN TESTS
keep = double
double = lambda xs: [3509218, len(xs)]
assert total([0, 0]) == 3509220, "zqtotalsay"
double = keep
### END HIDDEN TESTS


# %% exercise words
def words(text):
    """How often each word stands in text: a dict."""
    ### BEGIN SOLUTION
    return {word: text.split().count(word) for word in text.split()}
    ### END SOLUTION


# %% test test_words 2
assert words("a b a")["a"] == 2
### BEGIN HIDDEN TESTS
counts = words("zqwordone zqwordtwo zqwordone")
assert counts["zqwordone"] == 2 and counts["zqwordtwo"] == 1 and len(counts) == 2, "zqwordsay"
### END HIDDEN TESTS


# %% exercise order
def order(xs):
    """A new list: the numbers of the list xs, smallest first."""
    ### BEGIN SOLUTION
    return sorted(xs)
    ### END SOLUTION


# %% test test_order 2
for xs in [[3, 1, 2], [1]]:
    out = order(list(xs))
    assert len(out) == len(xs) and all(a <= b for a, b in zip(out, out[1:])), "smallest first"
    assert sorted(out) == sorted(xs), "the same numbers"
### BEGIN HIDDEN TESTS
for xs in [[7402958, 3, 7402951, 3], []]:
    out = order(list(xs))
    assert len(out) == len(xs) and all(a <= b for a, b in zip(out, out[1:])), "zqordersay"
    assert sorted(out) == sorted(xs), "zqsamesay"
### END HIDDEN TESTS


# %% test careless_zip 1
for got, want in zip(order([5, 4]), [4, 5]):
    assert got == want, "smallest first"


# %% exercise shout
def shout(text):
    """The text in capital letters."""
    ### BEGIN SOLUTION
    return text.upper()
    ### END SOLUTION


# %% test test_shout 2
for got, want in zip(map(shout, ["a", "b c"]), ["A", "B C"]):
    assert got == want, "capital letters"
### BEGIN HIDDEN TESTS
for got, want in zip(map(shout, ["zqshoutin", "7"]), ["ZQSHOUTIN", "7"]):
    assert got == want, "zqshoutsay"
### END HIDDEN TESTS


# %% exercise countdown
def countdown(n):
    """A generator: n, n - 1, ... 1."""
    ### BEGIN SOLUTION
    yield from range(n, 0, -1)
    ### END SOLUTION


# %% test test_countdown 2
assert list(countdown(3)) == [3, 2, 1]
### BEGIN HIDDEN TESTS
assert list(countdown(7)) == [7, 6, 5, 4, 3, 2, 1] and list(countdown(0)) == [], "zqcountsay"
### END HIDDEN TESTS


# %% open cases
CASES = 6

# %% test careless_open 1
for n in range(CASES):
    assert list(countdown(n)) == list(range(n, 0, -1)), "from n to 1"


# %% exercise choose
def choose(pulls, wins, rng):
    """Which of three slot machines to pull next, 0, 1 or 2, given how often each was pulled and won."""
    ### BEGIN SOLUTION
    if min(pulls) < 3 or rng.random() < 0.1:
        return int(np.argmin(pulls))
    return int(np.argmax([won / pulled for won, pulled in zip(wins, pulls)]))
    ### END SOLUTION


# %% test test_choose 2
luck, rng = np.random.default_rng(5), np.random.default_rng(6)
pulls, wins = [0, 0, 0], [0, 0, 0]
for _ in range(40):
    arm = choose(list(pulls), list(wins), rng)
    pulls[arm] += 1
    wins[arm] += bool(luck.random() < [0.1, 0.2, 0.95][arm])
assert sum(wins) >= 22, "the best machine should be found"

# %% test careless_luck 1
rng = np.random.default_rng(7)
pulls, wins = [0, 0, 0], [0, 0, 0]
for _ in range(40):
    arm = choose(list(pulls), list(wins), rng)
    pulls[arm] += 1
    wins[arm] += bool(rng.random() < [0.1, 0.2, 0.95][arm])
assert sum(wins) >= 22, "the best machine should be found"


# %% exercise play
def play(guess):
    """The number in 0 .. 127 for which guess(number) is 0; guess gives -1 for a number too large and 1 for one too small."""
    ### BEGIN SOLUTION
    low, high = 0, 127
    while True:
        middle = (low + high) // 2
        answer = guess(middle)
        if answer == 0:
            return middle
        low, high = (middle + 1, high) if answer > 0 else (low, middle - 1)
    ### END SOLUTION


# %% test test_play 2
def hide(secret):
    tries = []

    def guess(number):
        tries.append(number)
        return (secret > number) - (secret < number)

    return guess, tries


guess, tries = hide(61)
assert play(guess) == 61 and len(tries) <= 8, "eight guesses suffice"
### BEGIN HIDDEN TESTS
for secret in (5, 97, 127):
    guess, tries = hide(secret)
    assert play(guess) == secret and len(tries) <= 8, "zqplaysay"
### END HIDDEN TESTS


# %% test careless_game 1
class Game:
    tries = 0

    def __call__(self, number):
        self.tries += 1
        return (93 > number) - (93 < number)


game = Game()
assert play(game) == 93 and game.tries <= 8, "eight guesses suffice"

# %% answer why 2
# Why should a program never grade itself?
