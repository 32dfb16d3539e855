//! The first line of every document: what it is, in which version, and which optional parts it uses.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::Deserialize;

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
    /// What a run carries over to the plan that continues it.
    CarryOver,
    /// What a run came to.
    Report,
    /// How long steps took.
    Estimates,
}

impl Document {
    /// Every kind of document.
    pub const ALL: [Self; 7] = [
        Self::Inventory,
        Self::Lock,
        Self::Plan,
        Self::Journal,
        Self::CarryOver,
        Self::Report,
        Self::Estimates,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Lock => "lock",
            Self::Plan => "plan",
            Self::Journal => "journal",
            Self::CarryOver => "carry-over",
            Self::Report => "report",
            Self::Estimates => "estimates",
        }
    }

    /// The version that this build writes.
    pub const fn current(self) -> Format {
        let major = match self {
            // 1 had its work in four shapes, and what undoes a step inside of the step.
            Self::Plan => 2,
            Self::Inventory
            | Self::Lock
            | Self::Journal
            | Self::CarryOver
            | Self::Report
            | Self::Estimates => 1,
        };
        Format { document: self, major, minor: 0 }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `switchback.plan/2.0`: a kind of document with its version. A higher minor only adds parts that
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
    #[error("{0:?} is not a format; expected one like switchback.plan/2.0")]
    NotAFormat(String),
    /// Another kind of document.
    #[error("this is a switchback {found}; expected: {expected}")]
    OtherDocument {
        /// What was expected.
        expected: Document,
        /// What it says it is.
        found: Document,
    },
    /// Written in a format that this build does not know.
    #[error(
        "this {document} is in format {major}.x, this build reads {}.x; {}",
        .document.current().major,
        if *.major < .document.current().major { "write it again with this release" } else { "use the release that wrote it" }
    )]
    OtherMajor {
        /// What it is.
        document: Document,
        /// Its major version.
        major: u16,
    },
    /// Uses parts that this build does not know.
    #[error("this {document} uses {}, which this build does not know; use the release that wrote it", list(.features))]
    UnknownFeatures {
        /// What it is.
        document: Document,
        /// The unknown features.
        features: Vec<String>,
    },
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
        parse().ok_or_else(|| Unreadable::NotAFormat(text.chars().take(80).collect()))
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
        assert_eq!(format.to_string(), "switchback.plan/2.0");
        assert_eq!("switchback.plan/2.0".parse(), Ok(format));
        assert!("plan/1".parse::<Format>().is_err());
    }

    #[test]
    fn newer_documents_are_refused_by_name() {
        let head: Head = serde_json::from_str(
            r#"{"format": "switchback.plan/2.7", "features": ["helm.upgrade", "rocm.reset"], "other": 1}"#,
        )
        .expect("the head ignores the rest");
        let error = head.check(Document::Plan, &["helm.upgrade"]).expect_err("a feature is unknown");
        assert!(error.to_string().contains("rocm.reset"), "{error}");
        assert!(head.check(Document::Lock, &[]).is_err());
        let newer = "switchback.plan/3.0".parse::<Format>().expect("a format").check(Document::Plan);
        assert_eq!(
            newer.expect_err("a newer major").to_string(),
            "this plan is in format 3.x, this build reads 2.x; use the release that wrote it"
        );
    }

    #[test]
    fn older_plans_are_refused_by_name() {
        let older = "switchback.plan/1.0".parse::<Format>().expect("a format").check(Document::Plan);
        assert_eq!(
            older.expect_err("an older major").to_string(),
            "this plan is in format 1.x, this build reads 2.x; write it again with this release"
        );
    }
}
