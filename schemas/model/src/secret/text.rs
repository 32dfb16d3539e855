//! Secrets within foreign text, by their shape: what a program complained, what a server answered, arguments. Where text is
//! no longer a secret's own field, only its shape gives it away, so this errs on the side of hiding.

use std::borrow::Cow;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::percent_decode_str;

use super::is_secret_name;

/// What stands where a secret stood.
pub const HIDDEN: &str = "***";

/// Further names whose values are secrets in text, compared as letters and digits alone.
const KEYS: [&str; 9] =
    ["authorization", "cookie", "setcookie", "auth", "pwd", "pass", "signature", "xamzsignature", "dsn"];

/// Names that stand before a colon in messages without saying a secret: `secret: not found`.
const IN_MESSAGES: [&str; 6] = ["secret", "secrets", "token", "credential", "credentials", "auth"];

/// Words between `Authorization:` and what it says.
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "negotiate", "token", "apikey"];

/// How tokens begin whose issuers mark them, and how much has to follow.
const MARKED: [(&str, usize); 20] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("hf_", 20),
    ("nvapi-", 20),
    ("sk-", 20),
    ("eyJ", 20),
    ("k8s-aws-v1.", 20),
];

/// The shortest run of letters of both cases and digits that is taken for an opaque secret.
const OPAQUE: usize = 32;

/// How often a text is decoded to look for secrets in it.
const DEPTH: usize = 2;

/// Text without the secrets that its shape shows. Doing it twice is doing it once.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let redacted = redacted(text, DEPTH);
    if redacted == text { Cow::Borrowed(text) } else { Cow::Owned(redacted) }
}

fn redacted(text: &str, depth: usize) -> String {
    words(&without_users(&without_pem(text)), depth)
}

/// Whether a name in text is followed by a secret.
fn is_key(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    is_secret_name(name) || KEYS.contains(&plain.as_str())
}

/// Blocks of PEM are gone, also those whose end was cut off and those with written line ends.
fn without_pem(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    if !text.contains(BEGIN) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, block)) = rest.split_once(BEGIN) {
        out.push_str(before);
        out.push_str(HIDDEN);
        let Some((_, after)) = block.split_once(END) else { return Cow::Owned(out) };
        rest = after.split_once("-----").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Users and passwords of addresses are gone.
fn without_users(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| "/?#\"'<>`\\".contains(c) || c.is_whitespace()).unwrap_or(after.len());
        let (authority, next) = after.split_at(end);
        // A password may hold a slash that nobody escaped.
        let until = after.find(|c: char| "\"'<>`\\".contains(c) || c.is_whitespace()).unwrap_or(after.len());
        let whole = after.get(..until).unwrap_or_default();
        match (authority.rfind('@'), whole.rfind('@')) {
            (Some(at), _) => {
                out.push_str(HIDDEN);
                rest = after.get(at..).unwrap_or_default();
            }
            (None, Some(at)) if authority.contains(':') && !is_port(authority) => {
                out.push_str(HIDDEN);
                rest = after.get(at..).unwrap_or_default();
            }
            _ => {
                out.push_str(authority);
                rest = next;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// What of the words before decides about the next.
#[derive(Default)]
struct Seen {
    /// The next word is a secret.
    secret: bool,
    /// The last word may be a secret's name: `password`, in `password = x`.
    key: bool,
    /// A name was said whose value stands beside it: `"name": "DB_PASSWORD", "value": "x"`.
    named: bool,
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || "\"'`<>(){}[],;&?\\|".contains(c)
}

fn words(text: &str, depth: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut seen = Seen::default();
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.find(|c| !is_end(c)).unwrap_or(rest.len());
        let (between, after) = rest.split_at(gap);
        out.push_str(between);
        // What follows in deeper lines is no value, unless it is a block of text.
        if between.contains('\n') && !between.contains(['|', '>']) {
            seen.secret = false;
        }
        // What is quoted is one value, blanks and all.
        let quote = between.chars().last().filter(|last| matches!(last, '"' | '\'' | '`'));
        let end = match quote.filter(|_| seen.secret) {
            Some(quote) => after.find(quote).unwrap_or(after.len()),
            None => after.find(is_end).unwrap_or(after.len()),
        };
        let (word, next) = after.split_at(end);
        rest = next;
        if word.is_empty() {
            continue;
        }
        out.push_str(&one(word, &mut seen, depth));
    }
    out
}

/// One word, and what it says of the next.
fn one<'w>(word: &'w str, seen: &mut Seen, depth: usize) -> Cow<'w, str> {
    let lower = word.to_ascii_lowercase();
    let scheme = SCHEMES.contains(&lower.trim_end_matches(':'));
    if matches!(word, ":" | "=" | ":=" | "=>") {
        seen.secret = seen.key;
        return word.into();
    }
    if std::mem::take(&mut seen.secret) && word != "|" && word != "null" {
        if scheme {
            seen.secret = true;
            return word.into();
        }
        if !word.starts_with("--") {
            return HIDDEN.into();
        }
    }
    seen.secret = lower == "bearer";
    if matches!(lower.as_str(), "name" | "name:") {
        seen.named = false;
    }
    if let Some((key, value)) = split(word) {
        let name = key.trim_start_matches('-');
        let value_of_named = name.eq_ignore_ascii_case("value") && std::mem::take(&mut seen.named);
        if is_key(name) || value_of_named {
            if value.is_empty() {
                // `password:` and its value, but not `secret: not found`.
                let colon = word.ends_with(':');
                let message = IN_MESSAGES.contains(&name.to_ascii_lowercase().as_str());
                seen.secret = !(colon && message);
                return word.into();
            }
            if value == HIDDEN || is_digest(value) {
                return word.into();
            }
            let sign = word.get(key.len()..=key.len()).unwrap_or("=");
            seen.secret = SCHEMES.contains(&value.to_ascii_lowercase().as_str());
            return if seen.secret { word.into() } else { format!("{key}{sign}{HIDDEN}").into() };
        }
        let hidden = opaque(value, depth);
        if hidden != value {
            let sign = word.get(key.len()..=key.len()).unwrap_or("=");
            return format!("{key}{sign}{hidden}").into();
        }
    }
    seen.key = is_key(word.trim_start_matches('-'));
    seen.named |= seen.key;
    if seen.key && word.starts_with('-') {
        seen.secret = true;
        return word.into();
    }
    if !seen.key && lower == "value" {
        seen.key = std::mem::take(&mut seen.named);
    }
    opaque(word, depth)
}

