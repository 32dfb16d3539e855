//! Faults on calls, by operation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::network::BadAnswer;

/// What goes wrong with which call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// HTTP method, `program`, `aws`, or `*`.
    pub verb: String,
    /// A pattern with `*` over the path (for programs: over the argv joined by spaces; for AWS also over the operation, such as
    /// `eks:UpdateClusterVersion`).
    pub path: String,
    /// Which match it hits, counted from 1; 0 hits every one.
    #[serde(default = "first")]
    pub nth: u32,
    /// It hits every so many-th match instead; 0 where it does not.
    #[serde(default)]
    pub every: u32,
    /// The first instant of the world's clock at which it is there; absent where it is there at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The instant at which it is over; absent where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What happens.
    pub kind: FaultKind,
    /// How many calls matched so far while it was there.
    #[serde(default, skip_deserializing)]
    pub seen: u32,
    /// How many calls it hit.
    #[serde(default, skip_deserializing)]
    pub hits: u32,
}

fn first() -> u32 {
    1
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// Refused before anything happens.
    Before {
        /// The status that is answered.
        status: u16,
        /// Seconds of `Retry-After`.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// It happens, and an error is answered.
    After {
        /// The status that is answered.
        status: u16,
    },
    /// It happens, and the connection closes.
    Lost,
    /// It happens, and the answer of the API server is not the one that was asked for.
    Bad {
        /// What is answered.
        answer: BadAnswer,
    },
    /// It happens, and the answer takes this much domain time.
    Delay {
        /// Domain seconds.
        seconds: u32,
    },
    /// A program is killed in its middle.
    Killed,
    /// Refused before anything happens, with an error type of AWS.
    Refused {
        /// Such as `ThrottlingException`.
        code: String,
        /// The text for people.
        #[serde(default)]
        message: String,
        /// The status that is answered; 400 where it is left out.
        #[serde(default)]
        status: Option<u16>,
    },
    /// AWS accepts the operation, and it fails in the end.
    Fails {
        /// Such as `NodeCreationFailure`.
        code: String,
        /// The text for people.
        #[serde(default)]
        message: String,
    },
}

impl From<BadAnswer> for FaultKind {
    fn from(answer: BadAnswer) -> Self {
        Self::Bad { answer }
    }
}

impl Fault {
    /// A fault on the first matching call.
    pub fn new(verb: &str, path: &str, kind: FaultKind) -> Self {
        Self {
            verb: verb.into(),
            path: path.into(),
            nth: 1,
            every: 0,
            from: None,
            until: None,
            kind,
            seen: 0,
            hits: 0,
        }
    }

    /// On the `nth` matching call, 0 for every one.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// On every `every`-th matching call.
    #[must_use]
    pub fn every(mut self, every: u32) -> Self {
        self.every = every;
        self
    }

    /// From this instant of the world's clock until another one.
    #[must_use]
    pub fn between(mut self, from: Timestamp, until: Timestamp) -> Self {
        self.from = Some(from);
        self.until = Some(until);
        self
    }

    /// Whether it is there at an instant.
    pub fn is_there(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    fn is_due(&self) -> bool {
        match self.every {
            0 => self.nth == 0 || self.nth == self.seen,
            every => self.seen.is_multiple_of(every),
        }
    }

    pub(crate) fn concerns(&self, verb: &str, path: &str) -> bool {
        (self.verb == "*" || self.verb.eq_ignore_ascii_case(verb)) && matches(&self.path, path)
    }
}

/// The fault that hits a call which is made now, if any; counts the call. A call may have several names.
pub(crate) fn hit(faults: &mut [Fault], now: Timestamp, names: &[(&str, &str)]) -> Option<FaultKind> {
    let mut found = None;
    let concerned = |fault: &&mut Fault| {
        fault.is_there(now) && names.iter().any(|(verb, path)| fault.concerns(verb, path))
    };
    for fault in faults.iter_mut().filter(concerned) {
        fault.seen += 1;
        if found.is_none() && fault.is_due() {
            fault.hits += 1;
            found = Some(fault.kind.clone());
        }
    }
    found
}

/// Whether a text fits a pattern in which `*` stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("/api/*/pods/*/eviction", "/api/v1/namespaces/a/pods/p/eviction"));
        assert!(!matches("/api/*/pods/*/eviction", "/api/v1/namespaces/a/pods/p"));
        assert!(matches("*", ""));
        assert!(matches("helm upgrade *", "helm upgrade x y"));
    }

    #[test]
    fn the_nth_call_is_hit() {
        let now = Timestamp::UNIX_EPOCH;
        let mut faults = vec![Fault::new("get", "/a", FaultKind::Lost).nth(2)];
        let mut calls = |verb| hit(&mut faults, now, &[(verb, "/a")]);
        assert_eq!(calls("GET"), None);
        assert_eq!(calls("POST"), None);
        assert_eq!(calls("GET"), Some(FaultKind::Lost));
        assert_eq!(calls("GET"), None);
        let mut faults = vec![Fault::new("get", "/a", FaultKind::Lost).every(2)];
        let hits = |_| hit(&mut faults, now, &[("GET", "/a")]).is_some();
        assert_eq!((0..4).map(hits).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn a_fault_is_there_for_a_while() {
        let at = |second| Timestamp::from_second(second).expect("an instant");
        let mut faults = vec![Fault::new("*", "*", FaultKind::Lost).nth(0).between(at(10), at(20))];
        let hits = |second| hit(&mut faults, at(second), &[("GET", "/a")]).is_some();
        assert_eq!([9, 10, 19, 20].map(hits), [false, true, true, false]);
        assert_eq!((faults[0].seen, faults[0].hits), (2, 2));
    }
}
