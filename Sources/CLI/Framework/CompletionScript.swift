/// Scripts that complete commands and flags in a shell, from the table of commands.
enum CompletionScript {
    static let shells = ["bash", "zsh", "fish"]

    static func text(shell: String, nouns: [Noun], topLevel: [Command]) -> String {
        switch shell {
        case "bash": bash(nouns, topLevel)
        case "zsh": zsh(nouns, topLevel)
        default: fish(nouns, topLevel)
        }
    }

    private static func words(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        (topLevel.filter { !$0.isHidden }.map(\.name) + nouns.map(\.name)).sorted()
            .joined(separator: " ")
    }

    private static func flags(_ command: Command) -> String {
        command.allFlags.flatMap { flag in
            ["--\(flag.name)"] + (flag.short.map { ["-\($0)"] } ?? [])
        }.joined(separator: " ")
    }

    private static func commands(_ nouns: [Noun], _ topLevel: [Command]) -> [Command] {
        topLevel.filter { !$0.isHidden } + nouns.flatMap(\.commands)
    }

    /// Names of flags by what completes their values.
    private static func flagNames(
        _ commands: [Command], _ wanted: (FlagValue) -> Bool
    ) -> String {
        let names = Set(
            commands.flatMap(\.allFlags).filter { wanted($0.value) }.flatMap { flag in
                ["--\(flag.name)"] + (flag.short.map { ["-\($0)"] } ?? [])
            })
        return names.sorted().joined(separator: "|")
    }

    private static func bash(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        let all = commands(nouns, topLevel)
        var text = """
            # bash completion of millrace: source <(millrace completion bash)
            _millrace() {
                local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
                local path="" index=1 flags="" values=""
                COMPREPLY=()
                while [ $index -lt $COMP_CWORD ]; do
                    case ${COMP_WORDS[index]} in
                    -*) ;;
                    *) path="$path${path:+ }${COMP_WORDS[index]}" ;;
                    esac
                    index=$((index + 1))
                done
                case $previous in
                \(flagNames(all) { $0 == .file }))
                    COMPREPLY=($(compgen -f -- "$word")); return ;;
                \(flagNames(all) { $0 == .directory }))
                    COMPREPLY=($(compgen -d -- "$word")); return ;;
                -o|--output)
                    COMPREPLY=($(compgen -W "text wide json" -- "$word")); return ;;
                esac
                case $path in
                "") values="\(words(nouns, topLevel))" ;;

            """
        for noun in nouns {
            let verbs = noun.commands.compactMap(\.path.last).joined(separator: " ")
            text += "    \"\(noun.name)\") values=\"\(verbs)\" ;;\n"
        }
        for command in all {
            let choices = command.arguments.first?.choices.joined(separator: " ") ?? ""
            text +=
                "    \"\(command.name)\"*) flags=\"\(flags(command))\" values=\"\(choices)\" ;;\n"
        }
        return text + """
                esac
                case $word in
                -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
                *) COMPREPLY=($(compgen -W "$values" -- "$word")) ;;
                esac
            }
            complete -F _millrace -o default millrace

            """
    }

    private static func quoted(_ text: String) -> String {
        "'"
            + text.replacing("'", with: "'\\''").replacing("[", with: "(")
            .replacing("]", with: ")").replacing(":", with: " ") + "'"
    }

    private static func zsh(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        var text = """
            #compdef millrace
            # zsh completion of millrace: millrace completion zsh > a file _millrace in $fpath
            _millrace() {
                local -a words_before choices
                words_before=(${${words[2,CURRENT-1]}:#-*})
                case "$words_before" in
                "") choices=(

            """
        let top =
            topLevel.filter { !$0.isHidden }.map { ($0.name, $0.summary) }
            + nouns.map { ($0.name, $0.summary) }
        for (name, summary) in top.sorted(by: { $0.0 < $1.0 }) {
            text += "        \(quoted(name))\\:\(quoted(summary))\n"
        }
        text += "    ); _describe command choices ;;\n"
        for noun in nouns {
            text += "    \(noun.name)) choices=(\n"
            for command in noun.commands {
                text += "        \(command.path.last ?? "")\\:\(quoted(command.summary))\n"
            }
            text += "    ); _describe verb choices ;;\n"
        }
        for command in commands(nouns, topLevel) {
            text += "    \(quoted(command.name))*) _arguments -s \\\n"
            for flag in command.allFlags {
                let value =
                    switch flag.value {
                    case .none: ""
                    case .optionalDuration: "::value: "
                    case .file: ":file:_files"
                    case .directory: ":directory:_files -/"
                    case .choice(let names): ":value:(\(names.joined(separator: " ")))"
                    default: ":value: "
                    }
                let doc = quoted(flag.doc).dropFirst().dropLast()
                let sign = flag.value == .optionalDuration ? "=-" : ""
                text +=
                    "        '--\(flag.name)\(sign)[\(doc)]\(value)' \\\n"
            }
            text += "        '*:argument:_files' ;;\n"
        }
        return text + "    esac\n}\n_millrace \"$@\"\n"
    }

    private static func fish(_ nouns: [Noun], _ topLevel: [Command]) -> String {
        func doc(_ text: String) -> String {
            "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
        }
        var text = "# fish completion of millrace: millrace completion fish | source\n"
        for command in topLevel where !command.isHidden {
            text += "complete -c millrace -n __fish_use_subcommand -a \(command.name)"
            text += " -d \(doc(command.summary))\n"
        }
        for noun in nouns {
            text += "complete -c millrace -n __fish_use_subcommand -a \(noun.name)"
            text += " -d \(doc(noun.summary))\n"
            for command in noun.commands {
                let verb = command.path.last ?? ""
                text += "complete -c millrace -n '__fish_seen_subcommand_from \(noun.name)'"
                text += " -a \(verb) -d \(doc(command.summary))\n"
            }
        }
        for command in commands(nouns, topLevel) {
            let seen = command.path.map { "__fish_seen_subcommand_from \($0)" }
                .joined(separator: "; and ")
            for flag in command.allFlags {
                text += "complete -c millrace -n '\(seen)' -l \(flag.name)"
                if let short = flag.short { text += " -s \(short)" }
                switch flag.value {
                case .none, .optionalDuration: break
                case .choice(let names):
                    text += " -x -a '\(names.joined(separator: " "))'"
                case .file, .directory: text += " -r -F"
                default: text += " -x"
                }
                text += " -d \(doc(flag.doc))\n"
            }
        }
        return text
    }
}
