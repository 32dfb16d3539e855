//! Moving a component that only the catalog knows.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Version, name::Label};

/// Asks for a component of the catalog to be moved. `switchback path` orders its hops; `switchback plan` refuses it until
/// there is a lowering for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentUpgrade {
    /// The component, by its name in the catalog: `eks`, `karpenter`, `kserve`, …
    pub component: Label,
    /// The version that is there; the inventory's when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    /// The version to reach: exact, `latest-supported`, or a range such as `>=1.8 <1.12`.
    pub to: VersionTarget,
}

/// A version to reach, exact or chosen by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionTarget {
    /// This version; the newest known patch when only a line such as `4.1` is named.
    Exact(Version),
    /// The newest version that is out and supported on the day that is judged.
    LatestSupported,
    /// The newest such version of a range.
    Range(VersionRange),
}

/// What a floating target is written as.
const LATEST: &str = "latest-supported";

impl FromStr for VersionTarget {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        if text == LATEST {
            return Ok(Self::LatestSupported);
        }
        match text.parse() {
            Ok(version) => Ok(Self::Exact(version)),
            Err(_) => text.parse().map(Self::Range),
        }
    }
}

impl fmt::Display for VersionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => version.fmt(f),
            Self::LatestSupported => f.write_str(LATEST),
            Self::Range(range) => range.fmt(f),
        }
    }
}

/// A set of versions: terms that all hold, alternatives between `||`. `>=1.8 <1.12`, `1.0 || 1.2`, `*`.
///
/// A version without a comparison stands for its line: `1.8` holds 1.8.0 and 1.8.8, `1.8.8` itself only.
#[derive(Clone, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    any: Vec<Vec<Term>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Term {
    test: Test,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Line,
    Equal,
    AtLeast,
    Above,
    Below,
    AtMost,
}

/// Comparisons by how they are written, longer ones first.
const TESTS: [(&str, Test); 5] =
    [(">=", Test::AtLeast), ("<=", Test::AtMost), (">", Test::Above), ("<", Test::Below), ("=", Test::Equal)];

/// A text that is no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version, `latest-supported` or a range such as '>=1.8 <1.12'")]
pub struct BadRange(String);

impl VersionRange {
    /// Whether a version belongs to it.
    pub fn contains(&self, version: &Version) -> bool {
        self.any.iter().any(|terms| terms.iter().all(|term| term.holds(version)))
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Term {
    fn holds(&self, version: &Version) -> bool {
        // Facts are about versions, whatever the build.
        let order = version.precedence(&self.version);
        match self.test {
            Test::Line => version.is_of(&self.version) || order.is_eq(),
            Test::Equal => order.is_eq(),
            Test::AtLeast => order.is_ge(),
            Test::Above => order.is_gt(),
            Test::Below => order.is_lt(),
            Test::AtMost => order.is_le(),
        }
    }
}

impl FromStr for VersionRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let bad = || BadRange(text.chars().take(80).collect());
        if text.len() > 256 || text.trim().is_empty() {
            return Err(bad());
        }
        let term = |word: &str| -> Result<Term, BadRange> {
            let known = TESTS.iter().find_map(|(sign, test)| Some((*test, word.strip_prefix(sign)?)));
            let (compare, number) = known.unwrap_or((Test::Line, word));
            Ok(Term { test: compare, version: number.parse().map_err(|_| bad())? })
        };
        let terms = |part: &str| -> Result<Vec<Term>, BadRange> {
            match part.trim() {
                "" => Err(bad()),
                "*" => Ok(Vec::new()),
                words => words.split_whitespace().map(term).collect(),
            }
        };
        let any = text.split("||").map(terms).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), any })
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::name::serde_as_text!(
    VersionRange,
    "a range of versions, quoted: '>=1.8 <1.12', '1.0 || 1.2', '*'",
    r"^[0-9A-Za-z.+<>=|* -]+$"
);

crate::name::serde_as_text!(
    VersionTarget,
    "a version number, quoted: '1.30'; or latest-supported; or a range: '>=1.8 <1.12'",
    r"^[0-9A-Za-z.+<>=|* -]+$"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> VersionRange {
        text.parse().expect(text)
    }

    fn holds(text: &str, version: &str) -> bool {
        range(text).contains(&version.parse().expect(version))
    }

    #[test]
    fn all_terms_of_one_alternative_must_hold() {
        assert!(holds(">=1.8 <1.12", "1.8.0"));
        assert!(holds(">=1.8 <1.12", "1.11.3"));
        assert!(!holds(">=1.8 <1.12", "1.12.0"));
        assert!(!holds(">=1.8 <1.12", "1.7.9"));
        assert!(holds("1.0 || >=1.2", "1.0.14"));
        assert!(holds("1.0 || >=1.2", "1.3"));
        assert!(!holds("1.0 || >=1.2", "1.1.10"));
        assert!(holds("*", "0.1"));
        assert!(holds("<=1.0.4", "1.0.4"));
        assert!(!holds(">1.0.4", "1.0.4"));
    }

    #[test]
    fn a_bare_version_is_its_line() {
        assert!(holds("1.8", "1.8.8"));
        assert!(holds("1.8", "v1.8"));
        assert!(!holds("1.8", "1.80"));
        assert!(holds("1.8.8", "1.8.8"));
        assert!(!holds("1.8.8", "1.8.7"));
        assert!(!holds("=1.8", "1.8.8"));
    }

    #[test]
    fn targets_are_exact_or_floating() {
        let target = |text: &str| text.parse::<VersionTarget>();
        assert_eq!(target("1.8.8"), Ok(VersionTarget::Exact("1.8.8".parse().expect("a version"))));
        assert_eq!(target("latest-supported"), Ok(VersionTarget::LatestSupported));
        assert_eq!(target(">=1.8"), Ok(VersionTarget::Range(range(">=1.8"))));
        for text in ["", "latest", ">=", "1.x", "1.0 ||", "|| 1.0", ">=1.0 latest-supported"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
