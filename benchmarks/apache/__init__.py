"""Apache Kafka as a child process."""
