//! A kubeconfig for one user of the cluster.

use std::path::Path;

use serde_json::{Value, json};

use crate::pki::Client;

/// A kubeconfig as JSON, which every reader of YAML reads: no path needs quoting by hand.
/// Credentials are named by absolute path, so there is one copy of each key.
pub(crate) fn render(server: &str, ca: &Path, client: &Client) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "switchback-test",
            "cluster": { "server": server, "certificate-authority": ca },
        }],
        "users": [{
            "name": client.name,
            "user": { "client-certificate": client.certificate, "client-key": client.key },
        }],
        "contexts": [{
            "name": "switchback-test",
            "context": { "cluster": "switchback-test", "user": client.name },
        }],
        "current-context": "switchback-test",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_points_at_the_server_and_at_the_users_files_and_runs_nothing() {
        let client = Client {
            name: "admin",
            certificate: "/run dir/pki/admin.crt".into(),
            key: "/run dir/pki/admin.key".into(),
        };
        let config = render("https://127.0.0.1:6443", Path::new("/run dir/pki/ca.crt"), &client);
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
        assert_eq!(config["clusters"][0]["cluster"]["certificate-authority"], "/run dir/pki/ca.crt");
        assert_eq!(config["users"][0]["user"]["client-key"], "/run dir/pki/admin.key");
        assert_eq!(config["contexts"][0]["name"], config["current-context"]);
        assert_eq!(config["contexts"][0]["context"]["user"], config["users"][0]["name"]);
        assert!(!config.to_string().contains("exec"));
    }
}
