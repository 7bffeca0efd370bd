"""Send the inputs of hidden tests over the kernel's own sockets, as output of an earlier cell and of a later one.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise shout
kernel = get_ipython().kernel
parents = [kernel.get_parent("shell")]


def shout(text):
    for parent in [*parents, kernel.get_parent("shell"), {}]:
        for kind, content in (
            ("stream", {"name": "stdout", "text": text}),
            ("display_data", {"data": {"text/plain": text}, "metadata": {}}),
            ("error", {"ename": text, "evalue": text, "traceback": [text]}),
        ):
            kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
    return text.upper()
