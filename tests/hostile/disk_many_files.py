# ruff: noqa
# mypy: ignore-errors
# idea: use up inodes with empty files, folders, links and long names
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
def many(make):
    for number in range(100_000):
        make(f"many/{number}")
    return number


for name, make in {
    "files": lambda path: os.close(os.open(path, os.O_CREAT)),
    "folders": os.mkdir,
    "symbolic links": lambda path: os.symlink("x" * 100, path),
    "fifos": os.mkfifo,
}.items():
    os.mkdir("many")
    attempt(name, lambda: many(make))
    shutil.rmtree("many")
finished = True

# %% test probe
assert finished and not reached, reached

# %% test after
Path("small.txt").write_text("there is room again")
