//! The drivers and observers of AWS against a twin of it, over loopback.
