//! What the two commands must agree on before one hands over to the other: the formats that both speak.

use std::fmt;

use switchback_schemas::format::{Document, Format};

/// The option that `switchback-exec` answers with [`answer`].
pub const FLAG: &str = "--contract";

/// One line for each document that this build reads and writes.
pub fn answer() -> String {
    Document::ALL.into_iter().flat_map(|document| [document.current().to_string(), "\n".to_owned()]).collect()
}

/// Why the other command cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    ours: Format,
    theirs: Option<Format>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.theirs {
            Some(theirs) => write!(f, "it speaks {theirs}, this command {}", self.ours),
            None => write!(f, "it does not speak {}", self.ours),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Whether an answer has every document in the same major version. Minors differ in optional parts, which each
/// document lists for itself.
pub fn check(answer: &str) -> Result<(), Mismatch> {
    let theirs: Vec<Format> = answer.lines().filter_map(|line| line.trim().parse().ok()).collect();
    for ours in Document::ALL.map(Document::current) {
        let same: Vec<Format> =
            theirs.iter().copied().filter(|theirs| theirs.document == ours.document).collect();
        if !same.iter().any(|theirs| theirs.major == ours.major) {
            return Err(Mismatch { ours, theirs: same.first().copied() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_understands_itself() {
        assert_eq!(check(&answer()), Ok(()));
    }

    #[test]
    fn another_major_or_a_missing_document_is_refused_by_name() {
        let newer = answer().replace("switchback.plan/3.", "switchback.plan/4.");
        assert!(check(&newer).expect_err("differs").to_string().contains("switchback.plan/3.0"));
        assert!(check("").expect_err("says nothing").to_string().contains("does not speak"));
        let minor = answer().replace("switchback.plan/3.0", "switchback.plan/3.9");
        assert_eq!(check(&minor), Ok(()));
    }
}
