"""The ECG domain: signals in, findings and alarms out; no Kafka, no clocks, no screens."""
