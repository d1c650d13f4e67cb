internal import MillraceBase
internal import MillraceRecords
internal import Storage

/// `millrace log`: what stands in the files of a partition.
enum LogCommand {
    static let all: [Command] = [
        Command(
            path: ["log", "dump"],
            summary: "Show the files of a partition, and what is wrong there",
            details: """
                Reads only. A folder is a partition's; a .log file one segment; a checkpoint file of
                a data directory is read as such. The exit code is 2 if something is corrupt.

                  millrace log dump /var/lib/millrace/clicks-0 --records
                """,
            arguments: [Argument("path", "A partition's folder, a .log file, or a checkpoint")],
            flags: [
                Flag("records", "Records of the batches too"),
                Flag("indexes", "Entries of the indexes too"),
            ], run: dump)
    ]

    private static func dump(_ invocation: Invocation) throws(CLIError) -> ExitCode {
        var path = invocation.argument(0) ?? ""
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        if path.hasSuffix("-checkpoint"), !path.hasSuffix("leader-epoch-checkpoint") {
            return try checkpoint(path, invocation)
        }
        let partition = try load(path, invocation)
        let defects =
            partition.defects + partition.snapshots.flatMap(\.defects)
            + partition.segments.flatMap(\.defects)
        if invocation.output == .json {
            let document = json(partition, defects, invocation)
            invocation.write(document)
        } else {
            show(partition, invocation)
        }
        for defect in defects {
            let place = defect.position.map { " at byte \($0)" } ?? ""
            Terminal.error("corrupt: \(defect.file)\(place): \(defect.reason)")
        }
        return defects.isEmpty ? .done : .unhealthy
    }

    private static func load(
        _ path: String, _ invocation: Invocation
    ) throws(CLIError) -> LogDump.Partition {
        let files = PosixFileSystem()
        let records = invocation.has("records")
        guard path.hasSuffix(".log") else { return try partition(in: path, records: records) }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        guard let base = Int64(name.dropLast(4)) else {
            throw .usage("\(path) is no segment: its name is not an offset")
        }
        var partition = LogDump.Partition(name: folder)
        do throws(FileFault) {
            partition.segments = [
                try LogDump.segment(
                    Offset(base), in: folder, fileSystem: files, records: records)
            ]
        } catch {
            throw CLIError(error.description)
        }
        return partition
    }

    private static func partition(
        in path: String, records: Bool
    ) throws(CLIError) -> LogDump.Partition {
        let files = PosixFileSystem()
        let partition = try storage { () throws(StorageError) -> LogDump.Partition? in
            do throws(FileFault) {
                guard try files.attributes(path)?.isDirectory ?? true else { return nil }
            } catch {
                throw .file(error)
            }
            return try LogDump.partition(path, fileSystem: files, records: records)
        }
        guard let partition else {
            throw CLIError(
                "\(path) is no partition's folder, no .log file and no checkpoint of offsets")
        }
        guard !partition.segments.isEmpty else {
            throw CLIError("\(path) is no partition's folder: it holds no .log file")
        }
        return partition
    }

    private static func storage<R>(_ body: () throws(StorageError) -> R) throws(CLIError) -> R {
        do throws(StorageError) { return try body() } catch { throw CLIError(error.description) }
    }

    private static func checkpoint(
        _ path: String, _ invocation: Invocation
    ) throws(CLIError) -> ExitCode {
        let found = try storage { () throws(StorageError) in
            try LogDump.checkpoint(path, fileSystem: PosixFileSystem())
        }.sorted { $0.key < $1.key }
        invocation.show(
            Listing(
                columns: [Column("PARTITION"), Column("OFFSET", right: true)],
                rows: found.map { [$0.key, "\($0.value.rawValue)"] },
                json: .list(
                    found.map {
                        .object([
                            ("partition", .text($0.key)), ("offset", JSONValue($0.value.rawValue)),
                        ])
                    })))
        return .done
    }

    private static func show(_ partition: LogDump.Partition, _ invocation: Invocation) {
        let columns = [
            Column("SEGMENT", right: true), Column("POSITION", right: true),
            Column("OFFSETS"), Column("COUNT", right: true), Column("BYTES", right: true),
            Column("CODEC"), Column("TIMESTAMP"), Column("EPOCH", wide: true, right: true),
            Column("PRODUCER", wide: true), Column("SEQUENCE", wide: true, right: true),
            Column("FLAGS", wide: true),
        ]
        var rows: [[String]] = []
        for segment in partition.segments {
            for batch in segment.batches { rows.append(row(segment, batch)) }
        }
        let listing = Listing(columns: columns, rows: rows, json: .null)
        Terminal.write(
            listing.table(
                wide: invocation.output == .wide, headers: !invocation.has("no-headers")))
        for segment in partition.segments {
            for record in segment.batches.flatMap(\.records) {
                Terminal.write(
                    "record \(record.offset.rawValue) \(record.timestamp.rfc3339)"
                        + " key=\(shown(record.key)) value=\(shown(record.value))"
                        + record.headers.map { " \($0.key)=\(shown($0.value))" }.joined() + "\n")
            }
            guard invocation.has("indexes") else { continue }
            for entry in segment.offsetIndex {
                Terminal.write("index \(entry.offset.rawValue) \(entry.position)\n")
            }
            for entry in segment.timeIndex {
                Terminal.write("timeindex \(entry.timestamp.rawValue) \(entry.offset.rawValue)\n")
            }
        }
    }

