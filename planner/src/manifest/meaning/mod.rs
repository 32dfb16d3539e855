//! What documents mean together: who is there, who is named, and what contradicts what.

mod conflicts;
mod platform;
mod requirements;
mod verifications;

use switchback_schemas::{Diagnostic, Label, codes};

use super::{
    Checks, DocRef,
    faults::{Faults, Known},
    kinds::{PLATFORM, VERIFICATION},
    set::Set,
};

/// Everything that is wrong with the set as a whole.
pub(super) fn check(set: &Set<'_>) -> Vec<Diagnostic> {
    let names = set.names.iter().filter(|(kind, ..)| *kind == VERIFICATION);
    let platform = match set.platforms.as_slice() {
        [platform] => Some(platform),
        _ => None,
    };
    let known = Known {
        whole: set.whole,
        platform,
        verifications: names.map(|(_, name, _)| name.as_str()).collect(),
        places: &set.places,
    };
    let mut faults = Faults { known, list: Vec::new() };
    one_platform(set, &mut faults);
    unique_names(set, &mut faults);
    platform::check(set, &mut faults);
    for (doc, (kind, written)) in &set.upgrades {
        let mut checks = Checks::new(&mut faults, *doc);
        let upgrade = written.upgrade();
        checks.cluster("/spec/target", upgrade.target());
        for (index, name) in upgrade.verify().iter().enumerate() {
            checks.verification(&format!("/spec/verify/{index}"), name);
        }
        if let Some(kind) = set.kinds.upgrade(kind) {
            kind.check(&**written, &mut checks);
        }
    }
    requirements::check(set, &mut faults);
    verifications::check(set, &mut faults);
    conflicts::check(set, &mut faults);
    faults.list
}

fn one_platform(set: &Set<'_>, faults: &mut Faults<'_>) {
    let platforms: Vec<DocRef> =
        set.names.iter().filter(|(kind, ..)| *kind == PLATFORM).map(|(.., doc)| *doc).collect();
    match platforms.as_slice() {
        // What was lost may have been it.
        [] if !set.whole => {}
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

fn unique_names(set: &Set<'_>, faults: &mut Faults<'_>) {
    let mut names: Vec<&(&str, String, DocRef)> = set.names.iter().collect();
    names.sort();
    for pair in names.windows(2) {
        let [(kind, name, first), (other_kind, other_name, second)] = pair else { continue };
        // Two platforms are one too many under any name.
        if (kind, name) != (other_kind, other_name) || *kind == PLATFORM {
            continue;
        }
        faults.pair(
            codes::MANIFEST_DUPLICATE,
            format!("two documents of kind {kind} are named `{name}`"),
            (*second, "/metadata/name", "the same name again"),
            (*first, "/metadata/name", "first used here"),
            "give one of them another name",
        );
    }
}
