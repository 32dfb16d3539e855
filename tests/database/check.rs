//! The schema check Job: what it answers, in one line, without the address.

use crate::support::{
    Ground, catalog,
    ground::{NEW, OLD},
    mlflow::Checked,
};

/// The answer is one line that holds no part of the address.
fn line(ground: &Ground, checked: Checked) -> (Option<i32>, String) {
    let Checked { code, said } = checked;
    assert!(said.starts_with("schema check: ") && said.lines().count() == 1, "not one line: {said}");
    for secret in [ground.postgres.password(), "postgresql:", "127.0.0.1", "mlflow:"] {
        assert!(!said.contains(secret), "{said}");
    }
    (code, said)
}

#[test]
fn a_schema_check_tells_older_newer_none_and_unreadable_apart() {
    let Some(ground) = Ground::shared() else { return };
    let (old, new) = (ground.release(OLD), ground.release(NEW));
    let (first, last) = (catalog::head(OLD), catalog::head(NEW));
    let uri = ground.copy("checked");

    let (code, said) = line(&ground, old.check(Some(&uri)));
    assert_eq!((code, said.contains(&first)), (Some(0), true), "{said}");

    let (code, said) = line(&ground, new.check(Some(&uri)));
    let older = format!("revision {first} is older than the head {last} of MLflow {NEW}");
    assert_eq!((code, said.contains(&older)), (Some(1), true), "{said}");

    ground.postgres.sql("checked", &format!("update alembic_version set version_num = '{last}'"));
    let (code, said) = line(&ground, old.check(Some(&uri)));
    let newer = format!("revision {last} is not known to MLflow {OLD}, whose head is {first}");
    assert_eq!((code, said.contains(&newer)), (Some(1), true), "{said}");

    ground.postgres.create("empty", None);
    let (code, said) = line(&ground, new.check(Some(&ground.postgres.uri("empty"))));
    assert_eq!((code, said.contains("the database has no revision")), (Some(1), true), "{said}");

    let (code, said) = line(&ground, old.check(Some(&ground.postgres.uri("missing"))));
    assert_eq!((code, said.contains("could not be read")), (Some(2), true), "{said}");

    // An address that is none must not be quoted either.
    let (code, said) = line(&ground, new.check(Some(ground.postgres.password())));
    assert_eq!((code, said.contains("could not be read")), (Some(2), true), "{said}");

    let (code, said) = line(&ground, old.check(None));
    assert_eq!((code, said.contains("MLFLOW_BACKEND_STORE_URI")), (Some(2), true), "{said}");
}
