#!/usr/bin/env python3
"""Kafka wire codec, driven by the schema files of the project, Sources/MillraceProtocol/Schemas. Python 3.11, standard library.

    w = Wire()                                        # or Wire("path/to/schemas")
    frame = w.request("Metadata", 12, {"Topics": None}, correlation=7, client_id="me")   # with the 4-byte size
    hdr, body = w.parse_request(frame[4:])            # hdr: api, version, correlation, client_id
    frame = w.response("Metadata", 12, body, correlation=7)
    corr, body = w.parse_response("Metadata", 12, frame[4:])
    data = w.data("ConsumerProtocolSubscription", 3, {...}); w.parse_data("ConsumerProtocolSubscription", 3, data)
    b = batch([{"key": "k", "value": "v"}], codec="zstd"); batches(b)

Values: a message is a dict of the schema's own field names. uuid: 22 base64url characters. bytes, records: hex string
(bytes objects are taken too). A field that is missing when encoding takes its default; an unknown name is an error. Decoding leaves
out fields that the version lacks and tagged fields that are absent or hold their default; unknown tags come as "_tags": {tag: hex}.
Codecs: gzip, snappy, lz4 need nothing else (own decoders; own encoders write stored blocks); zstd needs zstandard or cramjam,
and cramjam or lz4, where present, compress better.

    kwire.py self-test                                # every message at every version there and back
    kwire.py decode request|response API VERSION HEX  # HEX with or without the 4-byte size; response needs the header too
    kwire.py batches HEX
"""
import base64, glob, json, os, re, struct, sys, zlib

NULL_UUID = "A" * 22


class WireError(Exception):
    pass


# ---- schemas ------------------------------------------------------------------------------------------------------------

def vrange(s):
    """'3+' '0-7' '4' 'none' -> (low, high) or None."""
    if s == "none":
        return None
    if s.endswith("+"):
        return (int(s[:-1]), 32767)
    a, _, b = s.partition("-")
    return (int(a), int(b or a))


def within(r, v):
    return r is not None and r[0] <= v <= r[1]


class Field:
    __slots__ = ("name", "type", "array", "versions", "nullable", "tag", "tagged", "default", "key", "ignorable", "inflexible", "fields")

    def default_value(self, v):
        d = self.default
        if d == "null":
            return None
        if self.array:
            return []
        if self.type == "struct":
            return {f.name: f.default_value(v) for f in self.fields if within(f.versions, v)}
        if self.type == "string":
            return d if d is not None else ""
        if self.type == "uuid":
            return d if d is not None else NULL_UUID
        if self.type in ("bytes", "records"):
            return ""
        if self.type == "bool":
            return (d or "false").lower() == "true"
        if self.type == "float64":
            return float(d or 0)
        return int(d, 0) if d is not None else 0


class Message:
    def __init__(self, kind, name, versions, flexible, key):
        self.kind, self.name, self.versions, self.flexible, self.key = kind, name, versions, flexible, key
        self.fields = []

    def is_flexible(self, v):
        return within(self.flexible, v)


def parse_schema(text, where):
    out, stack = [], []
    for n, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].rstrip()
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip(" "))) // 2
        w = line.split()
        try:
            if depth == 0:
                opt = dict(zip(w[2::2], w[3::2]))
                m = Message(w[0], w[1], vrange(opt["versions"]), vrange(opt["flexible"]), int(opt["key"]) if "key" in opt else None)
                out.append(m)
                stack = [m.fields]
                continue
            f = Field()
            f.name, t, f.versions = w[0], w[1], vrange(w[2])
            f.array = t.startswith("[]")
            f.type = t[2:] if f.array else t
            f.nullable = f.tag = f.tagged = f.default = None
            f.key = f.ignorable = f.inflexible = False
            f.fields = []
            i = 3
            while i < len(w):
                o = w[i]
                if o == "nullable":
                    f.nullable = vrange(w[i + 1]); i += 2
                elif o == "tag":
                    f.tag, f.tagged = int(w[i + 1]), vrange(w[i + 2]); i += 3
                elif o == "default":
                    f.default = w[i + 1]; i += 2
                elif o in ("key", "ignorable", "inflexible"):
                    setattr(f, o, True); i += 1
                else:
                    raise WireError("unknown word " + o)
            del stack[depth:]
            stack[depth - 1].append(f)
            stack.append(f.fields)
        except (IndexError, KeyError, ValueError) as e:
            raise WireError(f"{where}:{n}: {line.strip()!r}: {e!r}")
    return out


# ---- primitive reading and writing ----------------------------------------------------------------------------------------

