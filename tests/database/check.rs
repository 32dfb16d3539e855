//! The Jobs that only look: what they answer, in one line, without the address.

use crate::support::{
    Ground, catalog,
    ground::{NEW, OLD, places},
    mlflow::{Checked, Release},
    postgres::Postgres,
};

/// The answer is one line that holds no part of the address.
fn line(postgres: &Postgres, checked: Checked) -> (Option<i32>, String) {
    let Checked { code, said } = checked;
    assert!(said.contains(" check: "), "not one line: {said}");
    assert!(said.lines().count() == 1, "not one line: {said}");
    for secret in [postgres.password(), "postgresql:", "mlflow:"] {
        assert!(!said.contains(secret), "{said}");
    }
    (code, said)
}

#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn a_schema_check_tells_older_newer_none_and_unreadable_apart() {
    let ground = Ground::shared();
    let (old, new) = (ground.release(OLD), ground.release(NEW));
    let (first, last) = (catalog::head(OLD), catalog::head(NEW));
    let uri = ground.copy("checked");

    let (code, said) = line(&ground.postgres, old.check_schema(Some(&uri)));
    assert_eq!((code, said.contains(&first)), (Some(0), true), "{said}");

    let (code, said) = line(&ground.postgres, new.check_schema(Some(&uri)));
    let older = format!("revision {first} is older than the head {last} of MLflow {NEW}");
    assert_eq!((code, said.contains(&older)), (Some(1), true), "{said}");

    ground.postgres.sql("checked", &format!("update alembic_version set version_num = '{last}'"));
    let (code, said) = line(&ground.postgres, old.check_schema(Some(&uri)));
    let newer = format!("revision {last} is not known to MLflow {OLD}, whose head is {first}");
    assert_eq!((code, said.contains(&newer)), (Some(1), true), "{said}");

    ground.postgres.create("empty", None);
    let (code, said) = line(&ground.postgres, new.check_schema(Some(&ground.postgres.uri("empty"))));
    assert_eq!((code, said.contains("the database has no revision")), (Some(1), true), "{said}");

    let (code, said) = line(&ground.postgres, old.check_schema(Some(&ground.postgres.uri("missing"))));
    assert_eq!((code, said.contains("could not be read")), (Some(2), true), "{said}");

    // An address that is none must not be quoted either.
    let (code, said) = line(&ground.postgres, new.check_schema(Some(ground.postgres.password())));
    assert_eq!((code, said.contains("could not be read")), (Some(2), true), "{said}");

    let (code, said) = line(&ground.postgres, old.check_schema(None));
    assert_eq!((code, said.contains("MLFLOW_BACKEND_STORE_URI")), (Some(2), true), "{said}");
}

/// On a PostgreSQL of its own: on that of the other tests databases come and go.
#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn an_address_check_names_what_a_restore_would_rewind_too() {
    let (releases, bin) = places();
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(&bin, dir.path());
    let new = Release::find(NEW, &releases, dir.path());
    for name in ["mlflow", "grafana"] {
        postgres.create(name, None);
    }
    let uri = postgres.uri("mlflow");
    let check =
        |uri: &str, host: &str, accepted: &[&str]| line(&postgres, new.check_address(uri, host, accepted));

    let (code, said) = check(&uri, "127.0.0.1", &[]);
    let others = "a restore would rewind these too, and nobody accepted that: grafana\n";
    assert_eq!((code, said.ends_with(others)), (Some(1), true), "{said}");

    let (code, said) = check(&uri, "127.0.0.1", &["grafana"]);
    assert_eq!((code, said.contains("the address leads to 127.0.0.1")), (Some(0), true), "{said}");

    let (code, said) = check(&uri, "127.0.0.2", &["grafana"]);
    assert_eq!((code, said.contains("another host than 127.0.0.2")), (Some(1), true), "{said}");

    let (code, said) = check("sqlite:///runs.db", "127.0.0.1", &[]);
    assert_eq!((code, said.contains("an address of sqlite")), (Some(1), true), "{said}");

    let (code, said) = check(&postgres.uri("missing"), "127.0.0.1", &[]);
    assert_eq!((code, said.contains("could not be listed")), (Some(2), true), "{said}");
}
