//! Upgrades that others require.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{codes, manifest::Requires, name::Label as Name};

use crate::manifest::{DocRef, faults::Faults, set::Set};

/// Kinds and places of upgrades, also of those whose spec is wrong, by name.
type Named<'s> = BTreeMap<&'s str, Vec<(&'static str, DocRef)>>;

pub(super) fn check(set: &Set<'_>, faults: &mut Faults<'_>) {
    let kinds: BTreeSet<&str> = set.kinds.upgrades().collect();
    let mut named = Named::new();
    for (kind, name, doc) in set.names.iter().filter(|(kind, ..)| kinds.contains(kind)) {
        named.entry(name).or_default().push((*kind, *doc));
    }
    for (doc, (_, written)) in &set.upgrades {
        for (index, requires) in written.upgrade().requires().iter().enumerate() {
            requirement(set, faults, &named, (*doc, written.name()), index, requires);
        }
    }
}

fn requirement(
    set: &Set<'_>,
    faults: &mut Faults<'_>,
    named: &Named<'_>,
    (here, own): (DocRef, &Name),
    index: usize,
    requires: &Requires,
) {
    let at = format!("/spec/requires/{index}/upgrade");
    match named.get(requires.upgrade.as_str()).map(Vec::as_slice).unwrap_or_default() {
        [] if !set.whole => {}
        [] => faults.unknown("upgrade", &requires.upgrade, (here, &at), named.keys().copied()),
        [(_, doc)] if *doc == here => faults.error(
            codes::MANIFEST_CONFLICT,
            format!("`{own}` requires itself"),
            (here, &at),
            "this is the upgrade itself",
            "name the upgrade that has to come first",
        ),
        [(_, doc)] => {
            let Some((_, other)) = set.upgrades.get(doc) else { return };
            let to = other.upgrade().to();
            if *to < requires.at_least {
                let message =
                    format!("`{}` never reaches {}: it goes to {to}", other.name(), requires.at_least);
                faults.pair(
                    codes::MANIFEST_CONFLICT,
                    message,
                    (here, &format!("/spec/requires/{index}/atLeast"), "required here"),
                    (*doc, "/spec/to", "goes only this far"),
                    "raise the one or lower the other",
                );
            }
        }
        [(first, _), (second, _), ..] if first != second => faults.error(
            codes::MANIFEST_REFERENCE,
            format!("`{}` names a {first} and a {second}", requires.upgrade),
            (here, &at),
            "which of them is not clear",
            "give one of the two upgrades another name",
        ),
        // Two of one kind: told where they are defined.
        _ => {}
    }
}
