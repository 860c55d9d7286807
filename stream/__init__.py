"""The online roles around the domain: Kafka topics, replay, score, alarm, notify."""
