"""A local AWS that fails the way AWS fails. For the demo and the tests, never for production.

SQS, SNS, S3, EventBridge, Kinesis, DynamoDB, STS and CloudWatch are an emulator's (`emulator`). Lambda is ours, since
no emulator writes faithful failure records: `service` puts together `functions` (what is deployed), `pool` (execution
environments, each a child process that runs `runtime`), `asynchronous` (retries, ages), `delivery` (DLQ messages,
failure records), `mapping` (SQS as event source) and `streams`, `batches`, `shards` (Kinesis and DynamoDB Streams as
event sources); `api` is its HTTP side. `fanout` lets the emulator's topics and rules call those functions, and writes
what they leave in dead-letter queues. `shop` is what runs on it: three handlers as a user would write them, with bugs
to fix.
"""
