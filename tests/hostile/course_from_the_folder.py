# ruff: noqa
# mypy: ignore-errors
# idea: read the notebook with the hidden tests in the working folder, and walk up from there
# origin: B3, A11
# verdicts: probe=passed, after=passed

# %% exercise attack
for up in range(6):
    top = Path(*[".."] * up) if up else Path(".")
    for pattern in ("*.ipynb", "*.report.json", "gradebook.db", "source/*/*.ipynb", "submitted/*/*/*", "autograded/*/*/*"):
        for path in top.glob(pattern):
            attempt(f"read {path}", lambda: path.read_bytes()[:2000])
attempt("link that a student left there", lambda: Path("link.txt").read_text())
attempt("hidden by a mount", lambda: Path(f"/proc/self/cwd/../../{Path.cwd().name}/ps1.ipynb").read_text())
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
assert sorted(os.listdir()) == ["data.csv", "facts.json"]

# %% test after
assert Path("data.csv").read_text() == "x,y\n1,2\n"
