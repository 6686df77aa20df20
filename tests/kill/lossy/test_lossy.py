"""The same rounds over a layer that loses at a kill what was not flushed."""

import pytest

import rounds as play_rounds
from ledger import Violation


def over(liblossy, tmp_path, seed, leak_percent):
    return {
        "LD_PRELOAD": str(liblossy),
        "LOSSY_DIR": str(tmp_path / "data"),
        "LOSSY_LEAK_PERCENT": str(leak_percent),
        "LOSSY_SEED": str(seed),
        "LOSSY_SYNC_US": "1000",
    }


@pytest.mark.parametrize("leak_percent", [0, 30])
def test_flushed_writes_survive(
    tmp_path, kafka, liblossy, rounds, seed, disk_bytes, capsys, leak_percent
):
    writes = play_rounds.play(
        tmp_path,
        kafka,
        tmp_path.name,
        seed,
        max(1, rounds // 2),
        flags=["--disk-bytes", disk_bytes] if disk_bytes else [],
        env=over(liblossy, tmp_path, seed, leak_percent),
    )
    # Near its budget, which the stream's 24 hours fill, a disk takes only what does not grow.
    assert writes > rounds // 2 * (1 if disk_bytes else 10)
    with capsys.disabled():
        print(f"{max(1, rounds // 2)} rounds, {writes} acknowledged writes", flush=True)


def test_without_flushes_the_loss_is_found(tmp_path, kafka, liblossy, seed):
    """If this passed the checks, the layer would lose nothing and prove nothing."""
    with pytest.raises(Violation):
        play_rounds.play(
            tmp_path,
            kafka,
            "lossy-none",
            seed,
            5,
            flags=["--durability", "none"],
            env=over(liblossy, tmp_path, seed, 0),
        )
