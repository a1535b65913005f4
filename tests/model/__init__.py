"""The whole domain in a small world: a database that commits or does not, a log, stores, carriers, people."""
