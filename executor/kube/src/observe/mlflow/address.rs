//! What is kept of a text that stands in a workload: of an address scheme, host and path, of anything else nothing. A text may be
//! a secret, and an inventory is read by many.

/// Variables without a secret that a client of a database needs, kept as they are.
const PLAIN: [&str; 6] =
    ["PGSSLMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGAPPNAME", "AWS_REGION", "AWS_DEFAULT_REGION"];

/// What is kept of the value of a variable or an option.
pub(super) fn kept(name: &str, value: &str) -> String {
    let value = value.trim_matches(['"', '\'']);
    if let Some(variable) = reference(value) {
        return format!("$({variable})");
    }
    if PLAIN.contains(&name) && value.len() <= 256 && !value.contains("://") {
        return value.to_owned();
    }
    Address::of(value).map(|address| address.shown(name)).unwrap_or_default()
}

/// The variable that a text consists of: `$(NAME)`, `${NAME}`, `$NAME`.
fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let inner = |open, close| name.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let name = inner('(', ')').or_else(|| inner('{', '}')).unwrap_or(name);
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(word)).then_some(name)
}

/// The parts of an address that are no secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    scheme: &'a str,
    /// With its port; empty where it cannot be told from a password.
    host: &'a str,
    path: &'a str,
}

impl<'a> Address<'a> {
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if scheme.is_empty() || !scheme.bytes().all(of_scheme) {
            return None;
        }
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (before, after) = rest.split_at(end);
        // An `@` behind a `?` may end a password that holds one, and then everything before it is a part of it.
        if after.contains('@') {
            return Some(Self { scheme, host: "", path: "" });
        }
        // A password may hold an `@` or a `/` that nobody escaped: what follows the last `@` is the host.
        let place = before.rsplit_once('@').map_or(before, |(_, place)| place);
        let slash = place.find('/').unwrap_or(place.len());
        let (host, path) = place.split_at(slash);
        Some(Self { scheme, host, path })
    }

    /// The host without its port.
    pub(super) fn host(&self) -> &'a str {
        self.host.split_once(':').map_or(self.host, |(host, _)| host)
    }

    /// The first part of the path: the database, if it is the address of one.
    pub(super) fn database(&self) -> &'a str {
        let first = self.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if self.is_web() { "" } else { first }
    }

    fn is_web(&self) -> bool {
        matches!(self.scheme, "http" | "https")
    }

    /// As text. The path of a web address may be a secret, such as that of a chat's hook; MLflow's own are not.
    fn shown(&self, name: &str) -> String {
        let path = if self.is_web() && !name.starts_with("MLFLOW_") { "" } else { self.path };
        format!("{}://{}{path}", self.scheme, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_kept_of_an_address() {
        for (text, wanted) in [
            ("postgresql://u:hunter2@db:5432/mlflow?sslmode=require", "postgresql://db:5432/mlflow"),
            ("postgresql+psycopg2://u:hun/ter2@db/mlflow", "postgresql+psycopg2://db/mlflow"),
            ("postgresql://u:hunt@er2@db/mlflow", "postgresql://db/mlflow"),
            ("postgresql://u:hunt?er2@db/mlflow", "postgresql://"),
            ("postgresql://db/mlflow?user=u&password=hunter2", "postgresql://db/mlflow"),
            ("postgresql://db/mlflow?password=hunt@er2", "postgresql://"),
            ("https://hooks.example.com/services/hunter2", "https://hooks.example.com"),
            ("s3://artifacts/mlflow", "s3://artifacts/mlflow"),
            ("hunter2", ""),
            ("hunter2 ://x", ""),
        ] {
            assert_eq!(kept("DATABASE_URL", text), wanted, "{text}");
        }
        assert_eq!(kept("MLFLOW_TRACKING_URI", "https://u:hunter2@host/base"), "https://host/base");
    }

    #[test]
    fn a_reference_is_no_secret_and_neither_are_some_variables() {
        for text in ["$(URI)", "${URI}", "$URI", "\"$(URI)\""] {
            assert_eq!(kept("backend-store-uri", text), "$(URI)");
        }
        assert_eq!(
            kept("backend-store-uri", "postgresql://u:$(PASSWORD)@$(HOST)/db"),
            "postgresql://$(HOST)/db"
        );
        assert_eq!(kept("PGSSLMODE", "verify-full"), "verify-full");
        assert_eq!(kept("PGPASSWORD", "hunter2"), "");
    }

    #[test]
    fn an_address_names_its_database() {
        let address = Address::of("postgresql://u:p@db.example.com:5432/grafana?x=y").unwrap();
        assert_eq!((address.host(), address.database()), ("db.example.com", "grafana"));
        assert_eq!(Address::of("http://host/path").unwrap().database(), "");
    }
}