/// `key=value` and `key:value`; no address, and no object that something is said of (`apps/web-token: not found`).
fn split(word: &str) -> Option<(&str, &str)> {
    let at = word.find(['=', ':'])?;
    let (key, value) = (word.get(..at)?, word.get(at + 1..)?);
    // `registry/app-secrets:v1` and `apps/web-token: not found`.
    let path = key.contains('/') && word.get(at..=at) == Some(":");
    (!key.is_empty() && !path && !value.starts_with("//")).then_some((key, value))
}

fn is_digest(word: &str) -> bool {
    word.parse::<switchback_schemas::Digest>().is_ok()
}

/// A word that looks like a secret by itself, or hides one in another spelling.
fn opaque(word: &str, depth: usize) -> Cow<'_, str> {
    if is_digest(word) || word == HIDDEN {
        return word.into();
    }
    let marked = |(mark, more): &(&str, usize)| {
        word.match_indices(mark).any(|(at, _)| {
            let before = word.get(..at).and_then(|text| text.chars().last());
            let run = word.get(at + mark.len()..).unwrap_or_default();
            let length = run.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).count();
            length >= *more && before.is_none_or(|c| !c.is_ascii_alphanumeric())
        })
    };
    let hook = word.contains("hooks.slack.com/services/") || word.contains("/webhooks/");
    if MARKED.iter().any(marked) || hook {
        return HIDDEN.into();
    }
    let runs = word.split(|c: char| !(c.is_ascii_alphanumeric() || "+-_=".contains(c)));
    if runs.clone().any(is_opaque) {
        return HIDDEN.into();
    }
    if depth > 0 {
        let spelled = [percent_decoded(word), base64_decoded(word)];
        if spelled.into_iter().flatten().any(|plain| redacted(&plain, depth - 1) != plain) {
            return HIDDEN.into();
        }
    }
    word.into()
}

