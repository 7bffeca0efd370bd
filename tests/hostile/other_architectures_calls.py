# ruff: noqa
# mypy: ignore-errors
# idea: make system calls by the numbers of another architecture, which a filter may forget: 32-bit x86 and x32
# origin: own
# needs: x86_64
# verdicts: probe=passed, after=passed

# %% exercise attack
def machine_code(code):
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page))), page


def through_int_80(number, first, second=0):
    code = (
        b"\x53\xb8"
        + struct.pack("<I", number)
        + b"\xbb"
        + struct.pack("<I", first)
        + b"\xb9"
        + struct.pack("<I", second)
        + b"\x31\xd2\xcd\x80\x48\x98\x5b\xc3"
    )
    function, page = machine_code(code)
    result = function()
    if result < 0:
        raise OSError(-result, "int 0x80")
    return result


def through_x32(number, first, second):
    result = libc.syscall(ctypes.c_long(0x40000000 | number), ctypes.c_long(first), ctypes.c_long(second), ctypes.c_long(0))
    if result < 0:
        raise OSError(ctypes.get_errno(), "x32")
    return result


harmless, page = machine_code(b"\xb8\x07\x00\x00\x00\xc3")
assert harmless() == 7
attempt("i386 getpid", lambda: in_child(lambda: through_int_80(20, 0)))
attempt("i386 socket", lambda: in_child(lambda: through_int_80(359, 2, 1)))
attempt("i386 unshare", lambda: in_child(lambda: through_int_80(310, 0x10000000)))
attempt("i386 keyctl", lambda: in_child(lambda: through_int_80(288, 0)))
attempt("x32 getpid", lambda: in_child(lambda: through_x32(39, 0, 0)))
attempt("x32 socket", lambda: in_child(lambda: through_x32(41, 2, 1)))
attempt("x32 unshare", lambda: in_child(lambda: through_x32(272, 0x10000000, 0)))
attempt("x32 ptrace", lambda: in_child(lambda: through_x32(521, 16, 1)))
finished = True
print(reached, refused)

# %% test probe
assert finished and not reached, reached

# %% test after
assert 1 + 1 == 2
