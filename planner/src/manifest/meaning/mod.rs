//! What documents mean together: who is there, who is named, and what contradicts what.

mod eks;
mod platform;
mod references;
mod rivals;
mod words;

use switchback_schemas::{
    Diagnostic, Label,
    codes::{self, Code},
    manifest::Kind,
};

use super::{DocRef, Set};

/// Everything that is wrong with the set as a whole.
pub(super) fn check(set: &Set) -> Vec<Diagnostic> {
    let mut faults = Faults { set, list: Vec::new() };
    one_platform(&mut faults);
    unique_names(&mut faults);
    platform::check(&mut faults);
    references::check(&mut faults);
    eks::check(&mut faults);
    rivals::check(&mut faults);
    words::check(&mut faults);
    faults.list
}

/// Collects diagnostics with labels in the set's documents.
struct Faults<'a> {
    set: &'a Set,
    list: Vec<Diagnostic>,
}

impl Faults<'_> {
    fn label(&self, doc: DocRef, pointer: &str, text: impl Into<String>) -> Option<Label> {
        self.set.place(doc).map(|place| place.label(pointer, text.into()))
    }

    /// An error with one place.
    fn error(
        &mut self,
        code: Code,
        message: impl Into<String>,
        (doc, pointer): (DocRef, &str),
        label: &str,
        help: impl Into<String>,
    ) {
        let label = self.label(doc, pointer, label);
        self.list.push(Diagnostic::error(code, message).at_all(label).help(help));
    }

    /// An error with two places.
    fn pair(
        &mut self,
        code: Code,
        message: impl Into<String>,
        (doc, pointer, label): (DocRef, &str, &str),
        (other, other_pointer, other_label): (DocRef, &str, &str),
        help: impl Into<String>,
    ) {
        let first = self.label(doc, pointer, label);
        let second = self.label(other, other_pointer, other_label);
        self.list.push(Diagnostic::error(code, message).at_all(first).at_all(second).help(help));
    }
}

fn one_platform(faults: &mut Faults<'_>) {
    let platforms: Vec<DocRef> =
        faults.set.names.iter().filter(|(kind, ..)| *kind == Kind::Platform).map(|(.., doc)| *doc).collect();
    match platforms.as_slice() {
        // What was lost may have been it.
        [] if !faults.set.whole => {}
        [] => faults.list.push(
            Diagnostic::error(codes::MANIFEST_NO_PLATFORM, "there is no Platform document")
                .help("add a document with `kind: Platform`, or name the file that holds it"),
        ),
        [_] => {}
        [first, others @ ..] => {
            let labels: Vec<Label> = std::iter::once((first, "one"))
                .chain(others.iter().map(|doc| (doc, "another")))
                .filter_map(|(doc, text)| faults.label(*doc, "/metadata/name", text))
                .collect();
            let message = format!("there are {} Platform documents", platforms.len());
            faults.list.push(
                Diagnostic::error(codes::MANIFEST_TWO_PLATFORMS, message)
                    .at_all(labels)
                    .help("compile each platform with its own manifests"),
            );
        }
    }
}

fn unique_names(faults: &mut Faults<'_>) {
    let mut names: Vec<&(Kind, String, DocRef)> = faults.set.names.iter().collect();
    names.sort();
    for pair in names.windows(2) {
        let [(kind, name, first), (other_kind, other_name, second)] = pair else { continue };
        // Two platforms are one too many under any name.
        if (kind, name) != (other_kind, other_name) || *kind == Kind::Platform {
            continue;
        }
        faults.pair(
            codes::MANIFEST_DUPLICATE,
            format!("two documents of kind {} are named `{name}`", kind.as_str()),
            (*second, "/metadata/name", "the same name again"),
            (*first, "/metadata/name", "first used here"),
            "give one of them another name",
        );
    }
}
