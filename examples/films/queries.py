#!/usr/bin/python3
"""Asks the table films by year and by genre, through its two global indexes.

`by-year` sorts a year's films by title and holds their genres too. `by-genre` sorts a genre's films by
year and holds nothing but keys. A film without a genre is not in it: an index is as sparse as its key.
"""

import argparse

import boto3
from boto3.dynamodb.conditions import Key


def pages(operation, **request):
    """The answers of a query or scan, page by page."""
    while True:
        answer = operation(**request)
        yield answer
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def items(operation, **request):
    return [item for page in pages(operation, **request) for item in page["Items"]]


def count(operation, **request):
    return sum(page["Count"] for page in pages(operation, Select="COUNT", **request))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--endpoint-url", default="http://127.0.0.1:8000")
    options = arguments.parse_args()
    films = boto3.resource("dynamodb", endpoint_url=options.endpoint_url).Table("films")
    by_year = {"IndexName": "by-year"}
    by_genre = {"IndexName": "by-genre"}

    year = Key("year").eq(2010)
    print("films of 2010:", count(films.query, **by_year, KeyConditionExpression=year))
    print("those whose title begins with 'The S':")
    for film in items(
        films.query, **by_year, KeyConditionExpression=year & Key("title").begins_with("The S")
    ):
        print(f"  {film['title']} ({', '.join(film['genres'])})")

    print("Westerns from 2010 to 2017:")
    westerns = Key("genre").eq("Western") & Key("year").between(2010, 2017)
    for film in items(films.query, **by_genre, KeyConditionExpression=westerns):
        print(f"  {film['year']} {film['title']}")
    newest = films.query(
        **by_genre,
        KeyConditionExpression=Key("genre").eq("Western"),
        ScanIndexForward=False,
        Limit=3,
    )
    print("years of the three newest Westerns:", *(film["year"] for film in newest["Items"]))
    comedies = Key("genre").eq("Comedy")
    print("Comedies:", count(films.query, **by_genre, KeyConditionExpression=comedies))
    print("films with a genre:", count(films.scan, **by_genre), "of", count(films.scan))


if __name__ == "__main__":
    main()
