"""The stores downstream: what each is, the tasks that go to it, and the connectors that carry them out."""
