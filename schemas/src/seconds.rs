//! Lengths of time.

use std::{fmt, ops::Add, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in whole seconds. A plain number in plans and journals.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    /// Whole minutes.
    pub const fn minutes(n: u64) -> Self {
        Self(n * 60)
    }

    /// Whole hours.
    pub const fn hours(n: u64) -> Self {
        Self(n * 3600)
    }

    /// The same as a standard duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Whether it is nothing; left out of documents then.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Seconds {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self(0), Add::add)
    }
}

impl fmt::Display for Seconds {
    /// `45 s`, `9 min`, `5 h 10 min`, `7 d`: the two largest units that say something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
        let mut rest = self.0;
        let mut parts = Vec::new();
        for (length, unit) in units {
            let n = rest / length;
            rest %= length;
            if n > 0 {
                parts.push(format!("{n} {unit}"));
            }
        }
        if parts.is_empty() {
            parts.push("0 s".to_owned());
        }
        parts.truncate(2);
        f.write_str(&parts.join(" "))
    }
}

/// A length of time as a person writes it in a manifest: `90s`, `10m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(pub Seconds);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time; write it like 90s, 10m, 1h30m or 7d")]
pub struct BadLength(String);

impl FromStr for Length {
    type Err = BadLength;

    fn from_str(text: &str) -> Result<Self, BadLength> {
        let bad = || BadLength(text.chars().take(80).collect());
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        let mut last = u64::MAX;
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let n = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit.into()));
                number = Some(n.ok_or_else(bad)?);
                continue;
            }
            let unit = match c {
                'd' => 86_400,
                'h' => 3_600,
                'm' => 60,
                's' => 1,
                _ => return Err(bad()),
            };
            // Units fall, so `10m1h` is a slip and not an hour and ten minutes.
            if unit >= last {
                return Err(bad());
            }
            last = unit;
            let part = number.take().ok_or_else(bad)?.checked_mul(unit).ok_or_else(bad)?;
            total = total.checked_add(part).ok_or_else(bad)?;
        }
        if number.is_some() || last == u64::MAX {
            return Err(bad());
        }
        Ok(Self(Seconds(total)))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (length, unit) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
            if rest / length > 0 {
                write!(f, "{}{unit}", rest / length)?;
            }
            rest %= length;
        }
        Ok(())
    }
}

crate::name::serde_as_text!(
    Length,
    "a length of time: 90s, 10m, 1h30m, 7d",
    r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_written() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(text.parse::<Length>().map(|l| l.0), Ok(Seconds(seconds)), "{text}");
        }
        assert_eq!(Length(Seconds(5400)).to_string(), "1h30m");
        for text in ["", "10", "m", "1m1h", "1m1m", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
    }

    #[test]
    fn people_read_two_units() {
        assert_eq!(Seconds(0).to_string(), "0 s");
        assert_eq!(Seconds(18_600).to_string(), "5 h 10 min");
        assert_eq!(Seconds(604_800).to_string(), "7 d");
        assert_eq!(Seconds(90_061).to_string(), "1 d 1 h");
    }
}
