//! A migration that is killed in its middle.

use std::{io::Write as _, process::Stdio};

use crate::support::{
    Ground, catalog,
    ground::{NEW, OLD},
    host,
    postgres::assert_same,
    program::{End, Program},
};

/// On PostgreSQL all revisions of one `mlflow db upgrade` are one transaction. MLflow does not promise it, and MySQL
/// has no such transactions.
#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn a_migration_killed_in_its_middle_leaves_the_database_as_it_was() {
    let ground = Ground::shared();
    let (postgres, new) = (&ground.postgres, ground.release(NEW));
    let uri = ground.copy("killed");
    let before = postgres.text("killed");

    // A revision in the middle waits for this table: those before it have already made theirs.
    let mut holder = postgres.client("psql", "killed");
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql");
    let mut input = holder.stdin.take().expect("a pipe");
    input.write_all(b"begin; lock table registered_models in access exclusive mode;\n").expect("psql reads");
    let held = "select count(*) from pg_locks where granted and mode = 'AccessExclusiveLock' \
                and relation = 'registered_models'::regclass";
    host::wait("a lock", || (postgres.sql("killed", held) == "1").then_some(()));

    let migration = Program::start(new.migration(&uri), End::Term, &ground.file("killed.log"), None);
    let waits =
        "select count(*) from pg_locks where not granted and relation = 'registered_models'::regclass";
    host::wait("the migration", || (postgres.sql("killed", waits) == "1").then_some(()));
    migration.kill();
    drop(input);
    holder.wait().expect("psql ends with its input");
    postgres.unused("killed");

    assert_eq!(postgres.revision("killed"), catalog::head(OLD));
    assert_same(&postgres.text("killed"), &before, "a killed migration");
    let again = new.migrate(&uri);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(postgres.revision("killed"), catalog::head(NEW));
}
