/// Writes the Swift of one message: a struct with defaults, a reader and a writer.
struct Emitter {
    private(set) var output = ""
    private var depth = 0
    private var flexible = VersionRange.none

    private mutating func line(_ text: String) {
        output += String(repeating: "    ", count: depth) + text + "\n"
    }

    private mutating func block(_ head: String, _ body: (inout Emitter) -> Void) {
        line(head + " {")
        depth += 1
        body(&self)
        depth -= 1
        line("}")
    }

    mutating func emit(_ message: MessageDefinition) {
        flexible = message.flexible
        let name = Names.message(message)
        let key = message.key.map { ", key \($0)" } ?? ""
        line(
            "/// \(message.kind) \(message.name)\(key), versions \(text(message.versions)), "
                + "flexible \(message.flexible.isEmpty ? "never" : text(message.flexible)).")
        emitStruct(name, fields: message.fields, versions: message.versions, conformance: "Message")
        {
            emitter in
            let flexibleFrom = message.flexible.isEmpty ? ".max" : "\(message.flexible.first)"
            let span = "\(message.versions.first)...\(message.versions.last)"
            emitter.line("package static let schema = MessageSchema(")
            emitter.line(
                "    kind: .\(message.kind), name: \"\(message.name)\", "
                    + "key: \(message.key ?? -1), versions: \(span), flexibleFrom: \(flexibleFrom))"
            )
        }
        line("")
    }

    private func text(_ range: VersionRange) -> String {
        range.last == Int.max ? "\(range.first)+" : "\(range.first)–\(range.last)"
    }

    private mutating func emitStruct(
        _ name: String, fields: [Field], versions: VersionRange, conformance: String,
        head: (inout Emitter) -> Void = { _ in }
    ) {
        let canBeFlexible = !flexible.intersection(versions).isEmpty
        block("package struct \(name): \(conformance), Equatable, Sendable") { emitter in
            head(&emitter)
            for field in fields {
                emitter.line(
                    "package var \(Names.property(field.name)): \(emitter.swiftType(field))"
                        + " = \(emitter.defaultValue(field))")
            }
            emitter.line("/// Tagged fields of newer versions, kept as they came.")
            emitter.line("package var unknownTaggedFields: [TaggedField] = []")
            emitter.line("package init() {}")
            emitter.emitReader(fields, versions, conformance, canBeFlexible)
            emitter.emitWriter(fields, versions, conformance, canBeFlexible)
            for field in fields where field.elementType == "struct" {
                emitter.line("/// `\(field.name)`, versions \(emitter.text(field.versions)).")
                emitter.emitStruct(
                    emitter.structName(field), fields: field.fields,
                    versions: field.versions.intersection(versions), conformance: "VersionedStruct")
            }
        }
    }

    // MARK: Types and defaults

    private func structName(_ field: Field) -> String {
        field.isArray ? Names.element(field.name) : Names.structure(field.name)
    }

    private func swiftType(_ field: Field) -> String {
        let base =
            field.elementType == "struct" ? structName(field) : Self.scalar(field.elementType)
        let type = field.isArray ? "[\(base)]" : base
        return field.isNullable ? type + "?" : type
    }

    private static func scalar(_ type: String) -> String {
        switch type {
        case "bool": "Bool"
        case "float64": "Double"
        case "string": "String"
        case "uuid": "Uuid"
        case "bytes": "[UInt8]"
        case "records": "RecordData"
        case "uint16": "UInt16"
        case "uint32": "UInt32"
        default: type.prefix(1).uppercased() + type.dropFirst()
        }
    }

    private func defaultValue(_ field: Field) -> String {
        if field.defaultText == "null", field.isNullable { return "nil" }
        if field.isArray { return "[]" }
        switch field.elementType {
        case "bool": return (field.defaultText ?? "false").lowercased()
        case "string": return "\"\(field.defaultText ?? "")\""
        case "uuid": return ".zero"
        case "bytes": return "[]"
        case "records": return ".bytes([])"
        case "struct": return "\(structName(field))()"
        default: return field.defaultText ?? "0"
        }
    }

    // MARK: Reading

