package import MillraceBase
package import MillraceProtocol
package import MillraceRecords

/// A look into the files of a partition, without opening its log: what `log dump` prints.
/// Nothing is changed, and what is corrupt is told with its place.
package enum LogDump {
    /// Something that does not hold.
    package struct Defect: Hashable, Sendable {
        package var file: String
        /// In bytes; nil if it concerns the file as a whole.
        package var position: Int64?
        package var reason: String
    }

    /// A batch, and its records if they were asked for.
    package struct Batch: Sendable {
        package var header: RecordBatchHeader
        package var position: Int64
        package var records: [Record]
    }

    /// A record, copied.
    package struct Record: Hashable, Sendable {
        package var offset: Offset
        package var timestamp: Timestamp
        package var key: [UInt8]?
        package var value: [UInt8]?
        package var headers: [RecordHeader]
    }

    /// An aborted transaction of a `.txnindex`.
    package struct AbortedTransaction: Hashable, Sendable {
        package var producerID: Int64
        package var firstOffset: Offset
        package var lastOffset: Offset
        package var lastStableOffset: Offset
    }

    /// A segment's files.
    package struct Segment: Sendable {
        package var baseOffset: Offset
        package var byteCount: Int64
        package var batches: [Batch] = []
        package var offsetIndex: [OffsetIndexEntry] = []
        package var timeIndex: [TimeIndexEntry] = []
        package var aborted: [AbortedTransaction] = []
        package var defects: [Defect] = []
    }

    /// A producer snapshot.
    package struct Snapshot: Sendable {
        package var offset: Offset
        package var producers: [ProducerSnapshot.ProducerEntry]
        package var defects: [Defect]
    }

    /// A partition's folder.
    package struct Partition: Sendable {
        package var name: String
        package var topicID: TopicID?
        package var segments: [Segment] = []
        package var snapshots: [Snapshot] = []
        package var epochs: [EpochStart] = []
        package var defects: [Defect] = []
        /// Files and their sizes, in order of name.
        package var files: [DirectoryEntry] = []

        package init(name: String) { self.name = name }
    }

    /// Reads a partition's folder.
    /// - Parameter records: whether the batches' records are read too.
    package static func partition(
        _ path: String, fileSystem: any FileSystem, records: Bool
    ) throws(StorageError) -> Partition {
        do throws(FileFault) {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            var partition = Partition(name: name)
            partition.files = try fileSystem.list(path).filter { !$0.attributes.isDirectory }
            for file in partition.files {
                try add(file.name, in: path, fileSystem, records: records, to: &partition)
            }
            return partition
        } catch {
            throw .file(error)
        }
    }

    private static func add(
        _ name: String, in folder: String, _ fileSystem: any FileSystem, records: Bool,
        to partition: inout Partition
    ) throws(FileFault) {
        let path = folder + "/" + name
        switch SegmentFileKind.parse(name) {
        case (let offset, .log)?:
            partition.segments.append(
                try segment(
                    Offset(offset), in: folder, fileSystem: fileSystem, records: records))
        case (let offset, .snapshot)?:
            partition.snapshots.append(
                snapshot(
                    Offset(offset), name, try fileSystem.contents(path) ?? []))
        default:
            let bytes = try fileSystem.contents(path) ?? []
            do throws(StorageError) {
                if name == LeaderEpochs.fileName {
                    partition.epochs = try Checkpoint.decodeEpochs(bytes, path: name)
                } else if name == PartitionMetadataFile.name {
                    partition.topicID = try PartitionMetadataFile.decode(bytes, path: name)
                }
            } catch {
                partition.defects.append(
                    Defect(file: name, position: nil, reason: error.description))
            }
        }
    }

    private static func snapshot(_ offset: Offset, _ name: String, _ bytes: [UInt8]) -> Snapshot {
        do throws(SnapshotDefect) {
            let found = try ProducerSnapshotFile.decode(bytes)
            return Snapshot(offset: offset, producers: found.producerEntries, defects: [])
        } catch {
            let reason =
                switch error {
                case .cut: "the file ends before the snapshot does"
                case .version(let version): "version \(version) is not 1"
                case .checksum: "the CRC does not fit the content"
                }
            return Snapshot(
                offset: offset, producers: [],
                defects: [Defect(file: name, position: nil, reason: reason)])
        }
    }

    /// Reads one segment and its indexes.
    package static func segment(
        _ base: Offset, in folder: String, fileSystem: any FileSystem, records: Bool
    ) throws(FileFault) -> Segment {
        let name = SegmentFileKind.log.name(of: base.rawValue)
        let file = try fileSystem.open(folder + "/" + name, .read)
        var segment = Segment(baseOffset: base, byteCount: try file.size())
        let contexts = CodecContexts()
        var scanner = BatchScanner(file, from: 0, to: segment.byteCount, chunk: 1 << 20)
        var end = base
        scan: while true {
            switch try scanner.nextBatch() {
            case .batch(let header, let position):
                var batch = Batch(header: header, position: position, records: [])
                if header.baseOffset < end {
                    let reason =
                        "offset \(header.baseOffset.rawValue) after \(end.rawValue - 1)"
                    segment.defects.append(Defect(file: name, position: position, reason: reason))
                }
                end = max(end, header.nextOffset)
                if records {
                    scanner.withBytes(of: header, at: position) {
                        read($0, header, contexts, name, into: &batch, &segment)
                    }
                }
                segment.batches.append(batch)
            case .bad(let position, let reason):
                segment.defects.append(Defect(file: name, position: position, reason: reason))
                break scan
            case .end: break scan
            }
        }
        try readIndexes(folder, fileSystem, &segment)
        return segment
    }

    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ header: RecordBatchHeader, _ contexts: CodecContexts,
        _ name: String, into batch: inout Batch, _ segment: inout Segment
    ) {
        do throws(RecordsError) {
            batch.records = try RecordPayload.withRecords(
                of: header, in: bytes, contexts: contexts, limit: 256 << 20
            ) { payload throws(RecordsError) -> [Record] in
                var found: [Record] = []
                var iterator = RecordIterator(payload: payload, count: header.recordCount)
                while let record = try iterator.next() {
                    found.append(
                        Record(
                            offset: header.baseOffset + Int64(record.offsetDelta),
                            timestamp: header.timestamp(of: record),
                            key: record.key.map(Array.init), value: record.value.map(Array.init),
                            headers: try record.headers()))
                }
                return found
            }
        } catch {
            segment.defects.append(
                Defect(file: name, position: batch.position, reason: "\(error)"))
        }
    }

    private static func readIndexes(
        _ folder: String, _ fileSystem: any FileSystem, _ segment: inout Segment
    ) throws(FileFault) {
        let base = segment.baseOffset
        let offsets = try entries(.index, OffsetIndexEntry.size, folder, fileSystem, &segment)
        segment.offsetIndex = offsets.map { bytes in
            bytes.withUnsafeBytes { OffsetIndexEntry($0, base: base) }
        }
        let times = try entries(.timeindex, TimeIndexEntry.size, folder, fileSystem, &segment)
        segment.timeIndex = times.map { bytes in
            bytes.withUnsafeBytes { TimeIndexEntry($0, base: base) }
        }
        let aborted = try entries(.txnindex, 34, folder, fileSystem, &segment)
        segment.aborted = aborted.map { bytes in
            bytes.withUnsafeBytes { bytes in
                func field(_ index: Int) -> Int64 {
                    Int64(
                        bigEndian: bytes.loadUnaligned(
                            fromByteOffset: 2 + 8 * index, as: Int64.self))
                }
                return AbortedTransaction(
                    producerID: field(0), firstOffset: Offset(field(1)),
                    lastOffset: Offset(field(2)), lastStableOffset: Offset(field(3)))
            }
        }
        checkIndexes(&segment)
    }

    /// Entries of an index file, without the zeros at the end of one that Kafka preallocated.
    private static func entries(
        _ kind: SegmentFileKind, _ size: Int, _ folder: String, _ fileSystem: any FileSystem,
        _ segment: inout Segment
    ) throws(FileFault) -> [ArraySlice<UInt8>] {
        let name = kind.name(of: segment.baseOffset.rawValue)
        guard let bytes = try fileSystem.contents(folder + "/" + name) else {
            if kind != .txnindex {
                segment.defects.append(Defect(file: name, position: nil, reason: "missing"))
            }
            return []
        }
        if bytes.count % size != 0 {
            let reason = "\(bytes.count) bytes are no multiple of \(size)"
            segment.defects.append(Defect(file: name, position: nil, reason: reason))
        }
        var found = stride(from: 0, to: bytes.count - bytes.count % size, by: size).map {
            bytes[$0..<$0 + size]
        }
        while let last = found.last, last.allSatisfy({ $0 == 0 }) { found.removeLast() }
        return found
    }

    private static func checkIndexes(_ segment: inout Segment) {
        let base = segment.baseOffset.rawValue
        let ends = Dictionary(
            segment.batches.map { ($0.position, $0.header.lastOffset) }
        ) { first, _ in first }
        var last = segment.baseOffset
        for (index, entry) in segment.offsetIndex.enumerated() {
            if entry.offset <= last || ends[entry.position] != entry.offset {
                segment.defects.append(
                    Defect(
                        file: SegmentFileKind.index.name(of: base),
                        position: Int64(index * OffsetIndexEntry.size),
                        reason: "no batch at \(entry.position) ends at \(entry.offset.rawValue)"))
            }
            last = max(last, entry.offset)
        }
        var time = Timestamp.none
        for (index, entry) in segment.timeIndex.enumerated() {
            if entry.timestamp <= time {
                segment.defects.append(
                    Defect(
                        file: SegmentFileKind.timeindex.name(of: base),
                        position: Int64(index * TimeIndexEntry.size),
                        reason: "timestamp \(entry.timestamp.rawValue) after \(time.rawValue)"))
            }
            time = max(time, entry.timestamp)
        }
    }

    /// Reads a checkpoint file of a directory's root, by partition name.
    package static func checkpoint(
        _ path: String, fileSystem: any FileSystem
    ) throws(StorageError) -> [String: Offset] {
        let bytes: [UInt8]?
        do throws(FileFault) { bytes = try fileSystem.contents(path) } catch { throw .file(error) }
        return try Checkpoint.decodeOffsets(bytes ?? [], path: path)
    }
}
