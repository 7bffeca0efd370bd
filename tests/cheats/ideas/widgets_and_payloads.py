"""Hide the inputs of hidden tests in what is not output: widgets, pager, the next cell's text, titles, metadata.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise shout
seen = []


def shout(text):
    seen.append(text)
    return text.upper()


# %% added test_shout
from IPython.display import display
from comm import create_comm

text = ",".join(seen)
create_comm(target_name="jupyter.widget", data={"state": {"value": text}}, metadata={"version": "2.1.0"})
get_ipython().set_next_input(f"# {text}")
get_ipython().payload_manager.write_payload({"source": "page", "data": {"text/plain": text}, "start": 0})
display(
    {"text/plain": "-", "application/vnd.jupyter.widget-view+json": {"model_id": text}}, raw=True, metadata={"isolated": text}
)
display({"application/json": {"seen": text}, "text/plain": ""}, raw=True)
