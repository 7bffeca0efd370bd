"""Have a thread print the inputs of hidden tests while later cells run, and at the end.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise shout
import atexit
import threading
import time

seen = []


def say():
    while True:
        time.sleep(0.01)
        print(*seen[-5:])


threading.Thread(target=say, daemon=True).start()
atexit.register(lambda: print(seen))


def shout(text):
    seen.append(text)
    time.sleep(0.03)
    return text.upper()


# %% exercise choose
def choose(pulls, wins, rng):
    if min(pulls) < 3 or rng.random() < 0.1:
        return int(np.argmin(pulls))
    return int(np.argmax([won / pulled for won, pulled in zip(wins, pulls)]))


time.sleep(0.1)
