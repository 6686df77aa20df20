"""Starts and stops the real programs that tests talk to: the sidecar, Kafka, DynamoDB Local."""
