"""The layer itself: what it loses at a kill, what it keeps, and what the program sees meanwhile."""

import os
import subprocess

import pytest

HELPERS = """
import mmap, os, signal, sys
folder = sys.argv[1]
path = os.path.join(folder, "file")
def die(): os.kill(os.getpid(), signal.SIGKILL)
def make(flags=0): return os.open(path, os.O_RDWR | os.O_CREAT | flags)
"""


@pytest.fixture
def killed(liblossy, tmp_path):
    """Runs Python code under the layer until it kills itself; gives what is left of `file`."""

    def run(code, **env):
        child = subprocess.run(
            ["/usr/bin/python3", "-c", HELPERS + code, str(tmp_path)],
            env={**os.environ, "LD_PRELOAD": str(liblossy), "LOSSY_DIR": str(tmp_path), **env},
            capture_output=True,
            text=True,
        )
        assert child.returncode in (0, -9), child.stderr
        left = tmp_path / "file"
        return left.read_bytes() if left.exists() else None

    return run


def test_what_was_not_synced_is_lost(killed):
    assert killed("fd = make(); os.write(fd, b'lost'); os.close(fd); die()") == b""


@pytest.mark.parametrize("sync", ["os.fsync(fd)", "os.fdatasync(fd)", "os.sync()"])
def test_what_was_synced_is_kept(killed, sync):
    left = killed(f"fd = make(); os.write(fd, b'kept'); {sync}; os.write(fd, b'lost'); die()")
    assert left == b"kept"


def test_an_overwritten_page_is_as_it_was_synced(killed):
    left = killed(
        "fd = make(); os.pwrite(fd, b'x' * 10000, 0); os.fsync(fd)\n"
        "os.pwrite(fd, b'y' * 100, 5000); die()"
    )
    assert left == b"x" * 10000


def test_a_descriptor_opened_with_dsync_is_durable(killed):
    assert killed("fd = make(os.O_DSYNC); os.write(fd, b'kept'); die()") == b"kept"


# A write of `text` with RWF_DSYNC, submitted; end() takes its end.
ASYNC = """
import ctypes, struct
aio = ctypes.CDLL(None)  # what the layer puts before libaio's
context = ctypes.c_void_p()
assert ctypes.CDLL("libaio.so.1").io_setup(1, ctypes.byref(context)) == 0
def submit(fd, text, offset):
    global buffer, request
    buffer = ctypes.create_string_buffer(text, len(text))
    RWF_DSYNC, PWRITE = 2, 1
    request = ctypes.create_string_buffer(
        struct.pack("<QIIHhIQQqQII", 0, 0, RWF_DSYNC, PWRITE, 0, fd, ctypes.addressof(buffer),
                    len(text), offset, 0, 0, 0), 64)
    requests = (ctypes.c_void_p * 1)(ctypes.addressof(request))
    assert aio.io_submit(context, ctypes.c_long(1), requests) == 1
def end():
    event = ctypes.create_string_buffer(32)
    assert aio.io_getevents(context, ctypes.c_long(1), ctypes.c_long(1), event, None) == 1
    return struct.unpack("<QQqq", event.raw)[2]
fd = make()
"""


def test_an_asynchronous_write_is_durable_once_its_end_was_taken(killed):
    assert killed(ASYNC + "submit(fd, b'kept', 0); assert end() == 4; die()") == b"kept"
    assert killed(ASYNC + "submit(fd, b'lost', 0); die()") == b"kept"
    assert killed(ASYNC + "submit(fd, b'seen', 0); assert os.pread(fd, 9, 0) == b'seen'; die()") == b"kept"
    leaked = killed(ASYNC + "submit(fd, b'leaked', 0); die()", LOSSY_LEAK_PERCENT="100")
    assert leaked == b"leaked"


