//! YAML text to a tree in which everything knows its place.
//!
//! One parser reads every manifest, so there is one truth about what the text says. It follows the YAML 1.2 core
//! schema and refuses what makes a reviewer and a machine read different things: duplicate and merge keys, tags,
//! keys that are not text, invisible characters. It stops early on what would only cost memory: large files, deep
//! nesting, aliases that multiply. Every fault of a file is collected; a broken document does not hide the next one.

mod faults;
mod node;
mod scalar;
mod syntax;
mod text;
mod tree;

pub(crate) use faults::first;
pub(crate) use node::first_key;
pub use node::{Content, Entry, Found, Node};
pub use scalar::{Scalar, Style};

use std::sync::Arc;

use switchback_schemas::Diagnostic;

/// Bytes that a file may hold.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Levels that a document may be nested.
pub const MAX_DEPTH: usize = 64;
/// Nodes that the aliases of a document may expand to.
pub const MAX_ALIASED: usize = 10_000;
/// Nodes that a document may hold, aliases not expanded.
pub const MAX_NODES: usize = 100_000;
/// Documents that a file may hold.
pub const MAX_DOCUMENTS: usize = 2_000;
/// Faults that are told for one file.
pub const MAX_FAULTS: usize = 100;

/// A file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The file as the user named it.
    pub name: String,
    /// The roots of its documents. Empty documents and those with a syntax error are left out.
    pub documents: Vec<Arc<Node>>,
    /// Whether something could not be read at all, so that names seem to be missing that may be there.
    pub lost: bool,
}

/// Reads a file and says all that is wrong with it as YAML.
pub fn read(name: &str, bytes: &[u8]) -> (Source, Vec<Diagnostic>) {
    let mut faults = faults::Faults::new(name);
    let (documents, lost) = match text::check(bytes, &mut faults) {
        Some(text) => tree::documents(&text, &mut faults),
        None => (Vec::new(), true),
    };
    (Source { name: name.to_owned(), documents, lost }, faults.finish())
}
