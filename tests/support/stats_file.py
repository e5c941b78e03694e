# SPDX-License-Identifier: MIT
"""The kernel's binary statistics file (Linux Documentation/virt/kvm/api.rst, 4.133): a reader, and
a writer for files that no kernel has made yet. Written from the kernel's documentation alone, so
that what the C code reads can be compared with it."""

import dataclasses
import struct

HEADER = struct.Struct("=IIIIII")  # flags, name_size, num_desc, id, desc and data offset
DESCRIPTOR = struct.Struct("=IhHII")  # flags, exponent, size, offset, bucket_size
TYPES = ["cumulative", "instant", "peak", "linear-hist", "log-hist"]
UNITS = ["none", "bytes", "seconds", "cycles", "boolean"]
BASES = ["pow10", "pow2"]
NAME_SIZE = 48


@dataclasses.dataclass
class Stat:
    """A statistic as the file has it; type, unit and base are the kernel's numbers."""

    name: str
    type: int = 0
    unit: int = 0
    base: int = 0
    exponent: int = 0
    bucket_size: int = 0
    values: list[int] = dataclasses.field(default_factory=lambda: [0])
    offset: int | None = None  # of the values in the data block; None: behind those before

    @property
    def is_known(self):
        return self.type < len(TYPES) and self.unit < len(UNITS) and self.base < len(BASES)

    @property
    def is_histogram(self):
        return TYPES[self.type] in ("linear-hist", "log-hist")


def text_at(data, offset, size):
    return data[offset : offset + size].split(b"\0", 1)[0].decode("ascii")


def parse(data):
    """The statistics of a file, in the order of its descriptors, with their values."""
    _, name_size, n_stats, _, desc_offset, data_offset = HEADER.unpack_from(data)
    stats = []
    for i in range(n_stats):
        at = desc_offset + i * (DESCRIPTOR.size + name_size)
        flags, exponent, size, offset, bucket_size = DESCRIPTOR.unpack_from(data, at)
        stats.append(
            Stat(
                name=text_at(data, at + DESCRIPTOR.size, name_size),
                type=flags & 15,
                unit=flags >> 4 & 15,
                base=flags >> 8 & 15,
                exponent=exponent,
                bucket_size=bucket_size,
                values=list(struct.unpack_from(f"={size}Q", data, data_offset + offset)),
                offset=offset,
            )
        )
    return stats


def identity(data):
    """The id string, e.g. "kvm-1234/vcpu-0"."""
    _, name_size, _, id_offset, _, _ = HEADER.unpack_from(data)
    return text_at(data, id_offset, name_size)


def build(stats, name="kvm-1/vcpu-0", name_size=NAME_SIZE):
    """A file with these statistics."""
    id_offset = HEADER.size
    desc_offset = id_offset + name_size
    data_offset = desc_offset + len(stats) * (DESCRIPTOR.size + name_size)
    descriptors = b""
    values = bytearray()
    for stat in stats:
        offset = len(values) if stat.offset is None else stat.offset
        flags = stat.type | stat.unit << 4 | stat.base << 8
        descriptors += DESCRIPTOR.pack(
            flags, stat.exponent, len(stat.values), offset, stat.bucket_size
        )
        descriptors += stat.name.encode().ljust(name_size, b"\0")
        end = offset + 8 * len(stat.values)
        values += bytes(max(0, end - len(values)))
        struct.pack_into(f"={len(stat.values)}Q", values, offset, *stat.values)
    header = HEADER.pack(0, name_size, len(stats), id_offset, desc_offset, data_offset)
    return header + name.encode().ljust(name_size, b"\0") + descriptors + bytes(values)


# ---- what the commands must say of it -----------------------------------------------------------


def expected_schema(stats):
    """The stats of query-stats-schemas."""
    schema = []
    for stat in stats:
        if not stat.is_known:
            continue
        entry = {
            "name": stat.name,
            "type": TYPES[stat.type],
            "unit": UNITS[stat.unit].replace("boolean", "none"),
            "base": BASES[stat.base],
            "exponent": stat.exponent,
        }
        if TYPES[stat.type] == "linear-hist":
            entry["bucket-size"] = stat.bucket_size
        schema.append(entry)
    return schema


def expected_values(stats):
    """The stats of query-stats."""

    def value(stat):
        return {"values": stat.values} if stat.is_histogram else stat.values[0]

    return [{"name": stat.name, "value": value(stat)} for stat in stats if stat.is_known]
