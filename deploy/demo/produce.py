"""Sends the 336,776 flights of nycflights13 to topic "flights": key is the carrier, value the row as JSON."""
import csv
import io
import json
import sys
import time
import zipfile

from kafka import KafkaProducer

bootstrap, ca = sys.argv[1:3]
with zipfile.ZipFile(".venv/nycflights13/nycflights13/data/flights.csv.zip") as archive:
    name = next(n for n in archive.namelist() if n.endswith("flights.csv") and not n.startswith("__"))
    rows = list(csv.DictReader(io.TextIOWrapper(archive.open(name), "utf-8")))

producer = KafkaProducer(bootstrap_servers=bootstrap, security_protocol="SSL", ssl_cafile=ca, acks="all",
                         compression_type="gzip", linger_ms=50, batch_size=262144)
failed = []
begin = time.monotonic()
for row in rows:
    future = producer.send("flights", key=row["carrier"].encode(), value=json.dumps(row).encode())
    future.add_errback(failed.append)
producer.flush()
seconds = time.monotonic() - begin
if failed:
    sys.exit(f"{len(failed)} records were not acknowledged: {failed[0]}")
print(f"{len(rows):,} records acknowledged in {seconds:.1f} s ({len(rows) / seconds:,.0f} a second from one Python process)")
