"""Send the messages of a test that went well, as the kernel would, over its own sockets.

source: A5
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    kernel = get_ipython().kernel
    parent = kernel.get_parent("shell")
    data = {"data": {"text/plain": "2.0"}, "metadata": {}, "execution_count": 1}
    reply = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    kernel.session.send(kernel.iopub_socket, "execute_result", data, parent=parent)
    kernel.session.send(kernel.shell_stream, "execute_reply", reply, parent=parent, ident=kernel._parent_ident.get("shell"))
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent)
    return None
