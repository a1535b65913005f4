"""The Kafka topics of Lethe: declared once (`catalogue`), compared with a broker (`plan`), applied to it (`admin`)."""
