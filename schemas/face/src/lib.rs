//! How things look to a person, and to the machines that read over a person's shoulder.
//!
//! Diagnostics with their source, tables, Markdown for a pull request, exit codes, cleaned foreign text and the two
//! streams and the files that both commands write to. Nothing here reads a clock or the environment: what a stream can
//! show comes in as a [`Look`] or as [`terminal::Surroundings`]. Only [`documents`] touches files.

pub mod answer;
pub mod codes;
pub mod commands;
pub mod contract;
pub mod diagnostics;
pub mod documents;
mod excerpt;
pub mod exit;
pub mod look;
pub mod markdown;
pub mod options;
pub mod output;
pub mod plan;
pub mod safe;
pub mod table;
pub mod terminal;

pub use answer::{Answer, Page};
pub use diagnostics::Sources;
pub use exit::Exit;
pub use look::{ColorChoice, Look};
pub use options::GlobalOptions;
pub use output::Output;
pub use safe::SafeText;
pub use terminal::Terminal;
