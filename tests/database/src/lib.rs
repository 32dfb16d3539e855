//! Nothing to link: the package is one test binary, `main.rs`.
