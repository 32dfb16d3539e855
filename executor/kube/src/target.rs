//! Targets: from what a plan names to an object of the cluster, and what may be concluded when it is not there.

use switchback_executor::{ports::Call, untrusted::text};
use switchback_schemas::{
    Seconds,
    journal::{Class, Evidence, Outcome, WaitsFor},
    name::ObjectRef,
    plan::BoundObject,
};

use crate::{
    api::{Kinds, Reader, Resource, Seen, Sought, another, object_path},
    classify::CallError,
    fields,
};

/// How far two looks have to be apart before something is believed that cannot be seen again: that an object is gone, that nothing is
/// left.
const APART: Seconds = Seconds(10);

/// A target that a call can be made to.
pub(crate) struct Found {
    /// How its kind is served.
    pub(crate) resource: Resource,
    /// The object that was named.
    pub(crate) named: ObjectRef,
    /// What stands at its name.
    pub(crate) there: There,
}

/// What stands at the name of a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum There {
    /// The object that was meant.
    It(Seen),
    /// Nothing.
    Nothing,
    /// Another object on another machine: the one that was meant left its name.
    Successor(Seen),
    /// Another object, and nobody knows what became of the one that was meant.
    Another(Seen),
}

impl Found {
    /// The object's path.
    pub(crate) fn path(&self, subresource: Option<&str>) -> Result<String, CallError> {
        object_path(&self.resource, self.named.namespace.as_deref(), Some(&self.named.name), subresource)
    }

    /// What was looked for.
    pub(crate) fn sought(&self) -> Sought<'_> {
        Sought::new(&self.resource, self.named.namespace.as_deref(), &self.named.name)
    }

    /// The object that was meant, if it is there. That another one stands at its name is no evidence of it.
    pub(crate) fn object(&self) -> Result<Option<&Seen>, CallError> {
        match &self.there {
            There::It(object) => Ok(Some(object)),
            There::Nothing | There::Successor(_) => Ok(None),
            There::Another(found) => Err(another(&self.named.to_string(), found)),
        }
    }
}

/// Looks at a target.
pub(crate) async fn find(
    reader: &Reader,
    kinds: &Kinds<'_>,
    target: &BoundObject,
) -> Result<Found, CallError> {
    let named = &target.object;
    let resource = kinds.of(named).await?;
    let seen = reader.look(Sought::new(&resource, named.namespace.as_deref(), &named.name)).await?;
    let there = seen.map_or(There::Nothing, |seen| whose(target, seen));
    Ok(Found { resource, named: named.clone(), there })
}

/// A node registers anew under another UID while its machine, and all that runs on it, stays. Only another machine is another node.
fn whose(target: &BoundObject, seen: Seen) -> There {
    if target.uid.as_deref().is_none_or(|uid| seen.uid() == uid) {
        return There::It(seen);
    }
    match is_successor(target.provider_id.as_deref(), fields::text(&seen, "/spec/providerID")) {
        true => There::Successor(seen),
        false => There::Another(seen),
    }
}

fn is_successor(meant: Option<&str>, machine: &str) -> bool {
    meant.is_some_and(|meant| !meant.is_empty() && !machine.is_empty() && machine != meant)
}

/// What is concluded from not seeing something needs a second look, some time after the first; until then the effect waits for it.
/// `None` when this is that second look.
pub(crate) fn unconfirmed(call: &Call, what: &str) -> Option<Outcome> {
    let what = text::line(what);
    let before = call.looked.as_ref().filter(|looked| looked.what == what);
    match before {
        Some(looked) if looked.ago >= APART => None,
        _ => Some(Outcome::Blocked { waits_for: vec![WaitsFor::SecondLook { what }] }),
    }
}

/// An effect that happened, with one line of evidence.
pub(crate) fn done(line: impl AsRef<str>) -> Outcome {
    Outcome::Done { evidence: Evidence::line(text::line(line.as_ref())) }
}

/// An effect that did not happen and would be refused again.
pub(crate) fn refused(line: impl AsRef<str>) -> Outcome {
    not_done(Class::Refused, line)
}

/// An effect that did not happen.
pub(crate) fn not_done(class: Class, line: impl AsRef<str>) -> Outcome {
    Outcome::NotDone { class, evidence: Evidence::line(text::line(line.as_ref())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_executor::ports::Looked;
    use switchback_schemas::{RunId, journal::At};

    fn call(looked: Option<Looked>) -> Call {
        let run = RunId::new("run-1".to_owned()).unwrap();
        let first =
            Call::first(run, At::forward(&"a/b".parse().unwrap()), "c".parse().unwrap(), String::new());
        Call { looked, ..first }
    }

    #[test]
    fn b1_what_is_not_seen_is_believed_at_the_second_look_some_time_later() {
        let looked = |what: &str, ago| Some(Looked { what: what.to_owned(), ago: Seconds(ago) });
        assert!(unconfirmed(&call(None), "x").is_some());
        assert!(unconfirmed(&call(looked("x", 9)), "x").is_some());
        assert!(unconfirmed(&call(looked("y", 60)), "x").is_some(), "a look at something else");
        assert_eq!(unconfirmed(&call(looked("x", 10)), "x"), None);
    }

    #[test]
    fn b1_another_uid_on_the_same_machine_is_nobody_that_is_known() {
        let meant = Some("aws:///z/i-1");
        assert!(!is_successor(meant, "aws:///z/i-1"));
        assert!(!is_successor(meant, ""));
        assert!(!is_successor(None, "aws:///z/i-2"));
        assert!(is_successor(meant, "aws:///z/i-2"));
    }
}
