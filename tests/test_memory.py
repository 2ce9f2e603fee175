"""The memory there is: that of the machine, of its container, and of the limits of the process."""

import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.memory import Need, free_bytes, require_room

GB = 10**9


@pytest.fixture
def machine(tmp_path):
    """Write files below a folder that stands for the root."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    write(proc__meminfo="MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n")
    return write


def group(root, path, **files):
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_what_the_machine_has(machine):
    assert free_bytes(machine()) == 8_000_000 * 1024


def test_nothing_known_is_no_limit(tmp_path):
    assert free_bytes(tmp_path) == float("inf")
    require = Need("x", "everything", 1e300)
    with pytest.raises(InputError):
        require_room(require)  # of this machine something is known


def test_a_group_of_version_2_and_those_above_it(machine):
    root = machine(proc__self__cgroup="0::/a/b\n")
    group(root, "a/b", memory__max="max\n", memory__current="5\n")
    group(root, "a", memory__max=f"{3 * GB}\n", memory__current=f"{2 * GB}\n")
    assert free_bytes(root) == GB
    group(root, "a", memory__stat=f"anon 5\ninactive_file {GB // 2}\n")
    assert free_bytes(root) == GB + GB // 2  # what was read once makes room
    group(root, "a/b", memory__max=f"{GB}\n", memory__current=f"{GB}\n")
    assert free_bytes(root) == 0


def test_a_group_of_version_1(machine):
    root = machine(proc__self__cgroup="7:cpu:/\n4:memory:/job\n0::/\n")
    names = {"memory__limit_in_bytes": f"{GB}", "memory__usage_in_bytes": f"{GB // 4}"}
    group(root, "memory/job", **names)
    assert free_bytes(root) == GB - GB // 4


PROGRAM = """
import resource
from dadao_sim.errors import InputError
from dadao_sim.memory import Need, free_bytes, require_room
free, before = free_bytes(), resource.getrlimit(resource.RLIMIT_AS)
require_room(Need("x", "two", 2e9))
resource.setrlimit(resource.RLIMIT_AS, (10**9, before[1]))
assert 0 < free_bytes() < min(free, 10**9)
try:
    require_room(Need("x", "two", 2e9))
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(free_bytes() < 4e9, reason="there is little memory")
@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY, reason="has a limit"
)
def test_a_limit_of_the_process():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("x: two would take 2 GB of memory, of which ")


@given(st.lists(st.integers(0, 10**40), min_size=1, max_size=5))
def test_room_is_for_all_together(sizes):
    needs = [Need(f"key{k}", f"thing {k}", size) for k, size in enumerate(sizes)]
    if sum(sizes) < free_bytes() / 2:
        require_room(*needs)
    elif sum(sizes) > 1e15:
        with pytest.raises(InputError) as caught:
            require_room(*needs)
        assert str(caught.value).startswith(f"key{sizes.index(max(sizes))}: thing")
        assert len(str(caught.value)) < 150
