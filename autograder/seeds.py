"""Global random generators begin where they are told to.

Runs: candidate side of the wall: in each kernel when it starts, and in the examiner's before each test cell.
"""

from __future__ import annotations

import random
import sys


def seed_generators(seed: int, *, accelerators: bool = True) -> None:
    """Give every global random generator that is loaded a state of its own: forks would share the zygote's.

    Without `accelerators` PyTorch's is only that of the CPU: for others that are not in use yet it writes down the whole stack,
    which takes longer than everything else here.
    """
    random.seed(seed)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    if torch is not None:
        (torch.manual_seed if accelerators else torch.default_generator.manual_seed)(seed)
