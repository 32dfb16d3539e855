//! Integration tests over real sockets and processes: drivers, twin, binaries.