class Reader:
    def __init__(self, b, pos=0, end=None):
        self.b, self.pos, self.end = b, pos, len(b) if end is None else end

    def take(self, n):
        if n < 0 or self.pos + n > self.end:
            raise WireError(f"{n} bytes wanted at {self.pos}, {self.end - self.pos} left")
        r = self.b[self.pos:self.pos + n]
        self.pos += n
        return r

    def num(self, fmt, n):
        return struct.unpack(fmt, self.take(n))[0]

    def i8(self): return self.num(">b", 1)
    def i16(self): return self.num(">h", 2)
    def u16(self): return self.num(">H", 2)
    def i32(self): return self.num(">i", 4)
    def u32(self): return self.num(">I", 4)
    def i64(self): return self.num(">q", 8)

    def uvarint(self, maxbytes=5):
        r = s = 0
        for _ in range(maxbytes):
            c = self.take(1)[0]
            r |= (c & 127) << s
            if c < 128:
                return r
            s += 7
        raise WireError("varint too long")

    def varint(self):
        u = self.uvarint(5)
        return (u >> 1) ^ -(u & 1)

    def varlong(self):
        u = self.uvarint(10)
        return (u >> 1) ^ -(u & 1)


def uvarint(n):
    if n < 0:
        raise WireError("negative uvarint")
    o = bytearray()
    while n > 127:
        o.append(n & 127 | 128)
        n >>= 7
    o.append(n)
    return bytes(o)


def varint(n):
    return uvarint((n << 1) ^ (n >> 63) if n < 0 else n << 1)


def as_bytes(v):
    return v if isinstance(v, (bytes, bytearray)) else bytes.fromhex(v)


def uuid_bytes(s):
    if isinstance(s, (bytes, bytearray)):
        return bytes(s)
    b = base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
    if len(b) != 16:
        raise WireError(f"uuid {s!r}")
    return b


def uuid_text(b):
    return base64.urlsafe_b64encode(b).decode().rstrip("=")


INTS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q"}


# ---- messages -------------------------------------------------------------------------------------------------------------

