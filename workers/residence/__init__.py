"""How long plaintext can still be found in Kafka: trimming of inbound topics behind what was applied."""
