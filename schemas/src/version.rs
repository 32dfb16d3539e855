//! Version numbers with a total order.
//!
//! Components number themselves in several ways: `1.33` (Kubernetes minors), `v0.33.12` (charts with a
//! prefix), `1.33.4-eksbuild.2` (a build after its base version), `4.0.0-rc1` (before it). One type reads
//! all of them and compares them as people do.

use std::{cmp::Ordering, fmt, hash, str::FromStr};

/// A version number. Equality and order look at the numbers, not at a leading `v`.
#[derive(Clone)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
    suffix: Suffix,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Suffix {
    /// `-alpha.1`, `-rc1`: before the plain version.
    Before(Vec<Part>),
    None,
    /// `-eksbuild.2`, `-1`: a build after the plain version.
    After(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Number(u64),
    Word(String),
}

/// A text that is not a version number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version number")]
pub struct BadVersion(String);

impl Version {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Without a leading `v`.
    pub fn plain(&self) -> &str {
        self.text.strip_prefix('v').unwrap_or(&self.text)
    }

    /// As it stands in ids: without a leading `v` and build metadata, in lower case.
    #[must_use]
    pub fn normal(&self) -> Self {
        let bare = self.plain().split('+').next().unwrap_or_default().to_ascii_lowercase();
        bare.parse().unwrap_or_else(|_| self.clone())
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.numbers.first().copied().unwrap_or(0)
    }

    /// The second number; 0 when there is none.
    pub fn minor(&self) -> u64 {
        self.numbers.get(1).copied().unwrap_or(0)
    }

    /// The third number, if the version goes that far.
    pub fn patch(&self) -> Option<u64> {
        self.numbers.get(2).copied()
    }

    /// `MAJOR.MINOR` of this version.
    #[must_use]
    pub fn minor_line(&self) -> Version {
        let text = format!("{}.{}", self.major(), self.minor());
        Version { text, numbers: vec![self.major(), self.minor()], suffix: Suffix::None }
    }

    /// Whether this version is of the line that `line` names: `1.8.8` is of `1.8` and of `1`.
    pub fn is_of(&self, line: &Version) -> bool {
        self.numbers.starts_with(&line.numbers)
    }

    fn key(&self) -> (&[u64], &Suffix) {
        // Trailing zeros do not count: 1.8 == 1.8.0.
        let end = self.numbers.iter().rposition(|n| *n != 0).map_or(0, |last| last + 1);
        (self.numbers.get(..end).unwrap_or_default(), &self.suffix)
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.chars().take(80).collect());
        let plain = text.strip_prefix('v').unwrap_or(text);
        // Build metadata after `+` does not order versions.
        let (plain, _) = plain.split_once('+').unwrap_or((plain, ""));
        let (numbers, suffix) = match plain.split_once('-') {
            Some((numbers, suffix)) => (numbers, Some(suffix)),
            None => (plain, None),
        };
        if text.len() > 64 {
            return Err(bad());
        }
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u64>().ok()).flatten()
        };
        let numbers: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>().ok_or_else(bad)?;
        let suffix = match suffix {
            None => Suffix::None,
            Some("") => return Err(bad()),
            Some(suffix) => {
                if !suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
                    return Err(bad());
                }
                let parts = suffix
                    .split(['.', '-'])
                    .map(|part| number(part).map_or_else(|| Part::Word(part.to_owned()), Part::Number))
                    .collect();
                let early = ["alpha", "beta", "rc", "dev", "pre", "snapshot", "nightly"];
                match early.iter().any(|word| suffix.to_ascii_lowercase().starts_with(word)) {
                    true => Suffix::Before(parts),
                    false => Suffix::After(parts),
                }
            }
        };
        Ok(Self { text: text.to_owned(), numbers, suffix })
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl hash::Hash for Version {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::name::serde_as_text!(
    Version,
    "a version number, quoted: '1.30'",
    r"^v?[0-9]+(\.[0-9]+)*([-+][0-9A-Za-z.+-]+)?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn versions_order_as_people_do() {
        let rising = [
            "0.37.7",
            "1.0.0-rc1",
            "1.0",
            "1.0.8",
            "1.5.8",
            "1.8.8",
            "1.10.0",
            "1.30",
            "1.33.4",
            "1.33.4-eksbuild.2",
            "1.33.4-eksbuild.10",
            "1.34",
        ];
        for pair in rising.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn a_prefix_and_trailing_zeros_do_not_count() {
        assert_eq!(v("v1.8"), v("1.8.0"));
        assert_ne!(v("1.3"), v("1.30"));
        assert_eq!(v("v1.8").as_str(), "v1.8");
        assert_eq!(v("v1.8.8").minor_line().as_str(), "1.8");
        assert!(v("1.8.8").is_of(&v("1.8")));
        assert!(!v("1.80.1").is_of(&v("1.8")));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "v", "1.", ".1", "1.x", "1.2-", "latest", "1 2", "-1", "1.2-a b", "99999999999999999999"]
        {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
