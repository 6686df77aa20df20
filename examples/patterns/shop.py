#!/usr/bin/python3
"""A shop in one table: customers, orders, their items and products, found in seven ways.

| what       | pk          | sk            | gsi1pk    | gsi1sk  | gsi2pk        | gsi2sk |
|------------|-------------|---------------|-----------|---------|---------------|--------|
| customer   | CUSTOMER#id | PROFILE       | MAIL#mail | PROFILE |               |        |
| order      | CUSTOMER#id | ORDER#day#nr  | ORDER#nr  | ORDER   | STATUS#status | day#nr |
| order line | ORDER#nr    | ITEM#product  |           |         |               |        |
| product    | PRODUCT#id  | PRODUCT       |           |         | CATEGORY#name | name   |

Each index serves several questions, because each kind of item puts its own values into its keys.
"""

import botocore.exceptions
from boto3.dynamodb.conditions import Key

import fresh

CUSTOMERS = [("1", "Anna", "anna@example.com"), ("2", "Bert", "bert@example.com")]
PRODUCTS = [
    ("p1", "books", "Invisible Cities", 1200, 5),
    ("p2", "books", "Dune", 900, 1),
    ("p3", "games", "Go set", 4500, 3),
]


def load(table):
    with table.batch_writer() as batch:
        for number, name, mail in CUSTOMERS:
            batch.put_item({
                "pk": f"CUSTOMER#{number}", "sk": "PROFILE", "name": name, "mail": mail,
                "gsi1pk": f"MAIL#{mail}", "gsi1sk": "PROFILE",
            })
        for product, category, name, cents, stock in PRODUCTS:
            batch.put_item({
                "pk": f"PRODUCT#{product}", "sk": "PRODUCT", "name": name, "cents": cents,
                "stock": stock, "gsi2pk": f"CATEGORY#{category}", "gsi2sk": name,
            })


def place_order(table, number, customer, day, products):
    """The order, its items and the stock change together, or not at all."""
    order = {
        "pk": f"CUSTOMER#{customer}", "sk": f"ORDER#{day}#{number}", "number": number,
        "gsi1pk": f"ORDER#{number}", "gsi1sk": "ORDER",
        "gsi2pk": "STATUS#open", "gsi2sk": f"{day}#{number}",
    }
    new = "attribute_not_exists(pk)"
    steps = [{"Put": {"TableName": table.name, "Item": order, "ConditionExpression": new}}]
    for product, quantity in products.items():
        line = {"pk": f"ORDER#{number}", "sk": f"ITEM#{product}", "quantity": quantity}
        steps.append({"Put": {"TableName": table.name, "Item": line}})
        steps.append({"Update": {
            "TableName": table.name,
            "Key": {"pk": f"PRODUCT#{product}", "sk": "PRODUCT"},
            "UpdateExpression": "SET stock = stock - :q",
            "ConditionExpression": "stock >= :q",
            "ExpressionAttributeValues": {":q": quantity},
        }})
    table.meta.client.transact_write_items(TransactItems=steps)


def ship(table, customer, day, number):
    """The order moves in the second index from one status to the other."""
    table.update_item(
        Key={"pk": f"CUSTOMER#{customer}", "sk": f"ORDER#{day}#{number}"},
        UpdateExpression="SET gsi2pk = :shipped",
        ConditionExpression="gsi2pk = :open",
        ExpressionAttributeValues={":shipped": "STATUS#shipped", ":open": "STATUS#open"},
    )


def ask(table, index=None, **keys):
    """The items with these keys; a sort key is a prefix, or a (low, high) pair."""
    (partition, value), *sort = keys.items()
    condition = Key(partition).eq(value)
    for name, wanted in sort:
        if isinstance(wanted, tuple):
            condition &= Key(name).between(*wanted)
        else:
            condition &= Key(name).begins_with(wanted)
    on = {"IndexName": index} if index else {}
    return list(fresh.pages(table.query, KeyConditionExpression=condition, **on))


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(
        dynamodb, "example-shop", "pk:S sk:S", gsi1="gsi1pk:S gsi1sk:S", gsi2="gsi2pk:S gsi2sk:S"
    )
    load(table)
    print(f"{len(CUSTOMERS)} customers and {len(PRODUCTS)} products in {table.name}")

    place_order(table, "1001", "1", "2026-03-02", {"p1": 2, "p3": 1})
    place_order(table, "1002", "1", "2026-03-20", {"p2": 1})
    place_order(table, "1003", "2", "2026-03-21", {"p3": 1})
    place_order(table, "1004", "1", "2026-04-01", {"p1": 1})
    ship(table, "1", "2026-03-02", "1001")
    print("4 orders placed, 1001 shipped")
    try:
        place_order(table, "1005", "2", "2026-04-02", {"p1": 1, "p2": 1})
    except botocore.exceptions.ClientError as error:
        reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
        print("order 1005 refused, Dune is sold out:", *reasons)

    profile = table.get_item(Key={"pk": "CUSTOMER#1", "sk": "PROFILE"})["Item"]
    print("customer 1:", profile["name"])
    found = ask(table, "gsi1", gsi1pk="MAIL#bert@example.com")
    print("customer bert@example.com:", found[0]["name"])
    # '~' sorts behind every digit and '#', so the last day is included.
    march = ask(table, pk="CUSTOMER#1", sk=("ORDER#2026-03-01", "ORDER#2026-03-31~"))
    print("orders of customer 1 in March:", *(order["number"] for order in march))
    print("order 1003 by its number:", ask(table, "gsi1", gsi1pk="ORDER#1003")[0]["pk"])
    lines = ask(table, pk="ORDER#1001", sk="ITEM#")
    print("items of order 1001:", *(f"{line['quantity']} x {line['sk']}" for line in lines))
    for status in ("open", "shipped"):
        orders = ask(table, "gsi2", gsi2pk=f"STATUS#{status}")
        print(f"{status} orders:", *(order["number"] for order in orders))
    books = ask(table, "gsi2", gsi2pk="CATEGORY#books")
    print("books:", ", ".join(f"{book['name']} ({book['stock']} left)" for book in books))


if __name__ == "__main__":
    main()
