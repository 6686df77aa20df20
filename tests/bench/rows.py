"""The rows of the table of results."""


def row(bench, ours, peer=None, theirs=None, connections=None, note=None):
    """`theirs` is what `ours` is held against, and `peer` says what that is; `note` is printed below."""
    ratio = ours / theirs if theirs else None
    return {"bench": bench, "peer": peer, "connections": connections, "ours": ours,
            "theirs": theirs, "ratio": ratio, "note": note}


def few_rounds(options):
    """Of rows whose rounds are long."""
    return min(options.rounds, 3)