    private static func row(_ segment: LogDump.Segment, _ batch: LogDump.Batch) -> [String] {
        let header = batch.header
        return [
            "\(segment.baseOffset.rawValue)", "\(batch.position)",
            "\(header.baseOffset.rawValue)-\(header.lastOffset.rawValue)", "\(header.recordCount)",
            "\(header.byteCount)", codec(header), header.maxTimestamp.rfc3339,
            "\(header.leaderEpoch.rawValue)",
            header.hasProducerID ? "\(header.producerID)/\(header.producerEpoch)" : "",
            header.hasProducerID ? "\(header.baseSequence)" : "",
            flags(header).joined(separator: ","),
        ]
    }

    private static func codec(_ header: RecordBatchHeader) -> String {
        do throws(RecordsError) {
            return try header.attributes.codec().name
        } catch {
            return "unknown"
        }
    }

    private static func flags(_ header: RecordBatchHeader) -> [String] {
        let attributes = header.attributes
        return [
            attributes.isTransactional ? "transactional" : nil,
            attributes.isControl ? "control" : nil,
            attributes.isLogAppendTime ? "log-append-time" : nil,
        ].compactMap { $0 }
    }

    private static func shown(_ bytes: [UInt8]?) -> String {
        bytes.map { JSONValue.text(String(decoding: $0, as: UTF8.self)).text(indented: false) }
            ?? "null"
    }

    private static func json(
        _ partition: LogDump.Partition, _ defects: [LogDump.Defect], _ invocation: Invocation
    ) -> JSONValue {
        .object([
            ("partition", .text(partition.name)),
            ("topic_id", JSONValue(partition.topicID.map { "\($0.uuid)" })),
            ("segments", .list(partition.segments.map { json($0, invocation) })),
            (
                "leader_epochs",
                .list(
                    partition.epochs.map {
                        .object([
                            ("epoch", JSONValue($0.epoch.rawValue)),
                            ("start_offset", JSONValue($0.start.rawValue)),
                        ])
                    })
            ),
            (
                "defects",
                .list(
                    defects.map {
                        .object([
                            ("file", .text($0.file)), ("position", JSONValue($0.position)),
                            ("reason", .text($0.reason)),
                        ])
                    })
            ),
        ])
    }

    private static func json(_ segment: LogDump.Segment, _ invocation: Invocation) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("base_offset", JSONValue(segment.baseOffset.rawValue)),
            ("bytes", JSONValue(segment.byteCount)),
            ("batches", .list(segment.batches.map { json($0, invocation.has("records")) })),
        ]
        if invocation.has("indexes") {
            members.append(
                (
                    "offset_index",
                    .list(
                        segment.offsetIndex.map {
                            .object([
                                ("offset", JSONValue($0.offset.rawValue)),
                                ("position", JSONValue($0.position)),
                            ])
                        })
                ))
            members.append(
                (
                    "time_index",
                    .list(
                        segment.timeIndex.map {
                            .object([
                                ("timestamp_ms", JSONValue($0.timestamp.rawValue)),
                                ("offset", JSONValue($0.offset.rawValue)),
                            ])
                        })
                ))
        }
        return .object(members)
    }

    private static func json(_ batch: LogDump.Batch, _ records: Bool) -> JSONValue {
        let header = batch.header
        var members: [(String, JSONValue)] = [
            ("position", JSONValue(batch.position)),
            ("base_offset", JSONValue(header.baseOffset.rawValue)),
            ("last_offset", JSONValue(header.lastOffset.rawValue)),
            ("count", JSONValue(header.recordCount)), ("bytes", JSONValue(header.byteCount)),
            ("codec", .text(codec(header))),
            ("max_timestamp", .text(header.maxTimestamp.rfc3339)),
            ("leader_epoch", JSONValue(header.leaderEpoch.rawValue)),
            ("producer_id", header.hasProducerID ? JSONValue(header.producerID) : .null),
            ("producer_epoch", header.hasProducerID ? JSONValue(header.producerEpoch) : .null),
            ("base_sequence", header.hasProducerID ? JSONValue(header.baseSequence) : .null),
            ("flags", .list(flags(header).map { .text($0) })),
        ]
        if records {
            members.append(("records", .list(batch.records.map(json))))
        }
        return .object(members)
    }

    private static func json(_ record: LogDump.Record) -> JSONValue {
        func text(_ bytes: [UInt8]?) -> JSONValue {
            JSONValue(bytes.map { String(decoding: $0, as: UTF8.self) })
        }
        return .object([
            ("offset", JSONValue(record.offset.rawValue)),
            ("timestamp", .text(record.timestamp.rfc3339)), ("key", text(record.key)),
            ("value", text(record.value)),
            ("headers", .object(record.headers.map { ($0.key, text($0.value)) })),
        ])
    }
}
