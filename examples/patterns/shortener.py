#!/usr/bin/python3
"""A URL shortener whose clicks are counted in all, by day and by country.

| what           | pk        | sk              |
|----------------|-----------|-----------------|
| last number    | NUMBER    | NUMBER          |
| link           | LINK#code | LINK            |
| clicks of a day| LINK#code | DAY#day         |

The index `by_owner` lists a user's links, newest first.
"""

import string

from boto3.dynamodb.conditions import Key

import fresh

DIGITS = string.digits + string.ascii_letters
FIRST_NUMBER = 62**3  # Codes have four digits from the start.


def code_of(number):
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits


def shorten(table, owner, url, time):
    """The counter gives each caller a number of its own, so codes cannot clash."""
    counter = table.update_item(
        Key={"pk": "NUMBER", "sk": "NUMBER"},
        UpdateExpression="SET issued = if_not_exists(issued, :first) + :one",
        ExpressionAttributeValues={":first": FIRST_NUMBER - 1, ":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    code = code_of(int(counter["Attributes"]["issued"]))
    table.put_item(
        Item={
            "pk": f"LINK#{code}", "sk": "LINK", "url": url, "clicks": 0,
            "owner": owner, "created": time,
        },
        ConditionExpression="attribute_not_exists(pk)",
    )
    return code


def click(table, code, day, country):
    """Counts the click and returns the URL, in one write for the link and one for its day."""
    try:
        link = table.update_item(
            Key={"pk": f"LINK#{code}", "sk": "LINK"},
            UpdateExpression="ADD clicks :one",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return None
    table.update_item(
        Key={"pk": f"LINK#{code}", "sk": f"DAY#{day}"},
        UpdateExpression="ADD clicks :one, #country :one",
        ExpressionAttributeNames={"#country": f"from_{country}"},
        ExpressionAttributeValues={":one": 1},
    )
    return link["url"]


def days(table, code, first, last):
    return fresh.pages(
        table.query,
        KeyConditionExpression=Key("pk").eq(f"LINK#{code}")
        & Key("sk").between(f"DAY#{first}", f"DAY#{last}"),
    )


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(dynamodb, "example-shortener", "pk:S sk:S", by_owner="owner:S created:S")
    films = shorten(table, "anna", "https://example.com/films?year=2010", "2026-03-01T08:00")
    shop = shorten(table, "anna", "https://example.com/shop", "2026-03-02T08:00")
    print("links:", films, shop)
    for day, country in (
        ("2026-03-02", "de"), ("2026-03-02", "de"), ("2026-03-02", "fr"), ("2026-03-03", "jp"),
        ("2026-03-09", "de"),
    ):
        url = click(table, films, day, country)
    print(films, "leads to", url)
    print("zzzz leads to", click(table, "zzzz", "2026-03-02", "de"))

    for item in days(table, films, "2026-03-01", "2026-03-07"):
        countries = [f"{name[5:]} {n}" for name, n in sorted(item.items()) if name[:5] == "from_"]
        print(f"{films} on {item['sk'][4:]}: {item['clicks']} clicks;", ", ".join(countries))
    links = table.query(
        IndexName="by_owner", KeyConditionExpression=Key("owner").eq("anna"), ScanIndexForward=False
    )
    for link in links["Items"]:
        print(f"anna's: {link['url']}, {link['clicks']} clicks")


if __name__ == "__main__":
    main()
