// What an application does with the AWS SDK for JavaScript v3. Its one option is the endpoint.
"use strict";

const assert = require("node:assert/strict");
const {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DynamoDBClient,
  TransactionCanceledException,
  waitUntilTableExists,
} = require("@aws-sdk/client-dynamodb");
const {
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  TransactWriteCommand,
  UpdateCommand,
  paginateQuery,
  paginateScan,
} = require("@aws-sdk/lib-dynamodb");

const [endpoint, TableName] = process.argv.slice(2);
const client = new DynamoDBClient({ endpoint });
const documents = DynamoDBDocumentClient.from(client);
const ORDERS = 60;

async function create() {
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [
        { AttributeName: "customer", AttributeType: "S" },
        { AttributeName: "number", AttributeType: "N" },
      ],
      KeySchema: [
        { AttributeName: "customer", KeyType: "HASH" },
        { AttributeName: "number", KeyType: "RANGE" },
      ],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  const { state } = await waitUntilTableExists({ client, maxWaitTime: 30 }, { TableName });
  assert.equal(state, "SUCCESS");
}

async function writeAndRead() {
  const item = {
    customer: "anna",
    number: 0,
    name: "Änna 🙂",
    photo: new Uint8Array([0, 1, 254, 255]),
    active: true,
    nothing: null,
    tags: new Set(["new", "vip"]),
    lucky: new Set([7, 13]),
    address: { city: "Ulm", floors: [1, 2.5, -3] },
  };
  await documents.send(new PutCommand({ TableName, Item: item }));
  const { Item } = await documents.send(
    new GetCommand({ TableName, Key: { customer: "anna", number: 0 }, ConsistentRead: true }),
  );
  assert.deepEqual(Item, item);
  await assert.rejects(
    documents.send(
      new PutCommand({
        TableName,
        Item: { customer: "anna", number: 0 },
        ConditionExpression: "attribute_not_exists(customer)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    ),
    (error) => error instanceof ConditionalCheckFailedException && error.Item.name.S === item.name,
  );
}

async function writeOrders() {
  const puts = [];
  for (let number = 1; number <= ORDERS; ++number) {
    puts.push({ PutRequest: { Item: { customer: "bert", number, cents: number * 100 } } });
  }
  while (puts.length > 0) {
    const { UnprocessedItems } = await documents.send(
      new BatchWriteCommand({ RequestItems: { [TableName]: puts.splice(0, 25) } }),
    );
    puts.push(...(UnprocessedItems[TableName] ?? []));
  }
}

async function queryAndPage() {
  const numbers = [];
  let pages = 0;
  const query = {
    TableName,
    KeyConditionExpression: "customer = :c AND #n BETWEEN :low AND :high",
    FilterExpression: "cents <> :no",
    ExpressionAttributeNames: { "#n": "number" },
    ExpressionAttributeValues: { ":c": "bert", ":low": 11, ":high": 50, ":no": 2000 },
    ScanIndexForward: false,
  };
  for await (const page of paginateQuery({ client: documents, pageSize: 7 }, query)) {
    numbers.push(...page.Items.map((item) => item.number));
    ++pages;
  }
  const expected = Array.from({ length: 40 }, (_, i) => 50 - i).filter((n) => n !== 20);
  assert.deepEqual(numbers, expected);
  assert.equal(pages, 6);

  let scanned = 0;
  for await (const page of paginateScan({ client: documents, pageSize: 20 }, { TableName })) {
    scanned += page.Count;
  }
  assert.equal(scanned, ORDERS + 1);
}

async function change() {
  const { Attributes } = await documents.send(
    new UpdateCommand({
      TableName,
      Key: { customer: "bert", number: 1 },
      UpdateExpression: "SET cents = cents + :more",
      ExpressionAttributeValues: { ":more": 11 },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  assert.deepEqual(Attributes, { cents: 111 });
  const key = { customer: "bert", number: ORDERS };
  const deleted = await documents.send(
    new DeleteCommand({ TableName, Key: key, ReturnValues: "ALL_OLD" }),
  );
  assert.deepEqual(deleted.Attributes, { ...key, cents: ORDERS * 100 });
}

async function transact() {
  await documents.send(
    new TransactWriteCommand({
      TransactItems: [
        {
          Update: {
            TableName,
            Key: { customer: "bert", number: 2 },
            UpdateExpression: "ADD cents :c",
            ExpressionAttributeValues: { ":c": 1 },
          },
        },
        { Put: { TableName, Item: { customer: "carl", number: 1 } } },
      ],
    }),
  );
  await assert.rejects(
    documents.send(
      new TransactWriteCommand({
        TransactItems: [
          { Delete: { TableName, Key: { customer: "carl", number: 1 } } },
          {
            ConditionCheck: {
              TableName,
              Key: { customer: "nobody", number: 1 },
              ConditionExpression: "attribute_exists(customer)",
            },
          },
        ],
      }),
    ),
    (error) => {
      assert.ok(error instanceof TransactionCanceledException);
      assert.deepEqual(
        error.CancellationReasons.map((reason) => reason.Code),
        ["None", "ConditionalCheckFailed"],
      );
      return true;
    },
  );
}

async function main() {
  for (const step of [create, writeAndRead, writeOrders, queryAndPage, change, transact]) {
    await step();
    console.log(step.name);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
