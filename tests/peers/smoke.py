#!/usr/bin/python3
"""Starts one unpacked peer on a free loopback port, asks it for EHLO, stops it.  Runs inside peers.sh's namespace."""
import pathlib
import smtplib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402


def main():
    with servers.START[sys.argv[1]](relay_to=None) as server:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
            code, text = client.ehlo("peer.test")
            print(f"{sys.argv[1]}: {code} {text.decode(errors='replace').splitlines()[0]}")
            return 0 if code == 250 else 1


sys.exit(main())
