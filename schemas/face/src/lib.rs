//! How things look to a person, and to the machines that read over a person's shoulder.
//!
//! Diagnostics with their source, tables, Markdown for a pull request, exit codes, cleaned foreign text and the
//! output handle that both commands write through. Everything here turns data into text; nothing here reads a clock,
//! the environment or a file: what the terminal can show comes in as a [`Look`].

pub mod codes;
pub mod contract;
pub mod diagnostics;
mod excerpt;
pub mod exit;
pub mod look;
pub mod markdown;
pub mod output;
pub mod plan;
pub mod safe;
pub mod table;

pub use diagnostics::Sources;
pub use exit::Exit;
pub use look::{ColorChoice, Look};
pub use output::Output;
pub use safe::SafeText;
