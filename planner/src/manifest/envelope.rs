//! Which kind a document is of.

use switchback_schemas::{Diagnostic, codes, manifest::API_VERSION};

use super::{
    kinds::{Kinds, NOT_BUILT},
    nearest::{all, nearest},
    place::Place,
};
use crate::source::Content;

/// The kind of a document, or why it has none that this build knows.
pub(super) fn kind(kinds: &Kinds<'_>, place: &Place) -> Result<&'static str, Vec<Diagnostic>> {
    if !matches!(place.root.content, Content::Mapping(_)) {
        let message = "a manifest is a mapping with apiVersion, kind, metadata and spec";
        return Err(vec![
            Diagnostic::error(codes::MANIFEST_WRONG_TYPE, message)
                .at_all(place.labels("", "this is something else"))
                .help("begin with `apiVersion: switchback.dev/v1alpha1`"),
        ]);
    }
    let missing: Vec<Diagnostic> = ["apiVersion", "kind"]
        .into_iter()
        .filter(|field| place.root.get(field).is_none())
        .map(|field| {
            Diagnostic::error(codes::MANIFEST_MISSING_FIELD, format!("`{field}` is missing"))
                .at_all(place.first_labels("", "in this document"))
                .help(match field {
                    "kind" => format!("add `kind:`; this build knows {}", names(kinds)),
                    _ => format!("add `apiVersion: {API_VERSION}`"),
                })
        })
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let text =
        |field: &str| place.root.get(field).and_then(|node| node.scalar()).map(|scalar| scalar.text.as_str());
    let api_version = text("apiVersion").unwrap_or_default();
    let kind = text("kind").unwrap_or_default();
    if api_version != API_VERSION {
        let message = format!("the apiVersion `{api_version}` is not known");
        return Err(vec![
            Diagnostic::error(codes::MANIFEST_UNKNOWN_KIND, message)
                .at_all(place.labels("/apiVersion", "not of Switchback"))
                .help(match api_version.starts_with("switchback.dev/") {
                    true => format!("this build reads `{API_VERSION}`"),
                    false => format!("manifests have `apiVersion: {API_VERSION}`; leave other objects out"),
                }),
        ]);
    }
    kinds.names().find(|known| *known == kind).ok_or_else(|| vec![unknown(kinds, place, kind)])
}

fn unknown(kinds: &Kinds<'_>, place: &Place, kind: &str) -> Diagnostic {
    if NOT_BUILT.contains(&kind) {
        return Diagnostic::error(codes::MANIFEST_NOT_BUILT, format!("the kind `{kind}` is not built yet"))
            .at_all(place.labels("/kind", "not built yet"))
            .help(format!("this build knows {}", names(kinds)));
    }
    let known = kinds.names().chain(NOT_BUILT);
    Diagnostic::error(codes::MANIFEST_UNKNOWN_KIND, format!("the kind `{kind}` is not known"))
        .at_all(place.labels("/kind", "not a kind"))
        .help(match nearest(kind, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("this build knows {}", names(kinds)),
        })
}

fn names(kinds: &Kinds<'_>) -> String {
    all(kinds.names())
}