    private mutating func emitReader(
        _ fields: [Field], _ versions: VersionRange, _ conformance: String, _ canBeFlexible: Bool
    ) {
        block("package init(from reader: inout ByteReader, version v: Int16) throws(CodecError)") {
            emitter in
            if conformance == "Message" { emitter.line("try Self.schema.check(v)") }
            emitter.emitFlexible(versions, canBeFlexible)
            for field in fields {
                let inline = field.versions.intersection(versions)
                guard let place = emitter.inlineVersions(field, inline) else { continue }
                let property = Names.property(field.name)
                emitter.conditional(place.condition(within: versions)) {
                    $0.line("\(property) = try reader.\($0.readCall(field, inline))")
                }
            }
            guard canBeFlexible else { return }
            emitter.conditional("flexible") { $0.emitTaggedReader(fields, versions) }
        }
    }

    /// The versions in which the field stands in its place, not among the tagged ones.
    private func inlineVersions(_ field: Field, _ versions: VersionRange) -> VersionRange? {
        guard field.tag != nil else { return versions }
        let before = VersionRange(first: versions.first, last: field.tagVersions.first - 1)
        return before.isEmpty ? nil : before
    }

    private mutating func emitFlexible(_ versions: VersionRange, _ canBeFlexible: Bool) {
        guard canBeFlexible else { return }
        let condition = flexible.condition(within: versions) ?? "true"
        line("let flexible = \(condition)")
    }

    private mutating func conditional(_ condition: String?, _ body: (inout Emitter) -> Void) {
        guard let condition else { return body(&self) }
        block("if \(condition)", body)
    }

    private mutating func emitTaggedReader(_ fields: [Field], _ versions: VersionRange) {
        let tagged = fields.filter { $0.tag != nil }
        guard !tagged.isEmpty else {
            line("unknownTaggedFields = try reader.readUnknownTaggedFields()")
            return
        }
        line("var fields = try reader.readTaggedFieldCount()")
        block("while let field = try reader.nextTaggedField(&fields)") { emitter in
            emitter.line("switch field.tag {")
            for field in tagged {
                let condition = field.tagVersions.condition(within: versions)
                emitter.line("case \(field.tag ?? 0)\(condition.map { " where \($0)" } ?? ""):")
                emitter.line(
                    "    \(Names.property(field.name)) = try reader."
                        + emitter.readCall(
                            field, field.tagVersions.intersection(versions), isTagged: true))
                emitter.line("    try reader.finish(field)")
            }
            emitter.line("default: unknownTaggedFields.append(try reader.readUnknown(field))")
            emitter.line("}")
        }
    }

    /// The reader's call for a field; `versions` are those in which it is read.
    private func readCall(_ field: Field, _ versions: VersionRange, isTagged: Bool = false)
        -> String
    {
        let flex = isTagged ? "true" : flexibleArgument(field, versions)
        let null = nullArgument(field, versions)
        let prefix = field.isNullable ? "Nullable" : ""
        let arguments = field.isNullable ? "(\(flex), nullable: \(null))" : "(\(flex))"
        if field.isArray {
            switch field.elementType {
            case "struct":
                return "read\(prefix)Structs(\(flex), version: v"
                    + (field.isNullable ? ", nullable: \(null))" : ")")
            case "string": return "read\(prefix)Strings\(arguments)"
            case "uuid": return "read\(prefix)Uuids\(arguments)"
            default: return "read\(prefix)Integers\(arguments)"
            }
        }
        switch field.elementType {
        case "string": return "read\(prefix)String\(arguments)"
        case "bytes": return "read\(prefix)Bytes\(arguments)"
        case "records": return "read\(prefix)Records\(arguments)"
        case "bool": return "readBool()"
        case "float64": return "readDouble()"
        case "uuid": return "readUuid()"
        case "struct":
            guard field.isNullable else { return "readStruct(version: v)" }
            return "readNullableStruct(version: v, nullable: \(null), tagged: \(isTagged))"
        default: return "readInteger()"
        }
    }

    private func flexibleArgument(_ field: Field, _ versions: VersionRange) -> String {
        if field.isInflexible || flexible.intersection(versions).isEmpty { return "false" }
        return "flexible"
    }

