import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.CancellationReason;
import software.amazon.awssdk.services.dynamodb.model.ConditionalCheckFailedException;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryResponse;
import software.amazon.awssdk.services.dynamodb.model.ReturnValue;
import software.amazon.awssdk.services.dynamodb.model.ReturnValuesOnConditionCheckFailure;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.awssdk.services.dynamodb.model.TransactWriteItem;
import software.amazon.awssdk.services.dynamodb.model.TransactionCanceledException;
import software.amazon.awssdk.services.dynamodb.model.WriteRequest;

/** What an application does with the AWS SDK for Java v2. Its one option is the endpoint. */
public final class Client {
  private static final int ORDERS = 60;
  private final DynamoDbClient client;
  private final String table;

  private Client(DynamoDbClient client, String table) {
    this.client = client;
    this.table = table;
  }

  public static void main(String[] arguments) {
    try (DynamoDbClient client =
        DynamoDbClient.builder().endpointOverride(URI.create(arguments[0])).build()) {
      new Client(client, arguments[1]).run();
    }
  }

  private void run() {
    create();
    System.out.println("create");
    writeAndRead();
    System.out.println("writeAndRead");
    writeOrders();
    System.out.println("writeOrders");
    queryAndPage();
    System.out.println("queryAndPage");
    change();
    System.out.println("change");
    transact();
    System.out.println("transact");
  }

  private void create() {
    client.createTable(
        request ->
            request
                .tableName(table)
                .attributeDefinitions(
                    AttributeDefinition.builder()
                        .attributeName("customer")
                        .attributeType(ScalarAttributeType.S)
                        .build(),
                    AttributeDefinition.builder()
                        .attributeName("number")
                        .attributeType(ScalarAttributeType.N)
                        .build())
                .keySchema(
                    KeySchemaElement.builder()
                        .attributeName("customer")
                        .keyType(KeyType.HASH)
                        .build(),
                    KeySchemaElement.builder()
                        .attributeName("number")
                        .keyType(KeyType.RANGE)
                        .build())
                .billingMode(BillingMode.PAY_PER_REQUEST));
    client.waiter().waitUntilTableExists(request -> request.tableName(table));
  }

  private void writeAndRead() {
    Map<String, AttributeValue> item =
        Map.of(
            "customer", text("anna"),
            "number", number(0),
            "name", text("Änna \uD83D\uDE42"),
            "photo", AttributeValue.fromB(SdkBytes.fromByteArray(new byte[] {0, 1, -2, -1})),
            "active", AttributeValue.fromBool(true),
            "nothing", AttributeValue.fromNul(true),
            "tags", AttributeValue.fromSs(List.of("new", "vip")),
            "lucky", AttributeValue.fromNs(List.of("7", "13")),
            "address",
                AttributeValue.fromM(
                    Map.of(
                        "city", text("Ulm"),
                        "floors",
                            AttributeValue.fromL(
                                List.of(
                                    number(1), AttributeValue.fromN("2.5"), number(-3))))));
    client.putItem(request -> request.tableName(table).item(item));
    Map<String, AttributeValue> read =
        client
            .getItem(
                request -> request.tableName(table).key(key("anna", 0)).consistentRead(true))
            .item();
    equal(item, read);
    try {
      client.putItem(
          request ->
              request
                  .tableName(table)
                  .item(key("anna", 0))
                  .conditionExpression("attribute_not_exists(customer)")
                  .returnValuesOnConditionCheckFailure(
                      ReturnValuesOnConditionCheckFailure.ALL_OLD));
      throw new AssertionError("the condition was not checked");
    } catch (ConditionalCheckFailedException failed) {
      equal(item, failed.item());
    }
  }

  private void writeOrders() {
    List<WriteRequest> puts = new ArrayList<>();
    for (int number = 1; number <= ORDERS; ++number) {
      Map<String, AttributeValue> order =
          Map.of(
              "customer", text("bert"), "number", number(number), "cents", number(number * 100));
      puts.add(WriteRequest.builder().putRequest(put -> put.item(order)).build());
    }
    while (!puts.isEmpty()) {
      List<WriteRequest> batch = puts.subList(0, Math.min(25, puts.size()));
      Map<String, List<WriteRequest>> requests = Map.of(table, List.copyOf(batch));
      batch.clear();
      puts.addAll(
          client
              .batchWriteItem(request -> request.requestItems(requests))
              .unprocessedItems()
              .getOrDefault(table, List.of()));
    }
  }

