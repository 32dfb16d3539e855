//! What a document is asked beside its shape: whether its names lead somewhere, whether its texts may become arguments and
//! addresses, and whether it fits together.
//!
//! What begins with `-` would be read as an option, `..` leaves the directory, and credentials in an address end up in a plan.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    Version,
    codes::{self, Code},
    manifest::{BatchSize, ChartSource, Document, Platform, Rollout, TargetSpec},
    name::{Label as Name, ObjectName},
};

use super::{DocRef, Spanned, faults::Faults, nearest::all};
use crate::{
    image::Image,
    objects::{nested, token},
};

/// Asks one document; what is wrong is collected.
pub struct Checks<'f, 's> {
    faults: &'f mut Faults<'s>,
    doc: DocRef,
}

/// A JSON pointer of the document, and what is said there.
type At<'a> = (&'a str, &'a str);

impl<'f, 's> Checks<'f, 's> {
    pub(super) fn new(faults: &'f mut Faults<'s>, doc: DocRef) -> Self {
        Self { faults, doc }
    }

    /// The platform, if there is exactly one.
    pub fn platform(&self) -> Option<&'s Spanned<Document<Platform>>> {
        self.faults.known.platform
    }

    /// An error with one place.
    pub fn error(&mut self, code: Code, message: impl Into<String>, at: At<'_>, help: impl Into<String>) {
        self.faults.error(code, message, (self.doc, at.0), at.1, help);
    }

    /// An error with two places.
    pub fn pair(
        &mut self,
        code: Code,
        message: impl Into<String>,
        at: At<'_>,
        other: At<'_>,
        help: impl Into<String>,
    ) {
        self.faults.pair(code, message, (self.doc, at.0, at.1), (self.doc, other.0, other.1), help);
    }

    /// An error with a place here and one in the Platform.
    pub fn with_platform(
        &mut self,
        code: Code,
        message: impl Into<String>,
        at: At<'_>,
        other: At<'_>,
        help: impl Into<String>,
    ) {
        let Some(platform) = self.platform() else { return };
        self.faults.pair(code, message, (self.doc, at.0, at.1), (platform.doc, other.0, other.1), help);
    }
}

/// Names that lead somewhere.
impl Checks<'_, '_> {
    /// A target that is a cluster.
    pub fn cluster(&mut self, at: &str, name: &Name) {
        self.target(at, name, IsA::Cluster);
    }

    /// A target that is a database.
    pub fn database(&mut self, at: &str, name: &Name) {
        self.target(at, name, IsA::Database);
    }

    fn target(&mut self, at: &str, name: &Name, wanted: IsA) {
        let Some(platform) = self.platform() else { return };
        let targets = &platform.spec.targets;
        let known =
            || targets.iter().filter(|(_, spec)| IsA::of(spec) == wanted).map(|(name, _)| name.as_str());
        match targets.get(name) {
            None => {
                let what = if wanted == IsA::Cluster { "target" } else { "database among the targets" };
                self.faults.unknown(what, name, (self.doc, at), known());
            }
            Some(spec) if IsA::of(spec) != wanted => {
                let (is, wanted) = (IsA::of(spec).word(), wanted.word());
                let message = format!("target `{name}` is a {is}, and a {wanted} is needed here");
                let help = format!("{wanted}s of the Platform: {}", all(known()));
                self.error(codes::MANIFEST_REFERENCE, message, (at, "the wrong kind of target"), help);
            }
            Some(_) => {}
        }
    }

    /// A pool of the platform.
    pub fn pool(&mut self, at: &str, name: &Name) {
        let Some(platform) = self.platform() else { return };
        let pools = platform.spec.pools.iter().map(|pool| pool.name.as_str());
        if !pools.clone().any(|pool| pool == name.as_str()) {
            self.faults.unknown("pool", name, (self.doc, at), pools);
        }
    }

    /// A workload class of the platform.
    pub fn class(&mut self, at: &str, name: &Name) {
        let Some(platform) = self.platform() else { return };
        let classes = platform.spec.workloads.iter().map(|class| class.name.as_str());
        if !classes.clone().any(|class| class == name.as_str()) {
            self.faults.unknown("workload class", name, (self.doc, at), classes);
        }
    }

    /// A verification.
    pub fn verification(&mut self, at: &str, name: &Name) {
        let known = &self.faults.known;
        if known.whole && !known.verifications.contains(name.as_str()) {
            let known: Vec<&str> = known.verifications.iter().copied().collect();
            self.faults.unknown("Verification", name, (self.doc, at), known.iter().copied());
        }
    }

    /// Verifications of a rollout, which stands in `/spec/rollout`.
    pub fn rollout_references(&mut self, rollout: &Rollout) {
        for (index, name) in rollout.canary.iter().flat_map(|canary| &canary.verify).enumerate() {
            self.verification(&format!("/spec/rollout/canary/verify/{index}"), name);
        }
    }
}

/// What a target has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsA {
    Cluster,
    Database,
}

impl IsA {
    fn of(target: &TargetSpec) -> Self {
        match target {
            TargetSpec::Cluster(_) => Self::Cluster,
            TargetSpec::Database(_) => Self::Database,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Database => "database",
        }
    }
}

