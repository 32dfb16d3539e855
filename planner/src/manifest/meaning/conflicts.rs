//! Upgrades that change the same thing.

use switchback_schemas::codes;

use crate::manifest::{DocRef, Touch, faults::Faults, set::Set};

pub(super) fn check(set: &Set<'_>, faults: &mut Faults<'_>) {
    let mut touched: Vec<(Touch, DocRef)> = Vec::new();
    for (doc, (kind, written)) in &set.upgrades {
        let more = set.kinds.upgrade(kind).map(|kind| kind.touches(&**written)).unwrap_or_default();
        touched.extend(more.into_iter().map(|touch| (touch, *doc)));
    }
    touched.sort_by(|(a, doc), (b, other)| (&a.thing, doc, a.at).cmp(&(&b.thing, other, b.at)));
    for pair in touched.windows(2) {
        let [(touch, first), (other, second)] = pair else { continue };
        if touch.thing != other.thing {
            continue;
        }
        faults.pair(
            codes::MANIFEST_CONFLICT,
            format!("two settings move {}", touch.title),
            (*second, other.at, "moved here"),
            (*first, touch.at, "and here"),
            "keep one of them; to go in two steps, compile the second after the first is done",
        );
    }
}
