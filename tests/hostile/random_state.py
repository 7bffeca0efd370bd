# ruff: noqa
# mypy: ignore-errors
# idea: leave the next submission another random state, or learn something from one's own
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
import random
import numpy

print(random.random(), numpy.random.rand())
assert hash("text") == hash("text")
random.seed(0)
numpy.random.seed(0)
for _ in range(1000):
    random.random(), numpy.random.rand()
numpy.random.set_state(numpy.random.RandomState(5).get_state())
finished = True

# %% test probe
assert finished

# %% test after
assert random.getrandbits(8) >= 0
