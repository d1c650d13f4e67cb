internal import MillraceBase
internal import MillraceProtocol

/// What a new cluster begins with.
package enum Bootstrap {
    /// The features that this version knows, with the levels that it can work at.
    package static let supportedFeatures: [(name: String, levels: ClosedRange<Int16>)] = [
        ("eligible.leader.replicas.version", 0...1),
        ("group.version", 0...1),
        ("kraft.version", 0...1),
        ("metadata.version", 7...30),
        ("share.version", 0...1),
        ("streams.version", 0...1),
        ("transaction.version", 0...2),
    ]

    /// The records of `bootstrap.checkpoint`, as `storage format` writes it: the levels of Kafka
    /// 4.3, the metadata version first.
    package static func records() -> [MetadataRecord] {
        let levels: [(String, Int16)] = [
            (ClusterImage.metadataVersion, 30), ("eligible.leader.replicas.version", 1),
            ("group.version", 1), ("share.version", 1), ("streams.version", 1),
            ("transaction.version", 2),
        ]
        return levels.map { .featureLevel(ClusterImage.feature($0.0, $0.1)) }
    }
}

extension Controller {
    /// What a controller appends when it begins to lead: on a new cluster the bootstrap records;
    /// the end of a transaction that its predecessor left open. It is asked again after they are
    /// replayed, until it gives none.
    ///
    /// - Parameters:
    ///   - bootstrap: what `bootstrap.checkpoint` holds.
    ///   - image: the published one, with all that is committed.
    package func activationRecords(
        bootstrap: [MetadataRecord], image: ClusterImage
    ) -> [MetadataRecord] {
        if image.isInTransaction {
            var record = AbortTransactionRecord()
            record.reason = "failover"
            return [.abortTransaction(record)]
        }
        guard image.features[ClusterImage.metadataVersion] == nil else { return [] }
        var begin = BeginTransactionRecord()
        begin.name = "Bootstrap records"
        let usesELR = bootstrap.contains {
            guard case .featureLevel(let record) = $0 else { return false }
            return record.name == "eligible.leader.replicas.version" && record.featureLevel > 0
        }
        var records = [MetadataRecord.beginTransaction(begin)] + bootstrap
        if usesELR {
            // With eligible leader replicas the cluster's smallest ISR is a setting of the log.
            let all = ConfigResource(.broker, "")
            records.append(
                .config(ClusterImage.config(all, Self.minInSync, "\(settings.minInSync)")))
        }
        return records + [.endTransaction(EndTransactionRecord())]
    }

    /// What `metadata.max.idle.interval.ms` has appended while nothing happens.
    package static var idleRecord: MetadataRecord { .noOp(NoOpRecord()) }
}
