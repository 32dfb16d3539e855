//! The first line of every document: what it is, in which version, and which optional parts it uses.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, de::DeserializeOwned};

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// What is there.
    Inventory,
    /// What the targets are.
    Lock,
    /// What will be done.
    Plan,
    /// What happened in a run.
    Journal,
    /// What a run came to.
    Report,
    /// How long steps took.
    Estimates,
}

impl Document {
    /// Every kind of document.
    pub const ALL: [Self; 6] =
        [Self::Inventory, Self::Lock, Self::Plan, Self::Journal, Self::Report, Self::Estimates];

    fn word(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Lock => "lock",
            Self::Plan => "plan",
            Self::Journal => "journal",
            Self::Report => "report",
            Self::Estimates => "estimates",
        }
    }

    /// The version that this build writes.
    pub const fn current(self) -> Format {
        let major = match self {
            // 1 had its work in four shapes, and what undoes a step inside of the step; 2 had steps beside hops, with their whole ids.
            // 1 and 2 of a journal had a side log whose entries were not chained.
            Self::Plan | Self::Journal => 3,
            // 1 told in prose what could not be read, what a run leaves behind and what it waits for.
            Self::Inventory | Self::Report => 2,
            Self::Lock | Self::Estimates => 1,
        };
        Format { document: self, major, minor: 0 }
    }

    /// What to do about one that an older release wrote.
    const fn renewed(self) -> &'static str {
        match self {
            Self::Inventory => "observe again with `switchback observe`",
            Self::Lock => "make it again with `switchback resolve`",
            Self::Plan => "make it again with `switchback plan`",
            Self::Journal => "finish the run, or read it, with the release that began it",
            Self::Report => "read it with the release that wrote it",
            Self::Estimates => "learn them again with `switchback learn`",
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `switchback.plan/3.0`: a kind of document with its version. A higher minor only adds parts that
/// features name; a higher major may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Format {
    /// What it is.
    pub document: Document,
    /// Changes when old readers would misread the document.
    pub major: u16,
    /// Changes when something was added.
    pub minor: u16,
}

/// Why a document cannot be read by this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The text is not a format at all.
    #[error("its format is none of ours; expected one like switchback.plan/3.0")]
    NotAFormat,
    /// Another kind of document.
    #[error("this is a switchback {found}; expected: {expected}")]
    OtherDocument {
        /// What was expected.
        expected: Document,
        /// What it says it is.
        found: Document,
    },
    /// Written in a format that this build does not know.
    #[error("this {document} is in format {major}.x, and this build reads {}.x", .document.current().major)]
    OtherMajor {
        /// What it is.
        document: Document,
        /// Its major version.
        major: u16,
    },
    /// Uses parts that this build does not know.
    #[error("this {document} uses {}, which this build does not know", list(.features))]
    UnknownFeatures {
        /// What it is.
        document: Document,
        /// The unknown features.
        features: Vec<String>,
    },
}

/// What to do about a file that is something else than was expected.
const ANOTHER: &str = "name another file, or write this one anew with this build";

impl Unreadable {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotAFormat | Self::OtherDocument { .. } => ANOTHER,
            Self::OtherMajor { document, major } if *major < document.current().major => document.renewed(),
            Self::OtherMajor { .. } | Self::UnknownFeatures { .. } => "use the release that wrote it",
        }
    }
}

/// Why bytes are not a document.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a document of a format that this build reads.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Not JSON, or without the line that says what it is: what stands in it is not quoted, since it may be any file.
    #[error("not of format {}: {}", .document.current(), foreign(*.line, *.column))]
    Foreign {
        /// What was expected.
        document: Document,
        /// The line where reading ended, from 1; 0 where that is not known.
        line: usize,
        /// The column.
        column: usize,
    },
    /// Not of the shape that its format promises.
    #[error("not of format {}: {source}", .document.current())]
    Shape {
        /// What was expected.
        document: Document,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl ReadError {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(unreadable) => unreadable.help(),
            Self::Foreign { .. } | Self::Shape { .. } => ANOTHER,
        }
    }
}

fn foreign(line: usize, column: usize) -> String {
    match line {
        0 => "it does not begin with its format".to_owned(),
        _ => format!("no format could be read in it, to line {line} column {column}"),
    }
}

/// Reads a document's bytes, its head before the rest of it.
pub(crate) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    document: Document,
    known: &[&str],
) -> Result<T, ReadError> {
    let shape = |source| ReadError::Shape { document, source };
    let foreign = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        ReadError::Foreign { document, line, column }
    };
    let head: Head = serde_json::from_slice(bytes).map_err(foreign)?;
    head.check(document, known)?;
    serde_json::from_slice(bytes).map_err(shape)
}

