//! Version numbers with a total order.
//!
//! Components number themselves in several ways: `1.33` (Kubernetes minors), `v0.33.12` (charts with a
//! prefix), `4.0.0-rc1` (a pre-release, before its version), `1.33.4-eksbuild.2` (a build of EKS, after it). One
//! type reads all of them and compares them by Semantic Versioning 2, and builds of EKS by their own order.

use std::{cmp::Ordering, fmt, hash, str::FromStr};

/// A version number. Equality and order look at the numbers, not at a leading `v`. Two builds of one version are not
/// equal, though neither is newer ([`Version::is_another_build_of`]); they are ordered by their texts.
#[derive(Clone)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
    suffix: Suffix,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Suffix {
    /// `-alpha.1`, `-rc1`, `-0.20251120`: a pre-release, before the plain version.
    Before(Vec<Part>),
    None,
    /// `-eksbuild.2`, `-eks-a1b2c3`: a build of EKS, after the plain version.
    After(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Number(u64),
    Word(String),
}

/// What the builds of EKS begin with: `1.33.4-eksbuild.2`, `1.33.4-eks-a1b2c3`.
const BUILDS_AFTER: [&str; 2] = ["eksbuild.", "eks-"];

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

    /// Which of two versions is newer. Builds of one version (`1.2.3+a` and `1.2.3+b`) are equal here.
    pub fn precedence(&self, other: &Version) -> Ordering {
        self.numbered().cmp(&other.numbered())
    }

    /// Whether both are builds of one version and not the same build: neither is newer.
    pub fn is_another_build_of(&self, other: &Version) -> bool {
        self.precedence(other).is_eq() && self.build() != other.build()
    }

    /// What follows a `+`.
    fn build(&self) -> &str {
        self.text.split_once('+').map_or("", |(_, build)| build)
    }

    fn numbered(&self) -> (&[u64], &Suffix) {
        // Trailing zeros do not count: 1.8 == 1.8.0.
        let end = self.numbers.iter().rposition(|n| *n != 0).map_or(0, |last| last + 1);
        (self.numbers.get(..end).unwrap_or_default(), &self.suffix)
    }

    fn key(&self) -> ((&[u64], &Suffix), &str) {
        (self.numbered(), self.build())
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.chars().take(80).collect());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let (plain, build) =
            plain.split_once('+').map_or((plain, None), |(plain, build)| (plain, Some(build)));
        let (numbers, suffix) = match plain.split_once('-') {
            Some((numbers, suffix)) => (numbers, Some(suffix)),
            None => (plain, None),
        };
        let identifiers = |text: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
            !text.is_empty() && text.bytes().all(known)
        };
        if text.len() > 64 || build.is_some_and(|build| !identifiers(build)) {
            return Err(bad());
        }
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u64>().ok()).flatten()
        };
        let numbers: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>().ok_or_else(bad)?;
        let suffix = match suffix {
            None => Suffix::None,
            Some(suffix) if !identifiers(suffix) => return Err(bad()),
            Some(suffix) => {
                let part =
                    |part: &str| number(part).map_or_else(|| Part::Word(part.to_owned()), Part::Number);
                match BUILDS_AFTER.iter().any(|word| suffix.starts_with(word)) {
                    true => Suffix::After(suffix.split(['.', '-']).map(part).collect()),
                    false => Suffix::Before(suffix.split('.').map(part).collect()),
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
            "1.33.4-eks-a1b2c3",
            "1.33.4-eksbuild.2",
            "1.33.4-eksbuild.10",
            "1.34",
        ];
        for pair in rising.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn a_pre_release_comes_before_its_version_whatever_it_is_called() {
        // The example of semver.org, and what CI systems write.
        let rising = [
            "1.0.0-0.20251120113025",
            "1.0.0-1",
            "1.0.0-20251120",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-main-2",
            "1.0.0-rc.1",
            "1.0.0",
        ];
        for pair in rising.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn builds_of_one_version_are_others_and_none_is_newer() {
        let (one, other) = (v("0.9.3+4fda46fd8c4e"), v("0.9.3+9139d32801ab"));
        assert_ne!(one, other);
        assert_eq!(one.precedence(&other), Ordering::Equal);
        assert!(one.is_another_build_of(&other) && one.is_another_build_of(&v("0.9.3")));
        assert!(!one.is_another_build_of(&one) && !one.is_another_build_of(&v("0.9.4+4fda46fd8c4e")));
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
        for text in [
            "",
            "v",
            "1.",
            ".1",
            "1.x",
            "1.2-",
            "1.2+",
            "latest",
            "1 2",
            "-1",
            "1.2-a b",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
