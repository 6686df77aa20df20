"""kill -9 under load: nothing acknowledged is lost, nothing is half there, each change is told once."""

import rounds as play_rounds


def test_kill_under_load(tmp_path, kafka, rounds, seed, disk_bytes, capsys):
    flags = ["--disk-bytes", disk_bytes] if disk_bytes else []
    writes = play_rounds.play(tmp_path, kafka, tmp_path.name, seed, rounds, flags)
    # Near its budget, which the stream's 24 hours fill, a disk takes only what does not grow.
    assert writes > rounds * (1 if disk_bytes else 10)
    with capsys.disabled():
        print(f"{rounds} rounds, {writes} acknowledged writes", flush=True)
