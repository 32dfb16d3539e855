//! The documents that cross a wall, as types.
