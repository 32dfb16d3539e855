//! Drivers that call programs (helm, commands) and plain HTTP (probes, notifications).