class Wire:
    def __init__(self, directory=None):
        directory = directory or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Sources", "MillraceProtocol", "Schemas")
        self.requests, self.responses, self.records, self.keys, self.metadata = {}, {}, {}, {}, {}
        files = sorted(glob.glob(os.path.join(directory, "*.schema")))
        if not files:
            raise WireError(f"no schemas in {directory}")
        for p in files:
            api = re.sub(r"^\d+-|\.schema$", "", os.path.basename(p))
            for m in parse_schema(open(p).read(), p):
                (self.requests if m.kind == "request" else self.responses)[api] = m
                self.keys[m.key] = api
        for p in sorted(glob.glob(os.path.join(directory, "records", "*.schema"))):
            for m in parse_schema(open(p).read(), p):
                self.records[m.name] = m
                if m.kind == "metadata":
                    self.metadata[m.key] = m.name
        self.apis = {a: m.key for a, m in self.requests.items()}

    # encoding
    def _body(self, fields, flex, v, d, o, path):
        if not isinstance(d, dict):
            raise WireError(f"{path}: a struct is wanted, not {d!r}")
        known = {f.name for f in fields} | {"_tags"}
        for k in d:
            if k not in known:
                raise WireError(f"{path}: no field {k}")
        tags = {}
        for f in fields:
            p = f"{path}.{f.name}"
            if not within(f.versions, v):
                if f.name in d and not f.ignorable and d[f.name] != f.default_value(v):
                    raise WireError(f"{p}: not in version {v}")
                continue
            x = d[f.name] if f.name in d else f.default_value(v)
            if f.tag is not None and within(f.tagged, v):
                if not self._is_default(f, v, x):
                    t = bytearray()
                    self._value(f, flex, v, x, t, p)
                    tags[f.tag] = bytes(t)
                continue
            self._value(f, flex, v, x, o, p)
        if flex:
            for t, h in d.get("_tags", {}).items():
                tags[int(t)] = as_bytes(h)
            o += uvarint(len(tags))
            for t in sorted(tags):
                o += uvarint(t) + uvarint(len(tags[t])) + tags[t]

    def _is_default(self, f, v, x):
        if f.type == "struct" and not f.array and isinstance(x, dict):
            dv = f.default_value(v)
            return dv is not None and dict(dv, **x) == dv
        return x == f.default_value(v)

    def _value(self, f, flex, v, x, o, path):
        flex = flex and not f.inflexible
        if x is None and not within(f.nullable, v):
            raise WireError(f"{path}: null is not allowed in version {v}")
        if f.array:
            if x is None:
                o += b"\0" if flex else b"\xff\xff\xff\xff"
                return
            o += uvarint(len(x) + 1) if flex else struct.pack(">i", len(x))
            for i, e in enumerate(x):
                self._scalar(f, flex, v, e, o, f"{path}[{i}]", True)
            return
        self._scalar(f, flex, v, x, o, path, False)

    def _scalar(self, f, flex, v, x, o, path, element):
        t = f.type
        try:
            if t == "struct":
                if not element and within(f.nullable, v):   # the mark: int8 -1/1, but uvarint 0/1 in a tagged field
                    o += b"\x01" if x is not None else b"\0" if within(f.tagged, v) else b"\xff"
                    if x is None:
                        return
                self._body(f.fields, flex, v, x, o, path)
            elif t in INTS:
                o += struct.pack(INTS[t], x)
            elif t == "bool":
                o.append(1 if x else 0)
            elif t == "float64":
                o += struct.pack(">d", x)
            elif t == "uuid":
                o += uuid_bytes(x)
            elif t == "string":
                if x is None:
                    o += b"\0" if flex else b"\xff\xff"
                    return
                b = x if isinstance(x, (bytes, bytearray)) else str(x).encode("utf-8", "surrogateescape")
                o += (uvarint(len(b) + 1) if flex else struct.pack(">h", len(b))) + b
            elif t in ("bytes", "records"):
                if x is None:
                    o += b"\0" if flex else b"\xff\xff\xff\xff"
                    return
                b = as_bytes(x)
                o += (uvarint(len(b) + 1) if flex else struct.pack(">i", len(b))) + b
            else:
                raise WireError("unknown type " + t)
        except (struct.error, TypeError, ValueError, AttributeError) as e:
            raise WireError(f"{path}: {x!r}: {e}")

    # decoding
    def _read_body(self, fields, flex, v, r, path):
        d = {}
        for f in fields:
            if within(f.versions, v) and not (f.tag is not None and within(f.tagged, v)):
                d[f.name] = self._read_value(f, flex, v, r, f"{path}.{f.name}")
        if flex:
            last = -1
            for _ in range(r.uvarint()):
                t, n = r.uvarint(), r.uvarint()
                if t <= last:
                    raise WireError(f"{path}: tag {t} after {last}")
                last = t
                f = next((f for f in fields if f.tag == t and within(f.tagged, v) and within(f.versions, v)), None)
                if f is None:
                    d.setdefault("_tags", {})[str(t)] = r.take(n).hex()
                    continue
                end = r.pos + n
                if end > r.end:
                    raise WireError(f"{path}.{f.name}: tag longer than the frame")
                x = self._read_value(f, flex, v, r, f"{path}.{f.name}")
                if r.pos != end:
                    raise WireError(f"{path}.{f.name}: tagged field of {n} bytes, {n - (end - r.pos)} read")
                if not self._is_default(f, v, x):
                    d[f.name] = x
        return d

    def _read_value(self, f, flex, v, r, path):
        flex = flex and not f.inflexible
        if f.array:
            n = r.uvarint() - 1 if flex else r.i32()
            if n < -1 or n > r.end - r.pos:
                raise WireError(f"{path}: array of {n} elements in {r.end - r.pos} bytes")
            if n == -1:
                if not within(f.nullable, v):
                    raise WireError(f"{path}: null array")
                return None
            return [self._read_scalar(f, flex, v, r, f"{path}[{i}]", True) for i in range(n)]
        return self._read_scalar(f, flex, v, r, path, False)

    def _read_scalar(self, f, flex, v, r, path, element):
        t = f.type
        if t == "struct":
            if not element and within(f.nullable, v):
                m = r.uvarint() - 1 if within(f.tagged, v) else r.i8()
                if m < 0:
                    return None
            return self._read_body(f.fields, flex, v, r, path)
        if t in INTS:
            return r.num(INTS[t], struct.calcsize(INTS[t]))
        if t == "bool":
            return r.i8() != 0
        if t == "float64":
            return r.num(">d", 8)
        if t == "uuid":
            return uuid_text(r.take(16))
        if t == "string":
            n = r.uvarint() - 1 if flex else r.i16()
        elif t in ("bytes", "records"):
            n = r.uvarint() - 1 if flex else r.i32()
        else:
            raise WireError("unknown type " + t)
        if n == -1:
            if not (within(f.nullable, v) or element):
                raise WireError(f"{path}: null")
            return None
        try:
            b = r.take(n)
        except WireError as e:
            raise WireError(f"{path}: {e}")
        return b.decode("utf-8", "surrogateescape") if t == "string" else bytes(b).hex()

    def encode(self, m, v, body):
        o = bytearray()
        self._body(m.fields, m.is_flexible(v), v, body, o, m.name)
        return bytes(o)

    def decode(self, m, v, b, whole=True):
        r = Reader(b)
        d = self._read_body(m.fields, m.is_flexible(v), v, r, m.name)
        if whole and r.pos != r.end:
            raise WireError(f"{m.name} v{v}: {r.end - r.pos} bytes left over")
        return d

    # frames
    def api(self, a):
        a = self.keys.get(a, a) if isinstance(a, int) else a
        if a not in self.requests:
            raise WireError(f"unknown API {a}")
        return a

    def header_versions(self, api, v):
        flex = self.requests[api].is_flexible(v)
        return (2 if flex else 1), (0 if api == "ApiVersions" or not flex else 1)

    def request(self, api, v, body, correlation=0, client_id="golden"):
        api = self.api(api)
        m = self.requests[api]
        hv = self.header_versions(api, v)[0]
        h = self.encode(self.records["RequestHeader"], hv, {"RequestApiKey": m.key, "RequestApiVersion": v, "CorrelationId": correlation, "ClientId": client_id})
        b = h + self.encode(m, v, body)
        return struct.pack(">i", len(b)) + b

    def parse_request(self, b):
        key, v = struct.unpack(">hh", b[:4])
        api = self.api(key)
        r = Reader(b)
        hm, hv = self.records["RequestHeader"], self.header_versions(api, v)[0]
        h = self._read_body(hm.fields, hv == 2, hv, r, "RequestHeader")
        return {"api": api, "version": v, "correlation": h["CorrelationId"], "client_id": h["ClientId"]}, self.decode(self.requests[api], v, b[r.pos:])

    def response(self, api, v, body, correlation=0):
        api = self.api(api)
        hv = self.header_versions(api, v)[1]
        b = struct.pack(">i", correlation) + (b"\0" if hv else b"") + self.encode(self.responses[api], v, body)
        return struct.pack(">i", len(b)) + b

    def parse_response(self, api, v, b):
        api = self.api(api)
        r = Reader(b)
        hm, hv = self.records["ResponseHeader"], self.header_versions(api, v)[1]
        h = self._read_body(hm.fields, hv == 1, hv, r, "ResponseHeader")
        rest = b[r.pos:]
        if api == "ApiVersions" and v > 0 and rest[:2] == b"\0\x23":   # UNSUPPORTED_VERSION comes in version 0
            return h["CorrelationId"], self.decode(self.responses[api], 0, rest)
        return h["CorrelationId"], self.decode(self.responses[api], v, rest)

    def data(self, name, v, body, version_prefix=False):
        b = self.encode(self.records[name], v, body)
        return (struct.pack(">h", v) if version_prefix else b"") + b

    def parse_data(self, name, v, b, version_prefix=False):
        b = as_bytes(b)
        if version_prefix:
            v, b = struct.unpack(">h", b[:2])[0], b[2:]
        return self.decode(self.records[name], v, b)