fn list(words: &[String]) -> String {
    words.join(", ")
}

impl Format {
    /// Whether this build can read a document of this format.
    pub fn check(self, expected: Document) -> Result<(), Unreadable> {
        if self.document != expected {
            return Err(Unreadable::OtherDocument { expected, found: self.document });
        }
        if self.major != expected.current().major {
            return Err(Unreadable::OtherMajor { document: self.document, major: self.major });
        }
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switchback.{}/{}.{}", self.document, self.major, self.minor)
    }
}

impl FromStr for Format {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let parse = || {
            let (word, version) = text.strip_prefix("switchback.")?.split_once('/')?;
            let document = Document::ALL.into_iter().find(|document| document.word() == word)?;
            let (major, minor) = version.split_once('.')?;
            Some(Self { document, major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        parse().ok_or(Unreadable::NotAFormat)
    }
}

crate::name::serde_as_text!(Format, "switchback.KIND/MAJOR.MINOR", r"^switchback\.[a-z-]+/[0-9]+\.[0-9]+$");

/// The head of a document, read before the rest of it so that a newer one is refused with a clear word
/// instead of a complaint about some field.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// The format line.
    pub format: Format,
    /// The optional parts that the document uses.
    #[serde(default)]
    pub features: BTreeSet<String>,
}

impl Head {
    /// Whether this build can read the document.
    pub fn check(&self, expected: Document, known: &[&str]) -> Result<(), Unreadable> {
        self.format.check(expected)?;
        let features: Vec<String> =
            self.features.iter().filter(|feature| !known.contains(&feature.as_str())).cloned().collect();
        match features.is_empty() {
            true => Ok(()),
            false => Err(Unreadable::UnknownFeatures { document: expected, features }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_one_line() {
        let format = Document::Plan.current();
        assert_eq!(format.to_string(), "switchback.plan/3.0");
        assert_eq!("switchback.plan/3.0".parse(), Ok(format));
        assert!("plan/1".parse::<Format>().is_err());
    }

    #[test]
    fn newer_documents_are_refused_by_name() {
        let head: Head = serde_json::from_str(
            r#"{"format": "switchback.plan/3.7", "features": ["helm.upgrade", "rocm.reset"], "other": 1}"#,
        )
        .expect("the head ignores the rest");
        let error = head.check(Document::Plan, &["helm.upgrade"]).expect_err("a feature is unknown");
        assert!(error.to_string().contains("rocm.reset"), "{error}");
        assert!(head.check(Document::Lock, &[]).is_err());
        let newer = "switchback.plan/4.0".parse::<Format>().expect("a format").check(Document::Plan);
        let newer = newer.expect_err("a newer major");
        assert_eq!(newer.to_string(), "this plan is in format 4.x, and this build reads 3.x");
        assert_eq!(newer.help(), "use the release that wrote it");
    }

    #[test]
    fn older_documents_are_refused_by_name_with_what_to_do() {
        let refused = |format: &str, document: Document| {
            let error = format.parse::<Format>().expect("a format").check(document).expect_err("it is older");
            format!("{error}: {}", error.help())
        };
        for (format, document, told) in [
            (
                "switchback.plan/2.0",
                Document::Plan,
                "this plan is in format 2.x, and this build reads 3.x: make it again with `switchback plan`",
            ),
            (
                "switchback.inventory/1.0",
                Document::Inventory,
                "this inventory is in format 1.x, and this build reads 2.x: observe again with `switchback observe`",
            ),
            (
                "switchback.journal/2.0",
                Document::Journal,
                "this journal is in format 2.x, and this build reads 3.x: finish the run, or read it, with the release that \
                 began it",
            ),
            (
                "switchback.report/1.0",
                Document::Report,
                "this report is in format 1.x, and this build reads 2.x: read it with the release that wrote it",
            ),
        ] {
            assert_eq!(refused(format, document), told);
        }
    }

    #[test]
    fn an_older_document_is_refused_before_its_shape_is_looked_at() {
        let old = br#"{"format": "switchback.inventory/1.0", "unread": ["the nodes"]}"#;
        let error = crate::inventory::Inventory::from_json(old).expect_err("it is older");
        assert!(matches!(error, ReadError::Unreadable(Unreadable::OtherMajor { major: 1, .. })), "{error}");
    }
}
