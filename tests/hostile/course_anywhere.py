# ruff: noqa
# mypy: ignore-errors
# idea: reach the gradebook, the source and other submissions by every path that leads there, to read and to write
# origin: B4, A10
# verdicts: probe=passed, after=passed

# %% exercise attack
roots = ["", "/proc/self/root", "/proc/1/root", "/proc/1/cwd/..", "/proc/thread-self/root", "/proc/self/cwd/../../.."]
roots += [f"/proc/{pid}/root" for pid in (1, 2, facts["pids"]["driver"], facts["pids"]["zygote"], *facts["pids"]["bubblewrap"])]
inside = ["gradebook.db", "source/ps1/ps1.ipynb", "submitted/alice/ps1/ps1.ipynb", "feedback/alice/ps1/ps1.html"]
for root in roots:
    for name in inside:
        path = f"{root}{facts['course']}/{name}"
        attempt(f"read {path}", lambda: Path(path).read_bytes()[:100])
        attempt(f"append {path}", lambda: open(path, "ab").write(b"x"))
        attempt(f"replace {path}", lambda: os.replace("data.csv", path))
        attempt(f"path {path}", lambda: os.open(path, os.O_PATH))
        attempt(f"hard link {path}", lambda: os.link(path, "linked"))
    attempt(f"list {root}", lambda: os.listdir(f"{root}{facts['course']}"))
    attempt(f"home {root}", lambda: os.listdir(f"{root}{facts['home']}"))
    attempt(f"chroot {root}", lambda: os.chdir(f"{root}{facts['course']}"))
for folder, _, names in itertools.chain(os.walk("/root"), os.walk("/home"), os.walk("/tmp"), os.walk("/work"), os.walk("/mnt")):
    for name in {"gradebook.db", "secret.txt", "ps1.ipynb"} & set(names):
        with contextlib.suppress(OSError):
            if b"canary-" in Path(folder, name).read_bytes():
                reached[f"{folder}/{name}"] = True
usr = os.open("/usr", os.O_RDONLY)
for number in range(2, 4000, 7):  # by inode, without a path
    handle = struct.pack("IIQ", 8, 1, number)
    attempt("by inode", lambda: call("open_by_handle_at", usr, ctypes.c_char_p(handle), 0))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert Path("data.csv").exists()
