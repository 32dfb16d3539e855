//! helm on both sides.