    private func nullArgument(_ field: Field, _ versions: VersionRange) -> String {
        field.nullable.condition(within: versions) ?? "true"
    }

    // MARK: Writing

    private mutating func emitWriter(
        _ fields: [Field], _ versions: VersionRange, _ conformance: String, _ canBeFlexible: Bool
    ) {
        block(
            "package func encode(into writer: inout ByteWriter, version v: Int16) "
                + "throws(CodecError)"
        ) {
            emitter in
            if conformance == "Message" { emitter.line("try Self.schema.check(v)") }
            emitter.emitFlexible(versions, canBeFlexible)
            for field in fields {
                emitter.emitMissing(field, versions)
                let inline = field.versions.intersection(versions)
                guard let place = emitter.inlineVersions(field, inline) else { continue }
                emitter.conditional(place.condition(within: versions)) {
                    $0.line($0.writeCall(field, inline))
                }
            }
            guard canBeFlexible else { return }
            emitter.conditional("flexible") { $0.emitTaggedWriter(fields, versions) }
        }
    }

    /// A field that is set but that the version lacks is an error, unless it may be dropped.
    private mutating func emitMissing(_ field: Field, _ versions: VersionRange) {
        guard !field.isIgnorable, let present = field.versions.condition(within: versions) else {
            return
        }
        let property = Names.property(field.name)
        block("if !(\(present)) && \(property) != \(defaultValue(field))") {
            $0.line("throw .unwritableField(\"\(field.name)\")")
        }
    }

    private mutating func emitTaggedWriter(_ fields: [Field], _ versions: VersionRange) {
        let tagged = fields.filter { $0.tag != nil }.sorted { ($0.tag ?? 0) < ($1.tag ?? 0) }
        guard !tagged.isEmpty else {
            line("writer.writeTaggedFields(unknownTaggedFields)")
            return
        }
        line("var fields = TaggedFieldWriter(unknown: unknownTaggedFields)")
        for field in tagged {
            let property = Names.property(field.name)
            let set = "\(property) != \(defaultValue(field))"
            let condition =
                field.tagVersions.condition(within: versions).map { "\($0) && \(set)" } ?? set
            block("if \(condition)") {
                $0.line("let start = fields.begin(\(field.tag ?? 0), in: &writer)")
                $0.line(
                    $0.writeCall(
                        field, field.tagVersions.intersection(versions), isTagged: true))
                $0.line("fields.end(start, in: &writer)")
            }
        }
        line("fields.finish(in: &writer)")
    }

    private func writeCall(_ field: Field, _ versions: VersionRange, isTagged: Bool = false)
        -> String
    {
        let flex = isTagged ? "true" : flexibleArgument(field, versions)
        let null = nullArgument(field, versions)
        let property = Names.property(field.name)
        let prefix = field.isNullable ? "Nullable" : ""
        let name = field.isNullable ? ", nullable: \(null), \"\(field.name)\")" : ")"
        let call = "\(property), \(flex)\(name)"
        if field.isArray {
            switch field.elementType {
            case "struct":
                return "try writer.write\(prefix)Structs(\(property), \(flex), version: v\(name)"
            case "string": return "try writer.write\(prefix)Strings(\(call)"
            case "uuid": return "try writer.write\(prefix)Uuids(\(call)"
            default: return "try writer.write\(prefix)Integers(\(call)"
            }
        }
        switch field.elementType {
        case "string": return "try writer.write\(prefix)String(\(call)"
        case "bytes": return "try writer.write\(prefix)Bytes(\(call)"
        case "records": return "try writer.write\(prefix)Records(\(call)"
        case "bool": return "writer.writeBool(\(property))"
        case "float64": return "writer.writeDouble(\(property))"
        case "uuid": return "writer.writeUuid(\(property))"
        case "struct":
            guard field.isNullable else { return "try writer.writeStruct(\(property), version: v)" }
            return "try writer.writeNullableStruct(\(property), version: v, nullable: \(null), "
                + "tagged: \(isTagged), \"\(field.name)\")"
        default: return "writer.writeInteger(\(property))"
        }
    }
}
