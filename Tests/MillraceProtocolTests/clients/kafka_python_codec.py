"""Reads lines `kind key version hex`, lets kafka-python read and write each body, and prints what it wrote: `hex`,
`-` for a message that it does not have, `! why` for one that it cannot read. For kafka-python 2 and 3."""
import importlib
import io
import pkgutil
import sys

import kafka.protocol


def subclasses(base):
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


def again(message, **options):
    """Encodes what was decoded. The name holds the object: `encode` of kafka-python 2 refers to it weakly, and that of
    3 misses the header that only a sent message has."""
    if options:
        message._header = None
    return message.encode(**options)


for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
    if ".old" not in module.name and "generate_stubs" not in module.name:
        importlib.import_module(module.name)

codecs = {}
try:
    from kafka.protocol.api_message import ApiMessage

    for one in subclasses(ApiMessage):
        if getattr(one, "_json", None) and one._class_version is None:
            for version in range(one.max_version + 1):
                codecs[one.type, one.API_KEY, version] = (
                    lambda body, one=one, version=version: again(
                        one.decode(body, version=version), version=version))
except ImportError:
    from kafka.protocol.api import Request, Response

    for kind, base in (("request", Request), ("response", Response)):
        for one in subclasses(base):
            if isinstance(one.API_VERSION, int):
                codecs[kind, one.API_KEY, one.API_VERSION] = (
                    lambda body, one=one: again(one.decode(io.BytesIO(body))))

for line in sys.stdin:
    kind, key, version, text = (line.rstrip("\n").split(" ") + [""])[:4]
    codec = codecs.get((kind, int(key), int(version)))
    if codec is None:
        print("-")
        continue
    try:
        print(bytes(codec(bytes.fromhex(text))).hex())
    except Exception as error:  # whatever it is, it is this line's answer
        print("!", type(error).__name__, error)