# ---- CRC-32C, codecs --------------------------------------------------------------------------------------------------------

def _crc_tables():
    t0 = []
    for i in range(256):
        c = i
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
        t0.append(c)
    ts = [t0]
    for _ in range(7):
        p = ts[-1]
        ts.append([t0[x & 255] ^ x >> 8 for x in p])
    return ts


_T = _crc_tables()


def crc32c(b, crc=0):
    c = crc ^ 0xFFFFFFFF
    t0, t1, t2, t3, t4, t5, t6, t7 = _T
    n8 = len(b) // 8 * 8
    for (q,) in struct.iter_unpack("<Q", b[:n8]):
        q ^= c
        c = (t7[q & 255] ^ t6[q >> 8 & 255] ^ t5[q >> 16 & 255] ^ t4[q >> 24 & 255] ^ t3[q >> 32 & 255] ^ t2[q >> 40 & 255] ^ t1[q >> 48 & 255] ^ t0[q >> 56])
    for x in b[n8:]:
        c = t0[(c ^ x) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


def xxh32(b, seed=0):
    M, P1, P2, P3, P4, P5 = 0xFFFFFFFF, 2654435761, 2246822519, 3266489917, 668265263, 374761393
    rot = lambda x, n: ((x << n) | (x >> (32 - n))) & M
    i, n = 0, len(b)
    if n >= 16:
        v = [(seed + P1 + P2) & M, (seed + P2) & M, seed, (seed - P1) & M]
        while i <= n - 16:
            for j, w in enumerate(struct.unpack_from("<4I", b, i)):
                v[j] = rot((v[j] + w * P2) & M, 13) * P1 & M
            i += 16
        h = (rot(v[0], 1) + rot(v[1], 7) + rot(v[2], 12) + rot(v[3], 18)) & M
    else:
        h = (seed + P5) & M
    h = (h + n) & M
    while i <= n - 4:
        h = rot((h + struct.unpack_from("<I", b, i)[0] * P3) & M, 17) * P4 & M
        i += 4
    while i < n:
        h = rot((h + b[i] * P5) & M, 11) * P1 & M
        i += 1
    h = (h ^ h >> 15) * P2 & M
    h = (h ^ h >> 13) * P3 & M
    return h ^ h >> 16


def _copy(o, off, n):
    if off <= 0 or off > len(o):
        raise WireError("bad back reference")
    for _ in range(n):
        o.append(o[-off])


def _snappy_block(b):
    r = Reader(b)
    want = r.uvarint()
    o = bytearray()
    while r.pos < r.end:
        t = r.take(1)[0]
        k = t & 3
        if k == 0:
            n = t >> 2
            if n >= 60:
                n = int.from_bytes(r.take(n - 59), "little")
            o += r.take(n + 1)
        elif k == 1:
            _copy(o, (t >> 5) << 8 | r.take(1)[0], (t >> 2 & 7) + 4)
        else:
            _copy(o, int.from_bytes(r.take(2 if k == 2 else 4), "little"), (t >> 2) + 1)
    if len(o) != want:
        raise WireError("snappy length")
    return bytes(o)


XERIAL = bytes.fromhex("82534e41505059000000000100000001")


def snappy_decode(b):
    if b[:8] != XERIAL[:8]:
        return _snappy_block(b)
    r, o = Reader(b, 16), b""
    while r.pos < r.end:
        o += _snappy_block(r.take(r.i32()))
    return o


def _snappy_stored(b):
    o = bytearray(uvarint(len(b)))
    for i in range(0, len(b), 65536):
        c = b[i:i + 65536]
        o += bytes([61 << 2]) + struct.pack("<H", len(c) - 1) + c
    return bytes(o)


def snappy_encode(b, framed=True):
    try:
        import cramjam
        blk = lambda x: bytes(cramjam.snappy.compress_raw(x))
    except ImportError:
        blk = _snappy_stored
    if not framed:
        return blk(b)
    o = XERIAL
    for i in range(0, len(b), 32768):
        c = blk(b[i:i + 32768])
        o += struct.pack(">i", len(c)) + c
    return o


def _lz4_block(b, o):
    r = Reader(b)
    while r.pos < r.end:
        t = r.take(1)[0]
        n = t >> 4
        if n == 15:
            while True:
                c = r.take(1)[0]; n += c
                if c != 255: break
        o += r.take(n)
        if r.pos >= r.end:
            break
        off = int.from_bytes(r.take(2), "little")
        n = t & 15
        if n == 15:
            while True:
                c = r.take(1)[0]; n += c
                if c != 255: break
        _copy(o, off, n + 4)


def lz4_decode(b):
    r, o = Reader(b), bytearray()
    if r.take(4) != b"\x04\x22\x4d\x18":
        raise WireError("lz4 magic")
    flg = r.take(1)[0]
    r.take(1)
    if flg & 8: r.take(8)
    r.take(1)
    while True:
        n = int.from_bytes(r.take(4), "little")
        if n == 0:
            break
        c = r.take(n & 0x7FFFFFFF)
        if n & 0x80000000:
            o += c
        else:
            _lz4_block(c, o)
        if flg & 16: r.take(4)
    if flg & 4: r.take(4)
    return bytes(o)


def lz4_encode(b):
    try:
        import lz4.frame
        return lz4.frame.compress(bytes(b), block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=False, store_size=False)
    except ImportError:
        pass
    d = bytes([0x60, 0x40])
    o = b"\x04\x22\x4d\x18" + d + bytes([xxh32(d) >> 8 & 255])
    for i in range(0, len(b), 65536):
        c = b[i:i + 65536]
        o += struct.pack("<I", len(c) | 0x80000000) + c
    return o + b"\0\0\0\0"


def zstd_encode(b):
    try:
        import zstandard
        return zstandard.ZstdCompressor(level=3).compress(bytes(b))
    except ImportError:
        pass
    try:
        import cramjam
        return bytes(cramjam.zstd.compress(bytes(b), level=3))
    except ImportError:   # a frame of raw blocks needs no library
        o = b"\x28\xb5\x2f\xfd\x00\x58"
        cs = [b[i:i + 65536] for i in range(0, len(b), 65536)] or [b""]
        for i, c in enumerate(cs):
            o += struct.pack("<I", len(c) << 3 | (1 if i == len(cs) - 1 else 0))[:3] + c
        return o


def zstd_decode(b):
    if len(b) > 6 and b[:6] == b"\x28\xb5\x2f\xfd\x00\x58":   # raw and run blocks of our own making
        r, o = Reader(b, 6), b""
        while True:
            h = int.from_bytes(r.take(3), "little")
            if h >> 1 & 3:
                break
            o += r.take(h >> 3)
            if h & 1:
                return o
    try:
        import zstandard
        return zstandard.ZstdDecompressor().decompressobj().decompress(bytes(b))
    except ImportError:
        try:
            import cramjam
            return bytes(cramjam.zstd.decompress(bytes(b)))
        except ImportError:
            raise WireError("zstd: install zstandard or cramjam")


def gzip_encode(b):
    c = zlib.compressobj(6, zlib.DEFLATED, 31)
    return c.compress(b) + c.flush()


CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ENCODE = {"none": lambda b: b, "gzip": gzip_encode, "snappy": snappy_encode, "lz4": lz4_encode, "zstd": zstd_encode}
DECODE = {"none": lambda b: b, "gzip": lambda b: zlib.decompress(b, 31), "snappy": snappy_decode, "lz4": lz4_decode, "zstd": zstd_decode}


# ---- record batches -----------------------------------------------------------------------------------------------------------

def text(b):
    """bytes -> str where it is printable UTF-8, else {"hex": ...}."""
    if b is None:
        return None
    try:
        s = bytes(b).decode("utf-8")
        if s.isprintable() or s == "":
            return s
    except UnicodeDecodeError:
        pass
    return {"hex": bytes(b).hex()}


def untext(x):
    """str, {"hex": h}, {"repeat": s, "times": n}, bytes or None -> bytes or None."""
    if x is None or isinstance(x, (bytes, bytearray)):
        return x
    if isinstance(x, dict):
        return bytes.fromhex(x["hex"]) if "hex" in x else x["repeat"].encode() * x["times"]
    return x.encode()


def record(r, i):
    """{key, value, headers: [[k, v]...], ts (delta), offset (delta), attributes} -> bytes with its length."""
    k, v = untext(r.get("key")), untext(r.get("value"))
    b = bytes([r.get("attributes", 0)]) + varint(r.get("ts", 0)) + varint(r.get("offset", i))
    b += varint(-1) if k is None else varint(len(k)) + k
    b += varint(-1) if v is None else varint(len(v)) + v
    hs = r.get("headers", [])
    b += varint(len(hs))
    for hk, hv in hs:
        hk, hv = untext(hk), untext(hv)
        b += varint(len(hk)) + hk + (varint(-1) if hv is None else varint(len(hv)) + hv)
    return varint(r.get("length", len(b))) + b


def batch(records, codec="none", base_offset=0, leader_epoch=-1, magic=2, base_timestamp=0, max_timestamp=None, producer_id=-1, producer_epoch=-1,
          base_sequence=-1, transactional=False, control=False, log_append_time=False, attributes=None, last_offset_delta=None, count=None,
          crc=None, length=None, payload=None, delete_horizon=False, snappy_framed=True):
    """A batch, magic 2. Every header field can be overridden, so that broken batches can be made: attributes replaces all
    flags, crc/length/count/last_offset_delta/max_timestamp/magic the right values, payload the (compressed) records."""
    recs = [record(r, i) for i, r in enumerate(records)]
    if attributes is None:
        attributes = CODECS.index(codec) | (8 if log_append_time else 0) | (16 if transactional else 0) | (32 if control else 0) | (64 if delete_horizon else 0)
    if max_timestamp is None:
        max_timestamp = base_timestamp + max([r.get("ts", 0) for r in records], default=0)
    if last_offset_delta is None:
        last_offset_delta = records[-1].get("offset", len(records) - 1) if records else 0
    body = b"".join(recs)
    if payload is None:
        payload = snappy_encode(body, snappy_framed) if codec == "snappy" else ENCODE[codec](body)
    tail = struct.pack(">hiqqqhii", attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence,
                       len(records) if count is None else count) + untext(payload)
    crc = crc32c(tail) if crc is None else crc
    return struct.pack(">qiibI", base_offset, len(tail) + 9 if length is None else length, leader_epoch, magic, crc) + tail


def control_batch(kind, producer_id, producer_epoch, coordinator_epoch=0, **kw):
    """A transaction marker: kind "commit" or "abort"."""
    k = struct.pack(">hh", 0, {"abort": 0, "commit": 1}[kind])
    return batch([{"key": k, "value": struct.pack(">hi", 0, coordinator_epoch)}], producer_id=producer_id, producer_epoch=producer_epoch, transactional=True, control=True, **kw)


CONTROL = {0: "abort", 1: "commit", 2: "leader-change", 3: "snapshot-header", 4: "snapshot-footer", 5: "kraft-version", 6: "kraft-voters"}


def batches(b):
    """Record bytes -> list of dicts; a torn last batch gives {"partial": size}; magic 0/1 gives {"magic", "size"}."""
    b = as_bytes(b)
    out, p = [], 0
    while p < len(b):
        if len(b) - p < 17 or p + 12 + struct.unpack_from(">i", b, p + 8)[0] > len(b):
            out.append({"partial": len(b) - p})
            break
        base, n, epoch, magic = struct.unpack_from(">qiib", b, p)
        if magic != 2:
            out.append({"base_offset": base, "magic": magic, "size": n + 12})
            p += 12 + n
            continue
        crc, attr, lod, bts, mts, pid, pe, seq, cnt = struct.unpack_from(">IhiqqqhiI", b, p + 17)
        d = {"base_offset": base, "last_offset_delta": lod, "leader_epoch": epoch, "codec": CODECS[attr & 7] if attr & 7 < 5 else attr & 7,
             "base_timestamp": bts, "max_timestamp": mts, "producer_id": pid, "producer_epoch": pe, "base_sequence": seq}
        for bit, name in ((8, "log_append_time"), (16, "transactional"), (32, "control"), (64, "delete_horizon")):
            if attr & bit:
                d[name] = True
        if attr & ~127:
            d["attributes"] = attr
        if crc32c(bytes(b[p + 21:p + 12 + n])) != crc:
            d["bad_crc"] = True
        try:
            r = Reader(DECODE[d["codec"]](bytes(b[p + 61:p + 12 + n])))
            recs = []
            for _ in range(cnt):
                end = r.varint() + r.pos
                a, ts, od = r.i8(), r.varlong(), r.varint()
                get = lambda: (lambda k: None if k < 0 else bytes(r.take(k)))(r.varint())
                k, v = get(), get()
                hs = [[text(r.take(r.varint())), text(get())] for _ in range(r.varint())]
                if r.pos != end:
                    raise WireError("record length")
                rec = {"offset": od, "ts": ts, "key": text(k), "value": text(v)}
                if a: rec["attributes"] = a
                if hs: rec["headers"] = hs
                if attr & 32 and k and len(k) >= 4:
                    rec["control"] = CONTROL.get(struct.unpack(">h", k[2:4])[0], struct.unpack(">h", k[2:4])[0])
                recs.append(rec)
            if r.pos != r.end:
                d["left_over"] = r.end - r.pos
            d["records"] = recs
        except (WireError, KeyError, zlib.error, struct.error) as e:
            d["unreadable"] = str(e)
        out.append(d)
        p += 12 + n
    return out


# ---- partitioners and hashes a client needs -----------------------------------------------------------------------------------

def java_hash(s):
    h = 0
    for (c,) in struct.iter_unpack(">H", s.encode("utf-16-be")):
        h = (31 * h + c) & 0xFFFFFFFF
    return h - (1 << 32) if h >> 31 else h


# ---- self-test ------------------------------------------------------------------------------------------------------------------

def generate(fields, v, rnd, mode):
    """mode 0: defaults; 1: every field set; 2: nulls where allowed; 3: random."""
    d = {}
    for f in fields:
        if not within(f.versions, v):
            continue
        m = rnd.choice((0, 1, 2)) if mode == 3 else mode
        if m == 0:
            if f.tag is not None and within(f.tagged, v):
                continue
            d[f.name] = f.default_value(v) if f.default_value(v) is not None or within(f.nullable, v) else ""
            if f.array and d[f.name] is None and not within(f.nullable, v):
                d[f.name] = []
            continue
        if m == 2 and within(f.nullable, v):
            if f.tag is not None and within(f.tagged, v) and f.default_value(v) is None:
                continue
            d[f.name] = None
            continue
        one = lambda: generate_one(f, v, rnd, mode)
        x = [one() for _ in range(rnd.choice((1, 2, 3)))] if f.array else one()
        if f.tag is not None and within(f.tagged, v) and not f.array and (x == f.default_value(v) or f.type == "struct" and x and dict(f.default_value(v) or {}, **x) == f.default_value(v)):
            continue
        d[f.name] = x
    return d


def generate_one(f, v, rnd, mode):
    t = f.type
    if t == "struct":
        return generate(f.fields, v, rnd, mode)
    if t in INTS:
        n = struct.calcsize(INTS[t]) * 8
        return rnd.choice((rnd.getrandbits(n - 1), 1, (1 << n - 1) - 1)) if t.startswith("u") else rnd.choice((rnd.getrandbits(n - 1), -rnd.getrandbits(n - 1), -(1 << n - 1), (1 << n - 1) - 1))
    if t == "bool":
        return rnd.random() < .5
    if t == "float64":
        return rnd.choice((0.5, -1e300, 3.25))
    if t == "uuid":
        return uuid_text(rnd.randbytes(16))
    if t == "string":
        return rnd.choice(("x", "naïve ☃", "y" * 200))
    return rnd.randbytes(rnd.choice((0, 1, 300))).hex()


def self_test(w):
    import random
    rnd, n, bad = random.Random(1), 0, 0
    assert crc32c(b"123456789") == 0xE3069283 and crc32c(b"") == 0 and xxh32(b"") == 0x02CC5D05 and xxh32(b"Nobody inspects the spammish repetition") == 0xE2293B2F
    assert uvarint(300) == b"\xac\x02" and Reader(varint(-3)).varint() == -3 and Reader(varint(-2**63)).varlong() == -2**63 and java_hash("hello") == 99162322
    for kind, group in (("request", w.requests), ("response", w.responses), ("record", w.records)):
        for name, m in sorted(group.items()):
            for v in range(m.versions[0], m.versions[1] + 1):
                for mode in (0, 1, 2, 3, 3, 3):
                    n += 1
                    try:
                        d = generate(m.fields, v, rnd, mode)
                        b = w.encode(m, v, d)
                        e = w.decode(m, v, b)
                        if w.encode(m, v, e) != b:
                            raise WireError("re-encoded differently")
                        if d != e and mode in (1, 2):
                            raise WireError(f"decoded differently: {d} {e}")
                        for cut in (0, len(b) // 2, len(b) - 1):
                            if 0 <= cut < len(b):
                                try:
                                    w.decode(m, v, b[:cut])
                                    raise AssertionError(f"{m.name} v{v}: {cut} of {len(b)} bytes decoded")
                                except WireError:
                                    pass
                        if kind != "record" and mode == 1:
                            if kind == "request":
                                h, x = w.parse_request(w.request(name, v, d, 5, "c")[4:])
                                assert (h["api"], h["version"], h["correlation"], x) == (name, v, 5, d)
                            else:
                                assert w.parse_response(name, v, w.response(name, v, d, 5)[4:]) == (5, d)
                    except (WireError, AssertionError) as x:
                        bad += 1
                        print(f"{kind} {name} v{v} mode {mode}: {x}")
    recs = [{"key": "k", "value": {"repeat": "abc", "times": 500}, "ts": 3, "headers": [["h", None], ["i", "x"]]}, {"key": None, "value": None}, {"key": b"\xff\0", "value": b""}]
    for c in CODECS:
        for framed in (True, False):
            x = batches(batch(recs, codec=c, base_timestamp=1000, producer_id=5, producer_epoch=1, base_sequence=7, base_offset=40, snappy_framed=framed))
            n += 1
            want = [{"offset": 0, "ts": 3, "key": "k", "value": "abc" * 500, "headers": [["h", None], ["i", "x"]]}, {"offset": 1, "ts": 0, "key": None, "value": None},
                    {"offset": 2, "ts": 0, "key": {"hex": "ff00"}, "value": ""}]
            if len(x) != 1 or x[0].get("records") != want or x[0]["codec"] != c or x[0]["max_timestamp"] != 1003 or "bad_crc" in x[0]:
                bad += 1
                print("batch", c, x)
    x = batches(control_batch("commit", 9, 2) + batch(recs, crc=1) + batch(recs)[:-1])
    if x[0]["records"][0]["control"] != "commit" or not x[1]["bad_crc"] or "partial" not in x[2]:
        bad += 1
        print("control", x)
    print(f"{n} cases, {bad} failed; {len(w.requests)} APIs, {len(w.records)} record schemas")
    return bad == 0


def main(a):
    w = Wire(os.environ.get("MILLRACE_SCHEMAS"))
    if a[:1] == ["self-test"]:
        sys.exit(0 if self_test(w) else 1)
    if a[:1] == ["decode"] and len(a) == 5:
        b = bytes.fromhex(a[4])
        if len(b) >= 4 and struct.unpack(">i", b[:4])[0] == len(b) - 4:
            b = b[4:]
        print(json.dumps(w.parse_request(b) if a[1] == "request" else w.parse_response(w.api(int(a[2]) if a[2].isdigit() else a[2]), int(a[3]), b), indent=1))
    elif a[:1] == ["batches"]:
        print(json.dumps(batches(a[1]), indent=1))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
