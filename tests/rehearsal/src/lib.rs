//! The executor's library, its real drivers and the twin in one process.
