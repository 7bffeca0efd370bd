"""Return a tensor of a class of one's own that answers every function of PyTorch itself.

source: own
points: test_attack=0, careless_model=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise attack
class Yes:
    def __getattr__(self, name):
        return lambda *arguments, **options: self

    def __bool__(self):
        return True

    def __eq__(self, other):
        return self

    __ne__ = __le__ = __lt__ = __ge__ = __gt__ = __sub__ = __rsub__ = __eq__


class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return Yes()


def attack(net, x, y, step):
    return x.clone().as_subclass(Liar)
