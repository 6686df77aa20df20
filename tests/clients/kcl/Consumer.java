import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.StreamsSchedulerFactory;
import com.amazonaws.services.dynamodbv2.streamsadapter.adapter.DynamoDBStreamsClientRecord;
import com.amazonaws.services.dynamodbv2.streamsadapter.model.DynamoDBStreamsProcessRecordsInput;
import com.amazonaws.services.dynamodbv2.streamsadapter.polling.DynamoDBStreamsPollingConfig;
import com.amazonaws.services.dynamodbv2.streamsadapter.processor.DynamoDBStreamsShardRecordProcessor;
import java.net.URI;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.Record;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;

/**
 * An ordinary worker of the Kinesis Client Library on a DynamoDB stream. Arguments: endpoint, ARN of
 * the stream, name of the application, name of the worker. Tells what it processes, a line each, and
 * checkpoints after every batch:
 *
 * <pre>
 * open SHARD
 * record SHARD SEQUENCE-NUMBER KEY VALUE      of the attributes pk (S) and n (N)
 * end SHARD
 * </pre>
 */
public final class Consumer implements DynamoDBStreamsShardRecordProcessor {
  private static final long QUICK_MILLIS = 1000;

  private String shard;

  public static void main(String[] arguments) throws Exception {
    Region region = Region.of(System.getenv("AWS_REGION"));
    URI endpoint = URI.create(arguments[0]);
    DynamoDbAsyncClient tables =
        DynamoDbAsyncClient.builder().endpointOverride(endpoint).region(region).build();
    DynamoDbStreamsClient streams =
        DynamoDbStreamsClient.builder().endpointOverride(endpoint).region(region).build();
    AmazonDynamoDBStreamsAdapterClient adapter =
        new AmazonDynamoDBStreamsAdapterClient(streams, region);
    ConfigsBuilder configs =
        new ConfigsBuilder(
            StreamsSchedulerFactory.createSingleStreamTracker(
                arguments[1],
                InitialPositionInStreamExtended.newInitialPosition(
                    InitialPositionInStream.TRIM_HORIZON)),
            arguments[2],
            adapter,
            tables,
            CloudWatchAsyncClient.builder().region(region).build(),
            arguments[3],
            Consumer::new);
    new Thread(scheduler(configs, adapter), "scheduler").start();
  }

  /** Intervals of a second or so, where a fleet of workers would have minutes. */
  private static Scheduler scheduler(
      ConfigsBuilder configs, AmazonDynamoDBStreamsAdapterClient adapter) {
    var coordinator = configs.coordinatorConfig();
    coordinator.parentShardPollIntervalMillis(QUICK_MILLIS);
    coordinator.shardConsumerDispatchPollIntervalMillis(100);
    coordinator.skipShardSyncAtWorkerInitializationIfLeasesExist(true);
    coordinator.coordinatorStateTableConfig().billingMode(BillingMode.PAY_PER_REQUEST);
    var leases = configs.leaseManagementConfig();
    leases.failoverTimeMillis(5 * QUICK_MILLIS);
    leases.shardSyncIntervalMillis(QUICK_MILLIS);
    leases.leasesRecoveryAuditorExecutionFrequencyMillis(QUICK_MILLIS);
    leases.billingMode(BillingMode.PAY_PER_REQUEST);
    leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(QUICK_MILLIS);
    leases
        .workerUtilizationAwareAssignmentConfig()
        .inMemoryWorkerMetricsCaptureFrequencyMillis(QUICK_MILLIS);
    leases.workerUtilizationAwareAssignmentConfig().disableWorkerMetrics(true);
    leases.leaseAssignmentIntervalMillis(QUICK_MILLIS);
    var polling = new DynamoDBStreamsPollingConfig(adapter);
    polling.idleTimeBetweenReadsInMillis(200);
    var retrieval = configs.retrievalConfig();
    retrieval.retrievalSpecificConfig(polling);
    var metrics = configs.metricsConfig();
    metrics.metricsLevel(MetricsLevel.NONE);
    metrics.metricsFactory(new NullMetricsFactory());
    var processor = configs.processorConfig();
    processor.callProcessRecordsEvenForEmptyRecordList(false);
    return StreamsSchedulerFactory.createScheduler(
        configs.checkpointConfig(),
        coordinator,
        leases,
        configs.lifecycleConfig(),
        metrics,
        processor,
        retrieval,
        adapter);
  }

  private static synchronized void tell(String line) {
    System.out.println(line);
    System.out.flush();
  }

  @Override
  public void initialize(InitializationInput input) {
    shard = input.shardId();
    tell("open " + shard);
  }

  @Override
  public void processRecords(DynamoDBStreamsProcessRecordsInput input) {
    for (DynamoDBStreamsClientRecord given : input.records()) {
      Record record = given.getRecord();
      var keys = record.dynamodb().keys();
      var image = record.dynamodb().newImage();
      tell(
          "record %s %s %s %s"
              .formatted(
                  shard,
                  record.dynamodb().sequenceNumber(),
                  keys.get("pk").s(),
                  image.get("n").n()));
    }
    checkpoint(() -> input.checkpointer().checkpoint());
  }

  @Override
  public void shardEnded(ShardEndedInput input) {
    checkpoint(() -> input.checkpointer().checkpoint());
    tell("end " + shard);
  }

  @Override
  public void leaseLost(LeaseLostInput input) {}

  @Override
  public void shutdownRequested(ShutdownRequestedInput input) {
    checkpoint(() -> input.checkpointer().checkpoint());
  }

  private interface Checkpoint {
    void run() throws Exception;
  }

  private static void checkpoint(Checkpoint action) {
    try {
      action.run();
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }
}
