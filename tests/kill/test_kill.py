"""kill -9 under load: nothing acknowledged is lost, nothing is half there, each change is told once."""

import rounds as play_rounds


def test_kill_under_load(tmp_path, kafka, rounds, seed, capsys):
    writes = play_rounds.play(tmp_path, kafka, "kill", seed, rounds)
    assert writes > rounds * 10
    with capsys.disabled():
        print(f"{rounds} rounds, {writes} acknowledged writes", flush=True)
