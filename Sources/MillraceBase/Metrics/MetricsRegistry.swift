internal import Synchronization

/// Every metric of a process. Handles are taken at start and kept; asking again for the same name
/// and labels gives the same handle. Names are `millrace_<module>_<what>_<unit>[_total]` in base
/// units; labels have few values: at most `seriesMax` series a name, more share the last one.
package final class MetricsRegistry: Sendable {
    package typealias Labels = [(name: String, value: String)]

    static let seriesMax = 1000

    enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case reading(@Sendable () -> Double?)
        /// The factor turns a recorded value into the base unit; `bounds` are in the base unit.
        case histogram(Histogram, factor: Double, bounds: [Double])
    }

    struct Family: Sendable {
        let help: String
        let type: String
        var series: [(labels: String, instrument: Instrument)] = []
        var byLabels: [String: Int] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {}

    /// Bounds of the classic buckets of latencies, in seconds.
    package static let latencyBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
        5, 10, 30, 60,
    ]

    /// A counter; its name ends in `_total`.
    package func counter(_ name: String, help: String, _ labels: Labels = []) -> Counter {
        let made = instrument(name, help, "counter", labels) { .counter(Counter()) }
        if case .counter(let counter) = made { return counter }
        return Counter()  // the name has another type: counted, but not shown
    }

    /// A counter that something else keeps, read when the metrics are asked for, on the thread that
    /// asks.
    package func counter(
        _ name: String, help: String, _ labels: Labels = [],
        reading: @escaping @Sendable () -> Int64
    ) {
        _ = instrument(name, help, "counter", labels) { .reading { Double(reading()) } }
    }

    /// A gauge that code sets.
    package func gauge(_ name: String, help: String, _ labels: Labels = []) -> Gauge {
        let made = instrument(name, help, "gauge", labels) { .gauge(Gauge()) }
        if case .gauge(let gauge) = made { return gauge }
        return Gauge()
    }

    /// A gauge that is read when the metrics are asked for, on the thread that asks; nil: not
    /// shown now.
    package func gauge(
        _ name: String, help: String, _ labels: Labels = [],
        reading: @escaping @Sendable () -> Double?
    ) {
        _ = instrument(name, help, "gauge", labels) { .reading(reading) }
    }

    /// A histogram of nanoseconds, shown in seconds; its name ends in `_seconds`.
    package func latency(_ name: String, help: String, _ labels: Labels = []) -> Histogram {
        histogram(name, help: help, labels, factor: 1e-9, bounds: Self.latencyBounds)
    }

    /// A histogram.
    /// - Parameters:
    ///   - factor: turns a recorded value into the unit of the name.
    ///   - bounds: upper ends of the buckets shown, ascending, in that unit.
    package func histogram(
        _ name: String, help: String, _ labels: Labels = [], factor: Double = 1, bounds: [Double]
    ) -> Histogram {
        let made = instrument(name, help, "histogram", labels) {
            .histogram(Histogram(), factor: factor, bounds: bounds)
        }
        if case .histogram(let histogram, _, _) = made { return histogram }
        return Histogram()
    }

    private func instrument(
        _ name: String, _ help: String, _ type: String, _ labels: Labels,
        make: () -> Instrument
    ) -> Instrument {
        let text = Self.text(of: labels)
        return families.withLock { families in
            var family = families[name] ?? Family(help: help, type: type)
            if let index = family.byLabels[text] { return family.series[index].instrument }
            if family.series.count >= Self.seriesMax, let last = family.series.last {
                return last.instrument
            }
            let made = make()
            guard family.type == type else { return made }
            family.byLabels[text] = family.series.count
            family.series.append((text, made))
            families[name] = family
            return made
        }
    }

    private static func text(of labels: Labels) -> String {
        labels.map { label in
            var value = ""
            for character in label.value.unicodeScalars {
                switch character {
                case "\\": value += #"\\"#
                case "\"": value += #"\""#
                case "\n": value += #"\n"#
                default: value.unicodeScalars.append(character)
                }
            }
            return "\(label.name)=\"\(value)\""
        }.joined(separator: ",")
    }

    /// All metrics in Prometheus' text format, sorted by name.
    package func prometheusText() -> String {
        let families = families.withLock { $0 }.sorted { $0.key < $1.key }
        var text = ""
        for (name, family) in families {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
            for (labels, instrument) in family.series {
                switch instrument {
                case .counter(let counter):
                    text += Self.sample(name, labels, "\(counter.value)")
                case .gauge(let gauge):
                    text += Self.sample(name, labels, "\(gauge.value)")
                case .reading(let reading):
                    if let value = reading() { text += Self.sample(name, labels, "\(value)") }
                case .histogram(let histogram, let factor, let bounds):
                    text += Self.samples(name, labels, histogram.snapshot(), factor, bounds)
                }
            }
        }
        return text
    }

    private static func sample(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    private static func samples(
        _ name: String, _ labels: String, _ histogram: LogLinearHistogram, _ factor: Double,
        _ bounds: [Double]
    ) -> String {
        let prefix = labels.isEmpty ? "" : labels + ","
        var text = ""
        let total = histogram.count
        for bound in bounds {
            let limit = UInt64(max(0, (bound / factor).rounded()))
            let count = histogram.count(below: limit)
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(count)\n"
        }
        text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(total)\n"
        text += sample("\(name)_sum", labels, "\(Double(histogram.sum) * factor)")
        text += sample("\(name)_count", labels, "\(total)")
        return text
    }
}