  private void queryAndPage() {
    QueryRequest query =
        QueryRequest.builder()
            .tableName(table)
            .keyConditionExpression("customer = :c AND #n BETWEEN :low AND :high")
            .filterExpression("cents <> :no")
            .expressionAttributeNames(Map.of("#n", "number"))
            .expressionAttributeValues(
                Map.of(
                    ":c", text("bert"),
                    ":low", number(11),
                    ":high", number(50),
                    ":no", number(2000)))
            .scanIndexForward(false)
            .limit(7)
            .build();
    List<Integer> numbers = new ArrayList<>();
    int pages = 0;
    for (QueryResponse page : client.queryPaginator(query)) {
      page.items().forEach(item -> numbers.add(Integer.parseInt(item.get("number").n())));
      ++pages;
    }
    List<Integer> expected =
        IntStream.rangeClosed(11, 50).map(i -> 61 - i).filter(n -> n != 20).boxed().toList();
    equal(expected, numbers);
    equal(6, pages);

    long scanned =
        client
            .scanPaginator(request -> request.tableName(table).limit(20))
            .items()
            .stream()
            .count();
    equal(ORDERS + 1L, scanned);
  }

  private void change() {
    Map<String, AttributeValue> attributes =
        client
            .updateItem(
                request ->
                    request
                        .tableName(table)
                        .key(key("bert", 1))
                        .updateExpression("SET cents = cents + :more")
                        .expressionAttributeValues(Map.of(":more", number(11)))
                        .returnValues(ReturnValue.UPDATED_NEW))
            .attributes();
    equal(Map.of("cents", number(111)), attributes);
    Map<String, AttributeValue> deleted =
        client
            .deleteItem(
                request ->
                    request
                        .tableName(table)
                        .key(key("bert", ORDERS))
                        .returnValues(ReturnValue.ALL_OLD))
            .attributes();
    equal(number(ORDERS * 100), deleted.get("cents"));
  }

  private void transact() {
    TransactWriteItem add =
        TransactWriteItem.builder()
            .update(
                update ->
                    update
                        .tableName(table)
                        .key(key("bert", 2))
                        .updateExpression("ADD cents :c")
                        .expressionAttributeValues(Map.of(":c", number(1))))
            .build();
    TransactWriteItem put =
        TransactWriteItem.builder().put(p -> p.tableName(table).item(key("carl", 1))).build();
    client.transactWriteItems(request -> request.transactItems(add, put));

    TransactWriteItem delete =
        TransactWriteItem.builder().delete(d -> d.tableName(table).key(key("carl", 1))).build();
    TransactWriteItem check =
        TransactWriteItem.builder()
            .conditionCheck(
                c ->
                    c.tableName(table)
                        .key(key("nobody", 1))
                        .conditionExpression("attribute_exists(customer)"))
            .build();
    try {
      client.transactWriteItems(request -> request.transactItems(delete, check));
      throw new AssertionError("the transaction was not cancelled");
    } catch (TransactionCanceledException cancelled) {
      List<String> codes =
          cancelled.cancellationReasons().stream().map(CancellationReason::code).toList();
      equal(List.of("None", "ConditionalCheckFailed"), codes);
    }
  }

  private static Map<String, AttributeValue> key(String customer, int number) {
    return Map.of("customer", text(customer), "number", number(number));
  }

  private static AttributeValue text(String text) {
    return AttributeValue.fromS(text);
  }

  private static AttributeValue number(int number) {
    return AttributeValue.fromN(Integer.toString(number));
  }

  private static void equal(Object expected, Object actual) {
    if (!expected.equals(actual)) {
      throw new AssertionError("expected " + expected + ", found " + actual);
    }
  }
}
