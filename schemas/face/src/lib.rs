//! How things look to a person: diagnostics, tables, exit codes, safe text.