/// Texts that become arguments and addresses.
impl Checks<'_, '_> {
    /// A text of letters, digits and some marks, which begins with a letter or digit.
    pub fn word(&mut self, at: &str, what: &str, text: &str, marks: &[u8]) {
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts
            && text.len() <= 512
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
        {
            return;
        }
        let marks: Vec<String> = marks.iter().map(|byte| format!("'{}'", char::from(*byte))).collect();
        let help =
            format!("it has letters, digits and {}, and begins with a letter or digit", marks.join(" "));
        let message = format!("`{}` is not {what}", text.chars().take(80).collect::<String>());
        self.error(codes::MANIFEST_BAD_VALUE, message, (at, "not allowed here"), help);
    }

    /// Name and namespace of an object.
    pub fn object(&mut self, at: &str, object: &ObjectName) {
        self.word(&format!("{at}/name"), "the name of an object", &object.name, b"-.");
        match &object.namespace {
            Some(namespace) => {
                self.word(&format!("{at}/namespace"), "the name of a namespace", namespace, b"-");
            }
            // Every object that a manifest names lives in a namespace.
            None => self.error(
                codes::MANIFEST_MISSING_FIELD,
                format!("`{}` has no namespace", object.name),
                (at, "in which namespace is not said"),
                "add `namespace:`",
            ),
        }
    }

    /// The name of a container.
    pub fn container(&mut self, at: &str, name: &str) {
        self.word(at, "the name of a container", name, b"-");
    }

    /// An image whose tag is another version than the one that is to be reached: two places say what is asked for.
    pub fn image_is(&mut self, at: &str, image: &str, to: &Version) {
        let Some(tag) = Image(image).version().filter(|tag| tag != to) else { return };
        self.pair(
            codes::MANIFEST_CONFLICT,
            format!("the image is tagged {tag}, and the version to reach is {to}"),
            (at, "another version"),
            ("/spec/to", "than this"),
            "make them the same; the facts that the plan is made from are those of `to`",
        );
    }

    /// An image with its tag or digest.
    pub fn image(&mut self, at: &str, image: &str) {
        self.word(at, "an image", image, b"-_.:/@");
    }

    /// Where charts come from, which stands in `/spec/charts`.
    pub fn charts(&mut self, source: &ChartSource) {
        match source {
            ChartSource::Oci(url) => self.address("/spec/charts/oci", url, &["oci://"]),
            ChartSource::Https(url) => self.address("/spec/charts/https", url, &["https://"]),
            ChartSource::Directory(path) => {
                let below = path.strip_prefix("../").unwrap_or(path);
                let leaves = below.is_empty()
                    || below.starts_with(['/', '-', '~'])
                    || below.split('/').any(|part| part == "..");
                if leaves || path.chars().any(char::is_control) {
                    self.error(
                        codes::MANIFEST_BAD_VALUE,
                        "the charts lie neither below the directory of the manifests nor beside it",
                        ("/spec/charts/directory", "leads elsewhere"),
                        "write a path relative to this file, such as charts or ../charts",
                    );
                }
            }
        }
    }

    /// Values by dotted path, which stand in `/spec/set`.
    pub fn values(&mut self, set: &BTreeMap<String, Value>) {
        if let Err(error) = nested(set) {
            let at = format!("/spec/set/{}", token(error.path()));
            let help = "a dot inside of a key is written `\\.`: `podAnnotations.example\\.com/role`";
            self.error(codes::MANIFEST_BAD_VALUE, error.to_string(), (&at, "not the path of a value"), help);
        }
    }

    /// An address with one of these schemes, without credentials.
    pub fn address(&mut self, at: &str, url: &str, schemes: &[&str]) {
        let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
            let message = format!("`{}` is not an address", url.chars().take(80).collect::<String>());
            let help = format!("it begins with {}", schemes.join(" or "));
            return self.error(codes::MANIFEST_BAD_VALUE, message, (at, "not an address of this kind"), help);
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            // The message does not repeat it: it may be a password.
            let help = "remove it; credentials come from the environment of the executor";
            let message = "the address holds credentials";
            return self.error(codes::MANIFEST_BAD_VALUE, message, (at, "credentials before the '@'"), help);
        }
        if host.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message = "the address has no host, or has blanks in it";
            let help = format!("write it like {}host/path", schemes.first().copied().unwrap_or_default());
            self.error(codes::MANIFEST_BAD_VALUE, message, (at, "not an address"), help);
        }
    }
}

/// What does not fit together.
impl Checks<'_, '_> {
    /// The sizes of a rollout, which stands in `/spec/rollout`.
    pub fn rollout_sizes(&mut self, rollout: &Rollout) {
        let more = match (rollout.batch, rollout.max_unavailable) {
            (Some(BatchSize::Nodes(batch)), Some(BatchSize::Nodes(away)))
            | (Some(BatchSize::Percent(batch)), Some(BatchSize::Percent(away))) => batch > away,
            _ => false,
        };
        if more {
            self.pair(
                codes::MANIFEST_CONFLICT,
                "a batch is larger than maxUnavailable",
                ("/spec/rollout/batch", "so many move at once"),
                ("/spec/rollout/maxUnavailable", "maxUnavailable is here"),
                "raise maxUnavailable or lower batch",
            );
        }
    }
}
