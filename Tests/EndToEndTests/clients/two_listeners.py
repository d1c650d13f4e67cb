"""A node with the example deploy/config/two-listeners.properties: kafka-python inside and outside of its network.

usage: two_listeners.py --millrace PROGRAM --config FILE --dir FOLDER

The example's names and ports are nobody's here: this process resolves them itself, as a DNS server and a port mapping
would, to the ports that the node really has. So a client gets on only where it is told its own listener's address.
"""

import argparse
import os
import signal
import socket
import ssl
import subprocess
import time

INSIDE, OUTSIDE = ("broker-1.internal", 9092), ("kafka.example.net", 9094)
network = {}
asked = set()
resolve = socket.getaddrinfo


def resolve_here(host, port, *more, **named):
    if (host, port) in network:
        asked.add((host, port))
        host, port = network[host, port]
    return resolve(host, port, *more, **named)


socket.getaddrinfo = resolve_here

from kafka import KafkaConsumer, KafkaProducer  # noqa: E402
from kafka.admin import ConfigResource, KafkaAdminClient  # noqa: E402
from kafka.errors import KafkaError  # noqa: E402


def free_port(family, host):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    for name in ("--millrace", "--config", "--dir"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    certificates = os.path.join(options.dir, "ca")
    for arguments in (["ca"], ["node", "external", "--host", OUTSIDE[0]]):
        subprocess.run(
            [options.millrace, "cert", *arguments, "--dir", certificates], check=True, stdout=subprocess.DEVNULL)
    pem = key_and_chain(certificates, "external")
    network[INSIDE] = ("127.0.0.1", free_port(socket.AF_INET, "127.0.0.1"))
    network[OUTSIDE] = ("::1", free_port(socket.AF_INET6, "::1"))
    settings = {
        "listeners": "INTERNAL://127.0.0.1:%d,EXTERNAL://[::1]:%d,CONTROLLER://127.0.0.1:0"
        % (network[INSIDE][1], network[OUTSIDE][1]),
        "listener.name.external.ssl.keystore.location": pem, "log.dirs": os.path.join(options.dir, "data"),
        "millrace.storage.format": "true", "millrace.http.listener": ""}
    overrides = sum((["--override", f"{key}={value}"] for key, value in settings.items()), [])
    log = os.path.join(options.dir, "log")
    with open(log, "wb") as file:
        node = subprocess.Popen([options.millrace, "server", "--config", options.config, *overrides], stderr=file)
    try:
        wait_until_served(node, log)
        ca = os.path.join(certificates, "ca.crt")
        story(ca)
        change_certificate(options.millrace, certificates, ca)
    except BaseException:
        with open(log, encoding="utf-8") as file:
            print(file.read())
        raise
    finally:
        node.send_signal(signal.SIGTERM)
        assert node.wait(20) == 0, "the node stops in good order"
    print("two listeners: ok")


def key_and_chain(certificates, name):
    """A file with key and certificates, as ssl.keystore.location of type PEM takes it."""
    pem = os.path.join(certificates, f"{name}.pem")
    with open(pem, "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="ascii") as file:
        for part in (f"{name}.key", f"{name}.crt"):
            with open(os.path.join(certificates, part), encoding="ascii") as source:
                file.write(source.read())
    return pem


def change_certificate(millrace, certificates, ca):
    """A dynamic keystore is refused, and not stored, if it cannot be used; else new connections get it."""
    issue = [millrace, "cert", "node", "--dir", certificates, "--host", OUTSIDE[0]]
    subprocess.run([*issue, "next"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*issue, "old", "--not-before", "-9", "--days", "3"], check=True, stdout=subprocess.DEVNULL)
    location = "listener.name.external.ssl.keystore.location"
    served = certificate(ca)
    wrong = os.path.join(certificates, "nowhere.pem")
    for file, reason in ((wrong, "nowhere.pem"), (key_and_chain(certificates, "old"), "expired at")):
        refused = set_config(location, file)
        assert reason in refused and "InvalidRequest" in refused, refused
    set_config(location, key_and_chain(certificates, "next"))
    deadline = time.monotonic() + 10
    while certificate(ca) == served:
        assert time.monotonic() < deadline, "the new certificate is not served"
        time.sleep(0.05)


def set_config(key, value):
    admin = KafkaAdminClient(bootstrap_servers="%s:%d" % INSIDE)
    try:
        return repr(admin.alter_configs([ConfigResource("BROKER", "1", configs={key: value})], raise_on_unknown=False))
    except KafkaError as error:
        return repr(error)
    finally:
        admin.close()


def certificate(ca):
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(OUTSIDE, 5) as plain, context.wrap_socket(plain, server_hostname=OUTSIDE[0]) as tls:
        return tls.getpeercert(binary_form=True)


def wait_until_served(node, log):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and node.poll() is None:
        try:
            socket.create_connection(network[INSIDE], 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the node does not start")


def story(ca):
    inside = {"bootstrap_servers": "%s:%d" % INSIDE}
    outside = {
        "bootstrap_servers": "%s:%d" % OUTSIDE, "security_protocol": "SSL",
        "ssl_context": ssl.create_default_context(cafile=ca)}
    send(inside, b"from inside", INSIDE)
    send(outside, b"from outside", OUTSIDE)
    for settings, own in ((inside, INSIDE), (outside, OUTSIDE)):
        asked.clear()
        consumer = KafkaConsumer(
            "t", auto_offset_reset="earliest", consumer_timeout_ms=20_000, group_id="g-%s-%d" % own, **settings)
        found = [next(consumer).value, next(consumer).value]
        assert found == [b"from inside", b"from outside"], found
        consumer.close()
        assert asked == {own}, f"a client of {own} was sent to {asked}"


def send(settings, value, own):
    asked.clear()
    producer = KafkaProducer(acks="all", **settings)
    producer.send("t", value).get(timeout=20)
    producer.close()
    assert asked == {own}, f"a client of {own} was sent to {asked}"


main()
