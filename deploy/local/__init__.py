"""A real Kafka broker and a real PostgreSQL from Python packages alone: no container engine, no Java.

`stack.Stack` is the way in. Everything listens on 127.0.0.1 only and lives in one data directory.
"""
