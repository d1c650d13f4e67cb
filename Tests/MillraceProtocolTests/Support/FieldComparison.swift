import Foundation
import MillraceBase
import MillraceProtocol
import TestSupport

/// Compares a decoded message with the fields that a vector names, by reflection.
struct FieldComparison {
    /// The bytes that the message was read from.
    let frame: [UInt8]
    private(set) var differences: [String] = []

    init(frame: [UInt8]) { self.frame = frame }

    /// Notes each field that differs. Fields that `json` does not name must have their defaults.
    mutating func compare(_ value: any VersionedStruct, _ json: Any, _ path: String) {
        guard let fields = json as? [String: Any] else {
            return differences.append("\(path): no object in the vector")
        }
        var unseen = Set(fields.keys)
        let untouched = Mirror(reflecting: type(of: value).init()).children
        for (child, initial) in zip(Mirror(reflecting: value).children, untouched) {
            let label = child.label ?? ""
            if label == "unknownTaggedFields" { continue }
            let name =
                fields[label] != nil ? label : label.prefix(1).uppercased() + label.dropFirst()
            if let expected = fields[name] {
                unseen.remove(name)
                compareValue(child.value, expected, "\(path).\(name)")
            } else if "\(child.value)" != "\(initial.value)" {
                differences.append("\(path).\(name): set though the version lacks it")
            }
        }
        if !unseen.isEmpty { differences.append("\(path): fields that do not exist: \(unseen)") }
    }

    private mutating func compareValue(_ value: Any, _ json: Any, _ path: String) {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional {
            guard let inner = mirror.children.first?.value else {
                if !(json is NSNull) { differences.append("\(path): null, expected \(json)") }
                return
            }
            return compareValue(inner, json, path)
        }
        if let inner = value as? any VersionedStruct { return compare(inner, json, path) }
        if mirror.displayStyle == .collection, type(of: value) != [UInt8].self {
            return compareArray(mirror.children.map(\.value), json, path)
        }
        guard !matches(value, json) else { return }
        differences.append("\(path): \(value), expected \(json)")
    }

    private mutating func compareArray(_ values: [Any], _ json: Any, _ path: String) {
        guard let expected = json as? [Any], expected.count == values.count else {
            return differences.append("\(path): \(values.count) elements, expected \(json)")
        }
        for (index, pair) in zip(values, expected).enumerated() {
            compareValue(pair.0, pair.1, "\(path)[\(index)]")
        }
    }

    private func matches(_ value: Any, _ json: Any) -> Bool {
        switch value {
        case let text as String: json as? String == text
        case let uuid as Uuid: json as? String == uuid.description
        case let flag as Bool: json as? Bool == flag
        case let number as Double: (json as? NSNumber)?.doubleValue == number
        case let number as any BinaryInteger: (json as? NSNumber)?.int64Value == Int64(number)
        case let bytes as [UInt8]: json as? String == Hex.text(bytes)
        case RecordData.frame(let range): json as? String == Hex.text(frame[range])
        case RecordData.bytes(let bytes): json as? String == Hex.text(bytes)
        default: false
        }
    }
}
