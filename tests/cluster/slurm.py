"""A SLURM cluster on this machine: a controller and two nodes with made-up GPUs.

It listens on the loopback address. Nothing of the machine's own configuration is read or written:
everything lies in one folder, and `stop` ends exactly the processes that `start` started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
NODES = ("node0", "node1")
TOOLS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun")

CONFIGURATION = """\
ClusterName=milan
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/munge.socket
CredType=cred/munge
MpiDefault=none
StateSaveLocation={root}/spool/controller
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
# The memory of a job is looked at every two seconds; a job above its request is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Jobs of a run at low priority stay there; the daemons do not (see _daemon).
PropagatePrioProcess=1
# A node that does not answer for twenty seconds is down, and is used again as soon as it answers.
SlurmdTimeout=20
ReturnToService=2
# squeue has to remember finished jobs.
MinJobAge=600
GresTypes=gpu
# What a node has is what is written here, not what this machine has.
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
NodeName=node0 Port={node0} {node}
NodeName=node1 Port={node1} {node}
PartitionName=debug Nodes=node[0-1] Default=YES MaxTime=UNLIMITED State=UP
"""

NODE = "NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=64000 Gres=gpu:1 State=UNKNOWN"


def why_not() -> str | None:
    """The reason why no cluster can be started here, or None."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", *TOOLS) if not _found(name)]
    if missing:
        return f"no {missing[0]} here: apt-get install --no-install-recommends {' '.join(PACKAGES)}"
    return None if os.geteuid() == 0 else "slurmd and mknod need root"


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now."""
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@dataclass
class Cluster:
    """One controller and two nodes with one core, 64 GB and a made-up GPU each."""

    root: Path
    """A short path: sockets have at most 107 characters."""
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self) -> None:
        """Start everything and wait until both nodes are idle."""
        for name in (
            "munge",
            "log",
            "run",
            "dev",
            "bin",
            "spool/controller",
            "spool/node0",
            "spool/node1",
        ):
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o755)
        self.root.chmod(0o755)  # munged wants a socket that everyone can reach
        self._write_configuration()
        munge = self.root / "munge"
        key = munge / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._daemon(
            "munged", "--foreground", f"--key-file={key}", f"--socket={munge}/munge.socket",
            f"--pid-file={munge}/pid", f"--log-file={self.root}/log/munged.log",
            f"--seed-file={munge}/seed", "--num-threads=1",
        )  # fmt: skip
        _wait(lambda: (munge / "munge.socket").exists(), 10, "munged")
        self._daemon("slurmctld", "-D", "-c")
        for node in NODES:
            self.start_node(node)
        self.wait_for(["idle"], *NODES)

    def stop(self) -> None:
        """End what was started, newest first, and what still runs under the nodes."""
        for node in NODES:
            for pid in _running_on(node, self.root):
                _kill(pid)
        for name in reversed(list(self.running)):
            self._end(name, signal.SIGTERM)

    def start_node(self, node: str) -> None:
        self._daemon("slurmd", "-D", "-N", node, name=node)

    def fail_node(self, node: str) -> None:
        """Kill a node's daemon and all that runs under it, as a power failure does."""
        self._end(node, signal.SIGKILL)
        for pid in _running_on(node, self.root):
            _kill(pid)

    def wait_for(self, states: Sequence[str], *nodes: str, seconds: float = 60) -> None:
        """Wait until nodes are in one of some states."""
        _wait(
            lambda: all(self.state(node) in states for node in nodes), seconds, f"{nodes} {states}"
        )

    def state(self, node: str) -> str:
        return self.ask("sinfo", "-h", "-N", "-n", node, "-o", "%T").strip().rstrip("*")

    def ask(self, *command: str) -> str:
        """What a tool of SLURM answers."""
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=False
        )
        return done.stdout

    def environment(self, base: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of commands that use this cluster."""
        base = dict(os.environ) if base is None else base
        paths = f"{self.root}/bin:{base['PATH']}:/usr/sbin:/sbin"
        return {**base, "PATH": paths, "SLURM_CONF": str(self.root / "slurm.conf")}

    def _write_configuration(self) -> None:
        controller, node0, node1 = _free_ports(3)
        node = NODE.format(host=socket.gethostname().split(".")[0])
        settings = {"root": self.root, "user": "root", "node": node}
        text = CONFIGURATION.format(**settings, controller=controller, node0=node0, node1=node1)
        (self.root / "slurm.conf").write_text(text)
        devices = []
        for number, node in enumerate(NODES):
            device = self.root / f"dev/gpu{number}"
            if not device.exists():
                # A null device stands for a GPU: SLURM wants a file and hands out its number.
                os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))
            devices.append(f"NodeName={node} Name=gpu File={device}\n")
        (self.root / "gres.conf").write_text("AutoDetect=off\n" + "".join(devices))
        # Job steps start srun without the variables of SLURM, so each tool names the configuration.
        for tool in TOOLS:
            wrapper = self.root / "bin" / tool
            wrapper.write_text(
                f'#!/bin/sh\nexport SLURM_CONF={self.root}/slurm.conf\nexec {_found(tool)} "$@"\n'
            )
            wrapper.chmod(0o755)

    def _daemon(self, program: str, *arguments: str, name: str | None = None) -> None:
        name = name or program
        with (self.root / f"log/{name}.out").open("a") as log:
            started = subprocess.Popen(
                [str(_found(program)), *arguments],
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running[name] = started
        # A busy machine must not make a node look as if it failed.
        os.setpriority(os.PRIO_PROCESS, started.pid, 0)

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self.running.pop(name)
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(ready, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s: {what}")
        time.sleep(0.3)


def _running_on(node: str, root: Path) -> list[int]:
    """The processes of a node's jobs, and the daemons of their steps."""
    mine = (f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={root}".encode())
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if not all(word in (folder / "environ").read_bytes() for word in mine):
                continue
            found.add(int(folder.name))
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if Path(f"/proc/{parent}/comm").read_text().startswith("slurmstepd"):
                found.add(int(parent))
        except OSError:  # ended meanwhile
            continue
    return sorted(found)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
