"""Lethe's Kafka topics: declared once (`catalogue`), compared with a broker (`plan`), applied (`admin`)."""
