// Sends what it is told through the AWS SDK: a request as a line of JSON in, what came of it as one out.
// The form of the lines: tests/wire/resend.py.
"use strict";

const readline = require("node:readline");
const services = {
  dynamodb: require("@aws-sdk/client-dynamodb"),
  dynamodbstreams: require("@aws-sdk/client-dynamodb-streams"),
};
const clients = new Map();
let seen;

function clientOf(service, endpoint) {
  const name = `${service} ${endpoint}`;
  if (!clients.has(name)) {
    const { DynamoDBClient, DynamoDBStreamsClient } = services[service];
    const client = new (DynamoDBClient ?? DynamoDBStreamsClient)({ endpoint, maxAttempts: 1 });
    // Next to the connection, so it sees each answer before the SDK reads it.
    const watch = (next) => async (args) => {
      seen.sent = true;
      const result = await next(args);
      seen.headers = result.response.headers;
      return result;
    };
    client.middlewareStack.add(watch, { step: "deserialize", priority: "low", name: "watch" });
    clients.set(name, client);
  }
  return clients.get(name);
}

// Base64 to what the SDK wants.
function binary(value, name) {
  if (name === "B" && typeof value === "string") return Buffer.from(value, "base64");
  if (Array.isArray(value)) {
    return value.map((element) =>
      name === "BS" && typeof element === "string" ? Buffer.from(element, "base64") : binary(element),
    );
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([inner, element]) => [inner, binary(element, inner)]),
  );
}

function printable(_, value) {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

async function send({ endpoint, service, operation, request }) {
  seen = { sent: false, headers: {} };
  try {
    const Command = services[service][`${operation}Command`];
    const { $metadata, ...answer } = await clientOf(service, endpoint).send(
      new Command(binary(request)),
    );
    seen.told = { status: $metadata.httpStatusCode, answer };
  } catch (error) {
    const { $metadata, $response, $service, ...members } = error;
    seen.told = {
      status: $metadata?.httpStatusCode,
      error: { ...members, name: error.name, message: error.message },
    };
  }
  return seen.sent ? seen : { sent: false };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = await send(JSON.parse(line));
    process.stdout.write(`${JSON.stringify(answer, printable)}\n`);
  }
}

main();
