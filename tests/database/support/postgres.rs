//! A PostgreSQL of the test's own, on loopback, with a password.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    host,
    program::{End, Program},
};

/// The shape of a database, one line each.
const SHAPE: &str = "
    select line from (
        select concat_ws(' ', 'column', table_name, ordinal_position, column_name, data_type,
            character_maximum_length, is_nullable, column_default) as line
        from information_schema.columns where table_schema = 'public'
        union all select concat_ws(' ', 'index', indexdef) from pg_indexes where schemaname = 'public'
        union all select concat_ws(' ', 'constraint', conrelid::regclass, contype, conname, convalidated)
        from pg_constraint where connamespace = 'public'::regnamespace
    ) as lines order by line";

/// The server and its programs.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Program,
    bin: PathBuf,
    home: PathBuf,
    port: u16,
    password: String,
}

/// Whoever may run a server: PostgreSQL refuses to be root.
#[derive(Clone, Copy, Debug)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Nobody in particular unless we are root.
    fn unprivileged() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").expect("users");
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map(str::parse);
            Some(Self { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
        };
        Some(find("postgres").or_else(|| find("nobody")).expect("a user other than root"))
    }
}

fn program(bin: &Path, name: &str, home: &Path, user: Option<User>) -> Command {
    let mut command = host::command(bin.join(name), home);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

impl Postgres {
    /// Makes and starts one under a directory that it takes with it.
    pub(crate) fn start(bin: &Path, dir: &Path) -> Self {
        let user = User::unprivileged();
        // Its user has to get through, and not to look around.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).expect("our directory");
        let home = dir.join("postgres");
        fs::create_dir(&home).expect("a directory");
        let secret = host::secret();
        fs::write(home.join("password"), format!("{secret}/%@")).expect("a file");
        if let Some(user) = user {
            for path in [home.clone(), home.join("password")] {
                chown(path, Some(user.uid), Some(user.gid)).expect("root may");
            }
        }
        host::run(program(bin, "initdb", &home, user).args([
            "--pgdata=data",
            "--username=mlflow",
            "--pwfile=password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]));
        // Somebody can take a free port before the server does.
        for attempt in 1..=3 {
            let port = host::free_port();
            let mut command = program(bin, "postgres", &home, user);
            command.args(["-D", "data", "-p", &port.to_string()]);
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"] {
                command.args(["-c", setting]);
            }
            let log = dir.join(format!("postgres-{attempt}.log"));
            let server = Program::start(command, End::Int, &log, Some(dir));
            // As it is written in an address: a password that needs escapes has to survive them.
            let password = format!("{secret}/%@");
            let mut postgres = Self { server, bin: bin.to_owned(), home: home.clone(), port, password };
            let up = host::wait("PostgreSQL", || {
                let up = host::output(postgres.client("psql", "postgres").args(["-c", "select 1"]));
                let ended = postgres.server.ended().is_some();
                (up.status.success() || ended).then_some(!ended)
            });
            if up {
                return postgres;
            }
            let said = postgres.server.said();
            assert!(said.contains("could not bind"), "{said}");
        }
        panic!("no free port for PostgreSQL");
    }

    /// What MLflow is given.
    pub(crate) fn uri(&self, database: &str) -> String {
        let password = self.password.replace('%', "%25").replace('/', "%2F").replace('@', "%40");
        format!("postgresql://mlflow:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What nothing may print.
    pub(crate) fn password(&self) -> &str {
        self.password.trim_end_matches("/%@")
    }

    /// A client's program, on a database.
    pub(crate) fn client(&self, name: &str, database: &str) -> Command {
        let mut command = host::command(self.bin.join(name), &self.home);
        command.env("PGPASSWORD", &self.password);
        command.args(["--host=127.0.0.1", "--username=mlflow", "--no-password"]);
        command.args([format!("--port={}", self.port), format!("--dbname={database}")]);
        command
    }

    /// Rows as lines, columns separated by bars.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        let mut command = self.client("psql", database);
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        host::run(command.args(["--command", text])).trim_end().to_owned()
    }

    /// An empty database, or a copy of one that nobody uses.
    pub(crate) fn create(&self, name: &str, template: Option<&str>) {
        let template = template.unwrap_or("template0");
        self.sql("postgres", &format!(r#"create database "{name}" template "{template}""#));
    }

    /// What puts a live database aside. Somebody who still uses it makes it fail.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        self.sql("postgres", &format!(r#"alter database "{from}" rename to "{to}""#));
    }

    pub(crate) fn drop(&self, name: &str) {
        self.sql("postgres", &format!(r#"drop database "{name}""#));
    }

    /// The stand-in for a snapshot of RDS.
    pub(crate) fn dump(&self, database: &str, file: &Path) {
        host::run(
            self.client("pg_dump", database).arg("--format=custom").arg(format!("--file={}", file.display())),
        );
    }

    /// Fills a new database from a dump.
    pub(crate) fn restore(&self, file: &Path, database: &str) {
        self.create(database, None);
        host::run(
            self.client("pg_restore", database).args(["--exit-on-error", "--single-transaction"]).arg(file),
        );
    }

    /// What is in a database, as text: rows, columns, indexes and constraints by name. Not the schema of `pg_dump`, which
    /// writes the same check in other words once it was restored.
    pub(crate) fn text(&self, database: &str) -> String {
        let rows = host::run(self.client("pg_dump", database).arg("--data-only"));
        // A random word that guards psql, another one each time.
        let guard = |line: &&str| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ");
        let rows: Vec<&str> = rows.lines().filter(guard).collect();
        format!("{}\n{}\n", rows.join("\n"), self.sql(database, SHAPE))
    }

    /// The revision of MLflow's schema.
    pub(crate) fn revision(&self, database: &str) -> String {
        self.sql(database, "select version_num from alembic_version")
    }

    /// Sessions on it.
    pub(crate) fn sessions(&self, database: &str) -> String {
        self.sql("postgres", &format!("select count(*) from pg_stat_activity where datname = '{database}'"))
    }

    /// Waits until nobody uses it: a server's sessions end a moment after it.
    pub(crate) fn unused(&self, database: &str) {
        host::wait("sessions of a server that ended", || (self.sessions(database) == "0").then_some(()));
    }
}

/// Two such texts say the same; a whole dump in a panic would not be read.
pub(crate) fn assert_same(now: &str, before: &str, what: &str) {
    let mut lines = now.lines().zip(before.lines());
    if let Some((now, before)) = lines.find(|(now, before)| now != before) {
        panic!("{what}: {now:?} was {before:?}");
    }
    assert_eq!(
        now.lines().count(),
        before.lines().count(),
        "{what}: the shorter is the beginning of the longer"
    );
}
