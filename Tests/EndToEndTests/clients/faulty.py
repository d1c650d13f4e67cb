"""A node of `millrace local` with the faults of faults.c, which are changed while it runs."""

import argparse
import json
import os
import subprocess


class FaultyNode:
    def __init__(self, program, folder, settings=()):
        self.program = program
        self.cluster = os.path.join(folder, "cluster")
        self.faults = os.path.join(folder, "faults")
        library = os.path.join(folder, "faults.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.c")
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        self.environment = dict(os.environ, LD_PRELOAD=library, FAULTS=self.faults)
        self.set()
        config = sum((["--config", setting] for setting in settings), [])
        description = json.loads(self.local("up", *config, "-o", "json"))
        self.bootstrap = description["bootstrap"]["plaintext"]
        self.node = description["nodes"][0]

    def set(self, *lines):
        """These faults, and no others, from now on."""
        with open(self.faults + ".new", "w", encoding="ascii") as file:
            file.writelines(line + "\n" for line in lines)
        os.rename(self.faults + ".new", self.faults)

    def local(self, verb, *more, status=0):
        command = [self.program, "local", verb, "--dir", self.cluster, *more]
        result = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, env=self.environment, check=False)
        assert result.returncode == status, f"local {verb}: {result.returncode}"
        return result.stdout

    def log_lines(self, text):
        with open(self.node["log_file"], encoding="utf-8") as file:
            return [line for line in file if text in line]

    def resident_bytes(self):
        with open(self.node["pid_file"], encoding="ascii") as file:
            status = f"/proc/{int(file.read())}/status"
        with open(status, encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmRSS:"))
        return int(line.split()[1]) << 10

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.set()
        if kind:
            print("".join(self.log_lines("")[-20:]))
        self.local("down")


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--dir", required=True)
    return parser.parse_args()
