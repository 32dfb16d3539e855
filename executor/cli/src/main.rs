//! The switchback-exec command: the one place that joins everything.

fn main() {}
