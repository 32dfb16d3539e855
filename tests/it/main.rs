//! Pure integration tests: compile, diff, formats, tidy.
