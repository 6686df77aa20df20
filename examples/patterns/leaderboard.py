#!/usr/bin/python3
"""A leaderboard: the best first, ties by name, by an index whose sort key holds the inverted score.

A sort key sorts upwards. So the index's holds what is missing to the highest possible score, with
leading zeros, and the player's name: page one of an ordinary query is the top of the board.
"""

from boto3.dynamodb.conditions import Attr, Key

import fresh

SCORE_MAX = 999_999_999
SCORES = [
    ("anna", 4200), ("bert", 9100), ("carl", 4200), ("dora", 12_500), ("emil", 300), ("fred", 9900),
]


def place(player, score):
    return f"{SCORE_MAX - score:09d}#{player}"


def submit(table, game, player, score):
    """Keeps the score if it is the player's best. Tells whether it was."""
    try:
        table.update_item(
            Key={"player": player, "game": game},
            UpdateExpression="SET score = :score, place = :place",
            ConditionExpression=Attr("score").not_exists() | Attr("score").lt(score),
            ExpressionAttributeValues={":score": score, ":place": place(player, score)},
        )
        return True
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return False


def rank(table, game, player):
    """1 and the number of players before this one, counted in the index without reading them."""
    mine = table.get_item(Key={"player": player, "game": game})["Item"]["place"]
    before = table.query(
        IndexName="board",
        KeyConditionExpression=Key("game").eq(game) & Key("place").lt(mine),
        Select="COUNT",
    )
    return 1 + before["Count"]


def show(title, items):
    print(f"{title}:", ", ".join(f"{item['player']} {item['score']}" for item in items))


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(
        dynamodb, "example-leaderboard", "player:S game:S", board="game:S place:S"
    )
    for player, score in SCORES:
        submit(table, "tetris", player, score)
    print(f"{len(SCORES)} scores submitted")
    for score in (200, 9500):
        best = submit(table, "tetris", "emil", score)
        print(f"emil again with {score}:", "kept" if best else "not his best")

    board = {"IndexName": "board", "KeyConditionExpression": Key("game").eq("tetris"), "Limit": 3}
    first = table.query(**board)
    show("top three", first["Items"])
    show("next three", table.query(**board, ExclusiveStartKey=first["LastEvaluatedKey"])["Items"])
    for player in ("dora", "carl"):
        print(f"{player} is number {rank(table, 'tetris', player)}")


if __name__ == "__main__":
    main()
