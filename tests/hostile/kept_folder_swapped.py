# ruff: noqa
# mypy: ignore-errors
# idea: put another folder, or a link to one, where the working folder was, so that what is kept comes from there
# origin: own
# verdicts: probe=passed, after=passed
# kept:

# %% exercise attack
here = os.getcwd()
os.rename(here, here + "-old")
os.symlink("/usr/share", here)
finished = True

# %% test probe
assert finished

# %% test after
assert os.listdir(here)