def test_a_normal_end_loses_nothing(killed):
    assert killed("fd = make(); os.write(fd, b'kept')") == b"kept"
    assert killed("fd = make(); os.write(fd, b'kept'); os.close(fd)") == b"kept"


def test_the_program_sees_what_it_wrote(killed):
    killed(
        "fd = make(); os.pwrite(fd, b'x' * 5000, 0); os.fsync(fd); os.pwrite(fd, b'yy', 4095)\n"
        "os.pwritev(fd, [b'a', b'bc'], 6000)\n"
        "assert os.pread(fd, 4, 4094) == b'xyyx'\n"
        "assert os.pread(fd, 10, 4998) == b'xx' + bytes(8)\n"
        "assert os.pread(fd, 100, 5999) == b'\\0abc'\n"
        "assert os.fstat(fd).st_size == os.stat(path).st_size == 6003\n"
        "assert os.lseek(fd, 0, os.SEEK_END) == 6003\n"
        "assert os.read(fd, 10) == b''\n"
        "os.lseek(fd, 6001, os.SEEK_SET); assert os.read(fd, 10) == b'bc'\n"
        "other = os.open(path, os.O_RDONLY); assert os.pread(other, 2, 4095) == b'yy'\n"
        "seen = mmap.mmap(other, 6003, prot=mmap.PROT_READ); assert seen[4095:4097] == b'yy'\n"
        "os.rename(path, path + '2'); assert os.stat(path + '2').st_size == 6003\n"
        "again = os.open(path + '2', os.O_RDONLY); assert os.pread(again, 2, 4095) == b'yy'\n"
        "os.ftruncate(fd, 4096); assert os.fstat(fd).st_size == 4096\n"
        "assert os.pread(again, 9, 4094) == b'xy'\n"
        "os.ftruncate(fd, 6000); assert os.pread(again, 3, 4096) == bytes(3)\n"
        "os.unlink(path + '2'); new = make(); assert os.fstat(new).st_size == 0\n"
        "assert os.pread(fd, 1, 4095) == b'y'\n"
    )


def test_a_lock_outlives_writes_to_its_file(killed):
    """A process loses its record locks on a file when it closes any descriptor of that file."""
    killed(
        "import fcntl, subprocess\n"
        "fd = make(); fcntl.lockf(fd, fcntl.LOCK_EX)\n"
        "os.write(fd, b'1'); os.fsync(fd)\n"
        "code = 'import fcntl, sys; fcntl.lockf(open(sys.argv[1], \"r+\"), 6)'\n"
        "other = subprocess.run([sys.executable, '-c', code, path], stderr=subprocess.DEVNULL)\n"
        "assert other.returncode == 1\n"
    )


def test_appending(killed):
    left = killed(
        "fd = make(os.O_APPEND); os.write(fd, b'ab'); os.write(fd, b'cd'); os.fsync(fd)\n"
        "os.write(fd, b'ef'); die()"
    )
    assert left == b"abcd"


def test_a_renamed_file_needs_its_own_sync(killed):
    left = killed(
        "fd = os.open(path + '.new', os.O_RDWR | os.O_CREAT); os.write(fd, b'lost')\n"
        "os.rename(path + '.new', path); die()"
    )
    assert left == b""


def test_leaked_pages_reach_the_file_without_a_sync(killed):
    left = killed(
        "fd = make(); os.write(fd, b'x' * 4096 * 1000); die()",
        LOSSY_LEAK_PERCENT="50",
        LOSSY_SEED="1",
    )
    pages = [left[start : start + 4096] for start in range(0, len(left), 4096)]
    kept = pages.count(b"x" * 4096)
    assert 300 < kept < 700
    assert kept + pages.count(bytes(4096)) == len(pages)


def test_files_elsewhere_are_untouched(killed, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    killed(f"fd = os.open({str(elsewhere)!r}, os.O_RDWR | os.O_CREAT); os.write(fd, b'kept'); die()")
    assert elsewhere.read_bytes() == b"kept"
