//! Names of things that an upgrade makes. All of them hold a digest of the observation and the hop, so that what is found under
//! one of them is this plan's own.

use switchback_schemas::{Digest, HopId, name::Label};

/// Names that one hop of one observation gives.
#[derive(Clone, Debug)]
pub(super) struct Names {
    tag: String,
}

impl Names {
    pub(super) fn new(observation: &Label, hop: &HopId) -> Self {
        Self { tag: Digest::of(format!("{observation}/{hop}")).short(8) }
    }

    /// A Job beside a Deployment: a DNS label that leaves room for its pods' suffix.
    pub(super) fn job(&self, deployment: &str, part: &str) -> String {
        joined(deployment, part, &self.tag, 57)
    }

    /// A snapshot of an instance: up to 255 letters, digits and single hyphens, in lower case (botocore, rds service-2.json).
    pub(super) fn snapshot(&self, instance: &str, to: &str) -> String {
        joined(instance, &format!("before-{to}"), &self.tag, 255)
    }

    /// An instance beside an instance: up to 63 of the same.
    pub(super) fn instance(&self, instance: &str, part: &str) -> String {
        joined(instance, part, &self.tag, 63)
    }
}

/// `NAME-PART-TAG` in lower case with single hyphens, with the name cut to what fits.
fn joined(name: &str, part: &str, tag: &str, most: usize) -> String {
    let tail = plain(&format!("{part}-{tag}"));
    let room = most.saturating_sub(tail.len() + 1);
    let head: String = plain(name).chars().take(room).collect();
    format!("{}-{tail}", head.trim_end_matches('-'))
}

fn plain(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(observation: &str) -> Names {
        let hop = "mlflow/mlflow@3.18.0".parse().expect("a hop");
        Names::new(&Label::sanitized(observation), &hop)
    }

    #[test]
    fn names_keep_the_rules_of_rds() {
        let long = format!("A{}", "-b".repeat(31));
        for name in [
            names("obs-1").snapshot(&long, "3.18.0"),
            names("obs-1").instance(&long, "trial"),
            names("obs-1").instance("flow", "before-3.18.0"),
            names("obs-1").job(&"x".repeat(80), "migrate"),
        ] {
            assert!(name.len() <= 255, "{name}");
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(!name.contains("--"), "{name}");
            assert!(!name.ends_with('-'), "{name}");
            assert!(!name.contains('.'), "{name}");
        }
        assert!(
            (62..=63).contains(&names("obs-1").instance(&long, "trial").len()),
            "as much of the name as fits"
        );
        assert!(names("obs-1").job(&"x".repeat(80), "migrate").len() <= 57);
    }

    #[test]
    fn another_observation_gives_other_names() {
        let of = |observation| names(observation).snapshot("flow", "3.18.0");
        assert!(of("obs-1").starts_with("flow-before-3-18-0-"));
        assert_ne!(of("obs-1"), of("obs-2"));
    }
}
