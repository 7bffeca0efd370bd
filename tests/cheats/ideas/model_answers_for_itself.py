"""Put a function of one's own into the model that the test passes in, in place of `forward`.

source: own
points: test_attack=0, careless_model=1
stays: What a function was given it may change: weights, counters, generators. Measure with another one.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise attack
def attack(net, x, y, step):
    net.forward = lambda points: -torch.nn.functional.one_hot(y, 2).float()
    return x.clone()
