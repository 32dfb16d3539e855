//! Pure functions over the documents that planner and executor both need.
