# ruff: noqa
# mypy: ignore-errors
# idea: overwrite or break the grader's files through what is kept: their names, links, pipes, folders with their names
# origin: A2, A13
# verdicts: probe=passed, after=passed
# kept: kept.txt, sub, sub/deep.txt, hard.txt, ..., öäü.txt, new\line

# %% exercise attack
Path("kept.txt").write_text("kept")
os.mkdir("sub")
Path("sub/deep.txt").write_text("kept")
os.link("kept.txt", "hard.txt")
Path("...").write_text("three dots")
Path("öäü.txt").write_text("x")
Path("new\\line").write_text("x")
for name in ("ps1.ipynb", "ps1.report.json", "other.ipynb", "sub/ps1.ipynb"):
    Path(name).write_text("forged")
os.mkdir("x.report.json")  # a folder named as a report is refused or left out, with what is in it
Path("x.report.json/inside").write_text("x")
os.mkdir("y.ipynb")
Path("y.ipynb/inside").write_text("x")
os.symlink(facts["course"], "course")
os.symlink(f"{facts['course']}/gradebook.db", "gradebook.db")
os.symlink("../../../../gradebook.db", "relative.db")
os.unlink("link.txt") if os.path.lexists("link.txt") else None
os.symlink("/etc/hosts", "link.txt")  # where the folder outside has a link too
os.mkfifo("pipe")
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
Path("unreadable.ipynb").write_text("x")
os.chmod("unreadable.ipynb", 0)
finished = True

# %% test probe
assert finished

# %% test after
assert Path("kept.txt").read_text() == "kept"
