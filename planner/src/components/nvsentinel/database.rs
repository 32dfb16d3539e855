//! The database of events, as objects of a release show it. One that changes is no upgrade.

use serde_json::Value;
use switchback_schemas::inventory::nvsentinel::EventStore;

use crate::objects;

/// The database that objects of a release bring.
pub(super) fn of(objects: &[Value]) -> Option<EventStore> {
    let is = |kind: &str, name: &str| {
        objects.iter().any(|object| {
            objects::text(object, "/kind") == Some(kind)
                && objects::name(object).is_some_and(|found| found.contains(name))
        })
    };
    if is("PerconaServerMongoDB", "") {
        Some(EventStore::PerconaMongodb)
    } else if is("StatefulSet", "mongodb") {
        Some(EventStore::BitnamiMongodb)
    } else if is("StatefulSet", "postgresql") {
        Some(EventStore::Postgresql)
    } else {
        None
    }
}

/// A database, for people.
pub(super) fn title(store: Option<EventStore>) -> &'static str {
    match store {
        Some(EventStore::BitnamiMongodb) => "MongoDB by the chart of Bitnami",
        Some(EventStore::PerconaMongodb) => "MongoDB by the operator of Percona",
        Some(EventStore::Postgresql) => "PostgreSQL",
        None => "none of its own",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_database_is_told_by_its_objects() {
        let set = |name: &str| json!({"kind": "StatefulSet", "metadata": {"name": name}});
        assert_eq!(of(&[set("nvsentinel-mongodb")]), Some(EventStore::BitnamiMongodb));
        assert_eq!(of(&[set("nvsentinel-postgresql")]), Some(EventStore::Postgresql));
        let percona = json!({"kind": "PerconaServerMongoDB", "metadata": {"name": "mongodb"}});
        assert_eq!(of(&[percona, set("mongodb-rs0")]), Some(EventStore::PerconaMongodb));
        assert_eq!(of(&[set("web")]), None);
    }
}
