// Replaced by the schema compiler.
