"""Change the weights of the model that the test passes in, so that it is wrong about everything.

source: own
points: test_attack=0, careless_model=1
stays: What a function was given it may change: weights, counters, generators. Measure with another one.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise attack
def attack(net, x, y, step):
    with torch.no_grad():
        net.weight.neg_()
    return x.clone()
