//! What the planner's catalog says about MLflow's schema, to be held against real releases.

use serde_yaml::Value;

const FACTS: &str = include_str!("../../../planner/src/catalog/data/mlflow.yaml");

/// The head of the schema that a release ships: that of the newest migration up to it.
pub(crate) fn head(version: &str) -> String {
    let facts: Value = serde_yaml::from_str(FACTS).expect("the catalog is YAML");
    let migrations = facts["migrations"].as_sequence().expect("migrations").iter();
    let known = migrations.filter(|migration| number(text(migration, "at")) <= number(version));
    let newest = known.max_by_key(|migration| number(text(migration, "at"))).expect("a migration");
    let what = text(newest, "what").strip_prefix("database schema ").expect("a revision");
    what.split(',').next().expect("a revision").to_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("text")
}

/// A version by its numbers.
fn number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().expect("a number")).collect()
}

#[test]
fn the_head_between_two_migrations_is_that_of_the_earlier() {
    assert_eq!(head("2.22.4"), "0584bdc529eb");
    assert_eq!(head("3.8.0"), "1bd49d398cd23");
    assert_eq!(head("3.10.0"), "1b5f0d9ad7c1");
}
