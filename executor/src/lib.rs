//! Runs a plan: machine, journal, store, runtime, ports; no client of any platform.
