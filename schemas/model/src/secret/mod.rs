//! Which values are secrets, and what stands in documents and in messages instead of them.
//!
//! Of objects that are kept, `kept` decides: what no component asks for is a salted digest, so that a change stays visible,
//! and a digest that is no secret (`image.digest: sha256:…`) stays what it is. Of text that others wrote, `text` decides by
//! its shape.

mod kept;
mod text;

use switchback_schemas::Digest;

pub use kept::{Keeping, names};
pub use text::{HIDDEN, redact_text};

/// Words that make a name the name of a secret.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "connectionstring",
];

/// Endings of names that only say where a secret is, or how long it lives.
const POINTERS: [&str; 9] = ["name", "names", "ref", "path", "file", "dir", "ttl", "enabled", "expiration"];

/// Names that hold one of the words and no secret.
const HARMLESS: [&str; 4] =
    ["imagepullsecrets", "imagepullsecret", "automountserviceaccounttoken", "serviceaccounttoken"];

/// Whether a field of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    WORDS.iter().any(|word| plain.contains(word))
        && !plain.starts_with("existing")
        && !HARMLESS.contains(&plain.as_str())
        && !POINTERS.iter().any(|end| plain.ends_with(end))
}

fn is_reference(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide() {
        for name in ["password", "DB_PASSWORD", "adminPassword", "clientSecret", "api-key", "authToken"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "secretName",
            "existingSecret",
            "imagePullSecrets",
            "tokenTTL",
            "digest",
            "passwordFile",
            "image",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
