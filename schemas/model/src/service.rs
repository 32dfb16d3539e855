//! Services of the cluster, by the addresses under which its own pods reach them. A runner is outside of the cluster, so it goes
//! through the API server's proxy.

/// A Service that an address of the form `http://NAME.NAMESPACE.svc[.cluster.local][:PORT]/…` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// How the proxy names it: `[https:]NAME[:PORT]`. RBAC knows it by this name.
    pub name: String,
    /// Host and port, as a client in the cluster names them.
    pub host: String,
    /// The path at the Service, without its first slash.
    pub path: String,
}

impl Service {
    /// The Service of an address, if it is one.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = match url.split_once("://")? {
            ("http", rest) => ("", rest),
            ("https", rest) => ("https:", rest),
            _ => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let host = host.strip_suffix(".cluster.local").unwrap_or(host);
        let (name, namespace) = host.strip_suffix(".svc")?.split_once('.')?;
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let good = plain(name) && plain(namespace) && (port.is_empty() || plain(port));
        let service = match (scheme, port) {
            ("", "") => name.to_owned(),
            _ => format!("{scheme}{name}:{port}"),
        };
        good.then(|| Self {
            namespace: namespace.to_owned(),
            name: service,
            host: authority.to_owned(),
            path: path.to_owned(),
        })
    }
}