/// Letters of both cases and digits, long, and mixed as chance mixes them and words are not: `KarpenterNodeRole-MyCluster2026`.
fn is_opaque(run: &str) -> bool {
    let class = |c: char| (c.is_ascii_uppercase(), c.is_ascii_lowercase(), c.is_ascii_digit());
    let classes: Vec<_> = run.chars().filter(char::is_ascii_alphanumeric).map(class).collect();
    let has = |of: fn(&(bool, bool, bool)) -> bool| classes.iter().any(of);
    let turns = classes.iter().zip(classes.iter().skip(1)).filter(|(one, next)| one != next).count();
    classes.len() >= OPAQUE && has(|c| c.0) && has(|c| c.1) && has(|c| c.2) && turns * 3 > classes.len()
}

fn percent_decoded(word: &str) -> Option<String> {
    word.contains('%').then(|| percent_decode_str(word).decode_utf8().ok().map(Cow::into_owned)).flatten()
}

/// Text that base64 hides, in either alphabet, padded or not.
fn base64_decoded(word: &str) -> Option<String> {
    if word.len() < 12 {
        return None;
    }
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if word.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let bytes = GeneralPurpose::new(&alphabet, lenient).decode(word).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.chars().all(|c| !c.is_control() || c.is_whitespace()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_shape() {
        const S: &str = "canary-Zq7";
        for text in [
            format!("postgres://mlflow:{S}@db:5432/x failed"),
            format!("postgres://mlflow:a/{S}@db:5432/x failed"),
            format!("redis://:{S}@cache"),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END RSA PRIVATE KEY-----\nafter"),
            format!("-----BEGIN RSA PRIVATE KEY-----\\n{S}\\n"),
            format!("Authorization: Bearer {S}"),
            format!("{{\"authorization\": \"Basic {S}\"}}"),
            format!("header Bearer {S} refused"),
            format!("--token={S} --x"),
            format!("--token {S}"),
            format!("\"--password\", \"{S}\""),
            format!("password: {S}"),
            format!("password: \"a b {S}\""),
            format!("DB_PASSWORD='{S}'"),
            format!("{{\"clientSecret\":\"{S}\",\"x\":1}}"),
            format!("api_key = {S}"),
            format!("https://h/p?a=1&access_token={S}&b=2"),
            format!("{{\"name\": \"DB_PASSWORD\", \"value\": \"{S}\"}}"),
            format!("- name: DB_PASSWORD\n  value: {S}\n"),
            format!("Set-Cookie: {S}"),
            format!("https://hooks.slack.com/services/T0/B0/{S}"),
            "postgres%3A%2F%2Fu%3Acanary-Zq7%40db".to_owned(),
            // password=canary-Zq7
            "cGFzc3dvcmQ9Y2FuYXJ5LVpxNw==".to_owned(),
            "--conf=cGFzc3dvcmQ9Y2FuYXJ5LVpxNw==".to_owned(),
            "--db=postgres%3A%2F%2Fu%3Acanary-Zq7%40db".to_owned(),
        ] {
            let hidden = redact_text(&text);
            assert!(
                !hidden.contains(S) && !hidden.contains("Zq7") && !hidden.contains("cGFz"),
                "{text}: {hidden}"
            );
            assert_eq!(redact_text(&hidden), hidden, "{text}");
        }
        for token in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        ] {
            assert!(!redact_text(&format!("it said {token}, and")).contains(token), "{token}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "Back-off pulling image \"ghcr.io/external-secrets/external-secrets:v0.9.11\"",
            "name: password\nname: mode\nvalue: fast",
        ] {
            assert_eq!(redact_text(text), text);
        }
        let digest = format!("image@sha256:{}", "0a".repeat(32));
        for text in [
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            "secrets \"web\" is forbidden: User \"r\" cannot get resource \"secrets\" in API group \"\"",
            "failed to create secret: Unauthorized",
            "Get \"https://10.0.0.1:6443/version\": dial tcp 10.0.0.1:6443: connect: connection refused",
            "Secret \"x\" exists and cannot be imported into the current release",
            "arn:aws:eks:eu-central-1:123456789012:nodegroup/mlops-platform-dev/gpu/0ec9a1d2-1111-2222-3333-444455556666",
            "imagePullSecrets: none; tokenTTL: 15m",
            "arn:aws:iam::111122223333:role/KarpenterNodeRole-MyCluster2026-prod may not be assumed",
            "Secret apps/web-token: not found",
            "1 of 3 replicas are ready; ImagePullBackOff: Back-off pulling image \"registry.k8s.io/pause:3.10\"",
            "oci://public.ecr.aws/karpenter/karpenter",
            digest.as_str(),
        ] {
            assert_eq!(redact_text(text), text);
        }
    }
}
